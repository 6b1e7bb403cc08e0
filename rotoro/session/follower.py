"""The following side of a Rotoro session: asks for tables, keeps them, and proves at every commit that it has the same.

Everything that decides how it behaves is in `TRANSITIONS`; the functions above it only say what is done on the way. A
session outlives its connections: it keeps its tables, and asks for what changed when it is connected again. What a
COMMIT makes of a table is in `rotoro.session.followed`.
"""

from __future__ import annotations

from enum import Enum

from rotoro.session.base import Session, clean, on
from rotoro.session.bracket import Adopt, Bracket
from rotoro.session.effects import Close, Effect, Send, TableStatus, WakeAt
from rotoro.session.followed import (
    MAX_TYPES,
    FollowedTable,
    FollowedTables,
    OpenBracket,
    Select,
    StoreFor,
    Want,
    follow_all,
    follow_rpki,
)
from rotoro.session.parameters import DEFAULT_PARAMETERS, GREETING_SECONDS, KEEPALIVE_SECONDS, Alive, Parameters
from rotoro.session.payload import Payload
from rotoro.table.attributes import AttributeStore
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.bulk import Prefixes
from rotoro.wire.errors import (
    DigestMismatch,
    InvalidRequest,
    ProtocolError,
    TransportFailed,
    UnexpectedVersion,
)
from rotoro.wire.pdu import ROTORO, Pdu
from rotoro.wire.rotoro import (
    AttributeSets,
    Begin,
    BracketKind,
    Catalogue,
    Commit,
    Goodbye,
    Hello,
    HelloAck,
    IngressState,
    Keepalive,
    Params,
    Routes4,
    Routes6,
    Status,
    TableEntry,
    TypeDefinition,
)
from rotoro.wire.rtr import Aspa, ErrorReport, RouterKey

__all__ = [
    "MAX_TYPES",
    "TRANSITIONS",
    "FollowedTable",
    "FollowingPeer",
    "Select",
    "State",
    "StoreFor",
    "Want",
    "follow_all",
    "follow_rpki",
]


class State(Enum):
    """Where the following side can be."""

    DISCONNECTED = "disconnected"
    GREETING = "greeting"
    WAITING = "waiting for parameters"
    LEARNING = "waiting for the catalogue"
    OPEN = "open"
    IN_BRACKET = "in a bracket"


_OPENING = (State.GREETING, State.WAITING, State.LEARNING)


class FollowingPeer(Session):
    """All our conversations with one server.

    Path attributes go to `store`, and the records of each typed table to the store that `store_for` names for it: one
    of its own unless told otherwise, found in `tables`, to be swept by whoever keeps the session.
    """

    closed = State.DISCONNECTED
    version = ROTORO

    def __init__(
        self,
        select: Select,
        store: AttributeStore,
        adopt: Adopt,
        parameters: Parameters = DEFAULT_PARAMETERS,
        store_for: StoreFor | None = None,
    ) -> None:
        self._followed = FollowedTables(select, store_for)
        self.state: Enum = State.DISCONNECTED
        self.name = ""
        """What the server calls itself."""
        self.tables = self._followed.by_name
        """The tables that are followed, by name."""
        self.catalogue: tuple[TableEntry, ...] = ()
        self.mismatches = 0
        """How often a digest differed after a commit, in all."""
        self.retry_seconds = 0
        """When the server wants us back, as its GOODBYE said."""
        self.max_pdu = parameters.max_pdu
        self._store = store
        self._adopt = adopt
        self._own = parameters
        self._alive = Alive(KEEPALIVE_SECONDS, 0.0)
        self._deadline = 0.0
        self._open: OpenBracket | None = None

    @property
    def refused(self) -> dict[str, str]:
        """The tables that are wanted and listed but cannot be followed, because of their record types, and why."""
        return self._followed.refused

    @property
    def receiving(self) -> bool:
        """Whether a change is under way."""
        return self._open is not None or self._followed.receiving

    @property
    def expire_seconds(self) -> int:
        """How long RPKI data is good without its server."""
        return self._own.expire

    # --- what happens to a session ----------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """Connected: HELLO, alone in its segment, so that it ends well with peers that never heard of us."""
        self.state = State.GREETING
        self._open = None
        self.retry_seconds = 0
        self._followed.connected()
        self._deadline = now + GREETING_SECONDS
        return [Send(ROTORO, Hello(0)), *self._sleep(self._deadline)]

    def heard(self, now: float) -> None:
        """The server is there."""
        self._alive.heard = now

    def wake(self, now: float) -> list[Effect]:
        """Say that we are there; give up a server that is not, and RPKI data when its server has long been gone."""
        return self._expire(now) + self._check(now)

    def expire(self, now: float) -> list[Effect]:
        """Give up RPKI data whose server has long been gone."""
        return self._expire(now) + self._sleep()

    def lost(self, now: float) -> list[Effect]:
        """The connection is gone; the tables stay, RPKI data until it expires."""
        self.state = State.DISCONNECTED
        self._open = None
        self._followed.disconnected(now)
        return self._sleep()

    def forget(self, reason: str) -> list[Effect]:
        """Give up all tables: the server does not serve them any more."""
        return self._followed.forget(reason)

    def fail(self, error: ProtocolError, pdu: Pdu | None = None, *, silent: bool = False) -> list[Effect]:
        """Tell the server what is wrong, and close.

        The table that it was about comes anew, unless the server only stopped: what we hold of it is still good.
        """
        if self._open is not None and not isinstance(error, TransportFailed):
            self._open.table.position = None
        self._open = None
        return super().fail(error, pdu, silent=silent)

    def refuse_version(self, version: int, pdu: Pdu) -> ProtocolError | None:
        """After HELLO every PDU has our version."""
        return None if version == ROTORO else UnexpectedVersion(f"version {version} in a Rotoro session")

    # --- time ---------------------------------------------------------------------------------------------------------

    def _expire(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for table in [table for until, table in self._followed.expiries(self._own.expire) if now >= until]:
            effects += table.give_up(f"no news in {self._own.expire} s")
            if self.state in (State.OPEN, State.IN_BRACKET):
                effects.append(table.start_over())
        return effects

    def _check(self, now: float) -> list[Effect]:
        if self.state is State.DISCONNECTED:
            return self._sleep()
        done: Effect | None
        if self.state in _OPENING:
            late = now >= self._deadline
            done = Close(f"no answer to HELLO in {GREETING_SECONDS:.0f} s") if late else None
            following = self._deadline
        else:
            done = self._alive.check(now)
            following = self._alive.next
        if isinstance(done, Close):
            self.state = State.DISCONNECTED
            return [done]
        return [*filter(None, [done]), *self._sleep(following)]

    def _sleep(self, *times: float) -> list[Effect]:
        times += tuple(until for until, _ in self._followed.expiries(self._own.expire))
        return [WakeAt(min(times))] if times else []

    # --- data -------------------------------------------------------------------------------------------------------

    def _new_bracket(self, table: FollowedTable, base: Snapshot) -> Bracket:
        store = self._store if table.store is None else table.store
        check = None if table.record is None else table.record.check
        return Bracket(base, store, self._adopt, self._own.max_sets, check)

    def _target(self, number: int, pdu: Pdu) -> Bracket:
        """Where route data of a table goes: the open bracket, or the pairs of a streamed table."""
        if self._open is not None:
            if number != self._open.table.number:
                raise InvalidRequest(f"{pdu.title} of table {number} in a bracket of table {self._open.table.number}")
            return self._open.rows
        table = self._followed.get(number, pdu.title)
        if not table.streamed:
            raise InvalidRequest(f"{pdu.title} of table {table.name} outside a bracket")
        if table.pairs is None:
            table.pairs = self._new_bracket(table, EMPTY)
        return table.pairs


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
    return peer._sleep(peer._alive.next) + peer._followed.listed(catalogue.tables)


def _begin(peer: FollowingPeer, pdu: Begin, now: float) -> list[Effect]:
    table = peer._followed.get(pdu.table, "a bracket")
    table.check_begin(pdu)
    base = EMPTY if pdu.kind == BracketKind.SNAPSHOT else table.snapshot
    peer._open = OpenBracket(table, pdu, peer._new_bracket(table, base))
    return []


def _define_type(peer: FollowingPeer, pdu: TypeDefinition, now: float) -> list[Effect]:
    return peer._followed.define(pdu)


def _take_ingress(peer: FollowingPeer, pdu: IngressState, now: float) -> list[Effect]:
    peer._target(pdu.table, pdu).define_ingress(pdu)
    return []


def _take_sets(peer: FollowingPeer, pdu: AttributeSets, now: float) -> list[Effect]:
    peer._target(pdu.table, pdu).define_sets(pdu)
    return []


def _take_routes(peer: FollowingPeer, run: Routes4 | Routes6, now: float) -> list[Effect]:
    peer._target(run.table, run).add_routes(run)
    return []


def _take_payload(peer: FollowingPeer, pdu: Payload, now: float) -> list[Effect]:
    assert peer._open is not None  # as the state says
    peer._open.rows.add_payload(pdu)
    return []


def _commit(peer: FollowingPeer, pdu: Commit, now: float) -> list[Effect]:
    """Prove what came, and show it; start over if it differs."""
    table, open_bracket = peer._followed.get(pdu.table, "a COMMIT"), peer._open
    assert open_bracket is not None  # as the state says
    if open_bracket.table is not table:
        raise InvalidRequest(f"COMMIT of table {pdu.table} in a bracket of another")
    try:
        effects = open_bracket.commit(pdu)
    except DigestMismatch as differs:
        peer.mismatches += 1
        effects = table.differs(differs)
    peer._open = None
    return effects


def _commit_pairs(peer: FollowingPeer, pdu: Commit, now: float) -> list[Effect]:
    table = peer._followed.get(pdu.table, "a COMMIT")
    if not table.streamed:
        raise InvalidRequest(f"COMMIT of table {table.name} without BEGIN")
    rows, table.pairs = table.pairs, None
    return table.pass_on(rows, pdu)


def _take_status(peer: FollowingPeer, pdu: Status, now: float) -> list[Effect]:
    table = peer._followed.get(pdu.table, "the status")
    counters = tuple((clean(counter.name), counter.value) for counter in pdu.counters)
    return [TableStatus(table.name, pdu.health, bool(pdu.end_of_rib), clean(pdu.text), counters)]


def _echo(peer: FollowingPeer, pdu: Keepalive, now: float) -> list[Effect]:
    return [] if pdu.echo else [Send(ROTORO, Keepalive(1, pdu.token))]


def _leave_session(peer: FollowingPeer, pdu: Goodbye, now: float) -> list[Effect]:
    peer.retry_seconds = pdu.retry
    return [Close(f"goodbye: {clean(pdu.text)}")]


TRANSITIONS = dict([
    #   while we are         and receive     we               and then are
    on(State.GREETING,       HelloAck,       _acknowledged,   State.WAITING),
    on(State.GREETING,       ErrorReport,    Session.hang_up, State.DISCONNECTED),
    on(State.WAITING,        Params,         _take_params,    State.LEARNING),
    on(State.WAITING,        ErrorReport,    Session.hang_up, State.DISCONNECTED),
    on(State.WAITING,        Goodbye,        _leave_session,  State.DISCONNECTED),
    on(State.LEARNING,       Catalogue,      _take_catalogue, State.OPEN),
    on(State.LEARNING,       ErrorReport,    Session.hang_up, State.DISCONNECTED),
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
    on(State.OPEN,           ErrorReport,    Session.hang_up, State.DISCONNECTED),
    on(State.OPEN,           Goodbye,        _leave_session,  State.DISCONNECTED),
    on(State.IN_BRACKET,     IngressState,   _take_ingress,   State.IN_BRACKET),
    on(State.IN_BRACKET,     AttributeSets,  _take_sets,      State.IN_BRACKET),
    on(State.IN_BRACKET,     Routes4,        _take_routes,    State.IN_BRACKET),
    on(State.IN_BRACKET,     Routes6,        _take_routes,    State.IN_BRACKET),
    on(State.IN_BRACKET,     Prefixes,       _take_payload,   State.IN_BRACKET),
    on(State.IN_BRACKET,     RouterKey,      _take_payload,   State.IN_BRACKET),
    on(State.IN_BRACKET,     Aspa,           _take_payload,   State.IN_BRACKET),
    on(State.IN_BRACKET,     Commit,         _commit,         State.OPEN),
    on(State.IN_BRACKET,     ErrorReport,    Session.hang_up, State.DISCONNECTED),
    on(State.IN_BRACKET,     Goodbye,        _leave_session,  State.DISCONNECTED),
])  # fmt: skip
"""The following side. A pair that is not listed is the server's error."""

FollowingPeer.transitions = TRANSITIONS
