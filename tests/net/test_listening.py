from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rotoro.net.connecting import Connecting
from rotoro.net.endpoints import Connect, HostPort, Listen
from rotoro.net.listening import listening
from rotoro.net.protocol import SessionProtocol
from rotoro.net.server import ServerFactory
from rotoro.net.surroundings import Surroundings
from rotoro.session.base import Session
from rotoro.session.cache import CacheData, CacheSession
from rotoro.session.effects import Effect, Update
from rotoro.session.negotiation import ClientSession, Mode
from rotoro.session.tables import ServedTables
from rotoro.wire.rotoro import RecordKind
from tests.net.clients import client
from tests.session.worlds import history, vrps

LOCAL = Listen(HostPort("127.0.0.1", 323))


class PlainFactory(Factory):
    """An RTR cache that never heard of Rotoro."""

    noisy = False

    def __init__(self, choose: Callable[[int], Session]) -> None:
        self.choose = choose
        self.connections: set[SessionProtocol] = set()

    def buildProtocol(self, addr: Any) -> SessionProtocol:  # type: ignore[override]
        net: Any = reactor
        made = SessionProtocol(Surroundings(net, choose=self.choose, gone=self.connections.discard))
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
        server = listening(self.net, Listen(HostPort("127.0.0.1", 0)), factory, "test")
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
        service = Connecting(self.net, Connect(HostPort("127.0.0.1", port.getHost().port)), session, self._tell)
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
            listening(net, Listen(HostPort(host, 323)), Factory(), "test").privilegedStartService()
            self.assertEqual((net.tcpServers[0][0], net.tcpServers[0][3]), (323, host))
