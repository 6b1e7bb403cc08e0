"""Prefixes of one family in order, each with the number of the one that covers it: the longest match of a million
prefixes takes one search for each, and a few steps upwards.

In order of address and length, what covers a prefix is the last one before it, or covers that.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.values import Prefix
from rotonda.filters.world import NONE
from rotonda.rpki.records import HIGH_HOST_BITS, HOST_BITS, LOW_HOST_BITS

Keys = NDArray[np.bytes_]
"""S5 or S17: address and length."""
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


_FIELDS = {
    5: np.dtype([("address", ">u4"), ("length", "u1")]),
    17: np.dtype([("high", ">u8"), ("low", ">u8"), ("length", "u1")]),
}
_HOST_BITS4 = HOST_BITS.astype(np.uint32)
_MOST_SOUGHT = 1 << 17
"""Prefixes of a tree that are looked for among many others, instead of these among them."""
_A_SEARCH = 8
"""Prefixes in a row that are passed over in about the time that one search takes."""


class Runs(NamedTuple):
    """What is found for prefixes in ascending order: each number so many times."""

    numbers: Numbers
    counts: Numbers


class _Parts:
    """Addresses and lengths of prefixes as numbers; a prefix of IPv6 has two halves."""

    def __init__(self, keys: Keys) -> None:
        rows = np.ascontiguousarray(keys).view(_FIELDS[keys.dtype.itemsize])
        self.lengths: NDArray[np.uint8] = np.ascontiguousarray(rows["length"])
        self.high: NDArray[Any]
        self.low: NDArray[np.uint64] | None = None
        if keys.dtype.itemsize == 5:
            self.high = rows["address"].astype(np.uint32)
        else:
            self.high, self.low = rows["high"].astype(np.uint64), rows["low"].astype(np.uint64)

    def covers(self, own: Numbers, others: _Parts, theirs: Numbers) -> Mask:
        """Whether the prefixes with these numbers cover those of the others, row by row."""
        lengths = self.lengths[own]
        covering = lengths <= others.lengths[theirs]
        if self.low is None or others.low is None:
            covering &= (self.high[own] ^ others.high[theirs]) & ~_HOST_BITS4[lengths] == 0
        else:
            covering &= (self.high[own] ^ others.high[theirs]) & ~HIGH_HOST_BITS[lengths] == 0
            covering &= (self.low[own] ^ others.low[theirs]) & ~LOW_HOST_BITS[lengths] == 0
        return covering

    def ends(self, keys: Keys) -> tuple[Keys, _Parts]:
        """Keys not below any of those that these prefixes cover, and below all others behind them."""
        rows = np.empty(len(keys), _FIELDS[keys.dtype.itemsize])
        rows["length"] = 0xFF
        if self.low is None:
            rows["address"] = self.high | _HOST_BITS4[self.lengths]
        else:
            rows["high"] = self.high | HIGH_HOST_BITS[self.lengths]
            rows["low"] = self.low | LOW_HOST_BITS[self.lengths]
        ends = rows.view(keys.dtype).reshape(-1)
        return ends, _Parts(ends)

    @property
    def sortable(self) -> NDArray[Any] | None:
        """Numbers that sort as the prefixes do, where 64 bits are enough."""
        return None if self.low is not None else self.high.astype(np.uint64) << np.uint64(8) | self.lengths


def _key(prefix: Prefix) -> bytes:
    return prefix.octets + bytes((prefix.length,))


class PrefixTree:
    """Prefixes in order, each once; they are known by their numbers in this order."""

    def __init__(self, keys: Keys) -> None:
        """Of `keys` that ascend, each once."""
        self.keys = keys
        self._parts = _Parts(keys)
        self._sorted = self._parts.sortable
        self._parents = _parents(self._parts, len(keys))

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def lengths(self) -> NDArray[np.uint8]:
        """The length of each prefix."""
        return self._parts.lengths

    @property
    def parents(self) -> Numbers:
        """The number of the longest other prefix that covers each one, or NONE."""
        return self._parents

    def exact(self, keys: Keys) -> Numbers:
        """The number of each of these prefixes, or NONE."""
        found = self._before(keys, _Parts(keys))
        if len(self.keys):
            found[self.keys[found] != keys] = NONE
        return found

    def longest(self, keys: Keys) -> Numbers:
        """The number of the longest prefix that covers each of these, or NONE."""
        parts = _Parts(keys)
        return self._climbed(self._before(keys, parts), parts)

    def longest_of(self, prefix: Prefix) -> int:
        """The number of the longest prefix that covers this one, or NONE."""
        number, address = self._before_one(prefix), int.from_bytes(prefix.octets)
        while number != NONE:
            length = int(self.lengths[number])
            own = int.from_bytes(self.keys[number][: len(prefix.octets)].ljust(len(prefix.octets), b"\0"))
            if length <= prefix.length and (own ^ address) >> prefix.bits - length == 0:
                break
            number = int(self._parents[number])
        return number

    def exact_of(self, prefix: Prefix) -> int:
        """The number of this prefix, or NONE."""
        number = self._before_one(prefix)
        return number if number != NONE and self.keys[number] == _key(prefix).rstrip(b"\0") else NONE

    def _before_one(self, prefix: Prefix) -> int:
        return int(self.keys.searchsorted(np.array(_key(prefix), self.keys.dtype), "right")) - 1

    def runs(self, look_up: str, keys: Keys) -> Runs:
        """The numbers of `exact` or `longest` for prefixes in ascending order.

        Where the answer changes is looked for among them if these are many: what covers a prefix only depends on its
        place among the beginnings and the ends of all prefixes.
        """
        if len(self) > _MOST_SOUGHT or len(self) * _A_SEARCH > len(keys):
            numbers = self.exact(keys) if look_up == "exact_match" else self.longest(keys)
            return Runs(numbers, np.ones(len(keys), np.int64))
        if look_up == "exact_match":
            places = np.stack((keys.searchsorted(self.keys, "left"), keys.searchsorted(self.keys, "right")), axis=1)
            numbers = np.stack((np.arange(len(self)), np.full(len(self), NONE)), axis=1).reshape(-1)
        else:
            turns, numbers = self._turns
            places = keys.searchsorted(turns)
        counts = np.diff(places.reshape(-1), prepend=0, append=len(keys))
        return Runs(np.concatenate(([NONE], numbers)), counts)

    def prepare(self) -> None:
        """Have ready what `runs` needs."""
        if len(self) <= _MOST_SOUGHT:
            _ = self._turns

    def covering(self, number: int) -> list[int]:
        """A prefix and those that cover it, the shortest first."""
        numbers = []
        while number != NONE:
            numbers.append(number)
            number = int(self._parents[number])
        return numbers[::-1]

    def within(self, low: bytes, end: bytes) -> range:
        """The numbers of prefixes from one key to before another."""
        first, last = self.keys.searchsorted(np.array([low, end], self.keys.dtype)).tolist()
        return range(first, max(first, last))

    def summed(self, counts: Numbers, numbers: Numbers) -> Numbers:
        """What these counts of prefixes are together, for each of these numbers and all that cover it."""
        sums = np.zeros(len(numbers), np.int64)
        rows = np.flatnonzero(numbers != NONE)
        numbers = numbers.copy()
        while len(rows):
            sums[rows] += counts[numbers[rows]]
            numbers[rows] = self._parents[numbers[rows]]
            rows = rows[numbers[rows] != NONE]
        return sums

    def spans(self, keys: Keys) -> tuple[Numbers, Numbers]:
        """Of what each of these prefixes covers, the first number and the one behind the last."""
        parts = _Parts(keys)
        return self._before(keys, parts, "left") + 1, self._before(*parts.ends(keys)) + 1

    @cached_property
    def _turns(self) -> tuple[Keys, Numbers]:
        """From which key on another prefix is the longest that covers, and the number of that one.

        Where several end together, the outermost comes last.
        """
        ends, parts = self._parts.ends(self.keys)
        keys = np.concatenate((self.keys, ends[::-1]))
        numbers = np.concatenate((np.arange(len(self)), self._parents[::-1]))
        sortable = None if self._sorted is None or parts.sortable is None else (self._sorted, parts.sortable[::-1])
        order = np.argsort(keys if sortable is None else np.concatenate(sortable), kind="stable")
        return keys[order], numbers[order]

    def _before(self, keys: Keys, parts: _Parts, side: Literal["left", "right"] = "right") -> Numbers:
        """The number of the last prefix that is not behind each of these, or NONE; with "left", of the last before."""
        wanted = parts.sortable
        if self._sorted is None or wanted is None:
            return self.keys.searchsorted(keys, side).astype(np.int64) - 1
        return self._sorted.searchsorted(wanted, side).astype(np.int64) - 1

    def _climbed(self, numbers: Numbers, parts: _Parts) -> Numbers:
        """From these numbers upwards to what covers each of the other prefixes."""
        rows = np.flatnonzero(numbers != NONE)
        while len(rows):
            rows = rows[~self._parts.covers(numbers[rows], parts, rows)]
            numbers[rows] = self._parents[numbers[rows]]
            rows = rows[numbers[rows] != NONE]
        return numbers


def _parents(parts: _Parts, count: int) -> Numbers:
    """The number of the longest other prefix that covers each one, or NONE.

    Each begins with the prefix before it and goes on to where that one is by now. What is passed over lies within what
    is looked for, so that the way is halved in each round, however many prefixes lie side by side.
    """
    parents = np.arange(-1, count - 1, dtype=np.int64)
    rows = np.flatnonzero(parents != NONE)
    while len(rows):
        rows = rows[~parts.covers(parents[rows], parts, rows)]
        parents[rows] = parents[parents[rows]]
        rows = rows[parents[rows] != NONE]
    return parents
