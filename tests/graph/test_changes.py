"""The fate of units when another program takes over."""

from __future__ import annotations

from rotonda.graph.changes import Fate, fates, same_filter, same_source
from rotonda.graph.plan import plan
from twisted.trial.unittest import SynchronousTestCase

from tests.graph.worlds import program_of

WORDS = """
filter-map short with most: U8 {
    define { rx_tx route: Route; use customers; }
    action tell { log.send({ message: "rejected" }); }
    term is-short { match { route.as_path.len() <= most && customers.exact_match(route.prefix).matches; } }
    apply { filter match is-short matching { return accept; }; tell; reject; }
}
data-source customers: Table with config { source_file: "customers.csv", contains: Row { prefix: Prefix } };
output-stream log: Log with config { level: INFO };
unit bgp: BgpConnector with config { topology: WestOnly };
unit val: RtrConnector with config { server: 127.0.0.1:323 };
unit best: Any with config { };
unit one: PhysicalRib with config { };
unit two: PhysicalRib with config { filter_map: short(5) };
unit view: VirtualRib with config { };
instance i: Daemon with config { graph: [ bgp -> one -> two -> view, val -> best -> one ] };
"""


class FateTests(SynchronousTestCase):
    def fates(self, *changes: tuple[str, str]) -> dict[str, str]:
        """What is not kept when the file is changed so."""
        words = WORDS
        for before, after in changes:
            self.assertIn(before, words)
            words = words.replace(before, after)
        old, new = program_of(WORDS), program_of(words)
        found = fates(plan(old), plan(new), old, new)
        return {name: own.name for name, own in found.items() if own is not Fate.KEPT}

    def test_places_mean_nothing(self) -> None:
        self.assertEqual(
            self.fates(("filter-map", "\n\n// moved\n filter-map"), ("term is-short", "term   is-short")), {}
        )

    def test_filters(self) -> None:
        for change in (
            ("<= most", "< most"),
            ("short(5)", "short(6)"),
            ("customers.csv", "others.csv"),
            ("level: INFO", "level: WARN"),
            ('"rejected"', '"refused"'),
            ("filter_map: short(5)", "filter_map: short(5), on_failure: ACCEPT"),
        ):
            self.assertEqual(self.fates(change), {"two": "FILTERED"}, change)

    def test_a_filter_more_or_less(self) -> None:
        self.assertEqual(self.fates(("filter_map: short(5)", "")), {"two": "REPLACED"})
        self.assertEqual(
            self.fates(("one: PhysicalRib with config { }", "one: PhysicalRib with config { filter_map: short(1) }")),
            {"one": "REPLACED"},
        )

    def test_configuration(self) -> None:
        self.assertEqual(self.fates(("topology: WestOnly", "topology: WestEastSplit")), {"bgp": "REPLACED"})
        strategy = "merge_strategy: { overwrite: MOVING_WINDOW_COUNT(5) }"
        self.assertEqual(
            self.fates(("one: PhysicalRib with config { }", f"one: PhysicalRib with config {{ {strategy} }}")),
            {"one": "REPLACED"},
        )

    def test_wests(self) -> None:
        """A RIB follows others; a policy is made of its wests."""
        self.assertEqual(self.fates(("one -> two -> view", "one -> two, one -> view")), {})
        self.assertEqual(self.fates(("127.0.0.1:323", "127.0.0.1:324")), {"val": "REPLACED", "best": "REPLACED"})
        self.assertEqual(self.fates(("val -> best", "val -> one, val -> best")), {})

    def test_come_and_gone(self) -> None:
        self.assertEqual(
            self.fates(("unit view:", "unit other:"), ("two -> view", "two -> other")), {"other": "NEW", "view": "GONE"}
        )

    def test_same_filter(self) -> None:
        old = program_of(WORDS)
        self.assertTrue(same_filter(old, program_of("// a comment\n" + WORDS), "short"))
        self.assertFalse(same_filter(old, program_of(WORDS.replace("<= most", "!= most")), "short"))
        self.assertFalse(
            same_source(old, program_of(WORDS.replace("{ prefix: Prefix }", "{ prefix: Prefix, n: U8 }")), "customers")
        )
