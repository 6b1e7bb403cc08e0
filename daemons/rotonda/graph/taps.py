"""RPKI data that flows from one unit to several, and from several to one.

A unit of RPKI data starts what stands west of it (`rotonda.units.sources`). In a graph each stage is started by
itself, and by nobody else: who stands east of it gets a relay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        self.use(self.of)

    @property
    def complete(self) -> bool:
        """Whether the other one is."""
        return self.of.complete

    def use(self, source: SourceUnit) -> None:
        """Say what this one says from now on."""
        self.of = source
        source.subscribe(lambda news: self._hear(source, news))
        self._hear(source, News(source.state, source.snapshot))

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


def tap(source: SourceUnit) -> Relay:
    """The same source, for who must not start it."""
    return Relay(name=source.name, preference=source.preference, of=source)


def joined_source(name: str, sources: Sequence[SourceUnit]) -> SourceUnit:
    """One source of all of these: the only one, or all that any of them says."""
    return tap(sources[0]) if len(sources) == 1 else MergeUnit(name=name, sources=[tap(source) for source in sources])
