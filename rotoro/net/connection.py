"""One connection, whatever is said on it: how it is written, and how it ends.

Output is pulled: the transport asks for the next piece when it has room, and what waits is references to octets that
all connections share. A peer that does not read costs its place in them; one whose answers pile up is not read either.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IPullProducer, ISSLTransport
from twisted.logger import Logger
from zope.interface import implementer

from rotoro.net.burst import Words
from rotoro.net.endpoints import address_text
from rotoro.net.limits import source
from rotoro.net.outgoing import SMALL, Outgoing
from rotoro.net.surroundings import Surroundings

LINGER_SECONDS = 2.0
"""How long a closed connection is still read, so that our last words are not lost to a reset."""

SEND_LIMIT = 4 << 20
"""Octets that Twisted offers to the kernel at once; its own 128 KiB copies every piece once more."""

TURN = 1 << 20
"""Octets after which it is another connection's turn, however much the kernel would take of this one."""

BACKLOG = 1 << 18
"""Octets of answers that may wait before a peer is no longer read."""


class Writer(Enum):
    """Who asks a connection for what waits to be written."""

    TRANSPORT = "transport"
    BURST = "burst"


@implementer(IPullProducer, IHalfCloseableProtocol)
class Conversing:
    """A connection that takes steps: what a step wants written is written when it is done.

    Not derived from Twisted's Protocol, whose instances have a dictionary each. Who derives from this says what is
    heard, and what happens when all is written.
    """

    __slots__ = (
        "_around", "_busy", "_closing", "_direct", "_half_closed", "_left", "_linger", "_lost", "_outgoing",
        "_reading", "_standing", "_writer", "connected", "octets_out", "transport",
    )  # fmt: skip

    log = Logger()

    def __init__(self, around: Surroundings) -> None:
        self.transport: Any = None
        self.connected = 0
        self.octets_out = 0
        self._around = around
        self._outgoing: Outgoing | None = None
        """There while something waits to be written."""
        self._direct = False
        """Whether small pieces may go to the kernel without asking the reactor first."""
        self._writer: Writer | None = None
        """Who asks for what waits."""
        self._busy = self._half_closed = self._lost = self._left = False
        self._reading = True
        self._standing = False
        """Whether nothing is read, whatever else would have it."""
        self._closing: str | None = None
        self._linger: IDelayedCall | None = None

    @property
    def host(self) -> str | None:
        """The address of the other side."""
        return None if self.transport is None else getattr(self.transport.getPeer(), "host", None)

    @property
    def peer(self) -> str:
        """The other side, for the log."""
        return "?" if self.transport is None else address_text(self.transport.getPeer())

    # --- what Twisted calls ------------------------------------------------------------------------------------------

    def makeConnection(self, transport: Any) -> None:
        """A connection is up."""
        self.transport, self.connected = transport, 1
        transport.SEND_LIMIT = SEND_LIMIT
        for option in ("setTcpNoDelay", "setTcpKeepAlive"):
            getattr(transport, option, lambda on: None)(True)
        # TLS must not be passed by: its transports pass on what they do not have themselves.
        self._direct = isinstance(transport, tcp.Connection) and not getattr(transport, "TLS", False)
        if isinstance(transport, tcp.Server):
            # Twisted makes up two names for each; our log says who it is without them, and 150 octets are a tenth.
            transport.logstr = transport.repstr = type(self).__name__
            if self._direct and self._around.crowd is not None:
                self._around.crowd.take_in(transport)
        self.connectionMade()

    def connectionMade(self) -> None:
        """The same, once it can be used."""

    def readConnectionLost(self) -> None:
        """The peer will say no more, but may still read what it asked for."""
        self._half_closed = True
        if self._left:
            self.transport.loseConnection()
        elif self._writer is None and not self._owes:
            self._close("the peer closed its side")

    def writeConnectionLost(self) -> None:
        """Our side is closed, as we wished."""

    def resumeProducing(self) -> None:
        """The transport has room."""
        if self._outgoing:
            self._write_on(self._outgoing)
            if self._closing is not None:
                self._leave_within(self._around.limits.last_write_seconds)
            else:
                self._progressed()
            return
        self.transport.unregisterProducer()
        self._writer = None
        self._do(self._written)

    def stopProducing(self) -> None:
        """The connection is going away."""
        if self._outgoing is not None:
            self._outgoing.clear()

    # --- what those who derive say -----------------------------------------------------------------------------------

    @property
    def _owes(self) -> bool:
        """Whether something was heard that is still to be answered, although nothing waits to be written."""
        return False

    def _rests(self) -> bool:
        """All is written: whether nothing follows from that."""
        return False

    def _progressed(self) -> None:
        """The transport took octets."""

    def _drained(self) -> None:
        """All is written."""

    def _settle(self) -> None:
        """A step is done, with all that followed from it."""

    # --- writing -----------------------------------------------------------------------------------------------------

    def _do(self, what: Callable[..., None], *arguments: Any) -> None:
        """Take a step; then, once, write what it wants written."""
        if self._busy:
            what(*arguments)
            return
        self._busy = True
        try:
            what(*arguments)
            self._flush()
        finally:
            self._busy = False
        if self._writer is not Writer.BURST:
            self._settle()

    def _queue(self) -> Outgoing:
        if self._outgoing is None:
            self._outgoing = Outgoing()
        return self._outgoing

    def _flush(self) -> None:
        """Write, or have the transport ask for what waits; when all is written more may follow."""
        if self._outgoing is not None and self._outgoing.own > BACKLOG:
            self._read(False)
        while self._outgoing and self._writer is None and self.transport is not None and self.transport.connected:
            if self._direct and self._around.burst is not None:
                self._writer = Writer.BURST
                self._around.burst.add(self)
            elif self._direct and self._write(self._outgoing):
                self._written()
            else:
                self._produce()

    def _soon(self, words: Words) -> bool:
        """If nothing else waits, and these are few: they go out with what others have to say; whether they do."""
        burst = self._around.burst
        if self._outgoing is not None or self._writer is not None or burst is None or len(words) > SMALL:
            return False
        if not self._direct or not self.connected:
            return False
        self._writer = Writer.BURST
        burst.add(self, words)
        return True

    def first_words(self) -> tuple[Callable[[Words], int], Words]:
        """How to write, and what comes first if that is small."""
        if self._outgoing and self.transport.connected:
            piece = self._outgoing.take()
            if len(piece) <= SMALL:
                return self.transport.socket.send, piece
            self._outgoing.put_back(piece)
        return len, b""

    def said(self, piece: Words, taken: int) -> None:
        """So much of it was written; go on from there. Others wait for their turn, so that nothing is raised."""
        self._writer = None
        if taken == len(piece) and not self._outgoing and self._rests():  # as nearly always
            self.octets_out += taken
            self._outgoing = None
            return
        try:
            self._do(self._after_burst, piece, taken)
        except Exception:
            self.log.failure("{peer}: our mistake", peer=self.peer)
            self.shed("our mistake")

    def _after_burst(self, piece: Words, taken: int) -> None:
        if not self.transport.connected:
            return
        waiting = self._queue()
        if self._handed_over(waiting, piece, taken) and self._write(waiting):
            self._written()
        else:
            self._produce()

    def _produce(self) -> None:
        self._writer = Writer.TRANSPORT
        self.transport.registerProducer(self, False)

    def _write(self, waiting: Outgoing) -> bool:
        """Hand small pieces to the kernel, as far as it takes them; whether it took all there was."""
        while waiting:
            if not self._hand_over(waiting, SMALL):
                return False
        return True

    def _write_on(self, waiting: Outgoing) -> None:
        """Write on, as there is room; past Twisted's own buffer if possible, where each piece would be copied again."""
        if not self._direct:
            piece = waiting.take()
            self.octets_out += len(piece)
            self.transport.write(bytes(piece))
            return
        end = self.octets_out + TURN
        while waiting and self.octets_out < end and self._hand_over(waiting, TURN):
            pass
        self.transport.startWriting()  # so that it asks again when there is room

    def _hand_over(self, waiting: Outgoing, most: int) -> bool:
        """Give the kernel the next piece, unless it is longer than that; whether it took all of it."""
        piece = waiting.take()
        taken = self.transport.writeSomeData(piece) if len(piece) <= most else 0
        if not isinstance(taken, int):  # the connection is lost, which the reactor will find out as ever
            taken = 0
        return self._handed_over(waiting, piece, taken)

    def _handed_over(self, waiting: Outgoing, piece: Words, taken: int) -> bool:
        self.octets_out += taken
        if taken < len(piece):
            waiting.put_back(memoryview(piece)[taken:])
            return False
        return True

    def _written(self) -> None:
        """Nothing waits any more."""
        self._outgoing = None
        self._read(not self._owes)
        if self._closing is not None:
            self._leave()
            return
        self._drained()
        if self._half_closed and not self._outgoing and not self._owes:
            self._close("the peer closed its side")

    def _read(self, on: bool) -> None:
        if on is not self._reading:
            self._reading = on
            if not self._standing:
                (self.transport.resumeProducing if on else self.transport.pauseProducing)()

    def stand(self, still: bool) -> None:
        """Read nothing, or read on as far as nothing else is against it."""
        if still is not self._standing:
            self._standing = still
            if self._reading:
                (self.transport.pauseProducing if still else self.transport.resumeProducing)()

    # --- the end -----------------------------------------------------------------------------------------------------

    def shed(self, reason: str) -> None:
        """Make room for others, at once."""
        self._close(reason)
        self.transport.abortConnection()

    def _close(self, reason: str) -> None:
        if self._closing is None:
            self._closing = reason
            self._say(_kind(reason, self.peer), f"closing: {reason}")
        if self._lost:
            return
        if not self._outgoing and self._writer is None:
            self._leave()
        elif self._linger is None:
            self._leave_within(self._around.limits.last_write_seconds)

    def _leave(self) -> None:
        """Say that we are done, and go on reading for a moment: unread input would make a reset of our last words."""
        transport = self.transport
        if self._left or transport is None:
            return
        self._left = True
        # A transport with TLS passes on what it does not have itself: that would cut off TLS's own last words.
        half_close = getattr(transport, "loseWriteConnection", None)
        if half_close is None or self._half_closed or ISSLTransport.providedBy(transport):
            self._leave_within(self._around.limits.last_write_seconds)
            transport.loseConnection()
        else:
            self._leave_within(LINGER_SECONDS)
            self._read(True)
            half_close()

    def _leave_within(self, seconds: float) -> None:
        """However the peer behaves, it is over then."""
        cancel(self._linger)
        self._linger = self._around.clock.callLater(seconds, self._hang_up)

    def _hang_up(self) -> None:
        self._around.counters.late["last write"] += bool(self._outgoing or self._writer)
        self.transport.abortConnection()

    def _say(self, kind: str, text: str, warning: bool = False) -> None:
        """A line in the log; not more of a kind than people care to read, however often a peer comes back."""
        more: str | None = ""
        if self._around.quiet is not None:
            more = self._around.quiet.worth((source(self.host), kind), self._around.clock.seconds())
        if more is not None:
            log = self.log.warn if warning else self.log.info
            log("{peer}: {text}{more}", peer=self.peer, text=text, more=more)


def cancel(call: IDelayedCall | None) -> None:
    """Whatever was to be done later is not to be done."""
    if call is not None and call.active():
        call.cancel()


def _kind(reason: str, peer: str) -> str:
    """What kind of reason this is, without what the peer has put into it."""
    return reason.removeprefix(peer).partition(":")[0]
