"""What the changes of the language do to routes: the edits of attribute sets that they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rotonda.bgp.attributes import (
    ATOMIC_AGGREGATE,
    COMMUNITIES,
    EXTENDED_COMMUNITIES,
    LARGE_COMMUNITIES,
    LOCAL_PREF,
    MED,
    MP_REACH,
    NEXT_HOP,
    ONLY_TO_CUSTOMER,
    ORIGIN,
)
from rotonda.blocks import types
from rotonda.blocks.values import LargeCommunity
from rotonda.filters.edits import (
    AddValues,
    Edit,
    Prepend,
    Remove,
    RemoveValues,
    ReplaceValues,
    SetAtomicAggregate,
    SetNextHop,
    SetNumber,
    SetOrigin,
    SetPath,
)

LISTS: Mapping[str, int] = {
    "communities": COMMUNITIES,
    "extended_communities": EXTENDED_COMMUNITIES,
    "large_communities": LARGE_COMMUNITIES,
}
_NUMBERS = {"med": MED, "local_pref": LOCAL_PREF, "only_to_customer": ONLY_TO_CUSTOMER}
_REMOVED = {"origin": (ORIGIN,), "next_hop": (NEXT_HOP, MP_REACH), **{name: (kind,) for name, kind in _NUMBERS.items()}}
_OCTETS: Mapping[str, Callable[[Any], bytes]] = {
    "communities": lambda value: value.to_bytes(4),
    "extended_communities": lambda value: value.to_bytes(8),
    "large_communities": lambda value: large_octets(value),
}


def large_octets(value: LargeCommunity) -> bytes:
    """A large community as an attribute has it (RFC 8092 section 3)."""
    return b"".join(part.to_bytes(4) for part in (value.administrator, value.first, value.second))


def route_edits(field: str, change: str, values: tuple[Any, ...], family: int) -> tuple[Edit, ...]:
    """The edits that a change of a field of a route of this family is. Raises ValueError if a value cannot be."""
    if change == "unset":
        return tuple(map(Remove, _REMOVED[field]))
    if field in LISTS:
        return (_list_edit(field, change, values),)
    if change == "prepend":
        asn, times = (*values, 1)[:2]
        return (Prepend((asn,) * times),) if times else ()
    return (_set(field, values[0], family),)


def _list_edit(field: str, change: str, values: tuple[Any, ...]) -> Edit:
    kind, octets = LISTS[field], _OCTETS[field]
    if change in ("set", "clear"):
        return ReplaceValues(kind, tuple(map(octets, values[0] if values else ())))
    made = RemoveValues if change == "remove" else AddValues
    return made(kind, tuple(map(octets, values)))


def _set(field: str, value: Any, family: int) -> Edit:
    match field:
        case "origin":
            return SetOrigin(types.ORIGIN.constants.index(value.name))
        case "as_path":
            return SetPath(value)
        case "next_hop":
            return SetNextHop(value.octets, family)
        case "atomic_aggregate":
            return SetAtomicAggregate() if value else Remove(ATOMIC_AGGREGATE)
        case _:
            return SetNumber(_NUMBERS[field], value)
