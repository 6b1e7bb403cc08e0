"""Malformed RTR, made from the layers that Scapy brings itself: nothing of ours decides what a PDU looks like.

Each piece of traffic begins as good PDUs in versions 0 and 1, of which one is then spoilt: fields at random, a length
that lies, an end that is missing, octets turned. The same seed makes the same traffic.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scapy.contrib import rtr
from scapy.fields import StrField
from scapy.packet import Packet
from scapy.volatile import RandIP, RandIP6

LENGTHS = (0, 1, 7, 8, 9, 11, 12, 13, 20, 24, 31, 32, 33, 400, 65_535, 65_536, 1 << 24, (1 << 32) - 1)
VERSIONS = (0, 1)
SESSION = 7
RETRY = 1


@dataclass(frozen=True)
class Traffic:
    """Octets for one connection, and what is wrong with them."""

    what: str
    version: int
    octets: bytes


def for_caches(seed: int, count: int) -> Iterator[Traffic]:
    """What a router might say."""
    return _traffic(seed, count, _queries, VERSIONS)


def for_routers(seed: int, count: int) -> Iterator[Traffic]:
    """What a cache of version 1 might answer to the first query on a connection.

    Nothing offers version 0 in good order: that would be taken, and has no timers by which a router comes back soon.
    """
    return _traffic(seed, count, _answer, (1,))


def good_answer(query: bytes, prefixes: list[tuple[str, int, int]]) -> bytes:
    """What a cache answers when nothing is wrong: all that it has, to who asks for all of it."""
    version, kind = query[:2]
    if kind != rtr.RTRResetQuery().pdu_type:
        return bytes(rtr.RTRCacheReset(rtr_version=version))
    version = min(version, max(VERSIONS))
    records = [_prefix(version, *row) for row in prefixes]
    return b"".join(map(bytes, [_response(version), *records, _end(version, 1)]))


def _traffic(
    seed: int, count: int, good: Callable[[random.Random, int], list[Packet]], versions: tuple[int, ...]
) -> Iterator[Traffic]:
    chance = random.Random(seed)
    number = 0
    while number < count:
        version = chance.choice(versions)
        pdus = good(chance, version)
        at = chance.randrange(len(pdus))
        spoil = _SPOILS[number % len(_SPOILS)]
        spoilt = spoil(chance, pdus[at])
        if spoilt[0] < min(versions):
            continue
        after = [] if spoil is _cut else pdus[at + 1 :]
        octets = b"".join([*map(bytes, pdus[:at]), spoilt, *map(bytes, after)])
        yield Traffic(f"{number}: {pdus[at].name}, {spoil.__name__.strip('_')}", version, octets)
        number += 1


# --- good PDUs -------------------------------------------------------------------------------------------------------


def _queries(chance: random.Random, version: int) -> list[Packet]:
    """Queries, and now and then an Error Report or what only a cache may say."""
    makers: list[Callable[[], Packet]] = [
        lambda: rtr.RTRResetQuery(rtr_version=version),
        lambda: rtr.RTRSerialQuery(rtr_version=version, session_id=chance.randrange(1 << 16), serial_number=1),
        lambda: rtr.RTRErrorReport(
            rtr_version=version, error_code=chance.randrange(12), erroneous_PDU=bytes(8), error_text=b"no"
        ),
        lambda: _any(chance, version),
    ]
    return [make() for make in chance.choices(makers, [4, 3, 1, 2], k=chance.randint(1, 3))]


def _answer(chance: random.Random, version: int) -> list[Packet]:
    """Cache Response, data, End of Data."""
    data = [_any(chance, version, (4, 4, 6, 9) if version else (4, 4, 6)) for _ in range(chance.randint(1, 5))]
    return [_response(version), *data, _end(version, chance.randrange(1 << 32))]


def _any(chance: random.Random, version: int, numbers: tuple[int, ...] = (0, 3, 4, 6, 7, 8, 10)) -> Packet:
    number = chance.choice(numbers)
    asn = chance.randrange(1 << 32)
    if number == 4:
        return _prefix(version, f"{chance.randrange(1, 224)}.{chance.randrange(256)}.0.0/16", 24, asn)
    if number == 6:
        return _prefix(version, f"2001:{chance.randrange(1 << 16):x}::/32", 48, asn)
    if number == 9:
        return rtr.RTRRouterKey(
            rtr_version=version, flags=1, subject_key_identifier=chance.randbytes(20), asn=asn,
            subject_PKI=chance.randbytes(91),
        )  # fmt: skip
    layers = rtr.PDU_CLASS_VERSION_1 if version else rtr.PDU_CLASS_VERSION_0
    return layers[number](rtr_version=version)


def _prefix(version: int, prefix: str, longest: int, asn: int) -> Packet:
    address, _, length = prefix.partition("/")
    layer = rtr.RTRIPv6Prefix if ":" in address else rtr.RTRIPv4Prefix
    return layer(
        rtr_version=version, flags=1, shortest_length=int(length), longest_length=longest, prefix=address, asn=asn
    )


def _response(version: int) -> Packet:
    return rtr.RTRCacheResponse(rtr_version=version, session_id=SESSION)


def _end(version: int, serial: int) -> Packet:
    if version == 0:
        return rtr.RTREndofDatav0(session_id=SESSION, serial_number=serial)
    return rtr.RTREndofDatav1(
        session_id=SESSION, serial_number=serial, refresh_interval=3600, retry_interval=RETRY, expire_interval=7200
    )


# --- how they are spoilt ---------------------------------------------------------------------------------------------


def _fields(chance: random.Random, pdu: Packet) -> bytes:
    """Some fields have any value that fits; Scapy's own random addresses where the field takes an address."""
    spoilt = pdu.copy()
    for field in chance.sample(pdu.fields_desc, chance.randint(1, 3)):
        if field.name == "prefix":
            address = RandIP6() if isinstance(pdu, rtr.RTRIPv6Prefix) else RandIP()
            spoilt.setfieldval("prefix", _drawn(chance, address))
        elif isinstance(field, StrField):
            spoilt.setfieldval(field.name, chance.randbytes(chance.randrange(64)))
        else:
            spoilt.setfieldval(field.name, chance.randrange(1 << 8 * int(field.sz)))
    return bytes(spoilt)


def _length(chance: random.Random, pdu: Packet) -> bytes:
    """The length lies."""
    octets = bytearray(bytes(pdu))
    struct.pack_into(">I", octets, 4, chance.choice([*LENGTHS, len(octets) + chance.choice([-4, -1, 1, 4])]))
    return bytes(octets)


def _cut(chance: random.Random, pdu: Packet) -> bytes:
    """It ends early, and so does everything."""
    return bytes(pdu)[: chance.randrange(1, len(pdu))]


def _longer(chance: random.Random, pdu: Packet) -> bytes:
    """There is more in it than there should be, and its length says so."""
    octets = bytearray(bytes(pdu) + chance.randbytes(chance.randint(1, 600)))
    struct.pack_into(">I", octets, 4, len(octets))
    return bytes(octets)


def _turned(chance: random.Random, pdu: Packet) -> bytes:
    """Some bits are turned."""
    octets = bytearray(bytes(pdu))
    for _ in range(chance.randint(1, 4)):
        octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    return bytes(octets)


def _version(chance: random.Random, pdu: Packet) -> bytes:
    """It is of another version."""
    return bytes([chance.choice([0, 1, 2, 3, 9, 127, 129, 255])]) + bytes(pdu)[1:]


def _kind(chance: random.Random, pdu: Packet) -> bytes:
    """It is of another type, with the same octets."""
    octets = bytes(pdu)
    return octets[:1] + bytes([chance.choice([*range(14), 64, 254, 255])]) + octets[2:]


def _nested(chance: random.Random, pdu: Packet) -> bytes:
    """It comes in an Error Report whose inner lengths lie."""
    octets = bytearray(
        bytes(rtr.RTRErrorReport(rtr_version=pdu.rtr_version, erroneous_PDU=bytes(pdu), error_text=b"x"))
    )
    struct.pack_into(">I", octets, 8, chance.choice(LENGTHS))
    return bytes(octets)


def _twice(chance: random.Random, pdu: Packet) -> bytes:
    """It comes many times."""
    return bytes(pdu) * chance.randint(2, 40)


_SPOILS = (_fields, _length, _cut, _longer, _turned, _version, _kind, _nested, _twice)


def _drawn(chance: random.Random, value: RandIP | RandIP6) -> str:
    """What Scapy draws from the chance that all programs share, drawn from ours."""
    before = random.getstate()
    random.seed(chance.randrange(1 << 32))
    try:
        return str(value)
    finally:
        random.setstate(before)
