from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.limits import Limits
from rotoro.net.server import TOO_MANY, TOO_MANY_OF_ONE, ServerFactory
from rotoro.session.cache import CacheData
from rotoro.session.tables import ServedTables
from rotoro.wire import encode
from rotoro.wire.rotoro import ANY, Catalogue, Commit, Families, Mode, Params, RecordKind, ScopeKind, Subscribe
from rotoro.wire.rtr import CacheReset, EndOfData, ErrorReport, SerialQuery
from tests.net.logs import Logged
from tests.net.servers import RESET, decoded
from tests.net.transports import PullTransport, connected
from tests.session.worlds import history, vrps

GREETING = bytes.fromhex("80020000 00000008") + encode(Params(0, 1 << 20, 1 << 20, 20, "x"), 0x80)
LIMITS = Limits(
    connections=5,
    sessions_per_address=3,
    full_loads_at_once=2,
    full_loads_per_minute=60,
    queries_waiting=1,
    parts_per_session=2,
    exempt=(ip_network("203.0.113.0/24"),),
)


def part(table: int, number: int, mode: Mode = Mode.FOLLOW) -> bytes:
    """A wish for the part of a table that a prefix covers."""
    address = bytes([10, number, 0, 0])
    return encode(Subscribe(table, mode, 0, Families.BOTH, ScopeKind.COVERED, 0, 0, ANY, 16, address), 0x80)


class ServerCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.table, self.tables = Clock(), history(vrps(1)), ServedTables()
        self.served = self.tables.add("rpki", RecordKind.RPKI, self.table)
        self.factory = ServerFactory(self.clock, self.tables, CacheData.of(self.table, 7), limits=LIMITS)
        self.log = Logged(self)
        self.port = 1000

    def connect(self, octets: bytes = b"", host: str = "192.0.2.1") -> PullTransport:
        """A connection that is let in and says this; what is answered is read."""
        self.assertIsNone(self.factory.no_room(host))
        self.port += 1
        kind = IPv6Address if ":" in host else IPv4Address
        transport = PullTransport()
        transport.peerAddr = kind("TCP", host, self.port)
        connected(self.factory.buildProtocol(transport.peerAddr), transport)
        if octets:
            transport.protocol.dataReceived(octets)
        transport.pull()
        return transport


class TellingTests(ServerCase):
    def test_the_catalogue_and_the_status_reach_followers_only(self) -> None:
        plain, ours = self.connect(RESET), self.connect(GREETING)
        plain.clear()
        ours.clear()
        self.tables.add("more", RecordKind.RPKI, history())
        self.factory.catalogue_changed()
        self.factory.status_changed(self.served)
        plain.pull()
        ours.pull()
        self.assertEqual((plain.value(), ours.value()), (b"", encode(Catalogue(self.tables.entries), 0x80)))


class RoomTests(ServerCase):
    """Attack test 2, C-TP-03."""

    def test_so_many_of_one_address(self) -> None:
        transports = [self.connect() for _ in range(3)]
        self.assertEqual(self.factory.no_room("192.0.2.1"), TOO_MANY_OF_ONE)
        self.assertEqual(self.factory.no_room("::ffff:192.0.2.1"), TOO_MANY_OF_ONE)
        self.assertIsNone(self.factory.no_room("192.0.2.2"))
        transports[0].lose(ConnectionDone())
        self.assertIsNone(self.factory.no_room("192.0.2.1"))

    def test_so_many_of_one_network_of_ipv6(self) -> None:
        for number in range(3):
            self.connect(host=f"2001:db8::{number}")
        self.assertEqual(self.factory.no_room("2001:db8::ffff"), TOO_MANY_OF_ONE)
        self.assertIsNone(self.factory.no_room("2001:db8:0:1::1"))

    def test_some_networks_are_not_counted(self) -> None:
        for _ in range(4):
            self.connect(RESET, host="203.0.113.1")
        self.assertIsNone(self.factory.no_room("203.0.113.1"))

    def test_who_has_said_nothing_makes_room_the_eldest_first(self) -> None:
        known = self.connect(RESET, host="192.0.2.10")
        silent = [self.connect(RESET[:1], host=f"192.0.2.{number}") for number in range(4)]
        follower = self.connect(GREETING, host="192.0.2.20")
        self.assertEqual([transport.disconnected for transport in silent], [True, False, False, False])
        self.assertEqual(self.log.lines[-2], "192.0.2.0:1002: closing: made room for others")
        late = self.connect(host="192.0.2.30")
        self.assertEqual([transport.disconnected for transport in silent], [True, True, False, False])
        silent[2].protocol.dataReceived(RESET[1:])
        silent[3].protocol.dataReceived(RESET[1:])
        self.assertIsNone(self.factory.no_room("192.0.2.40"))
        self.assertTrue(late.disconnected)
        self.connect(RESET, host="192.0.2.40")
        self.assertEqual(self.factory.no_room("192.0.2.50"), TOO_MANY)
        self.assertFalse(known.disconnected or follower.disconnected)
        self.assertEqual((len(self.factory.connections), self.factory.counters.shed), (5, 3))

    def test_who_made_room_is_counted_once(self) -> None:
        first = self.connect()
        for number in range(4):
            self.connect(RESET, host=f"192.0.2.1{number}")
        self.connect(RESET)
        first.lose(ConnectionDone())
        self.assertEqual(len(self.factory.connections), 5)
        self.assertEqual(self.factory._of_source["192.0.2.1"], 1)


class RationTests(ServerCase):
    def ended(self, transport: PullTransport) -> int:
        return sum(isinstance(pdu, EndOfData) for pdu in decoded(transport.value()))

    def test_a_full_load_too_many_waits_for_its_turn(self) -> None:
        first, second, third = self.connect(RESET), self.connect(RESET), self.connect(RESET + RESET)
        other = self.connect(RESET, host="192.0.2.2")
        self.assertEqual([self.ended(each) for each in (first, second, third, other)], [1, 1, 0, 1])
        self.assertEqual((third.producerState, self.factory.counters.delayed), ("paused", 1))
        self.assertIn("Reset Query has to wait: too many full loads from this address", self.log.lines[-1])
        self.clock.advance(1)
        third.pull()
        self.assertEqual(self.ended(third), 1)
        self.clock.advance(1)
        third.pull()
        self.assertEqual((self.ended(third), third.producerState), (2, "producing"))
        self.assertEqual(self.factory.counters.delayed, 2)

    def test_small_answers_do_not_wait(self) -> None:
        self.connect(RESET)
        transport = self.connect(RESET + RESET[:4])
        transport.protocol.dataReceived(RESET[4:])
        self.assertEqual(self.factory.counters.delayed, 1)
        another = self.connect(encode(SerialQuery(1, 1), 2))
        self.assertEqual(decoded(another.value()), [CacheReset()])

    def test_that_there_is_no_data_yet_costs_nothing(self) -> None:
        """All routers of a site may have asked before there was any."""
        self.table.suspend()
        early = [self.connect(RESET) for _ in range(3)]
        self.assertEqual([decoded(each.value())[-1].code for each in early], [2, 2, 2])
        self.assertEqual(self.factory.counters.delayed, 0)

    def test_two_who_wait_for_one_turn(self) -> None:
        self.connect(RESET + RESET[:1])
        self.connect(RESET, host="192.0.2.1").lose(ConnectionDone())
        one, two = self.connect(RESET), self.connect(b"")
        two.protocol.dataReceived(RESET)
        done = []
        for _ in range(3):
            self.clock.advance(1)
            one.pull()
            two.pull()
            done.append(self.ended(one) + self.ended(two))
        self.assertEqual(done[:2], [1, 2])

    def test_who_closes_its_side_gets_what_it_waits_for(self) -> None:
        self.connect(RESET)
        self.connect(RESET)
        transport = self.connect(RESET)
        transport.protocol.readConnectionLost()
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        transport.pull()
        self.assertEqual((self.ended(transport), transport.disconnecting), (1, True))

    def test_who_goes_waits_no_more(self) -> None:
        self.connect(RESET + RESET)
        transport = self.connect(RESET)
        transport.lose(ConnectionDone())
        self.factory.goodbye("over")
        self.clock.advance(2)
        for each in list(self.factory.connections):
            each.transport.lose(ConnectionDone())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_waits_long_is_not_silent(self) -> None:
        """Neither a router that never asked, nor a follower that is gone, nor one who has to make room."""
        limits = replace(LIMITS, full_loads_per_minute=1, sessions_per_address=6, connections=6)
        self.factory = ServerFactory(self.clock, self.tables, CacheData.of(self.table, 7), limits=limits)
        for _ in range(2):
            self.connect(RESET)
        routers = [self.connect(RESET) for _ in range(3)]
        follower = self.connect(GREETING + part(1, 1))
        self.assertEqual(self.factory.no_room("192.0.2.2"), TOO_MANY)
        served = []
        for _ in range(4):
            for _ in range(60):
                self.clock.advance(1)
                follower.pull()
            for each in routers:
                each.pull()
            followed = any(isinstance(pdu, Commit) for pdu in decoded(follower.value()))
            served.append(sum(map(self.ended, routers)) + followed)
        self.assertEqual(served, [1, 2, 3, 4])

    def test_what_comes_after_it_waits_too_and_is_no_late_pdu(self) -> None:
        self.connect(RESET + RESET[:1])
        self.connect(RESET)
        transport = self.connect(RESET + RESET[:3])
        transport.protocol.dataReceived(RESET[3:4])
        self.clock.advance(0.5)
        self.assertEqual(transport.value(), b"")
        self.clock.advance(0.5)
        transport.pull()
        self.assertEqual(self.ended(transport), 1)
        self.clock.advance(LIMITS.header_seconds)
        transport.pull()
        self.assertIn("4 octets came did not become whole", self.log.lines[-1])

    def test_whoever_wants_parts_of_tables(self) -> None:
        """Each costs a walk over the table."""
        transport = self.connect(GREETING + part(1, 1) + part(1, 2) + part(1, 3))
        self.assertEqual(self.factory.counters.delayed, 1)
        self.assertEqual(transport.producerState, "paused")

    def test_so_many_parts_in_one_session(self) -> None:
        for name in ("b", "c"):
            self.tables.add(name, RecordKind.RPKI, history(vrps(1)))
        transport = self.connect(GREETING + part(1, 1) + part(2, 1) + part(3, 1), host="203.0.113.1")
        self.assertEqual(decoded(transport.value())[-1].code, 0x8003)
        self.assertIn("more than 2 parts of tables in one session", self.log.lines[-1])

    def test_so_many_queries_wait(self) -> None:
        transport = self.connect(RESET * 3, host="203.0.113.1")
        (report,) = [pdu for pdu in decoded(transport.value()) if isinstance(pdu, ErrorReport)]
        self.assertEqual(report.code, 1)


class CounterTests(ServerCase):
    def test_what_connections_did_stays_when_they_go(self) -> None:
        transport = self.connect(RESET + b"\x02\x02\0\0\0\0\0\x07")
        self.connect(encode(ErrorReport(3, b"", "no"), 2))
        protocol = transport.protocol
        self.assertEqual((protocol.octets_in, protocol.pdus_in, protocol.queries, protocol.errors_sent), (16, 1, 1, 1))
        self.assertEqual(protocol.octets_out, len(transport.value()))
        for each in list(self.factory.connections):
            each.transport.lose(ConnectionDone())
        counters = self.factory.counters
        self.assertEqual((counters.accepted, counters.octets_out > 100), (2, True))
        self.assertEqual((counters.errors_sent, counters.errors_received), ({0: 1}, {3: 1}))
        self.assertEqual((counters.pdus_in, counters.queries), (2, 1))

    def test_a_peer_that_comes_back_and_back_does_not_fill_the_log(self) -> None:
        for _ in range(100):
            self.connect(b"\x02\x02\0\0\0\0\0\x07").lose(ConnectionDone())
        self.assertEqual(len(self.log.lines), 20)
        self.connect(b"\x16", host="192.0.2.2")
        self.assertIn("TLS handshake on a port without TLS", self.log.lines[-1])
        self.clock.advance(60)
        self.connect(b"\x02\x02\0\0\0\0\0\x07").lose(ConnectionDone())
        self.assertIn("(80 such lines left out)", self.log.lines[-1])
