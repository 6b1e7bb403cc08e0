"""A table shown through a filter, without a copy of it.

Each change of the table west of it is filtered on both sides, as it was and as it is, and that makes the exact change
of what is shown: a route that the filter has let pass is withdrawn when it goes, one that it has not is not. What is
shown as a whole is computed when somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from rotonda.filters.routes import RouteFilter
from rotonda.flow.touched import Touched
from rotoro.table import EMPTY, Change, Diff, History, Records, RouteSlot, Slot, Snapshot
from rotoro.table.columns import Column
from rotoro.table.digest import MODULUS


class FilteredSnapshot(Snapshot):
    """A snapshot through a filter: count and digest are known, records are computed when they are asked for.

    The slot that was asked for last is remembered, for whoever goes through all of them.
    """

    __slots__ = ("_counts", "_filter", "_last", "_slots", "west")

    def __init__(self, west: Snapshot, filter: RouteFilter, counts: dict[Slot, int], digest: int) -> None:
        """Take over how many records of each slot pass, and their digest."""
        ordered = sorted(
            ((filter.slot(slot), slot) for slot in west if isinstance(slot, RouteSlot)), key=lambda pair: pair[0].order
        )
        super().__init__({}, sum(counts.values()), digest)
        self.west = west
        self._filter = filter
        self._counts = counts
        self._slots: dict[Slot, RouteSlot] = {shown: slot for shown, slot in ordered if counts.get(shown)}
        self._last: tuple[Slot, Records] | None = None

    def __getitem__(self, slot: Slot) -> Records:
        own = self._slots[slot]
        if self._last is None or self._last[0] != slot:
            self._last = slot, self._filter.run(own, self.west[own], effects=False)
        return self._last[1]

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return self.digest == other.digest and list(self) == list(other) and all(self[s] == other[s] for s in self)

    __hash__ = None  # as of every snapshot

    def is_of(self, west: Snapshot, filter: RouteFilter) -> bool:
        """Whether it shows this snapshot through this filter."""
        return self.west is west and self._filter is filter

    @property
    def nbytes(self) -> int:
        """Nothing is kept here."""
        return 0

    @property
    def counts(self) -> dict[Slot, int]:
        """How many records each slot has."""
        return {slot: self._counts[slot] for slot in self._slots}

    def after(self, diff: Diff, west: Snapshot, filter: RouteFilter) -> FilteredSnapshot:
        """What shows this west through this filter, if that differs by this much."""
        counts = self.counts
        for slot, change in diff.items():
            counts[slot] = counts.get(slot, 0) + len(change.after) - len(change.before)
        return FilteredSnapshot(west, filter, counts, (self.digest + diff.digest_change) % MODULUS)

    def records(self, slot: Slot) -> Records:
        """The records of a slot, which may be none."""
        return self[slot] if slot in self._slots else Records.none(slot)

    def replace(self, changed: Mapping[Slot, Records], digest_change: int) -> Snapshot:
        """What is shown becomes a snapshot of its own."""
        return Snapshot(dict(self), self.count, self.digest).replace(changed, digest_change)

    def narrowed(self, bounds: Column) -> Snapshot:
        """Only the records of these spans go through the filter."""
        shown: dict[Slot, Records] = {}
        for slot, own in self._slots.items():
            west = self.west[own]
            if west.keys.dtype == bounds.dtype:
                places = np.searchsorted(west.keys, bounds)
                starts, ends = np.split(places, 2)
                rows = np.concatenate([np.arange(*span) for span in zip(starts, ends, strict=True)])
                shown[slot] = self._filter.run(own, west.take(rows), effects=False)
        return Snapshot.of(shown)


def filtered_diff(diff: Diff, filter: RouteFilter) -> Diff:
    """What a change of a table changes in what is shown of it; what is new has its effects."""
    changes: dict[Slot, Change] = {}
    for slot, change in diff.items():
        if isinstance(slot, RouteSlot):
            shown = filter.slot(slot)
            before, after = (
                filter.run(slot, side, effects=effects) if len(side) else Records.none(shown)
                for side, effects in ((change.before, False), (change.after, True))
            )
            changes[shown] = Change.between(before, after)
    return Diff.of(changes)


class FilteredTable:
    """The east side of a virtual RIB: a history that follows another through a filter."""

    def __init__(self, west: History, filter: RouteFilter, history: History) -> None:
        self.history = history
        self._west = west
        self.filter = filter
        self._begun = False
        """Whether what is shown is of this table."""
        if west.ready:
            self._begin()
        elif history.ready:  # with what another table held, which may be no more
            history.commit(EMPTY)
        self._stop = west.subscribe(self._follow)

    def use(self, filter: RouteFilter, touched: Touched | None = None) -> Diff | None:
        """Show the table through another filter from now on; returns what that changes, if anything.

        Everything is judged again, or only what can be touched.
        """
        before, self.filter = self.history.snapshot, filter
        if not self._west.ready:
            return None
        self._begun = True
        west = self._west.snapshot
        if touched is not None and isinstance(before, FilteredSnapshot) and before.is_of(west, touched.before):
            return self._show(*_judged_where(before, filter, touched))
        return self._show(*_judged_again(before, west, filter, effects=False))

    def leave(self) -> None:
        """Follow no more; what is shown stays."""
        self._stop()

    def _follow(self, diff: Diff) -> None:
        shown = self.history.snapshot
        west = self._west.snapshot
        if not self._begun or not isinstance(shown, FilteredSnapshot):
            self._begin()
            return
        own = filtered_diff(diff, self.filter)
        self._show(shown.after(own, west, self.filter), own)

    def _begin(self) -> None:
        before = self.history.snapshot
        self._begun = True
        self._show(*_judged_again(before, self._west.snapshot, self.filter, effects=True))

    def _show(self, after: FilteredSnapshot, diff: Diff) -> Diff | None:
        """What the table was before is not looked at any more, even if nothing changes in what is shown."""
        changed = self.history.commit(after, diff)
        if changed is None:
            self.history.recast(after)
        return changed


def _judged_again(
    before: Snapshot, west: Snapshot, filter: RouteFilter, *, effects: bool
) -> tuple[FilteredSnapshot, Diff]:
    """A snapshot through a filter, and what leads there from what was shown before.

    Goes slot by slot, so that no more than one of them is in memory at a time, and each is filtered only once.
    """
    counts: dict[Slot, int] = {}
    changes: dict[Slot, Change] = {}
    for slot, records in west.items():
        if isinstance(slot, RouteSlot):
            shown, own = filter.slot(slot), filter.run(slot, records, effects=effects)
            counts[shown] = len(own)
            changes[shown] = Change.between(before.records(shown), own)
    for gone in before:
        if gone not in changes:
            changes[gone] = Change(before[gone], Records.none(gone))
    diff = Diff.of(changes)
    return FilteredSnapshot(west, filter, counts, (before.digest + diff.digest_change) % MODULUS), diff


def _judged_where(before: FilteredSnapshot, filter: RouteFilter, touched: Touched) -> tuple[FilteredSnapshot, Diff]:
    """The same, if only some rows can be judged otherwise."""
    changes: dict[Slot, Change] = {}
    for slot, records in before.west.items():
        if isinstance(slot, RouteSlot):
            some = records.take(touched.rows(slot, records))
            if len(some):
                sides = (one.run(slot, some, effects=False) for one in (touched.before, filter))
                changes[filter.slot(slot)] = Change.between(*sides)
    diff = Diff.of(changes)
    return before.after(diff, before.west, filter), diff
