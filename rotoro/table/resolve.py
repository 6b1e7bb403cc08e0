"""From what a peer says to a change.

A peer announces and withdraws rows in some order without saying what was there before. Here its rows meet the snapshot:
the last row of a key wins, and what would change nothing is counted instead of kept. A strict reading (RTR) refuses
the first row that contradicts what was there when it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rotoro.table.columns import Column, Mask, Rows, column, group_ends, group_starts, stable_order
from rotoro.table.diff import Change
from rotoro.table.records import Records, columnwise, unsorted
from rotoro.table.slots import Slot
from rotoro.table.snapshot import Snapshot


class Contradiction(ValueError):
    """A row does not fit what was there when it came: the slot, the key, and which row it was."""

    meaning = "contradicts what is there"

    def __init__(self, slot: Slot, key: bytes, row: int) -> None:
        super().__init__(f"{slot.name}: row {row}, {key.hex()}, {self.meaning}")
        self.slot = slot
        self.key = key
        self.row = row


class DuplicateAnnouncement(Contradiction):
    """A record is announced that is there already (RFC 8210 section 12, error 7)."""

    meaning = "is announced but there already"


class UnknownWithdrawal(Contradiction):
    """A record is withdrawn that is not there (RFC 8210 section 12, error 6)."""

    meaning = "is withdrawn but not there"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A change, and what became of the rows that are not in it.

    `change.count` and the three counts add up to all rows, so nothing is lost silently.
    """

    change: Change
    superseded: int
    """Rows with a later row of the same key."""
    unknown: int
    """Withdrawals of what was not there."""
    unchanged: int
    """Announcements of what was there just so."""


def resolve(
    snapshot: Snapshot, slot: Slot, announced: Records, withdrawn: Column | Sequence[bytes], *, strict: bool
) -> Resolved:
    """The change of a slot if these keys are withdrawn and then these records announced.

    Raises what `resolve_rows` raises, counting the withdrawals first.
    """
    gone = column(f"{slot.name} withdrawn keys", withdrawn, slot.key_dtype)
    values = None if slot.value_dtype is None else np.zeros(len(gone), slot.value_dtype)
    times = np.zeros(len(gone), np.uint32) if slot.timed else None
    rows = columnwise(lambda *parts: np.concatenate(parts), Records(gone, values, times), announced)
    return resolve_rows(snapshot, slot, np.arange(len(rows)) >= len(gone), *rows.columns, strict=strict)


def resolve_rows(
    snapshot: Snapshot,
    slot: Slot,
    announce: Mask,
    keys: Column | Sequence[bytes],
    values: Column | Sequence[Any] | None = None,
    times: Column | Sequence[int] | None = None,
    *,
    strict: bool,
) -> Resolved:
    """The change of a slot if these rows are announced, or withdrawn where `announce` is False, in this order.

    Values and times of withdrawals do not matter. If `strict`, raises UnknownWithdrawal for the withdrawal of what is
    not there, and DuplicateAnnouncement for the announcement of what is there in a slot without values (with values
    it is a replacement); of several, for the row that came first. Raises ValueError for columns that do not fit the
    slot.
    """
    rows = unsorted(slot, keys, values, times)
    announce = column(f"{slot.name} announce", announce, np.dtype(np.bool_))
    if len(announce) != len(rows):
        raise ValueError(f"{slot.name}: {len(announce)} rows say announce or withdraw, but there are {len(rows)} keys")
    order = stable_order(rows.keys)
    # A copy in any case: what becomes part of a table is nobody else's.
    ordered = columnwise(np.ndarray.copy, rows) if order is None else rows.take(order)
    coming = announce if order is None else announce[order]
    ends = group_ends(ordered.keys)
    base = snapshot.records(slot)
    places, present = base.find(ordered.keys[ends])
    if strict:
        _refuse_contradictions(slot, ordered, order, coming, _there(coming, group_starts(ends), present))
    last = ends & coming
    touched, told = base.take(places[present]), ordered if last.all() else ordered.take(last)
    change = Change.between(touched, told)
    return Resolved(
        change,
        superseded=int(np.count_nonzero(~ends)),
        unknown=int(np.count_nonzero(~coming[ends] & ~present)),
        unchanged=len(told) - len(change.after),
    )


def closing(snapshot: Snapshot, slot: Slot) -> Change:
    """The change that withdraws everything of a slot."""
    return Change(snapshot.records(slot), Records.none(slot))


def _there(coming: Mask, starts: Mask, present: Mask) -> Mask:
    """Whether the key of each row is there when the row comes: by the row before it, or else by the snapshot."""
    there = np.zeros(len(coming), np.bool_)
    there[1:] = coming[:-1]
    there[starts] = present
    return there


def _refuse_contradictions(slot: Slot, ordered: Records, order: Rows | None, coming: Mask, there: Mask) -> None:
    duplicate = coming & there if slot.value_dtype is None else np.zeros_like(coming)
    contradicting = np.flatnonzero(duplicate | ~(coming | there))
    if len(contradicting):
        received = contradicting if order is None else order[contradicting]
        first = int(received.argmin())
        place = int(contradicting[first])
        error = DuplicateAnnouncement if duplicate[place] else UnknownWithdrawal
        raise error(slot, ordered.key(place), int(received[first]))
