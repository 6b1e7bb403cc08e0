"""BMP as routers speak it, and wrong: made by `struct` alone, so that nothing of ours decides what it looks like.

The same seed makes the same traffic.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

MONITORING, STATISTICS, DOWN, UP, INITIATION, TERMINATION, MIRRORING = range(7)
TIME = 1_700_000_000
POST, ADJ_RIB_OUT = 0x40, 0x10
LENGTHS = (0, 1, 5, 6, 7, 47, 48, 66, 67, 70, 65_535, 1 << 18, (1 << 18) + 1, 1 << 24, (1 << 32) - 1)
BOTH_FAMILIES = bytes.fromhex("0104000100010104000200014104")  # then the AS number of the 4-octet capability
ADD_PATH_BOTH = bytes.fromhex("45080001010300020103")


@dataclass(frozen=True)
class Peer:
    """A peer of the router, and how it is seen."""

    address: bytes = bytes((192, 0, 2, 10))
    asn: int = 64_500
    kind: int = 0
    flags: int = 0
    distinguisher: int = 0

    def header(self, time: int = TIME) -> bytes:
        """The per-peer header."""
        six = 0x80 if len(self.address) == 16 else 0
        fixed = struct.pack(">BBQ", self.kind, self.flags | six, self.distinguisher)
        bgp_id = self.address[-4:] if any(self.address) else bytes((10, 0, 0, 1))
        return fixed + self.address.rjust(16, b"\0") + struct.pack(">I4sII", self.asn, bgp_id, time, 0)

    def seen(self, flags: int) -> Peer:
        """The same peer in another view."""
        return replace(self, flags=flags)


def message(kind: int, body: bytes = b"", version: int = 3) -> bytes:
    """A BMP message."""
    return struct.pack(">BIB", version, 6 + len(body), kind) + body


def tlv(kind: int, value: bytes) -> bytes:
    """Information as Initiation, Termination, Peer Up and Route Mirroring have it."""
    return struct.pack(">HH", kind, len(value)) + value


def bgp_message(kind: int, body: bytes) -> bytes:
    """A BGP message."""
    return b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body


def open_message(asn: int, add_path: bool = False) -> bytes:
    """An OPEN of a speaker of both families."""
    capabilities = BOTH_FAMILIES + struct.pack(">I", asn) + (ADD_PATH_BOTH if add_path else b"")
    parameters = struct.pack(">BB", 2, len(capabilities)) + capabilities
    fixed = struct.pack(">BHHIB", 4, min(asn, 23_456), 180, asn, len(parameters))
    return bgp_message(1, fixed + parameters)


def initiation(name: bytes = b"router", description: bytes = b"made up") -> bytes:
    """Who the router is."""
    return message(INITIATION, tlv(1, description) + tlv(2, name))


def termination(reason: int = 0) -> bytes:
    """The end of a session in good order."""
    return message(TERMINATION, tlv(1, struct.pack(">H", reason)))


def peer_up(peer: Peer, add_path: bool = False, information: bytes = b"") -> bytes:
    """A session of the router is established."""
    ends = bytes(12) + bytes((192, 0, 2, 1)) + struct.pack(">HH", 179, 40_000)
    opens = open_message(65_000, add_path) + open_message(peer.asn, add_path)
    return message(UP, peer.header() + ends + opens + information)


def peer_down(peer: Peer, reason: int = 4, data: bytes = b"") -> bytes:
    """A session of the router has ended."""
    return message(DOWN, peer.header() + bytes((reason,)) + data)


def statistics(peer: Peer, **values: int) -> bytes:
    """Counters of 4 octets, as `_7=1` for type 7."""
    tlvs = [tlv(int(name.strip("_")), struct.pack(">I", value)) for name, value in values.items()]
    return message(STATISTICS, peer.header() + struct.pack(">I", len(tlvs)) + b"".join(tlvs))


def mirroring(peer: Peer, octets: bytes) -> bytes:
    """A BGP message as it came."""
    return message(MIRRORING, peer.header() + tlv(0, octets))


def monitoring(peer: Peer, update: bytes, time: int = TIME) -> bytes:
    """A whole BGP message of this peer."""
    return message(MONITORING, peer.header(time) + update)


def attributes(path: Sequence[int], hop: bytes = bytes((192, 0, 2, 10)), extra: bytes = b"") -> bytes:
    """ORIGIN, AS_PATH and, if there is a next hop, NEXT_HOP."""
    hops = struct.pack(f">BB{len(path)}I", 2, len(path), *path)
    return b"\x40\1\1\0" + struct.pack(">BBB", 0x40, 2, len(hops)) + hops + (b"\x40\3\4" + hop if hop else b"") + extra


def prefix(number: int, path_id: int | None = None) -> bytes:
    """The NLRI of one of 2^22 prefixes of length 24."""
    identifier = b"" if path_id is None else struct.pack(">I", path_id)
    return identifier + struct.pack(">BI", 24, (1 << 24) + (number << 8))[:4]


def update(
    announced: bytes = b"", withdrawn: bytes = b"", path: Sequence[int] = (64_500, 64_501), extra: bytes = b""
) -> bytes:
    """An UPDATE of IPv4; `extra` has path attributes."""
    own = attributes(path, extra=extra) if announced else b""
    body = struct.pack(">H", len(withdrawn)) + withdrawn + struct.pack(">H", len(own)) + own + announced
    return bgp_message(2, body)


def update6(address: bytes, path: Sequence[int] = (64_500, 64_501)) -> bytes:
    """An UPDATE of one IPv6 prefix, given by the octets of its address that count."""
    reach = struct.pack(">HBB", 2, 1, 16) + bytes.fromhex("20010db8").ljust(16, b"\1") + b"\0"
    value = reach + bytes((8 * len(address),)) + address
    own = attributes(path, b"") + struct.pack(">BBB", 0x80, 14, len(value)) + value
    return bgp_message(2, bytes(2) + struct.pack(">H", len(own)) + own)


def end_of_rib() -> bytes:
    """The marker for IPv4."""
    return bgp_message(2, bytes(4))


def table(peers: Sequence[Peer], routes: int, per_message: int = 1, sets: int = 1000) -> Iterator[bytes]:
    """A whole session: so many routes of each peer, in messages of so many routes."""
    yield initiation()
    for peer in peers:
        yield peer_up(peer)
    for first in range(0, routes, per_message):
        path = (64_500, 65_000 + first // per_message % sets)
        octets = update(b"".join(map(prefix, range(first, min(first + per_message, routes)))), path=path)
        for peer in peers:
            yield monitoring(peer, octets)
    for peer in peers:
        yield monitoring(peer, end_of_rib())


# --- how messages are spoilt -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Traffic:
    """Octets for one session, and what is wrong with them."""

    what: str
    octets: bytes


def spoilt(seed: int, count: int) -> Iterator[Traffic]:
    """Sessions of good messages of which one is not."""
    chance = random.Random(seed)
    for number in range(count):
        messages = _session(chance)
        at = chance.randrange(len(messages))
        spoil = _SPOILS[number % len(_SPOILS)]
        messages[at] = spoil(chance, messages[at])
        kept = messages[: at + 1] if spoil is _cut else messages
        yield Traffic(f"{number}: message {at}, {spoil.__name__.strip('_')}", b"".join(kept))


def _session(chance: random.Random) -> list[bytes]:
    peer = Peer(chance.randbytes(chance.choice((4, 16))), chance.randrange(1, 1 << 32), chance.randrange(3))
    loc_rib = Peer(bytes(4), 65_000, 3)
    some = [peer, peer.seen(POST), peer.seen(ADJ_RIB_OUT), loc_rib]
    body = [monitoring(chance.choice(some), _any_update(chance)) for _ in range(chance.randint(1, 8))]
    others = [statistics(peer, _7=chance.randrange(1 << 32)), mirroring(peer, _any_update(chance)), peer_down(peer)]
    return [initiation(), peer_up(peer), peer_up(loc_rib), *body, chance.choice(others)]


def _any_update(chance: random.Random) -> bytes:
    """An UPDATE that announces, withdraws, or does both, of IPv4 or IPv6."""
    path = [chance.randrange(1, 1 << 32) for _ in range(chance.randint(1, 5))]
    extra = b"\xc0\x08\x04" + chance.randbytes(4) if chance.random() < 0.5 else b""
    some = b"".join(prefix(chance.randrange(1 << 22)) for _ in range(chance.randint(1, 5)))
    if chance.random() < 0.3:
        return update6(chance.randbytes(6), path)
    return update(some, prefix(7) if chance.random() < 0.3 else b"", path, extra)


def _turned(chance: random.Random, octets: bytes) -> bytes:
    """Octets behind the common header, turned at random."""
    wrong = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        if len(wrong) > 6:
            wrong[chance.randrange(6, len(wrong))] = chance.randrange(256)
    return bytes(wrong)


def _lying(chance: random.Random, octets: bytes) -> bytes:
    """A length that is not that of the message."""
    return octets[:1] + struct.pack(">I", chance.choice(LENGTHS)) + octets[5:]


def _cut(chance: random.Random, octets: bytes) -> bytes:
    """A message without its end, and nothing after it."""
    return octets[: chance.randrange(len(octets))]


def _short(chance: random.Random, octets: bytes) -> bytes:
    """A message without its end, whose length says so."""
    body = octets[6 : chance.randrange(6, len(octets) + 1)]
    return message(octets[5], body)


def _long(chance: random.Random, octets: bytes) -> bytes:
    """A message that has more than it should."""
    return message(octets[5], octets[6:] + chance.randbytes(chance.randint(1, 300)))


def _other(chance: random.Random, octets: bytes) -> bytes:
    """A message of another type."""
    return octets[:5] + bytes((chance.randrange(256),)) + octets[6:]


def _version(chance: random.Random, octets: bytes) -> bytes:
    """A message of another version."""
    return bytes((chance.choice((0, 1, 2, 4, 255)),)) + octets[1:]


def _random(chance: random.Random, octets: bytes) -> bytes:
    """Octets in the place of a body."""
    return message(octets[5], chance.randbytes(len(octets)))


_SPOILS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    *(_turned, _lying, _cut, _short, _long, _other, _version, _random),
)  # fmt: skip
