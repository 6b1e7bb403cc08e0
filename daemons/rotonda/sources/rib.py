"""A RIB as filters see it: its routes, or the records of its type, at one moment.

Single questions are a few searches in each slot. Whole columns are looked up in an index of each slot, which the next
views take over as long as the slot's routes stay the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.types import ROUTE, RecordType
from rotonda.blocks.values import Prefix, Value
from rotonda.filters import world
from rotonda.filters.batches import TypedRecords
from rotonda.filters.route_record import ATTRIBUTE_FIELDS, MICROSECONDS, AttributesView, RouteRecord
from rotonda.filters.world import NONE, Record, SourceGone, SourceView
from rotonda.rib.entries import prefixes_of
from rotonda.sources.columns import Keys, ListColumn, NumberColumn, joined
from rotonda.sources.found import Found
from rotonda.sources.prefix_index import PrefixIndex, bounds, by_family
from rotonda.sources.prefix_tree import Mask, Numbers
from rotonda.sources.set_fields import FieldColumn, field_column
from rotoro.table import AttributeStore, Ingress, IngressState, Records, RouteSlot, Snapshot
from rotoro.table.columns import distinct

Present: TypeAlias = Callable[[int], Ingress | None]
"""Tells how an ingress is now."""

_ROWS_A_LOOK_UP = 128
"""Rows of a slot that are indexed in about the time that one prefix takes to be looked up without an index."""
_FEW = 16
"""Values that are looked for one by one, without an index of all routes."""
_ROW_FIELDS = ("path_id", "peer_id", "peer_asn", "received")
"""Fields of numbers that the rows of routes and their ingresses have."""


class Indexes:
    """Indexes of slots, kept from view to view."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Records, PrefixIndex]] = {}

    def of(self, records: Records) -> PrefixIndex:
        """The index of the routes of a slot."""
        known = self._made.get(id(records))
        if known is None:
            known = self._made[id(records)] = records, PrefixIndex(prefixes_of(records.keys))
        return known[1]

    def has(self, records: Records) -> bool:
        """Whether it was made already."""
        return id(records) in self._made

    def keep(self, snapshot: Snapshot) -> None:
        """Forget those of routes that are no longer there."""
        held = {id(records) for records in snapshot.values()}
        self._made = {own: made for own, made in self._made.items() if own in held}


class _Part(NamedTuple):
    """The routes of one slot."""

    slot: RouteSlot
    records: Records


class _Known(NamedTuple):
    """What sets say in one field, as far as somebody has asked."""

    column: FieldColumn
    places: Numbers
    """Where in the column each set stands, or NONE."""


class RibView(SourceView):
    """The RIB at one moment.

    `type` is that of its records. `version` grows from view to view of one source. The attribute sets of the snapshot
    must still be in their store.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        type: RecordType = ROUTE,
        present: Present = lambda number: None,
        version: int = 0,
        indexes: Indexes | None = None,
    ) -> None:
        self.type = type
        self.version = version
        self._present = present
        self._indexes = indexes or Indexes()
        self._indexes.keep(snapshot)
        self._parts = [_Part(slot, own) for slot, own in snapshot.items() if isinstance(slot, RouteSlot)]
        self._starts = np.cumsum([0, *(len(part.records) for part in self._parts)])
        self._sets: dict[tuple[str, int], dict[Value, list[int]]] = {}
        self._typed = None if type == ROUTE else TypedRecords(type)
        self._stores = list(dict.fromkeys(part.slot.attributes for part in self._parts))
        self._set_starts = np.cumsum([0, *(len(store.octets) for store in self._stores)])
        self._known: dict[str, _Known] = {}
        self._whole: dict[str, NumberColumn] = {}

    def tabled(self) -> RibView:
        """Itself: its records are numbered over all slots."""
        return self

    def __len__(self) -> int:
        return int(self._starts[-1])

    def record(self, row: int) -> Record:
        """One route or record, by its number over all slots."""
        at = int(np.searchsorted(self._starts, row, "right")) - 1
        slot, records = self._parts[at]
        row -= int(self._starts[at])
        _, values, times = records.columns
        assert values is not None
        assert times is not None
        octets = slot.attributes.octets[int(values[row])]
        key = records.key(row)
        if self._typed is not None:
            return self._typed.decoded(octets, Prefix(key[:-5], key[-5]))
        ingress = self._ingress(slot)
        status = "ACTIVE" if ingress.state is IngressState.UP else "STALE"
        return RouteRecord(slot.family, key, ingress, octets, int(times[row]), status)

    # --- one question ------------------------------------------------------------------------------------------------

    def exact_match(self, prefix: Prefix) -> Found[Record]:
        """Routes of this prefix."""
        key = prefix.octets + bytes((prefix.length,))
        return self._within(prefix.bits, [key], [prefix.octets + bytes((prefix.length + 1,))])

    def longest_match(self, prefix: Prefix) -> Found[Record]:
        """Routes of the longest prefix that covers this one, of any ingress."""
        covering = self.less_specifics(prefix)
        if not len(covering):
            return covering
        rows = np.asarray(covering.rows)
        lengths = np.array([self._length(row) for row in rows.tolist()])
        return Found(rows[lengths == lengths.max()], self.record)

    def less_specifics(self, prefix: Prefix) -> Found[Record]:
        """Routes of all prefixes that cover this one."""
        covers = [prefix.cut(length) for length in range(prefix.length + 1)]
        lows = [cover.octets + bytes((cover.length,)) for cover in covers]
        return self._within(prefix.bits, lows, [cover.octets + bytes((cover.length + 1,)) for cover in covers])

    def more_specifics(self, prefix: Prefix) -> Found[Record]:
        """Routes of all prefixes that this one covers."""
        low, end = bounds(prefix)
        return self._within(prefix.bits, [low], [end])

    def find(self, field: str, key: Value) -> Found[Record]:
        """Routes with this value in this field; other fields than those of `Route` are looked through once a view."""
        if field == "prefix" and isinstance(key, Prefix):
            return self.exact_match(key)
        if self.type.field(field) is None:
            raise SourceGone(f"{self.type} has no field {field}")
        rows = [start + np.flatnonzero(self._with(part, field, key)) for part, start in self._placed()]
        return Found(np.concatenate(rows) if rows else (), self.record)

    def contains(self, field: str, key: Value) -> bool:
        """Whether a route has this value in this field."""
        return len(self.find(field, key)) > 0

    # --- whole columns -----------------------------------------------------------------------------------------------

    def count_column(self, look_up: str, prefixes: NDArray[np.bytes_]) -> Numbers:
        """How many routes one of `LOOK_UPS` finds for each prefix."""
        own = self._of_width(prefixes)
        if not self._worth_indexes(own, len(prefixes)):
            return super().count_column(look_up, prefixes)
        if look_up == "longest_match":
            return self._count_longest(own, prefixes)
        counts = np.zeros(len(prefixes), np.int64)
        for part, _ in own:
            counts += self._indexes.of(part.records).counts(look_up, prefixes)
        return counts

    def contains_column(self, field: str, keys: Keys) -> Mask:
        """Which values a route has in this field; numbers, and prefixes of one family, may come as an array."""
        if field != "prefix":
            are_numbers = isinstance(keys, np.ndarray) and keys.dtype.kind != "S"
            return self.first_rows(field, keys) != NONE if are_numbers else super().contains_column(field, keys)
        columns = [(slice(None), keys)] if isinstance(keys, np.ndarray) else by_family(list(keys))  # type: ignore[arg-type]
        mask = np.zeros(len(keys), np.bool_)
        for places, own in columns:
            if len(own):
                mask[places] = self.count_column("exact_match", own) > 0
        return mask

    def first_of(self, look_up: str, prefixes: NDArray[np.bytes_]) -> Numbers:
        """The row of the first route that `exact_match` or `longest_match` finds for each of these, which ascend."""
        own = self._of_width(prefixes)
        if not self._worth_indexes(own, len(prefixes)):
            return _firsts((getattr(self, look_up)(prefix) for prefix in world.prefixes_of(prefixes)), len(prefixes))
        first, longest = (np.full(len(prefixes), NONE, np.int64) for _ in range(2))
        for part, start in own:
            index = self._indexes.of(part.records)
            numbers = index.numbers_ascending(look_up, prefixes)
            lengths = index.lengths_of(numbers)
            better = lengths > longest
            first[better] = index.groups.first(numbers[better]) + start
            longest[better] = lengths[better]
        return first

    def first_rows(self, field: str, keys: Keys) -> Numbers:
        """The row of the first route with each of these numbers in this field, or NONE."""
        if field not in self._whole and len(keys) <= _FEW:
            values = keys.tolist() if isinstance(keys, np.ndarray) else keys
            return _firsts((self.find(field, value) for value in values), len(keys))
        if field not in self._whole:
            column, places = self._column_at(field, np.arange(len(self)))
            assert isinstance(column, NumberColumn)
            self._whole[field] = NumberColumn(column.values_at(places), column.known_at(places))
        return self._whole[field].first_rows(keys)

    def known_at(self, field: str, rows: Numbers) -> Mask | None:
        """Which of these routes have a value in this field; None for all of them."""
        column, places = self._column_at(field, rows)
        return column.known_at(places)

    def numbers_at(self, field: str, rows: Numbers) -> NDArray[Any]:
        """What these routes have in a field of numbers."""
        column, places = self._column_at(field, rows)
        assert isinstance(column, NumberColumn)
        return column.values_at(places)

    def has_at(self, field: str, rows: Numbers, items: NDArray[Any]) -> Mask:
        """Whether these routes have, each, this item in a field of lists of numbers."""
        column, places = self._column_at(field, rows)
        assert isinstance(column, ListColumn)
        return column.has_at(places, items)

    def _column_at(self, field: str, rows: Numbers) -> tuple[FieldColumn, Numbers]:
        """A column with what these routes have in a field, and where in it that is of each."""
        rows = rows.astype(np.int64, copy=False)
        if self.type == ROUTE and field in _ROW_FIELDS:
            return NumberColumn(self._in_rows(field, rows if len(self) else rows[:0])), np.arange(len(rows))
        known = self._known.get(field)
        if known is None:
            known = _Known(field_column(self.type, field, ()), np.full(self._set_starts[-1], NONE, np.int64))
        if not len(self):
            return known.column, rows
        sets = self._gathered(rows, np.int64, self._sets_of)
        places = known.places[sets]
        if NONE in places:
            known = self._known[field] = self._with_sets(field, known, distinct(sets[places == NONE]))
            places = known.places[sets]
        return known.column, places

    # --- on the way --------------------------------------------------------------------------------------------------

    def _count_longest(self, own: Sequence[tuple[_Part, int]], prefixes: NDArray[np.bytes_]) -> Numbers:
        longest = np.full(len(prefixes), NONE, np.int64)
        counts = np.zeros(len(prefixes), np.int64)
        for part, _ in own:
            index = self._indexes.of(part.records)
            numbers = index.numbers("longest_match", prefixes)
            lengths = index.lengths_of(numbers)
            counts[lengths > longest] = 0
            counts += np.where(lengths >= longest, index.counts_of(numbers), 0)
            np.maximum(longest, lengths, out=longest)
        return counts

    def _with_sets(self, field: str, known: _Known, sets: Numbers) -> _Known:
        """The same with these sets, which it does not have."""
        stores = np.searchsorted(self._set_starts, sets, "right") - 1
        pairs = zip(stores.tolist(), (sets - self._set_starts[stores]).tolist(), strict=True)
        more = field_column(self.type, field, [self._stores[store].octets[number] for store, number in pairs])
        places = known.places.copy()
        places[sets] = len(known.column) + np.arange(len(sets))
        return _Known(joined([known.column, more]) if len(known.column) else more, places)  # type: ignore[arg-type]

    def _gathered(self, rows: Numbers, dtype: type[np.generic], read: Callable[[_Part, Numbers], Any]) -> NDArray[Any]:
        """For each of these rows what is read of its slot by its place there, slot by slot."""
        parts = np.searchsorted(self._starts, rows, "right") - 1
        order = np.argsort(parts, kind="stable")
        first = np.flatnonzero(np.diff(parts[order], prepend=NONE))
        made = np.zeros(len(rows), dtype)
        for own in np.split(order, first[1:]) if len(rows) else ():
            number = int(parts[own[0]])
            made[own] = read(self._parts[number], rows[own] - self._starts[number])
        return made

    def _sets_of(self, part: _Part, rows: Numbers) -> Numbers:
        """The numbers of sets over all stores."""
        assert part.records.values is not None
        start = self._set_starts[self._stores.index(part.slot.attributes)]
        return np.asarray(part.records.values[rows] + start)

    def _in_rows(self, field: str, rows: Numbers) -> NDArray[Any]:
        """One of `_ROW_FIELDS` of these rows."""
        match field:
            case "path_id":
                return self._gathered(rows, np.uint32, lambda part, own: _path_ids(part.records.keys[own]))
            case "received":
                return self._gathered(rows, np.uint64, _moments)
            case "peer_asn":
                return self._gathered(rows, np.uint32, lambda part, own: self._ingress(part.slot).asn)
            case _:
                return self._gathered(rows, np.uint64, lambda part, own: self._ingress(part.slot).digest)

    def _ingress(self, slot: RouteSlot) -> Ingress:
        return self._present(slot.number) or slot.ingress

    def _placed(self) -> Iterator[tuple[_Part, int]]:
        return zip(self._parts, self._starts.tolist(), strict=False)

    def _of_width(self, prefixes: NDArray[np.bytes_]) -> list[tuple[_Part, int]]:
        """The slots of the family of these prefixes, each with the number of its first row."""
        family = 4 if prefixes.dtype.itemsize == 5 else 6
        return [(part, start) for part, start in self._placed() if part.slot.family == family]

    def _worth_indexes(self, own: Sequence[tuple[_Part, int]], prefixes: int) -> bool:
        """Whether so many prefixes are looked up in less time by indexes of slots, of which some may be there."""
        fresh = sum(len(part.records) for part, _ in own if not self._indexes.has(part.records))
        return fresh <= _ROWS_A_LOOK_UP * prefixes * len(own)

    def _within(self, bits: int, lows: list[bytes], highs: list[bytes]) -> Found[Record]:
        """Routes with keys between each of these and its end."""
        wanted = np.array(lows + highs, f"S{bits // 8 + 5}")
        rows: list[int] = []
        for part, start in self._placed():
            if part.records.keys.dtype == wanted.dtype:
                found = (part.records.keys.searchsorted(wanted) + start).tolist()
                spans = zip(found[: len(lows)], found[len(lows) :], strict=True)
                rows += (row for first, last in spans for row in range(first, last))
        return Found(rows, self.record)

    def _length(self, row: int) -> int:
        at = int(np.searchsorted(self._starts, row, "right")) - 1
        return self._parts[at].records.key(row - int(self._starts[at]))[-5]

    def _with(self, part: _Part, field: str, key: Value) -> Mask:
        """Which routes of a slot have a value in a field."""
        slot, records = part
        if self.type == ROUTE and field not in ATTRIBUTE_FIELDS:
            return self._with_in_row(part, field, key)
        assert records.values is not None
        numbers = self._sets_with(field, slot.attributes).get(key, [])
        return np.isin(records.values, np.array(numbers, np.uint32))

    def _with_in_row(self, part: _Part, field: str, key: Any) -> Mask:
        slot, records = part
        if field == "path_id":
            return np.asarray(_path_ids(records.keys) == key)
        if field == "received":
            return np.asarray(_moments(part, slice(None)) == key)
        ingress = self._ingress(slot)
        status = "ACTIVE" if ingress.state is IngressState.UP else "STALE"
        told = RouteRecord(slot.family, b"", ingress, b"", status=status).get(field)
        return np.full(len(records), told == key)

    def _sets_with(self, field: str, store: AttributeStore) -> dict[Value, list[int]]:
        """For each value of a field, the numbers of the attribute sets that have it."""
        known = self._sets.get((field, id(store)))
        if known is None:
            known = self._sets[field, id(store)] = defaultdict(list)
            for number, octets in enumerate(store.octets):
                if octets and (value := self._of_set(octets).get(field)) is not None:
                    known[value].append(number)
        return known

    def _of_set(self, octets: bytes) -> Record:
        return AttributesView(octets) if self._typed is None else self._typed.of_set(octets)


def _path_ids(keys: NDArray[np.bytes_]) -> NDArray[Any]:
    octets = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), keys.dtype.itemsize)
    return np.ascontiguousarray(octets[:, -4:]).view(">u4").reshape(-1)


def _moments(part: _Part, rows: Numbers | slice) -> NDArray[np.uint64]:
    assert part.records.times is not None
    return part.records.times[rows].astype(np.uint64) * np.uint64(MICROSECONDS)


def _firsts(found: Iterable[Found[Record]], count: int) -> Numbers:
    """The first row of each of so many findings, or NONE."""
    return np.fromiter((int(one.rows[0]) if len(one) else NONE for one in found), np.int64, count)
