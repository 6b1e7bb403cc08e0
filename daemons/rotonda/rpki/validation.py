"""Route origin validation (RFC 6811) against a sorted set of VRPs.

The VRPs are sorted into one `_Shelf` per prefix length. A route is looked up on every shelf whose prefixes are not
longer than its own, by its address cut to that length; whole tables are looked up as columns, shelf by shelf.
On a shelf, only the longest maxLength of each (prefix, AS) counts for the verdict, so that its cost does not depend on
how many VRPs cover one prefix, and no set of VRPs can make it slow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotoro.table.columns import distinct

from .records import BITS, HIGH_HOST_BITS, HOST_BITS, LOW_HOST_BITS, VRP4, VRP6, Vrp

NO_ORIGIN = 0
"""The origin "NONE" of RFC 6811 section 2: an AS_SET at the end, or no path at all. Like AS 0, it is never valid."""

_ROUTE_FIELDS = {
    5: np.dtype([("address", ">u4"), ("length", "u1")]),
    17: np.dtype([("high", ">u8"), ("low", ">u8"), ("length", "u1")]),
}


class State(IntEnum):
    """What origin validation finds (RFC 6811 section 2); `str` gives the usual words."""

    NOT_FOUND = 0
    VALID = 1
    INVALID = 2

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of one route, and all VRPs that cover its prefix, by what they say about it."""

    state: State
    matched: tuple[Vrp, ...] = ()
    unmatched_as: tuple[Vrp, ...] = ()
    unmatched_length: tuple[Vrp, ...] = ()

    @property
    def reason(self) -> str | None:
        """Why a route is invalid: `as` if no covering VRP is of its origin, else `length`; None if it is not."""
        if self.state != State.INVALID:
            return None
        return "length" if self.unmatched_length else "as"


class ValidatedSet:
    """The VRPs of one moment, ready to judge routes.

    `vrps4` (S10) and `vrps6` (S22) are sorted keys as in `records.Vrp.key`, as an export gives them.
    """

    def __init__(self, vrps4: NDArray[np.bytes_], vrps6: NDArray[np.bytes_]) -> None:
        rows4, rows6 = np.ascontiguousarray(vrps4).view(VRP4), np.ascontiguousarray(vrps6).view(VRP6)
        self._shelves = {
            4: [_Shelf.of(4, length, rows) for length, rows in _by_length(rows4)],
            6: [_Shelf.of(6, length, rows) for length, rows in _by_length(rows6)],
        }

    def validate(self, family: int, address: int, length: int, origin: int) -> Verdict:
        """The verdict on one route; `origin` is its origin AS or NO_ORIGIN. Raises ValueError for no prefix at all."""
        if family not in BITS or not 0 <= length <= BITS[family] or not 0 <= address < 1 << BITS[family]:
            raise ValueError(f"{address:#x}/{length} is not a prefix of IPv{family}")
        matched, other_as, too_long = [], [], []
        for shelf in self._shelves[family]:
            for vrp in shelf.covering(address, length):
                if vrp.asn != origin or origin == NO_ORIGIN:
                    other_as.append(vrp)
                elif vrp.max_length < length:
                    too_long.append(vrp)
                else:
                    matched.append(vrp)
        covered = bool(matched or other_as or too_long)
        state = State.VALID if matched else State.INVALID if covered else State.NOT_FOUND
        return Verdict(state, tuple(matched), tuple(other_as), tuple(too_long))

    def validate_table(self, prefixes: NDArray[np.bytes_], origins: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """The states of a table, one for each route.

        `prefixes` are keys of one family, S5 or S17 (address and length), `origins` the origin AS or NO_ORIGIN of each.
        Sorted prefixes are quicker, but any order will do.
        """
        routes = np.ascontiguousarray(prefixes).view(_ROUTE_FIELDS[prefixes.dtype.itemsize])
        family = 4 if prefixes.dtype.itemsize == 5 else 6
        lengths = routes["length"]
        addresses = routes["address"].astype(np.uint32) if family == 4 else _halves(routes)
        states = np.zeros(len(routes), np.uint8)
        open_routes = np.arange(len(routes))
        # The longest prefixes first: most routes find their valid VRP there, and need not be looked up again.
        for shelf in reversed(self._shelves[family]):
            open_routes = open_routes[states[open_routes] != State.VALID]
            within = open_routes[lengths[open_routes] >= shelf.length]
            covered, valid = shelf.judge(addresses[within], lengths[within], origins[within])
            states[within[covered]] = np.where(valid, State.VALID, State.INVALID)
        return states


Addresses = NDArray[np.uint32] | NDArray[np.uint64]


def _halves(rows: NDArray[np.void]) -> NDArray[np.uint64]:
    """The upper and the lower 64 bits of IPv6 addresses, one row of two for each."""
    return np.stack([rows["high"].astype(np.uint64), rows["low"].astype(np.uint64)], axis=1)


def _by_length(rows: NDArray[np.void]) -> Iterator[tuple[int, NDArray[np.void]]]:
    for length in distinct(rows["length"]).tolist():
        yield length, rows[rows["length"] == length]


@dataclass(frozen=True, slots=True)
class _Shelf:
    """All VRPs of one prefix length of one family.

    `prefixes` are the distinct addresses, ascending and comparable as one number or one S16. `pairs` are the distinct
    (number of prefix << 32 | AS), ascending, `longest` the longest maxLength of each. `rows` are the VRPs by prefix,
    of which number i has rows[starts[i]:starts[i + 1]].
    """

    family: int
    length: int
    prefixes: NDArray[Any]
    starts: NDArray[np.int64]
    rows: NDArray[np.void]
    pairs: NDArray[np.uint64]
    longest: NDArray[np.uint8]

    @classmethod
    def of(cls, family: int, length: int, rows: NDArray[np.void]) -> _Shelf:
        """Put away the VRPs `rows`, which are all of one length and sorted by address."""
        addresses = rows["address"].astype(np.uint32) if family == 4 else _halves(rows)
        column = _comparable(family, length, addresses)
        first = np.ones(len(column), np.bool_)
        first[1:] = column[1:] != column[:-1]
        starts = np.flatnonzero(first)
        numbers = (np.cumsum(first) - 1).astype(np.uint64)
        usable = rows["asn"] != 0  # RFC 6483 section 4: AS 0 covers, but makes nothing valid.
        pairs = numbers[usable] << np.uint64(32) | rows["asn"][usable].astype(np.uint64)
        # The last of equal pairs has the longest maxLength, as the keys sort by it before the AS number.
        order = np.argsort(pairs, kind="stable")
        pairs = pairs[order]
        last = np.ones(len(pairs), np.bool_)
        last[:-1] = pairs[1:] != pairs[:-1]
        longest = rows["max_length"][usable][order][last]
        return cls(family, length, column[first], np.append(starts, len(rows)), rows, pairs[last], longest)

    def judge(
        self, addresses: Addresses, lengths: NDArray[np.uint8], origins: NDArray[np.uint32]
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Which of these routes, none shorter than the shelf, VRPs cover, and for each of those whether one matches."""
        numbers, found = self._find(addresses)
        covered = np.flatnonzero(found)
        pairs = numbers[covered].astype(np.uint64) << np.uint64(32) | origins[covered].astype(np.uint64)
        if not len(self.pairs):
            return covered, np.zeros(len(covered), np.bool_)
        at = np.minimum(np.searchsorted(self.pairs, pairs), len(self.pairs) - 1)
        return covered, (self.pairs[at] == pairs) & (self.longest[at] >= lengths[covered])

    def covering(self, address: int, length: int) -> Iterator[Vrp]:
        """The VRPs here that cover one prefix."""
        shift = BITS[self.family] - self.length
        cut = address >> shift << shift
        wanted = _comparable_number(self.family, self.length, cut)
        number = int(self.prefixes.searchsorted(wanted)) if length >= self.length else len(self.prefixes)
        if number < len(self.prefixes) and self.prefixes[number] == wanted:
            for row in self.rows[self.starts[number] : self.starts[number + 1]]:
                yield Vrp(self.family, cut, int(row["max_length"]), self.length, int(row["asn"]))

    def _find(self, addresses: Addresses) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """For each address the number of the prefix here that it may be in, and whether it is."""
        column = _comparable(self.family, self.length, addresses)
        numbers = np.minimum(np.searchsorted(self.prefixes, column), len(self.prefixes) - 1)
        return numbers, self.prefixes[numbers] == column


def _comparable(family: int, length: int, addresses: Addresses) -> NDArray[Any]:
    """The addresses cut to a length, as numbers where 64 bits are enough, else as S16."""
    numbers: NDArray[Any]
    if family == 4:
        numbers = addresses & ~HOST_BITS.astype(np.uint32)[length]
        return numbers
    if length <= 64:
        numbers = addresses[:, 0] & ~HIGH_HOST_BITS[length]
        return numbers
    cut = np.empty((len(addresses), 2), ">u8")
    cut[:, 0] = addresses[:, 0]
    cut[:, 1] = addresses[:, 1] & ~LOW_HOST_BITS[length]
    return cut.view("S16")[:, 0]


def _comparable_number(family: int, length: int, address: int) -> np.generic:
    """The same for one address that is cut already."""
    if family == 4:
        return np.uint32(address)
    if length <= 64:
        return np.uint64(address >> 64)
    return np.bytes_(address.to_bytes(16, "big").rstrip(b"\0"))  # numpy drops these when it takes one out of an array
