"""Where the attributes of thousands of sets lie.

All sets are walked in step, one attribute at a time, as columns of positions. Sets that are not framed soundly, whose
attributes are not in ascending order, or that go on for longer than any honest one, are put in order one by one. So
the answers are those of `rotonda.bgp.attributes.decoded`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp.attributes import MP_REACH, NEXT_HOP, parsed, written
from rotonda.bgp.errors import Malformed

Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]

STEPS = 32
"""How many attributes of a set, or segments of a path, are walked in step."""

CHUNK_SETS = 1 << 14
"""Sets that are looked at together; few enough to stay near the processor."""

_KINDS = 256
_PADDING = bytes(16)  # what is read at a place may go beyond the end of all sets
_EXTENDED = 0x10_00_00_00


@dataclass(frozen=True, slots=True)
class Values:
    """The attributes of one type: set rows[i] has it at starts[i], with sizes[i] octets. Rows are in no order."""

    rows: Positions
    starts: Positions
    sizes: Positions

    def only(self, wanted: Mask) -> Values:
        """Those that are wanted."""
        return Values(*chosen(wanted, self.rows, self.starts, self.sizes))


Step = tuple[NDArray[np.int16], Values]


@dataclass(frozen=True, slots=True)
class WalkedSets:
    """The octets of `count` sets, and where their attributes are: types and places, step by step of the walk."""

    data: bytes
    count: int
    steps: tuple[Step, ...]

    def values(self, kind: int) -> Values:
        """The attributes of one type."""
        found = [values.only(kinds == kind) for kinds, values in self.steps]
        found = [values for values in found if len(values.rows)]
        if len(found) == 1:
            return found[0]
        return Values(*(_joined([getattr(values, name) for values in found]) for name in Values.__slots__))

    def read(self, places: Positions, layout: str) -> NDArray[np.generic]:
        """What stands at these places, as values of a layout like ">u4"; no longer than 16 octets."""
        kind = np.dtype(layout)
        view: NDArray[np.generic] = np.ndarray((len(self.data) - kind.itemsize + 1,), kind, self.data, 0, (1,))
        return view[places].astype(kind.newbyteorder("="))

    def numbers(self, places: Positions) -> NDArray[np.uint32]:
        """The 4-octet numbers at these places."""
        return self.read(places, ">u4").astype(np.uint32, copy=False)


def walked(sets: Sequence[bytes]) -> WalkedSets:
    """Where the attributes lie."""
    found, odd = _walked(sets, STEPS)
    if odd:
        in_order = list(sets)
        for row in odd:
            in_order[row] = _in_order(sets[row])
        found, _ = _walked(in_order, _KINDS)
    return found


def runs(starts: Positions, counts: Positions, width: int) -> Positions:
    """The places of the values of many runs, one after the other: counts[i] values of `width` octets at starts[i]."""
    before = np.cumsum(counts) - counts
    places: Positions = np.repeat(starts - width * before, counts) + width * np.arange(int(counts.sum()))
    return places


def _walked(sets: Sequence[bytes], limit: int) -> tuple[WalkedSets, list[int]]:
    """The walk, chunk by chunk; and the rows of the sets that it cannot answer for."""
    data = b"".join(sets) + _PADDING
    words = np.ndarray((len(data) - 3,), ">u4", data, 0, (1,))
    sizes = np.fromiter(map(len, sets), np.int64, len(sets))
    ends = np.cumsum(sizes)
    columns = chosen(sizes > 0, np.arange(len(sets)), ends - sizes, ends)
    steps: list[Step] = []
    odd: list[int] = []
    for first in range(0, len(columns[0]), CHUNK_SETS):
        odd += _walk(words, limit, steps, *(column[first : first + CHUNK_SETS] for column in columns))
    return WalkedSets(data, len(sets), tuple(steps)), odd


def _walk(
    words: NDArray[np.uint32], limit: int, steps: list[Step], rows: Positions, at: Positions, ends: Positions
) -> list[int]:
    """Walk some sets, which have octets; gives the rows of those that are odd."""
    before = np.full(len(rows), -1, np.int16)
    odd: list[int] = []
    for _ in range(limit):
        if not len(rows):
            break
        heads = words[at].astype(np.uint32)
        kinds = (heads >> 16 & 0xFF).astype(np.int16)
        extended = heads & _EXTENDED > 0
        starts = at + 3 + extended
        sizes = np.where(extended, heads & 0xFFFF, heads >> 8 & 0xFF).astype(np.int64)
        following = starts + sizes
        sound = (following <= ends) & (kinds > before)
        odd += rows[~sound].tolist()
        steps.append((kinds, Values(rows, starts, sizes)))
        rows, at, ends, before = chosen(sound & (following < ends), rows, following, ends, kinds)
    return [*odd, *rows.tolist()]


def chosen(wanted: Mask, *columns: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """The wanted rows of some columns."""
    rows = np.flatnonzero(wanted)
    return columns if len(rows) == len(wanted) else tuple(column[rows] for column in columns)


def _joined(columns: list[Positions]) -> Positions:
    return np.concatenate(columns) if columns else np.empty(0, np.int64)


def _in_order(octets: bytes) -> bytes:
    """A set as `decoded` reads it, with its attributes in order; nothing of one that is not framed soundly."""
    try:
        attributes = parsed(octets)
    except Malformed:
        return b""
    kinds = list(attributes)
    if {NEXT_HOP, MP_REACH} <= set(kinds) and kinds.index(NEXT_HOP) > kinds.index(MP_REACH):
        del attributes[MP_REACH if len(attributes[NEXT_HOP][1]) == 4 else NEXT_HOP]  # the last one of use counts
    return written(attributes)
