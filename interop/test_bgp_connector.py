"""Our BGP connector with BIRD 2 and GoBGP 3 as peers: routes in both directions, whoever connects, and from one peer to
the other.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from rotonda.bgp.attributes import Attributes, decoded
from rotonda.units.bgp_connector import BgpConnector, Mode, Peer
from rotonda.units.serving import new_history
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from interop.peers.base import require
from interop.peers.processes import LOOPBACK, free_ports
from interop.peers.speakers import BirdSpeaker, GobgpSpeaker, Meeting, Paths
from interop.results import RecordedCase
from interop.traffic.bgp import announcement, hostile, opening, steady
from rotoro.net.endpoints import HostPort
from rotoro.table import AttributeStore, RouteSlot, Snapshot
from tests.rib.tables import PlainRoute, attribute_set, ingresses, snapshot_of

OURS, FIRST, SECOND = 65000, 64497, 4_200_000_001
FIRST_AT, SECOND_AT = "127.0.0.2", "127.0.0.3"
ROUTES = ["198.51.100.0/24", "203.0.113.0/25", "192.0.2.128/32", "2001:db8:1::/48", "2001:db8:2::/64"]
OTHERS = ["198.18.0.0/15", "10.64.0.0/10", "2001:db8:4000::/34"]
HOP4, HOP6 = "192.0.2.99", "2001:db8::99"  # GoBGP takes no routes by way of a loopback address
PATIENCE = 60.0
Speaker = BirdSpeaker | GobgpSpeaker


def held(snapshot: Snapshot) -> dict[str, Attributes]:
    """The routes of a table, of which each prefix has one."""
    found: dict[str, Attributes] = {}
    for slot, own in snapshot.items():
        if isinstance(slot, RouteSlot) and own.values is not None:
            for row, number in enumerate(own.values.tolist()):
                octets = own.key(row)
                prefix = f"{ip_address(octets[:-5])}/{octets[-5]}"
                found[prefix] = decoded(slot.attributes.octets[number])
    return found


def paths(snapshot: Snapshot) -> Paths:
    """Their AS paths."""
    return {prefix: tuple(asn for _, part in each.as_path for asn in part) for prefix, each in held(snapshot).items()}


class BgpCase(TestCase, RecordedCase):
    """A test with our connector in this process, and speakers that end with it."""

    timeout = 240

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rotonda-bgp-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.port, *self.ports = free_ports(3)
        self.store = AttributeStore()

    def speaker(self, kind: type[Speaker], meeting: Meeting) -> Speaker:
        """One that runs until the end of the test."""
        require(kind.peer, self)
        speaker = kind(self.folder / f"as{meeting.asn}", meeting)
        self.addCleanup(speaker.daemon.stop)
        return speaker

    def first(self, kind: type[Speaker], connects: bool, **more: Any) -> Speaker:
        """A speaker of the first AS."""
        return self.speaker(kind, Meeting(FIRST_AT, self.ports[0], FIRST, self.port, OURS, connects, ROUTES, **more))

    def connector(self, peers: list[Peer], mode: Mode = Mode.PASSIVE) -> BgpConnector:
        """Ours."""
        connector = BgpConnector(
            reactor, "bgp-1", HostPort(LOOPBACK, self.port), OURS, 1, peers, mode=mode, store=self.store
        )
        connector.startService()
        self.addCleanup(connector.stopService)
        return connector

    async def until(self, so: Callable[[], object], what: str, *asked: Speaker) -> None:
        """It is so within some time; what is asked of speakers is asked in a thread."""
        end = reactor.seconds() + PATIENCE
        while not (await deferToThread(so) if asked else so()):
            if reactor.seconds() > end:
                self.fail(f"not within {PATIENCE:g} s: {what}; {[each.daemon.lines()[-5:] for each in asked]}")
            pause: Deferred[None] = Deferred()
            reactor.callLater(0.1, pause.callback, None)
            await pause


def first_peer(**more: Any) -> Peer:
    """The first speaker as we are told of it."""
    return Peer(address=FIRST_AT, asn=FIRST, name="first", next_hop4=HOP4, next_hop6=HOP6, **more)


class Stories:
    """What each speaker is told and tells."""

    kind: type[Speaker]

    async def test_what_it_announces(self: Any) -> None:
        speaker = self.first(self.kind, connects=True)
        with self.scenario(self.kind.peer, "BGP: what it announces") as story:
            await self.learns(speaker)
            story.shows("its routes of both families, withdrawn and announced again, and gone with its session")

    async def learns(self: Any, speaker: Speaker) -> None:
        """We have what it announces, at any time."""
        connector = self.connector([first_peer()])
        history = connector.history
        await self.until(lambda: len(held(history.snapshot)) == len(ROUTES), "its routes")
        told = held(history.snapshot)
        self.assertEqual(paths(history.snapshot), dict.fromkeys(ROUTES, (FIRST,)))
        self.assertTrue(all((FIRST, 1) in each.communities for each in told.values()), told)
        speaker.withdraw(4)
        left = {each for each in ROUTES if ":" in each}
        await self.until(lambda: set(held(history.snapshot)) == left, "only those of IPv6")
        speaker.announce(4)
        await self.until(lambda: set(held(history.snapshot)) == set(ROUTES), "all again")
        self.assertEqual(connector.peers[0].counts.taken.faulty, 0)
        speaker.daemon.stop()
        await self.until(lambda: not held(history.snapshot), "none when it is gone")

    async def test_what_it_is_told(self: Any) -> None:
        """We connect; it has exactly the best routes of our table, and follows when that changes."""
        speaker = self.first(self.kind, connects=False)
        with self.scenario(self.kind.peer, "BGP: what it is told") as story:
            await self.tells(speaker)
            story.shows("the best of 2,000 routes of both families, then others, then none")

    async def tells(self: Any, speaker: Speaker) -> None:
        """It has what we announce."""
        history = new_history()
        connector = self.connector([first_peer(port=self.ports[0], local=LOOPBACK)], Mode.ACTIVE)
        connector.announce(history)
        for seed in (1, 2):
            history.commit(routes(self.store, seed))

            def agrees() -> bool:
                best = paths(connector.best.snapshot)
                told: Paths = speaker.heard()
                return bool(best) and told == {prefix: (OURS, *path) for prefix, path in best.items()}

            await self.until(agrees, f"table {seed} is there", speaker)
        self.assertGreater(len(speaker.heard()), 1000)
        history.commit(snapshot_of([], self.store))
        await self.until(lambda: not speaker.heard(), "nothing is left", speaker)
        self.assertEqual(connector.peers[0].counts.established, 1)


def routes(store: AttributeStore, seed: int) -> Snapshot:
    """Some 2,000 routes to 1,200 prefixes, by two ingresses."""
    first, made = 0x0B0000 + seed * 100, []
    for ingress in ingresses(2):
        for number in range(first, first + 600 - 100 * ingress.number):
            octets = attribute_set(64500 + (number * seed) % 7, ((64496, number % 5),), number % 3)
            made.append(PlainRoute(4, number << 8, 24, 0, ingress, octets, 0))
            made.append(PlainRoute(6, 0x2001 << 112 | number << 80, 48, 0, ingress, octets, 0))
    return snapshot_of(made, store)


class BirdTests(Stories, BgpCase):
    kind = BirdSpeaker

    async def test_all_paths(self) -> None:
        """BIRD sends two routes to one prefix, with path identifiers."""
        self.first(BirdSpeaker, connects=True, add_path=True)
        connector = self.connector([first_peer(add_path=frozenset({4, 6}))])
        history = connector.history
        assert history is not None
        await self.until(lambda: history.snapshot.count == len(ROUTES) + 1, "one more than prefixes")
        identifiers = [own.key(row)[-4:] for own in history.snapshot.values() for row in range(len(own))]
        self.assertNotIn(bytes(4), identifiers)
        self.assertEqual(len(held(history.snapshot)), len(ROUTES))


class GobgpTests(Stories, BgpCase):
    kind = GobgpSpeaker


class FromOneToTheOtherTests(BgpCase):
    """bgp-1 -> rib -> bgp-1, with BIRD and GoBGP."""

    async def test_the_run(self) -> None:
        bird = self.first(BirdSpeaker, connects=True)
        gobgp = self.speaker(GobgpSpeaker, Meeting(SECOND_AT, self.ports[1], SECOND, self.port, OURS, True, OTHERS))
        second = Peer(address=SECOND_AT, asn=SECOND, name="second", next_hop4=HOP4, next_hop6=HOP6)
        connector = self.connector([first_peer(), second])
        assert connector.history is not None
        connector.announce(connector.history)
        to_bird = dict.fromkeys(OTHERS, (OURS, SECOND))
        to_gobgp = dict.fromkeys(ROUTES, (OURS, FIRST))
        await self.until(lambda: bird.heard() == to_bird, "BIRD has what GoBGP has, and nothing of its own", bird)
        await self.until(lambda: gobgp.heard() == to_gobgp, "and the other way round", gobgp)
        shown = await deferToThread(bird.attributes, OTHERS[0])
        self.assertIn(f"BGP.next_hop: {HOP4}", shown)
        self.assertIn(f"({SECOND % 65536},1)", shown)
        bird.withdraw(4)
        left = {prefix: path for prefix, path in to_gobgp.items() if ":" in prefix}
        await self.until(lambda: gobgp.heard() == left, "GoBGP hears of the withdrawal", gobgp)
        gobgp.daemon.stop()
        await self.until(lambda: not bird.heard(), "and BIRD of the end", bird)


class ScapyTests(BgpCase):
    """What Scapy writes, over real sockets."""

    def converse(self, octets: bytes) -> bytes:
        """Say this and nothing more as the first AS; hear all until the other side closes."""
        heard = bytearray()
        connection = socket.create_connection((LOOPBACK, self.port), 20, (FIRST_AT, 0))
        with connection, contextlib.suppress(ConnectionError):
            connection.sendall(octets)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(1 << 16):
                heard += piece
        return bytes(heard)

    async def test_routes_that_come_and_go(self) -> None:
        connector = self.connector([first_peer()])
        assert connector.history is not None
        history = connector.history
        traffic = list(steady(1, FIRST, 400))
        connection = socket.create_connection((LOOPBACK, self.port), 20, (FIRST_AT, 0))
        self.addCleanup(connection.close)
        await deferToThread(connection.sendall, opening(FIRST, "192.0.2.1"))
        for place in range(0, len(traffic), 50):
            part = traffic[place : place + 50]
            await deferToThread(connection.sendall, b"".join(each.octets for each in part))
            last = part[-1]
            await self.until(partial(lambda last: paths(history.snapshot) == last.leaves, last), last.what)
        self.assertEqual(connector.peers[0].counts.taken.updates, len(traffic))

    async def test_what_cannot_be(self) -> None:
        """After each a session is as good as the first, and nothing is left of those before."""
        connector = self.connector([first_peer()])
        assert connector.history is not None
        history = connector.history
        good = opening(FIRST, "192.0.2.1") + announcement((FIRST, 64500), ["198.51.100.0/24"])
        for what, octets in hostile(2, FIRST, 120):
            await deferToThread(self.converse, good + octets)
            await self.until(lambda: not held(history.snapshot), f"nothing is left after {what}: {octets.hex()}")
        self.assertEqual(connector.peers[0].counts.established, 120)
        connection = socket.create_connection((LOOPBACK, self.port), 20, (FIRST_AT, 0))
        self.addCleanup(connection.close)
        await deferToThread(connection.sendall, good)
        await self.until(lambda: paths(history.snapshot) == {"198.51.100.0/24": (FIRST, 64500)}, "a good one")
