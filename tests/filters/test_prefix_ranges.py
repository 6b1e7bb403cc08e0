"""Prefixes in ranges: both ways to find them, and what a range says of one prefix."""

from __future__ import annotations

import random
import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rotonda.blocks.values import BITS, Prefix, PrefixMatch
from rotonda.filters.prefix_ranges import PrefixColumn, PrefixRanges
from twisted.trial.unittest import SynchronousTestCase


def some_prefix(chance: random.Random, octets: int) -> Prefix:
    """One of few, so that they meet."""
    bits = BITS[octets]
    whole = chance.choice((0, (1 << bits) - 1, 10 << bits - 8, 10 << bits - 8 | 1 << bits - 20, 1, 1 << bits // 2))
    address = whole ^ chance.choice((0, 0, 1 << chance.randrange(bits)))
    length = chance.choice((0, 1, 7, 8, 9, 20, 24, bits // 2, bits - 1, bits))
    return Prefix(address.to_bytes(octets), bits).cut(length)


def some_range(chance: random.Random, octets: int) -> PrefixMatch:
    """Any range, also one that has no prefix."""
    prefix = some_prefix(chance, octets)
    low, high = chance.randint(0, prefix.bits), chance.randint(0, prefix.bits)
    through = some_prefix(chance, octets) if chance.random() < 0.2 else None
    return PrefixMatch(prefix, chance.choice((prefix.length, low)), chance.choice((prefix.bits, high)), through)


def column(prefixes: list[Prefix], octets: int) -> PrefixColumn:
    """The prefixes with path identifiers."""
    keys = sorted({one.octets + bytes((one.length,)) + struct.pack(">I", at % 3) for at, one in enumerate(prefixes)})
    return PrefixColumn(np.frombuffer(b"".join(keys), f"S{octets + 5}"))


class PrefixRangeTests(SynchronousTestCase):
    @given(st.integers(0, 2**32), st.sampled_from((4, 16)), st.sampled_from((0, 1, 5, 80)))
    def test_both_ways_find_what_the_ranges_say(self, seed: int, octets: int, count: int) -> None:
        chance = random.Random(seed)
        ranges = [some_range(chance, chance.choice((octets, octets, 20 - octets))) for _ in range(count)]
        rows = column([some_prefix(chance, octets) for _ in range(chance.choice((0, 1, 50)))], octets)
        prefixes = [rows.prefix(row) for row in range(len(rows))]
        expected = [any(one.matches(prefix) for one in ranges) for prefix in prefixes]
        own = PrefixRanges(ranges)
        self.assertEqual(own.looked_up(rows).tolist(), expected)
        self.assertEqual(own.from_shelves(rows).tolist(), expected)
        self.assertEqual(own.matches(rows).tolist(), expected)
        some = np.flatnonzero([chance.random() < 0.3 for _ in prefixes])
        self.assertEqual(own.matches(rows.take(some)).tolist(), [expected[row] for row in some])

    @given(st.integers(0, 2**32), st.sampled_from((4, 16)))
    def test_covering_and_exact_prefixes(self, seed: int, octets: int) -> None:
        chance = random.Random(seed)
        wanted = some_prefix(chance, chance.choice((octets, octets, 20 - octets)))
        rows = column([some_prefix(chance, octets) for _ in range(40)], octets)
        prefixes = [rows.prefix(row) for row in range(len(rows))]
        self.assertEqual(PrefixRanges.covering(wanted).matches(rows).tolist(), [one.covers(wanted) for one in prefixes])
        self.assertEqual(PrefixRanges.exactly([wanted]).matches(rows).tolist(), [one == wanted for one in prefixes])

    @given(st.integers(0, 2**32), st.sampled_from((4, 16)))
    def test_what_rows_say_of_some_of_them(self, seed: int, octets: int) -> None:
        chance = random.Random(seed)
        rows = column([some_prefix(chance, octets) for _ in range(40)], octets)
        for share in (0.02, 0.6):
            chosen = np.flatnonzero([chance.random() < share for _ in range(len(rows))])
            some = rows.take(chosen)
            self.assertEqual(len(some), len(chosen))
            self.assertEqual(
                [some.prefix(row) for row in range(len(some))], [rows.prefix(row) for row in chosen.tolist()]
            )
            for name in ("keys", "prefixes", "lengths", "path_ids"):
                self.assertEqual(getattr(some, name).tolist(), getattr(rows, name)[chosen].tolist())
        self.assertEqual(
            rows.path_ids.tolist(), [int.from_bytes(key.ljust(octets + 5, b"\0")[-4:]) for key in rows.keys]
        )
