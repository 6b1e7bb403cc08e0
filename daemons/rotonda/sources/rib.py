"""A RIB as filters see it: its routes, or the records of its type, at one moment.

Prefixes are searched for among the keys of each slot, which are in order, one by one or whole columns of them. What
attribute sets say is kept from view to view, so that a commit costs questions no more than what it changes, and a look
at the numbers of the sets that routes have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.types import ROUTE, RecordType
from rotonda.blocks.values import Prefix, Value
from rotonda.filters.batches import TypedRecords
from rotonda.filters.route_record import ATTRIBUTE_FIELDS, MICROSECONDS, RouteRecord
from rotonda.filters.world import NONE, Record, SourceGone, SourceView
from rotonda.sources import key_search
from rotonda.sources.columns import Keys, NumberColumn
from rotonda.sources.found import Found
from rotonda.sources.prefix_index import bounds, by_family
from rotonda.sources.prefix_tree import Mask, Numbers
from rotonda.sources.set_fields import set_field
from rotonda.sources.set_values import MISSING, SetMemory, SetValues
from rotoro.table import AttributeStore, Ingress, IngressState, Records, RouteSlot, Snapshot

Present: TypeAlias = Callable[[int], Ingress | None]
"""Tells how an ingress is now."""

_FEW = 16
"""Values that are looked for one by one, without an index of all routes."""
_ROW_FIELDS = ("path_id", "received")
"""Fields that each route has of its own."""


class _Part(NamedTuple):
    """The routes of one slot."""

    slot: RouteSlot
    records: Records


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
        memory: SetMemory | None = None,
    ) -> None:
        self.type = type
        self.version = version
        self._present = present
        self._memory = memory or SetMemory()
        self._parts = [_Part(slot, own) for slot, own in snapshot.items() if isinstance(slot, RouteSlot)]
        self._starts = np.cumsum([0, *(len(part.records) for part in self._parts)])
        self._typed = None if type == ROUTE else TypedRecords(type)
        self._stores = list(dict.fromkeys(part.slot.attributes for part in self._parts))
        self._memory.keep(self._stores)
        self._first_of_sets: dict[AttributeStore, Numbers] = {}
        self._first_of_values: dict[tuple[AttributeStore, str], tuple[int, Numbers]] = {}
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
        """Routes with this value in this field."""
        if field == "prefix" and isinstance(key, Prefix):
            return self.exact_match(key)
        self._check(field)
        rows = [start + np.flatnonzero(self._with(part, field, key)) for part, start in self._placed()]
        return Found(np.concatenate(rows) if rows else (), self.record)

    def contains(self, field: str, key: Value) -> bool:
        """Whether a route has this value in this field."""
        return bool(self.first_rows(field, (key,))[0] != NONE)

    # --- whole columns -----------------------------------------------------------------------------------------------

    def count_column(self, look_up: str, prefixes: NDArray[np.bytes_]) -> Numbers:
        """How many routes one of `LOOK_UPS` finds for each prefix."""
        if look_up == "longest_match":
            return self._count_longest(prefixes)
        counts = np.zeros(len(prefixes), np.int64)
        for part, _ in self._of_width(prefixes):
            counts += _counts(look_up, part.records.keys, prefixes)
        return counts

    def contains_column(self, field: str, keys: Keys) -> Mask:
        """Which values a route has in this field; numbers, and prefixes of one family, may come as an array."""
        if field != "prefix":
            return np.asarray(self.first_rows(field, keys) != NONE)
        columns = [(slice(None), keys)] if isinstance(keys, np.ndarray) else by_family(list(keys))  # type: ignore[arg-type]
        mask = np.zeros(len(keys), np.bool_)
        for places, own in columns:
            if len(own):
                mask[places] = self.count_column("exact_match", own) > 0
        return mask

    def first_of(self, look_up: str, prefixes: NDArray[np.bytes_]) -> Numbers:
        """The row of the first route that `exact_match` or `longest_match` finds for each of these, which ascend."""
        first, longest = (np.full(len(prefixes), NONE, np.int64) for _ in range(2))
        for part, start in self._of_width(prefixes):
            find = key_search.longest if look_up == "longest_match" else key_search.exact
            found = find(part.records.keys, prefixes)
            better = found.lengths > longest
            first[better] = found.first[better] + start
            longest[better] = found.lengths[better]
        return first

    def first_rows(self, field: str, keys: Keys) -> Numbers:
        """The row of the first route with each of these values in this field, or NONE."""
        self._check(field)
        values: Sequence[Value] = keys.tolist() if isinstance(keys, np.ndarray) else keys
        if self._is_of_sets(field):
            return self._first_with(field, values)
        if self.type == ROUTE and field not in (*_ROW_FIELDS, "prefix"):
            firsts: dict[Value, int] = {}
            for part, start in self._placed():
                firsts.setdefault(self._of_slot(part.slot, field), start)
            return np.fromiter((firsts.get(value, NONE) for value in values), np.int64, len(values))
        if field == "prefix" or (field not in self._whole and len(keys) <= _FEW):
            return _firsts((self.find(field, value) for value in values), len(keys))
        if field not in self._whole:
            self._whole[field] = NumberColumn(self._in_rows(field, np.arange(len(self))))
        return self._whole[field].first_rows(keys)

    def known_at(self, field: str, rows: Numbers) -> Mask | None:
        """Which of these routes have a value in this field; None for all of them."""
        if not self._is_of_sets(field):
            return None
        known = np.zeros(len(rows), np.bool_)
        for places, _, own in self._values_at(field, rows):
            known[places] = own != MISSING
        return known

    def numbers_at(self, field: str, rows: Numbers) -> NDArray[Any]:
        """What these routes have in a field of numbers."""
        if not self._is_of_sets(field):
            return self._in_rows(field, rows)
        numbers = np.zeros(len(rows), set_field(self.type, field).dtype)
        for places, values, own in self._values_at(field, rows):
            numbers[places] = values.array(own)
        return numbers

    def has_at(self, field: str, rows: Numbers, items: NDArray[Any]) -> Mask:
        """Whether these routes have, each, this item in a field of lists of numbers."""
        has = np.zeros(len(rows), np.bool_)
        for places, values, own in self._values_at(field, rows):
            has[places] = values.have(own, items[places])
        return has

    def _values_at(self, field: str, rows: Numbers) -> Iterator[tuple[slice | Numbers, SetValues, Numbers]]:
        """Of each store the places of routes among these, and the numbers of the values that their sets have."""
        rows = rows.astype(np.int64, copy=False)
        for store in self._stores:
            places: slice | Numbers = slice(None)
            if len(self._stores) > 1:
                own = np.array([part.slot.attributes is store for part in self._parts])
                places = np.flatnonzero(own[np.searchsorted(self._starts, rows, "right") - 1])
            values = self._memory.of(store, self.type, field)
            yield places, values, values.of_sets(self._gathered(rows[places], np.uint32, _sets))

    # --- on the way --------------------------------------------------------------------------------------------------

    def _count_longest(self, prefixes: NDArray[np.bytes_]) -> Numbers:
        longest = np.full(len(prefixes), NONE, np.int64)
        counts = np.zeros(len(prefixes), np.int64)
        for part, _ in self._of_width(prefixes):
            found = key_search.longest(part.records.keys, prefixes)
            counts[found.lengths > longest] = 0
            counts += np.where(found.lengths >= longest, found.counts, 0)
            np.maximum(longest, found.lengths, out=longest)
        return counts

    def _check(self, field: str) -> None:
        if self.type.field(field) is None:
            raise SourceGone(f"{self.type} has no field {field}")

    def _is_of_sets(self, field: str) -> bool:
        """Whether sets have this field."""
        return field in ATTRIBUTE_FIELDS if self.type == ROUTE else field != "prefix"

    def _first_with(self, field: str, keys: Sequence[Value]) -> Numbers:
        """The row of the first route with a set with each of these values in this field, or NONE."""
        first = np.full(len(keys), len(self), np.int64)
        for store in self._stores:
            values, firsts = self._values_of(store, field)
            numbers = np.fromiter(map(values.of, keys), np.int64, len(keys))
            numbers[numbers >= len(firsts)] = NONE
            np.minimum(first, np.append(firsts, len(self))[numbers], out=first)  # NONE is the last
        first[first == len(self)] = NONE
        return first

    def _values_of(self, store: AttributeStore, field: str) -> tuple[SetValues, Numbers]:
        """What the sets of a store say in a field, and the row of the first route with each value.

        That is as many as there are routes where there is none; values that are not that many are of other views.
        """
        values = self._memory.of(store, self.type, field)
        numbering, firsts = self._first_of_values.get((store, field), (NONE, np.zeros(0, np.int64)))
        if numbering != values.numbering:
            of_sets = self._firsts_of(store)
            there = np.flatnonzero(of_sets != NONE)
            numbers = values.of_sets(there.astype(np.uint32))
            firsts = np.full(len(values), len(self), np.int64)
            np.minimum.at(firsts, numbers, of_sets[there])
            self._first_of_values[store, field] = values.numbering, firsts
        return values, firsts

    def _firsts_of(self, store: AttributeStore) -> Numbers:
        """The row of the first route with each set of a store, or NONE."""
        known = self._first_of_sets.get(store)
        if known is None:
            known = self._first_of_sets[store] = np.full(len(store.octets), NONE, np.int64)
            for part, start in reversed(list(self._placed())):
                if part.slot.attributes is store:
                    rows = np.arange(start + len(part.records) - 1, start - 1, -1)
                    known[_sets(part, slice(None, None, -1))] = rows  # of several, the last one stays
        return known

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

    def _in_rows(self, field: str, rows: Numbers) -> NDArray[Any]:
        """A field of numbers that routes or their ingresses have, for these rows."""
        rows = rows.astype(np.int64, copy=False)
        if not len(self):
            return np.zeros(len(rows), np.uint64)
        match field:
            case "path_id":
                return self._gathered(rows, np.uint32, lambda part, own: _path_ids(part.records.keys[own]))
            case "received":
                return self._gathered(rows, np.uint64, _moments)
            case "peer_asn":
                return self._gathered(rows, np.uint32, lambda part, own: self._ingress(part.slot).asn)
            case "peer_id":
                return self._gathered(rows, np.uint64, lambda part, own: self._ingress(part.slot).digest)
        raise ValueError(f"{field} is no field of numbers")

    def _ingress(self, slot: RouteSlot) -> Ingress:
        return self._present(slot.number) or slot.ingress

    def _placed(self) -> Iterator[tuple[_Part, int]]:
        return zip(self._parts, self._starts.tolist(), strict=False)

    def _of_width(self, prefixes: NDArray[np.bytes_]) -> list[tuple[_Part, int]]:
        """The slots of the family of these prefixes, each with the number of its first row."""
        family = 4 if prefixes.dtype.itemsize == 5 else 6
        return [(part, start) for part, start in self._placed() if part.slot.family == family]

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

    def _with(self, part: _Part, field: str, key: Any) -> Mask:
        """Which routes of a slot have a value in a field."""
        slot, records = part
        if self._is_of_sets(field):
            values, firsts = self._values_of(slot.attributes, field)
            number = values.of(key)
            if not 0 <= number < len(firsts):
                return np.zeros(len(records), np.bool_)
            return values.with_value(number)[_sets(part, slice(None))]
        if field == "path_id":
            return np.asarray(_path_ids(records.keys) == key)
        if field == "received":
            return np.asarray(_moments(part, slice(None)) == key)
        return np.full(len(records), self.type == ROUTE and self._of_slot(slot, field) == key)

    def _of_slot(self, slot: RouteSlot, field: str) -> Any:
        """What all routes of a slot have in a field."""
        ingress = self._ingress(slot)
        status = "ACTIVE" if ingress.state is IngressState.UP else "STALE"
        return RouteRecord(slot.family, b"", ingress, b"", status=status).get(field)


def _sets(part: _Part, rows: Numbers | slice) -> NDArray[np.uint32]:
    """The numbers of the sets of these rows."""
    assert part.records.values is not None
    return part.records.values[rows]


def _counts(look_up: str, keys: NDArray[np.bytes_], prefixes: NDArray[np.bytes_]) -> Numbers:
    match look_up:
        case "exact_match":
            return key_search.exact(keys, prefixes).counts
        case "less_specifics":
            return key_search.covering_counts(keys, prefixes)
        case "more_specifics":
            return key_search.covered_counts(keys, prefixes)
    raise ValueError(f"there is no look-up {look_up}")


def _path_ids(keys: NDArray[np.bytes_]) -> NDArray[Any]:
    octets = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), keys.dtype.itemsize)
    return np.ascontiguousarray(octets[:, -4:]).view(">u4").reshape(-1)


def _moments(part: _Part, rows: Numbers | slice) -> NDArray[np.uint64]:
    assert part.records.times is not None
    return part.records.times[rows].astype(np.uint64) * np.uint64(MICROSECONDS)


def _firsts(found: Iterable[Found[Record]], count: int) -> Numbers:
    """The first row of each of so many findings, or NONE."""
    return np.fromiter((int(one.rows[0]) if len(one) else NONE for one in found), np.int64, count)
