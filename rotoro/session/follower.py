"""The following side of a Rotoro session: asks for tables, keeps them, and proves at every commit that it has the same.

Everything that decides how it behaves is in `TRANSITIONS`; the functions above it only say what is done on the way. A
session outlives its connections: it keeps its tables, and asks for what changed when it is connected again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from rotoro.session.base import Session, clean, on, report
from rotoro.session.bracket import Adopt, Bracket
from rotoro.session.effects import Close, Effect, Note, Send, Streamed, TableStatus, Update, WakeAt
from rotoro.session.peer import DEFAULT_PARAMETERS, GREETING_SECONDS, KEEPALIVE_SECONDS, Alive, Parameters
from rotoro.table.attributes import AttributeStore
from rotoro.table.diff import Diff
from rotoro.table.serial import Position
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.bulk import Prefixes
from rotoro.wire.errors import (
    CorruptData,
    DigestMismatch,
    DuplicateAnnouncement,
    InvalidRequest,
    ProtocolError,
    UnexpectedVersion,
    UnknownTable,
    UnknownWithdrawal,
)
from rotoro.wire.pdu import ROTORO, Pdu
from rotoro.wire.rotoro import (
    ANY,
    AttributeSets,
    Begin,
    BracketKind,
    Catalogue,
    Commit,
    Families,
    Goodbye,
    Hello,
    HelloAck,
    IngressState,
    Keepalive,
    Mode,
    Params,
    RecordKind,
    Routes4,
    Routes6,
    Status,
    Subscribe,
    TableEntry,
    TypeDefinition,
)
from rotoro.wire.rtr import Aspa, ErrorReport, RouterKey

MAX_TYPES = 1024
"""How many record types a session may define."""

MAX_MISMATCHES = 3
"""After so many digests in a row that differ the connection is given up: starting over does not help."""


class State(Enum):
    """Where the following side can be."""

    DISCONNECTED = "disconnected"
    GREETING = "greeting"
    WAITING = "waiting for parameters"
    LEARNING = "waiting for the catalogue"
    OPEN = "open"
    IN_BRACKET = "in a bracket"


@dataclass(frozen=True, slots=True)
class Want:
    """How a follower wants a table."""

    mode: Mode = Mode.FOLLOW
    families: int = Families.BOTH
    ingress: int = ANY
    scope: int = 0
    scope_address: bytes = b""
    scope_length: int = 0


Select = Callable[[TableEntry], Want | None]
"""Which tables of a catalogue are wanted, and how."""


def follow_all(entry: TableEntry) -> Want | None:
    """Every table of routes or RPKI data."""
    return Want() if entry.kind in (RecordKind.ROUTES, RecordKind.RPKI) else None


def follow_rpki(entry: TableEntry) -> Want | None:
    """Every table of RPKI data."""
    return Want() if entry.kind == RecordKind.RPKI else None


@dataclass(slots=True)
class FollowedTable:
    """What a follower has of a table."""

    name: str
    want: Want
    number: int = -1
    kind: int = RecordKind.ROUTES
    position: Position | None = None
    snapshot: Snapshot = field(default_factory=lambda: EMPTY)
    commits: int = 0
    stale_since: float | None = None
    """When the connection was lost, until the next commit."""
    starting_over: bool = False
    """Whether changes are of no use until the whole table comes: those under way when we asked for it."""
    pairs: Bracket | None = None
    """What came in stream mode since the last commit."""

    def hold(self, snapshot: Snapshot, diff: Diff) -> None:
        """Keep this, to which the diff leads from what was kept, with the attribute sets that it names."""
        for slot, change in diff.items():
            slot.retain(change.after.values)
            slot.release(change.before.values)
        self.snapshot = snapshot


class FollowingPeer(Session):
    """All our conversations with one server."""

    closed = State.DISCONNECTED
    version = ROTORO

    def __init__(
        self,
        select: Select,
        store: AttributeStore,
        adopt: Adopt,
        parameters: Parameters = DEFAULT_PARAMETERS,
    ) -> None:
        self.state: Enum = State.DISCONNECTED
        self.name = ""
        """What the server calls itself."""
        self.tables: dict[str, FollowedTable] = {}
        self.catalogue: tuple[TableEntry, ...] = ()
        self.mismatches = 0
        """How often a digest differed after a commit, in all."""
        self.retry_seconds = 0
        """When the server wants us back, as its GOODBYE said."""
        self.max_pdu = parameters.max_pdu
        self._select = select
        self._store = store
        self._adopt = adopt
        self._own = parameters
        self._alive = Alive(KEEPALIVE_SECONDS, 0.0)
        self._deadline = 0.0
        self._by_number: dict[int, FollowedTable] = {}
        self._types: dict[int, TypeDefinition] = {}
        self._open: FollowedTable | None = None
        self._bracket: Bracket | None = None
        self._begin: Begin | None = None
        self._differed = 0

    @property
    def receiving(self) -> bool:
        """Whether a change is under way."""
        return self._bracket is not None or any(table.pairs is not None for table in self.tables.values())

    # --- what happens to a session ----------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """Connected: HELLO, alone in its segment, so that it ends well with peers that never heard of us."""
        self.state = State.GREETING
        self._types, self._by_number = {}, {}
        self._differed = self.retry_seconds = 0
        self._drop_bracket()
        for table in self.tables.values():
            table.pairs, table.starting_over = None, False
        self._deadline = now + GREETING_SECONDS
        return [Send(ROTORO, Hello(0)), *self._sleep(self._deadline)]

    def heard(self, now: float) -> None:
        """The server is there."""
        self._alive.heard = now

    def wake(self, now: float) -> list[Effect]:
        """Say that we are there; give up a server that is not, and RPKI data when its server has long been gone."""
        effects = self._expire(now)
        if self.state is State.DISCONNECTED:
            return effects + self._sleep()
        if self.state in (State.GREETING, State.WAITING, State.LEARNING):
            if now < self._deadline:
                return effects + self._sleep(self._deadline)
            self.state = State.DISCONNECTED
            return [*effects, Close(f"no answer to HELLO in {GREETING_SECONDS:.0f} s")]
        done = self._alive.check(now)
        if isinstance(done, Close):
            self.state = State.DISCONNECTED
            return [*effects, done]
        return effects + ([done] if done is not None else []) + self._sleep(self._alive.next)

    def lost(self, now: float) -> list[Effect]:
        """The connection is gone; the tables stay, RPKI data until it expires."""
        for table in self.tables.values():
            table.stale_since = now if table.stale_since is None else table.stale_since
        self.state = State.DISCONNECTED
        self._drop_bracket()
        return self._sleep()

    def _expire(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for table in [table for until, table in self._expiries() if now >= until]:
            effects += _give_up(table, f"no news in {self._own.expire} s")
            if self.state in (State.OPEN, State.IN_BRACKET):
                table.starting_over = True
                effects.append(self._subscribe(table))
        return effects

    def _expiries(self) -> list[tuple[float, FollowedTable]]:
        since = [(table.stale_since, table) for table in self.tables.values() if table.kind == RecordKind.RPKI]
        return [(at + self._own.expire, table) for at, table in since if at is not None and table.snapshot.count]

    def _sleep(self, *times: float) -> list[Effect]:
        times += tuple(until for until, _ in self._expiries())
        return [WakeAt(min(times))] if times else []

    def forget(self, reason: str) -> list[Effect]:
        """Give up all tables: the server does not serve them any more."""
        effects = [effect for table in self.tables.values() for effect in _give_up(table, reason)]
        self.tables, self._by_number = {}, {}
        return effects

    def fail(self, error: ProtocolError, pdu: Pdu | None = None, *, silent: bool = False) -> list[Effect]:
        """Tell the server what is wrong, and close; the table that it was about comes anew."""
        if self._open is not None:
            self._open.position = None
        self._drop_bracket()
        return super().fail(error, pdu, silent=silent)

    def refuse_version(self, version: int, pdu: Pdu) -> ProtocolError | None:
        """After HELLO every PDU has our version."""
        return None if version == ROTORO else UnexpectedVersion(f"version {version} in a Rotoro session")

    # --- tables -------------------------------------------------------------------------------------------------------

    def _drop_bracket(self) -> None:
        self._open = self._bracket = self._begin = None

    def _new_bracket(self, base: Snapshot) -> Bracket:
        return Bracket(base, self._store, self._adopt, self._own.max_sets)

    def _subscribe(self, table: FollowedTable) -> Send:
        held, want = table.position, table.want
        epoch, serial = (held.epoch, held.serial) if held is not None else (0, 0)
        return Send(
            ROTORO,
            Subscribe(
                table.number,
                want.mode,
                int(held is not None),
                want.families,
                want.scope,
                epoch,
                serial,
                want.ingress,
                want.scope_length,
                want.scope_address,
            ),
        )

    def _table(self, number: int, what: str) -> FollowedTable:
        table = self._by_number.get(number)
        if table is None:
            raise UnknownTable(f"{what} of table {number}, to which there is no subscription")
        return table

    def _target(self, number: int, pdu: Pdu) -> Bracket:
        """Where route data of a table goes: the open bracket, or the pairs of a streamed table."""
        if self._bracket is not None and self._open is not None:
            if number != self._open.number:
                raise InvalidRequest(f"{pdu.title} of table {number} in a bracket of table {self._open.number}")
            return self._bracket
        table = self._table(number, pdu.title)
        if table.want.mode is not Mode.STREAM:
            raise InvalidRequest(f"{pdu.title} of table {table.name} outside a bracket")
        if table.pairs is None:
            table.pairs = self._new_bracket(EMPTY)
        return table.pairs

    def _commit_pairs(self, table: FollowedTable, pdu: Commit) -> list[Effect]:
        pairs, table.pairs = table.pairs, None
        return self._stream(table, pairs, pdu)

    def _stream(self, table: FollowedTable, pairs: Bracket | None, pdu: Commit) -> list[Effect]:
        table.position = Position(pdu.epoch, pdu.serial)
        table.commits += 1
        return [Streamed(table.name, table.position, pairs.rows() if pairs is not None else ())]

    def _commit_bracket(self, table: FollowedTable, pdu: Commit) -> list[Effect]:
        bracket, begin = self._bracket, self._begin
        assert bracket is not None  # as the state says
        assert begin is not None
        self._drop_bracket()
        if (pdu.epoch, pdu.serial) != (begin.epoch, begin.serial):
            raise CorruptData(f"COMMIT at {pdu.epoch}:{pdu.serial} of a bracket to {begin.epoch}:{begin.serial}")
        whole = begin.kind == BracketKind.SNAPSHOT
        if not whole and table.starting_over:
            return []
        if not whole and table.want.mode is Mode.STREAM:
            return self._stream(table, bracket, pdu)
        base = EMPTY if whole else table.snapshot
        try:
            diff = bracket.diff()
        except (UnknownWithdrawal, DuplicateAnnouncement) as wrong:
            if whole:
                raise
            return self._differs(table, base, pdu, f": {wrong}")
        snapshot = diff.apply(base)
        if (snapshot.digest, snapshot.count) != (pdu.digest, pdu.count):
            return self._differs(table, snapshot, pdu)
        self._differed, table.starting_over = 0, False
        change = table.snapshot.diff(snapshot) if whole and table.snapshot.count else diff
        return self._accept(table, Position(pdu.epoch, pdu.serial), snapshot, change)

    def _accept(self, table: FollowedTable, position: Position, snapshot: Snapshot, diff: Diff) -> list[Effect]:
        table.position, table.stale_since = position, None
        table.commits += 1
        if table.want.mode is not Mode.STREAM:
            table.hold(snapshot, diff)
        return [Update(table.name, position, snapshot, diff, table.kind)]

    def _differs(self, table: FollowedTable, snapshot: Snapshot, pdu: Commit, why: str = "") -> list[Effect]:
        """Both sides should have the same and do not: say so, and start over from nothing."""
        self.mismatches += 1
        self._differed += 1
        table.position, table.starting_over = None, True
        what = (
            f"table {clean(table.name)} at {pdu.epoch}:{pdu.serial} has {pdu.count} records, digest {pdu.digest:016x}; "
        )
        error = DigestMismatch(what + f"here {snapshot.count}, {snapshot.digest:016x}{why}")
        if self._differed >= MAX_MISMATCHES:
            raise error
        told = Send(ROTORO, report(error, ROTORO))
        return [Note(str(error), warning=True), told, self._subscribe(table)]


def _give_up(table: FollowedTable, reason: str) -> list[Effect]:
    diff = table.snapshot.diff(EMPTY)
    table.hold(EMPTY, diff)
    table.position = None
    note = Note(f"table {clean(table.name)}: {reason}, given up", warning=True)
    return [Update(table.name, Position(0, 0), EMPTY, diff, table.kind), note]


def _acknowledged(peer: FollowingPeer, pdu: HelloAck, now: float) -> list[Effect]:
    peer._alive = Alive(peer._own.keepalive, now)
    return [Send(ROTORO, peer._own.pdu)]


def _take_params(peer: FollowingPeer, params: Params, now: float) -> list[Effect]:
    peer.name = clean(params.name)
    peer._alive.interval = min(peer._own.keepalive, params.keepalive)
    return []


def _take_catalogue(peer: FollowingPeer, catalogue: Catalogue, now: float) -> list[Effect]:
    """Subscribe to what is wanted and new; let go of what is no longer there."""
    peer.catalogue = catalogue.tables
    effects: list[Effect] = peer._sleep(peer._alive.next)
    known, peer._by_number = peer._by_number, {}
    for entry in catalogue.tables:
        want = peer._select(entry)
        if want is None:
            continue
        table = peer.tables.setdefault(entry.name, FollowedTable(entry.name, want))
        table.number, table.want, table.kind = entry.number, want, entry.kind
        peer._by_number[entry.number] = table
        if known.get(entry.number) is not table:
            effects.append(peer._subscribe(table))
    for name in set(peer.tables) - {table.name for table in peer._by_number.values()}:
        gone = peer.tables.pop(name)
        effects += _give_up(gone, "served no more")
    return effects


def _begin(peer: FollowingPeer, pdu: Begin, now: float) -> list[Effect]:
    table = peer._table(pdu.table, "a bracket")
    start, streamed = Position(pdu.from_epoch, pdu.from_serial), table.want.mode is Mode.STREAM
    # Who asks for single pairs from now on does not know yet where that is.
    expected = start if table.starting_over or (table.position is None and streamed) else table.position
    if pdu.kind == BracketKind.DIFF and start != expected:
        raise CorruptData(f"changes of table {table.name} from {start}, where {table.position} is held")
    peer._open, peer._begin = table, pdu
    peer._bracket = peer._new_bracket(EMPTY if pdu.kind == BracketKind.SNAPSHOT else table.snapshot)
    return []


def _define_type(peer: FollowingPeer, pdu: TypeDefinition, now: float) -> list[Effect]:
    if peer._types.setdefault(pdu.type_number, pdu) != pdu:
        raise CorruptData(f"record type {pdu.type_number} is defined again, otherwise")
    if len(peer._types) > MAX_TYPES:
        raise CorruptData(f"more than {MAX_TYPES} record types")
    return []


def _take_ingress(peer: FollowingPeer, pdu: IngressState, now: float) -> list[Effect]:
    peer._target(pdu.table, pdu).define_ingress(pdu)
    return []


def _take_sets(peer: FollowingPeer, pdu: AttributeSets, now: float) -> list[Effect]:
    peer._target(pdu.table, pdu).define_sets(pdu)
    return []


def _take_routes(peer: FollowingPeer, run: Routes4 | Routes6, now: float) -> list[Effect]:
    peer._target(run.table, run).add_routes(run)
    return []


def _take_prefixes(peer: FollowingPeer, run: Prefixes, now: float) -> list[Effect]:
    assert peer._bracket is not None  # as the state says
    peer._bracket.add_payload(run, len(run))
    return []


def _take_payload(peer: FollowingPeer, pdu: RouterKey | Aspa, now: float) -> list[Effect]:
    assert peer._bracket is not None  # as the state says
    peer._bracket.add_payload(pdu, 1)
    return []


def _commit(peer: FollowingPeer, pdu: Commit, now: float) -> list[Effect]:
    table = peer._table(pdu.table, "a COMMIT")
    if peer._open is not table:
        raise InvalidRequest(f"COMMIT of table {pdu.table} in a bracket of another")
    return peer._commit_bracket(table, pdu)


def _commit_pairs(peer: FollowingPeer, pdu: Commit, now: float) -> list[Effect]:
    table = peer._table(pdu.table, "a COMMIT")
    if table.want.mode is not Mode.STREAM:
        raise InvalidRequest(f"COMMIT of table {table.name} without BEGIN")
    return peer._commit_pairs(table, pdu)


def _take_status(peer: FollowingPeer, pdu: Status, now: float) -> list[Effect]:
    table = peer._table(pdu.table, "the status")
    counters = tuple((clean(counter.name), counter.value) for counter in pdu.counters)
    return [TableStatus(table.name, pdu.health, bool(pdu.end_of_rib), clean(pdu.text), counters)]


def _echo(peer: FollowingPeer, pdu: Keepalive, now: float) -> list[Effect]:
    return [] if pdu.echo else [Send(ROTORO, Keepalive(1, pdu.token))]


def _hang_up(peer: FollowingPeer, report: ErrorReport, now: float) -> list[Effect]:
    return peer.hang_up(report, now)


def _leave_session(peer: FollowingPeer, pdu: Goodbye, now: float) -> list[Effect]:
    peer.retry_seconds = pdu.retry
    return [Close(f"goodbye: {clean(pdu.text)}")]


TRANSITIONS = dict([
    #   while we are         and receive     we               and then are
    on(State.GREETING,       HelloAck,       _acknowledged,   State.WAITING),
    on(State.GREETING,       ErrorReport,    _hang_up,        State.DISCONNECTED),
    on(State.WAITING,        Params,         _take_params,    State.LEARNING),
    on(State.WAITING,        ErrorReport,    _hang_up,        State.DISCONNECTED),
    on(State.WAITING,        Goodbye,        _leave_session,  State.DISCONNECTED),
    on(State.LEARNING,       Catalogue,      _take_catalogue, State.OPEN),
    on(State.LEARNING,       ErrorReport,    _hang_up,        State.DISCONNECTED),
    on(State.LEARNING,       Goodbye,        _leave_session,  State.DISCONNECTED),
    on(State.OPEN,           Catalogue,      _take_catalogue, State.OPEN),
    on(State.OPEN,           TypeDefinition, _define_type,    State.OPEN),
    on(State.OPEN,           Status,         _take_status,    State.OPEN),
    on(State.OPEN,           Keepalive,      _echo,           State.OPEN),
    on(State.OPEN,           Begin,          _begin,          State.IN_BRACKET),
    on(State.OPEN,           IngressState,   _take_ingress,   State.OPEN),
    on(State.OPEN,           AttributeSets,  _take_sets,      State.OPEN),
    on(State.OPEN,           Routes4,        _take_routes,    State.OPEN),
    on(State.OPEN,           Routes6,        _take_routes,    State.OPEN),
    on(State.OPEN,           Commit,         _commit_pairs,   State.OPEN),
    on(State.OPEN,           ErrorReport,    _hang_up,        State.DISCONNECTED),
    on(State.OPEN,           Goodbye,        _leave_session,  State.DISCONNECTED),
    on(State.IN_BRACKET,     TypeDefinition, _define_type,    State.IN_BRACKET),
    on(State.IN_BRACKET,     IngressState,   _take_ingress,   State.IN_BRACKET),
    on(State.IN_BRACKET,     AttributeSets,  _take_sets,      State.IN_BRACKET),
    on(State.IN_BRACKET,     Routes4,        _take_routes,    State.IN_BRACKET),
    on(State.IN_BRACKET,     Routes6,        _take_routes,    State.IN_BRACKET),
    on(State.IN_BRACKET,     Prefixes,       _take_prefixes,  State.IN_BRACKET),
    on(State.IN_BRACKET,     RouterKey,      _take_payload,   State.IN_BRACKET),
    on(State.IN_BRACKET,     Aspa,           _take_payload,   State.IN_BRACKET),
    on(State.IN_BRACKET,     Commit,         _commit,         State.OPEN),
    on(State.IN_BRACKET,     ErrorReport,    _hang_up,        State.DISCONNECTED),
    on(State.IN_BRACKET,     Goodbye,        _leave_session,  State.DISCONNECTED),
])  # fmt: skip
"""The following side. A pair that is not listed is the server's error."""

FollowingPeer.transitions = TRANSITIONS
