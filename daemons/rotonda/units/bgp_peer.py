"""One peer of a BGP connector: its connections, what it announces (west) and what it is told (east)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from rotonda.bgp.intake import Intake, Taken
from rotonda.bgp.messages import Cease
from rotonda.bgp.peers import Peer as Speaker
from rotonda.bgp.raw import Accepts, RawMessage, accept_all
from rotonda.bgp.raw import Protocol as RawProtocol
from rotonda.bgp.session import (
    Agreed,
    Closed,
    Effect,
    EndOfRib,
    Established,
    Local,
    Opened,
    Refresh,
    Session,
    State,
    ours_stays,
)
from rotonda.bgp.update import RouteBatch
from rotonda.bgp.written import Telling, Writer
from rotonda.rib.adj_rib_out import AdjRibOut
from rotonda.rib.best import Allowed
from rotonda.rib.builder import TableBuilder
from rotonda.units.bgp_connection import BgpConnection
from rotonda.views.shown import Link
from rotoro.net.limits import Quiet
from rotoro.table import (
    AttributeStore,
    Change,
    Diff,
    History,
    Ingress,
    IngressKind,
    IngressState,
    RouteSlot,
    Slot,
    closing,
)
from rotoro.table.ingress import MAX_NAME

BGP_PORT = 179
COMMIT_SECONDS = 0.1
"""How long routes wait for others, at least; or ten times what a commit takes, so that it never takes all the time."""
COMMIT_ROWS = 131_072
"""Routes that are put into the table at a time; or a quarter of what the peer has there, if that is more."""
WRITE_OCTETS = 1 << 16
PATIENCE_SECONDS = 60.0
"""After so long a peer counts as complete though it never said End-of-RIB."""
PENALTY_SECONDS = 60.0
"""How long a peer is not let in again that had more routes than it may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A BGP speaker as the configuration has it.

    `address` is an IP address, `port` where to connect to, `local` the address to connect from. `families` are 4 and 6;
    of those in `add_path` all paths are wanted. What came from a peer is not told to it, unless `echo`. To a peer of
    another AS we are the next hop, by `next_hop4` and `next_hop6`, or else by our address in the session: routes of the
    other family are not told without. A peer with more than `most_routes` routes is shut out for a while.
    """

    address: str
    asn: int
    name: str = ""
    families: frozenset[int] = frozenset({4, 6})
    add_path: frozenset[int] = frozenset()
    west_filter: Accepts = accept_all
    east_filter: Allowed | None = None
    echo: bool = False
    next_hop4: str | None = None
    next_hop6: str | None = None
    port: int = BGP_PORT
    local: str | None = None
    most_routes: int = 4_000_000

    @property
    def title(self) -> str:
        """What it is called."""
        return self.name or self.address

    @property
    def packed(self) -> bytes:
        """The address in 4 or 16 octets."""
        packed: bytes = plain_address(self.address).packed
        return packed


def plain_address(text: str) -> Any:
    """An IP address as such: of IPv4 even if it comes in the clothes of IPv6."""
    address: Any = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


@dataclass(slots=True)
class PeerCounts:
    """What a peer's sessions have come to, since the connector was made."""

    taken: Taken = field(default_factory=Taken)
    connections: int = 0
    established: int = 0
    collisions: int = 0
    announced: int = 0
    """Routes that the peer was told."""
    withdrawn: int = 0
    untold: int = 0
    """Routes that could not be told: see `rotonda.bgp.written.Writer`."""


class Around(Protocol):
    """What a connector has for all its peers."""

    clock: Any
    wall: Callable[[], float]
    my_asn: int
    my_bgp_id: int
    hold_time: int
    west_filter: Accepts
    store: AttributeStore
    history: History | None
    """The table of what peers announce; None if nothing is learned from them."""
    best: History | None
    """The table that they are told of; None if nothing is."""
    adopt: Callable[[Ingress], Ingress]

    def changed(self) -> None:
        """The table has changed, or the session fares differently."""


class PeerUnit:
    """Everything about one peer. `number` is its place in the connector."""

    log = Logger()

    def __init__(self, around: Around, peer: Peer, number: int) -> None:
        self.peer = peer
        self.counts = PeerCounts()
        self.problem: str | None = None
        self.gone: Callable[[], None] = lambda: None
        """Called when a connection has ended."""
        self._around = around
        self._number = number
        self._quiet = Quiet()
        self._local = Local(around.my_asn, around.my_bgp_id, peer.asn, around.hold_time, peer.families, peer.add_path)
        self._connections: list[BgpConnection] = []
        self.session: BgpConnection | None = None
        """The connection whose session is established."""
        self._ingress: Ingress | None = None
        self._complete: set[int] = set()
        self._since = self._shut_until = 0.0
        self._batches: list[RouteBatch] = []
        self._rows = 0
        self._pause = COMMIT_SECONDS
        self._commit_call: IDelayedCall | None = None
        self._out: AdjRibOut | None = None
        self._writer: Writer | None = None
        self._messages: Any = None

    # --- connections -------------------------------------------------------------------------------------------------

    @property
    def established(self) -> bool:
        """Whether routes are exchanged."""
        return self.session is not None

    @property
    def state(self) -> State:
        """Where the session is that has come farthest."""
        order = list(State)
        return max((each.session.state for each in self._connections), key=order.index, default=State.IDLE)

    @property
    def complete(self) -> bool:
        """Whether the peer has told all that it had when the session began, as far as can be known."""
        if self.session is None or self.session.session.agreed is None:
            return False
        waited = self._around.clock.seconds() - self._since
        return waited >= PATIENCE_SECONDS or self.session.session.agreed.families <= self._complete

    @property
    def shut_out(self) -> bool:
        """Whether it is to come back later."""
        return bool(self._around.clock.seconds() < self._shut_until)

    def connection(self, incoming: bool) -> BgpConnection:
        """A connection that is about to be made; of those that never said anything only the newest may stay."""
        for other in list(self._connections):
            if other.incoming and incoming and other.session.state is State.OPEN_SENT:
                other.cease(Cease.REJECTED, "a newer connection takes its place")
        session = Session(self._local, self.counts.taken)
        connection = BgpConnection(self._around.clock, session, self, self._around.wall, incoming=incoming)
        session.accepts = self._accepts(session)
        self._connections.append(connection)
        self.counts.connections += 1
        return connection

    def hold(self, on: bool) -> None:
        """Read nothing from the peer once there is a session, or read on."""
        for connection in list(self._connections):
            connection.hold(on)

    def stop(self, subcode: Cease = Cease.SHUTDOWN, why: str = "shut down") -> None:
        """End all sessions."""
        for connection in list(self._connections):
            connection.cease(subcode, why)

    def complain(self, why: str) -> None:
        """Something is wrong with the peer: kept to be shown, and said in the log as often as is worth it."""
        self.problem = why
        more = self._quiet.worth(self.peer.title, self._around.clock.seconds())
        if more is not None:
            self.log.warn("{peer}: {why}{more}", peer=self.peer.title, why=why, more=more)

    def told(self, connection: BgpConnection, effect: Effect) -> None:
        """What a session says."""
        if isinstance(effect, Opened):
            self._collide(connection, effect.bgp_id)
        elif isinstance(effect, Established):
            self._begin(connection, effect.agreed)
        elif isinstance(effect, EndOfRib):
            self._complete.add(effect.family)
            self._commit()
        elif isinstance(effect, Refresh) and self._out is not None:
            self._out.refresh(effect.family)
            self.pump()
        elif isinstance(effect, Closed):
            self._closed(connection, effect.why)

    def _collide(self, connection: BgpConnection, bgp_id: int) -> None:
        """RFC 4271 section 6.8: of two connections that know each other one goes."""
        ours = ours_stays(self._around.my_bgp_id, self._around.my_asn, bgp_id, self.peer.asn)
        for other in list(self._connections):
            if other is connection or other.session.state not in (State.OPEN_CONFIRM, State.ESTABLISHED):
                continue
            older = other.session.state is State.ESTABLISHED or other.incoming == connection.incoming
            loser = connection if older or connection.incoming == ours else other
            self.counts.collisions += 1
            loser.cease(Cease.COLLISION, "there is another connection")

    def _begin(self, connection: BgpConnection, agreed: Agreed) -> None:
        self.session, self._since, self.problem = connection, self._around.clock.seconds(), None
        self.counts.established += 1
        self._complete.clear()
        for other in list(self._connections):
            if other is not connection:
                other.cease(Cease.COLLISION, "there is an established session")
        self.log.info(
            "{peer}: established, hold time {hold} s, IPv{families}",
            peer=self.peer.title,
            hold=agreed.hold_time,
            families=" and IPv".join(map(str, sorted(agreed.families))),
        )
        if self._around.history is not None:
            self._ingress = self._around.adopt(self._described(agreed, IngressState.UP))
        self._around.changed()
        self.tell()

    def _closed(self, connection: BgpConnection, why: str) -> None:
        self._connections.remove(connection)
        if connection is self.session or self.session is None:
            self.complain(why)
        if connection is self.session:
            self.session = None
            self._count_told()
            self._out = self._writer = self._messages = None
            self._withdraw_all(connection)
        self._around.changed()
        self.gone()

    # --- west: what it announces -------------------------------------------------------------------------------------

    def heard(self, connection: BgpConnection) -> None:
        """Take what was read, if that is worth a commit; else soon."""
        intake = connection.session.intake
        if connection is not self.session or intake is None:
            return
        if intake.full:
            self._gather(intake)
        if intake.heavy or self._rows >= max(COMMIT_ROWS, self.routes // 4):
            self._commit()
        elif (intake.updates or self._rows) and self._commit_call is None:
            self._commit_call = self._around.clock.callLater(self._pause, self._commit)

    @property
    def routes(self) -> int:
        """How many routes of the peer are in the table."""
        history = self._around.history
        return 0 if history is None else sum(len(history.snapshot.records(slot)) for slot in self._slots())

    def _slots(self) -> list[RouteSlot]:
        if self._ingress is None:
            return []
        return [RouteSlot(4, self._ingress, self._around.store), RouteSlot(6, self._ingress, self._around.store)]

    def _gather(self, intake: Intake) -> None:
        for batch in intake.take():
            self._rows += len(batch)
            self._batches.append(batch)

    def _commit(self) -> None:
        self._sleep()
        history, session = self._around.history, self.session
        intake = session.session.intake if session is not None else None
        if session is None or intake is None:
            return
        self._gather(intake)
        batches, self._batches, self._rows = self._batches, [], 0
        if history is not None:
            started = self._around.clock.seconds()
            self._put(history, intake, batches)
            self._pause = max(COMMIT_SECONDS, 10 * (self._around.clock.seconds() - started))
        intake.forget()
        if self.routes > self.peer.most_routes:
            self._shut_until = self._around.clock.seconds() + PENALTY_SECONDS
            session.cease(Cease.MOST_PREFIXES, f"more than {self.peer.most_routes:,} routes")

    def _put(self, history: History, intake: Intake, batches: list[RouteBatch]) -> None:
        slots = dict(zip((4, 6), self._slots(), strict=True))
        builder = TableBuilder(
            self._around.store, intake.sets, lambda _, family: slots[family], lambda: history.snapshot
        )
        for batch in batches:
            builder.add(batch)
        if history.commit_diff(builder.take()) is not None:
            self._around.changed()

    def _withdraw_all(self, connection: BgpConnection) -> None:
        """RFC 4271 section 8.2: with a session go its routes."""
        self._sleep()
        self._batches, self._rows = [], 0
        history, agreed = self._around.history, connection.session.agreed
        if history is None or self._ingress is None or agreed is None:
            return
        changes: dict[Slot, Change] = {slot: closing(history.snapshot, slot) for slot in self._slots()}
        self._ingress = self._around.adopt(self._described(agreed, IngressState.DOWN))
        history.commit_diff(Diff.of(changes))

    def _sleep(self) -> None:
        if self._commit_call is not None and self._commit_call.active():
            self._commit_call.cancel()
        self._commit_call = None

    def _described(self, agreed: Agreed, state: IngressState) -> Ingress:
        name = self.peer.name.encode()[:MAX_NAME].decode(errors="ignore")
        return Ingress(
            self._number, IngressKind.BGP, self.peer.packed, self.peer.asn, agreed.bgp_id, name=name, state=state
        )

    def _accepts(self, session: Session) -> Callable[[bytes], bool] | None:
        """The filters of connector and peer; None if neither asks for messages."""
        if self._around.history is None:
            return lambda octets: False
        filters = [each for each in (self._around.west_filter, self.peer.west_filter) if each is not accept_all]
        if not filters:
            return None

        def accepts(octets: bytes) -> bool:
            agreed = session.agreed
            assert agreed is not None  # or there were no UPDATEs
            speaker = Speaker(self.peer.packed, self.peer.asn, agreed.bgp_id)
            message = RawMessage(RawProtocol.BGP, octets, speaker, int(self._around.wall()), agreed.four_octet)
            return all(each(message) for each in filters)

        return accepts

    # --- east: what it is told ---------------------------------------------------------------------------------------

    def tell(self) -> None:
        """Begin to tell it of the table of best routes, if there is one and a session."""
        best, session = self._around.best, self.session
        if best is None or session is None or self._out is not None:
            return
        agreed = session.session.agreed
        assert agreed is not None  # or it would not be established
        telling = self._telling(session, agreed)
        lacking = {each for each in agreed.families if agreed.external and telling.next_hop(each) is None}
        for family in sorted(lacking):
            self.log.warn(
                "{peer}: routes of IPv{family} are not told: there is no address of ours for next_hop{family}",
                peer=self.peer.title,
                family=family,
            )
        self._writer = Writer(telling)
        self._out = AdjRibOut(best, self._writer, agreed.families, partial(self._keeps, lacking), self.peer.east_filter)
        self.pump()

    def pump(self) -> None:
        """Write as long as the peer reads."""
        session = self.session
        while self._out is not None and session is not None and not session.paused:
            if self._messages is None:
                if not self._out.behind:
                    self._count_told()
                    return
                self._messages = self._out.take()
            piece, size = [], 0
            for message in self._messages:
                piece.append(message)
                size += len(message)
                if size >= WRITE_OCTETS:
                    break
            else:
                self._messages = None
            if piece:
                session.write(b"".join(piece))

    def writable(self, connection: BgpConnection) -> None:
        """The peer takes more."""
        if connection is self.session:
            self.pump()

    def _telling(self, session: BgpConnection, agreed: Agreed) -> Telling:
        here = plain_address(session.transport.getHost().host)
        hops = {4: self.peer.next_hop4, 6: self.peer.next_hop6}
        packed = {family: ip_address(hop).packed for family, hop in hops.items() if hop is not None}
        packed = {here.version: here.packed} | packed
        return Telling(self._around.my_asn, agreed.external, agreed.four_octet, packed.get(4), packed.get(6))

    def _keeps(self, lacking: set[int], slot: RouteSlot) -> bool:
        """Not its own routes, and within an AS not those of others of it (RFC 4271 section 9.2)."""
        ingress, peer = slot.ingress, self.peer
        if slot.family in lacking:
            return False
        if ingress.kind is not IngressKind.BGP:
            return True
        if not peer.echo and ingress.asn == peer.asn and ingress.address == peer.packed:
            return False
        return not ingress.asn == peer.asn == self._around.my_asn

    def _count_told(self) -> None:
        if self._out is None or self._writer is None:
            return
        counts = self.counts
        counts.announced += self._out.announced
        counts.withdrawn += self._out.withdrawn
        counts.untold += self._writer.untold
        self._out.announced = self._out.withdrawn = self._writer.untold = 0

    # --- what is shown -----------------------------------------------------------------------------------------------

    def shown(self) -> Link:
        """How the session fares."""
        records = self.routes if self._around.history is not None else None
        return Link(
            name=self.peer.title, peer=self.peer.address, state=self.state.value, mode="BGP", records=records,
            last_error=self.problem,
        )  # fmt: skip
