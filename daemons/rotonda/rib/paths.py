"""The AS paths of attribute sets, as path verification takes them.

What a confederation has put in is not between ASes: its sequences are passed over, its sets make a path as unfit as an
AS_SET does (RFC 9774). A path that cannot be read is no path.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rotonda.bgp.as_path import AS_CONFED_SEQUENCE, AS_SEQUENCE
from rotonda.bgp.attributes import decoded
from rotonda.bgp.errors import Malformed
from rotonda.rib.origins import as_paths, numbers_at, walkable
from rotonda.rpki.path_tables import PathTable
from rotonda.rpki.paths import Path


def path_of(octets: bytes) -> Path:
    """The path of one set."""
    try:
        segments = decoded(octets).as_path
    except Malformed:
        return Path(())
    numbers = tuple(number for kind, own in segments if kind == AS_SEQUENCE for number in own)
    return Path(numbers, any(kind not in (AS_SEQUENCE, AS_CONFED_SEQUENCE) for kind, _ in segments))


def path_table(sets: Sequence[bytes]) -> PathTable:
    """The paths of many sets. Those of one sequence, as nearly all are, are taken as columns, the others one by one."""
    data, starts, ends = walkable(sets)
    rows, starts, ends, long_sets = as_paths(data, starts, ends)
    counts, sizes = data[starts + 1].astype(np.int64), ends - starts
    plain = (sizes == 2 + 4 * counts) & (counts > 0) & (data[starts] == AS_SEQUENCE)
    others = {row: path_of(sets[row]) for row in [*rows[~plain & (sizes > 0)].tolist(), *long_sets]}
    rows, starts, counts = rows[plain], starts[plain], counts[plain]
    lengths, flags = np.zeros(len(sets), np.int64), np.zeros(len(sets), np.bool_)
    lengths[rows] = counts
    for row, path in others.items():
        lengths[row], flags[row] = len(path.numbers), path.has_set
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
    numbers = np.empty(int(offsets[-1]), np.uint32)
    order = np.argsort(rows)
    rows, starts, counts = rows[order], starts[order], counts[order]
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    numbers[np.repeat(offsets[rows], counts) + within] = numbers_at(data, np.repeat(starts + 2, counts) + 4 * within)
    for row, path in others.items():
        numbers[offsets[row] : offsets[row + 1]] = path.numbers
    return PathTable(numbers, offsets, flags)
