"""Tables of records of declared types, from a server's history to a follower's snapshot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.effects import Note, Streamed, Update
from rotoro.session.follower import MAX_TYPES, FollowingPeer, State, StoreFor, Want
from rotoro.session.parameters import Parameters
from rotoro.session.peer import ServingPeer
from rotoro.session.routes import RotoroEncoder, ingress_pdu
from rotoro.session.tables import Scope, ServedTable, ServedTables
from rotoro.table.attributes import AttributeStore
from rotoro.table.history import History
from rotoro.table.ingress import Ingress, IngressKind
from rotoro.table.serial import Position
from rotoro.table.slots import RouteSlot
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.errors import BadTypeDefinition, CorruptData, InvalidRequest, LimitExceeded
from rotoro.wire.pdu import ROTORO, Pdu
from rotoro.wire.rotoro import (
    AttributeSets,
    Begin,
    BracketKind,
    Catalogue,
    FieldType,
    Hello,
    HelloAck,
    Mode,
    RecordKind,
    ScopeKind,
    TableEntry,
    TypeDefinition,
    TypedRecords,
    TypeField,
)
from rotoro.wire.typed import Field, RecordType
from tests.session.followers import PARAMS, FollowerCase, decoded
from tests.session.worlds import closes, report, sent, snapshot
from tests.simulator import Client, Server, Simulator

SEEN = RecordType("Seen", (Field("by", FieldType.ASN), Field("paths", FieldType.AS_PATH, True)))
OTHER = RecordType("Seen", (Field("by", FieldType.ASN), Field("paths", FieldType.STRING, True)))
ONE, TWO = (SEEN.encode((64496, (((2, (number,)),),))) for number in (64497, 64498))
PEER = Ingress(7, IngressKind.BGP, b"\xc0\0\2\1", 64496, name="one")
ENTRY = TableEntry(1, RecordKind.TYPED, 3, 0, 9, 2, 5, 1, "seen")
PLAIN = TableEntry(2, RecordKind.ROUTES, 3, 0, 0, 0, 5, 1, "routes")


def table(store: AttributeStore, *records: bytes) -> Snapshot:
    """Records of 10.0.0.0/16, 10.1.0.0/16 and so on."""
    slot = RouteSlot(4, PEER, store)
    return snapshot({(slot, bytes((10, at, 0, 0, 16, 0, 0, 0, 0))): (octets, 5) for at, octets in enumerate(records)})


def contents(held: Snapshot) -> dict[bytes, bytes]:
    return {
        own.key(at): slot.attributes.octets[own.values[at]]  # type: ignore[attr-defined,index]
        for slot, own in held.items()
        for at in range(len(own))
    }


def notes(effects: Sequence[Any]) -> list[str]:
    return [effect.text for effect in effects if isinstance(effect, Note)]


class WireTests(SynchronousTestCase):
    """A server and a follower, in memory."""

    def setUp(self) -> None:
        self.simulator = Simulator(3)
        self.store, self.others = AttributeStore(), AttributeStore()
        self.history, self.routes = History(5, 1), History(6, 1)
        self.history.commit(table(self.store, ONE, ONE, TWO))
        self.routes.commit(table(self.others, b"\x40\1\1\0"))
        self.served = ServedTables()
        self.served.add("routes", RecordKind.ROUTES, self.routes)
        self.served.add("seen", RecordKind.TYPED, self.history, SEEN)
        self.server = Server(self.simulator, lambda first: ServingPeer(self.served))
        self.shared = AttributeStore()

    def connect(self, want: Callable[[TableEntry], Want], store_for: StoreFor | None = None) -> FollowingPeer:
        peer = FollowingPeer(want, self.shared, lambda ingress: ingress, Parameters(), store_for)
        self.client = Client(self.simulator, peer, self.server)
        self.client.connect()
        self.simulator.run(5)
        return peer

    def wanted(self, record: RecordType | None) -> Callable[[TableEntry], Want]:
        return lambda entry: Want(record=record if entry.kind == RecordKind.TYPED else None)

    def test_a_table_and_its_changes(self) -> None:
        for record in (SEEN, None):
            with self.subTest(record=record):
                self.setUp()
                peer = self.connect(self.wanted(record))
                followed = peer.tables["seen"]
                self.assertEqual(followed.record, SEEN)
                self.assertEqual(followed.snapshot.digest, self.history.snapshot.digest)
                self.assertEqual(contents(followed.snapshot), contents(self.history.snapshot))
                diff = self.history.commit(table(self.store, TWO, ONE))
                assert diff is not None
                self.server.changed()
                self.simulator.run(5)
                self.assertEqual((followed.position, followed.snapshot.count), (Position(5, 2), 2))
                self.assertEqual(contents(followed.snapshot), contents(self.history.snapshot))
                told = self.client.of(Update)[-1]
                self.assertEqual((told.kind, told.diff.rows), (RecordKind.TYPED, diff.rows))
                self.assertEqual(peer.mismatches, 0)

    def test_records_and_path_attributes_are_kept_apart(self) -> None:
        peer = self.connect(self.wanted(SEEN))
        own = peer.tables["seen"].store
        assert own is not None
        self.assertEqual(sorted(own.octets), sorted([ONE, TWO]))
        self.assertEqual(self.shared.octets, [b"\x40\1\1\0"])
        self.assertIsNone(peer.tables["routes"].store)

    def test_a_store_of_somebody(self) -> None:
        asked: list[tuple[str, RecordType]] = []
        mine = AttributeStore()

        def store_for(name: str, record: RecordType) -> AttributeStore:
            asked.append((name, record))
            return mine

        peer = self.connect(self.wanted(None), store_for)
        self.assertEqual(asked, [("seen", SEEN)])
        self.assertIs(peer.tables["seen"].store, mine)
        self.client.cut()
        self.client.connect()
        self.simulator.run(5)
        self.assertEqual((peer.state, len(asked), len(mine)), (State.OPEN, 1, 2))

    def test_another_type_costs_its_table_only(self) -> None:
        peer = self.connect(self.wanted(OTHER))
        self.assertEqual(list(peer.tables), ["routes"])
        self.assertEqual(peer.tables["routes"].snapshot.count, 1)
        self.assertIn("paths: [string] against paths: [as_path]", peer.refused["seen"])
        self.assertEqual(len([text for text in notes(self.client.effects) if "table seen" in text]), 1)
        self.assertEqual(peer.state, State.OPEN)
        self.client.cut()
        self.client.connect()
        self.simulator.run(5)
        self.assertEqual(len([text for text in notes(self.client.effects) if "table seen" in text]), 1)

    def test_a_type_that_changes_costs_what_is_held(self) -> None:
        peer = self.connect(self.wanted(SEEN))
        self.client.cut()
        self.served = ServedTables()
        self.served.add("seen", RecordKind.TYPED, History(8), OTHER)
        self.client.connect()
        self.simulator.run(5)
        self.assertEqual(peer.tables, {})
        update = self.client.of(Update)[-1]
        self.assertEqual(update.table, "seen")
        self.assertEqual((update.snapshot, update.kind), (EMPTY, RecordKind.TYPED))
        self.assertIn("seen", peer.refused)
        self.client.cut()
        self.served = ServedTables()
        self.served.add("seen", RecordKind.TYPED, self.history, SEEN)
        self.client.connect()
        self.simulator.run(5)
        self.assertEqual((peer.refused, peer.tables["seen"].snapshot.count), ({}, 3))

    def test_whoever_takes_every_type_begins_anew_with_another(self) -> None:
        peer = self.connect(self.wanted(None))
        before = peer.tables["seen"].store
        self.client.cut()
        strings = OTHER.encode((1, ("x",)))
        self.served = ServedTables()
        history = History(8)
        history.commit(table(self.store, strings))
        self.served.add("seen", RecordKind.TYPED, history, OTHER)
        self.client.connect()
        self.simulator.run(5)
        followed = peer.tables["seen"]
        self.assertEqual((followed.record, list(contents(followed.snapshot).values())), (OTHER, [strings]))
        self.assertIsNot(followed.store, before)

    def test_a_table_that_comes_later(self) -> None:
        peer = self.connect(self.wanted(SEEN))
        self.served.add("more", RecordKind.TYPED, self.history, SEEN)
        self.server.each(lambda session: session.catalogue_changed())
        self.simulator.run(5)
        self.assertEqual(sorted(peer.tables), ["more", "routes", "seen"])
        self.assertEqual(peer.tables["more"].snapshot.digest, self.history.snapshot.digest)

    def test_streams(self) -> None:
        peer = self.connect(lambda entry: Want(Mode.STREAM, record=SEEN if entry.name == "seen" else None))
        self.history.commit(table(self.store, TWO))
        self.server.changed()
        self.simulator.run(5)
        (rows,) = self.client.of(Streamed)[-1].rows
        store = peer.tables["seen"].store
        assert store is not None
        self.assertEqual(store.octets[rows.values[rows.announced][0]], TWO)


class FollowerTests(FollowerCase):
    want = Want(record=SEEN)
    kind = SEEN.definition(9)

    def setUp(self) -> None:
        super().setUp()
        self.store = AttributeStore()

    def typed(self, *records: bytes, serial: int = 1) -> list[Pdu]:
        return self.whole(table(self.store, *records), serial)

    def test_a_table_waits_for_its_type(self) -> None:
        self.assertEqual(self.open(ENTRY), [])
        self.assertEqual((self.peer.tables, self.peer.refused), ({}, {}))
        (wish,) = sent(self.hear(self.kind))
        self.assertEqual((wish.table, wish.resume), (1, 0))
        self.assertEqual(self.hear(self.kind), [])
        self.hear(*self.typed(ONE))
        self.assertEqual(sent(self.hear(Catalogue((ENTRY,)))), [])

    def test_what_is_held_waits_too(self) -> None:
        self.open(ENTRY)
        self.hear(self.kind, *self.typed(ONE))
        self.peer.lost(1.0)
        self.assertEqual(self.open(ENTRY, now=2.0), [])
        self.assertEqual(self.peer.tables["seen"].snapshot.count, 1)
        (wish,) = sent(self.hear(self.kind))
        self.assertEqual((wish.resume, wish.epoch, wish.serial), (1, 5, 1))

    def test_a_number_that_another_session_defined_means_nothing(self) -> None:
        self.open(ENTRY)
        self.hear(self.kind)
        self.peer.lost(1.0)
        self.open(ENTRY, now=2.0)
        self.hear(OTHER.definition(9))
        self.assertEqual((list(self.peer.refused), self.peer.tables), (["seen"], {}))

    def test_hostile_records(self) -> None:
        wrong = bytes([0xFF]) + ONE[1:]
        for want in (SEEN, None):
            for octets in (wrong, ONE + b"\0", b"", OTHER.encode((1, ("x",)))):
                with self.subTest(octets=octets.hex()):
                    self.want = Want(record=want)
                    self.setUp()
                    self.open(ENTRY)
                    self.hear(self.kind, *self.typed(ONE))
                    effects = self.hear(*self.typed(TWO, octets, serial=2))
                    told = report(effects)
                    assert told is not None
                    self.assertEqual(told.code, CorruptData.code)
                    self.assertTrue(closes(effects))
                    followed = self.peer.tables["seen"]
                    self.assertEqual(list(contents(followed.snapshot).values()), [ONE])
                    assert followed.store is not None
                    self.assertEqual(followed.store.octets, [ONE])

    def test_hostile_pairs(self) -> None:
        self.want = Want(Mode.STREAM)
        self.open(ENTRY)
        self.hear(self.kind)
        told = report(self.hear(ingress_pdu(1, PEER, closed=False), AttributeSets(1, 0, (1,), b"\xff")))
        assert told is not None
        self.assertEqual(told.code, CorruptData.code)

    def test_a_type_that_cannot_be_read(self) -> None:
        """A later revision may have it: nothing is wrong with the rest of the session."""
        nested = TypeDefinition(9, "Nested", (TypeField("x", FieldType.RECORD, 0),))
        self.want = Want()
        (wish,) = self.open(ENTRY, PLAIN)
        self.assertEqual(wish.table, 2)
        effects = self.hear(nested)
        self.assertFalse(closes(effects))
        (note,) = notes(effects)
        self.assertIn("record type 'Nested' has a record in field 'x'", note)
        self.assertEqual(list(self.peer.tables), ["routes"])

    def test_a_table_of_something_else(self) -> None:
        self.assertEqual(self.open(PLAIN), [])
        self.assertEqual(self.peer.refused, {"routes": "it has no records of type Seen"})

    def test_what_is_not_wanted_any_more_is_not_refused_any_more(self) -> None:
        self.open(PLAIN)
        self.hear(Catalogue(()))
        self.assertEqual(self.peer.refused, {})
        self.open(PLAIN)
        self.peer.forget("gone")
        self.assertEqual(self.peer.refused, {})

    def test_names_of_strangers(self) -> None:
        self.open(replace(ENTRY, name="s\n"))
        (note,) = notes(self.hear(RecordType("x\x1b[2J", ()).definition(9)))
        self.assertTrue(note.isprintable())

    def test_definitions_out_of_place(self) -> None:
        begin = Begin(1, BracketKind.SNAPSHOT, 0, 0, 5, 1)
        many = [TypeDefinition(number, "T", ()) for number in range(100, 101 + MAX_TYPES)]
        for code, pdus in (
            (BadTypeDefinition.code, [self.kind, replace(self.kind, name="Other")]),
            (InvalidRequest.code, [self.kind, begin, self.kind]),
            (InvalidRequest.code, [self.kind, begin, TypedRecords(1, 1, 9, 7, 0, 1, b"x")]),
            (InvalidRequest.code, [TypedRecords(1, 1, 9, 7, 0, 1, b"x")]),
            (LimitExceeded.code, many),
        ):
            with self.subTest(code=hex(code)):
                self.setUp()
                self.open(ENTRY)
                effects = self.hear(*pdus)
                told = report(effects)
                assert told is not None
                self.assertEqual(told.code, code)
                self.assertTrue(closes(effects))

    def test_no_definition_before_the_catalogue(self) -> None:
        self.peer.start(0.0)
        told = report(self.hear(HelloAck(0), PARAMS, self.kind))
        assert told is not None
        self.assertEqual(told.code, InvalidRequest.code)


class ServerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.tables = ServedTables()
        self.tables.add("rpki", RecordKind.RPKI, History(1))
        self.tables.add("seen", RecordKind.TYPED, History(2), SEEN)
        self.peer = ServingPeer(self.tables)
        self.peer.start(0.0)

    def test_types_stand_behind_the_catalogue_once(self) -> None:
        first = sent(self.peer.receive(ROTORO, Hello(0), 0.0))[2:]
        self.assertEqual(first, [Catalogue(self.tables.entries), SEEN.definition(2)])
        self.assertEqual([entry.type_number for entry in self.tables.entries], [0, 2])
        self.tables.add("more", RecordKind.TYPED, History(3), OTHER)
        again = sent(self.peer.catalogue_changed())
        self.assertEqual(again, [Catalogue(self.tables.entries), OTHER.definition(3)])
        self.assertEqual(sent(self.peer.catalogue_changed()), [Catalogue(self.tables.entries)])
        other = ServingPeer(self.tables)
        self.assertEqual(len(sent(other.receive(ROTORO, Hello(0), 0.0))), 5)

    def test_kind_and_type_go_together(self) -> None:
        self.assertRaises(ValueError, self.tables.add, "x", RecordKind.TYPED, History(1))
        self.assertRaises(ValueError, self.tables.add, "x", RecordKind.ROUTES, History(1), SEEN)
        self.assertEqual(len(self.tables.entries), 2)
        self.assertRaises(ValueError, ServedTable, 1, "x", RecordKind.TYPED, History(1))

    def test_equal_records_go_out_once(self) -> None:
        history = History(5, 1)
        history.commit(table(AttributeStore(), ONE, TWO, ONE, ONE))
        pdus = decoded(RotoroEncoder(2).snapshot(history.state))
        (sets,) = (pdu for pdu in pdus if isinstance(pdu, AttributeSets))
        self.assertEqual(sorted(sets.lengths), sorted([len(ONE), len(TWO)]))

    def test_a_part(self) -> None:
        history = self.tables.get(2).history  # type: ignore[union-attr]
        history.commit(table(AttributeStore(), ONE, TWO))
        part = self.tables.get(2).join(Scope(kind=ScopeKind.COVERED, address=b"\x0a\1\0\0", length=16))  # type: ignore[union-attr]
        self.assertEqual(list(contents(part.snapshot).values()), [TWO])
