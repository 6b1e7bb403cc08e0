"""Tables made of files, which are read again when they change.

Reading is for threads and for coroutines that let the reactor have its turn. There is one reading at a time; who wants
another meanwhile gets it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from rotoro.table import History, Snapshot


@dataclass(slots=True)
class Outcome:
    """What became of a reading."""

    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


R = TypeVar("R", bound=Outcome)


class FileTable(Generic[R]):
    """The table of some files; `changed` is called after each commit, `done` after each reading."""

    log = Logger()

    def __init__(
        self,
        paths: Sequence[Path],
        history: History,
        clock: Callable[[], float],
        changed: Callable[[], None],
        done: Callable[[R], None],
    ) -> None:
        self.loading = False
        self.stopped = False
        self._paths = paths
        self._history = history
        self._clock = clock
        self._changed = changed
        self._done = done
        self._again = False
        self._over: list[Deferred[None]] = []

    def load(self) -> None:
        """Read the files, now or when the reading under way is over."""
        self._again = self.loading
        if not self.loading and not self.stopped:
            self.loading = True
            ensureDeferred(self._reading()).addErrback(lambda bug: self.log.failure("after a reading", bug))

    def stop(self) -> Deferred[None]:
        """Read no more, for good; fires when the reading under way has ended, without a commit if that is possible."""
        self.stopped = True
        if not self.loading:
            return succeed(None)
        self._over.append(Deferred())
        return self._over[-1]

    async def _reading(self) -> None:
        outcome = self._outcome()
        try:
            await self._read(outcome)
        except Exception:
            self.log.failure("{paths}: reading failed", paths=self._names)
            outcome.problems.append("reading failed; see the log")
        self.loading = False
        if self.stopped:
            for waiting in self._over:
                waiting.callback(None)
            return
        if self._again:
            self.load()
        self._done(outcome)

    async def _commit(self, snapshot: Snapshot) -> None:
        """Move the table to this state; what changes is found in a thread, as that takes a look at all of it."""
        diff = await deferToThread(self._history.snapshot.diff, snapshot)
        if not self.stopped and self._history.commit(snapshot, diff) is not None:
            self._changed()

    @property
    def _names(self) -> str:
        return ", ".join(map(str, self._paths))

    def _outcome(self) -> R:
        """The outcome of a reading that begins."""
        raise NotImplementedError

    async def _read(self, outcome: R) -> None:
        """Read everything, commit, and say in the outcome what became of it."""
        raise NotImplementedError
