"""Values of many rows that are kept once where they are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotonda.filters.lists import Mask

Indices = NDArray[np.intp]


class Pool(NamedTuple):
    """Row i has values[places[i]]; what no row has may be anything."""

    values: list[Any]
    places: Indices

    def take(self, wanted: Mask) -> Pool:
        """Some of the rows."""
        return Pool(self.values, self.places[wanted])

    def used(self) -> Pool:
        """The same without values that no row has."""
        used, places = np.unique(self.places, return_inverse=True)
        return Pool([self.values[place] for place in used.tolist()], places)


def combinations(columns: Sequence[NDArray[Any]]) -> tuple[Indices, Indices]:
    """Of rows of numbers: a row with each combination that occurs, and which of these each row has."""
    code = columns[0].astype(np.int64)
    for more in columns[1:]:
        if len(more) and more[0] == more[-1] and (more == more[0]).all():
            continue
        _, code = np.unique(code, return_inverse=True)
        code = code * (int(more.max(initial=0)) + 1) + more
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return first, inverse
