"""What a Rotoro session serves, and which part of it a subscriber wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from rotoro.table.diff import Change, Diff
from rotoro.table.history import History
from rotoro.table.records import Records
from rotoro.table.slots import VRP4, VRP6, RouteSlot, Slot
from rotoro.table.snapshot import Snapshot
from rotoro.wire.bulk import as_octets
from rotoro.wire.errors import LimitExceeded
from rotoro.wire.rotoro import ANY, Families, Health, RecordKind, ScopeKind, Subscribe, TableEntry, TypeDefinition
from rotoro.wire.typed import RecordType

MAX_PARTS = 256
"""In how many different parts a table may be followed at a time; each is kept and encoded on its own."""

_FAMILY = {VRP4: 4, VRP6: 6}
_BIT = {4: Families.IPV4, 6: Families.IPV6}


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of a table: address families, one ingress, the prefixes that cover one or that it covers."""

    families: int = Families.BOTH
    ingress: int = ANY
    kind: int = ScopeKind.ALL
    address: bytes = b""
    length: int = 0

    @staticmethod
    def of(subscribe: Subscribe) -> Scope:
        """What a subscription asks for."""
        if subscribe.scope == ScopeKind.ALL:
            return Scope(subscribe.families, subscribe.ingress)
        # Bits behind the length mean nothing, and must not make two parts of one.
        address, bits = subscribe.scope_address, 8 * len(subscribe.scope_address)
        behind = bits - subscribe.scope_length
        cut = (int.from_bytes(address) >> behind << behind).to_bytes(len(address))
        return Scope(subscribe.families, subscribe.ingress, subscribe.scope, cut, subscribe.scope_length)

    def restrict(self, snapshot: Snapshot) -> Snapshot:
        """That part of a table; what is wanted whole is shared."""
        return Snapshot.of({slot: self.of_slot(slot, own) for slot, own in snapshot.items() if self._wants(slot)})

    def restrict_diff(self, diff: Diff) -> Diff:
        """What a change of the table changes in that part."""
        return Diff.of(
            {
                slot: Change(self.of_slot(slot, change.before), self.of_slot(slot, change.after))
                for slot, change in diff.items()
                if self._wants(slot)
            }
        )

    def of_slot(self, slot: Slot, records: Records) -> Records:
        """That part of the records of a wanted slot."""
        if self.kind == ScopeKind.ALL:
            return records
        # Keys begin with the address; the prefix length follows, in VRPs behind the maximum length.
        octets = as_octets(records.keys)
        width = len(self.address)
        lengths = octets[:, width if isinstance(slot, RouteSlot) else width + 1]
        wanted = np.frombuffer(self.address, np.uint8)
        if self.kind == ScopeKind.COVERED:
            mask = (lengths >= self.length) & _alike(octets[:, :width], wanted, np.full(len(octets), self.length))
        else:
            mask = (lengths <= self.length) & _alike(octets[:, :width], wanted, lengths)
        return records.take(np.flatnonzero(mask))

    def _wants(self, slot: Slot) -> bool:
        family = slot.family if isinstance(slot, RouteSlot) else _FAMILY.get(slot)  # type: ignore[call-overload]
        if family is None:
            return self.kind == ScopeKind.ALL
        if not self.families & _BIT[family]:
            return False
        if isinstance(slot, RouteSlot) and self.ingress not in (ANY, slot.number):
            return False
        return self.kind == ScopeKind.ALL or len(self.address) == (4 if family == 4 else 16)


WHOLE = Scope()
"""All of a table."""


def _alike(addresses: NDArray[np.uint8], wanted: NDArray[np.uint8], bits: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which addresses have the same leading bits as the wanted one, so many of them."""
    before = np.arange(addresses.shape[1], dtype=np.int16) * 8
    kept = np.clip(bits.astype(np.int16)[:, None] - before, 0, 8).astype(np.uint16)
    masks = (np.uint16(0xFF00) >> kept).astype(np.uint8)
    return ~((addresses ^ wanted) & masks).any(axis=1)  # type: ignore[no-any-return]


@dataclass(eq=False, slots=True)
class ServedTable:
    """One table that sessions serve: its history, and what the catalogue says of it."""

    number: int
    name: str
    kind: RecordKind
    history: History
    health: Health = Health.HEALTHY
    end_of_rib: bool = False
    """Whether the first load is complete."""
    text: str = ""
    counters: tuple[tuple[str, int], ...] = ()
    record: RecordType | None = None
    """What its records are, in a table of kind TYPED: its attribute sets are records of that type."""
    _parts: dict[Scope, _Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.kind == RecordKind.TYPED) != (self.record is not None):
            raise ValueError(f"table {self.name} of {self.kind.name} with the record type {self.record}")

    @property
    def type_number(self) -> int:
        """The number of its record type in the catalogue: its own, since each table has one type; 0 if it has none."""
        return 0 if self.record is None else self.number

    @property
    def entry(self) -> TableEntry:
        """Its line in the catalogue."""
        return TableEntry(
            number=self.number,
            kind=self.kind,
            families=Families.BOTH,
            health=self.health,
            type_number=self.type_number,
            count=self.history.snapshot.count,
            epoch=self.history.position.epoch,
            serial=self.history.position.serial,
            name=self.name,
        )

    def join(self, scope: Scope) -> History:
        """The history of a part of the table, shared by all who joined it; `leave` it in the end.

        Raises LimitExceeded if the table is followed in too many different parts.
        """
        if scope == WHOLE:
            return self.history
        if scope not in self._parts and len(self._parts) >= MAX_PARTS:
            raise LimitExceeded(f"more than {MAX_PARTS} parts of table {self.name}")
        part = self._parts.get(scope) or _Part(self.history, scope)
        self._parts[scope] = part
        part.users += 1
        return part.history

    def leave(self, scope: Scope) -> None:
        """One user less of that part; with the last one it goes."""
        part = self._parts.get(scope)
        if part is None:
            return
        part.users -= 1
        if not part.users:
            del self._parts[scope]
            part.close()


class _Part:
    """A history that follows another, restricted."""

    def __init__(self, whole: History, scope: Scope) -> None:
        position = whole.position
        # The epoch tells from what, from when and to what the part was cut: no token of another part fits it.
        told = f"{position.epoch} {position.serial} {scope}".encode()
        self.users = 0
        self.history = History(int.from_bytes(blake2b(told, digest_size=8).digest()))
        self._whole, self._scope = whole, scope
        if whole.ready:
            self.history.commit(scope.restrict(whole.snapshot))
        self._stop = whole.subscribe(self._follow)

    def _follow(self, diff: Diff) -> None:
        """The same for the part: costs what the change costs, but shares the records that are wanted whole."""
        own, scope, whole = self._scope.restrict_diff(diff), self._scope, self._whole.snapshot
        touched = {slot: scope.of_slot(slot, whole.records(slot)) for slot in own}
        self.history.commit(self.history.snapshot.replace(touched, own.digest_change), own)

    def close(self) -> None:
        """Follow no more, and let go of everything."""
        self._stop()
        self.history.close()


class ServedTables:
    """All tables that the sessions of one server serve."""

    def __init__(self, tables: tuple[ServedTable, ...] = ()) -> None:
        self._tables = {table.number: table for table in tables}

    def add(self, name: str, kind: RecordKind, history: History, record: RecordType | None = None) -> ServedTable:
        """Serve one more table, under the next number; one of kind TYPED has records of that type.

        Raises ValueError if only one of both is given.
        """
        number = max(self._tables, default=0) + 1
        table = self._tables[number] = ServedTable(number, name, kind, history, record=record)
        return table

    def remove(self, table: ServedTable) -> None:
        """Serve this one no more; who follows it hears no more of it."""
        self._tables.pop(table.number, None)

    def get(self, number: int) -> ServedTable | None:
        """The table of this number."""
        return self._tables.get(number)

    @property
    def entries(self) -> tuple[TableEntry, ...]:
        """The catalogue."""
        return tuple(table.entry for table in self._tables.values())

    @property
    def definitions(self) -> tuple[TypeDefinition, ...]:
        """The record types that the catalogue names."""
        typed = ((table.record, table.type_number) for table in self._tables.values())
        return tuple(record.definition(number) for record, number in typed if record is not None)
