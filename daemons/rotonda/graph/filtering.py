"""Filters of an instance, with the data sources that they ask and the output streams that they send to.

A filter asks states of its sources that do not change while it is used: when one of them does, another filter takes
its place, which still knows what no source is asked for. When, the kind of the source says. RPKI data and tables that
are ACTIVE have stored routes judged again a moment later; of RPKI data that is only asked for the validity of routes,
those that changed VRPs cover. A view of a RIB, and a table that is PASSIVE, serve what comes from now on; only a
virtual RIB, which stores no verdicts, judges again for them too, from time to time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, DeferredLock, gatherResults, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from rotonda.bgp.raw import Accepts
from rotonda.blocks.configs import RibSource, RpkiSource, TableSource, VirtualRib
from rotonda.blocks.places import Span
from rotonda.blocks.program import Program, SourceBlock
from rotonda.blocks.settings import FilterUse
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.types import ROUTE, RecordType
from rotonda.blocks.values import RecordValue
from rotonda.filters.asked import asked_fields
from rotonda.filters.compile import CompiledFilter, FilterCounts, compiled
from rotonda.filters.messages import MessageFilter
from rotonda.filters.routes import RouteFilter
from rotonda.filters.world import SourceGone, SourceView
from rotonda.flow.touched import Touched, prefixes_of_vrps
from rotonda.graph.changes import same_source, same_stream
from rotonda.graph.flows import Surroundings
from rotonda.graph.plan import CannotRun
from rotonda.graph.stages import Again, Stage
from rotonda.graph.turns import Turn
from rotonda.outputs.outputs import output_for
from rotonda.outputs.stream import BadStream, Stream
from rotonda.rib.validated import latest_aspa_set
from rotonda.sources.rib import RibView
from rotonda.sources.rpki import RpkiView
from rotonda.sources.set_values import SetMemory
from rotonda.sources.table import TableView
from rotonda.sources.table_changes import Changed, together
from rotonda.units.table_file import TableFile
from rotonda.views.shown import Filtered, Sending, Sourced
from rotoro.table import Diff, History
from rotoro.table.serial import Position

PATIENCE_SECONDS = 60.0
"""How long a unit waits at the start for the sources that its filter asks."""

AGAIN_SECONDS = 1.0
"""How long changes of a source wait for others before routes are judged again."""

LATER_SECONDS = 30.0
"""The same where a virtual RIB asks what changes all the time."""

MOST_CHANGES = 20_000
"""Prefixes of payloads or records that change; when there are more, all routes are judged again."""


class FilterHost(MultiService):
    """Makes the filters of all units of an instance, and keeps them in step with their sources."""

    log = Logger()

    def __init__(
        self, program: Program, names: Collection[str], around: Surroundings, stages: Mapping[str, Stage]
    ) -> None:
        """`names` are the filters of this program that the instance uses."""
        super().__init__()
        self.program = program
        self.names = frozenset(names)
        self.around = around
        self.stages = stages
        self.streams: dict[str, Stream] = {}
        self.sources: dict[str, Source] = {}
        self.bound: dict[str, list[Bound]] = {}
        """The filters of each unit."""
        self._waiting: dict[str, tuple[Callable[[], None], IDelayedCall]] = {}
        """What units do as soon as the sources of their filters have data, and when at the latest."""
        self._turns: dict[Stream, Turn] = {}
        self._locks: dict[str, DeferredLock] = defaultdict(DeferredLock)
        """Which stream of each name may work."""
        self._ending: list[Deferred[Any]] = []
        self._open(program, names)

    # --- for stages --------------------------------------------------------------------------------------------------

    def of_routes(self, unit: str, use: FilterUse, on_failure: str, again: Again) -> RouteFilter:
        """A filter of records. `again` gets what takes its place."""
        bound = Bound(self, unit, use, on_failure, again)
        self.bound.setdefault(unit, []).append(bound)
        return bound.made()

    def of_messages(self, unit: str, use: FilterUse, on_failure: str) -> Accepts:
        """A filter of messages as they came."""
        bound = Bound(self, unit, use, on_failure, None)
        self.bound.setdefault(unit, []).append(bound)
        return bound.accepts()

    def release(self, unit: str) -> None:
        """The unit has no filters any more."""
        self._wait_no_more(unit)
        for bound in self.bound.pop(unit, ()):
            bound.close()

    def when_ready(self, unit: str, begin: Callable[[], None]) -> None:
        """Have a unit begin when all sources that its filters ask have come, or when that takes too long.

        So that nothing is judged twice, or by less than is known, only because one file was read before another.
        """
        self._wait_no_more(unit)
        latest = self.around.reactor.callLater(PATIENCE_SECONDS, self._begin, unit)
        self._waiting[unit] = begin, latest
        if self._is_ready(unit):
            self._begin(unit)

    def _is_ready(self, unit: str) -> bool:
        names = {name for bound in self.bound.get(unit, ()) for name, _ in bound.filter.sources}
        return all(self.sources[name].there for name in names)

    def _begin(self, unit: str) -> None:
        begin = self._wait_no_more(unit)
        if begin is not None:
            for bound in self.bound.get(unit, ()):
                bound.refresh()
            begin()

    def _wait_no_more(self, unit: str) -> Callable[[], None] | None:
        begin, latest = self._waiting.pop(unit, (None, None))
        if latest is not None and latest.active():
            latest.cancel()
        return begin

    def look(self) -> None:
        """Some source may have come."""
        for unit in [unit for unit in self._waiting if self._is_ready(unit)]:
            self._begin(unit)

    # --- for the instance --------------------------------------------------------------------------------------------

    def stopService(self) -> Any:
        """Nothing is judged any more."""
        for unit in [*self.bound, *self._waiting]:
            self.release(unit)
        return gatherResults([maybeDeferred(super().stopService), *self._ending])

    def open(self) -> None:
        """All units are there: the sources that are views of them can be asked."""
        for source in self.sources.values():
            source.attach()
        self.look()

    def use(self, program: Program, names: Collection[str], units: Sequence[str]) -> Handover:
        """Filters that are made from now on are these of this program; the same sources and streams live on.

        These units are made anew. What they had, and what is not in the new program, ends with the handover. Raises
        CannotRun, and leaves all as it is, if an output stream cannot be had.
        """
        old = self.program
        before = Handover(self, old, self.names, dict(self.streams), dict(self.sources), {})
        self.program, self.names = program, frozenset(names)
        streams, sources = _needed(program, names)
        for name in [n for n in self.streams if n not in streams or not same_stream(old, program, n)]:
            del self.streams[name]
        for name in [n for n in self.sources if n not in sources or not same_source(old, program, n)]:
            del self.sources[name]
        try:
            self._open(program, names)
        except CannotRun:
            before.undo()
            raise
        before.bound.update((unit, self.bound.pop(unit, [])) for unit in units)
        return before

    def asked(self, source: str) -> frozenset[str]:
        """The fields of a data source that filters need to find quickly; may be asked by any thread."""
        program, names = self.program, self.names
        fields = (asked_fields(program.filters[name].steps, source) for name in names if name in program.filters)
        return frozenset().union(*fields)

    def tell_failures(self) -> None:
        """A line for the log about each place in the file at which a filter of a unit has failed for the first time."""
        for unit, own in self.bound.items():
            for bound in own:
                for span in [span for span in bound.counts.failures if span not in bound.told]:
                    bound.told.add(span)
                    self.log.warn(
                        "{unit}: filter {name} fails at {place}, and the verdict is {verdict};"
                        " /api/v1/filters says how often, rotonda explain why",
                        unit=unit,
                        name=bound.use.name,
                        place=self.program.source.shown(span),
                        verdict=bound.on_failure,
                    )

    def shown(self) -> list[Filtered]:
        """What the filters of all units have done."""
        source = self.program.source
        return [
            Filtered(
                unit=unit,
                filter=bound.use.name,
                seen=bound.counts.seen,
                accepted=bound.counts.accepted,
                rejected=bound.counts.rejected,
                failures={source.shown(span): count for span, count in bound.counts.failures.items()},
                sent=dict(bound.counts.sent),
            )
            for unit, own in self.bound.items()
            for bound in own
        ]

    def sending(self) -> list[Sending]:
        """How the output streams fare."""
        return [sending_of(name, own) for name, own in self.streams.items()]

    def sourced(self) -> list[Sourced]:
        """How the data sources fare that are not views of units."""
        shown = (source.shown() for source in self.sources.values())
        return [one for one in shown if one is not None]

    def views(self, filter: TypedFilter) -> Mapping[str, SourceView]:
        """All that a filter may ask, as it is now."""
        return {name: self.sources[name].view() for name, _ in filter.sources}

    def _open(self, program: Program, names: Collection[str]) -> None:
        streams, sources = _needed(program, names)
        for name in streams:
            if name not in self.streams:
                self.streams[name] = self._stream(program, name)
        for name in sources:
            if name not in self.sources:
                self.sources[name] = _source(self, program.sources[name])

    def _stream(self, program: Program, name: str) -> Stream:
        try:
            stream = output_for(program.streams[name], self.around.reactor, self.around.in_thread, self.around.instance)
        except BadStream as wrong:
            raise CannotRun(str(wrong)) from None
        self.around.heed(stream)
        turn = self._turns[stream] = Turn(stream, self._locks[name])
        turn.setServiceParent(self)
        return stream

    def end(self, stream: Stream, *, is_undone: bool) -> None:
        """A stream ends; `is_undone`, as a change of the program is."""
        turn = self._turns.pop(stream)
        if is_undone:
            turn.give_up()
        self._end(turn)

    def place(self, service: Service) -> None:
        """Have a service work beside others, of which one may have its name for a while."""
        place = MultiService()
        service.setServiceParent(place)
        place.setServiceParent(self)

    def remove(self, service: Service) -> None:
        """It works no more."""
        if isinstance(service.parent, MultiService):
            self._end(service.parent)

    def _end(self, service: Service) -> None:
        """It is waited for until it has ended, if all ends meanwhile."""
        ending = maybeDeferred(service.disownServiceParent)
        self._ending.append(ending)
        ending.addErrback(lambda bug: self.log.failure("a part of the old configuration did not end well", bug))
        ending.addBoth(lambda _: self._ending.remove(ending))


def _needed(program: Program, names: Collection[str]) -> tuple[Collection[str], Collection[str]]:
    """The streams and the sources of these filters, in order."""
    filters = [program.filters[name] for name in names]
    streams = dict.fromkeys(name for filter in filters for name, _ in filter.streams)
    return streams, dict.fromkeys(name for filter in filters for name, _ in filter.sources)


def sending_of(name: str, stream: Stream) -> Sending:
    """How a stream fares."""
    return Sending(
        name=name,
        sent=stream.sent,
        written=stream.written,
        dropped=stream.dropped,
        waiting=stream.waiting,
        dropped_by=dict(stream.dropped_by),
        spilled=stream.spilled,
        spill_octets=stream.on_disk,
        blocking=stream.blocking,
        problem=stream.problem,
    )


@dataclass(frozen=True)
class Handover:
    """What filters had before another program took over, until it is certain that it does."""

    host: FilterHost
    program: Program
    names: frozenset[str]
    streams: Mapping[str, Stream]
    sources: Mapping[str, Source]
    bound: dict[str, list[Bound]]

    def done(self) -> None:
        """What is not used any more ends."""
        for own in self.bound.values():
            for bound in own:
                bound.close()
        self._end(self.streams, self.host.streams, self.sources, self.host.sources, is_undone=False)

    def undo(self) -> None:
        """All is as it was; what was made since then ends."""
        host = self.host
        for unit in [unit for unit in host.bound if unit in self.bound or unit not in self.program.units]:
            host.release(unit)
        host.bound.update((unit, own) for unit, own in self.bound.items() if own)
        self._end(host.streams, self.streams, host.sources, self.sources, is_undone=True)
        host.program, host.names = self.program, self.names
        host.streams, host.sources = dict(self.streams), dict(self.sources)

    def _end(
        self, streams: Mapping[str, Stream], kept: Mapping[str, Stream],
        sources: Mapping[str, Source], kept_sources: Mapping[str, Source], *, is_undone: bool,
    ) -> None:  # fmt: skip
        for name, stream in streams.items():
            if kept.get(name) is not stream:
                self.host.end(stream, is_undone=is_undone)
        for name, source in sources.items():
            if kept_sources.get(name) is not source:
                source.close()


@dataclass(frozen=True)
class Pinned:
    """The world of one filter: states of its sources, and its streams."""

    views: Mapping[str, SourceView]
    streams: Mapping[str, Stream]

    def source(self, name: str) -> SourceView:
        """The state of this source. Raises SourceGone."""
        return self.views[name]

    def send(self, stream: str, records: Sequence[RecordValue], of: RecordType) -> None:
        """Send records to a stream."""
        found = self.streams.get(stream)
        if found is not None:
            found.send_all(records)


class Bound:
    """One use of a filter by a unit."""

    def __init__(self, host: FilterHost, unit: str, use: FilterUse, on_failure: str, again: Again | None) -> None:
        self.host, self.unit, self.use = host, unit, use
        self.filter = host.program.filters[use.name]
        self._streams = {name: host.streams[name] for name, _ in self.filter.streams}
        """Those of its own program, until it is closed."""
        self.counts = FilterCounts()
        self.told: set[Span] = set()
        """Places of failures that are in the log."""
        self.on_failure = on_failure
        self._again = again
        self._call: IDelayedCall | None = None
        self._judge = False
        self._made: CompiledFilter | None = None
        self._judged: Pinned | None = None
        """The world that all stored routes were judged in, if it was one."""
        self._stops = [host.sources[name].listen(self._changed) for name, _ in self.filter.sources]

    def made(self) -> RouteFilter:
        """The filter of records, with its sources as they are now."""
        gives = self.filter.gives
        assert isinstance(gives, RecordType)
        world = self.world()
        self._made = compiled(
            self.filter,
            dict(self.use.arguments),
            world,
            self.host.around.stores.of(gives),
            on_failure=self.on_failure,
            counts=self.counts,
        )
        self._judged = world
        return self._made

    def accepts(self) -> MessageFilter:
        """The filter of messages, with its sources as they are whenever a message comes."""
        return MessageFilter(
            self.filter,
            dict(self.use.arguments),
            self.world,
            self.on_failure == "ACCEPT",
            self.counts,
        )

    def world(self) -> Pinned:
        """All that the filter may ask, as it is now."""
        return Pinned(self.host.views(self.filter), self._streams)

    def refresh(self) -> None:
        """Ask the sources as they are now, from now on; nothing has been judged yet."""
        self._wait_no_more()
        if self._again is not None and self.filter.sources:
            self._replace(False)
            self._judged = self.world()

    def close(self) -> None:
        """It is used no more."""
        for stop in self._stops:
            stop()
        self._wait_no_more()

    def _wait_no_more(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call, self._judge = None, False

    def _changed(self, source: Source) -> None:
        """Another filter is due; whether what is stored is judged again, the kind of the source says."""
        if self._again is None:
            return
        stage = self.host.stages.get(self.unit)
        is_virtual = stage is not None and isinstance(stage.block.config, VirtualRib)
        self._judge = self._judge or source.active or is_virtual
        seconds = AGAIN_SECONDS if source.active else LATER_SECONDS if is_virtual else 0.0
        if self._call is None or not self._call.active():
            self._call = self.host.around.reactor.callLater(seconds, self._renew)
        elif self._call.getTime() > self.host.around.reactor.seconds() + seconds:
            self._call.reset(seconds)

    def _renew(self) -> None:
        judge, self._judge, self._call = self._judge, False, None
        try:
            self._replace(judge)
        except Exception:
            self.host.log.failure("{unit}: filter {name} could not be renewed", unit=self.unit, name=self.use.name)

    def _replace(self, judge: bool) -> None:
        """Have the unit use the filter with its sources as they are now."""
        assert self._again is not None
        assert self._made is not None
        world = self.world()
        touched = self._touched(world) if judge else None
        is_same = self._judged is not None and self._judged.views == world.views
        self._made, self._judged = self._made.in_world(world), None
        self._again(self._made, judge, touched)
        if judge or is_same:
            self._judged = world

    def _touched(self, world: Pinned) -> Touched | None:
        """What this world can have stored routes judged otherwise; None for all of them."""
        assert self._made is not None
        if self._judged is None:
            return None
        changes: list[Changed] = []
        before = self._judged.views
        for name in [name for name, view in world.views.items() if before[name] is not view]:
            prefixes = self.host.sources[name].since(before[name]) if self._made.asks_what_covers(name) else None
            if prefixes is None:
                return None
            changes.append(prefixes)
        if sum(len(own) for prefixes in changes for own in prefixes.values()) > MOST_CHANGES:
            return None
        return Touched.within(self._made, together(changes))


class _Gone(SourceView):
    """A source without data."""

    def __init__(self, why: str) -> None:
        self._why = why

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        raise SourceGone(self._why)


@dataclass(eq=False)
class Source:
    """A data source at work: gives the view of its present state, and tells when there is another one."""

    host: FilterHost
    block: SourceBlock
    listeners: list[Callable[[Source], None]] = field(default_factory=list)

    active = False
    """Whether stored routes are judged again when it changes."""

    def __post_init__(self) -> None:
        """Begin; for kinds of sources."""

    def view(self) -> SourceView:
        """Its state now."""
        raise NotImplementedError

    def since(self, view: SourceView) -> Changed | None:
        """Since this view of it, the prefixes of what has changed; None if that is not known."""
        return None

    @property
    def there(self) -> bool:
        """Whether it has come, or cannot come before those that wait for it."""
        return True

    def attach(self) -> None:
        """Everything is there that it is a view of."""

    def close(self) -> None:
        """It is not needed any more."""

    def shown(self) -> Sourced | None:
        """How it fares; None for a view of a unit, which tells that itself."""
        return None

    def listen(self, listener: Callable[[Source], None]) -> Callable[[], None]:
        """Have a listener told of each change, until the returned function is called."""
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener) if listener in self.listeners else None

    def changed(self) -> None:
        """There is another state."""
        for listener in list(self.listeners):
            listener(self)
        self.host.look()


class _OfStage(Source):
    """A view of a table of a unit, made when somebody asks and the table has moved on."""

    def __post_init__(self) -> None:
        self._made: tuple[History, object, SourceView] | None = None
        self._states: WeakKeyDictionary[SourceView, tuple[History, Position]] = WeakKeyDictionary()
        self._attached: History | None = None
        self._stop: Callable[[], None] = lambda: None

    def history(self) -> History | None:
        """The table."""
        raise NotImplementedError

    def look(self, history: History) -> SourceView:
        """A view of its present state."""
        raise NotImplementedError

    def view(self) -> SourceView:
        """The view of the present state."""
        history = self.history()
        if history is None or not history.ready:
            related = getattr(self.block.config, "related", "")
            return _Gone(f"{related} has no data yet")
        if self._made is None or self._made[0] is not history or self._made[1] is not history.snapshot:
            view = self.look(history)
            self._made = history, history.snapshot, view
            self._states[view] = history, history.position
        return self._made[2]

    def since(self, view: SourceView) -> Changed | None:
        """Since this view of it, the prefixes of what has changed; None if that is not known."""
        history, position = self._states.get(view, (None, None))
        if history is None or position is None or history is not self.history():
            return None
        diff = history.since(position) if position.epoch == history.position.epoch else None
        return None if diff is None else self.prefixes(diff)

    def prefixes(self, diff: Diff) -> Changed | None:
        """Those of what changes; None if its table does not tell all that does, as the states of ingresses."""
        return None

    def attach(self) -> None:
        """Listen to the table, if it is another one than before."""
        history, before = self.history(), self._attached
        if history is before:
            return
        self._stop()
        self._attached = history
        self._stop = (lambda: None) if history is None else history.subscribe(lambda diff: self.changed())
        if before is not None or (history is not None and history.ready):
            self.changed()

    def close(self) -> None:
        """Listen no more."""
        self._stop()

    def _stage(self) -> Stage | None:
        return self.host.stages.get(getattr(self.block.config, "related", ""))


class _RibSource(_OfStage):
    """The routes of a RIB."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._memory = SetMemory()

    def history(self) -> History | None:
        """Its table of routes."""
        stage = self._stage()
        return None if stage is None or stage.flow is None else stage.flow.history

    def look(self, history: History) -> SourceView:
        """The routes as they are now."""
        stage = self._stage()
        record = ROUTE if stage is None or stage.flow is None else stage.flow.record
        ingresses = self.host.around.ingresses
        return RibView(history.snapshot, record, ingresses.get, history.serial, self._memory)


class _RpkiSource(_OfStage):
    """The RPKI data of a unit."""

    active = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._aspas = latest_aspa_set()

    @property
    def there(self) -> bool:
        """Whether there is data."""
        history = self.history()
        return history is not None and history.ready

    def history(self) -> History | None:
        """Its table of RPKI data."""
        stage = self._stage()
        return None if stage is None else stage.history

    def look(self, history: History) -> SourceView:
        """The data as it is now."""
        return RpkiView(history.snapshot, self._aspas(history.snapshot), history.serial)

    def prefixes(self, diff: Diff) -> Changed:
        """Those of VRPs."""
        return prefixes_of_vrps([diff])


class _TableSource(Source):
    """The records of a file."""

    def __post_init__(self) -> None:
        config = self.block.config
        assert isinstance(config, TableSource)
        self.active = config.mode == "ACTIVE"
        around, name = self.host.around, self.block.name
        self._file = TableFile(
            name, config, around.reactor, lambda view: self.changed(), around.in_thread, self.host.look,
            lambda: self.host.asked(name),
        )  # fmt: skip
        self.host.place(self._file)

    @property
    def there(self) -> bool:
        """Whether the file was read, or cannot be."""
        return self._file.view is not None or self._file.problem is not None

    def view(self) -> SourceView:
        """The table as it was read last."""
        return self._file.view if self._file.view is not None else _Gone(f"{self._file.path} has not been read")

    def since(self, view: SourceView) -> Changed | None:
        """Since this view of it, the prefixes of other records; None if that is not known."""
        return self._file.since(view) if isinstance(view, TableView) else None

    def close(self) -> None:
        """Read it no more."""
        self.host.remove(self._file)

    def shown(self) -> Sourced:
        """How the file fares."""
        file = self._file
        return Sourced(
            name=self.block.name,
            state=file.state,
            mode=file.config.mode,
            records=0 if file.view is None else len(file.view),
            age=file.age,
            changes=0 if file.view is None else file.view.version,
            failures=file.failures,
            problem=file.problem,
            last_error=file.last_error,
        )


def _source(host: FilterHost, block: SourceBlock) -> Source:
    match block.config:
        case RibSource():
            return _RibSource(host, block)
        case RpkiSource():
            return _RpkiSource(host, block)
        case TableSource():
            return _TableSource(host, block)
    raise TypeError(block.config)
