"""Steps of compiled filters that change what goes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from rotonda.blocks.typed import ChangeField
from rotonda.blocks.values import RecordValue
from rotonda.filters import scalars
from rotonda.filters.batches import TypedRecords
from rotonda.filters.changes import route_edits
from rotonda.filters.compiled_run import Run
from rotonda.filters.edits import edited
from rotonda.filters.interpret import frozen
from rotonda.filters.lists import Positions
from rotonda.filters.pools import Pool, combinations

Changed = Callable[[bytes, int, tuple[Any, ...]], bytes]
"""A set after a change with these values, for rows of a family. Raises ValueError."""

_REMEMBERED = 1 << 20  # changes of sets that one step remembers; more are done again
_KNOWN_EDITS = 256


class ChangingSets:
    """A field is changed that the set of a row tells. Each set is changed once for each of the values."""

    def __init__(self, step: ChangeField, changed: Changed, failed: int) -> None:
        """`failed` is the state of rows for which it cannot be done."""
        self._step = step
        self._changed = changed
        self._failed = failed
        self._remembered: dict[tuple[bytes, int, tuple[Any, ...]], bytes | None] = {}

    def do(self, run: Run, rows: Positions) -> Positions:
        """Those that cannot be changed so do not go on."""
        rows, arguments = run.pools(self._step.arguments, rows)
        if not len(rows):
            return rows
        numbers = run.batch.goes[rows]
        first, which = combinations([numbers, *(one.places for one in arguments)])
        store, family = run.batch.slot.attributes, run.batch.slot.family
        after = [
            self._after(store.octets[numbers[row]], family, tuple(one.values[one.places[row]] for one in arguments))
            for row in first.tolist()
        ]
        new = store.intern_all([octets for octets in after if octets is not None])
        if len(new) == len(after):
            run.change(rows, new[which])
            return rows
        there = np.fromiter((octets is not None for octets in after), np.bool_, len(after))
        whole = np.zeros(len(after), np.uint32)
        whole[there] = new
        rows_there = there[which]
        run.change(rows[rows_there], whole[which[rows_there]])
        return run.fail(rows, np.where(rows_there, np.int32(0), np.int32(self._failed)))

    def _after(self, octets: bytes, family: int, values: tuple[Any, ...]) -> bytes | None:
        key = octets, family, values
        if key not in self._remembered:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            try:
                self._remembered[key] = self._changed(octets, family, values)
            except ValueError:
                self._remembered[key] = None
        return self._remembered[key]


def change_of_route(step: ChangeField) -> Changed:
    """What a step does to the attributes of a route."""
    edits = lru_cache(_KNOWN_EDITS)(partial(route_edits, step.field, step.change))

    def changed(octets: bytes, family: int, values: tuple[Any, ...]) -> bytes:
        return edited(octets, edits(values, family))

    return changed


def change_of_record(step: ChangeField, kind: TypedRecords) -> Changed:
    """What a step does to a record."""

    def changed(octets: bytes, family: int, values: tuple[Any, ...]) -> bytes:
        record = kind.decoded(octets, None)
        fields = dict(record.fields)
        fields[step.field] = scalars.CHANGES[step.change](fields[step.field], *_kept(step, values))
        return kind.encoded(RecordValue(record.type, tuple(fields.items())))

    return changed


class ChangingMade:
    """A field of the records that the filter makes is changed."""

    def __init__(self, step: ChangeField, failed: int) -> None:
        """`failed` is the state of rows for which it cannot be done."""
        self._step = step
        self._failed = failed

    def do(self, run: Run, rows: Positions) -> Positions:
        """Those that cannot be changed so do not go on."""
        assert run.made is not None
        rows, arguments = run.pools(self._step.arguments, rows)
        if not len(rows):
            return rows
        kept = [
            Pool([_kept_one(self._step, at, value) for value in used.values], used.places)
            for at, used in enumerate(pool.used() for pool in arguments)
        ]
        wrong = run.made.change(self._step.field, self._step.change, kept, rows)
        return run.fail(rows, np.where(wrong, np.int32(self._failed), np.int32(0)))


def _kept(step: ChangeField, values: Sequence[Any]) -> list[Any]:
    return [_kept_one(step, at, value) for at, value in enumerate(values)]


def _kept_one(step: ChangeField, at: int, value: Any) -> Any:
    return frozen(step.arguments[at].type, value)
