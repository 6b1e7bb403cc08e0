"""A broker of MQTT for tests, which does what its test says: it has just enough of the protocol to be talked to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, PINGREQ, DISCONNECT = 1, 2, 3, 4, 5, 6, 7, 12, 14


class Packet(NamedTuple):
    """What a client sent; of a PUBLISH also its parts."""

    kind: int
    flags: int
    body: bytes
    topic: str = ""
    number: int = 0
    payload: bytes = b""

    @property
    def qos(self) -> int:
        return self.flags >> 1 & 3


Script = Callable[["Connection", Packet], None]


def packet(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    """One of less than 128 octets."""
    return bytes((kind << 4 | flags, len(body))) + body


def answer(kind: int, number: int, reason: int | None = None) -> bytes:
    """PUBACK and its like."""
    return packet(kind, number.to_bytes(2) + (b"" if reason is None else bytes((reason,))), 2 * (kind == PUBREL))


def friendly(connection: Connection, got: Packet) -> None:
    """What a good broker does."""
    version = connection.version
    if got.kind == CONNECT:
        connection.send(packet(CONNACK, bytes((0, 0)) + (b"\0" if version == 5 else b"")))
    elif got.kind == PUBLISH and got.qos:
        connection.send(answer(PUBACK if got.qos == 1 else PUBREC, got.number))
    elif got.kind == PUBREL:
        connection.send(answer(PUBCOMP, got.number))
    elif got.kind == DISCONNECT:
        connection.transport.loseConnection()


class Broker(Factory):
    """Keeps what it got, on all connections; whoever waits for something is told when it is there."""

    noisy = False

    def __init__(self, script: Script = friendly) -> None:
        self.script = script
        self.connections: list[Connection] = []
        self._waiting: list[tuple[Callable[[], object], Deferred[None]]] = []

    def buildProtocol(self, addr: object) -> Connection:
        self.connections.append(Connection(self))
        return self.connections[-1]

    def got(self, kind: int) -> list[Packet]:
        """All packets of a type, in order."""
        return [each for connection in self.connections for each in connection.got if each.kind == kind]

    def published(self, state: bool = False) -> list[Packet]:
        """Messages, with or without those about the state of the client."""
        return [each for each in self.got(PUBLISH) if state or each.topic != "state"]

    def when(self, condition: Callable[[], object]) -> Deferred[None]:
        """Fires as soon as that is so."""
        waits: Deferred[None] = Deferred()
        self._waiting.append((condition, waits))
        self.changed()
        return waits

    def changed(self) -> None:
        """Something has happened."""
        for condition, waits in list(self._waiting):
            if condition():
                self._waiting.remove((condition, waits))
                waits.callback(None)


class Connection(Protocol):
    """One client."""

    transport: Any

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.got: list[Packet] = []
        self.version = 0
        self.is_over = False
        self._octets = b""

    def connectionMade(self) -> None:
        if self.broker.script is not friendly:
            self.broker.script(self, Packet(0, 0, b""))
        self.broker.changed()

    def dataReceived(self, data: bytes) -> None:
        self._octets += data
        while len(self._octets) > 1:
            length = shift = 0
            at = 1
            while at < len(self._octets) and self._octets[at] & 0x80:
                length, shift, at = length | (self._octets[at] & 0x7F) << shift, shift + 7, at + 1
            if at >= len(self._octets):
                return
            length, at = length | self._octets[at] << shift, at + 1
            if len(self._octets) < at + length:
                return
            whole, self._octets = (
                self._parsed(self._octets[0], self._octets[at : at + length]),
                self._octets[at + length :],
            )
            self.got.append(whole)
            self.broker.script(self, whole)
        self.broker.changed()

    def connectionLost(self, reason: object = None) -> None:
        self.is_over = True
        self.broker.changed()

    def send(self, octets: bytes) -> None:
        self.transport.write(octets)

    def _parsed(self, first: int, body: bytes) -> Packet:
        kind, flags = first >> 4, first & 15
        if kind == CONNECT and body[2:6] == b"MQTT":
            self.version = body[6]
        if kind == PUBREL:
            return Packet(kind, flags, body, number=int.from_bytes(body[:2]))
        if kind != PUBLISH or len(body) < 4:
            return Packet(kind, flags, body)
        size = int.from_bytes(body[:2])
        topic, at, number = body[2 : 2 + size].decode(errors="replace"), 2 + size, 0
        if flags & 6:
            number, at = int.from_bytes(body[at : at + 2]), at + 2
        return Packet(kind, flags, body, topic, number, body[at + (self.version == 5) :])
