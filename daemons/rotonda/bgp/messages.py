"""BGP messages as octets (RFC 4271 section 4): framing, OPEN with its capabilities, NOTIFICATION, ROUTE-REFRESH.

What is wrong with a message is a `Fault`, which knows the NOTIFICATION that answers it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from rotonda.bgp.as_path import AS_TRANS
from rotonda.bgp.update import FAMILIES

MARKER = b"\xff" * 16
HEADER_OCTETS = 19
MOST_OCTETS = 4096
VERSION = 4
_AFI_SAFI = {family: afi_safi for afi_safi, family in FAMILIES.items()}
_WIDTH_OF_TEXT = 128  # octets of a shutdown communication that are told (RFC 9003 section 2)


class Kind(IntEnum):
    """Types of messages (RFC 4271 section 4.1, RFC 2918)."""

    OPEN = 1
    UPDATE = 2
    NOTIFICATION = 3
    KEEPALIVE = 4
    ROUTE_REFRESH = 5


class Error(IntEnum):
    """Codes of NOTIFICATIONs (RFC 4271 section 4.5, RFC 7313, RFC 9687)."""

    HEADER = 1
    OPEN = 2
    UPDATE = 3
    HOLD_TIMER = 4
    STATE_MACHINE = 5
    CEASE = 6
    ROUTE_REFRESH = 7
    SEND_HOLD_TIMER = 8


class Cease(IntEnum):
    """Subcodes of Cease (RFC 4486)."""

    MOST_PREFIXES = 1
    SHUTDOWN = 2
    DECONFIGURED = 3
    RESET = 4
    REJECTED = 5
    OTHER_CHANGE = 6
    COLLISION = 7
    OUT_OF_RESOURCES = 8


_KINDS = {int(kind): kind for kind in Kind}
_LENGTHS: dict[int, tuple[int, int]] = {
    Kind.OPEN: (29, MOST_OCTETS),
    Kind.UPDATE: (23, MOST_OCTETS),
    Kind.NOTIFICATION: (21, MOST_OCTETS),
    Kind.KEEPALIVE: (HEADER_OCTETS, HEADER_OCTETS),
    Kind.ROUTE_REFRESH: (HEADER_OCTETS, MOST_OCTETS),  # a wrong one has an error of its own (RFC 7313 section 5)
}


class Fault(Exception):
    """What ends a session: code, subcode and data of the NOTIFICATION that says so, and words for people."""

    def __init__(self, code: Error, subcode: int, what: str, data: bytes = b"") -> None:
        super().__init__(what)
        self.code, self.subcode, self.what, self.data = code, subcode, what, data

    def message(self) -> bytes:
        """The NOTIFICATION; data that does not fit is cut."""
        room = MOST_OCTETS - HEADER_OCTETS - 2
        return message(Kind.NOTIFICATION, bytes((self.code, self.subcode)) + self.data[:room])


def message(kind: Kind, body: bytes = b"") -> bytes:
    """One message with its header."""
    return MARKER + struct.pack(">HB", HEADER_OCTETS + len(body), kind) + body


KEEPALIVE = message(Kind.KEEPALIVE)


class Framing:
    """Cuts a stream into messages; holds less than one of them."""

    def __init__(self) -> None:
        self._left = b""

    def receive(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """The messages that these octets complete, each with its header. Raises Fault for a header that cannot be."""
        octets = self._left + data if self._left else data
        self._left = b""
        at, end = 0, len(octets)
        while end - at >= HEADER_OCTETS:
            stop = at + _length(octets, at)
            if stop > end:
                break
            yield _KINDS[octets[at + 18]], octets[at:stop]
            at = stop
        self._left = octets[at:]


def _length(octets: bytes, at: int) -> int:
    """How long the message is whose header begins there; a header is judged before its message is waited for."""
    length, kind = octets[at + 16] << 8 | octets[at + 17], octets[at + 18]
    if octets[at : at + 16] != MARKER:
        raise Fault(Error.HEADER, 1, f"marker {octets[at : at + 16].hex()}")
    if not HEADER_OCTETS <= length <= MOST_OCTETS:
        raise Fault(Error.HEADER, 2, f"a message of {length} octets", octets[at + 16 : at + 18])
    limits = _LENGTHS.get(kind)
    if limits is None:
        raise Fault(Error.HEADER, 3, f"a message of type {kind}", octets[at + 18 : at + 19])
    if not limits[0] <= length <= limits[1]:
        raise Fault(Error.HEADER, 2, f"{Kind(kind).name} of {length} octets", octets[at + 16 : at + 18])
    return length


@dataclass(frozen=True, slots=True)
class Open:
    """What one side says of itself: OPEN and its capabilities.

    `families` are those of IPv4 and IPv6 unicast; `sends_paths` and `takes_paths` those with path identifiers
    (RFC 7911). A speaker without `four_octet` writes AS numbers in two octets.
    """

    asn: int
    hold_time: int
    bgp_id: int
    families: frozenset[int] = frozenset({4})
    four_octet: bool = True
    route_refresh: bool = True
    sends_paths: frozenset[int] = frozenset()
    takes_paths: frozenset[int] = frozenset()

    def message(self) -> bytes:
        """The message, all capabilities in one optional parameter (RFC 5492)."""
        capabilities = b"".join(self._capabilities())
        parameters = bytes((_CAPABILITIES, len(capabilities))) + capabilities if capabilities else b""
        asn = self.asn if self.asn < 1 << 16 else AS_TRANS
        fixed = struct.pack(">BHHIB", VERSION, asn, self.hold_time, self.bgp_id, len(parameters))
        return message(Kind.OPEN, fixed + parameters)

    def _capabilities(self) -> Iterator[bytes]:
        for family in sorted(self.families):
            yield _capability(_MULTIPROTOCOL, struct.pack(">HBB", _AFI_SAFI[family][0], 0, _AFI_SAFI[family][1]))
        if self.route_refresh:
            yield _capability(_ROUTE_REFRESH, b"")
        if self.four_octet:
            yield _capability(_FOUR_OCTET, struct.pack(">I", self.asn))
        if paths := sorted(self.sends_paths | self.takes_paths):
            modes = ((family in self.takes_paths) + 2 * (family in self.sends_paths) for family in paths)
            rows = zip(paths, modes, strict=True)
            yield _capability(_ADD_PATH, b"".join(struct.pack(">HBB", *_AFI_SAFI[each], mode) for each, mode in rows))


_CAPABILITIES = 2  # the type of the optional parameter
_MULTIPROTOCOL, _ROUTE_REFRESH, _FOUR_OCTET, _ADD_PATH = 1, 2, 65, 69


def _capability(code: int, value: bytes) -> bytes:
    return bytes((code, len(value))) + value


def read_open(octets: bytes) -> Open:
    """The OPEN of a whole message. Raises Fault as RFC 4271 section 6.2 has it."""
    version, asn, hold_time, bgp_id, length = struct.unpack_from(">BHHIB", octets, HEADER_OCTETS)
    if version != VERSION:
        raise Fault(Error.OPEN, 1, f"version {version}", struct.pack(">H", VERSION))
    if 0 < hold_time < 3:
        raise Fault(Error.OPEN, 6, f"a hold time of {hold_time} s")
    if not bgp_id:
        raise Fault(Error.OPEN, 3, "BGP identifier 0.0.0.0")
    at = HEADER_OCTETS + 10
    if length == 255 and octets[at : at + 1] == b"\xff":  # RFC 9072: longer ones
        length, at, width = int.from_bytes(octets[at + 1 : at + 3]), at + 3, 2
    else:
        width = 1
    if at + length != len(octets):
        raise Fault(Error.OPEN, 0, f"optional parameters of {length} octets in {len(octets) - at}")
    capabilities: list[tuple[int, bytes]] = []
    for kind, value in _items(octets[at:], width):
        if kind != _CAPABILITIES:
            raise Fault(Error.OPEN, 4, f"optional parameter {kind}")
        capabilities += _items(value, 1)
    return _opened(asn, hold_time, bgp_id, capabilities)


def _items(octets: bytes, width: int) -> Iterator[tuple[int, bytes]]:
    """Type and value of what is written as type, length, value, the length in `width` octets."""
    at = 0
    while at < len(octets):
        start = at + 1 + width
        end = start + int.from_bytes(octets[at + 1 : start])
        if start > len(octets) or end > len(octets):
            raise Fault(Error.OPEN, 0, f"optional parameter or capability {octets[at]} is cut")
        yield octets[at], octets[start:end]
        at = end


def _opened(asn: int, hold_time: int, bgp_id: int, capabilities: list[tuple[int, bytes]]) -> Open:
    families: set[int] = set()
    paths: dict[int, int] = {}
    told = {code for code, _ in capabilities}
    for code, value in capabilities:
        if code == _MULTIPROTOCOL and len(value) == 4:
            families.add(FAMILIES.get((value[0] << 8 | value[1], value[3]), 0))
        elif code == _FOUR_OCTET:
            if len(value) != 4 or (asn != AS_TRANS and int.from_bytes(value) != asn):
                raise Fault(Error.OPEN, 2, f"AS{asn}, and {value.hex()} in the capability of 4-octet numbers")
            asn = int.from_bytes(value)
        elif code == _ADD_PATH and len(value) % 4 == 0:
            paths |= {FAMILIES.get((afi, safi), 0): mode for afi, safi, mode in struct.iter_unpack(">HBB", value)}
    if not asn:
        raise Fault(Error.OPEN, 2, "AS0")  # RFC 7607
    return Open(
        asn,
        hold_time,
        bgp_id,
        # RFC 4760 section 8: who says nothing means what BGP was made for
        frozenset(families - {0}) if _MULTIPROTOCOL in told else frozenset({4}),
        four_octet=_FOUR_OCTET in told,
        route_refresh=_ROUTE_REFRESH in told,
        sends_paths=frozenset(family for family, mode in paths.items() if family and mode in (2, 3)),
        takes_paths=frozenset(family for family, mode in paths.items() if family and mode in (1, 3)),
    )


def read_notification(octets: bytes) -> str:
    """What a NOTIFICATION says, for people; what the peer wrote itself is escaped and cut."""
    code, subcode, data = octets[19], octets[20], octets[21:]
    words = [_name(Error, code)]
    words.append(f"{_name(Cease, subcode)}" if code == Error.CEASE and subcode else f"subcode {subcode}")
    if code == Error.CEASE and subcode in (Cease.SHUTDOWN, Cease.RESET) and data:
        words.append(data[1 : 1 + min(data[0], _WIDTH_OF_TEXT)].decode(errors="backslashreplace").__repr__())
    elif data:
        words.append(data[:16].hex())
    return ", ".join(words)


def _name(kind: type[IntEnum], number: int) -> str:
    known = number in kind.__members__.values()
    return kind(number).name.lower().replace("_", " ") if known else f"{kind.__name__.lower()} {number}"


def read_refresh(octets: bytes) -> int | None:
    """The family whose routes a ROUTE-REFRESH asks for (RFC 2918), or None for one that is not read here."""
    if len(octets) != HEADER_OCTETS + 4:
        raise Fault(Error.ROUTE_REFRESH, 1, f"ROUTE_REFRESH of {len(octets)} octets", octets)
    afi, kind, safi = struct.unpack_from(">HBB", octets, HEADER_OCTETS)
    return FAMILIES.get((afi, safi)) if kind == 0 else None
