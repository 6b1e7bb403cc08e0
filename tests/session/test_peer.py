from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import rotoro.session.peer
from rotoro.session.effects import Effect, Send, Stream, WakeAt
from rotoro.session.parameters import GREETING_SECONDS, Parameters
from rotoro.session.peer import ServingPeer, State
from rotoro.session.tables import ServedTables
from rotoro.wire import Decoder, Foreign, encode
from rotoro.wire.errors import CorruptData, UnsupportedPdu
from rotoro.wire.pdu import ROTORO, Pdu
from rotoro.wire.rotoro import (
    ANY,
    Begin,
    BracketKind,
    Catalogue,
    Commit,
    Goodbye,
    Health,
    Hello,
    HelloAck,
    Keepalive,
    Mode,
    Params,
    RecordKind,
    ScopeKind,
    Status,
    Subscribe,
    Unsubscribe,
)
from rotoro.wire.rtr import ErrorReport
from tests.session.worlds import closes, history, report, sent, vrps

PARAMS = Params(0, 1 << 17, 1 << 16, 20, "tester")


def subscribe(table: int = 1, mode: int = Mode.FOLLOW, token: tuple[int, int] | None = None, **more: Any) -> Subscribe:
    epoch, serial = token or (0, 0)
    wish = {"families": 3, "scope": 0, "ingress": ANY, "scope_length": 0, "scope_address": b"", **more}
    return Subscribe(table=table, mode=mode, resume=int(token is not None), epoch=epoch, serial=serial, **wish)


class PeerCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.history = history(vrps(1, 2), epoch=5, serial=1)
        self.tables = ServedTables()
        self.table = self.tables.add("one", RecordKind.RPKI, self.history)
        self.peer = ServingPeer(self.tables, Parameters(name="server"))
        self.peer.start(0.0)

    def hear(self, pdu: Pdu, now: float = 0.0) -> list[Effect]:
        return self.peer.receive(ROTORO, pdu, now)

    def open(self) -> None:
        self.hear(Hello(0))
        self.hear(PARAMS)

    def transfer(self, effects: list[Effect], now: float = 0.0) -> list[Any]:
        """What a Stream among the effects carries; then it is out."""
        octets = b"".join(chunk for effect in effects if isinstance(effect, Stream) for chunk in effect.chunks)
        decoder = Decoder()
        decoder.receive(octets)
        return [pdu for _, pdu in decoder.items()]

    def bracket(self, effects: list[Effect]) -> tuple[int, int, int]:
        """Kind, from and to of the one bracket that is sent."""
        pdus = self.transfer(effects)
        (begin,) = (pdu for pdu in pdus if isinstance(pdu, Begin))
        self.assertIsInstance(pdus[-1], Commit)
        return begin.kind, begin.from_serial, begin.serial


class GreetingTests(PeerCase):
    def test_hello_is_answered_with_all_there_is_to_know(self) -> None:
        self.assertEqual(
            sent(self.hear(Hello(0))),
            [HelloAck(0), Parameters(name="server").pdu, Catalogue(self.tables.entries)],
        )
        self.hear(PARAMS)
        self.assertEqual((self.peer.state, self.peer.name), (State.OPEN, "tester"))

    def test_another_major(self) -> None:
        for version in (0x81, 0xFF):
            self.setUp()
            effects = self.peer.receive(version, Foreign(version, 2, bytes([version, 2, 0, 0, 0, 0, 0, 8])), 0.0)
            told = report(effects)
            assert told is not None
            self.assertEqual((told.code, told.offending[0]), (4, version))
            self.assertIn(Send(ROTORO, told), effects)
            self.assertTrue(closes(effects))

    def test_another_version_in_the_session(self) -> None:
        self.open()
        effects = self.peer.receive(9, Foreign(9, 2, b"\x09\x02\0\0\0\0\0\x08"), 0.0)
        told = report(effects)
        assert told is not None
        self.assertEqual(told.code, 8)
        self.setUp()
        self.open()
        self.assertIsNone(report(self.peer.receive(9, Foreign(9, 10, b"\x09\x0a\0\0\0\0\0\x08"), 0.0)))

    def test_who_does_not_introduce_himself(self) -> None:
        self.assertTrue(closes(self.peer.wake(GREETING_SECONDS)))
        self.setUp()
        self.hear(Hello(0))
        self.assertTrue(closes(self.peer.wake(GREETING_SECONDS)))

    def test_critical_and_skippable_types(self) -> None:
        """X-09."""
        self.open()
        decoder = Decoder()
        decoder.receive(bytes.fromhex("80800000 0000000c 01020304 80fe0000 00000008"))
        self.assertEqual(list(decoder.items()), [])
        self.assertEqual(decoder.skipped, 2)
        for number in (32 + 25, 127, 255, 12):
            decoder = Decoder()
            decoder.receive(bytes([0x80, number, 0, 0, 0, 0, 0, 8]))
            broken = self.assertRaises(UnsupportedPdu, list, decoder.items())
            self.setUp()
            self.open()
            told = report(self.peer.broken(broken, 0.0))
            assert told is not None
            self.assertEqual((told.code, told.offending[1]), (5, number))


class SubscriptionTests(PeerCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()

    def test_follow(self) -> None:
        effects = self.hear(subscribe())
        self.assertEqual(self.bracket(effects), (BracketKind.SNAPSHOT, 0, 1))
        self.assertEqual(self.peer.changed(1.0), [])
        self.assertEqual(sent(self.peer.drained(1.0)), [Status(1, Health.HEALTHY, 0, "", ())])
        self.history.commit(vrps(3))
        self.assertEqual(self.bracket(self.peer.changed(2.0)), (BracketKind.DIFF, 1, 2))
        self.history.commit(vrps(4))
        self.history.commit(vrps(5))
        self.assertEqual(self.peer.changed(3.0), [])
        self.assertEqual(self.bracket(self.peer.drained(3.0)), (BracketKind.DIFF, 2, 4))
        self.assertEqual(self.peer.drained(4.0), [])
        self.assertEqual(self.peer.subscriptions, {"one": "follow"})

    def test_a_token_gets_what_changed_and_a_foreign_one_the_whole(self) -> None:
        """X-05, X-07."""
        self.history.commit(vrps(3))
        for token, expected in (
            ((5, 1), (BracketKind.DIFF, 1, 2)),
            ((5, 2), (BracketKind.DIFF, 2, 2)),
            ((6, 1), (BracketKind.SNAPSHOT, 0, 2)),
            ((5, 0), (BracketKind.SNAPSHOT, 0, 2)),
            ((5, 3), (BracketKind.SNAPSHOT, 0, 2)),
        ):
            with self.subTest(token=token):
                self.peer = ServingPeer(self.tables)
                self.peer.start(0.0)
                self.open()
                self.assertEqual(self.bracket(self.hear(subscribe(token=token))), expected)

    def test_once(self) -> None:
        effects = self.hear(subscribe(mode=Mode.SNAPSHOT))
        self.assertEqual(self.bracket(effects), (BracketKind.SNAPSHOT, 0, 1))
        self.assertEqual([type(pdu) for pdu in sent(effects)], [Status])
        self.assertIsInstance(effects[0], Stream)
        self.history.commit(vrps(3))
        self.assertEqual(self.peer.changed(1.0), [])
        self.assertEqual(self.peer.drained(1.0), [])
        self.assertEqual(self.peer.subscriptions, {})

    def test_single_pairs_from_now_on(self) -> None:
        self.assertEqual([e for e in self.hear(subscribe(mode=Mode.STREAM)) if isinstance(e, Stream)], [])
        self.history.commit(vrps(3))
        self.assertEqual(self.bracket(self.peer.changed(1.0)), (BracketKind.DIFF, 1, 2))

    def test_pairs_since_a_token(self) -> None:
        """X-06."""
        self.history.commit(vrps(3))
        effects = self.hear(subscribe(mode=Mode.STREAM, token=(5, 1)))
        self.assertEqual(self.bracket(effects), (BracketKind.DIFF, 1, 2))

    def test_data_that_comes_later(self) -> None:
        later = history(None)
        table = self.tables.add("later", RecordKind.RPKI, later)
        self.assertEqual([type(pdu) for pdu in sent(self.hear(subscribe(table.number)))], [Status])
        later.commit(vrps(1))
        self.assertEqual(self.bracket(self.peer.changed(1.0))[0], BracketKind.SNAPSHOT)

    def test_tables_take_turns(self) -> None:
        other = history(vrps(9), epoch=6, serial=1)
        self.tables.add("two", RecordKind.RPKI, other)
        self.hear(subscribe(1))
        self.assertEqual([e for e in self.hear(subscribe(2)) if isinstance(e, Stream)], [])
        first = self.transfer(self.peer.drained(1.0))
        self.assertEqual(first[0].table, 2)
        self.history.commit(vrps(3))
        other.commit(vrps(4))
        self.assertEqual(self.transfer(self.peer.drained(2.0))[0].table, 1)
        self.assertEqual(self.transfer(self.peer.drained(3.0))[0].table, 2)

    def test_what_is_sent_is_shared(self) -> None:
        second = ServingPeer(self.tables)
        second.start(0.0)
        for pdu in (Hello(0), PARAMS):
            second.receive(ROTORO, pdu, 0.0)
        one = [e for e in self.hear(subscribe()) if isinstance(e, Stream)]
        other = [e for e in second.receive(ROTORO, subscribe(), 0.0) if isinstance(e, Stream)]
        self.assertTrue(all(a is b for a, b in zip(one[0].chunks, other[0].chunks, strict=True)))

    def test_strangers_cannot_have_us_encode_for_each_of_them(self) -> None:
        for sets in range(1 << 16, (1 << 16) + 20):
            peer = ServingPeer(self.tables)
            peer.start(0.0)
            for pdu in (Hello(0), Params(0, (1 << 17) + sets, sets, 20, "stranger"), subscribe()):
                peer.receive(ROTORO, pdu, 0.0)
        self.assertEqual(len(self.history._snapshots), 1)

    def test_a_part_is_followed_and_let_go(self) -> None:
        scope: dict[str, Any] = {"scope": ScopeKind.COVERED, "scope_address": b"\x0a\x02\0\0", "scope_length": 16}
        effects = self.hear(subscribe(**scope))
        commit = self.transfer(effects)[-1]
        self.assertEqual(commit.count, 1)
        self.peer.drained(1.0)
        self.assertTrue(self.table._parts)
        self.peer.lost(2.0)
        self.assertFalse(self.table._parts)
        for end in (
            lambda: self.peer.fail(CorruptData("x")),
            lambda: self.hear(Unsubscribe(1)),
            lambda: self.hear(Goodbye(0, 0, "")),
        ):
            self.peer = ServingPeer(self.tables)
            self.peer.start(0.0)
            self.open()
            self.hear(subscribe(**scope))
            self.assertTrue(self.table._parts)
            end()
            self.assertFalse(self.table._parts)

    def test_unknown_tables_and_too_many(self) -> None:
        told = report(self.hear(subscribe(9)))
        assert told is not None
        self.assertEqual((told.code, told.offending[1]), (0x8002, 82))
        self.patch(rotoro.session.peer, "MAX_SUBSCRIPTIONS", 1)
        self.setUp()
        self.tables.add("two", RecordKind.RPKI, history())
        self.hear(subscribe(1))
        self.hear(subscribe(1))
        told = report(self.hear(subscribe(2)))
        assert told is not None
        self.assertEqual(told.code, 0x8003)

    def test_after_unsubscribe_nothing(self) -> None:
        self.hear(subscribe())
        self.peer.drained(1.0)
        self.hear(Unsubscribe(1))
        self.assertEqual(self.hear(Unsubscribe(1)), [])
        self.history.commit(vrps(7))
        self.assertEqual(self.peer.changed(2.0), [])

    def test_the_status_follows_the_data_that_it_is_about(self) -> None:
        self.hear(subscribe())
        self.table.end_of_rib = True
        self.assertEqual(self.peer.status_changed(self.table), [])
        self.assertEqual(sent(self.peer.drained(1.0)), [Status(1, Health.HEALTHY, 1, "", ())])
        self.table.health, self.table.text, self.table.counters = Health.STALLED, "slow", (("routes", 3),)
        (told,) = sent(self.peer.status_changed(self.table))
        self.assertEqual((told.health, told.text, told.counters[0].value), (Health.STALLED, "slow", 3))

    def test_the_catalogue_again(self) -> None:
        self.tables.add("two", RecordKind.RPKI, history())
        self.assertEqual(sent(self.peer.catalogue_changed()), [Catalogue(self.tables.entries)])
        self.assertEqual(ServingPeer(self.tables).catalogue_changed(), [])

    def test_a_table_that_comes_during_the_greeting(self) -> None:
        super().setUp()
        self.hear(Hello(0))
        self.tables.add("two", RecordKind.RPKI, history())
        self.assertEqual(sent(self.peer.catalogue_changed()), [Catalogue(self.tables.entries)])

    def test_a_digest_that_differs_is_noted(self) -> None:
        """X-13."""
        effects = self.hear(ErrorReport(0x8001, b"", "here 3"))
        self.assertFalse(closes(effects))
        self.assertIs(self.peer.state, State.OPEN)
        self.assertTrue(closes(self.hear(ErrorReport(1, b"", "bug"))))

    def test_no_report_stands_for_parameters(self) -> None:
        super().setUp()
        self.hear(Hello(0))
        self.assertTrue(closes(self.hear(ErrorReport(0x8001, b"", "here 3"))))
        self.assertIs(self.peer.state, State.CLOSED)


class AliveTests(PeerCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()

    def test_keepalives(self) -> None:
        self.assertEqual(sent(self.hear(Keepalive(0, 5))), [Keepalive(1, 5)])
        self.assertEqual(sent(self.hear(Keepalive(1, 5))), [])
        self.peer.heard(15.0)
        effects = self.peer.wake(20.0)
        self.assertEqual(sent(effects), [Keepalive(0, 20_000)])
        self.assertIn(WakeAt(40.0), effects)
        self.peer.wake(40.0)
        self.peer.wake(60.0)
        self.assertFalse(closes(self.peer.wake(74.9)))
        self.assertTrue(closes(self.peer.wake(75.0)))

    def test_the_shorter_interval_counts(self) -> None:
        self.setUp()
        super().setUp()
        self.hear(Hello(0))
        effects = self.hear(Params(0, 1 << 17, 1 << 16, 5, "eager"))
        self.assertIn(WakeAt(5.0), effects)

    def test_a_follower_that_does_not_read_is_let_go_however_much_it_says(self) -> None:
        self.hear(subscribe())
        for now in range(20, 60, 10):
            self.peer.heard(float(now))
            self.assertFalse(closes(self.peer.wake(float(now))))
        self.peer.progressed(30.0)
        self.peer.heard(60.0)
        self.assertFalse(closes(self.peer.wake(60.0)))
        self.peer.heard(90.0)
        effects = self.peer.wake(90.0)
        told = report(effects)
        assert told is not None
        self.assertEqual(told.code, 10)
        self.assertTrue(closes(effects))

    def test_goodbye(self) -> None:
        effects = self.peer.goodbye(1, 30, "back soon")
        self.assertEqual(sent(effects), [Goodbye(1, 30, "back soon")])
        self.assertTrue(closes(effects))
        self.assertEqual(self.peer.goodbye(1, 30, "again"), [])
        self.assertEqual(len(encode(Goodbye(1, 30, "back soon"), ROTORO)), 8 + 4 + 2 + 9)
