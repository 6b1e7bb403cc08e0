"""The same table always gives the same example, and a telling one."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from rotonda.demo.picks import address_in, blocks, commonest_origin, example, is_covered, judgeable
from twisted.trial.unittest import SynchronousTestCase


def route(prefix: str, ingress: int = 0, origin: int | None = 64496, rov: str = "not-found") -> dict[str, Any]:
    told = {"prefix": prefix, "ingress": ingress, "rov": rov}
    return told if origin is None else {**told, "origin_as": origin}


class PicksTests(SynchronousTestCase):
    def test_blocks_are_prefixes_that_do_not_overlap(self) -> None:
        networks = [ip_network(block) for block in blocks()]
        self.assertEqual(len(set(networks)), len(networks))
        self.assertFalse(any(is_covered(network, set(networks)) for network in networks))
        self.assertEqual((str(networks[0]), str(networks[47])), ("1.0.0.0/8", "223.0.0.0/8"))

    def test_the_example_is_the_route_that_shows_most(self) -> None:
        routes = [route("10.0.0.0/8"), route("192.0.2.0/24"), route("2001:db8::/32", rov="valid")]
        for better in (
            route("198.18.0.0/25"),  # longer
            route("10.1.0.0/16"),  # covered
            route("198.51.0.0/16", rov="valid"),
            route("10.0.0.0/8", ingress=1),  # seen twice
        ):
            routes.append(better)
            chosen = example(routes)
            assert chosen is not None
            self.assertEqual(chosen["prefix"], better["prefix"])

    def test_a_route_without_origin_is_the_last_choice(self) -> None:
        chosen = example([route("192.0.2.0/24", origin=None), route("192.0.2.0/24", 1, None), route("10.0.0.0/8")])
        assert chosen is not None
        self.assertEqual(chosen["prefix"], "10.0.0.0/8")

    def test_a_table_of_ipv6_or_of_nothing(self) -> None:
        routes = [route("2001:db8::/32"), route("2001:db8::/48")]
        self.assertIs(example(routes), routes[1])
        self.assertIsNone(example([]))

    def test_addresses(self) -> None:
        cases = {"10.0.0.0/8": "10.0.0.1", "10.0.0.1/32": "10.0.0.1", "::/0": "::1", "2001:db8::/127": "2001:db8::1"}
        self.assertEqual({prefix: address_in(prefix) for prefix in cases}, cases)

    def test_origins(self) -> None:
        routes = [route("10.0.0.0/8", origin=None), route("10.0.0.0/8", origin=2), route("10.0.0.0/9", origin=2)]
        self.assertEqual(commonest_origin([*routes, route("10.0.0.0/10", origin=1)]), 2)
        self.assertIsNone(commonest_origin(routes[:1]))
        self.assertEqual(judgeable(routes), routes[1:])
