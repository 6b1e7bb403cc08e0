"""Tests for L{rotonda.units.bgp_connector}: connectors of ours over loopback, and peers that a test plays."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from rotonda.bgp.attributes import decoded
from rotonda.bgp.messages import KEEPALIVE, MARKER, Kind, Open
from rotonda.bgp.raw import RawMessage
from rotonda.rib.ingresses import IngressRegistry
from rotonda.units.bgp_connector import BgpConnector, Mode, Peer, Topology
from rotonda.units.serving import new_history
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase

from rotoro.net.endpoints import HostPort
from rotoro.table import AttributeStore, History, IngressState, RouteSlot, Snapshot
from tests.bgp.speakers import HOP, ORIGIN, USUAL, path, update
from tests.rib.tables import ingresses, random_routes, snapshot_of

OURS, A, B, LEARNER = 65000, 64497, 64498, 65010
ONE, TWO = bytes([24, 198, 51, 100]), bytes([24, 203, 0, 113])
PATIENCE = 20.0


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def prefixes(snapshot: Snapshot) -> set[bytes]:
    """All prefixes of a table."""
    return {own.key(row)[:-4] for own in snapshot.values() for row in range(len(own))}


def paths(snapshot: Snapshot) -> dict[bytes, tuple[int, ...]]:
    """The AS path of each prefix, which has one route."""
    found: dict[bytes, tuple[int, ...]] = {}
    for slot, own in snapshot.items():
        assert isinstance(slot, RouteSlot)
        assert own.values is not None
        for row, number in enumerate(own.values.tolist()):
            segments = decoded(slot.attributes.octets[number]).as_path
            found[own.key(row)[:-4]] = tuple(asn for _, numbers in segments for asn in numbers)
    return found


class PlayedPeer(Protocol):
    """A peer in the hands of a test: collects what it hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True

    @property
    def kinds(self) -> list[int]:
        """The types of the messages that came."""
        return [each[18] for each in self.messages]

    @property
    def messages(self) -> list[bytes]:
        """The whole messages that came."""
        found, at = [], 0
        while at + 19 <= len(self.heard):
            length = int.from_bytes(self.heard[at + 16 : at + 18])
            found.append(self.heard[at : at + length])
            at += length
        return found

    def say(self, octets: bytes) -> None:
        assert self.transport is not None
        self.transport.write(octets)


class ConnectorCase(TestCase):
    timeout = 60

    def connector(
        self,
        peers: list[Peer],
        asn: int = OURS,
        port: int | None = None,
        store: AttributeStore | None = None,
        host: str = "127.0.0.1",
        **more: Any,
    ) -> BgpConnector:
        """One that runs until the end of the test."""
        listen = None if port is None else HostPort(host, port)
        connector = BgpConnector(
            reactor, f"bgp-{asn}", listen, asn, asn, peers, store=AttributeStore() if store is None else store, **more
        )
        connector.startService()
        self.addCleanup(connector.stopService)
        return connector

    def until(self, so: Callable[[], bool], what: str) -> Deferred[None]:
        """Fires when it is so; fails when it is not within some time."""
        done: Deferred[None] = Deferred()
        end = reactor.seconds() + PATIENCE

        def look() -> None:
            if so():
                done.callback(None)
            elif reactor.seconds() > end:
                done.errback(AssertionError(f"not within {PATIENCE:g} s: {what}"))
            else:
                reactor.callLater(0.02, look)

        look()
        return done

    async def played(self, port: int, local: str = "127.0.0.1", said: bytes = b"") -> PlayedPeer:
        """A peer that has connected and said this."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port, bindAddress=(local, 0))
        peer: PlayedPeer = await connectProtocol(endpoint, PlayedPeer())
        self.addCleanup(lambda: peer.transport.loseConnection() if peer.transport else None)
        peer.say(said)
        return peer

    def table(
        self, seed: int = 1, count: int = 300, store: AttributeStore | None = None
    ) -> tuple[History, AttributeStore]:
        """A table of some routes of several ingresses."""
        store = AttributeStore() if store is None else store
        history = new_history()
        history.commit(snapshot_of(random_routes(seed, count, ingresses()), store))
        return history, store


def opened(asn: int, **more: Any) -> bytes:
    """OPEN and KEEPALIVE of a peer."""
    return Open(asn, 90, asn, frozenset({4, 6}), **more).message() + KEEPALIVE


class ExchangeTests(ConnectorCase):
    """Both sides are ours."""

    async def test_a_table_is_told_and_kept_in_step(self) -> None:
        port = free_port()
        history, store = self.table()
        teller = self.connector(
            [Peer(address="127.0.0.1", asn=LEARNER, next_hop6="2001:db8::1")],
            port=port,
            store=store,
            topology=Topology.EAST_ONLY,
        )
        teller.announce(history)
        learner = self.connector([Peer(address="127.0.0.1", asn=OURS, port=port)], LEARNER, mode=Mode.ACTIVE)
        assert learner.history is not None
        assert teller.best is not None
        learned = learner.history
        await self.until(lambda: learner.peers[0].complete, "the first table")
        self.assertEqual(prefixes(learned.snapshot), prefixes(history.snapshot))
        best = paths(teller.best.snapshot)
        self.assertEqual(paths(learned.snapshot), {key: (OURS, *told) for key, told in best.items()})
        for seed in (2, 3, 4):
            history.commit(snapshot_of(random_routes(seed, 200, ingresses()), store))
            wanted = prefixes(history.snapshot)
            await self.until(lambda wanted=wanted: prefixes(learned.snapshot) == wanted, f"table {seed}")  # type: ignore[misc]
            best = paths(teller.best.snapshot)
            await self.until(
                lambda best=best: paths(learned.snapshot) == {key: (OURS, *told) for key, told in best.items()},  # type: ignore[misc]
                f"paths of table {seed}",
            )

    async def test_over_ipv6(self) -> None:
        """The next hop of IPv6 is our address; routes of IPv4 have none and are not told."""
        port = free_port()
        history, store = self.table()
        teller = self.connector(
            [Peer(address="::1", asn=LEARNER)], port=port, store=store, topology=Topology.EAST_ONLY, host="::1"
        )
        teller.announce(history)
        learner = self.connector([Peer(address="::1", asn=OURS, port=port)], LEARNER, mode=Mode.ACTIVE)
        assert learner.history is not None
        await self.until(lambda: learner.peers[0].complete, "the first table")
        told = learner.history.snapshot
        self.assertEqual(prefixes(told), {prefix for prefix in prefixes(history.snapshot) if len(prefix) == 17})
        [(slot, own)] = told.items()
        assert isinstance(slot, RouteSlot)
        assert own.values is not None
        self.assertEqual(decoded(slot.attributes.octets[own.values[0]]).next_hop, "::1")

    async def test_of_a_the_routes_reach_b_and_not_a(self) -> None:
        port = free_port()
        split = self.connector(
            [Peer(address="127.0.0.2", asn=A, name="a"), Peer(address="127.0.0.3", asn=B, name="b")], port=port
        )
        assert split.history is not None
        split.announce(split.history)
        a = await self.played(port, "127.0.0.2", opened(A) + update(ORIGIN + path(A, 64500) + HOP, ONE))
        b = await self.played(port, "127.0.0.3", opened(B) + update(ORIGIN + path(B, A) + HOP, TWO))
        await self.until(lambda: ONE in b.heard and TWO in a.heard, "each hears of the other")
        self.assertNotIn(ONE, a.heard)
        self.assertNotIn(TWO, b.heard)
        self.assertIn(path(OURS, A, 64500), b.heard)
        self.assertIn(path(OURS, B, A), a.heard)
        a.say(update(withdrawn=ONE))
        await self.until(lambda: update(withdrawn=ONE) in b.heard, "b hears of the withdrawal")
        b.transport.loseConnection()  # type: ignore[union-attr]
        await self.until(lambda: update(withdrawn=TWO) in a.heard, "with the session of b go its routes")
        self.assertEqual([link.state for link in split.shown()], ["established", "idle"])

    async def test_the_better_route_is_told_when_it_goes_the_other(self) -> None:
        port = free_port()
        peers = [Peer(address=f"127.0.0.{number}", asn=64500 + number) for number in (2, 3, 4)]
        split = self.connector(peers, port=port)
        assert split.history is not None
        split.announce(split.history)
        long = update(ORIGIN + path(64502, 1, 2) + HOP, ONE)
        short = update(ORIGIN + path(64503, 2) + HOP, ONE)
        first = await self.played(port, "127.0.0.2", opened(64502) + long)
        second = await self.played(port, "127.0.0.3", opened(64503) + short)
        third = await self.played(port, "127.0.0.4", opened(64504))
        await self.until(
            lambda: path(OURS, 64503, 2) in third.heard and path(OURS, 64503, 2) in first.heard, "the short one"
        )
        second.say(update(withdrawn=ONE))
        await self.until(
            lambda: third.heard.endswith(ONE) and path(OURS, 64502, 1, 2) in third.heard, "then the long one"
        )
        await self.until(lambda: update(withdrawn=ONE) in first.heard, "and nothing to whom it is from")

    async def test_echo(self) -> None:
        port = free_port()
        split = self.connector([Peer(address="127.0.0.1", asn=A, echo=True)], port=port)
        assert split.history is not None
        split.announce(split.history)
        a = await self.played(port, said=opened(A) + update(USUAL, ONE))
        await self.until(lambda: path(OURS, 64497, 64500) in a.heard, "its own route comes back")

    async def test_within_an_as(self) -> None:
        """Routes of one internal peer are not told to another, those of others are, as they are."""
        port = free_port()
        peers = [Peer(address=f"127.0.0.{number}", asn=asn) for number, asn in ((2, OURS), (3, OURS), (4, A))]
        split = self.connector(peers, port=port)
        assert split.history is not None
        split.announce(split.history)
        preference = bytes.fromhex("400504000000c8")
        await self.played(port, "127.0.0.2", Open(OURS, 90, 1).message() + KEEPALIVE + update(USUAL + preference, ONE))
        inside = await self.played(port, "127.0.0.3", Open(OURS, 90, 2).message() + KEEPALIVE)
        outside = await self.played(port, "127.0.0.4", opened(A) + update(USUAL, TWO))
        await self.until(lambda: TWO in inside.heard and ONE in outside.heard, "both")
        self.assertNotIn(ONE, inside.heard)
        self.assertIn(USUAL + bytes.fromhex("40050400000064"), inside.heard)
        self.assertNotIn(preference, outside.heard)

    async def test_filters(self) -> None:
        port = free_port()
        seen: list[RawMessage] = []

        def accepts(message: RawMessage) -> bool:
            seen.append(message)
            return TWO not in message.octets

        def none_of_ipv4(table: Snapshot) -> Snapshot:
            return Snapshot.of({slot: own for slot, own in table.items() if getattr(slot, "family", 4) == 6})

        peers = [Peer(address="127.0.0.2", asn=A), Peer(address="127.0.0.3", asn=B, east_filter=none_of_ipv4)]
        split = self.connector(peers, port=port, west_filter=accepts)
        assert split.history is not None
        split.announce(split.history)
        await self.played(port, "127.0.0.2", opened(A) + update(USUAL, ONE) + update(USUAL, TWO))
        b = await self.played(port, "127.0.0.3", opened(B))
        await self.until(lambda: prefixes(split.history.snapshot) == {ONE[1:] + b"\0" + ONE[:1]}, "one")  # type: ignore[union-attr]
        await self.until(lambda: b.kinds.count(Kind.UPDATE) == 2, "only the ends of both families are told")
        self.assertEqual(split.peers[0].counts.taken.filtered, 1)
        self.assertEqual([message.octets for message in seen], [update(USUAL, ONE), update(USUAL, TWO)])
        self.assertEqual((seen[0].peer.asn, seen[0].peer.bgp_id) if seen[0].peer else None, (A, A))

    async def test_refresh(self) -> None:
        port = free_port()
        history, store = self.table()
        teller = self.connector([Peer(address="127.0.0.1", asn=A)], port=port, store=store, topology=Topology.EAST_ONLY)
        teller.announce(history)
        peer = await self.played(port, said=opened(A))
        end = update()
        await self.until(lambda: end in peer.heard, "all of IPv4")
        first = len(peer.heard)
        peer.say(MARKER + bytes((0, 23, 5, 0, 1, 0, 1)))
        await self.until(lambda: len(peer.heard) > first + 1000, "all of it again")


class WestTests(ConnectorCase):
    async def test_sessions_come_and_go(self) -> None:
        port = free_port()
        registry = IngressRegistry()
        learner = self.connector(
            [Peer(address="127.0.0.1", asn=A, name="a")],
            port=port,
            topology=Topology.WEST_ONLY,
            adopt=lambda ingress: registry.adopt("bgp-1", ingress),
        )
        assert learner.history is not None
        history = learner.history
        self.assertEqual(learner.missing(), ["a"])
        peer = await self.played(port, said=opened(A) + update(USUAL, ONE + TWO) + update())
        await self.until(lambda: history.snapshot.count == 2, "two routes")
        self.assertEqual(learner.missing(), ["a"], "the end of IPv6 has not come")
        self.assertEqual([(each.asn, each.bgp_id, each.state) for each in registry], [(A, A, IngressState.UP)])
        self.assertEqual([(link.state, link.records) for link in learner.shown()], [("established", 2)])
        peer.transport.abortConnection()  # type: ignore[union-attr]
        await self.until(lambda: history.snapshot.count == 0, "none")
        self.assertEqual([each.state for each in registry], [IngressState.DOWN])
        self.assertIn("lost", str(learner.shown()[0].last_error))
        await self.played(port, said=opened(A) + update(USUAL, ONE))
        await self.until(lambda: history.snapshot.count == 1, "one again")
        self.assertEqual(len(registry), 1, "it is the same ingress")

    async def test_strangers_are_refused(self) -> None:
        port = free_port()
        learner = self.connector([Peer(address="127.0.0.2", asn=A)], port=port)
        stranger = await self.played(port, "127.0.0.9", opened(A))
        await self.until(lambda: stranger.lost, "it is refused")
        self.assertEqual((sum(learner.counters.refused.values()), stranger.heard), (1, b""))

    async def test_too_many_routes(self) -> None:
        port = free_port()
        learner = self.connector([Peer(address="127.0.0.1", asn=A, most_routes=1)], port=port)
        peer = await self.played(port, said=opened(A) + update(USUAL, ONE + TWO))
        await self.until(lambda: peer.lost, "it is shut out")
        self.assertEqual(peer.messages[-1][18:21], bytes((Kind.NOTIFICATION, 6, 1)))
        again = await self.played(port, said=opened(A))
        await self.until(lambda: again.lost, "and not let in")
        self.assertEqual((again.heard, learner.history.snapshot.count if learner.history else None), (b"", 0))

    async def test_malformed_updates(self) -> None:
        port = free_port()
        learner = self.connector([Peer(address="127.0.0.1", asn=A)], port=port)
        assert learner.history is not None
        history = learner.history
        peer = await self.played(port, said=opened(A) + update(USUAL, ONE + TWO))
        await self.until(lambda: history.snapshot.count == 2, "two routes")
        peer.say(update(ORIGIN + HOP, ONE))
        await self.until(lambda: history.snapshot.count == 1, "without a path it is as good as withdrawn")
        peer.say(update(USUAL, bytes([200, 1])))
        await self.until(lambda: peer.lost, "a prefix that cannot be")
        self.assertEqual(peer.messages[-1][18:21], bytes((Kind.NOTIFICATION, 3, 10)))
        self.assertEqual(history.snapshot.count, 0)

    async def test_two_connections_of_a_peer(self) -> None:
        port = free_port()
        learner = self.connector([Peer(address="127.0.0.1", asn=A)], port=port)
        await self.played(port, said=opened(A) + update(USUAL, ONE))
        await self.until(lambda: learner.peers[0].established, "the first")
        second = await self.played(port, said=opened(A))
        await self.until(lambda: second.lost, "the second goes")
        self.assertEqual(second.messages[-1][18:21], bytes((Kind.NOTIFICATION, 6, 7)))
        self.assertTrue(learner.peers[0].established)

    async def test_both_connect(self) -> None:
        """Of two connections between the same two, one stays, and both know which."""
        ports = free_port(), free_port()
        one = self.connector([Peer(address="127.0.0.1", asn=A, port=ports[1])], OURS, ports[0], mode=Mode.ACTIVE)
        other = self.connector([Peer(address="127.0.0.1", asn=OURS, port=ports[0])], A, ports[1], mode=Mode.ACTIVE)
        await self.until(lambda: one.peers[0].established and other.peers[0].established, "both are established")
        await self.until(lambda: one.peers[0].state == other.peers[0].state, "and stay so")

    async def test_stopping_tells_the_peer(self) -> None:
        port = free_port()
        learner = self.connector([Peer(address="127.0.0.1", asn=A)], port=port)
        peer = await self.played(port, said=opened(A))
        await self.until(lambda: learner.peers[0].established, "established")
        await learner.stopService()
        await self.until(lambda: peer.lost, "closed")
        self.assertEqual(peer.messages[-1][18:21], bytes((Kind.NOTIFICATION, 6, 2)))


class SlowPeerTests(ConnectorCase):
    async def test_it_is_led_to_the_present_and_not_through_the_past(self) -> None:
        port = free_port()
        history, store = self.table(1, 4000)
        teller = self.connector([Peer(address="127.0.0.1", asn=A)], port=port, store=store, topology=Topology.EAST_ONLY)
        peer = await self.played(port, said=opened(A))
        await self.until(lambda: teller.peers[0].established, "established")
        peer.transport.pauseProducing()  # type: ignore[union-attr]
        connection = teller.peers[0].session
        assert connection is not None
        connection.pauseProducing()
        teller.announce(history)
        for seed in range(2, 6):
            history.commit(snapshot_of(random_routes(seed, 4000, ingresses()), store))
        assert teller.best is not None
        best = teller.best
        await self.until(lambda: best.snapshot.count == len(prefixes(history.snapshot)), "it is chosen")
        self.assertEqual(teller.peers[0].counts.announced, 0)
        peer.transport.resumeProducing()  # type: ignore[union-attr]
        connection.resumeProducing()
        await self.until(lambda: update() in peer.heard, "the end")
        ipv4 = sum(len(own) for slot, own in best.snapshot.items() if getattr(slot, "family", 0) == 4)
        self.assertEqual(teller.peers[0].counts.announced, ipv4)


class ConfigurationTests(ConnectorCase):
    def test_what_cannot_be(self) -> None:
        good: dict[str, Any] = {
            "listen": HostPort("127.0.0.1", 0),
            "asn": OURS,
            "peers": [Peer(address="192.0.2.1", asn=A)],
        }
        changes: list[tuple[dict[str, Any], str]] = [
            ({"listen": None}, "no place"),
            ({"peers": []}, "no peers"),
            ({"peers": good["peers"] * 2}, "one address"),
            ({"asn": 0}, "my_asn"),
            ({"hold_time": 2}, "hold_time"),
            ({"peers": [Peer(address="192.0.2.1", asn=A, families=frozenset({5}))]}, "families"),
            ({"peers": [Peer(address="192.0.2.1", asn=A, next_hop6="192.0.2.9")]}, "next_hop6"),
            ({"peers": [Peer(address="peer.example", asn=A)]}, "peer.example"),
        ]
        for change, word in changes:
            made = good | change
            with self.subTest(word=word), self.assertRaisesRegex(ValueError, word):
                BgpConnector(
                    reactor, "bgp-1", made["listen"], made["asn"], 1, made["peers"], store=AttributeStore(),
                    hold_time=made.get("hold_time", 90),
                )  # fmt: skip

    def test_one_that_only_learns_tells_nothing(self) -> None:
        learner = BgpConnector(
            reactor, "bgp-1", HostPort("127.0.0.1", 0), OURS, 1, [Peer(address="192.0.2.1", asn=A)],
            store=AttributeStore(), topology=Topology.WEST_ONLY,
        )  # fmt: skip
        with self.assertRaisesRegex(ValueError, "WestOnly"):
            learner.announce(new_history())
        self.assertIsNone(learner.best)
