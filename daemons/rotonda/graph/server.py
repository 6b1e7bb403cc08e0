"""The east side of an instance: its tables, served over Rotoro, and the RPKI data of one of them over RTR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from rotonda.graph.taps import Relay, tap
from rotonda.units.keeping import KeepAt
from rotonda.units.served_source import ServedSource
from rotonda.units.serving import Serving, new_history
from rotonda.units.sources import SourceUnit
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

    def __init__(
        self, around: Surroundings, plan: Plan, stages: Mapping[str, Stage], routers: str | None = None
    ) -> None:
        """Serve these; `routers` is the unit whose RPKI data routers have had until now."""
        super().__init__()
        daemon = plan.daemon
        self._around, self._goodbye = around, daemon.goodbye
        self.routers = for_routers(plan, stages, routers)
        """The unit whose RPKI data routers get."""
        served = None if self.routers is None else stages[self.routers].history
        self.serving = Serving(
            around.reactor,
            plan.name,
            listen_places(f"{plan.name}: listen", daemon.listen),
            None,
            new_history() if served is None or daemon.state is not None else served,
            limits_of(daemon),
            timers_of(daemon),
            RTR_VERSIONS[daemon.oldest_version :],
            None if self.routers is None else self.routers + RPKI_SUFFIX,
        )
        self._served: dict[Stage, _Served] = {}
        for name in plan.units:
            self.serve(stages[name])
        if daemon.state is not None and self.routers is not None:
            self._keep(daemon, plan, stages)
        self.serving.attach(self)
        Timer(self.report, around.reactor, REPORT_SECONDS).setServiceParent(self)

    def startService(self) -> None:
        """Begin with what was kept."""
        if self.serving.keeper is not None:
            self.serving.keeper.restore()
        super().startService()

    def leave(self, why: str) -> Any:
        """Say goodbye; fires when everybody has heard it."""
        for stage in list(self._served):
            self._let_go(stage)
        return self.serving.leave(why, GOODBYE_RESTART if self._goodbye == "RESTART" else 0)

    def serve(self, stage: Stage) -> None:
        """Serve the tables of a stage: what it has now, and not what it had before."""
        if isinstance(stage, RemoteStage):
            return
        own = self._served.setdefault(stage, _Served())
        if stage.flow is not None and own.flow is None:
            own.flow = self._add_flow(stage.title, stage.flow)
            own.stop = stage.flow.history.subscribe(lambda diff: self.serving.changed())
        if stage.rpki is None:
            self._withdraw_rpki(stage)
        elif own.rpki is None:
            self._add_rpki(stage, stage.rpki, own)
        self.serving.changed()

    def withdraw(self, stage: Stage) -> None:
        """A stage is no more."""
        if stage not in self._served:
            return
        self._withdraw_rpki(stage)
        own = self._let_go(stage)
        if own.flow is not None:
            self.serving.tables.remove(own.flow)
        self.serving.changed()

    def report(self) -> None:
        """Tell followers what has become complete, and what is wrong; RPKI data its own source reports."""
        for stage, own in self._served.items():
            if own.flow is not None:
                self.serving.report(own.flow, stage.complete and own.flow.history.ready, stage.problem or "")

    def _add_flow(self, title: str, flow: Flow) -> ServedTable:
        typed = flow.record != ROUTE
        kind = RecordKind.TYPED if typed else RecordKind.ROUTES
        return self.serving.tables.add(title, kind, flow.history, wire_type(flow.record) if typed else None)

    def _add_rpki(self, stage: Stage, source: SourceUnit, own: _Served) -> None:
        table = self.serving.rpki
        if stage.title != self.routers:
            name, history = stage.title + RPKI_SUFFIX, stage.history
            table = self.serving.tables.add(name, RecordKind.RPKI, new_history() if history is None else history)
        own.rpki, own.source, own.work = table, tap(source), MultiService()
        stage.history = table.history
        stage.served = ServedSource(own.source, table, self.serving)
        stage.served.start(own.work, self._around.reactor)
        own.work.setServiceParent(self)

    def _withdraw_rpki(self, stage: Stage) -> None:
        """The table that routers get stays, for a unit of the same name."""
        own = self._served[stage]
        if own.rpki is not None and own.rpki is not self.serving.rpki:
            self.serving.tables.remove(own.rpki)
        own.leave()
        stage.history = stage.served = None

    def _let_go(self, stage: Stage) -> _Served:
        """Hear no more of a stage."""
        own = self._served.pop(stage)
        own.leave()
        own.stop()
        return own

    def _keep(self, daemon: Daemon, plan: Plan, stages: Mapping[str, Stage]) -> None:
        assert daemon.state is not None
        at = KeepAt(Path(daemon.state).absolute(), daemon.state_max_age)

        def is_fresh() -> bool:
            stage = stages.get(self.routers or "")
            return stage is not None and stage.served is not None and stage.served.current

        self.serving.keep(at, "graph", list(plan.units), is_fresh).setServiceParent(self)


@dataclass(eq=False, slots=True)
class _Served:
    """What is served of a stage."""

    flow: ServedTable | None = None
    rpki: ServedTable | None = None
    source: Relay | None = None
    work: MultiService | None = None
    """What keeps the table of RPKI data in step with its source."""
    stop: Callable[[], None] = lambda: None

    def leave(self) -> None:
        """Hear no more of the source of RPKI data."""
        if self.source is not None:
            self.source.leave()
        if self.work is not None:
            self.work.disownServiceParent()
        self.rpki = self.source = self.work = None


def for_routers(plan: Plan, stages: Mapping[str, Stage], now: str | None = None) -> str | None:
    """The unit whose RPKI data routers get: the one that the configuration names, or the last one that has some.

    If it names none, those who are served `now` stay with what they have.
    """
    if plan.daemon.rtr is not None:
        return plan.daemon.rtr if plan.daemon.rtr in stages else None
    with_data = [name for name in plan.units if stages[name].rpki is not None]
    return now if now in with_data else with_data[-1] if with_data else None


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
