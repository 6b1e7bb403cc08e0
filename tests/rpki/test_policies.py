"""Tests for L{rotonda.rpki.policies}."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.rpki.policies import Candidate, Choice, Merged, choose
from rotonda.rpki.sources import SourceState
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, VRP4
from tests.rpki.test_exceptions import Data, random_data, snapshot
from tests.session.worlds import vrps

CURRENT, STALE, EXPIRED, CONNECTING, GONE = SourceState
NEVER_AWAY = float("-inf")


class MergedTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=80)
    @given(st.integers(0, 1 << 32))
    def test_a_record_is_there_as_long_as_any_source_has_it(self, seed: int) -> None:
        """P-06: no duplicates, and a withdrawal only when the last source has lost a record; R-AS-10 for ASPAs."""
        chance = random.Random(seed)
        merged, seen, held = Merged(), EMPTY, dict[str, Data]()
        for _ in range(10):
            name = chance.choice("abc")
            if chance.random() < 0.2:
                held.pop(name, None)
                diff = merged.update(name, None)
            else:
                held[name] = random_data(chance)
                new = snapshot(held[name])
                known = merged.holders.get(name, EMPTY)
                diff = merged.update(name, new, known.diff(new) if chance.random() < 0.5 else None)
            seen = diff.apply(seen)
            rows = set().union(*(own[0] for own in held.values()))
            keys = set().union(*(own[1] for own in held.values()))
            customers: dict[int, set[int]] = {}
            for own in held.values():
                for customer, providers in own[2].items():
                    customers[customer] = customers.get(customer, set()) | providers
            expected = snapshot((rows, keys, {own: them - {0} or them for own, them in customers.items()}))
            self.assertEqual((merged.snapshot, merged.snapshot.count), (expected, expected.count))
            self.assertEqual(seen, expected)
            self.assertEqual(set(merged.holders), set(held))

    def test_a_diff_from_elsewhere_changes_nothing(self) -> None:
        merged = Merged()
        for name in "ab":
            merged.update(name, vrps(1))
        before = merged.snapshot, dict(merged.holders)
        self.assertRaises(ValueError, merged.update, "a", vrps(2), vrps(5).diff(vrps(1, 2)).inverse())
        self.assertEqual((merged.snapshot, dict(merged.holders)), before)

    def test_what_one_source_alone_holds_is_shared_with_it(self) -> None:
        merged, own = Merged(), snapshot(random_data(random.Random(1)))
        merged.update("a", own)
        merged.update("b", EMPTY)
        self.assertIs(merged.snapshot[VRP4], own[VRP4])


class ChooseTests(SynchronousTestCase):
    """Sources a, b and c in order of preference; the hold-down is 60 s and it is now 1000 s."""

    def choose(self, used: str | None, states: Sequence[tuple[SourceState, float]]) -> Choice:
        sources = [Candidate(name, 0, *state) for name, state in zip("abc", states, strict=False)]
        return choose(sources, used, 60.0, 1000.0)

    def test_which_one(self) -> None:
        cases: list[tuple[str, str | None, list[tuple[SourceState, float]], tuple[str | None, float | None]]] = [
            ("nothing yet", None, [(CONNECTING, NEVER_AWAY), (CONNECTING, NEVER_AWAY)], (None, None)),
            ("the first that has data", None, [(CONNECTING, NEVER_AWAY), (CURRENT, NEVER_AWAY)], ("b", None)),
            ("the preferred one comes", "b", [(CURRENT, NEVER_AWAY), (CURRENT, NEVER_AWAY)], ("a", None)),
            ("it is away, but its data is good", "a", [(STALE, 990), (CURRENT, NEVER_AWAY)], ("a", 1050)),
            ("it is away for long", "a", [(STALE, 940), (CURRENT, NEVER_AWAY)], ("b", None)),
            ("both are away", "a", [(STALE, 1), (STALE, 2)], ("a", None)),
            ("its data is gone", "a", [(GONE, 1000), (CURRENT, NEVER_AWAY)], ("b", None)),
            ("its data is gone, the other's is old", "a", [(GONE, 1000), (STALE, 900)], ("b", None)),
            ("it has expired and is kept", "a", [(EXPIRED, 1000), (STALE, 900)], ("b", 1060)),
            ("all have expired and are kept", "a", [(EXPIRED, 900), (EXPIRED, 800)], ("a", None)),
            ("all are gone", "a", [(GONE, 900), (GONE, 800)], (None, None)),
            ("it is back, but for how long", "b", [(CURRENT, 980), (CURRENT, NEVER_AWAY)], ("b", 1040)),
            ("it is back for long", "b", [(CURRENT, 940), (CURRENT, NEVER_AWAY)], ("a", None)),
            ("it is back when ours has just gone", "b", [(CURRENT, 980), (GONE, 1000)], ("a", 1040)),
            ("one that is settled goes before", "b", [(CURRENT, 980), (GONE, 1000), (CURRENT, 1)], ("c", 1040)),
            ("ours is away, a better one is settled", "b", [(CURRENT, 1), (STALE, 1000)], ("a", 1060)),
            ("ours is away, a worse one is there", "b", [(GONE, 1), (STALE, 1000), (CURRENT, 1)], ("b", 1060)),
            ("a worse one coming is nothing", "a", [(CURRENT, 1), (CURRENT, 2)], ("a", None)),
        ]
        for why, used, states, expected in cases:
            with self.subTest(why=why):
                chosen = self.choose(used, states)
                self.assertEqual((chosen.name, chosen.again), expected)

    def test_preference_goes_before_order(self) -> None:
        sources = [Candidate("a", 2, CURRENT, NEVER_AWAY), Candidate("b", 1, CURRENT, NEVER_AWAY)]
        self.assertEqual(choose(sources, None, 60, 0).name, "b")

    @settings(deadline=None)
    @given(st.integers(0, 1 << 32))
    def test_it_settles(self, seed: int) -> None:
        """However it fares, asking again at once changes nothing, and what is used has data if any has."""
        chance = random.Random(seed)
        sources = [
            Candidate(
                name, chance.randrange(2), chance.choice(list(SourceState)), chance.choice([NEVER_AWAY, 950, 900])
            )
            for name in "abcd"
        ]
        first = choose(sources, chance.choice(["a", "b", None]), 60, 1000)
        self.assertEqual(choose(sources, first.name, 60, 1000), first)
        self.assertEqual(first.name is not None, any(own.state.usable for own in sources))
        if first.again is not None:
            self.assertGreater(first.again, 1000)
