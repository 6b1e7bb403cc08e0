"""One table made of what several links hold.

A record is in the union as long as any link has it. What only one link holds is shared with it, arrays and all; what
several hold - RPKI data of several caches - is a set of its own, of which only the touched records are looked at
again.
"""

from __future__ import annotations

from collections.abc import Mapping

from rotonda.rpki.policies import union_after
from rotoro.table import EMPTY, Diff, History, PayloadSlot, Snapshot


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
        others = [held for other, held in self._held.items() if other != link]
        merged, after = union_after(self.history.snapshot, snapshot, others, diff)
        self._held.pop(link, None)
        if snapshot:
            self._held[link] = snapshot
        return self.history.commit(after, merged)

    def resume(self, held: Mapping[str, Snapshot]) -> Diff | None:
        """Links held this in an earlier life, and hold it still; returns what that changes in the resumed history."""
        made = Union(History(0))
        for link, snapshot in held.items():
            made.update(link, snapshot)
        self._held = {**made.links}
        return self.history.commit(made.history.snapshot)

    def forget(self, link: str) -> Diff | None:
        """A link is gone, and what only it had with it."""
        return self.update(link, EMPTY) if link in self._held else None

    def _refuse_disputed(self, link: str, diff: Diff) -> None:
        for other, held in self._held.items():
            for slot in diff:
                if other != link and slot in held and not isinstance(slot, PayloadSlot):
                    self._refused.add(link)
                    raise Disputed(f"{slot.name} comes from {link}, but {other} has it already")
