"""The columns of a table in little memory, and the indexes that are made of them when they are needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks import types
from rotonda.blocks.types import ScalarType, Type
from rotonda.blocks.values import Prefix, Value
from rotonda.sources.found import Rows
from rotonda.sources.prefix_index import Groups, PrefixIndex, by_family
from rotonda.sources.prefix_tree import NONE, Mask, Numbers

_DTYPES: dict[Type, np.dtype[Any]] = {
    **{type: np.dtype(f"u{bits // 8}") for type, bits in types.WHOLE_NUMBERS.items()},
    types.COMMUNITY: np.dtype("u4"),
    types.EXTENDED_COMMUNITY: np.dtype("u8"),
    types.TIME: np.dtype("u8"),
    types.FLOAT: np.dtype("f8"),
    types.DURATION: np.dtype("f8"),
    types.BOOL: np.dtype("?"),
}
"""Types of values that are columns of numbers."""

_PREFIX_OCTETS = 17
Keys = Sequence[Value] | NDArray[Any]
"""What is looked up: values of the language, or an array of numbers, or of prefixes of one family."""


class Column(Protocol):
    """The values of one field, which never change."""

    def __len__(self) -> int:
        """How many rows."""

    def value(self, row: int) -> Value:
        """One value, None where it is missing."""

    def rows(self, key: Value) -> Rows:
        """The rows with this value, ascending."""

    def first_rows(self, keys: Keys) -> Numbers:
        """The first row with each of these values, or NONE."""


def column_of(type: Type, values: list[Value]) -> Column:
    """The column of these values."""
    if type == types.PREFIX:
        return PrefixColumn.of(values)  # type: ignore[arg-type]
    if isinstance(type, ScalarType) and type in _DTYPES:
        known = np.array([value is not None for value in values]) if None in values else None
        return NumberColumn(np.array([0 if value is None else value for value in values], _DTYPES[type]), known)
    return ValueColumn(values)


class NumberColumn:
    """A column of numbers; `known` says where they are, None for everywhere."""

    def __init__(self, values: NDArray[Any], known: Mask | None = None) -> None:
        self.values = values
        self.known = known

    def __len__(self) -> int:
        return len(self.values)

    def value(self, row: int) -> Value:
        """One value."""
        missing = self.known is not None and not self.known[row]
        return None if missing else self.values[row].item()

    def rows(self, key: Value) -> Rows:
        """The rows with this value."""
        number = int(self._numbers([key])[0])
        return () if number == NONE else self._index[1].rows(number)

    def first_rows(self, keys: Keys) -> Numbers:
        """The first row with each of these numbers."""
        return self._index[1].first(self._numbers(keys))

    def _numbers(self, keys: Keys) -> Numbers:
        """Where each number stands among the distinct ones."""
        distinct, _ = self._index
        numbers = np.full(len(keys), NONE, np.int64)
        if len(distinct) and len(keys):
            wanted, possible = (keys, True) if isinstance(keys, np.ndarray) else self._fitting(keys)
            at = np.minimum(np.searchsorted(distinct, wanted), len(distinct) - 1)
            there = (distinct[at] == wanted) & possible
            numbers[there] = at[there]
        return numbers

    def _fitting(self, keys: Sequence[Value]) -> tuple[NDArray[Any], Mask]:
        """Values as numbers of this column, and which of them can be any."""
        dtype = self.values.dtype
        kinds, most = (int | float, float("inf")) if dtype.kind == "f" else (int, (1 << 8 * dtype.itemsize) - 1)
        possible = np.array([isinstance(key, kinds) and 0 <= key <= most for key in keys])
        return np.array([key if fits else 0 for key, fits in zip(keys, possible, strict=True)], dtype), possible

    @cached_property
    def _index(self) -> tuple[NDArray[Any], Groups]:
        rows = np.arange(len(self.values)) if self.known is None else np.flatnonzero(self.known)
        order = np.argsort(self.values[rows], kind="stable")
        ordered = self.values[rows][order]
        first = np.ones(len(ordered), np.bool_)
        first[1:] = ordered[1:] != ordered[:-1]
        return ordered[first], Groups(rows[order], np.append(np.flatnonzero(first), len(ordered)))


class PrefixColumn:
    """A column of prefixes: the family of each, 4 or 6, or 0 where it is missing; and 17 octets, the length last."""

    def __init__(self, families: NDArray[np.uint8], octets: NDArray[np.uint8]) -> None:
        self.families = families
        self._octets = octets

    @staticmethod
    def of(values: list[Prefix | None]) -> PrefixColumn:
        """Of single prefixes."""
        families = (0 if value is None else 6 if value.is_ipv6 else 4 for value in values)
        octets = b"".join(
            bytes(_PREFIX_OCTETS) if value is None else value.octets.ljust(16, b"\0") + bytes((value.length,))
            for value in values
        )
        rows = np.frombuffer(octets, np.uint8).reshape(-1, _PREFIX_OCTETS)
        return PrefixColumn(np.fromiter(families, np.uint8, len(values)), rows)

    def __len__(self) -> int:
        return len(self.families)

    def value(self, row: int) -> Prefix | None:
        """One prefix."""
        family, octets = self.families[row], self._octets[row]
        return None if not family else Prefix(octets[: 4 if family == 4 else 16].tobytes(), int(octets[16]))

    def rows(self, key: Value) -> Rows:
        """The rows with this prefix."""
        return self.index(key.bits).exact_match(key) if isinstance(key, Prefix) else ()

    def first_rows(self, keys: Keys) -> Numbers:
        """The first row with each of these prefixes."""
        if isinstance(keys, np.ndarray):
            return self.index(8 * (keys.dtype.itemsize - 1)).first_rows("exact_match", keys)
        rows = np.full(len(keys), NONE, np.int64)
        for places, own in by_family(list(keys)):  # type: ignore[arg-type]
            rows[places] = self.first_rows(own)
        return rows

    def index(self, bits: int) -> PrefixIndex:
        """The prefixes of the family whose addresses have so many bits."""
        return self._index4 if bits == 32 else self._index6

    @cached_property
    def _index4(self) -> PrefixIndex:
        return self._made(4, [*range(4), 16])

    @cached_property
    def _index6(self) -> PrefixIndex:
        return self._made(6, [*range(_PREFIX_OCTETS)])

    def _made(self, family: int, octets: list[int]) -> PrefixIndex:
        rows = np.flatnonzero(self.families == family)
        own = np.ascontiguousarray(self._octets[rows][:, octets])
        return PrefixIndex(own.view(f"S{len(octets)}").reshape(-1), rows)


class ValueColumn:
    """A column of anything else, looked up by hash."""

    def __init__(self, values: list[Value]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def value(self, row: int) -> Value:
        """One value."""
        return self._values[row]

    def rows(self, key: Value) -> Rows:
        """The rows with this value."""
        return self._index.get(key, ())

    def first_rows(self, keys: Keys) -> Numbers:
        """The first row with each of these values."""
        found = (self._index.get(key, (NONE,))[0] for key in keys)
        return np.fromiter(found, np.int64, len(keys))

    @cached_property
    def _index(self) -> dict[Hashable, list[int]]:
        index: dict[Hashable, list[int]] = defaultdict(list)
        for row, value in enumerate(self._values):
            if value is not None:
                index[value].append(row)
        return dict(index)
