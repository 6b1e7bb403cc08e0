"""From an MRT file to a RIB that answers: Rotonda in one process, ours in two with Rotoro between them over loopback.

    python -m interop.bench.mrt_to_rib --routes 1000000 --rounds 3

The clock runs from the start of the first process, interpreters and all, until the RIB answers a query for the last
route of the file; then the RIB must have the file's count.  Memory is what lies in the RIB's own pages (without mapped
files) above what the same program has with an empty table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

from interop.bench import report
from interop.bench.mrt import NoTable, Table, full_table, read_table
from interop.peers import ours, rotonda
from interop.peers.processes import (
    Daemon,
    cpu_seconds,
    free_port,
    free_ports,
    memory,
    terminated_like_interrupted,
)

SECONDS = 300
PAUSE = 0.01


@dataclass(frozen=True)
class Loaded:
    """What one round of one contender took."""

    wall: float
    spent: float  # CPU seconds of all its processes
    above_empty: int  # octets of the RIB's own pages above those with an empty table
    peak: int  # octets resident at the most, of all its processes


def load_rotonda(folder: Path, table: Table) -> Loaded:
    """One process; its log says when it has read the file, its query API must then have the last route."""
    http, empty = free_port(), empty_rotonda(folder)
    started = time.perf_counter()
    with rotonda.start(folder, table.file, http) as daemon:
        rotonda.wait_until_read(daemon, SECONDS)
        daemon.expect(lambda: rotonda.has_route(http, table.last) or None, f"it has {table.last}", SECONDS, PAUSE)
        wall = time.perf_counter() - started
        return _loaded(wall, [daemon], empty, rotonda.stored_prefixes(http), table.prefixes)


def empty_rotonda(folder: Path) -> int:
    """Octets of its own pages after a file without routes."""
    http, nothing = free_port(), folder / "nothing.mrt"
    nothing.write_bytes(b"")
    with rotonda.start(folder, nothing, http) as daemon:
        daemon.expect_port(http)
        time.sleep(1)
        return memory(daemon.pid, "RssAnon")


def load_ours(folder: Path, table: Table) -> Loaded:
    """Connector and RIB, started together."""
    (west, port, http), empty = free_ports(3), empty_rib(folder)
    started = time.perf_counter()
    with contextlib.ExitStack() as ending:
        connector = ending.enter_context(ours.start_connector(folder, west, mrt=[table.file]))
        rib = ending.enter_context(ours.start_rib(folder, port, http, [west]))
        rib.expect(lambda: _has_route(http, table.last), f"it has {table.last}", SECONDS, PAUSE)
        wall = time.perf_counter() - started
        return _loaded(wall, [connector, rib], empty, _stored_routes(http), table.routes)


def empty_rib(folder: Path) -> int:
    """Octets of our RIB's own pages with nobody in the west."""
    port, http, nobody = free_ports(3)
    with ours.start_rib(folder, port, http, [nobody]) as daemon:
        daemon.expect_port(http)
        time.sleep(1)
        return memory(daemon.pid, "RssAnon")


CONTENDERS: dict[str, Callable[[Path, Table], Loaded]] = {"ours": load_ours, "rotonda": load_rotonda}


def main(words: list[str] | None = None) -> int:
    """Run it all and print markdown."""
    options = _parser().parse_args(words)
    try:
        table = read_table(options.mrt) if options.mrt else full_table(options.routes)
    except NoTable as missing:
        print(missing, file=sys.stderr)
        return 1
    if "rotonda" in options.contenders and (reason := rotonda.ROTONDA.available()):
        print(reason, file=sys.stderr)
        return 1
    rounds: dict[str, list[Loaded]] = {name: [] for name in options.contenders}
    with terminated_like_interrupted():
        for number in range(options.rounds):
            for name in options.contenders:
                with tempfile.TemporaryDirectory(prefix="rotoro-bench-") as folder:
                    rounds[name].append(CONTENDERS[name](Path(folder), table))
                print(f"round {number + 1}: {name:8} {rounds[name][-1]}", file=sys.stderr, flush=True)
    print(_report(rounds, table))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.mrt_to_rib", description=__doc__)
    parser.add_argument("--routes", type=int, default=1_000_000, help="of a made-up table")
    parser.add_argument("--mrt", type=Path, help="a TABLE_DUMP_V2 file instead of the made-up table")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    return parser


def _loaded(wall: float, daemons: list[Daemon], empty: int, stored: int, expected: int) -> Loaded:
    """The figures of processes that have come to rest, the last of which is the RIB."""
    rib = daemons[-1]
    if stored != expected:
        rib.fail(f"has {stored} where the file has {expected}")
    spent = sum(cpu_seconds(daemon.pid) for daemon in daemons)
    peak = sum(memory(daemon.pid, "VmHWM") for daemon in daemons)
    return Loaded(wall, spent, memory(rib.pid, "RssAnon") - empty, peak)


def _has_route(http: int, prefix: str) -> bool | None:
    """Whether our RIB answers with a route to exactly that prefix; None before it does."""
    with contextlib.suppress(OSError):
        told = json.loads(ours.get(http, f"/api/v1/routes?prefix={quote(prefix, safe='')}"))
        return bool(told.get("routes")) or None
    return None


def _stored_routes(http: int) -> int:
    """How many routes our RIB's status says it has, over all its tables of routes."""
    tables: list[dict[str, Any]] = ours.status(http)["tables"]
    return sum(sum(table["records"].values()) for table in tables if table["kind"] == "rib")


def _report(rounds: dict[str, list[Loaded]], table: Table) -> str:
    first = next(iter(rounds.values()))
    count = len(first)
    header = ["", "wall s", "routes/s", "/ first", "CPU s", "/ first", "B/route in the RIB", "peak MiB"]
    rows = [_row(name, each, first, table.routes) for name, each in rounds.items()]
    told = f"{table.routes} routes to {table.prefixes} prefixes, medians of {count} interleaved rounds."
    return f"{told} {report.machine()}.\n\n{report.table(header, rows)}"


def _row(name: str, rounds: list[Loaded], first: list[Loaded], routes: int) -> list[str]:
    wall, spent = median(each.wall for each in rounds), median(each.spent for each in rounds)
    return [
        name,
        report.seconds(wall),
        f"{routes / wall:,.0f}",
        report.ratio(wall, median(each.wall for each in first)),
        report.seconds(spent),
        report.ratio(spent, median(each.spent for each in first)),
        f"{median(each.above_empty for each in rounds) / routes:.0f}",
        report.mebibytes(median(each.peak for each in rounds)),
    ]


if __name__ == "__main__":
    sys.exit(main())
