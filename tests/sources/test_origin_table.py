"""Origin validation with an index says what `rotonda.rpki.validation` says."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rotonda.rpki.records import BITS, Vrp
from rotonda.rpki.validation import ValidatedSet
from rotonda.sources.origin_table import OriginTable
from twisted.trial.unittest import SynchronousTestCase

ASNS = (0, 1, 2, 0xFFFFFFFF)


def some_prefix(chance: random.Random, bits: int) -> tuple[int, int]:
    """Address and length, of few."""
    length = chance.choice((0, 1, 2, 8, 9, bits // 2, bits - 1, bits))
    address = chance.choice((0, 1 << bits - 1, (1 << bits) - 1, 5 << bits - 8, 1 << bits - 9, 1 << bits // 2))
    return address >> bits - length << bits - length, length


def column(rows: list[bytes], width: int) -> NDArray[np.bytes_]:
    return np.frombuffer(b"".join(rows), f"S{width}")


class OriginTableTests(SynchronousTestCase):
    @given(st.integers(0, 2**32), st.sampled_from((4, 6)), st.sampled_from((0, 1, 5, 60)))
    def test_both_say_the_same(self, seed: int, family: int, count: int) -> None:
        chance, bits = random.Random(seed), BITS[family]
        vrps = set()
        for _ in range(count):
            address, length = some_prefix(chance, bits)
            vrps.add(Vrp(family, address, chance.randint(length, bits), length, chance.choice(ASNS)).key())
        keys = column(sorted(vrps), bits // 8 + 6)
        none4, none6 = np.empty(0, "S10"), np.empty(0, "S22")
        expected = ValidatedSet(keys, none6) if family == 4 else ValidatedSet(none4, keys)
        routes = [some_prefix(chance, bits) for _ in range(chance.choice((0, 40)))]
        rows = column([address.to_bytes(bits // 8) + bytes((length,)) for address, length in routes], bits // 8 + 1)
        origins = np.array([chance.choice(ASNS) for _ in routes], np.uint32)
        states = OriginTable(keys).states(rows, origins)
        self.assertEqual(states.tolist(), expected.validate_table(rows, origins).tolist())
