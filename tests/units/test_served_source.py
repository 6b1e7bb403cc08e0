"""Tests for L{rotonda.units.served_source}: sources become a table that routers follow."""

from __future__ import annotations

from typing import Any

from rotonda.units.aside import Aside
from rotonda.units.policy_unit import AnyUnit, MergeUnit
from rotonda.units.served_source import KEPT_SECONDS, ServedSource
from rotonda.units.serving import Serving, new_history
from twisted.application.service import MultiService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import HostPort, Listen
from rotoro.table import Position, State
from tests.session.worlds import vrps
from tests.units.puppets import Puppet, Thread


class ServedSourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.history = new_history()
        self.serving = Serving(self.reactor, "here", Listen(HostPort("127.0.0.1", 0)), None, self.history)
        self.source = Puppet(name="source")
        self.table = ServedSource(self.source, self.serving.rpki, self.serving)
        self.parent = MultiService()
        self.parent.startService()
        self.addCleanup(self.parent.stopService)

    def start(self) -> None:
        self.table.start(self.parent, self.reactor)

    def test_p_01_it_has_its_own_serials(self) -> None:
        self.start()
        self.assertFalse(self.history.ready)
        self.source.say(vrps(1))
        first = self.history.serial
        self.source.say(vrps(1, 2))
        self.assertEqual((self.history.snapshot, self.history.serial - first), (vrps(1, 2), 1))
        since = self.history.since(first)
        assert since is not None
        self.assertEqual(since.count, 1)
        self.assertTrue(self.serving.rpki.end_of_rib)

    def test_without_data_nothing_is_withdrawn(self) -> None:
        self.start()
        self.source.say(vrps(1, 2))
        serial = self.history.serial
        self.source.problem = "nobody answers"
        self.source.say(None)
        self.assertFalse(self.history.ready)
        self.assertIsNone(self.history.since(serial))
        self.assertEqual(self.serving.rpki.text, "nobody answers")
        self.source.problem = None
        self.source.say(vrps(2, 3))
        since = self.history.since(serial)
        assert since is not None
        self.assertEqual((self.history.ready, since.count), (True, 2))
        self.assertEqual(self.serving.rpki.text, "")

    def test_p_11_the_same_data_again_is_no_change(self) -> None:
        self.start()
        self.source.say(vrps(1, 2))
        serial = self.history.serial
        self.source.say(None)
        self.source.say(vrps(1, 2))
        self.assertEqual((self.history.ready, self.history.serial), (True, serial))

    def test_data_of_an_earlier_life_is_gone_on_from(self) -> None:
        self.history.resume(State(Position(7, 5), vrps(1, 2)), [])
        self.start()
        self.source.say(None)
        self.assertTrue(self.history.ready, "who never said anything takes nothing away")
        self.source.say(vrps(1))
        self.assertEqual((self.history.position, self.history.snapshot), (Position(7, 6), vrps(1)))

    def test_what_was_kept_is_not_replaced_by_parts(self) -> None:
        for comes in (True, False):
            with self.subTest(comes=comes):
                self.setUp()
                other = Puppet(name="other")
                self.table.source = MergeUnit(sources=[self.source, other])
                self.history.resume(State(Position(7, 5), vrps(1, 2)), [])
                self.start()
                self.source.say(vrps(1, 3))
                self.reactor.pump([1.0] * (int(KEPT_SECONDS) - 1))
                self.assertEqual(self.history.snapshot, vrps(1, 2))
                if comes:
                    other.say(vrps(2))
                    self.assertEqual(self.history.snapshot, vrps(1, 2, 3))
                self.reactor.pump([1.0] * 2)
                self.assertEqual(self.history.snapshot, vrps(1, 2, 3) if comes else vrps(1, 3))

    def test_what_comes_while_a_thread_compares_with_what_was_kept(self) -> None:
        thread = Thread()
        for more in (vrps(1, 3), vrps(3), None):
            with self.subTest(more=more):
                self.setUp()
                self.table.aside = Aside(0, thread)
                self.history.resume(State(Position(7, 5), vrps(1, 2)), [])
                self.start()
                self.source.say(vrps(1, 3))
                self.assertFalse(self.table.current)
                self.source.say(more)
                while thread.waiting:
                    thread.run()
                self.assertEqual(self.history.snapshot, vrps(1, 2) if more is None else more)
                since = self.history.since(Position(7, 5))
                assert since is not None
                self.assertEqual(since, vrps(1, 2).diff(self.history.snapshot))
                self.assertEqual(self.table.current, more is not None)

    def test_a_compare_that_fails_is_made_up_for_with_the_next_news(self) -> None:
        thread = Thread()
        self.table.aside = Aside(0, thread)
        self.history.resume(State(Position(7, 5), vrps(1, 2)), [])
        self.start()
        self.source.say(vrps(1, 3))
        thread.fail(MemoryError())
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)
        self.source.say(vrps(1, 4))
        thread.run()
        self.assertEqual(self.history.snapshot, vrps(1, 4))

    def test_how_sources_fare(self) -> None:
        others = [self.source, Puppet(name="other", preference=1), Puppet(name="third", preference=2)]
        self.table.source = AnyUnit(sources=others)
        self.start()
        others[1].say(vrps(1))
        self.source.say(None)
        others[2].say(vrps(2, 3))
        shown = [(link.name, link.state, link.preference, link.records, link.in_use) for link in self.table.shown()]
        self.assertEqual(
            shown,
            [
                ("any", "current", 0, 1, True),
                ("source", "gone", 0, 0, False),
                ("other", "current", 1, 1, True),
                ("third", "current", 2, 2, False),
            ],
        )

    def test_what_is_wrong_is_told_also_later(self) -> None:
        self.start()
        self.source.say(vrps(1))
        self.source.problem = "old"
        self.reactor.advance(1)
        self.assertEqual(self.serving.rpki.text, "old")
        self.assertEqual([link.last_error for link in self.table.shown()], ["old"])
