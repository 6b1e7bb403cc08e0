"""Who sent the routes: the peers of an archive, each with one number, and how records describe them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from ipaddress import ip_address

from rotonda.bgp.errors import Malformed

PEER_LIMIT = 1 << 20  # the largest collectors have some thousands


@dataclass(frozen=True, slots=True)
class Peer:
    """A BGP speaker as an archive describes it."""

    address: bytes  # 4 or 16 octets
    asn: int
    bgp_id: int = 0  # 0: not told
    view_name: str = ""
    local: bool = False  # what the collector sent to this peer, not what it got from it (RFC 6396 §4.4.5)

    def __str__(self) -> str:
        return f"{ip_address(self.address)} AS{self.asn}{' (sent to)' if self.local else ''}"


class Peers:
    """Peers numbered in order of first use; one without a BGP identifier is the first peer of that address and AS."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self._numbers: dict[tuple[bytes, int, int, bool], int] = {}

    def number(self, peer: Peer) -> int:
        """The number of the peer with the same address, AS, identifier and direction."""
        identity = (peer.address, peer.asn, peer.bgp_id, peer.local)
        number = self._numbers.get(identity)
        if number is None:
            if len(self.peers) >= PEER_LIMIT:
                raise Malformed(f"more than {PEER_LIMIT} peers", peer.address)
            number = self._numbers[identity] = len(self.peers)
            self._numbers.setdefault((peer.address, peer.asn, 0, peer.local), number)
            self.peers.append(peer)
        return number


def index_table(body: bytes, peers: Peers, numbers: array[int]) -> None:
    """Append to `numbers` our number for each peer of a PEER_INDEX_TABLE (RFC 6396 §4.3.1).

    `Malformed` comes after the peers in front of the fault: their places in the table are certain.
    """
    at = 6 + int.from_bytes(body[4:6])
    count = int.from_bytes(body[at : at + 2])
    if at + 2 > len(body):
        raise Malformed("peer index table is too short for its view name", body)
    view_name = body[6:at].decode("utf-8", "backslashreplace")
    at += 2
    for place in range(count):
        kind = body[at] if at < len(body) else 0
        address_end = at + 5 + (16 if kind & 1 else 4)
        end = address_end + (4 if kind & 2 else 2)
        if end > len(body):
            raise Malformed(f"peer {place} of {count} goes beyond the peer index table", body[at:])
        bgp_id, asn = int.from_bytes(body[at + 1 : at + 5]), int.from_bytes(body[address_end:end])
        numbers.append(peers.number(Peer(body[at + 5 : address_end], asn, bgp_id, view_name)))
        at = end
    if at != len(body):
        raise Malformed(f"{len(body) - at} octets after the last peer", body[at:])


def described(octets: bytes, four_octet: bool, local: bool) -> Peer:
    """The peer of a BGP4MP record, from the octets between its header and the message or states (RFC 6396 §4.4)."""
    width, fixed = (4, 12) if four_octet else (2, 8)
    family = int.from_bytes(octets[fixed - 2 : fixed])
    size = {1: 4, 2: 16}.get(family, 0)
    if not size or len(octets) != fixed + 2 * size:
        raise Malformed(f"peer of AFI {family} in {len(octets)} octets", octets)
    return Peer(octets[fixed : fixed + size], int.from_bytes(octets[:width]), local=local)
