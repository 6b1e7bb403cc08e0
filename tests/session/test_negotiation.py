from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.cache import CacheData, CacheSession
from rotoro.session.effects import Close, Effect, Flush, Note, Send, Update, WakeAt
from rotoro.session.followed import FollowedTable, Want
from rotoro.session.follower import FollowingPeer, follow_all
from rotoro.session.negotiation import (
    ALPN,
    ALPN_ROTORO,
    ALPN_RTR,
    PROBE_SECONDS,
    VERDICT_SECONDS,
    ClientSession,
    Mode,
    Refused,
    keep_to,
    serve,
)
from rotoro.session.parameters import DEFAULT_PARAMETERS
from rotoro.session.peer import ServingPeer
from rotoro.session.router import RouterSession
from rotoro.session.tables import ServedTables
from rotoro.table.attributes import AttributeStore
from rotoro.table.serial import Position
from rotoro.table.snapshot import EMPTY
from rotoro.wire import Foreign, encode
from rotoro.wire.errors import CorruptData, InternalError
from rotoro.wire.pdu import ROTORO, Pdu
from rotoro.wire.rotoro import Hello, HelloAck, RecordKind
from rotoro.wire.rtr import CacheReset, CacheResponse, EndOfData, ErrorReport, ResetQuery, SerialQuery
from tests.session.worlds import closes, history, in_version, sent, vrps
from tests.simulator import Client, Server, Simulator, Weather

HELLO = Send(ROTORO, Hello(0))


def client(mode: Mode) -> ClientSession:
    return ClientSession(
        mode, FollowingPeer(follow_all, AttributeStore(), lambda ingress: ingress), RouterSession("rtr")
    )


class ServeTests(SynchronousTestCase):
    def test_the_first_octet_decides(self) -> None:
        tables, data = ServedTables(), CacheData.of(history(), 7)
        for first, kind in ((0, CacheSession), (2, CacheSession), (3, CacheSession), (0x7F, CacheSession)):
            self.assertIsInstance(serve(first, tables, data), kind)
        for first in (0x80, 0x81, 0xFF):
            self.assertIsInstance(serve(first, tables, data), ServingPeer)

    def test_tls_on_a_plain_port(self) -> None:
        told = self.assertRaises(Refused, serve, 0x16, ServedTables(), CacheData.of(history(), 7))
        self.assertIn("TLS", str(told))


class AgreedTests(SynchronousTestCase):
    """What the handshake of TLS says."""

    def client(self, mode: Mode) -> ClientSession:
        follower = FollowingPeer(follow_all, AttributeStore(), lambda ingress: ingress)
        return ClientSession(mode, follower, RouterSession("rtr"))

    def test_what_was_agreed_on_holds(self) -> None:
        for agreed, fine, wrong in ((ALPN_ROTORO, (0x80, 0x81), (0, 1, 2, 3)), (ALPN_RTR, (0, 1, 2, 3), (0x80, 0xFF))):
            for first in fine:
                keep_to(agreed, first)
            for first in wrong:
                error = self.assertRaises(Refused, keep_to, agreed, first)
                self.assertIn(f"agreed on {agreed.decode()} by ALPN, but speaks", str(error))
        for first in range(256):
            keep_to(None, first)

    def test_nobody_is_asked(self) -> None:
        for mode, agreed, first in (
            (Mode.AUTO, ALPN_ROTORO, Hello(0)),
            (Mode.AUTO, ALPN_RTR, ResetQuery()),
            (Mode.AUTO, None, ResetQuery()),
            (Mode.ROTORO, None, Hello(0)),
            (Mode.RTR, None, ResetQuery()),
        ):
            with self.subTest(mode=mode, agreed=agreed):
                session = self.client(mode)
                session.settle(agreed)
                self.assertEqual([effect.pdu for effect in session.start(0.0) if isinstance(effect, Send)], [first])
                self.assertEqual(session.speaks.split()[0], "rotoro" if first == Hello(0) else "rtr")

    def test_each_handshake_says_it_anew(self) -> None:
        session = self.client(Mode.AUTO)
        for agreed, verdict in ((ALPN_ROTORO, Mode.ROTORO), (None, Mode.RTR), (ALPN_ROTORO, Mode.ROTORO)):
            session.settle(agreed)
            session.start(1.0)
            self.assertIs(session.verdict, verdict)
            session.lost(2.0)

    def test_what_is_offered(self) -> None:
        offers = [self.client(mode).offers for mode in (Mode.AUTO, Mode.RTR, Mode.ROTORO)]
        self.assertEqual(offers, [ALPN, (ALPN_RTR,), (ALPN_ROTORO,)])

    def test_a_cache_that_begins_anew_is_not_left_for_that(self) -> None:
        session = self.client(Mode.AUTO)
        session.settle(None)
        session.start(0.0)
        for number in (7, 8):
            session.receive(2, CacheResponse(number), 1.0)
            effects = session.receive(2, EndOfData(number, 1, 3600, 600, 7200), 1.0)
            self.assertFalse([effect for effect in effects if isinstance(effect, Close)])
            session.lost(2.0)
            session.start(3.0)
            session.receive(2, CacheReset(), 3.0)


class HelloTests(SynchronousTestCase):
    def test_the_octets(self) -> None:
        self.assertEqual(encode(Hello(0), ROTORO).hex(), "8002000000000008")
        self.assertEqual(encode(HelloAck(0), ROTORO).hex(), "8003000000000008")

    def test_alone_in_its_write(self) -> None:
        """X-03."""
        for mode in (Mode.AUTO, Mode.ROTORO):
            self.assertEqual(sent(client(mode).start(0.0)), [Hello(0)])
        self.assertEqual(sent(client(Mode.RTR).start(0.0)), [ResetQuery()])


class AutoTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.session = client(Mode.AUTO)

    def hear(self, version: int, pdu: Pdu, now: float = 1.0) -> list[Effect]:
        return self.session.receive(version, pdu, now)

    def assertPlain(self, effects: list[Effect], now: float = 1.0) -> None:
        """The verdict, and a fresh connection that is plain from its first octet."""
        self.assertEqual(sent(effects), [])
        self.assertTrue(closes(effects))
        self.assertIs(self.session.verdict, Mode.RTR)
        self.session.lost(now)
        self.assertEqual(self.session.start(now)[0], Send(2, ResetQuery()))

    def test_anything_but_an_acknowledgement_is_plain(self) -> None:
        """X-01, X-04."""
        for version, pdu in (
            (2, ErrorReport(4, encode(Hello(0), ROTORO), "no")),
            (0, ErrorReport(4, b"", "no")),
            (1, CacheResponse(7)),
            (0xFF, Foreign(0xFF, 10, b"\xff\x0a")),
            (ROTORO, ErrorReport(4, b"", "no")),
        ):
            with self.subTest(version=version, pdu=pdu.title):
                self.setUp()
                self.session.start(0.0)
                self.assertPlain(self.hear(version, pdu))

    def test_rubbish_silence_and_a_bug_are_plain(self) -> None:
        for say in (
            lambda: self.session.broken(CorruptData("HTTP"), 1.0),
            lambda: self.session.wake(PROBE_SECONDS),
        ):
            self.setUp()
            self.session.start(0.0)
            self.assertPlain(say())
        self.setUp()
        self.session.start(0.0)
        self.assertTrue(closes(self.session.fail(InternalError("x"))))

    def test_a_server_that_closes_is_plain(self) -> None:
        self.session.start(0.0)
        effects = self.session.lost(1.0)
        self.assertFalse(closes(effects))
        self.assertEqual(self.session.start(2.0)[0], Send(2, ResetQuery()))

    def test_what_a_rotoro_server_said_expires_while_it_is_asked(self) -> None:
        held = FollowedTable("x", RecordKind.RPKI, Want(), position=Position(5, 1), snapshot=vrps(1), stale_since=0.0)
        self.session.follower.tables["x"] = held
        effects = self.session.start(DEFAULT_PARAMETERS.expire - 1.0)
        self.assertEqual(effects, [HELLO, WakeAt(DEFAULT_PARAMETERS.expire)])
        (update,) = [each for each in self.session.wake(DEFAULT_PARAMETERS.expire) if isinstance(each, Update)]
        self.assertEqual(update.snapshot, EMPTY)

    def test_the_verdict_lasts_an_hour(self) -> None:
        self.session.start(0.0)
        self.hear(2, ErrorReport(4, b"", ""))
        for now, expected in ((2.0, ResetQuery()), (1.0 + VERDICT_SECONDS, Hello(0))):
            self.session.lost(now)
            self.assertEqual(sent(self.session.start(now)), [expected])

    def test_a_cache_that_begins_a_new_life_is_asked_again(self) -> None:
        """It may be another program now; its data is held, and the next connection begins with HELLO."""
        self.session.start(0.0)
        self.assertPlain(self.hear(2, ErrorReport(4, encode(Hello(0), ROTORO), "no")))
        for life, serial in ((7, 1), (7, 2)):
            self.hear(2, CacheResponse(life))
            self.assertFalse(closes(self.hear(2, EndOfData(life, serial, 3600, 600, 7200))))
            self.session.lost(2.0)
            self.assertEqual(sent(self.session.start(3.0)), [SerialQuery(7, serial)])
        self.hear(2, CacheReset())
        self.hear(2, CacheResponse(8))
        effects = self.hear(2, EndOfData(8, 1, 3600, 600, 7200))
        self.assertTrue(any(isinstance(effect, Update) for effect in effects))
        self.assertTrue(closes(effects))
        self.session.lost(4.0)
        self.assertEqual(sent(self.session.start(5.0)), [Hello(0)])

    def test_a_rotoro_server_that_fails_is_still_one(self) -> None:
        self.session.start(0.0)
        self.hear(ROTORO, HelloAck(0))
        self.session.lost(2.0)
        self.assertEqual(self.session.start(3.0)[0], HELLO)
        self.session.lost(4.0)
        self.assertEqual(self.session.start(5.0)[0], HELLO)
        self.assertTrue(closes(self.session.wake(5.0 + PROBE_SECONDS)))
        self.assertEqual(self.session.start(10.0)[0], HELLO)
        self.assertPlain(self.hear(2, ErrorReport(4, b"", "")))

    def test_the_verdict_of_a_long_session_is_not_old_when_it_ends(self) -> None:
        self.session.start(0.0)
        self.hear(ROTORO, HelloAck(0))
        end = 10 * VERDICT_SECONDS
        self.session.heard(end)
        self.session.lost(end)
        self.assertEqual(self.session.start(end + 1)[0], HELLO)
        self.session.lost(end + 2)
        self.assertIs(self.session.verdict, Mode.ROTORO)
        self.session.start(end + VERDICT_SECONDS)
        self.session.heard(end + VERDICT_SECONDS)
        self.session.lost(end + VERDICT_SECONDS + 1)
        self.assertIs(self.session.verdict, Mode.RTR)

    def test_what_the_other_protocol_brought_is_given_up(self) -> None:
        self.session.start(0.0)
        self.hear(2, ErrorReport(4, b"", ""))
        self.session.lost(1.0)
        self.session.start(2.0)
        self.hear(2, CacheResponse(7), 2.0)
        self.hear(2, EndOfData(7, 1, 3600, 600, 172_800), 2.0)
        self.session.lost(3.0)
        self.assertEqual(self.session.start(2.0 + VERDICT_SECONDS)[0], HELLO)
        effects = self.hear(ROTORO, HelloAck(0), 2.0 + VERDICT_SECONDS)
        self.assertEqual([type(effect) for effect in effects if isinstance(effect, Flush)], [Flush])

    def test_data_expires_while_probing(self) -> None:
        self.session.start(0.0)
        self.hear(2, ErrorReport(4, b"", ""))
        self.session.lost(1.0)
        self.session.start(2.0)
        self.hear(2, CacheResponse(7), 2.0)
        self.hear(2, EndOfData(7, 1, 3600, 600, 7200), 2.0)
        self.session.lost(3.0)
        self.session.start(5000.0)
        effects = self.session.lost(5001.0)
        self.assertIn(WakeAt(7202.0), effects)
        self.assertTrue([effect for effect in self.session.wake(7202.0) if isinstance(effect, Flush)])

    def test_what_people_read(self) -> None:
        self.assertEqual(self.session.start(0.0) and self.session.speaks, "?")
        self.hear(ROTORO, HelloAck(0))
        self.assertEqual(self.session.speaks, "rotoro")
        plain = client(Mode.RTR)
        plain.start(0.0)
        self.assertEqual(plain.speaks, "rtr 2")
        self.assertEqual(plain.retry_seconds, 0)


class MeetingTests(SynchronousTestCase):
    """Clients in every mode and servers of every kind, in memory."""

    def meet(self, session: ClientSession, choose: Any, seconds: float = 60.0) -> Client:
        simulator = Simulator(3, Weather((1, 7), (0.0, 0.05)))
        made = Client(simulator, session, Server(simulator, choose))
        made.connect()
        simulator.run(seconds)
        return made

    def test_auto_and_a_plain_cache_of_each_version(self) -> None:
        table = history(vrps(1, 2))
        for versions in ((0, 1, 2), (0, 1), (1,), (0,)):
            with self.subTest(versions=versions):
                session = client(Mode.AUTO)
                self.meet(session, lambda first, v=versions: CacheSession(CacheData.of(table, 7), v))
                self.assertEqual(session.speaks, f"rtr {max(versions)}")
                assert session.router.held is not None
                self.assertEqual(session.router.held.snapshot, in_version(table.snapshot, max(versions)))

    def test_auto_and_rotoro(self) -> None:
        table, tables = history(vrps(1, 2)), ServedTables()
        tables.add("rpki", RecordKind.RPKI, table)
        session = client(Mode.AUTO)
        made = self.meet(session, lambda first: serve(first, tables, CacheData.of(table, 7)))
        self.assertEqual(session.speaks, "rotoro")
        self.assertEqual(session.follower.tables["rpki"].snapshot, table.snapshot)
        self.assertEqual(len(made.of(Update)), 1)

    def test_a_plain_client_of_a_rotoro_server_sees_its_version_only(self) -> None:
        """X-02."""
        table, tables = history(vrps(1, 2)), ServedTables()
        tables.add("rpki", RecordKind.RPKI, table)
        made = self.meet(client(Mode.RTR), lambda first: serve(first, tables, CacheData.of(table, 7)))
        octets = bytes(made.side.other.sent)
        while octets:
            self.assertEqual(octets[0], 2)
            octets = octets[int.from_bytes(octets[4:8]) :]

    def test_rotoro_wanted_and_a_plain_cache(self) -> None:
        table = history(vrps(1))
        session = client(Mode.ROTORO)
        made = self.meet(session, lambda first: CacheSession(CacheData.of(table, 7)), 5.0)
        self.assertEqual(bytes(made.side.sent), encode(Hello(0), ROTORO))
        self.assertIn("Unexpected Protocol Version", made.side.closing or "")

    def test_a_cache_that_answers_0_and_closes(self) -> None:
        """As some do that can do more: version 1 is found at the second connection."""

        class Odd(CacheSession):
            def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
                if version > 1:
                    self.state = self.closed
                    return [Send(0, ErrorReport(4, b"", "")), Close("odd")]
                return super().receive(version, pdu, now)

        table = history(vrps(1))
        session = client(Mode.RTR)
        self.meet(session, lambda first: Odd(CacheData.of(table, 7)))
        self.assertEqual(session.speaks, "rtr 1")
        session.lost(100.0)
        self.assertEqual(sent(session.start(101.0)), [SerialQuery(8, 0xFFFFFFFD)])

    def test_notes_name_the_server(self) -> None:
        session = client(Mode.AUTO)
        session.peer = "192.0.2.1:323"
        session.start(0.0)
        notes = [effect.text for effect in session.receive(ROTORO, HelloAck(0), 1.0) if isinstance(effect, Note)]
        self.assertEqual(notes, ["192.0.2.1:323 speaks Rotoro"])
