"""Small random tables that are full of coincidences: few prefixes, nested ones, few sets, few ingresses."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

from rotoro.table import AttributeStore, Ingress, IngressKind, IngressState, Records, RouteSlot, Slot, Snapshot


def attribute_set(origin: int | None, communities: tuple[tuple[int, int], ...] = (), med: int = 0) -> bytes:
    """A set whose path ends in `origin`, or in an AS_SET for None."""
    last = (2, 1, origin) if origin is not None else (1, 1, 64511)
    path = struct.pack(">BBI", 2, 1, 64500) + struct.pack(">BBI", *last)
    octets = (
        bytes.fromhex("40010100") + struct.pack(">BBB", 0x40, 2, len(path)) + path + bytes.fromhex("400304c0000201")
    )
    octets += struct.pack(">BBBI", 0x80, 4, 4, med)
    if communities:
        values = b"".join(struct.pack(">HH", *community) for community in communities)
        octets += struct.pack(">BBB", 0xC0, 8, len(values)) + values
    return octets


SETS = [
    attribute_set(origin, communities, med)
    for origin in (64496, 64497, None)
    for communities in ((), ((64496, 1),), ((64496, 1), (64497, 2)))
    for med in (0, 1)
]


@dataclass(frozen=True)
class PlainRoute:
    """One route of a table, as a loop reads it."""

    family: int
    address: int
    length: int
    path: int
    ingress: Ingress
    octets: bytes
    time: int

    @property
    def order(self) -> tuple[int, ...]:
        return self.family, self.address, self.length, self.ingress.number, self.path


def key(family: int, address: int, length: int, path: int = 0) -> bytes:
    """The key of a route."""
    return address.to_bytes(4 if family == 4 else 16) + bytes([length]) + path.to_bytes(4)


def ingresses(count: int = 4) -> list[Ingress]:
    """Some ingresses, of which two have the same AS and one is down."""
    return [
        Ingress(
            number,
            IngressKind.BGP,
            bytes([192, 0, 2, number]),
            64500 + number // 2,
            state=IngressState.DOWN if number == 1 else IngressState.UP,
        )
        for number in range(count)
    ]


def random_routes(seed: int, count: int, origins: list[Ingress]) -> list[PlainRoute]:
    """Routes without doubles, in any order."""
    chance = random.Random(seed)
    found: dict[tuple[int, ...], PlainRoute] = {}
    for _ in range(count):
        family = chance.choice((4, 4, 6))
        bits = 32 if family == 4 else 128
        length = chance.choice((0, 1, 8, 9, 16, 24, bits - 1, bits))
        shift = bits - length
        address = (
            chance.choice((0, 1, 10, 127, 255)) << bits - 8 | chance.randrange(4) << bits - 16 | chance.randrange(3)
        )
        route = PlainRoute(
            family,
            address >> shift << shift,
            length,
            chance.choice((0, 0, 1, 0xFFFFFFFF)),
            chance.choice(origins),
            chance.choice(SETS),
            chance.randrange(1 << 32),
        )
        found[route.order] = route
    return list(found.values())


def snapshot_of(routes: list[PlainRoute], store: AttributeStore) -> Snapshot:
    """The table of these routes."""
    slots: dict[tuple[int, int], list[PlainRoute]] = {}
    for route in routes:
        slots.setdefault((route.family, route.ingress.number), []).append(route)
    table: dict[Slot, Records] = {}
    for (family, _), own in slots.items():
        slot = RouteSlot(4 if family == 4 else 6, own[0].ingress, store)
        keys = [key(route.family, route.address, route.length, route.path) for route in own]
        numbers = [store.intern(route.octets) for route in own]
        table[slot] = Records.of(slot, keys, numbers, [route.time for route in own])
    return Snapshot.of(table)
