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

from rotonda.rpki.records import joined_providers
from rotoro.table import EMPTY, OCTETS, Change, Diff, History, PayloadSlot, Records, Slot, Snapshot


class Disputed(ValueError):
    """Two links hold routes of the same ingress."""


class Union:
    """A table with a history that follows the tables of its links, each known by a name."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._held: dict[str, Snapshot] = {}
        self._refused: set[str] = set()
        """Links whose last update was disputed: their diffs do not start from what is held of them here."""

    @property
    def links(self) -> Mapping[str, Snapshot]:
        """What each link holds; a link that holds nothing is not listed."""
        return self._held

    def update(self, link: str, snapshot: Snapshot, diff: Diff | None = None) -> Diff | None:
        """A link holds this now; `diff`, if it is known, leads from what it held before. Returns the diff of the union.

        Returns None if nothing changed. Raises Disputed, and changes nothing, for routes that another link holds.
        """
        before = self._held.get(link, EMPTY)
        if diff is None or link in self._refused:
            diff = before.diff(snapshot)
        self._refuse_disputed(link, diff)
        self._refused.discard(link)
        merged, after = self._merged(link, snapshot, diff)
        self._held.pop(link, None)
        if snapshot:
            self._held[link] = snapshot
        return self.history.commit(after, merged)

    def forget(self, link: str) -> Diff | None:
        """A link is gone, and what only it had with it."""
        return self.update(link, EMPTY) if link in self._held else None

    def _refuse_disputed(self, link: str, diff: Diff) -> None:
        for other, held in self._held.items():
            for slot in diff:
                if other != link and slot in held and not isinstance(slot, PayloadSlot):
                    self._refused.add(link)
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
    values: dict[bytes, list[bytes]] = {}
    for part in found:
        for row, value in enumerate(part.columns[1].tolist() if part.columns[1] is not None else ()):
            values.setdefault(part.key(row), []).append(value)
    # Providers that either ASPA names: whoever one cache lets pass is let pass.
    joined = {key: providers for key, lists in values.items() if (providers := joined_providers(lists))}
    return Records.of(slot, list(joined), np.fromiter(joined.values(), OCTETS, len(joined)))
