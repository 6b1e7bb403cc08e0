"""The rows of a reader become changes of a table.

Rows wait as the columns that came. When a change is asked for, they are grouped by slot, of each key the last row is
kept, and what that says is held against the snapshot. Everything is done to whole columns; the usual orders of rows -
sorted dumps, IPv4 without path identifiers - have ways of their own, as sorting octets is the dearest step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp.update import RouteBatch
from rotoro.table import AttributeStore, Change, Diff, Records, RouteSlot, Slot, Snapshot

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
Keys = NDArray[Any]

_ROW_BITS = 26
_LENGTH_BITS = 6
_NARROW = 1 << 16


class TableBuilder:
    """Gathers the batches of one reader for the table of its unit.

    `sets` are the reader's attribute sets, which may grow; `slot` says in which slot the routes of a family from a peer
    (the numbers that batches have) lie; `current` gives the snapshot of the table, in which nobody else may write.
    """

    def __init__(
        self,
        attributes: AttributeStore,
        sets: Sequence[bytes],
        slot: Callable[[int, int], RouteSlot],
        current: Callable[[], Snapshot],
    ) -> None:
        self.waiting = 0
        """Rows that were added since the last change was taken."""
        self._attributes = attributes
        self._sets = sets
        self._slot = slot
        self._current = current
        self._batches: dict[int, list[RouteBatch]] = defaultdict(list)
        self._unseen: dict[Slot, tuple[Keys, Mask]] | None = None

    def add(self, batch: RouteBatch) -> None:
        """Rows that come after all those before; of each key the last one counts."""
        self._batches[batch.family].append(batch)
        self.waiting += len(batch)

    def take(self) -> Diff:
        """What the waiting rows change in the current snapshot; to be committed before any more is taken."""
        snapshot = self._current()
        changes: dict[Slot, Change] = {}
        for slot, rows in self._groups():
            self._see(slot, rows)
            changes[slot] = self._change(snapshot.records(slot), rows)
        self._batches.clear()
        self.waiting = 0
        return Diff.of(changes)

    def restart(self) -> None:
        """From here on, the reader says everything again: what it does not announce until `finish` is no more."""
        self._unseen = {slot: (own.keys, np.ones(len(own), np.bool_)) for slot, own in self._current().items()}

    def finish(self) -> Diff:
        """What the waiting rows change and, after a `restart`, the withdrawal of what was not announced again."""
        diff = self.take()
        unseen, self._unseen = self._unseen, None
        if not unseen:
            return diff
        snapshot = diff.apply(self._current())
        gone = {slot: _gone(snapshot.records(slot), keys[mask]) for slot, (keys, mask) in unseen.items() if mask.any()}
        return diff.then(Diff.of(gone))

    def _groups(self) -> Iterator[tuple[RouteSlot, RouteBatch]]:
        """The waiting rows by slot, ascending, of each key the last one."""
        for family, batches in self._batches.items():
            rows = self._numbered(RouteBatch.joined(batches))
            for peer, own in _by_peer(rows.peers):
                keys = rows.keys if own is None else rows.keys[own]
                last = _last_of_each(keys, family)
                if last is not None:
                    own = last if own is None else own[last]
                yield self._slot(peer, family), rows if own is None else rows.take(own)

    def _change(self, base: Records, rows: RouteBatch) -> Change:
        places, there = base.find(rows.keys)
        new = ~there
        if not new.all():
            before = base.take(places[there])
            differs = before.columns[1] != rows.attributes[there]
            touched = differs | ~rows.announce[there]
            new[there] = differs
            return Change(before.take(touched), _announced(rows, new & rows.announce))
        return Change(base.take(slice(0, 0)), _announced(rows, rows.announce))

    def _numbered(self, rows: RouteBatch) -> RouteBatch:
        """The rows with the store's numbers of sets; asked anew each time, as the store gives up idle sets."""
        used = np.zeros(len(self._sets) + 1, np.bool_)
        own = np.where(rows.announce, rows.attributes, len(self._sets))
        used[own] = True
        named = np.flatnonzero(used[:-1])
        numbers = np.zeros(len(used), np.uint32)
        numbers[named] = self._attributes.intern_all([self._sets[number] for number in named.tolist()])
        return replace(rows, attributes=numbers[own])

    def _see(self, slot: Slot, rows: RouteBatch) -> None:
        if self._unseen is not None and slot in self._unseen:
            keys, unseen = self._unseen[slot]
            places, there = Records(keys).find(rows.keys[rows.announce])
            unseen[places[there]] = False


def _announced(rows: RouteBatch, which: Mask) -> Records:
    if which.all():
        return Records(rows.keys, rows.attributes, rows.times)
    return Records(rows.keys[which], rows.attributes[which], rows.times[which])


def _gone(records: Records, keys: Keys) -> Change:
    places, there = records.find(keys)
    return Change(records.take(places[there]), records.take(slice(0, 0)))


def _by_peer(peers: NDArray[np.uint32]) -> Iterator[tuple[int, Rows | None]]:
    """The rows of each peer in their order; None for all of them."""
    if not len(peers):
        return
    if (peers == peers[0]).all():
        yield int(peers[0]), None
        return
    narrow = peers.astype(np.uint16) if peers.max() < _NARROW else peers  # numpy sorts 16 bits in linear time
    order = np.argsort(narrow, kind="stable")
    grouped = peers[order]
    starts = np.flatnonzero(np.concatenate(([True], grouped[1:] != grouped[:-1])))
    for start, own in zip(starts.tolist(), np.split(order, starts[1:]), strict=True):
        yield int(grouped[start]), own


def _last_of_each(keys: Keys, family: int) -> Rows | None:
    """The rows that are the last of their key, by key; None for all of them as they are."""
    rises = keys[1:] > keys[:-1]
    if rises.all():
        return None
    if (keys[1:] >= keys[:-1]).all():
        return np.flatnonzero(np.concatenate((rises, [True])))
    octets = keys.view(np.uint8).reshape(len(keys), -1) if keys.flags.c_contiguous else None
    if family == 4 and len(keys) < 1 << _ROW_BITS and octets is not None and not octets[:, 5:].any():
        return _last_of_each_number(octets)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    return order[np.concatenate((ordered[1:] != ordered[:-1], [True]))]


def _last_of_each_number(octets: NDArray[np.uint8]) -> Rows:
    """The same for IPv4 without path identifiers: with the row number it fits into 64 bits, which sort fast."""
    address = np.ascontiguousarray(octets[:, :4]).view(">u4").reshape(-1).astype(np.uint64)
    numbers = address << np.uint64(_LENGTH_BITS) | octets[:, 4]
    numbers = np.sort(numbers << np.uint64(_ROW_BITS) | np.arange(len(octets), dtype=np.uint64))
    keys = numbers >> np.uint64(_ROW_BITS)
    last = np.concatenate((keys[1:] != keys[:-1], [True]))
    return (numbers[last] & np.uint64((1 << _ROW_BITS) - 1)).astype(np.intp)
