"""Data sources at work: a graph on real routes, whose table changes, breaks and is mended on disk."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rotonda.blocks.values import Prefix

from interop.graphs import GraphCase, Running, instance
from interop.peers import ours
from interop.peers.processes import free_ports, memory, wait_until
from tests.data import shared

MRT = "mrt-rib/rib6.20151101.0600_firstMB.bz2"
FILE = """
unit mrt: MrtConnector with config {{ files: ["{mrt}"] }};
unit all: PhysicalRib with config {{ filter_map: tell }};
unit others: PhysicalRib with config {{ filter_map: short }};
unit kept: PhysicalRib with config {{ filter_map: allowed-csv }};
unit shown: VirtualRib with config {{ filter_map: allowed-csv }};
unit kept-json: PhysicalRib with config {{ filter_map: allowed-json }};
unit kept-jsonl: PhysicalRib with config {{ filter_map: allowed-jsonl }};
unit inner: VirtualRib with config {{ filter_map: inside }};
unit around: VirtualRib with config {{ filter_map: count, contains: Around }};
type Customer {{ customer_id: String, prefix: Prefix, allowed_asns: [Asn] }}
type Around {{ more: U32, less: U32 }}
{tables}
data-source rib: Rib with config {{ related: others }};
output-stream told: File with config {{
    path: "told.jsonl", rotate: 1000000, keep: 1000, queue: 1000, overflow: BLOCK,
    rx: Told {{ prefix: Prefix, peer: IpAddress, path: AsPath }}
}};
filter-map tell {{
    define {{ rx_tx route: Route; }}
    action say {{ told.send({{ prefix: route.prefix, peer: route.peer_address, path: route.as_path }}); }}
    apply {{ say; accept; }}
}}
filter-map count {{
    define {{ rx route: Route; tx out: Around; use rib; }}
    action fill {{
        out.more.set(rib.more_specifics(route.prefix).len());
        out.less.set(rib.less_specifics(route.prefix).len());
    }}
    apply {{ fill; accept; }}
}}
filter-map short {{
    define {{ rx_tx route: Route; }}
    term short {{ match {{ route.peer_asn == AS7660; route.prefix.len() <= /32; }} }}
    apply {{ filter match short matching {{ return accept; }}; reject; }}
}}
filter-map inside {{
    define {{ rx_tx route: Route; use rib; found = rib.longest_match(route.prefix); }}
    apply {{
        filter match found.matches && !rib.exact_match(route.prefix).matches matching {{ return accept; }};
        reject;
    }}
}}
"""
OF_A_TABLE = """
data-source {form}: Table with config {{
    source_file: "{folder}/customers.{form}", check_update_interval: SECONDS(1), mode: ACTIVE, contains: Customer
}};
filter-map allowed-{form} {{
    define {{ rx_tx route: Route; use {form} as customers; found = customers.longest_match(route.prefix); }}
    term foreign {{ match {{ found.matches; route.origin_asn not in found.first().allowed_asns; }} }}
    apply {{ filter match route.origin_asn.exists() && foreign matching {{ return reject; }}; accept; }}
}}
"""
GRAPH = "mrt -> all -> shown, all -> inner, mrt -> others -> around, mrt -> kept, mrt -> kept-json, mrt -> kept-jsonl"
RIBS = ("kept", "shown", "kept-json", "kept-jsonl")
"""What the customers leave: of the CSV in a physical and in a virtual RIB, and of the other forms of the same table."""
HEADER = "customer_id,prefix,allowed_asns\n"
Routes = dict[str, int | None]
"""The origins of the routes of one peer, by their prefixes."""
Table = list[tuple[Prefix, tuple[int, ...]]]


def written(table: Table) -> bytes:
    """The CSV of a table."""
    lines = (f"c{at},{prefix},{'; '.join(map(str, asns))}\n" for at, (prefix, asns) in enumerate(table))
    return (HEADER + "".join(lines)).encode()


def objects(table: Table) -> list[dict[str, Any]]:
    """The same for JSON."""
    return [{"customer_id": f"c{at}", "prefix": str(prefix), "allowed_asns": [f"AS{asns[0]}", *asns[1:]]}
            for at, (prefix, asns) in enumerate(table)]  # fmt: skip


def longest(prefix: Prefix, held: Mapping[Prefix, Any]) -> Any | None:
    """What is held under the longest prefix that covers this one."""
    return next((held[own] for n in range(prefix.length, -1, -1) if (own := prefix.cut(n)) in held), None)


def allowed(routes: Routes, table: Table) -> Routes:
    """What a plain look at each route leaves."""
    held = dict(table)
    kept = {}
    for words, origin in routes.items():
        asns = longest(Prefix.parse(words), held)
        if origin is None or asns is None or origin in asns:
            kept[words] = origin
    return kept


class DataSourceTests(GraphCase):
    """One instance, with everything."""

    def setUp(self) -> None:
        super().setUp()
        self.table = self.folder / "customers.csv"
        self.http = 0

    def replace(self, octets: bytes, path: Path | None = None) -> None:
        """The file, the CSV if not told, is this now, in one step."""
        path = path or self.table
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(octets)
        unfinished.replace(path)

    def put(self, table: Table) -> None:
        """The table is this now, in all of its forms."""
        self.replace(written(table))
        rows = objects(table)
        self.replace(json.dumps({"customers": rows}, indent=1).encode(), self.table.with_suffix(".json"))
        self.replace("\n".join(map(json.dumps, rows)).encode(), self.table.with_suffix(".jsonl"))

    def rows(self, running: Running, unit: str) -> Iterator[dict[str, Any]]:
        """The records of the first peer."""
        cursor = ""
        while cursor is not None:
            told = running.get(f"/api/v1/ribs/{unit}/routes?ingress=0&limit=10000{cursor and f'&cursor={cursor}'}")
            yield from told["routes"]
            cursor = told["cursor"]

    def routes(self, running: Running, unit: str) -> Routes:
        """Its routes."""
        return {route["prefix"]: route.get("origin_as") for route in self.rows(running, unit)}

    def source(self, running: Running) -> dict[str, Any]:
        """What the instance says of the CSV."""
        told = {own["name"]: own for own in running.get("/api/v1/filters")["sources"]}
        return dict(told["csv"])

    def await_source(self, running: Running, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until it says so."""
        found = wait_until(lambda: own if wanted(own := self.source(running)) else None, 60, 0.2)
        self.assertTrue(found, self.source(running))
        assert found is not None
        return found

    def assertComes(self, running: Running, wanted: Routes) -> None:
        """All RIBs hold exactly these routes of the peer, and the same of all others."""
        for unit in RIBS:
            came = wait_until(lambda unit=unit: self.routes(running, unit) == wanted or None, 60, 0.3)  # type: ignore[misc]
            self.assertTrue(came, unit)
        tables = running.tables()
        self.assertEqual(len({tables[f"{unit}/rib"] for unit in RIBS}), 1)

    def test_story(self) -> None:
        port, self.http = free_ports(2)
        tables = "".join(OF_A_TABLE.format(form=form, folder=self.folder) for form in ("csv", "json", "jsonl"))
        file = FILE.format(mrt=shared(MRT), tables=tables)
        self.write(file + instance("main", GRAPH, port, self.http))
        self.put([])
        running = self.run_instance("main", self.http)
        running.await_complete()
        base = self.routes(running, "all")
        self.assertGreater(len(base), 3000)
        self.assertComes(running, base)
        chance = random.Random(1)
        table = self.some_customers(base, chance)
        self.put(table)
        self.assertComes(running, allowed(base, table))
        self.assertLess(len(allowed(base, table)), len(base))
        table = self.changed_on_disk(running, base, table, chance)
        self.broken_on_disk(running, base, table)
        self.rib_beside(running, base)
        self.all_is_told(running)

    def some_customers(self, base: Routes, chance: random.Random) -> Table:
        """Some prefixes as they are, some a little shorter; most with the AS that announces them."""
        made: dict[Prefix, tuple[int, ...]] = {}
        for words in chance.sample(sorted(base), 600):
            prefix, origin = Prefix.parse(words), base[words]
            own = prefix.cut(max(0, prefix.length - chance.choice((0, 0, 4))))
            made[own] = (chance.randrange(1, 9999),) if chance.random() < 0.4 or origin is None else (7, origin)
        return sorted(made.items(), key=lambda pair: str(pair[0]))

    def filtered(self, running: Running) -> dict[str, tuple[int, str]]:
        """The tables that the customers decide about, and the one that they are made of."""
        return {name: own for name, own in running.tables().items() if name.split("/")[0] in ("all", *RIBS)}

    def changed_on_disk(self, running: Running, base: Routes, table: Table, chance: random.Random) -> Table:
        """The RIBs differ by what the table makes differ, in one step, and filters count nothing anew."""
        counted = running.get("/api/v1/filters")["filters"]
        for _ in range(2):
            before = running.positions()["kept/rib"]
            other = [(prefix, (5,)) if chance.random() < 0.05 else (prefix, asns) for prefix, asns in table]
            del other[chance.randrange(len(other))]
            self.assertNotEqual(allowed(base, other), allowed(base, table))
            self.put(other)
            self.assertComes(running, allowed(base, other))
            self.assertEqual(running.positions()["kept/rib"], (before[0], before[1] + 1))
            table = other
        self.assertEqual(running.get("/api/v1/filters")["filters"], counted)
        return table

    def broken_on_disk(self, running: Running, base: Routes, table: Table) -> None:
        """Of each bad file is told what is wrong and where; the last good table stays, and so do the routes."""
        told, good = self.filtered(running), written(table)

        def row(words: str, encoding: str = "utf-8") -> Callable[[], None]:
            return lambda: self.replace(f"{HEADER}{words}\n".encode(encoding))

        cases: list[tuple[str, Callable[[], None], str]] = [
            ("a field is missing", row("a,2001::/32,AS1\nc,2001::/32"), "line 3: 2 cells"),
            ("a wrong type", row("a,2001::/32,AS1\nb,2001::/33,x"), "line 3: allowed_asns: x"),
            ("host bits", row("a,2001::1/32,AS1"), "line 2: prefix: 2001::1/32"),
            ("Latin-1", row("M\xfcller,2001::/32,AS1", "latin-1"), "line 2: this is not UTF-8"),
            ("UTF-16", row("", "utf-16"), "line 1: this is UTF-16"),
            ("NUL", lambda: self.replace(good + b"\0"), "a NUL"),
            ("empty", lambda: self.replace(b""), "line 1: there is no column"),
            ("gone", lambda: None, "No such file"),
            ("a ring", lambda: self.table.symlink_to(self.table), "symbolic links"),
            ("a folder", self._folder, "is not a file"),
            ("a pipe", self._pipe, "is not a file"),
            ("a device", lambda: self._link(Path("/dev/zero")), "is not a file"),
            ("ten million rows", self._many, "more than 5,000,000 lines"),
        ]  # fmt: skip
        for name, spoil, expected in cases:
            with self.subTest(name):
                before = self.source(running).get("failures", 0)
                self._clear()
                spoil()
                own = self.await_source(
                    running,
                    lambda own, before=before, expected=expected: (  # type: ignore[misc]
                        own.get("failures", 0) > before and expected in own.get("problem", "")
                    ),
                )
                self.assertIn("customers.csv", own["problem"])
                self.assertEqual((own["state"], own["records"]), ("STALE", len(table)))
                self.assertEqual(self.filtered(running), told)
                said = [line for line in running.daemon.lines() if expected in line and "stays" in line]
                self.assertTrue(said)
        self.assertIn('rotonda_data_source_failing{source="csv"} 1.0', ours.get(self.http, "/metrics").decode())
        self.assertLess(memory(running.daemon.pid, "RssAnon"), 1 << 30)
        self._clear()
        self.put(table[:50])
        self.assertComes(running, allowed(base, table[:50]))
        own = self.await_source(running, lambda own: own["state"] == "CURRENT")
        self.assertEqual((own["records"], own.get("problem"), own["failures"] >= len(cases)), (50, None, True))

    def rib_beside(self, running: Running, base: Routes) -> None:
        """What another RIB has answers a filter, and is looked at again when it has changed."""
        held = {prefix: words for words in base if (prefix := Prefix.parse(words)).length <= 32}
        wanted = {words: origin for words, origin in base.items()
                  if (own := longest(Prefix.parse(words), held)) is not None and own != words}  # fmt: skip
        self.assertGreater(len(wanted), 100)
        came = wait_until(lambda: self.routes(running, "inner") == wanted or None, 120, 1.0)
        self.assertTrue(came)
        covers = Counter(own.cut(length) for own in held for length in range(own.length + 1))
        counts = {words: (covers[own], sum(own.cut(length) in held for length in range(own.length + 1)))
                  for own, words in held.items()}  # fmt: skip
        self.assertGreater(len(set(counts.values())), 10)
        told = {row["prefix"]: (row["more"], row["less"]) for row in self.rows(running, "around")}
        self.assertEqual(told, counts)

    def all_is_told(self, running: Running) -> None:
        """Every route was sent, at once, to a file that is soon full; each is in it or in one before it, once."""
        count, _ = running.tables()["all/rib"]
        (told,) = wait_until(lambda: self._written(running), 60) or self.fail("not all is written")
        self.assertEqual((told["sent"], told["written"], told["dropped"]), (count, count, 0))
        files = list(running.folder.glob("told.jsonl*"))
        self.assertGreater(len(files), 5)
        self.assertLessEqual(max(file.stat().st_size for file in files), 1_000_000)
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        self.assertEqual(len({(line["prefix"], line["peer"]) for line in lines}), count)
        self.assertEqual(len(lines), count)

    def _written(self, running: Running) -> list[dict[str, Any]] | None:
        told: list[dict[str, Any]] = running.get("/api/v1/filters")["streams"]
        return told if not any(each["waiting"] for each in told) else None

    def _clear(self) -> None:
        if self.table.is_dir() and not self.table.is_symlink():
            self.table.rmdir()
        self.table.unlink(missing_ok=True)

    def _link(self, target: Path) -> None:
        self.table.symlink_to(target)

    def _folder(self) -> None:
        self.table.mkdir()

    def _pipe(self) -> None:
        os.mkfifo(self.table)

    def _many(self) -> None:
        """Ten million rows."""
        self.replace(HEADER.encode() + b"a,2001::/32,1\n" * 10_000_000)
