"""The AS paths of thousands of attribute sets at once, as segments.

All paths are walked in step, one segment at a time, as columns of positions. Paths that go on for longer than any
honest one are read one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp import as_path
from rotonda.bgp.as_path import AS_CONFED_SEQUENCE, AS_CONFED_SET, AS_SEQUENCE, AS_SET
from rotonda.bgp.attributes import AS_PATH
from rotonda.bgp.errors import Malformed
from rotonda.rib.set_walk import STEPS, Mask, Positions, WalkedSets, chosen, runs
from rotonda.rpki.path_tables import PathTable

Numbers = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class PathSegments:
    """All segments, in the order of their sets and paths: one of set rows[i] has counts[i] numbers, at starts[i].

    A path that cannot be read is no path.
    """

    walked: WalkedSets
    rows: Positions
    kinds: NDArray[np.uint8]
    starts: Positions
    counts: Positions

    @staticmethod
    def of(walked: WalkedSets) -> PathSegments:
        """The paths of these sets."""
        *columns, broken = _walked_paths(walked)
        rows, kinds, starts, counts = chosen(np.isin(columns[0], broken, invert=True), *columns)
        order = np.argsort(rows, kind="stable")
        return PathSegments(walked, rows[order], kinds[order].astype(np.uint8), starts[order], counts[order])

    def only(self, wanted: Mask) -> PathSegments:
        """The segments that are wanted."""
        return PathSegments(self.walked, *chosen(wanted, self.rows, self.kinds, self.starts, self.counts))

    def origins(self) -> tuple[Numbers, Mask]:
        """The AS that each route comes from, 0 where its path tells none, and whether it tells one (RFC 6811 §2)."""
        last = np.flatnonzero(np.diff(self.rows, append=-1))
        last = last[self.kinds[last] == AS_SEQUENCE]
        return self._column(self.rows[last], self.starts[last] + 4 * (self.counts[last] - 1))

    def neighbours(self) -> tuple[Numbers, Mask]:
        """The AS that each path begins with, 0 where it tells none, and whether it tells one.

        Confederations are passed over (RFC 5065 §5.3); a path that begins with a set tells none.
        """
        between = self.only((self.kinds == AS_SEQUENCE) | (self.kinds == AS_SET))
        first = np.flatnonzero(np.diff(between.rows, prepend=-1))
        first = first[between.kinds[first] == AS_SEQUENCE]
        return self._column(between.rows[first], between.starts[first])

    def hops(self) -> Positions:
        """How long each path is for choosing routes, as `rotonda.bgp.as_path.hops` counts."""
        counts = np.where(self.kinds == AS_SEQUENCE, self.counts, self.kinds == AS_SET)
        return self._sums(counts)

    def numbers(self) -> tuple[Numbers, Positions]:
        """All AS numbers, and the offsets of the paths in them, one more than there are sets."""
        lengths = self._sums(self.counts)
        offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
        return self.walked.numbers(runs(self.starts, self.counts, 4)), offsets

    def path_table(self) -> PathTable:
        """The paths as path verification takes them.

        What a confederation has put in is not between ASes: its sequences are passed over, its sets make a path as
        unfit as an AS_SET does (RFC 9774).
        """
        flags = np.zeros(self.walked.count, np.bool_)
        flags[self.rows[(self.kinds != AS_SEQUENCE) & (self.kinds != AS_CONFED_SEQUENCE)]] = True
        return PathTable(*self.only(self.kinds == AS_SEQUENCE).numbers(), flags)

    def _sums(self, counts: Positions) -> Positions:
        return np.bincount(self.rows, counts, self.walked.count).astype(np.int64)

    def _column(self, rows: Positions, places: Positions) -> tuple[Numbers, Mask]:
        numbers, known = np.zeros(self.walked.count, np.uint32), np.zeros(self.walked.count, np.bool_)
        numbers[rows] = self.walked.numbers(places)
        known[rows] = True
        return numbers, known


def _walked_paths(walked: WalkedSets) -> tuple[NDArray[Any], ...]:
    """Rows, kinds, starts and counts of segments in no order; and the rows of paths that cannot be read."""
    paths = walked.values(AS_PATH)
    some = paths.only(paths.sizes > 0)
    rows, at, ends = some.rows, some.starts, some.starts + some.sizes
    found: list[tuple[NDArray[Any], ...]] = []
    broken: list[Positions] = []
    for _ in range(STEPS):
        if not len(rows):
            break
        heads = walked.read(at, ">u2").astype(np.uint16)
        kinds, counts = (heads >> 8).astype(np.uint8), (heads & 0xFF).astype(np.int64)
        following = at + 2 + 4 * counts
        sound = (kinds >= AS_SET) & (kinds <= AS_CONFED_SET) & (counts > 0) & (following <= ends)
        found.append((rows, kinds, at + 2, counts))
        broken.append(rows[~sound])
        rows, at, ends = chosen(sound & (following < ends), rows, following, ends)
    for row, start, end in zip(rows.tolist(), at.tolist(), ends.tolist(), strict=True):
        try:
            found.append(tuple(map(np.array, zip(*_rest(walked, row, start, end), strict=True))))
        except Malformed:
            broken.append(np.array([row]))
    if not found:
        return (np.empty(0, np.int64),) * 5
    return *map(np.concatenate, zip(*found, strict=True)), np.concatenate(broken)


def _rest(walked: WalkedSets, row: int, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The segments of the rest of one path."""
    for kind, numbers in as_path.read(walked.data[at:end], 4):
        yield row, kind, at + 2, len(numbers)
        at += 2 + 4 * len(numbers)
