"""The answers about attribute sets that a filter remembers, for every store that its routes have sets in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.types import Type
from rotonda.filters.answers import Answer, form
from rotonda.filters.batches import Kind, Numbers, RowBatch, SetBatch
from rotonda.filters.nodes import Depends, Node, Remembered
from rotonda.filters.per_set import PerSet
from rotoro.table import AttributeStore


class Memory:
    """What nodes that depend on sets alone said of them.

    All cheap ones are computed together, so that sets are taken apart once; a costly one when it is asked for.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._shelves: dict[Depends, _Shelf] = {}
        self._remembered: dict[int, Remembered] = {}

    def remember(self, node: Node, type: Type) -> Remembered:
        """A node that looks up what this one said of the set of a row."""
        found = self._remembered.get(id(node))
        if found is None:
            found = self._remembered[id(node)] = self._put(node, type)
        return found

    def prepare(self, depends: Depends, store: AttributeStore, numbers: Numbers) -> None:
        """Have the cheap answers ready for the sets with these numbers."""
        shelf = self._shelves.get(depends)
        if shelf is not None and len(numbers):
            shelf.per_set(store).prepare(numbers)

    def _put(self, node: Node, type: Type) -> Remembered:
        if node.costly:
            shelf = _Shelf(self._kind)
            place = shelf.put(node, type)
            return Remembered(node, lambda batch, numbers: shelf.asked(batch, numbers, place))
        shared = self._shelves.setdefault(node.depends, _Shelf(self._kind))
        own = shared.put(node, type)
        return Remembered(node, lambda batch, numbers: shared.known(batch, numbers, own))


class _Shelf:
    """Nodes whose answers are computed together."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._nodes: list[Node] = []
        self._layout: list[tuple[str, Any]] = []
        self._stated: list[bool] = []
        """For each node, whether there was a set for which it had no value."""
        self._stores: dict[AttributeStore, PerSet] = {}

    def put(self, node: Node, type: Type) -> int:
        """Where the answers of the node are."""
        place = len(self._nodes)
        self._nodes.append(node)
        self._layout += ((f"value{place}", form(type)), (f"state{place}", np.int32))
        self._stated.append(False)
        return place

    def per_set(self, store: AttributeStore) -> PerSet:
        """All answers about the sets of a store."""
        found = self._stores.get(store)
        if found is None:
            found = self._stores[store] = PerSet(store, self._compute)
        return found

    def asked(self, batch: RowBatch, numbers: Numbers, place: int) -> Answer:
        """What a node says of these sets."""
        self.per_set(batch.slot.attributes).prepare(numbers)
        return self.known(batch, numbers, place)

    def known(self, batch: RowBatch, numbers: Numbers, place: int) -> Answer:
        """The same, if it was asked before."""
        results = self.per_set(batch.slot.attributes).results
        values = results[f"value{place}"][numbers]
        return Answer(values, results[f"state{place}"][numbers] if self._stated[place] else None)

    def _compute(self, sets: Sequence[bytes]) -> NDArray[np.void]:
        made = np.zeros(len(sets), self._layout)
        batch = SetBatch(sets, self._kind)
        for place, node in enumerate(self._nodes if sets else ()):
            values, states = node.answer(batch)
            made[f"value{place}"] = values
            if states is not None:
                made[f"state{place}"] = states
                self._stated[place] = True
        return made
