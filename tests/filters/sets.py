"""Random attribute sets for the tests of this folder: usual ones, odd ones and broken ones."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from rotonda.bgp import as_path

LIST_WIDTHS = {8: 4, 10: 4, 16: 8, 32: 12}


def attribute(kind: int, value: bytes, *, extended: bool = False, flags: int = 0x40) -> bytes:
    """One attribute as BGP writes it."""
    if extended or len(value) > 255:
        return struct.pack(">BBH", flags | 0x10, kind, len(value)) + value
    return bytes((flags, kind, len(value))) + value


def random_path(chance: random.Random) -> as_path.AsPath:
    """A path of few small numbers, so that they meet, of all kinds of segments, sometimes a very long one."""
    return tuple(
        (
            chance.choice((1, 2, 2, 2, 2, 3, 4)),
            tuple(chance.choice((0, 1, 2, 3, 64496, 0xFFFFFFFF)) for _ in range(chance.choice((1, 2, 3, 255)))),
        )
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 40)))
    )


def _list(kind: int) -> Callable[[random.Random], bytes]:
    width = LIST_WIDTHS[kind]
    values = [bytes(width), bytes(width - 1) + b"\1", b"\1" + bytes(width - 1), b"\xff" * width]
    return lambda chance: b"".join(chance.choice(values) for _ in range(chance.choice((0, 1, 2, 3, 90))))


def _hop(chance: random.Random) -> bytes:
    length = chance.choice((4, 16, 16, 32))
    return bytes((0, chance.choice((1, 2)), 1, length)) + chance.randbytes(length) + b"\0"


SOUND: dict[int, Callable[[random.Random], bytes]] = {
    1: lambda chance: bytes((chance.randrange(3),)),
    2: lambda chance: as_path.written(random_path(chance)),
    3: lambda chance: chance.randbytes(4),
    4: lambda chance: chance.randbytes(4),
    5: lambda chance: chance.randbytes(4),
    6: lambda chance: b"",
    7: lambda chance: chance.randbytes(8),
    8: _list(8),
    9: lambda chance: chance.randbytes(4),
    10: _list(10),
    14: _hop,
    16: _list(16),
    32: _list(32),
    35: lambda chance: chance.randbytes(4),
    200: lambda chance: chance.randbytes(chance.choice((0, 3, 300))),
}


def usual_set(chance: random.Random) -> bytes:
    """A set in normal form."""
    return b"".join(
        attribute(kind, value(chance), flags=0xC0) for kind, value in SOUND.items() if chance.random() < 0.6
    )


def odd_set(chance: random.Random) -> bytes:
    """A set in no order, with attributes that are there twice, of wrong length, or cannot be."""
    attributes = []
    for _ in range(chance.choice((0, 1, 3, 8, 60))):
        kind = chance.choice((*SOUND, 0, 15))
        value = SOUND[kind](chance) if kind in SOUND and chance.random() < 0.7 else b""
        if chance.random() < 0.2:
            value = bytes(chance.randrange(4)) + value[: chance.randrange(len(value) + 1)]
        attributes.append(attribute(kind, value, extended=chance.random() < 0.2))
    if chance.random() < 0.5:
        attributes.sort(key=lambda octets: octets[1])
    return b"".join(attributes)


def broken_set(chance: random.Random) -> bytes:
    """A set with one wrong bit, or cut."""
    octets = bytearray(chance.choice((usual_set, odd_set))(chance) or b"\0")
    octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    return bytes(octets[: chance.randrange(len(octets) + 1)] if chance.random() < 0.4 else octets)


def some_set(chance: random.Random) -> bytes:
    """Any of these."""
    return chance.choice((usual_set, usual_set, odd_set, broken_set))(chance)
