"""Memory that a router costs the cache while it is connected, has everything and says nothing.

    python -m interop.bench.idle_memory --routers 2000 --rounds 3

The servers serve the same small file. Some routers connect and fetch all of it, for what a server needs to serve any
router at all; then come the others, and by how much the server's resident memory has grown since is divided by their
number. The kernel's own memory for connections, the same for all servers, is not in it.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from interop.bench import report
from interop.bench.diff_latency import CONTENDERS
from interop.bench.routers import VERSION, Routers
from interop.peers import probe
from interop.peers.processes import free_port, memory, terminated_like_interrupted
from interop.vrps import generate

SETTLED_SECONDS = 1.0
FIRST = 100
"""Routers whose memory is not counted."""


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print markdown."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.idle_memory", description=__doc__)
    parser.add_argument("--routers", type=int, default=2000)
    parser.add_argument("--vrps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--servers", nargs="+", choices=CONTENDERS, default=["connector", "rtrtr", "stayrtr"])
    options = parser.parse_args(words)
    missing = [reason for name in options.servers if (peer := CONTENDERS[name].peer) and (reason := peer.available())]
    if missing:
        print("\n".join(missing), file=sys.stderr)
        return 1
    rows: dict[str, list[tuple[int, float]]] = {name: [] for name in options.servers}
    for _ in range(options.rounds):
        for name in options.servers:
            rows[name].append(measure(name, options.vrps, options.routers))
    print(f"{options.routers} routers, {options.vrps} VRPs, medians of {options.rounds} starts. {report.machine()}.\n")
    print(report.table(["server", f"MiB with {FIRST} routers", "KiB for each more"], map(_row, rows, rows.values())))
    return 0


def measure(name: str, vrps: int, count: int) -> tuple[int, float]:
    """Octets of memory with the first routers, and for each of so many more."""
    with (
        terminated_like_interrupted(),
        tempfile.TemporaryDirectory(prefix="rotoro-bench-") as place,
        contextlib.ExitStack() as ending,
    ):
        folder, data, port = Path(place), generate(vrps), free_port()
        file = folder / "vrps.json"
        data.write_routinator(file)
        daemon = CONTENDERS[name].start(folder, file, port)
        ending.callback(daemon.stop)
        probe.fetch_when(daemon, port, VERSION, data.vrp_count)
        with Routers(port, FIRST):
            before = _settled(daemon.pid)
            with Routers(port, count):
                return before, (_settled(daemon.pid) - before) / count


def _settled(pid: int) -> int:
    time.sleep(SETTLED_SECONDS)
    return memory(pid)


def _row(name: str, measured: list[tuple[int, float]]) -> list[str]:
    before, each = map(median, zip(*measured, strict=True))
    return [name, report.mebibytes(before), f"{each / 1024:.2f}"]


if __name__ == "__main__":
    sys.exit(main())
