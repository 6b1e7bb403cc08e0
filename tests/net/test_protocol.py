from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import directlyProvides

from rotoro.net.connection import BACKLOG, LINGER_SECONDS
from rotoro.net.limits import Limits
from rotoro.net.outgoing import SMALL
from rotoro.net.protocol import SessionProtocol
from rotoro.net.server import TOO_MANY, ServerFactory
from rotoro.net.surroundings import Surroundings
from rotoro.session.cache import CacheData
from rotoro.session.effects import Effect, Send, WakeAt
from rotoro.session.follower import FollowingPeer, follow_all
from rotoro.session.router import RouterSession
from rotoro.session.tables import ServedTables
from rotoro.table.attributes import AttributeStore
from rotoro.table.history import History
from rotoro.table.records import Records
from rotoro.table.slots import VRP4
from rotoro.table.snapshot import Snapshot
from rotoro.wire import Decoder, encode
from rotoro.wire.rotoro import Hello, HelloAck, Params, RecordKind
from rotoro.wire.rtr import CacheReset, CacheResponse, EndOfData, ErrorReport, ResetQuery, SerialQuery
from tests.net.logs import Logged
from tests.net.transports import PullTransport, connected
from tests.session.worlds import history, vrps

LIMITS = Limits(connections=50)
RESET = encode(ResetQuery(), 2)
CLIENT_HELLO = bytes.fromhex("16030100c8010000c403")


def many(count: int) -> Snapshot:
    """So many VRPs."""
    keys = [(10 << 24 | number).to_bytes(4) + b"\x20\x20" + b"\0\0\1\1" for number in range(count)]
    return Snapshot.of({VRP4: Records.of(VRP4, keys)})


def decoded(octets: bytes) -> list[Any]:
    decoder = Decoder()
    decoder.receive(octets)
    return [pdu for _, pdu in decoder.items()]


class ServerCase(SynchronousTestCase):
    table: History

    def setUp(self) -> None:
        self.clock = Clock()
        self.table = history(vrps(1, 2), serial=1)
        self.make()

    def make(self) -> None:
        tables = ServedTables()
        tables.add("rpki", RecordKind.RPKI, self.table)
        self.factory = ServerFactory(self.clock, tables, CacheData.of(self.table, 7), limits=LIMITS)
        self.log = Logged(self)

    def connect(self, octets: bytes = b"") -> PullTransport:
        transport = connected(self.factory.buildProtocol(None))
        if octets:
            transport.protocol.dataReceived(octets)
        return transport


class SharingTests(ServerCase):
    def test_octets_are_shared_and_not_copied(self) -> None:
        self.table.commit(many(60_000))
        transports = [self.connect(RESET) for _ in range(3)]
        for transport in transports:
            transport.pull()
        first, *others = transports
        big = [piece for piece in first.pieces if len(piece) > SMALL]
        self.assertGreater(len(big), 1)
        for other in others:
            self.assertEqual(len(other.pieces), len(first.pieces))
            self.assertTrue(all(a is b for a, b in zip(first.pieces, other.pieces, strict=True) if len(a) > SMALL))

    def test_small_pieces_travel_together(self) -> None:
        transport = self.connect(encode(Hello(0), 0x80))
        transport.pull()
        self.assertEqual(len(transport.pieces), 1)
        self.assertEqual(decoded(transport.value())[0], HelloAck(0))

    def test_a_client_that_never_reads_costs_its_place_only(self) -> None:
        """C-SN-07."""
        self.table.commit(many(60_000))
        lazy = [self.connect(RESET) for _ in range(20)]
        eager = self.connect(RESET)
        eager.pull()
        self.assertIsInstance(decoded(eager.value())[-1], EndOfData)
        for transport in lazy:
            self.assertEqual(transport.pieces, [])
            queue = list(transport.protocol._outgoing)
            self.assertTrue(all(any(chunk is piece for piece in eager.pieces) for chunk in queue if len(chunk) > SMALL))
        self.table.commit(many(10))
        self.factory.changed()
        eager.pull()
        self.assertEqual(type(decoded(eager.value())[-1]).__name__, "SerialNotify")

    def test_who_does_not_read_is_not_read_either(self) -> None:
        """Each query costs us an answer of 8 octets; they do not pile up."""
        query = encode(SerialQuery(1, 1), 2)
        transport = self.connect()
        while transport.producerState == "producing":
            transport.protocol.dataReceived(query * 1000)
            self.assertLess(transport.protocol._outgoing.own, BACKLOG + 8 * 1000 + 1)
        transport.pull()
        self.assertEqual(transport.producerState, "producing")
        self.assertEqual(set(decoded(transport.value())), {CacheReset()})


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

    def test_a_router_that_stops_reading_is_let_go(self) -> None:
        """C-TP-02."""
        self.table.commit(many(60_000))
        transport = self.connect(RESET)
        transport.pull(1)
        self.clock.pump([60] * 31)
        self.assertTrue(transport.disconnected)

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


class ClosingTests(ServerCase):
    def test_a_half_closed_peer_gets_the_whole_answer(self) -> None:
        """C-FR-14, attack test 9."""
        self.table.commit(many(60_000))
        transport = self.connect(RESET + RESET)
        transport.protocol.readConnectionLost()
        self.assertFalse(transport.disconnecting)
        transport.pull()
        self.assertEqual(sum(isinstance(pdu, EndOfData) for pdu in decoded(transport.value())), 2)
        self.assertTrue(transport.disconnecting)
        self.assertFalse(transport.disconnected)

    def test_we_read_on_for_a_moment(self) -> None:
        """C-ER-05: unread input would make a reset of the last report."""
        transport = self.connect(b"\x02\x02\0\0\0\0\0\x07" + RESET)
        transport.pull()
        self.assertTrue(transport.half_closed)
        self.assertEqual(transport.producerState, "producing")
        transport.protocol.dataReceived(RESET)
        transport.pull()
        self.assertEqual(len(decoded(transport.value())), 1)
        self.clock.advance(LINGER_SECONDS)
        self.assertTrue(transport.disconnected)

    def test_when_both_sides_are_closed_it_is_over(self) -> None:
        transport = self.connect(b"\x02\x02\0\0\0\0\0\x07")
        transport.pull()
        self.assertFalse(transport.disconnecting)
        transport.protocol.readConnectionLost()
        self.assertTrue(transport.disconnecting)

    def test_tls_ends_in_its_own_way(self) -> None:
        transport = PullTransport()
        directlyProvides(transport, ISSLTransport)
        connected(self.factory.buildProtocol(None), transport)
        transport.protocol.dataReceived(b"\x02\x02\0\0\0\0\0\x07")
        transport.pull()
        self.assertFalse(transport.half_closed)
        self.assertTrue(transport.disconnecting)

    def test_goodbye(self) -> None:
        """C-RS-01, 03."""
        versions = {version: self.connect(encode(ResetQuery(), version)) for version in (0, 1, 2)}
        for transport in versions.values():
            transport.pull()
        self.factory.goodbye("maintenance")
        for version, transport in versions.items():
            transport.pull()
            last = decoded(transport.value())[-1]
            self.assertEqual(isinstance(last, ErrorReport) and last.code, 12 if version == 2 else False)
            self.assertTrue(transport.half_closed)


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


class LoopbackTests(TestCase):
    """The same over TCP, where kernels have a say."""

    timeout = 30

    def setUp(self) -> None:
        self.table = history(many(30_000), serial=1)
        tables = ServedTables()
        tables.add("rpki", RecordKind.RPKI, self.table)
        net: Any = reactor
        self.factory = ServerFactory(net, tables, CacheData.of(self.table, 7))
        self.port = net.listenTCP(0, self.factory, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.sockets: list[socket.socket] = []

    @inlineCallbacks
    def tearDown(self) -> Generator[Any, Any, None]:  # type: ignore[override]  # trial waits for it
        for made in self.sockets:
            made.close()
        while self.factory.connections:
            yield deferLater(reactor, 0.01, lambda: None)

    def socket(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port.getHost().port), 20)
        self.sockets.append(made)
        return made

    def talk(self, octets: bytes, half_close: bool = False) -> Deferred[bytes]:
        """Send this, and take what comes until the other side closes."""

        def blocking() -> bytes:
            with contextlib.closing(self.socket()) as made:
                made.sendall(octets)
                if half_close:
                    made.shutdown(socket.SHUT_WR)
                found = bytearray()
                while piece := made.recv(1 << 16):
                    found += piece
                return bytes(found)

        return deferToThread(blocking)

    @inlineCallbacks
    def test_half_close(self) -> Generator[Any, Any, None]:
        """C-FR-14."""
        pdus = decoded((yield self.talk(RESET, half_close=True)))
        self.assertIsInstance(pdus[-1], EndOfData)

    @inlineCallbacks
    def test_the_last_report_arrives_although_input_is_unread(self) -> Generator[Any, Any, None]:
        """C-ER-05: no reset eats it."""
        pdus = decoded((yield self.talk(b"\x02\x02\0\0\0\0\0\x07" + RESET * 20_000)))
        self.assertEqual([pdu.code for pdu in pdus], [0])

    @inlineCallbacks
    def test_a_hundred_thousand_queries(self) -> Generator[Any, Any, None]:
        pdus = decoded((yield self.talk(RESET * 100_000)))
        self.assertEqual(pdus[-1].code, 1)
        self.assertLessEqual(sum(isinstance(pdu, EndOfData) for pdu in pdus), 3)

    @inlineCallbacks
    def test_one_that_never_reads_and_many_that_do(self) -> Generator[Any, Any, None]:
        """C-SN-07."""
        lazy = [self.socket() for _ in range(5)]
        for made in lazy:
            made.sendall(RESET)
        for _ in range(3):
            found = yield self.talk(RESET, half_close=True)
            self.assertIsInstance(decoded(found)[-1], EndOfData)

    @inlineCallbacks
    def test_connections_that_are_reset_at_once(self) -> Generator[Any, Any, None]:
        """C-FR-15."""

        def storm() -> None:
            for _ in range(100):
                made = self.socket()
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                made.close()

        yield deferToThread(storm)
        found = yield self.talk(RESET, half_close=True)
        self.assertIsInstance(decoded(found)[-1], EndOfData)
