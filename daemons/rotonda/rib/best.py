"""Of all routes to a prefix the one that is announced to others, kept in step with the table that it is chosen from.

What is chosen is itself a table, with the same slots: the routes of each ingress that are the best of their prefix.
The shortest AS path wins, then the lowest number of an ingress, then the lowest path identifier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp import as_path
from rotonda.bgp.attributes import AS_PATH, parsed
from rotonda.bgp.errors import Malformed
from rotonda.rib.rows import prefix_keys
from rotoro.table import AttributeStore, Change, Diff, Records, RouteSlot, Slot, Snapshot
from rotoro.table.columns import distinct, locate

Allowed = Callable[[Snapshot], Snapshot]
"""The part of a table that may be announced; decides route by route."""

Keys = NDArray[Any]

MOST_HOPS = 1023
"""Longer paths are as bad as this, and so are sets without a path."""

_FEW = 8
"""With so many rows for each prefix that is looked for, and more, it is cheaper to search than to merge."""


class PathLengths:
    """How many hops the AS path of each attribute set has, found once for each set of a store."""

    def __init__(self, store: AttributeStore) -> None:
        self._store = store
        self._hashes = np.empty(0, np.uint64)
        self._hops = np.empty(0, np.uint16)

    def of(self, numbers: NDArray[np.uint32]) -> NDArray[np.uint16]:
        """The hops of these sets. The store may have given a number to another set, which its hash tells."""
        more = len(self._store.octets) - len(self._hashes)
        if more:
            self._hashes = np.pad(self._hashes, (0, more))
            self._hops = np.pad(self._hops, (0, more))
        stale = numbers[self._hashes[numbers] != self._store.hashes[numbers]]
        if len(stale):
            stale = distinct(stale)
            self._hops[stale] = [_hops(self._store.octets[number]) for number in stale.tolist()]
            self._hashes[stale] = self._store.hashes[stale]
        return self._hops[numbers]


def _hops(octets: bytes) -> int:
    usual = octets[:3] == b"\x40\1\1" and octets[4:6] == b"\x40\2" and octets[7:8] == b"\2"
    if usual and octets[8] * 4 + 2 == octets[6]:  # one sequence, as nearly all are
        return octets[8]
    try:
        return min(as_path.hops(as_path.read(parsed(octets)[AS_PATH][1], 4)), MOST_HOPS)
    except (Malformed, KeyError):
        return MOST_HOPS


class Choice:
    """Chooses; knows what depends on attribute sets only."""

    def __init__(self) -> None:
        self._lengths: dict[int, PathLengths] = {}

    def whole(self, table: Snapshot, allowed: Allowed | None = None) -> Snapshot:
        """The best routes of a whole table."""
        return Snapshot.of(self._chosen(table if allowed is None else allowed(table)))

    def step(self, best: Snapshot, table: Snapshot, diff: Diff, allowed: Allowed | None = None) -> Diff:
        """What changes in the best routes when this diff has led to this table. Only prefixes in it are looked at."""
        touched = _touched(diff)
        candidates: Mapping[Slot, Records] = _at(table, touched)
        if allowed is not None:
            candidates = allowed(Snapshot.of(candidates))
        before, after = _at(best, touched), self._chosen(candidates)
        slots = {**before, **after}
        changes = {
            slot: Change.between(before.get(slot, Records.none(slot)), after.get(slot, Records.none(slot)))
            for slot in slots
        }
        return Diff.of(changes)

    def _chosen(self, candidates: Mapping[Slot, Records]) -> dict[Slot, Records]:
        families: dict[int, list[RouteSlot]] = defaultdict(list)
        for slot in candidates:
            if isinstance(slot, RouteSlot):
                families[slot.family].append(slot)
        chosen: dict[Slot, Records] = {}
        for family, slots in families.items():
            slots.sort(key=lambda slot: slot.order)
            columns = [candidates[slot] for slot in slots]
            masks = self._best(family, slots, columns)
            chosen |= {
                slot: own.take(mask) for slot, own, mask in zip(slots, columns, masks, strict=True) if mask.any()
            }
        return chosen

    def _best(self, family: int, slots: list[RouteSlot], columns: list[Records]) -> list[NDArray[np.bool_]]:
        """Of each slot, which rows are the best; all sorts are stable, so that slots and path identifiers decide what
        the length of the path does not."""
        hops = np.concatenate([self._hops(slot, own) for slot, own in zip(slots, columns, strict=True)])
        words = _words(np.concatenate([own.keys for own in columns]), family)
        order = np.lexsort((hops, *words))
        first = np.zeros(len(order), np.bool_)
        first[:1] = True
        for word in words:
            ordered = word[order]
            first[1:] |= ordered[1:] != ordered[:-1]
        mask = np.zeros(len(order), np.bool_)
        mask[order[first]] = True
        return np.split(mask, np.cumsum([len(own) for own in columns[:-1]]))

    def _hops(self, slot: RouteSlot, records: Records) -> NDArray[np.uint16]:
        assert records.values is not None  # routes have attribute sets
        lengths = self._lengths.get(id(slot.attributes))
        if lengths is None:
            lengths = self._lengths[id(slot.attributes)] = PathLengths(slot.attributes)
        return lengths.of(records.values)


def _words(keys: Keys, family: int) -> list[NDArray[np.uint64]]:
    """The prefixes as numbers, the least important word first."""
    rows = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), -1)
    if family == 4:
        address = np.ascontiguousarray(rows[:, :4]).view(">u4").reshape(-1).astype(np.uint64)
        return [address << np.uint64(8) | rows[:, 4]]
    halves = np.ascontiguousarray(rows[:, :16]).view(">u8").astype(np.uint64)
    return [rows[:, 16].astype(np.uint64), halves[:, 1], halves[:, 0]]


def _touched(diff: Diff) -> dict[int, Keys]:
    """The prefixes of all that changes, ascending, by family."""
    found: dict[int, list[Keys]] = defaultdict(list)
    for slot, change in diff.items():
        if isinstance(slot, RouteSlot):
            found[slot.family] += [prefix_keys(side.keys, slot.family) for side in (change.before, change.after)]
    return {family: distinct(np.concatenate(parts)) for family, parts in found.items()}


def _at(table: Mapping[Slot, Records], prefixes: Mapping[int, Keys]) -> dict[Slot, Records]:
    """The routes of a table to these prefixes."""
    found: dict[Slot, Records] = {}
    for slot, own in table.items():
        if isinstance(slot, RouteSlot) and slot.family in prefixes:
            rows = _rows(own.keys, prefixes[slot.family], slot.family)
            if len(rows):
                found[slot] = own.take(rows)
    return found


def _rows(keys: Keys, prefixes: Keys, family: int) -> NDArray[np.intp]:
    if len(prefixes) * _FEW > len(keys):
        return np.flatnonzero(locate(prefixes, prefix_keys(keys, family))[1])
    bounds = np.zeros((len(prefixes), keys.itemsize), np.uint8)
    bounds[:, :-4] = prefixes.view(np.uint8).reshape(len(prefixes), -1)
    low = bounds.view(keys.dtype).reshape(-1)
    starts = np.searchsorted(keys, low, "left")
    bounds[:, -4:] = 255
    counts = np.searchsorted(keys, low, "right") - starts
    return np.repeat(starts - counts.cumsum() + counts, counts) + np.arange(counts.sum())
