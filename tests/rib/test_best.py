"""Tests for L{rotonda.rib.best}: against a loop, whole and step by step."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rotonda.bgp.as_path import hops
from rotonda.bgp.attributes import decoded
from rotonda.rib.best import Choice, PathLengths
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, VRP4, AttributeStore, PayloadSlot, Records, RouteSlot, Snapshot
from tests.rib.tables import PlainRoute, attribute_set, ingresses, key, random_routes, snapshot_of

LONG = attribute_set(64496)[:4] + bytes.fromhex("40020e0203") + bytes(12) + bytes.fromhex("400304c0000201")
PATHLESS = bytes.fromhex("40010100400304c0000201")


def by_loop(routes: list[PlainRoute]) -> list[PlainRoute]:
    """The best route of each prefix."""
    found: dict[tuple[int, int, int], PlainRoute] = {}
    for route in sorted(routes, key=rank, reverse=True):
        found[route.family, route.address, route.length] = route
    return list(found.values())


def rank(route: PlainRoute) -> tuple[int, int, int]:
    path = decoded(route.octets).as_path
    return hops(path) if path else 1 << 20, route.ingress.number, route.path


def table(seed: int, count: int, store: AttributeStore) -> tuple[list[PlainRoute], Snapshot]:
    """Random routes, some of them with a longer path or without one."""
    chance = random.Random(seed)
    routes = random_routes(seed, count, ingresses())
    for place, route in enumerate(routes):
        octets = chance.choice((route.octets, route.octets, LONG, PATHLESS))
        routes[place] = PlainRoute(
            route.family, route.address, route.length, route.path, route.ingress, octets, route.time
        )
    return routes, snapshot_of(routes, store)


class ChoiceTests(SynchronousTestCase):
    @given(st.integers(0, 1 << 30), st.integers(0, 120))
    def test_whole(self, seed: int, count: int) -> None:
        store = AttributeStore()
        routes, snapshot = table(seed, count, store)
        self.assertEqual(Choice().whole(snapshot), snapshot_of(by_loop(routes), store))

    @given(st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 80)), min_size=1, max_size=5))
    def test_step_by_step(self, tables: list[tuple[int, int]]) -> None:
        store, choice = AttributeStore(), Choice()
        now, best = EMPTY, EMPTY
        for seed, count in tables:
            _, then = table(seed, count, store)
            step = choice.step(best, then, now.diff(then))
            now, best = then, step.apply(best)
            self.assertEqual(best, choice.whole(now))

    def test_a_small_step_looks_at_its_prefixes_only(self) -> None:
        """And so what is wrong elsewhere stays."""
        store, choice = AttributeStore(), Choice()
        first, second = ingresses(2)
        octets = attribute_set(64496)
        routes = [
            PlainRoute(4, number << 8, 24, 0, each, octets, 0) for each in (first, second) for number in range(99)
        ]
        before = snapshot_of(routes, store)
        after = snapshot_of(routes[1:], store)
        step = choice.step(EMPTY, after, before.diff(after))
        self.assertEqual(step.apply(EMPTY), snapshot_of([routes[99]], store))

    def test_only_what_is_allowed(self) -> None:
        store, choice = AttributeStore(), Choice()
        routes, snapshot = table(3, 100, store)

        def allowed(table: Snapshot) -> Snapshot:
            return Snapshot.of({slot: own for slot, own in table.items() if slot.order[1] != 0})

        kept = [route for route in routes if route.ingress.number]
        self.assertEqual(choice.whole(snapshot, allowed), snapshot_of(by_loop(kept), store))
        step = choice.step(EMPTY, snapshot, EMPTY.diff(snapshot), allowed)
        self.assertEqual(step.apply(EMPTY), choice.whole(snapshot, allowed))

    def test_other_records_are_passed_over(self) -> None:
        slot: PayloadSlot = VRP4
        snapshot = Snapshot.of({slot: Records.of(slot, [bytes(10)])})
        self.assertEqual(Choice().whole(snapshot), EMPTY)
        self.assertEqual(Choice().step(EMPTY, snapshot, EMPTY.diff(snapshot)).count, 0)

    def test_numbers_that_mean_something_else_now(self) -> None:
        store = AttributeStore()
        lengths = PathLengths(store)
        number = store.intern(attribute_set(64496))
        self.assertEqual(lengths.of(np.array([number], np.uint32)).tolist(), [2])
        store.sweep()
        store.sweep()
        self.assertEqual(store.intern(LONG), number)
        self.assertEqual(lengths.of(np.array([number], np.uint32)).tolist(), [3])

    def test_keys_keep_their_path_identifiers(self) -> None:
        store = AttributeStore()
        [ingress] = ingresses(1)
        routes = [PlainRoute(4, 1 << 24, 8, path, ingress, attribute_set(64496), 0) for path in (7, 5, 9)]
        [(slot, own)] = Choice().whole(snapshot_of(routes, store)).items()
        self.assertIsInstance(slot, RouteSlot)
        self.assertEqual([own.key(row) for row in range(len(own))], [key(4, 1 << 24, 8, 5)])
