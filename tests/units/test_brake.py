"""Tests for L{rotonda.units.brake}: who is held reads nothing, loses nothing, and is not thought dead."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rotonda.bgp.intake import Taken
from rotonda.bgp.messages import KEEPALIVE, Open
from rotonda.bgp.session import Local, Session, State
from rotonda.demo.generator import write_table
from rotonda.rib.ingresses import IngressRegistry
from rotonda.units.bgp_connection import BgpConnection
from rotonda.units.bmp_connector import BmpConnector
from rotonda.units.brake import AGAIN_SECONDS, Brake
from rotonda.units.mrt_connector import MrtTable
from rotonda.units.serving import new_history
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase

from interop.traffic import bmp as made
from rotoro.net.endpoints import listen_at
from rotoro.table import AttributeStore
from tests.net.transports import PullTransport
from tests.session.worlds import vrps
from tests.units.test_link import LinkCase


class BrakeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.brake = Brake(self.clock)
        self.heard: list[bool] = []

    def test_all_are_told_and_told_again(self) -> None:
        self.brake.join(self.heard.append)
        self.brake.press("a", True)
        self.assertEqual(self.heard, [True])
        self.clock.advance(AGAIN_SECONDS)
        self.assertEqual(self.heard, [True, True])
        self.brake.press("a", False)
        self.assertEqual((self.heard, self.clock.getDelayedCalls()), ([True, True, False], []))

    def test_as_long_as_anybody_wants_it(self) -> None:
        self.brake.join(self.heard.append)
        for by, on in (("a", True), ("b", True), ("a", False), ("a", False)):
            self.brake.press(by, on)
        self.assertEqual((self.brake.on, self.heard), (True, [True]))
        self.brake.press("b", False)
        self.assertEqual((self.brake.on, self.heard), (False, [True, False]))

    def test_who_comes_later_and_who_has_left(self) -> None:
        self.brake.press("a", True)
        leave = self.brake.join(self.heard.append)
        self.assertEqual(self.heard, [True])
        leave()
        leave()
        self.brake.press("a", False)
        self.assertEqual(self.heard, [True])

    def test_one_with_a_bug_is_not_in_the_way_of_others(self) -> None:
        def bad(on: bool) -> None:
            raise RuntimeError

        self.brake.join(bad)
        self.brake.join(self.heard.append)
        self.brake.press("a", True)
        self.brake.press("a", False)
        self.assertEqual(self.heard, [True, False])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_who_waits(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.brake.released()))
        self.brake.press("a", True)
        waiting = Deferred.fromCoroutine(self.brake.released())
        self.assertNoResult(waiting)
        self.brake.press("a", False)
        self.successResultOf(waiting)


class BmpTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.history = Clock(), new_history()
        self.connector = BmpConnector(
            self.clock, "bmp", listen_at("127.0.0.1:0"), AttributeStore(), self.history, IngressRegistry(),
            commit_rows=1,
        )  # fmt: skip
        self.connector.running = True
        self.session = self.connector.session()
        self.transport = StringTransport()
        self.session.makeConnection(self.transport)
        self.session.dataReceived(made.initiation() + made.peer_up(made.Peer()))

    def end(self) -> None:
        self.session.end("over")
        self.session.connectionLost()

    def test_a_router_is_not_read(self) -> None:
        self.connector.hold(True)
        self.connector.hold(True)
        self.assertEqual(self.transport.producerState, "paused")
        self.connector.hold(False)
        self.assertEqual(self.transport.producerState, "producing")
        self.end()

    def test_the_rows_under_way_are_taken_and_the_brake_stays_on(self) -> None:
        self.connector.hold(True)
        self.session.dataReceived(made.monitoring(made.Peer(), made.update(made.prefix(1))))
        self.clock.advance(5)
        self.assertEqual((self.history.snapshot.count, self.transport.producerState), (1, "paused"))
        self.connector.hold(False)
        self.clock.advance(5)
        self.assertEqual(self.transport.producerState, "producing")
        self.end()

    def test_one_that_connects_meanwhile_and_its_silence(self) -> None:
        """What it cannot say it is not blamed for: neither the first octet nor the rest of a message."""
        self.session.dataReceived(made.initiation()[:5])
        self.connector.hold(True)
        late, transport = self.connector.session(), StringTransport()
        late.makeConnection(transport)
        self.assertEqual(transport.producerState, "paused")
        for _ in range(200):
            self.clock.advance(2)
            self.connector._look()
        self.assertFalse(transport.disconnecting or self.transport.disconnecting)
        self.connector.hold(False)
        self.connector._look()
        self.assertEqual((transport.producerState, transport.disconnected), ("producing", False))
        for session in (late, self.session):
            session.end("over")
            session.connectionLost()


class Owner:
    """Whose connection it is; nothing follows from that."""

    def told(self, connection: BgpConnection, effect: object) -> None: ...

    def heard(self, connection: BgpConnection) -> None: ...

    def writable(self, connection: BgpConnection) -> None: ...


class BgpTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        families = frozenset({4, 6})
        session = Session(Local(65000, 1, 64500, 90, families, frozenset()), Taken())
        self.connection = BgpConnection(self.clock, session, Owner(), self.clock.seconds, incoming=True)
        self.transport = PullTransport()
        self.connection.makeConnection(self.transport)

    def say(self, octets: bytes) -> None:
        self.connection.dataReceived(octets)

    def establish(self) -> None:
        self.say(Open(64500, 90, 2, frozenset({4, 6})).message() + KEEPALIVE)
        self.assertIs(self.connection.session.state, State.ESTABLISHED)

    def pass_time(self, seconds: int, held: bool) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            if held:
                self.connection.hold(True)

    def test_the_hold_timer_does_not_end_a_session_that_is_not_read(self) -> None:
        self.establish()
        said = len(self.transport.value())
        self.connection.hold(True)
        self.assertEqual(self.transport.producerState, "paused")
        self.pass_time(1000, held=True)
        self.assertIs(self.connection.session.state, State.ESTABLISHED)
        self.assertGreaterEqual(len(self.transport.value()) - said, 30 * len(KEEPALIVE))
        self.connection.hold(False)
        self.assertEqual(self.transport.producerState, "producing")
        self.say(KEEPALIVE)
        self.connection.cease(2, "over")  # type: ignore[arg-type]

    def test_it_counts_again_from_when_the_peer_is_read(self) -> None:
        self.establish()
        self.connection.hold(True)
        self.pass_time(500, held=True)
        self.connection.hold(False)
        self.pass_time(89, held=False)
        self.assertIs(self.connection.session.state, State.ESTABLISHED)
        self.pass_time(2, held=False)
        self.assertIs(self.connection.session.state, State.IDLE)

    def test_a_session_that_begins_is_read_until_it_is_established(self) -> None:
        self.connection.hold(True)
        self.assertNotEqual(self.transport.producerState, "paused")
        self.establish()
        self.connection.hold(True)
        self.assertEqual(self.transport.producerState, "paused")
        self.connection.cease(2, "over")  # type: ignore[arg-type]


class RotoroTests(LinkCase):
    def test_a_server_is_not_read_and_not_thought_dead(self) -> None:
        connection = self.join()
        protocol = self.link.service.protocol
        assert protocol is not None
        for _ in range(300):
            self.reactor.advance(1)
            self.link.hold(True)
        self.assertEqual((protocol.transport.producerState, self.link.connected), ("paused", True))
        self.link.hold(False)
        self.assertEqual(protocol.transport.producerState, "producing")
        self.history.commit(vrps(1))
        self.serving.changed()
        connection.carry()
        self.assertTrue(self.link.connected)

    def test_without_a_connection_there_is_nothing_to_be_held(self) -> None:
        self.link.hold(True)
        self.link.hold(False)


class MrtTests(TestCase):
    timeout = 60

    async def test_an_archive_is_read_on_when_the_brake_is_off(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "rib.mrt"
        write_table(path, prefixes4=100, prefixes6=10, peers=2)
        brake, history, done = Brake(reactor), new_history(), Deferred[Any]()
        brake.press(self, True)
        table = MrtTable(
            [path], AttributeStore(), history, lambda: 0.0, lambda: None, done.callback, released=brake.released
        )  # fmt: skip
        table.load()
        self.assertEqual((done.called, history.ready), (False, False))
        brake.press(self, False)
        outcome = await done
        self.assertEqual((outcome.problems, history.ready), ([], True))
