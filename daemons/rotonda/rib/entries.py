"""Entries of the past as columns, ordered by prefix and, within a prefix, by when they ended.

Path identifiers are apart from prefixes, so that all that happened to a prefix lies together in the order of time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotoro.table.digest import Hashes

Column = NDArray[Any]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

MICROSECONDS = 1_000_000

_SHORT = 32  # entries of one key: each is held against all others; more are sorted


class Ended(IntEnum):
    """How an entry became part of the past; the numbers are none of those of `IngressState`."""

    REPLACED = 2
    WITHDRAWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Entries of one slot of routes.

    `prefixes` are S5 or S17 - address and length -, `numbers` those of attribute sets, `received` seconds, `ended`
    microseconds, both since 1970; `states` are those of `Ended`.
    """

    prefixes: Column
    paths: NDArray[np.uint32]
    numbers: NDArray[np.uint32]
    received: NDArray[np.uint32]
    ended: NDArray[np.uint64]
    states: NDArray[np.uint8]

    @staticmethod
    def none(key_octets: int) -> Entries:
        """No entries of a slot with keys of so many octets."""
        dtypes = (f"S{key_octets - 4}", np.uint32, np.uint32, np.uint32, np.uint64, np.uint8)
        return Entries(*(np.empty(0, dtype) for dtype in dtypes))

    @staticmethod
    def joined(parts: Sequence[Entries]) -> Entries:
        """The entries of all of these, each of which has only entries that ended after those of the one before."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part.columns for part in parts), strict=True)
        return Entries(*(np.concatenate(column) for column in columns)).by_prefix()

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns in their order."""
        return self.prefixes, self.paths, self.numbers, self.received, self.ended, self.states

    def __len__(self) -> int:
        return len(self.prefixes)

    @property
    def nbytes(self) -> int:
        """Octets of memory of the columns."""
        return sum(column.nbytes for column in self.columns)

    @property
    def keys(self) -> Column:
        """The keys of the routes: prefix and path identifier."""
        return joined_keys(self.prefixes, self.paths)

    def take(self, rows: Rows | Mask | slice) -> Entries:
        """Some of the entries, in their order."""
        return self._each(lambda column: column[rows])

    def spans(self, bounds: Column | None) -> Entries:
        """The entries of some spans of keys: the keys at which they begin, and then those before which they end."""
        if bounds is None:
            return self
        found = self.prefixes.searchsorted(prefixes_of(bounds)).tolist()
        count = len(found) // 2
        pieces = [self.take(slice(*span)) for span in zip(found[:count], found[count:], strict=True)]
        pieces = [piece for piece in pieces if len(piece)] or [self.take(slice(0, 0))]
        if len(pieces) == 1:
            return pieces[0]
        return Entries(*(np.concatenate(column) for column in zip(*(piece.columns for piece in pieces), strict=True)))

    def by_prefix(self) -> Entries:
        """The same by prefix, those of one prefix as they lie."""
        return self.take(np.argsort(self.prefixes, kind="stable"))

    def received_by_end(self) -> NDArray[np.uint64]:
        """When entries were received, in seconds: not after they ended, whatever a neighbour says."""
        received: NDArray[np.uint64] = np.minimum(self.received, self.ended // np.uint64(MICROSECONDS))
        return received

    def sessions(self) -> Sessions:
        """How these entries, ordered as they are, share session keys: prefix and path identifier."""
        new = np.ones(len(self), np.bool_)
        np.not_equal(self.prefixes[1:], self.prefixes[:-1], out=new[1:])
        if not self.paths.any():
            return Sessions(None, new)
        order = np.lexsort((self.paths, np.cumsum(new)))
        paths = self.paths[order]
        new[1:] |= paths[1:] != paths[:-1]  # prefixes lie as before, so that new ones begin where they did
        return Sessions(order, new)

    def _each(self, operation: Callable[[Column], Column]) -> Entries:
        return Entries(*map(operation, self.columns))


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Which entries have the same session key.

    In `order` - None for the order in which they are - those of each key lie together, by time; `first` are the first
    of each key in that order.
    """

    order: Rows | None
    first: Mask

    def overwritten(self, hashes: Hashes) -> Rows:
        """The entries of which there is a later one with the same key and the same of these hashes."""
        rows, sizes, later = self._rows, self._sizes, self._later
        hashes = hashes[rows]
        found = [_alike(np.flatnonzero(sizes > _SHORT), np.cumsum(self.first), hashes)]
        pairs = np.flatnonzero((later > 0) & (sizes <= _SHORT))
        for distance in range(1, _SHORT):
            if not len(pairs):
                break
            alike = hashes[pairs] == hashes[pairs + distance]
            found.append(pairs[alike])
            pairs = pairs[~alike & (later[pairs] > distance)]
        return rows[np.concatenate(found)]

    def newest(self, counting: Mask, limits: NDArray[np.int64]) -> Mask:
        """Which of the entries that count are among so many newest ones of their key that count."""
        later, rows = self._later, self._rows
        if (later < limits[rows]).all():
            return counting
        seen = np.cumsum(counting[rows])
        newer = seen[np.arange(len(rows)) + later] - seen
        kept = np.zeros(len(rows), np.bool_)
        kept[rows] = counting[rows] & (newer < limits[rows])
        return kept

    @property
    def _rows(self) -> Rows:
        return np.arange(len(self.first)) if self.order is None else self.order

    @property
    def _sizes(self) -> Rows:
        """How many entries the key of each has, in the order."""
        counts = np.diff(np.flatnonzero(self.first), append=len(self.first))
        sizes: Rows = np.repeat(counts, counts)
        return sizes

    @property
    def _later(self) -> Rows:
        """How many entries of the key of each are later, in the order."""
        ends = np.append(np.flatnonzero(self.first)[1:], len(self.first))
        later: Rows = np.repeat(ends, np.diff(ends, prepend=0)) - np.arange(1, len(self.first) + 1)
        return later


def _alike(rows: Rows, keys: Rows, hashes: Hashes) -> Rows:
    """Those of these rows that another one with the same key and hash follows."""
    order = rows[np.lexsort((hashes[rows], keys[rows]))]
    same = (keys[order][1:] == keys[order][:-1]) & (hashes[order][1:] == hashes[order][:-1])
    alike: Rows = order[:-1][same]
    return alike


def prefixes_of(keys: Column) -> Column:
    """The prefixes of keys of routes, as S5 or S17: address and length."""
    return _part(keys, slice(None, -4)).view(f"S{keys.dtype.itemsize - 4}").reshape(-1)


def paths_of(keys: Column) -> NDArray[np.uint32]:
    """The path identifiers of keys of routes."""
    return _part(keys, slice(-4, None)).view(">u4").reshape(-1).astype(np.uint32)


def joined_keys(prefixes: Column, paths: NDArray[np.uint32]) -> Column:
    """The keys of routes with these prefixes and path identifiers."""
    width = prefixes.dtype.itemsize
    octets = np.empty((len(prefixes), width + 4), np.uint8)
    octets[:, :width] = np.ascontiguousarray(prefixes).view(np.uint8).reshape(len(prefixes), width)
    octets[:, width:] = paths.astype(">u4").view(np.uint8).reshape(len(prefixes), 4)
    return octets.view(f"S{width + 4}").reshape(-1)


def _part(keys: Column, octets: slice) -> NDArray[np.uint8]:
    whole = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), keys.dtype.itemsize)
    return np.ascontiguousarray(whole[:, octets])
