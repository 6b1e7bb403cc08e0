"""Tests for L{rotonda.units.serving}."""

from __future__ import annotations

from typing import Any

from rotonda.units.serving import Serving, new_history
from twisted.application.service import MultiService
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import HostPort, Listen
from rotoro.table import EMPTY
from rotoro.wire import encode
from rotoro.wire.rotoro import Health
from rotoro.wire.rtr import ResetQuery
from tests.net.transports import connected


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

    def test_versions_that_are_too_old_are_not_served(self) -> None:
        rpki = new_history()
        rpki.commit(EMPTY)
        serving = Serving(self.reactor, "x", Listen(HostPort("127.0.0.1", 0)), None, rpki, versions=(1, 2))
        for _ in range(2):
            told = []
            for version in (0, 1, 2):
                transport = connected(serving.factory.buildProtocol(None))
                transport.protocol.dataReceived(encode(ResetQuery(), version))
                transport.pull()
                told.append(transport.value()[:4])
            self.assertEqual(told[0], b"\x02\x0a\0\4")
            self.assertEqual([octets[:2] for octets in told[1:]], [b"\1\3", b"\2\3"])
            serving._begin_anew()

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

    def test_another_life_has_other_session_ids(self) -> None:
        for _ in range(50):
            before = set(self.serving._sessions.values())
            self.serving._begin_anew()
            after = set(self.serving._sessions.values())
            self.assertEqual((len(after), before & after), (3, set()))

    def test_it_leaves_when_the_last_words_are_read_or_after_a_while(self) -> None:
        for patient in (True, False):
            protocol = connected(self.serving.factory.buildProtocol(None))
            protocol.protocol.dataReceived(bytes.fromhex("0202000000000008"))
            left: list[object] = []
            self.serving.leave("the end", 0).addCallback(left.append)
            self.reactor.pump([0.1] * 20)
            self.assertEqual(left, [])
            if patient:
                protocol.lose(ConnectionDone())
            self.reactor.pump([0.1] * (1 if patient else 11))
            self.assertEqual(left, [None])
            protocol.lose(ConnectionDone())
