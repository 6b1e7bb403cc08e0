"""Notices when files change, by looking at them: that works on every file system and needs no reactor support."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.interfaces import IReactorTime

from rotonda.units.timer import Timer
from rotoro.net.files import look_at


class Watch(Timer):
    """Looks at files every so many seconds, and calls when they have changed and then stayed as they are for a look."""

    def __init__(
        self, paths: Sequence[Path], changed: Callable[[], object], clock: IReactorTime, seconds: float
    ) -> None:
        super().__init__(self._look, clock, seconds)
        self._paths = paths
        self._changed = changed
        self._known = self._last = look_at(self._paths)

    def _look(self) -> None:
        now = look_at(self._paths)
        if now == self._last != self._known:
            self._known = now
            self._changed()
        self._last = now
