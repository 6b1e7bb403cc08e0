"""Routers of ours that know RTR up to version 0, 1 or 2, with caches of others that know other versions.

The sessions are those of our daemons, and so is what connects them; the highest version is not for users to choose.
"""

from __future__ import annotations

from typing import NoReturn

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from interop.caches import ROUTINATOR, RTRTR, STAYRTR_ASPAS, CacheCase, CacheKind, stayrtr_kind
from interop.peers.processes import LOOPBACK
from interop.peers.scripted_cache import snapshot_of
from interop.peers.stayrtr import STAYRTR, STAYRTR_06
from interop.stories import counted
from interop.vrps import generate
from rotoro.net.connecting import Connecting
from rotoro.net.endpoints import connect_to
from rotoro.session.base import Session
from rotoro.session.effects import Effect, Update
from rotoro.session.follower import FollowingPeer
from rotoro.session.held import Held
from rotoro.session.negotiation import ClientSession, Mode
from rotoro.session.router import RouterSession
from rotoro.table import AttributeStore
from rotoro.wire.pdu import RTR_LATEST

SECONDS = 30


class VersionTests(CacheCase, TestCase):
    """Each cache with routers of every version, some of which ask first whether it speaks Rotoro."""

    timeout = 120

    def setUp(self) -> None:
        super().setUp()
        self.data = generate(300, seed=64520, router_keys=5, aspas=8)

    async def test_routinator(self) -> None:
        await self.play(ROUTINATOR)

    async def test_rtrtr(self) -> None:
        await self.play(RTRTR)

    async def test_stayrtr(self) -> None:
        """Given 2 it has all; given less, it answers in that at once."""
        await self.play(STAYRTR_ASPAS, "-protocol 2: ", ",old-aspa")
        for given in (1, 0):
            await self.play(stayrtr_kind(STAYRTR, given, given), f"-protocol {given}: ")

    async def test_stayrtr_06(self) -> None:
        """Given 2, which it does not know any more, it serves version 0."""
        for given, serves in ((2, 0), (1, 1), (0, 0)):
            await self.play(stayrtr_kind(STAYRTR_06, given, serves), f"-protocol {given}: ")

    async def play(self, kind: CacheKind, which: str = "", settings: str = "") -> None:
        port = self.serve(kind, self.data)
        for highest in range(RTR_LATEST + 1):
            with self.scenario(kind.peer, f"our router up to version {highest}: {which}load") as story:
                modes = (Mode.RTR, Mode.AUTO)
                came = await gatherResults([self.load(port, highest, mode, settings) for mode in modes])
                version = min(highest, kind.version)
                expected = kind.expected(self.data, version)
                for held in came:
                    self.assertEqual(held.version, version)
                    self.assertEqual(held.snapshot, snapshot_of(expected))
                story.shows(f"v{version}: {counted(expected)}")

    def load(self, port: int, highest: int, mode: Mode, settings: str) -> Deferred[Held]:
        """What such a router holds after its first load."""
        to = connect_to(f"{LOOPBACK}:{port}{settings}")
        router = RouterSession("rpki", highest, tolerant=to.tolerant, old_aspa=to.old_aspa)
        follower = FollowingPeer(lambda _: None, AttributeStore(), _adopt_nothing)
        loaded: Deferred[Held] = Deferred()

        def tell(_: Session, effect: Effect) -> None:
            if isinstance(effect, Update) and not loaded.called:
                assert router.held is not None
                loaded.callback(router.held)

        service = Connecting(reactor, to, ClientSession(mode, follower, router), tell)
        service.startService()
        self.addCleanup(service.stopService)
        return loaded.addTimeout(SECONDS, reactor)


def _adopt_nothing(_: object) -> NoReturn:
    raise AssertionError("no server of Rotoro is here")
