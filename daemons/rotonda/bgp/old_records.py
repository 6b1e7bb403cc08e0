"""MRT records of the last century, one route or message each: TABLE_DUMP (RFC 6396 §4.2) and BGP, type 5 (§B.2)."""

from __future__ import annotations

from rotonda.bgp.errors import Malformed
from rotonda.bgp.peers import Peer, Peers
from rotonda.bgp.sets import Form, set_number
from rotonda.bgp.update import ADDRESS_OCTETS, Rows, nlri

BGP_UPDATE, BGP_STATE_CHANGE = 1, 3
_MESSAGE_AT = 12  # after the AS and the IPv4 address of both sides


def table_dump(body: bytes, family: int, peers: Peers, rows: Rows, form: Form) -> None:
    """Add the route of one TABLE_DUMP record."""
    octets = ADDRESS_OCTETS[family]
    fixed = 14 + 2 * octets
    length = int.from_bytes(body[fixed - 2 : fixed])
    if len(body) != fixed + length or len(body) < fixed:
        raise Malformed(f"attributes of {length} octets in a TABLE_DUMP record of {len(body)}", body)
    address, bits = body[4 : 4 + octets], body[4 + octets]
    at = 6 + octets
    raw = nlri(bytes((bits,)) + address[: bits + 7 >> 3], 0, 1 + (min(bits, octets * 8) + 7 >> 3), octets, False)
    peer = Peer(body[at + 4 : at + 4 + octets], int.from_bytes(body[fixed - 4 : fixed - 2]))
    number = set_number(form, body[fixed:])
    rows.waiting[family].add(raw, True, peers.number(peer), number, int.from_bytes(body[at : at + 4]))


def bgp_update(body: bytes, time: int, peers: Peers, rows: Rows) -> None:
    """Add the routes of one UPDATE of type 5."""
    rows.update(body, _MESSAGE_AT, len(body), peers.number(_peer(body, _MESSAGE_AT)), time, four_octet=False)


def bgp_state_change(body: bytes, peers: Peers) -> tuple[int, int, int]:
    """Peer, old state and new state."""
    if len(body) != 10:
        raise Malformed(f"state change of {len(body)} octets", body)
    return peers.number(_peer(body, 10)), int.from_bytes(body[6:8]), int.from_bytes(body[8:10])


def _peer(body: bytes, least: int) -> Peer:
    if len(body) < least:
        raise Malformed(f"BGP record of {len(body)} octets", body)
    return Peer(body[2:6], int.from_bytes(body[:2]))
