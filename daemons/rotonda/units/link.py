"""A link to the west: one server, whatever it speaks, and what it says of its tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger

from rotonda.views.shown import Link, Place
from rotoro.net.connecting import Connecting
from rotoro.net.endpoints import Connect
from rotoro.session.base import Session
from rotoro.session.bracket import Adopt
from rotoro.session.effects import Effect, Flush, Note, TableStatus, Update
from rotoro.session.followed import StoreFor
from rotoro.session.follower import FollowingPeer, Select
from rotoro.session.negotiation import ClientSession, Mode
from rotoro.session.parameters import Parameters
from rotoro.session.router import RouterSession
from rotoro.table import EMPTY, AttributeStore, Position
from rotoro.wire.errors import CacheShutdown
from rotoro.wire.rotoro import Health

RTR_TABLE = "rtr"
"""What the one table of a plain cache is called here."""

_NOWHERE = Position(0, 0)
"""Where followers are with a Rotoro table that they have given up. RTR may well be there, with a set of no records."""


@dataclass(frozen=True, slots=True)
class GivenUp(Update):
    """A table of which the session holds nothing any more.

    What it held has `ended` if its time is over, or if the cache itself has taken it back (error 13 of draft
    8210bis-27); else it is the server that fails or changes, and what it said may be good for a while.
    """

    ended: bool = False


Take = Callable[[str, Update], None]
"""Gets each new state of a table: the name under which this link keeps it, and the update."""


class WestLink:
    """One server to the west, followed for as long as the daemon runs."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        to: Connect,
        mode: Mode,
        select: Select,
        store: AttributeStore,
        adopt: Adopt,
        take: Take,
        told: Callable[[], None],
        fresh: Callable[[], None] = lambda: None,
        *,
        at_once: bool = True,
        store_for: StoreFor | None = None,
    ) -> None:
        self.name = str(to)
        self.statuses: dict[str, TableStatus] = {}
        """What the server told of its tables, by their names."""
        self._last_error: str | None = None
        self._fresh = fresh
        self._told_now: set[str] = set()
        """The tables that have come, whole or what changed in them, since there is a connection."""
        self.follower = FollowingPeer(select, store, adopt, Parameters(name="rotonda"), store_for)
        self.router = RouterSession(RTR_TABLE, tolerant=to.tolerant, old_aspa=to.old_aspa)
        self.session = ClientSession(mode, self.follower, self.router)
        self.service = Connecting(reactor, to, self.session, self._tell, self._begun, at_once=at_once)
        self._clock = reactor.seconds
        self._take = take
        self._told = told

    @property
    def complete(self) -> bool:
        """Whether the first load of everything that is wanted has come."""
        if self.session.current is self.router:
            return self.router.held is not None
        tables = self.follower.tables
        return bool(tables) and all(name in self.statuses and self.statuses[name].end_of_rib for name in tables)

    @property
    def synced(self) -> bool:
        """Whether there is a connection, and all that the server has came over it."""
        if not self.connected or not self.complete:
            return False
        wanted = {RTR_TABLE} if self.session.current is self.router else set(self.follower.tables)
        return wanted <= self._told_now

    @property
    def receiving(self) -> bool:
        """Whether a change is under way, whose attribute sets no table names yet."""
        return self.follower.receiving

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self.service.protocol is not None and bool(self.service.protocol.connected)

    @property
    def problem(self) -> str | None:
        """What went wrong last here, or what the server says is wrong with its tables."""
        told = (status for status in self.statuses.values() if status.health != Health.HEALTHY)
        return self._last_error or "; ".join(f"{status.table}: {status.text}" for status in told) or None

    def hold(self, on: bool) -> None:
        """Read nothing from the server, or read on."""
        protocol = self.service.protocol
        if protocol is not None and protocol.connected:
            protocol.hold(on)

    def shown(self) -> Link:
        """How the link fares, for people."""
        current = self.session.current
        link = Link(
            name=self.name,
            peer=self.service.protocol.peer if self.service.protocol is not None else self.name,
            state=current.state.value if self.connected else "disconnected",
            mode=self.session.speaks,
            last_error=self.problem,
        )
        if current is self.router:
            self._show_router(link)
        else:
            position = next((table.position for table in self.follower.tables.values() if table.position), None)
            link.position = Place.of(position) if position is not None else None
        return link

    def _show_router(self, link: Link) -> None:
        held = self.router.held
        link.version = self.router.version
        link.clamped, link.tolerated = self.router.clamped, self.router.tolerated
        if held is not None:
            link.session, link.serial = held.session, held.serial
            link.refresh, link.retry, link.expire = held.timers.refresh, held.timers.retry, held.timers.expire
            link.age = self._clock() - held.since
            link.expires_in = held.expires - self._clock()

    def _begun(self) -> None:
        self._told_now.clear()
        self._fresh()

    def _tell(self, session: Session, effect: Effect) -> None:
        match effect:
            case Update(table, position) if table != RTR_TABLE and position == _NOWHERE:
                self._give_up(GivenUp(table, position, EMPTY, effect.diff, effect.kind, self._has_expired(table)))
            case Update(table):
                self._last_error = None
                self._told_now.add(table)
                self._take(f"{self.name} {table}", effect)
            case Flush(reason, code):
                self._last_error = reason
                self.log.warn("{name}: data given up: {reason}", name=self.name, reason=reason)
                self._give_up(GivenUp(RTR_TABLE, _NOWHERE, EMPTY, None, ended=code == CacheShutdown.code))
            case TableStatus(table):
                told = {**self.statuses, table: effect}
                self.statuses = {name: status for name, status in told.items() if name in self.follower.tables}
            case Note(text, True):
                self._last_error = text
        self._told()

    def _give_up(self, update: GivenUp) -> None:
        self._told_now.discard(update.table)
        self._take(f"{self.name} {update.table}", update)

    def _has_expired(self, table: str) -> bool:
        """Whether a Rotoro table is given up because its server has been away for too long."""
        own = self.follower.tables.get(table)
        until = None if own is None or own.stale_since is None else own.stale_since + self.follower.expire_seconds
        return until is not None and self._clock() >= until
