from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rotoro.net.endpoints import HostPort
from rotoro.net.protocol import SessionProtocol
from rotoro.net.services import LONGEST_ABSENCE_SECONDS, LONGEST_RETRY_SECONDS, Connecting, ServerFactory, listening
from rotoro.session.base import Session
from rotoro.session.cache import CacheData, CacheSession
from rotoro.session.effects import Effect, Flush, Update
from rotoro.session.follower import FollowingPeer, follow_all
from rotoro.session.negotiation import ClientSession, Mode
from rotoro.session.router import RouterSession
from rotoro.session.tables import ServedTables
from rotoro.table.attributes import AttributeStore
from rotoro.wire import encode
from rotoro.wire.rotoro import Catalogue, Goodbye, HelloAck, Params, RecordKind
from rotoro.wire.rtr import CacheResponse, EndOfData, ResetQuery, SerialQuery
from tests.net.transports import PullTransport
from tests.session.worlds import history, vrps

LOCAL = HostPort("127.0.0.1", 323)


def client(mode: Mode) -> ClientSession:
    follower = FollowingPeer(follow_all, AttributeStore(), lambda ingress: ingress)
    return ClientSession(mode, follower, RouterSession("rtr"))


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
        self.assertEqual(told, [f"{LOCAL}: no connection: Connection was refused by other side."] * 2)

    def test_connections_that_bring_nothing_back_off_too(self) -> None:
        """A cache that takes connections only to close them is not asked twice a second."""
        waits = []
        for _ in range(20):
            self.connected().lose(ConnectionDone())
            waits.append(self.wait())
        self.assertLess(waits[0], 3)
        self.assertGreater(waits[-1], LONGEST_RETRY_SECONDS - 1, waits)
        self.answer(self.connected())
        self.service.protocol.transport.lose(ConnectionDone())  # type: ignore[union-attr]
        self.assertLess(self.wait(), 3)

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
            self.assertAlmostEqual(self.wait(4000), expected, delta=0.5)

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


class PlainFactory(Factory):
    """An RTR cache that never heard of Rotoro."""

    noisy = False

    def __init__(self, choose: Callable[[int], Session]) -> None:
        self.choose = choose
        self.connections: set[SessionProtocol] = set()

    def buildProtocol(self, addr: Any) -> SessionProtocol:
        net: Any = reactor
        made = SessionProtocol(net, choose=self.choose, gone=self.connections.discard)
        self.connections.add(made)
        return made


class LoopbackTests(TestCase):
    """Services of both sides over TCP."""

    timeout = 30

    def setUp(self) -> None:
        self.table = history(vrps(1, 2), epoch=5, serial=1)
        self.updates: list[Update] = []
        self.net: Any = reactor

    @inlineCallbacks
    def until(self, condition: Callable[[], Any]) -> Generator[Any, Any, None]:
        while not condition():
            yield deferLater(self.net, 0.01, lambda: None)

    @inlineCallbacks
    def meet(self, factory: Any, mode: Mode) -> Generator[Any, Any, ClientSession]:
        """A client that gets a first table and then a change; then both stop."""
        server = listening(self.net, HostPort("127.0.0.1", 0), factory, "test")
        server.startService()
        ports: list[Any] = []

        def listens(port: Any) -> Any:
            ports.append(port)
            return port

        waiting: Any = server._waitingForPort
        waiting.addCallback(listens)
        yield self.until(lambda: ports)
        (port,) = ports
        session = client(mode)
        service = Connecting(self.net, HostPort("127.0.0.1", port.getHost().port), session, self._tell)
        service.startService()
        try:
            yield self.until(lambda: self.updates)
            self.assertEqual(self.updates[-1].snapshot, vrps(1, 2))
            if isinstance(factory, ServerFactory):
                self.table.commit(vrps(2, 3))
                factory.changed()
                yield self.until(lambda: self.updates[-1].snapshot == vrps(2, 3))
                factory.goodbye("the test is over", retry=60)
                yield self.until(lambda: not factory.connections)
        finally:
            yield service.stopService()
            yield server.stopService()
            yield self.until(lambda: not factory.connections)
        return session

    def _tell(self, session: Session, effect: Effect) -> None:
        if isinstance(effect, Update):
            self.updates.append(effect)

    def serving(self) -> ServerFactory:
        tables = ServedTables()
        tables.add("rpki", RecordKind.RPKI, self.table)
        return ServerFactory(self.net, tables, CacheData.of(self.table, 7))

    @inlineCallbacks
    def test_auto_and_rotoro(self) -> Generator[Any, Any, None]:
        session = yield self.meet(self.serving(), Mode.AUTO)
        self.assertEqual((session.verdict, session.speaks, session.retry_seconds), (Mode.ROTORO, "rotoro", 60))

    @inlineCallbacks
    def test_plain_and_rotoro(self) -> Generator[Any, Any, None]:
        session = yield self.meet(self.serving(), Mode.RTR)
        self.assertEqual(session.speaks, "rtr 2")

    @inlineCallbacks
    def test_auto_and_a_plain_cache(self) -> Generator[Any, Any, None]:
        """X-01: the verdict, and a fresh connection."""
        factory = PlainFactory(lambda first: CacheSession(CacheData.of(self.table, 7), (0, 1)))
        session = yield self.meet(factory, Mode.AUTO)
        self.assertEqual((session.verdict, session.speaks), (Mode.RTR, "rtr 1"))


class ListeningTests(SynchronousTestCase):
    def test_a_port_that_cannot_be_had_ends_the_start(self) -> None:
        net: Any = MemoryReactorClock()

        def refuse(*arguments: Any, **more: Any) -> None:
            raise OSError("in use")

        net.listenTCP = refuse
        service = listening(net, LOCAL, Factory(), "test")
        self.assertRaises(OSError, service.privilegedStartService)

    def test_both_families(self) -> None:
        for host in ("127.0.0.1", "::1"):
            net: Any = MemoryReactorClock()
            listening(net, HostPort(host, 323), Factory(), "test").privilegedStartService()
            self.assertEqual((net.tcpServers[0][0], net.tcpServers[0][3]), (323, host))

    def test_the_catalogue_and_the_status_reach_followers_only(self) -> None:
        table, tables = history(vrps(1)), ServedTables()
        served = tables.add("rpki", RecordKind.RPKI, table)
        factory = ServerFactory(Clock(), tables, CacheData.of(table, 7))
        plain, ours = PullTransport(), PullTransport()
        for transport, octets in (
            (plain, encode(ResetQuery(), 2)),
            (ours, bytes.fromhex("80020000 00000008") + encode(Params(0, 1 << 20, 1 << 20, 20, "x"), 0x80)),
        ):
            transport.protocol = factory.buildProtocol(None)
            transport.protocol.makeConnection(transport)
            transport.protocol.dataReceived(octets)
            transport.pull()
            transport.clear()
        tables.add("more", RecordKind.RPKI, history())
        factory.catalogue_changed()
        factory.status_changed(served)
        plain.pull()
        ours.pull()
        self.assertEqual((plain.value(), ours.value()), (b"", encode(Catalogue(tables.entries), 0x80)))
