"""How versions of a table are counted: RFC 1982 serials for RTR, positions for Rotoro.

A serial is 32 bits and starts again after its end, so "newer" is a question of distance. A position is never
reused: its serial has 64 bits, of which an RTR peer sees the lower half.
"""

from __future__ import annotations

from dataclasses import dataclass

_SERIALS = 1 << 32
_HALF = 1 << 31
_U64 = 1 << 64


def serial_distance(start: int, end: int) -> int:
    """How many commits lead from `start` to `end`, if `end` is not the older one.

    >>> serial_distance(0xFFFFFFFE, 1)
    3
    """
    return (end - start) % _SERIALS


def serial_after(later: int, earlier: int) -> bool:
    """Whether `later` is newer than `earlier` (RFC 1982 section 3.2); at a distance of 2^31 neither is.

    >>> serial_after(0, 0xFFFFFFFF), serial_after(7, 7), serial_after(0x80000000, 0)
    (True, False, False)
    """
    return 0 < serial_distance(earlier, later) < _HALF


def next_serial(serial: int) -> int:
    """The serial of the next commit (RFC 1982 section 3.1).

    >>> next_serial(0xFFFFFFFF)
    0
    """
    return (serial + 1) % _SERIALS


@dataclass(frozen=True, slots=True)
class Position:
    """Where a follower stands in a table, and what it shows to go on from there.

    The epoch is one life of the data, the serial counts its commits; both are u64. Positions of two epochs have no
    order: none of `<`, `<=`, `>`, `>=` is true. Raises ValueError for numbers that do not fit.

    >>> Position(1, 2) < Position(1, 3), Position(1, 2) < Position(2, 3), Position(1, 2) > Position(2, 3)
    (True, False, False)
    """

    epoch: int
    serial: int

    def __post_init__(self) -> None:
        if not (0 <= self.epoch < _U64 and 0 <= self.serial < _U64):
            raise ValueError(f"a position is two u64, not epoch {self.epoch} and serial {self.serial}")

    def __lt__(self, other: Position) -> bool:
        return self.epoch == other.epoch and self.serial < other.serial

    def __le__(self, other: Position) -> bool:
        return self.epoch == other.epoch and self.serial <= other.serial

    @property
    def rtr_serial(self) -> int:
        """What an RTR peer knows this position by."""
        return self.serial % _SERIALS

    def next(self) -> Position:
        """Where the next commit leads."""
        return Position(self.epoch, self.serial + 1)

    def back(self, commits: int) -> Position:
        """Where a follower stands that is `commits` behind."""
        return Position(self.epoch, self.serial - commits)
