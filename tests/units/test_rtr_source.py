"""Tests for L{rotonda.units.rtr_source}: a cache that comes, goes, talks nonsense, and comes back."""

from __future__ import annotations

from typing import Any

from rotonda.rpki.sources import SourceState
from rotonda.units.rtr_source import RtrSource
from rotonda.units.serving import Serving, new_history
from twisted.application.service import MultiService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import Connect, HostPort, Listen
from rotoro.session.negotiation import Mode
from rotoro.table import EMPTY, History, Snapshot
from rotoro.wire.codec import encode
from rotoro.wire.rotoro import RecordKind
from rotoro.wire.rtr import CacheResponse, EndOfData
from tests.net.transports import connected
from tests.session.worlds import vrps
from tests.units.joined import Joined
from tests.units.puppets import Ear

CURRENT, STALE, EXPIRED, CONNECTING, GONE = SourceState
WEST = Connect(HostPort("127.0.0.1", 323))
EXPIRE = 7200


class RtrSourceCase(SynchronousTestCase):
    mode = Mode.RTR

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.joined = 0
        self.begin_cache()

    def begin_cache(self) -> None:
        """A cache begins, with a session and serials of its own."""
        self.history = new_history()
        self.serving = Serving(self.reactor, "west", Listen(HostPort("127.0.0.1", 0)), None, self.history)

    def start(self, **options: Any) -> RtrSource:
        self.source = RtrSource(name=str(WEST), to=WEST, mode=self.mode, **options)
        self.ear = Ear(self, self.source)
        parent = MultiService()
        self.source.start(parent, self.reactor)
        parent.startService()
        self.addCleanup(parent.stopService)
        return self.source

    def join(self) -> Joined:
        """A connection, as soon as the source asks for one."""
        while len(self.reactor.tcpClients) == self.joined:
            self.reactor.advance(1)
        self.joined = len(self.reactor.tcpClients)
        return Joined(self.reactor, self.source._link, self.serving)

    def serve(self, connection: Joined, snapshot: Snapshot) -> None:
        """The cache gets this data, and the source hears of it in time."""
        self.history.commit(snapshot)
        self.serving.report(self.serving.rpki, complete=True)
        self.serving.changed()
        connection.carry()
        if self.mode is Mode.RTR:
            self.reactor.advance(61)  # a router is told once a minute
            connection.carry()

    def assertNow(self, state: SourceState, snapshot: Snapshot | None) -> None:
        self.assertEqual((self.source.state, self.source.snapshot), (state, snapshot))


class RtrSourceTests(RtrSourceCase):
    def test_data_and_its_changes(self) -> None:
        source = self.start()
        connection = self.join()
        self.assertNow(CONNECTING, None)
        self.serve(connection, vrps(1, 2))
        self.assertNow(CURRENT, vrps(1, 2))
        self.serve(connection, vrps(2, 3))
        self.assertNow(CURRENT, vrps(2, 3))
        self.assertEqual(self.ear.changes, [2])
        shown = source.shown()
        self.assertEqual((shown.state, shown.mode, shown.records), ("current", "rtr 2", 2))
        self.assertEqual((shown.session is not None, shown.serial), (True, self.history.serial))
        self.assertEqual(shown.expires_in, EXPIRE)

    def test_p_02_a_lost_connection_takes_nothing_away(self) -> None:
        self.start()
        self.history.commit(vrps(1))
        self.join().lose()
        self.reactor.advance(1)
        self.assertNow(STALE, vrps(1))
        self.join()
        self.reactor.advance(1)
        self.assertNow(CURRENT, vrps(1))
        self.assertEqual(self.ear.changes, [])

    def test_p_03_an_aborted_load_is_not_seen(self) -> None:
        self.start()
        self.history.commit(vrps(1))
        connection = self.join()
        connection.lose()
        self.reactor.advance(1)
        self.begin_cache()
        again = self.join()  # a cache without data yet
        again._ends[0].protocol.dataReceived(encode(CacheResponse(7), 2))
        again.lose()
        self.assertNow(STALE, vrps(1))

    def test_p_08_expired_to_the_second(self) -> None:
        for keep, then in ((False, GONE), (True, EXPIRED)):
            with self.subTest(keep=keep):
                self.setUp()
                self.start(keep_stale=keep)
                self.history.commit(vrps(1))
                self.join().lose()
                self.reactor.advance(EXPIRE - 1)
                self.assertNow(STALE, vrps(1))
                self.reactor.advance(1)
                self.assertNow(then, vrps(1) if keep else None)
                self.reactor.advance(10)
                self.assertNow(then, vrps(1) if keep else None)
                self.history.commit(vrps(1, 2))
                self.join()
                self.assertNow(CURRENT, vrps(1, 2))
                self.assertEqual(self.ear.changes, [1] if keep else [])

    def test_p_09_nonsense_takes_nothing_away(self) -> None:
        source = self.start()
        self.history.commit(vrps(1, 2))
        connection = self.join()
        connection._ends[0].protocol.dataReceived(encode(CacheResponse(7), 2))
        self.reactor.advance(1)
        self.assertNow(STALE, vrps(1, 2))
        self.assertEqual(source.errors, 1)
        connection.lose()
        self.history.commit(vrps(2, 3))
        self.join()
        self.assertNow(CURRENT, vrps(2, 3))
        self.assertEqual(self.ear.changes, [2], "one change, not all of it anew")

    def test_p_11_another_session_with_the_same_data_changes_nothing(self) -> None:
        self.start()
        self.history.commit(vrps(1, 2))
        connection = self.join()
        connection.lose()
        self.begin_cache()
        self.history.commit(vrps(1, 2))
        self.join()
        self.assertNow(CURRENT, vrps(1, 2))
        self.assertEqual(self.ear.changes, [])

    def test_a_set_without_records_is_one_wherever_the_cache_counts_from(self) -> None:
        source = self.start()
        cache = connected(self.reactor.tcpClients[-1][2].buildProtocol(None)).protocol
        for pdu in (CacheResponse(0), EndOfData(0, 0, 3600, 600, EXPIRE)):
            cache.dataReceived(encode(pdu, 2))
        self.assertNow(CURRENT, EMPTY)
        self.assertEqual((source.errors, source.problem), (0, None))

    def test_a_cache_that_goes_for_good_takes_its_data_with_it(self) -> None:
        self.start()
        self.history.commit(vrps(1))
        connection = self.join()
        self.serving.factory.goodbye("for good", reason=0)
        connection.carry()
        self.assertNow(GONE, None)

    def test_nobody_there(self) -> None:
        source = self.start()
        self.reactor.advance(100)
        self.assertNow(CONNECTING, None)
        self.assertEqual((source.complete, source.shown().state), (False, "connecting"))


class RotoroSourceTests(RtrSourceCase):
    mode = Mode.ROTORO

    def test_data_and_its_changes(self) -> None:
        source = self.start()
        connection = self.join()
        self.serve(connection, vrps(1, 2))
        self.assertNow(CURRENT, vrps(1, 2))
        self.serve(connection, vrps(2))
        self.assertNow(CURRENT, vrps(2))
        connection.lose()
        self.reactor.advance(1)
        self.assertNow(STALE, vrps(2))
        self.assertEqual(source.shown().mode, "rotoro")

    def test_a_table_that_is_served_no_more(self) -> None:
        self.start()
        connection = self.join()
        self.serve(connection, vrps(1))
        connection.lose()
        self.serving = Serving(self.reactor, "other", Listen(HostPort("127.0.0.1", 0)), None, self.history)
        connection = self.join()
        self.serve(connection, vrps(1, 2))
        self.assertNow(CURRENT, vrps(1, 2))
        self.assertEqual(self.ear.changes, [1])

    def join_with_more(self, more: History) -> Joined:
        """A connection to a server with one more table."""
        self.serving = Serving(self.reactor, "west", Listen(HostPort("127.0.0.1", 0)), None, self.history)
        for table in (self.serving.rpki, self.serving.tables.add("more", RecordKind.RPKI, more)):
            table.end_of_rib = True
        return self.join()

    def test_one_of_two_tables_is_served_no_more(self) -> None:
        source = self.start()
        more = new_history()
        self.history.commit(vrps(1))
        more.commit(vrps(2))
        connection = self.join_with_more(more)
        self.assertNow(CURRENT, vrps(1, 2))
        connection.lose()
        self.serving = Serving(self.reactor, "west", Listen(HostPort("127.0.0.1", 0)), None, self.history)
        self.serving.rpki.end_of_rib = True
        self.join()
        self.assertNow(CURRENT, vrps(1))
        self.reactor.advance(2 * EXPIRE)
        self.assertIn(source.state, (CURRENT, STALE))
        self.assertEqual((source.snapshot, self.ear.changes), (vrps(1), [1]))

    def test_one_of_two_tables_expires_and_comes_back(self) -> None:
        for keep in (False, True):
            with self.subTest(keep=keep):
                self.setUp()
                self.start(keep_stale=keep)
                more = new_history()
                self.history.commit(vrps(1))
                more.commit(vrps(2))
                self.join_with_more(more).lose()
                more.suspend()
                self.reactor.advance(EXPIRE - 120)
                connection = self.join_with_more(more)
                self.assertNow(STALE, vrps(1, 2))
                for _ in range(180):
                    self.reactor.advance(1)
                    connection.carry()  # the two stay in touch
                self.assertNow(STALE, vrps(1, 2) if keep else vrps(1))
                more.commit(vrps(2, 3))
                self.serving.changed()
                connection.carry()
                self.assertNow(CURRENT, vrps(1, 2, 3))
