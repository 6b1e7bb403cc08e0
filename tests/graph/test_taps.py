"""RPKI data from one to several, and from several to one."""

from __future__ import annotations

from rotonda.graph.taps import Junction, TableTap, tap
from rotonda.rpki.sources import SourceState
from rotonda.units.serving import new_history
from twisted.application.service import MultiService
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import VRP4, Records, Snapshot
from tests.units.puppets import Ear, Puppet


def vrps(*numbers: int) -> Snapshot:
    return Snapshot.of(
        {VRP4: Records.of(VRP4, [bytes((10, number, 0, 0, 16, 16, 0, 0, 0, number + 1)) for number in numbers])}
    )


class RelayTests(SynchronousTestCase):
    def test_says_the_same(self) -> None:
        source = Puppet(name="source")
        source.say(vrps(1))
        relay = tap(source)
        self.assertEqual((relay.state, relay.snapshot), (SourceState.CURRENT, source.snapshot))
        ear = Ear(self, relay)
        relay.start(MultiService(), Clock())
        source.say(vrps(1, 2))
        source.say(None)
        self.assertEqual(ear.changes, [1])  # who has just come is told all, and then what changes
        self.assertEqual([None if each.snapshot is None else each.snapshot.count for each in ear.heard], [1, 2, None])

    def test_another_source(self) -> None:
        one, other = Puppet(name="one"), Puppet(name="other")
        one.say(vrps(1))
        other.say(vrps(1, 2))
        relay = tap(one)
        ear = Ear(self, relay)
        relay.use(other)
        self.assertEqual(ear.last.snapshot, vrps(1, 2))
        one.say(vrps(7))
        self.assertEqual(ear.last.snapshot, vrps(1, 2))
        self.assertEqual((len(one._east), len(other._east)), (0, 1))
        relay.leave()
        self.assertEqual(len(other._east), 0)

    def test_table(self) -> None:
        history = new_history()
        source = TableTap(name="table", history=history)
        ear = Ear(self, source)
        history.commit(vrps(1, 2))
        history.commit(vrps(2))
        self.assertEqual((ear.changes, ear.last.snapshot), ([1], vrps(2)))


class JunctionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.sources = [Puppet(name=name) for name in ("one", "two", "three")]
        self.junction = Junction("rib", Clock())
        self.junction.startService()
        self.addCleanup(self.junction.stopService)
        self.ear = Ear(self, self.junction.source)

    def test_one(self) -> None:
        self.junction.join(self.sources[:1])
        self.sources[0].say(vrps(1))
        self.assertEqual(self.junction.source.snapshot, vrps(1))

    def test_several(self) -> None:
        self.junction.join(self.sources)
        for number, source in enumerate(self.sources):
            source.say(vrps(number, 9))
        self.assertEqual(self.junction.source.snapshot, vrps(0, 1, 2, 9))

    def test_others_later(self) -> None:
        one, two, three = self.sources
        for number, source in enumerate(self.sources):
            source.say(vrps(number))
        self.junction.join([one])
        self.junction.join([one, two])
        self.assertEqual(self.junction.source.snapshot, vrps(0, 1))
        self.junction.join([two, three])
        self.assertEqual(self.junction.source.snapshot, vrps(1, 2))
        self.junction.join([])
        self.assertIsNone(self.junction.source.snapshot)
        self.assertEqual([len(source._east) for source in self.sources], [0, 0, 0])

    def test_again_and_again_leaves_nothing(self) -> None:
        for _ in range(20):
            self.junction.join(self.sources[:2])
        self.assertEqual([len(source._east) for source in self.sources], [1, 1, 0])
        self.assertEqual(len(list(self.junction)), 1)
        self.junction.leave()
        self.assertEqual((len(list(self.junction)), len(self.sources[0]._east)), (0, 0))
