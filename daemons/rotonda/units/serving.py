"""What every daemon that others follow has: a port for RTR and Rotoro, and tables behind it."""

from __future__ import annotations

from secrets import randbits
from typing import Any

from twisted.application.service import MultiService

from rotoro.net.endpoints import Listen
from rotoro.net.listening import listening
from rotoro.net.server import ServerFactory
from rotoro.session.cache import CacheData
from rotoro.session.parameters import Parameters
from rotoro.session.tables import ServedTable, ServedTables
from rotoro.table import History
from rotoro.wire.rotoro import Health, RecordKind

SWEEP_SECONDS = 300.0
"""How often attribute sets that no route has are freed; a set must be unused for two such times."""


def new_history() -> History:
    """The history of a table that begins now: its epoch is new, so nobody mistakes its serials for others."""
    return History(randbits(64))


class Serving:
    """The east side of a daemon: its tables, served to followers and routers."""

    def __init__(self, reactor: Any, name: str, listen: Listen, routes: History | None, rpki: History) -> None:
        self.tables = ServedTables()
        self.routes = self.tables.add(f"{name}.routes", RecordKind.ROUTES, routes) if routes is not None else None
        self.rpki = self.tables.add(f"{name}.rpki", RecordKind.RPKI, rpki)
        cache = CacheData.of(rpki, randbits(16))
        self.factory = ServerFactory(reactor, self.tables, cache, Parameters(name=f"rotonda {name}"))
        self.service = listening(reactor, listen, self.factory, "rtr, rotoro")

    def attach(self, parent: MultiService) -> None:
        """Listen when the daemon starts."""
        self.service.setServiceParent(parent)

    def changed(self) -> None:
        """A table has a new state."""
        self.factory.changed()

    def report(self, table: ServedTable, complete: bool, problems: str = "") -> None:
        """How a table fares: whether its first load is complete, and what is wrong, if anything."""
        state = (complete or table.end_of_rib, Health.STALLED if problems else Health.HEALTHY, problems[:1024])
        if state != (table.end_of_rib, table.health, table.text):
            table.end_of_rib, table.health, table.text = state
            self.factory.status_changed(table)
