"""The serving side of a Rotoro session: HELLO, parameters, the catalogue, and tables for whoever subscribes.

Everything that decides how it behaves is in `TRANSITIONS`; the functions above it only say what is done on the way. A
subscription is a cursor: a position in a table's history. What is sent is encoded once and shared by all sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rotoro.session.base import Session, clean, on
from rotoro.session.effects import Close, Effect, Note, Send, Stream, WakeAt
from rotoro.session.parameters import DEFAULT_PARAMETERS, GREETING_SECONDS, Alive, Parameters
from rotoro.session.routes import MAX_SETS, RotoroEncoder
from rotoro.session.tables import WHOLE, Scope, ServedTable, ServedTables
from rotoro.table.encoded import Encoded
from rotoro.table.history import History
from rotoro.table.serial import Position
from rotoro.wire.decoder import Foreign
from rotoro.wire.errors import (
    DigestMismatch,
    LimitExceeded,
    ProtocolError,
    TransportFailed,
    UnexpectedVersion,
    UnknownTable,
    UnsupportedVersion,
)
from rotoro.wire.pdu import ROTORO, ROTORO_MAX_LENGTH, Pdu
from rotoro.wire.rotoro import (
    MIN_ATTRIBUTE_SETS,
    MIN_MAX_PDU,
    Catalogue,
    Counter,
    Goodbye,
    Hello,
    HelloAck,
    Keepalive,
    Mode,
    Params,
    Status,
    Subscribe,
    Unsubscribe,
)
from rotoro.wire.rtr import ErrorReport

__all__ = [
    "MAX_SUBSCRIPTIONS",
    "TRANSITIONS",
    "Parameters",
    "ServingPeer",
    "State",
]

MAX_SUBSCRIPTIONS = 1024
"""How many tables a follower may follow at a time."""


class State(Enum):
    """Where the serving side can be."""

    GREETING = "greeting"
    WAITING = "waiting for parameters"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(eq=False, slots=True)
class _Cursor:
    """One subscription."""

    table: ServedTable
    scope: Scope
    history: History
    mode: Mode
    encoder: RotoroEncoder
    position: Position | None
    """What the subscriber has, or None."""
    owed: bool = True
    """Whether it has to hear from us even if nothing changed."""
    status_owed: bool = True
    """Whether it has to hear how the unit behind the table fares."""

    @property
    def behind(self) -> bool:
        """Whether there is something that the subscriber lacks."""
        return self.history.ready and (self.owed or self.position != self.history.position)

    def take(self) -> Encoded | None:
        """What the subscriber lacks, if anything."""
        history = self.history
        if not self.behind:
            return None
        changes = None if self.position is None else history.encoded_since(self.position, self.encoder)
        self.position, self.owed = history.position, False
        return changes or history.encoded_snapshot(self.encoder)


class ServingPeer(Session):
    """One follower's conversation with us."""

    closed = State.CLOSED
    version = ROTORO

    def __init__(self, tables: ServedTables, parameters: Parameters = DEFAULT_PARAMETERS) -> None:
        self.state: Enum = State.GREETING
        self.name = ""
        """What the follower calls itself."""
        self._tables = tables
        self.max_pdu = parameters.max_pdu
        self._own = parameters
        self._theirs = parameters.pdu
        self._defined: set[int] = set()
        """The record types that the follower has been told, by number."""
        self._cursors: dict[int, _Cursor] = {}
        self._sending = False
        self._alive = Alive(parameters.keepalive, 0.0)
        self._deadline = 0.0
        self._progress = 0.0

    @property
    def subscriptions(self) -> dict[str, str]:
        """The tables that the follower has subscribed to, and how."""
        return {cursor.table.name: cursor.mode.name.lower() for cursor in self._cursors.values()}

    @property
    def met(self) -> bool:
        """Whether the follower has said who it is."""
        return self.state is State.OPEN

    def start(self, now: float) -> list[Effect]:
        """A peer has connected; it speaks first."""
        self._alive = Alive(self._own.keepalive, now)
        self._deadline = now + GREETING_SECONDS
        return [WakeAt(self._deadline)]

    def heard(self, now: float) -> None:
        """The peer is there."""
        self._alive.heard = now

    def progressed(self, now: float) -> None:
        """The follower takes what is sent."""
        self._progress = now

    def changed(self, now: float) -> list[Effect]:
        """A table has a new state."""
        return self._pump(now)

    def catalogue_changed(self) -> list[Effect]:
        """A table came or went."""
        # Who has not sent PARAMS yet has a catalogue all the same: the one of the greeting.
        listening = self.state in (State.WAITING, State.OPEN)
        return self._catalogue() if listening else []

    def status_changed(self, table: ServedTable) -> list[Effect]:
        """The unit behind a table fares differently."""
        cursor = self._cursors.get(table.number)
        if cursor is not None:
            cursor.status_owed = True
        return self._statuses()

    def drained(self, now: float) -> list[Effect]:
        """What was under way is out."""
        self._sending = False
        return [*self._statuses(), *self._pump(now)]

    def wake(self, now: float) -> list[Effect]:
        """Say that we are there; give up a peer that is not."""
        if self.state is State.CLOSED:
            return []
        if self.state is not State.OPEN and now >= self._deadline:
            return self._end(Close(f"no parameters in {GREETING_SECONDS:.0f} s"))
        if self._sending and now >= self._progress + self._alive.patience:
            return self.fail(TransportFailed(f"nothing was read for {self._alive.patience:.0f} s"))
        done = self._alive.check(now)
        if isinstance(done, Close):
            return self._end(done)
        said: list[Effect] = [done] if done is not None and self.state is State.OPEN else []
        return [*said, WakeAt(self._alive.next)]

    def goodbye(self, reason: int, retry: int, text: str) -> list[Effect]:
        """End the session in good order."""
        if self.state is State.CLOSED:
            return []
        told = [Send(ROTORO, Goodbye(reason, retry, text))] if self.state is State.OPEN else []
        return [*told, *self._end(Close(text))]

    def lost(self, now: float) -> list[Effect]:
        """The connection is gone."""
        self._end(Close("connection lost"))
        return []

    def fail(self, error: ProtocolError, pdu: Pdu | None = None, *, silent: bool = False) -> list[Effect]:
        """Say what is wrong, close, and let go of the tables."""
        said = super().fail(error, pdu, silent=silent)
        self._leave_all()
        return said

    def hang_up(self, report: ErrorReport, now: float) -> list[Effect]:
        """The follower gave up: so do we, without a word, and let go of the tables."""
        self._leave_all()
        return super().hang_up(report, now)

    def refuse_version(self, version: int, pdu: Pdu) -> ProtocolError | None:
        """After HELLO every PDU has our version."""
        if version == ROTORO or (isinstance(pdu, Foreign) and self.state is State.GREETING):
            return None
        return UnexpectedVersion(f"version {version} in a Rotoro session")

    def _catalogue(self) -> list[Effect]:
        """The catalogue, and right behind it what the follower does not know yet of the record types in it."""
        new = [pdu for pdu in self._tables.definitions if pdu.type_number not in self._defined]
        self._defined.update(pdu.type_number for pdu in new)
        return [Send(ROTORO, pdu) for pdu in (Catalogue(self._tables.entries), *new)]

    def _end(self, close: Close) -> list[Effect]:
        self.state = State.CLOSED
        self._leave_all()
        return [close]

    def _leave_all(self) -> None:
        for number in list(self._cursors):
            self._leave(number)

    def _leave(self, number: int) -> None:
        cursor = self._cursors.pop(number)
        cursor.table.leave(cursor.scope)

    def _pump(self, now: float) -> list[Effect]:
        """Start the next transfer, if none is under way; tables take turns."""
        if self._sending or self.state is not State.OPEN:
            return []
        for number, cursor in list(self._cursors.items()):
            encoded = cursor.take()
            if encoded is None:
                continue
            self._sending, self._progress = True, now
            del self._cursors[number]
            if cursor.mode is Mode.SNAPSHOT:
                cursor.table.leave(cursor.scope)
            else:
                self._cursors[number] = cursor  # behind the others
            once = [Send(ROTORO, status(cursor.table))] if cursor.mode is Mode.SNAPSHOT else []
            return [Stream(encoded.chunks), *once]
        return []

    def _statuses(self) -> list[Effect]:
        """Tell how tables fare, once they stand as told: not while something is under way or about to be."""
        if self._sending or self.state is not State.OPEN:
            return []
        owed = [cursor for cursor in self._cursors.values() if cursor.status_owed and not cursor.behind]
        for cursor in owed:
            cursor.status_owed = False
        return [Send(ROTORO, status(cursor.table)) for cursor in owed]


def status(table: ServedTable) -> Status:
    """How the unit behind a table fares."""
    counters = tuple(Counter(name, value) for name, value in table.counters)
    return Status(table.number, table.health, int(table.end_of_rib), table.text, counters)


def _greet(peer: ServingPeer, pdu: Hello, now: float) -> list[Effect]:
    return [Send(ROTORO, HelloAck(0)), Send(ROTORO, peer._own.pdu), *peer._catalogue()]


def _refuse_major(peer: ServingPeer, foreign: Foreign, now: float) -> list[Effect]:
    raise UnsupportedVersion(f"version {foreign.version:#x}; Rotoro here is {ROTORO:#x}", foreign.octets)


def _take_params(peer: ServingPeer, params: Params, now: float) -> list[Effect]:
    peer._theirs = params
    peer._alive.interval = min(peer._own.keepalive, params.keepalive)
    peer.name = clean(params.name)
    return [Note(f"session with {peer.name} open"), WakeAt(peer._alive.next)]


def _subscribe(peer: ServingPeer, wish: Subscribe, now: float) -> list[Effect]:
    table = peer._tables.get(wish.table)
    if table is None:
        raise UnknownTable(f"no table {wish.table}")
    if wish.table in peer._cursors:
        peer._leave(wish.table)
    if len(peer._cursors) >= MAX_SUBSCRIPTIONS:
        raise LimitExceeded(f"more than {MAX_SUBSCRIPTIONS} subscriptions")
    if Scope.of(wish) != WHOLE and sum(cursor.scope != WHOLE for cursor in peer._cursors.values()) >= peer._own.parts:
        raise LimitExceeded(f"more than {peer._own.parts} parts of tables in one session")
    peer._cursors[wish.table] = _cursor(table, wish, peer._theirs)
    return [*peer._statuses(), *peer._pump(now)]


def _cursor(table: ServedTable, wish: Subscribe, theirs: Params) -> _Cursor:
    mode, scope = Mode(wish.mode), Scope.of(wish)
    streamed = mode is Mode.STREAM
    history = table.join(scope)
    held = Position(wish.epoch, wish.serial) if wish.resume else None
    if streamed and held is None and history.ready:
        held = history.position
    # Only the most and the least that there is: else each follower could have us keep an encoding of its own.
    encoder = RotoroEncoder(
        table.number,
        stream=streamed,
        max_pdu=ROTORO_MAX_LENGTH if theirs.max_pdu >= ROTORO_MAX_LENGTH else MIN_MAX_PDU,
        max_sets=MAX_SETS if theirs.attribute_sets >= MAX_SETS else MIN_ATTRIBUTE_SETS,
    )
    return _Cursor(table, scope, history, mode, encoder, held, owed=not streamed)


def _unsubscribe(peer: ServingPeer, wish: Unsubscribe, now: float) -> list[Effect]:
    if wish.table in peer._cursors:
        peer._leave(wish.table)
    return []


def _echo(peer: ServingPeer, pdu: Keepalive, now: float) -> list[Effect]:
    # In the middle of a transfer the answer would have to wait, and the transfer itself shows that we are there.
    return [Send(ROTORO, Keepalive(1, pdu.token))] if not pdu.echo and not peer._sending else []


def _reported(peer: ServingPeer, report: ErrorReport, now: float) -> list[Effect]:
    """A table that came out otherwise comes anew: the follower asks for it. After any other error it is over."""
    if report.code != DigestMismatch.code:
        return peer.hang_up(report, now)
    peer.state = State.OPEN
    return [Note(f"{peer.peer} came to another table: {clean(report.text)}", warning=True)]


def _leave_session(peer: ServingPeer, pdu: Goodbye, now: float) -> list[Effect]:
    return peer._end(Close(f"goodbye: {clean(pdu.text)}"))


TRANSITIONS = dict([
    #   while we are        and receive   we                   and then are
    on(State.GREETING,      Hello,        _greet,              State.WAITING),
    on(State.GREETING,      Foreign,      _refuse_major,       State.GREETING),
    on(State.WAITING,       Params,       _take_params,        State.OPEN),
    on(State.WAITING,       Keepalive,    _echo,               State.WAITING),
    on(State.WAITING,       ErrorReport,  ServingPeer.hang_up, State.CLOSED),
    on(State.WAITING,       Goodbye,      _leave_session,      State.CLOSED),
    on(State.OPEN,          Subscribe,    _subscribe,          State.OPEN),
    on(State.OPEN,          Unsubscribe,  _unsubscribe,        State.OPEN),
    on(State.OPEN,          Keepalive,    _echo,               State.OPEN),
    on(State.OPEN,          ErrorReport,  _reported,           State.CLOSED),
    on(State.OPEN,          Goodbye,      _leave_session,      State.CLOSED),
])  # fmt: skip
"""The serving side. A pair that is not listed is the follower's error."""

ServingPeer.transitions = TRANSITIONS
