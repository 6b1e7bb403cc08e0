"""Tests for L{rotonda.sources.rib}: the same as looking at all routes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
from rotonda.blocks import types
from rotonda.blocks.types import ROUTE, FieldOf, RecordType
from rotonda.blocks.values import Address, Constant, Prefix, RecordValue
from rotonda.filters.records import to_wire, wire_type
from rotonda.filters.world import SourceGone
from rotonda.sources import set_values
from rotonda.sources.key_search import _Prefixes
from rotonda.sources.rib import RibView
from rotonda.sources.set_fields import SetField, Told, set_field
from rotonda.sources.set_values import SetMemory
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, IngressState, Records, RouteSlot, Slot, Snapshot
from tests.rib.tables import PlainRoute, attribute_set, ingresses, key, random_routes, snapshot_of
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

    def test_columns_of_prefixes(self) -> None:
        for look_up in LOOK_UPS:
            for bits in (32, 128):
                wanted = [prefix for prefix in self.asked if prefix.bits == bits]
                counts = [len(matching(self.own, look_up, prefix)) for prefix in wanted]
                self.assertEqual(self.view.count_column(look_up, keys(wanted, bits)).tolist(), counts)
        there = [prefix in self.own for prefix in self.asked]
        self.assertEqual(self.view.contains_column("prefix", self.asked).tolist(), there)

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

    def test_prefixes_are_searched_for_among_few_keys(self) -> None:
        """No question of many prefixes takes a look at all keys of a slot, not even the first one."""
        slot, count = RouteSlot(4, ingresses()[0], AttributeStore()), 1 << 16
        number = np.uint32(slot.attributes.intern(attribute_set(1)))
        octets = [key(4, row << 16, 16 if row % 2 else 15) for row in range(count)]
        view = RibView(Snapshot.of({slot: Records.of(slot, octets, np.full(count, number))}))
        wanted = keys([Prefix((row << 16 | 1 << 8).to_bytes(4), 24) for row in range(9, count, 200)], 32)
        with mock.patch.object(_Prefixes, "of", side_effect=_Prefixes.of) as read:
            for look_up in LOOK_UPS:
                found = view.count_column(look_up, wanted).sum()
                self.assertEqual(found > 0, look_up in ("longest_match", "less_specifics"), look_up)
            self.assertGreaterEqual(view.first_of("longest_match", wanted).min(), 0)
        looked = sum(len(call.args[0]) for call in read.mock_calls)
        self.assertTrue(0 < looked < count // 2, looked)

    def test_sets_are_read_once(self) -> None:
        """After a commit those sets are read that are new, whatever is asked of them."""
        ingress, store, memory, read = ingresses()[0], AttributeStore(), SetMemory(), list[int]()
        slot, octets = RouteSlot(4, ingress, store), [key(4, row << 8, 24) for row in range(300)]
        sets = [attribute_set(origin, ((64496, origin),)) for origin in range(1, 301)]

        def counted(type: RecordType, field: str) -> SetField:
            own = set_field(type, field)

            def told(sets: Sequence[bytes]) -> Told:
                read.append(len(sets))
                return own.told(sets)

            return own._replace(told=told)

        with mock.patch.object(set_values, "set_field", side_effect=counted):
            for changed in (300, 7, 0):
                sets[:changed] = [attribute_set(1000 * changed + row) for row in range(changed)]
                records = Records.of(slot, octets, store.intern_all(sets))
                for field in ("origin_asn", "as_path", "communities", "next_hop"):
                    view = RibView(Snapshot.of({slot: records}), memory=memory)
                    read.clear()
                    value = view.record(3).get(field)
                    same = [row for row in range(300) if view.record(row).get(field) == value]
                    self.assertEqual(list(view.find(field, value).rows), same, field)
                    self.assertTrue(view.contains(field, value))
                    self.assertEqual(view.first_rows(field, [value]).tolist(), same[:1])
                    self.assertEqual(sum(read), changed, field)

    def test_slots_with_stores_of_their_own(self) -> None:
        table: dict[Slot, Records] = {}
        for slot in self.snapshot:
            assert isinstance(slot, RouteSlot)
            ordered = [route for route in self.routes if (route.family, route.ingress) == (slot.family, slot.ingress)]
            for own, part in snapshot_of(ordered, AttributeStore()).items():
                table[own] = part
        view, rows = RibView(Snapshot.of(table)), np.random.default_rng(1).permutation(len(self.view))
        self.assertEqual(view.numbers_at("med", rows).tolist(), self.view.numbers_at("med", rows).tolist())
        self.assertEqual(*(np.asarray(own.known_at("origin_asn", rows)).tolist() for own in (view, self.view)))
        items = np.full(len(rows), 64496 << 16 | 1, np.uint32)
        has = view.has_at("communities", rows, items)
        self.assertEqual(has.tolist(), self.view.has_at("communities", rows, items).tolist())
        self.assertTrue(has.any())
        for field, values in (("origin_asn", [64496, 64497, 7]), ("communities", [(), (64496 << 16 | 1,), (1,)])):
            self.assertEqual(view.first_rows(field, values).tolist(), self.view.first_rows(field, values).tolist())
            for value in values:
                self.assertEqual(self.told(view.find(field, value)), self.told(self.view.find(field, value)))

    def test_values_that_no_set_has_any_more_are_forgotten(self) -> None:
        store, memory = AttributeStore(), SetMemory()
        slot = RouteSlot(4, ingresses()[0], store)
        for origin in range(1, 200):
            number = store.intern(attribute_set(origin))
            with mock.patch.object(set_values, "_SPARE", 8):
                view = RibView(Snapshot.of({slot: Records.of(slot, [key(4, 10 << 24, 8)], [number])}), memory=memory)
            self.assertEqual([view.contains("origin_asn", own) for own in (origin, origin - 1)], [True, False])
            for _ in range(2):
                store.sweep()
        self.assertLess(len(memory.of(store, ROUTE, "origin_asn")), 16)

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
