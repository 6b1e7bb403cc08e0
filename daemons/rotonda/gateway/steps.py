"""How a table goes on, kept for as long as somebody is still reading of it.

A history keeps what is worth to be sent; here is kept what those who are connected have not read yet, with the
attribute sets that it names, up to as many rows as the table has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from rotonda.gateway.holds import Hold, Holds
from rotoro.table import Diff, History, Position
from rotoro.table.encoded import Shelf

LEAST_ROWS = 200_000
"""Rows of steps that are kept of any table, however small; and always the last step."""

SHARED_ROWS = 400_000
"""Rows of steps of which is kept what was made of them, in all: about 100 MB of JSON. Longer steps are not shared."""

T = TypeVar("T")


class Shared(Generic[T]):
    """What an iterator gives, for several who read at their own pace."""

    def __init__(self, source: Iterator[T]) -> None:
        self._source, self._made = source, list[T]()

    def __iter__(self) -> Iterator[T]:
        at = 0
        while True:
            while at < len(self._made):
                yield self._made[at]
                at += 1
            try:
                self._made.append(next(self._source))
            except StopIteration:
                return


@dataclass(frozen=True, eq=False)
class KeptStep:
    """What led from a serial to a position."""

    serial: int
    diff: Diff
    end: Position
    holds: Holds = field(default_factory=Holds)

    @cached_property
    def hold(self) -> Hold:
        """Of the attribute sets of what is announced."""
        return Hold(self.holds, [(slot, change.after.values) for slot, change in self.diff.items()])


class Steps:
    """The last steps of one table. `changed` is called when there is another one, or something else to look at."""

    def __init__(self, history: History, changed: Callable[[], None], holds: Holds | None = None) -> None:
        self.history = history
        self.holds = holds or Holds()
        self._changed = changed
        self._kept: deque[KeptStep] = deque()
        self._rows = 0
        self._at = history.position
        self._made: Shelf[tuple[Position, Hashable], Shared[Any]] = Shelf(SHARED_ROWS)
        self._slowest: Callable[[], int] = lambda: history.position.serial
        steps = history.steps
        ends = [*(Position(self._at.epoch, step.serial) for step in steps[1:]), self._at]
        for step, end in zip(steps, ends, strict=False):
            self._append(KeptStep(step.serial, step.diff, end, self.holds))
        self._stop = history.subscribe(self._hear)

    def trim_to(self, slowest: Callable[[], int]) -> None:
        """`slowest` tells the lowest serial at which somebody stands."""
        self._slowest = slowest

    def after(self, place: Position) -> KeptStep | None:
        """The step that leads on from there; None if it is not kept, or if there is none yet."""
        if place.epoch != self._at.epoch:
            return None
        return next((step for step in self._kept if step.serial == place.serial), None)

    def reaches(self, place: Position) -> bool:
        """Whether steps lead from there to the present."""
        return self.history.ready and (place == self.history.position or self.after(place) is not None)

    def shared(self, step: KeptStep, key: Hashable, make: Callable[[], Iterator[T]]) -> Iterator[T]:
        """What is made of a step; made once for all who ask with equal keys, if it is not long."""
        if step.diff.rows > SHARED_ROWS:
            return make()
        found = self._made.get((step.end, key))
        if found is None:
            found = Shared(make())
            self._made.put((step.end, key), found, step.diff.rows)
        return iter(found)

    def close(self) -> None:
        """Nobody reads any more."""
        self._stop()
        self._forget(len(self._kept))

    def _hear(self, diff: Diff) -> None:
        now = self.history.position
        if now.epoch != self._at.epoch:
            self._forget(len(self._kept))
        elif now != self._at:
            self._append(KeptStep(self._at.serial, diff, now, self.holds))
        self._at = now
        slowest = self._slowest()
        limit = max(LEAST_ROWS, self.history.snapshot.count)
        while self._kept and ((self._rows > limit and len(self._kept) > 1) or self._kept[0].serial < slowest):
            self._forget(1)
        self._changed()

    def _append(self, step: KeptStep) -> None:
        step.hold.take()
        self._kept.append(step)
        self._rows += step.diff.rows

    def _forget(self, oldest: int) -> None:
        for _ in range(oldest):
            step = self._kept.popleft()
            step.hold.leave()
            self._rows -= step.diff.rows
