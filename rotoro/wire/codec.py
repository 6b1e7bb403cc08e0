"""The fast way between octets and PDUs, compiled from each PDU's Construct layout.

The layouts define the format; they are also fifteen times too slow for a full table. So each is turned, once, into
steps: one `struct.Struct` for a run of fixed fields, one reader for a field that says its own length. The tests hold
both to the same answers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import rotoro.wire.rotoro
import rotoro.wire.rtr  # noqa: F401  (both fill PDUS)
from rotoro.wire.errors import CorruptData, ProtocolError, UnsupportedPdu, UnsupportedVersion
from rotoro.wire.pdu import HEADER_LENGTH, PDUS, ROTORO_MAX_LENGTH, RTR_LATEST, VERSIONS, Layout, Pdu, Wire
from rotoro.wire.shape import Kind, Shape, in_header, shape

Read = Callable[[bytes, int, list[Any]], int]
"""Reads at a place of a PDU, appends the values, returns the place behind them."""

Write = Callable[[list[Any], list[bytes]], None]
"""Takes its values from the front of a list and appends the octets they make."""


class _Step(NamedTuple):
    """One piece of a layout, ready to go fast."""

    read: Read
    write: Write
    minimum: int
    fixed: bool


_NUMBER = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""The `struct` code of a number by its octets."""


def _code(form: Shape, reserved: bool) -> str:
    """The `struct` code of a field of fixed width; what is reserved is written as zeros and not read."""
    if reserved:
        return f"{form.size}x"
    return _NUMBER[form.size] if form.kind is Kind.NUMBER else f"{form.size}s"


def _length(form: Shape) -> struct.Struct:
    """What stands in front of a field: its length, or a count."""
    return struct.Struct(">" + _NUMBER[form.prefix])


def _fixed(codes: Iterable[str]) -> _Step:
    compiled = struct.Struct(">" + "".join(codes))
    unpack, pack, size = compiled.unpack_from, compiled.pack, compiled.size
    count = len(compiled.unpack(bytes(size)))

    def read(octets: bytes, at: int, values: list[Any]) -> int:
        values += unpack(octets, at)
        return at + size

    def write(values: list[Any], out: list[bytes]) -> None:
        out.append(pack(*values[:count]))
        del values[:count]

    return _Step(read, write, size, fixed=True)


def _rest(form: Shape) -> _Step:
    def read(octets: bytes, at: int, values: list[Any]) -> int:
        values.append(octets[at:])
        return len(octets)

    return _Step(read, lambda values, out: out.append(bytes(values.pop(0))), 0, fixed=False)


def _counted_octets(form: Shape) -> _Step:
    length = _length(form)

    def read(octets: bytes, at: int, values: list[Any]) -> int:
        start = at + length.size
        end: int = start + length.unpack_from(octets, at)[0]
        if end > len(octets):
            raise CorruptData(f"a field of {end - start} octets where {len(octets) - start} are left")
        values.append(octets[start:end])
        return end

    def write(values: list[Any], out: list[bytes]) -> None:
        value = values.pop(0)
        out += (length.pack(len(value)), value)

    return _Step(read, write, length.size, fixed=False)


def _numbers_to_end(form: Shape) -> _Step:
    code, size = _NUMBER[form.size], form.size

    def read(octets: bytes, at: int, values: list[Any]) -> int:
        count, odd = divmod(len(octets) - at, size)
        if odd:
            raise CorruptData(f"{len(octets) - at} octets of numbers that take {size} each")
        values.append(struct.unpack_from(f">{count}{code}", octets, at))
        return len(octets)

    def write(values: list[Any], out: list[bytes]) -> None:
        numbers = values.pop(0)
        out.append(struct.pack(f">{len(numbers)}{code}", *numbers))

    return _Step(read, write, 0, fixed=False)


def _counted_numbers(form: Shape) -> _Step:
    count, code, size = _length(form), _NUMBER[form.size], form.size

    def read(octets: bytes, at: int, values: list[Any]) -> int:
        number: int = count.unpack_from(octets, at)[0]
        at += count.size
        if number * size > len(octets) - at:
            raise CorruptData(f"a list of {number} numbers where {len(octets) - at} octets are left")
        values.append(struct.unpack_from(f">{number}{code}", octets, at))
        return at + number * size

    def write(values: list[Any], out: list[bytes]) -> None:
        numbers = values.pop(0)
        out += (count.pack(len(numbers)), struct.pack(f">{len(numbers)}{code}", *numbers))

    return _Step(read, write, count.size, fixed=False)


def _entries(form: Shape, entry: type[Layout]) -> _Step:
    count, fields = _length(form), _Fields(entry, entry.laid_out)

    def read(octets: bytes, at: int, values: list[Any]) -> int:
        number: int = count.unpack_from(octets, at)[0]
        at += count.size
        if number * fields.minimum > len(octets) - at:
            raise CorruptData(f"a list of {number} entries where {len(octets) - at} octets are left")
        entries = []
        for _ in range(number):
            found, at = fields.read(octets, at)
            entries.append(entry(*found))
        values.append(tuple(entries))
        return at

    def write(values: list[Any], out: list[bytes]) -> None:
        entries = values.pop(0)
        out.append(count.pack(len(entries)))
        for each in entries:
            fields.write(each, out)

    return _Step(read, write, count.size, fixed=False)


_STEPS = {
    Kind.REST: _rest,
    Kind.COUNTED_OCTETS: _counted_octets,
    Kind.NUMBERS: _numbers_to_end,
    Kind.COUNTED_NUMBERS: _counted_numbers,
}
"""What reads and writes a field whose width varies; entries have fields of their own."""


def _steps(owner: type[Layout], wires: dict[str, Wire]) -> Iterator[_Step]:
    """One step for each run of fields of fixed width, and one for each other field."""
    forms = {name: shape(owner, name) for name in wires}
    for fixed, run in groupby(wires, lambda name: forms[name].fixed):
        if fixed:
            yield _fixed(_code(forms[name], wires[name].reserved) for name in run)
            continue
        for name in run:
            entry = wires[name].entry
            yield _STEPS[forms[name].kind](forms[name]) if entry is None else _entries(forms[name], entry)


class _Fields:
    """A sequence of fields, compiled."""

    __slots__ = ("convert_in", "convert_out", "fixed", "minimum", "names", "steps", "widths")

    def __init__(self, owner: type[Layout], names: Iterable[str]) -> None:
        wires = {name: owner.laid_out[name] for name in names}
        self.steps = list(_steps(owner, wires))
        self.minimum = sum(step.minimum for step in self.steps)
        self.fixed = all(step.fixed for step in self.steps)
        self.names = [name for name, wire in wires.items() if not wire.reserved]
        fields = [(i, wires[name], shape(owner, name)) for i, name in enumerate(self.names)]
        self.widths = [(i, form.size) for i, _, form in fields if form.kind is Kind.OCTETS]
        # `struct` takes and gives tuples, and entries are made as they are read: only Construct has them converted.
        converted = [(i, wire) for i, wire, form in fields if form.value is not tuple]
        self.convert_in = [(i, wire.from_wire) for i, wire in converted if wire.from_wire]
        self.convert_out = [(i, wire.to_wire) for i, wire in converted if wire.to_wire]

    def read(self, octets: bytes, at: int) -> tuple[list[Any], int]:
        values: list[Any] = []
        try:
            for step in self.steps:
                at = step.read(octets, at, values)
            for i, convert in self.convert_in:
                values[i] = convert(values[i])
        except struct.error:
            raise CorruptData(f"it ends after {len(octets)} octets, in the middle of a field") from None
        except UnicodeDecodeError as broken:
            raise CorruptData(f"text that is not UTF-8: {broken}") from None
        return values, at

    def write(self, owner: Layout, out: list[bytes]) -> None:
        values = [getattr(owner, name) for name in self.names]
        for i, convert in self.convert_out:
            values[i] = convert(values[i])
        for i, width in self.widths:
            if len(values[i]) != width:  # struct would cut or pad it
                raise ValueError(f"{owner.title}: {self.names[i]} of {len(values[i])} octets; it takes {width}")
        try:
            for step in self.steps:
                step.write(values, out)
        except struct.error as broken:
            raise ValueError(f"{owner.title}: a value does not fit its field: {broken}") from None


class _Codec:
    """One PDU class, ready to go fast."""

    __slots__ = ("body", "head", "maximum", "minimum", "pdu")

    def __init__(self, pdu: type[Pdu]) -> None:
        self.pdu = pdu
        self.head = _Fields(pdu, in_header(pdu, True))
        self.body = _Fields(pdu, in_header(pdu, False))
        self.minimum = HEADER_LENGTH + self.body.minimum
        self.maximum = self.minimum if self.body.fixed else None

    def decode(self, octets: bytes) -> Pdu:
        head, _ = self.head.read(octets, 2)
        body, end = self.body.read(octets, HEADER_LENGTH)
        if end != len(octets):
            raise CorruptData(f"{len(octets) - end} octets behind its last field")
        found = self.pdu(*head, *body)
        found.check()
        return found

    def encode(self, pdu: Pdu, version: int) -> bytes:
        head: list[bytes] = []
        body: list[bytes] = []
        self.head.write(pdu, head)
        self.body.write(pdu, body)
        length = HEADER_LENGTH + sum(map(len, body))
        if length > pdu.longest:
            raise ValueError(f"{pdu.title} of {length} octets, more than the {pdu.longest} that it may have")
        return b"".join([bytes((version, pdu.number)), *(head or [b"\0\0"]), length.to_bytes(4), *body])


_codecs: dict[tuple[int, int], _Codec] = {}
for _key, _pdu in PDUS.items():
    _codecs[_key] = next((known for known in _codecs.values() if known.pdu is _pdu), None) or _Codec(_pdu)


def encode(pdu: Pdu, version: int = RTR_LATEST) -> bytes:
    """One PDU as it goes on the wire; ValueError if it is too long or a value does not fit.

    >>> from rotoro.wire.rtr import SerialQuery
    >>> encode(SerialQuery(session=7, serial=42)).hex(" ", 4)
    '02010007 0000000c 0000002a'
    """
    codec = _codecs.get((version, pdu.number))
    if codec is None or codec.pdu is not type(pdu):
        raise ValueError(f"version {version:#x} has no {pdu.title}")
    return codec.encode(pdu, version)


def check_header(version: int, number: int, length: int, limit: int = ROTORO_MAX_LENGTH) -> None:
    """Raise if no PDU can begin like this, before a single octet of its body is waited for.

    `limit` is the longest PDU in octets that this side takes, whatever its type.
    """
    codec = _codecs.get((version, number))
    if codec is None:
        if version not in VERSIONS:
            raise UnsupportedVersion(f"version {version} is not spoken here")
        raise UnsupportedPdu(f"version {version:#x} has no PDU type {number}")
    title, limit = codec.pdu.title, min(limit, codec.pdu.longest)
    if length > limit:
        raise CorruptData(f"{title} of {length} octets; {limit} are allowed")
    if length < codec.minimum:
        raise CorruptData(f"{title} of {length} octets; it takes at least {codec.minimum}")
    if codec.maximum is not None and length > codec.maximum:
        raise CorruptData(f"{title} of {length} octets; it takes {codec.maximum}")


def decode(octets: bytes) -> tuple[int, Pdu]:
    """One whole PDU and its version; a `ProtocolError` with the octets if it is not one.

    >>> decode(bytes.fromhex("02080000 00000008"))
    (2, CacheReset())
    """
    try:
        if len(octets) < HEADER_LENGTH:
            raise CorruptData(f"a PDU of {len(octets)} octets; its header takes {HEADER_LENGTH}")
        version, number, _, length = struct.unpack_from(">BBHI", octets)
        check_header(version, number, length)
        if length != len(octets):
            raise CorruptData(f"a PDU that claims {length} octets in {len(octets)}")
        return version, _codecs[version, number].decode(octets)
    except ProtocolError as broken:
        raise type(broken)(str(broken), octets) from None
