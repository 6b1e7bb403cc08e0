"""Tests for L{rotonda.units.link}: one server to the west, in Rotoro and in RTR."""

from __future__ import annotations

from typing import Any

from rotonda.units.link import RTR_TABLE, WestLink
from rotonda.units.serving import Serving, new_history
from rotonda.views.shown import Place
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import Connect, HostPort, Listen
from rotoro.session.effects import Update
from rotoro.session.follower import follow_all
from rotoro.session.negotiation import Mode
from rotoro.table import EMPTY, AttributeStore, Ingress
from tests.net.transports import connected
from tests.session.worlds import vrps
from tests.units.joined import Joined

WEST = Connect(HostPort("127.0.0.1", 323))


class LinkCase(SynchronousTestCase):
    mode = Mode.ROTORO

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.history = new_history()
        self.serving = Serving(self.reactor, "west", Listen(HostPort("127.0.0.1", 0)), None, self.history)
        self.taken: list[tuple[str, Update]] = []
        self.told = 0
        self.link = self.made()
        self.link.service.startService()
        self.addCleanup(self.link.service.stopService)

    def made(self) -> WestLink:
        def adopt(ingress: Ingress) -> Ingress:
            return ingress

        def take(name: str, update: Update) -> None:
            self.taken.append((name, update))

        def told() -> None:
            self.told += 1

        return WestLink(self.reactor, WEST, self.mode, follow_all, AttributeStore(), adopt, take, told)

    def join(self) -> Joined:
        return Joined(self.reactor, self.link, self.serving)


class RotoroLinkTests(LinkCase):
    def test_complete_when_the_server_says_so(self) -> None:
        connection = self.join()
        self.assertEqual((self.link.complete, self.link.connected), (False, True))
        self.history.commit(vrps(1))
        self.serving.changed()
        connection.carry()
        self.assertEqual([name for name, _ in self.taken], ["127.0.0.1:323 west.rpki"])
        self.assertEqual(self.taken[0][1].snapshot, vrps(1))
        self.assertFalse(self.link.complete, "the server is still loading")
        self.serving.report(self.serving.rpki, complete=True)
        connection.carry()
        self.assertTrue(self.link.complete)
        self.assertFalse(self.link.receiving)

    def test_in_step_when_everything_came_over_this_connection(self) -> None:
        self.history.commit(vrps(1))
        connection = self.join()
        self.assertFalse(self.link.synced, "the server is still loading")
        self.serving.report(self.serving.rpki, complete=True)
        connection.carry()
        self.assertTrue(self.link.synced)
        connection.lose()
        self.assertEqual((self.link.complete, self.link.synced), (True, False))
        self.reactor.advance(10)
        self.join()
        self.assertTrue(self.link.synced)

    def test_how_it_fares(self) -> None:
        self.assertEqual(self.link.shown().state, "disconnected")
        self.history.commit(vrps(1))
        connection = self.join()
        shown = self.link.shown()
        self.assertEqual((shown.name, shown.mode, shown.state), ("127.0.0.1:323", "rotoro", "open"))
        self.assertEqual(shown.position, Place.of(self.history.position))
        connection.lose()
        self.assertEqual((self.link.shown().state, self.link.connected), ("disconnected", False))

    def test_what_the_server_says_is_wrong_is_wrong_here(self) -> None:
        connection = self.join()
        for problem, expected in [("vrps.json: not JSON", "west.rpki: vrps.json: not JSON"), ("", None)]:
            told = self.told
            self.serving.report(self.serving.rpki, complete=True, problems=problem)
            connection.carry()
            self.assertEqual((self.link.problem, self.link.shown().last_error), (expected, expected))
            self.assertGreater(self.told, told)

    def test_a_table_that_is_served_no_more_is_forgotten(self) -> None:
        self.history.commit(vrps(1))
        connection = self.join()
        self.serving.report(self.serving.rpki, complete=True)
        connection.carry()
        self.assertEqual(list(self.link.statuses), ["west.rpki"])
        connection.lose()
        self.reactor.advance(10)
        other = Serving(self.reactor, "other", Listen(HostPort("127.0.0.1", 0)), None, self.history)
        connection = Joined(self.reactor, self.link, other)
        other.report(other.rpki, complete=True)
        connection.carry()
        self.assertEqual(list(self.link.statuses), ["other.rpki"])
        gone = [update for name, update in self.taken if name == "127.0.0.1:323 west.rpki"][-1]
        self.assertEqual(gone.snapshot, EMPTY)


class RtrLinkTests(LinkCase):
    mode = Mode.RTR

    def test_a_plain_cache(self) -> None:
        connection = self.join()
        self.assertFalse(self.link.complete)
        self.history.commit(vrps(1, 2))
        self.serving.changed()
        self.reactor.advance(100)  # until it asks again, if no notify said so
        connection.carry()
        self.assertTrue(self.link.complete)
        self.assertEqual(self.taken[-1][0], f"127.0.0.1:323 {RTR_TABLE}")
        self.assertEqual(self.taken[-1][1].snapshot, vrps(1, 2))
        before = self.link.shown().age
        self.reactor.advance(7)
        shown = self.link.shown()
        assert shown.age is not None
        assert before is not None
        assert shown.expire is not None
        self.assertEqual((shown.mode, shown.version, shown.serial), ("rtr 2", 2, self.history.serial))
        self.assertEqual((shown.age - before, shown.expires_in), (7, shown.expire - shown.age))

    def test_in_step_from_end_of_data_on(self) -> None:
        self.history.commit(vrps(1))
        connection = self.join()
        self.assertTrue(self.link.synced)
        connection.lose()
        self.assertEqual((self.link.complete, self.link.synced), (True, False))
        self.reactor.advance(10)
        silent = self.reactor.tcpClients[-1][2].buildProtocol(None)
        connected(silent)
        self.assertEqual((self.link.connected, self.link.synced), (True, False))

    def test_data_that_has_expired_is_given_up(self) -> None:
        self.history.commit(vrps(1))
        connection = self.join()
        self.assertEqual(self.taken[-1][1].snapshot, vrps(1))
        connection.lose()
        self.reactor.advance(7201)
        self.assertEqual(self.taken[-1], (f"127.0.0.1:323 {RTR_TABLE}", self.taken[-1][1]))
        self.assertEqual((self.taken[-1][1].snapshot, self.link.complete), (EMPTY, False))
        self.assertIsNotNone(self.link.problem)
