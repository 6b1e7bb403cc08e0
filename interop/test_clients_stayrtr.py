"""rtrdump and rtrmon of StayRTR as routers of our cache; rtrdump asks once, in a version that it is given."""

from __future__ import annotations

from interop.peers import rtrmon
from interop.peers.base import Peer, require
from interop.peers.debian import AptPeer, UnpackedPeer
from interop.peers.processes import free_port
from interop.peers.scripted_cache import ScriptedCache
from interop.stories import ClientStories, EveryStoryInLowerVersions, counted

OLD_ASPAS = "reads ASPAs only in the layout of an old draft, and ends at the first of ours"


class RtrmonTests(EveryStoryInLowerVersions, ClientStories):
    kind = rtrmon.KIND


class RtrdumpTests(ClientStories):
    def setUp(self) -> None:
        super().setUp()
        self.data = self.states[0]

    def test_it_gets_exactly_the_set_in_every_version(self) -> None:
        for peer, versions in ((rtrmon.RTRDUMP, (0, 1, 2)), (rtrmon.RTRDUMP_06, (0, 1))):
            require(peer, self)
            self.data = self.states[0].without("aspas")
            port = self.start_scripted()
            for version in versions:
                with self.subTest(peer=peer.name, version=version), self.scenario(peer, f"load in v{version}") as story:
                    self.dumps(peer, port, version)
                    story.shows(counted(self.data if version else self.data.without("router_keys")))

    def test_aspas(self) -> None:
        peer: Peer = rtrmon.RTRDUMP
        require(peer, self)
        port = self.start_scripted()
        with self.scenario(peer, "load in v2, with ASPAs"), self.known_defect(OLD_ASPAS):
            self.dumps(rtrmon.RTRDUMP, port, 2)

    def dumps(self, peer: AptPeer | UnpackedPeer, port: int, version: int) -> None:
        """It writes exactly the set, without what the version or it has no place for."""
        expected = self.data.without("aspas", *(() if version else ("router_keys",)))
        self.assertTold(expected, rtrmon.dump(self.folder, port, version, peer))

    def start_scripted(self) -> int:
        """The port of a cache with the data."""
        port = free_port()
        self.keep(ScriptedCache(self.folder, port, self.data))
        return port
