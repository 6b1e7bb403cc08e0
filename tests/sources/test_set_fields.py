"""Tests for L{rotonda.sources.set_fields}: what is told of many sets is what each of them says."""

from __future__ import annotations

import random
from typing import Any

from rotonda.blocks.types import ROUTE
from rotonda.blocks.values import Address, Constant, LargeCommunity
from rotonda.filters.route_record import ATTRIBUTE_FIELDS, AttributesView
from rotonda.sources.set_fields import set_field
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore
from tests.filters.compared import random_batch
from tests.rib.tables import SETS

ODD = (b"\x40\x01", b"\x40\x02\x05\x02\x01\0\0\1", b"\x40\x02\0", b"\xc0\x08\x03\0\0\1", b"\x40\x01\x01\x05")
"""Cut short, a path cut short, an empty path, communities that are none, an origin that is none."""
NOT_THERE = (
    "nothing", 1 << 70, -1, 1.5, (), (1 << 70,), ("a",), ((2, (1,) * 300),), ((2, (1 << 40,)),),
    (LargeCommunity(1 << 40, 0, 0),), Address(bytes(3)), Constant("", "nothing"), None, object(),
)  # fmt: skip


class SetFieldTests(SynchronousTestCase):
    def setUp(self) -> None:
        store, chance = AttributeStore(), random.Random(3)
        for _ in range(8):
            random_batch(chance, store, 60)
        self.sets = [*store.octets, *SETS, *ODD]

    def test_as_each_set_says(self) -> None:
        for field in ATTRIBUTE_FIELDS:
            own = set_field(ROUTE, field)
            values: list[Any] = [AttributesView(octets).get(field) for octets in self.sets]
            self.assertGreater(len(set(values)), 1, field)
            wanted = [None if value is None else own.form(value) for value in values]
            self.assertEqual(list(own.told(self.sets)), wanted, field)
            self.assertNotIn(None, [form for form, value in zip(wanted, values, strict=True) if value is not None])
            self.assertEqual(list(own.told([])), [], field)

    def test_values_that_no_set_can_have(self) -> None:
        for field in ATTRIBUTE_FIELDS:
            own = set_field(ROUTE, field)
            values = {AttributesView(octets).get(field) for octets in self.sets}
            told = set(own.told(self.sets)) - {None}
            for value in NOT_THERE:
                if value not in values:
                    self.assertNotIn(own.form(value), told, (field, value))
