"""Prefixes that clients ask for, compared with the standard library."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.gateway.ris_prefixes import PrefixSet
from rotonda.rib.prefixes import Prefix
from twisted.trial.unittest import SynchronousTestCase

from tests.gateway.test_chosen_rows import prefixes

BOTH = prefixes(4) | prefixes(6)


class PrefixSetTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.lists(BOTH, max_size=6), st.booleans(), st.booleans(), st.lists(BOTH, max_size=8))
    def test_like_the_standard_library(self, asked: list[Prefix], more: bool, less: bool, told: list[Prefix]) -> None:
        own = PrefixSet(asked, more, less)
        for each in told:
            other = ip_network(each.text)
            networks = [ip_network(one.text) for one in asked if one.family == each.family]
            expected = any(
                other == network
                or (more and other.subnet_of(network))  # type: ignore[arg-type]  # of one family
                or (less and network.subnet_of(other))  # type: ignore[arg-type]
                for network in networks
            )
            bare = (each.family, int.from_bytes(each.address), each.length)
            self.assertEqual(bare in own, expected, (asked, more, less, each))
