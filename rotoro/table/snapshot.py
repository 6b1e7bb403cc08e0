"""What a table holds at one moment.

A snapshot never changes, so anybody may keep one and read it while the next ones are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rotoro.table.columns import Column
from rotoro.table.digest import MODULUS, total
from rotoro.table.records import Records
from rotoro.table.slots import Slot

if TYPE_CHECKING:
    from rotoro.table.diff import Diff


class Snapshot(Mapping[Slot, Records]):
    """The records of a table by slot, with the state digest; slots without records are not in it.

    Iteration is in the order of the slots: RPKI data by kind, then routes by family and ingress.
    """

    __slots__ = ("_records", "count", "digest")

    def __init__(self, ordered: dict[Slot, Records], count: int, digest: int) -> None:
        """Take over what is ordered, counted and hashed; `Snapshot.of` does that."""
        self._records = ordered
        self.count = count
        self.digest = digest

    @staticmethod
    def of(records: Mapping[Slot, Records]) -> Snapshot:
        """A snapshot of these records; hashes them all."""
        digests = (total(slot.hashes(own.keys, own.values)) for slot, own in records.items())
        return Snapshot(_ordered(records), sum(map(len, records.values())), sum(digests) % MODULUS)

    def replace(self, changed: Mapping[Slot, Records], digest_change: int) -> Snapshot:
        """A snapshot with other records in some slots; costs what these slots cost, not what the table costs."""
        more = sum(len(own) - len(self.records(slot)) for slot, own in changed.items())
        merged = {**self._records, **changed}
        if any(slot not in self._records or not len(own) for slot, own in changed.items()):
            merged = _ordered(merged)
        return Snapshot(merged, self.count + more, (self.digest + digest_change) % MODULUS)

    def __getitem__(self, slot: Slot) -> Records:
        return self._records[slot]

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return self.digest == other.digest and self._records == other._records

    __hash__ = None  # type: ignore[assignment]  # columns are compared, not hashed

    def __repr__(self) -> str:
        return f"<Snapshot of {self.count} records in {len(self)} slots, digest {self.digest:016x}>"

    @property
    def nbytes(self) -> int:
        """Octets of memory that the records take; what snapshots share counts in each."""
        return sum(own.nbytes for own in self._records.values())

    @property
    def counts(self) -> Mapping[Slot, int]:
        """How many records each slot has."""
        return {slot: len(own) for slot, own in self._records.items()}

    def records(self, slot: Slot) -> Records:
        """The records of a slot, which may be none."""
        own = self._records.get(slot)
        return Records.none(slot) if own is None else own

    def narrowed(self, bounds: Column) -> Snapshot:
        """At least the records of some spans of keys: who looks at no others need not have more made.

        `bounds` has the keys at which the spans begin, and then those before which they end; no two overlap.
        """
        return self

    def diff(self, other: Snapshot) -> Diff:
        """What leads from this snapshot to the other, and nothing more."""
        from rotoro.table.diff import Diff  # a diff applies to snapshots and so imports this module

        return Diff.between(self, other)


def _ordered(records: Mapping[Slot, Records]) -> dict[Slot, Records]:
    held = [(slot, own) for slot, own in records.items() if len(own)]
    return dict(sorted(held, key=lambda item: item[0].order))


EMPTY = Snapshot({}, 0, 0)
