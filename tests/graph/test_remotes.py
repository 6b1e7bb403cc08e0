"""Two instances in one process, with Rotoro between them, over loopback."""

from __future__ import annotations

import socket
from typing import Any

from rotonda.graph.api import graph_site
from rotonda.graph.instance import Instance
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred

from rotoro.table import Diff
from tests.graph.worlds import NOW, SEVERAL, Hands, program_of
from tests.http.clients import Client
from tests.services.started import DaemonCase

TYPES = "type Seen { first: Asn }"
UNITS = """
filter-map seen {
    define { rx route: Route; tx out: Seen; }
    action fill { out.first.set(route.as_path.first()); }
    apply { filter match route.as_path.len() > 1 matching { fill; return accept; }; reject; }
}
unit rib: PhysicalRib with config { };
filter-map few {
    define { rx_tx route: Route; }
    apply { filter match route.as_path.len() < 2 matching { return reject; }; accept; }
}
unit judged: PhysicalRib with config { filter_map: few };
unit view: VirtualRib with config { filter_map: seen, contains: Seen };
unit far: PhysicalRib with config { };
unit records: PhysicalRib with config { contains: Seen };
instance west: Daemon with config { listen: 127.0.0.1:PORT, graph: [ w1 -> rib -> view, val -> rib ] };
instance east: Daemon with config { graph: [ west.rib -> far, west.view -> records, west.rib -> judged ] };
"""
LINKED = """
unit link: RotoroLink with config { server: 127.0.0.1:PORT, table: "rib" };
unit all: RotoroLink with config { server: 127.0.0.1:PORT };
unit both: PhysicalRib with config { };
unit typed: RotoroLink with config { server: 127.0.0.1:PORT, contains: Seen, table: "view" };
unit far: PhysicalRib with config { };
unit records: PhysicalRib with config { contains: Seen };
instance east: Daemon with config { graph: [ link -> far, typed -> records, all -> both ] };
"""
A, B, C = "10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"


def digest(instance: Instance, unit: str) -> int:
    """Of the table of a unit."""
    flow = instance.stages[unit].flow
    assert flow is not None
    return flow.history.snapshot.digest


class RemoteTests(Hands, DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])

    def words(self, text: str, types: str = TYPES) -> str:
        return (SEVERAL + types + text).replace("PORT", self.port)

    def begin(self, words: str, name: str) -> Instance:
        made = Instance(reactor, program_of(words), name, lambda: NOW, maybeDeferred)
        made.privilegedStartService()
        made.startService()
        self.addCleanup(made.stopService)
        return made

    def west(self) -> Instance:
        made = self.begin(self.words(UNITS), "west")
        self.say(made, "val", (7, B, 16))
        self.announce(made, "w1", {A: (1, 2), B: (3,), C: (4, 5)})
        return made

    async def alike(self, west: Instance, east: Instance) -> None:
        """Both tables become the same on both sides."""
        pairs = (("rib", "far"), ("view", "records"))
        await self.until(lambda: all(digest(west, one) == digest(east, other) for one, other in pairs))

    async def test_the_same_tables(self) -> None:
        west = self.west()
        east = self.begin(self.words(UNITS), "east")
        await self.alike(west, east)
        self.assertEqual((self.held(east, "far"), self.held(east, "records")), (sorted([A, B, C]), sorted([A, C])))
        await self.until(lambda: not east.missing() or not east.stages["far"].complete)
        flow = east.stages["far"].flow
        assert flow is not None
        told: list[Diff] = []
        flow.history.subscribe(told.append)
        self.announce(west, "w1", {A: (1, 2), C: (4, 5)})
        await self.alike(west, east)
        self.assertEqual([diff.count for diff in told], [1])

    async def test_rpki_data(self) -> None:
        """It goes with the unit that has it; who has none does not have others wait for it."""
        west = self.west()
        east = self.begin(self.words(UNITS), "east")
        await self.until(lambda: (east.stages["far"].rpki or west.stages["rib"].rpki) is not None)
        rpki = east.stages["far"].rpki
        assert rpki is not None
        await self.until(lambda: rpki.snapshot is not None and rpki.snapshot.count == 1)
        self.say(west, "val", (7, B, 16), (8, A, 8))
        await self.until(lambda: rpki.snapshot is not None and rpki.snapshot.count == 2)

    async def test_away(self) -> None:
        """The ingresses of an instance that is away are down; its routes stay for a while."""
        west = self.west()
        east = self.begin(self.words(UNITS), "east")
        await self.alike(west, east)
        self.assertEqual({each.state.name for each in east.ingresses}, {"UP"})
        await west.stopService()
        await self.until(lambda: {each.state.name for each in east.ingresses} == {"DOWN"})
        self.assertEqual(self.held(east, "far"), sorted([A, B, C]))

    async def test_other_types(self) -> None:
        """A table of other records than expected is not followed, and that is said."""
        self.west()
        units = UNITS.replace("action fill {", "action fill { out.more.set(1);")
        east = self.begin(self.words(units, "type Seen { first: Asn, more: U8 }"), "east")
        await self.until(lambda: self.held(east, "far") != [])
        (link,) = [link for link in east.links() if link.name.startswith("west")]
        self.assertIn("more", str(link.last_error))
        self.assertEqual(self.held(east, "records"), [])

    async def test_explained(self) -> None:
        """Each instance says what its units do, also with what came from another one."""
        west = self.west()
        east = self.begin(self.words(UNITS), "east")
        await self.until(lambda: len(self.held(east, "judged")) == 2)
        told = [
            [(each["unit"], each["west"], each["explanation"]["accepted"]) for each in found.json["routes"]]
            for made in (west, east)
            for found in [Client(graph_site(made, lambda: NOW)).ask(f"/api/v1/explain?prefix={B}")]
        ]
        self.assertEqual(told, [[("view", "rib", False)], [("judged", "west.rib", False)]])

    async def test_links(self) -> None:
        """A server that is no instance of the file."""
        west = self.west()
        east = self.begin(self.words(LINKED), "east")
        await self.until(lambda: len(self.held(east, "far")) == 3 and len(self.held(east, "records")) == 2)
        self.assertEqual({each.name for each in east.ingresses}, {"w1"})
        self.assertEqual([digest(west, "rib"), digest(west, "view")], [digest(east, "far"), digest(east, "records")])
        self.announce(west, "w1", {A: (1, 2)})
        await self.until(lambda: (self.held(east, "far"), self.held(east, "records")) == ([A], [A]))
        rpki = east.stages["both"].rpki
        assert rpki is not None
        await self.until(lambda: rpki.snapshot is not None and rpki.snapshot.count == 1)
        stage: Any = east.stages["link"]
        await self.until(lambda: stage.complete)
