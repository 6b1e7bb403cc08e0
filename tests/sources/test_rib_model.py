"""Views of a RIB against a dictionary of its routes, however the RIB comes to be and whatever becomes of it then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.blocks.types import ROUTE
from rotonda.blocks.values import Prefix
from rotonda.filters.route_record import AttributesView
from rotonda.filters.world import NONE
from rotonda.sources import rib, set_values
from rotonda.sources.rib import RibView
from rotonda.sources.set_values import SetMemory
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, History, Ingress, Records, RouteSlot, Slot, Snapshot
from tests.rib.tables import SETS, ingresses
from tests.sources.plain import LOOK_UPS, keys, matching, prefixes

Name: TypeAlias = tuple[Prefix, int, int]
"""What a route is known by: prefix, number of the ingress, path identifier."""
Route: TypeAlias = tuple[bytes, int]
"""Its attribute set, and when it was received."""
Model: TypeAlias = Mapping[Name, Route]

INGRESSES = {own.number: own for own in ingresses()}
COMMUNITY = 64496 << 16 | 1
ASKED = ("origin_asn", "med", "local_pref", "atomic_aggregate", "peer_asn", "peer_id", "path_id", "received")


def names() -> st.SearchStrategy[Name]:
    """Routes of few ingresses to prefixes that cover each other."""
    return st.tuples(prefixes(), st.sampled_from(sorted(INGRESSES)), st.sampled_from((0, 1, 0xFFFFFFFF)))


def changes() -> st.SearchStrategy[dict[Name, Route | None]]:
    """Routes that come and routes that go."""
    route = st.tuples(st.sampled_from([*SETS, b"\x40\x01"]), st.sampled_from((0, 7, 0xFFFFFFFF)))
    return st.dictionaries(names(), st.none() | route, max_size=12)


def table(model: Model, store: AttributeStore) -> Snapshot:
    """The table of these routes."""
    slots: dict[tuple[int, int], dict[bytes, Route]] = defaultdict(dict)
    for (prefix, ingress, path), route in model.items():
        slots[6 if prefix.is_ipv6 else 4, ingress][_key(prefix, path)] = route
    made: dict[Slot, Records] = {}
    for (family, ingress), own in slots.items():
        slot = RouteSlot(4 if family == 4 else 6, INGRESSES[ingress], store)
        ordered = sorted(own)
        numbers = [store.intern(own[key][0]) for key in ordered]
        made[slot] = Records.of(slot, ordered, numbers, [own[key][1] for key in ordered])
    return Snapshot.of(made)


def _key(prefix: Prefix, path: int) -> bytes:
    return prefix.octets + bytes((prefix.length,)) + path.to_bytes(4)


def digests() -> dict[int, int]:
    """The number of each ingress by what it is known by."""
    return {own.digest: own.number for own in INGRESSES.values()}


def _both(records: Sequence[Any], field: str, told: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """What records have in a field, and what is told of it, where there is a record."""
    pairs = [(one.get(field), own) for one, own in zip(records, told, strict=True) if one is not None]
    return [own for own, _ in pairs], [own for _, own in pairs]


class ModelTests(SynchronousTestCase):
    def told(self, found: Any) -> list[tuple[Name, bytes, int]]:
        """What tells routes apart, and what they are."""
        known = digests()
        return sorted(
            (
                ((one.get("prefix"), known[one.get("peer_id")], one.get("path_id")), one.octets, one.get("received"))
                for one in found
            ),
            key=str,
        )

    def agree(self, view: RibView, model: Model, asked: Sequence[Prefix]) -> None:
        """Hold everything that a view says of these prefixes against the model."""
        routes = [(name, octets, seconds * 1_000_000) for name, (octets, seconds) in model.items()]
        own = [name[0] for name, _, _ in routes]
        self.assertEqual(len(view), len(model))
        for look_up in LOOK_UPS:
            found = [getattr(view, look_up)(prefix) for prefix in asked]
            rows = [matching(own, look_up, prefix) for prefix in asked]
            for one, wanted in zip(found, rows, strict=True):
                self.assertEqual(self.told(one), sorted((routes[row] for row in wanted), key=str))
            for bits in (32, 128):
                counts = [len(one) for one, prefix in zip(rows, asked, strict=True) if prefix.bits == bits]
                self.assertEqual(view.count_column(look_up, keys(asked, bits)).tolist(), counts)
            if look_up in LOOK_UPS[:2]:
                self.agree_first(view, look_up, asked)
        self.assertEqual(view.contains_column("prefix", asked).tolist(), [prefix in own for prefix in asked])

    def agree_first(self, view: RibView, look_up: str, asked: Sequence[Prefix]) -> None:
        """The first of all, as a number, and its fields as columns, against what is found alone."""
        for bits in (32, 128):
            wanted = sorted((one for one in asked if one.bits == bits), key=lambda one: (one.octets, one.length))
            found = [getattr(view, look_up)(prefix) for prefix in wanted]
            first = view.first_of(look_up, keys(wanted, bits))
            self.assertEqual(first.tolist(), [int(one.rows[0]) if len(one) else NONE for one in found])
            rows, records = np.maximum(first, 0), [one[0] if len(one) else None for one in found]
            for field in ASKED:
                known, values = view.known_at(field, rows), view.numbers_at(field, rows).tolist()
                known = np.ones(len(rows), np.bool_) if known is None else known
                told = [value if there else None for value, there in zip(values, known.tolist(), strict=True)]
                self.assertEqual(*_both(records, field, told), field)
            has = view.has_at("communities", rows, np.full(len(rows), COMMUNITY, np.uint32)).tolist()
            communities, there = _both(records, "communities", has)
            self.assertEqual([COMMUNITY in own for own in communities], there)

    def play(self, rounds: Sequence[Mapping[Name, Route | None]], more: Sequence[Prefix], few: int, spare: int) -> None:
        """Let a RIB take these changes, and hold a view of each of its states against the model, at once and later."""
        store, history, memory = AttributeStore(), History(1, 0), SetMemory()
        model: dict[Name, Route] = {}
        views: list[tuple[RibView, Model]] = []
        asked = [*dict.fromkeys([*more, *(name[0] for changed in rounds for name in changed)])]
        with mock.patch.object(rib, "_FEW", few), mock.patch.object(set_values, "_SPARE", spare):
            for changed in ({}, *rounds):
                model = {**model, **{name: route for name, route in changed.items() if route is not None}}
                for name in [name for name, route in changed.items() if route is None]:
                    model.pop(name, None)
                history.commit(table(model, store))
                view = RibView(history.snapshot, ROUTE, INGRESSES.get, history.serial, memory)
                self.agree(view, model, asked)
                views.append((view, model))
            for view, before in views:
                self.agree(view, before, asked)
                self.agree_values(view, before)

    def agree_values(self, view: RibView, model: Model) -> None:
        """What has which value in a field of rows, and in one of sets."""
        for field, of in (
            ("peer_asn", lambda name, route: INGRESSES[name[1]].asn),
            ("path_id", lambda name, route: name[2]),
            ("received", lambda name, route: route[1] * 1_000_000),
            ("med", lambda name, route: AttributesView(route[0]).get("med")),
        ):
            values = [0, 1, 7, 64500, 64501, 64502, 7_000_000, 0xFFFFFFFF * (1_000_000 if field == "received" else 1)]
            there = {of(name, route) for name, route in model.items()}
            asked = np.array(values, np.uint64)
            self.assertEqual(view.contains_column(field, asked).tolist(), [value in there for value in values], field)
            for value, row in zip(values, view.first_rows(field, asked).tolist(), strict=True):
                found = view.find(field, value)
                self.assertEqual(row, int(found.rows[0]) if len(found) else NONE)
                same = sum(of(name, route) == value for name, route in model.items())
                self.assertEqual(len(found), same)

    @settings(max_examples=40, deadline=None)
    @given(st.lists(changes(), max_size=3), st.lists(prefixes(), max_size=6), st.sampled_from((0, 16, 1 << 30)))
    def test_after_each_commit(self, rounds: list[dict[Name, Route | None]], more: list[Prefix], few: int) -> None:
        """With indexes of rows, without, and as it comes; what is known of sets is too much at once, or never."""
        self.play(rounds, more, few, 1024 if few else -1024)

    def test_an_ingress_that_nobody_knows_any_more(self) -> None:
        name: Name = (Prefix.parse("10.0.0.0/8"), 1, 0)
        present: dict[int, Ingress] = {}
        view = RibView(table({name: (SETS[0], 1)}, AttributeStore()), present=present.get)
        self.assertEqual(view.numbers_at("peer_asn", np.zeros(1, np.int64)).tolist(), [INGRESSES[1].asn])
