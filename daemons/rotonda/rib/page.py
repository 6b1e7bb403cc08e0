"""One page of an answer: the first routes, in order, of rows that lie in many slots.

Each slot's rows are in order already. So a few rows of each are put together, and whatever is not above the first
row that was left out is surely next; if that is too little, more are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.places import Keys, Place, places
from rotoro.table import Records, RouteSlot

Rows = NDArray[np.intp]
_LEAST_SHARE = 8


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one slot, ascending: a span as a range, or their numbers."""

    slot: RouteSlot
    records: Records
    rows: range | Rows

    def behind(self, row: int) -> Part:
        """Only the rows from this row number on."""
        rows = self.rows
        if isinstance(rows, range):
            return Part(self.slot, self.records, range(max(rows.start, row), max(rows.stop, row)))
        return Part(self.slot, self.records, rows[int(rows.searchsorted(row)) :])

    def first(self, count: int) -> Part:
        """Only the first rows."""
        return Part(self.slot, self.records, self.rows[:count])

    def column(self, data: NDArray[Any] | None) -> NDArray[Any]:
        """The rows of one column of the slot."""
        assert data is not None
        rows = self.rows
        return data[rows.start : rows.stop] if isinstance(rows, range) else data[rows]

    @property
    def places(self) -> Keys:
        """The places of the rows in the order of answers."""
        return places(self.column(self.records.keys), self.slot.number)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Routes of one family, in order, as columns; `numbers` are those of the attribute sets in `sets`."""

    family: int
    keys: Keys
    ingresses: NDArray[np.uint32]
    numbers: NDArray[np.uint32]
    times: NDArray[np.uint32]
    sets: list[bytes]

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Some routes, in order, at most one block for each family; and the cursor that leads on if there are more."""

    blocks: tuple[Block, ...]
    cursor: str | None = None

    def __len__(self) -> int:
        return sum(map(len, self.blocks))


def first_routes(parts: Sequence[Part], limit: int, behind: Place | None) -> tuple[tuple[Block, ...], Place | None]:
    """The first routes of these parts behind a place, and the place of the last of them if there are more."""
    blocks: list[Block] = []
    last: Place | None = None
    for family in (4, 6):
        own = [part for part in parts if part.slot.family == family]
        if behind is not None and behind.family >= family:
            own = [] if behind.family > family else [_behind(part, behind) for part in own]
        own = [part for part in own if len(part.rows)]
        if not own:
            continue
        if not limit:  # the page is full, and here is more
            return tuple(blocks), last
        block, last, more = _block(family, own, limit)
        blocks.append(block)
        limit -= len(block)
        if more:
            return tuple(blocks), last
    return tuple(blocks), None


def _behind(part: Part, place: Place) -> Part:
    return part.behind(place.passed(part.records.keys, part.slot.number))


def _block(family: int, parts: list[Part], limit: int) -> tuple[Block, Place, bool]:
    """The first rows of the parts, the place of the last, and whether there are more."""
    taken, found = _enough(parts, limit + 1)
    order = np.argsort(found, kind="stable")
    more = len(order) > limit
    order = order[:limit]
    counts = [len(part.rows) for part in taken]
    numbers = np.repeat(np.array([part.slot.number for part in taken], np.uint32), counts)
    keys, sets, times = (
        np.concatenate([part.column(part.records.columns[column]) for part in taken])[order] for column in range(3)
    )
    octets = parts[0].slot.attributes.octets
    block = Block(family, keys, numbers[order], sets, times, [octets[number] for number in sets.tolist()])
    return block, Place.of(family, found[order[-1:]].tobytes()), more


def _enough(parts: list[Part], wanted: int) -> tuple[list[Part], Keys]:
    """The first rows of each part, and their places, among which are the first `wanted` of all."""
    share = max(_LEAST_SHARE, 2 * wanted // len(parts))
    while True:
        taken = [part.first(share) for part in parts]
        columns = [part.places for part in taken]
        ends = [column[-1:] for column, part in zip(columns, parts, strict=True) if len(part.rows) > share]
        found = np.concatenate(columns)
        if not ends or np.count_nonzero(found <= np.sort(np.concatenate(ends))[0]) >= wanted:
            return taken, found
        share *= 4
