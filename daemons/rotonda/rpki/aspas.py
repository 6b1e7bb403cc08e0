"""Who says whom to be its provider: the ASPAs of one moment, asked for one hop or for millions.

A hop is looked up in two steps: whether the customer attests anything at all, in a bitmap of pages; and whether it
names the provider, in a hash table of (customer, provider). Both fall back to a search in sorted numbers where data
that is made for it would make them large or slow, so their cost is bounded whatever the ASPAs say.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotoro.table.columns import group_ends

Numbers = NDArray[np.uint32]
Mask = NDArray[np.bool_]

_PAGE_BITS = 16
_MOST_PAGES = 256
"""Of 64 KiB each; the AS numbers that are given out lie in some twenty."""
_SPREAD = np.uint64(0x9E37_79B9_7F4A_7C15)
_LONGEST_BUCKET = 16
"""Buckets hold a quarter of a number on average; if one is this full, somebody has chosen the numbers."""


class Hop(IntEnum):
    """What a customer attests of a would-be provider (draft-ietf-sidrops-aspa-verification section 5.3)."""

    NO_ATTESTATION = 0
    PROVIDER = 1
    NOT_PROVIDER = 2

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


class AspaSet:
    """The ASPAs of one moment: the union of providers of each customer, for both address families.

    `customers` ascend, each once; customer i has the next `counts[i]` of `providers`, ascending.
    """

    def __init__(self, customers: Numbers, counts: NDArray[np.int64], providers: Numbers) -> None:
        self._customers = customers
        self._providers = providers
        self._ends = np.cumsum(counts, dtype=np.int64)
        self._attesting = _Pages(customers)
        self._pairs = _Members(_pair(np.repeat(customers, counts), providers))

    @classmethod
    def of(cls, keys: NDArray[Any], values: Iterable[bytes]) -> AspaSet:
        """From the columns of a table: customers as S4, ascending, and their providers in four octets each."""
        lists = list(values)
        counts = np.fromiter(map(len, lists), np.int64, len(lists)) // 4
        providers = np.frombuffer(b"".join(lists), ">u4").astype(np.uint32)
        return cls(np.ascontiguousarray(keys).view(">u4").astype(np.uint32), counts, providers)

    def __len__(self) -> int:
        return len(self._customers)

    def providers(self, customer: int) -> tuple[int, ...] | None:
        """Whom this customer names, AS 0 for nobody; None if it attests nothing."""
        row = int(np.searchsorted(self._customers, np.uint32(customer)))
        if row == len(self._customers) or self._customers[row] != customer:
            return None
        return tuple(self._providers[self._ends[row - 1] if row else 0 : self._ends[row]].tolist())

    def authorized(self, customer: int, provider: int) -> Hop:
        """What the customer attests of the provider."""
        named = self.providers(customer)
        if named is None:
            return Hop.NO_ATTESTATION
        return Hop.PROVIDER if provider in named else Hop.NOT_PROVIDER

    def check(self, customers: Numbers, providers: Numbers) -> NDArray[np.uint8]:
        """The same for columns of hops, as values of `Hop`."""
        found = np.zeros(len(customers), np.uint8)
        rows = np.flatnonzero(self._attesting.has(customers))
        named = self._pairs.has(_pair(customers[rows], providers[rows]))
        found[rows] = np.where(named, np.uint8(Hop.PROVIDER), np.uint8(Hop.NOT_PROVIDER))
        return found


def _pair(customers: Numbers, providers: Numbers) -> NDArray[np.uint64]:
    return customers.astype(np.uint64) << np.uint64(32) | providers


class _Pages:
    """A set of 32-bit numbers as pages of flags; as it stands if it has too many pages."""

    def __init__(self, ascending: Numbers) -> None:
        self._ascending = ascending
        high = ascending >> np.uint32(_PAGE_BITS)
        used = high[group_ends(high)]
        self._flags: Mask | None = None
        if len(used) <= _MOST_PAGES:
            self._pages = np.zeros(1 << (32 - _PAGE_BITS), np.int64)  # page 0 is empty
            self._pages[used] = np.arange(1, len(used) + 1) << _PAGE_BITS
            self._flags = np.zeros((len(used) + 1) << _PAGE_BITS, np.bool_)
            self._flags[self._places(ascending)] = True

    def has(self, numbers: Numbers) -> Mask:
        if self._flags is not None:
            return self._flags[self._places(numbers)]
        rows = np.minimum(np.searchsorted(self._ascending, numbers), len(self._ascending) - 1)
        return np.asarray(self._ascending[rows] == numbers)

    def _places(self, numbers: Numbers) -> NDArray[np.int64]:
        places: NDArray[np.int64] = self._pages[numbers >> np.uint32(_PAGE_BITS)]
        return places | (numbers & np.uint32((1 << _PAGE_BITS) - 1))


class _Members:
    """A set of 64-bit numbers in buckets; in ascending order if some bucket is too full."""

    def __init__(self, members: NDArray[np.uint64]) -> None:
        bits = max(4, (4 * len(members)).bit_length())
        self._shift = np.uint64(64 - bits)
        places = self._places(members)
        counts = np.bincount(places, minlength=1 << bits)
        self._starts: NDArray[np.int64] | None = None
        if counts.max() > _LONGEST_BUCKET:
            self._members = np.sort(members)
        else:
            self._members = members[np.argsort(places, kind="stable")]
            self._starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))

    def has(self, wanted: NDArray[np.uint64]) -> Mask:
        if self._starts is None:
            rows = np.minimum(np.searchsorted(self._members, wanted), len(self._members) - 1)
            return np.asarray(self._members[rows] == wanted)
        found = np.zeros(len(wanted), np.bool_)
        places = self._places(wanted)
        at, ends = self._starts[places], self._starts[places + 1]
        rows = np.flatnonzero(at < ends)
        at, ends = at[rows], ends[rows]
        while len(rows):
            hit = self._members[at] == wanted[rows]
            found[rows[hit]] = True
            at += 1
            going = ~hit & (at < ends)
            rows, at, ends = rows[going], at[going], ends[going]
        return found

    def _places(self, numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
        mixed = (numbers ^ numbers >> np.uint64(29)) * _SPREAD
        return (mixed >> self._shift).astype(np.int64)
