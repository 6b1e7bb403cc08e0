"""AS path verification of whole tables: `rotonda.rpki.paths` in columns.

In a compressed path hop k lies between its numbers k and k + 1, counted from the neighbour. The up-ramp asks the number
behind the hop for the one before it, the down-ramp the other way round. The up-ramp ends at the last hop that stops
it, the down-ramp at the first. They do not meet exactly if the down-ramp is stopped by an earlier hop than the up-ramp.

Paths are taken in chunks, so that memory beyond that of the states does not grow with the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .aspas import AspaSet, Hop
from .paths import Direction, Path, PathState

NOT_CHECKED = 0
"""The neighbour of a path that need not begin with its neighbour's number."""

CHUNK_NUMBERS = 1 << 17
"""AS numbers that are looked at together; few enough to stay near the processor."""

Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PathTable:
    """Many paths as columns: path i is numbers[offsets[i]:offsets[i + 1]], neighbour first.

    `numbers` are uint32 and `offsets` int64, one more than there are paths. `sets` flags the paths that have an AS_SET;
    `neighbours` are the ASes that sent them, or NOT_CHECKED.
    """

    numbers: NDArray[np.uint32]
    offsets: Rows
    sets: Flags | None = None
    neighbours: NDArray[np.uint32] | None = None

    @staticmethod
    def of(paths: Sequence[Path], neighbours: Iterable[int | None] | None = None) -> PathTable:
        """From single paths."""
        lengths = np.fromiter((len(path.numbers) for path in paths), np.int64, len(paths))
        offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
        numbers = np.fromiter((number for path in paths for number in path.numbers), np.uint32, int(offsets[-1]))
        sets = np.fromiter((path.has_set for path in paths), np.bool_, len(paths))
        if neighbours is None:
            return PathTable(numbers, offsets, sets)
        known = np.fromiter((neighbour or NOT_CHECKED for neighbour in neighbours), np.uint32, len(paths))
        return PathTable(numbers, offsets, sets, known)

    def __len__(self) -> int:
        return len(self.offsets) - 1


def verify_paths(aspas: AspaSet, table: PathTable, direction: Direction) -> NDArray[np.uint8]:
    """The states of all paths, as values of `PathState`."""
    states = np.full(len(table), PathState.INVALID, np.uint8)
    for first, last in _chunks(table.offsets):
        offsets = table.offsets[first : last + 1] - table.offsets[first]
        numbers = table.numbers[table.offsets[first] : table.offsets[last]]
        rows = np.flatnonzero(offsets[1:] > offsets[:-1])  # step 1: an empty path is invalid
        own = states[first:last]
        if len(rows):
            own[rows] = _states(aspas, numbers, offsets[rows], direction)
            if table.neighbours is not None:
                neighbours = table.neighbours[first:last][rows]
                own[rows[(neighbours != NOT_CHECKED) & (neighbours != numbers[offsets[rows]])]] = PathState.INVALID
            own[np.searchsorted(offsets, np.flatnonzero(numbers == 0), "right") - 1] = PathState.INVALID
    if table.sets is not None:
        states[table.sets] = PathState.INVALID
    return states


def _chunks(offsets: Rows) -> Iterator[tuple[int, int]]:
    """Spans of paths with no more than CHUNK_NUMBERS numbers, or of one path that has more."""
    first, count = 0, len(offsets) - 1
    while first < count:
        last = int(np.searchsorted(offsets, offsets[first] + CHUNK_NUMBERS, "right")) - 1
        last = min(max(last, first + 1), count)
        yield first, last
        first = last


def _states(aspas: AspaSet, numbers: NDArray[np.uint32], starts: Rows, direction: Direction) -> NDArray[np.uint8]:
    """The states of paths, none of them empty, by their attestations alone."""
    begins = np.zeros(len(numbers), np.bool_)
    begins[starts] = True
    distinct = begins.copy()
    distinct[1:] |= numbers[1:] != numbers[:-1]
    numbers, begins = numbers[distinct], begins[distinct]
    before = np.flatnonzero(~begins[1:])
    paths = (np.cumsum(begins) - 1)[before]
    near, far = numbers[before], numbers[before + 1]
    up = aspas.check(far, near)
    states = np.full(len(starts), PathState.VALID, np.uint8)
    if direction is Direction.UPSTREAM:
        states[paths[up == Hop.NO_ATTESTATION]] = PathState.UNKNOWN
        states[paths[up == Hop.NOT_PROVIDER]] = PathState.INVALID
        return states
    down = aspas.check(near, far)
    states[_apart(paths, up != Hop.PROVIDER, down != Hop.PROVIDER, len(starts))] = PathState.UNKNOWN
    states[_apart(paths, up == Hop.NOT_PROVIDER, down == Hop.NOT_PROVIDER, len(starts))] = PathState.INVALID
    return states


def _apart(paths: Rows, up_stops: Flags, down_stops: Flags, count: int) -> Flags:
    """Which paths have more than one hop between their ramps, if these hops stop them."""
    last_up = np.full(count, -1, np.int64)
    first_down = np.full(count, len(paths), np.int64)
    stops = np.flatnonzero(up_stops)
    last_up[paths[stops]] = stops  # of several for one path, the last one stays
    stops = np.flatnonzero(down_stops)[::-1]
    first_down[paths[stops]] = stops
    return first_down < last_up
