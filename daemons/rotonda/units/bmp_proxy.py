"""What a BMP router says, handed on unchanged to other stations: one connection to each of them for each router.

A station that reads too slowly loses its connection, as routers do it themselves (RFC 7854 section 3.2): messages left
out would leave it with routes that are no more. On a new connection it first gets the Initiation and the Peer Up of
each peer that is up; of routes, what comes from then on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rotonda.bgp.bmp import HandedOn, Initiation, PeerDown, PeerUp
from rotoro.net.endpoints import Connect
from rotoro.net.tls import TlsClient

BUFFER_OCTETS = 16 << 20
"""What may wait for one station."""

HEAD_OCTETS = 16 << 20
"""How much of the Peer Ups of one router is kept for new connections."""

FIRST_RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 60.0
LAST_WRITE_SECONDS = 10.0
"""How long a station may take to read the rest when the router is gone."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """To whom a connector hands on what it hears; with `filtered`, only what its filter accepts."""

    to: Sequence[Connect]
    filtered: bool = True
    buffer_octets: int = BUFFER_OCTETS


@dataclass(slots=True)
class ProxyCounters:
    """What became of the messages for other stations."""

    sent: int = 0
    dropped: int = 0
    connections: int = 0
    cut: int = 0
    """Connections that were ended since their stations read too slowly."""


class Onwards:
    """The stations that hear what one router says; `tell` is told why one of them does not."""

    def __init__(self, reactor: Any, proxy: Proxy, tell: Callable[[str], None], counters: ProxyCounters) -> None:
        self._initiation = b""
        self._peer_ups: dict[tuple[object, ...], bytes] = {}
        self._held = 0  # octets in them
        self._filtered = proxy.filtered
        self._stations = [
            Station(reactor, to, tell, self._head, proxy.buffer_octets, counters) for to in proxy.to
        ]  # fmt: skip

    def heed(self, event: Initiation | PeerUp | PeerDown) -> None:
        """Something that decides what a new connection gets first."""
        if isinstance(event, PeerDown):
            self._forget(event.peer.identity)
        elif not event.accepted and self._filtered:
            return
        elif isinstance(event, Initiation):
            self._initiation = event.octets
        else:
            if event.closed:
                self._forget(event.peer.identity)
            self._keep((*event.peer.identity, event.peer.view), event.octets)

    def send(self, handed: HandedOn) -> None:
        """Messages for all stations."""
        for station in self._stations:
            station.send(handed)

    def stop(self) -> None:
        """The router is gone; stations are told what is left, and then let go."""
        for station in self._stations:
            station.stop()

    def _forget(self, identity: tuple[object, ...]) -> None:
        for key in [key for key in self._peer_ups if key[:-1] == identity]:
            self._held -= len(self._peer_ups.pop(key))

    def _keep(self, key: tuple[object, ...], octets: bytes) -> None:
        self._held += len(octets) - len(self._peer_ups.pop(key, b""))
        if self._held <= HEAD_OCTETS:
            self._peer_ups[key] = octets
        else:
            self._held -= len(octets)

    def _head(self) -> HandedOn:
        messages = [octets for octets in (self._initiation, *self._peer_ups.values()) if octets]
        return HandedOn(b"".join(messages), len(messages))


@implementer(IPushProducer)
class Station(Protocol):
    """One station, and what waits for it. It is its own connection, as it has only one at a time."""

    transport: Any

    def __init__(
        self,
        reactor: Any,
        to: Connect,
        tell: Callable[[str], None],
        head: Callable[[], HandedOn],
        buffer_octets: int,
        counters: ProxyCounters,
    ) -> None:
        self._clock, self._to, self._tell, self._head = reactor, to, tell, head
        self._limit, self._counters = buffer_octets, counters
        self._waiting: deque[HandedOn] = deque()
        self._octets = 0
        self._whole = True
        """Whether what was sent and what waits is all that the router said."""
        self._there = self._paused = self._stopped = False
        self._why_absent = ""
        endpoint: Any = _Endpoint(reactor, to, self._absent)
        self._service = ClientService(
            endpoint,
            _Stations(self),
            retryPolicy=backoffPolicy(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, 1.5),
            clock=reactor,
        )
        self._service.startService()

    def send(self, handed: HandedOn) -> None:
        """Send this now, or as soon as the station reads again; drop it if there is no use in it."""
        if not self._there and not self._whole:
            self._counters.dropped += handed.messages
            return
        self._waiting.append(handed)
        self._octets += len(handed.octets)
        self._write()
        if self._octets > self._limit:
            self._overflow()

    def stop(self) -> None:
        """Nothing more will come."""
        self._stopped = True
        if not self._there:
            self._drop()
            self._service.stopService()
            return
        self.transport.unregisterProducer()
        self._paused = False
        self._write()
        late = self._clock.callLater(LAST_WRITE_SECONDS, self.transport.abortConnection)
        gone = self._service.stopService()
        gone.addBoth(lambda _: late.active() and late.cancel())

    # --- what Twisted calls ------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """The station is there."""
        self._there, self._paused, self._why_absent = True, False, ""
        self._counters.connections += 1
        self.transport.registerProducer(self, True)
        if not self._whole:
            self._waiting.append(self._head())
        self._write()

    def dataReceived(self, data: bytes) -> None:
        """Stations say nothing (RFC 7854 section 3.2)."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The station is gone, and what it has not read with it."""
        self._there = self._whole = False
        dropped = self._drop()
        if not self._stopped:
            why = reason.getErrorMessage()
            self._tell(f"not handed on to {self._to} any more, {dropped} messages dropped: {why}")

    def pauseProducing(self) -> None:
        """The station reads too slowly."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It has read."""
        self._paused = False
        self._write()

    def stopProducing(self) -> None:
        """It is gone; `connectionLost` follows."""
        self._paused = True

    def _write(self) -> None:
        while self._waiting and self._there and not self._paused:
            handed = self._waiting.popleft()
            self._octets = max(0, self._octets - len(handed.octets))
            self._counters.sent += handed.messages
            self.transport.write(handed.octets)

    def _overflow(self) -> None:
        """More waits than may."""
        dropped = self._drop()
        self._whole = False
        self._tell(f"{self._to} reads too slowly, more than {self._limit} octets wait: {dropped} messages dropped")
        if self._there:
            self._counters.cut += 1
            self._there = False
            self.transport.abortConnection()

    def _drop(self) -> int:
        dropped = sum(handed.messages for handed in self._waiting)
        self._counters.dropped += dropped
        self._waiting.clear()
        self._octets = 0
        return dropped

    def _absent(self, failure: Failure) -> Failure:
        """Say why there is no connection: once for each reason."""
        why = failure.getErrorMessage()
        if why != self._why_absent and not self._stopped:
            self._why_absent = why
            self._tell(f"cannot be handed on to {self._to}: {why}")
        return failure


class _Stations(Factory):
    """Gives the one station to each connection to it."""

    noisy = False

    def __init__(self, station: Station) -> None:
        self._station = station

    def buildProtocol(self, addr: IAddress | None) -> Station:
        self._station.connected = 0
        return self._station


class _Endpoint:
    """Where a station is, over TLS if it says so; tells why it cannot be reached."""

    def __init__(self, reactor: Any, to: Connect, failed: Callable[[Failure], Failure]) -> None:
        self._reactor, self._failed = reactor, failed
        self._endpoint = HostnameEndpoint(reactor, to.where.host, to.where.port, timeout=10)
        self._tls = TlsClient(to.tls, str(to), to.where.host) if to.tls else None

    def connect(self, factory: Factory) -> Any:
        if self._tls is None:
            return self._endpoint.connect(factory).addErrback(self._failed)
        made = self._endpoint.connect(self._tls.wrap(factory, self._reactor))
        return made.addCallbacks(lambda transport: transport.wrappedProtocol, self._failed)
