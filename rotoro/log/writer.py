"""What a writer has in the log, and what it puts there next.

The writer knows of each of its cells what the log has in it, at the start by reading its own records back. So what has
not changed is not written again, also not after a restart, and what is in the log and not in the table any more gets a
tombstone - after a restart only when the table is complete, so that readers keep what was there until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rotoro.log.cells import MARK_OCTETS, Cell, Numbers, all_of, cell_of, least_of, partition, writer_number
from rotoro.log.read import content_of, read_mark
from rotoro.log.written import Content, Life, Overfull, Parts, contents, mark, parts_of, write
from rotoro.table import Records, RouteSlot, Snapshot
from rotoro.wire.errors import CorruptData
from rotoro.wire.rotoro import Health
from rotoro.wire.typed import RecordType

CELLS = 2048
"""How many cells are put into the log at a time: some megabytes."""


@dataclass(eq=False)
class Step:
    """Records to be put into the log together, in this order; `LogWriter.done` takes note that they are there."""

    records: list[tuple[int, bytes, bytes | None]] = field(default_factory=list)
    """Partition, key and value; None is a tombstone."""
    left_out: int = 0
    """Routes that fit into no record."""
    held: dict[bytes, Content | None] = field(default_factory=dict)
    """What the log has of each key then."""


class LogWriter:
    """One writer and its cells in a log of so many partitions. `epoch` is drawn anew in each of its lives."""

    def __init__(self, name: str, partitions: int, epoch: int, record: RecordType | None = None) -> None:
        self.name, self.number, self.partitions = name, writer_number(name), partitions
        self.was_complete = False
        """Whether, in an earlier life, all that it had was in the log."""
        self.had_marks = False
        self._epoch, self._serial, self._record = epoch, 0, record
        self._held: dict[Cell, dict[bytes, Content]] = {}
        """What the log has, by the cell of the least length and by key."""

    @property
    def cells(self) -> int:
        """How many cells the log has of it."""
        return sum(map(len, self._held.values()))

    def read_back(self, key: bytes, value: bytes | None) -> None:
        """A record of the log, of whatever writer. Raises CorruptData for what cannot be."""
        if key[:MARK_OCTETS] != self.number.to_bytes(MARK_OCTETS):
            return
        if len(key) == MARK_OCTETS:
            self.had_marks = value is not None
            self.was_complete = value is not None and read_mark(value).complete
            return
        try:
            content = None if value is None else content_of(value)
        except CorruptData:
            content = Content(0, 0)  # equal to no cell: it is written again, or goes
        self._note({key: content})

    def steps(self, snapshot: Snapshot, dirty: Mapping[RouteSlot, Numbers]) -> Iterator[Step]:
        """What brings these cells of the table into the log, where they differ from what it has."""
        for slot, numbers in dirty.items():
            for start in range(0, len(numbers), CELLS):
                step = self._step(snapshot, slot, numbers[start : start + CELLS])
                if step.records:
                    yield step

    def sweep(self, snapshot: Snapshot) -> Iterator[Step]:
        """Tombstones for all cells that the log has and the table has not."""
        there = {
            (slot.family, slot.ingress.digest, number)
            for slot, numbers in all_of(snapshot).items()
            for number in numbers.tolist()
        }
        gone = [cell for cell in self._held if (cell.family, cell.ingress, cell.number) not in there]
        for start in range(0, len(gone), CELLS):
            step = Step()
            for cell in gone[start : start + CELLS]:
                self._replace(step, cell, {})
            yield step

    def marks(self, health: Health, *, complete: bool) -> Step:
        """Say in each partition how the writer fares."""
        value = mark(self.name, self._life(), health, complete=complete)
        key = self.number.to_bytes(MARK_OCTETS)
        return Step([(place, key, value) for place in range(self.partitions)])

    def done(self, step: Step) -> None:
        """The records of a step are in the log."""
        self._note(step.held)

    def _step(self, snapshot: Snapshot, slot: RouteSlot, numbers: Numbers) -> Step:
        records, step = snapshot.records(slot), Step()
        parts = parts_of(self.number, slot, records, numbers)
        full = parts.ends > parts.starts
        for place in np.flatnonzero(~full).tolist():
            self._replace(step, parts.cells[place], {})
        parts = parts.take(full)
        if any(cell in self._held for cell in parts.cells):
            parts = parts.take(~self._same(slot, records, parts))
        made: dict[Cell, dict[bytes, tuple[Content, bytes]]] = {}
        for value in write(slot, records, parts, self._life()):
            if isinstance(value, Overfull):
                step.left_out += value.left_out
            else:
                own = value.cell.key, (value.content, value.octets)
                made.setdefault(least_of(value.cell), {}).update([own])
        for cell, values in made.items():
            self._replace(step, cell, values)
        return step

    def _same(self, slot: RouteSlot, records: Records, parts: Parts) -> NDArray[np.bool_]:
        """Which of these cells the log has just so."""
        now = zip(parts.cells, contents(slot, records, parts), strict=True)
        return np.fromiter((self._held.get(cell) == {cell.key: own} for cell, own in now), np.bool_, len(parts.cells))

    def _replace(self, step: Step, cell: Cell, values: Mapping[bytes, tuple[Content, bytes]]) -> None:
        """Have the log hold this of a cell of the least length: what is no more goes first."""
        held, place = self._held.get(cell, {}), partition(cell.family, cell.number, self.partitions)
        for key in held:
            if key not in values:
                step.records.append((place, key, None))
                step.held[key] = None
        for key, (content, octets) in values.items():
            if held.get(key) != content or any(other not in values for other in held):
                step.records.append((place, key, octets))
                step.held[key] = content

    def _life(self) -> Life:
        self._serial += 1
        return Life(self._epoch, self._serial, self._record)

    def _note(self, held: Mapping[bytes, Content | None]) -> None:
        for key, content in held.items():
            cell = least_of(cell_of(key))
            own = self._held.setdefault(cell, {})
            if content is None:
                own.pop(key, None)
            else:
                own[key] = content
            if not own:
                del self._held[cell]
