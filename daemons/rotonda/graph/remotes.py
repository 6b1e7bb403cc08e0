"""Tables of other instances, followed over Rotoro: in this process each is a stage like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rotonda.blocks.program import UnitBlock
from rotonda.blocks.types import ROUTE, VRP, RecordType
from rotonda.filters.records import wire_type
from rotonda.graph.flows import Flow, Surroundings
from rotonda.graph.stages import Stage
from rotonda.graph.taps import TableTap
from rotonda.rib.ingresses import TooManyIngresses
from rotonda.units.link import WestLink
from rotonda.units.serving import new_history
from rotonda.views.shown import Link
from rotoro.net.endpoints import Connect
from rotoro.session.effects import Update
from rotoro.session.followed import Want
from rotoro.session.negotiation import Mode
from rotoro.table import AttributeStore, History, Ingress
from rotoro.wire.errors import LimitExceeded
from rotoro.wire.rotoro import TableEntry
from rotoro.wire.typed import RecordType as WireType

RPKI_SUFFIX = "/rpki"
"""What the table of the RPKI data of a unit is called, behind the name of the unit."""


class RemoteStage(Stage):
    """What another instance says of one of its units."""

    def __init__(self, block: UnitBlock, around: Surroundings, instance: str, with_rpki: bool) -> None:
        super().__init__(block, around)
        self.title = f"{instance}.{block.name}"
        self.tables: dict[str, History] = {}
        record = block.gives
        if record is not None and record != VRP:
            history = self.tables[block.name] = new_history()
            self.flow = Flow(history, record, around.stores.of(record))
        if with_rpki:
            self.history = self.tables[block.name + RPKI_SUFFIX] = new_history()
            self.rpki = TableTap(name=self.title, history=self.history)
        self.remote: Remote | None = None

    @property
    def complete(self) -> bool:
        """Whether the other instance says that all of it has come."""
        return self.remote is not None and self.remote.has_all_of(self.block.name)


class Remote:
    """Another instance: one session, and a stage for each of its units that is needed here."""

    def __init__(self, around: Surroundings, name: str, to: Connect, mode: Mode, stages: Sequence[RemoteStage]) -> None:
        self.name = name
        self.around = around
        self.stages: Mapping[str, RemoteStage] = {stage.block.name: stage for stage in stages}
        self._tables = {table: (stage, table) for stage in stages for table in stage.tables}
        for stage in stages:
            stage.remote = self
        self.link = WestLink(
            around.reactor, to, mode, self._select, around.stores.routes, self._adopt, self._take, lambda: None,
            self._restarted, store_for=self._store_for,
        )  # fmt: skip
        self._let_go = around.brake.join(self.link.hold)
        self._histories = {
            f"{self.link.name} {table}": stage.tables[table] for table, (stage, _) in self._tables.items()
        }

    @property
    def receiving(self) -> bool:
        """Whether a change is under way."""
        return self.link.receiving

    def close(self) -> None:
        """Nothing is followed any more."""
        self._let_go()
        for stage in self.stages.values():
            stage.close()

    def has_all_of(self, unit: str) -> bool:
        """Whether the tables of a unit have come whole."""
        stage = self.stages[unit]
        status = self.link.statuses.get(unit if stage.flow is not None else unit + RPKI_SUFFIX)
        return status is not None and status.end_of_rib

    def shown(self) -> Link:
        """How the session fares, and which tables cannot be followed."""
        link = self.link.shown()
        link.name = f"{self.name} ({link.name})"
        refused = "; ".join(self.link.follower.refused.values())
        link.last_error = link.last_error or refused or None
        return link

    def _select(self, entry: TableEntry) -> Want | None:
        found = self._tables.get(entry.name)
        if found is None:
            return None
        stage, table = found
        record = stage.flow.record if stage.flow is not None and table == stage.block.name else None
        return Want(record=_wire(record))

    def _store_for(self, table: str, record: WireType) -> AttributeStore:
        stage, _ = self._tables[table]
        assert stage.flow is not None
        return stage.flow.store

    def _adopt(self, described: Ingress) -> Ingress:
        try:
            return self.around.ingresses.adopt(self.name, described)
        except TooManyIngresses as wrong:
            raise LimitExceeded(str(wrong)) from None

    def _restarted(self) -> None:
        self.around.ingresses.restarted(self.name)

    def _take(self, table: str, update: Update) -> None:
        self._histories[table].commit(update.snapshot, update.diff)


def _wire(record: RecordType | None) -> WireType | None:
    """The type that a table of such records must have; None for routes and RPKI data."""
    return None if record is None or record == ROUTE else wire_type(record)
