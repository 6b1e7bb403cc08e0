"""A table of RPKI data as octets that last, so that who followed it before a restart goes on from where it stood.

Nothing that is read back is believed: one digest covers every octet, every count is held against what is left, and keys
are looked at as if they came from a stranger. What is refused costs a new session, and never a wrong set.

**Serials must not be used twice.** What routers are told of cannot wait for the disk, so the file may lack the last
commits of a process that was killed, and a router may stand at one of them. Therefore a second, tiny file promises,
before any of them is used, up to which serial a life may have come (`Promise`). `resumed` goes on behind all of those:
who stands at a serial that is kept gets exact changes, who stands at one that was lost has to start over, and no serial
ever means two things. Only when a daemon stops in good order does the promise name the very serial of the file.

In a sealed body (see `rotoro.table.sealed`), a promise is epoch u64 and serial u64. A table:

| | |
| --- | --- |
| owner, sources | two texts: whose table it is, and what it was made from |
| fresh | f64, seconds since 1970: when it was last known to be what its sources say |
| position | epoch u64, serial u64 |
| sessions | u8; of each: RTR version u8, session id u16 |
| snapshot | records u64, state digest u64; then the columns of each slot of RPKI data |
| steps | u16; of each: serial u64 from which it leads on; of each slot the columns before and after |
| parts | u16; of each what `Part` has; of each slot u8: 1 if its columns are the table's, or 0 and the columns |
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rotoro.table.diff import Change, Diff, MisplacedDiff
from rotoro.table.history import State, Step
from rotoro.table.records import Records
from rotoro.table.sealed import BadStored, Body, columns, opened, sealed, text
from rotoro.table.serial import Position
from rotoro.table.slots import PAYLOAD_SLOTS, Slot
from rotoro.table.snapshot import Snapshot

MAX_OCTETS = 1 << 30
"""How long a stored table may be."""

PROMISED = 1024
"""How many serials are promised at a time."""

MAX_LOST = 1 << 20
"""How many serials may lie between a table and its promise: RTR tells old from new only up to 2^31."""

_TABLE, _PROMISE = 1, 2
_PART = struct.Struct(">BQQIIId")


@dataclass(frozen=True, slots=True)
class Part:
    """What one source of a table said last, with what it takes to ask it for what has changed since."""

    source: str
    """Who said it."""
    table: str
    """In which of its tables."""
    version: int
    """The version of RTR or Rotoro in which it came."""
    position: Position
    """Epoch and serial; of an RTR cache session id and serial."""
    timers: tuple[int, int, int]
    """Refresh, retry and expire, in seconds."""
    expires: float
    """When it must not be used any more, in seconds since 1970."""
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Stored:
    """A table, what led to it, and under which names it was served."""

    owner: str
    sources: str
    fresh: float
    sessions: Mapping[int, int]
    """The session id of each RTR version."""
    state: State
    steps: tuple[Step, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Promise:
    """Of this life no serial beyond this one was ever told to anybody."""

    epoch: int
    serial: int

    def write(self) -> bytes:
        """As octets that last."""
        return b"".join(sealed(_PROMISE, [struct.pack(">QQ", self.epoch, self.serial)]))

    @staticmethod
    def read(octets: bytes) -> Promise:
        """From such octets; raises BadStored."""
        body = opened(octets, _PROMISE)
        promise = Promise(body.number(8, "epoch"), body.number(8, "serial"))
        body.end()
        return promise


def resumed(stored: Stored, promise: Promise) -> tuple[State, tuple[Step, ...]]:
    """Where a table goes on after a restart: behind every serial that may have been used; raises BadStored.

    >>> from rotoro.table.snapshot import EMPTY
    >>> stored = Stored("", "", 0.0, {}, State(Position(7, 20), EMPTY))
    >>> [resumed(stored, Promise(7, last))[0].position.serial for last in (20, 1044)]
    [20, 1045]
    """
    state, last = stored.state, promise.serial
    position = state.position
    if promise.epoch != position.epoch or not 0 <= last - position.serial <= MAX_LOST:
        raise BadStored(f"{position} does not go with a promise up to {last} of epoch {promise.epoch}")
    if last == position.serial:
        return state, stored.steps
    return State(Position(position.epoch, last + 1), state.snapshot), (
        *stored.steps,
        Step(position.serial, Diff({}, 0)),
    )


def write_table(stored: Stored) -> list[bytes]:
    """As octets that last, in pieces."""
    return sealed(_TABLE, _table_body(stored))


def read_table(octets: bytes, owner: str, sources: str) -> Stored:
    """From such octets, if they are this owner's and made from these sources.

    Raises BadStored, saying what is wrong and where. Columns of the snapshot share the memory of the octets.
    """
    body = opened(octets, _TABLE)
    for what, expected in (("the table of", owner), ("made from", sources)):
        found = body.text(what)
        if found != expected:
            raise BadStored(f"{what} {found[:200]!r}, not {expected[:200]!r}")
    fresh = body.real("time")
    position = Position(body.number(8, "epoch"), body.number(8, "serial"))
    sessions = {body.number(1, "version"): body.number(2, "session id") for _ in range(body.number(1, "versions"))}
    count, digest = body.number(8, "records"), body.number(8, "digest")
    records: dict[Slot, Records] = {slot: body.records(slot) for slot in PAYLOAD_SLOTS}
    snapshot = Snapshot.of(records)
    if (snapshot.count, snapshot.digest) != (count, digest):
        body.refuse(f"{snapshot} where {count} records of digest {digest:016x} were stored")
    steps = tuple(_read_step(body) for _ in range(body.number(2, "steps")))
    parts = tuple(_read_part(body, snapshot) for _ in range(body.number(2, "parts")))
    body.end()
    _check_steps(position, snapshot, steps)
    return Stored(owner, sources, fresh, sessions, State(position, snapshot), steps, parts)


# --- writing --------------------------------------------------------------------------------------------------------


def _table_body(stored: Stored) -> Iterator[bytes]:
    state = stored.state
    yield text(stored.owner) + text(stored.sources)
    yield struct.pack(">dQQB", stored.fresh, state.position.epoch, state.position.serial, len(stored.sessions))
    yield from (struct.pack(">BH", version, session) for version, session in stored.sessions.items())
    yield struct.pack(">QQ", state.snapshot.count, state.snapshot.digest)
    for slot in PAYLOAD_SLOTS:
        yield from columns(state.snapshot.records(slot))
    yield struct.pack(">H", len(stored.steps))
    for step in stored.steps:
        yield step.serial.to_bytes(8)
        for slot in PAYLOAD_SLOTS:
            change = step.diff.get(slot) or Change(Records.none(slot), Records.none(slot))
            yield from columns(change.before)
            yield from columns(change.after)
    yield struct.pack(">H", len(stored.parts))
    for part in stored.parts:
        yield from _part(part, state.snapshot)


def _part(part: Part, table: Snapshot) -> Iterator[bytes]:
    yield text(part.source) + text(part.table)
    yield _PART.pack(part.version, part.position.epoch, part.position.serial, *part.timers, part.expires)
    for slot in PAYLOAD_SLOTS:
        own = part.snapshot.records(slot)
        if own == table.records(slot):
            yield b"\1"
        else:
            yield b"\0"
            yield from columns(own)


# --- reading --------------------------------------------------------------------------------------------------------


def _read_step(body: Body) -> Step:
    serial = body.number(8, "serial")
    changes = {slot: Change(_apart(body.records(slot)), _apart(body.records(slot))) for slot in PAYLOAD_SLOTS}
    return Step(serial, Diff.of({slot: change for slot, change in changes.items() if change.rows}))


def _apart(records: Records) -> Records:
    """In memory of their own: they are few, and stay when the table has long moved on."""
    return Records(records.keys.copy(), records.values)


def _read_part(body: Body, table: Snapshot) -> Part:
    source, name = body.text("source"), body.text("table")
    version, epoch, serial = body.number(1, "version"), body.number(8, "epoch"), body.number(8, "serial")
    refresh, retry, expire = (body.number(4, "timer") for _ in range(3))
    expires = body.real("expiry")
    records: dict[Slot, Records] = {
        slot: table.records(slot) if body.number(1, "mark") else body.records(slot) for slot in PAYLOAD_SLOTS
    }
    shared = all(own is table.get(slot) for slot, own in records.items() if len(own))
    snapshot = table if shared and sum(map(len, records.values())) == table.count else Snapshot.of(records)
    return Part(source, name, version, Position(epoch, serial), (refresh, retry, expire), expires, snapshot)


def _check_steps(position: Position, snapshot: Snapshot, steps: Sequence[Step]) -> None:
    """Raises BadStored unless the steps lead to where the table is."""
    serials = [*(step.serial for step in steps), position.serial]
    if sorted(set(serials)) != serials:
        raise BadStored(f"steps from serials {serials}")
    if steps:
        try:
            Diff.chain([step.diff for step in steps]).inverse().apply(snapshot)
        except (MisplacedDiff, ValueError) as wrong:
            raise BadStored(f"steps that do not lead to the table: {wrong}") from wrong
