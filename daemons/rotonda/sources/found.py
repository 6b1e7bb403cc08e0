"""What was found: records that are made when somebody looks at them, since there may be very many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

R = TypeVar("R")

Rows = Sequence[int] | NDArray[np.integer]


class Found(Sequence[R]):
    """Records by their rows."""

    __slots__ = ("_make", "rows")

    def __init__(self, rows: Rows, make: Callable[[int], R]) -> None:
        self.rows = rows
        self._make = make

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> R: ...
    @overload
    def __getitem__(self, at: slice) -> Found[R]: ...
    def __getitem__(self, at: int | slice) -> R | Found[R]:
        if isinstance(at, slice):
            return Found(self.rows[at], self._make)
        return self._make(int(self.rows[at]))

    def __iter__(self) -> Iterator[R]:
        return map(self._make, map(int, self.rows))

    def __repr__(self) -> str:
        return f"<{len(self)} found>"
