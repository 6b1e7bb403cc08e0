"""A source that says what it is told to say, one who listens, and a thread that works when the test wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rotonda.rpki.sources import News, SourceState
from rotonda.units.sources import SourceUnit
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
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


class Thread:
    """Takes work as `deferToThread` does, and does it when it is told to `run`."""

    def __init__(self) -> None:
        self._work: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def __call__(self, work: Callable[[], Any]) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self._work.append((work, done))
        return done

    @property
    def waiting(self) -> int:
        """How much there is to do."""
        return len(self._work)

    def run(self) -> None:
        """Do what has waited longest."""
        work, done = self._work.pop(0)
        maybeDeferred(work).chainDeferred(done)

    def fail(self, wrong: Exception) -> None:
        """Fail to do it."""
        self._work.pop(0)[1].errback(wrong)


def started(unit: SourceUnit, reactor: Any) -> MultiService:
    """A daemon that has nothing but this source, and runs."""
    parent = MultiService()
    unit.start(parent, reactor)
    parent.startService()
    return parent
