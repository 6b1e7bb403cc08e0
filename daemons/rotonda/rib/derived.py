"""What takes a look at a whole table is done when somebody asks, and once for each state of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from rotoro.table import History, Position, Snapshot

T = TypeVar("T")


class Derived(Generic[T]):
    """What is made of a table's snapshot, made anew when it is asked for and the table has moved on."""

    def __init__(self, history: History, make: Callable[[Snapshot], T]) -> None:
        self.history = history
        self._make = make
        self._made: tuple[Position, T] | None = None

    def current(self) -> T | None:
        """That of now; None as long as there is no data."""
        if not self.history.ready:
            return None
        if self._made is None or self._made[0] != self.history.position:
            self._made = self.history.position, self._make(self.history.snapshot)
        return self._made[1]
