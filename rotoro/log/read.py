"""What a reader takes from the log: values of many cells become columns at once.

Nothing that is read is believed: a value that is not what `spec/kafka.md` says is refused as a whole, and the others
are taken. What the digest of a cell says can only be checked when its attribute sets have their numbers, by who takes
the columns into a table.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotoro.log.cells import Cell, cell_of, least_of
from rotoro.log.cells import partition as partition_of_cell
from rotoro.log.written import TABLE, Content
from rotoro.session.bracket import LATEST, described
from rotoro.session.routes import SECOND
from rotoro.table import Ingress
from rotoro.wire.bulk import ROUTE_FORMS, Keys, as_octets, decode_rows
from rotoro.wire.codec import decode, encode
from rotoro.wire.errors import CorruptData, ProtocolError
from rotoro.wire.fields import FLAG_SUMS, RouteFlags
from rotoro.wire.pdu import HEADER_LENGTH, ROTORO
from rotoro.wire.rotoro import (
    AttributeSets,
    Begin,
    BracketKind,
    Commit,
    IngressHealth,
    IngressState,
    Status,
    TypeDefinition,
)
from rotoro.wire.typed import RecordType

Mask = NDArray[np.bool_]
Message = tuple[int, bytes, bytes | None]
"""The partition, a key, and what was put there; None is a tombstone."""

_BEGIN = struct.Struct(">BBHIB3xQQQQ")
_SETS = struct.Struct(">BBHIII")
_RUN = struct.Struct(">BBHIB3xIQI")
_COMMIT = struct.Struct(">BBHIQQQQ")
_HEADER = struct.Struct(">BBHI")


class Refused(NamedTuple):
    """A record of the log that is not used, and why."""

    key: bytes
    why: str


class Mark(NamedTuple):
    """What a writer says of itself in a partition."""

    writer: str
    health: int
    complete: bool


@dataclass(eq=False)
class Columns:
    """Cells of one slot that do not overlap, in the order of their addresses, and all their rows."""

    ingress: Ingress
    family: int
    cells: list[Cell]
    contents: list[Content]
    keys: Keys
    """Ascending, each once."""
    sets: NDArray[np.int64]
    """For each row, the place of its attribute set among the sets of the batch."""
    times: NDArray[np.uint32]
    """Seconds since 1970."""


@dataclass(eq=False)
class Batch:
    """What some records of one partition say, which can be taken in one step: no two of its cells overlap."""

    columns: list[Columns] = field(default_factory=list)
    gone: list[Cell] = field(default_factory=list)
    sets: list[bytes] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class _Value(NamedTuple):
    cell: Cell
    ingress: Ingress
    sets: list[bytes]
    flags: int
    time: int
    tick: int
    rows: bytes
    content: Content


def content_of(value: bytes) -> Content:
    """What a value holds, as its last PDU tells; raises CorruptData. For writers, who wrote the value themselves."""
    if len(value) < _COMMIT.size:
        raise CorruptData(f"a value of {len(value)} octets")
    version, number, _, length, _, _, count, digest = _COMMIT.unpack_from(value, len(value) - _COMMIT.size)
    if (version, number, length) != (ROTORO, Commit.number, _COMMIT.size):
        raise CorruptData("a value that does not end with COMMIT")
    return Content(count, digest)


def read_mark(value: bytes) -> Mark:
    """The value of a mark; raises CorruptData."""
    at = _BEGIN.size
    length = int.from_bytes(value[at + 4 : at + HEADER_LENGTH])
    try:
        _, status = decode(value[at : at + length])
    except ProtocolError as wrong:
        raise CorruptData(f"a mark that is none: {wrong}") from None
    if not isinstance(status, Status):
        raise CorruptData("a mark without STATUS")
    return Mark(status.text, status.health, bool(status.end_of_rib))


class ValueReader:
    """Reads the values of one log; what is the same in many of them is read once."""

    def __init__(self, record: RecordType | None = None) -> None:
        self._record = record
        self._definition = b"" if record is None else encode(record.definition(TABLE), ROTORO)
        self._ingresses: dict[bytes, Ingress] = {}

    def batches(self, messages: Iterable[Message], partitions: int) -> list[Batch]:
        """What these records of a log of so many partitions say, in batches to be taken one after the other."""
        made: list[Batch] = []
        for part in _apart(messages, partitions):
            batch = Batch(refused=part.refused)
            self._fill(batch, part.messages)
            made.append(batch)
        return made

    def _fill(self, batch: Batch, messages: Sequence[tuple[Cell, bytes | None]]) -> None:
        slots: dict[tuple[int, int], list[_Value]] = {}
        for cell, value in messages:
            if value is None:
                batch.gone.append(cell)
                continue
            try:
                read = self._value(cell, value)
            except (ProtocolError, struct.error, ValueError) as wrong:
                batch.refused.append(Refused(cell.key, str(wrong)))
                continue
            slots.setdefault((cell.family, cell.ingress), []).append(read)
        for (family, _), values in slots.items():
            values.sort(key=lambda value: value.cell.address)
            columns = _columns(batch, family, values)
            if columns.cells:
                batch.columns.append(columns)

    def _value(self, cell: Cell, value: bytes) -> _Value:
        """One value, without its rows."""
        version, number, _, length, kind, *start, _, _ = _BEGIN.unpack_from(value)
        if (version, number, length) != (ROTORO, Begin.number, _BEGIN.size):
            raise CorruptData("a value that does not begin with BEGIN")
        if kind != BracketKind.SNAPSHOT or any(start):
            raise CorruptData("a bracket that is no snapshot")
        at = self._defined(value, _BEGIN.size)
        ingress, at = self._ingress(value, at)
        if ingress.digest != cell.ingress:
            raise CorruptData(f"an ingress of digest {ingress.digest:016x}, where the key has {cell.ingress:016x}")
        sets, at = self._sets(value, at)
        version, number, _, length, flags, _, time, tick = _RUN.unpack_from(value, at)
        form, end = ROUTE_FORMS[cell.family], at + length
        announced = flags in FLAG_SUMS and flags & RouteFlags.ANNOUNCE
        if (version, number) != (ROTORO, form.pdu.number) or not announced:
            raise CorruptData(f"PDU type {number}, flags {flags}, where routes of family {cell.family} are announced")
        rows = value[at + _RUN.size : end]
        version, number, _, length, _, _, count, digest = _COMMIT.unpack_from(value, end)
        if (version, number, length) != (ROTORO, Commit.number, len(value) - end):
            raise CorruptData("a value that does not end with COMMIT")
        if not count or count * form.dtypes[flags].itemsize != len(rows):
            raise CorruptData(f"{len(rows)} octets of rows for {count} routes")
        return _Value(cell, ingress, sets, flags, time, tick, rows, Content(count, digest))

    def _defined(self, value: bytes, at: int) -> int:
        if self._record is None:
            if value[at + 1 : at + 2] == bytes([TypeDefinition.number]):
                raise CorruptData("records of a type, where routes are expected")
            return at
        if not value.startswith(self._definition, at):
            raise CorruptData(f"records that are not of the type {self._record}")
        return at + len(self._definition)

    def _ingress(self, value: bytes, at: int) -> tuple[Ingress, int]:
        _, number, _, length = _HEADER.unpack_from(value, at)
        octets = value[at : at + length]
        found = self._ingresses.get(octets)
        if found is None:
            pdu = decode(octets)[1] if number == IngressState.number else None
            if not isinstance(pdu, IngressState) or pdu.state == IngressHealth.CLOSED:
                raise CorruptData("no ingress that has routes, where one is expected")
            found = self._ingresses[octets] = described(pdu)
        return found, at + length

    def _sets(self, value: bytes, at: int) -> tuple[list[bytes], int]:
        version, number, _, length, first, count = _SETS.unpack_from(value, at)
        end, start = at + length, at + _SETS.size + 2 * count
        if (version, number, first) != (ROTORO, AttributeSets.number, 0) or not 0 < count <= length:
            raise CorruptData("no attribute sets from number 0 on, where they are expected")
        lengths = struct.unpack_from(f">{count}H", value, at + _SETS.size)
        if start + sum(lengths) != end:
            raise CorruptData(f"{count} attribute sets that do not fill their PDU")
        sets = [value[one:other] for one, other in pairwise(accumulate(lengths, initial=start))]
        if self._record is not None:
            self._record.check(sets)
        return sets, end


class _Apart(NamedTuple):
    messages: list[tuple[Cell, bytes | None]]
    refused: list[Refused]


def _apart(messages: Iterable[Message], partitions: int) -> Iterator[_Apart]:
    """The same records so that no cells of one part overlap: a later part has the later word."""
    own, touched = _Apart([], []), set[tuple[object, ...]]()
    for partition, key, value in messages:
        try:
            cell = cell_of(key)
        except CorruptData as wrong:
            own.refused.append(Refused(key, str(wrong)))
            continue
        place = partition_of_cell(cell.family, cell.number, partitions)
        if place != partition:
            own.refused.append(Refused(key, f"a cell of partition {place} in partition {partition}"))
            continue
        least = least_of(cell)[1:]  # whoever wrote it
        if least in touched:
            yield own
            own, touched = _Apart([], []), set()
        touched.add(least)
        own.messages.append((cell, value))
    yield own


def _columns(batch: Batch, family: int, values: Sequence[_Value]) -> Columns:
    """The rows of some cells of one slot; those in which something is wrong are refused."""
    counts = np.array([value.content.rows for value in values])
    base = len(batch.sets) + np.array([0, *accumulate(len(value.sets) for value in values)])
    for value in values:
        batch.sets.extend(value.sets)
    firsts = np.cumsum(counts) - counts
    keys = np.zeros(int(counts.sum()), f"S{ROUTE_FORMS[family].key_width}")
    sets, wrong = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    times = np.zeros(len(keys), np.uint64)
    for flags in sorted({value.flags for value in values}):
        own = np.array([value.flags == flags for value in values])
        these = [value for value, mine in zip(values, own.tolist(), strict=True) if mine]
        rows = slice(None) if own.all() else np.repeat(own, counts)
        keys[rows], numbers, offsets, wrong[rows] = decode_rows(family, flags, b"".join(v.rows for v in these))
        sets[rows] = numbers
        own_counts = counts[own]
        own_times = np.repeat(np.array([value.time for value in these], np.uint64), own_counts)
        if flags & RouteFlags.OFFSETS:
            own_times += offsets * np.repeat(np.array([value.tick for value in these], np.uint64), own_counts)
        times[rows] = own_times
    wrong |= sets >= np.repeat(np.diff(base), counts)
    wrong |= ~_inside(family, keys, [value.cell for value in values], counts)
    wrong[1:] |= keys[1:] <= keys[:-1]
    bad = np.logical_or.reduceat(wrong, firsts)
    for place in np.flatnonzero(bad).tolist():
        batch.refused.append(Refused(values[place].cell.key, "a row that cannot be, or that is not in its place"))
    good = np.repeat(~bad, counts)
    seconds = np.minimum(times // np.uint64(SECOND), LATEST).astype(np.uint32)
    held = [value for value, broken in zip(values, bad.tolist(), strict=True) if not broken]
    return Columns(
        values[0].ingress,
        family,
        [value.cell for value in held],
        [value.content for value in held],
        keys[good],
        (sets + np.repeat(base[:-1], counts))[good],
        seconds[good],
    )


def _inside(family: int, keys: Keys, cells: Sequence[Cell], counts: NDArray[np.int64]) -> Mask:
    """Which rows lie in their cell."""
    octets = as_octets(keys)[:, : ROUTE_FORMS[family].bits // 8]
    bits = ROUTE_FORMS[family].bits
    addresses = np.frombuffer(b"".join(cell.address for cell in cells), np.uint8).reshape(len(cells), -1)
    lengths = {cell.length for cell in cells}
    masks = {each: ((1 << each) - 1 << bits - each).to_bytes(bits // 8) for each in lengths}
    mask = np.frombuffer(b"".join(masks[cell.length] for cell in cells), np.uint8).reshape(len(cells), -1)
    inside: Mask = ((octets & np.repeat(mask, counts, axis=0)) == np.repeat(addresses, counts, axis=0)).all(axis=1)
    return inside
