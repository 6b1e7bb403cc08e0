"""Tables as their follower has them: how each is wanted, how far it has come, and what a COMMIT makes of it.

What is held changes by whole commits, each proved by its count and its digest. A commit that cannot be proved raises,
and leaves what is held as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from rotoro.session.base import clean, report
from rotoro.session.bracket import Bracket
from rotoro.session.effects import Effect, Note, Send, Streamed, Update
from rotoro.table.attributes import AttributeStore
from rotoro.table.diff import Diff
from rotoro.table.serial import Position
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.errors import (
    BadTypeDefinition,
    CorruptData,
    DigestMismatch,
    DuplicateAnnouncement,
    InvalidRequest,
    LimitExceeded,
    UnknownTable,
    UnknownWithdrawal,
)
from rotoro.wire.pdu import ROTORO
from rotoro.wire.rotoro import (
    ANY,
    Begin,
    BracketKind,
    Commit,
    Families,
    Mode,
    RecordKind,
    Subscribe,
    TableEntry,
    TypeDefinition,
)
from rotoro.wire.typed import RecordType

MAX_MISMATCHES = 3
"""After so many digests in a row that differ the connection is given up: starting over does not help."""

MAX_TYPES = 1024
"""How many record types a session may define."""

_REASON = 1024
"""How much of a reason with names of a peer goes to the log, in characters."""


@dataclass(frozen=True, slots=True)
class Want:
    """How a follower wants a table."""

    mode: Mode = Mode.FOLLOW
    families: int = Families.BOTH
    ingress: int = ANY
    scope: int = 0
    scope_address: bytes = b""
    scope_length: int = 0
    record: RecordType | None = None
    """Of which type the records must be; None takes every type, and tables of routes and RPKI data."""


Select = Callable[[TableEntry], Want | None]
"""Which tables of a catalogue are wanted, and how. Asked anew for each catalogue, so it should stay with its answer."""

StoreFor = Callable[[str, RecordType], AttributeStore]
"""Which store keeps the records of a table of that name and type: one that has no sets of other kinds."""


def follow_all(entry: TableEntry) -> Want | None:
    """Every table of routes or RPKI data."""
    return Want() if entry.kind in (RecordKind.ROUTES, RecordKind.RPKI) else None


def follow_rpki(entry: TableEntry) -> Want | None:
    """Every table of RPKI data."""
    return Want() if entry.kind == RecordKind.RPKI else None


@dataclass(eq=False, slots=True)
class FollowedTable:
    """What a follower has of a table."""

    name: str
    kind: int
    want: Want
    number: int = -1
    position: Position | None = None
    snapshot: Snapshot = field(default_factory=lambda: EMPTY)
    """What is held; nothing in stream mode."""
    stale_since: float | None = None
    """When the connection was lost, until the next commit."""
    starting_over: bool = False
    """Whether changes are of no use until the whole table comes: those under way when we asked for it."""
    mismatches: int = 0
    """How many commits in a row could not be proved on this connection."""
    pairs: Bracket | None = None
    """What came outside brackets since the last COMMIT."""
    record: RecordType | None = None
    """What its records are, in a table of such."""
    store: AttributeStore | None = None
    """What keeps them: its own, so that their octets are never taken for path attributes; None for other tables."""

    @property
    def streamed(self) -> bool:
        """Whether it is passed on as single pairs, and not kept."""
        return self.want.mode is Mode.STREAM

    def subscribe(self) -> Send:
        """Ask for it, from where we are."""
        want, held = self.want, self.position
        epoch, serial = (0, 0) if held is None else (held.epoch, held.serial)
        wish = Subscribe(
            table=self.number,
            mode=want.mode,
            resume=int(held is not None),
            families=want.families,
            scope=want.scope,
            epoch=epoch,
            serial=serial,
            ingress=want.ingress,
            scope_length=want.scope_length,
            scope_address=want.scope_address,
        )
        return Send(ROTORO, wish)

    def start_over(self) -> Send:
        """Ask for all of it; changes that are under way are passed over until it comes."""
        self.position = None
        self.starting_over = not self.streamed
        return self.subscribe()

    def differs(self, error: DigestMismatch) -> list[Effect]:
        """Both sides should have the same and do not: say so, and start over; raises the error after several."""
        self.mismatches += 1
        wish = self.start_over()
        if self.mismatches >= MAX_MISMATCHES:
            raise error
        return [Note(str(error), warning=True), Send(ROTORO, report(error, ROTORO)), wish]

    def connected(self) -> None:
        """Nothing of the connection before is under way any more."""
        self.pairs, self.starting_over, self.mismatches = None, False, 0

    def disconnected(self, now: float) -> None:
        """What is held grows old from now on, and what was coming is lost."""
        self.pairs = None
        if self.stale_since is None:
            self.stale_since = now

    def expires(self, seconds: float) -> float | None:
        """When what is held must not be used any more, if it is good for so long without its server; else None."""
        if self.kind != RecordKind.RPKI or self.stale_since is None or not self.snapshot.count:
            return None
        return self.stale_since + seconds

    def give_up(self, reason: str) -> list[Effect]:
        """Hold nothing any more, and say why."""
        diff = self.snapshot.diff(EMPTY)
        self._hold(EMPTY, diff)
        self.position = None
        note = Note(f"table {clean(self.name)}: {reason}, given up", warning=True)
        return [Update(self.name, Position(0, 0), EMPTY, diff, self.kind), note]

    def check_begin(self, begin: Begin) -> None:
        """Raises CorruptData for changes of another state than ours, InvalidRequest for a bracket among pairs."""
        if self.pairs is not None:
            raise InvalidRequest(f"a bracket of table {self.name} before the COMMIT of its pairs")
        if begin.kind == BracketKind.SNAPSHOT or self.starting_over:
            return
        start = Position(begin.from_epoch, begin.from_serial)
        # Who asks for single pairs from now on does not know yet where that is.
        if start != self.position and not (self.streamed and self.position is None):
            raise CorruptData(f"changes of table {self.name} from {start}, where {self.position} is held")

    def pass_on(self, rows: Bracket | None, commit: Commit) -> list[Effect]:
        """Single pairs up to a position: not kept."""
        self.position = Position(commit.epoch, commit.serial)
        return [Streamed(self.name, self.position, () if rows is None else rows.rows())]

    def replace(self, rows: Bracket, commit: Commit) -> list[Effect]:
        """The whole table anew. Raises what `diff` of a bracket raises, and DigestMismatch."""
        made = rows.diff()
        snapshot = self._proved(made.apply(EMPTY), commit)
        self.starting_over = False
        return self._advance(commit, snapshot, self.snapshot.diff(snapshot) if self.snapshot.count else made)

    def change(self, rows: Bracket, commit: Commit) -> list[Effect]:
        """The table after changes. Raises DigestMismatch, also for changes of what is not so here."""
        try:
            diff = rows.diff()
        except (UnknownWithdrawal, DuplicateAnnouncement) as wrong:
            raise self._differs(rows.base, commit, f": {wrong}") from None
        return self._advance(commit, self._proved(diff.apply(rows.base), commit), diff)

    def _advance(self, commit: Commit, snapshot: Snapshot, diff: Diff) -> list[Effect]:
        self.position = Position(commit.epoch, commit.serial)
        self.stale_since, self.mismatches = None, 0
        if not self.streamed:
            self._hold(snapshot, diff)
        return [Update(self.name, self.position, snapshot, diff, self.kind)]

    def _hold(self, snapshot: Snapshot, diff: Diff) -> None:
        """Keep this, to which the diff leads from what was kept, with the attribute sets that it names."""
        for slot, change in diff.items():
            slot.retain(change.after.values)
            slot.release(change.before.values)
        self.snapshot = snapshot

    def _proved(self, snapshot: Snapshot, commit: Commit) -> Snapshot:
        if (snapshot.digest, snapshot.count) != (commit.digest, commit.count):
            raise self._differs(snapshot, commit)
        return snapshot

    def _differs(self, snapshot: Snapshot, commit: Commit, why: str = "") -> DigestMismatch:
        there = f"{commit.count} records, digest {commit.digest:016x}"
        here = f"{snapshot.count}, {snapshot.digest:016x}{why}"
        return DigestMismatch(f"table {clean(self.name)} at {commit.epoch}:{commit.serial} has {there}; here {here}")


@dataclass(frozen=True, slots=True)
class OpenBracket:
    """A change of a table while it comes."""

    table: FollowedTable
    begin: Begin
    rows: Bracket

    def commit(self, commit: Commit) -> list[Effect]:
        """What its COMMIT makes of the table. Raises CorruptData if it leads elsewhere than its BEGIN said.

        Raises DigestMismatch if it cannot be proved, and what `diff` of a bracket raises for a whole table.
        """
        table, begin = self.table, self.begin
        if (commit.epoch, commit.serial) != (begin.epoch, begin.serial):
            raise CorruptData(f"COMMIT at {commit.epoch}:{commit.serial} of a bracket to {begin.epoch}:{begin.serial}")
        if begin.kind == BracketKind.SNAPSHOT:
            return table.replace(self.rows, commit)
        if table.starting_over:
            return []
        return (table.pass_on if table.streamed else table.change)(self.rows, commit)


class _Listed(NamedTuple):
    """A wanted table of a catalogue."""

    entry: TableEntry
    want: Want
    subscribed: FollowedTable | None
    """What its number has brought so far in this session."""


@dataclass(frozen=True, slots=True)
class _Type:
    """A record type that the server has defined."""

    definition: TypeDefinition
    record: RecordType | None
    """The same, if we can read such records."""
    unreadable: str = ""
    """Why we cannot."""

    @staticmethod
    def of(definition: TypeDefinition) -> _Type:
        try:
            return _Type(definition, RecordType.of(definition))
        except BadTypeDefinition as wrong:
            return _Type(definition, None, str(wrong))

    def refused(self, wanted: RecordType | None) -> str:
        """Why tables of it are not followed where that type is wanted, or any; nothing if they are."""
        if self.record is None or wanted in (None, self.record):
            return self.unreadable
        return f"its records are not of the type {wanted.name} as it is here: {wanted.differences(self.record)} there"


class FollowedTables:
    """All tables that a follower has of one server."""

    def __init__(self, select: Select, store_for: StoreFor | None = None) -> None:
        self.by_name: dict[str, FollowedTable] = {}
        self.refused: dict[str, str] = {}
        """Tables that are wanted and listed but cannot be followed, and why."""
        self._select = select
        self._store_for = store_for or (lambda name, record: AttributeStore())
        self._by_number: dict[int, FollowedTable] = {}
        self._types: dict[int, _Type] = {}
        self._waiting: dict[int, list[_Listed]] = {}
        """Tables whose type is not defined yet, by its number."""

    @property
    def receiving(self) -> bool:
        """Whether single pairs have come without their COMMIT."""
        return any(table.pairs is not None for table in self.by_name.values())

    def get(self, number: int, what: str) -> FollowedTable:
        """The table that has this number in the session; UnknownTable, naming what was said of it, if none has."""
        table = self._by_number.get(number)
        if table is None:
            raise UnknownTable(f"{what} of table {number}, to which there is no subscription")
        return table

    def connected(self) -> None:
        """A new connection, where all numbers mean something else."""
        self._by_number, self._types, self._waiting = {}, {}, {}
        for table in self.by_name.values():
            table.connected()

    def disconnected(self, now: float) -> None:
        """The connection is gone; the tables stay."""
        for table in self.by_name.values():
            table.disconnected(now)

    def expiries(self, seconds: float) -> list[tuple[float, FollowedTable]]:
        """Which of them must not be used any more from which time on, if they are good for so many seconds."""
        times = [(table.expires(seconds), table) for table in self.by_name.values()]
        return [(until, table) for until, table in times if until is not None]

    def listed(self, entries: Iterable[TableEntry]) -> list[Effect]:
        """A catalogue: subscribe to what is wanted and new; let go of what is no longer there."""
        effects: list[Effect] = []
        subscribed, self._by_number, self._waiting = self._by_number, {}, {}
        wanted: set[str] = set()
        for entry in entries:
            want = self._select(entry)
            if want is not None:
                wanted.add(entry.name)
                effects += self._meet(_Listed(entry, want, subscribed.get(entry.number)))
        for name in set(self.by_name) - wanted:
            effects += self.by_name.pop(name).give_up("served no more")
        self.refused = {name: why for name, why in self.refused.items() if name in wanted}
        return effects

    def define(self, pdu: TypeDefinition) -> list[Effect]:
        """A record type: follow the wanted tables that waited for it.

        Raises BadTypeDefinition if it contradicts an earlier definition, LimitExceeded if there are too many.
        """
        number = pdu.type_number
        known = self._types.get(number)
        if known is not None:
            if known.definition != pdu:
                raise BadTypeDefinition(f"record type {number}, {known.definition.name!r}, is defined again, otherwise")
            return []
        if len(self._types) >= MAX_TYPES:
            raise LimitExceeded(f"more than {MAX_TYPES} record types")
        self._types[number] = _Type.of(pdu)
        return [effect for listed in self._waiting.pop(number, ()) for effect in self._meet(listed)]

    def forget(self, reason: str) -> list[Effect]:
        """Give up all of them."""
        effects = [effect for table in self.by_name.values() for effect in table.give_up(reason)]
        self.by_name.clear()
        self._by_number, self._waiting, self.refused = {}, {}, {}
        return effects

    def _meet(self, listed: _Listed) -> list[Effect]:
        """Follow a wanted table, wait until its type is known, or let go of it if the type is another than wanted."""
        entry, want, _ = listed
        if entry.kind != RecordKind.TYPED:
            wrong = f"it has no records of type {want.record.name}" if want.record is not None else ""
            return self._refuse(entry.name, wrong) if wrong else self._follow(listed, None)
        found = self._types.get(entry.type_number)
        if found is None:
            self._waiting.setdefault(entry.type_number, []).append(listed)
            return []
        wrong = found.refused(want.record)
        return self._refuse(entry.name, wrong) if wrong else self._follow(listed, found.record)

    def _refuse(self, name: str, why: str) -> list[Effect]:
        """Not this table; said once, and the others go on."""
        said, self.refused[name] = self.refused.get(name), why
        table = self.by_name.pop(name, None)
        if table is not None:
            return table.give_up(clean(why, _REASON))
        return [] if said == why else [Note(f"table {clean(name)}: {clean(why, _REASON)}, not followed", warning=True)]

    def _follow(self, listed: _Listed, record: RecordType | None) -> list[Effect]:
        """Follow a listed table, of records of that type if of such."""
        entry, want, subscribed = listed
        effects: list[Effect] = []
        self.refused.pop(entry.name, None)
        table = self.by_name.get(entry.name)
        if table is not None and (table.kind, table.want, table.record) != (entry.kind, want, record):
            effects += table.give_up("another table now")
            table = None
        if table is None:
            store = None if record is None else self._store_for(entry.name, record)
            table = FollowedTable(entry.name, entry.kind, want, record=record, store=store)
            self.by_name[entry.name] = table
        table.number = entry.number
        self._by_number[entry.number] = table
        if subscribed is None:
            effects.append(table.subscribe())
        elif subscribed is not table:
            effects.append(table.start_over())
        return effects
