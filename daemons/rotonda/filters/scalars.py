"""What the methods and functions of the language do to single values.

The tables are complete: `rotonda.blocks.types` declares what there is, and here is what each of it does. A function
gets values that are there; it gives None for what is missing. Where a declaration says `ANY`, it gets the text of the
value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rotonda.bgp import as_path
from rotonda.bgp.as_path import AS_SEQUENCE, AS_SET, AsPath
from rotonda.blocks import types
from rotonda.blocks.types import ENUMERATIONS, Type
from rotonda.blocks.values import Constant, Prefix, PrefixMatch, Value
from rotonda.filters.edits import SetPath
from rotonda.filters.written import words

Function = Callable[..., Any]


def text(of: Type, value: Any) -> str:
    """A value as people write it."""
    return words(of)(value)


def path_numbers(path: AsPath) -> tuple[int, ...]:
    """All AS numbers of a path, the neighbour's first, also those in sets and of confederations."""
    return tuple(number for _, numbers in path for number in numbers)


def rank(constant: Constant) -> int:
    """Where a constant stands among those of its enumeration."""
    return _RANKS[constant]


_RANKS = {
    Constant(enumeration.name, name): place
    for enumeration in ENUMERATIONS
    for place, name in enumerate(enumeration.constants)
}


def made_prefix(address: Any, length: int) -> Prefix | None:
    """The prefix of that length that has the address; missing if its family has no such length."""
    whole = Prefix(address.octets, 8 * len(address.octets))
    return whole.cut(length) if length <= whole.length else None


def has_address(prefix: Prefix, address: Any) -> bool:
    """Whether the address is one of those of the prefix."""
    return prefix.covers(Prefix(address.octets, 8 * len(address.octets)))


def formatted(template: str, *texts: str) -> str:
    """The text with each `{}` replaced by the next of these; those for which there is none stay."""
    pieces = template.split("{}")
    given = [*texts[: len(pieces) - 1], *["{}"] * (len(pieces) - 1 - len(texts))]
    return "".join(piece + more for piece, more in zip(pieces, [*given, ""], strict=True))


def starts_with(path: AsPath, wanted: tuple[int, ...]) -> bool:
    """Whether a path begins with these numbers."""
    return path_numbers(path)[: len(wanted)] == tuple(wanted)


METHODS: Mapping[str, Function] = {
    "Any.exists": lambda value: True,
    "Any.to_string": lambda shown: shown,
    "Prefix.address": lambda prefix: prefix.address,
    "Prefix.len": lambda prefix: prefix.length,
    "Prefix.is_ipv6": lambda prefix: prefix.is_ipv6,
    "Prefix.covers": lambda prefix, other: prefix.covers(other),
    "Prefix.is_covered_by": lambda prefix, other: other.covers(prefix),
    "Prefix.contains": has_address,
    "Prefix.matches": lambda prefix, match: match.matches(prefix),
    "AsPath.origin": as_path.origin,
    "AsPath.first": lambda path: path[0][1][0] if path else None,
    "AsPath.last": lambda path: path[-1][1][-1] if path else None,
    "AsPath.len": as_path.hops,
    "AsPath.contains": lambda path, asn: asn in path_numbers(path),
    "AsPath.contains_any": lambda path, asns: not set(asns).isdisjoint(path_numbers(path)),
    "AsPath.starts_with": starts_with,
    "AsPath.has_set": lambda path: any(kind == AS_SET for kind, _ in path),
    "IpAddress.is_ipv6": lambda address: address.is_ipv6,
    "IpAddress.is_in": lambda address, prefix: has_address(prefix, address),
    "Community.asn": lambda community: community >> 16,
    "Community.value": lambda community: community & 0xFFFF,
    "LargeCommunity.asn": lambda community: community.administrator,
    "String.contains": lambda whole, part: part in whole,
    "String.starts_with": lambda whole, part: whole.startswith(part),
    "String.len": len,
    "[Item].len": len,
    "[Item].is_empty": lambda items: not items,
    "[Item].contains": lambda items, item: item in items,
    "[Item].contains_any": lambda items, wanted: any(item in items for item in wanted),
    "[Item].first": lambda items: items[0] if items else None,
    "[Item].last": lambda items: items[-1] if items else None,
    "Source.exact_match": lambda source, prefix: source.exact_match(prefix),
    "Source.longest_match": lambda source, prefix: source.longest_match(prefix),
    "Source.less_specifics": lambda source, prefix: source.less_specifics(prefix),
    "Source.more_specifics": lambda source, prefix: source.more_specifics(prefix),
    "Source.contains": lambda source, field, key: source.contains(field, key),
    "Source.find": lambda source, field, key: source.find(field, key),
    "Source.validate": lambda source, prefix, origin: source.validate(prefix, origin),
    "Source.verify": lambda source, path, direction: source.verify(path, direction),
    "Found.matches": bool,
    "Found.len": len,
    "Found.first": lambda found: found[0] if found else None,
}
"""By `types.Method.key`. Those of sources get a `world.SourceView`, and before a key the name of its field."""

FUNCTIONS: Mapping[str, Function] = {
    "Prefix.from": made_prefix,
    "String.format": formatted,
    "String.from": lambda shown: shown,
}
"""By `types.Method.key`."""


def _with(before: tuple[Value, ...] | None, item: Value) -> tuple[Value, ...]:
    items = before or ()
    return items if item in items else (*items, item)


def _without(before: tuple[Value, ...] | None, item: Value) -> tuple[Value, ...]:
    return tuple(one for one in before or () if one != item)


def prepended(before: AsPath | None, asn: int, times: int = 1) -> AsPath:
    """The path with a number in front, so many times (RFC 4271 section 5.1.2)."""
    first: tuple[int, ...] = ()
    path = before or ()
    if path and path[0][0] == AS_SEQUENCE:
        first, path = path[0][1], path[1:]
    return SetPath.of_numbers((asn,) * times + first).path + path


CHANGES: Mapping[str, Function] = {
    "set": lambda before, value: value,
    "unset": lambda before: None,
    "push": _with,
    "add": _with,
    "remove": _without,
    "clear": lambda before: (),
    "prepend": prepended,
}
"""By `types.Change.name`: the new value of a field from the one before, which is None where it was missing."""


def is_member(item: Any, of: Type, within: Any, list_of: Type) -> bool:
    """`item in within`, by the types of the item and of what it may be in."""
    if list_of == types.AS_PATH:
        return item in path_numbers(within)
    if of == types.PREFIX and within and isinstance(within[0], PrefixMatch):
        return any(match.matches(item) for match in within)
    if of == types.PREFIX:
        return any(prefix.covers(item) for prefix in within)
    if of == types.ADDRESS and within and isinstance(within[0], Prefix):
        return any(has_address(prefix, item) for prefix in within)
    return item in within
