"""What stands between the MQTT library and a connection of Twisted's: to the library a socket, to Twisted a protocol.

The library never waits for it: names are looked up, connections made and TLS spoken by Twisted, and octets lie here
until somebody has time for them. What comes is cut into packets here, so that a broker that speaks nonsense is known
by its first octets, and nobody has to keep more than a packet may have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

LARGEST = 1 << 16
"""Octets of a packet from a broker: it only answers."""

LINGER_SECONDS = 2.0
"""How long a connection that ends may take to say what is left."""

WRITTEN_AT_ONCE = 1 << 16

CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, PINGRESP, DISCONNECT = 2, 4, 5, 6, 7, 13, 14
"""Types of packets (MQTT 5 section 2.1.2)."""

_ANSWERS = {PUBACK, PUBREC, PUBCOMP, PINGRESP, DISCONNECT}
_SHOWN = 40
_HEADER = 5


class NotMqtt(Exception):
    """What came is not what a broker answers; says what it is."""


class Packets:
    """Octets of a broker, cut into packets: CONNACK first, then answers to what we publish."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._begun = False

    def add(self, octets: bytes) -> None:
        """More has come."""
        self._octets += octets

    @property
    def waiting(self) -> int:
        """Octets that nobody has taken."""
        return len(self._octets)

    def take(self, most: int) -> list[bytes]:
        """At most so many whole packets. Raises NotMqtt."""
        octets, at = self._octets, 0
        packets: list[bytes] = []
        while len(packets) < most and at < len(octets):
            kind = octets[at] >> 4
            if not (kind in _ANSWERS if self._begun else kind == CONNACK):
                raise NotMqtt(self._nonsense(kind, bytes(octets[at : at + _SHOWN])))
            end = self._end(at)
            if end is None or end > len(octets):
                break
            packets.append(bytes(octets[at:end]))
            self._begun = True
            at = end
        del octets[:at]
        return packets

    def _end(self, at: int) -> int | None:
        """Where the packet that begins there ends (MQTT 5 section 1.5.5); None if that has not come."""
        length = 0
        for place, octet in enumerate(self._octets[at + 1 : at + _HEADER]):
            length |= (octet & 0x7F) << 7 * place
            if not octet & 0x80:
                if length > LARGEST:
                    raise NotMqtt(f"it sends a packet of {length:,} octets, which is no answer to what we send")
                return at + 2 + place + length
        if len(self._octets) - at >= _HEADER:
            raise NotMqtt("it sends a packet without an end to its length, which is not MQTT")
        return None

    def _nonsense(self, kind: int, octets: bytes) -> str:
        if self._begun:
            return f"it sends a packet of type {kind}, which is no answer to what we send"
        line = octets.splitlines()[0]
        if line.isascii() and line.decode("ascii").isprintable():
            return f"it does not speak MQTT: it says '{line.decode('ascii')}'"
        return f"it does not speak MQTT: it begins with the octets {octets[:8].hex(' ')}"


class Owner(Protocol):
    """Who is told of a connection."""

    def made(self, wire: Wire) -> None:
        """It is there."""

    def arrived(self, wire: Wire) -> None:
        """Something has come."""

    def writable(self, wire: Wire) -> None:
        """More can be written."""

    def lost(self, wire: Wire, reason: Failure) -> None:
        """It is gone."""


@implementer(IPushProducer)
class Wire(TwistedProtocol):
    """One connection to a broker."""

    def __init__(self, owner: Owner, reactor: Any) -> None:
        self.packets = Packets()
        self._owner = owner
        self._reactor = reactor
        self._fed, self._at = b"", 0
        self._written: list[bytes] = []
        self._size = 0
        self._full = self._over = self._gone = False
        self._abort: Any = None

    # --- for Twisted -------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """The connection is there; TLS may still be on its way, and keeps what is written meanwhile."""
        transport: Any = self.transport
        transport.registerProducer(self, True)
        self._owner.made(self)

    def dataReceived(self, data: bytes) -> None:
        """Octets, cut anywhere."""
        if not self._over:
            self.packets.add(data)
            self._owner.arrived(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._over = self._gone = True
        if self._abort is not None and self._abort.active():
            self._abort.cancel()
        self._owner.lost(self, reason)

    def pauseProducing(self) -> None:
        """The other side does not read as fast as we write."""
        self._full = True

    def resumeProducing(self) -> None:
        """It does again."""
        self._full = False
        if not self._over:
            self._owner.writable(self)

    def stopProducing(self) -> None:
        """Nothing is written any more."""
        self._full = True

    # --- for the owner -----------------------------------------------------------------------------------------------

    def feed(self, packets: Sequence[bytes]) -> None:
        """Have the library read these."""
        self._fed, self._at = self._fed[self._at :] + b"".join(packets), 0

    @property
    def fed(self) -> bool:
        """Whether the library has not read everything."""
        return self._at < len(self._fed) and not self._over

    def flush(self) -> None:
        """Hand on what the library wrote."""
        written, self._written, self._size = self._written, [], 0
        if written and not self._over:
            transport: Any = self.transport
            transport.write(b"".join(written))

    def read_no_more(self, holds: bool) -> None:
        """Whether more octets wait outside until those that are here have been looked at."""
        transport: Any = self.transport
        if not self._over:
            transport.pauseProducing() if holds else transport.resumeProducing()

    def abort(self) -> None:
        """End it now."""
        self._over = True
        if not self._gone:
            transport: Any = self.transport
            transport.abortConnection()

    # --- for the library ---------------------------------------------------------------------------------------------

    def recv(self, most: int) -> bytes:
        """What was fed."""
        if self._at >= len(self._fed):
            raise BlockingIOError
        octets = self._fed[self._at : self._at + most]
        self._at += most
        return octets

    def send(self, octets: bytes | bytearray) -> int:
        """Take octets, all of them or none."""
        if self._over:
            raise BrokenPipeError
        if self._full:
            raise BlockingIOError
        self._written.append(bytes(octets))
        self._size += len(octets)
        if self._size >= WRITTEN_AT_ONCE:
            self.flush()
        return len(octets)

    def close(self) -> None:
        """End it, behind what was written."""
        if self._over:
            return
        self.flush()
        self._over = True
        transport: Any = self.transport
        transport.unregisterProducer()
        transport.loseConnection()
        self._abort = self._reactor.callLater(LINGER_SECONDS, transport.abortConnection)

    def fileno(self) -> int:
        """No file that anybody can wait for."""
        return -1

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""
