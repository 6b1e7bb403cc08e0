"""What a source of RPKI data is to those who use it: how it fares, what it says now, and what has changed in that.

Sources are put in rows: caches and exports, then a policy that makes one source of several, then local exceptions, and
each of them is a source to the next. What travels is `News`, west to east.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from rotoro.table import Diff, Snapshot


class SourceState(IntEnum):
    """How good the data of a source is; the less, the better."""

    CURRENT = 0
    """It is what the source says now."""
    STALE = 1
    """The source cannot be asked, but what it said last may still be used."""
    EXPIRED = 2
    """It is past its time, and used all the same because it is to be kept, or because nothing is left of it."""
    CONNECTING = 3
    """There was no data yet."""
    GONE = 4
    """There is no data any more."""

    @property
    def usable(self) -> bool:
        """Whether there is data to use."""
        return self <= SourceState.EXPIRED

    @property
    def word(self) -> str:
        """For people."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class News:
    """What a source tells: its state, all of its data, and what leads there from what it told before.

    `snapshot` is None where the state is not usable. `diff` leads from the snapshot told before, or from nothing if
    that was None; it is None where it is not known. Data that did not change is the same snapshot.
    """

    state: SourceState
    snapshot: Snapshot | None
    diff: Diff | None = None


Listener = Callable[[News], None]
