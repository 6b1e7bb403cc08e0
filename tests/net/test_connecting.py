from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import INegotiated
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from rotoro.net.connecting import LONGEST_ABSENCE_SECONDS, LONGEST_RETRY_SECONDS, Connecting
from rotoro.net.endpoints import Connect, HostPort
from rotoro.net.protocol import SessionProtocol
from rotoro.session.base import Session
from rotoro.session.effects import Effect, Flush, Note
from rotoro.session.negotiation import Mode
from rotoro.wire import encode
from rotoro.wire.rotoro import Catalogue, Goodbye, HelloAck, Params
from rotoro.wire.rtr import CacheResponse, EndOfData, ErrorReport, ResetQuery, SerialQuery
from tests.net.clients import client
from tests.net.transports import PullTransport, connected

LOCAL = Connect(HostPort("127.0.0.1", 323))


class ConnectingCase(SynchronousTestCase):
    """Connections that the test makes and breaks."""

    mode = Mode.RTR

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.told: list[Effect] = []
        self.session = client(self.mode)
        self.service = Connecting(self.reactor, LOCAL, self.session, self.tell)
        self.service.startService()
        self.addCleanup(self.service.stopService)

    def tell(self, session: Session, effect: Effect) -> None:
        self.told.append(effect)

    def wait(self, limit: float = 200.0) -> float:
        """Until the next attempt: how long that took."""
        attempts, waited = len(self.reactor.tcpClients), 0.0
        while len(self.reactor.tcpClients) == attempts:
            self.reactor.advance(0.25)
            waited += 0.25
            self.assertLess(waited, limit)
        return waited

    def connected(self) -> PullTransport:
        transport = PullTransport()
        transport.protocol = self.reactor.tcpClients[-1][2].buildProtocol(None)
        transport.protocol.makeConnection(transport)
        transport.pull()
        return transport

    def shaking(self) -> PullTransport:
        """A connection with TLS whose handshake is under way."""
        transport = PullTransport()
        alsoProvides(transport, INegotiated)
        return connected(self.reactor.tcpClients[-1][2].buildProtocol(None), transport)

    def refused(self) -> None:
        factory = self.reactor.tcpClients[-1][2]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    def answer(self, transport: PullTransport, expire: int = 7200) -> None:
        version = self.session.router.version or 1
        octets = encode(CacheResponse(7), version) + encode(EndOfData(7, 1, 3600, 600, expire), version)
        transport.protocol.dataReceived(octets)


class RtrTests(ConnectingCase):
    def test_refused_connections_back_off(self) -> None:
        waits = []
        for _ in range(20):
            self.refused()
            waits.append(self.wait())
        self.assertLess(waits[0], 3)
        self.assertGreater(waits[-1], LONGEST_RETRY_SECONDS - 1, waits)

    def test_why_there_is_no_connection_is_said_once(self) -> None:
        with capturedLogs() as events:
            for _ in range(3):
                self.refused()
                self.wait()
            self.connected().protocol.connectionLost(Failure(ConnectionDone()))
            self.wait()
            self.refused()
            self.wait()
        told = [formatEvent(event) for event in events if event["log_level"] == LogLevel.warn]
        said = [line for line in told if line and line.startswith(f"{LOCAL}: ")]
        self.assertEqual(said, [f"{LOCAL}: no connection: Connection was refused by other side."] * 2)

    def test_connections_that_bring_nothing_back_off_too(self) -> None:
        """R-TM-03: a cache that takes connections only to close them is asked ever later, up to Retry."""
        waits = []
        for _ in range(12):
            self.connected().lose(ConnectionDone())
            waits.append(self.wait(601))
        self.assertLess(waits[0], 3)
        self.assertAlmostEqual(waits[-1], 600, delta=0.5)
        self.answer(self.connected())
        self.service.protocol.transport.lose(ConnectionDone())  # type: ignore[union-attr]
        self.assertLess(self.wait(), 3)

    def test_after_an_error_retry_is_waited_for(self) -> None:
        """R-TM-03: 600 s if there was never an answer."""
        transport = self.connected()
        transport.protocol.dataReceived(encode(ErrorReport(1, b"", "no"), 2))
        transport.lose(ConnectionDone())
        self.assertAlmostEqual(self.wait(700), 600, delta=0.5)

    def test_handshakes_that_fail_are_no_queries_that_fail(self) -> None:
        """Retry was waited for once."""
        transport = self.connected()
        transport.protocol.dataReceived(encode(ErrorReport(1, b"", "no"), 2))
        transport.lose(ConnectionDone())
        self.assertAlmostEqual(self.wait(700), 600, delta=0.5)
        self.shaking().lose(ConnectionDone())
        self.assertLess(self.wait(700), 3)

    def test_data_expires_while_hands_are_shaken(self) -> None:
        """A connection that has no session yet does not keep the session's deadlines."""
        transport = self.connected()
        self.answer(transport, expire=3601)
        transport.lose(ConnectionDone())
        self.wait()
        self.shaking()
        self.reactor.advance(3600.9 - self.reactor.seconds())
        self.assertFalse([effect for effect in self.told if isinstance(effect, Flush)])
        self.reactor.advance(0.1)
        self.assertEqual(len([effect for effect in self.told if isinstance(effect, Flush)]), 1)

    def test_expiry_waits_for_nobody(self) -> None:
        """R-TM-04: not even for a mute cache that does not take our last words."""
        transport = self.connected()
        self.answer(transport, expire=3601)
        self.reactor.advance(3600)
        self.assertFalse([effect for effect in self.told if isinstance(effect, Flush)])
        transport.protocol.readConnectionLost()
        self.reactor.advance(0.9)
        self.assertFalse([effect for effect in self.told if isinstance(effect, Flush)])
        self.reactor.advance(0.1)
        self.assertEqual(len([effect for effect in self.told if isinstance(effect, Flush)]), 1)

    def test_a_reconnect_asks_for_changes(self) -> None:
        transport = self.connected()
        self.assertEqual(transport.value(), encode(ResetQuery(), 2))
        self.answer(transport)
        transport.lose(ConnectionDone())
        self.wait()
        self.assertEqual(self.connected().value(), encode(SerialQuery(7, 1), 2))

    def test_data_expires_without_a_connection(self) -> None:
        """Promise 10: exactly then."""
        transport = self.connected()
        self.answer(transport, expire=3601)
        transport.lose(ConnectionDone())
        self.reactor.advance(3600.9)
        self.assertFalse([effect for effect in self.told if isinstance(effect, Flush)])
        self.reactor.advance(0.1)
        self.assertEqual(len([effect for effect in self.told if isinstance(effect, Flush)]), 1)

    def test_who_is_on_the_other_side(self) -> None:
        self.assertEqual(self.session.peer, "127.0.0.1:323")
        self.connected()
        self.assertIsInstance(self.service.protocol, SessionProtocol)


class StandingByTests(ConnectingCase):
    def test_without_a_connection_what_is_held_expires_all_the_same(self) -> None:
        transport = self.connected()
        self.answer(transport, expire=3601)
        self.service.stand_by()
        self.service.stand_by()
        transport.lose(ConnectionDone())
        attempts = len(self.reactor.tcpClients)
        self.reactor.advance(3600)
        self.assertFalse([effect for effect in self.told if isinstance(effect, Flush)])
        self.reactor.advance(1)
        self.assertEqual(len([effect for effect in self.told if isinstance(effect, Flush)]), 1)
        self.assertEqual(len(self.reactor.tcpClients), attempts)
        self.service.go()
        self.service.go()
        self.assertEqual(len(self.reactor.tcpClients), attempts + 1)

    def test_not_at_once(self) -> None:
        attempts = len(self.reactor.tcpClients)
        service = Connecting(self.reactor, LOCAL, client(self.mode), self.tell, at_once=False)
        service.startService()
        self.addCleanup(service.stopService)
        self.assertEqual(len(self.reactor.tcpClients), attempts)
        service.go()
        self.assertEqual(len(self.reactor.tcpClients), attempts + 1)

    def test_why_there_is_no_connection_is_told(self) -> None:
        self.refused()
        self.reactor.advance(1)
        self.assertIn(Note("no connection: Connection was refused by other side.", warning=True), self.told)

    def test_to_give_up_an_attempt_is_no_trouble(self) -> None:
        self.service.stand_by()
        self.reactor.advance(1)
        self.assertEqual(self.told, [])


class RotoroTests(ConnectingCase):
    mode = Mode.ROTORO

    def greet(self, transport: PullTransport) -> None:
        for pdu in (HelloAck(0), Params(0, 1 << 20, 1 << 20, 20, "server"), Catalogue(())):
            transport.protocol.dataReceived(encode(pdu, 0x80))

    def test_goodbye_says_when_to_come_back(self) -> None:
        for said, expected in ((30, 30.0), (1_000_000, LONGEST_ABSENCE_SECONDS)):
            transport = self.connected()
            self.greet(transport)
            transport.protocol.dataReceived(encode(Goodbye(1, said, "soon"), 0x80))
            transport.pull()
            transport.lose(ConnectionDone())
            self.assertAlmostEqual(self.wait(8000), expected, delta=0.5)

    def test_a_server_that_is_later_than_it_said(self) -> None:
        """It is not left alone for as long once more."""
        transport = self.connected()
        self.greet(transport)
        transport.protocol.dataReceived(encode(Goodbye(1, 1000, "soon"), 0x80))
        transport.pull()
        transport.lose(ConnectionDone())
        self.assertAlmostEqual(self.wait(4000), 1000, delta=0.5)
        self.refused()
        self.assertLess(self.wait(4000), LONGEST_RETRY_SECONDS)
