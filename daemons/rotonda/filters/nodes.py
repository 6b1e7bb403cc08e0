"""Expressions that work on columns: each node gives an `Answer` for all rows of a batch.

Nodes say what they depend on. One that depends on an attribute set alone is asked about sets, once for each, and rows
look it up (`Remembered`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntFlag
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks import types
from rotonda.blocks.syntax import Operator
from rotonda.blocks.types import Type
from rotonda.filters.answers import THERE, Answer, Places, first_states, form, one_by_one
from rotonda.filters.batches import Numbers, RowBatch
from rotonda.filters.generated import Question
from rotonda.filters.lists import Mask
from rotonda.filters.prefix_ranges import PrefixRanges
from rotonda.filters.world import NONE, SourceGone


class Depends(IntFlag):
    """What the value of an expression depends on: 0 is constant."""

    INGRESS = 1
    CAME = 2
    """The attribute set that a route came with."""
    GOES = 4
    """The one that it goes out with."""
    ROW = 8
    """Prefix, path identifier, time."""
    MADE = 16
    """The record that the filter makes."""


CONSTANT = Depends(0)
SETS = (Depends.CAME, Depends.GOES)


class Node(Protocol):
    """An expression of columns."""

    @property
    def depends(self) -> Depends:
        """On what."""

    @property
    def costly(self) -> bool:
        """Whether it is better asked of few rows."""

    def answer(self, batch: Any) -> Answer:
        """For each row."""


class Plain:
    """A node that computes columns from columns of the batch itself, or from answers of others."""

    def __init__(self, depends: Depends, compute: Callable[[Any], Answer], costly: bool = False) -> None:
        self.depends = depends
        self.costly = costly
        self.answer = compute


class Single:
    """What is asked record by record, but no more often than what it depends on differs."""

    def __init__(self, depends: Depends, type: Type, places: Places, ask: Question) -> None:
        self.depends = depends
        self.type = type
        self._places = places
        self._ask = ask

    @property
    def costly(self) -> bool:
        """Rather more than all others."""
        return self.depends not in (CONSTANT, Depends.INGRESS)

    def answer(self, batch: Any) -> Answer:
        """For each row."""
        if not isinstance(batch, RowBatch) or not len(batch):
            return self._one_by_one(batch)
        distinct, rows = distinct_rows(batch, self.depends)
        if distinct is None:
            return self._one_by_one(batch)
        found = self._one_by_one(batch.take(distinct))
        if rows is not None:
            return found.take(rows)
        states = None if found.states is None else np.broadcast_to(found.states, (len(batch),))
        return Answer(np.broadcast_to(found.values, (len(batch),)), states)

    def _one_by_one(self, batch: Any) -> Answer:
        return one_by_one(self.type, self._places, self._ask, batch.records(), len(batch))


def distinct_rows(batch: RowBatch, depends: Depends) -> tuple[NDArray[np.intp] | None, NDArray[np.intp] | None]:
    """Rows that stand for all others of which the same depends, and which of these each row is like.

    None and None if every row stands for itself; a row and None if it stands for all.
    """
    if depends & (Depends.ROW | Depends.MADE) or (depends & Depends.CAME and depends & Depends.GOES):
        return None, None
    if not depends & (Depends.CAME | Depends.GOES):
        return np.zeros(1, np.intp), None
    numbers = batch.came if depends & Depends.CAME else batch.goes
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    order = np.argsort(first)  # rows are taken in ascending order
    ranks = np.empty(len(order), np.intp)
    ranks[order] = np.arange(len(order))
    return first[order], ranks[inverse]


class Remembered:
    """What depends on a set alone: looked up by the numbers of rows."""

    costly = False

    def __init__(self, node: Node, look_up: Callable[[RowBatch, Numbers], Answer]) -> None:
        self.depends = node.depends
        self._look_up = look_up

    def answer(self, batch: RowBatch) -> Answer:
        """For each row."""
        return self._look_up(batch, batch.came if self.depends == Depends.CAME else batch.goes)


def joined(nodes: Sequence[Node]) -> Depends:
    """What several nodes together depend on."""
    found = CONSTANT
    for node in nodes:
        found |= node.depends
    return found


class Combined:
    """A node of some operands, all of which must have values."""

    def __init__(self, operands: Sequence[Node], compute: Callable[..., NDArray[Any]]) -> None:
        self.depends = joined(operands)
        self.costly = any(operand.costly for operand in operands)
        self._operands = operands
        self._compute = compute

    def answer(self, batch: Any) -> Answer:
        """For each row."""
        answers = [operand.answer(batch) for operand in self._operands]
        states = first_states(*(answer.states for answer in answers))
        return Answer(self._compute(*(answer.values for answer in answers)), states)


COMPARISONS: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.EQUAL: np.equal,
    Operator.UNEQUAL: np.not_equal,
    Operator.LESS: np.less,
    Operator.LESS_EQUAL: np.less_equal,
    Operator.GREATER: np.greater,
    Operator.GREATER_EQUAL: np.greater_equal,
}


class Logic:
    """Parts of which one that decides - that says `decisive`, or has no value - ends the looking.

    All of them with `decisive` False, one of them with True.
    """

    def __init__(self, parts: Sequence[Node], decisive: bool) -> None:
        self.depends = joined(parts)
        self.costly = any(part.costly for part in parts)
        self._parts = parts
        self._decisive = decisive

    def answer(self, batch: Any) -> Answer:
        """For each row."""
        values: Mask = np.full(len(batch), not self._decisive)
        states: NDArray[np.int32] | None = None
        open_rows: NDArray[np.intp] | None = None  # None for all
        for part in self._parts:
            if open_rows is not None and not len(open_rows):
                break
            every = open_rows is None or (not part.costly and 2 * len(open_rows) > len(batch))
            rows = open_rows if not every else None
            found = part.answer(batch if rows is None else batch.take(rows))
            if open_rows is not None and rows is None:
                found, rows = found.take(open_rows), open_rows
            decided = found.values == self._decisive
            if found.states is not None:
                without = found.states != THERE
                if without.any():
                    states = np.zeros(len(batch), np.int32) if states is None else states
                    if rows is None:
                        states[:] = found.states
                    else:
                        states[rows] = found.states
                    decided = decided | without
            if rows is None:
                values = np.where(decided, self._decisive, not self._decisive)
                open_rows = np.flatnonzero(~decided)
            else:
                values[rows[decided]] = self._decisive
                open_rows = rows[~decided]
        return Answer(values, states)


class OneOf:
    """Whether one part holds and no other; what stands behind the second that holds is not looked at."""

    def __init__(self, parts: Sequence[Node]) -> None:
        self.depends = joined(parts)
        self.costly = any(part.costly for part in parts)
        self._parts = parts

    def answer(self, batch: Any) -> Answer:
        """For each row."""
        counts = np.zeros(len(batch), np.int8)
        states: NDArray[np.int32] | None = None
        rows = np.arange(len(batch))
        for part in self._parts:
            if not len(rows):
                break
            found = part.answer(batch if len(rows) == len(batch) else batch.take(rows))
            counts[rows] += found.holding
            going_on = counts[rows] < 2
            if found.states is not None:
                states = np.zeros(len(batch), np.int32) if states is None else states
                states[rows] = found.states
                going_on &= found.states == THERE
            rows = rows[going_on]
        return Answer(counts == 1, states)


class Exists:
    """Whether there is a value; what failed still fails."""

    def __init__(self, node: Node) -> None:
        self.depends = node.depends
        self.costly = node.costly
        self._node = node

    def answer(self, batch: Any) -> Answer:
        """For each row."""
        states = self._node.answer(batch).states
        if states is None:
            return Answer(np.ones(len(batch), np.bool_))
        missing = states % 2 == 1
        return Answer(~missing, np.where(missing, np.int32(THERE), states))


class InRanges:
    """Which rows have a prefix in some ranges."""

    depends = Depends.ROW
    costly = False

    def __init__(self, ranges: PrefixRanges, negated: bool = False) -> None:
        self._ranges = ranges
        self._negated = negated

    def answer(self, batch: RowBatch) -> Answer:
        """For each row."""
        return Answer(self._ranges.matches(batch.prefixes) != self._negated)


class OfSource:
    """What a data source says of columns of values; where it has no answer, rows fail."""

    costly = True

    def __init__(
        self, type: Type, gone: int, operands: Sequence[Node], ask: Callable[..., NDArray[Any]], more: Depends
    ) -> None:
        """`gone` is the state of rows that fail; `ask` gets the batch and the values of the operands, and depends on
        more than these."""
        self.depends = joined(operands) | more
        self._type = type
        self._gone = gone
        self._operands = operands
        self._ask = ask

    def answer(self, batch: Any) -> Answer:
        """For each row."""
        answers = [operand.answer(batch) for operand in self._operands]
        states = first_states(*(answer.states for answer in answers))
        try:
            return Answer(self._ask(batch, *(answer.values for answer in answers)), states)
        except SourceGone:
            failed = np.full(len(batch), self._gone, np.int32)
            return Answer(np.zeros(len(batch), form(self._type)), first_states(states, failed))


class FirstFound:
    """The number of the first record that a table finds for each row; missing where it finds none."""

    costly = True

    def __init__(
        self, gone: int, nothing: int, operands: Sequence[Node], ask: Callable[..., NDArray[np.int64]], more: Depends
    ) -> None:
        """`gone` and `nothing` are the states of rows of which the table knows nothing; the rest as in `OfSource`."""
        self._numbers = OfSource(types.U64, gone, operands, ask, more)
        self.depends = self._numbers.depends
        self._nothing = np.int32(nothing)

    def answer(self, batch: Any) -> Answer:
        """For each row; 0 stands where there is none."""
        found = self._numbers.answer(batch)
        states = first_states(found.states, np.where(found.values == NONE, self._nothing, np.int32(THERE)))
        return Answer(np.maximum(found.values, 0), states)


class Known:
    """What another node says, missing where somebody does not know it."""

    def __init__(self, node: Node, missing: int, known: Callable[[Any], Mask | None]) -> None:
        self.depends = node.depends
        self.costly = node.costly
        self._node = node
        self._missing = np.int32(missing)
        self._known = known

    def answer(self, batch: Any) -> Answer:
        """For each row."""
        found = self._node.answer(batch)
        known = self._known(found.values)
        if known is None:
            return found
        return Answer(found.values, first_states(found.states, np.where(known, np.int32(THERE), self._missing)))


class Failing:
    """What fails for all rows."""

    depends = CONSTANT
    costly = False

    def __init__(self, type: Type, state: int) -> None:
        self._type = type
        self._state = state

    def answer(self, batch: Any) -> Answer:
        """For each row."""
        return Answer(np.zeros(len(batch), form(self._type)), np.full(len(batch), self._state, np.int32))
