"""Clients that stay, over connections that are only buffers: WebSockets and endless answers."""

from __future__ import annotations

import base64
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.server import Site
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage

KEY = base64.b64encode(bytes(16)).decode()
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


class Transport(StringTransport):
    """A connection that remembers how it ended."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = self.disconnecting = True


class Follower:
    """One client of a site."""

    def __init__(self, site: Site, path: str, host: str = "192.0.2.77", method: str = "GET", **headers: str) -> None:
        site.timeOut = None
        self.transport = Transport(peerAddress=IPv4Address("TCP", host, 4711))
        self._channel: Any = site.buildProtocol(None)
        self._channel.makeConnection(self.transport)
        own = {"Host": "rib.example", **{name.replace("_", "-"): value for name, value in headers.items()}}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in own.items()), "", ""]
        self._channel.dataReceived("\r\n".join(lines).encode())
        self._over = False

    @property
    def producer(self) -> Any:
        return self.transport.producer

    def send(self, octets: bytes) -> None:
        self._channel.dataReceived(octets)

    def take(self) -> bytes:
        """What has come since this was asked last."""
        octets: bytes = self.transport.value()
        self.transport.clear()
        return octets

    def go(self) -> None:
        """The connection is over."""
        if not self._over:
            self._over = True
            self._channel.connectionLost(Failure(ConnectionDone()))


class Events(Follower):
    """Server-sent events, or lines: an answer in chunks."""

    def bodies(self) -> bytes:
        """The chunks that have come, without the head of the answer."""
        octets = self.take()
        if octets.startswith(b"HTTP/1.1"):
            self.head, _, octets = octets.partition(b"\r\n\r\n")
        found = b""
        while octets:
            size, _, octets = octets.partition(b"\r\n")
            found += octets[: int(size, 16)]
            octets = octets[int(size, 16) + 2 :]
        return found

    def data(self) -> list[str]:
        """The data of the events that have come."""
        return [line[6:].decode() for line in self.bodies().split(b"\n") if line.startswith(b"data: ")]


class Socket(Follower):
    """A WebSocket."""

    def __init__(self, site: Site, path: str, **headers: str) -> None:
        super().__init__(site, path, **{**HANDSHAKE, **headers})
        head, _, rest = self.take().partition(b"\r\n\r\n")
        self.head = head.decode()
        self.body = rest
        self.closed: tuple[int, str] | None = None
        self.pings = 0
        self._connection = Connection(ConnectionType.CLIENT)
        self._late = rest if " 101 " in self.head else b""

    def events(self) -> list[Event]:
        octets, self._late = self._late + self.take(), b""
        if octets:
            self._connection.receive_data(octets)
        return list(self._connection.events())

    def messages(self) -> list[str]:
        """The messages that have come; pings are answered."""
        found, whole = [], ""
        for event in self.events():
            if isinstance(event, TextMessage):
                whole += event.data
                if event.message_finished:
                    found.append(whole)
                    whole = ""
            elif isinstance(event, CloseConnection):
                self.closed = int(event.code), event.reason or ""
            elif isinstance(event, Ping):
                self.pings += 1
        return found

    def say(self, words: str) -> None:
        self.send(self._connection.send(TextMessage(words)))

    def say_octets(self, octets: bytes) -> None:
        self.send(self._connection.send(BytesMessage(octets)))

    def pong(self) -> None:
        self.send(bytes((0x8A, 0x80, 0, 0, 0, 0)))


def frame(opcode: int, payload: bytes, length: int | None = None, final: bool = True) -> bytes:
    """A frame of a client, masked with zeros, which may lie about its length."""
    length = len(payload) if length is None else length
    head = bytes((opcode | 0x80 * final,))
    if length < 126:
        head += bytes((0x80 | length,))
    elif length < 1 << 16:
        head += bytes((0x80 | 126,)) + length.to_bytes(2)
    else:
        head += bytes((0x80 | 127,)) + length.to_bytes(8)
    return head + bytes(4) + payload
