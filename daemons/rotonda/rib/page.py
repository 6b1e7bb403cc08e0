"""One page of an answer: the first routes, in order, of rows that lie in many slots.

Each slot's rows are in order already. So a few rows of each are put together, and whatever is not above the first
row that was left out is surely next; if that is too little, more are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.entries import Entries
from rotonda.rib.places import Keys, Place, places
from rotonda.rib.prefixes import Prefix
from rotoro.table import Records, RouteSlot

Rows = NDArray[np.intp]
_LEAST_SHARE = 8


Mask = NDArray[np.bool_]
Columns = tuple[Keys, NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint64], NDArray[np.uint8]]
"""Keys, numbers of attribute sets, times, and of the past when it ended and how; both are 0 of what is current."""


class Part(Protocol):
    """Some rows of one slot, in the order of answers."""

    @property
    def slot(self) -> RouteSlot:
        """Where they lie."""

    def __len__(self) -> int:
        """How many rows."""

    def first(self, count: int) -> Part:
        """Only the first rows."""

    def behind(self, place: Place) -> Part:
        """Only the rows behind a place of the same family."""

    def with_sets(self, wanted: Mask) -> Part:
        """Only the rows with attribute sets that are wanted, by number."""

    @property
    def last(self) -> Prefix:
        """The prefix of the last row."""

    def of_last(self) -> Part:
        """Only the rows of that prefix."""

    @property
    def places(self) -> Keys:
        """The places of the rows."""

    @property
    def columns(self) -> Columns:
        """The rows."""


@dataclass(frozen=True, slots=True)
class CurrentPart:
    """Current rows of one slot: a span as a range, or their numbers, ascending."""

    slot: RouteSlot
    records: Records
    rows: range | Rows

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, count: int) -> CurrentPart:
        """Only the first rows."""
        return CurrentPart(self.slot, self.records, self.rows[:count])

    def behind(self, place: Place) -> CurrentPart:
        """Only the rows behind a place."""
        return self._from(place.passed(self.records.keys, self.slot.number))

    def with_sets(self, wanted: Mask) -> CurrentPart:
        """Only the rows with attribute sets that are wanted."""
        return self.where(wanted[self.column(self.records.values)])

    def where(self, mask: Mask) -> CurrentPart:
        """Only some of the rows."""
        rows = self.rows
        kept = rows.start + np.flatnonzero(mask) if isinstance(rows, range) else rows[mask]
        return CurrentPart(self.slot, self.records, kept)

    @property
    def last(self) -> Prefix:
        """The prefix of the last row."""
        return Prefix.of_key(self.records.key(int(self.rows[-1])))

    def of_last(self) -> CurrentPart:
        """Only the rows of that prefix."""
        keys = self.records.keys
        return self._from(int(keys.searchsorted(np.array([self.last.low], keys.dtype))[0]))

    def column(self, data: NDArray[Any] | None) -> NDArray[Any]:
        """The rows of one column of the slot."""
        assert data is not None
        rows = self.rows
        return data[rows.start : rows.stop] if isinstance(rows, range) else data[rows]

    @property
    def places(self) -> Keys:
        """The places of the rows."""
        return places(self.column(self.records.keys), self.slot.number)

    @property
    def columns(self) -> Columns:
        """The rows."""
        keys, numbers, times = map(self.column, self.records.columns)
        return keys, numbers, times, np.zeros(len(keys), np.uint64), np.zeros(len(keys), np.uint8)

    def _from(self, row: int) -> CurrentPart:
        rows = self.rows
        if isinstance(rows, range):
            return CurrentPart(self.slot, self.records, range(max(rows.start, row), max(rows.stop, row)))
        return CurrentPart(self.slot, self.records, rows[int(rows.searchsorted(row)) :])


@dataclass(frozen=True, slots=True)
class PastPart:
    """Entries of the past of one slot, by prefix, end and path identifier."""

    slot: RouteSlot
    entries: Entries

    def __len__(self) -> int:
        return len(self.entries)

    def first(self, count: int) -> PastPart:
        """Only the first entries."""
        return self.where(slice(count))

    def behind(self, place: Place) -> PastPart:
        """Only the entries behind a place."""
        start, stop = self._span(place.prefix)
        own = PastPart(self.slot, self.entries.take(slice(start, stop)))
        passed = own.places.searchsorted(np.array([place.octets], f"S{len(place.octets)}"), "right")
        return self.where(slice(start + int(passed[0]), None))

    def with_sets(self, wanted: Mask) -> PastPart:
        """Only the entries with attribute sets that are wanted."""
        return self.where(wanted[self.entries.numbers])

    def where(self, rows: Mask | slice) -> PastPart:
        """Only some of the entries."""
        return PastPart(self.slot, self.entries.take(rows))

    @property
    def last(self) -> Prefix:
        """The prefix of the last entry."""
        return Prefix.of_key(self.entries.prefixes[-1:].tobytes() + bytes(4))

    def of_last(self) -> PastPart:
        """Only the entries of that prefix."""
        return self.where(slice(self._span(self.last.low[:-4])[0], None))

    @property
    def places(self) -> Keys:
        """The places of the entries."""
        return places(self.entries.keys, self.slot.number, self.entries.ended)

    @property
    def columns(self) -> Columns:
        """The entries."""
        own = self.entries
        return own.keys, own.numbers, own.received, own.ended, own.states

    def _span(self, prefix: bytes) -> tuple[int, int]:
        prefixes = self.entries.prefixes
        wanted = np.array([prefix], prefixes.dtype)
        return int(prefixes.searchsorted(wanted)[0]), int(prefixes.searchsorted(wanted, "right")[0])


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Routes of one family, in order, as columns; `numbers` are those of the attribute sets in `sets`.

    `ended` - in microseconds - and `states` tell of entries of the past what `Entries` do; both are 0 of what is
    current.
    """

    family: int
    keys: Keys
    ingresses: NDArray[np.uint32]
    numbers: NDArray[np.uint32]
    times: NDArray[np.uint32]
    ended: NDArray[np.uint64]
    states: NDArray[np.uint8]
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
            own = [] if behind.family > family else [part.behind(behind) for part in own]
        own = [part for part in own if len(part)]
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


def _block(family: int, parts: Sequence[Part], limit: int) -> tuple[Block, Place, bool]:
    """The first rows of the parts, the place of the last, and whether there are more."""
    taken, found = _enough(parts, limit + 1)
    order = np.argsort(found, kind="stable")
    more = len(order) > limit
    order = order[:limit]
    counts = [len(part) for part in taken]
    ingresses = np.repeat(np.array([part.slot.number for part in taken], np.uint32), counts)
    columns = zip(*(part.columns for part in taken), strict=True)
    keys, numbers, times, ended, states = (np.concatenate(column)[order] for column in columns)
    octets = parts[0].slot.attributes.octets
    sets = [octets[number] for number in numbers.tolist()]
    block = Block(family, keys, ingresses[order], numbers, times, ended, states, sets)
    return block, Place.of(family, found[order[-1:]].tobytes()), more


def _enough(parts: Sequence[Part], wanted: int) -> tuple[list[Part], Keys]:
    """The first rows of each part, and their places, among which are the first `wanted` of all."""
    share = max(_LEAST_SHARE, 2 * wanted // len(parts))
    while True:
        taken = [part.first(share) for part in parts]
        columns = [part.places for part in taken]
        ends = [column[-1:] for column, part in zip(columns, parts, strict=True) if len(part) > share]
        found = np.concatenate(columns)
        if not ends or np.count_nonzero(found <= np.sort(np.concatenate(ends))[0]) >= wanted:
            return taken, found
        share *= 4
