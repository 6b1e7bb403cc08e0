"""What a session wants done. Whoever drives it does these, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotoro.table.diff import Diff
from rotoro.table.serial import Position
from rotoro.table.slots import Slot
from rotoro.table.snapshot import Snapshot
from rotoro.wire.pdu import Pdu
from rotoro.wire.rotoro import RecordKind


@dataclass(frozen=True, slots=True)
class Send:
    """Send this PDU."""

    version: int
    pdu: Pdu


@dataclass(frozen=True, slots=True)
class Stream:
    """Send these octets, which others may be sent too: never copy them, and say `drained` when they are out."""

    chunks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """A table is complete in a new state."""

    table: str
    position: Position
    snapshot: Snapshot
    diff: Diff | None
    """What changed, or None if that is not known: the snapshot stands for itself."""
    kind: int = RecordKind.RPKI
    """What the table holds."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one slot in the order received: announced or withdrawn keys, with the values and times that they have."""

    slot: Slot
    announced: NDArray[np.bool_]
    keys: NDArray[Any]
    values: NDArray[Any] | None
    times: NDArray[np.uint32] | None


@dataclass(frozen=True, slots=True)
class Streamed:
    """Single pairs of a table that is not held here: all that came up to this position."""

    table: str
    position: Position
    rows: tuple[Rows, ...]


@dataclass(frozen=True, slots=True)
class TableStatus:
    """What the peer tells of the unit behind one of its tables."""

    table: str
    health: int
    end_of_rib: bool
    text: str
    counters: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Flush:
    """The data of this session must not be used any more; `code` is that of the cache's error, if it sent one."""

    reason: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Call `wake` at this time, forgetting any earlier wish."""

    when: float


@dataclass(frozen=True, slots=True)
class Note:
    """Something that people want to read in the log."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection, once all that was to be sent is out."""

    reason: str


Effect = Send | Stream | Update | Streamed | TableStatus | Flush | WakeAt | Note | Close
