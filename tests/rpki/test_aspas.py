"""Tests for L{rotonda.rpki.aspas}: what customers attest, one hop at a time and in columns."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.rpki import aspas as module
from rotonda.rpki.aspas import AspaSet, Hop
from twisted.trial.unittest import SynchronousTestCase

from tests.rpki.attestations import NIST, A, B, C, E, G, aspa_set, random_aspas


class OneHopTests(SynchronousTestCase):
    def test_what_a_customer_says(self) -> None:
        attested = aspa_set(NIST)
        for customer, provider, expected in [
            (A, C, Hop.PROVIDER),
            (A, E, Hop.NOT_PROVIDER),
            (E, B, Hop.NO_ATTESTATION),
            (G, A, Hop.NOT_PROVIDER),
            (0xFFFF_FFFF, A, Hop.NO_ATTESTATION),
        ]:
            with self.subTest(f"{customer} to {provider}"):
                self.assertEqual(attested.authorized(customer, provider), expected)
        self.assertEqual(
            (attested.providers(A), attested.providers(G), attested.providers(E)), ((C, A + 30), (0,), None)
        )
        self.assertEqual((len(attested), str(Hop.NO_ATTESTATION)), (5, "no-attestation"))

    def test_nobody_attests_anything(self) -> None:
        nothing = aspa_set({})
        self.assertEqual((nothing.authorized(A, B), nothing.providers(A)), (Hop.NO_ATTESTATION, None))
        self.assertEqual(nothing.check(np.array([A], np.uint32), np.array([B], np.uint32)).tolist(), [0])


class ColumnTests(SynchronousTestCase):
    def assertSame(self, attested: AspaSet, customers: list[int], providers: list[int]) -> None:
        checked = attested.check(np.array(customers, np.uint32), np.array(providers, np.uint32)).tolist()
        single = [attested.authorized(*hop) for hop in zip(customers, providers, strict=True)]
        self.assertEqual(checked, single)

    @settings(deadline=None)
    @given(st.integers(0, 1 << 32))
    def test_columns_say_what_single_hops_say(self, seed: int) -> None:
        chance = random.Random(seed)
        ases = [chance.choice((chance.randrange(1, 20), chance.randrange(1 << 32))) for _ in range(12)]
        attested = aspa_set(random_aspas(chance, sorted(set(ases))))
        self.assertSame(attested, chance.choices(ases, k=60), chance.choices([*ases, 0], k=60))

    def test_customers_all_over_the_number_space(self) -> None:
        """As many pages as there are customers would take gigabytes."""
        customers = [number << 16 | 7 for number in range(module._MOST_PAGES + 1)]
        attested = aspa_set({customer: {1, customer + 1} for customer in customers})
        self.assertIsNone(attested._attesting._flags)
        asked = [customers[0], customers[-1], customers[5] + 1, 0, 0xFFFF_FFFF]
        self.assertSame(attested, asked, [1] * len(asked))

    def test_providers_chosen_to_fall_into_one_bucket(self) -> None:
        providers = range(1, 20_000)
        pairs = np.uint64(9) << np.uint64(32) | np.array(providers, np.uint64)
        places = module._Members(pairs)._places(pairs) >> 7
        chosen = [provider for provider, place in zip(providers, places.tolist(), strict=True) if not place]
        attested = aspa_set({9: set(chosen)})
        self.assertGreater(len(chosen), module._LONGEST_BUCKET)
        self.assertIsNone(attested._pairs._starts)
        self.assertSame(attested, [9, 9, 9], [chosen[0], chosen[-1], 20_001])
