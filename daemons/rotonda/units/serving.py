"""What every daemon that others follow has: ports for RTR and Rotoro, and tables behind them.

RPKI data may be kept on the disk (`rotonda.units.keeping`). Tables of routes are not: they are read, or told, anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from secrets import choice, randbits
from time import time
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater

from rotonda.units.keeping import KeepAt, Keeper, new_position
from rotonda.units.shown_server import shown_server
from rotonda.units.state import Folder
from rotonda.views.served import Served
from rotoro.net.endpoints import Listen
from rotoro.net.limits import DEFAULT_LIMITS, Limits
from rotoro.net.listening import listening
from rotoro.net.server import ServerFactory
from rotoro.session.cache import CacheData
from rotoro.session.parameters import Parameters
from rotoro.session.payload import DEFAULT_TIMERS, Timers
from rotoro.session.tables import ServedTable, ServedTables
from rotoro.table import History
from rotoro.table.stored import Part
from rotoro.wire.pdu import RTR_VERSIONS
from rotoro.wire.rotoro import Health, RecordKind

SWEEP_SECONDS = 300.0
"""How often attribute sets that no route has are freed; a set must be unused for two such times."""

LEAVE_SECONDS = 3.0
"""How long those who are connected may take to read our last words."""

LOOK_SECONDS = 0.02
"""How often it is looked whether they have."""

_NEAR = range(-len(RTR_VERSIONS), len(RTR_VERSIONS) + 1)
"""How far session ids of one cache lie apart at most."""


def new_history() -> History:
    """The history of a table that begins now: its epoch is new, so nobody mistakes its serials for others."""
    position = new_position()
    return History(position.epoch, position.serial)


class Serving:
    """The east side of a daemon: its tables, served to followers and routers."""

    def __init__(
        self,
        reactor: Any,
        name: str,
        listen: Listen | Sequence[Listen],
        routes: History | None,
        rpki: History,
        limits: Limits = DEFAULT_LIMITS,
        timers: Timers = DEFAULT_TIMERS,
        versions: tuple[int, ...] = RTR_VERSIONS,
        rpki_name: str | None = None,
    ) -> None:
        self.tables = ServedTables()
        self.routes = self.tables.add(f"{name}.routes", RecordKind.ROUTES, routes) if routes is not None else None
        self.rpki = self.tables.add(rpki_name or f"{name}.rpki", RecordKind.RPKI, rpki)
        self.keeper: Keeper | None = None
        """What keeps the RPKI data on the disk, if anything does."""
        self._reactor, self._name = reactor, name
        self._sessions = dict(CacheData.of(rpki, randbits(16), versions=versions).sessions)
        cache = CacheData(rpki, self._sessions, timers)
        self.factory = ServerFactory(reactor, self.tables, cache, Parameters(name=f"rotonda {name}"), limits)
        places = [listen] if isinstance(listen, Listen) else listen
        self.services = [listening(reactor, at, self.factory, "rtr, rotoro") for at in places]

    def attach(self, parent: MultiService) -> None:
        """Listen when the daemon starts."""
        for service in self.services:
            service.setServiceParent(parent)

    def keep(
        self,
        at: KeepAt,
        program: str,
        sources: Sequence[str],
        fresh: Callable[[], bool],
        parts: Callable[[float], Sequence[Part]] | None = None,
    ) -> Keeper:
        """Keep the RPKI data of this program, made from these sources, on the disk (see `Keeper`)."""
        table = f"{program}-{self._name}.rpki"
        self.keeper = Keeper(
            *(self._reactor, Folder(at.folder, table), table, sources, self.rpki.history, self._sessions),
            renewed=self._begin_anew,
            fresh=fresh,
            parts=parts,
            max_age=at.max_age,
        )
        return self.keeper

    def touched(self) -> None:
        """There is something new to keep that is no change of the RPKI data, if it is kept."""
        if self.keeper is not None:
            self.keeper.touch()

    def leave(self, text: str, reason: int) -> Deferred[None]:
        """End all sessions in good order; fires when their last words are read, or when that takes too long."""
        self.factory.goodbye(text, reason)
        return ensureDeferred(self._left(self._reactor.seconds() + LEAVE_SECONDS))

    async def _left(self, until: float) -> None:
        while self.factory.connections and self._reactor.seconds() < until:
            await deferLater(self._reactor, LOOK_SECONDS)

    def _begin_anew(self) -> None:
        """The table has begun another life: no session id means any more what it meant, and no session goes on."""
        others = set(range(0x10000)) - {(each + shift) % 0x10000 for each in self._sessions.values() for shift in _NEAR}
        made = CacheData.of(self.rpki.history, choice(sorted(others)), versions=tuple(self._sessions))
        self._sessions.update(made.sessions)
        self.factory.goodbye("a new session begins")

    def served(self) -> Served:
        """How the server fares, and whom it serves."""
        shown = shown_server(self.factory, self.services, self.rpki.history, self._reactor.seconds, time)
        shown.not_kept = None if self.keeper is None else self.keeper.problem
        return shown

    def changed(self) -> None:
        """A table has a new state."""
        self.factory.changed()

    def report(self, table: ServedTable, complete: bool, problems: str = "") -> None:
        """How a table fares: whether its first load is complete, and what is wrong, if anything."""
        state = (complete or table.end_of_rib, Health.STALLED if problems else Health.HEALTHY, problems[:1024])
        if state != (table.end_of_rib, table.health, table.text):
            table.end_of_rib, table.health, table.text = state
            self.factory.status_changed(table)
