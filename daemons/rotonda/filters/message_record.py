"""Raw messages as filters see them, decoded when it is asked for, as far as it is asked for.

What cannot be decoded is missing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from rotonda.bgp.attributes import MP_REACH, MP_UNREACH, spans
from rotonda.bgp.bmp_messages import PER_PEER_OCTETS, MessageKind, PeerHeader, peer_header
from rotonda.bgp.errors import Malformed, MalformedAttributes
from rotonda.bgp.messages import HEADER_OCTETS, Kind
from rotonda.bgp.peers import Peer
from rotonda.bgp.raw import Protocol, RawMessage
from rotonda.bgp.sets import normalised
from rotonda.bgp.update import ADDRESS_OCTETS, FAMILIES, nlri, sections
from rotonda.blocks.types import AFI, RIB_VIEW, SAFI
from rotonda.blocks.values import Address, Constant, Prefix
from rotonda.filters.route_record import ATTRIBUTE_FIELDS, MICROSECONDS, AttributesView, router_id

BMP_HEADER_OCTETS = 6
_OTHER_AFI, _OTHER_SAFI = Constant(AFI.name, "OTHER"), Constant(SAFI.name, "OTHER")
_AFIS = {1: Constant(AFI.name, "IPV4"), 2: Constant(AFI.name, "IPV6")}
_SAFIS = {1: Constant(SAFI.name, "UNICAST"), 2: Constant(SAFI.name, "MULTICAST")}
_UPDATE = int(Kind.UPDATE)
_ROUTES = int(MessageKind.ROUTE_MONITORING)
_KINDS = {int(kind): kind.name for kind in Kind}
_CLASSIC = (1, 1)  # AFI and SAFI of what stands outside of the attributes of RFC 4760
_IPV6 = 0x80
_VARIANTS = {
    int(MessageKind.ROUTE_MONITORING): "RouteMonitoring",
    int(MessageKind.STATISTICS_REPORT): "StatisticsReport",
    int(MessageKind.PEER_DOWN): "PeerDownNotification",
    int(MessageKind.PEER_UP): "PeerUpNotification",
    int(MessageKind.INITIATION): "InitiationMessage",
    int(MessageKind.TERMINATION): "TerminationMessage",
    int(MessageKind.ROUTE_MIRRORING): "RouteMirroring",
}


class Update:
    """The parts of an UPDATE (RFC 4271 section 4.3, RFC 4760). Raises Malformed where it cannot be taken apart."""

    def __init__(self, octets: bytes, four_octet: bool) -> None:
        self._octets = octets
        self._four_octet = four_octet
        self.withdrawn, self._attributes, self.announced = sections(octets, HEADER_OCTETS, len(octets))
        self.reach: tuple[tuple[int, int], int, int] | None = None
        """AFI and SAFI, and where the NLRI of MP_REACH_NLRI are."""
        self.unreach: tuple[tuple[int, int], int, int] | None = None
        self._take_apart()

    def _take_apart(self) -> None:
        octets = self._octets
        for kind, _, start, stop in spans(octets, *self._attributes):
            if kind == MP_UNREACH:
                self.unreach = _afi_safi(octets, start, stop), start + 3, stop
            elif kind == MP_REACH:
                first = start + 5 + (octets[start + 3] if stop - start > 4 else stop)
                if first > stop:
                    raise Malformed("MP_REACH_NLRI is too short for its next hop", octets[start:stop])
                self.reach = _afi_safi(octets, start, stop), first, stop

    def _without_nlri(self) -> bytes:
        """Its attributes, of which the NLRI are left out."""
        at, end = self._attributes
        octets, other = self._octets, b""
        for kind, _, start, stop in spans(octets, at, end):
            if kind == MP_REACH and self.reach is not None:
                value = octets[start : self.reach[1]] if self.reach[0] in FAMILIES else b""
                other += struct.pack(">BBH", 0x90, MP_REACH, len(value)) + value if value else b""
            elif kind != MP_UNREACH:
                other += octets[at:stop]
            at = stop
        return other

    @cached_property
    def attributes(self) -> AttributesView:
        """Its attributes. What an attribute that breaks the rules says is missing, and with it the rest."""
        family = None if self.reach is None else FAMILIES.get(self.reach[0])
        try:
            return AttributesView(normalised(self._without_nlri(), self._four_octet, family or 4, family is not None))
        except MalformedAttributes:
            return AttributesView(b"")

    @property
    def afi_safi(self) -> tuple[int, int]:
        """Whose NLRI it has."""
        for part in (self.reach, self.unreach):
            if part is not None:
                return part[0]
        return _CLASSIC

    def announced_prefixes(self) -> tuple[Prefix, ...]:
        """Those that are announced; of families other than IPv4 and IPv6 unicast none can be read."""
        return (*self._prefixes(_CLASSIC, *self.announced), *(self._prefixes(*self.reach) if self.reach else ()))

    def withdrawn_prefixes(self) -> tuple[Prefix, ...]:
        """Those that are withdrawn."""
        return (*self._prefixes(_CLASSIC, *self.withdrawn), *(self._prefixes(*self.unreach) if self.unreach else ()))

    def _prefixes(self, afi_safi: tuple[int, int], start: int, stop: int) -> tuple[Prefix, ...]:
        family = FAMILIES.get(afi_safi)
        if family is None:
            return ()
        width = ADDRESS_OCTETS[family]
        rows = nlri(self._octets, start, stop, width, add_path=False)
        return tuple(Prefix(row[1 : width + 1], row[0]).cut(row[0]) for row in rows)


def _afi_safi(octets: bytes, start: int, stop: int) -> tuple[int, int]:
    if stop - start < 3:
        raise Malformed("an attribute of RFC 4760 is too short", octets[start:stop])
    return octets[start] << 8 | octets[start + 1], octets[start + 2]


class NlriRecord:
    """The prefixes of a message."""

    def __init__(self, update: Update) -> None:
        self._update = update

    def get(self, name: str) -> Any:
        """The field of this name; None if it is missing."""
        update = self._update
        if name == "afi":
            return _AFIS.get(update.afi_safi[0], _OTHER_AFI)
        if name == "safi":
            return _SAFIS.get(update.afi_safi[1], _OTHER_SAFI)
        try:
            if name == "prefixes":
                return update.announced_prefixes()
            return update.withdrawn_prefixes() if name == "withdrawn" else None
        except Malformed:
            return None


class _Messages:
    """What messages with an UPDATE have in common."""

    def __init__(self, octets: bytes, four_octet: bool) -> None:
        self._bgp = octets
        self._four_octet = four_octet
        self._update: Update | None = None
        self._is_taken_apart = False

    @property
    def update(self) -> Update | None:
        """The UPDATE, if it is one that can be taken apart."""
        if not self._is_taken_apart:
            self._is_taken_apart = True
            self._update = self._taken_apart()
        return self._update

    def _taken_apart(self) -> Update | None:
        octets = self._bgp
        if len(octets) < HEADER_OCTETS or octets[HEADER_OCTETS - 1] != _UPDATE:
            return None
        try:
            return Update(octets, self._four_octet)
        except (Malformed, IndexError, struct.error):
            return None

    def of_update(self, name: str) -> Any:
        """A field that the UPDATE tells."""
        update = self.update
        if update is None:
            return None
        return NlriRecord(update) if name == "nlris" else update.attributes.get(name)


class BgpRecord(_Messages):
    """A BGP message."""

    def __init__(self, message: RawMessage) -> None:
        super().__init__(message.octets, message.four_octet)
        self.message = message

    def get(self, name: str) -> Any:
        """The field of this name; None if it is missing."""
        read = _BGP.get(name)
        return self.of_update(name) if read is None else read(self)

    @property
    def kind(self) -> str | None:
        """The type of the message; None for one that nobody knows."""
        return _KINDS.get(self._bgp[HEADER_OCTETS - 1]) if len(self._bgp) >= HEADER_OCTETS else None

    @property
    def octets(self) -> bytes:
        """The whole message."""
        return self._bgp


def _of_peer(read: Callable[[Peer], Any]) -> Callable[[BgpRecord], Any]:
    return lambda record: None if record.message.peer is None else read(record.message.peer)


_BGP: Mapping[str, Callable[[BgpRecord], Any]] = {
    "kind": lambda record: record.kind,
    "length": lambda record: len(record.octets),
    "received": lambda record: record.message.received * MICROSECONDS,
    "peer_asn": _of_peer(lambda peer: peer.asn),
    "peer_address": _of_peer(lambda peer: Address(peer.address)),
    "router_id": _of_peer(lambda peer: router_id(peer.bgp_id)),
}
"""Fields that the UPDATE does not tell."""


def bgp_within(message: RawMessage) -> RawMessage | None:
    """The BGP message in a BMP message of routes; None for one that is about something else."""
    octets = message.octets
    if len(octets) < BMP_HEADER_OCTETS or octets[BMP_HEADER_OCTETS - 1] != _ROUTES:
        return None
    inner = octets[BMP_HEADER_OCTETS + PER_PEER_OCTETS :]
    return RawMessage(Protocol.BGP, inner, message.peer, message.received, message.four_octet)


class HeaderRecord:
    """The per-peer header of a BMP message (RFC 7854 section 4.2)."""

    def __init__(self, header: PeerHeader, time: bytes) -> None:
        self._header = header
        self._time = time

    def get(self, name: str) -> Any:
        """The field of this name; None if it is missing."""
        read = _HEADER.get(name)
        if name == "timestamp":
            seconds, microseconds = struct.unpack(">II", self._time)
            return seconds * MICROSECONDS + microseconds
        return None if read is None else read(self._header)


_HEADER: Mapping[str, Callable[[PeerHeader], Any]] = {
    "asn": lambda header: header.asn,
    "address": lambda header: Address(header.address),
    "is_ipv6": lambda header: len(header.address) == 16,
    "bgp_id": lambda header: Address(header.bgp_id.to_bytes(4)),
    "distinguisher": lambda header: header.distinguisher,
    "rib": lambda header: Constant(RIB_VIEW.name, header.view.name),
}


class BmpRecord(_Messages):
    """A BMP message; `variant` says which one, "" for a type that nobody knows."""

    def __init__(self, message: RawMessage) -> None:
        octets = message.octets
        kind = octets[BMP_HEADER_OCTETS - 1] if len(octets) >= BMP_HEADER_OCTETS else -1
        self.variant = _VARIANTS.get(kind, "")
        self.message = message
        self._body = BMP_HEADER_OCTETS + PER_PEER_OCTETS
        super().__init__(octets[self._body :], message.four_octet)

    def get(self, name: str) -> Any:
        """The field of this name; None if it is missing."""
        match name:
            case "per_peer_header":
                return self._header
            case "reason":
                return self._bgp[0] if self._bgp else None
            case "local_address":
                return self._local_address()
            case _:
                is_routes = self.variant == "RouteMonitoring" and (name == "nlris" or name in ATTRIBUTE_FIELDS)
                return self.of_update(name) if is_routes else None

    @cached_property
    def _header(self) -> HeaderRecord | None:
        octets = self.message.octets[BMP_HEADER_OCTETS : self._body]
        if len(octets) < PER_PEER_OCTETS:
            return None
        try:
            return HeaderRecord(peer_header(octets), octets[-8:])
        except Malformed:
            return None

    def _local_address(self) -> Address | None:
        octets = self._bgp[:16]
        if len(octets) < 16 or self._header is None:
            return None
        if self._header.get("is_ipv6"):
            return Address(octets)
        return Address(octets[12:] if any(octets[12:]) else octets[:4])  # routers differ in where they write IPv4
