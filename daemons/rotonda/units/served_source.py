"""The east end of a row of sources: what it says is the RPKI table of a daemon.

When there is no data any more, nothing is withdrawn from routers: the table is suspended. Routers that ask are told
that there is no data (error 2), and keep what they have until it expires by their own timers, as if this cache had
gone; when there is data again they are told what differs from what they have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from twisted.application.service import MultiService
from twisted.logger import Logger

from rotonda.rpki.sources import News, SourceState
from rotonda.units.serving import Serving
from rotonda.units.sources import SourceUnit
from rotonda.units.timer import Timer
from rotonda.views.shown import Link
from rotoro.session.tables import ServedTable
from rotoro.table import Snapshot

LOOK_SECONDS = 1.0


@dataclass(eq=False)
class ServedSource:
    """A table that follows a source."""

    source: SourceUnit
    table: ServedTable
    serving: Serving

    log = Logger()

    def __post_init__(self) -> None:
        self._known: Snapshot | None = None
        """What the table held after the last news: what the diffs of the source start from."""

    def start(self, parent: MultiService, reactor: Any) -> None:
        """Follow the source, which is started too."""
        self.source.subscribe(self._hear)
        self.source.start(parent, reactor)
        Timer(self._report, reactor, LOOK_SECONDS).setServiceParent(parent)

    @property
    def current(self) -> bool:
        """Whether the table is what the source says now."""
        return self._known is not None and self.source.state is SourceState.CURRENT

    def shown(self) -> list[Link]:
        """How the sources fare, each before those that it is made of, and whose data is used."""
        return list(_shown(self.source, self.table.history.ready))

    def _hear(self, news: News) -> None:
        history = self.table.history
        if news.snapshot is None:
            if history.ready and self._known is not None:
                self.log.error("{name}: no source has data any more", name=self.table.name)
                history.suspend()
                self.serving.touched()
        else:
            there = history.ready
            follows = history.snapshot is self._known and history.ready
            changed = history.commit(news.snapshot, news.diff if follows else None)
            self._known = history.snapshot
            if changed is not None or not there:
                self.log.info(
                    "{name}: {n:,} changes, {records:,} records",
                    name=self.table.name,
                    n=0 if changed is None else changed.count,
                    records=history.snapshot.count,
                )
                self.serving.changed()
        self._report()

    def _report(self) -> None:
        problems = [unit.problem for unit in _all(self.source) if unit.problem]
        self.serving.report(self.table, self.source.complete, "; ".join(problems))


def _all(unit: SourceUnit) -> Iterator[SourceUnit]:
    yield unit
    for source in unit.west:
        yield from _all(source)


def _shown(unit: SourceUnit, used: bool) -> Iterator[Link]:
    link = unit.shown()
    link.in_use = used
    yield link
    for source in unit.west:
        yield from _shown(source, used and source in unit.used_west)
