"""Small worlds for the tests of tables: few keys, so that changes meet, and tables as plain dictionaries."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from rotoro.table.attributes import AttributeStore
from rotoro.table.diff import Diff
from rotoro.table.ingress import Ingress, IngressKind
from rotoro.table.records import Records
from rotoro.table.slots import ASPA, PAYLOAD_SLOTS, ROUTER_KEY, RouteSlot, Slot
from rotoro.table.snapshot import Snapshot

patient = settings(deadline=None)

Table = dict[bytes, bytes | None]
Model = dict[Slot, Table]
Delta = dict[tuple[Slot, bytes], tuple[bytes | bool | None, bytes | bool | None]]

ATTRIBUTES = [b"", b"\x40\x01\x01\x00", b"\x40\x01\x01\x01", b"\x40\x01\x01\x02"]
PROVIDERS = [b"", b"\0\0\0\1", b"\0\0\0\1\0\0\0\2"]


def _fixed(width: int) -> list[bytes]:
    """Keys with NULs at both ends and octets beyond ASCII, where strings and octets would differ."""
    starts = (b"", b"\0\1", b"\1", b"\x7f\xff", b"\x80", b"\xff\0\xff")
    return [start.ljust(width, b"\0") for start in starts] + [bytes(width - 1) + b"\1"]


class World:
    """Slots of every kind over one store of attribute sets, and the way from models to tables and back."""

    def __init__(self) -> None:
        self.store = AttributeStore()
        peer = Ingress(1, IngressKind.BGP, b"\xc0\0\2\1", 64496)
        monitor = Ingress(2, IngressKind.BMP, name="monitor")
        self.routes = (
            RouteSlot(4, peer, self.store),
            RouteSlot(6, peer, self.store),
            RouteSlot(4, monitor, self.store),
        )
        self.slots: tuple[Slot, ...] = (*PAYLOAD_SLOTS, *self.routes)

    def keys(self, slot: Slot) -> list[bytes]:
        if slot == ROUTER_KEY:
            return [b"", b"\0", b"a", b"a\0", b"\xff" * 40]
        return _fixed(slot.key_dtype.itemsize)

    def values(self, slot: Slot) -> list[Any]:
        if slot in PAYLOAD_SLOTS:
            return PROVIDERS if slot == ASPA else [None]
        return ATTRIBUTES

    def models(self) -> st.SearchStrategy[Model]:
        return st.fixed_dictionaries({slot: self._tables(slot) for slot in self.slots})

    def _tables(self, slot: Slot) -> st.SearchStrategy[Table]:
        return st.dictionaries(st.sampled_from(self.keys(slot)), st.sampled_from(self.values(slot)))

    def column(self, slot: Slot, values: list[Any]) -> Any:
        """Values as a column of this slot: attribute sets become numbers."""
        if slot.value_dtype is None:
            return None
        return values if slot == ASPA else self.store.intern_all(values)

    def records(self, slot: Slot, table: Table) -> Records:
        return Records.of(slot, list(table), self.column(slot, list(table.values())))

    def snapshot(self, model: Model) -> Snapshot:
        return Snapshot.of({slot: self.records(slot, table) for slot, table in model.items()})

    def table(self, slot: Slot, records: Records) -> Table:
        keys = [records.key(row) for row in range(len(records))]
        if records.values is None:
            return dict.fromkeys(keys)
        values = records.values.tolist()
        return dict(zip(keys, values if slot == ASPA else [self.store.octets[value] for value in values], strict=True))

    def model(self, snapshot: Snapshot) -> Model:
        return {slot: self.table(slot, records) for slot, records in snapshot.items()}

    def delta(self, diff: Diff) -> Delta:
        """What a diff says of each key: its value before and after, False where there is none."""
        said: Delta = {}
        for slot, change in diff.items():
            before, after = self.table(slot, change.before), self.table(slot, change.after)
            for key in before | after:
                said[slot, key] = before.get(key, False), after.get(key, False)
        return said


def delta(before: Model, after: Model) -> Delta:
    """The same from two models."""
    said: Delta = {}
    for slot in before | after:
        old, new = before.get(slot, {}), after.get(slot, {})
        for key in old | new:
            pair = old.get(key, False), new.get(key, False)
            if pair[0] != pair[1]:
                said[slot, key] = pair
    return said


def filled(model: Model) -> Model:
    """A model as a snapshot holds it: without empty slots."""
    return {slot: table for slot, table in model.items() if table}


WORLD = World()
