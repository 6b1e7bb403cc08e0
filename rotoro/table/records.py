"""The records of a slot as sorted columns.

Columns never change once they are in a `Records`: what is made from them is new, what is not touched is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rotoro.table.columns import OCTETS, Column, Mask, Rows, column, equal, group_ends, locate, memory, whole
from rotoro.table.slots import Slot

_TIME = np.dtype(np.uint32)


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Records of one slot: keys ascending and each once, with their values and times where the slot has them.

    The arrays are handed over and become read-only; `Records.of` copies what it is given. Equality is about keys and
    values; times are only carried.
    """

    keys: Column
    values: Column | None = None
    times: NDArray[np.uint32] | None = None

    def __post_init__(self) -> None:
        for data in self.columns:
            if data is not None:
                data.flags.writeable = False

    @staticmethod
    def of(
        slot: Slot,
        keys: Column | Sequence[bytes],
        values: Column | Sequence[Any] | None = None,
        times: Column | Sequence[int] | None = None,
    ) -> Records:
        """Records that come in any order; of rows with the same key the last one wins.

        Raises ValueError for columns that the slot does not have or that have another type or length.
        """
        rows = unsorted(slot, keys, values, times)
        order = np.argsort(rows.keys, kind="stable")
        ends = group_ends(rows.keys[order])
        return rows.take(order if ends.all() else order[ends])

    @staticmethod
    def none(slot: Slot) -> Records:
        """No records."""
        dtypes = (slot.key_dtype, slot.value_dtype, _TIME if slot.timed else None)
        return _of_columns(None if dtype is None else np.empty(0, dtype) for dtype in dtypes)

    @property
    def columns(self) -> tuple[Column, Column | None, Column | None]:
        """Keys, values, times."""
        return self.keys, self.values, self.times

    def __len__(self) -> int:
        return len(self.keys)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Records):
            return NotImplemented
        return self is other or (equal(self.keys, other.keys) and equal(self.values, other.values))

    @property
    def nbytes(self) -> int:
        """Octets of memory, with those of Python bytes."""
        return sum(map(memory, self.columns))

    def key(self, row: int) -> bytes:
        """One key with all its octets."""
        return whole(self.keys, row)

    def take(self, rows: Rows | Mask | slice) -> Records:
        """Some of the records: a mask, a slice, or row numbers in ascending order of keys."""
        return columnwise(lambda data: data[rows], self)

    def find(self, keys: Column) -> tuple[Rows, Mask]:
        """For ascending keys, the row where each is or would be, and whether it is there."""
        return locate(self.keys, keys)

    def between(self, low: bytes, high: bytes | None = None) -> Records:
        """The records with low <= key < high, as a view; short bounds count as filled up with NULs."""
        start = self._row(low)
        return self.take(slice(start, len(self) if high is None else max(start, self._row(high))))

    def replace(self, gone: Records, new: Records) -> Records:
        """The same without the records of `gone` and with those of `new`.

        Raises ValueError if one of `gone` is not there just so, or if the key of one of `new` would be there twice.
        """
        rows, there = self.find(gone.keys)
        if not there.all():
            raise ValueError(f"{whole(gone.keys, int(there.argmin())).hex()} is to go and not there")
        if not equal(self.take(rows).values, gone.values):
            raise ValueError("what is to go has other values than what is there")
        return new if len(rows) == len(self) else self._splice(rows, new)

    def _splice(self, gone: Rows, new: Records) -> Records:
        stays = np.ones(len(self), np.bool_)
        stays[gone] = False
        places, taken = self.find(new.keys)
        twice = stays[places[taken]]
        if twice.any():
            raise ValueError(f"{self.key(int(places[taken][twice.argmax()])).hex()} is to come and already there")
        if len(new) == len(gone) and taken.all():
            return self._overwrite(gone, new)
        return self._rebuild(stays, places - np.searchsorted(gone, places) + np.arange(len(new)), new)

    def _overwrite(self, rows: Rows, new: Records) -> Records:
        """Other values for the same keys, which stay shared: what happens to routes most of the time."""

        def overwritten(old: Column, data: Column) -> Column:
            result = old.copy()
            result[rows] = data
            return result

        return Records(self.keys, *columnwise(overwritten, self, new).columns[1:])

    def _rebuild(self, stays: Mask, targets: Rows, new: Records) -> Records:
        kept = np.ones(int(np.count_nonzero(stays)) + len(new), np.bool_)
        kept[targets] = False

        def rebuilt(old: Column, data: Column) -> Column:
            result = np.empty(len(kept), old.dtype)
            result[kept] = old[stays]
            result[targets] = data
            return result

        return columnwise(rebuilt, self, new)

    def _row(self, key: bytes) -> int:
        dtype = self.keys.dtype
        if dtype != OCTETS and len(key) > dtype.itemsize:
            raise ValueError(f"the keys have {dtype.itemsize} octets, so {key.hex()} is no bound of theirs")
        return int(np.searchsorted(self.keys, np.array([key], dtype))[0])


def columnwise(operation: Callable[..., Column], *parts: Records) -> Records:
    """What an operation makes of the columns of some records, taken together by kind."""
    together = zip(*(part.columns for part in parts), strict=True)
    return _of_columns(None if columns[0] is None else operation(*columns) for columns in together)


def unsorted(
    slot: Slot,
    keys: Column | Sequence[bytes],
    values: Column | Sequence[Any] | None = None,
    times: Column | Sequence[int] | None = None,
) -> Records:
    """The columns of a slot, checked but in the order in which they come; times that are not given are 0."""
    if times is None and slot.timed:
        times = np.zeros(len(keys), _TIME)
    given = (
        ("keys", keys, slot.key_dtype),
        ("values", values, slot.value_dtype),
        ("times", times, _TIME if slot.timed else None),
    )
    return _of_columns(_checked(f"{slot.name} {title}", data, dtype, len(keys)) for title, data, dtype in given)


def _of_columns(columns: Iterable[Column | None]) -> Records:
    return Records(*cast(tuple[Column, Column | None, Column | None], tuple(columns)))


def _checked(
    title: str, data: Column | Sequence[Any] | None, dtype: np.dtype[Any] | None, length: int
) -> Column | None:
    if data is None and dtype is None:
        return None
    if data is None or dtype is None:
        raise ValueError(f"{title}: {'needed' if data is None else 'there are none'}")
    if len(data) != length:
        raise ValueError(f"{title}: {len(data)} for {length} keys")
    return column(title, data, dtype).view()  # so that the caller's own array stays writable
