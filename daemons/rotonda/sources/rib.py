"""A RIB as filters see it: its routes, or the records of its type, at one moment.

Single questions are a few searches in each slot. Whole columns are looked up in an index of each slot, which the next
views take over as long as the slot's routes stay the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.types import ROUTE, RecordType
from rotonda.blocks.values import Prefix, Value
from rotonda.filters.records import from_wire, wire_type
from rotonda.filters.route_record import ATTRIBUTE_FIELDS, AttributesView, RouteRecord
from rotonda.filters.world import Record, SourceGone, SourceView
from rotonda.rib.entries import prefixes_of
from rotonda.sources.columns import Keys
from rotonda.sources.found import Found
from rotonda.sources.prefix_index import PrefixIndex, bounds, by_family
from rotonda.sources.prefix_tree import NONE, Mask, Numbers
from rotoro.table import AttributeStore, Ingress, IngressState, Records, RouteSlot, Snapshot

Present: TypeAlias = Callable[[int], Ingress | None]
"""Tells how an ingress is now."""

_ROWS_A_LOOK_UP = 128
"""Rows of a slot that are indexed in about the time that one prefix takes to be looked up without an index."""


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
        self._decode = None if type == ROUTE else wire_type(type).decode

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
        if self._decode is not None:
            return from_wire(self.type, self._decode(octets), Prefix(key[:-5], key[-5]))
        ingress = self._present(slot.number) or slot.ingress
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
        own = [part.records for part in self._of_bits(8 * (prefixes.dtype.itemsize - 1))]
        fresh = sum(len(records) for records in own if not self._indexes.has(records))
        if fresh > _ROWS_A_LOOK_UP * len(prefixes) * len(own):
            return super().count_column(look_up, prefixes)
        if look_up == "longest_match":
            return self._count_longest(own, prefixes)
        counts = np.zeros(len(prefixes), np.int64)
        for records in own:
            counts += self._indexes.of(records).counts(look_up, prefixes)
        return counts

    def contains_column(self, field: str, keys: Keys) -> Mask:
        """Which values a route has in this field; prefixes of one family may come as an array."""
        if field != "prefix":
            return super().contains_column(field, list(keys))
        columns = [(slice(None), keys)] if isinstance(keys, np.ndarray) else by_family(list(keys))  # type: ignore[arg-type]
        mask = np.zeros(len(keys), np.bool_)
        for places, own in columns:
            if len(own):
                mask[places] = self.count_column("exact_match", own) > 0
        return mask

    def _count_longest(self, own: Sequence[Records], prefixes: NDArray[np.bytes_]) -> Numbers:
        longest = np.full(len(prefixes), NONE, np.int64)
        counts = np.zeros(len(prefixes), np.int64)
        for records in own:
            lengths, more = self._indexes.of(records).longest(prefixes)
            counts[lengths > longest] = 0
            counts += np.where(lengths >= longest, more, 0)
            np.maximum(longest, lengths, out=longest)
        return counts

    # --- on the way --------------------------------------------------------------------------------------------------

    def _placed(self) -> Iterator[tuple[_Part, int]]:
        return zip(self._parts, self._starts.tolist(), strict=False)

    def _of_bits(self, bits: int) -> list[_Part]:
        return [part for part in self._parts if part.slot.family == (4 if bits == 32 else 6)]

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
            octets = np.ascontiguousarray(records.keys).view(np.uint8).reshape(len(records), -1)
            return np.asarray(np.ascontiguousarray(octets[:, -4:]).view(">u4").reshape(-1) == key)
        if field == "received":
            assert records.times is not None
            return np.asarray(records.times * np.uint64(1_000_000) == key)
        ingress = self._present(slot.number) or slot.ingress
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
        return AttributesView(octets) if self._decode is None else from_wire(self.type, self._decode(octets))
