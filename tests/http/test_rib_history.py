from __future__ import annotations

from typing import Any

from rotonda.http.rib_api import rib_site
from rotonda.rib.merge import MergeStrategy, WindowCount, WindowTime
from rotonda.rib.physical import PhysicalRib
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, History
from tests.http.clients import PEERS, Client, PlainRibDaemon, clock
from tests.rib.tables import PlainRoute, attribute_set, snapshot_of

STORY = (
    # when, origins by peer
    (10, {0: 64496, 1: 64499}),
    (20, {0: 64497, 1: 64499}),
    (30, {0: 64498}),
)


class RibHistoryTests(SynchronousTestCase):
    def client(self, strategy: MergeStrategy) -> Client:
        self.daemon, store = PlainRibDaemon(), AttributeStore()
        peers = [self.daemon.ingresses.adopt("west", peer) for peer in PEERS]
        times = iter([time for time, _ in STORY])
        rib = PhysicalRib("rib-loc", store, lambda: History(7, 1), strategy, lambda: next(times))
        self.daemon.tables.append(rib)
        received: dict[tuple[int, int], int] = {}
        for time, origins in STORY:
            routes = [
                PlainRoute(
                    4, 0xC0000200, 24, 0, peers[peer], attribute_set(asn), received.setdefault((peer, asn), time)
                )
                for peer, asn in origins.items()
            ]
            rib.routes.update("west", snapshot_of(routes, store))
        return Client(rib_site(self.daemon, clock))

    def rows(self, client: Client, question: str) -> list[dict[str, Any]]:
        reply = client.ask(f"/api/v1/ribs/rib-loc/routes?fields=ingress,origin_as,received,ended,status&{question}")
        self.assertEqual(reply.status, 200, reply.body)
        rows: list[dict[str, Any]] = reply.json["routes"]
        self.assertEqual(reply.json["count"], len(rows))
        return rows

    def test_the_past_follows_what_is_active(self) -> None:
        client = self.client(MergeStrategy())
        active = {"ingress": 0, "received": 30, "status": "active", "origin_as": 64498}
        first = {"ingress": 0, "received": 10, "ended": 20, "status": "replaced", "origin_as": 64496}
        second = {"ingress": 0, "received": 20, "ended": 30, "status": "replaced", "origin_as": 64497}
        gone = {"ingress": 1, "received": 10, "ended": 30, "status": "withdrawn", "origin_as": 64499}
        cases: dict[str, list[dict[str, Any]]] = {
            "": [active],
            "history=false": [active],
            "history=true": [active, first, second, gone],
            "history=true&status=active": [active],
            "status=active": [active],
            "status=stale": [],
            "status=replaced": [first, second],
            "status=withdrawn": [gone],
            "history=true&status=withdrawn": [gone],
            "ip=192.0.2.1&history=true": [active, first, second, gone],
            "prefix=192.0.0.0/16&match=longer&history=true": [active, first, second, gone],
            "prefix=192.0.2.0/25&match=shorter&status=replaced": [first, second],
            "prefix=192.0.3.0/24&history=true": [],
            "history=true&peer_as=AS64501": [gone],
            "history=true&origin=64496": [first],
            "history=true&family=6": [],
        }
        for question, expected in cases.items():
            with self.subTest(question):
                self.assertEqual(self.rows(client, question), expected)

    def test_pages(self) -> None:
        client = self.client(MergeStrategy())
        rows, cursor = [], ""
        while cursor is not None:
            reply = client.ask(
                f"/api/v1/routes?history=true&limit=1{cursor and '&cursor=' + cursor.replace('=', '%3D')}"
            )
            self.assertEqual((reply.json["count"], len(reply.json["routes"])), (4, 1))
            rows += reply.json["routes"]
            cursor = reply.json["cursor"]
        self.assertEqual(rows, client.ask("/api/v1/routes?history=true").json["routes"])
        cursor = client.ask("/api/v1/routes?history=true&limit=1").json["cursor"].replace("=", "%3D")
        self.assertEqual(client.ask(f"/api/v1/routes?cursor={cursor}").status, 400)

    def test_strategies_show(self) -> None:
        self.assertEqual(len(self.rows(self.client(MergeStrategy(overwrite=WindowCount(2))), "history=true")), 3)
        client = self.client(MergeStrategy(overwrite=WindowTime(100)))
        tag = client.ask("/api/v1/routes?history=true").headers["etag"]
        self.assertEqual(client.ask("/api/v1/routes?history=true", If_None_Match=tag).status, 304)
        self.daemon.tables[0].sweep(115)
        self.assertEqual(client.ask("/api/v1/routes?history=true", If_None_Match=tag).status, 200)
        self.assertEqual([row["received"] for row in self.rows(client, "history=true")], [30, 20])

    def test_what_cannot_be_asked(self) -> None:
        client = self.client(MergeStrategy())
        self.assertEqual(client.ask("/api/v1/routes?history=yes").status, 400)
        hint = client.ask("/api/v1/routes?status=withdrwn").json["error"]["hint"]
        self.assertEqual(hint, "did you mean withdrawn?")
