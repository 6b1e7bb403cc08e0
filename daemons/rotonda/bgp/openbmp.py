"""Raw BMP messages as OpenBMP collectors publish them: each behind a header that says from which router it came.

The header is version 1.7 of OpenBMP's binary one, with object type 12. Numbers are big-endian:

| octets | field |
| ---: | --- |
| 4 | magic number, `OBMP` |
| 1 + 1 | version, major and minor |
| 2 | length of the header |
| 4 | length of the message behind it |
| 1 | flags: 0x80 this is about a router, 0x40 its address is of IPv6 |
| 1 | object type |
| 4 + 4 | when the collector had the message, seconds since 1970 and microseconds |
| 16 | hash of the collector |
| 2 + n | administrative identifier of the collector |
| 16 | hash of the router |
| 16 | address of the router; one of IPv4 is in the first 4 octets |
| 2 + n | group of the router |
| 4 | rows |
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import md5
from socket import AF_INET, AF_INET6, inet_ntop

from rotonda.bgp.bmp import HEADER_OCTETS, HandedOn

MAGIC = 0x4F424D50
VERSION = (1, 7)
BMP_RAW = 12
ABOUT_A_ROUTER, OVER_IPV6 = 0x80, 0x40
IDENTIFIER_LIMIT = 255
"""Octets of a collector's identifier."""

_BEGIN = struct.Struct(">IBBHIBBII").pack
_LENGTH = struct.Struct(">xI").unpack_from


class Framing:
    """Puts headers before the messages of one router: of this address, packed, or `b""` if it has none."""

    def __init__(self, collector: str, router: bytes) -> None:
        name = collector.encode()[:IDENTIFIER_LIMIT]
        collector_hash = _hash(name)
        self.key = _hash(_printed(router) + collector_hash)
        """The hash of the router: messages with one key stay in order."""
        self._flags = ABOUT_A_ROUTER | (OVER_IPV6 if len(router) == 16 else 0)
        self._rest = b"".join((
            collector_hash, len(name).to_bytes(2), name, self.key, router.ljust(16, b"\0"),
            bytes(2), (1).to_bytes(4),
        ))  # fmt: skip
        self._length = struct.calcsize(">IBBHIBBII") + len(self._rest)

    def framed(self, message: bytes, now: float) -> bytes:
        """The message behind its header; `now` is in seconds since 1970."""
        seconds = int(now)
        begin = _BEGIN(
            MAGIC, *VERSION, self._length, len(message), self._flags, BMP_RAW, seconds, int((now - seconds) * 1_000_000)
        )
        return b"".join((begin, self._rest, message))


def messages(handed: HandedOn) -> Iterator[bytes]:
    """Each of the BMP messages that were handed on together."""
    octets, at = handed.octets, 0
    while at + HEADER_OCTETS <= len(octets):
        stop = at + _LENGTH(octets, at)[0]
        yield octets[at:stop]
        at = stop


def _hash(octets: bytes) -> bytes:
    return md5(octets, usedforsecurity=False).digest()


def _printed(address: bytes) -> bytes:
    return inet_ntop(AF_INET6 if len(address) == 16 else AF_INET, address).encode() if address else b""
