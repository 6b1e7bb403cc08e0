"""MRT records and BGP messages made by hand, for the tests of this folder."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from rotonda.bgp import loops
from rotonda.bgp.mrt import Damage, MrtReader, PeerEvent
from rotonda.bgp.update import RouteBatch

TIME = 1_000_000_000
PEER = bytes((192, 0, 2, 10))
LOCAL = bytes((192, 0, 2, 1))
ORIGIN = bytes.fromhex("40010100")
NEXT_HOP = bytes.fromhex("400304c0000201")
HOP6 = bytes.fromhex("20010db8000000000000000000000001")
PATH4 = bytes.fromhex("40020a02020000fbf40000fbf5")  # 64500 64501
PATH2 = bytes.fromhex("4002060202fbf4fbf5")
SET4 = ORIGIN + PATH4 + NEXT_HOP
COMPILED = (False, True) if loops.accelerated else (False,)
WHY_PLAIN = "the compiled loops are not built here: only the plain ones are tested"


def record(kind: int, subtype: int, body: bytes, time: int = TIME) -> bytes:
    return struct.pack(">IHHI", time, kind, subtype, len(body)) + body


def index_table(*peers: tuple[bytes, int], view: bytes = b"") -> bytes:
    """A PEER_INDEX_TABLE of peers with 4-octet AS numbers; a peer's identifier is the end of its address."""
    body = LOCAL + struct.pack(">H", len(view)) + view + struct.pack(">H", len(peers))
    for address, asn in peers:
        body += bytes((2 | (len(address) == 16),)) + address[-4:] + address + struct.pack(">I", asn)
    return record(13, 1, body)


def entry(attributes: bytes, peer: int = 0, path: int | None = None, time: int = TIME - 9) -> bytes:
    identifier = b"" if path is None else struct.pack(">I", path)
    return struct.pack(">HI", peer, time) + identifier + struct.pack(">H", len(attributes)) + attributes


def rib(subtype: int, prefix: bytes, *entries: bytes) -> bytes:
    return record(13, subtype, bytes(4) + prefix + struct.pack(">H", len(entries)) + b"".join(entries))


def update(attributes: bytes = b"", announced: bytes = b"", withdrawn: bytes = b"") -> bytes:
    """The body of an UPDATE."""
    lengths = struct.pack(">H", len(withdrawn)), struct.pack(">H", len(attributes))
    return lengths[0] + withdrawn + lengths[1] + attributes + announced


def reach6(nlri: bytes, hop: bytes = HOP6, safi: int = 1) -> bytes:
    value = bytes((0, 2, safi, len(hop))) + hop + b"\0" + nlri
    return struct.pack(">BBH", 0x90, 14, len(value)) + value


def unreach6(nlri: bytes) -> bytes:
    return struct.pack(">BBH", 0x90, 15, 3 + len(nlri)) + b"\0\2\1" + nlri


def message(body: bytes, subtype: int = 4, kind: int = 16, peer: bytes = PEER, asn: int = 64500) -> bytes:
    """A BGP4MP record with an UPDATE."""
    header = speakers(subtype in (4, 7, 9, 11), peer, asn)
    bgp = b"\xff" * 16 + struct.pack(">HB", 19 + len(body), 2) + body
    return record(kind, subtype, (b"\0\0\0\7" if kind == 17 else b"") + header + bgp)


def speakers(four_octet: bool, peer: bytes = PEER, asn: int = 64500) -> bytes:
    numbers = struct.pack(">II" if four_octet else ">HH", asn, 65000)
    return numbers + struct.pack(">HH", 0, 1 if len(peer) == 4 else 2) + peer + LOCAL.rjust(len(peer), b"\0")


@dataclass
class Heard:
    """Everything a reader gave for one stream, its rows as tuples."""

    reader: MrtReader
    rows: list[tuple[bool, int, bytes, int, int]] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    events: list[PeerEvent] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    def note(self, given: Iterator[RouteBatch | Damage | PeerEvent]) -> None:
        for one in given:
            self.order.append(type(one).__name__)
            if isinstance(one, RouteBatch):
                self.rows += rows(one)
            elif isinstance(one, Damage):
                self.damage.append(one)
            else:
                self.events.append(one)


def rows(batch: RouteBatch) -> list[tuple[bool, int, bytes, int, int]]:
    """Announced, peer, key, attribute set and time of each row."""
    octets = batch.keys.dtype.itemsize
    raw = batch.keys.tobytes()
    keys = [raw[at : at + octets] for at in range(0, len(raw), octets)]
    columns = (batch.announce, batch.peers, batch.attributes, batch.times)
    announce, peers, attributes, times = (column.tolist() for column in columns)
    return list(zip(announce, peers, keys, attributes, times, strict=True))


def heard(stream: bytes, compiled: bool, step: int = 1 << 20, batch_rows: int = 65536) -> Heard:
    """What a reader says about a stream that comes in slices of `step` octets."""
    told = Heard(MrtReader("made up", batch_rows, compiled=compiled))
    for at in range(0, len(stream), step):
        told.note(told.reader.receive(stream[at : at + step]))
    told.note(told.reader.finish())
    return told
