"""RPKI data that flows from one unit to several, and from several to one.

A unit of RPKI data starts what stands west of it (`rotonda.units.sources`). In a graph each stage is started by
itself, and by nobody else: who stands east of it gets a relay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import MultiService

from rotonda.rpki.sources import News, SourceState
from rotonda.units.policy_unit import MergeUnit
from rotonda.units.sources import SourceUnit
from rotonda.views.shown import Link
from rotoro.table import Diff, History


@dataclass(eq=False, kw_only=True)
class Relay(SourceUnit):
    """Says what another source says, which somebody else starts; it may be another one later."""

    of: SourceUnit

    def __post_init__(self) -> None:
        super().__post_init__()
        self._stop: Callable[[], None] = lambda: None
        self.use(self.of)

    @property
    def complete(self) -> bool:
        """Whether the other one is."""
        return self.of.complete

    def use(self, source: SourceUnit) -> None:
        """Say what this one says from now on."""
        self._stop()
        self.of = source
        self._stop = source.subscribe(lambda news: self._hear(source, news))
        self._hear(source, News(source.state, source.snapshot))

    def start(self, parent: MultiService, reactor: Any) -> None:
        """The other one may have had data for long: who has just subscribed is told."""
        super().start(parent, reactor)
        if self.snapshot is not None:
            for listener in list(self._east):
                self._pass_on(listener, News(self.state, self.snapshot))

    def leave(self) -> None:
        """Hear no more of the other one."""
        self._stop()

    def shown(self) -> Link:
        """How the other one fares."""
        return self.of.shown()

    def _hear(self, source: SourceUnit, news: News) -> None:
        if source is self.of:
            self.problem = source.problem
            self._tell(news.state, news.snapshot, news.diff)


@dataclass(eq=False, kw_only=True)
class TableTap(SourceUnit):
    """Says what a table of RPKI data holds, one that a link follows."""

    history: History

    def __post_init__(self) -> None:
        super().__post_init__()
        self.history.subscribe(self._changed)
        self._changed(None)

    def _changed(self, diff: Diff | None) -> None:
        if self.history.ready:
            self._tell(SourceState.CURRENT, self.history.snapshot, diff)


@dataclass(eq=False, kw_only=True)
class Nothing(SourceUnit):
    """A source that has no data."""

    name: str = "nothing"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.state = SourceState.GONE


def tap(source: SourceUnit) -> Relay:
    """The same source, for who must not start it."""
    return Relay(name=source.name, preference=source.preference, of=source)


class Junction(MultiService):
    """Makes one source of several, which may be others later: the only one, or all that any of them says."""

    def __init__(self, name: str, reactor: Any) -> None:
        super().__init__()
        self._title, self._reactor = name, reactor
        self.source = Relay(name=name, of=SourceUnit(name=name))
        self._taps: list[Relay] = []
        self._merging: MultiService | None = None

    def join(self, sources: Sequence[SourceUnit]) -> None:
        """Say what these say from now on."""
        before, self._merging = self._merging, None
        for each in self._taps:
            each.leave()
        self._taps = [tap(source) for source in sources] if len(sources) > 1 else []
        if self._taps:
            merged = MergeUnit(name=self._title, sources=self._taps)
            self._merging = MultiService()
            merged.start(self._merging, self._reactor)
            self._merging.setServiceParent(self)
            self.source.use(merged)
        else:
            self.source.use(sources[0] if sources else Nothing())
        if before is not None:
            before.disownServiceParent()

    def leave(self) -> None:
        """Hear no more of any."""
        self.join(())
        self.source.leave()
