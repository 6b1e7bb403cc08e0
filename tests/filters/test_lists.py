"""Tests for L{rotonda.filters.lists}: what is asked of many lists is what is asked of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rotonda.filters.lists import Column, Lists
from twisted.trial.unittest import SynchronousTestCase

some_lists = st.lists(st.lists(st.integers(0, 40), max_size=5), max_size=12)


def lists_of(rows: Sequence[Sequence[object]], kind: str = "u4") -> Lists:
    values = np.array([value for row in rows for value in row], kind)
    return Lists(values, np.cumsum([0, *map(len, rows)]).astype(np.int64))


def told(column: Column) -> list[object]:
    return [value if known else None for value, known in zip(column.values.tolist(), column.known, strict=True)]


class ListsTests(SynchronousTestCase):
    @given(some_lists, st.integers(0, 40), st.lists(st.integers(0, 50), max_size=40, unique=True))
    def test_membership(self, rows: list[list[int]], value: int, wanted: list[int]) -> None:
        lists = lists_of(rows)
        self.assertEqual(lists.contains(value).tolist(), [value in row for row in rows])
        found = lists.contains_any(np.array(sorted(wanted), "u4"))
        self.assertEqual(found.tolist(), [bool(set(row) & set(wanted)) for row in rows])

    @given(some_lists, st.integers(-7, 7))
    def test_places(self, rows: list[list[int]], index: int) -> None:
        lists = lists_of(rows)
        expected = [row[index] if -len(row) <= index < len(row) else None for row in rows]
        self.assertEqual(told(lists.at(index)), expected)
        self.assertEqual(told(lists.first()), told(lists.at(0)))
        self.assertEqual(told(lists.last()), [row[-1] if row else None for row in rows])
        self.assertEqual(lists.lengths.tolist(), list(map(len, rows)))
        self.assertEqual([lists.row(number).tolist() for number in range(len(lists))], rows)

    @given(st.lists(st.lists(st.integers(0, 2), max_size=5), max_size=12), st.lists(st.integers(0, 2), max_size=3))
    def test_beginnings(self, rows: list[list[int]], sequence: list[int]) -> None:
        expected = [row[: len(sequence)] == sequence for row in rows]
        self.assertEqual(lists_of(rows).starts_with(sequence).tolist(), expected)

    def test_values_of_octets(self) -> None:
        """Octets that end in zeros are not lost, and many are found as few are."""
        one, other = bytes(12), b"\1" + bytes(11)
        lists = lists_of([[one], [other, one], [], [b"\2" * 12]], "S12")
        self.assertEqual(lists.contains(one).tolist(), [True, True, False, False])
        self.assertEqual(lists.contains(other).tolist(), [False, True, False, False])
        many = np.array(sorted({other, *(bytes((number, 9)) + bytes(10) for number in range(30))}), "S12")
        self.assertEqual(lists.contains_any(many).tolist(), [False, True, False, False])
        self.assertEqual(lists.contains_any(many[:0]).tolist(), [False] * 4)
