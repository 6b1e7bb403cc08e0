"""How a value fits where a value of another type is wanted."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rotonda.blocks import types
from rotonda.blocks.literals import Unreadable, moment, shape
from rotonda.blocks.lower_hints import instead
from rotonda.blocks.places import Span
from rotonda.blocks.syntax import LiteralKind
from rotonda.blocks.typed import Const, Expr, GetField, MakeList, MakeRecord
from rotonda.blocks.types import EnumType, FoundType, ListType, RecordType, ScalarType, Type
from rotonda.blocks.values import Address, Prefix, PrefixMatch, Segment, Value

UNSIGNED = (types.U8, types.U16, types.U32, types.U64)
LITERAL_BITS = {**types.WHOLE_NUMBERS, types.COMMUNITY: 32, types.EXTENDED_COMMUNITY: 64}
"""Types that whole numbers in the text may be of, and how many bits these have."""
LONGEST_PREFIX = 128
_QUOTED = {
    types.ASN: LiteralKind.ASN,
    types.ADDRESS: LiteralKind.ADDRESS,
    types.SOCKET_ADDRESS: LiteralKind.SOCKET_ADDRESS,
    types.PREFIX: LiteralKind.PREFIX,
    types.PREFIX_LENGTH: LiteralKind.PREFIX_LENGTH,
    types.COMMUNITY: LiteralKind.COMMUNITY,
    types.EXTENDED_COMMUNITY: LiteralKind.EXTENDED_COMMUNITY,
    types.LARGE_COMMUNITY: LiteralKind.LARGE_COMMUNITY,
}
"""Types of which there are literals, which some put into quotes."""
_AS_SEQUENCE, _LONGEST_SEGMENT = 2, 255  # RFC 4271 section 4.3


class Misfit(msgspec.Struct, frozen=True):
    """Why a value does not fit."""

    span: Span
    message: str
    expected: str
    hint: str = ""


def described(wanted: Type) -> str:
    """A type in words.

    >>> described(types.ASN)
    'Asn, an AS number, `AS64496`'
    """
    match wanted:
        case ScalarType(name=name, about=about):
            return f"{name}, {about}" if about else name
        case EnumType(name=name, constants=constants):
            return f"{name}: {listed(constants, 'or')}"
        case ListType(item=item):
            return f"a list of {described(item)}"
        case _:
            return str(wanted)


def listed(names: Iterable[str], word: str = "and") -> str:
    """Names in a row.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def same(one: Type, other: Type) -> bool:
    """Whether values of the types are the same thing."""
    if isinstance(one, RecordType) and isinstance(other, RecordType):
        alike = one.name == other.name or {one.name, other.name} == {"RawBgpMessage", "BgpUpdateMessage"}
        return alike and one.fields == other.fields
    return one == other


def fitted(value: Expr, wanted: Type) -> Expr | Misfit:
    """The value as one of the type that is wanted."""
    if same(value.type, wanted):
        return value
    if isinstance(value, Const):
        return _constant(value, wanted)
    if isinstance(value, MakeList) and isinstance(wanted, ListType):
        return _list(value, wanted)
    if isinstance(wanted, RecordType) and isinstance(value.type, RecordType):
        return _record(value, value.type, wanted)
    return value if _is_wider(value.type, wanted) else misfit(value, wanted)


def misfit(value: Expr, wanted: Type) -> Misfit:
    """That the value is of another type, with what may help."""
    return Misfit(value.span, f"this is {_article(value.type)}", described(wanted), _hint(value, wanted))


def literal_type(number: int) -> ScalarType | None:
    """The smallest type that has this whole number."""
    return next((wide for wide in UNSIGNED if number < 1 << types.WHOLE_NUMBERS[wide]), None)


def _constant(value: Const, wanted: Type) -> Expr | Misfit:
    held = value.value
    if value.type in UNSIGNED and isinstance(held, int) and isinstance(wanted, ScalarType):
        if wanted == types.FLOAT:
            return retyped(value, wanted, float(held))
        if wanted in LITERAL_BITS:
            most = LONGEST_PREFIX if wanted == types.PREFIX_LENGTH else (1 << LITERAL_BITS[wanted]) - 1
            expected = f"{wanted}, 0 to {most}"
            return retyped(value, wanted) if held <= most else Misfit(value.span, f"{held} is out of range", expected)
    if wanted == types.TIME and isinstance(held, str):
        return _moment(value, held)
    if wanted == types.PREFIX_MATCH and isinstance(held, Prefix):
        return retyped(value, wanted, PrefixMatch(held, held.length, held.bits))
    if isinstance(held, tuple) and isinstance(value.type, ListType):
        if wanted == types.AS_PATH:
            return _path(value, value.type.item, held)
        if isinstance(wanted, ListType):
            return _constant_list(value, value.type.item, held, wanted)
    return misfit(value, wanted)


def _moment(value: Const, held: str) -> Const | Misfit:
    """A text as the moment that it says."""
    try:
        return retyped(value, types.TIME, moment(held))
    except Unreadable as wrong:
        return Misfit(value.span, wrong.message, wrong.expected)


def _path(value: Const, item: Type, held: tuple[Value, ...]) -> Expr | Misfit:
    """Numbers in a row are a path of one sequence, in as many segments as it takes."""
    numbers = _constant_list(value, item, held, ListType(types.ASN))
    if isinstance(numbers, Misfit):
        return numbers
    found: tuple[int, ...] = numbers.value  # type: ignore[assignment]
    starts = range(0, len(found), _LONGEST_SEGMENT)
    path: tuple[Segment, ...] = tuple((_AS_SEQUENCE, found[start : start + _LONGEST_SEGMENT]) for start in starts)
    return retyped(value, types.AS_PATH, path)


def _constant_list(value: Const, item: Type, held: tuple[Value, ...], wanted: ListType) -> Const | Misfit:
    items = [fitted(Const(span=value.span, type=item, value=one), wanted.item) for one in held]
    wrong = next((one for one in items if isinstance(one, Misfit)), None)
    return wrong or retyped(value, wanted, tuple(one.value for one in items if isinstance(one, Const)))


def _list(value: MakeList, wanted: ListType) -> Expr | Misfit:
    items = [fitted(item, wanted.item) for item in value.items]
    wrong = next((item for item in items if isinstance(item, Misfit)), None)
    right = tuple(item for item in items if not isinstance(item, Misfit))
    return wrong or MakeList(span=value.span, type=wanted, items=right)


def _record(value: Expr, given: RecordType, wanted: RecordType) -> Expr | Misfit:
    """A record of another type with the same fields: each field by its name."""
    unknown = next((field.name for field in given.fields if wanted.field(field.name) is None), None)
    if unknown is not None:
        return Misfit(value.span, f"{wanted} has no field {unknown}", f"a record of {wanted}")
    made: list[tuple[str, Expr | None]] = []
    for field in wanted.fields:
        own = given.field(field.name)
        if own is None and not field.optional:
            return Misfit(value.span, f"{given} has no field {field.name}", f"{wanted}, which has one")
        if own is None:
            made.append((field.name, None))
            continue
        taken = GetField(span=value.span, type=own.type, subject=value, field=own.name, optional=own.optional)
        fits = fitted(taken, field.type)
        if isinstance(fits, Misfit):
            return fits
        made.append((field.name, fits))
    return MakeRecord(span=value.span, type=wanted, fields=tuple(made))


def retyped(value: Const, wanted: Type, held: Value = None) -> Const:
    """The same constant as one of another type; with another value, if it is given."""
    return Const(span=value.span, type=wanted, value=value.value if held is None else held)


def _is_wider(given: Type, wanted: Type) -> bool:
    if given not in UNSIGNED or not isinstance(given, ScalarType) or not isinstance(wanted, ScalarType):
        return False
    return wanted in (*UNSIGNED, types.ASN) and types.WHOLE_NUMBERS[given] <= types.WHOLE_NUMBERS[wanted]


def _article(given: Type) -> str:
    if isinstance(given, ScalarType):
        return f"of type {given}" if given != types.BOOL else "true or false"
    return f"of type {given}" if isinstance(given, EnumType | ListType) else str(given)


def _is_literal(words: str, wanted: ScalarType) -> bool:
    found = shape(words)
    return found is not None and found.kind is _QUOTED.get(wanted)


def _hint(value: Expr, wanted: Type) -> str:
    held = value.value if isinstance(value, Const) else None
    usual = instead(value.type, held, wanted)
    if usual:
        return usual
    if isinstance(held, str) and isinstance(wanted, ScalarType) and _is_literal(held, wanted):
        return f"write {held} without quotes"
    match wanted:
        case EnumType(constants=constants) if isinstance(held, str):
            known = next((name for name in constants if name == held.upper().replace("-", "_")), None)
            return f"write {known} without quotes" if known else "constants are written without quotes"
        case types.PREFIX if isinstance(held, Address):
            return f"write {held}/{8 * len(held.octets)}"
        case types.BOOL if isinstance(value.type, FoundType):
            return "ask .matches() of it"
        case types.DURATION if value.type in UNSIGNED:
            return f"write it as {', '.join(types.SECONDS)}(...)"
        case ScalarType() if wanted in UNSIGNED and value.type == types.ASN and isinstance(held, int):
            return f"write {held}"
        case types.STRING:
            return "ask .to_string() of it"
        case _:
            return ""
