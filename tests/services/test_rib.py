"""Tests for L{rotonda.services.rib}: how it is put together, on a reactor in memory."""

from __future__ import annotations

from typing import Any

from rotonda.services import rib
from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase


class RibTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.options = rib.Options()
        self.options.parseOptions(["--west", "1001", "--west", "1002", "--http", "1003", "--listen", "1004"])

    def test_it_listens_and_follows(self) -> None:
        reactor: Any = MemoryReactorClock()
        made = rib.Rib(reactor, self.options)
        made.privilegedStartService()
        made.startService()
        self.assertEqual(sorted(server[0] for server in reactor.tcpServers), [1003, 1004])
        self.assertEqual(sorted(client[1] for client in reactor.tcpClients), [1001, 1002])
        self.successResultOf(made.stopService())
        self.assertEqual([call for call in reactor.getDelayedCalls() if call.active()], [])

    def test_it_is_a_service_that_has_not_begun(self) -> None:
        made: Any = rib.makeService(self.options)
        self.assertTrue(IService.providedBy(made))
        self.assertFalse(made.running)
