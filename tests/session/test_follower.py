from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.effects import Effect, Note, Send, Streamed, TableStatus, Update, WakeAt
from rotoro.session.follower import MAX_MISMATCHES, FollowingPeer, State, Want, follow_all, follow_rpki
from rotoro.session.parameters import GREETING_SECONDS, Parameters
from rotoro.session.peer import ServingPeer
from rotoro.session.routes import RotoroEncoder
from rotoro.session.tables import ServedTables
from rotoro.table.attributes import AttributeStore
from rotoro.table.history import History
from rotoro.table.history import State as TableState
from rotoro.table.serial import Position
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire import Decoder
from rotoro.wire.errors import CorruptData, TransportFailed
from rotoro.wire.pdu import ROTORO, Pdu
from rotoro.wire.rotoro import (
    Begin,
    BracketKind,
    Catalogue,
    Commit,
    Counter,
    FieldType,
    Goodbye,
    Hello,
    HelloAck,
    Keepalive,
    Mode,
    Params,
    RecordKind,
    Status,
    Subscribe,
    TableEntry,
    TypeDefinition,
    TypeField,
)
from rotoro.wire.rtr import ErrorReport
from tests.session.worlds import Routes, aspa, closes, history, providers, recounted, report, sent, snapshot, vrps
from tests.simulator import Client, Server, Simulator, Weather

PARAMS = Params(0, 1 << 20, 1 << 20, 20, "server")
ENTRY = TableEntry(1, RecordKind.RPKI, 3, 0, 0, 2, 5, 1, "one")


def decoded(pieces: Any) -> list[Pdu]:
    decoder = Decoder()
    decoder.receive(b"".join(pieces))
    return [pdu for _, pdu in decoder.items()]


class FollowerCase(SynchronousTestCase):
    want = Want()
    expire = 7200

    def setUp(self) -> None:
        self.peer = FollowingPeer(
            lambda entry: self.want, AttributeStore(), lambda i: i, Parameters(expire=self.expire)
        )

    def hear(self, *pdus: Pdu, now: float = 0.0) -> list[Effect]:
        return [effect for pdu in pdus for effect in self.peer.receive(ROTORO, pdu, now)]

    def open(self, *entries: TableEntry, now: float = 0.0) -> list[Any]:
        self.peer.start(now)
        return sent(self.hear(HelloAck(0), PARAMS, Catalogue(entries or (ENTRY,)), now=now))[1:]

    def whole(self, table: Snapshot, serial: int = 1, number: int = 1) -> list[Pdu]:
        return decoded(RotoroEncoder(number).snapshot(TableState(Position(5, serial), table)))

    def diff(self, before: Snapshot, after: Snapshot, serial: int) -> list[Pdu]:
        state = TableState(Position(5, serial), after)
        return decoded(RotoroEncoder(1).diff(before.diff(after), Position(5, serial - 1), state))

    def load(self, now: float = 0.0) -> None:
        self.open(now=now)
        self.hear(*self.whole(vrps(1, 2)), now=now)


class OpeningTests(FollowerCase):
    def test_hello_then_parameters_then_what_is_wanted(self) -> None:
        self.assertEqual(self.peer.start(0.0), [Send(ROTORO, Hello(0)), WakeAt(GREETING_SECONDS)])
        self.assertEqual(sent(self.hear(HelloAck(0))), [Parameters().pdu])
        self.assertEqual(sent(self.hear(PARAMS)), [])
        (wish,) = sent(self.hear(Catalogue((ENTRY,))))
        self.assertEqual((wish.table, wish.mode, wish.resume, wish.families), (1, Mode.FOLLOW, 0, 3))
        self.assertEqual((self.peer.name, self.peer.state), ("server", State.OPEN))

    def test_a_server_that_does_not_go_on(self) -> None:
        for said in ((), (HelloAck(0),), (HelloAck(0), PARAMS)):
            self.setUp()
            self.peer.start(0.0)
            self.hear(*said)
            self.assertFalse(closes(self.peer.wake(GREETING_SECONDS - 1)))
            self.assertTrue(closes(self.peer.wake(GREETING_SECONDS)))

    def test_what_to_select(self) -> None:
        routes = replace(ENTRY, kind=RecordKind.ROUTES)
        typed = replace(ENTRY, kind=RecordKind.TYPED)
        self.assertEqual([follow_all(entry) is None for entry in (ENTRY, routes, typed)], [False, False, True])
        self.assertEqual([follow_rpki(entry) is None for entry in (ENTRY, routes, typed)], [False, True, True])

    def test_tables_come_and_go(self) -> None:
        self.load()
        two = replace(ENTRY, number=2, name="two")
        (wish,) = sent(self.hear(Catalogue((ENTRY, two))))
        self.assertEqual((wish.table, wish.resume), (2, 0))
        effects = self.hear(Catalogue((two,)))
        (update,) = (effect for effect in effects if isinstance(effect, Update))
        self.assertEqual((update.table, update.snapshot, update.kind), ("one", EMPTY, RecordKind.RPKI))
        self.assertEqual(sent(effects), [])
        self.assertEqual(list(self.peer.tables), ["two"])
        (again,) = sent(self.hear(Catalogue((replace(two, number=7),))))
        self.assertEqual(again.table, 7)

    def test_keepalives(self) -> None:
        self.load()
        self.assertEqual(sent(self.hear(Keepalive(0, 9))), [Keepalive(1, 9)])
        self.assertEqual(sent(self.hear(Keepalive(1, 9))), [])
        self.assertEqual(sent(self.peer.wake(20.0)), [Keepalive(0, 20_000)])
        self.assertTrue(closes(self.peer.wake(60.0)))


class BracketTests(FollowerCase):
    def test_a_snapshot_and_changes(self) -> None:
        self.open()
        (update,) = self.hear(*self.whole(vrps(1, 2)))
        assert isinstance(update, Update)
        self.assertEqual(
            (update.position, update.snapshot, update.diff), (Position(5, 1), vrps(1, 2), EMPTY.diff(vrps(1, 2)))
        )
        (update,) = self.hear(*self.diff(vrps(1, 2), vrps(2, 3), 2))
        assert isinstance(update, Update)
        self.assertEqual((update.position, update.snapshot), (Position(5, 2), vrps(2, 3)))
        (update,) = self.hear(*self.whole(vrps(4), 9))
        assert isinstance(update, Update)
        self.assertEqual(update.diff, vrps(2, 3).diff(vrps(4)))

    def test_nothing_is_used_before_the_commit(self) -> None:
        self.load()
        *most, _ = self.diff(vrps(1, 2), vrps(3), 2)
        self.assertEqual(self.hear(*most), [])
        self.assertTrue(self.peer.receiving)
        self.peer.lost(1.0)
        self.assertFalse(self.peer.receiving)
        self.assertEqual(self.peer.tables["one"].snapshot, vrps(1, 2))
        (wish,) = self.open(now=2.0)
        self.assertEqual((wish.resume, wish.epoch, wish.serial), (1, 5, 1))

    def test_what_is_refused(self) -> None:
        begin, run, commit = self.whole(vrps(3), 2)
        assert isinstance(begin, Begin)
        assert isinstance(commit, Commit)
        diff = replace(begin, kind=BracketKind.DIFF, from_epoch=5, from_serial=7)
        for code, pdus in (
            (0x8002, [replace(begin, table=2)]),
            (0, [diff]),
            (3, [begin, begin]),
            (0x8002, [begin, run, replace(commit, table=2)]),
            (0, [begin, run, replace(commit, serial=3)]),
            (3, [run]),
            (3, [commit]),
            (0x8002, [Status(2, 0, 0, "", ())]),
        ):
            with self.subTest(code=hex(code), pdus=[pdu.title for pdu in pdus]):
                self.setUp()
                self.load()
                effects = self.hear(*pdus)
                told = report(effects)
                assert told is not None
                self.assertEqual(told.code, code)
                self.assertTrue(closes(effects))
                self.assertEqual(self.peer.tables["one"].snapshot, vrps(1, 2))

    def test_a_stall_costs_the_bracket_and_an_error_the_table(self) -> None:
        for error, resume in ((TransportFailed("stalled"), 1), (CorruptData("wrong"), 0)):
            self.setUp()
            self.load()
            self.hear(*self.diff(vrps(1, 2), vrps(3), 2)[:2])
            self.assertTrue(closes(self.peer.fail(error)))
            self.peer.lost(1.0)
            (wish,) = self.open(now=2.0)
            self.assertEqual(wish.resume, resume)

    def test_types_are_defined_once(self) -> None:
        self.load()
        kind = TypeDefinition(3, "Thing", (TypeField("x", FieldType.U8, 0),))
        self.assertEqual(self.hear(kind, kind), [])
        told = report(self.hear(replace(kind, name="Other")))
        assert told is not None
        self.assertEqual(told.code, 0)

    def test_status(self) -> None:
        self.load()
        (told,) = self.hear(Status(1, 1, 1, "slow\n", (Counter("a\x1b", 5),)))
        self.assertEqual(told, TableStatus("one", 1, True, "slow\\x0a", (("a\\x1b", 5),)))

    def test_goodbye(self) -> None:
        self.load()
        self.assertTrue(closes(self.hear(Goodbye(1, 30, "soon"))))
        self.assertEqual(self.peer.retry_seconds, 30)
        self.peer.lost(1.0)
        self.open(now=31.0)
        self.assertEqual(self.peer.retry_seconds, 0)


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


class StreamTests(FollowerCase):
    want = Want(Mode.STREAM)

    def pairs(self, before: Snapshot, after: Snapshot, serial: int) -> list[Pdu]:
        state = TableState(Position(5, serial), after)
        return decoded(RotoroEncoder(1, stream=True).diff(before.diff(after), Position(5, serial - 1), state))

    def test_routes_stand_alone(self) -> None:
        routes = Routes()
        keys = list(routes.pool)[:3]
        before, after = snapshot({keys[0]: (b"", 0)}), snapshot({keys[1]: (b"a", 5), keys[2]: (b"", 9)})
        self.open()
        (streamed,) = self.hear(*self.pairs(before, after, 2))
        assert isinstance(streamed, Streamed)
        self.assertEqual((streamed.position, [len(rows.keys) for rows in streamed.rows]), (Position(5, 2), [3]))
        self.assertEqual(streamed.rows[0].announced.tolist(), [False, True, True])
        self.peer.lost(1.0)
        (wish,) = self.open(now=2.0)
        self.assertEqual((wish.mode, wish.resume, wish.epoch, wish.serial), (Mode.STREAM, 1, 5, 2))

    def test_pairs_without_their_commit_are_lost_with_the_connection(self) -> None:
        routes = Routes()
        key = next(iter(routes.pool))
        self.open()
        self.hear(*self.pairs(EMPTY, snapshot({key: (b"a", 5)}), 2)[:-1])
        self.assertTrue(self.peer.receiving)
        told = report(self.hear(*self.whole(vrps(1), 7)))
        assert told is not None
        self.assertEqual(told.code, 3)
        self.peer.lost(1.0)
        self.assertFalse(self.peer.receiving)

    def test_rpki_data_comes_in_brackets(self) -> None:
        self.open()
        before, after = snapshot({aspa(1): providers(2)}), snapshot({aspa(1): providers(3), aspa(2): providers(4)})
        (streamed,) = self.hear(*self.pairs(before, after, 2))
        assert isinstance(streamed, Streamed)
        self.assertEqual([(rows.slot.name, len(rows.keys)) for rows in streamed.rows], [("aspa", 2)])
        (streamed,) = self.hear(*self.pairs(after, vrps(1), 3))
        assert isinstance(streamed, Streamed)
        self.assertEqual([rows.announced.tolist() for rows in streamed.rows], [[True], [False, False]])
        told = report(self.hear(*self.pairs(vrps(1), vrps(2), 9)))
        assert told is not None
        self.assertEqual(told.code, 0)

    def test_a_whole_table_where_the_pairs_are_lost(self) -> None:
        self.open()
        (update,) = self.hear(*self.whole(vrps(1), 7))
        assert isinstance(update, Update)
        self.assertEqual((update.snapshot, self.peer.tables["one"].snapshot), (vrps(1), EMPTY))

    def test_no_pairs_without_a_commit(self) -> None:
        self.open()
        (streamed,) = self.hear(Commit(1, 5, 2, 0, 0))
        self.assertEqual(streamed, Streamed("one", Position(5, 2), ()))


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


class AttributeTests(SynchronousTestCase):
    def test_what_a_table_names_is_kept_and_no_more(self) -> None:
        """A follower owns its tables: nobody else may hold the attribute sets for it."""
        simulator, routes, tables = Simulator(1), Routes(), ServedTables()
        pool = list(routes.pool.items())
        table = History(5)
        table.commit(snapshot({key: values[0] for key, values in pool}))
        tables.add("all", RecordKind.ROUTES, table)
        server = Server(simulator, lambda first: ServingPeer(tables))
        peer = FollowingPeer(follow_all, AttributeStore(), lambda ingress: ingress)
        Client(simulator, peer, server).connect()
        for place in (2, 4, 6):
            table.commit(snapshot({key: values[place] for key, values in pool[: 3 * place]}))
            server.changed()
            simulator.run(10)
            for _ in range(3):
                peer._store.sweep()
            self.assertEqual(recounted(peer.tables["all"].snapshot).digest, table.snapshot.digest)
            self.assertEqual(len(peer._store), 1)
        peer.forget("enough")
        for _ in range(3):
            peer._store.sweep()
        self.assertEqual(len(peer._store), 0)


class LimitTests(SynchronousTestCase):
    def test_few_attribute_sets_are_enough(self) -> None:
        """The least that PARAMS may allow."""
        simulator, routes = Simulator(1), Routes()
        table = snapshot({key: values[-2] for key, values in routes.pool.items()})
        made = History(5)
        made.commit(table)
        tables = ServedTables()
        tables.add("all", RecordKind.ROUTES, made)
        small = Parameters(max_pdu=1 << 17, max_sets=1 << 16)
        peer = FollowingPeer(follow_all, AttributeStore(), lambda ingress: ingress, small)
        Client(simulator, peer, Server(simulator, lambda first: ServingPeer(tables))).connect()
        simulator.run(10)
        self.assertEqual(peer.tables["all"].snapshot.digest, table.digest)
        self.assertEqual(peer.max_pdu, 1 << 17)
