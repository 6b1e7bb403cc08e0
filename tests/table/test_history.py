from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.diff import Diff, MisplacedDiff
from rotoro.table.history import History, NotReady, State, Step
from rotoro.table.records import Records
from rotoro.table.resolve import resolve_rows
from rotoro.table.serial import Position
from rotoro.table.slots import VRP4
from rotoro.table.snapshot import EMPTY, Snapshot
from tests.table.worlds import Delta, Model, World, delta, filled

FIRST = 0xFFFFFFFD  # so that RTR's serials soon start again


def vrps(*numbers: int) -> Snapshot:
    return Snapshot.of({VRP4: Records.of(VRP4, [number.to_bytes(10, "big") for number in numbers])})


@dataclass(frozen=True)
class Scribe:
    """An encoder that writes positions and numbers of records, and notes what it was asked for."""

    name: str = "scribe"
    asked: list[str] = field(default_factory=list, compare=False)

    def snapshot(self, state: State) -> Iterable[bytes]:
        self.asked.append("snapshot")
        yield f"{state.position.serial}:{state.snapshot.count}".encode()

    def diff(self, diff: Diff, start: Position, state: State) -> Iterable[bytes]:
        self.asked.append("diff")
        yield f"{start.serial}-{state.position.serial}:".encode()
        yield f"{diff.count}".encode()


class CommitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.history = History(5, FIRST)

    def test_no_data_is_not_an_empty_set(self) -> None:
        self.assertFalse(self.history.ready)
        self.assertIsNone(self.history.since(FIRST))
        self.assertIsNone(self.history.encoded_since(FIRST, Scribe()))
        self.assertRaises(NotReady, self.history.encoded_snapshot, Scribe())
        self.assertEqual(self.history.commit(EMPTY), Diff({}, 0))
        self.assertTrue(self.history.ready)
        self.assertEqual(self.history.since(FIRST), Diff({}, 0))
        self.assertEqual(self.history.encoded_snapshot(Scribe()).chunks, (b"%d:0" % FIRST,))

    def test_first_data_has_the_first_serial(self) -> None:
        self.history.commit(vrps(1))
        self.assertEqual((self.history.position, self.history.serial), (Position(5, FIRST), FIRST))
        self.assertEqual(self.history.reach, 0)

    def test_serials_start_again_and_positions_do_not(self) -> None:
        for number in range(5):
            self.history.commit(vrps(number))
        self.assertEqual((self.history.serial, self.history.position), (1, Position(5, FIRST + 4)))
        self.assertEqual(self.history.since(FIRST), vrps(0).diff(vrps(4)))
        self.assertEqual(self.history.since(Position(5, FIRST)), vrps(0).diff(vrps(4)))

    def test_no_change_is_no_commit(self) -> None:
        self.history.commit(vrps(1))
        held = self.history.snapshot
        self.assertIsNone(self.history.commit(vrps(1)))
        self.assertIsNone(self.history.commit_diff(Diff({}, 0)))
        self.assertEqual(self.history.serial, FIRST)
        self.assertIs(self.history.snapshot, held)

    def test_a_diff_from_elsewhere_changes_nothing(self) -> None:
        self.history.commit(vrps(1))
        self.assertRaises(MisplacedDiff, self.history.commit_diff, vrps(2).diff(vrps(3)))
        self.assertEqual((self.history.snapshot, self.history.serial), (vrps(1), FIRST))


class SuspendedTests(SynchronousTestCase):
    """A table whose data is gone for now: it has none, and goes on from what it had."""

    def setUp(self) -> None:
        self.history = History(7, 41)
        self.history.commit(vrps(1, 2))
        self.history.suspend()

    def test_nobody_is_told_anything(self) -> None:
        self.assertFalse(self.history.ready)
        self.assertIsNone(self.history.since(41))
        self.assertRaises(NotReady, self.history.encoded_snapshot, Scribe())

    def test_the_same_data_is_no_change(self) -> None:
        self.assertIsNone(self.history.commit(vrps(1, 2)))
        self.assertEqual((self.history.ready, self.history.serial), (True, 41))

    def test_other_data_is_a_change(self) -> None:
        self.history.commit(vrps(2, 3))
        since = self.history.since(41)
        assert since is not None
        self.assertEqual((self.history.ready, self.history.serial, since.count), (True, 42, 2))

    def test_before_there_was_data_it_is_nothing(self) -> None:
        fresh = History(7, 41)
        fresh.suspend()
        fresh.commit(vrps(1))
        self.assertEqual(fresh.serial, 41)


class SinceTests(SynchronousTestCase):
    def test_who_has_to_start_over(self) -> None:
        history = History(5, 10, diffs=2)
        for number in range(5):
            history.commit(vrps(number))
        for start, known in (
            (14, True),
            (12, True),
            (11, False),
            (15, False),
            (14 + 2**31, False),
            (Position(5, 12), True),
            (Position(5, 11), False),
            (Position(5, 15), False),
            (Position(4, 14), False),
            (Position(5, 14 + 2**32), False),
        ):
            with self.subTest(start=start):
                self.assertIs(history.since(start) is not None, known)
                self.assertIs(history.encoded_since(start, Scribe()) is not None, known)

    def test_no_more_rows_than_the_limit_or_the_snapshot(self) -> None:
        history = History(5, records=4)
        for numbers in ((1,), (2,), (3,), (4,)):
            history.commit(vrps(*numbers))
        self.assertEqual(history.reach, 2)
        history.commit(vrps(*range(20)))
        self.assertEqual(history.reach, 1)
        history.commit(vrps(1))
        self.assertEqual(history.reach, 0)

    def test_merged_once(self) -> None:
        history = History(5)
        for number in range(4):
            history.commit(vrps(number))
        self.assertIs(history.since(1), history.since(1))


class ResumedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.first = History(5, FIRST)
        for number in range(4):
            self.first.commit(vrps(number))

    def test_as_if_it_had_never_stopped(self) -> None:
        second = History(6)
        second.resume(self.first.state, self.first.steps)
        for history in (self.first, second):
            history.commit(vrps(9))
        self.assertEqual((second.state, second.steps), (self.first.state, self.first.steps))
        self.assertEqual(second.since(FIRST), vrps(0).diff(vrps(9)))

    def test_serials_may_be_left_out(self) -> None:
        second, state = History(6), self.first.state
        steps = (*self.first.steps, Step(state.position.serial, Diff({}, 0)))
        second.resume(State(Position(5, FIRST + 100), state.snapshot), steps)
        known = [serial for serial in range(FIRST - 5, FIRST + 105) if second.since(serial % 2**32) is not None]
        self.assertEqual(known, [*range(FIRST, FIRST + 4), FIRST + 100])
        told = second.encoded_since(Position(5, FIRST + 3), Scribe())
        assert told is not None
        self.assertEqual(told.chunks, (b"%d-%d:0" % (FIRST + 3, FIRST + 100),))

    def test_no_more_than_the_limits(self) -> None:
        second = History(6, diffs=2)
        second.resume(self.first.state, self.first.steps)
        self.assertEqual(second.reach, 2)

    def test_only_once_and_only_upwards(self) -> None:
        self.assertRaises(ValueError, self.first.resume, self.first.state, ())
        state = self.first.state
        self.first.suspend()
        self.assertRaises(ValueError, self.first.resume, state, ())
        self.assertRaises(ValueError, History(6).resume, State(Position(5, FIRST), EMPTY), self.first.steps)

    def test_another_life_with_the_same_data(self) -> None:
        self.first.renew(Position(8, 3))
        self.assertEqual((self.first.position, self.first.snapshot), (Position(8, 3), vrps(3)))
        self.assertIsNone(self.first.since(Position(5, FIRST + 3)))
        self.first.commit(vrps(4))
        self.assertEqual(self.first.since(3), vrps(3).diff(vrps(4)))


class EncodedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.history, self.scribe = History(5, 1), Scribe()
        self.history.commit(vrps(1, 2))
        self.history.commit(vrps(2, 3))

    def test_encoded_once_for_all_equal_encoders(self) -> None:
        snapshot, diff = self.history.encoded_snapshot(self.scribe), self.history.encoded_since(1, self.scribe)
        assert diff is not None
        self.assertEqual((snapshot.chunks, diff.chunks, diff.length), ((b"2:2",), (b"1-2:2",), 5))
        self.assertIs(self.history.encoded_snapshot(Scribe()), snapshot)
        self.assertIs(self.history.encoded_since(Position(5, 1), Scribe()), diff)
        self.assertEqual(self.scribe.asked, ["snapshot", "diff"])

    def test_other_encoders_write_by_themselves(self) -> None:
        other = Scribe("other")
        self.history.encoded_snapshot(self.scribe)
        self.history.encoded_snapshot(other)
        self.assertEqual(other.asked, ["snapshot"])

    def test_a_commit_makes_all_forms_new(self) -> None:
        held = self.history.encoded_snapshot(self.scribe)
        self.history.encoded_since(1, self.scribe)
        self.history.commit(vrps(3))
        self.assertEqual(self.history.encoded_snapshot(self.scribe).chunks, (b"3:1",))
        since = self.history.encoded_since(1, self.scribe)
        assert since is not None
        self.assertEqual((since.chunks, held.chunks), ((b"1-3:3",), (b"2:2",)))
        since = self.history.encoded_since(2, self.scribe)
        assert since is not None
        self.assertEqual(since.chunks, (b"2-3:1",))

    def test_up_to_date(self) -> None:
        since = self.history.encoded_since(2, self.scribe)
        assert since is not None
        self.assertEqual(since.chunks, (b"2-2:0",))


class ListenerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.history = History(5)
        self.heard: list[tuple[int, int]] = []

    def listen(self, diff: Diff) -> None:
        self.heard.append((self.history.serial, diff.count))

    def test_called_when_the_commit_is_done(self) -> None:
        unsubscribe = self.history.subscribe(self.listen)
        self.history.commit(vrps(1))
        self.history.commit(vrps(1))
        self.history.commit(vrps(1, 2, 3))
        unsubscribe()
        unsubscribe()
        self.history.commit(vrps(4))
        self.assertEqual(self.heard, [(0, 1), (1, 2)])

    def test_unsubscribed_by_another(self) -> None:
        self.history.subscribe(lambda _: unsubscribe())
        unsubscribe = self.history.subscribe(self.listen)
        self.history.commit(vrps(1))
        self.assertEqual(self.heard, [])

    def test_a_broken_one_does_not_keep_the_others_from_hearing(self) -> None:
        def broken(diff: Diff) -> None:
            raise KeyError(diff.count)

        self.history.subscribe(broken)
        self.history.subscribe(self.listen)
        group = self.assertRaises(ExceptionGroup, self.history.commit, vrps(1))
        self.assertIsInstance(group.exceptions[0], KeyError)
        self.assertEqual((self.heard, self.history.snapshot), ([(0, 1)], vrps(1)))


class HistoryMachine(RuleBasedStateMachine):
    """A history beside the list of all models that were committed to it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.history = History(5, FIRST, diffs=3, records=12)
        self.models: list[Model] = [{}]
        self.kept: deque[Delta] = deque()

    @property
    def now(self) -> Model:
        return self.models[-1]

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        model = filled(data.draw(self.world.models()))
        self._committed(self.history.commit(self.world.snapshot(model)), model)

    @rule(data=st.data())
    def commit_one_change(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(self.world.slots))
        key = data.draw(st.sampled_from(self.world.keys(slot)))
        value = data.draw(st.sampled_from(self.world.values(slot)))
        announce = data.draw(st.booleans())
        table = {other: held for other, held in self.now.get(slot, {}).items() if other != key}
        model = filled({**self.now, slot: {**table, key: value} if announce else table})
        column, rows = self.world.column(slot, [value]), np.array([announce])
        resolved = resolve_rows(self.history.snapshot, slot, rows, [key], column, strict=False)
        self._committed(self.history.commit_diff(Diff.of({slot: resolved.change})), model)

    def _committed(self, diff: Diff | None, model: Model) -> None:
        said = delta(self.now, model)
        if len(self.models) > 1 and not said:
            assert diff is None
            return
        assert diff is not None
        assert self.world.delta(diff) == said
        if len(self.models) > 1:
            self.kept.append(said)
        self.models.append(model)
        while len(self.kept) > 3 or self._rows() > max(12, sum(map(len, model.values()))):
            self.kept.popleft()

    def _rows(self) -> int:
        return sum(side is not False for said in self.kept for pair in said.values() for side in pair)

    @rule()
    def sweep(self) -> None:
        self.world.store.sweep()
        self.world.store.sweep()

    @rule(behind=st.integers(-2, 5))
    def ask(self, behind: int) -> None:
        known = 0 <= behind <= len(self.kept) and self.history.ready
        position = Position(5, self.history.position.serial - behind)
        for start in (position, position.rtr_serial):
            diff = self.history.since(start)
            assert (diff is not None) == known
            if diff is not None:
                assert self.world.delta(diff) == delta(self.models[-1 - behind], self.now)

    @invariant()
    def holds_the_model(self) -> None:
        assert self.world.model(self.history.snapshot) == self.now
        assert self.history.ready == (len(self.models) > 1)
        assert self.history.position == Position(5, FIRST + max(0, len(self.models) - 2))

    @invariant()
    def digest_is_that_of_the_records(self) -> None:
        assert self.history.snapshot.digest == Snapshot.of(dict(self.history.snapshot)).digest

    def teardown(self) -> None:
        self.history.close()
        self.sweep()
        assert len(self.world.store) == 0, "attribute sets that nobody needs are still there"


class StatefulTests(SynchronousTestCase):
    def test_history_is_a_list_of_models(self) -> None:
        run_state_machine_as_test(HistoryMachine, settings=settings(deadline=None, max_examples=30))

    def test_closed(self) -> None:
        history = History(5)
        history.commit(vrps(1))
        history.commit(vrps(2))
        history.close()
        self.assertEqual((history.ready, history.snapshot, history.reach), (False, EMPTY, 0))
