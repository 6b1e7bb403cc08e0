"""What several wests say, after a filter, as one table."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.filters.routes import PASS_ALL
from rotonda.flow.joined import JoinedTable
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import Diff, Records, RouteSlot, Slot, Snapshot
from tests.flow.world import PlainFilter, expected, filters, history, snapshot, states

Rows = dict[tuple[int, int], int]
WESTS = ("one", "two", "three")


def first_wins(parts: list[Snapshot]) -> Snapshot:
    """The union, row by row."""
    slots = {slot for part in parts for slot in part if isinstance(slot, RouteSlot)}
    made: dict[Slot, Records] = {}
    for slot in slots:
        rows: dict[bytes, int] = {}
        for part in parts:
            records = part.records(slot)
            assert records.values is not None
            for row, value in enumerate(records.values.tolist()):
                rows.setdefault(records.key(row), value)
        made[slot] = Records.of(slot, list(rows), list(rows.values()))
    return Snapshot.of(made)


STEPS = st.lists(st.tuples(st.sampled_from(WESTS), states(8).map(lambda rows: rows[0])), min_size=1, max_size=8)


class JoinedTableTests(SynchronousTestCase):
    """The routes of a physical RIB."""

    @settings(deadline=None, max_examples=50)
    @given(STEPS, filters(), st.booleans())
    def test_is_what_the_wests_say(self, steps: list[tuple[str, Rows]], filter: PlainFilter, with_diffs: bool) -> None:
        east = history()
        table = JoinedTable(east, WESTS, filter)
        said = dict.fromkeys(WESTS, Snapshot.of({}))
        followed = Snapshot.of({})
        for west, rows in steps:
            new = snapshot(rows)
            diff = table.update(west, new, said[west].diff(new) if with_diffs else None)
            said[west] = new
            wanted = first_wins([expected(said[name], filter) for name in WESTS])
            self.assertEqual(east.snapshot, wanted)
            self.assertEqual(east.snapshot.digest, wanted.digest)
            followed = (diff or Diff({}, 0)).apply(followed)
            self.assertEqual(followed, wanted)

    @settings(deadline=None, max_examples=50)
    @given(STEPS, filters(), filters())
    def test_judged_again(self, steps: list[tuple[str, Rows]], one: PlainFilter, two: PlainFilter) -> None:
        east = history()
        table = JoinedTable(east, WESTS, one)
        for west, rows in steps:
            table.update(west, snapshot(rows))
        before = east.snapshot
        diff = table.use(two)
        wanted = first_wins([expected(said, two) for said in table.wests.values()])
        self.assertEqual(east.snapshot, wanted)
        self.assertEqual((diff or Diff({}, 0)).apply(before), wanted)

    @settings(deadline=None, max_examples=50)
    @given(STEPS)
    def test_without_a_filter_and_with_other_wests(self, steps: list[tuple[str, Rows]]) -> None:
        east = history()
        table = JoinedTable(east, WESTS)
        for west, rows in steps:
            table.update(west, snapshot(rows))
        self.assertEqual(east.snapshot, first_wins(list(table.wests.values())))
        table.use(PlainFilter(lambda key, octets: None if key[1] == 1 else octets))
        table.use(PASS_ALL)
        table.follow(("three", "one", "four"))
        self.assertEqual(list(table.wests), ["three", "one", "four"])

    def test_what_was_let_in_stays_until_its_west_speaks_of_it(self) -> None:
        east, closed = history(), set[int]()
        filter = PlainFilter(lambda key, octets: None if key[1] in closed else octets)
        table = JoinedTable(east, WESTS, filter)
        table.update("one", snapshot({(0, 1): 0, (0, 2): 0}))
        closed.update((1, 2))
        table.update("one", snapshot({(0, 1): 1, (0, 2): 0}))
        self.assertEqual(east.snapshot, snapshot({(0, 2): 0}))
        table.update("one", snapshot({(0, 2): 0}))
        self.assertEqual(east.snapshot, snapshot({(0, 2): 0}))
        table.use(filter)
        self.assertEqual(east.snapshot.count, 0)

    def test_a_west_without_routes_makes_it_ready(self) -> None:
        east = history()
        JoinedTable(east, WESTS).update("one", Snapshot.of({}))
        self.assertTrue(east.ready)
