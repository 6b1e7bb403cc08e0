"""Units at work: each has what flows out of it on its east side, and follows what stands west of it.

A stage is put together first, then follows its wests, and runs once it has a parent that runs. It can be given other
wests and another filter while it runs; whatever else changes makes another stage of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from twisted.application.service import MultiService
from twisted.logger import Logger

from rotonda.bgp.raw import Accepts
from rotonda.blocks.configs import PhysicalRib, VirtualRib
from rotonda.blocks.program import UnitBlock
from rotonda.blocks.settings import FilterUse
from rotonda.filters.routes import PASS_ALL, RouteFilter
from rotonda.flow.filtered import FilteredTable
from rotonda.flow.joined import JoinedTable
from rotonda.flow.touched import Touched
from rotonda.graph.flows import Flow, Surroundings
from rotonda.graph.merging import hash_sets, strategy_of
from rotonda.graph.taps import Junction
from rotonda.outputs.stream import Stream
from rotonda.rib.past import Past
from rotonda.units.served_source import ServedSource
from rotonda.units.serving import new_history
from rotonda.units.sources import SourceUnit
from rotonda.views.shown import Link
from rotoro.table import EMPTY, Diff, History, Ingress
from rotoro.table.ingress import MAX_NAME

NO_FLOWS: Mapping[str, Flow] = {}

Again = Callable[[RouteFilter, bool, Touched | None], None]
"""Takes another filter, whether what is stored is judged again by it, and what of that it can touch, if not all."""


class Filters(Protocol):
    """Where stages get their filters from. `again` is called when data that a filter asks has changed."""

    def of_routes(self, unit: str, use: FilterUse, on_failure: str, again: Again) -> RouteFilter:
        """A filter of records. `again` gets what takes its place."""

    def of_messages(self, unit: str, use: FilterUse, on_failure: str) -> Accepts:
        """A filter of messages as they came."""

    def when_ready(self, unit: str, begin: Callable[[], None]) -> None:
        """Have a unit begin when all sources that its filters ask have come, or when that takes too long."""

    def release(self, unit: str) -> None:
        """The unit has no filters any more."""


class Stage(MultiService):
    """One unit at work."""

    log = Logger()

    def __init__(self, block: UnitBlock, around: Surroundings) -> None:
        super().__init__()
        self.block = block
        self.title = block.name
        self.around = around
        self.flow: Flow | None = None
        """The table on its east side, if routes or records flow out of it."""
        self.rpki: SourceUnit | None = None
        """The RPKI data on its east side, if there is any."""
        self.history: History | None = None
        """The table of that data as it is served; the server makes it."""
        self.served: ServedSource | None = None
        """What keeps that table in step."""
        self.streams: Sequence[Stream] = ()
        """Output streams of its own."""

    @property
    def complete(self) -> bool:
        """Whether everything that is expected at the start has come."""
        return True

    @property
    def receiving(self) -> bool:
        """Whether something is coming whose attribute sets no table names yet."""
        return False

    @property
    def problem(self) -> str | None:
        """What is wrong with it now."""
        return None

    def follow(self, wests: Sequence[Stage]) -> None:
        """These stand west of it from now on, in this order."""

    def use(self, block: UnitBlock, filters: Filters) -> None:
        """Only the filters of its configuration have changed."""
        self.block = block

    def links(self) -> Sequence[Link]:
        """How its sessions and sources fare."""
        return ()

    def close(self) -> None:
        """It is not needed any more; what flowed out of it is withdrawn by who followed it."""
        if self.flow is not None:
            self.flow.history.close()

    def adopt(self, described: Ingress) -> Ingress:
        """An ingress of this unit under its number in the process: its name begins with that of the unit."""
        return self.around.ingresses.adopt(self.title, self.named(described))

    def named(self, described: Ingress) -> Ingress:
        """The same peer that two units hear are two ingresses, in whatever process they are."""
        name = f"{self.title} {described.name}".strip()
        return replace(described, name=name.encode()[:MAX_NAME].decode(errors="ignore"))


class RibStage(Stage):
    """A RIB: has a filter, and follows the tables of its wests."""

    def __init__(self, block: UnitBlock, around: Surroundings, filters: Filters) -> None:
        super().__init__(block, around)
        assert block.gives is not None
        self.wests: Sequence[Stage] = ()
        self.filter = self._filter(filters)
        self.flow = Flow(new_history(), block.gives, around.stores.of(block.gives))
        self._stops: list[Callable[[], None]] = []
        self._filters = filters
        self._begun = False
        self._junction = Junction(self.title, around.reactor)
        self._junction.setServiceParent(self)

    @property
    def complete(self) -> bool:
        """Whether its wests are, and it has begun to follow them."""
        return self._begun and all(west.complete for west in self.wests)

    def follow(self, wests: Sequence[Stage]) -> None:
        """Pass on what they know of RPKI at once, and follow their tables when the filter can judge."""
        self.wests = wests
        self._relay(wests)
        if self._begun:
            self.begin()
        else:
            self._filters.when_ready(self.title, self._begin)

    def begin(self) -> None:
        """Follow the tables of the wests."""
        raise NotImplementedError

    def _begin(self) -> None:
        self._begun = True
        self.begin()

    def use(self, block: UnitBlock, filters: Filters) -> None:
        """Another filter: everything is judged again, and what differs is told."""
        super().use(block, filters)
        filters.release(self.title)
        self.judge(self._filter(filters), again=True)
        if not self._begun:
            filters.when_ready(self.title, self._begin)

    def judge(self, filter: RouteFilter, again: bool, touched: Touched | None = None) -> None:
        """Use another filter from now on; with `again`, for what is here already, too, as far as it is touched."""
        raise NotImplementedError

    def close(self) -> None:
        """Follow nobody any more."""
        self._leave()
        self._junction.leave()
        super().close()

    def _relay(self, wests: Sequence[Stage]) -> None:
        """Pass on what these know of RPKI."""
        sources = [west.rpki for west in wests if west.rpki is not None]
        if sources or self.rpki is not None:
            self._junction.join(sources)
        self.rpki = self._junction.source if sources else None

    def _filter(self, filters: Filters) -> RouteFilter:
        config = self.block.config
        assert isinstance(config, PhysicalRib | VirtualRib)
        if config.filter_map is None:
            return PASS_ALL
        return filters.of_routes(self.title, config.filter_map, config.on_failure, self.judge)

    def _leave(self) -> None:
        for stop in self._stops:
            stop()
        self._stops = []

    def _join(self, table: JoinedTable, wests: Sequence[Stage], before: Mapping[str, Flow] = NO_FLOWS) -> None:
        self._leave()
        self._stops = join(table, wests, before)


def join(table: JoinedTable, wests: Sequence[Stage], before: Mapping[str, Flow] = NO_FLOWS) -> list[Callable[[], None]]:
    """Have a table follow those of these wests, where it followed those before; returns what ends that."""
    flows = flows_of(wests)
    table.follow(list(flows), [name for name, flow in flows.items() if before.get(name) is not flow])
    stops = []
    for name, flow in flows.items():
        hear = partial(_hear, table, name, flow)
        stops.append(flow.history.subscribe(hear))
        if flow.history.ready:
            hear(None)
    return stops


def flows_of(wests: Sequence[Stage]) -> dict[str, Flow]:
    """The tables of those that have one, by their names."""
    return {west.title: west.flow for west in wests if west.flow is not None}


def _hear(table: JoinedTable, west: str, flow: Flow, diff: Diff | None) -> None:
    table.update(west, flow.history.snapshot, diff)


class PhysicalRibStage(RibStage):
    """Keeps what its filter lets in, with its past, and the RPKI data of its wests."""

    def __init__(self, block: UnitBlock, around: Surroundings, filters: Filters) -> None:
        super().__init__(block, around, filters)
        config = block.config
        assert isinstance(config, PhysicalRib)
        assert self.flow is not None
        self.joined = JoinedTable(self.flow.history, (), self.filter)
        merging, record = config.merge_strategy, self.flow.record
        self.past = Past(self.flow.store, strategy_of(merging, record), hash_sets(merging, record))
        self.flow.history.subscribe(self._remember)
        self._followed: Mapping[str, Flow] = NO_FLOWS

    def begin(self) -> None:
        """Join the tables of the wests."""
        before, self._followed = self._followed, flows_of(self.wests)
        if not self._stops or list(before.items()) != list(self._followed.items()):
            self._join(self.joined, self.wests, before)

    def judge(self, filter: RouteFilter, again: bool, touched: Touched | None = None) -> None:
        """What is stored stays as it is unless it is to be judged again."""
        self.filter = filter
        if again:
            self.joined.use(filter, touched)
        else:
            self.joined.filter = filter

    def sweep(self, now: float) -> None:
        """It is this late: what has left its window goes."""
        self.past.sweep(now)

    def close(self) -> None:
        """Nothing is kept any more."""
        super().close()
        self.joined.close()
        self.past.close()

    def _remember(self, diff: Diff) -> None:
        self.past.feed(diff, self.around.wall())


class Showing:
    """Keeps a history in step with the tables of some wests, joined if they are several, through a filter. Nothing else
    is kept."""

    def __init__(self, history: History, filter: RouteFilter) -> None:
        self.table: FilteredTable | None = None
        """The view; None as long as there is nothing west of it."""
        self.followed: tuple[Flow, ...] = ()
        self._history, self._filter = history, filter
        self._stops: list[Callable[[], None]] = []
        self._joined = JoinedTable(new_history(), ())

    def follow(self, wests: Sequence[Stage]) -> None:
        """Show the tables of these from now on; what differs is the next change of the history."""
        flows = tuple(flows_of(wests).values())
        if flows == self.followed:
            return
        self._leave()
        before, self._joined, self.followed = self._joined, JoinedTable(new_history(), ()), flows
        self._stops = join(self._joined, wests if len(flows) > 1 else ())
        if flows:
            west = flows[0].history if len(flows) == 1 else self._joined.history
            self.table = FilteredTable(west, self._filter, self._history)
        else:
            self._history.commit(EMPTY)
        before.close()
        before.history.close()

    def use(self, filter: RouteFilter, touched: Touched | None = None) -> None:
        """Show them through this filter."""
        self._filter = filter
        if self.table is not None:
            self.table.use(filter, touched)

    def close(self) -> None:
        """Follow nobody any more; the history is its owner's to close."""
        self._leave()
        self._joined.close()
        self._joined.history.close()

    def _leave(self) -> None:
        for stop in self._stops:
            stop()
        self._stops = []
        if self.table is not None:
            self.table.leave()
        self.table = None


class VirtualRibStage(RibStage):
    """Shows the table west of it through its filter; of several wests, their tables joined.

    Nothing is kept, so that what is shown is always what the filter says now: it is judged again whenever the filter or
    its data sources change.
    """

    def __init__(self, block: UnitBlock, around: Surroundings, filters: Filters) -> None:
        super().__init__(block, around, filters)
        assert self.flow is not None
        self._showing = Showing(self.flow.history, self.filter)

    def begin(self) -> None:
        """Show the tables of the wests."""
        self._showing.follow(self.wests)

    def judge(self, filter: RouteFilter, again: bool, touched: Touched | None = None) -> None:
        """Show the table through this filter."""
        self.filter = filter
        self._showing.use(filter, touched)

    def close(self) -> None:
        """Show nothing any more."""
        self._showing.close()
        super().close()
