from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from rotonda.http import rib_site
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rotoro.table import AttributeStore, IngressState
from tests.http.clients import PEERS, Client, clock, fetch, rib_daemon, validated_snapshot
from tests.rib.tables import PlainRoute, attribute_set, snapshot_of


class RibApiTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = rib_daemon()
        self.client = Client(rib_site(self.daemon, clock))

    def routes(self, question: str) -> list[tuple[Any, ...]]:
        reply = self.client.ask(f"/api/v1/routes?{question}")
        self.assertEqual(reply.status, 200, reply.body)
        return [(row["prefix"], row["ingress"], row.get("path_id", 0)) for row in reply.json["routes"]]

    def refused(self, path: str, status: int = 400) -> tuple[str, str]:
        reply = self.client.ask(path)
        self.assertEqual(reply.status, status, reply.body)
        return reply.json["error"]["what"], reply.json["error"].get("hint")

    def test_one_prefix_with_all_its_routes(self) -> None:
        answer = self.client.ask("/api/v1/ribs/rib-loc/routes?prefix=192.0.2.0/24").json
        self.assertEqual((answer["rib"], answer["count"], answer["cursor"], answer["rov"]), ("rib-loc", 3, None, None))
        self.assertEqual(answer["position"], {"epoch": 7, "serial": 1})
        self.assertEqual(
            answer["routes"][0],
            {
                "prefix": "192.0.2.0/24",
                "ingress": 0,
                "received": 2,
                "status": "active",
                "origin": "IGP",
                "origin_as": 64496,
                "as_path": "64500 64496",
                "next_hop": "192.0.2.1",
                "med": 0,
                "communities": ["64496:1"],
            },
        )
        self.assertEqual([peer["peer_as"] for peer in answer["ingresses"]], [64500, 64501])
        for path in ("/api/v1/routes/192.0.2.0/24", "/api/v1/ribs/rib-loc/routes/192.0.2.0/24"):
            self.assertEqual(self.client.ask(path).json, answer)

    def test_questions(self) -> None:
        first, wide = ("192.0.2.0/24", 0, 0), ("192.0.0.0/16", 0, 0)
        second, third, narrow = ("192.0.2.0/24", 1, 0), ("192.0.2.0/24", 1, 5), ("192.0.2.128/25", 1, 0)
        six = ("2001:db8::/32", 1, 0)
        cases = {
            "": [wide, first, second, third, narrow, six],
            "prefix=198.51.100.0/24": [],
            "ip=192.0.2.7": [first, second, third],
            "ip=192.0.2.129": [narrow],
            "ip=192.0.2.129&match=shorter": [wide, first, second, third, narrow],
            "ip=192.0.2.129&origin=AS64499": [second],
            "ip=10.0.0.1": [],
            "ip=192.0.2.0/25": [first, second, third],
            "prefix=192.0.2.0/24&match=longer": [first, second, third, narrow],
            "prefix=192.0.2.0/24&match=longer&itself=false": [narrow],
            "prefix=192.0.2.0/24&match=shorter&itself=false": [wide],
            "origin=64496": [first, narrow, six],
            "origin=64496&family=6": [six],
            "family=ipv4&ingress=0": [wide, first],
            "peer_as=AS64500": [wide, first],
            "peer=2001:db8::1&family=4": [second, third, narrow],
            "community=64496:1": [first],
            "status=stale": [],
        }
        for question, expected in cases.items():
            with self.subTest(question):
                self.assertEqual(self.routes(question), expected)

    def test_pages_follow_one_another(self) -> None:
        rows, cursor = [], ""
        while cursor is not None:
            answer = self.client.ask(f"/api/v1/routes?limit=2{cursor and '&cursor=' + quote(cursor)}").json
            self.assertEqual(answer["count"], 6)
            rows += answer["routes"]
            cursor = answer["cursor"]
        self.assertEqual(rows, self.client.ask("/api/v1/routes").json["routes"])

    def test_fields_are_chosen(self) -> None:
        answer = self.client.ask("/api/v1/routes?fields=prefix,origin_as&ingress=0").json
        self.assertEqual(answer["routes"], [
            {"prefix": "192.0.0.0/16", "origin_as": 64499}, {"prefix": "192.0.2.0/24", "origin_as": 64496},
        ])  # fmt: skip

    def test_paths_are_judged_when_a_direction_is_given(self) -> None:
        self.daemon.tables[0].rpki.update("west", validated_snapshot())
        routes = self.client.ask("/api/v1/routes?direction=upstream&fields=origin_as,aspa&ingress=0").json["routes"]
        # AS 64496 attests others than AS 64500, which all paths begin with
        self.assertEqual(routes, [{"aspa": "unknown", "origin_as": 64499}, {"aspa": "invalid", "origin_as": 64496}])
        self.assertNotIn("aspa", self.client.ask("/api/v1/routes").json["routes"][0])

    def test_questions_that_cannot_be_answered(self) -> None:
        cases = {
            "prefix=192.0.2.1/24": "did you mean 192.0.2.0/24?",
            "prefix=192.0.2.1": "ask for 192.0.2.1/32 or use ip=",
            "prefix=nonsense/24": None,
            "match=longer": "give prefix= or ip=",
            "prefix=::/0&ip=::1": "prefix= asks for itself, ip= for what covers it; give one",
            "prefix=::/0&match=longr": "did you mean longer?",
            "prefx=::/0": "did you mean prefix?",
            "origin=64496.1": "write it like AS64496 or 64496",
            "fields=aspa": "add direction=upstream or direction=downstream",
            "direction=up": "there are upstream, downstream",
            "limit=0": "the cursor of an answer leads on",
            "limit=10001": "the cursor of an answer leads on",
            "limit=many": None,
            "family=5": "there are 4, 6, ipv4, ipv6",
            "fields=prefix,as_paht": "did you mean as_path?",
            "cursor=nonsense": "ask again without it",
            "community=1": None,
            "peer=AS1": None,
            "status=up": "there are active, stale, replaced, withdrawn",
            "ingress=-1": None,
        }
        for question, hint in cases.items():
            with self.subTest(question):
                self.assertEqual(self.refused(f"/api/v1/routes?{question}")[1], hint)
        self.assertEqual(self.refused("/api/v1/routes/192.0.2.1/24")[1], "did you mean 192.0.2.0/24?")
        cursor = quote(self.client.ask("/api/v1/routes?limit=1").json["cursor"])
        self.assertIn("another question", self.refused(f"/api/v1/routes?family=4&cursor={cursor}")[0])

    def test_which_rib(self) -> None:
        self.assertEqual(self.refused("/api/v1/ribs/rib-lco/routes", 404)[1], "did you mean rib-loc?")
        client = Client(rib_site(rib_daemon("one", "two"), clock))
        self.assertEqual(client.ask("/api/v1/routes").status, 404)
        self.assertEqual(client.ask("/api/v1/ribs/two/routes").json["rib"], "two")
        self.assertEqual([rib["name"] for rib in client.ask("/api/v1/ribs").json["ribs"]], ["one", "two"])

    def test_distinct_prefixes_are_counted(self) -> None:
        counted = self.client.ask("/api/v1/ribs").json["ribs"][0]["prefixes"]
        routes = self.client.ask("/api/v1/routes?limit=10000").json["routes"]
        prefixes = {route["prefix"] for route in routes}
        self.assertEqual(
            counted,
            {
                name: sum((":" in prefix) == six for prefix in prefixes)
                for name, six in (("ipv4", False), ("ipv6", True))
            },
        )

    def test_verdicts_follow_the_rpki_data(self) -> None:
        rib = self.daemon.tables[0]
        rib.rpki.update("cache", validated_snapshot())
        answer = self.client.ask("/api/v1/routes").json
        self.assertEqual(answer["rov"], {"epoch": 7, "serial": 1})
        self.assertEqual(
            [row["rov"] for row in answer["routes"]], ["not-found", "valid", "invalid", "valid", "invalid", "valid"]
        )
        rib.rpki.update("cache", validated_snapshot(()))
        self.assertEqual({row["rov"] for row in self.client.ask("/api/v1/routes").json["routes"]}, {"not-found"})

    def test_an_answer_is_sent_again_only_if_something_changed(self) -> None:
        rib = self.daemon.tables[0]
        tag = self.client.ask("/api/v1/routes").headers["etag"]
        self.assertEqual(self.client.ask("/api/v1/routes", If_None_Match=tag).status, 304)
        self.daemon.ingresses.adopt("west", replace(PEERS[1], state=IngressState.DOWN))
        reply = self.client.ask("/api/v1/routes", If_None_Match=tag)
        self.assertEqual([row["status"] for row in reply.json["routes"]], ["active", "active"] + ["stale"] * 4)
        rib.rpki.update("cache", validated_snapshot())
        self.assertEqual(self.client.ask("/api/v1/routes", If_None_Match=reply.headers["etag"]).status, 200)
        rib.routes.forget("west")
        self.assertEqual(self.client.ask("/api/v1/routes").json["routes"], [])

    def test_ingresses(self) -> None:
        answer = self.client.ask("/api/v1/ingresses").json["ingresses"]
        self.assertEqual(answer[0], {
            "number": 0, "kind": "bgp", "state": "up", "link": "west", "name": "first", "peer": "192.0.2.1",
            "peer_as": 64500, "view": "adj-rib-in-pre",
        })  # fmt: skip
        self.assertEqual(answer[1]["bgp_id"], "192.0.2.2")
        self.assertEqual(self.client.ask("/api/v1/ingresses/1").json, answer[1])
        self.refused("/api/v1/ingresses/2", 404)
        self.refused("/api/v1/ingresses/x")

    def test_status(self) -> None:
        status = self.client.ask("/api/v1/status").json
        self.assertEqual((status["name"], status["uptime"], status["ready"]), ("rotonda-rib", 100.0, True))
        table = status["tables"][0]
        self.assertEqual(
            (table["name"], table["kind"], table["position"]), ("rib-loc", "rib", {"epoch": 7, "serial": 1})
        )
        self.assertEqual(table["records"], {"ipv4": 5, "ipv6": 1})
        self.assertEqual(table["ingresses"], {"0": 2, "1": 4})
        self.assertEqual(status["attribute_sets"], 4)
        self.assertEqual(status["links"][0], {
            "name": "west", "peer": "192.0.2.9:8282", "state": "current", "mode": "rotoro", "last_error": "was gone",
        })  # fmt: skip

    def test_health(self) -> None:
        self.assertEqual(self.client.ask("/healthz").json, {"alive": True})
        self.assertEqual(self.client.ask("/readyz").json, {"ready": True})
        self.daemon.waiting.append("west: no end of table yet")
        reply = self.client.ask("/readyz")
        self.assertEqual((reply.status, reply.json["error"]["hint"]), (503, "west: no end of table yet"))
        self.assertFalse(self.client.ask("/api/v1/status").json["ready"])


class LongAnswerTests(TestCase):
    async def test_ten_thousand_routes(self) -> None:
        daemon = rib_daemon()
        ingress = daemon.ingresses.get(0)
        assert ingress is not None
        store = AttributeStore()
        routes = [PlainRoute(4, n << 8, 24, 0, ingress, attribute_set(n % 99 + 1), n) for n in range(10_000)]
        daemon.tables[0].routes.forget("west")
        daemon.tables[0].routes.update("west", snapshot_of(routes, store))
        daemon.tables[0].index.store = store
        answer = (await fetch(rib_site(daemon, clock), "/api/v1/routes?limit=10000", Accept_Encoding="gzip")).json
        self.assertEqual([row["received"] for row in answer["routes"]], list(range(10_000)))
        self.assertEqual((answer["count"], answer["cursor"]), (10_000, None))
