"""Tables made of files, which are read again when they change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.threads import deferToThread

from rotonda.units.readings import Outcome, R, Readings
from rotoro.table import History, Snapshot

__all__ = ["FileTable", "Outcome"]


class FileTable(Readings[R]):
    """The table of some files; `changed` is called after each commit, `done` after each reading."""

    def __init__(
        self,
        paths: Sequence[Path],
        history: History,
        clock: Callable[[], float],
        changed: Callable[[], None],
        done: Callable[[R], None],
    ) -> None:
        super().__init__(done)
        self._paths = paths
        self._history = history
        self._clock = clock
        self._changed = changed

    async def _commit(self, snapshot: Snapshot) -> None:
        """Move the table to this state; what changes is found in a thread, as that takes a look at all of it."""
        diff = await deferToThread(self._history.snapshot.diff, snapshot)
        if not self.stopped and self._history.commit(snapshot, diff) is not None:
            self._changed()

    @property
    def _names(self) -> str:
        return ", ".join(map(str, self._paths))
