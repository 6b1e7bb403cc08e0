"""Our cache in this process: the server of the daemons on transports in memory, with a clock that tests turn.

A line hears only when it is asked to: until then the server's transport is full, as that of a router that does not
read. `session`, `encoder` and `protocol` may be replaced, to see that cases notice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from secrets import randbits
from typing import Any

from rotonda.rpki.exports import read_export
from rotonda.units.serving import new_history
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from interop.conformance.subject import CLOCK, GOODBYE, RESTART, UPDATES, Data, Line, Subject
from rotoro.net.limits import DEFAULT_LIMITS
from rotoro.net.protocol import SessionProtocol
from rotoro.net.server import ServerFactory
from rotoro.session.base import Session
from rotoro.session.cache import GOODBYE_RESTART, CacheData, CacheSession
from rotoro.session.payload import DEFAULT_TIMERS, RtrEncoder, Timers
from rotoro.session.tables import ServedTables
from rotoro.table import History
from rotoro.wire.pdu import ROTORO, RTR_VERSIONS

GOODBYE_SHUTDOWN = 0


class _Transport(StringTransport):
    """The server's end of a line."""

    def __init__(self, peer: IPv4Address) -> None:
        super().__init__(peerAddress=peer, lenient=True)
        self.protocol: Any = None
        self.pieces: list[bytes] = []
        self.finished = False
        self.kept_alive = False

    def write(self, data: bytes) -> None:
        self.pieces.append(bytes(data))

    def setTcpKeepAlive(self, on: bool) -> None:
        self.kept_alive = on

    def loseWriteConnection(self) -> None:
        self.finished = True

    def loseConnection(self) -> None:
        self.finished = True
        self.lose()

    def abortConnection(self) -> None:
        self.loseConnection()

    def lose(self, why: Exception | None = None) -> None:
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(why or ConnectionLost()))


class MemoryLine(Line):
    """A router's end of a line."""

    def __init__(self, protocol: SessionProtocol | None, peer: IPv4Address) -> None:
        self.transport = _Transport(peer)
        self.protocol = protocol
        if protocol is None:
            self.transport.connected, self.transport.finished = False, True
        else:
            self.transport.protocol = protocol
            protocol.makeConnection(self.transport)

    @property
    def closed(self) -> bool:  # type: ignore[override]
        return self.transport.finished and not self.transport.pieces

    @property
    def kept_alive(self) -> bool:
        return self.transport.kept_alive

    def say(self, octets: bytes) -> None:
        if self.transport.connected and self.protocol is not None:
            self.protocol.dataReceived(octets)

    def hear(self, seconds: float) -> bytes:
        """One write of the server; with the last that was waiting the transport has room for more."""
        self._make_room()
        octets = self.transport.pieces.pop(0) if self.transport.pieces else b""
        self._make_room()
        return octets

    def _make_room(self) -> None:
        while not self.transport.pieces and (producer := self.transport.producer) is not None:
            producer.resumeProducing()

    def finish(self) -> None:
        if self.transport.connected and self.protocol is not None:
            self.protocol.readConnectionLost()

    def reset(self) -> None:
        self.transport.lose()


@dataclass(frozen=True, slots=True)
class _Data(CacheData):
    written_by: type[RtrEncoder] = RtrEncoder

    def encoder(self, version: int) -> RtrEncoder:
        return self.written_by(version, self.sessions[version], self.timers)


class _Factory(ServerFactory):
    session: type[CacheSession] | None = None
    protocol_of: type[SessionProtocol] | None = None

    def buildProtocol(self, addr: Any) -> SessionProtocol:  # type: ignore[override]
        made = super().buildProtocol(addr)
        if self.protocol_of is not None:
            made.__class__ = self.protocol_of
        return made

    def _choose(self, first: int) -> Session:
        return super()._choose(first) if self.session is None or first >= ROTORO else self.session(self._cache)


class Memory(Subject):
    """Our cache."""

    able = frozenset({CLOCK, RESTART, GOODBYE, UPDATES})

    def __init__(
        self,
        session: type[CacheSession] | None = None,
        encoder: type[RtrEncoder] = RtrEncoder,
        protocol: type[SessionProtocol] | None = None,
    ) -> None:
        self.clock = Clock()
        self._broken = session, encoder, protocol
        self._connections = 0
        self._lines: list[MemoryLine] = []
        self.restart()
        self.load(Data())

    def restart(  # type: ignore[override]  # cases name what they need
        self,
        versions: tuple[int, ...] = RTR_VERSIONS,
        timers: Timers = DEFAULT_TIMERS,
        serial: int | None = None,
        connections: int = DEFAULT_LIMITS.connections,
    ) -> None:
        session, encoder, protocol = self._broken
        self.versions, self.data = versions, Data()
        self.history = new_history() if serial is None else History(1, serial)
        made = CacheData.of(self.history, randbits(16), timers, versions)
        data = _Data(made.history, made.sessions, made.timers, encoder)
        limits = replace(DEFAULT_LIMITS, connections=connections)
        self.factory = _Factory(self.clock, ServedTables(), data, limits=limits)
        self.factory.session, self.factory.protocol_of = session, protocol

    def connect(self) -> MemoryLine:
        self._connections += 1
        octets = (10, *(self._connections % (1 << 24)).to_bytes(3))
        peer = IPv4Address("TCP", ".".join(map(str, octets)), 40000)
        full = self.factory.no_room(peer.host) is not None
        line = MemoryLine(None if full else self.factory.buildProtocol(peer), peer)
        self._lines.append(line)
        return line

    def feed(self, export: bytes, expected: Data) -> None:
        self.history.commit(read_export(export, "export", 0.0, True).snapshot())
        self.data = expected
        self.factory.changed()

    def tidy(self) -> None:
        for line in self._lines:
            line.reset()
        self._lines.clear()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def goodbye(self, *, restart: bool) -> None:
        self.factory.goodbye("the test ends it", GOODBYE_RESTART if restart else GOODBYE_SHUTDOWN)
