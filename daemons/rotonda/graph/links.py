"""A Rotoro server that is no instance of the file, as a unit: its routes, or its records, and its RPKI data."""

from __future__ import annotations

from collections.abc import Sequence

from rotonda.blocks.configs import RotoroLink
from rotonda.blocks.program import UnitBlock
from rotonda.blocks.types import ROUTE
from rotonda.filters.records import wire_type
from rotonda.flow.joined import JoinedTable
from rotonda.graph.flows import Flow, Surroundings
from rotonda.graph.places import server_place
from rotonda.graph.plan import brings_rpki
from rotonda.graph.stages import Stage
from rotonda.graph.taps import TableTap
from rotonda.rib.ingresses import TooManyIngresses
from rotonda.rpki.policies import Merged
from rotonda.units.link import GivenUp, WestLink
from rotonda.units.serving import new_history
from rotonda.views.shown import Link
from rotoro.session.effects import Update
from rotoro.session.followed import Want
from rotoro.session.negotiation import Mode
from rotoro.table import AttributeStore, Ingress
from rotoro.wire.errors import LimitExceeded
from rotoro.wire.rotoro import RecordKind, TableEntry
from rotoro.wire.typed import RecordType as WireType


class LinkStage(Stage):
    """Follows the tables of a server; of several tables of routes, the first one counts for a row that others have.

    Its RPKI data is what all its tables of such data say together.
    """

    def __init__(self, block: UnitBlock, around: Surroundings) -> None:
        super().__init__(block, around)
        config = block.config
        assert isinstance(config, RotoroLink)
        assert block.gives is not None
        self.flow = Flow(new_history(), block.gives, around.stores.of(block.gives))
        self._table = config.table
        self._wire = None if block.gives == ROUTE else wire_type(block.gives)
        self._joined = JoinedTable(self.flow.history, ())
        self._of_rpki: set[str] = set()
        """The tables of RPKI data that the server has, by the names that updates have."""
        self._vrps, self._vrp_tables = Merged(), new_history()
        if brings_rpki(config):
            self.rpki = TableTap(name=self.title, history=self._vrp_tables)
        to = server_place(f"{self.title}: server", config.server)
        self._link = WestLink(
            around.reactor, to, Mode(config.mode.lower()), self._select, around.stores.routes, self._adopt, self._take,
            lambda: None, lambda: around.ingresses.restarted(self.title), store_for=self._store_for,
        )  # fmt: skip
        self._link.service.setServiceParent(self)
        self._let_go = around.brake.join(self._link.hold)

    @property
    def complete(self) -> bool:
        """Whether all of it has come."""
        return self._link.complete

    @property
    def receiving(self) -> bool:
        """Whether a change is under way."""
        return self._link.receiving

    @property
    def problem(self) -> str | None:
        """What went wrong last."""
        return self._link.problem

    def close(self) -> None:
        """Nobody has to be held any more."""
        self._let_go()
        super().close()

    def links(self) -> Sequence[Link]:
        """The session."""
        return [self._link.shown()]

    def _select(self, entry: TableEntry) -> Want | None:
        if entry.kind == RecordKind.RPKI:
            self._of_rpki.add(f"{self._link.name} {entry.name}")
            return Want() if self.rpki is not None else None
        kind = RecordKind.ROUTES if self._wire is None else RecordKind.TYPED
        wanted = entry.kind == kind and self._table in (None, entry.name)
        return Want(record=self._wire) if wanted else None

    def _store_for(self, table: str, record: WireType) -> AttributeStore:
        assert self.flow is not None
        return self.flow.store

    def _adopt(self, described: Ingress) -> Ingress:
        try:
            return self.around.ingresses.adopt(self.title, described)
        except TooManyIngresses as wrong:
            raise LimitExceeded(str(wrong)) from None

    def _take(self, table: str, update: Update) -> None:
        if table in self._of_rpki:
            gone = isinstance(update, GivenUp)
            diff = self._vrps.update(table, None if gone else update.snapshot, update.diff)
            self._vrp_tables.commit(self._vrps.snapshot, diff)
            return
        if table not in self._joined.wests:
            self._joined.follow([*self._joined.wests, table])
        self._joined.update(table, update.snapshot, update.diff)
