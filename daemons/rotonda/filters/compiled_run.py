"""One batch on its way through a compiled filter, and the steps that it takes.

Rows go from step to step together, as far as they take the same way. What `rotonda.filters.interpret` says of one
record is what becomes of each row here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.typed import Expr
from rotonda.blocks.types import RecordType
from rotonda.blocks.values import RecordValue
from rotonda.filters.answers import THERE, States, one_by_one
from rotonda.filters.batches import Kind, Numbers, RowBatch
from rotonda.filters.columns import Columns
from rotonda.filters.interpret import frozen
from rotonda.filters.lists import Positions
from rotonda.filters.made_records import MadeRecords
from rotonda.filters.nodes import Node, distinct_rows
from rotonda.filters.pools import Pool
from rotoro.table import Records, RouteSlot

UNDECIDED, ACCEPTED, REJECTED, FAILED = range(4)
"""What became of a row."""

_ANY = RecordType("", ())  # values that are taken as they are


class Step(Protocol):
    """One step, for many rows."""

    def do(self, run: Run, rows: Positions) -> Positions:
        """Do it for these rows, in ascending order; gives those that go on."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A record that a row sends."""

    row: int
    record: RecordValue
    type: RecordType


class Run:
    """One batch, and what became of its rows so far."""

    def __init__(
        self, columns: Columns, slot: RouteSlot, records: Records, kind: Kind, made: MadeRecords | None, effects: bool
    ) -> None:
        self.columns = columns
        self.made = made
        self.effects = effects
        self.batch = RowBatch(slot, records, kind, made=None if made is None else made.records)
        self.verdicts = np.zeros(len(records), np.uint8)
        self.failures: list[States] = []
        self.sent: dict[str, list[Sent]] = {}
        columns.prepare(slot.attributes, self.batch.came)

    def at(self, rows: Positions) -> RowBatch:
        """These rows as they are now."""
        return self.batch if len(rows) == len(self.batch) else self.batch.take(rows)

    def fail(self, rows: Positions, states: States | None) -> Positions:
        """End the filter for rows that lack what they need, as their states tell; gives the others."""
        if states is None:
            return rows
        lacking = states != THERE
        if not lacking.any():
            return rows
        self.verdicts[rows[lacking]] = FAILED
        self.failures.append(states[lacking])
        left: Positions = rows[~lacking]
        return left

    def change(self, rows: Positions, numbers: Numbers) -> None:
        """The rows go out with these sets from now on."""
        goes = self.batch.goes.copy()
        goes[rows] = numbers
        self.batch = self.batch.after(goes)
        self.columns.prepare(self.batch.slot.attributes, numbers)

    def pools(self, wanted: Sequence[Expr], rows: Positions) -> tuple[Positions, list[Pool]]:
        """The values of expressions, looked at in their order, and the rows that have all of them."""
        found: list[Pool] = []
        for expression in wanted:
            pool, states = self._pool(expression, rows)
            left = self.fail(rows, states)
            if states is not None and len(left) < len(rows):
                there = states == THERE
                found, pool = [one.take(there) for one in found], pool.take(there)
            rows = left
            found.append(pool)
        return rows, found

    def _pool(self, wanted: Expr, rows: Positions) -> tuple[Pool, States | None]:
        """Each value is computed once where it must be the same."""
        batch = self.at(rows)
        column = self.columns.of_each_row(wanted)
        if column is not None and len(batch):
            answer = column.answer(batch)
            values, places = np.unique(answer.values, return_inverse=True)
            return Pool(values.tolist(), places), answer.states
        alike: NDArray[np.intp] | None = np.arange(len(rows))
        if len(rows):
            distinct, same = distinct_rows(batch, self.columns.depends(wanted))
            if distinct is not None:
                batch, alike = batch.take(distinct), same
        if alike is None:
            alike = np.zeros(len(rows), np.intp)
        found = one_by_one(_ANY, self.columns.places, self.columns.question(wanted), batch.records(), len(batch))
        return Pool(found.values.tolist(), alike), None if found.states is None else found.states[alike]


def do_all(steps: Sequence[Step], run: Run, rows: Positions) -> Positions:
    """The steps in their order."""
    for step in steps:
        if not len(rows):
            break
        rows = step.do(run, rows)
    return rows


@dataclass(frozen=True, slots=True)
class Deciding:
    """Rows are accepted, or rejected."""

    accept: bool

    def do(self, run: Run, rows: Positions) -> Positions:
        """None goes on."""
        run.verdicts[rows] = ACCEPTED if self.accept else REJECTED
        return rows[:0]


@dataclass(frozen=True, slots=True)
class Choosing:
    """Rows for which a condition holds go one way, the others another."""

    condition: Node
    then: Sequence[Step]
    otherwise: Sequence[Step]

    def do(self, run: Run, rows: Positions) -> Positions:
        """Those that neither way decides go on together."""
        answer = self.condition.answer(run.at(rows))
        lacking = ~answer.values
        if answer.states is not None:
            run.fail(rows, answer.states)
            lacking &= answer.states == THERE
        ways = [do_all(self.then, run, rows[answer.holding]), do_all(self.otherwise, run, rows[lacking])]
        left = [way for way in ways if len(way)]
        if len(left) == 2:
            return np.sort(np.concatenate(left))
        return left[0] if left else rows[:0]


@dataclass(frozen=True, slots=True)
class Sending:
    """A record is sent for each row."""

    stream: str
    record: Expr
    of: RecordType

    def do(self, run: Run, rows: Positions) -> Positions:
        """Those go on for which the record can be made, whether it is sent or not."""
        rows, (pool,) = run.pools([self.record], rows)
        if run.effects:
            values, places = pool.used()
            records = [frozen(self.of, value) for value in values]
            sent = (Sent(row, records[at], self.of) for row, at in zip(rows.tolist(), places.tolist(), strict=True))
            run.sent.setdefault(self.stream, []).extend(sent)
        return rows


def in_order(sent: Sequence[Sent]) -> Iterator[tuple[RecordType, list[RecordValue]]]:
    """Records in the order of their rows, in runs of one type."""
    of: RecordType | None = None
    run: list[RecordValue] = []
    for one in sorted(sent, key=lambda one: one.row):
        if run and one.type is not of:
            assert of is not None
            yield of, run
            run = []
        of = one.type
        run.append(one.record)
    if of is not None:
        yield of, run
