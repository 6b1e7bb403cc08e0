from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.protocol import SessionProtocol
from rotoro.net.server import TOO_MANY
from rotoro.net.surroundings import Surroundings
from rotoro.session.effects import Effect, Send, WakeAt
from rotoro.session.follower import FollowingPeer, follow_all
from rotoro.session.router import RouterSession
from rotoro.table.attributes import AttributeStore
from rotoro.wire import encode
from rotoro.wire.rotoro import Hello, Params
from rotoro.wire.rtr import CacheResponse, EndOfData, ErrorReport, SerialQuery
from tests.net.servers import LIMITS, RESET, ServerCase, decoded, many
from tests.net.transports import PullTransport, connected
from tests.session.worlds import vrps

CLIENT_HELLO = bytes.fromhex("16030100c8010000c403")


class PatienceTests(ServerCase):
    def test_a_hundred_thousand_queries_in_one_write(self) -> None:
        """Attack test 6."""
        transport = self.connect(RESET * 100_000)
        transport.pull()
        pdus = decoded(transport.value())
        self.assertLessEqual(sum(isinstance(pdu, EndOfData) for pdu in pdus), 3)
        self.assertIsInstance(pdus[-1], ErrorReport)
        self.assertTrue(transport.half_closed)

    def test_a_connection_that_says_nothing(self) -> None:
        """Attack test 2: it would hold its place for ever."""
        silent, slow = self.connect(), self.connect()
        self.clock.advance(LIMITS.first_octet_seconds - 1)
        slow.protocol.dataReceived(RESET)
        self.clock.advance(1)
        self.assertTrue(silent.half_closed)
        slow.pull()
        self.assertFalse(slow.half_closed)
        self.assertIn("nothing said in 30 s", self.log.lines[-1])
        self.assertEqual(+self.factory.counters.late, {"first octet": 1})

    def test_a_header_that_drips(self) -> None:
        """Attack test 4: an absolute deadline, however often an octet comes."""
        transport = self.connect()
        for octet in RESET[:6]:
            transport.protocol.dataReceived(bytes([octet]))
            self.clock.advance(LIMITS.header_seconds / 5)
        self.assertTrue(transport.disconnecting or transport.half_closed or transport.producer is not None)
        transport.pull()
        self.assertTrue(transport.half_closed)
        self.assertIn("did not become whole in 10 s", self.log.lines[-1])
        self.assertEqual(+self.factory.counters.late, {"header": 1})

    def test_a_pdu_that_drips_one_octet_a_second(self) -> None:
        report = encode(ErrorReport(2, bytes(500), "x" * 500), 2)
        transport = self.connect()
        for octet in report:
            transport.protocol.dataReceived(bytes([octet]))
            self.clock.advance(1)
            transport.pull()
            if transport.half_closed:
                break
        self.assertTrue(transport.half_closed)
        self.assertLessEqual(self.clock.seconds(), LIMITS.header_seconds + LIMITS.pdu_seconds + 1)
        self.assertEqual(+self.factory.counters.late, {"PDU": 1})

    def test_what_is_skipped_was_whole(self) -> None:
        """Each write ends within a PDU, and each makes one whole."""
        skipped = bytes.fromhex("80800000 0000000c 01020304")
        transport = self.connect(
            encode(Hello(0), 0x80) + encode(Params(0, 1 << 20, 1 << 20, 20, "x"), 0x80) + skipped[:9]
        )
        for _ in range(int(LIMITS.pdu_seconds)):
            self.clock.advance(2)
            transport.protocol.dataReceived(skipped[9:] + skipped[:9])
        transport.pull()
        self.assertFalse(transport.half_closed)

    def test_a_slow_query_is_answered_all_the_same(self) -> None:
        """C-FR-01."""
        transport = self.connect()
        for octet in RESET:
            transport.protocol.dataReceived(bytes([octet]))
            self.clock.advance(1)
        transport.pull()
        self.assertIsInstance(decoded(transport.value())[-1], EndOfData)
        self.clock.advance(60)
        self.assertFalse(transport.half_closed)

    def test_a_split_query_with_a_change_in_between(self) -> None:
        """C-FR-02."""
        transport = self.connect(RESET[:3])
        self.table.commit(vrps(9))
        self.factory.changed()
        transport.protocol.dataReceived(RESET[3:])
        transport.pull()
        self.assertEqual(decoded(transport.value())[-1].serial, 2)

    def test_last_words_to_a_peer_that_does_not_read(self) -> None:
        self.table.commit(many(60_000))
        transport = self.connect(RESET)
        transport.pull(1)
        transport.protocol.dataReceived(b"\x02\x02\0\0\0\0\0\x07")
        self.clock.advance(LIMITS.last_write_seconds - 1)
        transport.pull(1)
        self.clock.advance(LIMITS.last_write_seconds - 1)
        self.assertFalse(transport.disconnected)
        self.clock.advance(1)
        self.assertTrue(transport.disconnected)
        self.assertEqual(+self.factory.counters.late, {"last write": 1})

    def test_a_router_that_stops_reading_is_let_go(self) -> None:
        """C-TP-02."""
        self.table.commit(many(60_000))
        transport = self.connect(RESET)
        transport.pull(1)
        self.clock.pump([60] * 31)
        self.assertTrue(transport.disconnected)
        self.assertEqual((+self.factory.counters.late)["session"], 1)

    def test_nothing_is_left_to_do_after_the_end(self) -> None:
        for octets in (b"", RESET, RESET[:3], b"\x16", encode(Hello(0), 0x80)):
            transport = self.connect(octets)
            transport.lose(ConnectionDone())
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertEqual(self.factory.connections, set())
            self.assertFalse(transport.protocol.connected)


class StrangerTests(ServerCase):
    """C-FR-13, C-TLS-08: at most one report, closed, and the log says why."""

    def test_tls_on_the_plain_port(self) -> None:
        transport = self.connect(CLIENT_HELLO)
        self.assertEqual(transport.value(), b"")
        self.assertTrue(transport.half_closed)
        self.assertIn("a TLS handshake on a port without TLS", self.log.lines[-1])

    def test_http_and_ssh(self) -> None:
        for octets in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"):
            transport = self.connect(octets)
            transport.pull()
            (told,) = decoded(transport.value())
            self.assertEqual((told.code, told.offending), (4, octets[: len(told.offending)]))
            self.assertTrue(transport.half_closed)
            self.assertIn("closing: Unsupported Protocol Version", self.log.lines[-1])

    def test_lengths_that_cannot_be(self) -> None:
        """C-FR-05 to 08, attack test 10: answered at once, and not a second time."""
        for number in (0, 1, 2, 4, 9, 11):
            for length in (*range(8), 65_536, 1 << 31, 0xFFFFFFFF):
                transport = self.connect(bytes([2, number, 0, 0]) + length.to_bytes(4) + RESET)
                transport.pull()
                (told,) = decoded(transport.value())
                self.assertEqual(told.code, 0)
                self.assertTrue(transport.half_closed)
                transport.lose(ConnectionDone())

    def test_every_octet_of_a_session_changed(self) -> None:
        """Attack test 11: no exception escapes, and there is one report at the most."""
        session = RESET + encode(SerialQuery(9, 1), 2)
        for place in range(len(session)):
            for value in range(0, 256, 5):
                transport = self.connect(session[:place] + bytes([value]) + session[place + 1 :])
                transport.pull()
                pdus = decoded(transport.value()) if transport.value()[:1] != b"\x80" else []
                fatal = [pdu for pdu in pdus if isinstance(pdu, ErrorReport) and pdu.code != 4]
                self.assertLessEqual(len(fatal), 1)
                transport.lose(ConnectionDone())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_too_many_connections(self) -> None:
        """C-TP-03."""
        transports = [self.connect(RESET) for _ in range(LIMITS.connections)]
        self.assertEqual(self.factory.no_room("192.0.2.1"), TOO_MANY)
        transports[0].lose(ConnectionDone())
        self.assertIsNone(self.factory.no_room("192.0.2.1"))

    def test_our_own_mistake_ends_one_session_only(self) -> None:
        other = self.connect(RESET)
        transport = self.connect(RESET)
        self.patch(transport.protocol.session, "receive", lambda *_: 1 / 0)
        transport.protocol.dataReceived(RESET)
        transport.pull()
        self.assertEqual(decoded(transport.value())[-1].code, 1)
        self.assertTrue(transport.half_closed)
        self.patch(other.protocol.session, "changed", lambda now: 1 / 0)
        third = self.connect(RESET)
        third.pull()
        self.table.commit(vrps(5))
        self.factory.changed()
        third.pull()
        self.assertEqual(type(decoded(third.value())[-1]).__name__, "SerialNotify")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class ClientTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[Effect] = []

    def connect(self, session: Any) -> PullTransport:
        protocol = SessionProtocol(Surroundings(self.clock, tell=lambda _, effect: self.told.append(effect)), session)
        return connected(protocol)

    def test_a_client_speaks_first(self) -> None:
        transport = self.connect(RouterSession())
        transport.pull()
        self.assertEqual(transport.value(), RESET)

    def test_deadlines_outlive_the_connection(self) -> None:
        router = RouterSession()
        transport = self.connect(router)
        transport.pull()
        transport.protocol.dataReceived(bytes.fromhex("02030007 00000008"))
        transport.protocol.dataReceived(encode(EndOfData(7, 1, 3600, 600, 7200), 2))
        self.assertFalse([effect for effect in self.told if isinstance(effect, WakeAt)])
        transport.lose(ConnectionDone())
        self.assertEqual(self.told[-1], WakeAt(7200.0))
        self.assertFalse([effect for effect in self.told if isinstance(effect, Send)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_mute_cache_is_given_up(self) -> None:
        transport = self.connect(RouterSession())
        transport.pull()
        self.clock.advance(60)
        transport.pull()
        self.assertTrue(transport.half_closed)

    def test_the_limit_of_the_parameters_holds(self) -> None:
        """X-10."""
        peer = FollowingPeer(follow_all, AttributeStore(), lambda ingress: ingress)
        peer.max_pdu = 1 << 17
        transport = self.connect(peer)
        transport.pull()
        transport.protocol.dataReceived(b"\x80\x80\0\0" + (1 << 17).to_bytes(4) + bytes((1 << 17) - 8))
        self.assertFalse(transport.half_closed)
        transport.protocol.dataReceived(b"\x80\x80\0\0" + ((1 << 17) + 1).to_bytes(4))
        transport.pull()
        self.assertEqual(decoded(transport.value())[-1].code, 0)

    def test_a_listener_that_fails_every_time_does_not_keep_the_connection(self) -> None:
        broken = Surroundings(self.clock, tell=lambda _, effect: 1 / 0)  # type: ignore[arg-type]
        protocol = SessionProtocol(broken, RouterSession())
        transport = connected(protocol)
        for pdu in (CacheResponse(7), EndOfData(7, 1, 3600, 600, 7200)):
            transport.protocol.dataReceived(encode(pdu, 2))
        transport.pull()
        self.assertTrue(transport.half_closed)
        transport.lose(ConnectionDone())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertGreater(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
