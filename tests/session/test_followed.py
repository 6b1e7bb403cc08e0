from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.bracket import Bracket
from rotoro.session.effects import Effect, Send, Update
from rotoro.session.followed import FollowedTable, FollowedTables, OpenBracket, Want
from rotoro.table.attributes import AttributeStore
from rotoro.table.serial import Position
from rotoro.table.snapshot import EMPTY
from rotoro.wire.errors import CorruptData, DigestMismatch, InvalidRequest, UnknownTable, UnknownWithdrawal
from rotoro.wire.rotoro import Begin, BracketKind, Commit, Mode, RecordKind, TableEntry
from rotoro.wire.rtr import Aspa
from tests.session.worlds import aspa, providers, sent, snapshot, vrps

ENTRY = TableEntry(1, RecordKind.RPKI, 3, 0, 0, 2, 5, 1, "one")
ONE, TWO = snapshot({aspa(5): providers(1)}), snapshot({aspa(5): providers(1), aspa(6): providers(2)})


def begin(kind: BracketKind, start: int, end: int) -> Begin:
    return Begin(1, kind, 5 if start else 0, start, 5, end)


def commit(table: Any, serial: int) -> Commit:
    return Commit(1, 5, serial, table.count, table.digest)


def rows(base: Any, *pdus: Aspa) -> Bracket:
    made = Bracket(base, AttributeStore(), lambda ingress: ingress, 100)
    for pdu in pdus:
        made.add_payload(pdu)
    return made


class TableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = FollowedTable("one", RecordKind.RPKI, Want(), 1)

    def load(self) -> None:
        whole = OpenBracket(self.table, begin(BracketKind.SNAPSHOT, 0, 1), rows(EMPTY, Aspa(1, 5, (1,))))
        (update,) = whole.commit(commit(ONE, 1))
        assert isinstance(update, Update)
        self.assertEqual((update.snapshot, update.position), (ONE, Position(5, 1)))

    def test_changes_of_what_is_held(self) -> None:
        self.load()
        self.assertEqual(self.table.subscribe().pdu.serial, 1)  # type: ignore[attr-defined]
        self.table.check_begin(begin(BracketKind.DIFF, 1, 2))
        change = OpenBracket(self.table, begin(BracketKind.DIFF, 1, 2), rows(ONE, Aspa(1, 6, (2,))))
        change.commit(commit(TWO, 2))
        self.assertEqual((self.table.snapshot, self.table.position), (TWO, Position(5, 2)))

    def test_what_cannot_be_proved_leaves_things_as_they_are(self) -> None:
        self.load()
        for error, opened, closed, pdu in (
            (DigestMismatch, begin(BracketKind.DIFF, 1, 2), commit(ONE, 2), Aspa(1, 6, (2,))),
            (DigestMismatch, begin(BracketKind.DIFF, 1, 2), commit(EMPTY, 2), Aspa(0, 9, ())),
            (DigestMismatch, begin(BracketKind.SNAPSHOT, 0, 2), commit(EMPTY, 2), Aspa(1, 6, (2,))),
            (UnknownWithdrawal, begin(BracketKind.SNAPSHOT, 0, 2), commit(EMPTY, 2), Aspa(0, 6, ())),
            (CorruptData, begin(BracketKind.DIFF, 1, 2), commit(TWO, 3), Aspa(1, 6, (2,))),
        ):
            with self.subTest(error=error.title, closed=closed):
                base = EMPTY if opened.kind == BracketKind.SNAPSHOT else ONE
                self.assertRaises(error, OpenBracket(self.table, opened, rows(base, pdu)).commit, closed)
                self.assertEqual((self.table.snapshot, self.table.position), (ONE, Position(5, 1)))

    def test_where_a_bracket_may_begin(self) -> None:
        self.assertRaises(CorruptData, self.table.check_begin, begin(BracketKind.DIFF, 1, 2))
        self.load()
        self.assertRaises(CorruptData, self.table.check_begin, begin(BracketKind.DIFF, 2, 3))
        self.table.check_begin(begin(BracketKind.SNAPSHOT, 0, 9))
        self.table.start_over()
        self.table.check_begin(begin(BracketKind.DIFF, 2, 3))
        streamed = FollowedTable("two", RecordKind.ROUTES, Want(Mode.STREAM), 2)
        streamed.check_begin(begin(BracketKind.DIFF, 7, 8))
        streamed.pairs = rows(EMPTY)
        self.assertRaises(InvalidRequest, streamed.check_begin, begin(BracketKind.SNAPSHOT, 0, 8))

    def test_who_keeps_nothing_has_nothing_to_start_over(self) -> None:
        """Else all that comes in brackets would be passed over for ever."""
        streamed = FollowedTable("one", RecordKind.RPKI, Want(Mode.STREAM), 1)
        streamed.start_over()
        pairs = OpenBracket(streamed, begin(BracketKind.DIFF, 7, 8), rows(EMPTY, Aspa(1, 6, (2,))))
        self.assertEqual(len(pairs.commit(commit(ONE, 8))), 1)

    def test_expiry(self) -> None:
        self.table.disconnected(10.0)
        self.assertIsNone(self.table.expires(100))
        self.load()
        self.assertIsNone(self.table.expires(100))
        self.table.disconnected(20.0)
        self.table.connected()
        self.table.disconnected(50.0)
        self.assertEqual(self.table.expires(100), 120.0)
        self.assertIsNone(replace(self.table, kind=RecordKind.ROUTES).expires(100))


class TablesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.want = Want()
        self.tables = FollowedTables(lambda entry: self.want)

    def listed(self, *entries: TableEntry) -> list[Effect]:
        return self.tables.listed(entries)

    def test_a_number_means_nothing_on_another_connection(self) -> None:
        self.listed(ENTRY)
        self.assertEqual(self.tables.get(1, "x").name, "one")
        self.tables.connected()
        self.assertRaises(UnknownTable, self.tables.get, 1, "x")
        self.assertEqual(len(sent(self.listed(replace(ENTRY, number=3)))), 1)
        self.assertEqual(self.tables.get(3, "x").name, "one")

    def test_what_is_listed_again_is_not_asked_for_again(self) -> None:
        self.listed(ENTRY)
        self.assertEqual(self.listed(replace(ENTRY, count=9)), [])

    def test_another_table_of_the_same_name(self) -> None:
        """What the one brought is no start for the other."""
        for change in (lambda: replace(ENTRY, kind=RecordKind.ROUTES), self._wanted_otherwise):
            self.setUp()
            self.listed(ENTRY)
            table = self.tables.by_name["one"]
            table.snapshot, table.position = vrps(1), Position(5, 1)
            update, _, wish = self.listed(change())
            assert isinstance(update, Update)
            assert isinstance(wish, Send)
            self.assertEqual((update.kind, update.snapshot), (RecordKind.RPKI, EMPTY))
            self.assertEqual(wish.pdu.resume, 0)  # type: ignore[attr-defined]
            self.assertTrue(self.tables.by_name["one"].starting_over)
            self.assertIsNot(self.tables.by_name["one"], table)

    def _wanted_otherwise(self) -> TableEntry:
        self.want = Want(families=1)
        return ENTRY
