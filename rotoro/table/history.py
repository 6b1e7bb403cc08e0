"""What a table was and is, and how its followers keep up: one history for all of them.

A follower says where it stands and gets the difference, or is told to start over. What is encoded for one is kept and
shared by the next until the table moves on; who is still sending holds on to the octets by itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from rotoro.table.diff import Diff
from rotoro.table.encoded import Encoded, Shelf
from rotoro.table.serial import Position, serial_distance
from rotoro.table.snapshot import EMPTY, Snapshot

Listener = Callable[[Diff], None]


class NotReady(RuntimeError):
    """A table without data yet was asked for its data (RFC 8210 section 12, error 2)."""


@dataclass(frozen=True, slots=True)
class State:
    """A snapshot and its position."""

    position: Position
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Step:
    """What led on from a serial. Serials may be left out between two steps: nobody is known to stand there."""

    serial: int
    diff: Diff


class Encoder(Hashable, Protocol):
    """A way to write a table, for instance one version of RTR with one session id.

    Encoders that are equal write the same octets.
    """

    def snapshot(self, state: State) -> Iterable[bytes]:
        """The octets that bring a follower from nothing to this state."""

    def diff(self, diff: Diff, start: Position, state: State) -> Iterable[bytes]:
        """The octets that bring a follower from `start` to this state."""


class History:
    """The current snapshot of a table, the diffs that led there, and their encoded forms.

    Keeps at most `diffs` diffs, with no more rows in all than `records` or the current snapshot, whichever is more:
    a longer diff would be dearer than to start over. Keeps at most `octets` octets of encoded diffs. `serial` is that
    of the first data. Attribute sets are retained for as long as the snapshot or a kept diff names them.
    """

    def __init__(
        self, epoch: int, serial: int = 0, *, diffs: int = 128, records: int = 100_000, octets: int = 64 << 20
    ) -> None:
        self.state = State(Position(epoch, serial), EMPTY)
        self.ready = False
        """Whether there is data. No data yet is not the same as a set without records."""
        self._begun = False
        """Whether there ever was, so that the next commit goes on from it."""
        self._limits = diffs, records
        self._steps: list[Step] = []
        self._rows = 0
        self._merged: Shelf[int, Diff] = Shelf(records)
        self._snapshots: dict[Encoder, Encoded] = {}
        self._encoded: Shelf[tuple[Encoder, int], Encoded] = Shelf(octets)
        self._listeners: dict[object, Listener] = {}

    @property
    def snapshot(self) -> Snapshot:
        """What the table holds now."""
        return self.state.snapshot

    @property
    def position(self) -> Position:
        """Where a follower stands that has all of it."""
        return self.state.position

    @property
    def serial(self) -> int:
        """The position as RTR counts."""
        return self.position.rtr_serial

    @property
    def reach(self) -> int:
        """How many commits a follower may be behind."""
        return len(self._steps)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What led to the current snapshot, the oldest first, as far back as it is kept."""
        return tuple(self._steps)

    def resume(self, state: State, steps: Sequence[Step]) -> None:
        """Go on where another history has stopped, with the steps that led there; before the first commit.

        Raises ValueError if this one has begun already, or if the serials of the steps do not ascend to the state's.
        """
        serials = [*(step.serial for step in steps), state.position.serial]
        if self._begun or any(later <= earlier for earlier, later in pairwise(serials)):
            raise ValueError(f"a table cannot be resumed at {state.position} by way of {serials}")
        self.state = state
        self.ready = self._begun = True
        for step in steps:
            self._append(step)
            for slot, change in step.diff.items():
                slot.retain(change.before.values)
        for slot, records in state.snapshot.items():
            slot.retain(records.values)
        self._trim()
        self._clear()

    def renew(self, position: Position) -> None:
        """Begin another life with the same data: whoever followed the one before has to start over."""
        self._forget(len(self._steps))
        self.state = State(position, self.snapshot)
        self._clear()

    def suspend(self) -> None:
        """There is no data for now. What there was is told to nobody, and is what the next commit goes on from."""
        self.ready = False
        self._clear()

    def commit(self, snapshot: Snapshot, diff: Diff | None = None) -> Diff | None:
        """Make this the current snapshot; returns what changed. Who knows the diff that leads there gives it too.

        Returns None, and keeps serial and snapshot, if nothing did. The first commit takes the initial serial, even if
        there are no records.
        """
        return self._advance(self.snapshot.diff(snapshot) if diff is None else diff, snapshot)

    def commit_diff(self, diff: Diff) -> Diff | None:
        """Apply this to the current snapshot; like `commit`. Raises MisplacedDiff if it does not start from there."""
        return self._advance(diff, diff.apply(self.snapshot))

    def recast(self, snapshot: Snapshot) -> None:
        """The same records in another form take the place of the current snapshot; nobody has to be told."""
        self.state = State(self.position, snapshot)

    def since(self, start: int | Position) -> Diff | None:
        """What changed since an RTR serial or a position, or None if the follower has to start over."""
        behind = self._behind(start)
        return None if behind is None else self._since(behind)

    def encoded_snapshot(self, encoder: Encoder) -> Encoded:
        """The current state as this encoder writes it. Raises NotReady if there is no data yet."""
        if not self.ready:
            raise NotReady(f"the table of epoch {self.position.epoch} has no data yet")
        if encoder not in self._snapshots:
            self._snapshots[encoder] = Encoded.of(encoder.snapshot(self.state))
        return self._snapshots[encoder]

    def encoded_since(self, start: int | Position, encoder: Encoder) -> Encoded | None:
        """What changed since then as this encoder writes it, or None if the follower has to start over."""
        behind = self._behind(start)
        if behind is None:
            return None
        found = self._encoded.get((encoder, behind))
        if found is None:
            octets = encoder.diff(self._since(behind), self._place(behind), self.state)
            found = Encoded.of(octets)
            self._encoded.put((encoder, behind), found, found.length)
        return found

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with the diff after each commit, until the returned function is called.

        Exceptions of listeners come out of the commit, as one group, when all were called and the commit is done.
        """
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    def close(self) -> None:
        """The end of the table: let go of its data, its attribute sets and its listeners."""
        for slot, records in self.snapshot.items():
            slot.release(records.values)
        self.renew(self.position)
        self.state = State(self.position, EMPTY)
        self.ready = self._begun = False
        self._listeners.clear()

    def _behind(self, start: int | Position) -> int | None:
        """How many steps the follower is behind, if they reach to where it stands. The future is very far."""
        if isinstance(start, int):
            serial = self.position.serial - serial_distance(start, self.serial)
        else:
            serial = start.serial if start <= self.position else -1
        if not self.ready or serial < 0:
            return None
        if serial == self.position.serial:
            return 0
        found = bisect_left(self._steps, serial, key=lambda step: step.serial)
        known = found < len(self._steps) and self._steps[found].serial == serial
        return len(self._steps) - found if known else None

    def _place(self, behind: int) -> Position:
        """Where a follower stands that is so many steps behind."""
        return Position(self.position.epoch, self._steps[-behind].serial) if behind else self.position

    def _since(self, behind: int) -> Diff:
        found = self._merged.get(behind)
        if found is None:
            found = Diff.chain([step.diff for step in self._steps[len(self._steps) - behind :]])
            self._merged.put(behind, found, found.rows)
        return found

    def _advance(self, diff: Diff, snapshot: Snapshot) -> Diff | None:
        if self._begun and not diff:
            self.ready = True
            return None
        for slot, change in diff.items():
            slot.retain(change.after.values)
        if self._begun:
            self._append(Step(self.position.serial, diff))
        self.state = State(self.position.next() if self._begun else self.position, snapshot)
        self.ready = self._begun = True
        self._trim()
        self._clear()
        self._tell(diff)
        return diff

    def _append(self, step: Step) -> None:
        self._steps.append(step)
        self._rows += step.diff.rows

    def _trim(self) -> None:
        diffs, records = self._limits
        limit = max(records, self.snapshot.count)
        while len(self._steps) > diffs or self._rows > limit:
            self._forget(1)
        self._merged.limit = limit

    def _forget(self, oldest: int) -> None:
        """Nobody may be this far back any more, so nobody needs what was there before."""
        for _ in range(oldest):
            step = self._steps.pop(0)
            self._rows -= step.diff.rows
            for slot, change in step.diff.items():
                slot.release(change.before.values)

    def _clear(self) -> None:
        self._merged.clear()
        self._snapshots.clear()
        self._encoded.clear()

    def _tell(self, diff: Diff) -> None:
        broken: list[Exception] = []
        for token, listener in list(self._listeners.items()):
            if token in self._listeners:  # an earlier one may have unsubscribed it
                try:
                    listener(diff)
                except Exception as wrong:
                    broken.append(wrong)
        if broken:
            raise ExceptionGroup(f"listeners of the table of epoch {self.position.epoch}", broken)
