"""What somebody still reads of: the attribute sets that it names stay, however the table goes on.

Rows are counted a slice at a time, since there may be millions of them and others wait. So the counts are late, by less
than a set lives without a row (`rotoro.table.attributes`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray

from rotoro.table import Slot

HELD_ROWS = 200_000
"""Rows that are counted in one go: about 2 ms."""

Values = NDArray[Any] | None


class Holds:
    """Counts what is held and what is let go of, in this order."""

    def __init__(self, wake: Callable[[Holds], None] | None = None) -> None:
        """`wake` is called when there is something to count; without it, all is counted at once."""
        self._wake = wake
        self._waiting: deque[tuple[Callable[[Values], None], Values]] = deque()

    def add(self, count: Callable[[Values], None], values: Values) -> None:
        """`count`, which is of a slot, takes these values when it is their turn."""
        if values is None or not len(values):
            return
        if self._wake is None:
            count(values)
            return
        for start in range(0, len(values), HELD_ROWS):
            self._waiting.append((count, values[start : start + HELD_ROWS]))
        self._wake(self)

    def work(self) -> bool:
        """Count one slice; whether there are more."""
        if self._waiting:
            count, values = self._waiting.popleft()
            count(values)
        return bool(self._waiting)


class Hold:
    """Values of slots, held as long as there are users."""

    def __init__(self, holds: Holds, parts: Iterable[tuple[Slot, Values]]) -> None:
        self.users = 0
        self._holds, self._parts = holds, list(parts)

    def take(self) -> None:
        """One user more."""
        self.users += 1
        if self.users == 1:
            for slot, values in self._parts:
                self._holds.add(slot.retain, values)

    def leave(self) -> None:
        """One user less."""
        self.users -= 1
        if not self.users:
            for slot, values in self._parts:
                self._holds.add(slot.release, values)
