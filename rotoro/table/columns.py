"""What sorted columns are asked, each question once. Octets are only compared as whole columns, never one by one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

_Cell = TypeVar("_Cell", bound=np.generic)

OCTETS = np.dtype(np.object_)
"""Octets of any length: a column of Python bytes."""

_WORD = np.dtype(">u8")

# To search a key costs what four steps of a merge cost (both measured with 500,000 keys of 9 to 22 octets).
_SEARCH_COST = 4

_FEW = 16  # values that are looked for one by one


def column(title: str, data: Column | Sequence[Any], dtype: np.dtype[Any]) -> Column:
    """The data as one column of that type; raises ValueError, naming it, rather than convert, cut or fill up."""
    if not isinstance(data, np.ndarray):
        return _built(title, data, dtype)
    if data.dtype != dtype or data.ndim != 1:
        raise ValueError(f"{title}: one column of {dtype} is needed, not {data.ndim} of {data.dtype}")
    return data


def _built(title: str, data: Sequence[Any], dtype: np.dtype[Any]) -> Column:
    if dtype.kind != "S":
        return np.fromiter(data, dtype, len(data))
    for octets in data:
        if len(octets) != dtype.itemsize:
            raise ValueError(f"{title}: {dtype.itemsize} octets are needed, not {octets.hex()}")
    return np.frombuffer(b"".join(data), dtype)


def whole(keys: Column, row: int) -> bytes:
    """One key with all its octets (numpy's own way to get at it drops trailing NULs)."""
    octets: bytes = keys[row] if keys.dtype == OCTETS else keys[row : row + 1].tobytes()
    return octets


def stable_order(keys: Column) -> Rows | None:
    """In which order rows have ascending keys, alike ones as they came; None if they stand so already."""
    if (keys[:-1] <= keys[1:]).all():
        return None
    if keys.dtype.kind != "S" or keys.dtype.itemsize < _WORD.itemsize:
        return np.argsort(keys, kind="stable")
    if (keys[:-1] > keys[1:]).all():  # as an RTR cache of version 2 announces
        return np.arange(len(keys) - 1, -1, -1)
    return _order_by_words(np.ascontiguousarray(keys))


def _order_by_words(keys: Column) -> Rows:
    """Four times as fast as to sort the octets: by their first word, and by all only where that is the same."""
    words = np.ndarray((len(keys),), _WORD, keys, 0, keys.strides).astype(np.uint64)
    order = np.argsort(words)
    ordered = words[order]
    alike = np.zeros(len(keys) + 1, np.bool_)
    np.equal(ordered[1:], ordered[:-1], out=alike[1:-1])
    unsure = alike[1:] | alike[:-1]
    rows = np.sort(order[unsure])
    order[unsure] = rows[np.argsort(keys[rows], kind="stable")]
    return order


def group_ends(ordered: Column) -> Mask:
    """Which rows of a sorted column are the last of their key."""
    ends = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=ends[:-1])
    return ends


def group_starts(ends: Mask) -> Mask:
    """Which rows are the first of their key."""
    return np.concatenate((ends[-1:], ends[:-1]))


def distinct(values: NDArray[_Cell]) -> NDArray[_Cell]:
    """The different ones of these values, ascending. Other threads run meanwhile, as they do not in `np.unique`, which
    hashes values and takes longer."""
    # A stable sort goes by digits of narrow numbers, and by runs of keys, which mostly come in a few.
    wide = values.dtype.kind in "iuf" and values.dtype.itemsize > 2
    ordered = np.sort(values, kind=None if wide else "stable")
    return ordered[group_ends(ordered)]


def among(values: Column, wanted: Column) -> Mask:
    """Which of these values are wanted. Those wanted are sorted and of the same type, which is not `OCTETS`."""
    if len(wanted) > _FEW:
        found: Mask = wanted[np.searchsorted(wanted[:-1], values)] == values
        return found
    hits = np.zeros(len(values), np.bool_)
    for value in wanted:
        hits |= values == value
    return hits


def locate(keys: Column, wanted: Column) -> tuple[Rows, Mask]:
    """For each wanted key, the row where it is or would be, and whether it is there. Both columns are sorted."""
    if len(wanted) * _SEARCH_COST < len(keys):
        rows = np.searchsorted(keys, wanted)
        return rows, keys.take(rows, mode="clip") == wanted
    if not len(keys):
        return np.zeros(len(wanted), np.intp), np.zeros(len(wanted), np.bool_)
    order = np.argsort(np.concatenate((keys, wanted)), kind="stable")
    after = np.flatnonzero(order >= len(keys)) - np.arange(len(wanted))
    there = keys[after - 1] == wanted  # before all keys, -1 is the last one, which is greater
    return after - there, there


def equal(some: Column | None, others: Column | None) -> bool:
    """Whether two columns say the same."""
    if some is None or others is None or some is others:
        return some is others
    return np.array_equal(some, others)


def memory(data: Column | None) -> int:
    """Octets of memory that a column takes, with its Python bytes."""
    if data is None:
        return 0
    return data.nbytes + (sum(map(sys.getsizeof, data.tolist())) if data.dtype == OCTETS else 0)
