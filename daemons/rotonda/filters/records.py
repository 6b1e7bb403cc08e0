"""Records of types that a file declares, as Rotoro carries and tables keep them.

The field called `prefix` of type Prefix is the key of a row, and not carried again. What Rotoro has no type for is
carried as another: lengths of prefixes as U8, durations as U64, constants as the U8 of their place in the enumeration,
fractions as the 8 octets of IEEE 754, ports behind their addresses as text, ranges of prefixes as octets.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from rotonda.blocks import types
from rotonda.blocks.types import EnumType, FieldOf, ListType, RecordType, Type
from rotonda.blocks.values import Address, Constant, LargeCommunity, Prefix, PrefixMatch, RecordValue, SocketAddress
from rotoro.wire import typed
from rotoro.wire.rotoro import FieldType

KEY_FIELD = "prefix"
"""The field that is filled from the key of a row, if it is a prefix."""

_FLOAT = struct.Struct(">d")
_LARGE = struct.Struct(">III")


class _Carried(NamedTuple):
    """How values of one type are carried."""

    kind: FieldType
    to_wire: Callable[[Any], Any]
    from_wire: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _as_they_are(kinds: Mapping[Type, FieldType]) -> dict[Type, _Carried]:
    return {own: _Carried(kind, _same, _same) for own, kind in kinds.items()}


def _prefix_to_wire(value: Prefix) -> tuple[bytes, int]:
    return value.octets, value.length


def _prefix_from_wire(value: tuple[bytes, int]) -> Prefix:
    return Prefix(*value)


def _large_to_wire(value: LargeCommunity) -> int:
    return value.administrator << 64 | value.first << 32 | value.second


def _large_from_wire(value: int) -> LargeCommunity:
    return LargeCommunity(*_LARGE.unpack(value.to_bytes(12)))


def _socket_from_wire(words: str) -> SocketAddress:
    address, _, port = words.rpartition(":")
    return SocketAddress(Address.parse(address.strip("[]")), int(port))


def _match_to_wire(value: PrefixMatch) -> bytes:
    ends = [value.prefix] if value.through is None else [value.prefix, value.through]
    return bytes((value.low, value.high)) + b"".join(bytes((one.length,)) + one.octets for one in ends)


def _match_from_wire(octets: bytes) -> PrefixMatch:
    behind = octets[2:]
    width = len(behind) if len(behind) in (5, 17) else len(behind) // 2
    ends = [Prefix(behind[at + 1 : at + width], behind[at]) for at in range(0, len(behind), width)]
    return PrefixMatch(ends[0], octets[0], octets[1], ends[1] if len(ends) > 1 else None)


_CARRIED: Mapping[Type, _Carried] = {
    **_as_they_are(
        {
            types.BOOL: FieldType.BOOL,
            types.U8: FieldType.U8,
            types.U16: FieldType.U16,
            types.U32: FieldType.U32,
            types.U64: FieldType.U64,
            types.ASN: FieldType.ASN,
            types.STRING: FieldType.STRING,
            types.PREFIX_LENGTH: FieldType.U8,
            types.AS_PATH: FieldType.AS_PATH,
            types.COMMUNITY: FieldType.COMMUNITY,
            types.EXTENDED_COMMUNITY: FieldType.EXTENDED_COMMUNITY,
            types.TIME: FieldType.TIMESTAMP,
            types.DURATION: FieldType.U64,
        }
    ),
    types.FLOAT: _Carried(FieldType.OCTETS, _FLOAT.pack, lambda octets: _FLOAT.unpack(octets)[0]),
    types.ADDRESS: _Carried(FieldType.IP_ADDRESS, lambda value: value.octets, Address),
    types.PREFIX: _Carried(FieldType.PREFIX, _prefix_to_wire, _prefix_from_wire),
    types.LARGE_COMMUNITY: _Carried(FieldType.LARGE_COMMUNITY, _large_to_wire, _large_from_wire),
    types.SOCKET_ADDRESS: _Carried(FieldType.STRING, str, _socket_from_wire),
    types.PREFIX_MATCH: _Carried(FieldType.OCTETS, _match_to_wire, _match_from_wire),
}


def carried_fields(record: RecordType) -> tuple[FieldOf, ...]:
    """The fields that are carried: all but that of the key."""
    return tuple(field for field in record.fields if not is_key(field))


def is_key(field: FieldOf) -> bool:
    """Whether the field is filled from the key of a row."""
    return field.name == KEY_FIELD and field.type == types.PREFIX


@lru_cache(256)
def wire_type(record: RecordType) -> typed.RecordType:
    """The type as Rotoro defines it to a peer. Raises ValueError for fields that cannot be carried: records, lists of
    lists."""
    fields = []
    for field in carried_fields(record):
        try:
            kind = _carried(field.type).kind
        except KeyError:
            raise ValueError(f"{record}.{field.name}: {field.type} is not carried in records") from None
        fields.append(typed.Field(field.name, kind, isinstance(field.type, ListType)))
    return typed.RecordType(record.name, tuple(fields))


def to_wire(record: RecordType, value: RecordValue) -> tuple[Any, ...]:
    """The values of a record as its `wire_type` encodes them."""
    held = dict(value.fields)
    return tuple(
        None if held.get(name) is None else write(held[name])
        for name, write in ((field.name, _form(field.type)[0]) for field in carried_fields(record))
    )


def to_wire_of(type: Type) -> Callable[[Any], Any]:
    """What writes the values of a type that is carried."""
    return _form(type)[0]


def from_wire(record: RecordType, values: tuple[Any, ...], prefix: Prefix | None = None) -> RecordValue:
    """The record with these values, as its `wire_type` decodes them, in a row of this prefix.

    Raises ValueError, KeyError or struct.error for what `to_wire` does not give.
    """
    carried = iter(values)
    return RecordValue(
        record.name,
        tuple(
            (field.name, prefix if is_key(field) else _read(_form(field.type)[1], next(carried)))
            for field in record.fields
        ),
    )


def _read(read: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else read(value)


def _carried(type: Type) -> _Carried:
    """How a type, or each item of a list, is carried; raises KeyError if it is not."""
    item = type.item if isinstance(type, ListType) else type
    return _enumerated(item) if isinstance(item, EnumType) else _CARRIED[item]


@lru_cache(256)
def _form(type: Type) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """What writes and what reads the values of a type."""
    _, to_wire, from_wire = _carried(type)
    if not isinstance(type, ListType) or to_wire is _same:
        return to_wire, from_wire
    return lambda values: tuple(map(to_wire, values)), lambda values: tuple(map(from_wire, values))


def _enumerated(type: EnumType) -> _Carried:
    constants = tuple(Constant(type.name, name) for name in type.constants)

    def from_wire(number: int) -> Constant:
        if number >= len(constants):
            raise ValueError(f"{type.name} has no constant of number {number}")
        return constants[number]

    return _Carried(FieldType.U8, lambda value: type.constants.index(value.name), from_wire)
