"""What one peer is told of a table: all of it first, then what changes (Adj-RIB-Out, RFC 4271 section 3.2).

Nothing is queued for a peer. It is remembered where it stands in the history of the table, and when it can take more,
one difference leads it from there to the present, however much has happened meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp.written import Writer, end_of_rib, withdrawals
from rotonda.rib.best import Allowed
from rotonda.rib.rows import prefix_keys
from rotoro.table import EMPTY, AttributeStore, Change, Diff, History, Position, Records, RouteSlot, Slot, Snapshot
from rotoro.table.columns import among, distinct

Keys = NDArray[Any]
Named = list[tuple[AttributeStore, Keys, NDArray[np.uint32]]]
"""Routes of one family: keys and numbers of attribute sets, by the store that the numbers are of."""


class AdjRibOut:
    """Follows a table of best routes for one peer.

    `families` are those that the session has, `keeps` says of an ingress whether its routes may be told to this peer at
    all, `allowed` which of the routes; None for all.
    """

    def __init__(
        self,
        best: History,
        writer: Writer,
        families: Collection[int],
        keeps: Callable[[RouteSlot], bool],
        allowed: Allowed | None = None,
    ) -> None:
        self.announced = self.withdrawn = 0
        """Routes that were told."""
        self._best = best
        self._writer = writer
        self._families = families
        self._keeps = keeps
        self._allowed = allowed
        self._at: Position | None = None
        self._told: Snapshot = EMPTY
        self._again: set[int] = set()

    @property
    def behind(self) -> bool:
        """Whether there is something to tell."""
        return self._best.ready and (self._at != self._best.position or bool(self._again))

    def refresh(self, family: int) -> None:
        """The peer wants all of a family again."""
        self._again.add(family)

    def take(self) -> Iterator[bytes]:
        """The messages that bring the peer to the present, if it is told all of them before it is asked again."""
        first, diff = self._at is None, None if self._at is None else self._best.since(self._at)
        before, now, again = self._told, self._best.snapshot, self._again
        self._at, self._told, self._again = self._best.position, now, set()
        if diff is None:
            return self._whole(before, now, first)
        changes = self._changes(diff)
        return _one_after_another(changes, self._refreshed(now, again)) if again else changes

    def _changes(self, diff: Diff) -> Iterator[bytes]:
        """Routes are allowed one by one, and so the two sides of a change each for itself."""
        kept: dict[Slot, Change] = self._of_peer(diff)
        before = self._permitted({slot: change.before for slot, change in kept.items()})
        return self._messages(before, self._permitted({slot: change.after for slot, change in kept.items()}))

    def _whole(self, before: Snapshot, now: Snapshot, first: bool) -> Iterator[bytes]:
        """All that there is, and the withdrawal of what may have been told and is no more; of that only the keys are
        looked at, as its attribute sets may be gone."""
        messages = self._messages(self._named(self._of_peer(before)), self._permitted(self._of_peer(now)))
        return _one_after_another(messages, map(end_of_rib, sorted(self._families))) if first else messages

    def _refreshed(self, now: Snapshot, families: Collection[int]) -> Iterator[bytes]:
        told = self._permitted(self._of_peer(now))
        return self._messages({}, {family: own for family, own in told.items() if family in families})

    def _permitted(self, table: Mapping[Slot, Records]) -> dict[int, Named]:
        return self._named(table if self._allowed is None else self._allowed(Snapshot.of(table)))

    def _of_peer(self, table: Mapping[Slot, Any]) -> dict[Slot, Any]:
        return {
            slot: own
            for slot, own in table.items()
            if isinstance(slot, RouteSlot) and slot.family in self._families and self._keeps(slot)
        }

    def _named(self, table: Mapping[Slot, Records]) -> dict[int, Named]:
        parts: dict[tuple[int, int], list[tuple[AttributeStore, Records]]] = defaultdict(list)
        for slot, own in table.items():
            if isinstance(slot, RouteSlot) and len(own):
                parts[slot.family, id(slot.attributes)].append((slot.attributes, own))
        found: dict[int, Named] = defaultdict(list)
        for (family, _), group in parts.items():
            keys = np.concatenate([own.keys for _, own in group])
            numbers = np.concatenate([own.values for _, own in group if own.values is not None])
            found[family].append((group[0][0], keys, numbers))
        return found

    def _messages(self, before: dict[int, Named], after: dict[int, Named]) -> Iterator[bytes]:
        """Withdrawals of what was there and is not, then announcements, made ready before this returns: what attribute
        sets the numbers mean may change later."""
        ready: list[Iterator[bytes]] = []
        for family in sorted({*before, *after}):
            coming = after.get(family, [])
            if gone := _keys(before.get(family, [])):
                keys = _without(np.concatenate(gone), _keys(coming), family)
                self.withdrawn += len(keys)
                ready.append(withdrawals(family, keys))
            for store, keys, numbers in coming:
                self.announced += len(keys)
                ready.append(self._writer.announcements(family, keys, numbers, store.octets))
        return _one_after_another(*ready)


def _keys(routes: Named) -> list[Keys]:
    return [keys for _, keys, _ in routes]


def _without(keys: Keys, others: list[Keys], family: int) -> Keys:
    """The keys whose prefixes are not among the others."""
    if not others:
        return keys
    return keys[~among(prefix_keys(keys, family), distinct(prefix_keys(np.concatenate(others), family)))]


def _one_after_another(*messages: Iterator[bytes]) -> Iterator[bytes]:
    for each in messages:
        yield from each
