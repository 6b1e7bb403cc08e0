"""What a writer puts into the log: cells as brackets of Rotoro, each of which says the whole of its cell.

A value is a snapshot of the cell as RotoroEncoder would write it: BEGIN, the TYPE DEFINITION of a table of records,
INGRESS STATE, ATTRIBUTE SETS, ROUTES and COMMIT. Here many cells are written at once: columns are worked on as wholes,
and only at the end cut into values.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotoro.log.cells import LEAST, OCTETS, Cell, numbered
from rotoro.session.routes import SECOND, ingress_pdu
from rotoro.table import NO_PARENT, Records, RouteSlot
from rotoro.table.digest import Hashes
from rotoro.wire.bulk import ROUTE_FORMS, as_octets, encode_rows
from rotoro.wire.codec import encode
from rotoro.wire.fields import RouteFlags
from rotoro.wire.pdu import ROTORO
from rotoro.wire.rotoro import AttributeSets, Begin, BracketKind, Commit, Health, Status
from rotoro.wire.typed import RecordType

TABLE = 0
"""The number that tables have in a log: there is only one."""

MOST_OCTETS = 512 << 10
"""How long a value may be; Kafka takes 1 MiB unless it is told otherwise."""

_SETS = struct.Struct(">BBHIII")
_RUN = struct.Struct(">BBHIB3xIQI")
_COMMIT = struct.Struct(">BBHIQQQQ")
_LENGTH_OCTETS = 2
_REST = 1024
"""Octets of a value that are no rows and no sets, rounded up; but for a type definition."""
_MOST_ROWS = 65_535
_SET_BITS = np.uint64(32)

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Life:
    """Where a writer stands: in which of its lives, at which of the commits of that."""

    epoch: int
    serial: int
    record: RecordType | None = None
    """The type of its records, if they are not routes."""


class Content(NamedTuple):
    """What a cell holds, as its COMMIT tells: enough to see whether another one is the same."""

    rows: int
    digest: int


class Parts(NamedTuple):
    """Cells of a slot, with the rows of its records that lie in each."""

    cells: Sequence[Cell]
    starts: Rows
    ends: Rows

    def take(self, which: NDArray[np.bool_]) -> Parts:
        """Some of them."""
        places = np.flatnonzero(which)
        return Parts([self.cells[place] for place in places.tolist()], self.starts[places], self.ends[places])


def parts_of(writer: int, slot: RouteSlot, records: Records, numbers: NDArray[np.uint32]) -> Parts:
    """The cells of the least length with these ascending numbers, some of which may have no rows."""
    family = slot.family
    cells = [numbered(writer, slot.ingress.digest, family, number) for number in numbers.tolist()]
    width = slot.key_dtype.itemsize
    bounds = np.zeros((2, len(numbers), width), np.uint8)
    for row, first in enumerate((numbers.astype(np.uint64), numbers.astype(np.uint64) + np.uint64(1))):
        words = (first << np.uint64(64 - LEAST[family])).astype(">u8")
        bounds[row, :, : OCTETS[4]] = words.view(np.uint8).reshape(-1, 8)[:, : OCTETS[4]]
    starts, ends = (np.searchsorted(records.keys, as_keys_of(side)) for side in bounds)
    ends[numbers == (1 << LEAST[family]) - 1] = len(records)
    return Parts(cells, starts, ends)


def as_keys_of(octets: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Rows of octets as keys, also if there are none."""
    return np.ascontiguousarray(octets).view(f"S{octets.shape[1]}").reshape(len(octets))


def contents(slot: RouteSlot, records: Records, parts: Parts) -> list[Content]:
    """What each of these cells holds; none of them is empty."""
    if not len(parts.cells):
        return []
    rows, _, firsts = _gathered(records, parts)
    return list(map(Content, (parts.ends - parts.starts).tolist(), _sums(slot.hashes(rows.keys, rows.values), firsts)))


class Value(NamedTuple):
    """A cell as it is put into the log."""

    cell: Cell
    content: Content
    octets: bytes


class Overfull(NamedTuple):
    """A cell of one address with more than fits: so many of its routes, the last ones, are left out."""

    cell: Cell
    left_out: int


def write(slot: RouteSlot, records: Records, parts: Parts, life: Life) -> Iterator[Value | Overfull]:
    """The values of these cells, none of which is empty; a cell that is too large is cut into halves."""
    if not len(parts.cells):
        return
    writing = _Writing(slot, records, parts)
    counts = parts.ends - parts.starts
    fitting = (writing.sizes <= MOST_OCTETS) & (counts <= _MOST_ROWS) | (counts == 1)
    if fitting.all():
        yield from writing.values(life)
        return
    yield from write(slot, records, parts.take(fitting), life)
    for place in np.flatnonzero(~fitting).tolist():
        yield from _cut(slot, records, parts.cells[place], int(parts.starts[place]), int(parts.ends[place]), life)


def _cut(slot: RouteSlot, records: Records, cell: Cell, start: int, end: int, life: Life) -> Iterator[Value | Overfull]:
    """A cell that does not fit, in halves; of one address, only its first routes."""
    if cell.length == 8 * len(cell.address):
        middle = (start + end) // 2
        yield Overfull(cell, end - middle)
        yield from write(slot, records, Parts([cell], np.array([start]), np.array([middle])), life)
        return
    low, high = cell.halves()
    border = np.array([high.address], slot.key_dtype)
    middle = start + int(np.searchsorted(records.keys[start:end], border)[0])
    halves = [(low, start, middle), (high, middle, end)]
    held = [half for half in halves if half[1] < half[2]]
    cells, starts, ends = zip(*held, strict=True)
    yield from write(slot, records, Parts(cells, np.array(starts), np.array(ends)), life)


def mark(name: str, life: Life, health: Health, *, complete: bool) -> bytes:
    """The value of a mark: how the writer fares, and whether all that it has is in the log."""
    begin = encode(_begin(life), ROTORO)
    status = encode(Status(TABLE, health, complete, name, ()), ROTORO)
    return begin + status + encode(Commit(TABLE, life.epoch, life.serial, 0, 0), ROTORO)


def _begin(life: Life) -> Begin:
    return Begin(TABLE, BracketKind.SNAPSHOT, 0, 0, life.epoch, life.serial)


class _Writing:
    """Cells being written."""

    def __init__(self, slot: RouteSlot, records: Records, parts: Parts) -> None:
        self._slot, self._parts = slot, parts
        self._rows, self._cells, self._firsts = _gathered(records, parts)
        assert self._rows.values is not None
        named, numbers = np.unique(self._cells << _SET_BITS | self._rows.values, return_inverse=True)
        self._set_ends = np.searchsorted(named, np.arange(1, len(parts.cells) + 1, dtype=np.uint64) << _SET_BITS)
        set_starts = np.concatenate(([0], self._set_ends[:-1]))
        self._numbers = (numbers - set_starts[self._cells.astype(np.intp)]).astype(np.uint32)
        own = (named & np.uint64(0xFFFFFFFF)).tolist()
        self._sets = list(map(slot.attributes.octets.__getitem__, own))
        lengths = np.fromiter(map(len, self._sets), np.int64, len(self._sets))
        octets = np.add.reduceat(lengths + _LENGTH_OCTETS, set_starts)
        widest = ROUTE_FORMS[slot.family].dtypes[-1].itemsize
        self.sizes = octets + widest * (parts.ends - parts.starts) + _REST
        """How long the values will be, rounded up."""
        self._lengths = lengths.astype(">u2").tobytes()

    def values(self, life: Life) -> Iterator[Value]:
        """One for each cell."""
        slot, rows, firsts = self._slot, self._rows, self._firsts
        assert rows.values is not None
        assert rows.times is not None
        digests = _sums(slot.hashes(rows.keys, rows.values), firsts)
        times = np.minimum.reduceat(rows.times, firsts)
        offsets = rows.times - times[self._cells.astype(np.intp)]
        flags = RouteFlags.ANNOUNCE | _columns(rows, offsets)
        octets = encode_rows(slot.family, flags, rows.keys, self._numbers, offsets)
        width = ROUTE_FORMS[slot.family].dtypes[flags].itemsize
        kind = ROUTE_FORMS[slot.family].pdu.number
        head = _heading(slot, life)
        ends = [*firsts[1:].tolist(), len(rows)]
        set_ends = list(pairwise([0, *self._set_ends.tolist()]))
        for cell, start, end, (first, last), digest, time in zip(
            self._parts.cells, firsts.tolist(), ends, set_ends, digests, times.tolist(), strict=True
        ):
            body = octets[start * width : end * width]
            sets = b"".join(self._sets[first:last])
            size = _SETS.size + _LENGTH_OCTETS * (last - first) + len(sets)
            yield Value(
                cell,
                Content(end - start, digest),
                b"".join(
                    (
                        head,
                        _SETS.pack(ROTORO, AttributeSets.number, TABLE, size, 0, last - first),
                        self._lengths[_LENGTH_OCTETS * first : _LENGTH_OCTETS * last],
                        sets,
                        _RUN.pack(
                            ROTORO, kind, TABLE, _RUN.size + len(body), flags, slot.number, time * SECOND, SECOND
                        ),
                        body,
                        _COMMIT.pack(
                            ROTORO, Commit.number, TABLE, _COMMIT.size, life.epoch, life.serial, end - start, digest
                        ),
                    )
                ),
            )


def _heading(slot: RouteSlot, life: Life) -> bytes:
    """What values of a slot have in front. Numbers of ingresses mean nothing there, so none has a parent."""
    ingress = encode(ingress_pdu(TABLE, replace(slot.ingress, parent=NO_PARENT), closed=False), ROTORO)
    definition = b"" if life.record is None else encode(life.record.definition(TABLE), ROTORO)
    return encode(_begin(life), ROTORO) + definition + ingress


def _gathered(records: Records, parts: Parts) -> tuple[Records, NDArray[np.uint64], Rows]:
    """The rows of some cells one behind the other, to which cell each belongs, and where each cell begins."""
    counts = parts.ends - parts.starts
    firsts = np.cumsum(counts) - counts
    total = int(counts.sum())
    cells = np.repeat(np.arange(len(counts), dtype=np.uint64), counts)
    if total == len(records):
        return records, cells, firsts
    return records.take(np.repeat(parts.starts - firsts, counts) + np.arange(total)), cells, firsts


def _sums(hashes: Hashes, firsts: Rows) -> list[int]:
    sums: list[int] = np.add.reduceat(hashes, firsts).tolist()
    return sums


def _columns(rows: Records, offsets: NDArray[np.uint32]) -> int:
    paths = RouteFlags.PATHS if as_octets(rows.keys)[:, -4:].any() else 0
    return paths | (RouteFlags.OFFSETS if offsets.any() else 0)
