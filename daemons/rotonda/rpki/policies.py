"""How one source is made of several: `merge` takes all that any of them says, `any` what the best one says.

Both are told what each source says and say what that changes in the whole. No clock runs here: `now` is given, and
what must be looked at again later says when.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rotonda.rpki.sources import SourceState
from rotonda.rpki.unions import held_by_any
from rotoro.table import EMPTY, Change, Diff, Records, Slot, Snapshot


class Merged:
    """The union of what several sources hold; of a customer's ASPAs, all providers that any of them names.

    What only one source holds is shared with it, arrays and all. Where several hold records of a kind, only those that
    a change touches are looked at again.
    """

    def __init__(self) -> None:
        self.snapshot: Snapshot = EMPTY
        self._held: dict[str, Snapshot] = {}

    @property
    def holders(self) -> Mapping[str, Snapshot]:
        """What each source holds."""
        return self._held

    def update(self, source: str, snapshot: Snapshot | None, diff: Diff | None = None) -> Diff:
        """A source holds this now, or nothing any more; returns what changes in the union.

        `diff`, if it is known, leads there from what the source held before.
        """
        own = EMPTY if snapshot is None else snapshot
        change = self._held.get(source, EMPTY).diff(own) if diff is None else diff
        others = [held for other, held in self._held.items() if other != source]
        merged, self.snapshot = union_after(self.snapshot, own, others, change)
        if snapshot is None:
            self._held.pop(source, None)
        else:
            self._held[source] = snapshot
        return merged


def union_after(union: Snapshot, own: Snapshot, others: Collection[Snapshot], diff: Diff) -> tuple[Diff, Snapshot]:
    """What a change of one holder changes in the union of all, and where that leads.

    `own` is what that holder has after `diff`, `others` is what the others have.
    """
    if not diff:
        return diff, union
    changes: dict[Slot, Change] = {}
    records: dict[Slot, Records] = {}
    for slot, change in diff.items():
        changes[slot], records[slot] = change, own.records(slot)
        also = [held[slot] for held in others if slot in held]
        if also:
            before = union.records(slot)
            changes[slot] = _of_union(slot, before, own.records(slot), also, change)
            records[slot] = before.replace(changes[slot].before, changes[slot].after)
    merged = diff if all(changes[slot] is change for slot, change in diff.items()) else Diff.of(changes)
    return merged, union.replace(records, merged.digest_change)


def _of_union(slot: Slot, union: Records, own: Records, others: Sequence[Records], change: Change) -> Change:
    """What changes in the union of one slot when one holder, who has `own` now, changes."""
    if slot.value_dtype is None:
        # Records without values are there or not: they come if nobody had them, and go if nobody has them.
        there = np.zeros(len(change.before), np.bool_)
        for held in others:
            there |= held.find(change.before.keys)[1]
        _, known = union.find(change.after.keys)
        return Change(change.before.take(~there), change.after.take(~known))
    touched = change.touched
    rows, found = union.find(touched)
    return Change.between(union.take(rows[found]), held_by_any(slot, [own, *others], touched))


@dataclass(frozen=True, slots=True)
class Candidate:
    """One source to choose from; of alike states the lower `preference` wins, then the one that stands first.

    `since` is when it came into its state, or minus infinity if it was never in another one with data: then nothing
    says that it might not stay.
    """

    name: str
    preference: int
    state: SourceState
    since: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The source to use, if any, and when to choose again even if nothing happens."""

    name: str | None
    again: float | None


def choose(candidates: Sequence[Candidate], used: str | None, hold: float, now: float) -> Choice:
    """Which source to use, when `used` is used now.

    The most preferred one that is current. So that nothing flaps, a better one that was away must be back for `hold`
    seconds before we return to it; and a source that cannot be asked is used on for as long, its data being good. What
    has expired or gone is left at once.
    """
    ranked = sorted(candidates, key=lambda own: own.preference)
    current = [own for own in ranked if own.state is SourceState.CURRENT]
    usable = sorted((own for own in ranked if own.state.usable), key=lambda own: own.state)
    here = next((own for own in usable if own.name == used), None)
    settled = next((own for own in current if now - own.since >= hold), None)
    best = settled or next(iter(usable), None)
    if here is None or here.state is SourceState.EXPIRED:
        return Choice(None if best is None else best.name, _next(ranked, hold, now))
    if here.state is SourceState.STALE:
        leave = bool(current) and (now - here.since >= hold or (settled is not None and _before(settled, here, ranked)))
        return Choice((settled or current[0]).name if leave else here.name, _next(ranked, hold, now))
    better = settled if settled is not None and _before(settled, here, ranked) else here
    return Choice(better.name, _next(ranked, hold, now))


def _before(some: Candidate, other: Candidate, ranked: Sequence[Candidate]) -> bool:
    return ranked.index(some) < ranked.index(other)


def _next(candidates: Sequence[Candidate], hold: float, now: float) -> float | None:
    """When the next of them has been in its state for long enough."""
    ends = [own.since + hold for own in candidates if own.state.usable and own.since + hold > now]
    return min(ends, default=None)
