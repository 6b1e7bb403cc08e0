"""Tables that are joined, when their wests change."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.filters.routes import PASS_ALL
from rotonda.flow.filtered import FilteredTable
from rotonda.flow.joined import JoinedTable
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, Diff, Records, RouteSlot, Snapshot
from tests.flow.test_joined import STEPS, WESTS, Rows, first_wins
from tests.flow.world import INGRESSES, PlainFilter, expected, filters, history, key, snapshot, states


class ChangedWestsTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=50)
    @given(STEPS, st.permutations(WESTS), st.integers(0, 3), filters())
    def test_other_wests(self, steps: list[tuple[str, Rows]], order: list[str], kept: int, filter: PlainFilter) -> None:
        """Some go, others stay, in another order."""
        east = history()
        table = JoinedTable(east, WESTS, filter)
        for west, rows in steps:
            table.update(west, snapshot(rows))
        before = east.snapshot
        diff = table.follow(order[:kept])
        wanted = first_wins([expected(table.wests[name], filter) for name in order[:kept]])
        self.assertEqual((east.snapshot, east.snapshot.digest), (wanted, wanted.digest))
        self.assertEqual((diff or Diff({}, 0)).apply(before), wanted)

    @settings(deadline=None, max_examples=50)
    @given(STEPS, states(8), filters())
    def test_another_table_of_the_same_name(
        self, steps: list[tuple[str, Rows]], new: list[Rows], filter: PlainFilter
    ) -> None:
        east = history()
        table = JoinedTable(east, WESTS, filter)
        for west, rows in steps:
            table.update(west, snapshot(rows))
        before = east.snapshot
        table.follow(WESTS, ["one"])
        self.assertEqual(east.snapshot, before)  # until it says something
        said = Snapshot.of({})
        for rows in new:
            table.update("one", snapshot(rows), said.diff(snapshot(rows)))
            said = snapshot(rows)
            wanted = first_wins([expected(own, filter) for own in table.wests.values()])
            self.assertEqual((east.snapshot, east.snapshot.digest), (wanted, wanted.digest))

    def test_no_wests(self) -> None:
        east = history()
        table = JoinedTable(east, ())
        table.follow(["one"])
        self.assertFalse(east.ready)
        table.follow([])
        self.assertTrue(east.ready)

    def test_what_is_shadowed_keeps_its_sets(self) -> None:
        """A filter makes sets that nobody else names; those of a row that another west has too are needed later."""
        store = AttributeStore()
        numbers = store.intern_all([b"\x40\x01\x01\x00", b"\x40\x01\x01\x01"])
        slot = RouteSlot(4, INGRESSES[0], store)

        def said(number: int) -> Snapshot:
            return Snapshot.of({slot: Records.of(slot, [key(slot, 1)], [int(numbers[number])])})

        changed = PlainFilter(lambda key, octets: octets + b"\x80\x04\x04\0\0\0\x01", store)
        east = history()
        table = JoinedTable(east, ("one", "two"), changed)
        table.update("one", said(0))
        table.update("two", said(1))
        for _ in range(3):
            store.sweep()
        table.follow(["two"])
        (shown,) = east.snapshot.values()
        assert shown.values is not None
        self.assertEqual(store.octets[int(shown.values[0])], b"\x40\x01\x01\x01\x80\x04\x04\0\0\0\x01")
        table.close()
        east.close()
        for _ in range(3):
            store.sweep()
        self.assertEqual(len(store), 0)


class ChangedFilteredTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=50)
    @given(states(), states(), filters(), st.booleans())
    def test_another_table(self, one: list[Rows], other: list[Rows], filter: PlainFilter, late: bool) -> None:
        """What is shown moves over to it; while it has no data, nothing is shown."""
        first, second, east = history(1), history(2), history(3)
        table = FilteredTable(first, filter, east)
        for rows in one:
            first.commit(snapshot(rows))
        table.leave()
        followed = east.snapshot
        told: list[Diff] = []
        east.subscribe(told.append)
        if not late:
            second.commit(snapshot(other[0]))
        FilteredTable(second, filter, east)
        self.assertEqual(east.snapshot, expected(second.snapshot, filter))
        for rows in other:
            second.commit(snapshot(rows))
            wanted = expected(second.snapshot, filter)
            self.assertEqual((east.snapshot, east.snapshot.digest), (wanted, wanted.digest))
        for diff in told:
            followed = diff.apply(followed)
        self.assertEqual(followed, east.snapshot)

    def test_pass_all(self) -> None:
        west, east = history(1), history(2)
        FilteredTable(west, PASS_ALL, east)
        west.commit(snapshot({(0, 1): 1}))
        self.assertEqual(east.snapshot.count, 1)
