"""From typed filters to what tables put their rows through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np

from rotonda.blocks import types
from rotonda.blocks.lower_walk import expressions
from rotonda.blocks.places import Span
from rotonda.blocks.syntax import Direction
from rotonda.blocks.typed import ChangeField, Decide, InAction, Send, TypedFilter, When
from rotonda.blocks.typed import Step as TypedStep
from rotonda.blocks.types import RecordType
from rotonda.blocks.values import Value
from rotonda.filters.batches import Kind, Numbers, Routes, TypedRecords
from rotonda.filters.columns import Columns
from rotonda.filters.compiled_changes import ChangingMade, ChangingSets, change_of_record, change_of_route
from rotonda.filters.compiled_run import (
    ACCEPTED,
    FAILED,
    UNDECIDED,
    Choosing,
    Deciding,
    Run,
    Sending,
    Step,
    do_all,
    in_order,
)
from rotonda.filters.lists import Mask, Positions
from rotonda.filters.made_records import MadeRecords
from rotonda.filters.prefix_ranges import PrefixColumn
from rotonda.filters.world import World
from rotoro.table import AttributeStore, Records, RouteSlot

ACCEPT, REJECT = "ACCEPT", "REJECT"
"""What becomes of records on which a filter fails."""


@dataclass(slots=True)
class FilterCounts:
    """What a filter has done where it had effects."""

    seen: int = 0
    accepted: int = 0
    rejected: int = 0
    failures: Counter[Span] = field(default_factory=Counter)
    """Records on which it failed, by the place."""
    sent: Counter[str] = field(default_factory=Counter)
    """Records that were sent, by the output stream."""


def compiled(
    filter: TypedFilter,
    arguments: Mapping[str, Value],
    world: World,
    store: AttributeStore | None = None,
    on_failure: str = REJECT,
    counts: FilterCounts | None = None,
) -> CompiledFilter:
    """The filter, with its arguments, in a world that does not change.

    Records that it makes are kept in `store`; routes and changed records stay in the store that they came in. Raises
    ValueError for an argument that is missing, for messages, and for types of records that cannot be carried.
    """
    missing = [name for name, _ in filter.arguments if name not in arguments]
    if missing:
        raise ValueError(f"the filter {filter.name} needs {', '.join(missing)}")
    if not isinstance(filter.takes, RecordType) or not isinstance(filter.gives, RecordType):
        raise ValueError(f"the filter {filter.name} is one of messages")  # noqa: TRY004  # a filter of another kind
    return CompiledFilter(filter, arguments, world, store, on_failure, counts)


class CompiledFilter:
    """See `RouteFilter`."""

    def __init__(
        self,
        filter: TypedFilter,
        arguments: Mapping[str, Value],
        world: World,
        store: AttributeStore | None = None,
        on_failure: str = REJECT,
        counts: FilterCounts | None = None,
    ) -> None:
        assert isinstance(filter.takes, RecordType)
        self.counts = FilterCounts() if counts is None else counts
        self.filter = filter
        self.world = world
        self._kind = _kind(filter.takes)
        self._makes = _Making(filter, store) if filter.direction is Direction.TX else None
        self.on_failure = on_failure
        self._accepts_failures = on_failure == ACCEPT and self._makes is None
        changes = filter.direction is Direction.RX_TX
        self._columns = Columns(filter.takes, arguments, world, self._kind, changes=changes)
        self._changes: dict[int, ChangingSets] = {}
        """What changes sets, by the step: the same in every world, as it is told all values."""
        self._steps = self._compiled(filter.steps)

    def in_world(self, world: World) -> CompiledFilter:
        """The same filter in another world. Both remember together what no data source is asked for."""
        made = copy(self)
        made.world = world
        made._columns = self._columns.in_world(world)
        made._steps = made._compiled(self.filter.steps)
        return made

    def asks_what_covers(self, source: str) -> bool:
        """Whether it asks a data source for nothing but what covers the prefix of a row.

        VRPs and records that do not cover the prefix then make no difference to a row.
        """
        return self._columns.asks_what_covers(expressions(self.filter.steps), source)

    def slot(self, slot: RouteSlot) -> RouteSlot:
        """The same, or the one of the records that are made."""
        return slot if self._makes is None else self._makes.slot(slot)

    def run(self, slot: RouteSlot, records: Records, *, effects: bool = True) -> Records:
        """The accepted ones of these rows, as they are afterwards."""
        made = None if self._makes is None else self._makes.records(slot, records)
        run = Run(self._columns, slot, records, self._kind, made, effects)
        do_all(self._steps, run, np.arange(len(records)))
        accepted = (run.verdicts == ACCEPTED) | (run.verdicts == UNDECIDED)
        if self._accepts_failures:
            accepted |= run.verdicts == FAILED
        if made is not None and self._makes is not None:
            result = self._makes.result(run, made, accepted)
        else:
            result = _result(run, accepted)
        if effects:
            self._take_effect(run, len(records), len(result))
        return result

    # --- steps -------------------------------------------------------------------------------------------------------

    def _compiled(self, steps: Sequence[TypedStep]) -> list[Step]:
        made: list[Step] = []
        for step in steps:
            match step:
                case InAction(steps=within):
                    made += self._compiled(within)
                case _:
                    made.append(self._step(step))
        return made

    def _step(self, step: TypedStep) -> Step:
        match step:
            case Decide(accept=accept):
                return Deciding(accept)
            case When(condition=condition, then=then, otherwise=otherwise):
                return Choosing(self._columns.of_rows(condition), self._compiled(then), self._compiled(otherwise))
            case Send(stream=stream, record=record):
                assert isinstance(record.type, RecordType)
                return Sending(stream, record, record.type)
            case ChangeField():
                return self._change(step)
            case _:
                raise AssertionError(f"{step!r} is no step")

    def _change(self, step: ChangeField) -> Step:
        failed = self._columns.places.failed(step.span)
        if self._makes is not None:
            return ChangingMade(step, failed)
        found = self._changes.get(id(step))
        if found is None:
            kind = self._kind
            changed = change_of_record(step, kind) if isinstance(kind, TypedRecords) else change_of_route(step)
            found = self._changes[id(step)] = ChangingSets(step, changed, failed)
        return found

    # --- effects -----------------------------------------------------------------------------------------------------

    def _take_effect(self, run: Run, seen: int, accepted: int) -> None:
        self.counts.seen += seen
        self.counts.accepted += accepted
        self.counts.rejected += seen - accepted
        for states in run.failures:
            found, counts = np.unique(states, return_counts=True)
            for state, count in zip(found.tolist(), counts.tolist(), strict=True):
                self.counts.failures[self._columns.places.span(state)] += count
        for stream, sent in run.sent.items():
            self.counts.sent[stream] += len(sent)
            for of, values in in_order(sent):
                self.world.send(stream, values, of)


def _kind(takes: RecordType) -> Kind:
    return Routes() if takes == types.ROUTE else TypedRecords(takes)


def _result(run: Run, accepted: Mask) -> Records:
    """The accepted rows; those on which the filter failed as they came."""
    rows = run.batch.whole
    goes = run.batch.goes
    if goes is not run.batch.came:
        goes = np.where(run.verdicts == FAILED, run.batch.came, goes)
    if accepted.all():
        same = goes is run.batch.came or np.array_equal(goes, run.batch.came)
        return rows if same else Records(rows.keys, goes, rows.times)
    return Records(rows.keys[accepted], goes[accepted], None if rows.times is None else rows.times[accepted])


class _Making:
    """A filter that makes new records, and where it puts them."""

    def __init__(self, filter: TypedFilter, store: AttributeStore | None) -> None:
        assert isinstance(filter.gives, RecordType)
        self._gives = filter.gives
        self._kind = TypedRecords(filter.gives)
        self._store = AttributeStore() if store is None else store
        self._span = filter.span

    def slot(self, slot: RouteSlot) -> RouteSlot:
        """Where records go that are made of rows of this slot."""
        return RouteSlot(slot.family, slot.ingress, self._store)

    def records(self, slot: RouteSlot, rows: Records) -> MadeRecords:
        """New records, one for each row."""
        return MadeRecords(self._gives, len(rows), PrefixColumn(rows.keys).prefix)

    def result(self, run: Run, made: MadeRecords, accepted: Mask) -> Records:
        """The accepted rows with their new records. Those that cannot be carried fail at the filter itself."""
        rows: Positions = np.flatnonzero(accepted)
        octets, which = made.encoded(self._kind, rows)
        there = np.fromiter((one is not None for one in octets), np.bool_, len(octets))
        numbers: Numbers = np.zeros(len(octets), np.uint32)
        numbers[there] = self._store.intern_all([one for one in octets if one is not None])
        failed = run.columns.places.failed(self._span)
        rows = run.fail(rows, np.where(there[which], np.int32(0), np.int32(failed)))
        own = run.batch.whole
        values = numbers[which[there[which]]]
        return Records(own.keys[rows], values, None if own.times is None else own.times[rows])
