"""Tests for L{rotonda.rpki.unions}: what of the ASPAs of several holders cannot be joined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rotonda.rpki.policies import Merged
from rotonda.rpki.records import MAX_PROVIDERS
from rotonda.rpki.unions import left_out, left_out_in_words
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import ASPA, EMPTY, Records, Snapshot


def aspas(providers: Mapping[int, Iterable[int]]) -> Snapshot:
    """ASPAs of these customers."""
    customers = [customer.to_bytes(4) for customer in providers]
    lists = [b"".join(asn.to_bytes(4) for asn in own) for own in providers.values()]
    return Snapshot.of({ASPA: Records.of(ASPA, customers, lists)})


class LeftOutTests(SynchronousTestCase):
    def test_customers_with_more_providers_than_fit_into_one_pdu(self) -> None:
        merged = Merged()
        merged.update("a", aspas({1: range(2, 2 + MAX_PROVIDERS), 256: [3], 512: range(2, 10_000)}))
        for providers, count in (([2], 0), ([1 << 20], 1)):
            merged.update("b", aspas({1: providers, 7: [3], 512: range(10_000, 19_000)}))
            found = left_out(merged.snapshot, *merged.holders.values())
            self.assertEqual(found, 1 + count)
            self.assertEqual([left_out(merged.snapshot, held) for held in merged.holders.values()], [found, found])
        self.assertEqual(len(merged.snapshot[ASPA]), 2)

    def test_nothing(self) -> None:
        self.assertEqual((left_out(EMPTY), left_out(EMPTY, EMPTY), left_out_in_words(0)), (0, 0, None))
        self.assertIn("of 2 customers", left_out_in_words(2) or "")
