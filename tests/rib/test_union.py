from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.rib.union import Disputed, Union
from rotonda.rpki.records import MAX_PROVIDERS
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import (
    ASPA,
    EMPTY,
    OCTETS,
    ROUTER_KEY,
    VRP4,
    AttributeStore,
    Diff,
    History,
    MisplacedDiff,
    Records,
    Snapshot,
)
from tests.rib.tables import ingresses, random_routes, snapshot_of

INGRESSES = ingresses()
Held = dict[str, set[bytes]]


def vrps(asns: set[int]) -> Records:
    return Records.of(VRP4, [bytes((192, 0, 2, 0, 24, 24)) + asn.to_bytes(4) for asn in asns])


def aspas(providers: dict[int, set[int]]) -> Records:
    values = np.empty(len(providers), OCTETS)
    values[:] = [b"".join(asn.to_bytes(4) for asn in sorted(own)) for own in providers.values()]
    return Records.of(ASPA, [customer.to_bytes(4) for customer in providers], values)


def keys(asns: set[int]) -> Records:
    return Records.of(ROUTER_KEY, np.array([bytes(24) + asn.to_bytes(4) for asn in asns] + [None], OCTETS)[:-1])


def random_payload(chance: random.Random) -> tuple[set[int], dict[int, set[int]], set[int]]:
    some = {chance.randrange(6) for _ in range(chance.randrange(6))}
    customers = {
        chance.randrange(1, 5): {chance.randrange(5, 9) for _ in range(chance.randint(1, 3))} for _ in range(3)
    }
    return some, customers if chance.random() < 0.7 else {}, {chance.randrange(4) for _ in range(chance.randrange(3))}


def payload(some: set[int], customers: dict[int, set[int]], routers: set[int]) -> Snapshot:
    return Snapshot.of({VRP4: vrps(some), ASPA: aspas(customers), ROUTER_KEY: keys(routers)})


class PayloadUnionTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=80)
    @given(st.integers(0, 1 << 32))
    def test_a_record_is_there_as_long_as_any_link_has_it(self, seed: int) -> None:
        chance = random.Random(seed)
        union = Union(History(1, diffs=1000))
        seen = [EMPTY]
        union.history.subscribe(lambda diff: seen.append(diff.apply(seen[-1])))
        held: dict[str, tuple[set[int], dict[int, set[int]], set[int]]] = {}
        for _ in range(12):
            link = chance.choice("abc")
            if chance.random() < 0.2:
                held.pop(link, None)
                union.forget(link)
            else:
                held[link] = random_payload(chance)
                new = payload(*held[link])
                known = union.links.get(link, EMPTY)
                union.update(link, new, known.diff(new) if chance.random() < 0.5 else None)
            some, customers, routers = set[int](), dict[int, set[int]](), set[int]()
            for own in held.values():
                some |= own[0]
                customers = {asn: customers.get(asn, set()) | own[1].get(asn, set()) for asn in {*customers, *own[1]}}
                routers |= own[2]
            expected = payload(some, customers, routers)
            self.assertEqual(union.history.snapshot, expected)
            self.assertEqual(union.history.snapshot.count, expected.count)
            self.assertEqual(seen[-1], expected)

    def test_what_only_one_link_holds_is_shared(self) -> None:
        union = Union(History(1))
        one = payload({1, 2}, {}, set())
        union.update("a", one)
        self.assertIs(union.history.snapshot[VRP4], one[VRP4])
        union.update("b", payload(set(), {1: {2}}, set()))
        self.assertIs(union.history.snapshot[VRP4], one[VRP4])

    def test_what_others_have_too_changes_nothing(self) -> None:
        union = Union(History(1))
        union.update("a", payload({1, 2}, {}, set()))
        position = union.history.position
        self.assertIsNone(union.update("b", payload({1}, {}, set())))
        self.assertIsNone(union.forget("b"))
        self.assertIsNone(union.forget("b"))
        self.assertEqual(union.history.position, position)

    def test_more_providers_than_an_aspa_can_have(self) -> None:
        """Nobody could be told such an ASPA, and one without some of its providers would be false."""
        union, most = Union(History(1)), MAX_PROVIDERS
        union.update("a", payload(set(), {1: set(range(2, 2 + most)), 2: {7}}, set()))
        union.update("b", payload(set(), {1: {most + 2}, 2: {8}}, set()))
        self.assertEqual(union.history.snapshot, payload(set(), {2: {7, 8}}, set()))
        union.forget("b")
        self.assertEqual(union.history.snapshot.records(ASPA).keys.tobytes(), bytes.fromhex("00000001 00000002"))

    def test_an_empty_link_is_data(self) -> None:
        union = Union(History(1))
        self.assertFalse(union.history.ready)
        union.update("a", EMPTY)
        self.assertTrue(union.history.ready)


class RouteUnionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = AttributeStore()
        self.union = Union(History(1))

    def routes(self, seed: int, *origins: int) -> Snapshot:
        return snapshot_of(random_routes(seed, 60, [INGRESSES[number] for number in origins]), self.store)

    def test_links_with_their_own_ingresses_lie_side_by_side(self) -> None:
        first, second, changed = self.routes(1, 0, 1), self.routes(2, 2), self.routes(3, 0, 1)
        self.union.update("a", first)
        self.union.update("b", second)
        self.assertEqual(self.union.history.snapshot, Snapshot.of({**first, **second}))
        self.union.update("a", changed, first.diff(changed))
        self.assertEqual(self.union.history.snapshot, Snapshot.of({**changed, **second}))
        for slot, records in changed.items():
            self.assertIs(self.union.history.snapshot[slot], records)
        self.union.forget("a")
        self.assertEqual(self.union.history.snapshot, second)

    def test_two_links_cannot_hold_routes_of_one_ingress(self) -> None:
        mine = self.routes(1, 0)
        self.union.update("a", mine)
        with self.assertRaisesRegex(Disputed, "of ingress 0 comes from b, but a has it"):
            self.union.update("b", self.routes(2, 0, 1))
        self.assertEqual(self.union.history.snapshot, mine)
        self.assertNotIn("b", self.union.links)

    def test_after_a_dispute_a_diff_is_not_what_changes(self) -> None:
        self.union.update("a", self.routes(1, 0))
        refused, after = self.routes(2, 0, 1), self.routes(3, 1)
        self.assertRaises(Disputed, self.union.update, "b", refused)
        self.union.update("a", EMPTY)
        self.assertEqual(list(self.union.links), [], "who holds nothing is not listed")
        self.union.update("b", after, refused.diff(after))
        self.assertEqual(self.union.history.snapshot, after)

    def test_the_diffs_of_the_history_still_apply_like_any(self) -> None:
        first, second = self.routes(1, 0), self.routes(2, 0)
        self.union.update("a", first)
        diff = self.union.update("a", second)
        assert isinstance(diff, Diff)
        self.assertEqual(diff.apply(first), second)
        self.assertRaises(MisplacedDiff, diff.apply, second)


class ResumeTests(SynchronousTestCase):
    def test_links_hold_on_to_what_they_held(self) -> None:
        one, two, both = (Snapshot.of({VRP4: vrps(asns)}) for asns in ({1, 2}, {2, 3}, {1, 2, 3}))
        history = History(5)
        history.commit(both)
        union = Union(history)
        self.assertIsNone(union.resume({"one": one, "two": two}))
        union.update("one", EMPTY)
        self.assertEqual(history.snapshot, two)

    def test_what_is_held_no_more_leaves(self) -> None:
        one, both = (Snapshot.of({VRP4: vrps(asns)}) for asns in ({1, 2}, {1, 2, 3}))
        history = History(5)
        history.commit(both)
        union = Union(history)
        union.resume({"one": one})
        self.assertEqual((history.snapshot, history.since(0)), (one, both.diff(one)))
