"""Who there is, who buys transit from whom, who announces what: everything that the demo's files have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .dice import Dice
from .prefixes import Prefixes

# Networks that buy transit from nobody, as commonly listed.
TIER1 = (174, 701, 1239, 1299, 2914, 3257, 3320, 3356, 3491, 5511, 6453, 6461, 6762, 6830, 7018, 12956)
# Ranges that the registries give AS numbers out of, and how often they are met.
_AS_RANGES = (
    (1_000, 64_000, 45),
    (131_072, 153_000, 15),
    (196_608, 216_000, 20),
    (262_144, 274_000, 12),
    (393_216, 402_000, 8),
)
_ORIGINS_PER_PREFIX = 0.063
_SHARING = 7  # gives about six prefixes for each attribute set
_ADDRESS4 = 0xC000020A  # 192.0.2.10, for documentation, as are the others
_ADDRESS6 = 0x20010DB8_00000000_00000000_0000000A
_IDENTIFIER = 0xC633640A


@dataclass(frozen=True, slots=True)
class Peer:
    """A neighbour that gives the collector its whole table; `place` is its AS in `World.asns`."""

    place: int
    asn: int
    address4: int
    address6: int
    identifier: int


@dataclass(frozen=True, slots=True)
class Table:
    """What is announced in one family: for each prefix the place of its origin, and its attribute set.

    `set_origins` is the place of the origin of each attribute set.
    """

    prefixes: Prefixes
    origins: NDArray[np.int64]
    sets: NDArray[np.int64]
    set_origins: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class World:
    """An Internet: `asns` from large to small, the places of each one's providers, peers of a collector, two tables."""

    seed: int
    asns: list[int]
    providers: list[list[int]]
    peers: list[Peer]
    tables: tuple[Table, Table]

    @classmethod
    def make(cls, prefixes4: int, prefixes6: int, peers: int, seed: int) -> World:
        """The Internet of a seed, with so many prefixes, seen by so many peers."""
        middle = max(20, (prefixes4 + prefixes6) // 2_000)
        count = max(300, int((prefixes4 + prefixes6) * _ORIGINS_PER_PREFIX))
        asns = _as_numbers(Dice(seed, "AS numbers"), count)
        if not 1 <= peers <= middle:
            raise ValueError(f"{peers} peers, where 1 to {middle} are possible")
        return cls(
            seed,
            asns,
            _providers(Dice(seed, "providers"), count, middle),
            [_peer(number, asns) for number in range(peers)],
            (_table(seed, 4, prefixes4, count), _table(seed, 6, prefixes6, count)),
        )


def _as_numbers(dice: Dice, count: int) -> list[int]:
    numbers = dict.fromkeys(TIER1)
    while len(numbers) < count:
        ranges = dice.chosen(count, np.array([weight for *_, weight in _AS_RANGES], np.float64)).tolist()
        for place, share in zip(ranges, dice.shares(count).tolist(), strict=True):
            low, high, _ = _AS_RANGES[place]
            numbers[low + int(share * (high - low))] = None
    numbers.pop(23456, None)  # AS_TRANS (RFC 6793) is nobody.
    return list(numbers)[:count]


def _providers(dice: Dice, count: int, middle: int) -> list[list[int]]:
    """Three tiers below the first: each buys from one or more that are larger, so that nobody buys in a circle."""
    small = len(TIER1) + middle
    regional = small + (count - small) // 9
    how_many = dice.runs(count, 0.42, 5).tolist()
    shares = dice.shares(count * 10).reshape(count, 5, 2).tolist()
    providers: list[list[int]] = [[] for _ in TIER1]
    for place in range(len(TIER1), count):
        if place < small:
            providers.append(sorted({int(a * len(TIER1)) for a, _ in shares[place][: 2 + how_many[place]]}))
            continue
        # A regional network mostly buys from the middle tier; a small one mostly from a regional one.
        near, far = ((len(TIER1), small), (0, small)) if place < regional else ((small, regional), (0, small))
        mostly = 0.6 if place < regional else 0.5
        bought = set()
        for a, b in shares[place][: how_many[place]]:
            low, high = near if a < mostly else far
            bought.add(low + int(b * (high - low)))
        providers.append(sorted(bought))
    return providers


def _peer(number: int, asns: list[int]) -> Peer:
    place = len(TIER1) + number
    return Peer(place, asns[place], _ADDRESS4 + number, _ADDRESS6 + number, _IDENTIFIER + number)


def _table(seed: int, family: int, count: int, origin_count: int) -> Table:
    prefixes = Prefixes.make(Dice(seed, f"prefixes {family}"), family, count)
    dice = Dice(seed, f"origins {family}")
    # How many an AS announces has a heavy tail: most a handful, a few thousands.
    weights = 1 / np.maximum(Dice(seed, "sizes").shares(origin_count), 1 / (0.3 * origin_count))
    starts = dice.shares(count) < 0.35
    run = np.cumsum(starts)
    runs = int(run[-1]) + 1 if count else 0
    origins = dice.chosen(runs, weights)[run] if count else np.empty(0, np.int64)
    inherits = (dice.shares(runs)[run] < 0.8) & (prefixes.parents >= 0) if count else np.empty(0, np.bool_)
    for length in np.unique(prefixes.lengths).tolist():
        part = np.flatnonzero(inherits & (prefixes.lengths == length))
        origins[part] = origins[prefixes.parents[part]]
    # Within an origin, runs of neighbours are announced with the same attributes.
    available = 1 + np.bincount(origins, minlength=origin_count) // _SHARING
    slots = (dice.shares(runs)[run] * available[origins]).astype(np.int64) if count else np.empty(0, np.int64)
    named = (np.cumsum(available) - available)[origins] + slots
    _, first, sets = np.unique(named, return_index=True, return_inverse=True)
    return Table(prefixes, origins, sets.reshape(-1), origins[first])
