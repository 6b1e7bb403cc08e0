"""Tests for L{rotonda.rpki.slurm}: what RFC 8416 allows, and everything else refused with its place."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

from rotonda.rpki.exceptions import BadExceptions
from rotonda.rpki.slurm import read_slurm
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import ASPA, ROUTER_KEY, VRP4, VRP6

SKI = bytes(range(20))
KEY = b"\x30\x03abc"


def base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")


def slurm(version: int = 1, **lists: list[dict[str, Any]]) -> dict[str, Any]:
    """A document with these lists, and empty ones where the version wants others."""
    filters = ["prefixFilters", "bgpsecFilters"] + ["aspaFilters"] * (version == 2)
    assertions = ["prefixAssertions", "bgpsecAssertions"] + ["aspaAssertions"] * (version == 2)
    return {
        "slurmVersion": version,
        "validationOutputFilters": {name: lists.get(name, []) for name in filters},
        "locallyAddedAssertions": {name: lists.get(name, []) for name in assertions},
    }


def octets(document: object) -> bytes:
    return json.dumps(document).encode()


ALL = slurm(
    2,
    prefixFilters=[
        {"prefix": "192.0.2.0/24", "comment": "within"},
        {"asn": 64496},
        {"prefix": "2001:db8::/32", "asn": 64497},
    ],
    bgpsecFilters=[{"asn": 64496}, {"SKI": base64url(SKI)}, {"asn": 64497, "SKI": base64url(SKI)}],
    aspaFilters=[{"customerAsn": 64499}],
    prefixAssertions=[
        {"asn": 64496, "prefix": "198.51.100.0/24", "comment": "mine"},
        {"asn": 64496, "prefix": "2001:db8::/32", "maxPrefixLength": 48},
    ],
    bgpsecAssertions=[{"asn": 64496, "SKI": base64url(SKI), "routerPublicKey": base64url(KEY)}],
    aspaAssertions=[
        {"customerAsn": 64500, "providerAsns": [64502, 64501]},
        {"customerAsn": 64500, "providerAsns": [0], "comment": "AS0 beside others is outdone"},
    ],
)


class GoodTests(SynchronousTestCase):
    def test_everything_there_is(self) -> None:
        found = read_slurm(octets(ALL), "f")
        network = 0xC0000200
        self.assertEqual(
            found.filters.entries,
            {(4, network, 24, None), (0, 0, 0, 64496), (6, 0x20010DB8 << 96, 32, 64497)},
        )
        self.assertEqual(found.key_asns, {(64496, None), (None, SKI), (64497, SKI)})
        self.assertEqual((found.customer_filters, found.filter_count, bool(found)), ({64499}, 7, True))
        self.assertEqual(found.added[VRP4].key(0).hex(), "c6336400" + "1818" + "0000fbf0")
        self.assertEqual(found.added[VRP6].key(0)[16:18], bytes((48, 32)))
        self.assertEqual(found.added[ROUTER_KEY].key(0), SKI + bytes((0, 0, 0, 5)) + KEY + (64496).to_bytes(4))
        values: Any = found.added[ASPA].values
        self.assertEqual(values.tolist(), [(64501).to_bytes(4) + (64502).to_bytes(4)])

    def test_nothing_at_all(self) -> None:
        for version in (1, 2):
            found = read_slurm(octets(slurm(version)), "f")
            self.assertFalse(found)

    def test_several_assertions_of_one_record_are_one(self) -> None:
        twice = [{"asn": 1, "prefix": "192.0.2.0/24"}, {"asn": 1, "prefix": "192.0.2.0/24", "maxPrefixLength": 24}]
        self.assertEqual(read_slurm(octets(slurm(prefixAssertions=twice)), "f").added.count, 1)


class RefusedTests(SynchronousTestCase):
    def refused(self, data: bytes, *words: str) -> None:
        error = self.assertRaises(BadExceptions, read_slurm, data, "local.json")
        for word in ("local.json", *words):
            self.assertIn(word, str(error))

    def test_entries(self) -> None:
        for name, entry, word in [
            ("prefixFilters", {}, "neither prefix nor asn"),
            ("prefixFilters", {"comment": "x"}, "neither prefix nor asn"),
            ("prefixFilters", {"prefix": "192.0.2.1/24"}, "host bits"),
            ("prefixFilters", {"prefix": "192.0.2/24"}, "IPv4 address"),
            ("prefixFilters", {"prefix": "192.0.2.0/33"}, "prefix length"),
            ("prefixFilters", {"prefix": "::ffff:192.0.2.0/120"}, "IPv4 inside IPv6"),
            ("prefixFilters", {"asn": "AS64496"}, "int"),
            ("prefixFilters", {"asn": True}, "int"),
            ("prefixFilters", {"asn": 1.5}, "int"),
            ("prefixFilters", {"asn": None}, "int"),
            ("prefixFilters", {"asn": -1}, "not an AS number"),
            ("prefixFilters", {"asn": 1 << 32}, "not an AS number"),
            ("prefixFilters", {"asn": 1, "maxPrefixLength": 24}, "maxPrefixLength"),
            ("bgpsecFilters", {}, "neither asn nor SKI"),
            ("bgpsecFilters", {"SKI": "AAAA"}, "20 octets"),
            ("bgpsecFilters", {"SKI": base64url(SKI) + "="}, "20 octets"),
            ("bgpsecFilters", {"ski": base64url(SKI)}, "ski"),
            ("aspaFilters", {}, "customerAsn"),
            ("aspaFilters", {"customerAsn": 1, "providerAsns": [2]}, "providerAsns"),
            ("prefixAssertions", {"asn": 1}, "prefix"),
            ("prefixAssertions", {"prefix": "192.0.2.0/24"}, "asn"),
            ("prefixAssertions", {"asn": 1, "prefix": "192.0.2.0/24", "maxPrefixLength": 23}, "24 to 32"),
            ("prefixAssertions", {"asn": 1, "prefix": "2001:db8::/32", "maxPrefixLength": 129}, "32 to 128"),
            ("prefixAssertions", {"asn": 1, "prefix": "192.0.2.0/24", "maxLength": 24}, "maxLength"),
            ("bgpsecAssertions", {"asn": 1, "SKI": base64url(SKI), "routerPublicKey": "****"}, "base64url"),
            ("bgpsecAssertions", {"asn": 1, "SKI": base64url(SKI), "routerPublicKey": "AAAA"}, "SubjectPublicKeyInfo"),
            ("aspaAssertions", {"customerAsn": 1, "providerAsns": []}, "without any provider"),
            ("aspaAssertions", {"customerAsn": 0, "providerAsns": [1]}, "nobody"),
            ("aspaAssertions", {"customerAsn": 1, "providerAsns": [1]}, "own provider"),
            ("aspaAssertions", {"customerAsn": 1, "providerAsns": [0, 2]}, "AS0 beside"),
            ("aspaAssertions", {"customerAsn": 1, "providerAsns": [2, 2]}, "twice"),
            ("aspaAssertions", {"customerAsn": 1, "providerAsns": list(range(2, 17_000))}, "PDU"),
        ]:
            with self.subTest(entry=str(entry)[:60]):
                good = ALL["validationOutputFilters"].get(name) or ALL["locallyAddedAssertions"].get(name)
                self.refused(octets(slurm(2, **{name: [*good[:1], entry]})), f"{name}[1]", word)

    def test_assertions_that_are_too_much_together(self) -> None:
        entries = [{"customerAsn": 1, "providerAsns": list(range(low, low + 10_000))} for low in (2, 20_000)]
        self.refused(octets(slurm(2, aspaAssertions=entries)), "of AS1 together", "16,380")

    def test_documents(self) -> None:
        for document, word in [
            ([], "no slurmVersion"),
            ({}, "no slurmVersion"),
            (slurm() | {"slurmVersion": 3}, "no slurmVersion of 1 or 2, but 3"),
            (slurm() | {"slurmVersion": "1"}, "but '1'"),
            (slurm() | {"slurmVersion": True}, "but True"),
            (slurm() | {"extra": 1}, "extra"),
            (slurm(2) | {"slurmVersion": 1}, "aspaFilters"),
            (slurm(1) | {"slurmVersion": 2}, "aspaFilters"),
            ({"slurmVersion": 1, "validationOutputFilters": {}}, "prefixFilters"),
            (slurm() | {"locallyAddedAssertions": {"prefixAssertions": []}}, "bgpsecAssertions"),
            (slurm() | {"locallyAddedAssertions": {"prefixAssertions": {}, "bgpsecAssertions": []}}, "array"),
        ]:
            with self.subTest(document=str(document)[:60]):
                self.refused(octets(document), word)

    def test_octets(self) -> None:
        good = octets(slurm(prefixFilters=[{"asn": 1}]))
        for data, word in [
            (b"", "Expecting value"),
            (b"\xff\xfe{}", "decode"),
            (good[:-1], "local.json"),
            (good + b"x", "Extra data"),
            (good.replace(b'"asn": 1', b'"asn": 1, "asn": 2'), "'asn' is there twice"),
            (good.replace(b'"asn": 1', b'"asn": NaN'), "NaN is not JSON"),
            (good.replace(b'"asn": 1', b'"asn": 1' + b"0" * 5000), "local.json"),
            (b"[" * 100_000, "nested too deeply"),
        ]:
            with self.subTest(data=data[:40]):
                self.refused(data, word)
