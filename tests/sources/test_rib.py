"""Tests for L{rotonda.sources.rib}: the same as looking at all routes."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any
from unittest import mock

from rotonda.blocks import types
from rotonda.blocks.types import FieldOf, RecordType
from rotonda.blocks.values import Address, Constant, Prefix, RecordValue
from rotonda.filters.records import to_wire, wire_type
from rotonda.filters.world import SourceGone
from rotonda.sources import rib
from rotonda.sources.prefix_index import PrefixIndex
from rotonda.sources.rib import Indexes, RibView
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, IngressState, Records, RouteSlot, Snapshot
from tests.rib.tables import PlainRoute, ingresses, key, random_routes, snapshot_of
from tests.sources.plain import LOOK_UPS, keys, matching


def prefix_of(route: PlainRoute) -> Prefix:
    return Prefix(route.address.to_bytes(4 if route.family == 4 else 16), route.length)


class RibViewTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.routes = sorted(random_routes(7, 400, ingresses()), key=lambda route: route.order)
        self.snapshot = snapshot_of(self.routes, AttributeStore())
        self.view = RibView(self.snapshot)
        self.own = [prefix_of(route) for route in self.routes]
        others = [prefix_of(route) for route in random_routes(8, 100, ingresses())]
        self.asked = [*dict.fromkeys([*random.Random(1).sample(self.own, 60), *others])]

    def told(self, found: Any) -> list[tuple[Any, ...]]:
        """What tells routes apart."""
        return sorted((one.get("prefix"), one.get("peer_id"), one.get("path_id"), one.get("med")) for one in found)

    def expected(self, rows: list[int]) -> list[tuple[Any, ...]]:
        routes = [self.routes[row] for row in rows]
        return sorted(
            (prefix_of(own), own.ingress.digest, own.path, 1 if b"\x80\x04\x04\0\0\0\x01" in own.octets else 0)
            for own in routes
        )

    def test_single_prefixes(self) -> None:
        for look_up in LOOK_UPS:
            for prefix in self.asked:
                found = getattr(self.view, look_up)(prefix)
                self.assertEqual(self.told(found), self.expected(matching(self.own, look_up, prefix)))

    def test_columns_with_indexes_and_without(self) -> None:
        for rows in (0, 1 << 30):
            with mock.patch.object(rib, "_ROWS_A_LOOK_UP", rows):
                view = RibView(self.snapshot)
                for look_up in LOOK_UPS:
                    for bits in (32, 128):
                        wanted = [prefix for prefix in self.asked if prefix.bits == bits]
                        counts = [len(matching(self.own, look_up, prefix)) for prefix in wanted]
                        self.assertEqual(view.count_column(look_up, keys(wanted, bits)).tolist(), counts)
                there = [prefix in self.own for prefix in self.asked]
                self.assertEqual(view.contains_column("prefix", self.asked).tolist(), there)

    def test_values_of_other_fields(self) -> None:
        for field in ("peer_asn", "origin_asn", "received", "path_id", "as_path", "med", "status", "communities"):
            routes = list(map(self.view.record, range(len(self.view))))
            values = {one.get(field) for one in routes}
            self.assertGreater(len(values), 1, field)
            for value in values - {None}:
                same = [one for one in routes if one.get(field) == value]
                self.assertEqual(self.told(self.view.find(field, value)), self.told(same), field)
            self.assertFalse(self.view.contains(field, Constant("", "nothing")))
        self.assertRaises(SourceGone, self.view.find, "colour", 1)
        self.assertEqual(self.view.contains_column("peer_asn", [64500, 7]).tolist(), [True, False])
        self.assertTrue(self.view.contains("peer_address", Address(bytes((192, 0, 2, 1)))))

    def test_routes_are_stale_when_their_ingress_is_down_now(self) -> None:
        up = {one.number: replace(one, state=IngressState.UP) for one in ingresses()}
        now = RibView(self.snapshot, present=up.get)
        for view, states in ((self.view, {"ACTIVE", "STALE"}), (now, {"ACTIVE"})):
            self.assertEqual({str(view.record(row).get("status")) for row in range(len(view))}, states)

    def test_indexes_are_kept_as_long_as_their_routes(self) -> None:
        indexes = Indexes()
        wanted = keys(self.asked, 32)
        with mock.patch.object(rib, "_ROWS_A_LOOK_UP", 1 << 30):
            RibView(self.snapshot, indexes=indexes).count_column("exact_match", wanted)
            first, *rest = [slot for slot in self.snapshot if isinstance(slot, RouteSlot) and slot.family == 4]
            less = self.snapshot.replace({first: self.snapshot.records(first).take(slice(0, 3))}, 0)
            with mock.patch.object(rib, "PrefixIndex", side_effect=PrefixIndex) as made:
                RibView(less, indexes=indexes).count_column("exact_match", wanted)
        self.assertEqual(made.call_count, 1)
        self.assertTrue(all(indexes.has(less.records(slot)) for slot in (first, *rest)))
        self.assertFalse(indexes.has(self.snapshot.records(first)))

    def test_empty(self) -> None:
        view = RibView(Snapshot.of({}))
        self.assertEqual((len(view), len(view.find("peer_asn", 1)), len(view.longest_match(self.asked[0]))), (0, 0, 0))
        self.assertEqual(view.count_column("longest_match", keys(self.asked, 32)).sum(), 0)

    def test_records_of_a_declared_type(self) -> None:
        seen = RecordType("Seen", (FieldOf("prefix", types.PREFIX), FieldOf("asn", types.ASN)))
        store = AttributeStore()
        slot = RouteSlot(4, ingresses()[0], store)
        octets = [wire_type(seen).encode(to_wire(seen, RecordValue("Seen", (("asn", asn),)))) for asn in (1, 2)]
        own = Records.of(slot, [key(4, 10 << 24, 8), key(4, 11 << 24, 8)], store.intern_all(octets))
        view = RibView(Snapshot.of({slot: own}), seen)
        ten = RecordValue("Seen", (("prefix", Prefix.parse("10.0.0.0/8")), ("asn", 1)))
        self.assertEqual(list(view.longest_match(Prefix.parse("10.1.0.0/16"))), [ten])
        self.assertEqual(list(view.find("asn", 1)), [ten])
        self.assertFalse(view.contains("asn", 3))
        self.assertEqual(view.contains_column("asn", [1, 3]).tolist(), [True, False])
        asked = keys([Prefix.parse("11.0.0.0/8"), Prefix.parse("12.0.0.0/8")], 32)
        self.assertEqual(view.contains_column("prefix", asked).tolist(), [True, False])
