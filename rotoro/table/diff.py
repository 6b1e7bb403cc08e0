"""What changes between two states of a table.

A change lists the touched records as they were and as they are, so that it applies, chains and turns around without
asking anything else. Chains are one operation: write the sides of all links one after the other, sort by key, and of
each key keep the first row, if it says how something was, and the last, if it says how something is. The difference
of two snapshots is the chain of the one link that replaces everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rotoro.table.columns import Column, Mask, Rows, distinct, group_ends, group_starts
from rotoro.table.digest import MODULUS, total
from rotoro.table.records import Records, columnwise
from rotoro.table.slots import Slot
from rotoro.table.snapshot import Snapshot


class MisplacedDiff(ValueError):
    """A diff was applied to a snapshot that it does not start from."""


@dataclass(frozen=True)
class Change:
    """What changes in one slot.

    `before` has the touched records that existed, `after` those that exist, which are the announced ones. No record
    is the same in both, or it would not be touched.
    """

    before: Records
    after: Records

    @cached_property
    def withdrawn(self) -> Column:
        """The keys that exist no more."""
        keys = self.before.keys
        return keys if self.before.values is None else keys[~self.after.find(keys)[1]]

    @property
    def touched(self) -> Column:
        """The keys of both sides, ascending, each once."""
        if not len(self.before):
            return self.after.keys
        if not len(self.after):
            return self.before.keys
        return distinct(np.concatenate((self.before.keys, self.after.keys)))

    @property
    def count(self) -> int:
        """How many records are announced or withdrawn; to replace one is one announcement."""
        return len(self.after) + len(self.withdrawn)

    @property
    def rows(self) -> int:
        """How many rows it keeps in memory."""
        return len(self.before) + len(self.after)

    def inverse(self) -> Change:
        """The way back."""
        return Change(self.after, self.before)

    def digest_change(self, slot: Slot) -> int:
        """What it adds to the state digest."""
        new, old = (total(slot.hashes(side.keys, side.values)) for side in (self.after, self.before))
        return (new - old) % MODULUS

    @staticmethod
    def between(before: Records, after: Records) -> Change:
        """What leads from one state of a slot to another."""
        everything = Change(before, after)
        return Change.chain([everything]) if len(before) and len(after) else everything

    @staticmethod
    def chain(changes: Sequence[Change]) -> Change:
        """One change instead of several in a row, without what comes to nothing."""
        sides = [side for change in changes for side in (change.before, change.after)]
        keys = np.concatenate([side.keys for side in sides])
        order = np.argsort(keys, kind="stable")
        ends = group_ends(keys[order])
        first, last = order[group_starts(ends)], order[ends]
        is_after = np.repeat(np.arange(len(sides)) % 2 == 1, [len(side) for side in sides])
        existed, exists = ~is_after[first], is_after[last]
        touched = ~(existed & exists & _same(sides, first, last))
        return Change(_gathered(sides, first[existed & touched]), _gathered(sides, last[exists & touched]))


class Diff(Mapping[Slot, Change]):
    """The changes of a table by slot, in the order of the slots, and what they add to the state digest."""

    __slots__ = ("_changes", "count", "digest_change", "rows")

    def __init__(self, changes: Mapping[Slot, Change], digest_change: int) -> None:
        """Take over changes whose digest is known; `Diff.of` is for others."""
        kept = sorted((slot for slot, change in changes.items() if change.rows), key=lambda slot: slot.order)
        self._changes = {slot: changes[slot] for slot in kept}
        self.digest_change = digest_change % MODULUS
        self.count = sum(change.count for change in self._changes.values())
        self.rows = sum(change.rows for change in self._changes.values())

    @staticmethod
    def of(changes: Mapping[Slot, Change]) -> Diff:
        """A diff of these changes; hashes their records."""
        return Diff(changes, sum(change.digest_change(slot) for slot, change in changes.items()))

    @staticmethod
    def between(start: Snapshot, end: Snapshot) -> Diff:
        """What leads from one snapshot to another."""
        touched = [slot for slot in {**start, **end} if start.get(slot) is not end.get(slot)]
        changes = {slot: Change.between(start.records(slot), end.records(slot)) for slot in touched}
        return Diff(changes, end.digest - start.digest)

    @staticmethod
    def chain(diffs: Sequence[Diff]) -> Diff:
        """One diff instead of several in a row, without what comes to nothing."""
        links: dict[Slot, list[Change]] = {}
        for diff in diffs:
            for slot, change in diff.items():
                links.setdefault(slot, []).append(change)
        changes = {slot: own[0] if len(own) == 1 else Change.chain(own) for slot, own in links.items()}
        return Diff(changes, sum(diff.digest_change for diff in diffs))

    def __getitem__(self, slot: Slot) -> Change:
        return self._changes[slot]

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._changes)

    def __len__(self) -> int:
        return len(self._changes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Diff):
            return NotImplemented
        return self.digest_change == other.digest_change and self._changes == other._changes

    __hash__ = None  # type: ignore[assignment]  # columns are compared, not hashed

    def __repr__(self) -> str:
        return f"<Diff of {self.count} records in {len(self)} slots, digest change {self.digest_change:016x}>"

    def apply(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot to which this diff leads; shares every slot that it does not touch.

        Raises MisplacedDiff, naming the slot, if the diff does not start from this snapshot.
        """
        changed = {slot: self._replaced(slot, snapshot) for slot in self}
        return snapshot.replace(changed, self.digest_change)

    def then(self, other: Diff) -> Diff:
        """This diff and another that starts where it ends, as one."""
        return Diff.chain((self, other))

    def inverse(self) -> Diff:
        """The way back."""
        return Diff({slot: change.inverse() for slot, change in self.items()}, -self.digest_change)

    def _replaced(self, slot: Slot, snapshot: Snapshot) -> Records:
        change = self[slot]
        try:
            return snapshot.records(slot).replace(change.before, change.after)
        except ValueError as wrong:
            raise MisplacedDiff(f"{slot.name}: {wrong}") from wrong


def _gathered(parts: Sequence[Records], rows: Rows) -> Records:
    return columnwise(lambda *data: np.concatenate(data)[rows], *parts)


def _same(sides: Sequence[Records], first: Rows, last: Rows) -> Mask:
    """Which pairs of rows of the same key say the same."""
    if sides[0].values is None:
        return np.ones(len(first), np.bool_)
    values = np.concatenate([side.values for side in sides if side.values is not None])
    return np.asarray(values[first] == values[last], np.bool_)
