"""The named fields that PDUs are made of: wire layout and meaning, each said once."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any

from construct import (
    Byte,
    Bytes,
    GreedyBytes,
    GreedyRange,
    Int16ub,
    Int32ub,
    Int64ub,
    Prefixed,
    PrefixedArray,
)

from rotoro.wire.pdu import Part, Wire


class RouteFlags(IntFlag):
    """What the head of a run of routes says of all its rows."""

    ANNOUNCE = 1
    """The routes are announced, and rows have an attribute set; else they are withdrawn."""
    PATHS = 2
    """Rows have a path identifier (RFC 7911)."""
    OFFSETS = 4
    """Rows have a time offset."""


FLAG_SUMS = range(int(sum(RouteFlags)) + 1)
"""Every combination of route flags."""

ZERO_OR_ONE = range(2)


def _text(octets: bytes) -> str:
    return octets.decode()


def _octets(text: str) -> bytes:
    return text.encode()


def _packed(address: IPv4Address | IPv6Address) -> bytes:
    return address.packed


def _list(values: tuple[Any, ...]) -> list[Any]:
    return list(values)


# In the header
SessionId = Annotated[
    int, Wire(Int16ub, "Names one life of the data; a new id voids every older serial.", in_header=True)
]
ErrorCode = Annotated[int, Wire(Int16ub, "Why the sender gave up; see [Error codes](#error-codes).", in_header=True)]
TableNumber = Annotated[int, Wire(Int16ub, "The table, as the catalogue numbers it.", in_header=True)]
TypeNumber = Annotated[int, Wire(Int16ub, "The number that stands for the record type.", in_header=True)]
Capabilities = Annotated[int, Wire(Int16ub, "Bits for what the sender can do; none is defined yet.", in_header=True)]
Reason = Annotated[
    int, Wire(Int16ub, "Why the sender goes: 1 restart, 2 idle; 0 and all others shutdown.", in_header=True)
]
Echo = Annotated[int, Wire(Int16ub, "0 asks for an echo, 1 is the echo.", in_header=True, allowed=ZERO_OR_ONE)]
Outcome = Annotated[int, Wire(Int16ub, "0 accepted, 1 refused.", in_header=True, allowed=ZERO_OR_ONE)]
SetFlags = Annotated[
    int, Wire(Int16ub, "0 puts the text in force, 1 only checks it.", in_header=True, allowed=ZERO_OR_ONE)
]
HeaderFlags = Annotated[int, Wire(Byte, "Bit 0 is set to announce and clear to withdraw.", in_header=True)]
HeaderZero8 = Annotated[int, Wire(Byte, "Sent as zero, ignored when received.", in_header=True, reserved=True)]

# Everybody's
Zero8 = Annotated[int, Wire(Byte, "Sent as zero, ignored when received.", reserved=True)]
Zero16 = Annotated[int, Wire(Int16ub, "Sent as zero, ignored when received.", reserved=True)]
Zero24 = Annotated[bytes, Wire(Bytes(3), "Sent as zero, ignored when received.", reserved=True)]
PrefixLength = Annotated[int, Wire(Byte, "How many leading bits of the prefix count.")]
Prefix4 = Annotated[
    IPv4Address, Wire(Bytes(4), "An IPv4 prefix, its unused bits zero.", from_wire=IPv4Address, to_wire=_packed)
]
Prefix6 = Annotated[
    IPv6Address, Wire(Bytes(16), "An IPv6 prefix, its unused bits zero.", from_wire=IPv6Address, to_wire=_packed)
]

# RTR's
Serial = Annotated[int, Wire(Int32ub, "Version of the data, compared by RFC 1982 arithmetic.")]
Flags = Annotated[int, Wire(Byte, "Bit 0 is set to announce and clear to withdraw.")]
MaxLength = Annotated[int, Wire(Byte, "The longest prefix that the origin may announce.")]
Asn = Annotated[int, Wire(Int32ub, "An autonomous system number.")]
KeyId = Annotated[bytes, Wire(Bytes(20), "Subject key identifier: SHA-1 of the router's public key.")]
KeyInfo = Annotated[bytes, Wire(GreedyBytes, "Subject public key info, DER (RFC 8608).")]
Providers = Annotated[
    tuple[int, ...],
    Wire(GreedyRange(Int32ub), "Provider AS numbers, ascending, none twice.", from_wire=tuple, to_wire=_list),
]
Refresh = Annotated[int, Wire(Int32ub, "Ask again after so many seconds (RFC 8210 section 6).")]
Retry = Annotated[int, Wire(Int32ub, "Ask again after so many seconds if that failed.")]
Expire = Annotated[int, Wire(Int32ub, "Use the data no longer than so many seconds.")]
OffendingPdu = Annotated[bytes, Wire(Prefixed(Int32ub, GreedyBytes), "The PDU in error, or its beginning, or nothing.")]
ErrorText = Annotated[
    str,
    Wire(
        Prefixed(Int32ub, GreedyBytes),
        "What went wrong, for people, in UTF-8.",
        from_wire=lambda octets: octets.decode(errors="backslashreplace"),
        to_wire=_octets,
    ),
]

# Rotoro's: tables and their positions
Epoch = Annotated[int, Wire(Int64ub, "Names one life of a table's data; a serial means nothing in another epoch.")]
TableSerial = Annotated[int, Wire(Int64ub, "Counts the committed changes of one epoch.")]
FromEpoch = Annotated[int, Wire(Int64ub, "The epoch of what a diff changes; 0 for a snapshot.")]
FromSerial = Annotated[int, Wire(Int64ub, "The serial of what a diff changes; 0 for a snapshot.")]
RecordCount = Annotated[int, Wire(Int64ub, "How many records the table has at this position.")]
Digest = Annotated[int, Wire(Int64ub, "The order-independent digest of the table at this position.")]
ListedNumber = Annotated[int, Wire(Int16ub, "The number that stands for the table in the header of its PDUs.")]
RecordType = Annotated[int, Wire(Int16ub, "The record type, as its definition numbers it; 0 where there is none.")]
Resume = Annotated[
    int,
    Wire(Byte, "1 if epoch and serial tell what the subscriber has, 0 if it has nothing.", allowed=ZERO_OR_ONE),
]
EndOfRib = Annotated[int, Wire(Byte, "1 once every source has sent all it had, else 0.", allowed=ZERO_OR_ONE)]

# Rotoro's: records
Repeated = Annotated[int, Wire(Byte, "0 for one value, 1 for a list of them.", allowed=ZERO_OR_ONE)]
Announced = Annotated[int, Wire(Byte, "1 if the records are announced, 0 if withdrawn.", allowed=ZERO_OR_ONE)]
RunFlags = Annotated[
    int,
    Wire(Byte, "What all rows have in common: a sum of [RouteFlags](#routeflags).", allowed=FLAG_SUMS),
]
IngressNumber = Annotated[int, Wire(Int32ub, "Where routes come from, as the sender numbers it.")]
OnlyIngress = Annotated[int, Wire(Int32ub, "Only routes of this ingress; 0xFFFFFFFF for all.")]
Parent = Annotated[int, Wire(Int32ub, "The ingress that this one is heard through; 0xFFFFFFFF for none.")]
PeerAsn = Annotated[int, Wire(Int32ub, "The peer's AS number, or 0.")]
BgpId = Annotated[int, Wire(Int32ub, "The peer's BGP identifier, or 0.")]
Distinguisher = Annotated[int, Wire(Int64ub, "Tells peers of one address apart (RFC 7854 section 4.2), or 0.")]
Address = Annotated[bytes, Wire(Prefixed(Byte, GreedyBytes), "4 octets for IPv4, 16 for IPv6, none for no address.")]
Microseconds = Annotated[int, Wire(Int64ub, "Time received, in microseconds since 1970; 0 if nobody knows.")]
Tick = Annotated[int, Wire(Int32ub, "Microseconds in one unit of the rows' time offsets.")]
SetNumber = Annotated[int, Wire(Int32ub, "Number of the first set; the others follow on.")]
SetLengths = Annotated[
    tuple[int, ...],
    Wire(PrefixedArray(Int32ub, Int16ub), "The length of each set in octets.", from_wire=tuple, to_wire=_list),
]
SetOctets = Annotated[bytes, Wire(GreedyBytes, "The sets, each right behind the one before.")]
RowCount = Annotated[int, Wire(Int32ub, "How many rows follow.")]
Rows = Annotated[bytes, Wire(GreedyBytes, "The rows, up to the end of the PDU.")]
RowSetNumber = Annotated[int, Wire(Int32ub, "The route's attribute set.", when=RouteFlags.ANNOUNCE)]
RowPath = Annotated[int, Wire(Int32ub, "Path identifier (RFC 7911).", when=RouteFlags.PATHS)]
RowOffset = Annotated[int, Wire(Int32ub, "Added to the run's time, in ticks.", when=RouteFlags.OFFSETS)]

# Rotoro's: configuration and housekeeping
Revision = Annotated[int, Wire(Int64ub, "Counts the configurations that were accepted.")]
Sequence = Annotated[int, Wire(Int64ub, "Counts the requests of one sender; none may come twice or out of order.")]
Sha256 = Annotated[bytes, Wire(Bytes(32), "SHA-256 of the whole configuration text.")]
WholeSize = Annotated[int, Wire(Int32ub, "The length of the whole text in octets.")]
PieceOffset = Annotated[int, Wire(Int32ub, "Where this piece of the text begins, in octets.")]
Piece = Annotated[bytes, Wire(GreedyBytes, "This piece of the text, up to the end of the PDU.")]
Line = Annotated[int, Wire(Int32ub, "The line of the text, counted from 1.")]
Column = Annotated[int, Wire(Int32ub, "The column of the line, counted from 1.")]
MaxPdu = Annotated[int, Wire(Int32ub, "The longest PDU that this side takes, in octets.")]
SetLimit = Annotated[int, Wire(Int32ub, "How many attribute sets of a bracket this side keeps at a time.")]
KeepaliveInterval = Annotated[int, Wire(Int32ub, "Seconds between keepalives.")]
Token = Annotated[int, Wire(Int64ub, "Any value; the echo brings it back.")]
CounterValue = Annotated[int, Wire(Int64ub, "How often it happened.")]
Absence = Annotated[int, Wire(Int32ub, "Come back in so many seconds.")]
Name = Annotated[
    str, Wire(Prefixed(Byte, GreedyBytes), "A name in UTF-8, at most 255 octets.", from_wire=_text, to_wire=_octets)
]
Text = Annotated[
    str, Wire(Prefixed(Int16ub, GreedyBytes), "Text in UTF-8, at most 65,535 octets.", from_wire=_text, to_wire=_octets)
]


def listed(entry: type[Part], meaning: str) -> Wire:
    """The wire form of a list of entries: their number as u16, then each."""

    def from_wire(containers: list[Any]) -> tuple[Part, ...]:
        return tuple(entry(**{name: w.value(found[name]) for name, w in entry.wires.items()}) for found in containers)

    def to_wire(entries: tuple[Part, ...]) -> list[dict[str, Any]]:
        return [{name: w.raw(getattr(each, name)) for name, w in entry.laid_out.items()} for each in entries]

    return Wire(PrefixedArray(Int16ub, entry.layout), meaning, from_wire=from_wire, to_wire=to_wire, entry=entry)


def named(names: type[IntEnum]) -> Wire:
    """The wire form of a number of one octet whose values have names; others are refused."""
    meaning = (names.__doc__ or "").partition("\n")[0]
    return Wire(Byte, meaning, names=names, allowed=frozenset(map(int, names)))
