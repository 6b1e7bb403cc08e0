"""Route tables between snapshots and Rotoro PDUs: brackets of ingresses, attribute sets and runs of rows.

Attribute sets are numbered from 0 within each bracket, so a bracket means the same to everybody who receives it: a
follower that has just come and one that has been there for weeks share the same octets.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rotoro.session.payload import changes
from rotoro.table.attributes import AttributeStore
from rotoro.table.columns import group_ends
from rotoro.table.diff import Change, Diff
from rotoro.table.history import State
from rotoro.table.ingress import Ingress
from rotoro.table.serial import Position
from rotoro.table.slots import RouteSlot
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.bulk import as_octets, encode_rows, record_dtype
from rotoro.wire.codec import encode
from rotoro.wire.fields import RouteFlags
from rotoro.wire.pdu import ROTORO, ROTORO_MAX_LENGTH
from rotoro.wire.rotoro import (
    AttributeSets,
    Begin,
    BracketKind,
    Commit,
    IngressHealth,
    IngressState,
    RouteRow4,
    RouteRow6,
    Routes4,
    Routes6,
)

MAX_SETS = 1 << 20
"""How many attribute sets of a bracket a receiver keeps, unless PARAMS says less; older ones are forgotten."""

SECOND = 1_000_000
"""Microseconds: tables keep times in seconds."""

_ROUTES = {4: (Routes4, RouteRow4), 6: (Routes6, RouteRow6)}
_ROOM = 64
"""Octets of a PDU that are not rows or sets, rounded up."""
_LENGTH_OCTETS = 2


@dataclass(frozen=True, slots=True)
class RotoroEncoder:
    """A table as Rotoro carries it, under the table's number, within the limits of a receiver."""

    table: int
    stream: bool = False
    """Whether routes stand outside brackets, as single pairs do; RPKI data never does, since it names no table."""
    max_pdu: int = ROTORO_MAX_LENGTH
    max_sets: int = MAX_SETS

    def snapshot(self, state: State) -> Iterator[bytes]:
        """The whole table, for a follower that has nothing of it."""
        yield self._begin(BracketKind.SNAPSHOT, Position(0, 0), state.position)
        yield from self._data(EMPTY.diff(state.snapshot), state.snapshot)
        yield self._commit(state)

    def diff(self, diff: Diff, start: Position, state: State) -> Iterator[bytes]:
        """What leads from one position to the current state."""
        if not self.stream or any(not isinstance(slot, RouteSlot) for slot in diff):
            yield self._begin(BracketKind.DIFF, start, state.position)
        yield from self._data(diff, state.snapshot)
        yield self._commit(state)

    def _begin(self, kind: BracketKind, start: Position, end: Position) -> bytes:
        return encode(Begin(self.table, kind, start.epoch, start.serial, end.epoch, end.serial), ROTORO)

    def _commit(self, state: State) -> bytes:
        position, snapshot = state.position, state.snapshot
        return encode(Commit(self.table, position.epoch, position.serial, snapshot.count, snapshot.digest), ROTORO)

    def _data(self, diff: Diff, snapshot: Snapshot) -> Iterator[bytes]:
        yield from changes(diff, ROTORO)
        yield from _RouteWriter(self).write({s: c for s, c in diff.items() if isinstance(s, RouteSlot)}, snapshot)


class _RouteWriter:
    """One bracket of routes being written."""

    def __init__(self, encoder: RotoroEncoder) -> None:
        self._encoder = encoder
        self._forgotten: dict[AttributeStore, NDArray[np.int64]] = {}
        """By number of the store, how many sets are defined when the receiver forgets that set; 0 if it never knew."""
        self._defined = 0

    def write(self, diff: Mapping[RouteSlot, Change], snapshot: Snapshot) -> Iterator[bytes]:
        there = {_identity(slot) for slot in snapshot if isinstance(slot, RouteSlot)}
        defined: dict[int, int] = {}
        for slot, change in diff.items():
            number, identity = _identity(slot)
            # Who reads single pairs has no table in which to look up what a closed ingress had.
            closed = (number, identity) not in there and not self._encoder.stream
            if defined.get(number) != identity:  # a number may have been given to another ingress
                defined[number] = identity
                yield encode(ingress_pdu(self._encoder.table, slot.ingress, closed), ROTORO)
            if not closed:
                yield from self._withdrawals(slot, change)
                yield from self._announcements(slot, change)

    def _withdrawals(self, slot: RouteSlot, change: Change) -> Iterator[bytes]:
        keys = change.withdrawn
        for start, end in self._pieces(slot, len(keys)):
            piece = keys[start:end]
            flags = _path_flag(piece)
            yield self._run(slot, flags, 0, encode_rows(slot.family, flags, piece, None, None))

    def _announcements(self, slot: RouteSlot, change: Change) -> Iterator[bytes]:
        records = change.after
        assert records.values is not None  # as all routes have
        assert records.times is not None
        for start, end in self._pieces(slot, len(records)):
            keys, times = records.keys[start:end], records.times[start:end]
            numbers = yield from self._numbered(slot.attributes, records.values[start:end])
            first = int(times.min())
            flags = RouteFlags.ANNOUNCE | _path_flag(keys)
            offsets = times - np.uint32(first)
            if offsets.any():
                flags |= RouteFlags.OFFSETS
            yield self._run(slot, flags, first * SECOND, encode_rows(slot.family, flags, keys, numbers, offsets))

    def _pieces(self, slot: RouteSlot, count: int) -> Iterator[tuple[int, int]]:
        widest = record_dtype(_ROUTES[slot.family][1], sum(RouteFlags)).itemsize
        rows = (self._encoder.max_pdu - _ROOM) // widest
        for start in range(0, count, rows):
            yield start, min(start + rows, count)

    def _run(self, slot: RouteSlot, flags: int, time: int, rows: bytes) -> bytes:
        pdu = _ROUTES[slot.family][0]
        return encode(pdu(self._encoder.table, flags, slot.number, time, SECOND, rows), ROTORO)

    def _numbered(
        self, store: AttributeStore, values: NDArray[np.uint32]
    ) -> Generator[bytes, None, NDArray[np.uint32]]:
        """Define the sets that these rows lack, and give the rows' numbers in this bracket."""
        forgotten = self._forgotten.get(store)
        if forgotten is None:
            # Pages that are never touched cost nothing: a diff of one row does not pay for all sets of the store.
            forgotten = self._forgotten[store] = np.zeros(len(store.octets), np.int64)
        # A set that might be forgotten before the last of the new ones is defined is defined again.
        lacking = np.sort(values[forgotten[values] < self._defined + len(values)])
        if len(lacking):
            lacking = lacking[group_ends(lacking)]
            yield from self._definitions(list(map(store.octets.__getitem__, lacking.tolist())))
            known = self._encoder.max_sets + self._defined
            forgotten[lacking] = np.arange(known, known + len(lacking))
            self._defined += len(lacking)
        return (forgotten[values] - self._encoder.max_sets).astype(np.uint32)

    def _definitions(self, sets: list[bytes]) -> Iterator[bytes]:
        room = self._encoder.max_pdu - _ROOM
        lengths = np.fromiter(map(len, sets), np.int64, len(sets))
        ends = np.cumsum(lengths + _LENGTH_OCTETS)
        start, before = 0, 0
        while start < len(sets):
            end = max(start + 1, int(np.searchsorted(ends, before + room, "right")))
            own = tuple(lengths[start:end].tolist())
            pdu = AttributeSets(self._encoder.table, self._defined + start, own, b"".join(sets[start:end]))
            yield encode(pdu, ROTORO)
            start, before = end, int(ends[end - 1])


def ingress_pdu(table: int, ingress: Ingress, closed: bool) -> IngressState:
    """The PDU that tells of an ingress."""
    return IngressState(
        table,
        ingress.number,
        ingress.kind,
        ingress.view,
        IngressHealth.CLOSED if closed else ingress.state,
        ingress.parent,
        ingress.asn,
        ingress.bgp_id,
        ingress.distinguisher,
        ingress.address,
        ingress.name,
    )


def _identity(slot: RouteSlot) -> tuple[int, int]:
    return slot.number, slot.ingress.digest


def _path_flag(keys: NDArray[np.bytes_]) -> int:
    return RouteFlags.PATHS if len(keys) and as_octets(keys)[:, -4:].any() else 0
