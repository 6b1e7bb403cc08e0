"""Drives a session over a Twisted transport: octets to PDUs, effects to calls.

Thousands of routers are connected and silent: whatever serves only the moment, be it a decoder, a queue or a timer, is
there only in that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, INegotiated, IProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rotoro.net.connection import Conversing, cancel
from rotoro.net.memory import MUCH, give_back
from rotoro.net.surroundings import Surroundings
from rotoro.session.base import Session
from rotoro.session.effects import Close, Effect, Note, Send, Stream, WakeAt
from rotoro.session.negotiation import ClientSession, Refused, keep_to
from rotoro.wire.codec import encode
from rotoro.wire.decoder import Decoder
from rotoro.wire.errors import InternalError, ProtocolError, TransportFailed
from rotoro.wire.pdu import HEADER_LENGTH, Pdu
from rotoro.wire.rtr import ErrorReport, ResetQuery, SerialNotify, SerialQuery

QUERY_LENGTH = 12
"""Octets of a Serial Query, the longest of the queries of routers."""

NOTIFIED = 16
"""How many Serial Notifies are kept as octets: one for each version and table, as long as it is told."""

QUERIES = 256
"""How many queries are kept as PDUs: after a change thousands of routers send the same one."""


@implementer(IProtocol, IHandshakeListener)
class SessionProtocol(Conversing):
    """One session on one connection.

    A server's session is chosen by the first octet; a client's is there from the beginning and speaks first.
    """

    __slots__ = (
        "_decoder", "_held", "_met", "_partial", "_patience", "_wake", "_wish", "began", "errors_received",
        "errors_sent", "octets_in", "pdus_in", "session", "since",
    )  # fmt: skip

    def __init__(self, around: Surroundings, session: Session | None = None) -> None:
        super().__init__(around)
        self.session = session
        self.began = False
        """Whether the session has, or had, the connection; with TLS not before the handshake is done."""
        self.since = 0.0
        """When the connection was made, by the clock."""
        self.octets_in = 0
        self.pdus_in = 0
        """PDUs that the session got; a run counts as one."""
        self.errors_sent = self.errors_received = 0
        self._met = False
        self._decoder: Decoder | None = None
        """There while a PDU has begun."""
        self._held: tuple[int, Pdu] | None = None
        """What came and has to wait for its turn; nothing is read until then."""
        self._wish: float | None = None
        """When the session wants to be woken, as long as no alarm is set."""
        self._wake: IDelayedCall | None = None
        self._partial: IDelayedCall | None = None
        self._patience = 0.0

    @property
    def queries(self) -> int:
        """How many queries a router has made."""
        return getattr(self.session, "queries", 0)

    # --- what Twisted calls ------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """A connection is up; with TLS nothing is said or heard before the handshake is done."""
        self.since = self._around.clock.seconds()
        if not INegotiated.providedBy(self.transport):
            self._open()

    def handshakeCompleted(self) -> None:
        """A connection with TLS is up, and what is spoken may have been agreed on."""
        if isinstance(self.session, ClientSession):
            self.session.settle(self.transport.negotiatedProtocol)
        self._open()

    def _open(self) -> None:
        self.began = True
        if self.session is not None:
            self.session.peer = self.peer
            self._begin(self.session)
        else:
            seconds = self._around.limits.first_octet_seconds
            self._within(seconds, self._mute, seconds)

    def dataReceived(self, data: bytes) -> None:
        """Octets, cut anywhere."""
        if self._closing is not None:
            return
        self.octets_in += len(data)
        if self.session is None and not self._chosen(data[0]):
            return
        session, now = self.session, self._around.clock.seconds()
        assert session is not None  # `_chosen` saw to it
        session.heard(now)
        if self._decoder is None:
            if len(data) <= QUERY_LENGTH and self._held is None:
                if not self._answered(session, data, now):
                    self._do(self._step, self._take_little, session, data, now)
                return
            self._decoder = session.decoder()
        self._decoder.receive(data)
        if self._held is None:
            self._do(self._take, session, now)

    def hold(self, on: bool) -> None:
        """Read nothing, or read on. As long as it is so this has to be said again within every few seconds: then it is
        not the peer who is silent, or slow."""
        session, now = self.session, self._around.clock.seconds()
        if session is None or not self.began or self._closing is not None:
            return
        if self._standing:
            session.delayed(now)
        if on and self._held is None and self._partial is not None:
            cancel(self._partial)
            self._partial = None
        self.stand(on)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        for call in (self._wake, self._partial, self._linger):
            cancel(call)
        self._wake = self._partial = self._linger = self._held = self._outgoing = self._decoder = None
        self._lost = True
        self.connected = 0
        if self.began and self._closing is None:
            unused = "" if self.session is not None else " before anything was said"
            self._say("lost", f"connection lost{unused}: {reason.getErrorMessage()}")
        if self.session is not None and self.began:
            self._closing = self._closing or "connection lost"
            lost = self.session.lost
            self.ask(lambda: lost(self._around.clock.seconds()))
        if self.octets_in > MUCH:
            give_back()
        if self._around.gone is not None:
            self._around.gone(self)

    # --- what a session wants ----------------------------------------------------------------------------------------

    def ask(self, step: Callable[[], list[Effect]]) -> None:
        """Do what a step of the session wants; one bad peer never harms another, not even through our own mistakes."""
        self._do(self._step, step)

    def _step(self, step: Callable[..., list[Effect]], *arguments: Any) -> None:
        try:
            self._perform(step(*arguments))
        except MemoryError:
            self._own_up(InternalError("no memory"))
        except Exception as bug:
            self.log.failure("{peer}: our mistake", peer=self.peer)
            self._own_up(InternalError(type(bug).__name__))

    def _own_up(self, mistake: InternalError) -> None:
        """Tell the peer, and whoever listens here, that it is over; what fails now must not keep the connection."""
        try:
            if self.session is not None:
                self._perform(self.session.fail(mistake))
        except Exception:
            self.log.failure("{peer}: our mistake, again", peer=self.peer)
        self._close("our mistake")

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Stream):
                if len(effect.chunks) != 1 or not self._soon(effect.chunks[0]):
                    self._queue().share(effect.chunks)
            elif isinstance(effect, WakeAt) and not self._lost:
                self._wish = effect.when
            elif isinstance(effect, Send):
                self._send(effect.pdu, effect.version)
            elif isinstance(effect, Close):
                self._close(effect.reason)
            else:
                self._pass_on(effect)

    def _send(self, pdu: Pdu, version: int) -> None:
        if isinstance(pdu, SerialNotify):
            octets = _notify(pdu, version)
            if not self._soon(octets):
                self._queue().put(octets)
            return
        if isinstance(pdu, ErrorReport):
            self.errors_sent += 1
            self._around.counters.errors_sent[pdu.code] += 1
        self._queue().put(encode(pdu, version))

    def _pass_on(self, effect: Effect) -> None:
        if isinstance(effect, Note):
            self._say("note", effect.text, effect.warning)
        if self._around.tell is not None and self.session is not None:
            self._around.tell(self.session, effect)

    def _begin(self, session: Session) -> None:
        self.session = session
        start: Any = session
        self.ask(lambda: start.start(self._around.clock.seconds()))

    def _chosen(self, first: int) -> bool:
        assert self._around.choose is not None  # a server has it
        try:
            if INegotiated.providedBy(self.transport):
                keep_to(self.transport.negotiatedProtocol, first)
            session = self._around.choose(first)
        except Refused as refused:
            self._close(str(refused))
            return False
        self._begin(session)
        return True

    def _rests(self) -> bool:
        """With a session that has nothing more to say and no alarm to be set or turned off."""
        session = self.session
        if session is None or not self._met or self._closing is not None or self._half_closed or not self._reading:
            return False
        if self._held is not None or self._wake is not None or not session.come_to_rest():
            return False
        self._wish = None
        return True

    def _progressed(self) -> None:
        if self.session is not None:
            self.session.progressed(self._around.clock.seconds())

    def _drained(self) -> None:
        if self.session is not None and not self.session.resting:
            self._step(self.session.drained, self._around.clock.seconds())

    def _settle(self) -> None:
        """Set the alarm that the session wished, if it is still to be set."""
        session = self.session
        if session is None or self._lost:
            return
        if session.resting:
            if self._wake is not None:
                cancel(self._wake)
                self._wake = None
        elif self._wish is not None:
            cancel(self._wake)
            clock = self._around.clock
            self._wake = clock.callLater(max(0.0, self._wish - clock.seconds()), self._woken)
        self._wish = None
        if not self._met and session.met:
            self._meet()

    def _meet(self) -> None:
        """The peer has shown that it speaks our protocol."""
        self._met = True
        if self._around.met is not None:
            self._around.met(self)

    def _woken(self) -> None:
        self._wake = None
        if self.session is not None:
            was_open = self._closing is None
            wake = self.session.wake if was_open else self.session.expire
            self.ask(lambda: wake(self._around.clock.seconds()))
            self._around.counters.late["session"] += was_open and self._closing is not None

    # --- what is heard -----------------------------------------------------------------------------------------------

    def _take(self, session: Session, now: float) -> None:
        """Give the session what is whole, as far as it may have it now."""
        decoder = self._decoder
        assert decoder is not None  # who calls has just filled it
        passed = self.pdus_in + decoder.skipped
        self._step(self._receive, session, decoder.items(), now)
        if self._held is None:
            self._watch_partial(decoder, self.pdus_in + decoder.skipped > passed)
            if not decoder.pending:
                self._decoder = None

    def _answered(self, session: Session, octets: bytes, now: float) -> bool:
        """For one that rests and asks for little, the shortest way; whether that could be taken."""
        if self._busy or self._writer is not None or self._partial is not None or not self._met:
            return False
        try:
            query = _query(octets)
            answer = None if query is None else session.answer_at_once(*query, now)
        except Exception as mistake:
            self._do(self._step, _raise, mistake)
            return True
        if answer is None:
            return False
        self.pdus_in += 1
        stream, self._wish = answer
        if len(stream.chunks) != 1 or not self._soon(stream.chunks[0]):
            self._do(self._perform, [stream])
        return True

    def _take_little(self, session: Session, octets: bytes, now: float) -> list[Effect]:
        """The same for what may well be a query that came whole, with nothing before or after it, as nearly all do."""
        query = _query(octets)
        if query is None:
            self._decoder = session.decoder()
            self._decoder.receive(octets)
            self._take(session, now)
            return []
        effects = self._receive(session, (query,), now)
        if self._held is None and self._partial is not None:
            cancel(self._partial)
            self._partial = None
        return effects

    def _receive(self, session: Session, items: Iterable[tuple[int, Pdu]], now: float) -> list[Effect]:
        try:
            for version, pdu in items:
                if self._around.toll is not None and (seconds := self._around.toll(self, pdu, now)):
                    self._hold(session, version, pdu, now, seconds)
                    break
                self._hear(session, version, pdu, now)
                if self._closing is not None:
                    break
        except ProtocolError as broken:
            return session.broken(broken, now)
        return []

    def _hear(self, session: Session, version: int, pdu: Pdu, now: float) -> None:
        self.pdus_in += 1
        if isinstance(pdu, ErrorReport):
            self.errors_received += 1
            self._around.counters.errors_received[pdu.code] += 1
        self._perform(session.receive(version, pdu, now))

    @property
    def _owes(self) -> bool:
        return self._held is not None

    def _hold(self, session: Session, version: int, pdu: Pdu, now: float, seconds: float) -> None:
        """This has to wait for its turn, and so has what the peer says after it."""
        self._around.counters.delayed += 1
        self._say("delayed", f"{pdu.title} has to wait: too many full loads from this address")
        self._held = version, pdu
        if not self._met:
            self._meet()
        self._read(False)
        self._wait(session, now, seconds)

    def _wait(self, session: Session, now: float, seconds: float) -> None:
        """Look then whether it is its turn; until then it is not the peer who is silent."""
        session.delayed(now + seconds)
        self._within(seconds, self._turn)

    def _turn(self) -> None:
        """It may be its turn now."""
        self._partial = None
        session, held, toll, now = self.session, self._held, self._around.toll, self._around.clock.seconds()
        if session is None or held is None or toll is None or self._closing is not None:
            return
        if seconds := toll(self, held[1], now):
            self._wait(session, now, seconds)
            return
        self._held = None
        self._read(True)
        self._do(lambda: self._go_on(session, held, now))

    def _go_on(self, session: Session, held: tuple[int, Pdu], now: float) -> None:
        def hear() -> list[Effect]:
            self._hear(session, *held, now)
            return []

        self._step(hear)
        if self._closing is None and self._decoder is not None:
            self._take(session, now)

    def _watch_partial(self, decoder: Decoder, whole: bool) -> None:
        """A PDU that has begun must become whole in time, however the peer drips."""
        pending, limits = decoder.pending, self._around.limits
        seconds = limits.header_seconds if pending < HEADER_LENGTH else limits.pdu_seconds
        if whole or not pending or seconds != self._patience:
            cancel(self._partial)
            self._partial = None
        if pending and self._partial is None and self._closing is None:
            self._patience = seconds
            self._within(seconds, self._late)

    def _within(self, seconds: float, what: Callable[..., None], *arguments: object) -> None:
        cancel(self._partial)
        self._partial = self._around.clock.callLater(seconds, what, *arguments)

    def _mute(self, seconds: float) -> None:
        self._around.counters.late["first octet"] += 1
        self._close(f"nothing said in {seconds:.0f} s")

    def _late(self) -> None:
        self._partial = None
        session, decoder = self.session, self._decoder
        if session is None or decoder is None or self._closing is not None:
            return
        self._around.counters.late["header" if decoder.pending < HEADER_LENGTH else "PDU"] += 1
        what = f"a PDU of which {decoder.pending} octets came did not become whole in {self._patience:.0f} s"
        self.ask(lambda: session.fail(TransportFailed(what)))


@lru_cache(QUERIES)
def _query(octets: bytes) -> tuple[int, Pdu] | None:
    """The version and the one query that these octets are; None if they are anything else."""
    decoder = Decoder()
    decoder.receive(octets)
    try:
        items = list(decoder.items())
    except ProtocolError:
        return None
    whole = len(items) == 1 and not decoder.pending and isinstance(items[0][1], SerialQuery | ResetQuery)
    return items[0] if whole else None


def _raise(mistake: Exception) -> list[Effect]:
    raise mistake


_notify = lru_cache(NOTIFIED)(encode)
"""A Serial Notify, which all routers of a version are sent."""
