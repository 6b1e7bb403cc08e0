"""Tests for L{rotonda.units.served_source}: sources become a table that routers follow."""

from __future__ import annotations

from typing import Any

from rotonda.units.policy_unit import AnyUnit
from rotonda.units.served_source import ServedSource
from rotonda.units.serving import Serving, new_history
from twisted.application.service import MultiService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import HostPort, Listen
from rotoro.table import Position, State
from tests.session.worlds import vrps
from tests.units.puppets import Puppet


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
