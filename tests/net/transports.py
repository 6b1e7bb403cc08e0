"""A transport that asks for pieces when the test says so, and keeps the very objects that it was given."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure


class PullTransport(StringTransport):
    """A TCP connection in memory."""

    def __init__(self) -> None:
        super().__init__(lenient=True)
        self.pieces: list[bytes] = []
        self.half_closed = False
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        self.pieces.append(data)
        super().write(data)

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def pull(self, pieces: int = 1_000_000) -> None:
        """Let the peer take so many pieces; the first ask may only bring word that there is none."""
        producer: Any = self.producer
        while producer is not None and pieces:
            before = len(self.pieces)
            producer.resumeProducing()
            pieces -= len(self.pieces) > before
            producer = self.producer

    def lose(self, reason: Exception) -> None:
        self.connected = False
        self.protocol.connectionLost(Failure(reason))


def connected(protocol: Any, transport: PullTransport | None = None) -> PullTransport:
    transport = transport or PullTransport()
    transport.protocol = protocol
    protocol.makeConnection(transport)
    return transport
