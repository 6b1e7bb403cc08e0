"""Tests for L{rotonda.rpki.path_tables}: whole tables of paths."""

from __future__ import annotations

import random
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.rpki import path_tables
from rotonda.rpki.path_tables import PathTable, verify_paths
from rotonda.rpki.paths import Direction, Path, PathState, verify_path
from twisted.trial.unittest import SynchronousTestCase

from tests.rpki.attestations import NIST, A, B, C, E, F, aspa_set, random_aspas, random_path
from tests.rpki.draft import PROCEDURES


class TableTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=100)
    @given(st.integers(0, 1 << 32), st.sampled_from([1, 7, 1 << 17]))
    def test_a_table_is_judged_as_the_draft_judges_each_path(self, seed: int, chunk: int) -> None:
        chance = random.Random(seed)
        ases = [1, 2, 3, 4, 70_000, 4_200_000_000]
        providers = random_aspas(chance, ases)
        attested = aspa_set(providers)
        paths = [random_path(chance, ases) for _ in range(60)]
        neighbours = [chance.choice([None, 1, *path.numbers[:1] * 3]) or None for path in paths]
        with mock.patch.object(path_tables, "CHUNK_NUMBERS", chunk):
            for direction in Direction:
                found = verify_paths(attested, PathTable.of(paths, neighbours), direction)
                expected = [
                    PROCEDURES[direction.value](providers, path.numbers, path.has_set, neighbour)
                    for path, neighbour in zip(paths, neighbours, strict=True)
                ]
                self.assertEqual([str(PathState(state)) for state in found.tolist()], expected)

    def test_columns_without_sets_and_neighbours(self) -> None:
        numbers, offsets = np.array([F, C, A, E, B], np.uint32), np.array([0, 3, 3, 5], np.int64)
        table = PathTable(numbers, offsets)
        self.assertEqual(len(table), 3)
        states = verify_paths(aspa_set(NIST), table, Direction.UPSTREAM).tolist()
        self.assertEqual(states, [PathState.VALID, PathState.INVALID, PathState.VALID])

    def test_nothing_at_all(self) -> None:
        for paths in ([], [Path(())]):
            for direction in Direction:
                states = verify_paths(aspa_set(NIST), PathTable.of(paths), direction).tolist()
                self.assertEqual(states, [PathState.INVALID] * len(paths))

    def test_one_path_that_is_longer_than_a_chunk(self) -> None:
        climb = Path(tuple(range(path_tables.CHUNK_NUMBERS + 10, 0, -1)))
        attested = aspa_set({1: {2}, 5: {7}})
        table = PathTable.of([Path((2, 1)), climb, Path((2, 1))])
        for direction in Direction:
            single = [verify_path(attested, path, direction).state for path in (Path((2, 1)), climb, Path((2, 1)))]
            self.assertEqual(verify_paths(attested, table, direction).tolist(), single)
