"""Drives a session over a Twisted transport: octets to PDUs, effects to calls.

Output is pulled: the transport asks for the next piece when it has room, and what waits is references to octets that
all connections share. A peer that does not read costs its place in them; one whose answers pile up is not read either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPullProducer,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rotoro.net.endpoints import address_text
from rotoro.session.base import Session
from rotoro.session.effects import Close, Effect, Note, Send, Stream, WakeAt
from rotoro.session.negotiation import Refused
from rotoro.wire.codec import encode
from rotoro.wire.decoder import Decoder
from rotoro.wire.errors import InternalError, ProtocolError, TransportFailed
from rotoro.wire.pdu import HEADER_LENGTH

FIRST_OCTET_SECONDS = 30.0
"""How long who has connected may take to say anything."""

HEADER_SECONDS = 10.0
PDU_SECONDS = 30.0
"""How long a begun header, and a begun PDU, may take to become whole."""

LINGER_SECONDS = 2.0
"""How long a closed connection is still read, so that our last words are not lost to a reset."""

LAST_WRITE_SECONDS = 60.0
"""How long a peer that has closed its side may take to read the end of what it asked for."""

SEND_LIMIT = 4 << 20
"""Octets that Twisted offers to the kernel at once; its own 128 KiB copies every piece once more."""

SMALL = 1 << 16
"""Pieces up to this size, in octets, are joined before they are written."""

BACKLOG = 1 << 18
"""Octets of answers that may wait before a peer is no longer read."""


@implementer(IPullProducer, IHalfCloseableProtocol)
class SessionProtocol(Protocol):
    """One session on one connection.

    `choose` gives the session for the first octet, or refuses; a client's session is there from the beginning and
    speaks first. `tell` gets the effects that are not the connection's own.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        choose: Callable[[int], Any] | None = None,
        session: Session | None = None,
        tell: Callable[[Session, Effect], None] | None = None,
        gone: Callable[[SessionProtocol], None] | None = None,
    ) -> None:
        self.session = session
        self.peer = "?"
        self.octets_in = 0
        self.octets_out = 0
        self._clock = clock
        self._choose = choose
        self._tell = tell
        self._gone = gone
        self._decoder = Decoder()
        self._queue: deque[bytes] = deque()
        self._own_octets = 0
        self._producing = False
        self._reading = True
        self._closing: str | None = None
        self._half_closed = False
        self._lost = False
        self._wake: IDelayedCall | None = None
        self._partial: IDelayedCall | None = None
        self._linger: IDelayedCall | None = None
        self._left = False
        self._whole = 0
        """PDUs that the session got; a run counts as one."""
        self._patience = 0.0

    # --- what Twisted calls ------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """A connection is up."""
        transport: Any = self.transport
        transport.SEND_LIMIT = SEND_LIMIT
        for option in ("setTcpNoDelay", "setTcpKeepAlive"):
            getattr(transport, option, lambda on: None)(True)
        self.peer = address_text(transport.getPeer())
        if self.session is not None:
            self._begin(self.session)
        else:
            why = f"nothing said in {FIRST_OCTET_SECONDS:.0f} s"
            self._partial = self._clock.callLater(FIRST_OCTET_SECONDS, self._close, why)

    def dataReceived(self, data: bytes) -> None:
        """Octets, cut anywhere."""
        if self._closing is not None:
            return
        self.octets_in += len(data)
        if self.session is None and not self._chosen(data[0]):
            return
        session, now = self.session, self._clock.seconds()
        assert session is not None  # `_chosen` saw to it
        session.heard(now)
        self._decoder.receive(data)
        passed = self._whole + self._decoder.skipped
        self.ask(lambda: self._take(session, now))
        self._watch_partial(self._whole + self._decoder.skipped > passed)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        for call in (self._wake, self._partial, self._linger):
            _cancel(call)
        self._lost = True
        self.connected = 0
        self._queue.clear()
        if self.session is not None:
            if self._closing is None:
                self.log.info("{peer}: connection lost: {why}", peer=self.peer, why=reason.getErrorMessage())
            self._closing = self._closing or "connection lost"
            lost = self.session.lost
            self.ask(lambda: lost(self._clock.seconds()))
        if self._gone is not None:
            self._gone(self)

    def readConnectionLost(self) -> None:
        """The peer will say no more, but may still read what it asked for."""
        self._half_closed = True
        transport: Any = self.transport
        if self._left:
            transport.loseConnection()
        elif not self._producing:
            self._close("the peer closed its side")

    def writeConnectionLost(self) -> None:
        """Our side is closed, as we wished."""

    def resumeProducing(self) -> None:
        """The transport has room."""
        transport: Any = self.transport
        if self._queue:
            piece = self._next_piece()
            self.octets_out += len(piece)
            transport.write(piece)
            if self._closing is not None:
                self._leave_within(LAST_WRITE_SECONDS)
            elif self.session is not None:
                self.session.progressed(self._clock.seconds())
            return
        transport.unregisterProducer()
        self._producing, self._own_octets = False, 0
        self._read(True)
        if self._closing is not None:
            self._leave()
        elif self.session is not None:
            drained = self.session.drained
            self.ask(lambda: drained(self._clock.seconds()))
            if self._half_closed and not self._producing:
                self._close("the peer closed its side")

    def stopProducing(self) -> None:
        """The connection is going away."""
        self._queue.clear()

    # --- what we do --------------------------------------------------------------------------------------------------

    def ask(self, step: Callable[[], list[Effect]]) -> None:
        """Do what a step of the session wants; one bad peer never harms another, not even through our own mistakes."""
        try:
            self.perform(step())
        except Exception as bug:
            self.log.failure("{peer}: our mistake", peer=self.peer)
            self._own_up(InternalError(type(bug).__name__))

    def _own_up(self, mistake: InternalError) -> None:
        """Tell the peer, and whoever listens here, that it is over; what fails now must not keep the connection."""
        try:
            if self.session is not None:
                self.perform(self.session.fail(mistake))
        except Exception:
            self.log.failure("{peer}: our mistake, again", peer=self.peer)
        self._close("our mistake")
        self._push()

    def perform(self, effects: list[Effect]) -> None:
        """Do what a session wants."""
        for effect in effects:
            match effect:
                case Send(version, pdu):
                    octets = encode(pdu, version)
                    self._own_octets += len(octets)
                    self._queue.append(octets)
                case Stream(chunks):
                    self._queue.extend(chunks)
                case WakeAt(when) if not self._lost:
                    _cancel(self._wake)
                    self._wake = self._clock.callLater(max(0.0, when - self._clock.seconds()), self._woken)
                case Close(reason):
                    self._close(reason)
                case _:
                    self._pass_on(effect)
        self._push()

    def _take(self, session: Session, now: float) -> list[Effect]:
        try:
            for version, pdu in self._decoder.items():
                self._whole += 1
                self.perform(session.receive(version, pdu, now))
                if self._closing is not None:
                    break
        except ProtocolError as broken:
            return session.broken(broken, now)
        return []

    def _begin(self, session: Session) -> None:
        self.session, session.peer = session, self.peer
        self._decoder.rotoro_limit = session.max_pdu
        start: Any = session
        self.ask(lambda: start.start(self._clock.seconds()))

    def _chosen(self, first: int) -> bool:
        assert self._choose is not None  # a server's protocol has it
        try:
            session = self._choose(first)
        except Refused as refused:
            self._close(str(refused))
            return False
        self._begin(session)
        return True

    def _pass_on(self, effect: Effect) -> None:
        if isinstance(effect, Note):
            log = self.log.warn if effect.warning else self.log.info
            log("{peer}: {text}", peer=self.peer, text=effect.text)
        if self._tell is not None and self.session is not None:
            self._tell(self.session, effect)

    def _woken(self) -> None:
        self._wake = None
        if self.session is not None and self._closing is None:
            wake = self.session.wake
            self.ask(lambda: wake(self._clock.seconds()))

    def _push(self) -> None:
        """Let the transport ask for what waits."""
        transport: Any = self.transport
        if self._own_octets > BACKLOG:
            self._read(False)
        if self._queue and not self._producing and transport is not None and transport.connected:
            self._producing = True
            transport.registerProducer(self, False)

    def _next_piece(self) -> bytes:
        """What is written next: a shared chunk as it is, or small pieces together."""
        piece = self._queue.popleft()
        if len(piece) >= SMALL or not self._queue or len(self._queue[0]) >= SMALL:
            return piece
        pieces, size = [piece], len(piece)
        while self._queue and size + len(self._queue[0]) <= SMALL:
            pieces.append(self._queue.popleft())
            size += len(pieces[-1])
        return b"".join(pieces)

    def _read(self, on: bool) -> None:
        if on != self._reading:
            transport: Any = self.transport
            self._reading = on
            (transport.resumeProducing if on else transport.pauseProducing)()

    def _watch_partial(self, whole: bool) -> None:
        """A PDU that has begun must become whole in time, however the peer drips."""
        pending = self._decoder.pending
        seconds = HEADER_SECONDS if pending < HEADER_LENGTH else PDU_SECONDS
        if whole or not pending or seconds != self._patience:
            _cancel(self._partial)
            self._partial = None
        if pending and self._partial is None and self._closing is None:
            self._patience = seconds
            self._partial = self._clock.callLater(seconds, self._late)

    def _late(self) -> None:
        self._partial = None
        session = self.session
        assert session is not None  # or there would be no decoder at work
        what = f"a PDU of which {self._decoder.pending} octets came did not become whole in {self._patience:.0f} s"
        self.ask(lambda: session.fail(TransportFailed(what)))

    def _close(self, reason: str) -> None:
        if self._closing is None:
            self._closing = reason
            self.log.info("{peer}: closing: {reason}", peer=self.peer, reason=reason)
        if self._lost:
            return
        if not self._queue and not self._producing:
            self._leave()
        elif self._linger is None:
            self._leave_within(LAST_WRITE_SECONDS)

    def _leave(self) -> None:
        """Say that we are done, and go on reading for a moment: unread input would make a reset of our last words."""
        transport: Any = self.transport
        if self._left or transport is None:
            return
        self._left = True
        # A transport with TLS passes on what it does not have itself: that would cut off TLS's own last words.
        half_close = getattr(transport, "loseWriteConnection", None)
        if half_close is None or self._half_closed or ISSLTransport.providedBy(transport):
            self._leave_within(LAST_WRITE_SECONDS)
            transport.loseConnection()
        else:
            self._leave_within(LINGER_SECONDS)
            self._read(True)
            half_close()

    def _leave_within(self, seconds: float) -> None:
        """However the peer behaves, it is over then."""
        transport: Any = self.transport
        _cancel(self._linger)
        self._linger = self._clock.callLater(seconds, transport.abortConnection)


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
