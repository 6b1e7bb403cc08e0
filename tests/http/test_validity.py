from __future__ import annotations

import json

from rotonda.http import router_site
from twisted.trial.unittest import SynchronousTestCase

from tests.http.clients import Client, clock, router_daemon, validated_snapshot

CASES = {
    ("AS64496", "192.0.2.0/24"): ("valid", None),
    ("64497", "192.0.2.128/28"): ("valid", None),
    ("AS64496", "192.0.2.128/25"): ("invalid", "length"),
    ("AS64499", "192.0.2.0/24"): ("invalid", "as"),
    ("AS0", "192.0.2.0/24"): ("invalid", "as"),
    ("AS64496", "192.0.0.0/16"): ("not-found", None),
    ("AS64496", "2001:db8::/48"): ("valid", None),
    ("AS64496", "2001:db8::/49"): ("invalid", "length"),
    ("AS64496", "::/0"): ("not-found", None),
}


class ValidityTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = router_daemon()
        self.client = Client(router_site(self.daemon, clock))

    def test_one_route(self) -> None:
        for (asn, prefix), (state, reason) in CASES.items():
            with self.subTest(f"{prefix} of {asn}"):
                for path in (f"/api/v1/validity?asn={asn}&prefix={prefix}", f"/api/v1/validity/{asn}/{prefix}"):
                    validity = self.client.ask(path).json["validated_route"]["validity"]
                    self.assertEqual((validity["state"], validity.get("reason")), (state, reason))

    def test_the_vrps_are_told_by_what_they_say(self) -> None:
        route = self.client.ask("/api/v1/validity/64497/192.0.2.0/24").json["validated_route"]
        self.assertEqual(route["route"], {"origin_asn": "AS64497", "prefix": "192.0.2.0/24"})
        self.assertEqual(route["validity"]["VRPs"], {
            "matched": [{"asn": "AS64497", "prefix": "192.0.2.0/24", "max_length": "28"}],
            "unmatched_as": [{"asn": "AS64496", "prefix": "192.0.2.0/24", "max_length": "24"}],
            "unmatched_length": [],
        })  # fmt: skip

    def test_a_whole_table_at_once(self) -> None:
        routes = [{"asn": asn, "prefix": prefix} for asn, prefix in CASES]
        states = [state for state, _ in CASES.values()]
        answer = self.client.ask("/api/v1/validity", "POST", json.dumps({"routes": routes}).encode()).json
        self.assertEqual(answer["states"], states)
        self.assertEqual(answer["counts"], {state: states.count(state) for state in ("not-found", "valid", "invalid")})
        self.assertEqual(answer["position"], {"epoch": 9, "serial": 4})
        lines = "".join(f"{prefix},{asn}\r\n" for asn, prefix in CASES).encode()
        self.assertEqual(self.client.ask("/api/v1/validity", "POST", lines, Content_Type="text/csv").json, answer)

    def test_numbers_and_words_may_be_mixed(self) -> None:
        routes = [{"asn": 64496, "prefix": "192.0.2.0/24"}, {"asn": "AS64496", "prefix": "192.0.2.0/24"}]
        reply = self.client.ask("/api/v1/validity", "POST", json.dumps({"routes": routes}).encode())
        self.assertEqual((reply.status, reply.json.get("states")), (200, ["valid", "valid"]))

    def test_nothing_at_all(self) -> None:
        self.assertEqual(self.client.ask("/api/v1/validity", "POST", b'{"routes":[]}').json["states"], [])
        self.assertEqual(self.client.ask("/api/v1/validity", "POST", b"", Content_Type="text/csv").json["states"], [])

    def test_bodies_that_are_no_table(self) -> None:
        cases: list[tuple[bytes, str, int, str]] = [
            (b"", "application/json", 400, "the body: "),
            (b"{", "application/json", 400, "the body: "),
            (b"[" * 10_000, "application/json", 400, "the body: "),
            (b'{"routes":[{"asn":1}]}', "application/json", 400, "prefix"),
            (
                b'{"routes":[{"asn":1,"prefix":"::/0"},{"asn":-1,"prefix":"::/0"}]}',
                "application/json",
                400,
                "routes[1]",
            ),
            (b'{"routes":[{"asn":1,"prefix":"192.0.2.1/24"}]}', "application/json", 400, "routes[0]: prefix: "),
            (b'{"routes":[{"asn":1,"prefix":"1/2/3"}]}', "application/json", 400, "routes[0]: prefix: "),
            (b"192.0.2.0/24\n", "text/csv", 400, "line 1"),
            (b"192.0.2.0/24,1\n\xff,2", "text/csv", 400, "not UTF-8 at octet 15"),
            (b"192.0.2.0/24,1,2\n", "text/csv", 400, "line 1"),
            (b"x", "text/plain", 415, "a body of type 'text/plain'"),
        ]
        for body, content_type, status, words in cases:
            with self.subTest(body[:40]):
                reply = self.client.ask("/api/v1/validity", "POST", body, Content_Type=content_type)
                self.assertEqual(reply.status, status)
                self.assertIn(words, reply.json["error"]["what"])

    def test_questions_that_cannot_be_answered(self) -> None:
        cases = {
            "?asn=AS1": 400,
            "?prefix=::/0": 400,
            "?asn=x&prefix=::/0": 400,
            "?asn=1&prefix=192.0.2.1/24": 400,
            "?asn=1&prefx=::/0": 400,
            "/1/192.0.2.1/24": 400,
            "/1/192.0.2.0": 404,
        }
        for question, status in cases.items():
            with self.subTest(question):
                self.assertEqual(self.client.ask(f"/api/v1/validity{question}").status, status)

    def test_verdicts_follow_the_table(self) -> None:
        path = "/api/v1/validity/64496/192.0.2.0/24"
        tag = self.client.ask(path).headers["etag"]
        self.assertEqual(self.client.ask(path, If_None_Match=tag).status, 304)
        self.daemon.history.commit(validated_snapshot(()))
        validity = self.client.ask(path, If_None_Match=tag).json["validated_route"]["validity"]
        self.assertEqual(validity["state"], "not-found")
