"""The same filter on a full table: a filter-map in one of our daemons, and a script of Rotonda in its.

    python -m interop.bench.graph_filters --routes 1000000 --rounds 3

Both are one process that reads an MRT file into a RIB. The clock runs from the start of the process, interpreter,
compiler and all, until the last route is judged and, if it is accepted, stored; both must then have accepted the same
number of routes. Rounds without a filter show what else there is to do.

What Rotonda 0.6 cannot say is left out on both sides: how long a path is, whether it has sets, ORIGIN and MED, and to
change an attribute. Origin validation it can say, but it reads its files at once and does not wait for VRPs, so that
routes would be judged without: it is measured here alone, with `interop.bench.filters` whole.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from string import Template
from typing import Any

from interop.bench import filters, report
from interop.bench.mrt import NoTable, Table, full_table
from interop.bench.virtual_rib import the_filter, write_vrps
from interop.peers import ours, rotonda
from interop.peers.processes import LOOPBACK, cpu_seconds, free_port, free_ports, terminated_like_interrupted

SECONDS = 300
PAUSE = 0.02

BOGONS = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "::/8", "100::/64",
    "2001:2::/48", "2001:10::/28", "2001:db8::/32", "3ffe::/16", "fc00::/7", "fe80::/10", "ff00::/8",
)  # fmt: skip

ASNS = ("AS65000", "AS23456", "AS65535", "AS1239", "AS3320")
COMMUNITY = "174:33097"

OURS = Template("""
filter-map chosen {
    define { rx route: Route; }
    term too-specific {
        some {
            !route.prefix.is_ipv6() && (route.prefix.len() > /24 || route.prefix.len() < /8);
            route.prefix.is_ipv6() && (route.prefix.len() > /48 || route.prefix.len() < /16);
        }
    }
    term bogon { match { route.prefix in [$bogons]; } }
    term bad-path { match { route.as_path.contains_any([$asns]); } }
    term unwanted { match { route.communities.contains($community); } }
    apply {
        filter some too-specific matching { reject; };
        filter match bogon matching { reject; };
        filter match bad-path matching { reject; };
        filter match unwanted matching { reject; };
        accept;
    }
}
""").substitute(bogons=", ".join(f"{bogon} orlonger" for bogon in BOGONS), asns=", ".join(ASNS), community=COMMUNITY)

THEIRS = Template("""
const BOGONS: List[Prefix] = [$bogons];
const UNWANTED: Community = Community.from("$community");

filter rib_in_pre(route: Route, ingress_info: IngressInfo) {
    let prefix = route.prefix();
    if prefix.addr().is_ipv6() {
        if prefix.len() > 48 || prefix.len() < 16 { reject }
    } else {
        if prefix.len() > 24 || prefix.len() < 8 { reject }
    }
    if prefix.covered_by(BOGONS) { reject }
    match route.aspath() {
        Some(path) => { if $contains { reject } }
        None => { }
    }
    match route.communities() {
        Some(communities) => { if communities.contains(UNWANTED) { reject } }
        None => { }
    }
    accept
}
""").substitute(
    bogons=", ".join(BOGONS), contains=" || ".join(f"path.contains({asn})" for asn in ASNS), community=COMMUNITY
)

FILE = """
unit archive: MrtConnector with config {{ files: ["{mrt}"] }};
unit validator: JsonConnector with config {{ source_file: "{vrps}" }};
data-source rpki: Rpki with config {{ related: validator }};
{filter}
unit stored: PhysicalRib with config {{ {use} }};
instance all: Daemon with config {{ http: {host}:{http}, graph: [ {graph} ] }};
"""
TO_RIB = "Connector(archive) -> Rib(stored)"
WITH_DATA = f"{TO_RIB}, Connector(validator) -> Rib(stored)"


@dataclass(frozen=True)
class Input:
    """What all contenders read."""

    table: Table
    vrps: Path


@dataclass(frozen=True)
class Took:
    """One round of one contender."""

    wall: float
    spent: float
    accepted: int


def ours_with(filter: str, use: str, graph: str) -> Callable[[Path, Input], Took]:
    """Our daemon with such a filter."""

    def run(folder: Path, given: Input) -> Took:
        (http,) = free_ports(1)
        file = folder / "benchmark.blocks"
        file.write_text(
            FILE.format(
                mrt=given.table.file, vrps=given.vrps, filter=filter, use=use, graph=graph, host=LOOPBACK, http=http
            )
        )
        started = time.perf_counter()
        with ours.start_graph(folder, file, "all") as daemon:
            accepted = daemon.expect(lambda: _stored(http), "everything is stored", SECONDS, PAUSE)
            return Took(time.perf_counter() - started, cpu_seconds(daemon.pid), accepted)

    return run


def rotonda_with(script: str) -> Callable[[Path, Input], Took]:
    """Rotonda with such a script."""

    def run(folder: Path, given: Input) -> Took:
        http = free_port()
        started = time.perf_counter()
        with rotonda.start(folder, given.table.file, http, script) as daemon:
            rotonda.wait_until_read(daemon, SECONDS)
            wall, spent = time.perf_counter() - started, cpu_seconds(daemon.pid)
            return Took(wall, spent, rotonda.stored_prefixes(http))

    return run


CONTENDERS: dict[str, Callable[[Path, Input], Took]] = {
    "ours, no filter": ours_with("", "", TO_RIB),
    "rotonda, no filter": rotonda_with(""),
    "ours": ours_with(OURS, "filter_map: chosen", TO_RIB),
    "rotonda": rotonda_with(THEIRS),
    "ours, with ROV": ours_with(the_filter(), "filter_map: from-transit(AS65000)", WITH_DATA),
}
ALIKE = "ours", "rotonda"


def main(words: Sequence[str] | None = None) -> int:
    """Run it all and print markdown; 1 if the two do not accept the same."""
    options = _parser().parse_args(words)
    try:
        table = full_table(options.routes)
    except NoTable as missing:
        print(missing, file=sys.stderr)
        return 1
    if reason := rotonda.ROTONDA.available():
        print(reason, file=sys.stderr)
        return 1
    rounds: dict[str, list[Took]] = {name: [] for name in CONTENDERS}
    with terminated_like_interrupted(), tempfile.TemporaryDirectory(prefix="rotoro-bench-") as own:
        given = Input(table, Path(own) / "vrps.json")
        write_vrps(filters.table(table.file), given.vrps)
        for number in range(options.rounds):
            for name, run in CONTENDERS.items():
                with tempfile.TemporaryDirectory(prefix="rotoro-bench-") as folder:
                    rounds[name].append(run(Path(folder), given))
                print(f"round {number + 1}: {name:20} {rounds[name][-1]}", file=sys.stderr, flush=True)
    accepted = {name: {each.accepted for each in rounds[name]} for name in ALIKE}
    print(_report(rounds, table))
    if len(set.union(*accepted.values())) != 1:
        print(f"the same filter accepts {accepted}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.graph_filters", description=__doc__)
    parser.add_argument("--routes", type=int, default=1_000_000, help="of a made-up table")
    parser.add_argument("--rounds", type=int, default=3)
    return parser


def _stored(http: int) -> int | None:
    """How many routes the RIB has, as soon as it has all."""
    with contextlib.suppress(OSError):
        told: dict[str, Any] = json.loads(ours.get(http, "/api/v1/graph"))
        for unit in told["units"]:
            if unit["name"] == "stored" and unit["complete"]:
                return int(unit["records"])
    return None


def _report(rounds: dict[str, list[Took]], table: Table) -> str:
    header = ["", "wall s", "routes/s", "/ ours", "CPU s", "/ ours", "accepted"]
    rows = [_row(name, own, rounds["ours"], table.routes) for name, own in rounds.items()]
    told = f"{table.routes:,} routes, medians of {len(rounds['ours'])} interleaved rounds."
    return f"{told} {report.machine()}.\n\n{report.table(header, rows)}"


def _row(name: str, own: list[Took], first: list[Took], routes: int) -> list[str]:
    wall, spent = median(each.wall for each in own), median(each.spent for each in own)
    return [
        name,
        report.seconds(wall),
        f"{routes / wall:,.0f}",
        report.ratio(wall, median(each.wall for each in first)),
        report.seconds(spent),
        report.ratio(spent, median(each.spent for each in first)),
        f"{own[-1].accepted:,}",
    ]


if __name__ == "__main__":
    sys.exit(main())
