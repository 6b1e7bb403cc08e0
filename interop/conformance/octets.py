"""RTR PDUs as octets, made and read without a line of any implementation.

>>> serial_query(2, 0x1111, 1).hex(" ", -4)
'02011111 0000000c 00000001'
>>> [pdu.title for pdu in split(reset_query(1) + cache_response(1, 7))[0]]
['Reset Query', 'Cache Response']
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

SERIAL_NOTIFY, SERIAL_QUERY, RESET_QUERY, CACHE_RESPONSE, IPV4, IPV6 = 0, 1, 2, 3, 4, 6
END_OF_DATA, CACHE_RESET, ROUTER_KEY, ERROR_REPORT, ASPA = 7, 8, 9, 10, 11
TITLES = {
    SERIAL_NOTIFY: "Serial Notify",
    SERIAL_QUERY: "Serial Query",
    RESET_QUERY: "Reset Query",
    CACHE_RESPONSE: "Cache Response",
    IPV4: "IPv4 Prefix",
    IPV6: "IPv6 Prefix",
    END_OF_DATA: "End of Data",
    CACHE_RESET: "Cache Reset",
    ROUTER_KEY: "Router Key",
    ERROR_REPORT: "Error Report",
    ASPA: "ASPA",
}
HEADER = 8
ANNOUNCE, WITHDRAW = 1, 0


def pdu(version: int, number: int, field: int = 0, body: bytes = b"", length: int | None = None) -> bytes:
    """Any PDU; `field` is what stands between type and length, and the length may be a lie."""
    return struct.pack(">BBHI", version, number, field, HEADER + len(body) if length is None else length) + body


def serial_notify(version: int, session: int, serial: int) -> bytes:
    return pdu(version, SERIAL_NOTIFY, session, serial.to_bytes(4))


def serial_query(version: int, session: int, serial: int) -> bytes:
    """The serial is taken modulo 2^32, as RFC 1982 counts."""
    return pdu(version, SERIAL_QUERY, session, (serial % (1 << 32)).to_bytes(4))


def reset_query(version: int, field: int = 0) -> bytes:
    return pdu(version, RESET_QUERY, field)


def cache_response(version: int, session: int) -> bytes:
    return pdu(version, CACHE_RESPONSE, session)


def cache_reset(version: int) -> bytes:
    return pdu(version, CACHE_RESET)


def prefix(version: int, text: str, max_length: int, asn: int, flags: int = ANNOUNCE) -> bytes:
    """An IPv4 or IPv6 Prefix; `text` may have host bits, and the maximum length any value."""
    address = ip_network(text, strict=False)
    octets = struct.pack(">BBBB", flags, address.prefixlen, max_length, 0) + _address(text) + asn.to_bytes(4)
    return pdu(version, IPV4 if address.version == 4 else IPV6, 0, octets)


def router_key(version: int, ski: bytes, asn: int, spki: bytes, flags: int = ANNOUNCE) -> bytes:
    return pdu(version, ROUTER_KEY, flags << 8, ski + asn.to_bytes(4) + spki)


def aspa(version: int, customer: int, providers: Sequence[int], flags: int = ANNOUNCE) -> bytes:
    return pdu(version, ASPA, flags << 8, struct.pack(f">{1 + len(providers)}I", customer, *providers))


def end_of_data(
    version: int, session: int, serial: int, timers: tuple[int, int, int] = (3600, 600, 7200), *, timed: bool = True
) -> bytes:
    """With timers (refresh, retry, expire), unless the version is 0 or they are not wanted."""
    body = struct.pack(">I", serial) + (struct.pack(">3I", *timers) if version and timed else b"")
    return pdu(version, END_OF_DATA, session, body)


def error_report(version: int, code: int, offending: bytes = b"", text: str | bytes = b"") -> bytes:
    words = text.encode() if isinstance(text, str) else text
    body = struct.pack(">I", len(offending)) + offending + struct.pack(">I", len(words)) + words
    return pdu(version, ERROR_REPORT, code, body)


@dataclass(frozen=True, slots=True)
class Heard:
    """One PDU that a subject sent."""

    octets: bytes

    @property
    def version(self) -> int:
        return self.octets[0]

    @property
    def number(self) -> int:
        return self.octets[1]

    @property
    def title(self) -> str:
        return TITLES.get(self.number, f"type {self.number}")

    @property
    def field(self) -> int:
        """Session id or error code; of Router Key and ASPA flags and zero."""
        return int.from_bytes(self.octets[2:4])

    @property
    def body(self) -> bytes:
        return self.octets[HEADER:]

    @property
    def serial(self) -> int:
        """Of Serial Notify, Serial Query and End of Data."""
        return int.from_bytes(self.octets[8:12])

    @property
    def announces(self) -> bool:
        """Of a payload PDU."""
        return bool((self.octets[8] if self.number in (IPV4, IPV6) else self.octets[2]) & 1)

    @property
    def timers(self) -> tuple[int, ...]:
        """Refresh, retry, expire of End of Data; none in version 0."""
        return struct.unpack(">3I", self.octets[12:24]) if len(self.octets) == 24 else ()

    @property
    def offending(self) -> bytes:
        """What an Error Report encapsulates."""
        return self.octets[12 : 12 + int.from_bytes(self.octets[8:12])]

    @property
    def text(self) -> bytes:
        """What an Error Report says to people."""
        return self.octets[16 + len(self.offending) :]

    @property
    def providers(self) -> tuple[int, ...]:
        """Of an ASPA."""
        return struct.unpack(f">{len(self.octets) // 4 - 3}I", self.octets[12:])

    @property
    def key(self) -> tuple[int, bytes]:
        """What the record of a payload PDU is called: of an ASPA the customer, of all others everything they say."""
        if self.number == ASPA:
            return ASPA, self.octets[8:12]
        if self.number == ROUTER_KEY:
            return ROUTER_KEY, self.octets[8:]
        return self.number, self.octets[9:11] + self.octets[12:]


def split(octets: bytes | bytearray) -> tuple[list[Heard], bytes]:
    """Whole PDUs, and what is left behind them; a length below 8 takes the rest."""
    at, found = 0, []
    while len(octets) - at >= HEADER:
        length = int.from_bytes(octets[at + 4 : at + 8])
        if length < HEADER or len(octets) - at < length:
            break
        found.append(Heard(bytes(octets[at : at + length])))
        at += length
    return found, bytes(octets[at:])


def _address(text: str) -> bytes:
    words = text.partition("/")[0]
    return ip_network(words).network_address.packed
