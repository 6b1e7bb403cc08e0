"""How many routes a second come out of an MRT table, with compiled and with plain loops: the median of some rounds.

    python -m interop.bench.mrt_decoding --routes 1000000 --rounds 3

The file is decompressed beforehand; seconds are those of the CPU, so that what else the machine does matters less.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rotonda.bgp import loops
from rotonda.bgp.mrt import MrtReader
from rotonda.bgp.update import RouteBatch
from rotonda.units.files import decompressed

from interop.bench import report
from interop.bench.mrt import NoTable, full_table


def decoded(pieces: Sequence[bytes], compiled: bool) -> tuple[int, float]:
    """Routes of a file in pieces, and the seconds it took to have them as batches."""
    reader = MrtReader("benchmark", compiled=compiled)
    routes, started = 0, time.process_time()
    for piece in pieces:
        routes += sum(len(given) for given in reader.receive(piece) if isinstance(given, RouteBatch))
    routes += sum(len(given) for given in reader.finish() if isinstance(given, RouteBatch))
    return routes, time.process_time() - started


def main(words: list[str] | None = None) -> int:
    """Measure and print markdown, a row for each kind of loops."""
    options = _parser().parse_args(words)
    try:
        path = options.mrt or full_table(options.routes).file
    except NoTable as missing:
        print(missing, file=sys.stderr)
        return 1
    pieces = list(decompressed(path))
    kinds = {"compiled": True, "plain": False} if loops.accelerated else {"plain": False}
    rows = [_row(name, [decoded(pieces, compiled) for _ in range(options.rounds)]) for name, compiled in kinds.items()]
    print(f"Medians of {options.rounds} rounds. {report.machine()}.\n")
    print(report.table(["loops", "routes", "CPU s", "routes/s"], rows))
    if not loops.accelerated:
        print("The compiled loops are not built: python setup.py build_ext --inplace", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.mrt_decoding", description=__doc__)
    parser.add_argument("--routes", type=int, default=1_000_000, help="of a made-up table")
    parser.add_argument("--mrt", type=Path, help="another file instead of the made-up table")
    parser.add_argument("--rounds", type=int, default=3)
    return parser


def _row(name: str, rounds: list[tuple[int, float]]) -> list[str]:
    routes, seconds = rounds[0][0], median(seconds for _, seconds in rounds)
    return [name, f"{routes:,}", report.seconds(seconds), f"{routes / seconds:,.0f}"]


if __name__ == "__main__":
    sys.exit(main())
