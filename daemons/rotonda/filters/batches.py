"""What expressions are asked about: many rows of a table, or many attribute sets, at once.

A route has the set that it came with and the set that it goes out with, which differ once it was changed. What depends
on a set alone is computed once for each set and kept by its number, so that rows only look it up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.types import FieldOf, RecordType
from rotonda.blocks.values import Prefix, RecordValue
from rotonda.filters import records as carried
from rotonda.filters.answers import Answer, column
from rotonda.filters.lists import Positions
from rotonda.filters.pools import Pool
from rotonda.filters.prefix_ranges import PrefixColumn
from rotonda.filters.route_record import AttributesView, RouteRecord
from rotonda.filters.set_columns import SetColumns
from rotonda.filters.world import Record
from rotoro.table import Records, RouteSlot
from rotoro.wire.errors import CorruptData
from rotoro.wire.typed import MAX_OCTETS

Numbers = NDArray[np.uint32]


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
        """What the sets say, as columns."""
        return SetColumns(sets)

    def of_set(self, octets: bytes) -> Record:
        """What a set says, for who asks only that."""
        return AttributesView(octets)

    def of_row(self, slot: RouteSlot, key: bytes, octets: bytes, seconds: int) -> Record:
        """The whole record of a row."""
        return RouteRecord(slot.family, key, slot.ingress, octets, seconds)


class TypedRecords:
    """Records of a type that a file declares: a set is all of one but its prefix."""

    def __init__(self, record: RecordType) -> None:
        self._record = record
        self._wire = carried.wire_type(record)

    def columns(self, sets: Sequence[bytes]) -> RecordColumns:
        """What the sets say, as columns."""
        return RecordColumns(self._record, list(map(self.of_set, sets)))

    def of_set(self, octets: bytes) -> RecordValue:
        """What a set says, for who asks only that."""
        return self.decoded(octets, None)

    def of_row(self, slot: RouteSlot, key: bytes, octets: bytes, seconds: int) -> RecordValue:
        """The whole record of a row."""
        width = slot.key_dtype.itemsize - 5
        return self.decoded(octets, Prefix(key[:width], key[width]))

    def decoded(self, octets: bytes, prefix: Prefix | None) -> RecordValue:
        """The record; all of its fields are missing if it cannot be read."""
        try:
            return carried.from_wire(self._record, self._wire.decode(octets), prefix)
        except (CorruptData, ValueError, LookupError):
            nothing = (None,) * len(self._wire.fields)
            return carried.from_wire(self._record, nothing, prefix)

    def encoded_rows(self, pools: Mapping[str, Pool], count: int) -> list[bytes | None]:
        """The sets of as many records with these values, each field written once for each of its values.

        A field without a pool is missing; None stands for a record that cannot be carried.
        """
        present = np.zeros(count, np.int64)
        lengths = np.zeros(count, np.int64)
        octets = np.full(count, b"", object)
        fits = np.ones(count, np.bool_)
        for place, field in enumerate(carried.carried_fields(self._record)):
            present <<= 1
            pool = pools.get(field.name)
            if pool is None:
                continue
            pieces = self._wire.encode_column(place, pool.values, carried.to_wire_of(field.type))
            told = np.fromiter((value is not None for value in pool.values), np.bool_, len(pool.values))
            sound = np.fromiter((piece is not None for piece in pieces), np.bool_, len(pieces))
            sizes = np.fromiter((len(piece or b"") for piece in pieces), np.int64, len(pieces))
            column = np.empty(len(pieces), object)
            column[:] = [piece or b"" for piece in pieces]
            present |= told[pool.places]
            lengths += sizes[pool.places]
            octets = octets + column[pool.places]
            fits &= sound[pool.places]
        patterns, which = np.unique(present, return_inverse=True)
        headings = np.empty(len(patterns), object)
        headings[:] = [self._wire.heading(pattern) for pattern in patterns.tolist()]
        whole = (headings[which] + octets).tolist() if count else []
        fits &= lengths + len(self._wire.heading(0)) <= MAX_OCTETS
        if fits.all():
            return whole
        return [one if fit else None for one, fit in zip(whole, fits.tolist(), strict=True)]

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
        """Some of them."""
        return SetBatch([self.sets[row] for row in rows.tolist()], self._kind)

    def records(self) -> Iterator[tuple[Record, Record]]:
        """Each as single values; what came is what goes out."""
        for octets in self.sets:
            record = self._kind.of_set(octets)
            yield record, record


Made = Callable[[Positions], Sequence[Record]]
"""The records that a filter makes, by the places of rows in its batch."""


class RowBatch:
    """Rows of one slot, in ascending order of keys, at one moment of a filter.

    `came` and `goes` are the numbers of their sets in the store of the slot; `made` gives the records that the filter
    makes of them, where it makes some. Some rows of a batch are a batch that looks into the whole one when it is asked.
    """

    def __init__(
        self,
        slot: RouteSlot,
        whole: Records,
        kind: Kind,
        goes: Numbers | None = None,
        made: Made | None = None,
        prefixes: PrefixColumn | None = None,
        places: Positions | None = None,
    ) -> None:
        """`goes` are as many as there are in the whole batch, of which `places` are the rows; None are all."""
        assert whole.values is not None
        self.slot = slot
        self.whole = whole
        self._kind = kind
        self._came: Numbers = whole.values
        self._goes = self._came if goes is None else goes
        self._made = made
        self._prefixes = PrefixColumn(whole.keys) if prefixes is None else prefixes
        self._places = places

    def __len__(self) -> int:
        return len(self.whole) if self._places is None else len(self._places)

    @cached_property
    def prefixes(self) -> PrefixColumn:
        """Prefixes and path identifiers."""
        return self._prefixes if self._places is None else self._prefixes.take(self._places)

    @cached_property
    def came(self) -> Numbers:
        """The sets that the rows came with."""
        return self._came if self._places is None else self._came[self._places]

    @cached_property
    def goes(self) -> Numbers:
        """The sets that they go out with."""
        return self._goes if self._places is None else self._goes[self._places]

    @property
    def seconds(self) -> NDArray[np.uint32]:
        """When they were received."""
        times = self.whole.times
        if times is None:
            return np.zeros(len(self), np.uint32)
        return times if self._places is None else times[self._places]

    def take(self, rows: Positions) -> RowBatch:
        """Some of them, in ascending order."""
        places = rows if self._places is None else self._places[rows]
        return RowBatch(self.slot, self.whole, self._kind, self._goes, self._made, self._prefixes, places)

    def after(self, goes: Numbers) -> RowBatch:
        """The same rows with other sets that they go out with."""
        return RowBatch(self.slot, self.whole, self._kind, goes, self._made, self._prefixes, self._places)

    def records(self) -> Iterator[tuple[Record, Record]]:
        """Each as single values: the record that came and the one that goes out."""
        octets = self.slot.attributes.octets
        keys = self.prefixes.keys
        width = keys.dtype.itemsize
        data = keys.tobytes()
        made: Sequence[Record] | None = None
        if self._made is not None:
            made = self._made(np.arange(len(self)) if self._places is None else self._places)
        rows = zip(self.came.tolist(), self.goes.tolist(), self.seconds.tolist(), strict=True)
        for row, (came, goes, seconds) in enumerate(rows):
            key = data[row * width : (row + 1) * width]
            own = self._kind.of_row(self.slot, key, octets[came], seconds)
            if made is not None:
                yield own, made[row]
            else:
                yield own, own if came == goes else self._kind.of_row(self.slot, key, octets[goes], seconds)
