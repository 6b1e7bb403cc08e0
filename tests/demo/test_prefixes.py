"""Prefixes that look as if they were announced."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import numpy as np
from rotonda.demo.dice import Dice
from rotonda.demo.prefixes import LENGTHS4, LENGTHS6, Prefixes
from twisted.trial.unittest import SynchronousTestCase

COUNT = 5_000


class PrefixesTests(SynchronousTestCase):
    made = {family: Prefixes.make(Dice(3, "test"), family, COUNT) for family in (4, 6)}

    def networks(self, family: int) -> list[IPv4Network | IPv6Network]:
        rows = zip(self.made[family].addresses.tolist(), self.made[family].lengths.tolist(), strict=True)
        if family == 4:
            return [IPv4Network((address >> 32, length)) for address, length in rows]
        return [IPv6Network((address << 64, length)) for address, length in rows]

    def test_they_are_distinct_sorted_and_public(self) -> None:
        for family in (4, 6):
            with self.subTest(family=family):
                networks = self.networks(family)
                self.assertEqual(len(set(networks)), COUNT)
                keys = [(int(network.network_address), network.prefixlen) for network in networks]
                self.assertEqual(keys, sorted(keys))
                self.assertEqual([network for network in networks if not network.is_global], [])
                self.assertEqual([network for network in networks if network.is_multicast or network.is_reserved], [])

    def test_none_reaches_into_special_space(self) -> None:
        special = [
            IPv4Network(text) for text in ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "100.64.0.0/10")
        ]
        bad = [network for network in self.networks(4) if any(network.overlaps(block) for block in special)]
        self.assertEqual(bad, [])

    def test_their_lengths_are_those_of_a_real_table(self) -> None:
        for family, lengths in ((4, LENGTHS4), (6, LENGTHS6)):
            made = np.bincount(self.made[family].lengths, minlength=65)
            for length, share in lengths.items():
                self.assertApproximates(made[length] / COUNT, share / sum(lengths.values()), 0.0005)

    def test_parents_are_the_next_shorter_prefixes_around(self) -> None:
        for family in (4, 6):
            networks, parents = self.networks(family), self.made[family].parents.tolist()
            around: list[int] = []
            for place, network in enumerate(networks):
                while around and not network.subnet_of(networks[around[-1]]):  # type: ignore[arg-type]
                    around.pop()
                self.assertEqual(parents[place], around[-1] if around else -1)
                around.append(place)

    def test_there_must_be_room(self) -> None:
        self.assertRaises(ValueError, Prefixes.make, Dice(3, "test"), 4, 50_000_000)
