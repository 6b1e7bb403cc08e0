"""Tests for L{rotonda.units.bmp_connector} and L{rotonda.units.bmp_proxy}, over real sockets."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rotonda.bgp.bmp import BmpReader
from rotonda.bgp.raw import RawMessage
from rotonda.rib.ingresses import IngressRegistry
from rotonda.units import bmp_connector, bmp_proxy
from rotonda.units.bmp_connector import BmpConnector
from rotonda.units.bmp_proxy import Proxy
from rotonda.units.serving import new_history
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from interop.traffic import bmp as made
from rotoro.net.endpoints import Connect, HostPort, Listen, connect_to, listen_at
from rotoro.net.limits import Limits
from rotoro.table import AttributeStore, Diff, History, Ingress, IngressKind, IngressState, RibView, RouteSlot
from tests.data import shared
from tests.net.certificates import Authority

HERE = "127.0.0.1"
PEER = made.Peer()
OTHER = made.Peer(bytes((192, 0, 2, 11)), 64_501)
LOC_RIB = made.Peer(bytes(4), 65_000, 3)
BEGIN = made.initiation() + made.peer_up(PEER)


def routes(*numbers: int, peer: made.Peer = PEER) -> bytes:
    return made.monitoring(peer, made.update(b"".join(map(made.prefix, numbers))))


class Ends(Protocol):
    """One end of a connection, which keeps what it hears."""

    transport: Any

    def __init__(self) -> None:
        self.heard = b""
        self.gone: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone.callback(None)


class Station(Factory):
    """Another station, to which things are handed on."""

    noisy = False

    def __init__(self) -> None:
        self.ends: list[Ends] = []
        self.silent = False

    def buildProtocol(self, addr: object) -> Ends:
        self.ends.append(Ends())
        return self.ends[-1]


class Sockets(TestCase):
    """A connector, and routers that say what they are told."""

    timeout = 60

    def setUp(self) -> None:
        self.store, self.history, self.registry = AttributeStore(), new_history(), IngressRegistry()
        self.diffs: list[Diff] = []
        self.changes = 0
        self.routers: list[Ends] = []
        self.history.subscribe(self.diffs.append)

    def changed(self) -> None:
        self.changes += 1

    def start(self, listen: Listen | None = None, **settings: Any) -> BmpConnector:
        listen = listen or Listen(HostPort(HERE, 0))
        connector = BmpConnector(
            *(reactor, "bmp-1", listen, self.store, self.history, self.registry),
            changed=self.changed,
            **settings,
        )
        connector.startService()
        self.addCleanup(self.stop, connector)
        return connector

    async def stop(self, connector: BmpConnector) -> None:
        for router in self.routers:
            router.transport.abortConnection()
        await connector.stopService()
        await self.until(lambda: not connector.counters.sessions)

    def port(self, connector: BmpConnector) -> int:
        waiting: Any = connector.ports[0]._waitingForPort
        number: int = waiting.result.getHost().port
        return number

    async def router(self, connector: BmpConnector, *octets: bytes) -> Ends:
        router = await TCP4ClientEndpoint(reactor, HERE, self.port(connector)).connect(Factory.forProtocol(Ends))
        assert isinstance(router, Ends)
        self.routers.append(router)
        router.transport.write(b"".join(octets))
        return router

    async def until(self, so: Callable[[], object], seconds: float = 20.0) -> None:
        for _ in range(int(seconds * 100)):
            if so():
                return
            await deferLater(reactor, 0.01)
        self.fail("it never came about")

    async def count(self, number: int) -> None:
        await self.until(lambda: self.history.snapshot.count == number)

    def held(self) -> dict[tuple[RibView, int], int]:
        """How many routes there are of each peer in each view."""
        return {
            (slot.ingress.view, slot.ingress.asn): len(own)
            for slot, own in self.history.snapshot.items()
            if isinstance(slot, RouteSlot) and len(own)
        }

    def ingresses(self, state: IngressState) -> list[Ingress]:
        return [one for one in self.registry if one.state is state]


class TableTests(Sockets):
    def test_it_can_be_made_without_being_started(self) -> None:
        connector = BmpConnector(
            *(Clock(), "bmp-1", listen_at("127.0.0.1:0"), self.store, self.history, self.registry)
        )  # fmt: skip
        self.assertEqual((connector.shown(), connector.counters.sessions, self.history.ready), ([], 0, False))

    async def test_without_routers_there_are_no_routes(self) -> None:
        self.start()
        self.assertTrue(self.history.ready)
        self.assertEqual((self.history.snapshot.count, self.changes), (0, 1))

    async def test_routes_of_peers_and_views(self) -> None:
        connector = self.start()
        await self.router(
            connector,
            *(BEGIN, made.peer_up(LOC_RIB, information=made.tlv(3, b"blue"))),
            *(routes(1, 2, 3), routes(1, peer=PEER.seen(made.POST)), routes(9, peer=LOC_RIB)),
            made.monitoring(PEER, made.update(withdrawn=made.prefix(2))),
        )
        await self.count(4)
        wanted = {(RibView.ADJ_RIB_IN_PRE, 64_500): 2, (RibView.ADJ_RIB_IN_POST, 64_500): 1}
        self.assertEqual(self.held(), {**wanted, (RibView.LOC_RIB, 65_000): 1})
        router, *others = self.registry
        self.assertEqual((router.kind, router.name, router.address), (IngressKind.BMP, "router", b"\x7f\0\0\1"))
        self.assertEqual({one.parent for one in others}, {router.number})
        self.assertEqual({(one.address, one.name) for one in others}, {(PEER.address, ""), (b"", "blue")})
        (link,) = connector.shown()
        self.assertEqual((link.name, link.state, link.records), ("bmp-1 127.0.0.1 (router)", "up", 4))
        self.assertEqual((connector.counters.peers, connector.counters.announcements), (2, 5))

    async def test_a_peer_that_goes_down_takes_its_routes_along(self) -> None:
        connector = self.start()
        router = await self.router(connector, BEGIN, made.peer_up(OTHER), routes(1, 2), routes(1, peer=OTHER))
        await self.count(3)
        router.transport.write(routes(3) + made.peer_down(PEER))
        await self.count(1)
        self.assertEqual(self.held(), {(RibView.ADJ_RIB_IN_PRE, 64_501): 1})
        self.assertEqual([one.asn for one in self.ingresses(IngressState.DOWN)], [64_500])
        numbers = len(self.registry)
        router.transport.write(made.peer_up(PEER) + routes(7))
        await self.count(2)
        self.assertEqual((len(self.registry), self.ingresses(IngressState.DOWN)), (numbers, []))

    async def test_a_lost_session_withdraws_all(self) -> None:
        connector = self.start()
        first = await self.router(connector, BEGIN, routes(1, 2))
        await self.router(connector, BEGIN, routes(3))
        await self.count(3)
        self.assertEqual(len(self.registry), 4)
        first.transport.abortConnection()
        await self.count(1)
        self.assertEqual(len(self.ingresses(IngressState.DOWN)), 2)
        gone = connector.shown()[-1]
        self.assertEqual((gone.state, gone.records), ("down", 0))
        self.assertIn("connection lost", gone.last_error or "")
        self.assertEqual(connector.counters.announcements, 3)
        await self.router(connector, BEGIN, routes(5, 6))
        await self.count(3)
        self.assertEqual((len(self.registry), self.ingresses(IngressState.DOWN)), (4, []))

    async def test_rows_that_wait_when_a_session_is_lost_are_not_kept(self) -> None:
        connector = self.start()
        router = await self.router(connector, BEGIN, routes(1, 2))
        router.transport.loseConnection()
        await self.until(lambda: connector.shown() and not connector.counters.sessions)
        await deferLater(reactor, 3 * bmp_connector.QUIET_SECONDS)
        self.assertEqual((self.history.snapshot.count, connector.counters.announcements), (0, 2))

    async def test_peer_up_again_starts_anew(self) -> None:
        connector = self.start()
        router = await self.router(connector, BEGIN, routes(1, 2))
        await self.count(2)
        router.transport.write(made.peer_up(PEER) + routes(3))
        await self.until(lambda: self.history.snapshot.count == 1 and connector.counters.announcements == 3)

    async def test_the_table_stays_when_the_connector_stops(self) -> None:
        connector = self.start()
        router = await self.router(connector, BEGIN, routes(1))
        await self.count(1)
        await connector.stopService()
        await router.gone
        await self.until(lambda: not connector.counters.sessions)
        self.assertEqual(self.history.snapshot.count, 1)

    async def test_many_rows_are_committed_while_the_router_waits(self) -> None:
        connector = self.start(commit_rows=1000)
        await self.router(connector, *made.table([PEER, OTHER], 20_000, 2))
        await self.count(40_000)
        self.assertGreater(len(self.diffs), 5)
        self.assertLess(max(diff.count for diff in self.diffs), 20_000)

    async def test_a_long_session_forgets_sets_and_goes_on(self) -> None:
        self.patch(bmp_connector, "RENEW_OCTETS", 10_000)
        connector = self.start(commit_rows=500)
        await self.router(connector, *made.table([PEER], 5_000))
        await self.count(5_000)
        (session,) = connector._sessions
        self.assertGreater(session.reader.renewed_at, 10_000)
        self.assertLess(len(session.reader.sets), 1000)

    async def test_a_listener_that_fails_harms_nobody(self) -> None:
        def broken(diff: Diff) -> None:
            raise ValueError("broken")

        connector = self.start()
        self.history.subscribe(broken)
        await self.router(connector, BEGIN, routes(1))
        await self.count(1)
        self.assertEqual(len(self.flushLoggedErrors(ExceptionGroup)), 1)

    async def test_filters_see_each_message(self) -> None:
        seen: list[RawMessage] = []

        def accepts(message: RawMessage) -> bool:
            seen.append(message)
            return message.peer is None or message.peer.asn == 64_500

        connector = self.start(filter=accepts)
        await self.router(connector, BEGIN, made.peer_up(OTHER), routes(1, peer=OTHER), routes(1, 2))
        await self.count(2)
        self.assertEqual(len(seen), 5)
        self.assertEqual(connector.counters.rejected.total(), 1)

    async def test_a_real_table(self) -> None:
        octets = gzip.decompress(shared("bmp/recorded/gobgp-4.8-prepolicy-jinx2014.bmp.raw.gz").read_bytes())
        connector = self.start()
        await self.router(connector, octets)
        await self.until(lambda: connector.counters.announcements == 497_312)
        await self.until(lambda: self.history.snapshot.count > 497_000)
        self.assertEqual(connector.counters.damaged.total(), 0)


Told = tuple[str, int, int, int]
"""What is said, of which peer, in which view, about which prefix."""

TOLD = st.tuples(
    st.sampled_from(("announce", "announce", "withdraw", "up", "down", "later")),
    *(st.sampled_from((0, 1)), st.sampled_from((0, 1)), st.sampled_from((0, 1, 2))),
)


class ModelTests(SynchronousTestCase):
    """Whatever comes in which order: the table has what was announced in a session that is up, and not withdrawn."""

    @given(st.lists(TOLD, max_size=40), st.integers(1, 400))
    def test_the_table_is_what_was_said(self, told: list[Told], size: int) -> None:
        clock, history, registry = Clock(), new_history(), IngressRegistry()
        connector = BmpConnector(clock, "bmp-1", listen_at("127.0.0.1:0"), AttributeStore(), history, registry)
        session = connector.session()
        session.makeConnection(StringTransport())
        octets, wanted = b"", set[tuple[int, RibView, bytes]]()
        up: set[int] = set()
        for what, number, view, route in [*told, ("later", 0, 0, 0)]:
            peer = (PEER, OTHER)[number]
            row = (peer.asn, RibView(view), made.prefix(route)[1:])
            of_peer = {row for row in wanted if row[0] == peer.asn}
            if what == "up":
                octets += made.peer_up(peer)
                up.add(number)
                wanted -= of_peer
            elif what == "down":
                octets += made.peer_down(peer)
                up.discard(number)
                wanted -= of_peer
            elif what == "later":
                for at in range(0, len(octets), size):
                    session.dataReceived(octets[at : at + size])
                octets = b""
                clock.advance(bmp_connector.LONGEST_SECONDS)
                self.assertEqual(_table(history), wanted)
            else:
                nlri = made.prefix(route)
                update = made.update(nlri) if what == "announce" else made.update(withdrawn=nlri)
                octets += made.monitoring(peer.seen(made.POST * view), update)
                if what == "withdraw":
                    wanted.discard(row)
                elif number in up:
                    wanted.add(row)

    def test_a_session_that_flaps_does_not_busy_the_table(self) -> None:
        clock, history, diffs = Clock(), new_history(), list[Diff]()
        history.subscribe(diffs.append)
        connector = BmpConnector(
            *(clock, "bmp-1", listen_at("127.0.0.1:0"), AttributeStore(), history, IngressRegistry())
        )  # fmt: skip
        session = connector.session()
        session.makeConnection(StringTransport())
        session.dataReceived(BEGIN + routes(1))
        clock.advance(1)
        session.dataReceived((made.peer_up(PEER) + routes(2) + made.peer_down(PEER)) * 100 + made.peer_up(PEER))
        session.dataReceived(routes(3))
        clock.advance(1)
        self.assertEqual(_table(history), {(64_500, RibView.ADJ_RIB_IN_PRE, made.prefix(3)[1:])})
        self.assertEqual(len(diffs), 3)


def _table(history: History) -> set[tuple[int, RibView, bytes]]:
    return {
        (slot.ingress.asn, slot.ingress.view, own.key(row)[:3])
        for slot, own in history.snapshot.items()
        for row in range(len(own))
        if isinstance(slot, RouteSlot)
    }


class HostileTests(Sockets):
    async def ends(self, connector: BmpConnector, what: str, *octets: bytes) -> None:
        """Such octets end the session, for this reason, and nobody else's."""
        bystander = await self.router(connector, BEGIN, routes(5))
        await self.until(lambda: self.history.snapshot.count == 1)
        hostile = await self.router(connector, *octets)
        await hostile.gone
        await self.until(lambda: connector.counters.sessions == 1)
        self.assertIn(what, connector.shown()[-1].last_error or "")
        self.assertEqual(self.history.snapshot.count, 1)
        bystander.transport.write(routes(6))
        await self.count(2)

    async def test_a_version_that_is_not_ours(self) -> None:
        await self.ends(self.start(), "version 4", BEGIN, routes(1), b"\4\0\0\0\6\0")

    async def test_a_length_that_cannot_be(self) -> None:
        await self.ends(self.start(), "a message of 4294967295 octets", BEGIN, routes(1), b"\3\xff\xff\xff\xff\0")

    async def test_octets_that_are_no_bmp(self) -> None:
        await self.ends(self.start(), "version 71", b"GET / HTTP/1.1\r\n\r\n")

    async def test_a_termination(self) -> None:
        await self.ends(self.start(), "administratively closed", BEGIN, routes(1), made.termination())

    async def test_more_ingresses_than_there_may_be(self) -> None:
        self.registry = IngressRegistry(most=3)
        views = [routes(1, peer=PEER.seen(flags)) for flags in (0, 0x40, 0x10)]
        await self.ends(self.start(), "of 3 at most", BEGIN, *views)

    async def test_half_a_message_and_then_nothing(self) -> None:
        self.patch(bmp_connector, "LOOK_SECONDS", 0.05)
        connector = self.start(limits=Limits(pdu_seconds=0.2))
        await self.ends(connector, "is not whole after 0.2 s", BEGIN, routes(1)[:50])
        self.assertEqual(connector.connections.late["PDU"], 1)

    async def test_octets_that_drip(self) -> None:
        self.patch(bmp_connector, "LOOK_SECONDS", 0.05)
        connector = self.start(limits=Limits(pdu_seconds=0.3))
        router = await self.router(connector, BEGIN)
        for octet in routes(1):
            router.transport.write(bytes((octet,)))
            await deferLater(reactor, 0.02)
        await router.gone
        self.assertIn("is not whole", connector.shown()[-1].last_error or "")

    async def test_nothing_at_all(self) -> None:
        self.patch(bmp_connector, "LOOK_SECONDS", 0.05)
        connector = self.start(limits=Limits(first_octet_seconds=0.2))
        router = await self.router(connector)
        await router.gone
        self.assertEqual(connector.connections.late["first octet"], 1)

    async def test_one_address_may_not_take_all_the_room(self) -> None:
        connector = self.start(limits=Limits(sessions_per_address=1, exempt=()))
        await self.router(connector, BEGIN)
        await self.until(lambda: connector.counters.sessions == 1)
        await (await self.router(connector, BEGIN)).gone
        self.assertEqual(connector.connections.refused.total(), 1)

    async def test_who_is_not_allowed_is_not_let_in(self) -> None:
        connector = self.start(listen_at("127.0.0.1:0,allow=192.0.2.0/24"))
        await (await self.router(connector, BEGIN)).gone
        self.assertEqual((connector.connections.refused.total(), connector.counters.octets), (1, 0))

    async def test_anything_may_come(self) -> None:
        connector = self.start()
        for traffic in made.spoilt(seed=9, count=48):
            router = await self.router(connector, traffic.octets)
            router.transport.loseConnection()
        await self.until(lambda: connector.connections.accepted == 48 and not connector.counters.sessions)
        await self.count(0)
        self.assertGreater(connector.counters.damaged.total(), 20)
        await self.router(connector, BEGIN, routes(1))
        await self.count(1)


class ProxyTests(Sockets):
    async def station(self, port: int = 0) -> tuple[Station, Connect, Any]:
        station = Station()
        listening: Any = await TCP4ServerEndpoint(reactor, port, interface=HERE).listen(station)
        self.addCleanup(self.close, station, listening)
        return station, Connect(HostPort(HERE, listening.getHost().port)), listening

    async def close(self, station: Station, listening: Any) -> None:
        for end in station.ends:
            if end.transport.connected:
                end.transport.abortConnection()
        await maybeDeferred(listening.stopListening)

    async def heard(self, station: Station, octets: bytes) -> None:
        """The first connection hears just this."""
        await self.until(lambda: station.ends and len(station.ends[0].heard) >= len(octets))
        self.assertEqual(station.ends[0].heard, octets)

    async def test_everything_is_handed_on_to_all(self) -> None:
        (one, to_one, _), (two, to_two, _) = await self.station(), await self.station()
        connector = self.start(proxy=Proxy([to_one, to_two]))
        octets = b"".join(made.table([PEER, OTHER], 5000)) + made.message(200, b"?")
        router = await self.router(connector, octets)
        for station in (one, two):
            await self.heard(station, octets)
        self.assertEqual(connector.proxied.sent, 2 * (4 + 1 + 10_000 + 1))
        router.transport.loseConnection()
        await one.ends[0].gone
        await two.ends[0].gone

    async def test_only_what_the_filter_accepts(self) -> None:
        for filtered in (True, False):
            station, to, _ = await self.station()
            connector = self.start(filter=lambda message: message.octets[5] != 1, proxy=Proxy([to], filtered))
            counters = made.statistics(PEER, _1=1)
            await self.router(connector, BEGIN, counters, routes(1))
            await self.heard(station, BEGIN + (b"" if filtered else counters) + routes(1))

    async def test_a_new_connection_first_hears_who_is_up(self) -> None:
        station, to, _ = await self.station()
        connector = self.start(proxy=Proxy([to]))
        begin = BEGIN + made.peer_up(OTHER)
        router = await self.router(connector, begin, routes(1), made.peer_down(OTHER))
        await self.until(lambda: station.ends and station.ends[0].heard.endswith(made.peer_down(OTHER)))
        station.ends[0].transport.abortConnection()
        await self.until(lambda: len(station.ends) == 2 and len(station.ends[1].heard) >= len(BEGIN))
        router.transport.write(routes(2))
        await self.until(lambda: station.ends[1].heard.endswith(routes(2)))
        self.assertEqual(station.ends[1].heard, BEGIN + routes(2))
        self.assertEqual(connector.proxied.connections, 2)

    async def test_a_station_that_comes_late_hears_all_of_it(self) -> None:
        _, to, listening = await self.station()
        await listening.stopListening()
        connector = self.start(proxy=Proxy([to]))
        await self.router(connector, BEGIN, routes(1))
        await self.count(1)
        station, _, _ = await self.station(to.where.port)
        await self.heard(station, BEGIN + routes(1))
        self.assertEqual(connector.proxied.dropped, 0)

    async def test_a_station_that_does_not_read_is_cut_off_and_harms_nobody(self) -> None:
        station, to, _ = await self.station()
        connector = self.start(proxy=Proxy([to], buffer_octets=100_000))
        router = await self.router(connector, BEGIN)
        await self.until(lambda: station.ends and station.ends[0].heard == BEGIN)
        station.ends[0].transport.pauseProducing()
        octets = b"".join(made.table([PEER], 120_000))
        router.transport.write(octets[len(made.initiation()) :])
        await self.count(120_000)
        await self.until(lambda: connector.proxied.cut == 1 and len(station.ends) == 2)
        await self.until(lambda: len(station.ends[1].heard) >= len(BEGIN))
        self.assertTrue(station.ends[1].heard.startswith(BEGIN))
        self.assertGreater(connector.proxied.dropped, 1000)

    async def test_what_waits_without_a_station_is_bounded(self) -> None:
        _, to, listening = await self.station()
        await listening.stopListening()
        connector = self.start(proxy=Proxy([to], buffer_octets=10_000))
        await self.router(connector, *made.table([PEER], 1000))
        await self.count(1000)
        self.assertEqual(connector.proxied.dropped, 1003)

    async def test_another_connector_is_a_station(self) -> None:
        """Over TLS, both ways: the second has the table of the first."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        authority = Authority(Path(folder.name))
        issued = authority.issue("station.example.net")
        listen = listen_at(f"tls:{HERE}:0,certificate={issued.certificate},key={issued.key}")
        first, self.history = self.history, new_history()
        second, station = self.history, self.start(listen)
        where = self.port(station)
        to = connect_to(f"tls:{HERE}:{where},authority={authority.certificate},name=station.example.net")
        self.history = first
        connector = self.start(proxy=Proxy([to]))
        router = await self.router(connector, *made.table([PEER, OTHER], 3000))
        await self.until(lambda: first.snapshot.count == second.snapshot.count == 6000)
        router.transport.write(made.peer_down(OTHER))
        await self.until(lambda: first.snapshot.count == second.snapshot.count == 3000)
        router.transport.loseConnection()
        await self.until(lambda: first.snapshot.count == second.snapshot.count == 0)

    def test_how_much_is_kept_for_new_connections(self) -> None:
        self.patch(bmp_proxy, "HEAD_OCTETS", 600)
        onwards = bmp_proxy.Onwards(Clock(), Proxy([]), self.fail, bmp_proxy.ProxyCounters())
        reader = BmpReader()
        peers = [made.Peer(bytes((192, 0, 2, number))) for number in range(20)]
        down = [made.peer_down(peer) for peer in peers]
        for event in reader.receive(b"".join((made.initiation(), *map(made.peer_up, peers))), 0):
            onwards.heed(event)  # type: ignore[arg-type]
        self.assertLessEqual(len(onwards._head().octets), 600 + len(made.initiation()))
        for event in reader.receive(b"".join(down), 0):
            onwards.heed(event)  # type: ignore[arg-type]
        self.assertEqual(onwards._head().octets, made.initiation())
