"""What it takes to load a JSON export: processor time from the start until everything is served, and the memory peak.

    python -m interop.bench.json_loading --vrps 500000 --rounds 5

Our connector and rtrtr are started in turn with the same file. A router asks until it has everything; then the
processor time of the process since its very start is taken, interpreter and libraries included, and its highest memory
(VmHWM).
Serving one answer is in both figures. "without a file" is our connector with an empty export: what of it is the start.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from interop.bench import report
from interop.peers import ours, probe, rtrtr
from interop.peers.processes import Daemon, PeerFailed, cpu_seconds, free_port, memory, terminated_like_interrupted
from interop.vrps import RpkiData, generate

VERSION = 1
LEAST, MOST = 20, 32
"""Octets of a VRP in an answer."""


class Load(NamedTuple):
    """Seconds of the processor and of the clock, octets of memory at the peak and afterwards."""

    cpu: float
    wall: float
    peak: int
    resident: int


Start = Callable[[Path, Path, int], Daemon]


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print markdown."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.json_loading", description=__doc__)
    parser.add_argument("--vrps", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(words)
    if reason := rtrtr.RTRTR.available():
        print(reason, file=sys.stderr)
        return 1
    loads: dict[str, list[Load]] = {"connector": [], "rtrtr": [], "connector without a file": []}
    with terminated_like_interrupted(), tempfile.TemporaryDirectory(prefix="rotoro-bench-") as place:
        folder, data, nothing = Path(place), generate(options.vrps), generate(1)
        file, empty = folder / "vrps.json", folder / "empty.json"
        data.write_routinator(file)
        nothing.write_routinator(empty)
        for _ in range(options.rounds):
            loads["connector"].append(load(_connector, folder, file, data))
            loads["rtrtr"].append(load(rtrtr.start_from_file, folder, file, data))
            loads["connector without a file"].append(load(_connector, folder, empty, nothing))
        size = file.stat().st_size
    print(f"{options.vrps} VRPs in {size:,} octets, medians of {options.rounds} starts. {report.machine()}.\n")
    header = ["", "CPU s", "wall s", "peak MiB", "MiB afterwards"]
    print(report.table(header, [_row(name, each) for name, each in loads.items()]))
    return 0


def load(start: Start, folder: Path, file: Path, expected: RpkiData) -> Load:
    """One start, watched until a router has everything."""
    port = free_port()
    reader = probe.Reader(bytearray((1 << 16) + expected.vrp_count * MOST))
    began = time.perf_counter()
    with start(folder, file, port) as daemon:
        daemon.expect(lambda: _complete(reader, port, expected.vrp_count), "everything is served", 60, 0.02)
        wall, spent = time.perf_counter() - began, cpu_seconds(daemon.pid)
        found = Load(spent, wall, memory(daemon.pid, "VmHWM"), memory(daemon.pid))
    if reader.answer().data.digest() != expected.digest():
        raise PeerFailed(f"{daemon.name} does not serve what the file says")
    return found


def _complete(reader: probe.Reader, port: int, count: int) -> bool | None:
    try:
        reader.connect(port, VERSION).settimeout(20)
        reader.ask()
        while not reader.read():
            pass
        return (reader.buffer[1] == probe.CACHE_RESPONSE and reader.used > LEAST * count) or None
    except (OSError, probe.BadAnswer):
        return None
    finally:
        reader.close()


def _connector(folder: Path, file: Path, port: int) -> Daemon:
    return ours.start_connector(folder, port, [file])


def _row(name: str, loads: Sequence[Load]) -> list[str]:
    cpu, wall, peak, resident = map(median, zip(*loads, strict=True))
    return [name, report.seconds(cpu), report.seconds(wall), report.mebibytes(peak), report.mebibytes(resident)]


if __name__ == "__main__":
    sys.exit(main())
