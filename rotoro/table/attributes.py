"""Attribute sets, each kept once.

A full table has many routes per attribute set, so routes carry the number of a set and a store holds the octets.

Who calls what: whoever reads routes calls `intern_all`. Whoever owns a table calls `retain` with the numbers of the
rows that come into its snapshot and `release` with the numbers of the rows that it forgets; `History` does both by
itself, and holds on to what its retained diffs still name. The owner of the store calls `sweep` from time to time. A
number is given to another set only after two sweeps found it without a row, with no call that named it in between. So
the time between two sweeps must be longer than a batch takes from `intern_all` to its commit, and longer than anybody
reads a snapshot that is not the current one: some minutes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rotoro.table.digest import Hashes, octet_hashes

Numbers = NDArray[np.uint32]

_FIRST_CAPACITY = 1024


class AttributeStore:
    """Attribute sets by number, and numbers by attribute set; `len` counts the sets."""

    def __init__(self) -> None:
        self.octets: list[bytes] = []
        """The sets by number; b"" where a number is free."""
        self._numbers: dict[bytes, int] = {}
        self._free: list[int] = []
        self._hashes = np.zeros(_FIRST_CAPACITY, np.uint64)
        self._references = np.zeros(_FIRST_CAPACITY, np.int64)
        self._idle = np.zeros(_FIRST_CAPACITY, np.bool_)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def hashes(self) -> Hashes:
        """The BLAKE2b-64 of each set, by number (read-only, for now: it is replaced when the store grows)."""
        hashes = self._hashes[: len(self.octets)]
        hashes.flags.writeable = False
        return hashes

    def intern(self, octets: bytes) -> int:
        """The number of one set."""
        return int(self.intern_all((octets,))[0])

    def intern_all(self, sets: Sequence[bytes]) -> Numbers:
        """The numbers of these sets, which get one if they have none."""
        found: Sequence[int | None] = list(map(self._numbers.get, sets))
        if None in found:
            found = self._with_new(sets, found)
        numbers = np.array(found, np.uint32)
        self._idle[numbers] = False
        return numbers

    def retain(self, numbers: Numbers) -> None:
        """Rows with these numbers came into a table; a number counts as often as it occurs."""
        np.add.at(self._references, numbers, 1)

    def release(self, numbers: Numbers) -> None:
        """Rows with these numbers are forgotten. Raises ValueError, and changes nothing, if they were not retained."""
        np.subtract.at(self._references, numbers, 1)
        lacking = numbers[self._references[numbers] < 0]
        if len(lacking):
            np.add.at(self._references, numbers, 1)
            raise ValueError(f"attribute set {lacking[0]} is released more often than it was retained")
        self._idle[numbers] = False

    def sweep(self) -> int:
        """Free what no row has needed since the sweep before; returns how many sets that were."""
        count = len(self.octets)
        unused = self._references[:count] == 0
        unused[self._free] = False
        freed = np.flatnonzero(unused & self._idle[:count]).tolist()
        self._idle[:count] = unused
        for number in freed:
            del self._numbers[self.octets[number]]
            self.octets[number] = b""
        self._free.extend(freed)
        return len(freed)

    def _with_new(self, sets: Sequence[bytes], found: Sequence[int | None]) -> Sequence[int]:
        """The numbers of these sets, of which some were not found."""
        new = list(dict.fromkeys(octets for octets, number in zip(sets, found, strict=True) if number is None))
        numbers = self._add(new)
        return numbers if len(new) == len(sets) else list(map(self._numbers.__getitem__, sets))

    def _add(self, new: list[bytes]) -> list[int]:
        """Give these sets numbers: free ones first."""
        free = [self._free.pop() for _ in range(min(len(new), len(self._free)))]
        for number, octets in zip(free, new, strict=False):
            self.octets[number] = octets
        first = len(self.octets)
        self.octets.extend(new[len(free) :])
        numbers = [*free, *range(first, len(self.octets))]
        self._grow(len(self.octets))
        self._hashes[numbers] = octet_hashes(new)
        self._numbers.update(zip(new, numbers, strict=True))
        return numbers

    def _grow(self, needed: int) -> None:
        if needed > len(self._hashes):
            more = max(needed, 2 * len(self._hashes)) - len(self._hashes)
            self._hashes = np.pad(self._hashes, (0, more))
            self._references = np.pad(self._references, (0, more))
            self._idle = np.pad(self._idle, (0, more))
