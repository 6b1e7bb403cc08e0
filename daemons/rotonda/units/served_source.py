"""The east end of a row of sources: what it says is the RPKI table of a daemon.

When there is no data any more, nothing is withdrawn from routers: the table is suspended. Routers that ask are told
that there is no data (error 2), and keep what they have until it expires by their own timers, as if this cache had
gone; when there is data again they are told what differs from what they have.

What was kept of an earlier life is served until all sources have come, or for a while if some do not: parts of the
data would withdraw the rest, only to announce it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.application.service import MultiService
from twisted.logger import Logger

from rotonda.rpki.sources import News, SourceState
from rotonda.units.aside import Aside
from rotonda.units.serving import Serving
from rotonda.units.sources import SourceUnit
from rotonda.units.timer import Timer
from rotonda.views.shown import Link
from rotoro.session.tables import ServedTable
from rotoro.table import Diff, Snapshot

LOOK_SECONDS = 1.0

KEPT_SECONDS = 600.0
"""How long sources that do not come are waited for with what was kept: validators that start take some minutes."""


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
        self._begun = False
        """Whether the source ever gave data: what was kept of an earlier life is not its to take away."""
        self.aside = Aside()
        self._alone: Callable[[], bool] = lambda: False
        """Whether what was kept has been served without all sources for long enough."""

    def start(self, parent: MultiService, reactor: Any) -> None:
        """Follow the source, which is started too."""
        until = reactor.seconds() + KEPT_SECONDS
        self._alone = lambda: reactor.seconds() >= until
        self.aside.setServiceParent(parent)
        self.source.subscribe(self._hear)
        self.source.start(parent, reactor)
        Timer(self._look, reactor, LOOK_SECONDS).setServiceParent(parent)

    @property
    def current(self) -> bool:
        """Whether the table is what the source says now."""
        return self._known is not None and self.source.state is SourceState.CURRENT

    def shown(self) -> list[Link]:
        """How the sources fare, each before those that it is made of, and whose data is used."""
        return list(_shown(self.source, self.table.history.ready))

    def _hear(self, news: News) -> None:
        history, known = self.table.history, self._known
        if self.aside.busy or self._waiting:
            return
        if news.snapshot is None:
            self._suspend()
        elif news.diff is not None and history.ready and history.snapshot is known:
            self._commit(news.snapshot, news.diff)
        else:
            self._known, before = None, history.snapshot
            records = min(before.count, news.snapshot.count)
            self.aside.do(records, partial(before.diff, news.snapshot), partial(self._found, news.snapshot))

    @property
    def _waiting(self) -> bool:
        """Whether what was kept is better than what there is."""
        kept = self.table.history.ready and not self._begun
        return kept and not self.source.complete and not self._alone()

    def _look(self) -> None:
        if not self._begun and self.source.snapshot is not None:
            self._hear(News(self.source.state, self.source.snapshot))
        self._report()

    def _found(self, snapshot: Snapshot, diff: Diff) -> None:
        """This leads from the table to what the source said, when it was last looked at."""
        if self.source.snapshot is not None:
            self._commit(snapshot, diff)
        if self.source.snapshot is not snapshot:
            self._hear(News(self.source.state, self.source.snapshot))

    def _suspend(self) -> None:
        history = self.table.history
        if history.ready and self._begun:
            self.log.error("{name}: no source has data any more", name=self.table.name)
            history.suspend()
            self.serving.touched()
        self._report()

    def _commit(self, snapshot: Snapshot, diff: Diff) -> None:
        history = self.table.history
        there = history.ready
        changed = history.commit(snapshot, diff)
        self._known, self._begun = history.snapshot, True
        self.serving.touched()  # that the source stands behind the data is worth keeping, too
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
        complete = self._known is not None and self.source.complete
        self.serving.report(self.table, complete, "; ".join(problems))


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
