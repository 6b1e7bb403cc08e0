"""One table made of what several links hold.

A record is in the union as long as any link has it. What only one link holds is shared with it, arrays and all; what
several hold - RPKI data of several caches - is a set of its own, of which only the touched records are looked at
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotoro.table import EMPTY, OCTETS, Change, Diff, History, PayloadSlot, Records, Slot, Snapshot

_AS_NUMBER = 4


class Disputed(ValueError):
    """Two links hold routes of the same ingress."""


class Union:
    """A table with a history that follows the tables of its links, each known by a name."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._held: dict[str, Snapshot] = {}

    @property
    def links(self) -> Mapping[str, Snapshot]:
        """What each link holds."""
        return self._held

    def update(self, link: str, snapshot: Snapshot, diff: Diff | None = None) -> Diff | None:
        """A link holds this now; `diff`, if it is known, leads from what it held before. Returns the diff of the union.

        Returns None if nothing changed. Raises Disputed, and changes nothing, for routes that another link holds.
        """
        before = self._held.get(link, EMPTY)
        if diff is None:
            diff = before.diff(snapshot)
        self._refuse_disputed(link, diff)
        merged, after = self._merged(link, snapshot, diff)
        self._held[link] = snapshot
        return self.history.commit(after, merged)

    def forget(self, link: str) -> Diff | None:
        """A link is gone, and what only it had with it."""
        if link not in self._held:
            return None
        changed = self.update(link, EMPTY)
        del self._held[link]
        return changed

    def _refuse_disputed(self, link: str, diff: Diff) -> None:
        for other, held in self._held.items():
            for slot in diff:
                if other != link and slot in held and not isinstance(slot, PayloadSlot):
                    raise Disputed(f"{slot.name} comes from {link}, but {other} has it already")

    def _merged(self, link: str, snapshot: Snapshot, diff: Diff) -> tuple[Diff, Snapshot]:
        """The diff of the union for a diff of one link, and where it leads."""
        union = self.history.snapshot
        changes: dict[Slot, Change] = dict(diff)
        records: dict[Slot, Records] = {}
        for slot, change in diff.items():
            own = snapshot.records(slot)
            others = [held[slot] for other, held in self._held.items() if other != link and slot in held]
            if others:
                changes[slot] = _of_union(slot, union.records(slot), [own, *others], change)
                own = union.records(slot).replace(changes[slot].before, changes[slot].after)
            records[slot] = own
        same = all(changes[slot] is change for slot, change in diff.items())
        merged = diff if same else Diff.of(changes)
        return merged, union.replace(records, merged.digest_change)


def _of_union(slot: Slot, union: Records, holders: list[Records], change: Change) -> Change:
    """What changes in the union when these are the holders after a change of one of them."""
    touched = np.unique(np.concatenate((change.before.keys, change.after.keys)))
    rows, there = union.find(touched)
    after = _held_by_any(slot, holders, touched)
    return Change.between(union.take(rows[there]), after)


def _held_by_any(slot: Slot, holders: list[Records], keys: NDArray[Any]) -> Records:
    found = [own.take(rows[there]) for own in holders for rows, there in [own.find(keys)]]
    if slot.value_dtype is None:
        return Records.of(slot, np.concatenate([keys[:0], *(part.keys for part in found)]))
    values: dict[bytes, bytes] = {}
    for part in found:
        for row, value in enumerate(part.columns[1].tolist() if part.columns[1] is not None else ()):
            key = part.key(row)
            values[key] = _joined(values[key], value) if key in values else value
    return Records.of(slot, list(values), np.fromiter(values.values(), OCTETS, len(values)))


def _joined(some: bytes, others: bytes) -> bytes:
    """The providers that either ASPA names, ascending: whoever one cache lets pass is let pass."""
    both = some + others
    return b"".join(sorted({both[at : at + _AS_NUMBER] for at in range(0, len(both), _AS_NUMBER)}))
