"""What can be judged otherwise when a data source changes: the routes that are covered by prefixes of what is new, or
gone.

That holds for filters which ask the source for nothing but what covers the prefix of a route: for its validity (RFC
6811 section 2), or for the records of the longest prefix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rotonda.filters.routes import RouteFilter
from rotoro.table import VRP4, VRP6, Diff, Records, RouteSlot
from rotoro.table.columns import Column, Rows

_REST = 5
"""Octets of a route's key behind its address: length and path identifier."""


@dataclass(frozen=True)
class Touched:
    """Rows that another filter may judge otherwise than the one before."""

    before: RouteFilter
    """The filter that comes before; of tables that have another one, everything is judged."""
    spans: Mapping[int, tuple[Column, Column]]
    """By family: first and last keys of what may be judged otherwise."""

    @staticmethod
    def within(before: RouteFilter, prefixes: Mapping[int, Column]) -> Touched:
        """Rows that these prefixes cover, by family: S5 or S17, address and length."""
        return Touched(before, {family: _spans(own) for family, own in prefixes.items() if len(own)})

    def rows(self, slot: RouteSlot, records: Records) -> Rows:
        """Which of these records of a slot are to be judged, in ascending order."""
        first, last = self.spans.get(slot.family, (records.keys[:0], records.keys[:0]))
        starts = np.searchsorted(records.keys, first)
        ends = np.searchsorted(records.keys, last, side="right")
        reached = np.maximum.accumulate(np.concatenate(([0], ends)))[:-1]
        return _ranges(np.maximum(starts, reached), ends)


def prefixes_of_vrps(changes: Sequence[Diff]) -> dict[int, Column]:
    """By family, the prefixes of the VRPs that changes of RPKI data add or take away; they are keys as in
    `rotonda.rpki.records.Vrp.key`."""
    found = {}
    for family, slot, octets in ((4, VRP4, [*range(4), 5]), (6, VRP6, [*range(16), 17])):
        sides = [side.keys for diff in changes if slot in diff for side in (diff[slot].before, diff[slot].after)]
        if sides:
            found[family] = _taken(np.concatenate(sides), octets)
    return found


def _taken(keys: Column, octets: Sequence[int]) -> Column:
    """Some octets of keys."""
    rows = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), keys.dtype.itemsize)
    return np.ascontiguousarray(rows[:, list(octets)]).reshape(-1).view(f"S{len(octets)}")


def _spans(prefixes: Column) -> tuple[Column, Column]:
    """The first and last possible keys of routes that these prefixes cover, ascending by the first.

    Prefixes cover each other or do not meet, and so do the spans.
    """
    width = prefixes.dtype.itemsize - 1
    octets = np.ascontiguousarray(prefixes).view(np.uint8).reshape(len(prefixes), width + 1)
    addresses, lengths = octets[:, :width], octets[:, width:]
    bits = np.clip(lengths.astype(np.int16) - 8 * np.arange(width, dtype=np.int16), 0, 8)
    hosts = (0xFF >> bits).astype(np.uint8)
    first, last = (np.zeros((len(prefixes), width + _REST), np.uint8) for _ in range(2))
    first[:, :width] = addresses & ~hosts
    first[:, width : width + 1] = lengths
    last[:, :width] = addresses | hosts
    last[:, width:] = 0xFF
    own = f"S{width + _REST}"
    firsts, places = np.unique(first.reshape(-1).view(own), return_index=True)
    return firsts, last.reshape(-1).view(own)[places]


def _ranges(starts: NDArray[np.intp], ends: NDArray[np.intp]) -> Rows:
    """All numbers from starts to ends, these not included, for ranges that ascend and do not meet."""
    counts = np.maximum(ends - starts, 0)
    rows: Rows = np.arange(int(counts.sum())) + np.repeat(starts - np.cumsum(counts) + counts, counts)
    return rows
