"""Tests for L{rotonda.units.policy_unit}: what the east sees of sources that come, go and come back."""

from __future__ import annotations

from rotonda.rpki.sources import SourceState
from rotonda.units.aside import Aside
from rotonda.units.policy_unit import FIRST_SECONDS, AnyUnit, MergeUnit
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, Snapshot
from tests.rpki.test_unions import aspas
from tests.session.worlds import vrps
from tests.units.puppets import Ear, Puppet, Thread, started

CURRENT, STALE, EXPIRED, CONNECTING, GONE = SourceState


class PolicyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.first, self.second = self.sources = [Puppet(name="first"), Puppet(name="second")]

    def start(self, unit: AnyUnit | MergeUnit) -> None:
        self.unit, self.ear = unit, Ear(self, unit)
        parent = started(unit, self.clock)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(parent.stopService)

    def assertNow(self, state: SourceState, snapshot: Snapshot | None) -> None:
        self.assertEqual((self.unit.state, self.unit.snapshot), (state, snapshot))


class AnyTests(PolicyCase):
    def setUp(self) -> None:
        super().setUp()
        self.start(AnyUnit(sources=self.sources, hold=60))

    def test_the_preferred_one_is_waited_for_a_while(self) -> None:
        self.second.say(vrps(2))
        self.assertNow(CONNECTING, None)
        self.clock.advance(FIRST_SECONDS)
        self.assertNow(CURRENT, vrps(2))
        self.assertTrue(self.unit.complete)
        self.first.say(vrps(1))
        self.assertNow(CURRENT, vrps(1))
        self.assertEqual(list(self.unit.used_west), [self.first])

    def test_it_is_used_at_once_when_it_is_there(self) -> None:
        self.first.say(vrps(1))
        self.assertNow(CURRENT, vrps(1))
        self.second.say(vrps(2))
        self.assertEqual(len(self.ear.heard), 1)

    def test_p_02_a_flap_is_not_seen(self) -> None:
        self.first.say(vrps(1))
        self.second.say(vrps(2))
        for _ in range(5):
            self.first.say(vrps(1), STALE)
            self.clock.advance(59)
            self.first.say(vrps(1))
            self.clock.advance(1)
        self.assertEqual(self.ear.changes, [])
        self.assertNow(CURRENT, vrps(1))

    def test_switch_and_return_are_one_diff_each(self) -> None:
        self.first.say(vrps(1, 2, 3))
        self.second.say(vrps(2, 3, 4))
        self.first.say(vrps(1, 2, 3), STALE)
        self.clock.advance(60)
        self.assertNow(CURRENT, vrps(2, 3, 4))
        self.second.say(vrps(2, 4))
        self.first.say(vrps(1, 2))
        self.clock.advance(59)
        self.assertNow(CURRENT, vrps(2, 4))
        self.clock.advance(1)
        self.assertNow(CURRENT, vrps(1, 2))
        self.assertEqual(self.ear.changes, [2, 1, 2])

    def test_data_that_is_gone_is_left_at_once(self) -> None:
        self.first.say(vrps(1))
        self.second.say(vrps(2))
        self.first.say(None)
        self.assertNow(CURRENT, vrps(2))
        self.second.say(None)
        self.assertNow(GONE, None)
        self.first.say(vrps(3))
        self.assertNow(CURRENT, vrps(3))

    def test_p_08_what_has_expired_and_is_kept_goes_last(self) -> None:
        self.first.say(vrps(1))
        self.second.say(vrps(2))
        self.first.say(vrps(1), EXPIRED)
        self.assertNow(CURRENT, vrps(2))
        self.second.say(vrps(2), EXPIRED)
        self.assertEqual(self.unit.state, EXPIRED)

    def test_p_11_a_source_with_the_same_set_changes_nothing(self) -> None:
        self.first.say(vrps(1))
        self.second.say(vrps(1))
        self.first.say(None)
        self.assertEqual((self.ear.changes, self.ear.last.diff), ([], vrps(1).diff(vrps(1))))


class AnyInThreadTests(PolicyCase):
    """What comes while a thread looks for what differs between two sources."""

    def setUp(self) -> None:
        super().setUp()
        unit = AnyUnit(sources=self.sources, hold=60)
        self.thread = Thread()
        unit.aside = Aside(0, self.thread)
        self.start(unit)
        self.first.say(vrps(1, 2))
        self.second.say(vrps(2, 3))
        self.assertNow(CURRENT, vrps(1, 2))
        self.first.say(None)
        self.assertNow(CURRENT, vrps(1, 2))

    def test_nothing(self) -> None:
        self.thread.run()
        self.assertNow(CURRENT, vrps(2, 3))
        self.assertEqual((self.ear.changes, self.thread.waiting), ([2], 0))

    def test_more_of_the_chosen_source(self) -> None:
        self.second.say(vrps(2, 3, 4))
        self.second.say(vrps(3, 4))
        self.thread.run()
        self.assertNow(CURRENT, vrps(3, 4))

    def test_a_failure_and_changes_of_the_one_before(self) -> None:
        self.first.say(vrps(1, 2, 4))
        self.thread.fail(MemoryError())
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)
        self.first.say(vrps(1, 4, 5))
        self.assertNow(CURRENT, vrps(1, 4, 5))

    def test_its_end(self) -> None:
        self.second.say(None)
        self.thread.run()
        self.assertNow(GONE, None)

    def test_the_return_of_the_one_before(self) -> None:
        self.first.say(vrps(1, 2, 5))
        self.thread.run()
        self.assertNow(CURRENT, vrps(2, 3))
        self.clock.advance(60)
        self.thread.run()
        self.assertNow(CURRENT, vrps(1, 2, 5))
        self.assertEqual(self.thread.waiting, 0)


class MergeTests(PolicyCase):
    def setUp(self) -> None:
        super().setUp()
        self.start(MergeUnit(sources=self.sources))

    def test_all_are_waited_for_a_while(self) -> None:
        self.first.say(vrps(1))
        self.assertNow(CONNECTING, None)
        self.second.say(vrps(2))
        self.assertNow(CURRENT, vrps(1, 2))
        self.assertTrue(self.unit.complete)

    def test_one_that_never_comes_does_not_hold_the_others_back_for_ever(self) -> None:
        self.first.say(vrps(1))
        self.clock.advance(FIRST_SECONDS)
        self.assertNow(CURRENT, vrps(1))
        self.assertFalse(self.unit.complete, "which does not make it complete")
        self.second.say(vrps(1, 2))
        self.assertNow(CURRENT, vrps(1, 2))

    def test_p_06_withdrawn_when_the_last_one_has_lost_it(self) -> None:
        self.first.say(vrps(1, 2))
        self.second.say(vrps(2, 3))
        self.first.say(vrps(1))
        self.assertNow(CURRENT, vrps(1, 2, 3))
        self.second.say(vrps(3))
        self.assertNow(CURRENT, vrps(1, 3))
        self.first.say(vrps(1), STALE)
        self.assertNow(CURRENT, vrps(1, 3))
        self.first.say(None)
        self.assertNow(CURRENT, vrps(3))
        self.second.say(vrps(3), STALE)
        self.assertNow(STALE, vrps(3))
        self.second.say(None)
        self.assertNow(GONE, None)
        self.second.say(EMPTY)
        self.assertNow(CURRENT, EMPTY)

    def test_customers_with_too_many_providers_are_counted(self) -> None:
        for source, low in ((self.first, 2), (self.second, 20_000)):
            source.say(aspas({64496: range(low, low + 10_000), 64500 + low: [1]}))
        self.assertEqual(self.unit.shown().left_out, 1)
        self.assertIn("no ASPAs of 1 customers with more than 16,380 providers", self.unit.problem or "")
        self.second.say(aspas({64496: [1]}))
        self.assertEqual((self.unit.shown().left_out, self.unit.problem), (0, None))

    def test_nothing_ever(self) -> None:
        self.clock.advance(FIRST_SECONDS)
        self.assertNow(CONNECTING, None)
        self.assertEqual(self.ear.heard, [])


class MergeInThreadTests(PolicyCase):
    """What comes while a thread joins."""

    def setUp(self) -> None:
        super().setUp()
        unit = MergeUnit(sources=self.sources)
        self.thread = Thread()
        unit.aside = Aside(0, self.thread)
        self.start(unit)

    def work(self) -> None:
        while self.thread.waiting:
            self.thread.run()

    def test_nothing_is_told_before_all_is_joined(self) -> None:
        self.first.say(vrps(1))
        self.second.say(vrps(2))
        self.thread.run()
        self.assertNow(CONNECTING, None)
        self.assertFalse(self.unit.complete)
        self.thread.run()
        self.assertNow(CURRENT, vrps(1, 2))
        self.assertTrue(self.unit.complete)

    def test_changes_meanwhile(self) -> None:
        self.first.say(vrps(1))
        self.second.say(vrps(2))
        self.work()
        self.first.say(vrps(1, 3))
        self.first.say(vrps(3, 4))
        self.second.say(None)
        self.second.say(vrps(4, 5))
        self.first.say(vrps(3, 6))
        self.work()
        self.assertNow(CURRENT, vrps(3, 4, 5, 6))
        self.first.say(vrps(3))
        self.work()
        self.assertNow(CURRENT, vrps(3, 4, 5))
        self.second.say(None)
        self.first.say(None)
        self.work()
        self.assertNow(GONE, None)

    def test_work_that_failed_is_made_up_for(self) -> None:
        self.second.say(vrps(2))
        self.work()
        self.first.say(vrps(1))
        self.thread.fail(MemoryError())
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)
        self.first.say(vrps(1, 3))
        self.work()
        self.assertNow(CURRENT, vrps(1, 2, 3))


class NestedTests(PolicyCase):
    def test_units_are_sources_of_units(self) -> None:
        """The first, or if that is gone both others together."""
        third = Puppet(name="third")
        both = MergeUnit(name="both", sources=[self.second, third], preference=1)
        self.start(AnyUnit(sources=[self.first, both]))
        self.first.say(vrps(1))
        self.second.say(vrps(2))
        third.say(vrps(3))
        self.assertNow(CURRENT, vrps(1))
        self.first.say(None)
        self.assertNow(CURRENT, vrps(2, 3))
        third.say(vrps(3, 4))
        self.assertNow(CURRENT, vrps(2, 3, 4))
        self.assertEqual(self.ear.changes, [3, 1])
