"""Encoded forms that many followers share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# A transport takes slices of this size without a copy, and a slow follower holds up no more than one.
_SMALLEST = 256 << 10
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Encoded:
    """Octets in chunks of 256 KiB to 1 MiB, of which only the last may be smaller; `length` counts all octets.

    Chunks end anywhere, also within a PDU. Nobody copies them: each follower has its own place in the same tuple.
    """

    chunks: tuple[bytes, ...]
    length: int

    @staticmethod
    def of(pieces: Iterable[bytes]) -> Encoded:
        """Encoded octets from pieces of any size; a piece that is a good chunk becomes one without a copy."""
        chunks = tuple(_chunks(pieces))
        return Encoded(chunks, sum(map(len, chunks)))


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for piece in _cut(pieces):
        if size + len(piece) > _LARGEST:
            yield b"".join(waiting)
            waiting, size = [], 0
        waiting.append(piece)
        size += len(piece)
        if size >= _SMALLEST:
            yield b"".join(waiting)
            waiting, size = [], 0
    if size:
        yield b"".join(waiting)


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if len(piece) <= _LARGEST:
            yield piece
        else:
            yield from (piece[start : start + _LARGEST] for start in range(0, len(piece), _LARGEST))


class Shelf(Generic[K, V]):
    """What was made lately, up to a total weight of `limit`; what was not asked for the longest goes first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """What was put there, if it still is."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep this, unless it alone is too heavy."""
        if weight > self.limit:
            return
        _, replaced = self._kept.pop(key, (None, 0))
        self._kept[key] = value, weight
        self._weight += weight - replaced
        while self._weight > self.limit:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._weight -= oldest

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()
        self._weight = 0
