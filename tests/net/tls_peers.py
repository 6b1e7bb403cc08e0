"""Both sides of TLS over loopback for tests: ours, and others that behave as tests need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from rotoro.net.endpoints import Clients, HostPort, Listen, ServerTls
from rotoro.net.listening import Listening, listening
from rotoro.net.server import ServerFactory
from rotoro.net.tls import TlsListener
from rotoro.net.tls_errors import Reason
from rotoro.session.cache import CacheData
from rotoro.session.tables import ServedTables
from rotoro.wire import encode
from rotoro.wire.rotoro import RecordKind
from rotoro.wire.rtr import ResetQuery
from tests.net.certificates import Authority, Issued
from tests.session.worlds import history, vrps

LOOPBACK = "127.0.0.1"
QUERY = encode(ResetQuery(), 2)


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class Context:
    """TLS without our checks: whatever the test wants, and nothing about the other side."""

    def __init__(
        self,
        shows: Issued | None = None,
        offers: Sequence[bytes] = (),
        change: Callable[[SSL.Context], object] = lambda context: None,
    ) -> None:
        self.context = SSL.Context(SSL.TLS_METHOD)
        if shows is not None:
            self.context.use_certificate_chain_file(str(shows.certificate))
            self.context.use_privatekey_file(str(shows.key))
        if offers:
            self.context.set_alpn_protos(list(offers))
        change(self.context)

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self.context, None)

    serverConnectionForTLS = clientConnectionForTLS


@implementer(IHandshakeListener)
class Peer(Protocol):
    """Says something as soon as it may, and keeps what it hears."""

    def __init__(self, says: bytes) -> None:
        self.says, self.heard = says, b""
        self.agreed: bytes | None = None
        self.handshakes = 0
        self.lost: Failure | None = None

    def handshakeCompleted(self) -> None:
        self.handshakes += 1
        transport: Any = self.transport
        self.agreed = transport.negotiatedProtocol
        transport.write(self.says)

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class PlainPeer(Peer):
    """The same without TLS."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(self.says)


class Peers(Factory):
    """Connections of a server that is not ours."""

    noisy = False

    def __init__(self, made: Callable[[], Any] = lambda: Peer(b"")) -> None:
        self.made = made
        self.peers: list[Any] = []

    def buildProtocol(self, addr: Any) -> Any:
        self.peers.append(self.made())
        return self.peers[-1]


class TlsCase(TestCase):
    """An authority, our server with one table, and clients of all kinds."""

    timeout = 30

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.net: Any = reactor
        self.folder = Path(folder.name)
        self.authority = Authority(self.folder)
        self.cache = self.authority.issue("cache.example.net", LOOPBACK)
        self.table = history(vrps(1, 2), epoch=5, serial=1)
        tables = ServedTables()
        tables.add("rpki", RecordKind.RPKI, self.table)
        self.factory = ServerFactory(self.net, tables, CacheData.of(self.table, 7))
        logs = capturedLogs()
        self.events: Any = logs.__enter__()
        self.addCleanup(logs.__exit__, None, None, None)
        self.addCleanup(self.all_gone)

    def told(self) -> list[str]:
        """The warnings so far."""
        return [str(formatEvent(event)) for event in self.events if event["log_level"] >= LogLevel.warn]

    async def all_gone(self) -> None:
        """Nothing is left of any connection."""
        await self.until(lambda: not self.factory.connections)

    async def until(self, condition: Callable[[], Any]) -> None:
        while not condition():
            await deferLater(self.net, 0.005, lambda: None)

    async def serve(self, settings: ServerTls | None, host: str = LOOPBACK, factory: Any = None) -> Listening:
        """Our server, on any port."""
        service = listening(self.net, Listen(HostPort(host, 0), settings), factory or self.factory, "test")
        service.startService()
        self.addCleanup(service.stopService)
        waiting: Any = service
        await self.until(lambda: waiting._waitingForPort.called)
        return service

    async def serve_oddly(self, context: Context | None, peers: Peers) -> int:
        """Another server, on any port; without a context without TLS."""
        factory = peers if context is None else TLSMemoryBIOFactory(context, False, peers, self.net)
        port: Any = await TCP4ServerEndpoint(self.net, 0, interface=LOOPBACK).listen(factory)
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    async def connect(self, port: int, context: Context | None, says: bytes = QUERY, source: str = LOOPBACK) -> Peer:
        """A client that is not ours; without a context without TLS. It goes with the test."""
        peers = Peers(lambda: PlainPeer(says) if context is None else Peer(says))
        factory: Any = peers if context is None else TLSMemoryBIOFactory(context, True, peers, self.net)
        endpoint = TCP4ClientEndpoint(self.net, LOOPBACK, port, bindAddress=(source, 0))
        made: Any = await endpoint.connect(factory)
        (peer,) = peers.peers

        async def ended() -> None:
            made.transport.abortConnection()
            await self.until(lambda: peer.lost is not None)

        self.addCleanup(ended)
        return peer  # type: ignore[no-any-return]

    async def heard(self, port: int, context: Context | None, says: bytes = QUERY, source: str = LOOPBACK) -> Peer:
        """The same, when it has an answer or has lost the connection."""
        peer = await self.connect(port, context, says, source)
        await self.until(lambda: peer.heard or peer.lost)
        return peer


class ServingCase(TlsCase):
    """Our server, and whether it serves."""

    clients = Clients.OFF

    def settings(self, **more: Any) -> ServerTls:
        authority = None if self.clients is Clients.OFF else self.authority.certificate
        return ServerTls(self.cache.certificate, self.cache.key, self.clients, authority, **more)

    def assertServed(self, peer: Peer) -> None:
        self.assertEqual(peer.heard[:2], b"\x02\x03", (peer.lost, self.told()))

    def assertRefused(self, peer: Peer, tls: TlsListener, reason: Reason, said: str) -> None:
        """No data, one line in the log, counted once."""
        self.assertEqual((peer.heard, dict(tls.refused)), (b"", {reason: 1}), self.told())
        (line,) = self.told()
        self.assertIn(said, line)
        self.assertIn("127.0.0.", line.partition(": refused by tls:127.0.0.1:0: ")[0])


def port_of(service: Listening) -> int:
    """Where a server listens that was told to take any port."""
    waiting: Any = service
    return int(waiting._waitingForPort.result.getHost().port)
