"""Tests for L{rotonda.units.serving}."""

from __future__ import annotations

from typing import Any

from rotonda.units.serving import Serving, new_history
from twisted.application.service import MultiService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import HostPort, Listen
from rotoro.wire.rotoro import Health


class ServingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.serving = Serving(self.reactor, "here", Listen(HostPort("127.0.0.1", 323)), new_history(), new_history())

    def test_tables_are_called_after_the_daemon(self) -> None:
        self.assertEqual([entry.name for entry in self.serving.tables.entries], ["here.routes", "here.rpki"])
        without = Serving(self.reactor, "x", Listen(HostPort("127.0.0.1", 0)), None, new_history())
        self.assertEqual([entry.name for entry in without.tables.entries], ["x.rpki"])

    def test_it_listens_when_its_parent_starts(self) -> None:
        parent = MultiService()
        self.serving.attach(parent)
        self.assertEqual(self.reactor.tcpServers, [])
        parent.privilegedStartService()
        self.assertEqual(self.reactor.tcpServers[0][0], 323)

    def test_no_two_tables_have_one_epoch(self) -> None:
        self.assertEqual(len({new_history().position.epoch for _ in range(20)}), 20)

    def test_what_is_complete_stays_so_while_its_health_changes(self) -> None:
        table = self.serving.rpki
        self.assertFalse(table.end_of_rib)
        for complete, problems, expected in [
            (False, "", (False, Health.HEALTHY, "")),
            (True, "", (True, Health.HEALTHY, "")),
            (False, "gone", (True, Health.STALLED, "gone")),
            (False, "x" * 5000, (True, Health.STALLED, "x" * 1024)),
            (False, "", (True, Health.HEALTHY, "")),
        ]:
            self.serving.report(table, complete, problems)
            self.assertEqual((table.end_of_rib, table.health, table.text), expected)
