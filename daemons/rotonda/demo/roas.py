"""What the holders of the demo's addresses have signed: mostly what they announce, with the usual mistakes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .dice import Dice
from .prefixes import Prefixes
from .world import Table, World

_ADOPTION = 0.52
"""Which share of the origins signs."""
_FORGOTTEN, _OF_ANOTHER, _TOO_SHORT, _ROOMY = 0.05, 0.004, 0.007, 0.2
"""Of what they announce: not signed, signed for another AS, covered by too short a maxLength, with room for longer."""
_LONGEST = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True)
class Roas:
    """Columns of signed prefixes of one family: addresses as in `prefixes`, sorted, each row once."""

    addresses: NDArray[np.uint64]
    lengths: NDArray[np.uint8]
    max_lengths: NDArray[np.uint8]
    asns: NDArray[np.uint32]

    @classmethod
    def of(cls, world: World, table: Table) -> Roas:
        """All that is signed of a table."""
        dice = Dice(world.seed, f"ROAs {table.prefixes.family}")
        signed = np.flatnonzero(_is_signed(world, table, dice))
        addresses, lengths = table.prefixes.addresses[signed], table.prefixes.lengths[signed].astype(np.int64)
        asns = np.array(world.asns, np.uint32)
        origins = asns[table.origins[signed]]
        chance, longest = dice.shares(len(signed)), _LONGEST[table.prefixes.family]
        another = chance < _OF_ANOTHER
        origins = np.where(another, asns[dice.below(len(signed), len(asns))], origins)
        short = ~another & (chance < _OF_ANOTHER + _TOO_SHORT) & (lengths > 12)
        lengths = np.where(short, lengths - 2, lengths)
        room = np.maximum(longest - lengths, 0)
        more = np.where(dice.shares(len(signed)) < 0.6, room, np.minimum(room, 2))
        roomy = ~short & (chance > 1 - _ROOMY)
        max_lengths = np.where(roomy, lengths + more, lengths)
        shift = (64 - lengths).astype(np.uint64)
        return cls._distinct(addresses >> shift << shift, lengths, max_lengths, origins)

    @classmethod
    def _distinct(
        cls,
        addresses: NDArray[np.uint64],
        lengths: NDArray[np.int64],
        max_lengths: NDArray[np.int64],
        asns: NDArray[np.uint32],
    ) -> Roas:
        order = np.lexsort((asns, max_lengths, lengths, addresses))
        addresses, lengths, max_lengths, asns = addresses[order], lengths[order], max_lengths[order], asns[order]
        first = np.ones(len(order), np.bool_)
        first[1:] = (addresses[1:] != addresses[:-1]) | (lengths[1:] != lengths[:-1])
        first[1:] |= (max_lengths[1:] != max_lengths[:-1]) | (asns[1:] != asns[:-1])
        addresses, lengths, max_lengths, asns = addresses[first], lengths[first], max_lengths[first], asns[first]
        return cls(addresses, lengths.astype(np.uint8), max_lengths.astype(np.uint8), asns)


def _is_signed(world: World, table: Table, dice: Dice) -> NDArray[np.bool_]:
    """Which prefixes are signed: those of adopters, and most of what lies within signed space of somebody else."""
    prefixes = table.prefixes
    adopts = _adopters(world)
    count = len(prefixes.lengths)
    ordinary = prefixes.lengths <= _LONGEST[prefixes.family]
    signed: NDArray[np.bool_] = adopts[table.origins] & (dice.shares(count) >= _FORGOTTEN) & ordinary
    # Who signs for a block also signs for the customers in it, as their routes would be invalid otherwise.
    careful = dice.shares(count) < 0.97
    for length in np.unique(prefixes.lengths).tolist():
        part = np.flatnonzero((prefixes.lengths == length) & (prefixes.parents >= 0))
        signed[part] |= careful[part] & _covered(prefixes, signed, part)
    return signed


def _adopters(world: World) -> NDArray[np.bool_]:
    """Which ASes sign: about the same share of the large ones as of the small ones, whatever the dice say."""
    sizes = sum(np.bincount(table.origins, minlength=len(world.asns)) for table in world.tables)
    by_size = np.argsort(-np.asarray(sizes), kind="stable")
    start = float(Dice(world.seed, "adoption").shares(1)[0])
    adopts = np.empty(len(world.asns), np.bool_)
    adopts[by_size] = (start + 0.6180339887 * np.arange(len(world.asns))) % 1 < _ADOPTION  # the golden ratio spreads
    return adopts


def _covered(prefixes: Prefixes, signed: NDArray[np.bool_], part: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether one of the prefixes around each is signed."""
    covered = np.zeros(len(part), np.bool_)
    around = prefixes.parents[part]
    while (around >= 0).any():
        covered |= (around >= 0) & signed[around]
        around = np.where(around >= 0, prefixes.parents[around], -1)
    return covered
