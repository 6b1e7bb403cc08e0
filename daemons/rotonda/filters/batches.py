"""What expressions are asked about: many rows of a table, or many attribute sets, at once.

A route has the set that it came with and the set that it goes out with, which differ once it was changed. What depends
on a set alone is computed once for each set and kept by its number, so that rows only look it up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.types import FieldOf, RecordType
from rotonda.blocks.values import Prefix, RecordValue
from rotonda.filters import records as carried
from rotonda.filters.answers import Answer, column
from rotonda.filters.lists import Positions
from rotonda.filters.prefix_ranges import PrefixColumn
from rotonda.filters.route_record import AttributesView, RouteRecord
from rotonda.filters.set_columns import SetColumns
from rotonda.filters.world import Record
from rotoro.table import Records, RouteSlot
from rotoro.wire.errors import CorruptData

Numbers = NDArray[np.uint32]
Own = TypeVar("Own", bound="Batch")


class Batch(Protocol):
    """Rows, or sets, about which expressions are asked."""

    def __len__(self) -> int: ...

    def take(self: Own, rows: Positions) -> Own:
        """Some of them, in ascending order."""

    def records(self) -> Iterator[tuple[Record, Record]]:
        """Each as single values: the record that came and the one that goes out."""


class Kind(Protocol):
    """What records a filter takes: routes, or typed records."""

    def columns(self, sets: Sequence[bytes]) -> Any:
        """What the sets say, as columns."""

    def of_set(self, octets: bytes) -> Record:
        """What a set says, for who asks only that."""

    def of_row(self, slot: RouteSlot, key: bytes, octets: bytes, seconds: int) -> Record:
        """The whole record of a row."""


class Routes:
    """Routes: a set is a set of path attributes."""

    def columns(self, sets: Sequence[bytes]) -> SetColumns:
        return SetColumns(sets)

    def of_set(self, octets: bytes) -> Record:
        return AttributesView(octets)

    def of_row(self, slot: RouteSlot, key: bytes, octets: bytes, seconds: int) -> Record:
        return RouteRecord(slot.family, key, slot.ingress, octets, seconds)


class TypedRecords:
    """Records of a type that a file declares: a set is all of one but its prefix."""

    def __init__(self, record: RecordType) -> None:
        self._record = record
        self._wire = carried.wire_type(record)

    def columns(self, sets: Sequence[bytes]) -> RecordColumns:
        return RecordColumns(self._record, list(map(self.of_set, sets)))

    def of_set(self, octets: bytes) -> RecordValue:
        return self.decoded(octets, None)

    def of_row(self, slot: RouteSlot, key: bytes, octets: bytes, seconds: int) -> RecordValue:
        width = slot.key_dtype.itemsize - 5
        return self.decoded(octets, Prefix(key[:width], key[width]))

    def decoded(self, octets: bytes, prefix: Prefix | None) -> RecordValue:
        """The record; all of its fields are missing if it cannot be read."""
        try:
            return carried.from_wire(self._record, self._wire.decode(octets), prefix)
        except (CorruptData, ValueError, LookupError):
            nothing = (None,) * len(self._wire.fields)
            return carried.from_wire(self._record, nothing, prefix)

    def encoded(self, record: RecordValue) -> bytes:
        """The set of a record. Raises ValueError if it cannot be carried."""
        return self._wire.encode(carried.to_wire(self._record, record))


class RecordColumns:
    """The fields of records as columns."""

    def __init__(self, record: RecordType, values: Sequence[RecordValue]) -> None:
        self._places = {field.name: place for place, field in enumerate(record.fields)}
        self._values = values

    def field(self, field: FieldOf, missing: int) -> Answer:
        """A field of all records; `missing` is the state of those that lack it."""
        place = self._places[field.name]
        values = [record.fields[place][1] for record in self._values]
        lacking = np.fromiter((value is None for value in values), np.bool_, len(values))
        if not lacking.any():
            return Answer(column(field.type, values))
        there = [value for value in values if value is not None]
        own = column(field.type, there)
        whole = np.zeros(len(values), own.dtype)
        whole[~lacking] = own
        return Answer(whole, np.where(lacking, np.int32(missing), np.int32(0)))


class SetBatch:
    """Sets by themselves."""

    def __init__(self, sets: Sequence[bytes], kind: Kind) -> None:
        self.sets = sets
        self._kind = kind

    def __len__(self) -> int:
        return len(self.sets)

    @cached_property
    def columns(self) -> Any:
        """What they say: `SetColumns` or `RecordColumns`."""
        return self._kind.columns(self.sets)

    def take(self, rows: Positions) -> SetBatch:
        return SetBatch([self.sets[row] for row in rows.tolist()], self._kind)

    def records(self) -> Iterator[tuple[Record, Record]]:
        for octets in self.sets:
            record = self._kind.of_set(octets)
            yield record, record


Made = Callable[[Positions], Sequence[Record]]
"""The records that a filter makes, by the places of rows in its batch."""


class RowBatch:
    """Rows of one slot, in ascending order of keys, at one moment of a filter.

    `came` and `goes` are the numbers of their sets in the store of the slot, `made` gives the records that the filter
    makes of them, where it makes some.
    """

    def __init__(
        self,
        slot: RouteSlot,
        rows: Records,
        kind: Kind,
        goes: Numbers | None = None,
        made: Made | None = None,
        places: Positions | None = None,
    ) -> None:
        assert rows.values is not None
        self.slot = slot
        self.rows = rows
        self.kind = kind
        self.came: Numbers = rows.values
        self.goes: Numbers = rows.values if goes is None else goes
        self._made = made
        self._places = places

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def prefixes(self) -> PrefixColumn:
        """Prefixes and path identifiers."""
        return PrefixColumn(self.rows.keys)

    @property
    def seconds(self) -> NDArray[np.uint32]:
        """When the rows were received."""
        times = self.rows.times
        return np.zeros(len(self), np.uint32) if times is None else times

    def take(self, rows: Positions) -> RowBatch:
        places = rows if self._places is None else self._places[rows]
        return RowBatch(self.slot, self.rows.take(rows), self.kind, self.goes[rows], self._made, places)

    def after(self, goes: Numbers) -> RowBatch:
        """The same rows with other sets that they go out with."""
        changed = RowBatch(self.slot, self.rows, self.kind, goes, self._made, self._places)
        if "prefixes" in vars(self):
            changed.prefixes = self.prefixes
        return changed

    def records(self) -> Iterator[tuple[Record, Record]]:
        octets = self.slot.attributes.octets
        width = self.rows.keys.dtype.itemsize
        keys = np.ascontiguousarray(self.rows.keys).tobytes()
        rows = zip(self.came.tolist(), self.goes.tolist(), self.seconds.tolist(), strict=True)
        made: Sequence[Record] | None = None
        if self._made is not None:
            made = self._made(np.arange(len(self)) if self._places is None else self._places)
        for row, (came, goes, seconds) in enumerate(rows):
            key = keys[row * width : (row + 1) * width]
            own = self.kind.of_row(self.slot, key, octets[came], seconds)
            if made is not None:
                yield own, made[row]
            else:
                yield own, own if came == goes else self.kind.of_row(self.slot, key, octets[goes], seconds)
