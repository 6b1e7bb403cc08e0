"""What single BMP messages say (RFC 7854 section 4, RFC 8671, RFC 9069): all but the routes, which `bmp.py` reads.

Each function here gets the octets behind the common header, or behind the per-peer header where there is one, and
raises `Malformed` for what does not mean what it has to.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from rotonda.bgp.errors import Malformed
from rotonda.bgp.peers import Peer

TEXT_LIMIT = 255  # octets of a text that are kept
TEXTS_LIMIT = 8  # of one message
PEER_OCTETS = 34  # of the per-peer header, without its time
PER_PEER_OCTETS = 42
MARKER = b"\xff" * 16
BGP_HEADER_OCTETS = 19
_PEER = struct.Struct(">BBQ16sII").unpack_from
_IPV6, _POST_POLICY, _TWO_OCTETS, _ADJ_RIB_OUT = 0x80, 0x40, 0x20, 0x10
_OPEN, _CAPABILITIES, _EXTENDED = 1, 2, 255
_FOUR_OCTET_AS, _ADD_PATH = 65, 69
_UNICAST = {(1, 1): 1, (2, 1): 2}  # AFI, SAFI -> as `update.ADD_PATH` has the families
_RECEIVES, _SENDS = 1, 2


class MessageKind(IntEnum):
    """Type of a BMP message."""

    ROUTE_MONITORING = 0
    STATISTICS_REPORT = 1
    PEER_DOWN = 2
    PEER_UP = 3
    INITIATION = 4
    TERMINATION = 5
    ROUTE_MIRRORING = 6


class PeerKind(IntEnum):
    """Type of a peer (RFC 7854 section 4.2, RFC 9069 section 4.1)."""

    GLOBAL = 0
    DISTINGUISHED = 1
    LOCAL = 2
    LOC_RIB = 3


class View(IntEnum):
    """Which RIB of the router is seen, as flags and type of the per-peer header tell."""

    ADJ_RIB_IN_PRE = 0
    ADJ_RIB_IN_POST = 1
    LOC_RIB = 2
    ADJ_RIB_OUT_PRE = 3
    ADJ_RIB_OUT_POST = 4


@dataclass(frozen=True, slots=True)
class PeerHeader:
    """Whom a message is about, and how what it has of him is written: the per-peer header without its time."""

    kind: PeerKind
    flags: int
    distinguisher: int
    address: bytes  # 4 or 16 octets; of the Loc-RIB, which is no peer, 4 octets of 0
    asn: int
    bgp_id: int

    @property
    def view(self) -> View:
        """The RIB that routes under this header are in."""
        if self.kind is PeerKind.LOC_RIB:
            return View.LOC_RIB
        post = bool(self.flags & _POST_POLICY)
        return View((View.ADJ_RIB_OUT_PRE if self.flags & _ADJ_RIB_OUT else View.ADJ_RIB_IN_PRE) + post)

    @property
    def four_octet(self) -> bool:
        """Whether AS numbers in UPDATEs have four octets; in the Loc-RIB they always do (RFC 9069 section 4.2)."""
        return self.kind is PeerKind.LOC_RIB or not self.flags & _TWO_OCTETS

    @property
    def identity(self) -> tuple[PeerKind, int, bytes]:
        """The session of the router that is meant. Its views have this in common, and so have, in what routers write,
        messages from before and after its OPENs, which tell AS and BGP identifier."""
        return self.kind, self.distinguisher, self.address

    def peer(self) -> Peer:
        """The same as filters of messages know it."""
        return Peer(self.address, self.asn, self.bgp_id, local=self.view >= View.ADJ_RIB_OUT_PRE)

    def __str__(self) -> str:
        where = f" distinguisher {self.distinguisher:#x}" if self.distinguisher else ""
        return f"Loc-RIB AS{self.asn}{where}" if self.kind is PeerKind.LOC_RIB else f"{self.peer()}{where}"


def peer_header(octets: bytes) -> PeerHeader:
    """The per-peer header from its first 34 octets. `flags` of what is not about a peer's RIBs are kept, too."""
    if len(octets) < PEER_OCTETS:
        raise Malformed(f"a per-peer header in {len(octets)} octets", octets)
    kind, flags, distinguisher, address, asn, bgp_id = _PEER(octets)
    try:
        known = PeerKind(kind)
    except ValueError:
        raise Malformed(f"peer of type {kind}", octets) from None
    six = flags & _IPV6 and known is not PeerKind.LOC_RIB  # there the same bit says that the RIB is filtered
    return PeerHeader(known, flags, distinguisher, address if six else address[12:], asn, bgp_id)


@dataclass(frozen=True, slots=True)
class Open:
    """What of an OPEN message matters to whoever reads the UPDATEs after it.

    `sends` and `receives` say for which families path identifiers (RFC 7911) are written and understood, as the sum
    1 for IPv4 unicast, 2 for IPv6 unicast.
    """

    asn: int
    bgp_id: int
    hold_seconds: int
    four_octet: bool = False
    sends: int = 0
    receives: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """The two OPENs of a session, and its ends, as a Peer Up has them (RFC 7854 section 4.10)."""

    local_address: bytes  # 16 octets as they came: routers differ in how they write IPv4 there
    local_port: int
    remote_port: int
    sent: Open  # by the router
    received: Open
    table: str = ""  # name of the VRF or table (RFC 9069 section 4.4)
    texts: tuple[str, ...] = ()

    def alike(self, other: Session) -> bool:
        """Whether it may be the same session, told of for another view."""
        ports = (self.local_port, self.remote_port) == (other.local_port, other.remote_port)
        return ports and (self.sent, self.received) == (other.sent, other.received)

    def add_path(self, view: View) -> int:
        """For which families routes of this view have path identifiers, as `Rows` wants it."""
        sent, received = self.sent, self.received
        inbound, outbound = sent.receives & received.sends, sent.sends & received.receives
        if view is View.LOC_RIB:
            return inbound | outbound
        return outbound if view >= View.ADJ_RIB_OUT_PRE else inbound


def session(body: bytes) -> Session:
    """What follows the per-peer header of a Peer Up."""
    if len(body) < 20:
        raise Malformed(f"Peer Up of {len(body)} octets", body)
    sent, at = _open(body, 20)
    received, at = _open(body, at)
    table = ""
    texts: list[str] = []
    for kind, value in tlvs(body, at):
        if kind == 3:
            table = text(value)
        elif kind == 0 and len(texts) < TEXTS_LIMIT:
            texts.append(text(value))
    local_port, remote_port = struct.unpack_from(">HH", body, 16)
    return Session(body[:16], local_port, remote_port, sent, received, table, tuple(texts))


def _open(body: bytes, start: int) -> tuple[Open, int]:
    """The OPEN message that begins here, and where it ends (RFC 4271 section 4.2, RFC 9072)."""
    header = body[start : start + BGP_HEADER_OCTETS]
    stop = start + int.from_bytes(header[16:18])
    if len(header) < BGP_HEADER_OCTETS or header[:16] != MARKER or header[18] != _OPEN or stop > len(body):
        raise Malformed("Peer Up without two OPEN messages", header)
    at = start + BGP_HEADER_OCTETS
    if stop - at < 10:
        raise Malformed(f"OPEN message of {stop - start} octets", body[start:stop])
    asn, hold, bgp_id, size = struct.unpack_from(">HHIB", body, at + 1)
    extended = size == _EXTENDED and body[at + 10 : at + 11] == b"\xff"
    at += 13 if extended else 10
    four, sends, receives = 0, 0, 0
    for kind, value in _capabilities(body, at, stop, 2 if extended else 1):
        if kind == _FOUR_OCTET_AS and len(value) == 4:
            four = int.from_bytes(value)
        elif kind == _ADD_PATH:
            for afi, safi, mode in struct.iter_unpack(">HBB", value[: len(value) // 4 * 4]):
                family = _UNICAST.get((afi, safi), 0)
                sends |= family if mode & _SENDS else 0
                receives |= family if mode & _RECEIVES else 0
    return Open(four or asn, bgp_id, hold, bool(four), sends, receives), stop


def _capabilities(body: bytes, at: int, stop: int, width: int) -> Iterator[tuple[int, bytes]]:
    """Code and value of each capability (RFC 5492); `width` is that of an optional parameter's length."""
    while at < stop:
        start = at + 1 + width
        end = start + int.from_bytes(body[at + 1 : start])
        if end > stop:
            raise Malformed("optional parameter goes beyond its OPEN message", body[at:stop])
        if body[at] == _CAPABILITIES:
            yield from _listed(body[start:end])
        at = end


def _listed(octets: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(octets):
        end = at + 2 + (octets[at + 1] if at + 1 < len(octets) else len(octets))
        if end > len(octets):
            raise Malformed("capability goes beyond its parameter", octets[at:])
        yield octets[at], octets[at + 2 : end]
        at = end


def tlvs(octets: bytes, at: int = 0) -> Iterator[tuple[int, bytes]]:
    """Type and value of each TLV from an offset on (RFC 7854 section 4.4)."""
    while at < len(octets):
        end = at + 4 + int.from_bytes(octets[at + 2 : at + 4])
        if at + 4 > len(octets) or end > len(octets):
            raise Malformed(f"TLV with {len(octets) - at} octets left", octets[at:])
        yield int.from_bytes(octets[at : at + 2]), octets[at + 4 : end]
        at = end


def text(octets: bytes) -> str:
    """A text of a router, safe to be shown, with at most `TEXT_LIMIT` octets in UTF-8."""
    readable = octets[:TEXT_LIMIT].decode("utf-8", "backslashreplace")
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in readable)
    return shown.encode()[:TEXT_LIMIT].decode("utf-8", "ignore")


@dataclass(frozen=True, slots=True)
class RouterInformation:
    """What an Initiation says (RFC 7854 section 4.3)."""

    name: str = ""  # sysName
    description: str = ""  # sysDescr
    texts: tuple[str, ...] = ()


def router_information(body: bytes) -> RouterInformation:
    """The TLVs of an Initiation; of several names the last one counts."""
    found: dict[int, str] = {}
    texts: list[str] = []
    for kind, value in tlvs(body):
        if kind in (1, 2):
            found[kind] = text(value)
        elif kind == 0 and len(texts) < TEXTS_LIMIT:
            texts.append(text(value))
    return RouterInformation(found.get(2, ""), found.get(1, ""), tuple(texts))


_TERMINATIONS = {
    0: "administratively closed",
    1: "unspecified reason",
    2: "out of resources",
    3: "redundant connection",
    4: "permanently administratively closed",
}


def termination(body: bytes) -> str:
    """Why a router ends the session, in words (RFC 7854 section 4.5)."""
    why = []
    for kind, value in tlvs(body):
        if kind == 1:
            reason = int.from_bytes(value[:2])
            why.append(_TERMINATIONS.get(reason, f"reason {reason}"))
        elif kind == 0:
            why.append(text(value))
        if len(why) == TEXTS_LIMIT:
            break
    return ", ".join(why) or "no reason told"


_PEER_DOWNS = {
    1: "the router closed the session: ",
    2: "the router closed the session, event ",
    3: "the peer closed the session: ",
    4: "the peer is gone",
    5: "the peer is not monitored any more",
    6: "the router closed the session: ",
}


def peer_down(body: bytes) -> tuple[int, str]:
    """The reason of a Peer Down, and what it means (RFC 7854 section 4.9, RFC 9069 section 4.5)."""
    reason, data = (body[0], body[1:]) if body else (0, b"")
    words = _PEER_DOWNS.get(reason, f"reason {reason}")
    if reason in (1, 3):
        code = data[BGP_HEADER_OCTETS : BGP_HEADER_OCTETS + 2]
        words += "NOTIFICATION " + "/".join(map(str, code)) if len(code) == 2 else "no NOTIFICATION"
    elif reason == 2:
        words += str(int.from_bytes(data[:2]))
    elif reason == 6:
        words += "Loc-RIB"
    return reason, words


def statistics(body: bytes) -> dict[int, int]:
    """The counters and gauges of a Statistics Report by type (RFC 7854 section 4.8); those by family are left out."""
    if len(body) < 4:
        raise Malformed(f"Statistics Report of {len(body)} octets", body)
    return {kind: int.from_bytes(value) for kind, value in tlvs(body, 4) if len(value) in (4, 8)}


def mirrored(body: bytes) -> tuple[int, bool]:
    """How many messages a Route Mirroring has, and whether the router lost some (RFC 7854 section 4.7)."""
    messages, lost = 0, False
    for kind, value in tlvs(body):
        messages += kind == 0
        lost |= kind == 1 and value == b"\0\1"
    return messages, lost
