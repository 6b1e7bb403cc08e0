"""Tests for L{rotonda.sources.prefix_tree} and L{rotonda.sources.prefix_index}: the same as looking at all prefixes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rotonda.blocks.values import Prefix
from rotonda.filters.world import NONE
from rotonda.sources.prefix_index import PrefixIndex
from rotonda.sources.prefix_tree import PrefixTree
from twisted.trial.unittest import SynchronousTestCase

from tests.session.worlds import patient
from tests.sources.plain import LOOK_UPS, keys, matching, prefixes


class PrefixTreeTests(SynchronousTestCase):
    @patient
    @given(st.lists(prefixes(), max_size=40), st.lists(prefixes(), max_size=20))
    def test_longest_and_exact(self, own: list[Prefix], asked: list[Prefix]) -> None:
        for bits in (32, 128):
            held = np.unique(keys(own, bits))
            tree = PrefixTree(held)
            there = sorted({prefix for prefix in own if prefix.bits == bits})
            for prefix, longest, exact in zip(
                [prefix for prefix in asked if prefix.bits == bits],
                tree.longest(keys(asked, bits)).tolist(),
                tree.exact(keys(asked, bits)).tolist(),
                strict=True,
            ):
                self.assertEqual([longest] if longest != NONE else [], matching(there, "longest_match", prefix))
                self.assertEqual([exact] if exact != NONE else [], matching(there, "exact_match", prefix))

    @patient
    @given(st.lists(prefixes(), max_size=12), st.lists(prefixes(), min_size=1, max_size=12))
    def test_ascending(self, own: list[Prefix], asked: list[Prefix]) -> None:
        """The same whether prefixes are looked for among those of the tree or the other way round."""
        for bits in (32, 128):
            tree = PrefixTree(np.unique(keys(own, bits)))
            wanted = np.sort(np.repeat(keys(asked, bits), 200))
            for look_up, found in (("longest_match", tree.longest(wanted)), ("exact_match", tree.exact(wanted))):
                numbers, counts = tree.runs(look_up, wanted)
                self.assertEqual(np.repeat(numbers, counts).tolist(), found.tolist())
                self.assertTrue(not len(wanted) or len(numbers) < len(wanted))

    def test_a_long_chain_and_many_neighbours(self) -> None:
        """What somebody would write to make it slow."""
        chain = [Prefix(bytes(4), length) for length in range(33)]
        beside = [Prefix(bytes((10, number >> 8, number & 255, 0)), 24) for number in range(1 << 16)]
        own = sorted({*chain, *beside})
        tree = PrefixTree(keys(own, 32))
        found = tree.longest(np.repeat(keys([Prefix(b"\x0b\0\0\0", 32)], 32), 100_000))
        self.assertEqual({own[number] for number in set(found.tolist())}, {Prefix(bytes(4), 4)})
        self.assertEqual([own[number] for number in tree.covering(own.index(beside[-1]))], [*chain[:5], beside[-1]])


class PrefixIndexTests(SynchronousTestCase):
    @patient
    @given(st.lists(prefixes(), max_size=40), st.lists(prefixes(), max_size=20))
    def test_rows_and_counts(self, own: list[Prefix], asked: list[Prefix]) -> None:
        for bits in (32, 128):
            places = [row for row, prefix in enumerate(own) if prefix.bits == bits]
            index = PrefixIndex(keys(own, bits), np.array(places, np.int64))
            wanted = [prefix for prefix in asked if prefix.bits == bits]
            for look_up in LOOK_UPS:
                rows = [matching(own, look_up, prefix) for prefix in wanted]
                self.assertEqual([sorted(getattr(index, look_up)(prefix)) for prefix in wanted], rows)
                self.assertEqual(index.counts(look_up, keys(wanted, bits)).tolist(), list(map(len, rows)))
                if look_up in LOOK_UPS[:2]:
                    first = [min(found, default=NONE) for found in rows]
                    self.assertEqual(index.first_rows(look_up, keys(wanted, bits)).tolist(), first)

    def test_order(self) -> None:
        """Shortest first, and rows of one prefix in their order."""
        words = ("10.0.0.0/8", "0.0.0.0/0", "10.1.0.0/16", "10.0.0.0/8")
        own = [Prefix.parse(word) for word in words]
        index = PrefixIndex(keys(own, 32), np.arange(4))
        self.assertEqual(list(index.less_specifics(own[2])), [1, 0, 3, 2])
        self.assertRaises(ValueError, index.counts, "nearest", keys(own, 32))
