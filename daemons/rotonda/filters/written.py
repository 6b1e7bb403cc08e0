"""Values of the language as others read them: as words, and as what JSON has.

How a value is written depends on its type: a community is a whole number as an AS number is. A `Writer` is made for a
type once and then used for many values. Without a type, a value is written by what it is.

In JSON, whole numbers, fractions and truth are JSON's own, records are objects and lists are arrays; everything else
is a string, as people write it. Times are RFC 3339 in UTC, exact to a microsecond; AS paths are `64496 {64497,64498}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from socket import AF_INET6, inet_ntop
from typing import Any, TypeAlias

import numpy as np

from rotonda.bgp import as_path
from rotonda.bgp.attributes import EXTENDED_COMMUNITIES, decoded
from rotonda.blocks import types
from rotonda.blocks.literals import quoted
from rotonda.blocks.types import ListType, RecordType, Type
from rotonda.blocks.values import Prefix, PrefixMatch, RecordValue, Value

Writer: TypeAlias = Callable[[Any], Any]
"""Gives what JSON has for a value of one type; None is written as null."""

_LAST_MOMENT = 2**63 - 1
_MICROSECONDS = 1_000_000
_KINDS_OF_SEGMENTS = range(1, 5)
_DIGITS = [str(number) for number in range(256)]


def plain(type: Type | None = None) -> Writer:
    """What writes values of this type for JSON.

    >>> plain(types.COMMUNITY)(64496 << 16 | 1), plain(types.TIME)(1_500_000), plain()((1, 2))
    ('64496:1', '1970-01-01T00:00:01.500000Z', [1, 2])
    """
    write = _plain(type)
    return lambda value: None if value is None else write(value)


def plain_fields(type: RecordType) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What writes the fields of a record of this type for JSON, by their names, in their place."""
    known = {field.name for field in type.fields}
    writers = [(field.name, own) for field in type.fields if (own := _plain(field.type)) is not _same]

    def write(fields: dict[str, Any]) -> dict[str, Any]:
        for name, own in writers:
            if (value := fields.get(name)) is not None:
                fields[name] = own(value)
        if not fields.keys() <= known:
            fields |= {name: _untyped(fields[name]) for name in fields.keys() - known}
        return fields

    return write


def words(type: Type | None = None) -> Callable[[Any], str]:
    """What writes values of this type as people write them; nothing for a missing one.

    >>> words(types.ASN)(64496), words(types.ListType(types.ASN))((64496, 64497)), words()(True)
    ('AS64496', '[AS64496, AS64497]', 'true')
    """
    write = _words(type)
    return lambda value: "" if value is None else write(value)


def time_text(microseconds: int) -> str:
    """A moment (RFC 3339), in UTC."""
    seconds, rest = divmod(min(microseconds, _LAST_MOMENT), _MICROSECONDS)
    return f"{_second_text(seconds)}.{rest:06}Z"


@lru_cache(4096)
def _second_text(seconds: int) -> str:
    return str(np.datetime64(seconds, "s"))


def prefix_text(prefix: Prefix) -> str:
    """A prefix; the same as its `str`, in less time."""
    octets = prefix.octets
    if len(octets) == 4:
        first, second, third, fourth = octets
        return f"{_DIGITS[first]}.{_DIGITS[second]}.{_DIGITS[third]}.{_DIGITS[fourth]}/{_DIGITS[prefix.length]}"
    return f"{inet_ntop(AF_INET6, octets)}/{prefix.length}"


@lru_cache(4096)
def path_text(path: as_path.AsPath) -> str:
    """An AS path, confederations in `( )` and `[ ]`."""
    return as_path.text(path)


def community_text(number: int) -> str:
    """A community (RFC 1997)."""
    return f"{number >> 16}:{number & 0xFFFF}"


@lru_cache(4096)
def extended_community_text(number: int) -> str:
    """An extended community (RFC 4360): route targets and origins by name, others as hexadecimal digits."""
    attribute = bytes((0xC0, EXTENDED_COMMUNITIES, 8)) + number.to_bytes(8)
    return decoded(attribute).extended_communities[0]


def prefix_match_text(match: PrefixMatch) -> str:
    """Prefixes of a range, as they can be read again."""
    if match.through is not None:
        return f"{match.prefix} through {match.through}"
    if match.low == match.high == match.prefix.length:
        return f"{match.prefix} exact"
    return f"{match.prefix} prefix-length-range /{match.low}-/{match.high}"


# --- for JSON --------------------------------------------------------------------------------------------------------


def _same(value: Value) -> Value:
    return value


_PLAIN: Mapping[Type, Writer] = {
    types.BOOL: _same, types.FLOAT: _same, types.STRING: _same, types.DURATION: _same,
    **dict.fromkeys(types.WHOLE_NUMBERS, _same),
    types.TIME: time_text, types.COMMUNITY: community_text, types.EXTENDED_COMMUNITY: extended_community_text,
    types.AS_PATH: path_text, types.PREFIX: prefix_text, types.PREFIX_MATCH: prefix_match_text,
}  # fmt: skip


def _plain(type: Type | None) -> Writer:
    if isinstance(type, ListType):
        item = _plain(type.item)
        return lambda items: [item(one) for one in items]
    if isinstance(type, RecordType) and type.fields:
        return _plain_record(type)
    if type is None or isinstance(type, RecordType):
        return _untyped
    return _PLAIN.get(type, str)


def _plain_record(type: RecordType) -> Writer:
    write = plain_fields(type)
    return lambda record: write(dict(record.fields))


def _untyped(value: Value) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case RecordValue(fields=fields):
            return {name: _untyped(own) for name, own in fields}
        case PrefixMatch():
            return prefix_match_text(value)
        case tuple():
            return path_text(value) if _is_path(value) else [_untyped(one) for one in value]
        case _:
            return str(value)


def _is_path(value: tuple[Value, ...]) -> bool:
    return bool(value) and all(
        isinstance(one, tuple) and len(one) == 2 and one[0] in _KINDS_OF_SEGMENTS and isinstance(one[1], tuple)
        for one in value
    )


# --- for people ------------------------------------------------------------------------------------------------------


def _asn(number: int) -> str:
    return f"AS{number}"


def _length(length: int) -> str:
    return f"/{length}"


_WORDS: Mapping[Type, Callable[[Any], str]] = {types.ASN: _asn, types.PREFIX_LENGTH: _length}


def _words(type: Type | None) -> Callable[[Any], str]:
    if isinstance(type, ListType):
        item = _within(type.item)
        return lambda items: f"[{', '.join(map(item, items))}]"
    if isinstance(type, RecordType) and type.fields:
        return _words_of_record(type)
    if type is not None and type in _WORDS:
        return _WORDS[type]
    write = _plain(type)
    return (lambda value: _said(write(value))) if type is None or write in (_same, _untyped) else write


def _words_of_record(type: RecordType) -> Callable[[Any], str]:
    writers = {field.name: _within(field.type) for field in type.fields}
    untyped = _within(None)

    def write(record: RecordValue) -> str:
        return f"{{ {', '.join(f'{name}: {writers.get(name, untyped)(own)}' for name, own in record.fields)} }}"

    return write


def _within(type: Type | None) -> Callable[[Any], str]:
    """Words that stand among others: texts are quoted."""
    write = words(type)
    return lambda value: quoted(value) if isinstance(value, str) else write(value) or "none"


def _said(written: Any) -> str:
    if isinstance(written, str):
        return written
    if isinstance(written, int) and not isinstance(written, bool):
        return str(written)
    return json.dumps(written, ensure_ascii=False)
