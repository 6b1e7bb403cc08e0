"""Tests for L{rotonda.rpki.exceptions}, against what RFC 8416 says of one record at a time."""

from __future__ import annotations

import random
from ipaddress import ip_network
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.rpki.exceptions import NO_EXCEPTIONS, BadExceptions, Exceptions, joined
from rotonda.rpki.slurm import read_slurm
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import ASPA, EMPTY, OCTETS, ROUTER_KEY, VRP4, VRP6, Records, Snapshot
from tests.rpki.test_slurm import KEY, base64url, octets, slurm

Row = tuple[Any, int, int]
"""Network, longest length, AS number."""
Data = tuple[set[Row], set[tuple[int, bytes]], dict[int, set[int]]]
"""VRPs, router keys by AS number and SKI, providers of customers."""


def ski(number: int) -> bytes:
    return bytes(19) + bytes([number])


def random_network(chance: random.Random) -> Any:
    """Few addresses and many lengths, so that prefixes lie in each other all the time."""
    if chance.random() < 0.6:
        length = chance.choice([0, 7, 8, 9, 16, 23, 24, 25, 31, 32])
        return ip_network((chance.choice([0x0A000000, 0x0A000080, 0x0A800000, 0xFFFFFFFF, 0]), length), strict=False)
    address = chance.choice([0x20010DB8 << 96, (0x20010DB8 << 96) + (1 << 63), 0, (1 << 128) - 1])
    return ip_network((address, chance.choice([0, 1, 32, 33, 63, 64, 65, 127, 128])), strict=False)


def random_data(chance: random.Random) -> Data:
    rows = {
        (network, chance.randint(network.prefixlen, network.max_prefixlen), chance.randrange(4))
        for network in (random_network(chance) for _ in range(chance.randrange(40)))
        if not (network.version == 6 and network.prefixlen >= 96 and int(network.network_address) >> 32 == 0xFFFF)
    }
    keys = {(chance.randrange(3), ski(chance.randrange(3))) for _ in range(chance.randrange(5))}
    customers = {chance.randrange(1, 5): {chance.randrange(5, 9) for _ in range(2)} for _ in range(chance.randrange(4))}
    if chance.random() < 0.3:
        customers[chance.randrange(1, 5)] = {0}
    return rows, keys, customers


def snapshot(data: Data) -> Snapshot:
    rows, keys, customers = data
    packed: dict[int, list[bytes]] = {4: [], 6: []}
    for network, longest, asn in rows:
        packed[network.version].append(
            network.network_address.packed + bytes((longest, network.prefixlen)) + asn.to_bytes(4)
        )
    providers = np.empty(len(customers), OCTETS)
    providers[:] = [b"".join(asn.to_bytes(4) for asn in sorted(own)) for own in customers.values()]
    return Snapshot.of(
        {
            VRP4: Records.of(VRP4, packed[4]),
            VRP6: Records.of(VRP6, packed[6]),
            ROUTER_KEY: Records.of(ROUTER_KEY, [own + len(KEY).to_bytes(4) + KEY + a.to_bytes(4) for a, own in keys]),
            ASPA: Records.of(ASPA, [customer.to_bytes(4) for customer in customers], providers),
        }
    )


def random_document(chance: random.Random) -> dict[str, Any]:
    prefix_filters: list[dict[str, Any]] = []
    for _ in range(chance.randrange(6)):
        kind = chance.randrange(3)
        entry: dict[str, Any] = {} if kind == 0 else {"prefix": str(random_network(chance))}
        prefix_filters.append(entry if kind == 1 else entry | {"asn": chance.randrange(4)})
    keys = [{"asn": chance.randrange(3), "SKI": base64url(ski(chance.randrange(3)))} for _ in range(2)]
    kinds = [("asn",), ("SKI",), ("asn", "SKI")]
    key_filters = [{name: own[name] for name in chance.choice(kinds)} for own in keys]
    added = random_data(chance)
    return slurm(
        2,
        prefixFilters=prefix_filters,
        bgpsecFilters=key_filters[: chance.randrange(3)],
        aspaFilters=[{"customerAsn": chance.randrange(1, 5)} for _ in range(chance.randrange(2))],
        prefixAssertions=[
            {"prefix": str(network), "maxPrefixLength": longest, "asn": asn} for network, longest, asn in added[0]
        ][:5],
        bgpsecAssertions=[
            {"asn": asn, "SKI": base64url(own), "routerPublicKey": base64url(KEY)} for asn, own in added[1]
        ],
        aspaAssertions=[{"customerAsn": own, "providerAsns": sorted(providers)} for own, providers in added[2].items()],
    )


def slowly(document: dict[str, Any], data: Data) -> Data:
    """What the RFC says, word by word."""
    filters, added = document["validationOutputFilters"], document["locallyAddedAssertions"]

    def hit(filter_: dict[str, Any], row: Row) -> bool:
        within = "prefix" not in filter_ or (
            ip_network(filter_["prefix"]).version == row[0].version and row[0].subnet_of(ip_network(filter_["prefix"]))
        )
        return within and bool(filter_.get("asn", row[2]) == row[2])

    def hit_key(filter_: dict[str, Any], key: tuple[int, bytes]) -> bool:
        same_asn: bool = filter_.get("asn", key[0]) == key[0]
        return same_asn and bool(filter_.get("SKI", base64url(key[1])) == base64url(key[1]))

    rows = {row for row in data[0] if not any(hit(own, row) for own in filters["prefixFilters"])}
    rows |= {(ip_network(own["prefix"]), own["maxPrefixLength"], own["asn"]) for own in added["prefixAssertions"]}
    names = {base64url(ski(number)): ski(number) for number in range(3)}
    keys = {key for key in data[1] if not any(hit_key(own, key) for own in filters["bgpsecFilters"])}
    keys |= {(own["asn"], names[own["SKI"]]) for own in added["bgpsecAssertions"]}
    taken = {own["customerAsn"] for own in filters["aspaFilters"]}
    customers = {customer: set(own) for customer, own in data[2].items() if customer not in taken}
    for own in added["aspaAssertions"]:
        customers.setdefault(own["customerAsn"], set()).update(own["providerAsns"])
    return rows, keys, {customer: own - {0} or own for customer, own in customers.items()}


class AppliedTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=150)
    @given(st.integers(0, 1 << 32))
    def test_as_the_rfc_says_at_once_and_change_by_change(self, seed: int) -> None:
        chance = random.Random(seed)
        document = random_document(chance)
        exceptions = read_slurm(octets(document), "f")
        before = random_data(chance)
        start = snapshot(before)
        made = exceptions.of(start).apply(start)
        self.assertEqual(made, snapshot(slowly(document, before)))
        for _ in range(3):
            after = random_data(chance)
            diff = snapshot(before).diff(snapshot(after))
            made = exceptions.of_diff(diff).apply(made)
            expected = snapshot(slowly(document, after))
            self.assertEqual((made, made.count), (expected, expected.count))
            before = after

    def test_nothing_to_do_shares_everything(self) -> None:
        data = snapshot(({(ip_network("192.0.2.0/24"), 24, 1)}, set(), {}))
        self.assertEqual(len(NO_EXCEPTIONS.of(data)), 0)
        self.assertIs(NO_EXCEPTIONS.of(data).apply(data)[VRP4], data[VRP4])
        self.assertFalse(NO_EXCEPTIONS)
        self.assertEqual(len(NO_EXCEPTIONS.of(EMPTY)), 0)


class JoinedTests(SynchronousTestCase):
    def read(self, name: str, **lists: list[dict[str, Any]]) -> Exceptions:
        return read_slurm(octets(slurm(2, **lists)), name)

    def test_files_about_other_things_are_one(self) -> None:
        first = self.read("a", prefixFilters=[{"prefix": "10.0.0.0/9"}], aspaFilters=[{"customerAsn": 1}])
        second = self.read(
            "b",
            prefixAssertions=[{"asn": 1, "prefix": "10.128.0.0/9"}],
            aspaAssertions=[{"customerAsn": 2, "providerAsns": [3]}],
        )
        both = joined([first, second])
        self.assertEqual((both.filter_count, both.added.count), (2, 2))
        self.assertEqual(joined([first]), first)
        self.assertEqual(joined([]), NO_EXCEPTIONS)

    def test_files_that_overlap_are_refused(self) -> None:
        cases: list[tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
            ("prefixFilters", {"prefix": "10.0.0.0/8"}, {"prefix": "10.1.0.0/16"}, ("10.1.0.0/16", "10.0.0.0/8")),
            ("prefixFilters", {"prefix": "10.1.0.0/16"}, {"prefix": "10.0.0.0/8"}, ("10.0.0.0/8", "10.1.0.0/16")),
            ("prefixFilters", {"prefix": "2001:db8::/32"}, {"prefix": "2001:db8::/32"}, ("2001:db8::/32",)),
            ("prefixFilters", {"prefix": "0.0.0.0/0", "asn": 1}, {"prefix": "10.0.0.0/8", "asn": 2}, ("0.0.0.0/0",)),
            ("bgpsecFilters", {"asn": 7}, {"asn": 7, "SKI": base64url(ski(1))}, ("AS7", "router keys")),
            ("aspaFilters", {"customerAsn": 8}, {"customerAsn": 8}, ("AS8", "ASPAs")),
        ]
        for name, here, there, words in cases:
            with self.subTest(here=here, there=there):
                files = [self.read("one", **{name: [here]}), self.read("two", **{name: [there]})]
                error = self.assertRaises(BadExceptions, joined, files)
                for word in ("one", "two", "neither", *words):
                    self.assertIn(word, str(error))

    def test_an_assertion_that_meets_a_filter(self) -> None:
        filter_ = self.read("one", prefixFilters=[{"prefix": "10.0.0.0/8"}])
        added = self.read("two", prefixAssertions=[{"prefix": "10.0.0.0/24", "asn": 1}])
        self.assertRaises(BadExceptions, joined, [added, filter_])
        far = self.read("three", prefixFilters=[{"prefix": "9.0.0.0/8"}, {"prefix": "11.0.0.0/8"}, {"asn": 1}])
        self.assertEqual(joined([far, filter_]).filter_count, 4)
        # a filter by AS number has no addresses, so the RFC's rule does not see it
        self.assertEqual(joined([far, added]).added.count, 1)
