"""How many AS paths a second are verified with ASPA: a whole table at once, and one by one; the median of some rounds.

    python -m interop.bench.paths --paths 1000000 --rounds 5

Paths and ASPAs are made up: of the ASes of all paths, a share attests one to five providers. Seconds are those of the
CPU, so that what else the machine does matters less.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median

import numpy as np
from rotonda.rpki.aspas import AspaSet
from rotonda.rpki.path_tables import PathTable, verify_paths
from rotonda.rpki.paths import Direction, Path, verify_path

from interop.bench import report

ASES = 90_000
ONE_BY_ONE = 20_000
"""Paths that are verified one by one; all would take long."""


def made_up(chance: np.random.Generator, paths: int, share: float) -> tuple[AspaSet, PathTable]:
    """ASPAs of a share of the ASes, and paths of five of them on average, none empty."""
    ases = np.sort(chance.choice(np.arange(1, 400_000, dtype=np.uint32), ASES, replace=False))
    customers = ases[chance.random(ASES) < share]
    lists = [np.unique(chance.choice(ases, count)) for count in chance.integers(1, 6, len(customers)).tolist()]
    counts = np.fromiter(map(len, lists), np.int64, len(lists))
    attested = AspaSet(customers, counts, np.concatenate([ases[:0], *lists]))
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(1 + chance.poisson(4, paths))))
    return attested, PathTable(chance.choice(ases, int(offsets[-1])), offsets)


def main(words: list[str] | None = None) -> int:
    """Measure and print markdown, a row for each share of ASes that attest and each direction."""
    options = _parser().parse_args(words)
    chance = np.random.default_rng(options.seed)
    rows = []
    for share in (0.1, 0.5, 1.0):
        attested, table = made_up(chance, options.paths, share)
        rows += [_row(share, attested, table, direction, options.rounds) for direction in Direction]
    print(f"Medians of {options.rounds} rounds, {options.paths:,} paths. {report.machine()}.\n")
    print(report.table(["ASes that attest", "direction", "CPU s", "paths/s", "one by one, paths/s"], rows))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.paths", description=__doc__)
    parser.add_argument("--paths", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    return parser


def _row(share: float, attested: AspaSet, table: PathTable, direction: Direction, rounds: int) -> list[str]:
    whole = _seconds(lambda: verify_paths(attested, table, direction), rounds)
    starts = table.offsets[: ONE_BY_ONE + 1].tolist()
    some = [Path(tuple(table.numbers[start:end].tolist())) for start, end in pairwise(starts)]
    single = _seconds(lambda: [verify_path(attested, path, direction) for path in some], 1)
    speeds = (len(table) / whole, len(some) / single)
    return [f"{share:.0%}", direction.value, report.seconds(whole), *(f"{speed:,.0f}" for speed in speeds)]


def _seconds(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return median(taken)


if __name__ == "__main__":
    sys.exit(main())
