"""Prefixes as they are announced: their lengths, their nests, their runs of neighbours.

An address here is its upper 64 bits, so that IPv4 and IPv6 are the same to everything: 192.0.2.0 is 0xC0000200 << 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

import numpy as np
from numpy.typing import NDArray

from .dice import Dice

# How many of 100,000 prefixes have each length: a full table of a large transit network, January 2024.
LENGTHS4 = {
    8: 2, 9: 1, 10: 4, 11: 11, 12: 33, 13: 64, 14: 133, 15: 233, 16: 1496, 17: 913, 18: 1530, 19: 2757, 20: 4725,
    21: 5627, 22: 12044, 23: 10701, 24: 59618, 25: 2, 27: 1, 28: 2, 29: 2, 32: 98,
}  # fmt: skip
LENGTHS6 = {
    20: 10, 24: 19, 28: 121, 29: 2729, 30: 406, 31: 177, 32: 14080, 33: 1827, 34: 1625, 35: 651, 36: 3744, 37: 550,
    38: 1010, 39: 860, 40: 8379, 41: 564, 42: 1437, 43: 625, 44: 8970, 45: 970, 46: 1898, 47: 1969, 48: 47137,
    56: 15, 64: 115,
}  # fmt: skip

# Not for use on the public Internet: the IANA special-purpose registry (RFC 6890).
_SPECIAL4 = tuple(
    (int(special.network_address) << 32, special.prefixlen)
    for special in map(
        IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/3",
        ),
    )
)  # fmt: skip
# The /12 that each regional registry gives out of, and how often prefixes are of it.
_BLOCKS6 = ((0x2A0, 36), (0x260, 30), (0x240, 22), (0x280, 9), (0x2C0, 3))

_NEIGHBOURS = 0.4
_NESTED = {True: 0.6, False: 0.35}  # longer prefixes are more often part of another
_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Distinct prefixes of one family in their natural order, and the number of the next shorter around each, or -1."""

    family: int
    addresses: NDArray[np.uint64]
    lengths: NDArray[np.uint8]
    parents: NDArray[np.int64]

    @classmethod
    def make(cls, dice: Dice, family: int, count: int) -> Prefixes:
        """`count` prefixes. Raises ValueError where the family's address space has no room for them."""
        addresses, lengths = np.empty(0, np.uint64), np.empty(0, np.uint8)
        for length, wanted in _split(count, LENGTHS4 if family == 4 else LENGTHS6):
            of_this_length = _of_length(dice, family, length, wanted, addresses, lengths)
            addresses = np.concatenate([addresses, of_this_length])
            lengths = np.concatenate([lengths, np.full(wanted, length, np.uint8)])
        order = np.lexsort((lengths, addresses))
        addresses, lengths = addresses[order], lengths[order]
        return cls(family, addresses, lengths, _parents(addresses, lengths))


def network(addresses: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """The addresses without what is beyond a length of 1 to 64."""
    shift = np.uint64(64 - length)
    return addresses >> shift << shift


def _split(count: int, lengths: dict[int, int]) -> list[tuple[int, int]]:
    ends = np.rint(np.cumsum(list(lengths.values())) / sum(lengths.values()) * count).astype(np.int64)
    return [(length, n) for length, n in zip(lengths, np.diff(ends, prepend=0).tolist(), strict=True) if n]


def _of_length(
    dice: Dice, family: int, length: int, wanted: int, addresses: NDArray[np.uint64], lengths: NDArray[np.uint8]
) -> NDArray[np.uint64]:
    """`wanted` distinct prefixes of one length, many of them within the shorter ones that there are."""
    made = np.empty(0, np.uint64)
    for _ in range(_ROUNDS):
        if len(made) == wanted:
            return made
        starts = _starts(dice, family, wanted - len(made), length >= 19, addresses, lengths)
        steps = dice.runs(len(starts), _NEIGHBOURS, 32)
        within_run = np.arange(steps.sum()) - np.repeat(np.cumsum(steps) - steps, steps)
        neighbours = np.repeat(network(starts, length), steps) + (
            within_run.astype(np.uint64) << np.uint64(64 - length)
        )
        drawn = neighbours[_is_usable(family, neighbours, length)]
        made = _first_distinct(np.concatenate([made, drawn]), wanted)
    raise ValueError(f"no room for {wanted} prefixes of length {length} in IPv{family}")


def _starts(
    dice: Dice, family: int, count: int, longer: bool, addresses: NDArray[np.uint64], lengths: NDArray[np.uint8]
) -> NDArray[np.uint64]:
    chance = dice.bits(count)
    fresh = chance
    if family == 6:
        heads = np.array([head for head, _ in _BLOCKS6], np.uint64)
        block = dice.chosen(count, np.array([weight for _, weight in _BLOCKS6], np.float64))
        fresh = heads[block] << np.uint64(52) | chance >> np.uint64(12)
    nested = dice.shares(count) < _NESTED[longer]
    if not len(addresses):
        return fresh
    around = dice.below(count, len(addresses))
    return np.where(nested, addresses[around] | chance >> lengths[around].astype(np.uint64), fresh)


def _is_usable(family: int, addresses: NDArray[np.uint64], length: int) -> NDArray[np.bool_]:
    if family == 6:
        heads = np.array([head for head, _ in _BLOCKS6], np.uint64)
        return np.isin(addresses >> np.uint64(52), heads)
    usable = np.ones(len(addresses), np.bool_)
    for special, special_length in _SPECIAL4:
        shift = 64 - min(length, special_length)
        usable &= addresses >> np.uint64(shift) != special >> shift
    return usable


def _first_distinct(values: NDArray[np.uint64], most: int) -> NDArray[np.uint64]:
    """The first `most` different values in the order in which they came."""
    _, first = np.unique(values, return_index=True)
    return values[np.sort(first)[:most]]


def _parents(addresses: NDArray[np.uint64], lengths: NDArray[np.uint8]) -> NDArray[np.int64]:
    parents = np.full(len(addresses), -1, np.int64)
    for length in np.unique(lengths).tolist():
        shelf = np.flatnonzero(lengths == length)
        longer = np.flatnonzero(lengths > length)
        cut = network(addresses[longer], length)
        at = np.minimum(np.searchsorted(addresses[shelf], cut), len(shelf) - 1)
        inside = addresses[shelf][at] == cut
        parents[longer[inside]] = shelf[at[inside]]
    return parents
