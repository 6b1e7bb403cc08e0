"""From start to the first End of Data, with a table that was kept on the disk: processor time and wall time.

    python -m interop.bench.from_disk --vrps 500000 --rounds 5

Our connector is started with `--state` from an export, ended in good order, and started again: a client in version 2
asks as soon as the port is open, and is held to the export.  What counts is all processor time of the process, from
its very start - the interpreter, Twisted and numpy included - until that client has its End of Data.  The reading of
the export begins meanwhile, in a thread; without an export that can be read there is no such share in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from interop.bench import report
from interop.peers import ours, probe
from interop.peers.processes import Daemon, PeerFailed, cpu_seconds, free_port, listens, memory
from interop.vrps import RpkiData, generate

OCTETS = 40
"""Of a VRP in an answer, at most."""


@dataclass(frozen=True)
class Start:
    """What one start took: processor and wall seconds until the port was open and until the End of Data."""

    cpu_open: float
    cpu: float
    wall: float
    peak: int


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vrps", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="rotoro-bench-") as name:
        folder = Path(name)
        expected = generate(options.vrps, seed=1, router_keys=20, aspas=1000)
        file = folder / "vrps.json"
        expected.write_routinator(file)
        keep(folder, file, expected)
        rows = [
            row("with the export", [start(folder, file, expected) for _ in range(options.rounds)]),
            row("without an export", [start(folder, damaged(file), expected) for _ in range(options.rounds)]),
        ]
        kept = sum(path.stat().st_size for path in (folder / "state").iterdir())
    header = ["start", "CPU s until the port is open", "CPU s until End of Data", "wall s", "peak MiB"]
    sys.stdout.write(f"{options.vrps} VRPs, {kept} octets on the disk, medians of {options.rounds} starts\n\n")
    sys.stdout.write(report.table(header, rows) + f"\n\n{report.machine()}\n")
    return 0


def keep(folder: Path, file: Path, expected: RpkiData) -> None:
    """A first life, which leaves the table on the disk."""
    port = free_port()
    with _started(folder, port, file) as daemon:
        daemon.patience = 20.0
        probe.fetch_when(daemon, port, 2, expected.vrp_count)


def start(folder: Path, file: Path, expected: RpkiData) -> Start:
    """Another life, killed in the end, so that all have the same file before them."""
    port = free_port()
    reader = probe.Reader(bytearray((1 << 20) + expected.vrp_count * OCTETS))
    began = time.perf_counter()
    with _started(folder, port, file) as daemon:
        while not listens(port):
            if daemon.process.poll() is not None:
                daemon.fail("ended at once")
            time.sleep(0.002)
        opened = cpu_seconds(daemon.pid)
        reader.connect(port, 2).settimeout(30)
        reader.ask()
        while not reader.read():
            pass
        wall, spent, peak = time.perf_counter() - began, cpu_seconds(daemon.pid), memory(daemon.pid, "VmHWM")
        daemon.process.kill()
    found = reader.answer().data
    reader.close()
    if found.digest() != expected.digest():
        raise PeerFailed(f"not what the export says: {found.vrp_count} VRPs")
    return Start(opened, spent, wall, peak)


def damaged(file: Path) -> Path:
    """The export, under its own name, made unreadable for now."""
    file.write_text("{")
    return file


def row(title: str, starts: Sequence[Start]) -> list[str]:
    """Medians."""
    figures = [median(getattr(each, name) for each in starts) for name in ("cpu_open", "cpu", "wall")]
    return [title, *map(report.seconds, figures), report.mebibytes(median(each.peak for each in starts))]


def _started(folder: Path, port: int, file: Path) -> Daemon:
    return ours.start_connector(folder, port, [file], options=["--state", str(folder / "state")])


if __name__ == "__main__":
    sys.exit(main())
