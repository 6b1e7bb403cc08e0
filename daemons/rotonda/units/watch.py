"""Notices when files change, by looking at them: that works on every file system and needs no reactor support."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

Seen = tuple[tuple[int, int, int] | None, ...]


class Watch:
    """Looks at files every so many seconds, and calls when they have changed and then stayed as they are for a look."""

    def __init__(
        self, paths: Sequence[Path], changed: Callable[[], object], clock: IReactorTime, seconds: float
    ) -> None:
        self._paths = paths
        self._changed = changed
        self._seconds = seconds
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock
        self._known = self._last = self._see()

    def start(self) -> None:
        """Begin to look."""
        self._loop.start(self._seconds, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._loop.running:
            self._loop.stop()

    def _see(self) -> Seen:
        return tuple(_state(path) for path in self._paths)

    def _look(self) -> None:
        now = self._see()
        if now == self._last != self._known:
            self._known = now
            self._changed()
        self._last = now


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
