"""What a virtual RIB costs, and how fast another filter takes effect, on a full table.

    python -m interop.bench.virtual_rib --routes 1000000 --rounds 3

A daemon runs a file of the block language: an MRT archive, a physical RIB, and on top of it a virtual RIB that shows
the table through the filter of `interop.bench.filters`, with origin validation. What the virtual RIB costs are CPU
seconds of the process until everything has come, against those of the same file without it.

Then the file gets another filter, and the daemon SIGHUP: every stored route is judged again. What that takes are the
CPU seconds from the signal until the process rests, with reading the file. It is measured where a physical RIB has the
filter, of which a change moves few routes, and where a virtual RIB has it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rotonda.http.exports import json_export

from interop.bench import filters, report
from interop.bench.mrt import NoTable, Table, full_table
from interop.peers import ours
from interop.peers.processes import (
    LOOPBACK,
    Daemon,
    cpu_seconds,
    free_ports,
    terminated_like_interrupted,
)
from rotoro.table import Snapshot

SECONDS = 300
REST_SECONDS = 1.5
"""A process that does nearly nothing for so long has done what it had to do."""
REST_CPU = 0.06

FILE = """
unit archive: MrtConnector with config {{ files: ["{mrt}"] }};
unit validator: JsonConnector with config {{ source_file: "{vrps}" }};
data-source rpki: Rpki with config {{ related: validator }};
{filter}
{rest}
instance all: Daemon with config {{
    listen: {host}:{port}, http: {host}:{http},
    graph: [ {graph} ],
}};
"""
PHYSICAL = "unit stored: PhysicalRib with config { };"
FILTERED = "unit stored: PhysicalRib with config { filter_map: from-transit(AS65000) };"
VIRTUAL = "unit shown: VirtualRib with config { filter_map: from-transit(AS65000) };"

WITHOUT_DATA = PHYSICAL, "Connector(archive) -> Rib(stored)"
ALONE = PHYSICAL, "Connector(archive) -> Rib(stored), Connector(validator) -> Rib(stored)"
ON_TOP = f"{PHYSICAL}\n{VIRTUAL}", f"{ALONE[1]}, Rib(stored) -> Rib(shown)"
IN_IT = FILTERED, ALONE[1]

CHANGES = (("len() > 50", "len() > 12"), ("65535:666", "65535:667"))
"""What a change makes of the filter."""


@dataclass(frozen=True)
class Input:
    """What all daemons read."""

    table: Table
    vrps: Path


@dataclass(frozen=True)
class Running:
    """A daemon that runs one of the graphs."""

    daemon: Daemon
    file: Path
    http: int

    def records(self) -> dict[str, int]:
        """How many records each unit has; none of a unit that is not complete."""
        with contextlib.suppress(OSError):
            told: dict[str, Any] = json.loads(ours.get(self.http, "/api/v1/graph"))
            return {unit["name"]: unit.get("records", 0) for unit in told["units"] if unit["complete"]}
        return {}

    def rest(self, units: Sequence[str]) -> float:
        """Wait until these units have everything and the process rests; the CPU seconds it has taken until then."""
        self.daemon.expect(lambda: set(units) <= set(self.records()) or None, "its units are complete", SECONDS, 0.2)
        spent, since = cpu_seconds(self.daemon.pid), time.monotonic()
        before = spent
        while time.monotonic() - since < REST_SECONDS:
            time.sleep(0.1)
            now = cpu_seconds(self.daemon.pid)
            if now - before > REST_CPU:
                spent, before, since = now, now, time.monotonic()
        return spent

    def change(self) -> float:
        """Another filter; the CPU seconds until it is in force everywhere, and everything at rest."""
        text = self.file.read_text()
        for one, other in CHANGES:
            text = text.replace(one, other) if one in text else text.replace(other, one)
        self.file.write_text(text)
        before = cpu_seconds(self.daemon.pid)
        self.daemon.process.send_signal(signal.SIGHUP)
        self.daemon.expect_line("is in force", SECONDS)
        return self.rest(()) - before


@contextlib.contextmanager
def running(folder: Path, given: Input, rest: str, graph: str) -> Iterator[Running]:
    """A daemon with this graph."""
    port, http = free_ports(2)
    file = folder / "benchmark.blocks"
    file.write_text(
        FILE.format(
            mrt=given.table.file, vrps=given.vrps, filter=the_filter(), rest=rest, graph=graph, host=LOOPBACK,
            port=port, http=http,
        )
    )  # fmt: skip
    with ours.start_graph(folder, file, "all") as daemon:
        yield Running(daemon, file, http)


def the_filter() -> str:
    """The filter-map of `interop.bench.filters`."""
    return filters.PROGRAM[filters.PROGRAM.index("filter-map") :]


def write_vrps(routes: Snapshot, file: Path) -> None:
    """The VRPs of `interop.bench.filters` as validators export them."""
    made = filters.vrps(routes, np.random.default_rng(20260101))
    file.write_bytes(b"".join(json_export(made)))


def round_of(folder: Path, given: Input) -> dict[str, float]:
    """The figures of one round."""
    found: dict[str, float] = {}
    for name, (rest, graph) in (("without data", WITHOUT_DATA), ("alone", ALONE), ("on top", ON_TOP), ("in it", IN_IT)):
        with running(folder, given, rest, graph) as own:
            found[name] = own.rest(["stored", "shown"] if name == "on top" else ["stored"])
            found[f"records {name}"] = own.records()["shown" if name == "on top" else "stored"]
            if name in ("on top", "in it"):
                found[f"changed {name}"] = own.change()
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print markdown."""
    options = _parser().parse_args(words)
    try:
        table = full_table(options.routes)
    except NoTable as missing:
        print(missing, file=sys.stderr)
        return 1
    rounds: list[dict[str, float]] = []
    with terminated_like_interrupted(), tempfile.TemporaryDirectory(prefix="rotoro-bench-") as own:
        given = Input(table, Path(own) / "vrps.json")
        write_vrps(filters.table(table.file), given.vrps)
        for number in range(options.rounds):
            with tempfile.TemporaryDirectory(prefix="rotoro-bench-") as folder:
                rounds.append(round_of(Path(folder), given))
            print(f"round {number + 1}: {rounds[-1]}", file=sys.stderr, flush=True)
    print(_report(rounds, table))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.virtual_rib", description=__doc__)
    parser.add_argument("--routes", type=int, default=1_000_000, help="of a made-up table")
    parser.add_argument("--rounds", type=int, default=3)
    return parser


def _report(rounds: Sequence[Mapping[str, float]], table: Table) -> str:
    found = {name: median(each[name] for each in rounds) for name in rounds[0]}
    without, alone, on_top = found["without data"], found["alone"], found["on top"]
    header = ["", "CPU s", "/ alone", "routes in it"]
    rows = [
        ["physical RIB", report.seconds(without), "", f"{found['records without data']:,.0f}"],
        ["physical RIB, RPKI data", report.seconds(alone), "1", f"{found['records alone']:,.0f}"],
        ["with a virtual RIB on top", report.seconds(on_top), f"{on_top / alone:.2f}",
         f"{found['records on top']:,.0f}"],
        ["the same, RPKI data not counted", report.seconds(on_top - alone + without),
         f"{(on_top - alone + without) / without:.2f}", ""],
        ["the filter in the physical RIB", report.seconds(found["in it"]), f"{found['in it'] / alone:.2f}",
         f"{found['records in it']:,.0f}"],
        ["another filter: physical RIB", report.seconds(found["changed in it"]), "", ""],
        ["another filter: virtual RIB", report.seconds(found["changed on top"]), "", ""],
    ]  # fmt: skip
    told = f"{table.routes:,} routes, medians of {len(rounds)} rounds."
    return f"{told} {report.machine()}.\n\n{report.table(header, rows)}"


if __name__ == "__main__":
    sys.exit(main())
