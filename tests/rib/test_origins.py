from __future__ import annotations

import random
import struct

from rotonda.bgp import as_path
from rotonda.bgp.attributes import decoded
from rotonda.bgp.errors import Malformed
from rotonda.rib.origins import origins_of
from twisted.trial.unittest import SynchronousTestCase


def plainly(octets: bytes) -> int | None:
    try:
        return decoded(octets).origin_as
    except Malformed:
        return None


def attribute(kind: int, value: bytes, extended: bool = False) -> bytes:
    head = (
        struct.pack(">BBH", 0x50, kind, len(value)) if extended or len(value) > 255 else bytes((0x40, kind, len(value)))
    )
    return head + value


def random_set(chance: random.Random) -> bytes:
    path = tuple(
        (chance.choice((1, 2, 2, 2, 3, 4)), tuple(chance.randrange(1 << 32) for _ in range(chance.randint(1, 4))))
        for _ in range(chance.choice((0, 1, 1, 2, 3, 40)))
    )
    attributes = [attribute(1, b"\0")] * chance.randint(0, 1)
    if chance.random() < 0.9:
        attributes.append(attribute(2, as_path.written(path), chance.random() < 0.2))
    attributes += [
        attribute(kind, chance.randbytes(chance.choice((0, 4, 300)))) for kind in (4, 5, 32) if chance.random() < 0.5
    ]
    return b"".join(attributes)


class OriginTests(SynchronousTestCase):
    def check(self, sets: list[bytes]) -> None:
        origins, known = origins_of(sets)
        for octets, origin, is_known in zip(sets, origins.tolist(), known.tolist(), strict=True):
            self.assertEqual(origin if is_known else None, plainly(octets), octets.hex())
            self.assertTrue(is_known or origin == 0)

    def test_the_same_as_one_by_one(self) -> None:
        chance = random.Random(1)
        self.check([random_set(chance) for _ in range(2000)])

    def test_nothing_and_next_to_nothing(self) -> None:
        self.check([])
        self.check([b""])
        self.check([b"", attribute(2, b""), b""])

    def test_sets_that_go_on_and_on(self) -> None:
        many = b"".join(attribute(200, b"") for _ in range(5000)) + attribute(2, as_path.written(((2, (64496,)),)))
        long = attribute(2, as_path.written(((2, (64496,)),) * 5000 + ((2, (64497,)),)))
        self.check([many, long, attribute(2, as_path.written(((2, (1,)),)))])

    def test_cut_and_broken_sets_are_survived(self) -> None:
        chance = random.Random(2)
        for _ in range(300):
            octets = bytearray(random_set(chance) or b"\0")
            octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
            cut = bytes(octets[: chance.randrange(len(octets) + 1)])
            origins_of([bytes(octets), cut, b"", cut])

    def test_paths_that_cannot_be_have_no_origin(self) -> None:
        for value in ("0201", "020100", "0200", "05010000fbf0", "02020000fbf0", "02010000fbf002"):
            with self.subTest(value):
                self.check([attribute(2, bytes.fromhex(value))])
