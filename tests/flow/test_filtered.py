"""A table through a filter is at each moment what the filter makes of the whole, and its diffs lead there."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.flow.filtered import FilteredSnapshot, FilteredTable
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, Diff, History, Snapshot
from tests.flow.world import PlainFilter, expected, filters, history, snapshot, states

Rows = dict[tuple[int, int], int]


def play(west: History, rows: list[Rows]) -> None:
    for state in rows:
        west.commit(snapshot(state))


class FilteredTableTests(SynchronousTestCase):
    """The east side of a virtual RIB."""

    @settings(deadline=None, max_examples=50)
    @given(states(), filters())
    def test_shows_what_the_filter_makes_of_the_whole(self, rows: list[Rows], filter: PlainFilter) -> None:
        west, east = history(), history(2)
        FilteredTable(west, filter, east)
        followed = Snapshot.of({})
        diffs: list[Diff] = []
        east.subscribe(diffs.append)
        for state in rows:
            play(west, [state])
            wanted = expected(west.snapshot, filter)
            self.assertEqual(east.snapshot.digest, wanted.digest)
            self.assertEqual(east.snapshot.count, wanted.count)
            self.assertEqual(dict(east.snapshot), dict(wanted))
            self.assertEqual(dict(east.snapshot.counts), dict(wanted.counts))
            for diff in diffs:
                followed = diff.apply(followed)
            diffs.clear()
            self.assertEqual(followed, wanted)

    @settings(deadline=None, max_examples=50)
    @given(states(), filters(), filters())
    def test_another_filter_is_the_exact_difference(self, rows: list[Rows], one: PlainFilter, two: PlainFilter) -> None:
        west, east = history(), history(2)
        play(west, rows)
        table = FilteredTable(west, one, east)
        before = table.history.snapshot
        self.assertIsInstance(before, FilteredSnapshot)
        diff = table.use(two)
        wanted = expected(west.snapshot, two)
        self.assertEqual(east.snapshot, wanted)
        self.assertEqual((diff or Diff({}, 0)).apply(expected(west.snapshot, one)), wanted)
        play(west, rows[:1])
        self.assertEqual(east.snapshot, expected(west.snapshot, two))

    @settings(deadline=None, max_examples=50)
    @given(states(), filters(), st.integers(0, 5), st.integers(1, 4))
    def test_narrowed(self, rows: list[Rows], filter: PlainFilter, first: int, count: int) -> None:
        """What lies in spans is there; only they were filtered."""
        west, east = history(), history(2)
        FilteredTable(west, filter, east)
        play(west, rows)
        for width in (9, 21):
            low, high = bytes((10, first)).ljust(width, b"\0"), bytes((10, first + count)).ljust(width, b"\0")
            shown = east.snapshot.narrowed(np.array([low, high], f"S{width}"))
            wanted = {
                slot: part
                for slot, records in expected(west.snapshot, filter).items()
                if slot.key_dtype.itemsize == width and len(part := records.between(low, high))
            }
            self.assertEqual(dict(shown), wanted)

    def test_nothing_is_kept(self) -> None:
        west, east = history(), history(2)
        FilteredTable(west, PlainFilter(lambda key, octets: octets), east)
        play(west, [{(0, 1): 0, (3, 2): 1}])
        self.assertEqual((east.snapshot.nbytes, east.snapshot.count), (0, 2))

    def test_what_is_new_has_effects_and_what_was_has_none(self) -> None:
        west, east = history(), history(2)
        filter = PlainFilter(lambda key, octets: octets)
        table = FilteredTable(west, filter, east)
        play(west, [{(0, 1): 0, (0, 2): 0}, {(0, 1): 1}])
        self.assertEqual(filter.seen, 3)
        table.use(filter)
        dict(east.snapshot)
        self.assertEqual(filter.seen, 3)

    def test_another_store(self) -> None:
        west, east = history(), history(2)
        filter = PlainFilter(lambda key, octets: b"of another type", AttributeStore())
        FilteredTable(west, filter, east)
        play(west, [{(0, 1): 0, (0, 2): 1}, {(0, 1): 1, (0, 2): 1}])
        self.assertEqual(east.serial, 0)  # what has changed is not to be seen through the filter
        self.assertEqual(east.snapshot, expected(west.snapshot, filter))
        assert isinstance(east.snapshot, FilteredSnapshot)
        self.assertIs(east.snapshot.west, west.snapshot)

    def test_another_west(self) -> None:
        west, other, east = history(), history(3), history(2)
        filter = PlainFilter(lambda key, octets: octets)
        table = FilteredTable(west, filter, east)
        play(west, [{(0, 1): 0, (1, 1): 1}])
        play(other, [{(0, 1): 0, (2, 1): 1}])
        table.leave()
        FilteredTable(other, filter, east)
        self.assertEqual(east.snapshot, other.snapshot)
        play(west, [{}])
        self.assertEqual(east.snapshot, other.snapshot)
