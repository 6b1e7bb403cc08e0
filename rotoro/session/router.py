"""The side of an RTR session that asks for data (RFC 6810, RFC 8210, draft-ietf-sidrops-8210bis-27).

Everything that decides how a router behaves is in `TRANSITIONS`; the functions above it only say what is done on the
way. A session outlives its connections: it keeps what a cache said last, asks for the changes since then when it is
connected again, and gives the data up when it has expired, connected or not.
"""

from __future__ import annotations

from rotoro.session.asking import NO_DATA_SECONDS, QUERY_SECONDS, TRANSFER_SECONDS, Asking, State
from rotoro.session.base import clean, on
from rotoro.session.effects import Effect, Note
from rotoro.session.payload import DEFAULT_TIMERS, Payload, Timers
from rotoro.wire.bulk import Prefixes
from rotoro.wire.decoder import Foreign
from rotoro.wire.errors import (
    CacheRestart,
    CorruptData,
    NoDataAvailable,
    ProtocolError,
    UnexpectedVersion,
    UnsupportedVersion,
)
from rotoro.wire.lenient import OldAspa
from rotoro.wire.pdu import Pdu
from rotoro.wire.rtr import (
    Aspa,
    CacheReset,
    CacheResponse,
    EndOfData,
    EndOfDataV0,
    ErrorReport,
    RouterKey,
    SerialNotify,
)


class RouterSession(Asking):
    """All our conversations with one cache."""

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        """The cache sent this; an Error Report means more if one knows in which version it came."""
        self.heard_version = version
        return super().receive(version, pdu, now)

    def broken(self, error: ProtocolError, now: float) -> list[Effect]:
        """What is no PDU in the version that it claims is first of all of another version, if that is so."""
        claimed = error.offending[0] if error.offending else self.version
        if self.answered and claimed != self.version:
            error = UnexpectedVersion(f"version {claimed} in a session of version {self.version}", error.offending)
        return super().broken(error, now)

    def refuse_version(self, version: int, pdu: Pdu) -> ProtocolError | None:
        """The answer may come in a lower version, which then is the session's (RFC 8210 section 7)."""
        if version == self.version or isinstance(pdu, ErrorReport):
            return None
        if isinstance(pdu, SerialNotify | Foreign) and not self.answered:
            return None
        if isinstance(pdu, CacheResponse) and version < self.version and self._takes_lower:
            self.versions.lower(self.asked, version)
            self.version = version
            return None
        return UnexpectedVersion(f"{pdu.title} of version {version} in a session of version {self.version}")

    @property
    def _takes_lower(self) -> bool:
        return self.state is State.ASKING and not self.answered and self.answer.base is None


def _begin(router: RouterSession, pdu: CacheResponse, now: float) -> list[Effect]:
    base = router.answer.base
    if base is not None and pdu.session != base.session:
        raise CorruptData(f"Cache Response of session {pdu.session} to a Serial Query of session {base.session}")
    router.answered = True
    router.versions.heard()
    router.answer.session = pdu.session
    router.deadline = now + TRANSFER_SECONDS
    return router.sleep()


def _take(router: RouterSession, pdu: Payload, now: float) -> list[Effect]:
    router.answer.take(pdu)
    return []


def _take_old(router: RouterSession, pdu: OldAspa, now: float) -> list[Effect]:
    router.answer.take_old(pdu)
    return []


def _end(router: RouterSession, pdu: EndOfData, now: float) -> list[Effect]:
    _check_session(router, pdu)
    timers = Timers.clamped(pdu.refresh, pdu.retry, pdu.expire)
    effects: list[Effect] = []
    if timers != _named(pdu):
        router.clamped += 1
        told = f"{pdu.refresh}, {pdu.retry} and {pdu.expire} s"
        effects.append(Note(f"timers of {told} are not allowed; taken as {timers}", warning=True))
    return router.commit(pdu.serial, timers, now) + effects


def _end_v0(router: RouterSession, pdu: EndOfDataV0, now: float) -> list[Effect]:
    _check_session(router, pdu)
    return router.commit(pdu.serial, DEFAULT_TIMERS, now)


def _named(pdu: EndOfData) -> Timers | None:
    try:
        return Timers(pdu.refresh, pdu.retry, pdu.expire)
    except ValueError:
        return None


def _check_session(router: RouterSession, pdu: EndOfData | EndOfDataV0) -> None:
    if pdu.session != router.answer.session:
        raise CorruptData(f"End of Data of session {pdu.session} in an answer of session {router.answer.session}")


def _start_over(router: RouterSession, pdu: CacheReset, now: float) -> list[Effect]:
    router.answered = True
    router.versions.heard()
    if router.answer.base is None:
        # The query has failed: that a Reset Query is answered like this must not make a loop.
        return [Note("Cache Reset in answer to a Reset Query", warning=True), *router.rest(now, router.retry)]
    # The data stays in use until the new set is whole; only its serial is worth nothing any more.
    router.serial_lost = True
    return router.ask(now)


def _ask_again(router: RouterSession, pdu: SerialNotify, now: float) -> list[Effect]:
    held = router.held
    # A cache that had no data, or not since our serial, may have begun another session since: all will be asked for.
    if held is not None and not router.serial_lost:
        if pdu.session != held.session:
            raise CorruptData(f"Serial Notify of session {pdu.session} in session {held.session}")
        if pdu.serial == held.serial:
            return []
    if now < router.asked + QUERY_SECONDS:
        router.deadline = router.asked + QUERY_SECONDS
        return router.sleep()
    return router.ask(now)


def _remember(router: RouterSession, pdu: SerialNotify, now: float) -> list[Effect]:
    if router.answered and pdu.session == router.answer.session:
        router.called = pdu
    return []


def _refuse_foreign(router: RouterSession, foreign: Foreign, now: float) -> list[Effect]:
    if foreign.type_number == ErrorReport.number:
        return _step_down(router, foreign.version, now)
    if foreign.type_number == SerialNotify.number:
        return []
    raise UnsupportedVersion(f"version {foreign.version} from the cache", foreign.octets)


def _reported(router: RouterSession, report: ErrorReport, now: float) -> list[Effect]:
    note = Note(f"{router.peer} reports error {report.code}: {clean(report.text)}", warning=True)
    if report.code == UnsupportedVersion.code and not router.answered:
        return [note, *_step_down(router, router.heard_version, now)]
    if report.code == NoDataAvailable.code:
        # RFC 8210 section 8.4: Reset Queries, until there is a usable load.
        return [note, *router.rest(now, NO_DATA_SECONDS)]
    if report.code == CacheRestart.code:
        router.pause.lost(router.retry)
        return [note, *router.leave("the cache restarts")]
    if report.code == CorruptData.code and not router.answered and router.answer.base is not None:
        # RFC 8210 section 5.1: caches say so that do not know our session any more, as after their restart.
        router.pause.lost(router.retry)
    else:
        router.pause.failed(router.retry)
    flushed = router.flush(f"the cache reports error {report.code}", report.code)
    return [note, *flushed, *router.leave(f"error {report.code} of it")]


def _step_down(router: RouterSession, offered: int, now: float) -> list[Effect]:
    """The cache does not know our version: go on in the one that it offers, or one lower on a fresh connection.

    Some caches name version 0 whatever they can do, so an offer is taken at once only if it is the next lower one.
    """
    tried = router.version
    if tried == 0:
        router.versions.exhausted(now)
        router.pause.failed(router.retry)
        return router.leave(f"the cache speaks no version up to {router.versions.highest}")
    router.versions.lower(now, tried - 1)
    if offered == tried - 1:
        return router.ask(now)
    return router.leave(f"version {tried} refused; trying {tried - 1} on a fresh connection")


TRANSITIONS = dict([
    #   while we are       and receive    we               and then are
    on(State.ASKING,       CacheResponse, _begin,          State.RECEIVING),
    on(State.ASKING,       CacheReset,    _start_over,     State.ASKING),
    on(State.ASKING,       SerialNotify,  _remember,       State.ASKING),
    on(State.ASKING,       Foreign,       _refuse_foreign, State.ASKING),
    on(State.ASKING,       ErrorReport,   _reported,       State.ASKING),
    on(State.RECEIVING,    Prefixes,      _take,           State.RECEIVING),
    on(State.RECEIVING,    RouterKey,     _take,           State.RECEIVING),
    on(State.RECEIVING,    Aspa,          _take,           State.RECEIVING),
    on(State.RECEIVING,    OldAspa,       _take_old,       State.RECEIVING),
    on(State.RECEIVING,    SerialNotify,  _remember,       State.RECEIVING),
    on(State.RECEIVING,    EndOfData,     _end,            State.IDLE),
    on(State.RECEIVING,    EndOfDataV0,   _end_v0,         State.IDLE),
    on(State.RECEIVING,    ErrorReport,   _reported,       State.RECEIVING),
    on(State.IDLE,         SerialNotify,  _ask_again,      State.IDLE),
    on(State.IDLE,         ErrorReport,   _reported,       State.IDLE),
])  # fmt: skip
"""The side that asks. A pair that is not listed is the cache's error."""

RouterSession.transitions = TRANSITIONS
