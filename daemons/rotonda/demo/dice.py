"""Chance that is the same everywhere: columns of random numbers from a seed and a purpose.

numpy keeps the raw stream of PCG64 the same for ever, but not what its distributions make of it; so they are made here.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray


class Dice:
    """Throws that depend on nothing but `seed` and what they are for."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._source = np.random.PCG64(np.random.SeedSequence([seed, crc32(purpose.encode())]))

    def bits(self, count: int) -> NDArray[np.uint64]:
        """`count` numbers of 64 random bits."""
        return np.asarray(self._source.random_raw(count), np.uint64)

    def shares(self, count: int) -> NDArray[np.float64]:
        """`count` numbers of at least 0 and less than 1."""
        return (self.bits(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def below(self, count: int, limit: int) -> NDArray[np.int64]:
        """`count` whole numbers from 0 to `limit` - 1."""
        return (self.shares(count) * limit).astype(np.int64)

    def chosen(self, count: int, weights: NDArray[np.float64]) -> NDArray[np.int64]:
        """`count` places in `weights`, the heavier the more often."""
        scale = np.cumsum(weights)
        places: NDArray[np.int64] = np.searchsorted(scale, self.shares(count) * scale[-1], "right").astype(np.int64)
        places[places == len(weights)] -= 1  # where rounding went past the end
        return places

    def runs(self, count: int, more: float, most: int) -> NDArray[np.int64]:
        """`count` lengths of runs: 1, and with probability `more` each time one more, up to `most`."""
        # By products and not by logarithms, whose last bit differs between machines.
        thresholds = np.cumprod(np.full(most - 1, more))[::-1]
        lengths: NDArray[np.int64] = most - np.searchsorted(thresholds, self.shares(count), "right").astype(np.int64)
        return lengths
