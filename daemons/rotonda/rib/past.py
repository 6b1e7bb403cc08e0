"""What the routes of a table were before: entries that were replaced or withdrawn, as a merge strategy keeps them.

Entries of a slot are only ever added at the end of time. So they lie in runs, each later than the one before and
ordered by itself; small changes wait loose until they are worth a run, and runs of like size become one. What a
strategy overwrites is left out when somebody asks, and given up when runs are joined: whether an entry still counts
can be told from those of its session key that came later.

An entry names its attribute set, and retains it in the store until it is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.entries import MICROSECONDS, Column, Ended, Entries, Mask, Rows, Sessions, paths_of, prefixes_of
from rotonda.rib.merge import MergeStrategy, MostRecent, WindowCount, WindowTime
from rotonda.rib.set_hashes import HashSets, SetHashes, hashing
from rotoro.table import AttributeStore, Change, Diff, Records, RouteSlot

MOST_ENTRIES = 1 << 25
"""Entries of all slots; more than a gigabyte with their sets."""

_LOOSE_ROWS = 4096
_LOOSE_CHANGES = 4096
_LARGE = 1 << 18  # rows: what is more is joined when there is time, or when there are too many runs
_MOST_RUNS = 32
_REPLACED, _WITHDRAWN = int(Ended.REPLACED), int(Ended.WITHDRAWN)
_LEFT_OF_MOST = 7 / 8
_WORTH_SWEEPING = 16  # a run is written anew when one of so many entries is to go


@dataclass(frozen=True, slots=True, eq=False)
class _Loose:
    """What one change has ended, by key."""

    keys: Column
    numbers: NDArray[np.uint32]
    received: NDArray[np.uint32]
    ended: int
    states: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.keys)

    @staticmethod
    def joined(parts: Sequence[_Loose]) -> Entries:
        """The entries of changes that followed one another."""
        keys, numbers, received, states = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("keys", "numbers", "received", "states")
        )
        ended = np.repeat(np.array([part.ended for part in parts], np.uint64), [len(part) for part in parts])
        entries = Entries(prefixes_of(keys), paths_of(keys), numbers, received, ended, states)
        return entries.by_prefix() if len(parts) > 1 else entries


@dataclass(slots=True)
class _Shelf:
    """The entries of one slot."""

    runs: list[Entries] = field(default_factory=list)
    loose: list[_Loose] = field(default_factory=list)
    loose_rows: int = 0


class Past:
    """The past of the routes of one table.

    `hash_sets` hashes what is in the store, if that is not sets of path attributes. `dropped` counts what had to go to
    keep to the bounds of memory and not because of the strategy; `revision` grows with every change.
    """

    def __init__(
        self,
        attributes: AttributeStore,
        strategy: MergeStrategy,
        hash_sets: HashSets | None = None,
        most: int = MOST_ENTRIES,
    ) -> None:
        self.strategy = strategy
        self.hashes = SetHashes(attributes, hash_sets or hashing(strategy.attributes))
        self.dropped = 0
        self.revision = 0
        self._most = most
        self._shelves: dict[RouteSlot, _Shelf] = {}
        self._count = 0
        self._loose = 0
        self._latest = 0
        self._since = 0
        """Entries that were received before, in seconds, have left the window."""

    def __len__(self) -> int:
        """How many entries are held, with those that are overwritten and not given up yet."""
        return self._count

    @property
    def nbytes(self) -> int:
        """Octets of memory of the entries."""
        self._settle_all()
        return sum(run.nbytes for shelf in self._shelves.values() for run in shelf.runs)

    @property
    def slots(self) -> list[RouteSlot]:
        """The slots that have a past, in their order."""
        return sorted(self._shelves, key=lambda slot: slot.order)

    def feed(self, diff: Diff, now: float) -> None:
        """The table changes so at this time, in seconds since 1970.

        Time only goes forward here: while the clock is behind what it said before, entries end just after the latest.
        """
        ended = self._latest = max(self._latest + 1, int(now * MICROSECONDS))
        for slot, change in diff.items():
            if isinstance(slot, RouteSlot) and len(change.before):
                self._add(slot, self._demoted(change, ended))
        if self._loose > _LOOSE_CHANGES:
            self._settle_all()
        if self._count > self._most:
            self._drop_oldest()

    def sweep(self, now: float) -> None:
        """There is time to tidy up; and the window moves on to this time: give up what it has left behind."""
        for slot, shelf in self._shelves.items():
            self._join(slot, shelf)
        if not isinstance(self.strategy.overwrite, WindowTime):
            return
        since = max(0, int(now) - self.strategy.overwrite.seconds)
        if since > self._since:
            self._since = since
            self.revision += 1
            self._give_up_expired()

    def entries(self, slot: RouteSlot, current: Records, bounds: Column | None = None) -> Entries:
        """The entries of a slot that count, given its current records; only those of some spans of keys, as
        `Entries.spans` takes them, or all.
        """
        shelf = self._shelves.get(slot)
        if shelf is None:
            return Entries.none(slot.key_dtype.itemsize)
        self._settle(slot, shelf)
        if bounds is None and len(shelf.runs) > 1:
            shelf.runs = [self._without_overwritten(slot, Entries.joined(shelf.runs))]
        spans = [run.spans(bounds) for run in shelf.runs] or [Entries.none(slot.key_dtype.itemsize)]
        found = Entries.joined([span for span in spans if len(span)] or spans[:1])
        return found.take(self._counting(found, current)) if len(found) else found

    def close(self) -> None:
        """Give up everything."""
        for slot, shelf in self._shelves.items():
            for numbers in [*(run.numbers for run in shelf.runs), *(loose.numbers for loose in shelf.loose)]:
                slot.release(numbers)
        self._shelves.clear()
        self._count = self._loose = 0
        self.revision += 1

    # --- what comes in -----------------------------------------------------------------------------------------------

    def _demoted(self, change: Change, ended: int) -> _Loose:
        """The rows before the change that are not merely refreshed by it."""
        before, after = change.before, change.after
        numbers, times = _numbers(before), before.times
        assert times is not None
        states = np.empty(len(before), np.uint8)
        states.fill(_WITHDRAWN)
        if not len(after):
            return _Loose(before.keys, numbers, times, ended, states)
        places, there = _found(after, before.keys)
        states[there] = _REPLACED
        kept = ~there
        kept[there] = self.hashes.of(numbers[there]) != self.hashes.of(_numbers(after)[places])
        return _Loose(before.keys[kept], numbers[kept], times[kept], ended, states[kept])

    def _add(self, slot: RouteSlot, new: _Loose) -> None:
        if not len(new):
            return
        slot.retain(new.numbers)
        self._count += len(new)
        self.revision += 1
        shelf = self._shelves.setdefault(slot, _Shelf())
        shelf.loose.append(new)
        shelf.loose_rows += len(new)
        self._loose += 1
        if shelf.loose_rows > _LOOSE_ROWS:
            self._settle(slot, shelf)

    # --- how it lies -------------------------------------------------------------------------------------------------

    def _settle_all(self) -> None:
        for slot, shelf in self._shelves.items():
            self._settle(slot, shelf)

    def _settle(self, slot: RouteSlot, shelf: _Shelf) -> None:
        """Make a run of what is loose, and one run of the last ones for as long as they are of like size."""
        if not shelf.loose:
            return
        run, several = _Loose.joined(shelf.loose), len(shelf.loose) > 1
        shelf.runs.append(self._without_overwritten(slot, run) if several else run)
        self._loose -= len(shelf.loose)
        shelf.loose, shelf.loose_rows = [], 0
        self._join(slot, shelf, _LARGE)

    def _join(self, slot: RouteSlot, shelf: _Shelf, large: int | None = None) -> None:
        """Make one run of the last ones for as long as they are of like size and, but for many, not large."""
        runs = shelf.runs
        while len(runs) > 1 and len(runs[-2]) <= 2 * len(runs[-1]):
            if large is not None and len(runs[-2]) + len(runs[-1]) > large and len(runs) < _MOST_RUNS:
                return
            runs[-2:] = [self._without_overwritten(slot, Entries.joined(runs[-2:]))]

    def _without_overwritten(self, slot: RouteSlot, whole: Entries) -> Entries:
        """Entries that follow one another in time, without those of which it is clear that they count no more."""
        overwrite, sessions = self.strategy.overwrite, whole.sessions()
        latest = self._latest_of_hashes(whole, sessions)
        kept = sessions.newest(latest, np.full(len(whole), overwrite.entries))
        if not isinstance(overwrite, WindowCount):
            self.dropped += int(np.count_nonzero(latest & ~kept))
        return self._kept(slot, whole, kept & self._in_window(whole))

    def _kept(self, slot: RouteSlot, entries: Entries, kept: Mask) -> Entries:
        """Some of the entries of a slot; the others are given up."""
        gone = len(entries) - int(np.count_nonzero(kept))
        if not gone:
            return entries
        slot.release(entries.numbers[~kept])
        self._count -= gone
        return entries.take(kept)

    def _drop_oldest(self) -> None:
        self._settle_all()
        parts = [run.ended for shelf in self._shelves.values() for run in shelf.runs]
        ended = np.concatenate(parts)
        surplus = len(ended) - int(self._most * _LEFT_OF_MOST)
        if surplus <= 0:
            return
        last = np.partition(ended, surplus - 1)[surplus - 1]
        before = self._count
        self._rewrite(lambda run: run.ended > last)
        self.dropped += before - self._count

    def _give_up_expired(self) -> None:
        self._settle_all()
        self._rewrite(self._worth_keeping)

    def _worth_keeping(self, run: Entries) -> Mask:
        kept = self._in_window(run)
        gone = len(run) - int(np.count_nonzero(kept))
        return kept if gone * _WORTH_SWEEPING >= len(run) else np.ones(len(run), np.bool_)

    def _rewrite(self, keep: Callable[[Entries], Mask]) -> None:
        for slot, shelf in self._shelves.items():
            runs = [self._kept(slot, run, keep(run)) for run in shelf.runs]
            shelf.runs = [run for run in runs if len(run)]
        self._shelves = {slot: shelf for slot, shelf in self._shelves.items() if shelf.runs}

    # --- what counts -------------------------------------------------------------------------------------------------

    def _counting(self, entries: Entries, current: Records) -> Mask:
        """Which of the entries of some prefixes are neither overwritten nor outside the window."""
        sessions = entries.sessions()
        latest = self._latest_of_hashes(entries, sessions)
        rows, places = _current_rows(entries, sessions, current)
        limits = np.full(len(entries), self.strategy.overwrite.entries)
        limits[rows] -= 1
        if isinstance(self.strategy.overwrite, MostRecent):
            now = self.hashes.of(_numbers(current)[places])
            latest[rows] &= self.hashes.of(entries.numbers[rows]) != now
        return sessions.newest(latest, limits) & self._in_window(entries)

    def _latest_of_hashes(self, entries: Entries, sessions: Sessions) -> Mask:
        """Which entries are the latest of their session key and hash; all of them for windows."""
        latest = np.ones(len(entries), np.bool_)
        if isinstance(self.strategy.overwrite, MostRecent):
            latest[sessions.overwritten(self.hashes.of(entries.numbers))] = False
        return latest

    def _in_window(self, entries: Entries) -> Mask:
        if not self._since:
            return np.ones(len(entries), np.bool_)
        return np.asarray(entries.received_by_end() >= self._since)


def _numbers(records: Records) -> NDArray[np.uint32]:
    """The numbers of the attribute sets of routes."""
    assert records.values is not None
    return records.values


def _found(records: Records, keys: Column) -> tuple[Rows, Mask]:
    """The rows of those of these ascending keys that are there, and which they are."""
    if len(keys) == len(records) and (keys is records.keys or (keys == records.keys).all()):
        return np.arange(len(keys)), np.ones(len(keys), np.bool_)
    places, there = records.find(keys)
    return places[there], there


def _current_rows(entries: Entries, sessions: Sessions, current: Records) -> tuple[Rows, Rows]:
    """Which entries have a session key with a current row, and that row of each."""
    keys = entries.keys if sessions.order is None else entries.keys[sessions.order]
    places, there = _found(current, keys)
    rows = np.flatnonzero(there)
    return rows if sessions.order is None else sessions.order[rows], places
