"""Tests for L{rotonda.units.router}: the validated set of several caches."""

from __future__ import annotations

from typing import Any

from rotonda.units.router import RouterUnit
from rotonda.units.serving import Serving, new_history
from twisted.application.service import MultiService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import Connect, HostPort, Listen
from rotoro.session.negotiation import Mode
from tests.session.worlds import vrps
from tests.units.joined import Joined

CACHES = [Connect(HostPort("127.0.0.1", 1001)), Connect(HostPort("127.0.0.1", 1002))]


class RouterUnitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.unit = RouterUnit(self.reactor, CACHES, Mode.RTR)
        parent = MultiService()
        self.unit.attach(parent)
        parent.startService()
        self.addCleanup(parent.stopService)
        self.histories = [new_history(), new_history()]
        self.caches = [
            Serving(self.reactor, "cache", Listen(HostPort("127.0.0.1", 0)), None, history)
            for history in self.histories
        ]

    def join(self, number: int) -> Joined:
        return Joined(self.reactor, self.unit.caches[number], self.caches[number])

    def test_one_cache_is_enough(self) -> None:
        self.assertEqual(self.unit.missing(), ["127.0.0.1:1001", "127.0.0.1:1002"])
        self.histories[1].commit(vrps(1))
        self.join(1)
        self.assertEqual((self.unit.missing(), self.unit.history.snapshot), ([], vrps(1)))
        self.assertEqual([link.state for link in self.unit.links()], ["disconnected", "idle"])

    def test_the_union_of_what_caches_say_until_it_expires(self) -> None:
        for history, data in zip(self.histories, (vrps(1, 2), vrps(2, 3)), strict=True):
            history.commit(data)
        first, _ = self.join(0), self.join(1)
        self.assertEqual(self.unit.history.snapshot, vrps(1, 2, 3))
        first.lose()
        self.assertEqual(self.unit.history.snapshot, vrps(1, 2, 3), "it is good until it expires")
        self.reactor.advance(7100)
        self.assertEqual(self.unit.history.snapshot.count, 3)
        self.reactor.advance(200)
        self.assertNotIn(vrps(1, 2, 3), [self.unit.history.snapshot])
