"""Records that wait in memory, never more than may, and what becomes of those for which there is no room.

Nothing here knows a clock, a thread or a file. Records stay together as they were sent, so that to let a batch wait
costs the same whatever its size.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from enum import Enum
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote

from rotonda.blocks.configs import StreamQueue

T = TypeVar("T")

MOST_UNDER_WAY = 1_000_000
"""Records that may wait beyond the others where none is dropped: of batches that were under way when it got full."""


class Overflow(Enum):
    """What is done with records when no more may wait."""

    DROP_NEWEST = "DROP_NEWEST"
    DROP_OLDEST = "DROP_OLDEST"
    BLOCK = "BLOCK"
    SPILL = "SPILL"


class QueueSettings(NamedTuple):
    """How many records may wait, what is done with more, and where they wait on disk: in a folder of their own."""

    most: int = 250_000
    overflow: Overflow = Overflow.DROP_NEWEST
    spill: str | None = None
    spill_limit: int = 1 << 30

    @classmethod
    def of(cls, config: StreamQueue, name: str) -> QueueSettings:
        """Those of a block; `name` is what no other stream is called that has the same folder."""
        folder = None if config.spill is None else os.path.join(config.spill, quote(name, safe=""))
        return cls(config.queue, Overflow(config.overflow), folder, config.spill_limit)


class Room(Generic[T]):
    """Batches of what waits, each with the moment at which it was sent; it comes out in the order of sending."""

    def __init__(self) -> None:
        self.count = 0
        self._batches: deque[tuple[Sequence[T], float]] = deque()
        self._begun = 0
        """How many of the first batch have gone."""

    def put(self, items: Sequence[T], sent: float, most: int) -> int:
        """Have these wait, but for the newest that are too many; returns how many these are."""
        room = max(0, most - self.count)
        taken = items if len(items) <= room else items[:room]
        if taken:
            self._batches.append((taken, sent))
            self.count += len(taken)
        return len(items) - len(taken)

    def take(self, most: int) -> tuple[Sequence[T], float]:
        """Up to so many of those that have waited longest, of one batch. There must be some."""
        items, sent = self._batches[0]
        piece = items[self._begun : self._begun + most] if self._begun or len(items) > most else items
        self._gone(len(piece))
        return piece, sent

    def drop(self, count: int) -> None:
        """So many of those that have waited longest go. There must be as many."""
        while count:
            gone = min(count, len(self._batches[0][0]) - self._begun)
            self._gone(gone)
            count -= gone

    def _gone(self, count: int) -> None:
        self.count -= count
        self._begun += count
        if self._begun == len(self._batches[0][0]):
            self._batches.popleft()
            self._begun = 0
