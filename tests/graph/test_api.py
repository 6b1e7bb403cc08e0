"""What the API of a graph says: its units, its filters, why a route is where it is, and what was before."""

from __future__ import annotations

from typing import Any

from rotonda.graph.api import graph_site
from rotonda.graph.instance import Instance

from tests.graph.worlds import SEVERAL, GraphCase
from tests.http.clients import Client, Reply

WORDS = (
    SEVERAL
    + """
type Seen { first: Asn }
filter-map short {
    define { rx_tx route: Route; }
    term long { match { route.prefix.len() > /16; } }
    action prefer { route.local_pref.set(200); }
    apply {
        filter match long matching { return reject; };
        filter match route.as_path.first() == AS1 matching { prefer; };
        accept;
    }
}
filter-map seen {
    define { rx route: Route; tx out: Seen; }
    action fill { out.first.set(route.as_path.first()); }
    apply { fill; accept; }
}
filter-map odd {
    define { rx_tx seen: Seen; }
    apply { filter match seen.first == AS2 matching { return reject; }; accept; }
}
unit rib: PhysicalRib with config { filter_map: short, merge_strategy: { overwrite: MOVING_WINDOW_COUNT(2) } };
unit view: VirtualRib with config { filter_map: seen, contains: Seen };
unit last: VirtualRib with config { filter_map: odd };
instance i: Daemon with config { graph: [ w1 -> rib -> view -> last ] };
"""
)
A, B, C = "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24"


class ApiTests(GraphCase):
    def setUp(self) -> None:
        super().setUp()
        self.made: Instance = self.run_program(WORDS)
        self.client = Client(graph_site(self.made, lambda: self.now))
        self.announce(self.made, "w1", {A: (1, 2), B: (2,), C: (3,)}, time=100)

    def ask(self, path: str) -> Reply:
        return self.client.ask(path)

    def routes(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(path).json["routes"]
        return found

    def test_graph(self) -> None:
        told = self.ask("/api/v1/graph").json
        self.assertEqual(told["instance"], "i")
        self.assertEqual(
            [
                tuple(each.get(word, []) for word in ("name", "type", "wests", "gives", "records"))
                for each in told["units"]
            ],
            [
                ("w1", "BgpConnector", [], "Route", 3),
                ("rib", "PhysicalRib", ["w1"], "Route", 2),
                ("view", "VirtualRib", ["rib"], "Seen", 2),
                ("last", "VirtualRib", ["view"], "Seen", 1),
            ],
        )

    def test_filters(self) -> None:
        told = {each["filter"]: each for each in self.ask("/api/v1/filters").json["filters"]}
        self.assertEqual({name: each["seen"] for name, each in told.items()}, {"short": 3, "seen": 2, "odd": 2})
        self.assertEqual((told["short"]["accepted"], told["short"]["rejected"]), (2, 1))

    def test_status_has_all_tables(self) -> None:
        told = {each["name"]: each for each in self.ask("/api/v1/status").json["tables"] if each["kind"] == "rib"}
        self.assertEqual({name: sum(each["records"].values()) for name, each in told.items()},
                         {"w1": 3, "rib": 2, "view": 2, "last": 1})  # fmt: skip

    def test_virtual_ribs_answer(self) -> None:
        (row,) = self.routes("/api/v1/ribs/last/routes")
        self.assertEqual((row["prefix"], row["first"]), (A, 1))
        self.assertEqual(len(self.routes("/api/v1/ribs/view/routes")), 2)
        self.assertEqual([row["prefix"] for row in self.routes("/api/v1/ribs/view/routes?ip=10.1.2.3")], [B])

    def test_explained(self) -> None:
        found = self.routes(f"/api/v1/explain?prefix={A}")
        self.assertEqual([(each["unit"], each["west"]) for each in found],
                         [("rib", "w1"), ("view", "rib"), ("last", "view")])  # fmt: skip
        self.assertTrue(all(each["explanation"]["accepted"] for each in found))
        (rejected,) = self.routes(f"/api/v1/explain?prefix={C}")
        self.assertFalse(rejected["explanation"]["accepted"])
        self.assertEqual(self.routes(f"/api/v1/explain?prefix={A}&peer=192.0.2.9"), [])
        self.assertEqual([each["unit"] for each in self.routes(f"/api/v1/explain?prefix={B}&unit=last")], ["last"])

    def test_explained_in_words(self) -> None:
        told = self.ask(f"/api/v1/explain?prefix={C}&format=text")
        words = told.body.decode()
        self.assertEqual(told.headers["content-type"], "text/plain; charset=utf-8")
        self.assertIn(f"rib, of {C} from 192.0.2.1 AS64501 by way of w1:", words)
        self.assertIn("short: rejected at test.blocks:12:38", words)
        self.assertIn("no unit has a filter", self.ask("/api/v1/explain?prefix=192.0.2.0/24&format=text").body.decode())

    def test_what_is_asked_wrongly(self) -> None:
        for path, status, word in (
            ("/api/v1/explain", 400, "which route"),
            ("/api/v1/explain?prefix=nonsense", 400, "nonsense"),
            (f"/api/v1/explain?prefix={A}&unit=rip", 404, "rib"),
            (f"/api/v1/explain?prefix={A}&format=xml", 400, "format"),
        ):
            told = self.ask(path)
            self.assertEqual(told.status, status, path)
            self.assertIn(word, told.body.decode(), path)

    def test_history(self) -> None:
        for time, path in ((200, (1, 3)), (300, (1, 4)), (400, ())):
            self.announce(self.made, "w1", {A: path} if path else {}, time=time)
        rows = self.routes(f"/api/v1/ribs/rib/routes?prefix={A}&history=true")
        self.assertEqual([(row["status"], row["as_path"]) for row in rows], [("replaced", "1 3"), ("withdrawn", "1 4")])
        self.assertEqual(self.routes(f"/api/v1/ribs/rib/routes?prefix={A}"), [])


class RecordHistoryTests(GraphCase):
    def test_of_records(self) -> None:
        """The past of a RIB of records, by the fields that are hashed, within a window of time."""
        rib = """unit rib: PhysicalRib with config {
            filter_map: seen, contains: Seen,
            merge_strategy: { hash: (Seen::first, peer_id), overwrite: MOVING_WINDOW_TIME_HOURS(1) },
        };"""
        words = WORDS.partition("unit rib:")[0] + rib + "instance i: Daemon with config { graph: [ w1 -> rib ] };"
        made = self.run_program(words)
        client = Client(graph_site(made, lambda: self.now))
        start = int(self.now)
        for minutes, path in ((0, (1, 2)), (10, (1, 3)), (50, (2, 2)), (80, (3, 2))):
            self.now = start + 60 * minutes
            self.announce(made, "w1", {A: path}, time=int(self.now))
        question = f"/api/v1/ribs/rib/routes?prefix={A}&history=true"
        told = [(row["status"], row["first"]) for row in client.ask(question).json["routes"]]
        self.assertEqual(told, [("active", 3), ("replaced", 1), ("replaced", 2)])
        made._forget()
        told = [(row["status"], row["first"]) for row in client.ask(question).json["routes"]]
        self.assertEqual(told, [("active", 3), ("replaced", 2)])
