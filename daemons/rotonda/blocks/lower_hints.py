"""What is often written, in other languages and in older programs, and what it is here."""

from __future__ import annotations

from rotonda.blocks import types
from rotonda.blocks.syntax import canonical
from rotonda.blocks.types import (
    ENUMERATIONS,
    METHODS,
    WELL_KNOWN_COMMUNITIES,
    FoundType,
    ListType,
    RecordType,
    Type,
)

_ABSENT = ("none", "null", "nil", "nothing", "missing")
_VALIDATION = (
    "an RPKI data source is asked: `use origins;` in define, then "
    "origins.validate(route.prefix, route.origin_asn) == VALID"
)
_NO_CLOCK = 'filters have no clock; a moment is compared with another one, "2026-01-31T12:00:00Z"'
_FIELDS = {
    "peer_ip": "peer_address", "peer": "peer_asn", "peer_as": "peer_asn", "remote_as": "peer_asn",
    "neighbor": "peer_address", "path": "as_path", "aspath": "as_path", "bgp_path": "as_path", "lp": "local_pref",
    "pref": "local_pref", "preference": "local_pref", "nexthop": "next_hop", "otc": "only_to_customer",
    "community": "communities", "large_community": "large_communities", "ext_communities": "extended_communities",
    "origin_as": "origin_asn", "net": "prefix", "network": "prefix", "timestamp": "received", "time": "received",
    "bgp_id": "router_id", "ingress_id": "peer_id",
}  # fmt: skip
"""What fields of routes are called elsewhere."""
_METHODS = {
    "is_none": "say !value.exists()", "is_null": "say !value.exists()", "is_missing": "say !value.exists()",
    "neighbor": "did you mean first?", "peer": "did you mean first?", "any": "did you mean contains?",
    "has": "did you mean contains?", "includes": "did you mean contains?", "is_v4": "say !value.is_ipv6()",
    "is_ipv4": "say !value.is_ipv6()", "afi": "ask .is_ipv6()", "family": "ask .is_ipv6()",
}  # fmt: skip


def meant_by_name(text: str) -> str:
    """What may be meant by a name that stands for nothing; "" if nobody knows."""
    name = canonical(text)
    if name in _ABSENT:
        return "of a field that may be missing, ask .exists()"
    if name == "now":
        return _NO_CLOCK
    constants = [*WELL_KNOWN_COMMUNITIES, *(known for one in ENUMERATIONS for known in one.constants)]
    if name.upper() in constants:
        return f"constants have capital letters: {name.upper()}"
    return ""


def meant_by_function(text: str) -> str:
    """What may be meant by a call of something that is no term."""
    name = canonical(text)
    if name == "now":
        return _NO_CLOCK
    known = {*types.ALIASES, *(method.name for method in METHODS)}
    return f"methods stand behind what they ask: value.{name}(...)" if name in known else ""


def meant_by_member(of: Type, text: str) -> str:
    """What may be meant by a field or method that values of a type do not have."""
    name = canonical(text)
    if isinstance(of, RecordType):
        if name in ("validity", "rov", "rpki", "rpki_status", "validation_state"):
            return _VALIDATION
        if name == "age":
            return _NO_CLOCK
        meant = _FIELDS.get(name, "")
        return f"did you mean {meant}?" if of.field(meant) else ""
    if of == types.ROV and name in ("is_valid", "is_invalid", "is_not_found"):
        return f"compare it, == {name[3:].upper()}"
    if name in ("is_empty", "size") and of == types.AS_PATH:
        return "compare len() with a number"
    return "" if isinstance(of, FoundType) else _METHODS.get(name, "")


def instead(given: Type, held: object, wanted: Type) -> str:
    """What helps where a value of one type is, and one of another type is wanted; `held` is the value, if known."""
    if given == types.PREFIX_MATCH and wanted == types.PREFIX:
        return "ask `prefix in range`"
    if wanted == types.PREFIX_MATCH and given == types.PREFIX:
        return "ask `prefix in ranges`; ranges are written in the text, `192.0.2.0/24 orlonger`"
    if wanted == types.STATUS and isinstance(held, str) and held.upper().replace("-", "_") in types.ROV.constants:
        return _VALIDATION
    if wanted == types.COMMUNITY and given in (types.LARGE_COMMUNITY, types.EXTENDED_COMMUNITY):
        return f"those are in {'large' if given == types.LARGE_COMMUNITY else 'extended'}_communities"
    if wanted == types.ASN and isinstance(given, ListType):
        return "ask .contains_any(...)"
    if isinstance(wanted, ListType) and given == wanted.item:
        return "a list is written in brackets, [...]"
    if wanted == types.ADDRESS and given == types.PREFIX:
        return "of two prefixes, ask .covers(...)"
    if wanted == types.TIME:
        return _NO_CLOCK if given == types.DURATION else 'moments are written as texts, "2026-01-31T12:00:00Z"'
    return ""
