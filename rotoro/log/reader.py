"""What a reader makes of the log: the table of the partitions that it holds.

The table is one, whatever partitions its rows are from: to which partition a row belongs, its address says. What comes
of a cell takes the place of all that the table has in it, so that the order of the records is all that counts, and it
does not matter which of them compaction has left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rotoro.log.cells import MARK_OCTETS, Cell, lying_in
from rotoro.log.read import Batch, Columns, Mark, Message, Refused, read_mark
from rotoro.table import AttributeStore, Change, Diff, Ingress, Records, RouteSlot, Slot, Snapshot
from rotoro.table.digest import MODULUS, total

Rows = NDArray[np.intp]

INTERNED = 4096
"""How many attribute sets get their numbers in one step; it takes some milliseconds."""

Adopt = Callable[[Ingress], Ingress]
"""Gives an ingress the number that it has here."""


class Waiting:
    """Records of one partition that were read and not taken yet: of each key the last one, in their order."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.octets = 0
        """How long the values are, all together."""
        self._last: dict[bytes, bytes | None] = {}

    def __len__(self) -> int:
        return len(self._last)

    def add(self, key: bytes, value: bytes | None) -> None:
        """One more record."""
        before = self._last.pop(key, None)
        self.octets += len(value or b"") - len(before or b"")
        self._last[key] = value

    def take(self) -> list[Message]:
        """All of them, in their order; nothing waits then."""
        taken, self._last, self.octets = self._last, {}, 0
        return [(self.partition, key, value) for key, value in taken.items()]


def pieces(messages: Sequence[Message], octets: int) -> Iterator[Sequence[Message]]:
    """The same in pieces of about so many octets of values."""
    start = size = 0
    for end, (_, _, value) in enumerate(messages, 1):
        size += len(value or b"")
        if size >= octets:
            yield messages[start:end]
            start, size = end, 0
    if start < len(messages):
        yield messages[start:]


class Marks:
    """What the writers say of themselves in each partition."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Mark] = {}

    def take(self, partition: int, key: bytes, value: bytes | None) -> bool:
        """Take a record if it is a mark; whether it was one. Raises CorruptData for one that cannot be."""
        if len(key) != MARK_OCTETS:
            return False
        place = partition, int.from_bytes(key)
        if value is None:
            self._known.pop(place, None)
        else:
            self._known[place] = read_mark(value)
        return True

    def drop(self, partition: int) -> None:
        """The partition is not held any more."""
        self._known = {place: mark for place, mark in self._known.items() if place[0] != partition}

    def of(self, partition: int) -> list[Mark]:
        """Those in one partition."""
        return [mark for (own, _), mark in self._known.items() if own == partition]


class Taking:
    """Makes diffs of a table from what was read of its log.

    `adopt` is called once for each ingress, and again when its state is told otherwise.
    """

    def __init__(self, store: AttributeStore, adopt: Adopt) -> None:
        self._store, self._adopt = store, adopt
        self._told: dict[int, Ingress] = {}
        self._slots: dict[tuple[int, int], RouteSlot] = {}
        """By family and digest of the ingress."""

    def intern(self, batch: Batch) -> Iterator[NDArray[np.uint32]]:
        """Numbers for the attribute sets of a batch, some at a time, so that others have their turn in between."""
        for start in range(0, len(batch.sets), INTERNED):
            yield self._store.intern_all(batch.sets[start : start + INTERNED])

    def diff(self, snapshot: Snapshot, batch: Batch, numbers: NDArray[np.uint32]) -> Diff:
        """What a batch changes; its cells that do not keep their digest are refused, in `batch.refused`."""
        changes: dict[Slot, Change] = {}
        weight = 0
        gone: dict[RouteSlot, list[Cell]] = {}
        for cell in batch.gone:
            slot = self._slots.get((cell.family, cell.ingress))
            if slot is not None:
                gone.setdefault(slot, []).append(cell)
        for columns in batch.columns:
            slot = self._slot(columns)
            cells, rows = self._checked(slot, columns, numbers, batch)
            before = _rows_in(snapshot.records(slot), [*cells, *gone.pop(slot, ())])
            changes[slot] = Change.between(before, rows)
            weight += total(slot.hashes(rows.keys, rows.values)) - total(slot.hashes(before.keys, before.values))
        for slot, cells in gone.items():
            before = _rows_in(snapshot.records(slot), cells)
            changes[slot] = Change(before, Records.none(slot))
            weight -= total(slot.hashes(before.keys, before.values))
        return Diff(changes, weight % MODULUS)

    def _checked(
        self, slot: RouteSlot, columns: Columns, numbers: NDArray[np.uint32], batch: Batch
    ) -> tuple[list[Cell], Records]:
        """The cells whose rows are what their COMMIT says, with these rows."""
        rows = Records(columns.keys, numbers[columns.sets], columns.times)
        counts = np.array([content.rows for content in columns.contents])
        sums = np.add.reduceat(slot.hashes(rows.keys, rows.values), np.cumsum(counts) - counts)
        good = sums == np.array([content.digest for content in columns.contents], np.uint64)
        if good.all():
            return columns.cells, rows
        for place in np.flatnonzero(~good).tolist():
            told = f"digest {int(sums[place]):016x}, where COMMIT says {columns.contents[place].digest:016x}"
            batch.refused.append(Refused(columns.cells[place].key, told))
        cells = [cell for cell, kept in zip(columns.cells, good.tolist(), strict=True) if kept]
        return cells, rows.take(np.repeat(good, counts))

    def _slot(self, columns: Columns) -> RouteSlot:
        place, ingress = (columns.family, columns.ingress.digest), columns.ingress
        if self._told.get(ingress.digest) != ingress:
            self._told[ingress.digest] = ingress
            adopted = self._adopt(ingress)
            for family in (4, 6):
                known = self._slots.get((family, ingress.digest))
                if known is None or known.ingress != adopted:
                    self._slots[family, ingress.digest] = RouteSlot(family, adopted, self._store)
        return self._slots[place]


def leaving(snapshot: Snapshot, left: Collection[int], partitions: int) -> Diff:
    """What changes when some partitions are not held any more: their rows leave the table."""
    changes: dict[Slot, Change] = {}
    for slot, records in snapshot.items():
        if isinstance(slot, RouteSlot):
            gone = records.take(lying_in(slot.family, records.keys, left, partitions))
            changes[slot] = Change(gone, Records.none(slot))
    return Diff.of(changes)


def _rows_in(records: Records, cells: list[Cell]) -> Records:
    """The rows of some cells that do not overlap."""
    if not len(records) or not cells:
        return records.take(slice(0, 0))
    cells = sorted(cells, key=lambda cell: cell.address)
    bounds = [cell.bounds for cell in cells]
    dtype = records.keys.dtype
    starts = np.searchsorted(records.keys, np.array([low for low, _ in bounds], dtype))
    ends = np.searchsorted(records.keys, np.array([high or b"" for _, high in bounds], dtype))
    if bounds[-1][1] is None:
        ends[-1] = len(records)
    counts = ends - starts
    firsts = np.cumsum(counts) - counts
    return records.take(np.repeat(starts - firsts, counts) + np.arange(int(counts.sum())))
