"""One table of routes made of several, each after a filter.

Of a row that several wests have - two ways of one graph that meet again - the west that was named first counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rotonda.filters.routes import PASS_ALL, RouteFilter
from rotoro.table import EMPTY, Change, Diff, History, Records, RouteSlot, Slot, Snapshot
from rotoro.table.columns import Column, group_ends, group_starts
from rotoro.table.records import columnwise


@dataclass(slots=True)
class _West:
    """What one west has said, and what of it was let in."""

    said: Snapshot = field(default_factory=lambda: EMPTY)
    kept: Snapshot = field(default_factory=lambda: EMPTY)


class JoinedTable:
    """The routes of a physical RIB: what a filter lets in of what its wests say, kept.

    What was let in once stays as it was until its west says
    something new of it, or until the whole is judged again.
    """

    def __init__(self, history: History, wests: Sequence[str], filter: RouteFilter = PASS_ALL) -> None:
        self.history = history
        self.filter = filter
        self._wests = {name: _West() for name in wests}
        self._joined = history.snapshot

    @property
    def wests(self) -> Mapping[str, Snapshot]:
        """What each west has said, by its name."""
        return {name: west.said for name, west in self._wests.items()}

    def update(self, west: str, said: Snapshot, diff: Diff | None = None) -> Diff | None:
        """A west says this now; `diff`, if it is known, leads there from what it said before.

        Returns what changes in the table, None if nothing does. The first one makes the table ready.
        """
        own = self._wests[west]
        if diff is None:
            diff = own.said.diff(said)
        own.said = said
        return self._commit([self._join(west, self._let_in(own, diff))])

    def use(self, filter: RouteFilter) -> Diff | None:
        """Judge everything again, by this filter; returns what changes."""
        self.filter = filter
        return self._commit([self._join(name, self._judged_again(own)) for name, own in self._wests.items()])

    def follow(self, wests: Sequence[str]) -> Diff | None:
        """The wests are these now, in this order: what others have said goes."""
        gone = [name for name in self._wests if name not in wests]
        diffs = [self._join(name, self._wests[name].kept.diff(EMPTY)) for name in gone]
        self._wests = {name: self._wests.get(name, _West()) for name in wests}
        return self._commit(diffs)

    def _commit(self, diffs: Sequence[Diff]) -> Diff | None:
        made = [diff for diff in diffs if diff]
        if not made and self.history.ready:
            return None
        return self.history.commit(self._joined, made[0] if len(made) == 1 else Diff.chain(made))

    def _let_in(self, own: _West, diff: Diff) -> Diff:
        """What a change of what a west says changes in what is let in of it."""
        if self.filter is PASS_ALL:
            let_in = diff if own.said.digest == (own.kept.digest + diff.digest_change) % (1 << 64) else None
            return own.kept.diff(own.said) if let_in is None else let_in
        changes: dict[Slot, Change] = {}
        for slot, change in diff.items():
            if isinstance(slot, RouteSlot):
                kept = own.kept.records(self.filter.slot(slot))
                changes[self.filter.slot(slot)] = Change.between(
                    _rows(kept, _touched(change)), self.filter.run(slot, change.after)
                )
        return Diff.of(changes)

    def _judged_again(self, own: _West) -> Diff:
        if self.filter is PASS_ALL:
            return own.kept.diff(own.said)
        records: dict[Slot, Records] = {
            self.filter.slot(slot): self.filter.run(slot, said, effects=False)
            for slot, said in own.said.items()
            if isinstance(slot, RouteSlot)
        }
        slots: dict[Slot, Records] = {**own.kept, **records}
        return Diff.of(
            {slot: Change.between(own.kept.records(slot), records.get(slot, Records.none(slot))) for slot in slots}
        )

    def _join(self, west: str, diff: Diff) -> Diff:
        """What a change of what is let in of a west changes in the whole, which moves on."""
        own = self._wests[west]
        own.kept = diff.apply(own.kept)
        others = [other.kept for other in self._wests.values() if other is not own]
        shared = [slot for slot in diff if any(slot in other for other in others)]
        if shared:
            changes = {
                slot: self._first_of_all(slot, change) if slot in shared else change for slot, change in diff.items()
            }
            diff = Diff.of(changes)
            self._joined = diff.apply(self._joined)
        else:  # what nobody else has is shared with the west, arrays and all
            self._joined = self._joined.replace({slot: own.kept.records(slot) for slot in diff}, diff.digest_change)
        return diff

    def _first_of_all(self, slot: Slot, change: Change) -> Change:
        """The same where other wests have rows of the slot, too."""
        touched = _touched(change)
        parts = [_rows(west.kept.records(slot), touched) for west in self._wests.values()]
        together = columnwise(lambda *data: np.concatenate(data), *parts)
        order = np.argsort(together.keys, kind="stable")
        first = order[group_starts(group_ends(together.keys[order]))]
        return Change.between(_rows(self._joined.records(slot), touched), together.take(first))


def _touched(change: Change) -> Column:
    """The keys of a change, ascending, each once."""
    if not len(change.before):
        return change.after.keys
    if not len(change.after):
        return change.before.keys
    return np.unique(np.concatenate((change.before.keys, change.after.keys)))


def _rows(records: Records, keys: Column) -> Records:
    """Those of the records that have these ascending keys."""
    if not len(records):
        return records
    rows, there = records.find(keys)
    return records.take(rows[there])
