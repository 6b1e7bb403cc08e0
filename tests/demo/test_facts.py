"""A check passes for what a good show notes, and names whatever is not as it should be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rotonda.demo.facts import Facts, Learned, Question, Verdicts
from twisted.trial.unittest import SynchronousTestCase

ROUTE = {"prefix": "192.0.2.0/24", "ingress": 0, "rov": "valid", "origin_as": 64496}
RECORDS = {"vrp4": 7, "vrp6": 2}
LEARNED = Learned(version=2, session=1, serial=0, records=RECORDS, digest="0a", seconds=0.1)
GOOD = Facts(
    routes={"ipv4": 10, "ipv6": 4},
    prefixes={"ipv4": 5, "ipv6": 2},
    peers=2,
    attribute_sets=3,
    load_seconds=1.0,
    routes_per_second=14.0,
    rpki=RECORDS,
    rpki_digest="0a",
    example=Question("http://127.0.0.1/", 2, [ROUTE, ROUTE]),
    origin=Question("http://127.0.0.1/", 1, [ROUTE]),
    validity={"state": "valid"},
    router=LEARNED,
    verdicts=Verdicts(3, {"valid": 1, "invalid": 0, "not-found": 2}, 0),
)


class FactsTests(SynchronousTestCase):
    def test_a_good_show_has_no_problems(self) -> None:
        self.assertEqual(GOOD.problems(), [])
        self.assertEqual(GOOD.as_json()["problems"], [])
        self.assertEqual(GOOD.as_json()["router"]["records"], RECORDS)

    def test_each_thing_that_is_wrong_is_named(self) -> None:
        other = {**ROUTE, "prefix": "192.0.2.0/25", "origin_as": 64497}
        cases: list[tuple[dict[str, Any], str]] = [
            ({"routes": {"ipv4": 3, "ipv6": 2}}, "do not go together"),
            ({"routes": {"ipv4": 14}}, "not of the same families"),
            ({"prefixes": {}}, "do not go together"),
            ({"peers": 0}, "no peers"),
            ({"attribute_sets": 15}, "attribute sets"),
            ({"routes_per_second": 0.0}, "no rate"),
            ({"example": None}, "longest match"),
            ({"example": Question("", 0, [])}, "longest match"),
            ({"example": Question("", 2, [ROUTE, other])}, "longest match"),
            ({"origin": None}, "origin AS"),
            ({"origin": Question("", 2, [ROUTE, other])}, "origin AS"),
            ({"rpki": {"aspa": 1}}, "no VRPs"),
            ({"router": None}, "nothing over RTR"),
            ({"router": replace(LEARNED, version=3)}, "no version 3"),
            ({"router": replace(LEARNED, records={"vrp4": 6, "vrp6": 2})}, "the router has"),
            ({"router": replace(LEARNED, digest="0b")}, "not that of the RIB"),
            ({"verdicts": None}, "judged"),
            ({"verdicts": Verdicts(4, {"valid": 3}, 0)}, "not every route"),
            ({"verdicts": Verdicts(3, {"valid": 3}, 1)}, "1 verdicts of RIB and router differ"),
            ({"validity": None}, "not judged"),
            ({"validity": {"state": "invalid"}}, "invalid for the router and valid for the RIB"),
        ]
        for change, expected in cases:
            with self.subTest(change=change):
                self.assertIn(expected, "; ".join(replace(GOOD, **change).problems()))

    def test_a_show_of_nothing_has_problems_and_no_errors(self) -> None:
        self.assertTrue(Facts().problems())
