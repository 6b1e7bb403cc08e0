"""A table for one client: first what there is, then each change, or only the changes since where it stood.

Nothing is queued for a client. It is remembered how far it has read, and messages are made when it can take more, a few
hundred records at a time; so a table is never written whole, and never twice for those who stand at the same place and
want the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from rotonda.gateway.chosen_rows import Wanted
from rotonda.gateway.holds import Hold
from rotonda.gateway.messages import Message, place_text
from rotonda.gateway.steps import KeptStep, Steps
from rotonda.gateway.words import Words
from rotonda.views.shown import Place
from rotoro.table import Change, History, Position, Records, Slot, Snapshot
from rotoro.table.encoded import Shelf

PIECE = 128
"""Records of one message."""

SHARED_OCTETS = 16 << 20
"""Of messages of a snapshot that were made lately: who begins at the same time, and reads as fast, gets the same."""

_SOME = 5_000
"""Rows that are looked at in one go where most may come to nothing."""

Work = Iterator[Message | None]
"""Messages; None where something was done that has come to none."""

_encode = msgspec.json.Encoder().encode


class TooSlow(Exception):
    """A client has not read on for so long that what it would need next is gone."""


@dataclass(frozen=True, eq=False)
class Table:
    """One table of a unit, as it can be followed."""

    unit: str
    name: str
    record: str
    history: History
    words: Words


class Feed:
    """A table, and all who follow it."""

    def __init__(self, table: Table, steps: Steps) -> None:
        self.table = table
        self.steps = steps
        self.readers: set[Reader] = set()
        self._made: Shelf[tuple[Position, Wanted, int], Message] = Shelf(SHARED_OCTETS)
        self._held: tuple[Snapshot, Hold] | None = None
        steps.trim_to(self._slowest)

    def join(self, wanted: Wanted, since: Position | None = None) -> Reader:
        """One more who follows, from a position on if that is known."""
        reader = Reader(self, wanted, since)
        self.readers.add(reader)
        return reader

    def hold(self) -> Hold:
        """Keep what the present snapshot names, until `let_go`."""
        snapshot = self.table.history.snapshot
        if self._held is None or self._held[0] is not snapshot:
            parts = [(slot, own.values) for slot, own in snapshot.items()]
            self._held = snapshot, Hold(self.steps.holds, parts)
        hold = self._held[1]
        hold.take()
        return hold

    def let_go(self, hold: Hold) -> None:
        """One reader does not need it any more."""
        hold.leave()
        if not hold.users and self._held is not None and self._held[1] is hold:
            self._held = None

    def shared(self, place: Position, wanted: Wanted, number: int, make: Callable[[], Message]) -> Message:
        """One of the messages of a snapshot."""
        if len(self.readers) < 2:
            return make()
        key = place, wanted, number
        found = self._made.get(key)
        if found is None:
            found = make()
            self._made.put(key, found, 2 * len(found.json))  # with its frame
        return found

    def _slowest(self) -> int:
        return min((reader.serial for reader in self.readers), default=self.table.history.position.serial)


class Reader:
    """How far one client has read."""

    def __init__(self, feed: Feed, wanted: Wanted, since: Position | None) -> None:
        self.idle = False
        """Whether there is nothing to do before the table changes."""
        self._feed, self._wanted = feed, wanted
        self._at = since
        self._begun = self._told_to_wait = False
        self._work: Work | None = None
        self._target: Position | None = None

    @property
    def serial(self) -> int:
        """From where on it needs steps."""
        place = self._target if self._at is None else self._at
        return self._feed.table.history.position.serial if place is None else place.serial

    @property
    def place(self) -> Position | None:
        """Where it stands, if it has everything up to there and nothing more."""
        return self._at if self._begun and self._work is None else None

    def take(self) -> Message | None:
        """The next message, or None: if there is none now, it is `idle`. Raises TooSlow."""
        if self._work is None:
            self._work = self._next()
        self.idle = self._work is None
        if self._work is None:
            return None
        try:
            return next(self._work)
        except StopIteration:
            self._work, self._at = None, self._target
            return None

    def close(self) -> None:
        """It reads no more."""
        self._feed.readers.discard(self)
        if self._work is not None:
            self._work = None  # what a generator holds it lets go of

    def _next(self) -> Work | None:
        """What brings it a step further."""
        history = self._feed.table.history
        if not history.ready:
            return self._waiting()
        now = history.position
        if not self._begun or self._at is None or self._at.epoch != now.epoch:
            return self._start(now)
        if self._at == now:
            return None
        step = self._feed.steps.after(self._at)
        if step is None:
            raise TooSlow(f"{place_text(self._at)} is too far back now, the table is at {place_text(now)}")
        self._target = step.end
        return self._feed.steps.shared(step, self._wanted, lambda: self._changes(step))

    def _waiting(self) -> Work | None:
        if self._told_to_wait:
            return None
        self._told_to_wait = True
        self._target = self._at
        return iter([Message.of("waiting", why="there is no data yet")])

    def _start(self, now: Position) -> Work:
        table, since = self._feed.table, self._at
        again, self._begun, self._target = self._begun, True, now
        resumed = not again and since is not None and self._feed.steps.reaches(since)
        why = None
        if resumed:
            self._target = since
        elif again:
            why = "the table begins anew"
        elif since is not None:
            why = f"no changes are kept since {place_text(since)}"
        if not resumed:
            self._at = None
        assert self._target is not None
        begin = Message.of(
            "begin",
            **({} if why is None else {"why": why}),  # type: ignore[arg-type]  # they are members, and no place
            unit=table.unit,
            table=table.name,
            record=table.record,
            position=Place.of(self._target),
            snapshot=not resumed,
        )
        return iter([begin, _complete(self._target, 0)]) if resumed else self._snapshot(begin, now)

    def _snapshot(self, begin: Message, place: Position) -> Work:
        """All that is wanted of the table as it is now, whatever becomes of it meanwhile."""
        feed, wanted = self._feed, self._wanted
        words, count, number = feed.table.words, 0, 0
        parts = [(slot, own) for slot, own in feed.table.history.snapshot.items() if wanted.concerns(slot)]
        hold = feed.hold()

        def made() -> Message:
            return Message(f'{head}{behind},"records":[{words.announced(slot, records)}]}}'.encode(), "snapshot")

        try:
            yield begin
            head = f'{{"type":"snapshot","position":{_position(place)},'
            for slot, own in parts:
                behind = words.head(slot)
                for records in _pieces(wanted.parts(slot, own)):
                    count, number = count + len(records), number + 1
                    yield feed.shared(place, wanted, number, made)
                yield None
            yield _complete(place, count)
        finally:
            feed.let_go(hold)

    def _changes(self, step: KeptStep) -> Work:
        """What is wanted of a step; the last message says that it is the last, and carries the position."""
        before: tuple[str, str] | None = None
        step.hold.take()
        try:
            for told in self._told(step):
                if told is None:
                    yield None
                    continue
                if before is not None:
                    yield Message(f"{before[1]}]}}".encode(), before[0])
                before = told
            if before is not None:
                yield Message(f'{before[1]}],"last":true}}'.encode(), before[0], step.end)
        finally:
            step.hold.leave()

    def _told(self, step: KeptStep) -> Iterator[tuple[str, str] | None]:
        """Type and beginning of each message, withdrawals first."""
        words, position = self._feed.table.words, _position(step.end)
        concerned = [(slot, change) for slot, change in step.diff.items() if self._wanted.concerns(slot)]
        for slot, change in concerned:
            head = f'{{"type":"withdraw","position":{position},{words.head(slot)},"records":['
            for keys in _withdrawn(self._wanted, slot, change):
                for start in range(0, len(keys), PIECE):
                    yield "withdraw", head + words.withdrawn(slot, keys[start : start + PIECE])
                yield None
        for slot, change in concerned:
            head = f'{{"type":"announce","position":{position},{words.head(slot)},"records":['
            for records in _pieces(self._wanted.parts(slot, change.after)):
                yield "announce", head + words.announced(slot, records)
            yield None


def heartbeat(reader: Reader) -> Message | None:
    """What tells a client that hears nothing that it has everything."""
    place = reader.place
    return None if place is None else Message.of("position", place, position=Place.of(place))


def _complete(place: Position, count: int) -> Message:
    return Message.of("complete", place, position=Place.of(place), records=count)


def _position(place: Position) -> str:
    return _encode(Place.of(place)).decode()


def _pieces(parts: Iterator[Records]) -> Iterator[Records]:
    for part in parts:
        for start in range(0, len(part), PIECE):
            yield part.take(slice(start, start + PIECE))


def _withdrawn(wanted: Wanted, slot: Slot, change: Change) -> Iterator[NDArray[Any]]:
    """Keys that are no more, some at a time: to look for all of them in one go takes long where there are many."""
    if not len(change.before):
        return
    for part in wanted.parts(slot, change.before):
        for start in range(0, len(part), _SOME):
            keys = part.keys[start : start + _SOME]
            if slot.value_dtype is None or not len(change.after):
                yield keys
            else:
                yield keys[~np.asarray(change.after.find(keys)[1])]
