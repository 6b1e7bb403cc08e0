"""The answers about attribute sets that a filter remembers, for every store that its routes have sets in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.types import Type
from rotonda.filters.answers import Answer, form
from rotonda.filters.batches import Kind, Numbers, RowBatch, SetBatch
from rotonda.filters.nodes import Node, Remembered
from rotonda.rib.per_set import PerSet
from rotoro.table import AttributeStore


class Memory:
    """What nodes that depend on sets alone said of them.

    All cheap ones are computed together, so that sets are taken apart once; a costly one when it is asked for.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._cheap = _Shelf(kind)
        self._remembered: dict[int, Remembered] = {}

    def remember(self, node: Node, type: Type) -> Remembered:
        """A node that looks up what this one said of the set of a row."""
        found = self._remembered.get(id(node))
        if found is None:
            found = self._remembered[id(node)] = self._put(node, type)
        return found

    def prepare(self, store: AttributeStore, numbers: Numbers) -> None:
        """Have the cheap answers ready for the sets with these numbers."""
        if self._cheap.is_used and len(numbers):
            self._cheap.prepare(store, numbers)

    def _put(self, node: Node, type: Type) -> Remembered:
        if not node.costly:
            place = self._cheap.put(node, type)
            return Remembered(node, lambda batch, numbers: self._cheap.known(batch.slot.attributes, numbers, place))
        own = _Shelf(self._kind)
        only = own.put(node, type)

        def asked(batch: RowBatch, numbers: Numbers) -> Answer:
            own.prepare(batch.slot.attributes, numbers)
            return own.known(batch.slot.attributes, numbers, only)

        return Remembered(node, asked)


class _Shelf:
    """Nodes whose answers are computed together."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._nodes: list[Node] = []
        self._layout: list[tuple[str, Any]] = []
        self._stated: list[bool] = []
        """For each node, whether there was a set for which it had no value."""
        self._stores: dict[AttributeStore, _Answers] = {}

    @property
    def is_used(self) -> bool:
        """Whether there are any."""
        return bool(self._nodes)

    def put(self, node: Node, type: Type) -> int:
        """Where the answers of the node are."""
        place = len(self._nodes)
        self._stores.clear()  # what was computed before has no room for its answers
        self._nodes.append(node)
        self._layout += ((f"value{place}", form(type)), (f"state{place}", np.int32))
        self._stated.append(False)
        return place

    def prepare(self, store: AttributeStore, numbers: Numbers) -> None:
        """Ask about those of these sets that were not asked about yet."""
        self._of(store).per_set.prepare(numbers)

    def known(self, store: AttributeStore, numbers: Numbers, place: int) -> Answer:
        """What a node says of these sets, about which it was asked before."""
        answers = self._of(store)
        values = answers.column(f"value{place}", len(numbers))[numbers]
        return Answer(values, answers.column(f"state{place}", len(numbers))[numbers] if self._stated[place] else None)

    def _of(self, store: AttributeStore) -> _Answers:
        found = self._stores.get(store)
        if found is None:
            found = self._stores[store] = _Answers(PerSet(store, self._compute))
        return found

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


class _Answers:
    """The answers about the sets of one store.

    Answers about one set lie together. For who asks about many sets they are copied, so that those of one node do.
    """

    def __init__(self, per_set: PerSet) -> None:
        self.per_set = per_set
        self._copied: dict[str, NDArray[Any]] = {}
        self._refreshed = 0

    def column(self, name: str, asked: int) -> NDArray[Any]:
        """A column of all answers, by number, for so many questions."""
        answers: Any = self.per_set.results
        if asked < len(answers):
            column: NDArray[Any] = answers[name]
            return column
        if self._refreshed != self.per_set.refreshed:
            self._copied.clear()
            self._refreshed = self.per_set.refreshed
        if name not in self._copied:
            self._copied[name] = np.ascontiguousarray(answers[name])
        return self._copied[name]
