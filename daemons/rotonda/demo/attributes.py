"""The path attributes of the demo's routes, as BGP writes them (RFC 4271, 4760, 1997, 4360, 8092, 9234).

How often each attribute is met, and how long paths and lists of communities are: RouteViews, 2026-02-22.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from .dice import Dice
from .world import Peer, Table, World

OPTIONAL, TRANSITIVE, EXTENDED = 0x80, 0x40, 0x10
_WORDS = [struct.Struct(f">{count}I") for count in range(256)]
_PEER_AND_TIME = struct.Struct(">HIH")


def attribute(flags: int, kind: int, value: bytes) -> bytes:
    """One attribute with its header, of one or of two octets of length."""
    if len(value) < 256:
        return bytes((flags, kind, len(value))) + value
    return struct.pack(">BBH", flags | EXTENDED, kind, len(value)) + value


@dataclass(frozen=True, slots=True)
class _Chances:
    """One attribute set's throws: some numbers below 1, some of 64 bits, and how many communities it has."""

    shares: list[float]
    bits: list[int]
    communities: int


def entries(world: World, table: Table, now: int) -> Iterator[bytes]:
    """For each attribute set of a table its RIB entries of all peers that have it (RFC 6396 section 4.3.4)."""
    family, count, peers = table.prefixes.family, len(table.set_origins), len(world.peers)
    dice = Dice(world.seed, f"attributes {family}")
    shares = dice.shares(count * (10 + peers * 2)).reshape(count, 10 + peers * 2).tolist()
    bits = dice.bits(count * (2 + peers)).reshape(count, 2 + peers).tolist()
    lengths = dice.runs(count, 0.83, 60).tolist()
    tagged = _communities_of(world)
    for row, place in enumerate(table.set_origins.tolist()):
        chances = _Chances(shares[row], bits[row], lengths[row])
        yield _entries_of_set(world, family, place, chances, tagged, now)


def _entries_of_set(
    world: World, family: int, place: int, chances: _Chances, tagged: dict[int, list[int]], now: int
) -> bytes:
    age = chances.shares[0]  # The young ones are many.
    since = now - 60 - int(age * age * age * 60 * 86_400)
    head = attribute(TRANSITIVE, 1, b"\0" if chances.shares[1] < 0.905 else b"\2")
    made = []
    for number, peer in enumerate(world.peers):
        gap, with_med = chances.shares[10 + 2 * number : 12 + 2 * number]
        if number and gap < 0.03:  # No two neighbours have quite the same table.
            continue
        path = as_path(world, peer, place, chances.bits[2 + number])
        ases = attribute(TRANSITIVE, 2, bytes((2, len(path))) + _WORDS[len(path)].pack(*path))
        med = attribute(OPTIONAL, 4, _med(with_med)) if with_med < 0.22 else b""
        before, after = _transitive(world.asns[place], path, chances, tagged)
        if family == 4:
            octets = head + ases + attribute(TRANSITIVE, 3, peer.address4.to_bytes(4, "big")) + med + before + after
        else:
            octets = head + ases + med + before + _reach(peer) + after
        made.append(_PEER_AND_TIME.pack(number, since, len(octets)) + octets)
    return len(made).to_bytes(2, "big") + b"".join(made)


def _med(share: float) -> bytes:
    """Half of them 0, the rest small numbers; `share` is below 0.22."""
    return (0 if share < 0.11 else int((share - 0.11) * 1_000) * 10).to_bytes(4, "big")


def _reach(peer: Peer) -> bytes:
    """MP_REACH_NLRI, of which MRT has only the next hop (RFC 6396 section 4.3.4)."""
    return attribute(OPTIONAL, 14, b"\x10" + peer.address6.to_bytes(16, "big"))


def as_path(world: World, peer: Peer, place: int, chance: int) -> list[int]:
    """The path from a peer to an origin: up from the origin to a network without providers, and down to the peer."""
    up = [place]
    while up[-1] != peer.place and world.providers[up[-1]]:
        offered = world.providers[up[-1]]
        up.append(offered[(chance >> 4 * len(up)) % len(offered)])
    above = world.providers[peer.place]
    if up[-1] == peer.place:
        places = up[::-1]
    elif up[-1] in above:
        places = [peer.place, *up[::-1]]
    else:
        places = [peer.place, above[chance % len(above)], *up[::-1]]
    path = [world.asns[place] for place in places]
    # Prepending: by one origin in nine, and rarely further on.
    chance >>= 40
    if chance % 9 == 0:
        path += [path[-1]] * (1 + chance // 9 % 4)
    if chance % 50 == 1 and len(path) > 2:
        path.insert(1, path[1])
    return path


def _communities_of(world: World) -> dict[int, list[int]]:
    """The communities that each of the larger networks sets; only what has 16 bits can name itself in them."""
    large = [asn for asn in world.asns[: len(world.asns) // 8] if asn < 65_536]
    values = iter((Dice(world.seed, "communities").bits(len(large) * 40) & 0xFFFF).tolist())
    return {asn: [asn << 16 | next(values) for _ in range(40)] for asn in large}


def _transitive(origin: int, path: list[int], chances: _Chances, tagged: dict[int, list[int]]) -> tuple[bytes, bytes]:
    """What comes after the next hop and MED, and after the place of MP_REACH_NLRI, in the order of the types."""
    shares, (bits, more_bits) = chances.shares, chances.bits[:2]
    words = partial(struct.pack, ">2I")
    before = after = b""
    if shares[2] < 0.027:
        before += attribute(TRANSITIVE, 6, b"")
    if shares[3] < 0.06:
        before += attribute(OPTIONAL | TRANSITIVE, 7, words(origin, 0x0A00_0000 | bits & 0xFF_FFFF))
    if shares[4] < 0.76:
        taggers = [tagged[asn] for asn in dict.fromkeys(path) if asn in tagged] or [[0xFFFF_029A]]
        drawn = {
            taggers[k % len(taggers)][(bits >> k % 32) % len(taggers[k % len(taggers)])]
            for k in range(chances.communities)
        }
        before += attribute(OPTIONAL | TRANSITIVE, 8, _WORDS[len(drawn)].pack(*sorted(drawn)))
    if shares[5] < 0.03:
        after += attribute(OPTIONAL | TRANSITIVE, 16, words(0x0002_0000 | path[0] & 0xFFFF, more_bits & 0xFFFF))
    if shares[6] < 0.16:
        places = sorted({(path[k % len(path)], k, more_bits >> 4 * k & 0xFFFF) for k in range(1 + bits % 6)})
        after += attribute(OPTIONAL | TRANSITIVE, 32, b"".join(struct.pack(">3I", *place) for place in places))
    if shares[7] < 0.02 and len(path) > 1:
        after += attribute(OPTIONAL | TRANSITIVE, 35, path[1].to_bytes(4, "big"))
    return before, after
