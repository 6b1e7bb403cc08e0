from __future__ import annotations

from dataclasses import replace

from rotoro.session.effects import Effect, Note, Update, WakeAt
from rotoro.session.followed import MAX_MISMATCHES
from rotoro.session.peer import ServingPeer
from rotoro.session.tables import ServedTables
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.rotoro import (
    Commit,
    RecordKind,
    Subscribe,
)
from rotoro.wire.rtr import ErrorReport
from tests.session.followers import ENTRY, FollowerCase
from tests.session.worlds import closes, history, sent, vrps
from tests.simulator import Client, Server, Simulator, Weather


class MismatchTests(FollowerCase):
    """X-13."""

    def corrupt(self, table: Snapshot) -> None:
        self.peer.tables["one"].snapshot = table

    def test_a_corrupted_table_is_told_of_and_comes_anew(self) -> None:
        self.load()
        self.corrupt(vrps(1, 2, 9))
        effects = self.hear(*self.diff(vrps(1, 2), vrps(2, 3), 2))
        told, wish = sent(effects)
        self.assertIsInstance(told, ErrorReport)
        self.assertEqual((told.code, wish.resume, closes(effects)), (0x8001, 0, False))
        self.assertEqual([effect for effect in effects if isinstance(effect, Update)], [])
        self.assertEqual(self.peer.mismatches, 1)
        late = self.diff(vrps(2, 3), vrps(3), 3)
        self.assertEqual(self.hear(*late), [])
        (update,) = self.hear(*self.whole(vrps(3), 3))
        assert isinstance(update, Update)
        self.assertEqual((update.snapshot, update.diff), (vrps(3), vrps(1, 2, 9).diff(vrps(3))))
        self.assertEqual(len(self.hear(*self.diff(vrps(3), vrps(4), 4))), 1)

    def test_changes_that_cannot_be_are_a_mismatch_too(self) -> None:
        for held in (vrps(2), vrps(1, 2, 3)):
            self.setUp()
            self.load()
            self.corrupt(held)
            told, wish = sent(self.hear(*self.diff(vrps(1, 2), vrps(2, 3), 2)))
            self.assertEqual((told.code, wish.resume), (0x8001, 0))

    def test_a_server_that_is_wrong_again_and_again(self) -> None:
        self.load()
        *most, commit = self.whole(vrps(3), 2)
        assert isinstance(commit, Commit)
        for attempt in range(1, MAX_MISMATCHES + 1):
            effects = self.hear(*most, replace(commit, digest=1))
            self.assertEqual(closes(effects), attempt == MAX_MISMATCHES)
        self.peer.lost(1.0)
        (wish,) = self.open(now=2.0)
        self.assertEqual(wish.resume, 0)

    def test_another_table_that_is_right_does_not_excuse_it(self) -> None:
        self.open(ENTRY, replace(ENTRY, number=2, name="two"))
        *most, commit = self.whole(vrps(3), 2)
        assert isinstance(commit, Commit)
        for attempt in range(1, MAX_MISMATCHES + 1):
            self.assertFalse(closes(self.hear(*self.whole(vrps(1), attempt, number=2))))
            self.assertEqual(closes(self.hear(*most, replace(commit, digest=1))), attempt == MAX_MISMATCHES)

    def test_a_count_that_differs(self) -> None:
        self.load()
        *most, commit = self.whole(vrps(3), 2)
        assert isinstance(commit, Commit)
        told, _ = sent(self.hear(*most, replace(commit, count=5)))
        self.assertEqual(told.code, 0x8001)

    def test_back_to_back_they_agree_in_the_end(self) -> None:
        simulator, table, tables = Simulator(1, Weather((1, 50))), history(vrps(1, 2)), ServedTables()
        tables.add("one", RecordKind.RPKI, table)
        server = Server(simulator, lambda first: ServingPeer(tables))
        client = Client(simulator, self.peer, server)
        client.connect()
        simulator.run(10)
        self.corrupt(vrps(7))
        for number in range(3, 9):
            table.commit(vrps(number, 2))
            server.changed()
            simulator.run(0.05)
        simulator.run(10)
        self.assertEqual(self.peer.tables["one"].snapshot, table.snapshot)
        self.assertEqual(self.peer.mismatches, 1)
        self.assertTrue(client.connected)


class ExpiryTests(FollowerCase):
    expire = 1000

    def given_up(self, effects: list[Effect]) -> list[str]:
        return [effect.table for effect in effects if isinstance(effect, Update) and effect.snapshot == EMPTY]

    def test_rpki_data_expires_and_routes_do_not(self) -> None:
        self.open(ENTRY, replace(ENTRY, number=2, name="routes", kind=RecordKind.ROUTES))
        self.hear(*self.whole(vrps(1)), *self.whole(vrps(2), number=2))
        self.assertIn(WakeAt(1010.0), self.peer.lost(10.0))
        self.assertEqual(self.given_up(self.peer.wake(1009.0)), [])
        effects = self.peer.wake(1010.0)
        self.assertEqual(self.given_up(effects), ["one"])
        self.assertTrue([effect for effect in effects if isinstance(effect, Note) and effect.warning])
        self.assertEqual(self.peer.tables["routes"].snapshot, vrps(2))
        self.assertEqual(self.peer.wake(2000.0), [])
        wishes = self.open(ENTRY, replace(ENTRY, number=2, name="routes", kind=RecordKind.ROUTES), now=2000.0)
        self.assertEqual([wish.resume for wish in wishes], [0, 1])

    def test_failed_attempts_do_not_make_it_younger(self) -> None:
        self.load()
        self.peer.lost(10.0)
        for now in range(100, 1000, 100):
            self.open(now=float(now))
            self.peer.lost(float(now) + 1)
        self.assertEqual(self.given_up(self.peer.wake(1010.0)), ["one"])

    def test_a_server_without_data_is_no_news(self) -> None:
        self.load()
        self.peer.lost(10.0)
        self.open(now=990.0)
        self.peer.heard(1000.0)
        self.assertIn(WakeAt(1010.0), self.peer.wake(1009.0))
        self.assertEqual(self.given_up(self.peer.wake(1010.0)), ["one"])

    def test_changes_of_what_has_expired_are_of_no_use(self) -> None:
        for begun in (0, 1):
            self.setUp()
            self.load()
            self.peer.lost(10.0)
            self.open(now=990.0)
            late = self.diff(vrps(1, 2), vrps(2), 2)
            self.hear(*late[:begun], now=1005.0)
            effects = self.peer.wake(1010.0)
            wishes = [pdu.resume for pdu in sent(effects) if isinstance(pdu, Subscribe)]
            self.assertEqual((self.given_up(effects), wishes), (["one"], [0]))
            self.assertEqual(self.hear(*late[begun:], now=1011.0), [])
            (update,) = self.hear(*self.whole(vrps(2), 2), now=1012.0)
            assert isinstance(update, Update)
            self.assertEqual(update.snapshot, vrps(2))

    def test_a_commit_is_news(self) -> None:
        self.load()
        self.peer.lost(10.0)
        self.open(now=990.0)
        self.hear(*self.whole(vrps(3), 9), now=990.0)
        self.peer.heard(1005.0)
        self.assertEqual(self.given_up(self.peer.wake(1010.0)), [])
