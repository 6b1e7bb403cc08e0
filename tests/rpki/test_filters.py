"""Tests for L{rotonda.rpki.filters}: where a prefix ends; the property test of exceptions does the rest."""

from __future__ import annotations

import numpy as np
from rotonda.rpki.filters import PrefixFilters, aspas_without, keys_without
from rotonda.rpki.records import parse_prefix, parse_vrp
from twisted.trial.unittest import SynchronousTestCase


def kept(filters: PrefixFilters, prefix: str, asn: int = 1) -> bool:
    """Whether this VRP stays."""
    vrp, _ = parse_vrp(asn, prefix, None)
    key = np.frombuffer(vrp.key(), f"S{len(vrp.key())}")
    return bool(filters.kept(key)[0])


class PrefixFilterTests(SynchronousTestCase):
    def test_what_lies_within(self) -> None:
        for within, prefix, expected in [
            ("10.0.0.0/8", "10.0.0.0/8", False),
            ("10.0.0.0/8", "10.255.255.255/32", False),
            ("10.0.0.0/8", "11.0.0.0/8", True),
            ("10.0.0.0/8", "9.255.255.255/32", True),
            ("10.0.0.0/8", "10.0.0.0/7", True),
            ("0.0.0.0/0", "255.255.255.255/32", False),
            ("0.0.0.0/0", "::/0", True),
            ("255.255.255.255/32", "255.255.255.255/32", False),
            ("::/0", "2001:db8::/32", False),
            ("2001:db8::/33", "2001:db8:8000::/33", True),
            ("2001:db8::/33", "2001:db8:7fff::/48", False),
            ("::1/128", "::/0", True),
        ]:
            with self.subTest(within=within, prefix=prefix):
                filters = PrefixFilters(frozenset([(*parse_prefix(within), None)]))
                self.assertEqual(kept(filters, prefix), expected)
                of_as = PrefixFilters(frozenset([(*parse_prefix(within), 1), (*parse_prefix(within), 0)]))
                self.assertEqual(kept(of_as, prefix), expected)
                self.assertTrue(kept(of_as, prefix, 256), "AS256 and AS1 differ by one octet")

    def test_a_filter_behind_another_does_not_hide_it(self) -> None:
        nested = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.200.0.0/16"]
        filters = PrefixFilters(frozenset((*parse_prefix(prefix), None) for prefix in nested))
        for prefix in ("10.1.3.0/24", "10.2.0.0/16", "10.201.0.0/16"):
            self.assertFalse(kept(filters, prefix), prefix)

    def test_nothing_to_look_at(self) -> None:
        filters = PrefixFilters(frozenset([(0, 0, 0, 1)]))
        self.assertEqual(len(filters.kept(np.empty(0, "S10"))), 0)
        self.assertEqual((kept(filters, "10.0.0.0/8", 1), kept(filters, "10.0.0.0/8", 2)), (False, True))


class OtherFilterTests(SynchronousTestCase):
    def test_router_keys(self) -> None:
        ski, other = bytes(20), bytes(19) + b"\1"
        keys = np.empty(3, np.object_)
        keys[:] = [ski + bytes(4) + asn.to_bytes(4) for asn in (1, 2)] + [other + bytes(4) + (1).to_bytes(4)]
        cases: list[tuple[list[tuple[int | None, bytes | None]], list[bool]]] = [
            ([], [True, True, True]),
            ([(1, None)], [False, True, False]),
            ([(None, ski)], [False, False, True]),
            ([(1, ski)], [False, True, True]),
            ([(1, ski), (None, other)], [False, True, False]),
        ]
        for taken, expected in cases:
            with self.subTest(taken=taken):
                self.assertEqual(keys_without(keys, frozenset(taken)).tolist(), expected)

    def test_aspas(self) -> None:
        customers = np.array([1, 256, 257], ">u4").view("S4")
        self.assertEqual(aspas_without(customers, frozenset([256])).tolist(), [True, False, True])
        self.assertEqual(aspas_without(customers, frozenset()).tolist(), [True, True, True])
