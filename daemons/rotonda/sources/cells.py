"""The cells of tables as values of the language, each by the type of its field.

A cell is a text out of CSV, or what JSON has. Texts are read as people write values, and as `rotonda.filters.written`
does: AS numbers with and without `AS`, lengths with and without `/`, moments by RFC 3339, items of lists between
blanks or semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, NoReturn, TypeAlias

import numpy as np

from rotonda.bgp.as_path import AS_CONFED_SEQUENCE, AS_CONFED_SET, AS_SEQUENCE, AS_SET
from rotonda.blocks import types
from rotonda.blocks.characters import cut
from rotonda.blocks.literals import Unreadable, shape
from rotonda.blocks.syntax import LiteralKind
from rotonda.blocks.types import EnumType, FieldOf, ListType, RecordType, ScalarType, Type
from rotonda.blocks.values import Address, Constant, Prefix, RecordValue, Value

LONGEST_TEXT = 65_536
"""Characters of a cell."""

MOST_ITEMS = 16_384
"""Of one list."""

_KEPT = 1 << 16
_LONGEST_KEPT = 64
_MICROSECONDS = 1_000_000
_LAST_SECOND = 253_402_300_799  # of the year 9999

Reader: TypeAlias = Callable[[Any], Value]
"""Gives the value of a cell. Raises ValueError, which says what is wrong with it."""


class NoSuchCells(ValueError):
    """A type that no cell of a table can have."""


def reader(type: Type) -> Reader:
    """What reads cells of this type. Raises NoSuchCells.

    >>> reader(types.ASN)("AS64496"), str(reader(types.PREFIX)("192.0.2.0/24"))
    (64496, '192.0.2.0/24')
    """
    match type:
        case ListType():
            return _list_reader(type)
        case EnumType():
            return _enum_reader(type)
        case RecordType():
            return _record_reader(type)
        case ScalarType() if type in types.WHOLE_NUMBERS:
            return _number_reader(type)
        case ScalarType() if type in _SCALARS:
            return _remembering(_SCALARS[type]) if type in _REPEATED else _SCALARS[type]
        case _:
            raise NoSuchCells(f"no table has values of type {type}")


def field_reader(field: FieldOf) -> Reader:
    """The same for a field, which may be missing where it is optional."""
    read = reader(field.type)
    empty_is_missing = field.type != types.STRING

    def optional(cell: Any) -> Value:
        return None if cell is None or (cell == "" and empty_is_missing) else read(cell)

    return optional if field.optional else read


def _remembering(read: Reader) -> Reader:
    """The same reader for values that come again and again: it remembers some."""
    known: dict[str, Value] = {}

    def remembered(cell: Any) -> Value:
        if not isinstance(cell, str) or len(cell) > _LONGEST_KEPT:
            return read(cell)
        value = known.get(cell)
        if value is None:
            value = read(cell)
            if len(known) < _KEPT:
                known[cell] = value
        return value

    return remembered


def _shown(cell: object) -> str:
    if cell is None or cell == "":
        return "nothing"
    return cut(cell) if isinstance(cell, str) else cut(repr(cell)) if isinstance(cell, int | float) else "no scalar"


def _refuse(cell: object, what: str) -> NoReturn:
    raise ValueError(f"{_shown(cell)} is not {what}")


def _text(cell: Any, what: str) -> str:
    """A text of bounded length, without the blanks around it."""
    if not isinstance(cell, str):
        _refuse(cell, what)
    if len(cell) > LONGEST_TEXT:
        raise ValueError(f"{len(cell):,} characters; {LONGEST_TEXT:,} are allowed")
    return cell.strip()


# --- scalars ---------------------------------------------------------------------------------------------------------

_WHOLE = re.compile(r"[0-9]{1,20}", re.ASCII)
_ASDOT = re.compile(r"(?:[aA][sS])?([0-9]{1,5})\.([0-9]{1,5})", re.ASCII)  # RFC 5396


def _number_reader(type: ScalarType) -> Reader:
    bits = types.WHOLE_NUMBERS[type]
    largest = 128 if type == types.PREFIX_LENGTH else (1 << bits) - 1
    before = {types.ASN: "AS", types.PREFIX_LENGTH: "/"}.get(type, "")

    def read(cell: Any) -> int:
        if isinstance(cell, str):
            number = _asdot(cell) if type == types.ASN and "." in cell else None
            if number is None:
                number = _whole(cell, before, type)
        elif isinstance(cell, int) and not isinstance(cell, bool):
            number = cell
        else:
            _refuse(cell, _called(type))
        if not 0 <= number <= largest:
            raise ValueError(f"{cut(str(number))} is not between 0 and {largest}")
        return number

    return read


def _called(type: Type) -> str:
    return {types.ASN: "an AS number", types.PREFIX_LENGTH: "a length of prefixes"}.get(type, "a whole number")  # type: ignore[arg-type]


def _whole(cell: str, before: str, type: Type) -> int:
    words = cell.strip()
    if before and words[: len(before)].upper() == before:
        words = words[len(before) :]
    if not _WHOLE.fullmatch(words):
        _refuse(cell, _called(type))
    return int(words)


def _asdot(cell: str) -> int | None:
    found = _ASDOT.fullmatch(cell.strip())
    if found is None or max(int(found[1]), int(found[2])) > 0xFFFF:
        return None
    return int(found[1]) << 16 | int(found[2])


_TRUTH = {"true": True, "false": False}


def _bool(cell: Any) -> bool:
    known = cell if isinstance(cell, bool) else _TRUTH.get(cell.strip().lower()) if isinstance(cell, str) else None
    if known is None:
        raise ValueError(f"{_shown(cell)} is neither true nor false")
    return known


def _float(cell: Any) -> float:
    try:
        number = float(cell[:64] if isinstance(cell, str) else cell)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if isinstance(cell, bool) or not abs(number) < float("inf"):
        raise ValueError(f"{_shown(cell)} is not a number")
    return number


def _string(cell: Any) -> str:
    _text(cell, "a text")
    if "\0" in cell:
        raise ValueError("no text may have the character U+0000")
    return str(cell)


def _address(cell: Any) -> Address:
    try:
        return Address.parse(_text(cell, "an IP address"))
    except ValueError:
        raise ValueError(f"{_shown(cell)} is not an IP address") from None


_LENGTHS = {str(length): length for length in range(129)}
_HOSTS = [(1 << bits) - 1 for bits in range(129)]


def _prefix(cell: Any) -> Prefix:
    """A prefix; those that are as they should be, which are nearly all of a million, in little time."""
    words = _text(cell, "a prefix")
    address, _, length = words.partition("/")
    try:
        octets, known = inet_pton(AF_INET6 if ":" in address else AF_INET, address), _LENGTHS[length]
    except (OSError, ValueError, KeyError):
        return _prefix_of(words)
    hosts = 8 * len(octets) - known
    return _prefix_of(words) if hosts < 0 or int.from_bytes(octets) & _HOSTS[hosts] else Prefix(octets, known)


def _prefix_of(words: str) -> Prefix:
    try:
        return Prefix.parse(words)
    except ValueError:
        raise ValueError(_why_no_prefix(words)) from None


def _why_no_prefix(words: str) -> str:
    address, slash, length = words.partition("/")
    try:
        octets = Address.parse(address).octets
    except ValueError:
        return f"{_shown(words)} is not a prefix"
    if not slash:
        return f"{_shown(words)} is an address, not a prefix"
    if not _WHOLE.fullmatch(length) or int(length) > 8 * len(octets):
        return f"{_shown(words)} has no length of 0 to {8 * len(octets)}"
    return (
        f"{_shown(words)} has bits set behind its length; did you mean {Prefix(octets, int(length)).cut(int(length))}?"
    )


def _literal(kind: LiteralKind, what: str) -> Reader:
    """Reads what the language has a literal for."""

    def read(cell: Any) -> Value:
        words = _text(cell, what)
        found = shape(words)
        if found is None or found.kind is not kind:
            raise ValueError(f"{_shown(cell)} is not {what}")
        try:
            return found.read(words)
        except Unreadable as wrong:
            raise ValueError(wrong.message) from None

    return read


_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,6})[0-9]{0,12})?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))",
    re.ASCII,
)


def _time(cell: Any) -> int:
    """RFC 3339, or seconds since 1970."""
    if not isinstance(cell, str) or _WHOLE.fullmatch(cell.strip()):
        seconds = _float(cell)
        if not 0 <= seconds <= _LAST_SECOND:
            raise ValueError(f"{_shown(cell)} is no moment: seconds since 1970")
        return round(seconds * _MICROSECONDS)
    found = _MOMENT.fullmatch(_text(cell, "a moment"))
    if found is None:
        _refuse(cell, "a moment, as 2026-01-31T12:00:00Z")
    try:
        whole = int(np.datetime64(f"{found[1]}T{found[2]}", "s").astype(np.int64))
    except ValueError:
        raise ValueError(f"{_shown(cell)} is not a moment that there is") from None
    offset = (int(found[5]) * 3600 + int(found[6]) * 60) * (-1 if found[4] == "-" else 1) if found[4] else 0
    moment = (whole - offset) * _MICROSECONDS + int((found[3] or "0").ljust(6, "0"))
    if moment < 0:
        raise ValueError(f"{_shown(cell)} is before 1970")
    return moment


def _duration(cell: Any) -> float:
    seconds = _float(cell)
    if seconds < 0:
        raise ValueError(f"{_shown(cell)} is not a duration in seconds")
    return seconds


_SEGMENT = re.compile(r"\s*(?:\{([^{}]*)\}|\(([^()]*)\)|\[([^][]*)\]|([^][(){}]+))\s*", re.ASCII)
_SEGMENT_KINDS = {1: AS_SET, 2: AS_CONFED_SEQUENCE, 3: AS_CONFED_SET, 4: AS_SEQUENCE}


def _as_path(cell: Any) -> Value:
    """As operators write paths, `64496 {64497,64498}`, or a list of numbers."""
    if isinstance(cell, list):
        numbers = tuple(map(_asn, _few(cell)))
        return ((AS_SEQUENCE, numbers),) if numbers else ()
    words = _text(cell, "an AS path")
    segments, at = [], 0
    while at < len(words):
        found = _SEGMENT.match(words, at)
        numbers = tuple(map(_asn, _few(found[found.lastindex or 0].replace(",", " ").split()))) if found else ()
        if found is None or not numbers:
            raise ValueError(f"{_shown(cell)} is not an AS path")
        segments.append((_SEGMENT_KINDS[found.lastindex or 0], numbers))
        at = found.end()
    return tuple(segments)


def _few(items: list[Any]) -> list[Any]:
    if len(items) > MOST_ITEMS:
        raise ValueError(f"{len(items):,} items; {MOST_ITEMS:,} are allowed")
    return items


_asn = _number_reader(types.ASN)
_SCALARS: Mapping[ScalarType, Reader] = {
    types.BOOL: _bool, types.FLOAT: _float, types.STRING: _string, types.ADDRESS: _address, types.PREFIX: _prefix,
    types.TIME: _time, types.DURATION: _duration, types.AS_PATH: _as_path,
    types.SOCKET_ADDRESS: _literal(LiteralKind.SOCKET_ADDRESS, "an address and a port"),
    types.COMMUNITY: _literal(LiteralKind.COMMUNITY, "a community"),
    types.EXTENDED_COMMUNITY: _literal(LiteralKind.EXTENDED_COMMUNITY, "an extended community"),
    types.LARGE_COMMUNITY: _literal(LiteralKind.LARGE_COMMUNITY, "a large community"),
}  # fmt: skip
_REPEATED = {types.STRING, types.ADDRESS, types.AS_PATH, types.COMMUNITY, types.EXTENDED_COMMUNITY,
             types.LARGE_COMMUNITY, types.TIME}  # fmt: skip
"""Types whose values are equal in many records of a table."""


# --- what has parts --------------------------------------------------------------------------------------------------


def _enum_reader(type: EnumType) -> Reader:
    constants = {name: Constant(type.name, name) for name in type.constants}

    def read(cell: Any) -> Constant:
        found = constants.get(cell.strip().upper().replace("-", "_")) if isinstance(cell, str) else None
        if found is None:
            raise ValueError(f"{_shown(cell)} is none of {', '.join(type.constants)}")
        return found

    return read


_BETWEEN_TEXTS, _BETWEEN = re.compile(r"\s*;\s*"), re.compile(r"[;\s]+")


def _list_reader(type: ListType) -> Reader:
    item = reader(type.item)
    between = _BETWEEN_TEXTS if type.item == types.STRING else _BETWEEN

    def read(cell: Any) -> Value:
        if isinstance(cell, str):
            words = _text(cell, "a list")
            cell = between.split(words) if words else []
        if not isinstance(cell, list):
            _refuse(cell, "a list")
        return tuple(map(item, _few(cell)))

    return read


def _record_reader(type: RecordType) -> Reader:
    readers = {field.name: field_reader(field) for field in type.fields}

    def read(cell: Any) -> RecordValue:
        if not isinstance(cell, dict):
            _refuse(cell, "a record")
        given = {name.replace("-", "_"): own for name, own in cell.items()}
        try:
            return RecordValue(type.name, tuple((name, read(given.get(name))) for name, read in readers.items()))
        except ValueError as wrong:
            raise ValueError(f"a record in it: {wrong}") from None

    return read
