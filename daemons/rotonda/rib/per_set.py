"""What is computed from attribute sets, once per set and not once per route."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.set_walk import CHUNK_SETS
from rotoro.table import AttributeStore
from rotoro.table.columns import distinct

Results = NDArray[np.generic]


class PerSet:
    """The results of `compute` for the sets of a store, each computed when a route with the set asks for it first.

    A store may give a number to another set; the hashes tell which results are out of date. `compute` takes sets and
    gives an array with a row for each, always of the same type and shape of rows, also for no sets.
    """

    def __init__(self, store: AttributeStore, compute: Callable[[Sequence[bytes]], Results]) -> None:
        self.store = store
        self._compute = compute
        self.results = compute(())
        """By number, as far as they were asked for."""
        self.refreshed = 0
        """How often some of them were computed."""
        self._hashes = np.empty(0, np.uint64)
        self._computed = np.empty(0, np.bool_)

    def values(self, numbers: NDArray[np.uint32]) -> Results:
        """The results of the sets with these numbers, row by row."""
        self.prepare(numbers)
        return self.results[numbers]

    def prepare(self, numbers: NDArray[np.uint32]) -> None:
        """Compute those of the results of these numbers that are not known yet."""
        self._grow(len(self.store.octets))
        asked = self._distinct(numbers)
        fresh = self._computed[asked] & (self._hashes[asked] == self.store.hashes[asked])
        stale = asked[~fresh]
        for first in range(0, len(stale), CHUNK_SETS):
            self._refresh(stale[first : first + CHUNK_SETS])

    def _distinct(self, numbers: NDArray[np.uint32]) -> NDArray[np.integer]:
        """Each number once; by marks where these are not many more than the numbers."""
        if 8 * len(numbers) < len(self._computed):
            return distinct(numbers)
        asked = np.zeros(len(self._computed), np.bool_)
        asked[numbers] = True
        return np.flatnonzero(asked)

    def _refresh(self, stale: NDArray[np.integer]) -> None:
        sets = [self.store.octets[number] for number in stale.tolist()]
        self.results[stale] = self._compute(sets)
        self.refreshed += 1
        self._hashes[stale] = self.store.hashes[stale]
        # A number that is free has no octets, but the hash of its last set, which may come back
        self._computed[stale] = np.fromiter(map(len, sets), np.int64, len(sets)) > 0

    def _grow(self, count: int) -> None:
        if count > len(self._computed):
            more = max(count, 2 * len(self._computed)) - len(self._computed)
            self.results = np.pad(self.results, ((0, more), *((0, 0) for _ in self.results.shape[1:])))
            self._hashes = np.pad(self._hashes, (0, more))
            self._computed = np.pad(self._computed, (0, more))
