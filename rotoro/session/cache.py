"""The side of an RTR session that has the data (RFC 6810, RFC 8210, draft-ietf-sidrops-8210bis-27).

Everything that decides how a cache behaves is in `TRANSITIONS`; the functions above it only say what is done on the
way. Answers are encoded once per version and serial and shared by all routers, so a session is little more than a
place in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from rotoro.session.base import Session, octets, on, report
from rotoro.session.effects import Close, Effect, Note, Send, Stream, WakeAt
from rotoro.session.payload import DEFAULT_TIMERS, RtrEncoder, Timers
from rotoro.table.history import History
from rotoro.table.serial import Position
from rotoro.wire.decoder import Foreign
from rotoro.wire.errors import (
    CacheRestart,
    CacheShutdown,
    CorruptData,
    LimitExceeded,
    NoDataAvailable,
    ProtocolError,
    TransportFailed,
    UnexpectedVersion,
    UnsupportedVersion,
)
from rotoro.wire.pdu import RTR_VERSIONS, Pdu
from rotoro.wire.rtr import CacheReset, ErrorReport, ResetQuery, SerialNotify, SerialQuery

NOTIFY_SECONDS = 60.0
"""A cache notifies a router no more often than this (RFC 8210 section 8.2)."""

MAX_WAITING = 2
"""How many queries may wait while an answer is under way; each could ask for the whole table."""

NEVER = float("-inf")
"""A time that has not been yet."""

MAX_FOREIGN = 8
"""How often a router may try a version that is not spoken here."""

FIRST_QUERY_SECONDS = 120.0
"""How long a router may take to say anything at all."""

GOODBYE_RESTART = 1
"""The reason of a goodbye after which routers may keep what they have; any other voids it."""

STALLED_RETRIES = 3
"""After so many retry intervals without progress a router's connection is given up (8210bis section 9)."""


class State(Enum):
    """Where a cache can be."""

    NEGOTIATING = "negotiating"
    READY = "ready"
    ANSWERING = "answering"
    CLOSED = "closed"


class Current:
    """What all routers of one version are told at present: a diff goes to thousands, and nearly all ask the same."""

    __slots__ = ("_answer", "_history", "_notify", "_position", "_since", "encoder")

    def __init__(self, history: History, encoder: RtrEncoder) -> None:
        self.encoder = encoder
        """Who writes the answers."""
        self._history = history
        self._position: Position | None = None
        """What `_notify` and `_answer` are about."""
        self._since = -1
        self._answer: Stream | None = None
        self._notify = self._notify_of(0)

    @property
    def notify(self) -> Send:
        """What tells of the serial."""
        if self._position is not self._history.position:
            self._turn(self._history.position)
        return self._notify

    @property
    def snapshot(self) -> Stream:
        """The answer to a Reset Query."""
        return Stream(self._history.encoded_snapshot(self.encoder).chunks)

    def since(self, serial: int) -> Stream | None:
        """The answer to a Serial Query; None if the router has to start over."""
        if self._position is not self._history.position:
            self._turn(self._history.position)
        if self._since != serial:
            found = self._history.encoded_since(serial, self.encoder)
            self._since, self._answer = serial, None if found is None else Stream(found.chunks)
        return self._answer

    def _turn(self, position: Position) -> None:
        self._position, self._since, self._answer = position, -1, None
        self._notify = self._notify_of(position.rtr_serial)

    def _notify_of(self, serial: int) -> Send:
        return Send(self.encoder.version, SerialNotify(self.encoder.session, serial))


@dataclass(frozen=True, slots=True)
class CacheData:
    """What the sessions of one cache serve: the data, a session id for each version, and the timers."""

    history: History
    sessions: Mapping[int, int]
    timers: Timers = DEFAULT_TIMERS
    _current: dict[int, Current] = field(default_factory=dict, init=False, repr=False, compare=False)

    @staticmethod
    def of(
        history: History,
        session: int,
        timers: Timers = DEFAULT_TIMERS,
        versions: tuple[int, ...] = RTR_VERSIONS,
    ) -> CacheData:
        """Session ids that differ per version (RFC 8210 section 5.1), made from one random u16; for these versions."""
        return CacheData(history, {version: (session + version) % 0x10000 for version in versions}, timers)

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that are served: those that have a session id."""
        return tuple(sorted(self.sessions))

    def current(self, version: int) -> Current:
        """What routers of a version are told at present."""
        current, session = self._current.get(version), self.sessions[version]
        if current is None or current.encoder.session != session:  # which a cache that begins anew changes
            current = self._current[version] = Current(self.history, self.encoder(version))
        return current

    def encoder(self, version: int) -> RtrEncoder:
        """Who writes the answers of a version."""
        return RtrEncoder(version, self.sessions[version], self.timers)


class CacheSession(Session):
    """One router's conversation with us, from its first query to its last octet."""

    closed = State.CLOSED

    def __init__(
        self, data: CacheData, versions: tuple[int, ...] | None = None, max_waiting: int = MAX_WAITING
    ) -> None:
        versions = data.versions if versions is None else versions
        self.state: Enum = State.NEGOTIATING
        self.version = max(versions)
        self.serial: int | None = None
        """What the router has, or will have when it has read all that was sent."""
        self.queries = 0
        self._data = data
        self._versions = versions
        self._negotiated = False
        self._established = False
        self._max_waiting = max_waiting
        self._waiting: tuple[SerialQuery | ResetQuery, ...] = ()
        self._notified = NEVER
        self._owes_notify = False
        self._foreign = 0
        self._progress = 0.0
        """When the router last did what it has to do next: read on, or ask for the first time."""

    @property
    def met(self) -> bool:
        """Whether a version is agreed."""
        return self._negotiated

    @property
    def session_id(self) -> int:
        """What is called session in the version that is spoken."""
        return self._data.sessions[self.version]

    @property
    def resting(self) -> bool:
        """Whether the router is up to date, as most routers are most of the time."""
        return self.state is State.READY and not self._owes_notify

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        """The router sent this; before a version is agreed, one that is not served here is foreign."""
        if not self._negotiated and version > max(self._versions) and not isinstance(pdu, Foreign | ErrorReport):
            shown = octets(pdu, version)
            pdu = Foreign(version, shown[1], shown)
        return super().receive(version, pdu, now)

    def answer_at_once(self, version: int, pdu: Pdu, now: float) -> tuple[Stream, float] | None:
        """The changes since the serial of a router that is up to date until now, in the session and version agreed."""
        if self.state is not State.READY or not self._established or not isinstance(pdu, SerialQuery):
            return None
        if version != self.version or pdu.session != self._data.sessions[version] or not self._data.history.ready:
            return None
        answer = self._data.current(version).since(pdu.serial)
        if answer is None:
            return None
        self.queries += 1
        self._progress = now
        return answer, self._answering(now)

    def broken(self, error: ProtocolError, now: float) -> list[Effect]:
        """What is no PDU is answered in the version that it claims, if that can be."""
        claimed = error.offending[0] if error.offending else self.version
        if self._negotiated and claimed != self.version:
            # RFC 8210 section 7: first of all it is of another version than was agreed.
            error = self._unexpected(claimed, error.offending)
        elif not self._negotiated and claimed in self._versions:
            self.version = claimed
        return super().broken(error, now)

    def start(self, now: float) -> list[Effect]:
        """A router has connected; the cache never speaks first."""
        self._progress = now
        return [WakeAt(now + FIRST_QUERY_SECONDS)]

    def changed(self, now: float) -> list[Effect]:
        """The data has a new serial."""
        self._owes_notify = True
        return self._notify(now)

    def come_to_rest(self) -> bool:
        """An answer is out, and neither a query nor a notify has waited for that."""
        if self.state is State.ANSWERING and not self._waiting and not self._owes_notify:
            self.state = State.READY
        return self.resting

    def drained(self, now: float) -> list[Effect]:
        """An answer is out: the next query, or the notify that had to wait."""
        if self.state is not State.ANSWERING:
            return []
        self.state = State.READY
        effects: list[Effect] = []
        try:
            while self._waiting and self.state is State.READY:
                query, *rest = self._waiting
                self._waiting = tuple(rest)
                effects += self._answer(query, now)
        except ProtocolError as broken:
            return effects + self.fail(broken)
        return effects + self._notify(now)

    def progressed(self, now: float) -> None:
        """The router takes what is sent."""
        self._progress = now

    def delayed(self, until: float) -> None:
        """A query waits for its turn: who has asked is not silent."""
        if self.state is State.NEGOTIATING:
            self._progress = until

    def wake(self, now: float) -> list[Effect]:
        """A silent router is let go, a stalled one too; a notify may be due."""
        if self.state is State.NEGOTIATING and not self._negotiated:
            if now < self._progress + FIRST_QUERY_SECONDS:
                return [WakeAt(self._progress + FIRST_QUERY_SECONDS)]
            self.state = State.CLOSED
            return [Close(f"no query in {FIRST_QUERY_SECONDS:.0f} s")]
        if self.state is State.ANSWERING:
            limit = STALLED_RETRIES * self._data.timers.retry
            if now >= self._progress + limit:
                return self.fail(TransportFailed(f"the router has not read for {limit} s"))
            return [WakeAt(self._progress + limit)]
        return self._notify(now)

    def goodbye(self, reason: int, retry: int, text: str) -> list[Effect]:
        """End the session in good order; versions before 2 have no words for it (8210bis sections 8.5 and 8.6)."""
        error = (CacheRestart if reason == GOODBYE_RESTART else CacheShutdown)(text)
        silent = not self._negotiated or self.version < error.since
        return self.fail(error, silent=silent)

    def refuse_version(self, version: int, pdu: Pdu) -> ProtocolError | None:
        """The first query fixes the version (RFC 8210 section 7); Error Reports are let through and end the session."""
        if self._negotiated:
            if version == self.version:
                return None
            return self._unexpected(version)
        if version in self._versions and not isinstance(pdu, ErrorReport):
            self._negotiated, self.version = True, version
        elif version not in self._versions and not isinstance(pdu, Foreign):
            return UnsupportedVersion(f"version {version}; served are {', '.join(map(str, self._versions))}")
        return None

    def _unexpected(self, version: int, offending: bytes = b"") -> UnexpectedVersion:
        return UnexpectedVersion(f"version {version} in a session of version {self.version}", offending)

    def _answer(self, query: SerialQuery | ResetQuery, now: float) -> list[Effect]:
        """Answer now; the state is READY unless an answer has to be sent out first."""
        history = self._data.history
        self._progress = now
        if not history.ready:
            # RFC 8210 section 8.4: not fatal, the router asks again or is notified.
            error = NoDataAvailable("no data yet")
            return [Send(self.version, ErrorReport(error.code, b"", str(error)))]
        current, session = self._data.current(self.version), self.session_id
        if isinstance(query, ResetQuery):
            return self._send(current.snapshot, now)
        if query.session != session:
            if self._established:
                raise CorruptData(f"session {query.session} where {session} was agreed")
            # 8210bis section 5.3: on a fresh connection a foreign session is not an error, only of no use.
            return [Send(self.version, CacheReset())]
        self._established = True
        answer = current.since(query.serial)
        return [Send(self.version, CacheReset())] if answer is None else self._send(answer, now)

    def _send(self, answer: Stream, now: float) -> list[Effect]:
        return [answer, WakeAt(self._answering(now))]

    def _answering(self, now: float) -> float:
        """An answer is under way; when to see whether it got on."""
        self.state = State.ANSWERING
        self._established = True
        self.serial = self._data.history.serial
        return now + STALLED_RETRIES * self._data.timers.retry

    def _notify(self, now: float) -> list[Effect]:
        """Tell of a new serial, if the router may be told now (RFC 8210 section 8.2): else when it may."""
        if self.state is not State.READY or not self._owes_notify:
            return []
        history = self._data.history
        if not history.ready or history.serial == self.serial:
            self._owes_notify = False
            return []
        if now < self._notified + NOTIFY_SECONDS:
            return [WakeAt(self._notified + NOTIFY_SECONDS)]
        self._owes_notify, self._notified = False, now
        return [self._data.current(self.version).notify]


def _query(cache: CacheSession, query: SerialQuery | ResetQuery, now: float) -> list[Effect]:
    cache.queries += 1
    return cache._answer(query, now)


def _wait(cache: CacheSession, query: SerialQuery | ResetQuery, now: float) -> list[Effect]:
    if len(cache._waiting) >= cache._max_waiting:
        raise LimitExceeded(f"more than {cache._max_waiting} queries while an answer is under way")
    cache._waiting += (query,)
    cache.queries += 1
    return []


def _refuse_foreign(cache: CacheSession, foreign: Foreign, now: float) -> list[Effect]:
    """Error 4 in our highest version, and the router may try again on the same connection (8210bis section 7)."""
    cache._foreign += 1
    error = UnsupportedVersion(
        f"version {foreign.version}; served are {', '.join(map(str, cache._versions))}", foreign.octets
    )
    if cache._foreign > MAX_FOREIGN or foreign.type_number == ErrorReport.number:
        return cache.fail(error, foreign)
    offer = Note(f"asked for version {foreign.version}, offered {cache.version}")
    return [Send(cache.version, report(error, cache.version)), offer]


TRANSITIONS = dict([
    #   while we are        and receive   we               and then are
    on(State.NEGOTIATING,   ResetQuery,   _query,          State.READY),
    on(State.NEGOTIATING,   SerialQuery,  _query,          State.READY),
    on(State.NEGOTIATING,   Foreign,      _refuse_foreign, State.NEGOTIATING),
    on(State.NEGOTIATING,   ErrorReport,  Session.hang_up, State.CLOSED),
    on(State.READY,         ResetQuery,   _query,          State.READY),
    on(State.READY,         SerialQuery,  _query,          State.READY),
    on(State.READY,         ErrorReport,  Session.hang_up, State.CLOSED),
    on(State.ANSWERING,     ResetQuery,   _wait,           State.ANSWERING),
    on(State.ANSWERING,     SerialQuery,  _wait,           State.ANSWERING),
    on(State.ANSWERING,     ErrorReport,  Session.hang_up, State.CLOSED),
])  # fmt: skip
"""The side that has the data. A pair that is not listed is the router's error."""

CacheSession.transitions = TRANSITIONS
