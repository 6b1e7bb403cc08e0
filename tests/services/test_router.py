"""Tests for L{rotonda.services.router}: how it is put together, on a reactor in memory."""

from __future__ import annotations

from typing import Any

from rotonda.services import router
from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase


class RouterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.options = router.Options()
        self.options.parseOptions(["--cache", "1001", "--http", "1003"])

    def test_it_listens_and_follows(self) -> None:
        reactor: Any = MemoryReactorClock()
        made = router.Router(reactor, self.options)
        made.privilegedStartService()
        made.startService()
        self.assertEqual([server[0] for server in reactor.tcpServers], [1003])
        self.assertEqual([client[1] for client in reactor.tcpClients], [1001])
        self.successResultOf(made.stopService())
        self.assertEqual([call for call in reactor.getDelayedCalls() if call.active()], [])

    def test_it_is_a_service_that_has_not_begun(self) -> None:
        made: Any = router.makeService(self.options)
        self.assertTrue(IService.providedBy(made))
        self.assertFalse(made.running)
