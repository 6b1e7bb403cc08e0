from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from zope.interface import directlyProvides

from rotoro.net.connection import BACKLOG, LINGER_SECONDS
from rotoro.net.outgoing import SMALL
from rotoro.net.server import ServerFactory
from rotoro.session.cache import CacheData
from rotoro.session.tables import ServedTables
from rotoro.wire import encode
from rotoro.wire.rotoro import Hello, HelloAck, RecordKind
from rotoro.wire.rtr import CacheReset, EndOfData, ErrorReport, ResetQuery, SerialQuery
from tests.net.servers import RESET, ServerCase, decoded, many
from tests.net.transports import PullTransport, connected
from tests.session.worlds import history


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


class LoopbackCase(TestCase):
    """A server on a port, and sockets that connect there."""

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


class LoopbackTests(LoopbackCase):
    """The same over TCP, where kernels have a say."""

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
