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

from interop.bench.mrt import NoTable, full_table


def decoded(pieces: Sequence[bytes], compiled: bool) -> tuple[int, float]:
    """Routes of a file in pieces, and the seconds it took to have them as batches."""
    reader = MrtReader("benchmark", compiled=compiled)
    routes, started = 0, time.process_time()
    for piece in pieces:
        routes += sum(len(given) for given in reader.receive(piece) if isinstance(given, RouteBatch))
    routes += sum(len(given) for given in reader.finish() if isinstance(given, RouteBatch))
    return routes, time.process_time() - started


def main() -> None:
    """Measure and print a line for each kind of loops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mrt", type=Path, help="another file than the made-up table")
    parser.add_argument("--routes", type=int, default=1_000_000, help="of the made-up table, 80 %% IPv4")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    try:
        path = asked.mrt or full_table(asked.routes).file
    except NoTable as missing:
        sys.exit(str(missing))
    pieces = list(decompressed(path))
    for compiled in (True, False) if loops.accelerated else (False,):
        measured = [decoded(pieces, compiled) for _ in range(asked.rounds)]
        rate = median(routes / seconds for routes, seconds in measured)
        print(f"{'compiled' if compiled else 'plain':8}  {measured[0][0]:>10,} routes  {rate / 1e6:6.2f} M routes/s")
    if not loops.accelerated:
        print("the compiled loops are not built: python setup.py build_ext --inplace")


if __name__ == "__main__":
    main()
