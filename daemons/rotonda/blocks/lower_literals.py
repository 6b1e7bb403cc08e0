"""What stands in the text and is known when the file is checked: literals, ranges of prefixes, durations, constants."""

from __future__ import annotations

from rotonda.blocks import types, values
from rotonda.blocks.diagnostics import Complaints, suggestion
from rotonda.blocks.lower_fitting import described, listed, literal_type
from rotonda.blocks.places import Span
from rotonda.blocks.syntax import Construct, Literal, LiteralKind, Name, PrefixRange, RangeKind
from rotonda.blocks.typed import Const
from rotonda.blocks.types import ENUMERATIONS, WELL_KNOWN_COMMUNITIES, EnumType, ScalarType, Type
from rotonda.blocks.values import Address, Prefix, PrefixMatch

_TYPES = {
    LiteralKind.STRING: types.STRING,
    LiteralKind.BOOL: types.BOOL,
    LiteralKind.FLOAT: types.FLOAT,
    LiteralKind.ASN: types.ASN,
    LiteralKind.ADDRESS: types.ADDRESS,
    LiteralKind.SOCKET_ADDRESS: types.SOCKET_ADDRESS,
    LiteralKind.PREFIX: types.PREFIX,
    LiteralKind.PREFIX_LENGTH: types.PREFIX_LENGTH,
    LiteralKind.COMMUNITY: types.COMMUNITY,
    LiteralKind.EXTENDED_COMMUNITY: types.EXTENDED_COMMUNITY,
    LiteralKind.LARGE_COMMUNITY: types.LARGE_COMMUNITY,
}
_LONGEST_DURATION = 1 << 40  # seconds, far longer than anything lasts


def literal(node: Literal, complaints: Complaints) -> Const | None:
    """A literal with its type; a whole number has the smallest type that it fits."""
    found = _TYPES.get(node.kind)
    if node.kind is LiteralKind.INTEGER and isinstance(node.value, int):
        found = literal_type(node.value)
        if found is None:
            complaints.error(node.span, f"{node.text[:40]} is out of range", described(types.U64))
    return None if found is None else Const(span=node.span, type=found, value=node.value)


def prefix_range(node: PrefixRange, complaints: Complaints) -> Const | None:
    """`192.0.2.0/24 upto /28` as the lengths that it means."""
    prefix = node.prefix.value
    if not isinstance(prefix, Prefix):
        return None
    found = _range(node, prefix)
    if isinstance(found, str):
        complaints.error(node.span, found, f"lengths from /{prefix.length} to /{prefix.bits}, the shorter one first")
        return None
    return Const(span=node.span, type=types.PREFIX_MATCH, value=found)


def _range(node: PrefixRange, prefix: Prefix) -> PrefixMatch | str:
    end = node.through.value if node.through is not None else None
    named = end.length if isinstance(end, Prefix) else node.high if node.high is not None else node.low
    lengths = _lengths(node, prefix, named)
    if isinstance(lengths, str):
        return lengths
    low, high = lengths
    if not prefix.length <= low <= high <= prefix.bits:
        return f"no prefix within {prefix} has lengths from /{low} to /{high}"
    if node.kind is not RangeKind.THROUGH:
        return PrefixMatch(prefix, low, high)
    through = end if isinstance(end, Prefix) else Prefix(prefix.octets, high)
    return PrefixMatch(prefix, low, high, through) if prefix.covers(through) else f"{through} is not within {prefix}"


def _lengths(node: PrefixRange, prefix: Prefix, named: int | None) -> tuple[int, int] | str:
    own, most = prefix.length, prefix.bits
    if node.kind in _WITHOUT_LENGTH and named is not None:
        return f"{node.kind.value} has no length behind it"
    match node.kind:
        case RangeKind.EXACT:
            return own, own
        case RangeKind.OR_LONGER:
            return own, most
        case RangeKind.LONGER:
            return own + 1, most
        case RangeKind.LENGTHS:
            return own if node.low is None else node.low, most if named is None else named
        case RangeKind.NETMASK:
            length = _mask_length(node.netmask, prefix)
            return "this is no netmask of its family" if length is None else (length, length)
        case _:
            return own, most if named is None else named


_WITHOUT_LENGTH = (RangeKind.EXACT, RangeKind.OR_LONGER, RangeKind.LONGER)


def _mask_length(mask: Literal | None, prefix: Prefix) -> int | None:
    """How many bits a netmask has; None if they are not all in front, or it is one for another family."""
    if mask is None or not isinstance(mask.value, Address) or len(mask.value.octets) != len(prefix.octets):
        return None
    bits = int.from_bytes(mask.value.octets)
    length = bits.bit_count()
    return length if bits == ((1 << length) - 1) << (prefix.bits - length) else None


def duration(node: Construct, complaints: Complaints) -> Const | None:
    """`HOURS(1)` in seconds."""
    seconds = types.SECONDS.get(node.name.text)
    if seconds is None:
        hint = suggestion(node.name.text, types.SECONDS)
        expected = f"a duration: {listed((f'{word}(n)' for word in types.SECONDS), 'or')}"
        complaints.error(node.name.span, f"{node.name.text}(...) is no value", expected, hint)
        return None
    count = node.arguments[0] if len(node.arguments) == 1 else None
    if not isinstance(count, Literal) or count.kind is not LiteralKind.INTEGER or not isinstance(count.value, int):
        complaints.error(node.span, f"{node.name.text} takes one whole number", f"{node.name.text}(1)")
        return None
    if count.value * seconds > _LONGEST_DURATION:
        complaints.error(count.span, f"{count.text[:40]} is out of range", "a duration that somebody may live through")
        return None
    return Const(span=node.span, type=types.DURATION, value=count.value * seconds)


def constant(name: Name, wanted: Type | None, complaints: Complaints) -> Const | None:
    """A constant of the enumeration that is wanted; if none is, of the only one that has it; or a community."""
    if isinstance(wanted, EnumType):
        return enumerated(wanted, name, name.span, complaints)
    if name.text in WELL_KNOWN_COMMUNITIES:
        return community(name, name.span, complaints)
    having = [one for one in ENUMERATIONS if name.text in one.constants]
    if len(having) == 1:
        return enumerated(having[0], name, name.span, complaints)
    if having:
        hint = f"write {listed((f'{one}::{name.text}' for one in having), 'or')}"
        complaints.error(name.span, f"{name.text} is a constant of {listed(map(str, having))}", hint=hint)
    elif name.text in types.BUILT_IN:
        complaints.error(name.span, f"{name.text} is a type, and a value is needed here")
    else:
        known = [*WELL_KNOWN_COMMUNITIES, *(known for one in ENUMERATIONS for known in one.constants)]
        expected = described(wanted) if isinstance(wanted, ScalarType) else ""
        complaints.error(name.span, f"there is no constant {name.text}", expected, suggestion(name.text, known))
    return None


def community(name: Name, span: Span, complaints: Complaints) -> Const | None:
    """A community that has a name."""
    number = WELL_KNOWN_COMMUNITIES.get(name.text)
    if number is None:
        expected = listed(WELL_KNOWN_COMMUNITIES, "or")
        hint = suggestion(name.text.upper(), WELL_KNOWN_COMMUNITIES)
        complaints.error(name.span, f"there is no community {name.text}", expected, hint)
        return None
    return Const(span=span, type=types.COMMUNITY, value=number)


def enumerated(enumeration: EnumType, name: Name, span: Span, complaints: Complaints) -> Const | None:
    """A constant of this enumeration."""
    if name.text not in enumeration.constants:
        hint = suggestion(name.text.upper(), enumeration.constants)
        complaints.error(name.span, f"{enumeration} has no {name.text}", described(enumeration), hint)
        return None
    return Const(span=span, type=enumeration, value=values.Constant(enumeration.name, name.text))
