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
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.logger import Logger

from rotonda import VERSION
from rotonda.blocks.configs import (
    AnyUnit,
    BgpConnector,
    BmpConnector,
    Daemon,
    JsonConnector,
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
from rotonda.graph.changes import Fate, fates
from rotonda.graph.connectors import BgpStage, BmpStage, MrtStage
from rotonda.graph.filtering import FilterHost
from rotonda.graph.flows import Surroundings
from rotonda.graph.links import LinkStage
from rotonda.graph.places import listen_place, server_place
from rotonda.graph.plan import CannotRun, Plan, Planned, plan
from rotonda.graph.remotes import Remote, RemoteStage
from rotonda.graph.rpki_units import CacheStage, ExportStage, PolicyStage
from rotonda.graph.server import SETTINGS, TablesServer
from rotonda.graph.shown import Shelf, ShownRib
from rotonda.graph.stages import PhysicalRibStage, Stage, VirtualRibStage
from rotonda.rib.ingresses import IngressRegistry
from rotonda.units.serving import SWEEP_SECONDS
from rotonda.units.timer import Timer
from rotonda.views.served import Served
from rotonda.views.shown import Filtered, Link, Sending
from rotoro.net.listening import Listening, listening
from rotoro.session.negotiation import Mode
from rotoro.table import History

PAST_SECONDS = 60.0
"""How often entries that have left their window go."""


class Instance(MultiService):
    """The daemon that runs one instance of a program. Raises CannotRun if it cannot be run as it is told to."""

    log = Logger()
    name = "rotonda"
    version = VERSION

    def __init__(
        self, reactor: Any, program: Program, instance: str | None = None, wall: Callable[[], float] = time
    ) -> None:
        super().__init__()
        self.started = wall()
        self.plan = plan(program, instance)
        self.program = program
        self.around = Surroundings(reactor, wall, self.plan.name)
        self.stages: dict[str, Stage] = {}
        """Units of this instance, and tables of others, by their names here."""
        self.remotes: dict[str, Remote] = {}
        self.filters = FilterHost(program, self.around, self.stages)
        self.filters.setServiceParent(self)
        self._shelf = Shelf()
        for planned in self.plan.units.values():
            self._add(self._made(planned))
        for name in self.plan.remotes:
            self._add_remote(self.plan, program, name)
        for planned in self.plan.units.values():
            self._join(planned)
        self.server = TablesServer(self.around, self.plan, self.stages)
        self.server.setServiceParent(self)
        self.site = self._api(self.plan.daemon)
        self.filters.open()
        Timer(self._sweep, reactor, SWEEP_SECONDS).setServiceParent(self)
        Timer(self._forget, reactor, PAST_SECONDS).setServiceParent(self)

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

    def sending(self) -> Sequence[Sending]:
        """How its output streams fare."""
        return self.filters.sending()

    # --- its life ----------------------------------------------------------------------------------------------------

    def stopService(self) -> Any:
        """Say goodbye and stop."""
        leaving = self.server.leave(f"{self.plan.name} stops")
        return gatherResults([maybeDeferred(super().stopService), leaving])

    async def reload(self, program: Program) -> str:
        """Run this program from now on; returns what changed, in words.

        Raises CannotRun, and runs on as before, if it cannot be run. What cannot be known before it is tried - that a
        port can be had - is tried, and if it fails the program before is taken back.
        """
        after = plan(program, self.plan.name)
        before, old = self.plan, self.program
        words = await self._change(before, after, program)
        try:
            await self._start_server(before, after)
        except Exception as wrong:
            await self._change(after, before, old)
            await self._start_server(after, before)
            raise CannotRun(f"{wrong}; everything is as before") from wrong
        return words

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
            case RotoroLink():
                return LinkStage(block, around)
            case AnyUnit() | MergeUnit() | LocalExceptions() | Router():
                return PolicyStage(block, around)
        raise TypeError(block.config)

    def _add(self, stage: Stage) -> None:
        self.stages[stage.title] = stage
        stage.setServiceParent(self)

    def _add_remote(self, plan: Plan, program: Program, name: str) -> None:
        how = plan.remotes[name]
        stages = [RemoteStage(program.units[unit], self.around, name) for unit in plan.followed(name)]
        to = server_place(f"{plan.name}: {name}", how.address)
        remote = self.remotes[name] = Remote(self.around, name, to, Mode(how.mode.lower()), stages)
        for stage in stages:
            self._add(stage)
        remote.link.service.setServiceParent(self)

    def _join(self, planned: Planned) -> None:
        self.stages[planned.block.name].follow([self.stages[west.name] for west in planned.wests])

    def _api(self, daemon: Daemon) -> Listening | None:
        if daemon.http is None:
            return None
        at = listen_place(f"{self.plan.name}: http", daemon.http)
        site = listening(self.around.reactor, at, graph_site(self, self.around.wall), "http")
        site.setServiceParent(self)
        return site

    # --- changing it -------------------------------------------------------------------------------------------------

    async def _change(self, before: Plan, after: Plan, program: Program) -> str:
        """Go over to another plan, unit by unit; whatever can be refused is refused before anything is touched."""
        fate = fates(before, after, self.program, program)
        fresh = {name: self._made(after.units[name]) for name, own in fate.items() if own in (Fate.NEW, Fate.REPLACED)}
        self.filters.use(program)
        for name, own in fate.items():
            if own in (Fate.GONE, Fate.REPLACED):
                await self._remove(self.stages.pop(name))
        await self._change_remotes(before, after, program)
        for stage in fresh.values():
            self._add(stage)
        for name, own in fate.items():
            if own is Fate.FILTERED:
                self.stages[name].use(after.units[name].block, self.filters)
        for name, planned in after.units.items():
            if fate[name] is not Fate.KEPT or planned.wests != before.units[name].wests or self._touched(planned, fate):
                self._join(planned)
        self.plan, self.program = after, program
        for stage in fresh.values():
            self.server.serve(stage)
        told = [f"{sum(each is own for each in fate.values())} {own.value}" for own in Fate]
        return ", ".join(told)

    @staticmethod
    def _touched(planned: Planned, fate: dict[str, Fate]) -> bool:
        """Whether a west of a unit is another stage now."""
        return any(fate.get(west.name) in (Fate.NEW, Fate.REPLACED) for west in planned.wests)

    async def _remove(self, stage: Stage) -> None:
        self.server.withdraw(stage)
        self.filters.release(stage.title)
        await maybeDeferred(stage.disownServiceParent)
        stage.close()

    async def _change_remotes(self, before: Plan, after: Plan, program: Program) -> None:
        """An instance that is followed otherwise, or for other units, is followed anew."""
        for name in list(self.remotes):
            same = name in after.remotes and before.remotes[name] == after.remotes[name]
            if not same or set(before.followed(name)) != set(after.followed(name)):
                remote = self.remotes.pop(name)
                await maybeDeferred(remote.link.service.disownServiceParent)
                for stage in remote.stages.values():
                    del self.stages[stage.title]
                    await maybeDeferred(stage.disownServiceParent)
        for name in after.remotes:
            if name not in self.remotes:
                self._add_remote(after, program, name)

    async def _start_server(self, before: Plan, after: Plan) -> None:
        """Serve and answer as the configuration says now, if it says something else than before."""
        if any(getattr(before.daemon, name) != getattr(after.daemon, name) for name in SETTINGS):
            self.server.leave("the configuration changes")
            await maybeDeferred(self.server.disownServiceParent)
            self.server = TablesServer(self.around, after, self.stages)
            self.server.setServiceParent(self)
        if before.daemon.http != after.daemon.http:
            if self.site is not None:
                await maybeDeferred(self.site.disownServiceParent)
            self.site = self._api(after.daemon)

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
