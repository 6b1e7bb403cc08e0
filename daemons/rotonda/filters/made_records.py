"""The records that a filter makes of the rows of a batch, field by field, while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rotonda.blocks.types import RecordType
from rotonda.blocks.values import Prefix, RecordValue
from rotonda.filters import scalars
from rotonda.filters.batches import TypedRecords
from rotonda.filters.lists import Mask, Positions
from rotonda.filters.pools import Indices, Pool, combinations
from rotonda.filters.records import is_key


class MadeRecords:
    """Records of one type, one for each row; all fields are missing at first, but that of the prefix.

    Values are kept in pools, since most rows have the same values as others.
    """

    def __init__(self, gives: RecordType, count: int, prefix: Callable[[int], Prefix]) -> None:
        self._gives = gives
        self._prefix = prefix
        self._count = count
        self._pools: dict[str, Pool] = {}

    def records(self, rows: Positions) -> list[RecordValue]:
        """The records of some rows as they are now."""
        columns = [self._column(field.name, is_key(field), rows) for field in self._gives.fields]
        names = [field.name for field in self._gives.fields]
        return [
            RecordValue(self._gives.name, tuple(zip(names, values, strict=True)))
            for values in (zip(*columns, strict=True) if columns else [()] * len(rows))
        ]

    def change(self, field: str, change: str, arguments: Sequence[Pool], rows: Positions) -> Mask:
        """Change a field of these rows; gives the rows, of these, that cannot be changed so."""
        before = self._pools.get(field) or Pool([None], np.zeros(self._count, np.intp))
        if change == "set":
            (after,) = arguments
            first, which = combinations([after.places])
        else:
            first, which = combinations([before.places[rows], *(one.places for one in arguments)])
        values: list[Any] = []
        wrong = np.zeros(len(first), np.bool_)
        for at, row in enumerate(first.tolist()):
            given = [one.values[one.places[row]] for one in arguments]
            try:
                values.append(scalars.CHANGES[change](before.values[before.places[rows[row]]], *given))
            except ValueError:
                values.append(None)
                wrong[at] = True
        failed: Mask = wrong[which]
        places = before.places.copy()
        places[rows[~failed]] = len(before.values) + which[~failed]
        self._pools[field] = Pool(before.values + values, places)
        return failed

    def encoded(self, kind: TypedRecords, rows: Positions) -> tuple[list[bytes | None], Indices]:
        """The records of some rows as octets, each that differs once, and which each row has; None for those that
        cannot be carried."""
        pools = [pool.places[rows] for pool in self._pools.values()]
        first, which = combinations(pools or [np.zeros(len(rows), np.intp)])
        some = rows[first]
        own = {name: Pool(pool.values, pool.places[some]).used() for name, pool in self._pools.items()}
        return kind.encoded_rows(own, len(first)), which

    def _column(self, name: str, is_prefix: bool, rows: Positions) -> Sequence[Any]:
        pool = self._pools.get(name)
        if pool is not None:
            return [pool.values[place] for place in pool.places[rows].tolist()]
        return [self._prefix(row) for row in rows.tolist()] if is_prefix else [None] * len(rows)
