"""Tests for L{rotonda.rpki.paths}: one path with its reasons."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.rpki.aspas import Hop
from rotonda.rpki.paths import CheckedHop, Direction, Path, PathState, PathVerdict, Ramps, Reason, verify_path
from twisted.trial.unittest import SynchronousTestCase

from tests.rpki.attestations import NIST, A, B, C, D, E, F, G, aspa_set, random_aspas, random_path
from tests.rpki.draft import PROCEDURES

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
ATTESTED = aspa_set(NIST)


def verdict(direction: Direction, *numbers: int, neighbour: int | None = None) -> PathVerdict:
    return verify_path(ATTESTED, Path(numbers), direction, neighbour)


class KnownPathTests(SynchronousTestCase):
    """The figures that NIST's test suite publishes with its topology, and figures of our own with their reasons."""

    def test_upstream(self) -> None:
        for numbers, state, max_up, min_up in [
            ((F, C, A), "valid", 3, 3),
            ((D, C, A), "invalid", 2, 2),
            ((D, F, C, A), "unknown", 4, 3),
            ((D, E, B), "unknown", 3, 2),
            ((A, D, E, B), "invalid", 3, 2),
            ((A, D, G, E, B), "invalid", 3, 2),
            ((A, C, F), "invalid", 2, 1),
            ((A, C, F, G), "invalid", 1, 1),
            ((E, B), "valid", 2, 2),
        ]:
            with self.subTest(numbers):
                found = verdict(UP, *numbers)
                assert found.ramps is not None
                self.assertEqual((str(found.state), found.ramps), (state, Ramps(max_up, min_up, 0, 0)))

    def test_downstream(self) -> None:
        for numbers, state, ramps in [
            ((E, G, F, C, A), "unknown", Ramps(4, 3, 2, 1)),  # NIST's: F and G are peers, but nobody says so of E
            ((E, B), "valid", Ramps(2, 2, 2, 1)),  # two ASes always are: one up, one down
            ((E,), "valid", Ramps(1, 1, 1, 1)),
            ((D, F, C), "valid", Ramps(3, 2, 3, 2)),  # up from C to F, down to D: F need not say anything
            ((D, C, F), "unknown", Ramps(2, 1, 1, 1)),  # a leak, unless F is a customer of C: F does not say
            ((D, C, F, G), "invalid", Ramps(1, 1, 1, 1)),  # here it is one: C has it from its provider F, as G has none
            ((B, E, D, A, C), "invalid", Ramps(1, 1, 3, 2)),  # A has it from its provider C and leaks it to D
        ]:
            with self.subTest(numbers):
                found = verdict(DOWN, *numbers)
                self.assertEqual((str(found.state), found.ramps), (state, ramps))

    def test_which_hop_decided(self) -> None:
        self.assertEqual(
            verdict(UP, D, C, A),
            PathVerdict(
                PathState.INVALID, Reason.NOT_PROVIDER, Ramps(2, 2, 0, 0), (CheckedHop("up", C, D, Hop.NOT_PROVIDER),)
            ),
        )
        self.assertEqual(
            verdict(DOWN, D, C, F, G).decided_by,
            (CheckedHop("up", G, F, Hop.NOT_PROVIDER), CheckedHop("down", D, C, Hop.NOT_PROVIDER)),
        )
        self.assertEqual(
            verdict(UP, D, F, C, A).decided_by, (CheckedHop("up", F, D, Hop.NO_ATTESTATION),), "what is not known"
        )
        self.assertEqual(verdict(UP, F, C, A).decided_by, ())

    def test_paths_that_are_not_walked(self) -> None:
        cases = {
            Reason.EMPTY: (Path(()), None),
            Reason.NEIGHBOUR: (Path((F, C, A)), C),
            Reason.AS_SET: (Path((F, C), has_set=True), F),
            Reason.AS_ZERO: (Path((F, 0, A)), F),
        }
        for reason, (path, neighbour) in cases.items():
            for direction in Direction:
                with self.subTest(reason=reason, direction=direction):
                    found = verify_path(ATTESTED, path, direction, neighbour)
                    self.assertEqual(found, PathVerdict(PathState.INVALID, reason))

    def test_prepends_count_once(self) -> None:
        self.assertEqual(Path((F, F, C, A, A, A)).compressed, (F, C, A))
        self.assertEqual(Path((A, C, A)).compressed, (A, C, A), "a loop is not a prepend")
        self.assertEqual(verdict(UP, F, F, C, A, A, A), verdict(UP, F, C, A))

    def test_a_neighbour_that_is_first_and_one_that_nobody_checks(self) -> None:
        for neighbour in (F, None):
            self.assertEqual(verdict(UP, F, C, A, neighbour=neighbour).state, PathState.VALID)

    def test_siblings_that_attest_each_other(self) -> None:
        """Each is the other's provider, so routes may pass between them anywhere on the way."""
        siblings = aspa_set({1: {2}, 2: {1, 3}, 3: {0}, 4: {3}, 5: {4}})
        for direction, numbers, state in [
            (UP, (3, 2, 1), "valid"),
            (UP, (1, 2), "valid"),
            (DOWN, (1, 2, 3, 4), "valid"),
            (DOWN, (5, 4, 3, 2, 1), "valid"),
            (DOWN, (3, 1, 2), "valid"),  # one hop at the top may be any: 1 and 3 could be peers
            (UP, (3, 1, 2), "invalid"),
        ]:
            with self.subTest(direction=direction, numbers=numbers):
                self.assertEqual(str(verify_path(siblings, Path(numbers), direction).state), state)

    def test_as0_beside_providers_changes_nothing(self) -> None:
        for providers in ({2}, {0, 2}):
            attested = aspa_set({1: providers})
            self.assertEqual(verify_path(attested, Path((2, 1)), UP).state, PathState.VALID)
            self.assertEqual(verify_path(attested, Path((3, 1)), UP).state, PathState.INVALID)


class DraftTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=200)
    @given(st.integers(0, 1 << 32))
    def test_the_same_as_the_draft_says(self, seed: int) -> None:
        chance = random.Random(seed)
        ases = list(range(1, 7))
        providers = random_aspas(chance, ases)
        attested = aspa_set(providers)
        for _ in range(20):
            path = random_path(chance, ases)
            neighbour = chance.choice([None, *ases, *path.numbers[:1] * 5]) or None
            for direction in Direction:
                expected = PROCEDURES[direction.value](providers, path.numbers, path.has_set, neighbour)
                self.assertEqual(str(verify_path(attested, path, direction, neighbour).state), expected)
