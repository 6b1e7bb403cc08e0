"""What look-ups of many prefixes find among the keys of routes, which are in order, without an index of them.

Before a prefix there stands, in order of address and length, what covers it, or something that whatever covers the
prefix covers as well. In the second case only the bits matter that both have in common, and it is looked for what
stands before these. So one longest match takes a few searches, at most one for each bit of the prefix, and nothing has
to be made anew when routes come and go.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotonda.filters.world import NONE
from rotonda.rpki.records import HIGH_HOST_BITS, LOW_HOST_BITS
from rotonda.sources.prefix_tree import Mask, Numbers

Keys = NDArray[np.bytes_]
"""Of prefixes S5 or S17: address and length. Of routes S9 or S21: the path identifier follows."""

_ADDRESSES: dict[int, list[tuple[str, str]]] = {4: [("high", ">u4")], 16: [("high", ">u8"), ("low", ">u8")]}
_PREFIX = {octets: np.dtype([*fields, ("length", "u1")]) for octets, fields in _ADDRESSES.items()}
_ROUTE = {octets: np.dtype([*fields, ("length", "u1"), ("path", ">u4")]) for octets, fields in _ADDRESSES.items()}
_LAYOUTS = {layout.itemsize: layout for layouts in (_PREFIX, _ROUTE) for layout in layouts.values()}
_HALF = 32
"""Bits by which an IPv4 address is moved, so that all addresses begin at the uppermost bit of 64."""


class Matches(NamedTuple):
    """The rows of one prefix for each prefix, from first to before end, and its length; NONE where none is found."""

    first: Numbers
    end: Numbers
    lengths: Numbers

    @property
    def counts(self) -> Numbers:
        """How many rows."""
        counts: Numbers = self.end - self.first
        return counts


class _Prefixes(NamedTuple):
    """Prefixes as numbers: the halves of their addresses, of which those of IPv4 have one; and their lengths."""

    high: NDArray[np.uint64]
    low: NDArray[np.uint64] | None
    lengths: Numbers

    @staticmethod
    def of(keys: Keys) -> _Prefixes:
        """The prefixes of keys, also of routes."""
        rows = np.ascontiguousarray(keys).view(_LAYOUTS[keys.dtype.itemsize])
        lengths = rows["length"].astype(np.int64)
        if "low" in (rows.dtype.names or ()):
            return _Prefixes(rows["high"].astype(np.uint64), rows["low"].astype(np.uint64), lengths)
        return _Prefixes(rows["high"].astype(np.uint64) << np.uint64(_HALF), None, lengths)

    def at(self, rows: Numbers | Mask) -> _Prefixes:
        """Some of them."""
        return _Prefixes(self.high[rows], None if self.low is None else self.low[rows], self.lengths[rows])

    def cut(self, lengths: Numbers) -> _Prefixes:
        """As many bits of each."""
        low = None if self.low is None else self.low & ~LOW_HOST_BITS[lengths]
        return _Prefixes(self.high & ~HIGH_HOST_BITS[lengths], low, lengths)

    def put(self, rows: Numbers, others: _Prefixes) -> None:
        """Have others in the place of some."""
        self.high[rows], self.lengths[rows] = others.high, others.lengths
        if self.low is not None and others.low is not None:
            self.low[rows] = others.low

    def common(self, others: _Prefixes) -> Numbers:
        """How many bits from the first one on these addresses have in common with others, row by row."""
        bits = _leading_zeros(self.high ^ others.high)
        if self.low is None or others.low is None:
            return bits
        return np.where(bits < 64, bits, 64 + _leading_zeros(self.low ^ others.low))

    def same(self, others: _Prefixes) -> Mask:
        """Which of these prefixes are the same as others, row by row."""
        same: Mask = (self.high == others.high) & (self.lengths == others.lengths)
        return same if self.low is None or others.low is None else same & (self.low == others.low)

    def sought(self, lengths: Any) -> Keys:
        """Keys below those of all routes of these addresses with these lengths, and above those of shorter ones."""
        octets = 4 if self.low is None else 16
        rows = np.zeros(len(self.high), _ROUTE[octets])
        rows["high"] = self.high >> np.uint64(_HALF) if self.low is None else self.high
        if self.low is not None:
            rows["low"] = self.low
        rows["length"] = lengths
        keys: Keys = rows.view(f"S{rows.dtype.itemsize}")
        return keys

    def last_addresses(self) -> _Prefixes:
        """The last addresses of these prefixes."""
        low = None if self.low is None else self.low | LOW_HOST_BITS[self.lengths]
        return _Prefixes(self.high | HIGH_HOST_BITS[self.lengths], low, self.lengths)


def exact(keys: Keys, prefixes: Keys) -> Matches:
    """The rows of these prefixes."""
    wanted = _Prefixes.of(prefixes)
    first = _search(keys, wanted.sought(wanted.lengths))
    there = _is_at(keys, first, wanted)
    end = first + there
    several = np.flatnonzero(there)
    several = several[_is_at(keys, end[several], wanted.at(several))]
    own = wanted.at(several)
    end[several] = _search(keys, own.sought(own.lengths + 1))
    return Matches(first, end, np.where(there, wanted.lengths, NONE))


def covered_counts(keys: Keys, prefixes: Keys) -> Numbers:
    """How many rows each of these prefixes covers."""
    wanted = _Prefixes.of(prefixes)
    ends = _search(keys, wanted.last_addresses().sought(np.uint8(0xFF)))
    return ends - _search(keys, wanted.sought(wanted.lengths))


def longest(keys: Keys, prefixes: Keys) -> Matches:
    """The rows of the longest prefix that covers each of these."""
    wanted = _Prefixes.of(prefixes)
    last = _last_covering(keys, wanted, _before(keys, wanted))
    found = np.flatnonzero(last != NONE)
    own = _Prefixes.of(keys[last[found]])
    first, lengths = np.zeros(len(prefixes), np.int64), np.full(len(prefixes), NONE, np.int64)
    first[found], lengths[found] = _firsts(keys, last[found], own), own.lengths
    return Matches(first, last + 1, lengths)


def covering_counts(keys: Keys, prefixes: Keys) -> Numbers:
    """How many rows cover each of these prefixes."""
    counts = np.zeros(len(prefixes), np.int64)
    wanted = _Prefixes.of(prefixes)
    before = _before(keys, wanted)
    rows = np.flatnonzero(before != NONE)
    while len(rows):
        others = _Prefixes.of(keys[before[rows]])
        common = wanted.at(rows).common(others)
        covers = others.lengths <= common
        found, passed = rows[covers], rows[~covers]
        first = _firsts(keys, before[found], others.at(covers))
        counts[found] += before[found] + 1 - first
        before[found] = first - 1
        wanted.put(rows, wanted.at(rows).cut(np.minimum(common, others.lengths)))
        before[passed] = _before(keys, wanted.at(passed))
        rows = rows[before[rows] != NONE]
    return counts


def _last_covering(keys: Keys, wanted: _Prefixes, before: Numbers) -> Numbers:
    """The last row of the longest prefix that covers each of these, or NONE.

    `before` are the last rows at which these can stand.
    """
    found = before.copy()
    rows = np.flatnonzero(found != NONE)
    wanted = wanted.at(rows)
    while len(rows):
        others = _Prefixes.of(keys[found[rows]])
        common = wanted.common(others)
        left = np.flatnonzero(others.lengths > common)
        wanted, rows = wanted.at(left).cut(common[left]), rows[left]
        found[rows] = _before(keys, wanted)
        there = found[rows] != NONE
        wanted, rows = wanted.at(there), rows[there]
    return found


def _before(keys: Keys, wanted: _Prefixes) -> Numbers:
    """The last row that is not behind each of these prefixes, or NONE."""
    return _search(keys, wanted.sought(wanted.lengths + 1)) - 1


def _firsts(keys: Keys, last: Numbers, own: _Prefixes) -> Numbers:
    """The first rows of prefixes of which these are the last rows."""
    first = last.copy()
    several = np.flatnonzero(last > 0)
    several = several[_Prefixes.of(keys[last[several] - 1]).same(own.at(several))]
    more = own.at(several)
    first[several] = _search(keys, more.sought(more.lengths))
    return first


def _is_at(keys: Keys, rows: Numbers, wanted: _Prefixes) -> Mask:
    """Whether these prefixes stand at these rows, of which the one behind all keys has none."""
    there = rows < len(keys)
    there[there] = _Prefixes.of(keys[rows[there]]).same(wanted.at(there))
    return there


def _search(keys: Keys, sought: Keys) -> Numbers:
    """Where these keys would stand."""
    return keys.searchsorted(sought).astype(np.int64)


def _leading_zeros(numbers: NDArray[np.uint64]) -> Numbers:
    # Without the bit behind the first one, no number is rounded up to the next power of two
    first = numbers & ~(numbers >> np.uint64(1))
    return 64 - np.frexp(first.astype(np.float64))[1].astype(np.int64)
