"""The east side of an instance: its tables, served over Rotoro, and the RPKI data of one of them over RTR."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService

from rotonda.blocks.configs import Daemon
from rotonda.blocks.types import ROUTE
from rotonda.filters.records import wire_type
from rotonda.graph.flows import Flow, Surroundings
from rotonda.graph.places import listen_places
from rotonda.graph.plan import Plan
from rotonda.graph.remotes import RPKI_SUFFIX, RemoteStage
from rotonda.graph.stages import Stage
from rotonda.graph.taps import tap
from rotonda.units.keeping import KeepAt
from rotonda.units.served_source import ServedSource
from rotonda.units.serving import Serving, new_history
from rotonda.units.timer import Timer
from rotoro.net.limits import Limits
from rotoro.session.cache import GOODBYE_RESTART
from rotoro.session.payload import Timers
from rotoro.session.tables import ServedTable
from rotoro.wire.pdu import RTR_VERSIONS
from rotoro.wire.rotoro import RecordKind

REPORT_SECONDS = 0.5
"""How often followers are told of what has become complete, or is wrong."""

SETTINGS = ("listen", "rtr", "state", "state_max_age", "oldest_version", "limits", "timers")
"""What a server is made of: others may change under it."""


class TablesServer(MultiService):
    """Serves the tables of some stages; those of other instances are not served again."""

    def __init__(self, around: Surroundings, plan: Plan, stages: Mapping[str, Stage]) -> None:
        super().__init__()
        daemon = plan.daemon
        self._around, self._goodbye = around, daemon.goodbye
        self.routers = _for_routers(daemon, plan, stages)
        """The stage whose RPKI data routers get."""
        self.serving = Serving(
            around.reactor,
            plan.name,
            listen_places(f"{plan.name}: listen", daemon.listen),
            None,
            new_history(),
            limits_of(daemon),
            timers_of(daemon),
            RTR_VERSIONS[daemon.oldest_version :],
            None if self.routers is None else self.routers.title + RPKI_SUFFIX,
        )
        self._served: dict[Stage, list[ServedTable]] = {}
        for name in plan.units:
            self.serve(stages[name])
        if daemon.state is not None and self.routers is not None:
            self._keep(daemon, plan)
        self.serving.attach(self)
        Timer(self.report, around.reactor, REPORT_SECONDS).setServiceParent(self)

    def startService(self) -> None:
        """Begin with what was kept."""
        if self.serving.keeper is not None:
            self.serving.keeper.restore()
        super().startService()

    def leave(self, why: str) -> Any:
        """Say goodbye; fires when everybody has heard it."""
        return self.serving.leave(why, GOODBYE_RESTART if self._goodbye == "RESTART" else 0)

    def serve(self, stage: Stage) -> None:
        """Serve the tables of one more stage."""
        if isinstance(stage, RemoteStage):
            return
        tables = self._served[stage] = []
        if stage.flow is not None:
            tables.append(self._add_flow(stage.title, stage.flow))
        if stage.rpki is not None:
            tables.append(self._add_rpki(stage))

    def withdraw(self, stage: Stage) -> None:
        """A stage is no more."""
        for table in self._served.pop(stage, ()):
            self.serving.tables.remove(table)
        self.serving.changed()

    def report(self) -> None:
        """Tell followers what has become complete, and what is wrong."""
        for stage, tables in self._served.items():
            for table in tables:
                if table.kind != RecordKind.RPKI:  # which its own source reports
                    self.serving.report(table, stage.complete and table.history.ready, stage.problem or "")

    def _add_flow(self, title: str, flow: Flow) -> ServedTable:
        typed = flow.record != ROUTE
        kind = RecordKind.TYPED if typed else RecordKind.ROUTES
        flow.history.subscribe(lambda diff: self.serving.changed())
        return self.serving.tables.add(title, kind, flow.history, wire_type(flow.record) if typed else None)

    def _add_rpki(self, stage: Stage) -> ServedTable:
        assert stage.rpki is not None
        table = self.serving.rpki
        if stage is not self.routers:
            table = self.serving.tables.add(stage.title + RPKI_SUFFIX, RecordKind.RPKI, new_history())
        stage.history = table.history
        stage.served = ServedSource(tap(stage.rpki), table, self.serving)
        stage.served.start(self, self._around.reactor)
        return table

    def _keep(self, daemon: Daemon, plan: Plan) -> None:
        assert daemon.state is not None
        source = self.routers.served if self.routers is not None else None
        at = KeepAt(Path(daemon.state).absolute(), daemon.state_max_age)
        keeper = self.serving.keep(at, "graph", list(plan.units), lambda: source is not None and source.current)
        keeper.setServiceParent(self)


def _for_routers(daemon: Daemon, plan: Plan, stages: Mapping[str, Stage]) -> Stage | None:
    """The stage that the configuration names, or the last one that has RPKI data."""
    if daemon.rtr is not None:
        return stages.get(daemon.rtr)
    with_data = [stages[name] for name in plan.units if stages[name].rpki is not None]
    return with_data[-1] if with_data else None


def limits_of(daemon: Daemon) -> Limits:
    """The limits of servers."""
    own = daemon.limits
    return Limits(
        connections=own.max_connections,
        sessions_per_address=own.sessions_per_address,
        full_loads_per_minute=own.full_loads_per_minute,
        full_loads_at_once=own.full_loads_at_once,
        queries_waiting=own.queries_waiting,
        parts_per_session=own.parts_per_session,
        handshake_seconds=own.handshake,
        first_octet_seconds=own.first_octet,
        header_seconds=own.header,
        pdu_seconds=own.pdu,
        last_write_seconds=own.last_write,
    )


def timers_of(daemon: Daemon) -> Timers:
    """What routers are told about time."""
    return Timers(int(daemon.timers.refresh), int(daemon.timers.retry), int(daemon.timers.expire))
