from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.effects import Send, Streamed, TableStatus, Update, WakeAt
from rotoro.session.follower import FollowingPeer, State, Want, follow_all, follow_rpki
from rotoro.session.parameters import GREETING_SECONDS, Parameters
from rotoro.session.peer import ServingPeer
from rotoro.session.routes import RotoroEncoder
from rotoro.session.tables import ServedTables
from rotoro.table.attributes import AttributeStore
from rotoro.table.history import History
from rotoro.table.history import State as TableState
from rotoro.table.serial import Position
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.errors import BadTypeDefinition, CorruptData, TransportFailed
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
    RecordKind,
    Status,
    TypeDefinition,
    TypeField,
)
from tests.session.followers import ENTRY, PARAMS, FollowerCase, decoded
from tests.session.worlds import Routes, aspa, closes, providers, recounted, report, sent, snapshot, vrps
from tests.simulator import Client, Server, Simulator


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
        self.assertEqual(told.code, BadTypeDefinition.code)

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
