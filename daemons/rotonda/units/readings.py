"""Reading that takes a while, again and again: in threads and in coroutines that let the reactor have its turn.

There is one reading at a time; who wants another meanwhile gets it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.logger import Logger


@dataclass(slots=True)
class Outcome:
    """What became of a reading."""

    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


R = TypeVar("R", bound=Outcome)


class Readings(Generic[R]):
    """Something that is read; `done` is called after each reading."""

    log = Logger()

    def __init__(self, done: Callable[[R], None]) -> None:
        self.loading = False
        self.stopped = False
        self._done = done
        self._again = False
        self._over: list[Deferred[None]] = []

    def load(self) -> None:
        """Read, now or when the reading under way is over."""
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
            self.log.failure("{names}: reading failed", names=self._names)
            outcome.problems.append("reading failed; see the log")
        self.loading = False
        if self.stopped:
            for waiting in self._over:
                waiting.callback(None)
            return
        if self._again:
            self.load()
        self._done(outcome)

    @property
    def _names(self) -> str:
        """What is read, for people."""
        raise NotImplementedError

    def _outcome(self) -> R:
        """The outcome of a reading that begins."""
        raise NotImplementedError

    async def _read(self, outcome: R) -> None:
        """Read everything, use it, and say in the outcome what became of it."""
        raise NotImplementedError
