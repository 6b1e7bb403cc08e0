"""Tests for L{rotonda.rib.per_set}: results follow the sets of a store, whatever numbers they get."""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rotonda.rib import per_set
from rotonda.rib.per_set import PerSet
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore

actions: st.SearchStrategy[tuple[str, list[int]]] = st.one_of(
    st.tuples(st.just("intern"), st.lists(st.integers(0, 30), min_size=1, max_size=6)),
    st.tuples(st.just("ask"), st.lists(st.integers(0, 1000), max_size=6)),
    st.tuples(st.just("sweep"), st.just([])),
)


class Sums:
    """Sums of octets; remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, sets: Sequence[bytes]) -> NDArray[np.int64]:
        self.asked += sets
        return np.array([sum(octets) for octets in sets], np.int64)


class PerSetTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store, self.sums = AttributeStore(), Sums()
        self.results = PerSet(self.store, self.sums)

    def _free(self) -> None:
        self.store.sweep()
        self.store.sweep()

    def test_each_set_is_computed_once_and_only_when_asked_for(self) -> None:
        numbers = self.store.intern_all([bytes((number,)) for number in range(50)])
        self.assertEqual(self.sums.asked, [])
        rows = np.array([3, 1, 3, 3], np.uint32)
        self.assertEqual(self.results.values(numbers[rows]).tolist(), rows.tolist())
        self.assertEqual(sorted(self.sums.asked), [b"\1", b"\3"])
        self.assertEqual(self.results.values(np.tile(numbers, 9)).tolist(), list(range(50)) * 9)
        self.assertEqual(len(self.sums.asked), 50)

    def test_chunks(self) -> None:
        numbers = self.store.intern_all([bytes((number,)) for number in range(50)])
        with mock.patch.object(per_set, "CHUNK_SETS", 7):
            self.assertEqual(self.results.values(numbers).tolist(), list(range(50)))

    def test_no_rows(self) -> None:
        none = self.results.values(np.empty(0, np.uint32))
        self.assertEqual((none.tolist(), none.dtype), ([], np.int64))

    def test_a_number_that_was_free_when_it_was_asked_for(self) -> None:
        number = self.store.intern(b"\7")
        self._free()
        asked = np.array([number], np.uint32)
        self.assertEqual(self.results.values(asked).tolist(), [0])
        self.assertEqual(self.store.intern(b"\7"), number)
        self.assertEqual(self.results.values(asked).tolist(), [7])

    def test_rows_of_several_values(self) -> None:
        pairs = PerSet(self.store, lambda sets: np.array([(len(each), each[0]) for each in sets]).reshape(-1, 2))
        numbers = self.store.intern_all([b"\5\5", b"\6"])
        self.assertEqual(pairs.values(numbers[::-1]).tolist(), [[1, 6], [2, 5]])

    @given(st.lists(actions, max_size=40))
    def test_any_life_of_a_store(self, life: list[tuple[str, list[int]]]) -> None:
        self.setUp()
        for action, words in life:
            if action == "intern":
                self.store.intern_all([bytes((word,)) for word in words])
            elif action == "sweep":
                self.store.sweep()
            elif self.store.octets:
                numbers = np.array([word % len(self.store.octets) for word in words], np.uint32)
                expected = [sum(self.store.octets[number]) for number in numbers.tolist()]
                found = self.results.values(numbers).tolist()
                in_use = [bool(self.store.octets[number]) for number in numbers.tolist()]
                self.assertEqual(
                    [value for value, used in zip(found, in_use, strict=True) if used],
                    [value for value, used in zip(expected, in_use, strict=True) if used],
                )
