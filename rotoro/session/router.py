"""The side of an RTR session that asks for data (RFC 6810, RFC 8210, draft-ietf-sidrops-8210bis-27).

Everything that decides how a router behaves is in `TRANSITIONS`; the functions above it only say what is done on the
way. A session outlives its connections: it keeps what a cache said last, asks for the changes since then when it is
connected again, and gives the data up when it has expired, connected or not.
"""

from __future__ import annotations

from enum import Enum

from rotoro.session.base import Session, clean, in_words, on
from rotoro.session.effects import Close, Effect, Flush, Note, Send, Update, WakeAt
from rotoro.session.held import Answer, Held
from rotoro.session.payload import DEFAULT_TIMERS, Payload, Timers
from rotoro.table.serial import Position
from rotoro.wire.bulk import Prefixes
from rotoro.wire.decoder import Foreign
from rotoro.wire.errors import (
    NOT_FATAL,
    CorruptData,
    LimitExceeded,
    ProtocolError,
    TransportFailed,
    UnexpectedVersion,
    UnsupportedVersion,
)
from rotoro.wire.pdu import RTR_LATEST, Pdu
from rotoro.wire.rtr import (
    Aspa,
    CacheReset,
    CacheResponse,
    EndOfData,
    EndOfDataV0,
    ErrorReport,
    ResetQuery,
    RouterKey,
    SerialNotify,
    SerialQuery,
)

ANSWER_SECONDS = 60.0
"""How long a cache may take to begin an answer."""

TRANSFER_SECONDS = 600.0
"""How long a whole answer may take, from Cache Response to End of Data (8210bis section 11.4)."""

NO_DATA_SECONDS = 60.0
"""When to ask again after a cache had no data."""

QUERY_SECONDS = 1.0
"""Notifies lead to no more than one query in this time."""

UNHEARD_CONNECTIONS = 2
"""How often a cache may close without a word before a lower version is tried."""

LOWER_SECONDS = 3600.0
"""How long a cache is asked in the lower version that it spoke before it is tried with the highest again."""

MAX_RESETS = 3
"""How often a cache may answer a Reset Query with Cache Reset."""


class State(Enum):
    """Where a router can be."""

    DISCONNECTED = "disconnected"
    ASKING = "asking"
    RECEIVING = "receiving"
    IDLE = "idle"


class RouterSession(Session):
    """All our conversations with one cache."""

    closed = State.DISCONNECTED

    def __init__(self, table: str = "rpki", version: int = RTR_LATEST, held: Held | None = None) -> None:
        self.state: Enum = State.DISCONNECTED
        self.table = table
        self.version = version
        self.held = held
        self.queries = 0
        self.updates = 0
        self.clamped = 0
        """How often a cache named timers that are not allowed."""
        self._highest = version
        self._answer = Answer(None)
        self._deadline = 0.0
        self._asked = float("-inf")
        self._answered = False
        self._resets = 0
        self._serial_lost = False
        self._heard_version = version
        self._unheard = 0
        """Connections in a row that a cache closed without a word."""
        self._lower_until = 0.0
        """When a cache that spoke a lower version is asked for the highest again."""

    # --- what happens to a session ---------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """Connected: ask, for changes if there is something that they could apply to."""
        self._answered, self._resets = False, 0
        if now >= self._lower_until:
            self.version = self._highest
        return self._ask(now)

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        """The cache sent this; an Error Report means more if one knows in which version it came."""
        self._heard_version = version
        return super().receive(version, pdu, now)

    def lost(self, now: float) -> list[Effect]:
        """The connection is gone; the data stays until it expires."""
        unanswered = self.state is State.ASKING and not self._answered
        self._answer = Answer(None)
        self.state = State.DISCONNECTED
        if unanswered and (self.held is None or self.held.version != self.version):
            self._unheard += 1
        if self._unheard >= UNHEARD_CONNECTIONS:
            # Not every cache says Error 4 to a version that it does not know: some only close (RFC 8210 section 7).
            self._lower(now, self.version - 1 if self.version else self._highest)
        return self._sleep()

    def forget(self, reason: str) -> list[Effect]:
        """Give up the data: the cache is no cache any more."""
        return self._flush(reason)

    def wake(self, now: float) -> list[Effect]:
        """A deadline has passed: ask again, give up on a mute cache, or give up data that has expired."""
        effects = self._expire(now)
        if self.state in (State.ASKING, State.RECEIVING) and now >= self._deadline:
            what = "began no answer" if self.state is State.ASKING else "did not finish its answer"
            return effects + self.fail(TransportFailed(f"the cache {what} in time"))
        if self.state is State.IDLE and now >= self._deadline:
            return effects + self._ask(now)
        return effects + self._sleep()

    def fail(self, error: ProtocolError, pdu: Pdu | None = None, *, silent: bool = False) -> list[Effect]:
        """After a fatal error nothing that came from this cache may be used (8210bis section 12).

        What was whole before stays good, until it expires, if the cache only stopped or would not stop.
        """
        if self.state is State.DISCONNECTED:
            return []
        said = super().fail(error, pdu, silent=silent)
        if isinstance(error, TransportFailed | LimitExceeded):
            return said + self._sleep()
        return self._flush(in_words(error)) + said

    def refuse_version(self, version: int, pdu: Pdu) -> ProtocolError | None:
        """The answer may come in a lower version, which then is the session's (RFC 8210 section 7)."""
        if version == self.version or isinstance(pdu, ErrorReport):
            return None
        if isinstance(pdu, SerialNotify | Foreign) and not self._answered:
            return None
        if isinstance(pdu, CacheResponse) and version < self.version and self._takes_lower:
            self._lower(self._asked, version)
            return None
        return UnexpectedVersion(f"{pdu.title} of version {version} in a session of version {self.version}")

    @property
    def _takes_lower(self) -> bool:
        return self.state is State.ASKING and not self._answered and self._answer.base is None

    def _lower(self, now: float, version: int) -> None:
        self.version, self._unheard = version, 0
        self._lower_until = now + LOWER_SECONDS

    # --- asking ------------------------------------------------------------------------------------------------------

    def _ask(self, now: float) -> list[Effect]:
        self.state = State.ASKING
        self.queries += 1
        self._asked, self._deadline = now, now + ANSWER_SECONDS
        held = self.held
        if held is None or held.version != self.version or self._serial_lost:
            self._answer = Answer(None)
            return [Send(self.version, ResetQuery()), *self._sleep()]
        self._answer = Answer(held)
        return [Send(self.version, SerialQuery(held.session, held.serial)), *self._sleep()]

    def _sleep(self) -> list[Effect]:
        """Wake for whatever comes first: the deadline of what goes on, or the expiry of the data."""
        times = [self._deadline] if self.state is not State.DISCONNECTED else []
        if self.held is not None:
            times.append(self.held.expires)
        return [WakeAt(min(times))] if times else []

    def _expire(self, now: float) -> list[Effect]:
        if self.held is None or now < self.held.expires:
            return []
        return self._flush(f"no news from the cache in {self.held.timers.expire} s")

    def _flush(self, reason: str) -> list[Effect]:
        if self.held is None:
            return []
        self.held = None
        return [Flush(reason)]

    # --- receiving --------------------------------------------------------------------------------------------------

    def _commit(self, serial: int, timers: Timers, now: float) -> list[Effect]:
        answer, shown = self._answer, self.held
        if answer.base is not None and answer.base is not shown:
            # What the changes apply to has expired while they came.
            return self._ask(now)
        diff = answer.diff(self.version)
        snapshot = diff.apply(answer.snapshot)
        self._answer = Answer(None)
        self.held = Held(self.version, answer.session, serial, timers, now, snapshot)
        self.updates += 1
        self._serial_lost = False
        self._deadline = now + timers.refresh
        change = diff if shown is None or answer.base is shown else shown.snapshot.diff(snapshot)
        return [Update(self.table, Position(answer.session, serial), snapshot, change), *self._sleep()]


def _begin(router: RouterSession, pdu: CacheResponse, now: float) -> list[Effect]:
    base = router._answer.base
    if base is not None and pdu.session != base.session:
        raise CorruptData(f"Cache Response of session {pdu.session} to a Serial Query of session {base.session}")
    router._answered = True
    router._resets = router._unheard = 0
    router._answer.session = pdu.session
    router._deadline = now + TRANSFER_SECONDS
    return router._sleep()


def _take(router: RouterSession, pdu: Payload, now: float) -> list[Effect]:
    router._answer.take(pdu)
    return []


def _end(router: RouterSession, pdu: EndOfData, now: float) -> list[Effect]:
    _check_session(router, pdu)
    timers = Timers.clamped(pdu.refresh, pdu.retry, pdu.expire)
    effects: list[Effect] = []
    if timers != _named(pdu):
        router.clamped += 1
        told = f"{pdu.refresh}, {pdu.retry} and {pdu.expire} s"
        effects.append(Note(f"timers of {told} are not allowed; taken as {timers}", warning=True))
    return router._commit(pdu.serial, timers, now) + effects


def _end_v0(router: RouterSession, pdu: EndOfDataV0, now: float) -> list[Effect]:
    _check_session(router, pdu)
    return router._commit(pdu.serial, DEFAULT_TIMERS, now)


def _named(pdu: EndOfData) -> Timers | None:
    try:
        return Timers(pdu.refresh, pdu.retry, pdu.expire)
    except ValueError:
        return None


def _check_session(router: RouterSession, pdu: EndOfData | EndOfDataV0) -> None:
    if pdu.session != router._answer.session:
        raise CorruptData(f"End of Data of session {pdu.session} in an answer of session {router._answer.session}")


def _start_over(router: RouterSession, pdu: CacheReset, now: float) -> list[Effect]:
    router._answered = True
    router._resets += 1
    if router._resets > MAX_RESETS:
        raise CorruptData("Cache Reset in answer to Reset Queries, again and again")
    # The data stays in use until the new set is whole; only its serial is worth nothing any more.
    router._serial_lost = True
    return router._ask(now)


def _ask_again(router: RouterSession, pdu: SerialNotify, now: float) -> list[Effect]:
    held = router.held
    alike = held is not None and pdu.session == held.session
    # 8210bis section 5.3: before it has answered here, a cache may have begun another session.
    if held is not None and not alike and router._answered:
        raise CorruptData(f"Serial Notify of session {pdu.session} in session {held.session}")
    if held is not None and alike and pdu.serial == held.serial:
        return []
    if now < router._asked + QUERY_SECONDS:
        router._deadline = router._asked + QUERY_SECONDS
        return router._sleep()
    return router._ask(now)


def _ignore(router: RouterSession, pdu: Pdu, now: float) -> list[Effect]:
    return []


def _refuse_foreign(router: RouterSession, foreign: Foreign, now: float) -> list[Effect]:
    if foreign.type_number == ErrorReport.number:
        return _step_down(router, foreign.version, now)
    if foreign.type_number == SerialNotify.number:
        return []
    raise UnsupportedVersion(f"version {foreign.version} from the cache", foreign.octets)


def _reported(router: RouterSession, report: ErrorReport, now: float) -> list[Effect]:
    note = Note(f"{router.peer} reports error {report.code}: {clean(report.text)}", warning=True)
    if report.code == UnsupportedVersion.code and not router._answered:
        return [note, *_step_down(router, router._heard_version, now)]
    if report.code in NOT_FATAL:
        # 8210bis section 12: what is held stays good; a cache without data is asked again, one that restarts called.
        router._answer = Answer(None)
        router.state = State.IDLE
        router._deadline = now + NO_DATA_SECONDS
        return [note, *router._sleep()]
    router.state = State.DISCONNECTED
    return [note, *router._flush(f"the cache reports error {report.code}"), Close(f"error {report.code} of the cache")]


def _step_down(router: RouterSession, offered: int, now: float) -> list[Effect]:
    """The cache does not know our version: go on in the one that it offers, or one lower on a fresh connection.

    Some caches name version 0 whatever they can do, so an offer is taken at once only if it is the next lower one.
    """
    tried = router.version
    if tried == 0:
        router.state = State.DISCONNECTED
        router._lower_until = now
        return [Close(f"the cache speaks no version up to {router._highest}")]
    router._lower(now, tried - 1)
    if offered == tried - 1:
        return router._ask(now)
    router.state = State.DISCONNECTED
    return [Close(f"version {tried} refused; trying {tried - 1} on a fresh connection")]


TRANSITIONS = dict([
    #   while we are       and receive    we               and then are
    on(State.ASKING,       CacheResponse, _begin,          State.RECEIVING),
    on(State.ASKING,       CacheReset,    _start_over,     State.ASKING),
    on(State.ASKING,       SerialNotify,  _ignore,         State.ASKING),
    on(State.ASKING,       Foreign,       _refuse_foreign, State.ASKING),
    on(State.ASKING,       ErrorReport,   _reported,       State.ASKING),
    on(State.RECEIVING,    Prefixes,      _take,           State.RECEIVING),
    on(State.RECEIVING,    RouterKey,     _take,           State.RECEIVING),
    on(State.RECEIVING,    Aspa,          _take,           State.RECEIVING),
    on(State.RECEIVING,    SerialNotify,  _ignore,         State.RECEIVING),
    on(State.RECEIVING,    EndOfData,     _end,            State.IDLE),
    on(State.RECEIVING,    EndOfDataV0,   _end_v0,         State.IDLE),
    on(State.RECEIVING,    ErrorReport,   _reported,       State.RECEIVING),
    on(State.IDLE,         SerialNotify,  _ask_again,      State.IDLE),
    on(State.IDLE,         ErrorReport,   _reported,       State.IDLE),
])  # fmt: skip
"""The side that asks. A pair that is not listed is the cache's error."""

RouterSession.transitions = TRANSITIONS
