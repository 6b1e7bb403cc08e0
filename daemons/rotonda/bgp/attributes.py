"""What BGP says about a route: how path attributes are framed, and what they mean to a reader.

`decoded` makes one set - in the normal form of `sets.py` - readable. Call it once per set, never once per route.
Whatever it cannot read it hands on as hexadecimal digits, so that it never fails on a set that is framed soundly.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, inet_ntop

from rotonda.bgp import as_path
from rotonda.bgp.errors import Malformed, MalformedAttributes

# RFC 4271 §5.1, 1997, 4456, 4760, 4360, 6793, 8092, 9234
ORIGIN, AS_PATH, NEXT_HOP, MED, LOCAL_PREF, ATOMIC_AGGREGATE, AGGREGATOR, COMMUNITIES = range(1, 9)
ORIGINATOR_ID, CLUSTER_LIST = 9, 10
MP_REACH, MP_UNREACH, EXTENDED_COMMUNITIES, AS4_PATH, AS4_AGGREGATOR = range(14, 19)
LARGE_COMMUNITIES, ONLY_TO_CUSTOMER = 32, 35

EXACT_OCTETS = {ORIGIN: 1, NEXT_HOP: 4, MED: 4, LOCAL_PREF: 4, ORIGINATOR_ID: 4, ONLY_TO_CUSTOMER: 4}
MULTIPLE_OF = {COMMUNITIES: 4, CLUSTER_LIST: 4, EXTENDED_COMMUNITIES: 8, LARGE_COMMUNITIES: 12}  # octets

ORIGINS = ("IGP", "EGP", "INCOMPLETE")
_EXTENDED = 0x10
_FLAGS = 0xE0  # RFC 4271 §4.3: the low four bits of the flags mean nothing, the fifth only how the length is written

Octets = dict[int, tuple[int, bytes]]  # type -> flags, value


def parsed(octets: bytes) -> Octets:
    """The attributes by type; the first of a type counts (RFC 7606 §3g)."""
    attributes: Octets = {}
    for kind, flags, start, end in spans(octets, 0, len(octets)):
        if kind not in attributes:
            attributes[kind] = flags, octets[start:end]
    return attributes


def spans(octets: bytes, at: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Type, flags, start and end of the value of each attribute in `octets[at:stop]`.

    RFC 7606: attributes that overrun are `MalformedAttributes` (§4), two of MP_REACH or MP_UNREACH `Malformed` (§3g).
    """
    multiprotocol: set[int] = set()
    while at < stop:
        start = at + (4 if octets[at] & _EXTENDED else 3)
        if start > stop:
            raise MalformedAttributes(f"path attribute header of {stop - at} octets", octets[at:stop])
        kind = octets[at + 1]
        end = start + (octets[at + 2] if start - at == 3 else octets[at + 2] << 8 | octets[at + 3])
        if end > stop:
            raise MalformedAttributes(f"path attribute {kind} goes {end - stop} octets too far", octets[at:stop])
        if kind in multiprotocol:
            raise Malformed(f"path attribute {kind} twice", octets[at:stop])
        if kind in (MP_REACH, MP_UNREACH):
            multiprotocol.add(kind)
        yield kind, octets[at], start, end
        at = end


def written(attributes: Octets) -> bytes:
    """The attributes as BGP writes them, in ascending order of type."""
    return b"".join(_attribute(kind, *attributes[kind]) for kind in sorted(attributes))


def _attribute(kind: int, flags: int, value: bytes) -> bytes:
    if len(value) > 255:
        return struct.pack(">BBH", flags & _FLAGS | _EXTENDED, kind, len(value)) + value
    return bytes((flags & _FLAGS, kind, len(value))) + value


@dataclass(frozen=True, slots=True)
class Attributes:
    """One set of path attributes for people and filters; what is absent is None, empty or False."""

    origin: str | None = None
    as_path: as_path.AsPath = ()
    next_hop: str | None = None
    link_local_next_hop: str | None = None
    med: int | None = None
    local_pref: int | None = None
    atomic_aggregate: bool = False
    aggregator: tuple[int, str] | None = None  # AS number, address
    communities: tuple[tuple[int, int], ...] = ()
    extended_communities: tuple[str, ...] = ()
    large_communities: tuple[tuple[int, int, int], ...] = ()
    originator_id: str | None = None
    cluster_list: tuple[str, ...] = ()
    only_to_customer: int | None = None
    unknown: dict[int, str] = field(default_factory=dict)  # type -> value in hexadecimal digits

    @property
    def origin_as(self) -> int | None:
        """The AS that the route comes from, if its path tells one."""
        return as_path.origin(self.as_path)


def decoded(normal: bytes) -> Attributes:
    """One set in normal form, readable; `Malformed` only if it is not framed soundly."""
    fields: dict[str, object] = {}
    unknown: dict[int, str] = {}
    for kind, (_, value) in parsed(normal).items():
        try:
            fields.update(_READERS[kind](value))
        except (KeyError, ValueError, IndexError, struct.error, Malformed):
            unknown[kind] = value.hex()
    return Attributes(**fields, unknown=unknown)  # type: ignore[arg-type]  # the readers name the fields


def _number(name: str) -> Callable[[bytes], dict[str, object]]:
    return lambda value: {name: struct.unpack(">I", value)[0]}


def _tuples(name: str, layout: str) -> Callable[[bytes], dict[str, object]]:
    return lambda value: {name: tuple(struct.iter_unpack(layout, value))}


def _dotted(address: bytes) -> str:
    return inet_ntop(AF_INET, address)


def _addresses(value: bytes) -> tuple[str, ...]:
    return tuple(str(IPv4Address(number)) for (number,) in struct.iter_unpack(">I", value))


def _atomic(value: bytes) -> dict[str, object]:
    if value:
        raise ValueError(value)
    return {"atomic_aggregate": True}


def _aggregator(value: bytes) -> dict[str, object]:
    number, address = struct.unpack(">I4s", value)
    return {"aggregator": (number, _dotted(address))}


def _reach(value: bytes) -> dict[str, object]:
    hop = value[4 : 4 + value[3]]
    if len(hop) == 4:
        return {"next_hop": _dotted(hop)}
    if len(hop) == 32:  # RFC 2545 §3: a global address and a link-local one
        return {"next_hop": str(IPv6Address(hop[:16])), "link_local_next_hop": str(IPv6Address(hop[16:]))}
    return {"next_hop": str(IPv6Address(hop))}


def _extended_community(octets: bytes) -> str:
    """RFC 4360 §3-5, RFC 5668: route targets and origins by name, others as hexadecimal digits."""
    name = {2: "rt", 3: "soo"}.get(octets[1])
    kind, value = octets[0] & 0xBF, octets[2:]  # bit 6 says whether it crosses ASes, not what it means
    if name is None or kind > 2:
        return "0x" + octets.hex()
    if kind == 0:
        return "{}:{}:{}".format(name, *struct.unpack(">HI", value))
    administrator, local = struct.unpack(">4sH", value)
    return f"{name}:{IPv4Address(administrator) if kind == 1 else int.from_bytes(administrator)}:{local}"


_READERS: dict[int, Callable[[bytes], dict[str, object]]] = {
    ORIGIN: lambda value: {"origin": ORIGINS[int.from_bytes(value)]},
    AS_PATH: lambda value: {"as_path": as_path.read(value, 4)},
    NEXT_HOP: lambda value: {"next_hop": _dotted(value)},
    MED: _number("med"),
    LOCAL_PREF: _number("local_pref"),
    ATOMIC_AGGREGATE: _atomic,
    AGGREGATOR: _aggregator,
    COMMUNITIES: _tuples("communities", ">HH"),
    ORIGINATOR_ID: lambda value: {"originator_id": _dotted(value)},
    CLUSTER_LIST: lambda value: {"cluster_list": _addresses(value)},
    MP_REACH: _reach,
    EXTENDED_COMMUNITIES: lambda value: {
        "extended_communities": tuple(_extended_community(octets) for (octets,) in struct.iter_unpack("8s", value))
    },
    LARGE_COMMUNITIES: _tuples("large_communities", ">III"),
    ONLY_TO_CUSTOMER: _number("only_to_customer"),
}
