"""What the attribute sets of a store say, kept from one state of a RIB to the next: each set is read once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.types import RecordType
from rotonda.blocks.values import Value
from rotonda.filters.world import NONE
from rotonda.rib.per_set import PerSet
from rotonda.sources.prefix_tree import Mask, Numbers
from rotonda.sources.set_fields import SetField, set_field
from rotoro.table import AttributeStore
from rotoro.table.columns import distinct

MISSING = 0
"""The number of no value."""
_SPARE = 1024
"""Values that may be known though no set has them any more, above as many as there are sets."""


class SetValues:
    """The values of one field, each once and known by a number; and the number of what each set has."""

    def __init__(self, store: AttributeStore, field: SetField) -> None:
        self.field = field
        self._told: list[Hashable] = [None]
        self._known: dict[Hashable, int] = {None: MISSING}
        self._array = np.zeros(1, field.dtype)
        self._sets = PerSet(store, self._numbered)
        self.numbering = 0
        """How often values got other numbers."""

    def __len__(self) -> int:
        return len(self._told)

    def prune(self) -> None:
        """Forget values that no set has any more, if these may be most of them; the others get other numbers."""
        if len(self) <= 2 * len(self._sets.store.octets) + _SPARE:
            return
        kept = distinct(np.append(self._sets.results, MISSING))
        self._sets.results = kept.searchsorted(self._sets.results)
        self._told = [self._told[number] for number in kept.tolist()]
        self._known = {value: number for number, value in enumerate(self._told)}
        self._array = self._array[:1]
        self.numbering += 1

    def of_sets(self, sets: NDArray[np.uint32]) -> Numbers:
        """The numbers of what these sets have."""
        return np.asarray(self._sets.values(sets), np.int64)

    def of(self, value: Value) -> int:
        """The number of a value; NONE if no set that was asked for has it."""
        number = self._known.get(self.field.form(value), NONE)
        return NONE if number == MISSING else number

    def with_value(self, number: int) -> Mask:
        """Which sets have it, of those that were asked for; a row for each set."""
        return np.asarray(self._sets.results == number)

    def array(self, numbers: Numbers) -> NDArray[np.generic]:
        """These values as an array, with 0 where one is missing; of a field of numbers."""
        have = len(self._array)
        if have < len(self):
            self._array = np.concatenate((self._array, np.array(self._told[have:], self._array.dtype)))
        return self._array[numbers]

    def have(self, numbers: Numbers, items: NDArray[np.generic]) -> Mask:
        """Whether these values have these items, one of each; of a field of lists of numbers."""
        assert self.field.lists is not None
        asked = distinct(numbers[numbers != MISSING])
        lists = self.field.lists([self._told[number] for number in asked.tolist()])
        mask = np.asarray(numbers != MISSING)
        mask[mask] = lists.has_at(asked.searchsorted(numbers[mask]), items[mask])
        return mask

    def _numbered(self, sets: Sequence[bytes]) -> Numbers:
        """The numbers of what these sets have, which get one if they have none."""
        told = self.field.told(sets)
        for value in dict.fromkeys(told):
            if value not in self._known:
                self._known[value] = len(self._told)
                self._told.append(value)
        return np.fromiter(map(self._known.__getitem__, told), np.int64, len(sets))


class SetMemory:
    """What is known of sets, kept from view to view."""

    def __init__(self) -> None:
        self._made: dict[tuple[AttributeStore, RecordType, str], SetValues] = {}

    def of(self, store: AttributeStore, type: RecordType, field: str) -> SetValues:
        """What the sets of a store say in one field of their records."""
        known = self._made.get((store, type, field))
        if known is None:
            known = self._made[store, type, field] = SetValues(store, set_field(type, field))
        return known

    def keep(self, stores: Iterable[AttributeStore]) -> None:
        """Forget what is known of other stores, and what has become too much."""
        held = set(stores)
        self._made = {own: made for own, made in self._made.items() if own[0] in held}
        for made in self._made.values():
            made.prune()
