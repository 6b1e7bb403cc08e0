"""Records of types that somebody declares: what a type is, and a record of it as octets.

A value has one form only, so equal records are equal octets: tables keep, share, compare and digest those octets as
they do attribute sets. Absent is None; a bit for each field, in front, says which are there. What the values are:

==================  ================================================================================================
BOOL                bool
U8 to U64, ASN      int
IP_ADDRESS          bytes, 4 or 16
PREFIX              (address, prefix length): bytes as in IP_ADDRESS without bits behind the length, int
TIMESTAMP           int, microseconds since 1970
communities         int: 4, 8 and 12 octets read as one number
AS_PATH             tuple of segments, each (kind from 1 to 4, tuple of 1 to 255 AS numbers)
STRING, OCTETS      str, bytes
repeated            tuple of such values, of 65,535 at most
==================  ================================================================================================
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import zip_longest
from typing import Any, NamedTuple

from rotoro.wire.codec import encode
from rotoro.wire.errors import BadTypeDefinition, CorruptData
from rotoro.wire.pdu import HEADER_LENGTH, ROTORO
from rotoro.wire.rotoro import FieldType, TypeDefinition, TypeField

MAX_FIELDS = 255
"""How many fields a type may have."""

MAX_OCTETS = (1 << 16) - 1
"""How many octets a record may have: as many as ATTRIBUTE SETS can tell."""

Path = tuple[tuple[int, tuple[int, ...]], ...]
"""An AS path: its segments, each its kind and its AS numbers."""

_TOLD_DIFFERENCES = 3

_COUNT = struct.Struct(">H")
_UNFIT = (ValueError, TypeError, AttributeError, LookupError, OverflowError, struct.error)
"""What values that are no values of a type, or octets that are none, lead to here."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record type."""

    name: str
    kind: FieldType
    repeated: bool = False
    """Whether it holds a tuple of values."""

    def __str__(self) -> str:
        kind = self.kind.name.lower()
        return f"{self.name}: {f'[{kind}]' if self.repeated else kind}"


@dataclass(frozen=True)
class RecordType:
    """A record type. Raises BadTypeDefinition if it cannot be, or is more than this revision of Rotoro carries.

    >>> seen = RecordType("Seen", (Field("first", FieldType.ASN), Field("tags", FieldType.STRING, repeated=True)))
    >>> seen.encode((64496, ("a", "bc"))).hex(" ")
    'c0 00 00 fb f0 00 02 00 01 61 00 02 62 63'
    >>> seen.decode(seen.encode((None, ())))
    (None, ())
    """

    name: str
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        definition = self.definition(0)
        definition.check()
        if len(self.fields) > MAX_FIELDS:
            raise BadTypeDefinition(f"record type {self.name!r} has more than {MAX_FIELDS} fields")
        nested = [field.name for field in self.fields if field.kind == FieldType.RECORD]
        if nested:
            raise BadTypeDefinition(
                f"record type {self.name!r} has a record in field {nested[0]!r}; none is carried yet"
            )
        if max(len(name.encode()) for name in (self.name, *(field.name for field in self.fields))) > MAX_FIELDS:
            raise BadTypeDefinition(f"record type {self.name!r}, or a field of it, has a name of more than 255 octets")

    @staticmethod
    def of(definition: TypeDefinition) -> RecordType:
        """The type that a peer defines."""
        fields = tuple(Field(one.name, FieldType(one.kind), bool(one.repeated)) for one in definition.fields)
        return RecordType(definition.name, fields)

    def definition(self, number: int) -> TypeDefinition:
        """The PDU that defines it under this number."""
        fields = tuple(TypeField(field.name, field.kind, int(field.repeated)) for field in self.fields)
        return TypeDefinition(number, self.name, fields)

    @cached_property
    def digest(self) -> int:
        """Two types are the same if these are: the BLAKE2b-64 of TYPE DEFINITION behind its header."""
        octets = encode(self.definition(0), ROTORO)[HEADER_LENGTH:]
        return int.from_bytes(blake2b(octets, digest_size=8).digest())

    def __str__(self) -> str:
        return f"{self.name} {{{', '.join(map(str, self.fields))}}}"

    def differences(self, other: RecordType) -> str:
        """How the other differs, in words; nothing if it does not."""
        told = [f"{own or 'nothing'} against {theirs or 'nothing'}" for own, theirs in self._unlike(other)]
        more = f" and {len(told) - _TOLD_DIFFERENCES} more" if len(told) > _TOLD_DIFFERENCES else ""
        return ", ".join(told[:_TOLD_DIFFERENCES]) + more

    def _unlike(self, other: RecordType) -> Iterator[tuple[object, object]]:
        if self.name != other.name:
            yield self.name, other.name
        yield from ((own, theirs) for own, theirs in zip_longest(self.fields, other.fields) if own != theirs)

    # --- records ------------------------------------------------------------------------------------------------------

    def encode(self, values: Sequence[Any]) -> bytes:
        """A record as octets: one value for each field, None where there is none.

        Raises ValueError, which names the field, for what is no record of this type.
        """
        if len(values) != len(self.fields):
            raise ValueError(f"a record of {self.name} has {len(self.fields)} values, not {len(values)}")
        present = 0
        pieces: list[bytes] = []
        try:
            for form, value in zip(self._forms, values, strict=True):
                present = present << 1 | (value is not None)
                pieces.append(b"" if value is None else form.write(value))
        except _UNFIT as wrong:
            raise ValueError(f"{self.name}.{self.fields[len(pieces)].name}: {wrong}") from None
        octets = (present << self._padding).to_bytes(self._bits_octets) + b"".join(pieces)
        if len(octets) > MAX_OCTETS:
            raise ValueError(f"a record of {self.name} has {len(octets)} octets, more than {MAX_OCTETS}")
        return octets

    def encode_column(self, place: int, values: Iterable[Any], prepare: Callable[[Any], Any]) -> list[bytes | None]:
        """Values of the field at this place, once they are prepared, as they stand in records.

        None stands for what is no value of the field.
        """
        write, pieces = self._forms[place].write, list[bytes | None]()
        for value in values:
            try:
                pieces.append(b"" if value is None else write(prepare(value)))
            except _UNFIT:
                pieces.append(None)
        return pieces

    def heading(self, present: int) -> bytes:
        """What a record begins with that has these fields: the bit of the last field is 1, of the one before it 2."""
        return (present << self._padding).to_bytes(self._bits_octets)

    def decode(self, octets: bytes) -> tuple[Any, ...]:
        """The values of a record. Raises CorruptData for octets that `encode` would not write."""
        at = self._bits_octets
        present = int.from_bytes(octets[:at])
        if len(octets) < at or present & self._padding_mask or len(octets) > MAX_OCTETS:
            raise CorruptData(f"{len(octets)} octets that begin no record of {self.name}", octets)
        values: list[Any] = []
        bit = self._first_bit
        try:
            for form in self._forms:
                value = None
                if present & bit:
                    value, at = form.read(octets, at)
                values.append(value)
                bit >>= 1
        except _UNFIT as wrong:
            what = "too few octets" if isinstance(wrong, IndexError | struct.error) else wrong
            where = f"{self.name}.{self.fields[len(values)].name}, at octet {at} of a record"
            raise CorruptData(f"{where}: {what}", octets) from None
        if at != len(octets):
            raise CorruptData(f"{len(octets) - at} octets behind a record of {self.name}", octets)
        return tuple(values)

    def check(self, records: Iterable[bytes]) -> None:
        """Raises CorruptData for the first of these that is no record of this type."""
        decode = self.decode
        for octets in records:
            decode(octets)

    @cached_property
    def _forms(self) -> tuple[_Form, ...]:
        return tuple((_REPEATED if field.repeated else _ONCE)[field.kind] for field in self.fields)

    @cached_property
    def _bits_octets(self) -> int:
        return -(-len(self.fields) // 8)

    @cached_property
    def _padding(self) -> int:
        return 8 * self._bits_octets - len(self.fields)

    @cached_property
    def _padding_mask(self) -> int:
        return (1 << self._padding) - 1

    @cached_property
    def _first_bit(self) -> int:
        return 1 << 8 * self._bits_octets >> 1


# --- the kinds of fields ---------------------------------------------------------------------------------------------


class _Form(NamedTuple):
    """How the values of one kind are written and read; both raise what is in `_UNFIT`."""

    write: Callable[[Any], bytes]
    read: Callable[[bytes, int], tuple[Any, int]]
    """The value that begins at an octet, and where the next one does."""


def _number(code: str) -> _Form:
    layout = struct.Struct(f">{code}")
    size, unpack = layout.size, layout.unpack_from

    def read(octets: bytes, at: int) -> tuple[int, int]:
        return unpack(octets, at)[0], at + size

    return _Form(layout.pack, read)


@lru_cache(maxsize=1024)
def _row(count: int, code: str) -> struct.Struct:
    return struct.Struct(f">{count}{code}")


def _numbers(code: str) -> _Form:
    def write(values: Any) -> bytes:
        count = _listed(values)
        return _COUNT.pack(count) + _row(count, code).pack(*values)

    def read(octets: bytes, at: int) -> tuple[tuple[int, ...], int]:
        layout = _row(_COUNT.unpack_from(octets, at)[0], code)
        return layout.unpack_from(octets, at + 2), at + 2 + layout.size

    return _Form(write, read)


def _repeated(form: _Form) -> _Form:
    def write(values: Any) -> bytes:
        return _COUNT.pack(_listed(values)) + b"".join(map(form.write, values))

    def read(octets: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        (count,) = _COUNT.unpack_from(octets, at)
        at += 2
        values = []
        for _ in range(count):
            value, at = form.read(octets, at)
            values.append(value)
        return tuple(values), at

    return _Form(write, read)


def _listed(values: Any) -> int:
    """How many there are; text and octets are one value, although they can be iterated."""
    if not isinstance(values, tuple | list):
        raise TypeError(f"{type(values).__name__} where a tuple of values should be")
    if len(values) > MAX_OCTETS:
        raise ValueError(f"{len(values)} values, more than {MAX_OCTETS}")
    return len(values)


def _taken(octets: bytes, at: int, size: int) -> bytes:
    found = octets[at : at + size]
    if len(found) != size:
        raise IndexError
    return found


def _write_bool(value: object) -> bytes:
    if not isinstance(value, bool):
        raise TypeError(f"{type(value).__name__} where a bool should be")
    return b"\1" if value else b"\0"


def _read_bool(octets: bytes, at: int) -> tuple[bool, int]:
    value = octets[at]
    if value > 1:
        raise ValueError(f"{value} is neither 0 nor 1")
    return value == 1, at + 1


def _write_large(value: int) -> bytes:
    return int.to_bytes(value, 12)


def _read_large(octets: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(_taken(octets, at, 12)), at + 12


def _bits(address: bytes) -> int:
    if len(address) not in (4, 16):
        raise ValueError(f"an address of {len(address)} octets")
    return 8 * len(address)


def _write_address(value: bytes) -> bytes:
    return bytes((_bits(value) // 8,)) + value


def _read_address(octets: bytes, at: int) -> tuple[bytes, int]:
    end = at + 1 + octets[at]
    address = _taken(octets, at + 1, octets[at])
    _bits(address)
    return address, end


def _check_prefix(address: bytes, length: int) -> None:
    bits = _bits(address)
    if not 0 <= length <= bits or int.from_bytes(address) & (1 << bits - length) - 1:
        raise ValueError(f"{address.hex()}/{length} is no prefix")


def _write_prefix(value: tuple[bytes, int]) -> bytes:
    address, length = value
    _check_prefix(address, length)
    return bytes((len(address), length)) + address


def _read_prefix(octets: bytes, at: int) -> tuple[tuple[bytes, int], int]:
    size, length = octets[at], octets[at + 1]
    address = _taken(octets, at + 2, size)
    _check_prefix(address, length)
    return (address, length), at + 2 + size


def _write_octets(value: bytes) -> bytes:
    return _COUNT.pack(len(value)) + value


def _read_octets(octets: bytes, at: int) -> tuple[bytes, int]:
    (size,) = _COUNT.unpack_from(octets, at)
    return _taken(octets, at + 2, size), at + 2 + size


def _write_text(value: str) -> bytes:
    return _write_octets(value.encode())


def _read_text(octets: bytes, at: int) -> tuple[str, int]:
    text, end = _read_octets(octets, at)
    return text.decode(), end


def _write_path(value: Path) -> bytes:
    return _write_octets(b"".join(_segment(kind, numbers) for kind, numbers in value))


def _segment(kind: int, numbers: tuple[int, ...]) -> bytes:
    _check_segment(kind, len(numbers))
    return bytes((kind, len(numbers))) + _row(len(numbers), "I").pack(*numbers)


def _check_segment(kind: int, count: int) -> None:
    if not 1 <= kind <= 4 or not count:  # RFC 4271 section 4.3, RFC 5065 section 3
        raise ValueError(f"an AS_PATH segment of type {kind} with {count} numbers")


def _read_path(octets: bytes, at: int) -> tuple[Path, int]:
    path, end = _read_octets(octets, at)
    segments = []
    at = 0
    while at < len(path):
        kind, count = path[at], path[at + 1]
        _check_segment(kind, count)
        segments.append((kind, _row(count, "I").unpack_from(path, at + 2)))
        at += 2 + 4 * count
    return tuple(segments), end


_CODES = {
    FieldType.U8: "B",
    FieldType.U16: "H",
    FieldType.U32: "I",
    FieldType.U64: "Q",
    FieldType.ASN: "I",
    FieldType.TIMESTAMP: "Q",
    FieldType.COMMUNITY: "I",
    FieldType.EXTENDED_COMMUNITY: "Q",
}
_OTHERS = {
    FieldType.BOOL: _Form(_write_bool, _read_bool),
    FieldType.IP_ADDRESS: _Form(_write_address, _read_address),
    FieldType.PREFIX: _Form(_write_prefix, _read_prefix),
    FieldType.LARGE_COMMUNITY: _Form(_write_large, _read_large),
    FieldType.AS_PATH: _Form(_write_path, _read_path),
    FieldType.STRING: _Form(_write_text, _read_text),
    FieldType.OCTETS: _Form(_write_octets, _read_octets),
}
_ONCE = {kind: _number(code) for kind, code in _CODES.items()} | _OTHERS
_REPEATED = {kind: _numbers(code) for kind, code in _CODES.items()} | {
    kind: _repeated(form) for kind, form in _OTHERS.items()
}
