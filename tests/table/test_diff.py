from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.diff import Change, Diff, MisplacedDiff
from rotoro.table.digest import MODULUS
from rotoro.table.records import Records
from rotoro.table.slots import ASPA, VRP4, VRP6
from rotoro.table.snapshot import EMPTY, Snapshot
from tests.table.worlds import WORLD, Model, delta, patient

ROUTES = WORLD.routes[0]
KEYS = [bytes([0, number]).ljust(9, b"\0") for number in range(4)]
models = WORLD.models()


def routes(*values: int | None) -> Records:
    """Routes with these attribute sets to the first prefixes; None for no route."""
    held = [(key, value) for key, value in zip(KEYS, values, strict=False) if value is not None]
    return Records.of(ROUTES, [key for key, _ in held], np.array([value for _, value in held], np.uint32))


class LawTests(SynchronousTestCase):
    @patient
    @given(models, models)
    def test_a_diff_leads_from_one_to_the_other_and_back(self, one: Model, other: Model) -> None:
        a, b = WORLD.snapshot(one), WORLD.snapshot(other)
        diff = a.diff(b)
        self.assertEqual(diff.apply(a), b)
        self.assertEqual(diff.inverse().apply(b), a)
        self.assertEqual(diff.inverse(), b.diff(a))

    @patient
    @given(models, models)
    def test_a_diff_is_minimal(self, one: Model, other: Model) -> None:
        a, b = WORLD.snapshot(one), WORLD.snapshot(other)
        said = delta(one, other)
        self.assertEqual(WORLD.delta(a.diff(b)), said)
        self.assertEqual(a.diff(b).count, len(said))

    @patient
    @given(models, models)
    def test_the_digest_follows(self, one: Model, other: Model) -> None:
        a, b = WORLD.snapshot(one), WORLD.snapshot(other)
        diff = a.diff(b)
        self.assertEqual((a.digest + diff.digest_change) % MODULUS, b.digest)
        self.assertEqual(Diff.of(dict(diff)), diff)
        self.assertEqual(Snapshot.of(dict(diff.apply(a))).digest, b.digest)

    @patient
    @given(models, models, models)
    def test_two_diffs_are_one(self, one: Model, two: Model, three: Model) -> None:
        a, b, c = map(WORLD.snapshot, (one, two, three))
        first, second = a.diff(b), b.diff(c)
        self.assertEqual(first.then(second), a.diff(c))
        self.assertEqual(first.then(second).apply(a), second.apply(first.apply(a)))

    @patient
    @given(st.lists(models, min_size=1, max_size=6))
    def test_any_chain_is_one(self, story: list[Model]) -> None:
        snapshots = [WORLD.snapshot(model) for model in story]
        links = [before.diff(after) for before, after in pairwise(snapshots)]
        self.assertEqual(Diff.chain(links), snapshots[0].diff(snapshots[-1]))

    @patient
    @given(models)
    def test_there_and_back_is_nothing(self, one: Model) -> None:
        a = WORLD.snapshot(one)
        there = EMPTY.diff(a)
        self.assertEqual(there.then(there.inverse()), Diff({}, 0))
        self.assertFalse(a.diff(a))


class ChangeTests(SynchronousTestCase):
    def test_withdrawn_announced_replaced(self) -> None:
        change = Change.between(routes(1, 1, 1, None), routes(None, 2, 1, 2))
        self.assertEqual(change.withdrawn.tolist(), routes(1).keys.tolist())
        self.assertEqual(change.before, routes(1, 1))
        self.assertEqual(change.after, routes(None, 2, None, 2))
        self.assertEqual((change.count, change.rows), (3, 4))
        self.assertEqual(change.touched.tolist(), routes(1, 1, None, 1).keys.tolist())

    def test_touched_on_one_side(self) -> None:
        one = routes(1, 2)
        self.assertIs(Change(one, routes()).touched, one.keys)
        self.assertIs(Change(routes(), one).touched, one.keys)

    def test_withdrawn_without_values(self) -> None:
        one, two = Records.of(VRP4, [bytes(10)]), Records.of(VRP4, [b"\1" * 10])
        change = Change.between(one, two)
        self.assertIs(change.withdrawn, change.before.keys)
        self.assertEqual((change.count, change.rows), (2, 2))

    def test_times_of_rows_that_stay_do_not_change(self) -> None:
        old = Records.of(ROUTES, KEYS[:1], np.array([1], np.uint32), [100])
        new = Records.of(ROUTES, KEYS[:1], np.array([1], np.uint32), [200])
        self.assertEqual(Change.between(old, new).rows, 0)

    def test_times_of_rows_that_change_do(self) -> None:
        old = Records.of(ROUTES, KEYS[:1], np.array([1], np.uint32), [100])
        new = Records.of(ROUTES, KEYS[:1], np.array([2], np.uint32), [200])
        change = Change.between(old, new)
        times = [side.times.tolist() for side in (change.before, change.after) if side.times is not None]
        self.assertEqual(times, [[100], [200]])


class DiffTests(SynchronousTestCase):
    def setUp(self) -> None:
        WORLD.store.intern_all([b"1", b"2", b"3", b"4"])
        self.vrps = Records.of(VRP4, [bytes(10)])
        self.before = Snapshot.of({VRP4: self.vrps, ROUTES: routes(1, 1, 1)})
        self.after = Snapshot.of({VRP4: self.vrps, ROUTES: routes(1, 2, 1)})

    def test_a_mapping_of_what_is_touched(self) -> None:
        diff = self.before.diff(self.after)
        self.assertEqual((list(diff), len(diff), ROUTES in diff, VRP4 in diff), ([ROUTES], 1, True, False))
        self.assertEqual(list(Diff({ASPA: Change(Records.none(ASPA), Records.none(ASPA))}, 0)), [])
        self.assertNotEqual(diff, None)

    def test_untouched_slots_are_shared(self) -> None:
        applied = self.before.diff(self.after).apply(self.before)
        self.assertIs(applied[VRP4], self.vrps)
        self.assertIs(applied[ROUTES].keys, self.before[ROUTES].keys)

    def test_from_nothing_everything_is_shared(self) -> None:
        diff = EMPTY.diff(self.before)
        self.assertIs(diff[VRP4].after, self.vrps)
        self.assertIs(diff.apply(EMPTY)[VRP4], self.vrps)

    def test_misplaced(self) -> None:
        diff = self.before.diff(self.after)
        for snapshot in (EMPTY, self.after):
            refusal = self.assertRaises(MisplacedDiff, diff.apply, snapshot)
            self.assertIn(ROUTES.name, str(refusal))

    def test_counts(self) -> None:
        other = Snapshot.of({VRP6: Records.of(VRP6, [bytes(22)]), ROUTES: routes(2, 1, None, 1)})
        diff = self.before.diff(other)
        self.assertEqual((diff.count, diff.rows), (1 + 1 + 3, 1 + 1 + 4))
        self.assertIn("5 records in 3 slots", repr(diff))
