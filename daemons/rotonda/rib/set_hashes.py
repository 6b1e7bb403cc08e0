"""Hashes of what is chosen of attribute sets, found once per set and not once per route.

The hash of a set is the sum of one u64 for each chosen attribute that it has: the BLAKE2b of 8 octets of its type and
value. A set that is framed wrongly is hashed as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp.attributes import parsed
from rotonda.bgp.errors import Malformed
from rotonda.rib.set_walk import walked
from rotoro.table import AttributeStore
from rotoro.table.columns import distinct
from rotoro.table.digest import Hashes, octet_hashes

HashSets = Callable[[Sequence[bytes]], Hashes]
Numbers = NDArray[np.uint32]

_ALL_KINDS = 256
_FEW = 32


class SetHashes:
    """The hashes of the sets of a store by number; a number that is given to another set is read again."""

    def __init__(self, store: AttributeStore, hash_sets: HashSets) -> None:
        self.store = store
        self._hash_sets = hash_sets
        self._hashes = np.zeros(0, np.uint64)
        self._read = np.zeros(0, np.uint64)
        """The hash of the whole set that was read last under each number."""

    def of(self, numbers: Numbers) -> Hashes:
        """The hashes of the sets with these numbers, which must be in the store."""
        whole = self.store.hashes
        if len(whole) > len(self._read):
            more = max(len(whole), 2 * len(self._read)) - len(self._read)
            self._hashes, self._read = np.pad(self._hashes, (0, more)), np.pad(self._read, (0, more))
        new = numbers[self._read[numbers] != whole[numbers]]
        if len(new):
            self._learn(distinct(new), whole)
        return self._hashes[numbers]

    def _learn(self, numbers: Numbers, whole: Hashes) -> None:
        octets = self.store.octets
        self._hashes[numbers] = self._hash_sets([octets[number] for number in numbers.tolist()])
        self._read[numbers] = whole[numbers]


def hashing(kinds: Collection[int]) -> HashSets:
    """What hashes the path attributes of these types."""
    if len(kinds) == _ALL_KINDS:
        return octet_hashes
    return lambda sets: _by_one(sets, kinds) if len(sets) < _FEW else _by_columns(sets, kinds)


def _by_one(sets: Sequence[bytes], kinds: Collection[int]) -> Hashes:
    hashes = np.zeros(len(sets), np.uint64)
    for row, octets in enumerate(sets):
        try:
            attributes = parsed(octets)
        except Malformed:
            hashes[row] = octet_hashes((octets,))[0]
            continue
        hashes[row] = octet_hashes(bytes((kind,)) + attributes[kind][1] for kind in kinds if kind in attributes).sum()
    return hashes


def _by_columns(sets: Sequence[bytes], kinds: Collection[int]) -> Hashes:
    """The same for many sets."""
    hashes = np.zeros(len(sets), np.uint64)
    walk = walked(sets)
    for kind in kinds:
        values, tag = walk.values(kind), bytes((kind,))
        spans = zip(values.starts.tolist(), (values.starts + values.sizes).tolist(), strict=True)
        hashes[values.rows] += octet_hashes(tag + walk.data[start:end] for start, end in spans)
    framed = np.zeros(len(sets), np.bool_)
    for _, values in walk.steps:
        framed[values.rows] = True
    for row in np.flatnonzero(~framed).tolist():
        if sets[row]:
            hashes[row] = octet_hashes((sets[row],))[0]
    return hashes
