"""BGP as Scapy writes it: sessions that are opened, routes that come and go, and messages that cannot be.

Scapy knows nothing of our writers and readers, so that what both understand in the same way is BGP. The same seed gives
the same traffic.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from scapy.contrib import bgp
from scapy.packet import Packet

MARKER = b"\xff" * 16
Paths = dict[str, tuple[int, ...]]
"""The AS path of each prefix."""


@dataclass(frozen=True)
class Traffic:
    """Octets, what is done in them, and how the table is when they were read."""

    what: str
    octets: bytes
    leaves: Paths


def opening(asn: int, bgp_id: str, hold_time: int = 90) -> bytes:
    """OPEN with 4-octet AS numbers and IPv4, and KEEPALIVE."""
    capabilities = [
        bgp.BGPCapMultiprotocol(code=1, length=4, afi=1, safi=1),
        bgp.BGPCapFourBytesASN(code=65, length=4, asn=asn),
    ]
    parameters = [bgp.BGPOptParam(param_type=2, param_value=each) for each in capabilities]
    told = bgp.BGPOpen(my_as=min(asn, 23456), hold_time=hold_time, bgp_id=bgp_id, opt_params=parameters)
    return _message(1, told) + MARKER + b"\0\x13\4"


def _message(kind: int, body: Packet) -> bytes:
    octets = bytes(body)
    return MARKER + struct.pack(">HB", 19 + len(octets), kind) + octets


def steady(seed: int, asn: int, count: int, most: int = 200) -> Iterator[Traffic]:
    """UPDATEs that announce and withdraw routes; at most so many prefixes are ever there."""
    chance = random.Random(seed)
    table: Paths = {}
    universe = [f"10.{number >> 8 & 255}.{number & 255}.0/24" for number in range(most)]
    for number in range(count):
        gone = chance.sample(sorted(table), min(len(table), chance.randrange(4)))
        coming = [each for each in chance.sample(universe, chance.randrange(5)) if each not in gone]
        path = (asn, *(chance.randrange(1, 1 << 32) for _ in range(chance.randrange(5))))
        for prefix in gone:
            del table[prefix]
        table |= dict.fromkeys(coming, path)
        yield Traffic(f"UPDATE {number}", announcement(path, coming, gone), dict(table))


def announcement(path: tuple[int, ...], coming: list[str], gone: list[str] | None = None) -> bytes:
    """An UPDATE for routes with that path."""
    segments = [bgp.BGPPAAS4BytesPath.ASPathSegment(segment_type=2, segment_value=list(path))]
    attributes = [
        bgp.BGPPathAttr(type_flags=0x40, type_code=1, attribute=bgp.BGPPAOrigin(origin=0)),
        bgp.BGPPathAttr(type_flags=0x40, type_code=2, attribute=bgp.BGPPAAS4BytesPath(segments=segments)),
        bgp.BGPPathAttr(type_flags=0x40, type_code=3, attribute=bgp.BGPPANextHop(next_hop="192.0.2.1")),
    ]
    update = bgp.BGPUpdate(
        withdrawn_routes=[bgp.BGPNLRI_IPv4(prefix=each) for each in gone or []],
        path_attr=attributes if coming else [],
        nlri=[bgp.BGPNLRI_IPv4(prefix=each) for each in coming],
    )
    return _message(2, update)


def hostile(seed: int, asn: int, count: int) -> Iterator[tuple[str, bytes]]:
    """What ends a session or loses routes: octets that are changed, cut, repeated, and lengths that lie."""
    chance = random.Random(seed)
    for number, traffic in enumerate(steady(seed, asn, count)):
        octets = bytearray(traffic.octets)
        kind = number % 6
        place = chance.randrange(19 if kind == 1 else 0, len(octets))
        if kind == 0:
            octets[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            octets[place:] = chance.randbytes(len(octets) - place)
        elif kind == 2:
            octets[16:18] = chance.randrange(1 << 16).to_bytes(2)
        elif kind == 3:
            octets[18] = chance.randrange(256)
        elif kind == 4:
            del octets[place:]
        else:
            octets[19:] = octets[19:] * 2
            octets[16:18] = len(octets).to_bytes(2)
        yield ("a bit", "a rest", "a length", "a type", "an end", "a body twice")[kind], bytes(octets)
