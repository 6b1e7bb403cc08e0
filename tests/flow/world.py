"""Small tables of routes that change, and filters in plain Python, for tests of what flows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from rotoro.table import AttributeStore, History, Ingress, IngressKind, Records, RouteSlot, Slot, Snapshot

STORE = AttributeStore()
SETS = [bytes([0x40, 1, 1, number]) for number in range(3)] + [b"", b"\x40\x05\x04\0\0\0\x07"]
NUMBERS = STORE.intern_all(SETS)
INGRESSES = [Ingress(number, IngressKind.BGP, bytes((192, 0, 2, number)), asn=64496 + number) for number in range(3)]
SLOTS = [RouteSlot(family, ingress, STORE) for family in (4, 6) for ingress in INGRESSES]


def history(number: int = 1) -> History:
    """An empty table."""
    return History(number)


def key(slot: RouteSlot, number: int) -> bytes:
    """One of the keys of a slot."""
    width = 4 if slot.family == 4 else 16
    return bytes((10, number)) + bytes(width - 2) + b"\x10" + bytes(4)


def snapshot(rows: dict[tuple[int, int], int]) -> Snapshot:
    """Routes: number of slot and of key, to the number of an attribute set."""
    made: dict[Slot, Records] = {}
    for place, slot in enumerate(SLOTS):
        own = {key(slot, at): int(NUMBERS[value]) for (there, at), value in rows.items() if there == place}
        made[slot] = Records.of(slot, list(own), list(own.values()))
    return Snapshot.of(made)


def states(most: int = 12) -> st.SearchStrategy[list[dict[tuple[int, int], int]]]:
    """Some states of a table, one after the other."""
    rows = st.dictionaries(
        st.tuples(st.integers(0, len(SLOTS) - 1), st.integers(0, 5)), st.integers(0, len(SETS) - 1), max_size=most
    )
    return st.lists(rows, min_size=1, max_size=6)


class PlainFilter:
    """Decides by a function of key and octets of the attribute set, which gives other octets, or None to reject."""

    def __init__(self, decide: Callable[[bytes, bytes], bytes | None], store: AttributeStore = STORE) -> None:
        self.decide = decide
        self.store = store
        self.seen = 0
        """Rows that had effects."""

    def slot(self, slot: RouteSlot) -> RouteSlot:
        """Where the results go."""
        return RouteSlot(slot.family, slot.ingress, self.store)

    def run(self, slot: RouteSlot, records: Records, *, effects: bool = True) -> Records:
        """Row by row."""
        self.seen += len(records) if effects else 0
        assert records.values is not None
        assert records.times is not None
        octets = [slot.attributes.octets[number] for number in records.values.tolist()]
        results = [self.decide(records.key(row), own) for row, own in enumerate(octets)]
        rows = np.array([row for row, result in enumerate(results) if result is not None], np.intp)
        numbers = self.store.intern_all([result for result in results if result is not None])
        return Records(records.keys[rows], numbers, records.times[rows])


def filters() -> st.SearchStrategy[PlainFilter]:
    """Filters that reject some keys and some sets, and make one set of others."""

    def made(bad_key: int, bad_set: int, changed: int) -> PlainFilter:
        def decide(key: bytes, octets: bytes) -> bytes | None:
            if key[1] == bad_key or octets == SETS[bad_set]:
                return None
            return SETS[3] if octets == SETS[changed] else octets

        return PlainFilter(decide)

    some = st.integers(0, 5)
    return st.builds(made, some, st.integers(0, len(SETS) - 1), st.integers(0, len(SETS) - 1))


def expected(west: Snapshot, filter: PlainFilter) -> Snapshot:
    """What a filter shows of a table, made from nothing."""
    slots = [slot for slot in west if isinstance(slot, RouteSlot)]
    return Snapshot.of({filter.slot(slot): filter.run(slot, west[slot], effects=False) for slot in slots})
