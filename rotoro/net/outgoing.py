"""What waits to be written to one peer: octets that all connections share, and small ones of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

SMALL = 1 << 16
"""Pieces up to this size, in octets, are joined before they are written."""


class Outgoing:
    """Pieces in their order; there is one only while something waits."""

    __slots__ = ("_pieces", "own")

    def __init__(self) -> None:
        self._pieces: deque[bytes | memoryview] = deque()
        self.own = 0
        """Octets that nobody shares, put here since nothing waited."""

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def put(self, octets: bytes) -> None:
        """Octets for this peer alone."""
        self.own += len(octets)
        self._pieces.append(octets)

    def share(self, chunks: Iterable[bytes]) -> None:
        """Octets that others are sent, too."""
        self._pieces.extend(chunks)

    def put_back(self, rest: bytes | memoryview) -> None:
        """What was taken and not written comes first."""
        self._pieces.appendleft(rest)

    def take(self) -> bytes | memoryview:
        """What is written next: a shared chunk as it is, or small pieces together."""
        queue = self._pieces
        piece = queue.popleft()
        if len(piece) >= SMALL or not queue or len(queue[0]) >= SMALL:
            return piece
        pieces, size = [piece], len(piece)
        while queue and size + len(queue[0]) <= SMALL:
            pieces.append(queue.popleft())
            size += len(pieces[-1])
        return b"".join(pieces)

    def clear(self) -> None:
        """Nothing will be written any more."""
        self._pieces.clear()

    def __iter__(self) -> Iterator[bytes | memoryview]:
        return iter(self._pieces)
