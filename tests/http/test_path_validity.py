"""Tests for L{rotonda.http.path_validity}: verdicts on paths, and on routes with their paths."""

from __future__ import annotations

import json

from rotonda.http import router_site
from twisted.trial.unittest import SynchronousTestCase

from tests.http.clients import Client, clock, router_daemon, validated_snapshot

# AS 64496 attests AS 1 and AS 2, which attest nothing
UPSTREAM = {"1 64496": "valid", "3 64496": "invalid", "2 1 64496": "unknown", "": "invalid", "1 {64496}": "invalid"}


class PathCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = router_daemon()
        self.client = Client(router_site(self.daemon, clock))


class OnePathTests(PathCase):
    def test_verdicts(self) -> None:
        for path, state in UPSTREAM.items():
            with self.subTest(path):
                words = path.replace(" ", "+")
                told = self.client.ask(f"/api/v1/aspa?path={words}&direction=upstream").json["verified_path"]
                self.assertEqual(told["verification"]["state"], state)

    def test_which_hop_decided(self) -> None:
        told = self.client.ask("/api/v1/aspa?path=3,3,AS64496&direction=upstream&neighbour=AS3").json["verified_path"]
        self.assertEqual(told["path"], {
            "numbers": [3, 3, 64496], "compressed": [3, 64496], "as_set": False,
            "direction": "upstream", "neighbour": "AS3",
        })  # fmt: skip
        verification = told["verification"]
        self.assertIn("none", verification.pop("description"))
        self.assertEqual(verification, {
            "state": "invalid",
            "reason": "not-provider",
            "ramps": {"max_up": 1, "min_up": 1, "max_down": 0, "min_down": 0},
            "decided_by": [{
                "ramp": "up", "customer": "AS64496", "provider": "AS3", "found": "not-provider",
                "attested": ["AS1", "AS2"],
            }],
        })  # fmt: skip

    def test_the_direction_matters(self) -> None:
        for direction, state in (("upstream", "invalid"), ("downstream", "valid")):
            told = self.client.ask(f"/api/v1/aspa?path=3+64496&direction={direction}").json["verified_path"]
            self.assertEqual(told["verification"]["state"], state)

    def test_a_neighbour_that_is_not_first(self) -> None:
        told = self.client.ask("/api/v1/aspa?path=1+64496&direction=upstream&neighbour=2").json["verified_path"]
        self.assertEqual((told["verification"]["reason"], told["verification"]["decided_by"]), ("neighbour", []))

    def test_questions_that_cannot_be_answered(self) -> None:
        for question, words in {
            "?path=1": "the parameter direction is needed",
            "?direction=upstream": "the parameter path is needed",
            "?path=1&direction=up": "there is no 'up'",
            "?path=x&direction=upstream": "path: 'x'",
            "?path=1&direction=upstream&neighbour=0": "AS 0 is nobody",
            "?path=1&direction=upstream&neighbor=1": "there is no parameter 'neighbor'",
        }.items():
            with self.subTest(question):
                reply = self.client.ask(f"/api/v1/aspa{question}")
                self.assertEqual(reply.status, 400)
                self.assertIn(words, reply.json["error"]["what"])

    def test_verdicts_follow_the_table(self) -> None:
        path = "/api/v1/aspa?path=3+64496&direction=upstream"
        tag = self.client.ask(path).headers["etag"]
        self.assertEqual(self.client.ask(path, If_None_Match=tag).status, 304)
        self.daemon.history.commit(validated_snapshot(aspas=0))
        told = self.client.ask(path, If_None_Match=tag).json["verified_path"]["verification"]
        self.assertEqual((told["state"], told["decided_by"][0]["attested"]), ("unknown", None))

    def test_without_data(self) -> None:
        client = Client(router_site(router_daemon(ready=False), clock))
        for path in ("/api/v1/aspa?path=1&direction=upstream", "/api/v1/aspas"):
            self.assertEqual(client.ask(path).status, 503)


class ManyPathsTests(PathCase):
    def ask(self, body: bytes, content_type: str = "application/json", how: str = "direction=upstream") -> object:
        return self.client.ask(f"/api/v1/aspa?{how}", "POST", body, Content_Type=content_type).json

    def test_a_whole_table_at_once(self) -> None:
        states = list(UPSTREAM.values())
        expected = {
            "position": {"epoch": 9, "serial": 4},
            "direction": "upstream",
            "counts": {state: states.count(state) for state in ("unknown", "valid", "invalid")},
            "states": states,
        }
        self.assertEqual(self.ask(json.dumps({"paths": list(UPSTREAM)}).encode()), expected)
        self.assertEqual(self.ask("\r\n".join([*UPSTREAM, ""]).encode(), "text/csv"), expected)
        mixed = [[int(word) for word in path.split()] if "{" not in path else path for path in UPSTREAM]
        self.assertEqual(self.ask(json.dumps({"paths": mixed}).encode()), expected)

    def test_a_neighbour_of_all(self) -> None:
        told = self.client.ask("/api/v1/aspa?direction=upstream&neighbour=1", "POST", b'{"paths":["1","2"]}').json
        self.assertEqual(told["states"], ["valid", "invalid"])

    def test_bodies_that_are_no_table(self) -> None:
        for body, content_type, status, words in [
            (b"{", "application/json", 400, "the body: "),
            (b'{"paths":[1]}', "application/json", 400, "the body: "),
            (b'{"paths":["1","x"]}', "application/json", 400, "paths[1]: 'x'"),
            (b"1\n\xff", "text/csv", 400, "not UTF-8 at octet 2"),
            (b"x", "text/plain", 415, "a body of type 'text/plain'"),
        ]:
            with self.subTest(body):
                reply = self.client.ask("/api/v1/aspa?direction=upstream", "POST", body, Content_Type=content_type)
                self.assertEqual(reply.status, status)
                self.assertIn(words, reply.json["error"]["what"])


class VerdictTests(PathCase):
    def test_one_route(self) -> None:
        told = self.client.ask("/api/v1/verdict?prefix=192.0.2.0/24&path=3+64496&direction=upstream").json
        self.assertEqual(told["validated_route"]["route"], {"origin_asn": "AS64496", "prefix": "192.0.2.0/24"})
        self.assertEqual(told["validated_route"]["validity"]["state"], "valid")
        self.assertEqual(told["verified_path"]["verification"]["state"], "invalid")
        reply = self.client.ask("/api/v1/verdict?path=3+64496&direction=upstream")
        self.assertEqual((reply.status, reply.json["error"]["what"]), (400, "the parameter prefix is needed"))

    def test_many_routes(self) -> None:
        routes = [
            ("192.0.2.0/24", "1 64496", "valid", "valid"),
            ("192.0.2.0/24", "3 64499", "invalid", "unknown"),
            ("192.0.2.0/24", "1 {64496}", "invalid", "invalid"),  # a set has no origin, and a VRP covers the prefix
            ("2001:db8::/32", "3 64496", "valid", "invalid"),
            ("10.0.0.0/8", "1", "not-found", "valid"),
        ]
        body = json.dumps({"routes": [{"prefix": prefix, "path": path} for prefix, path, *_ in routes]}).encode()
        lines = "".join(f"{prefix}, {path}\n" for prefix, path, *_ in routes).encode()
        for content_type, octets in (("application/json", body), ("text/csv", lines)):
            told = self.client.ask("/api/v1/verdict?direction=upstream", "POST", octets, Content_Type=content_type).json
            self.assertEqual(told["origins"]["states"], [origin for *_, origin, _ in routes])
            self.assertEqual(told["paths"]["states"], [path for *_, path in routes])
        for body, words in ((b"192.0.2.0/24\n", "line 1"), (b"192.0.2.1/24,1\n", "routes[0]: prefix")):
            reply = self.client.ask("/api/v1/verdict?direction=upstream", "POST", body, Content_Type="text/csv")
            self.assertEqual(reply.status, 400)
            self.assertIn(words, reply.json["error"]["what"])
