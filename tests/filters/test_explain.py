"""Why a filter did what it did, in words and in JSON."""

from __future__ import annotations

import msgspec
from rotonda.blocks.places import Source
from rotonda.filters.explain import TEXT_SHOWN, Explanation, explain, text
from rotonda.filters.world import SmallWorld
from twisted.trial.unittest import SynchronousTestCase

from tests.blocks.filters import lowered
from tests.filters.records import BARE, route

FILTER = """filter-map test with most: U8 {
    define { rx_tx route: Route; bogons = [10.0.0.0/8, 192.168.0.0/16]; }
    term short { match { route.prefix.len() <= most; } }
    term good {
        match { short; !(route.prefix in bogons) || route.med == 1; }
    }
    action mark { route.local_pref.set(200); log.send({ prefix: route.prefix }); }
    apply {
        filter match good matching { mark; } not matching { reject; };
        accept;
    }
}
"""


class ExplanationTests(SynchronousTestCase):
    def _explained(self, most: int, prefix: str = "198.51.100.0/24", bare: bool = False) -> Explanation:
        record = route(BARE, prefix) if bare else route(prefix=prefix)
        return explain(lowered(FILTER), Source("a.blocks", FILTER), {"most": most}, SmallWorld(), record)[1]

    def test_accepted(self) -> None:
        self.assertEqual(text(self._explained(24)).splitlines(), [
            "test: accepted at a.blocks:10:9",
            "  a.blocks:9:9: matching: good",
            "    a.blocks:3:26: good: short: route.prefix.len() <= most: yes"
            " (route.prefix.len() = /24, route.prefix = 198.51.100.0/24, most = 24)",
            "    a.blocks:5:25: good: (route.prefix in bogons): no (route.prefix = 198.51.100.0/24)",
            "  a.blocks:7:19: local_pref: 100 -> 200",
            "  a.blocks:7:46: sent to log: { prefix: 198.51.100.0/24 }",
            "  a.blocks:10:9: accept",
        ])  # fmt: skip

    def test_rejected_by_the_part_that_decided(self) -> None:
        self.assertEqual(text(self._explained(23)).splitlines(), [
            "test: rejected at a.blocks:9:61",
            "  a.blocks:9:9: not matching: good",
            "    a.blocks:3:26: good: short: route.prefix.len() <= most: no"
            " (route.prefix.len() = /24, route.prefix = 198.51.100.0/24, most = 23)",
            "  a.blocks:9:61: reject",
        ])  # fmt: skip

    def test_all_parts_where_none_decided_alone(self) -> None:
        rule = self._explained(24, "10.1.0.0/24").steps[0]
        self.assertEqual([(part.text, part.holds) for part in rule.parts], [
            ("(route.prefix in bogons)", True), ("route.med == 1", False),
        ])  # fmt: skip

    def test_a_failure(self) -> None:
        said = text(self._explained(24, "10.1.0.0/24", bare=True)).splitlines()
        self.assertEqual(said[:3], [
            "test: rejected, as the filter failed: med is missing",
            "  a.blocks:5:53",
            "  a.blocks:9:9: failed: good",
        ])  # fmt: skip
        self.assertIn("route.med == 1: failed: med is missing (route.med = none)", said[-1])

    def test_nothing_decided(self) -> None:
        open_end = (
            "filter test { define { rx route: Route; } apply { filter match route.med == 1 matching { reject; }; } }"
        )
        _, found = explain(lowered(open_end), Source("b", open_end), {}, SmallWorld(), route())
        self.assertEqual(text(found).splitlines()[0], "test: accepted, as nothing decided")

    def test_json(self) -> None:
        found = self._explained(24)
        octets = msgspec.json.encode(found)
        self.assertEqual(msgspec.json.decode(octets, type=Explanation), found)
        shown = msgspec.json.decode(octets)
        self.assertEqual((shown["accepted"], shown["decided_at"]), (True, "a.blocks:10:9"))
        self.assertEqual([step["kind"] for step in shown["steps"]], ["rule", "change", "sent", "verdict"])

    def test_nothing_is_long(self) -> None:
        numbers = ", ".join(map(str, range(1, 2000)))
        long = (
            f"filter test {{ define {{ rx route: Route; many = [{numbers}]; }} apply {{"
            f" filter match route.med in many && route.local_pref in [{numbers}] matching {{ reject; }}; accept; }} }}"
        )
        _, found = explain(lowered(long), Source("c", long), {}, SmallWorld(), route())
        for part in found.steps[0].parts:
            self.assertLessEqual(max(len(part.text), *(len(shown.value) for shown in part.values)), TEXT_SHOWN)
