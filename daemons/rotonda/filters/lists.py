"""Many lists as two columns, and what filters ask of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotoro.table.columns import among

Mask = NDArray[np.bool_]
Positions = NDArray[np.int64]
Cells = NDArray[np.generic]


class Column(NamedTuple):
    """A value for each row, and which rows have one; 0 where there is none."""

    values: Cells
    known: Mask


class Lists:
    """List i is values[offsets[i]:offsets[i + 1]]; `offsets` are int64, one more than there are lists."""

    def __init__(self, values: Cells, offsets: Positions) -> None:
        self.values = values
        self.offsets = offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Positions:
        """How many values each list has."""
        return np.diff(self.offsets)

    def row(self, number: int) -> Cells:
        """One list."""
        return self.values[self.offsets[number] : self.offsets[number + 1]]

    def contains(self, value: object) -> Mask:
        """Which lists have the value."""
        return self._with(self.values == value)

    def contains_any(self, wanted: Cells) -> Mask:
        """Which lists have at least one of these values, which are sorted and of the type of the lists' own."""
        return self._with(among(self.values, wanted))

    def at(self, index: int) -> Column:
        """The values with this index; a negative one counts from the end."""
        known = self.lengths > (index if index >= 0 else -index - 1)
        values = np.zeros(len(self), self.values.dtype)
        values[known] = self.values[(self.offsets[:-1] if index >= 0 else self.offsets[1:])[known] + index]
        return Column(values, known)

    def first(self) -> Column:
        """The first value of each list."""
        return self.at(0)

    def last(self) -> Column:
        """The last value of each list."""
        return self.at(-1)

    def starts_with(self, sequence: Sequence[object]) -> Mask:
        """Which lists begin with these values."""
        rows = np.flatnonzero(self.lengths >= len(sequence))
        for index, value in enumerate(sequence):
            rows = rows[self.values[self.offsets[rows] + index] == value]
        return self._rows(rows)

    def _with(self, hits: Mask) -> Mask:
        return self._rows(np.searchsorted(self.offsets, np.flatnonzero(hits), "right") - 1)

    def _rows(self, rows: Positions) -> Mask:
        mask = np.zeros(len(self), np.bool_)
        mask[rows] = True
        return mask
