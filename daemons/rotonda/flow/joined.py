"""One table of routes made of several, each after a filter.

Of a row that several wests have - two ways of one graph that meet again - the west that was named first counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rotonda.filters.routes import PASS_ALL, RouteFilter
from rotonda.flow.touched import Touched
from rotoro.table import EMPTY, Change, Diff, History, Records, RouteSlot, Slot, Snapshot
from rotoro.table.columns import Column, group_ends, group_starts
from rotoro.table.records import columnwise


@dataclass(slots=True)
class _West:
    """What one west has said, and what of it was let in."""

    said: Snapshot = field(default_factory=lambda: EMPTY)
    kept: Snapshot = field(default_factory=lambda: EMPTY)
    is_another: bool = False
    """Whether it is another table than the one of which something was let in."""


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
        self._holds = len(wests) > 1
        """Whether sets are retained for what was let in: of several wests, some of it may not be in the table now."""

    @property
    def wests(self) -> Mapping[str, Snapshot]:
        """What each west has said, by its name."""
        return {name: west.said for name, west in self._wests.items()}

    def update(self, west: str, said: Snapshot, diff: Diff | None = None) -> Diff | None:
        """A west says this now; `diff`, if it is known, leads there from what it said before.

        Returns what changes in the table, None if nothing does. The first one makes the table ready.
        """
        own = self._wests[west]
        if own.is_another:
            own.said, own.is_another = said, False
            return self._commit([self._join(west, self._judged_again(own, effects=True))])
        if diff is None:
            diff = own.said.diff(said)
        own.said = said
        return self._commit([self._join(west, self._let_in(own, diff))])

    def use(self, filter: RouteFilter, touched: Touched | None = None) -> Diff | None:
        """Judge everything again, by this filter, or only what can be touched; returns what changes."""
        if touched is not None and touched.before is not self.filter:
            touched = None
        self.filter = filter
        return self._commit([self._join(name, self._judged_again(own, touched)) for name, own in self._wests.items()])

    def follow(self, wests: Sequence[str], others: Sequence[str] = ()) -> Diff | None:
        """The wests are these now, in this order: what others have said goes.

        `others` are those that are other tables than before, under an old name: what was let in of them stays until
        they say something. A table without wests is ready, and empty.
        """
        gone = [name for name in self._wests if name not in wests]
        diffs = [self._join(name, self._wests[name].kept.diff(EMPTY)) for name in gone]
        before = list(self._wests)
        self._hold(len(wests) > 1)
        self._wests = {name: self._wests.get(name, _West()) for name in wests}
        for name in others:
            self._wests[name].said, self._wests[name].is_another = EMPTY, True
        if [name for name in before if name in wests] != [name for name in wests if name in before]:
            diffs.append(self._in_order())
        return self._commit(diffs) if diffs or not wests else None

    def close(self) -> None:
        """Follow nobody any more; what is in the table stays."""
        self._hold(False)
        self._wests = {}

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
                    _rows(kept, change.touched), self.filter.run(slot, change.after)
                )
        return Diff.of(changes)

    def _judged_again(self, own: _West, touched: Touched | None = None, *, effects: bool = False) -> Diff:
        if self.filter is PASS_ALL:
            return own.kept.diff(own.said)
        if touched is not None and not own.is_another:
            return self._judged_where(own, touched)
        records: dict[Slot, Records] = {
            self.filter.slot(slot): self.filter.run(slot, said, effects=effects)
            for slot, said in own.said.items()
            if isinstance(slot, RouteSlot)
        }
        slots: dict[Slot, Records] = {**own.kept, **records}
        return Diff.of(
            {slot: Change.between(own.kept.records(slot), records.get(slot, Records.none(slot))) for slot in slots}
        )

    def _judged_where(self, own: _West, touched: Touched) -> Diff:
        changes: dict[Slot, Change] = {}
        for slot, said in own.said.items():
            if isinstance(slot, RouteSlot):
                some, let_in = said.take(touched.rows(slot, said)), self.filter.slot(slot)
                if len(some):
                    kept = _rows(own.kept.records(let_in), some.keys)
                    changes[let_in] = Change.between(kept, self.filter.run(slot, some, effects=False))
        return Diff.of(changes)

    def _join(self, west: str, diff: Diff) -> Diff:
        """What a change of what is let in of a west changes in the whole, which moves on."""
        own = self._wests[west]
        own.kept = diff.apply(own.kept)
        if self._holds:
            for slot, change in diff.items():
                slot.retain(change.after.values)
                slot.release(change.before.values)
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

    def _hold(self, several: bool) -> None:
        """Retain the sets of what was let in from now on, or no more."""
        if several == self._holds:
            return
        self._holds = several
        for west in self._wests.values():
            for slot, records in west.kept.items():
                (slot.retain if several else slot.release)(records.values)

    def _in_order(self) -> Diff:
        """What changes in the whole when its wests are the same in another order."""
        parts = [west.kept for west in self._wests.values()]
        slots = dict.fromkeys(slot for part in parts for slot in part)
        shared = [slot for slot in slots if sum(slot in part for part in parts) > 1]
        diff = Diff.of({slot: self._first_of_all(slot, _whole(self._joined.records(slot))) for slot in shared})
        self._joined = diff.apply(self._joined)
        return diff

    def _first_of_all(self, slot: Slot, change: Change) -> Change:
        """The same where other wests have rows of the slot, too."""
        touched = change.touched
        parts = [_rows(west.kept.records(slot), touched) for west in self._wests.values()]
        together = columnwise(lambda *data: np.concatenate(data), *parts)
        order = np.argsort(together.keys, kind="stable")
        first = order[group_starts(group_ends(together.keys[order]))]
        return Change.between(_rows(self._joined.records(slot), touched), together.take(first))


def _whole(records: Records) -> Change:
    """All of these are looked at."""
    return Change(records, records)


def _rows(records: Records, keys: Column) -> Records:
    """Those of the records that have these ascending keys."""
    if not len(records):
        return records
    rows, there = records.find(keys)
    return records.take(rows[there])
