"""Filters of units with the data sources that they ask: which change, are late, or fail."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

from rotonda.filters.routes import RouteFilter
from rotonda.flow.joined import JoinedTable
from rotonda.flow.touched import Touched
from rotonda.graph import filtering
from rotonda.graph.instance import Instance
from rotonda.sources.table import TableView

from rotoro.table import Diff
from tests.graph.worlds import SEVERAL, GraphCase

A, B, C = "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24"

VALID = """
filter-map valid {
    define { rx_tx route: Route; use vrps; }
    action tell { lines.send({ prefix: route.prefix }); }
    term invalid { match { vrps.validate(route.prefix, route.origin_asn) == INVALID; } }
    apply { filter match invalid matching { tell; return reject; }; accept; }
}
data-source vrps: Rpki with config { related: val };
output-stream lines: File with config { path: "FOLDER/lines.jsonl", rx: Line { prefix: Prefix } };
unit rib: PhysicalRib with config { filter_map: valid };
unit view: VirtualRib with config { filter_map: valid };
unit all: PhysicalRib with config { };
instance i: Daemon with config { graph: [ w1 -> rib, w1 -> all -> view, val -> all ] };
"""
LISTED = """
filter-map listed {
    define { rx_tx route: Route; use customers; }
    apply { filter match customers.exact_match(route.prefix).matches matching { return accept; }; reject; }
}
data-source customers: Table with config {
    source_file: "FOLDER/customers.json", check_update_interval: SECONDS(5), mode: MODE,
    contains: Row { prefix: Prefix },
};
unit rib: PhysicalRib with config { filter_map: listed };
unit view: VirtualRib with config { filter_map: listed };
unit all: PhysicalRib with config { };
instance i: Daemon with config { graph: [ w1 -> rib, w1 -> all -> view ] };
"""
FOUND = """
filter-map found {
    define { rx_tx route: Route; use customers; covering = customers.longest_match(route.prefix); }
    term named { match { customers.find(route.origin_asn).matches; } }
    term allowed { match { covering.matches; route.origin_asn in covering.first().allowed; } }
    apply { filter some named || allowed matching { return accept; }; reject; }
}
data-source customers: Table with config {
    source_file: "FOLDER/customers.json", check_update_interval: SECONDS(5), mode: ACTIVE,
    contains: Customer { name: String, prefix: Prefix, own: Asn, allowed: [Asn], others: [Asn] },
};
unit rib: PhysicalRib with config { filter_map: found };
instance i: Daemon with config { graph: [ w1 -> rib ] };
"""
BOTH = """
filter-map both {
    define { rx_tx route: Route; use vrps; use customers; }
    term listed { match { customers.exact_match(route.prefix).matches; } }
    term valid { match { vrps.validate(route.prefix, route.origin_asn) == VALID; } }
    apply { filter some listed || valid matching { return accept; }; reject; }
}
data-source vrps: Rpki with config { related: val };
data-source customers: Table with config {
    source_file: "FOLDER/customers.json", check_update_interval: SECONDS(5), mode: PASSIVE,
    contains: Row { prefix: Prefix },
};
unit rib: PhysicalRib with config { filter_map: both };
unit view: VirtualRib with config { filter_map: both };
unit all: PhysicalRib with config { };
instance i: Daemon with config { graph: [ w1 -> rib, w1 -> all -> view, val -> all ] };
"""
KNOWN = """
filter-map known {
    define { rx_tx route: Route; use others; }
    apply { filter match others.exact_match(route.prefix).matches matching { return accept; }; reject; }
}
data-source others: Rib with config { related: other };
unit other: PhysicalRib with config { };
unit rib: PhysicalRib with config { filter_map: known };
unit view: VirtualRib with config { filter_map: known };
unit all: PhysicalRib with config { };
instance i: Daemon with config { graph: [ w1 -> rib, w1 -> all -> view, w2 -> other ] };
"""
FAILING = """
filter-map first-of-two {
    define { rx_tx route: Route; }
    apply {
        filter match route.as_path.first() == AS1 matching { return accept; };
        reject;
    }
}
unit rib: PhysicalRib with config { filter_map: first-of-two, on_failure: POLICY };
instance i: Daemon with config { graph: [ w1 -> rib ] };
"""


class FilteringCase(GraphCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def begin(self, words: str) -> Instance:
        return self.run_program(SEVERAL + words.replace("FOLDER", str(self.folder)))

    def lines(self) -> list[str]:
        """What was sent to the file."""
        self.reactor.advance(2)
        path = self.folder / "lines.jsonl"
        return sorted(json.loads(line)["prefix"] for line in path.read_text().splitlines()) if path.exists() else []


class RpkiTests(FilteringCase):
    def test_waits_for_its_data(self) -> None:
        """Nothing is judged before there is data, and then everything, once."""
        made = self.begin(VALID)
        self.announce(made, "w1", {A: (1,), B: (2,), C: (3,)})
        self.assertEqual((self.held(made, "rib"), self.held(made, "view"), self.held(made, "all")), ([], [], [A, B, C]))
        self.assertEqual(sorted(set(made.missing()) & {"rib", "view", "all"}), ["all", "rib", "view"])
        self.say(made, "val", (7, B, 16))
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([A], [A]))
        self.assertEqual({each.unit: each.seen for each in made.filtered()}, {"rib": 3, "view": 3})
        self.reactor.advance(60)
        self.assertEqual({each.unit: each.seen for each in made.filtered()}, {"rib": 3, "view": 3})
        self.assertEqual(self.lines(), [B, B, C, C])

    def test_does_not_wait_for_ever(self) -> None:
        made = self.begin(VALID)
        self.announce(made, "w1", {A: (1,)})
        self.reactor.advance(filtering.PATIENCE_SECONDS + 1)
        self.assertEqual(self.held(made, "rib"), [])
        (rib, _) = made.filtered()
        self.assertEqual((rib.rejected, list(rib.failures.values())), (1, [1]))
        self.say(made, "val", (7, B, 16))
        self.reactor.advance(filtering.AGAIN_SECONDS + 0.1)
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([A], [A]))

    def test_changes(self) -> None:
        """Stored routes are judged again a moment later, with nothing sent for what was told before."""
        made = self.begin(VALID)
        self.say(made, "val", (7, B, 16))
        self.announce(made, "w1", {A: (1,), B: (2,), C: (3,)})
        flow = made.stages["rib"].flow
        assert flow is not None
        told: list[Diff] = []
        flow.history.subscribe(told.append)
        self.say(made, "val", (7, B, 16), (2, B, 16), (3, B, 24))
        self.assertEqual(self.held(made, "rib"), [A])
        self.reactor.advance(filtering.AGAIN_SECONDS + 0.1)
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([A, B, C], [A, B, C]))
        self.assertEqual([diff.count for diff in told], [2])
        self.say(made, "val", (7, B, 16))
        self.reactor.advance(filtering.AGAIN_SECONDS + 0.1)
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([A], [A]))
        self.assertEqual(self.lines(), [B, B, C, C])


class TouchedTests(FilteringCase):
    """Changes of VRPs alone have only the routes judged again that they cover."""

    def setUp(self) -> None:
        super().setUp()
        self.told: list[bool] = []
        use = JoinedTable.use

        def watched(own: JoinedTable, filter: RouteFilter, touched: Touched | None = None) -> Diff | None:
            self.told.append(touched is not None)
            return use(own, filter, touched)

        self.patch(JoinedTable, "use", watched)

    def say_later(self, made: Instance, *vrps: tuple[int, str, int]) -> None:
        self.say(made, "val", *vrps)
        self.reactor.advance(filtering.AGAIN_SECONDS + 0.1)

    def test_only_by_origin(self) -> None:
        made = self.begin(VALID)
        self.say(made, "val", (7, B, 16))
        self.announce(made, "w1", {A: (1,), B: (2,), C: (3,)})
        self.say_later(made, (7, B, 16), (2, B, 16))
        self.assertEqual(self.told, [True])
        self.say(made, "val", (2, B, 16))
        self.say_later(made, (2, B, 16), (3, C, 24))
        self.assertEqual((self.told, self.held(made, "rib")), ([True, True], [A, B, C]))
        self.say_later(made, (7, B, 16), (3, C, 24))
        self.assertEqual((self.told, self.held(made, "rib")), ([True, True, True], [A, C]))
        self.say_later(made, (7, B, 16), (2, B, 16), (3, C, 24))
        self.assertEqual(self.held(made, "view"), [A, B, C])

    def test_everything_if_vrps_are_looked_up(self) -> None:
        looked_up = "vrps.more_specifics(route.prefix).matches && vrps.validate"
        made = self.begin(VALID.replace("vrps.validate", looked_up))
        self.say(made, "val", (7, B, 16))
        self.announce(made, "w1", {A: (1,), B: (2,), C: (3,)})
        self.say_later(made, (7, B, 16), (2, B, 16))
        self.say_later(made, (7, B, 16))
        self.assertEqual(self.told, [False, False])

    def test_everything_if_much_changes(self) -> None:
        self.patch(filtering, "MOST_CHANGES", 1)
        made = self.begin(VALID)
        self.say(made, "val", (7, B, 16))
        self.say_later(made, (7, B, 16), (2, B, 16))
        self.say_later(made, (7, B, 16))
        self.say_later(made, (7, A, 16), (2, A, 16))
        self.assertEqual(self.told, [True, True, False])

    def test_everything_after_a_failure(self) -> None:
        made = self.begin(VALID)
        self.say(made, "val", (7, B, 16))
        use = JoinedTable.use
        self.patch(JoinedTable, "use", lambda *given: 1 / 0)
        self.say_later(made, (2, B, 16))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.patch(JoinedTable, "use", use)
        self.say_later(made, (3, B, 16))
        self.say_later(made, (4, B, 16))
        self.assertEqual(self.told, [False, True])

    def test_the_same_as_everything(self) -> None:
        """Whatever else changes between."""
        for seed in range(12):
            some = self.played(random.Random(seed))
            self.patch(filtering, "MOST_CHANGES", -1)
            counted = self.told.count(True)
            self.assertEqual(self.played(random.Random(seed)), some)
            self.assertEqual(self.told.count(True), counted)
            self.patch(filtering, "MOST_CHANGES", 20_000)
        self.assertIn(True, self.told)

    def played(self, chance: random.Random) -> list[tuple[list[str], list[str]]]:
        """What the RIBs hold while routes, VRPs and a table change."""
        write_rows(self.folder, A)
        made, seen = self.begin(BOTH), []
        for _ in range(25):
            match chance.randrange(6):
                case 0:
                    write_rows(self.folder, *chance.sample((A, B, C), chance.randint(0, 2)))
                    self.reactor.pump([1.0] * 6)
                case 1 | 2:
                    self.announce(made, "w1", {one: (chance.choice((1, 2)),) for one in (A, B, C)})
                case 3:
                    self.reactor.advance(chance.choice((0.1, 1.1, 31)))
                case _:
                    vrps = ((asn, prefix, 24) for asn in (1, 2) for prefix in (A, B, C))
                    self.say(made, "val", *(one for one in vrps if chance.random() < 0.3))
                    self.reactor.advance(chance.choice((0, 1.1)))
            seen.append((self.held(made, "rib"), self.held(made, "view")))
        return seen


def write_rows(folder: Path, *prefixes: str) -> None:
    """The file of a table has these rows now."""
    unfinished = folder / "unfinished"
    unfinished.write_text(json.dumps([{"prefix": prefix} for prefix in prefixes]))
    unfinished.replace(folder / "customers.json")


class TableTests(FilteringCase):
    def write(self, *prefixes: str) -> None:
        write_rows(self.folder, *prefixes)

    def changed(self, mode: str) -> Instance:
        """A table of one row, of two a while later."""
        self.write(A)
        made = self.begin(LISTED.replace("MODE", mode))
        self.announce(made, "w1", {A: (1,), B: (2,)})
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([A], [A]))
        self.write(A, B)
        self.reactor.pump([1.0] * 8)
        return made

    def test_active(self) -> None:
        made = self.changed("ACTIVE")
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([A, B], [A, B]))

    def test_passive(self) -> None:
        """What is stored stays; what comes is judged anew. A virtual RIB stores no verdicts."""
        made = self.changed("PASSIVE")
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([A], [A]))
        self.reactor.advance(filtering.LATER_SECONDS)
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([A], [A, B]))
        self.announce(made, "w1", {A: (1,), B: (2, 3)})
        self.assertEqual(self.held(made, "rib"), [A, B])

    def test_what_is_asked_is_made_ready_where_the_file_is_read(self) -> None:
        """Indexes of large tables take seconds."""
        prepared: list[frozenset[str]] = []
        prepare = TableView.prepare

        def watched(own: TableView, fields: frozenset[str], *more: Any) -> None:
            if fields:
                prepared.append(fields)
            prepare(own, fields, *more)

        self.patch(TableView, "prepare", watched)
        row = {"name": "a", "prefix": A, "own": 7, "allowed": [2], "others": []}
        (self.folder / "customers.json").write_text(json.dumps([row]))
        made = self.begin(FOUND)
        self.assertEqual(prepared, [{"own", "allowed"}])
        self.announce(made, "w1", {A: (1,), B: (2,), "11.0.0.0/8": (7,)})
        self.assertEqual(self.held(made, "rib"), [B, "11.0.0.0/8"])


class RibTests(FilteringCase):
    def test_view_of_a_rib(self) -> None:
        made = self.begin(KNOWN)
        self.announce(made, "w1", {A: (1,), B: (2,)})
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([], []))
        self.announce(made, "w2", {B: (9,)}, peer=2)
        self.reactor.advance(0.1)
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([], []))
        self.reactor.advance(filtering.LATER_SECONDS)
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([], [B]))
        self.announce(made, "w1", {A: (1,), B: (2, 3)})
        self.assertEqual(self.held(made, "rib"), [B])


class TouchedByTableTests(FilteringCase):
    """Changes of rows have only the routes judged again that they cover."""

    def setUp(self) -> None:
        super().setUp()
        self.judged: list[int] = []
        use = JoinedTable.use

        def watched(own: JoinedTable, filter: RouteFilter, touched: Touched | None = None) -> Diff | None:
            said = list(own.wests.values())
            rows = [touched.rows(slot, one[slot]) for one in said for slot in one] if touched else []  # type: ignore[arg-type]
            self.judged.append(sum(map(len, rows)) if touched else -1)
            return use(own, filter, touched)

        self.patch(JoinedTable, "use", watched)

    def change(self, *prefixes: str) -> None:
        write_rows(self.folder, *prefixes)
        self.reactor.pump([1.0] * 7)

    def test_longest_match(self) -> None:
        write_rows(self.folder, B)
        words = LISTED.replace("MODE", "ACTIVE").replace("exact_match", "longest_match")
        made = self.begin(words)
        self.announce(made, "w1", {A: (1,), B: (2,), C: (3,), "11.0.0.0/8": (4,)})
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([B, C], [B, C]))
        flow = made.stages["rib"].flow
        assert flow is not None
        told: list[Diff] = []
        flow.history.subscribe(told.append)
        self.change(C)
        self.assertEqual((self.held(made, "rib"), self.held(made, "view")), ([C], [C]))
        self.assertEqual((self.judged, [diff.count for diff in told]), ([2], [1]))
        self.change(C, "12.0.0.0/8")
        self.assertEqual((self.judged, len(told)), ([2, 0], 1))
        (shown,) = made.sourced()
        self.assertEqual((shown.state, shown.records, shown.changes, shown.mode), ("CURRENT", 2, 2, "ACTIVE"))

    def test_everything_if_records_are_found_by_what_routes_cover(self) -> None:
        write_rows(self.folder, B)
        words = LISTED.replace("MODE", "ACTIVE").replace("exact_match", "more_specifics")
        made = self.begin(words)
        self.announce(made, "w1", {A: (1,), B: (2,), C: (3,)})
        self.assertEqual(self.held(made, "rib"), [A, B])
        self.change(C)
        self.assertEqual((self.held(made, "rib"), self.judged), ([A, B, C], [-1]))

    def test_a_broken_file(self) -> None:
        write_rows(self.folder, B)
        made = self.begin(LISTED.replace("MODE", "ACTIVE"))
        self.announce(made, "w1", {A: (1,), B: (2,)})
        (self.folder / "customers.json").write_text("[{]")
        self.reactor.pump([1.0] * 7)
        self.announce(made, "w1", {A: (1,), B: (2,), C: (3,)})
        (shown,) = made.sourced()
        self.assertEqual((self.held(made, "rib"), shown.state, shown.failures), ([B], "STALE", 1))
        self.assertIn("customers.json:line 1", str(shown.problem))
        self.assertEqual(len(self.flushLoggedErrors()), 0)


class FailureTests(FilteringCase):
    def outcome(self, policy: str) -> tuple[list[str], list[str], int]:
        made = self.begin(FAILING.replace("POLICY", policy))
        self.announce(made, "w1", {A: (1, 2), B: ()})
        (told,) = made.filtered()
        self.assertEqual(told.seen, 2)
        return self.held(made, "rib"), list(told.failures), told.rejected

    def test_policies(self) -> None:
        """The first AS of an empty path is missing."""
        accepted, where, rejected = self.outcome("ACCEPT")
        self.assertEqual((accepted, len(where), rejected), ([A, B], 1, 0))
        line = (SEVERAL + FAILING).splitlines().index(
            next(own for own in FAILING.splitlines() if ".first()" in own)
        ) + 1
        self.assertIn(f"test.blocks:{line}:", where[0])
        self.assertEqual(self.outcome("REJECT"), ([A], where, 1))


class ReleaseTests(FilteringCase):
    def test_nothing_is_left(self) -> None:
        made = self.begin(VALID)
        self.say(made, "val", (7, B, 16))
        self.announce(made, "w1", {A: (1,)})
        self.say(made, "val", (7, B, 17))
        (source,) = made.filters.sources.values()
        self.assertEqual(len(source.listeners), 2)
        for unit in ("rib", "view"):
            made.filters.release(unit)
        self.assertEqual((source.listeners, made.filtered()), ([], []))
        self.reactor.advance(60)
