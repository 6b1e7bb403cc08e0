"""One instance as a service: its stages, its server, its API, and what happens when the file changes.

A new program is taken as a whole or not at all. Stages whose configuration, types and wests are the same live on, with
all that they hold; a stage of which only filters changed judges anew and tells the difference; others are replaced, and
their tables with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import time
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from rotonda import VERSION
from rotonda.blocks.configs import (
    AnyUnit,
    BgpConnector,
    BmpConnector,
    Daemon,
    JsonConnector,
    KafkaTopic,
    LocalExceptions,
    MergeUnit,
    MrtConnector,
    PhysicalRib,
    RotoroLink,
    Router,
    RtrConnector,
    VirtualRib,
)
from rotonda.blocks.program import Program
from rotonda.graph.api import graph_site
from rotonda.graph.changeover import Changeover
from rotonda.graph.changes import Fate, fates, uses
from rotonda.graph.connectors import BgpStage, BmpStage, MrtStage
from rotonda.graph.filtering import FilterHost, sending_of
from rotonda.graph.flows import Surroundings
from rotonda.graph.kafka import KafkaStage
from rotonda.graph.links import LinkStage
from rotonda.graph.places import listen_place, listen_places, must_be_free, server_place
from rotonda.graph.plan import CannotRun, Plan, Planned, has_rpki, plan
from rotonda.graph.remotes import Remote, RemoteStage
from rotonda.graph.rpki_units import CacheStage, ExportStage, PolicyStage
from rotonda.graph.server import TablesServer
from rotonda.graph.shown import Shelf, ShownRib
from rotonda.graph.stages import PhysicalRibStage, Stage, VirtualRibStage
from rotonda.rib.ingresses import IngressRegistry
from rotonda.units.serving import SWEEP_SECONDS
from rotonda.units.timer import Timer
from rotonda.views.served import Served
from rotonda.views.shown import Filtered, Link, Sending, Sourced
from rotoro.net.endpoints import HostPort, Listen
from rotoro.net.listening import Listening, listening
from rotoro.session.negotiation import Mode
from rotoro.table import History

ENDING, BEGINNING = (Fate.GONE, Fate.REPLACED), (Fate.NEW, Fate.REPLACED)

TELL_SECONDS = 5.0
"""How often it is looked whether a filter fails where it has not before."""

PAST_SECONDS = 60.0
"""How often entries that have left their window go."""


class Instance(MultiService):
    """The daemon that runs one instance of a program. Raises CannotRun if it cannot be run as it is told to."""

    log = Logger()
    name = "rotonda"
    version = VERSION

    def __init__(
        self,
        reactor: Any,
        program: Program,
        instance: str | None = None,
        wall: Callable[[], float] = time,
        in_thread: Callable[..., Deferred[Any]] = deferToThread,
    ) -> None:
        super().__init__()
        self.started = wall()
        self.plan = plan(program, instance)
        self.program = program
        self.around = Surroundings(reactor, wall, self.plan.name, in_thread)
        self.stages: dict[str, Stage] = {}
        """Units of this instance, and tables of others, by their names here."""
        self.remotes: dict[str, Remote] = {}
        self.filters = FilterHost(program, _filters(self.plan), self.around, self.stages)
        self.filters.setServiceParent(self)
        self._shelf = Shelf()
        for planned in self.plan.units.values():
            self.add(self._made(planned))
        for name in self.plan.remotes:
            self.add_remote(self.plan, program, name)
        for planned in self.plan.units.values():
            self.join(planned)
        self.server = TablesServer(self.around, self.plan, self.stages)
        self.server.setServiceParent(self)
        self.site = self.api(self.plan.daemon)
        self.filters.open()
        Timer(self._sweep, reactor, SWEEP_SECONDS).setServiceParent(self)
        Timer(self._forget, reactor, PAST_SECONDS).setServiceParent(self)
        Timer(self.filters.tell_failures, reactor, TELL_SECONDS).setServiceParent(self)

    # --- what the API shows ------------------------------------------------------------------------------------------

    @property
    def ingresses(self) -> IngressRegistry:
        """Where its routes come from; those of an instance that is away are down."""
        for remote in self.remotes.values():
            self.around.ingresses.set_away(remote.name, not remote.link.connected)
        return self.around.ingresses

    def ribs(self) -> Sequence[ShownRib]:
        """Its tables."""
        return self._shelf.of({name: self.stages[name] for name in self.plan.units})

    def served(self) -> Served:
        """How its server fares."""
        return self.server.serving.served()

    def links(self) -> Sequence[Link]:
        """All sessions and sources of its units, and those with other instances."""
        own = [link for stage in self.stages.values() for link in stage.links()]
        return [*own, *(remote.shown() for remote in self.remotes.values())]

    def missing(self) -> Sequence[str]:
        """Units whose first load is not complete."""
        return [name for name, stage in self.stages.items() if not stage.complete]

    @property
    def history(self) -> History:
        """The RPKI data that routers get."""
        return self.server.serving.rpki.history

    def filtered(self) -> Sequence[Filtered]:
        """What its filters have done."""
        return self.filters.shown()

    def sourced(self) -> Sequence[Sourced]:
        """How its data sources fare that are files."""
        return self.filters.sourced()

    def sending(self) -> Sequence[Sending]:
        """How its output streams fare."""
        own = [sending_of(stream.title, stream) for stage in self.stages.values() for stream in stage.streams]
        return [*self.filters.sending(), *own]

    # --- its life ----------------------------------------------------------------------------------------------------

    def stopService(self) -> Any:
        """Say goodbye and stop."""
        leaving = self.server.leave(f"{self.plan.name} stops")
        return gatherResults([maybeDeferred(super().stopService), leaving])

    async def reload(self, program: Program) -> str:
        """Run this program from now on; returns what changed, in words.

        Raises CannotRun, and runs on as before, if it cannot be run. What can be known before is found out before
        anything is touched, and whether ports can be had is tried; if something fails even so, all is taken back.
        """
        after = plan(program, self.plan.name)
        fate = fates(self.plan, after, self.program, program)
        self._must_be_possible(after)
        handover = self.filters.use(program, _filters(after), [name for name, own in fate.items() if own in ENDING])
        fresh: list[Stage] = []
        try:
            for name, own in fate.items():
                if own in BEGINNING:
                    fresh.append(self._made(after.units[name]))
        except Exception:
            handover.undo()
            for stage in fresh:
                stage.close()
            raise
        await Changeover(self, after, program, fate, fresh, handover).run()
        return ", ".join(f"{sum(each is own for each in fate.values())} {own.value}" for own in Fate)

    # --- putting it together -----------------------------------------------------------------------------------------

    def _made(self, planned: Planned) -> Stage:
        """A unit, not yet at work."""
        block, around = planned.block, self.around
        match block.config:
            case PhysicalRib():
                return PhysicalRibStage(block, around, self.filters)
            case VirtualRib():
                return VirtualRibStage(block, around, self.filters)
            case MrtConnector():
                return MrtStage(block, around)
            case BmpConnector():
                return BmpStage(block, around, self.filters)
            case BgpConnector():
                return BgpStage(block, around, self.filters)
            case RtrConnector():
                return CacheStage(block, around)
            case JsonConnector():
                return ExportStage(block, around)
            case KafkaTopic():
                return KafkaStage(block, around, reads=planned.halves[0])
            case RotoroLink():
                return LinkStage(block, around)
            case AnyUnit() | MergeUnit() | LocalExceptions() | Router():
                return PolicyStage(block, around)
        raise TypeError(block.config)

    def add(self, stage: Stage) -> None:
        """One more stage; it works as soon as this does."""
        self.stages[stage.title] = stage
        stage.setServiceParent(self)

    def add_remote(self, plan: Plan, program: Program, name: str) -> None:
        """Follow one more instance."""
        how = plan.remotes[name]
        stages = [
            RemoteStage(program.units[unit], self.around, name, has_rpki(program, unit)) for unit in plan.followed(name)
        ]
        to = server_place(f"{plan.name}: {name}", how.address)
        self.put_back(Remote(self.around, name, to, Mode(how.mode.lower()), stages))

    def put_back(self, remote: Remote) -> None:
        """Follow this one, as it is."""
        self.remotes[remote.name] = remote
        for stage in remote.stages.values():
            self.add(stage)
        remote.link.service.setServiceParent(self)

    def join(self, planned: Planned) -> None:
        """Have a unit follow its wests."""
        self.stages[planned.block.name].follow([self.stages[west.name] for west in planned.wests])

    def api(self, daemon: Daemon) -> Listening | None:
        """Answer questions where the configuration says."""
        if daemon.http is None:
            return None
        at = listen_place(f"{self.plan.name}: http", daemon.http)
        site = listening(self.around.reactor, at, graph_site(self, self.around.wall), "http")
        site.setServiceParent(self)
        return site

    # --- changing it -------------------------------------------------------------------------------------------------

    def _must_be_possible(self, after: Plan) -> None:
        """Places must be places, and new ones free. Raises CannotRun."""
        had = {at.where for _, at in _listening(self.plan)}
        taken: dict[HostPort, str] = {}
        for where, at in _listening(after):
            if not at.where.port:
                continue
            if at.where in taken:
                raise CannotRun(f"{where}: {at} is where {taken[at.where]} listens, too")
            taken[at.where] = where
            if at.where not in had:
                must_be_free(where, at)
        for name, how in after.remotes.items():
            server_place(f"{after.name}: {name}", how.address)

    # --- tidying up --------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Free attribute sets that nothing needs, unless something is coming that no table names yet."""
        receiving = any(stage.receiving for stage in self.stages.values())
        if not receiving and not any(remote.receiving for remote in self.remotes.values()):
            self.around.stores.sweep()

    def _forget(self) -> None:
        for stage in self.stages.values():
            if isinstance(stage, PhysicalRibStage):
                stage.sweep(self.around.wall())


def _filters(plan: Plan) -> list[str]:
    """The names of all filters of an instance."""
    return [use.name for planned in plan.units.values() for use in uses(planned.block.config)]


def _listening(plan: Plan) -> list[tuple[str, Listen]]:
    """Where an instance listens, and what for. Raises CannotRun."""
    daemon = plan.daemon
    found = [(f"{plan.name}: listen", at) for at in listen_places(f"{plan.name}: listen", daemon.listen)]
    if daemon.http is not None:
        found.append((f"{plan.name}: http", listen_place(f"{plan.name}: http", daemon.http)))
    for name, planned in plan.units.items():
        config = planned.block.config
        if isinstance(config, BmpConnector) or (isinstance(config, BgpConnector) and config.peers):
            found.append((f"{name}: listen", listen_place(f"{name}: listen", config.listen, any_peer=True)))
    return found
