"""A source that says what it is told to say, and one who listens."""

from __future__ import annotations

from typing import Any

from rotonda.rpki.sources import News, SourceState
from rotonda.units.sources import SourceUnit
from twisted.application.service import MultiService
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, Snapshot


class Puppet(SourceUnit):
    """A source in the hands of a test."""

    def say(self, snapshot: Snapshot | None, state: SourceState | None = None) -> None:
        """This is so now; current or gone if nothing else is said."""
        usual = SourceState.GONE if snapshot is None else SourceState.CURRENT
        before = EMPTY if self.snapshot is None else self.snapshot
        self._tell(usual if state is None else state, snapshot, None if snapshot is None else before.diff(snapshot))


class Ear:
    """Follows a source by its diffs alone, and compares with what it says it has."""

    def __init__(self, case: SynchronousTestCase, source: SourceUnit) -> None:
        self.heard: list[News] = []
        self._case, self._held = case, EMPTY
        source.subscribe(self._hear)

    @property
    def changes(self) -> list[int]:
        """How many records each of the news changed, without those that changed none."""
        return [news.diff.count for news in self.heard if news.diff]

    @property
    def last(self) -> News:
        return self.heard[-1]

    def _hear(self, news: News) -> None:
        self.heard.append(news)
        if news.snapshot is None:
            self._held = EMPTY
            return
        self._case.assertTrue(news.state.usable)
        diff = self._held.diff(news.snapshot) if news.diff is None else news.diff
        self._held = diff.apply(self._held)
        self._case.assertEqual((self._held, self._held.count), (news.snapshot, news.snapshot.count))


def started(unit: SourceUnit, reactor: Any) -> MultiService:
    """A daemon that has nothing but this source, and runs."""
    parent = MultiService()
    unit.start(parent, reactor)
    parent.startService()
    return parent
