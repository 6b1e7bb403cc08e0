"""Which prefixes of a column are in one of many ranges.

There are two ways to find out. Prefixes in ascending order that lie within one prefix stand in a row, so each range is
looked up in the column; and ranges lie on shelves by their lengths, so each prefix is looked up there, as in
`rotonda.rpki.validation`. What is less work is done; a test keeps the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.values import BITS, Prefix, PrefixMatch
from rotonda.filters.lists import Mask, Positions

Keys = NDArray[np.bytes_]

# Measured with a million prefixes, in microseconds
_RANGE_COST, _SHELF_COST, _SEARCH_COST = 10.0, 25.0, 0.05
_MANY = 16
_PATH_ID_OCTETS = 4


class PrefixColumn:
    """The prefixes of rows in ascending order: `keys` are those of a `RouteSlot`, of IPv4 (S9) or IPv6 (S21)."""

    def __init__(self, keys: Keys) -> None:
        self.keys = np.ascontiguousarray(keys)
        self.octets = keys.dtype.itemsize - _PATH_ID_OCTETS - 1
        """Of an address."""
        self._told: dict[Hashable, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def lengths(self) -> NDArray[np.uint8]:
        """The lengths."""
        return np.ascontiguousarray(self._bytes[:, self.octets])

    @cached_property
    def prefixes(self) -> Keys:
        """Address and length (S5 or S17), as route origin validation takes them."""
        own = np.ascontiguousarray(self._bytes[:, : self.octets + 1])
        return own.reshape(-1).view(f"S{self.octets + 1}")

    @cached_property
    def path_ids(self) -> NDArray[np.uint32]:
        """The path identifiers (RFC 7911)."""
        own = np.ascontiguousarray(self._bytes[:, self.octets + 1 :])
        return own.reshape(-1).view(">u4").astype(np.uint32)

    @cached_property
    def words(self) -> NDArray[np.uint32]:
        """The addresses as numbers, in one column for IPv4 and in four for IPv6."""
        own = np.ascontiguousarray(self._bytes[:, : self.octets])
        return own.view(">u4").astype(np.uint32)

    def told(self, question: Hashable, ask: Callable[[Keys], NDArray[Any]]) -> NDArray[Any]:
        """What somebody says of `prefixes`, who is asked the same question only once."""
        if question not in self._told:
            self._told[question] = ask(self.prefixes)
        return self._told[question]

    def take(self, rows: Positions) -> PrefixColumn:
        """Some rows, in ascending order."""
        return SomePrefixes(self, rows)

    def prefix(self, row: int) -> Prefix:
        """One of them."""
        octets = self._bytes[row].tobytes()
        return Prefix(octets[: self.octets], octets[self.octets])

    def within(self, prefix: Prefix) -> slice:
        """The rows whose address is one of the prefix."""
        host = (1 << prefix.bits - prefix.length) - 1
        last = (int.from_bytes(prefix.octets) | host).to_bytes(self.octets) + b"\xff" * (_PATH_ID_OCTETS + 1)
        bounds = np.array([prefix.octets, last], self.keys.dtype)
        first, end = np.searchsorted(self.keys, bounds[:1], "left")[0], np.searchsorted(self.keys, bounds[1:], "right")
        return slice(int(first), int(end[0]))

    @cached_property
    def _bytes(self) -> NDArray[np.uint8]:
        return self.keys.view(np.uint8).reshape(len(self.keys), self.keys.dtype.itemsize)


class SomePrefixes(PrefixColumn):
    """Some rows of another column. What is asked of many of them is asked of all there, once for all who ask."""

    def __init__(self, whole: PrefixColumn, rows: Positions) -> None:
        self.octets = whole.octets
        self._told = {}
        self.whole = whole
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def keys(self) -> Keys:  # type: ignore[override]  # taken when they are needed
        """The keys of these rows."""
        return self.whole.keys[self.rows]

    @cached_property
    def lengths(self) -> NDArray[np.uint8]:
        """The lengths."""
        return self.whole.lengths[self.rows] if self.are_many else super().lengths

    @cached_property
    def prefixes(self) -> Keys:
        """Address and length."""
        return self.whole.prefixes[self.rows] if self.are_many else super().prefixes

    def told(self, question: Hashable, ask: Callable[[Keys], NDArray[Any]]) -> NDArray[Any]:
        """What is known of all is known of these."""
        if self.are_many or question in self.whole._told:
            return self.whole.told(question, ask)[self.rows]
        return super().told(question, ask)

    @property
    def are_many(self) -> bool:
        """Whether it is less work to look at the whole column."""
        return len(self.rows) * _MANY >= len(self.whole)


class PrefixRanges:
    """Some ranges, of both families."""

    def __init__(self, ranges: Iterable[PrefixMatch]) -> None:
        spans = [span for one in ranges for span in _spans(one)]
        self._spans = {octets: [span for span in spans if len(span.prefix.octets) == octets] for octets in BITS}

    @staticmethod
    def exactly(prefixes: Iterable[Prefix]) -> PrefixRanges:
        """These prefixes and no others."""
        return PrefixRanges(PrefixMatch(prefix, prefix.length, prefix.length) for prefix in prefixes)

    @staticmethod
    def covering(prefix: Prefix) -> PrefixRanges:
        """All prefixes that cover this one, and itself."""
        return PrefixRanges([PrefixMatch(prefix.cut(0), 0, prefix.length, prefix)])

    def matches(self, column: PrefixColumn) -> Mask:
        """Which of the prefixes are in one of the ranges."""
        if isinstance(column, SomePrefixes) and column.are_many:
            return self.matches(column.whole)[column.rows]
        spans = self._spans[column.octets]
        shelves = self._shelves[column.octets]
        if len(spans) * _RANGE_COST <= len(shelves) * (_SHELF_COST + len(column) * _SEARCH_COST):
            return self.looked_up(column)
        return self.from_shelves(column)

    def looked_up(self, column: PrefixColumn) -> Mask:
        """The same, found by looking up each range among the prefixes."""
        found = np.zeros(len(column), np.bool_)
        for span in self._spans[column.octets]:
            rows = column.within(span.prefix)
            lengths = column.lengths[rows]
            if span.low == span.high:
                found[rows] |= lengths == span.low
            else:
                found[rows] |= (lengths >= span.low) & (lengths <= span.high)
        return found

    def from_shelves(self, column: PrefixColumn) -> Mask:
        """The same, found by looking up each prefix among the ranges."""
        found = np.zeros(len(column), np.bool_)
        for shelf in self._shelves[column.octets]:
            found |= shelf.matches(column)
        return found

    @cached_property
    def _shelves(self) -> dict[int, list[_Shelf]]:
        return {octets: list(_shelved(spans, octets)) for octets, spans in self._spans.items()}


@dataclass(frozen=True, slots=True)
class _Span:
    """Prefixes within one, of some lengths, none shorter than its own."""

    prefix: Prefix
    low: int
    high: int


def _spans(one: PrefixMatch) -> Iterator[_Span]:
    low, high = max(one.low, one.prefix.length), min(one.high, one.prefix.bits)
    if one.through is None:
        if low <= high:
            yield _Span(one.prefix, low, high)
    elif one.prefix.covers(one.through):
        for length in range(low, min(high, one.through.length) + 1):
            yield _Span(one.through.cut(length), length, length)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Ranges within prefixes of one length: the prefixes, ascending, and which lengths each allows."""

    mask: NDArray[np.uint32]
    prefixes: NDArray[Any]
    allowed: Mask

    def matches(self, column: PrefixColumn) -> Mask:
        cut = _comparable(column.words & self.mask)
        places = np.minimum(np.searchsorted(self.prefixes, cut), len(self.prefixes) - 1)
        found: Mask = (self.prefixes[places] == cut) & self.allowed[places, column.lengths]
        return found


def _shelved(spans: Sequence[_Span], octets: int) -> Iterator[_Shelf]:
    bits = BITS[octets]
    for length in sorted({span.prefix.length for span in spans}):
        own = [span for span in spans if span.prefix.length == length]
        addresses = sorted({span.prefix.octets for span in own})
        allowed = np.zeros((len(addresses), bits + 1), np.bool_)
        places = {address: place for place, address in enumerate(addresses)}
        for span in own:
            allowed[places[span.prefix.octets], span.low : span.high + 1] = True
        mask = (1 << bits) - (1 << bits - length)
        words = np.frombuffer(b"".join((mask.to_bytes(octets), *addresses)), ">u4").astype(np.uint32)
        words = words.reshape(-1, octets // 4)
        yield _Shelf(words[0], _comparable(words[1:]), allowed)


def _comparable(words: NDArray[np.uint32]) -> NDArray[Any]:
    """Addresses that sort: numbers for IPv4, octets for IPv6."""
    if words.shape[1] == 1:
        return words[:, 0]
    return np.ascontiguousarray(words.astype(">u4")).view(f"S{4 * words.shape[1]}")[:, 0]
