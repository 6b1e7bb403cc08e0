"""Route origin validation (RFC 6811) of whole tables, quicker than `rotonda.rpki.validation` can be without an index.

A route climbs from the longest VRP prefix that covers it to the shortest, until a VRP matches it. Most routes are
covered by none, or by one or two, so that few steps are made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rotonda.filters.world import NONE
from rotonda.rpki.validation import State
from rotonda.sources.prefix_tree import PrefixTree


class OriginTable:
    """The VRPs of one family: keys as in `rotonda.rpki.records.Vrp.key`, S10 or S22."""

    def __init__(self, vrps: NDArray[np.bytes_]) -> None:
        octets = np.ascontiguousarray(vrps).view(np.uint8).reshape(len(vrps), vrps.dtype.itemsize)
        width = octets.shape[1] - 6
        keys = _column(octets[:, [*range(width), width + 1]])
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        first = np.ones(len(keys), np.bool_)
        first[1:] = keys[1:] != keys[:-1]
        self._tree = PrefixTree(keys[first])
        asns = _column(octets[:, width + 2 :]).view(">u4")[order].astype(np.uint64)
        usable = asns != 0  # RFC 6483 section 4: AS 0 covers, but makes nothing valid
        pairs = _pairs((np.cumsum(first) - 1)[usable], asns[usable])
        longest = octets[order, width][usable]
        order = np.argsort(pairs, kind="stable")  # of VRPs that differ in this alone, the longest comes last
        pairs, longest = pairs[order], longest[order]
        last = np.ones(len(pairs), np.bool_)
        last[:-1] = pairs[1:] != pairs[:-1]
        self._pairs, self._longest = pairs[last], longest[last]

    def states(self, prefixes: NDArray[np.bytes_], origins: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """The states of routes; `prefixes` are address and length, S5 or S17, `origins` their origin AS, 0 for none."""
        states = np.zeros(len(prefixes), np.uint8)
        lengths = np.ascontiguousarray(prefixes).view(np.uint8).reshape(len(prefixes), prefixes.dtype.itemsize)[:, -1]
        numbers = self._tree.longest(prefixes)
        rows = np.flatnonzero(numbers != NONE)
        numbers = numbers[rows]
        states[rows] = State.INVALID
        while len(rows) and len(self._pairs):
            pairs = _pairs(numbers, origins[rows].astype(np.uint64))
            at = np.minimum(np.searchsorted(self._pairs, pairs), len(self._pairs) - 1)
            valid = (self._pairs[at] == pairs) & (self._longest[at] >= lengths[rows])
            states[rows[valid]] = State.VALID
            numbers = self._tree.parents[numbers]
            on = ~valid & (numbers != NONE)
            rows, numbers = rows[on], numbers[on]
        return states


def _column(octets: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    return np.ascontiguousarray(octets).reshape(-1).view(f"S{octets.shape[1]}")


def _pairs(numbers: NDArray[np.int64], asns: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return numbers.astype(np.uint64) << np.uint64(32) | asns
