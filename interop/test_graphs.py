"""One graph on real data, in one process, in two and in four: the same tables, digest by digest, and the same outputs.

A table of RouteViews flows through a RIB that validates and keeps, is shown as records of another type, and takes two
ways that meet again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interop.graphs import GraphCase, Running, instance
from interop.peers.processes import free_ports, wait_until
from tests.data import shared

UNITS = """
type Seen {{ as_path: AsPath, peer_as: Asn, when: TimeStamp }}

filter-map limits {{
    define {{
        rx_tx route: Route;
        use vrps;
        bogons = [10.0.0.0/8 orlonger, 192.168.0.0/16 orlonger, 0.0.0.0/0 exact];
    }}
    term bogon {{ match {{ route.prefix in bogons; }} }}
    term long {{ match {{ route.prefix.len() > /24; }} }}
    term invalid {{
        match {{ route.origin_asn.exists() && vrps.validate(route.prefix, route.origin_asn) == INVALID; }}
    }}
    action tag {{ route.communities.push(64500:1); }}
    action tell {{ lines.send({{ prefix: route.prefix, peer_as: route.peer_asn, path: route.as_path }}); }}
    apply {{
        filter match bogon matching {{ return reject; }};
        filter match long matching {{ return reject; }};
        filter match invalid matching {{ tell; return reject; }};
        filter match route.as_path.contains(AS3356) matching {{ tag; }};
        accept;
    }}
}}
filter-map seen {{
    define {{ rx route: Route; tx out: Seen; }}
    action fill {{ out.as_path.set(route.as_path); out.peer_as.set(route.peer_asn); out.when.set(route.received); }}
    apply {{ filter match route.as_path.len() > 3 matching {{ fill; return accept; }}; reject; }}
}}
filter-map short {{
    define {{ rx_tx route: Route; }}
    action mark {{ route.communities.push(64500:2); route.local_pref.set(200); }}
    apply {{ filter match route.prefix.len() <= /19 matching {{ mark; return accept; }}; reject; }}
}}
filter-map near {{
    define {{ rx_tx route: Route; }}
    apply {{ filter match route.as_path.len() <= 3 matching {{ return accept; }}; reject; }}
}}

output-stream lines: File with config {{
    path: "lines.jsonl", rx: Line {{ prefix: Prefix, peer_as: Asn, path: AsPath }},
}};
data-source vrps: Rpki with config {{ related: rib-loc }};

unit val: JsonConnector with config {{ source_file: "{vrps}", keep_expired: true }};
unit mrt: MrtConnector with config {{ files: ["{table}"] }};
unit rib-in: PhysicalRib with config {{ }};
unit rib-loc: PhysicalRib with config {{
    filter_map: limits,
    merge_strategy: {{ hash: (Route::prefix, Route::peer_id), overwrite: MOVING_WINDOW_COUNT(5) }},
}};
unit rib-mon: VirtualRib with config {{ filter_map: seen, contains: Seen }};
unit some: VirtualRib with config {{ filter_map: short }};
unit others: VirtualRib with config {{ filter_map: near }};
unit met: PhysicalRib with config {{ }};
"""

ONE = {
    "all": """mrt -> rib-in -> rib-loc -> rib-mon, val -> rib-loc, rib-loc -> some -> met, rib-loc -> others -> met"""
}
TWO = {
    "west": "mrt -> rib-in, val",
    "core": "west.rib-in -> rib-loc -> rib-mon, west.val -> rib-loc, rib-loc -> some -> met, rib-loc -> others -> met",
}
FOUR = {
    "west": "mrt -> rib-in, val",
    "core": "west.rib-in -> rib-loc -> some, west.val -> rib-loc",
    "side": "core.rib-loc -> others, core.rib-loc -> rib-mon",
    "east": "core.some -> met, side.others -> met",
}
TABLES = ("mrt/rib", "rib-in/rib", "rib-loc/rib", "rib-mon/rib", "some/rib", "others/rib", "met/rib", "rib-loc/rpki")

Told = dict[str, tuple[int, str]]
Counts = dict[str, list[int]]


class CutTests(GraphCase):
    """However a graph is cut, it is the same."""

    def start(self, cut: dict[str, str], table: Path) -> list[Running]:
        ports = dict(zip(cut, free_ports(len(cut)), strict=True))
        http = dict(zip(cut, free_ports(len(cut)), strict=True))
        instances = [
            instance(name, graph, ports[name], http[name], {own: ports[own] for own in cut if f"{own}." in graph})
            for name, graph in cut.items()
        ]
        self.write(
            UNITS.format(vrps=shared("rpki/rpki-client.20230504.ripe-prepdev.json.gz"), table=table)
            + "".join(instances)
        )
        return [self.run_instance(name, http[name], f"{name}-of-{len(cut)}") for name in cut]

    def outcome(self, cut: dict[str, str], table: Path, expected: Told | None) -> tuple[Told, list[str], Counts]:
        """All tables, the lines of the output, and what the filters have counted."""
        running = self.start(cut, table)
        for each in running:
            each.await_complete()
        if expected is not None:
            wait_until(lambda: True if tables_of(running) == expected else None, 20, 0.3)
        told, counts = tables_of(running), counts_of(running)
        for each in running:
            each.daemon.stop()
        return told, sorted(line for each in running for line in each.lines("lines.jsonl")), counts

    def compare(self, table: Path) -> None:
        one, lines, counts = self.outcome(ONE, table, None)
        self.assertLessEqual(set(TABLES), set(one))
        self.assertTrue(all(count for count, _ in one.values()), one)
        self.assertTrue(lines)
        for cut in (TWO, FOUR):
            told, own_lines, own_counts = self.outcome(cut, table, one)
            self.assertEqual(told, one, f"in {len(cut)} processes")
            self.assertEqual(own_lines == lines, True, f"in {len(cut)} processes: {len(own_lines)}, not {len(lines)}")
            self.assertEqual(own_counts, counts)

    def test_real_table(self) -> None:
        self.compare(shared("mrt-rib/routeviews.jinx.rib.20140530.2200.bz2"))


def tables_of(running: Sequence[Running]) -> Told:
    """The tables of all instances together; none of them has two of one name."""
    told: Told = {}
    for each in running:
        told.update(each.tables())
    return told


def counts_of(running: Sequence[Running]) -> Counts:
    """What each filter has seen, accepted and rejected; no message of theirs was dropped."""
    told = [each.get("/api/v1/filters") for each in running]
    assert not any(stream["dropped"] for each in told for stream in each["streams"])
    filters = (own for each in told for own in each["filters"])
    words = ("seen", "accepted", "rejected")
    return {f"{own['unit']} {own['filter']}": [own[word] for word in words] for own in filters}
