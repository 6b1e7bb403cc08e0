from bisect import bisect_left

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.columns import (
    OCTETS,
    Column,
    among,
    column,
    distinct,
    equal,
    group_ends,
    group_starts,
    locate,
    memory,
    stable_order,
    whole,
)
from tests.table.worlds import patient

S2 = np.dtype("S2")


def pairs(*keys: bytes) -> Column:
    return column("keys", keys, S2)


class ColumnTests(SynchronousTestCase):
    def test_built_from_octets(self) -> None:
        self.assertEqual(pairs(b"\0\0", b"\1\0").tobytes(), b"\0\0\1\0")
        self.assertEqual(column("keys", [b"", b"a\0"], OCTETS).tolist(), [b"", b"a\0"])
        self.assertEqual(column("times", [1, 2], np.dtype(np.uint32)).tolist(), [1, 2])

    def test_a_column_stays_what_it_is(self) -> None:
        keys = pairs(b"aa")
        self.assertIs(column("keys", keys, S2), keys)

    def test_nothing_is_converted(self) -> None:
        for data in ([b"abc"], [b"a"], np.array([b"abc"]), np.array([[b"ab"]]), np.array([1])):
            with self.subTest(data=data):
                refusal = self.assertRaises(ValueError, column, "vrp4 keys", data, S2)
                self.assertIn("vrp4 keys", str(refusal))

    def test_whole(self) -> None:
        self.assertEqual(whole(pairs(b"\0\0", b"\1\0"), 1), b"\1\0")
        self.assertEqual(whole(column("keys", [b"\1\0\0"], OCTETS), 0), b"\1\0\0")

    def test_order(self) -> None:
        self.assertIsNone(stable_order(pairs()))
        self.assertIsNone(stable_order(pairs(b"aa", b"aa", b"bb")))
        order = stable_order(pairs(b"bb", b"aa", b"bb"))
        assert order is not None
        self.assertEqual(order.tolist(), [1, 0, 2])

    def test_groups(self) -> None:
        keys = pairs(b"aa", b"aa", b"bb", b"cc", b"cc")
        ends = group_ends(keys)
        self.assertEqual(ends.tolist(), [False, True, True, False, True])
        self.assertEqual(group_starts(ends).tolist(), [True, False, True, True, False])
        self.assertEqual(group_starts(group_ends(pairs())).tolist(), [])

    def test_equal(self) -> None:
        one, same, other = pairs(b"aa"), pairs(b"aa"), pairs(b"ab")
        self.assertEqual([equal(one, one), equal(one, same), equal(one, other)], [True, True, False])
        self.assertEqual([equal(None, None), equal(one, None), equal(None, one)], [True, False, False])

    def test_memory_counts_python_bytes(self) -> None:
        self.assertEqual(memory(None), 0)
        self.assertEqual(memory(pairs(b"aa", b"bb")), 4)
        self.assertGreater(memory(column("keys", [bytes(1000)], OCTETS)), 1000)


class OrderTests(SynchronousTestCase):
    @patient
    @given(st.sampled_from([4, 8, 10, 22]), st.lists(st.binary(max_size=9), max_size=30), st.booleans())
    def test_as_sorted_octets(self, width: int, found: list[bytes], descending: bool) -> None:
        """Whatever is alike in the first word, and however often the same comes."""
        octets = [each[:4].ljust(width - len(each[4:width]), b"\xff") + each[4:width] for each in found]
        keys = column("keys", sorted(octets, reverse=True) if descending else octets, np.dtype(f"S{width}"))
        order = stable_order(keys)
        right = sorted(range(len(octets)), key=lambda row: whole(keys, row))
        self.assertEqual(list(range(len(octets))) if order is None else order.tolist(), right)


class DistinctTests(SynchronousTestCase):
    @patient
    @given(st.lists(st.integers(0, 70), max_size=60))
    def test_each_once_and_ascending(self, values: list[int]) -> None:
        for dtype in ("?", "u1", "i2", "u4", ">u4", "i8", "u8", "f8"):
            own = np.array(values, dtype)
            self._is_right(distinct(own), own)
            self._is_right(distinct(own[::2]), own[::2])

    @patient
    @given(st.lists(st.binary(min_size=2, max_size=2), max_size=60))
    def test_octets_that_end_in_zeros(self, values: list[bytes]) -> None:
        for dtype in (S2, OCTETS):
            own = column("keys", values, dtype)
            found = distinct(own)
            self.assertEqual(found.dtype, dtype)
            self.assertEqual([whole(found, row) for row in range(len(found))], sorted(set(values)))

    def test_what_is_given_stays(self) -> None:
        for dtype in ("u1", "u4"):
            own = np.array([3, 1, 3], dtype)
            distinct(own)
            self.assertEqual(own.tolist(), [3, 1, 3])

    def _is_right(self, found: Column, values: Column) -> None:
        self.assertEqual(found.tolist(), sorted(set(values.tolist())))
        self.assertEqual(found.dtype, values.dtype)


class AmongTests(SynchronousTestCase):
    @patient
    @given(st.lists(st.integers(0, 70), max_size=60), st.sets(st.integers(0, 70), max_size=40))
    def test_few_and_many(self, values: list[int], wanted: set[int]) -> None:
        for dtype in (np.dtype(">u2"), np.dtype(np.uint64)):
            found = among(np.array(values, dtype), np.array(sorted(wanted), dtype))
            self.assertEqual(found.tolist(), [value in wanted for value in values])
        found = among(np.array(values, ">u2").view(S2), np.array(sorted(wanted), ">u2").view(S2))
        self.assertEqual(found.tolist(), [value in wanted for value in values])


class LocateTests(SynchronousTestCase):
    @patient
    @given(
        st.sampled_from((S2, OCTETS)),
        st.sets(st.binary(min_size=2, max_size=2), max_size=40),
        st.sets(st.binary(min_size=2, max_size=2), max_size=40),
        st.integers(0, 40),
    )
    def test_by_search_and_by_merge(
        self, dtype: np.dtype[np.bytes_], some: set[bytes], others: set[bytes], shared: int
    ) -> None:
        keys, wanted = sorted(some), sorted(others | set(sorted(some)[:shared]))
        rows, there = locate(column("keys", keys, dtype), column("keys", wanted, dtype))
        self.assertEqual(rows.tolist(), [bisect_left(keys, key) for key in wanted])
        self.assertEqual(there.tolist(), [key in some for key in wanted])

    def test_few_in_many(self) -> None:
        keys = np.arange(1000, dtype=">u2").view("S2")
        rows, there = locate(keys, np.array([0, 7, 999, 1000, 5000], ">u2").view("S2"))
        self.assertEqual(rows.tolist(), [0, 7, 999, 1000, 1000])
        self.assertEqual(there.tolist(), [True, True, True, False, False])
