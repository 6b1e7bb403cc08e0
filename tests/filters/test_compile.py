"""Compiled filters do what the interpreter says, whatever the filter and the rows."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore
from tests.blocks import filters as files
from tests.filters.compared import MADE, by_compiled, by_interpreter, random_batch
from tests.filters.programs import Programs

ARGUMENTS = {"my_asn": 2, "limit": 3}


class RandomFilterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(files, "TYPES", {**files.TYPES, "Made": MADE})

    @given(st.integers(0, 2**32), st.booleans())
    @settings(max_examples=150, deadline=None)
    def test_the_same_becomes_of_every_row(self, seed: int, accept: bool) -> None:
        self.compare(seed, accept)

    def compare(self, seed: int, accept: bool) -> bool:
        chance = random.Random(seed)
        text = Programs(chance).program()
        filter, _ = files.complained(text)
        if filter is None:
            return False
        store = AttributeStore()
        batches = [random_batch(chance, store) for _ in range(2)]
        expected = [by_interpreter(filter, ARGUMENTS, *batch, accept) for batch in batches]
        self.assertEqual(by_compiled(filter, ARGUMENTS, batches, accept), expected, text)
        return True

    def test_most_random_filters_are_right(self) -> None:
        right = sum(files.complained(Programs(random.Random(seed)).program())[0] is not None for seed in range(100))
        self.assertGreater(right, 80)
