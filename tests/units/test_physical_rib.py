"""Tests for L{rotonda.units.physical_rib}: a RIB between a west and an east, in memory."""

from __future__ import annotations

from typing import Any

from rotonda.units.physical_rib import RibUnit
from rotonda.units.serving import SWEEP_SECONDS, Serving, new_history
from twisted.application.service import MultiService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import Connect, HostPort, Listen
from rotoro.session.negotiation import Mode
from rotoro.table import AttributeStore, IngressState, Snapshot
from rotoro.wire.rotoro import Health, RecordKind
from tests.rib.tables import ingresses, random_routes, snapshot_of
from tests.session.worlds import vrps
from tests.units.joined import Joined

WESTS = [Connect(HostPort("127.0.0.1", 1001)), Connect(HostPort("127.0.0.1", 1002))]


class West:
    """A server that a RIB follows, and what it serves."""

    def __init__(self, reactor: Any, name: str) -> None:
        self.store = AttributeStore()
        self.routes, self.rpki = new_history(), new_history()
        self.serving = Serving(reactor, name, Listen(HostPort("127.0.0.1", 0)), self.routes, self.rpki)

    def table(self, seed: int, *peers: int) -> Snapshot:
        """Some routes from these peers."""
        return snapshot_of(random_routes(seed, 40, [ingresses()[peer] for peer in peers]), self.store)


class RibUnitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.unit = RibUnit(self.reactor, "rib", WESTS, Mode.ROTORO, Listen(HostPort("127.0.0.1", 0)))
        self.parent = MultiService()
        self.unit.attach(self.parent)
        self.parent.startService()
        self.addCleanup(self.parent.stopService)
        self.one, self.two = (West(self.reactor, name) for name in ("one", "two"))

    def join(self, west: West, number: int) -> Joined:
        return Joined(self.reactor, self.unit.wests[number], west.serving)

    def load(self, west: West, routes: Snapshot, rpki: Snapshot) -> None:
        west.routes.commit(routes)
        west.rpki.commit(rpki)
        for table in (west.serving.routes, west.serving.rpki):
            assert table is not None
            west.serving.report(table, complete=True)

    def test_two_wests_become_one_rib(self) -> None:
        self.load(self.one, self.one.table(1, 0), vrps(1, 2))
        self.load(self.two, self.two.table(2, 0), vrps(2, 3))
        self.assertEqual(self.unit.missing(), ["127.0.0.1:1001", "127.0.0.1:1002"])
        self.join(self.one, 0)
        self.assertEqual(self.unit.missing(), ["127.0.0.1:1002"])
        self.join(self.two, 1)
        self.assertEqual((self.unit.missing(), [link.state for link in self.unit.links()]), ([], ["open", "open"]))
        (rib,) = self.unit.ribs()
        self.assertEqual(rib.tables["rpki"].snapshot, vrps(1, 2, 3))
        self.assertEqual(
            rib.tables["rib"].snapshot.count, self.one.routes.snapshot.count + self.two.routes.snapshot.count
        )
        self.assertEqual([self.unit.ingresses.link(number) for number in (0, 1)], [str(west) for west in WESTS])
        self.assertTrue(self.unit.serving.rpki.end_of_rib)

    def test_routes_of_a_west_that_is_away_are_stale(self) -> None:
        self.load(self.one, self.one.table(1, 0), vrps())
        connection = self.join(self.one, 0)
        self.assertEqual([ingress.state for ingress in self.unit.ingresses], [IngressState.UP])
        revision = self.unit.ingresses.revision
        connection.lose()
        self.assertEqual([ingress.state for ingress in self.unit.ingresses], [IngressState.DOWN])
        self.assertGreater(self.unit.ingresses.revision, revision, "answers of before are no longer true")
        self.reactor.advance(10)
        self.join(self.one, 0)
        self.assertEqual([ingress.state for ingress in self.unit.ingresses], [IngressState.UP])

    def test_what_is_wrong_in_the_west_is_told_in_the_east(self) -> None:
        connection = self.join(self.one, 0)
        self.one.serving.report(self.one.serving.rpki, complete=True, problems="no such file")
        connection.carry()
        table = self.unit.serving.rpki
        self.assertEqual((table.health, table.text), (Health.STALLED, "127.0.0.1:1001: one.rpki: no such file"))

    def test_a_dispute_is_told_and_what_follows_it_is_right(self) -> None:
        """One west has two tables with routes of one ingress, which nobody can join; then only one of them has."""
        mine, second = self.one.table(1, 0), new_history()
        self.load(self.one, mine, vrps())
        self.one.serving.tables.add("one.second", RecordKind.ROUTES, second)
        second.commit(self.one.table(2, 0))
        connection = self.join(self.one, 0)
        history, served = self.unit.rib.routes.history, self.unit.serving.routes
        assert served is not None
        self.assertEqual(history.snapshot.count, mine.count)
        self.assertEqual(served.health, Health.STALLED)
        self.assertIn("127.0.0.1:1001 one.second, but 127.0.0.1:1001 one.routes has it", served.text)
        self.one.routes.commit(Snapshot.of({}))
        self.one.serving.changed()
        connection.carry()
        second.commit(self.one.table(3, 0))
        self.one.serving.changed()
        connection.carry()
        self.assertEqual(history.snapshot.count, second.snapshot.count)
        self.assertEqual(history.snapshot.digest, Snapshot.of(dict(history.snapshot)).digest)
        self.assertEqual(served.health, Health.HEALTHY)

    def test_attribute_sets_without_routes_are_freed(self) -> None:
        self.load(self.one, self.one.table(1, 0), vrps())
        connection = self.join(self.one, 0)
        self.unit.rib.attributes.intern(b"nobody's")
        named = len(self.unit.rib.attributes) - 1
        self.reactor.pump([SWEEP_SECONDS])
        connection.carry()
        self.assertEqual(len(self.unit.rib.attributes), named + 1, "somebody may be about to use it")
        self.reactor.pump([SWEEP_SECONDS] * 2)
        self.assertEqual(len(self.unit.rib.attributes), named)
