"""Tests for L{rotonda.units.sources}: what is told, and to whom; and whole rows of sources, whatever happens when."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.rpki.exceptions import NO_EXCEPTIONS
from rotonda.rpki.policies import Merged
from rotonda.rpki.slurm import read_slurm
from rotonda.rpki.sources import News, SourceState
from rotonda.units.aside import Aside
from rotonda.units.exceptions_unit import ExceptionsUnit
from rotonda.units.policy_unit import AnyUnit, MergeUnit
from rotonda.units.served_source import ServedSource
from rotonda.units.serving import Serving, new_history
from twisted.application.service import MultiService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import HostPort, Listen
from rotoro.table import EMPTY, Diff
from tests.rpki.test_slurm import octets, slurm
from tests.session.worlds import vrps
from tests.units.puppets import Ear, Puppet, Thread

STATES = (SourceState.CURRENT, SourceState.CURRENT, SourceState.STALE, SourceState.EXPIRED)
EXCEPTIONS = [
    NO_EXCEPTIONS,
    *(
        read_slurm(octets(slurm(prefixFilters=[{"prefix": f"10.{number}.0.0/16"} for number in numbers])), "local.json")
        for numbers in ((1,), (2, 3))
    ),
]


class TellingTests(SynchronousTestCase):
    def test_who_could_not_take_the_news_gets_everything_with_the_next(self) -> None:
        source, broken = Puppet(name="source"), True
        heard: list[News] = []

        def listen(news: News) -> None:
            if broken:
                raise RuntimeError("not now")
            heard.append(news)

        source.subscribe(listen)
        ear = Ear(self, source)
        source.say(vrps(1))
        source.say(vrps(1, 2))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertEqual(len(ear.heard), 2, "others are told all the same")
        broken = False
        source.say(vrps(2))
        source.say(vrps(2, 3))
        self.assertEqual([news.diff for news in heard], [None, vrps(2).diff(vrps(2, 3))])
        self.assertEqual(ear.changes, [1, 1, 1])


class Row:
    """Two sources merged, beside or before a third one, with exceptions, served; threads are slow and fail."""

    def __init__(self, case: SynchronousTestCase, chance: random.Random) -> None:
        self.case, self.chance = case, chance
        self.clock: Any = MemoryReactorClock()
        self.puppets = [Puppet(name=name) for name in "abc"]
        self.merge = MergeUnit(name="both", sources=self.puppets[:2])
        sources = [self.merge, self.puppets[2]]
        self.top = AnyUnit(sources=sources, hold=5) if chance.random() < 0.5 else MergeUnit(name="all", sources=sources)
        self.exceptions = ExceptionsUnit(source=self.top, paths=[])
        self.exceptions.readings.stopped = True
        self.history = new_history()
        serving = Serving(self.clock, "here", Listen(HostPort("127.0.0.1", 0)), None, self.history)
        self.served = ServedSource(self.exceptions, serving.rpki, serving)
        self.threads = [self.slow(unit) for unit in (self.merge, self.top, self.exceptions, self.served)]
        for unit in (self.merge, self.top, self.exceptions):
            Ear(case, unit)
        self.followed = EMPTY
        """What somebody has who follows the table by its diffs alone."""
        self.history.subscribe(self.follow)
        parent = MultiService()
        self.served.start(parent, self.clock)
        parent.startService()
        case.addCleanup(parent.stopService)

    def slow(self, unit: Any) -> Thread:
        thread = Thread()
        unit.aside = Aside(self.chance.choice([0, 1, 2, 50]), thread)
        return thread

    def follow(self, diff: Diff) -> None:
        self.followed = diff.apply(self.followed)

    def say(self, puppet: Puppet) -> None:
        numbers = self.chance.sample(range(1, 8), self.chance.randrange(5))
        puppet.say(vrps(*numbers), self.chance.choice(STATES))

    def step(self) -> None:
        """Something happens."""
        thread, what = self.chance.choice(self.threads), self.chance.random()
        if what < 0.1:
            self.chance.choice(self.puppets).say(None)
        elif what < 0.45:
            self.say(self.chance.choice(self.puppets))
        elif what < 0.55:
            self.exceptions.use(self.chance.choice(EXCEPTIONS))
        elif what < 0.7:
            self.clock.advance(self.chance.choice([1, 3, 6, 11]))
        elif thread.waiting and what < 0.78:
            thread.fail(MemoryError())
            self.case.flushLoggedErrors(MemoryError)
        elif thread.waiting:
            thread.run()

    def rest(self) -> None:
        """Everything comes to its end; all sources have told something since anything failed."""
        for _ in range(2):
            for puppet in self.puppets:
                puppet.say(vrps(*self.chance.sample(range(1, 8), 3)))
            for _ in range(10):
                for thread in self.threads:
                    while thread.waiting:
                        thread.run()
                self.clock.advance(6)


class RowTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=60)
    @given(st.integers(0, 1 << 32))
    def test_diffs_lead_to_what_is_told_and_in_the_end_it_is_what_it_should_be(self, seed: int) -> None:
        row = Row(self, random.Random(seed))
        for _ in range(60):
            row.step()
            self.assertEqual(row.followed, row.history.snapshot)
        row.exceptions.use(EXCEPTIONS[1])
        row.rest()
        both = Merged()
        for puppet in row.merge.sources:
            both.update(puppet.name, puppet.snapshot)
        self.assertEqual(row.merge.snapshot, both.snapshot)
        if isinstance(row.top, MergeUnit):
            both.update("c", row.puppets[2].snapshot)
        top = both.snapshot
        self.assertEqual(row.top.snapshot, top)
        self.assertEqual(row.exceptions.snapshot, EXCEPTIONS[1].of(top).apply(top))
        self.assertEqual((row.history.ready, row.history.snapshot), (True, row.exceptions.snapshot))
        self.assertEqual(self.flushLoggedErrors(), [])
