"""What the interpreter makes of rows, one by one, beside what a compiled filter makes of all of them."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import NamedTuple

import numpy as np
from rotonda.blocks import types
from rotonda.blocks.places import Span
from rotonda.blocks.syntax import Direction
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.types import FieldOf, ListType, RecordType
from rotonda.blocks.values import Constant, Prefix, RecordValue, Value
from rotonda.filters.batches import TypedRecords
from rotonda.filters.compile import FilterCounts, compiled
from rotonda.filters.interpret import Interpreter
from rotonda.filters.route_record import RouteRecord
from rotonda.filters.world import Record, SmallWorld, SourceView, TableView

from rotoro.table import AttributeStore, Ingress, IngressKind, Records, RibView, RouteSlot
from tests.filters import sets
from tests.filters.programs import PREFIXES

MADE = RecordType(
    "Made",
    (
        FieldOf("prefix", types.PREFIX),
        FieldOf("asn", types.ASN),
        FieldOf("note", types.STRING),
        FieldOf("level", types.U32, optional=True),
        FieldOf("asns", ListType(types.ASN), optional=True),
        FieldOf("path", types.AS_PATH, optional=True),
        FieldOf("seen", types.TIME, optional=True),
        FieldOf("hop", types.ADDRESS, optional=True),
        FieldOf("tags", ListType(types.COMMUNITY), optional=True),
    ),
)
PEERS = (
    Ingress(1, IngressKind.BGP, bytes((10, 1, 2, 3)), 1, 0x0A00_0001, name="edge"),
    Ingress(2, IngressKind.BMP, bytes.fromhex("20010db8" + "0" * 23 + "1"), 64496, view=RibView.LOC_RIB, name="1"),
    Ingress(3, IngressKind.MRT, asn=3, name=""),
)


class Outcome(NamedTuple):
    """Key, octets and time of those rows of a batch that were accepted, and what else happened."""

    rows: list[tuple[bytes, bytes, int]]
    sent: dict[str, list[RecordValue]]
    failures: Counter[Span]


class Judge(SourceView):
    """Says of origins and paths whatever their numbers happen to say."""

    def validate(self, prefix: Prefix, origin: int) -> Constant:
        return Constant("Rov", types.ROV.constants[(prefix.length + origin) % 3])

    def verify(self, path: Sequence[tuple[int, tuple[int, ...]]], direction: Constant) -> Constant:
        count = sum(len(numbers) for kind, numbers in path if kind == 2)
        return Constant("PathState", types.PATH_STATE.constants[(count + (direction.name == "UPSTREAM")) % 3])


def customer(prefix: str, asn: int, limit: int) -> RecordValue:
    return RecordValue(
        "Customer", (("customer_id", f"{asn}"), ("prefix", Prefix.parse(prefix)), ("asn", asn), ("limit", limit))
    )


CUSTOMERS = (
    ("10.0.0.0/8", 1, 2), ("10.1.0.0/16", 1, 100), ("10.1.2.0/24", 64496, 24), ("2001:db8::/32", 2, 0),
    ("2001:db8:1::/48", 0xFFFFFFFF, 7),
)  # fmt: skip
SOURCES: Mapping[str, SourceView] = {
    "customers": TableView([customer(*words) for words in CUSTOMERS]),
    "rib": TableView([customer(prefix, 5, 5) for prefix in ("0.0.0.0/0", "10.1.2.128/25", "2001:db8:1:2::/64")]),
    "rpki": Judge(),
}
"""There is none for `names`: filters that ask it fail."""


def some_records(chance: random.Random, slot: RouteSlot, sets_of_rows: Sequence[bytes], count: int) -> Records:
    """Rows with these sets, of prefixes that filters ask for and of their neighbours."""
    keys = []
    for _ in range(count):
        network = ip_network(chance.choice([one for one in PREFIXES if (":" in one) == (slot.family == 6)]))
        length = chance.choice((network.prefixlen, network.prefixlen, chance.randint(0, network.max_prefixlen)))
        address = int(network.network_address) ^ chance.choice((0, 0, 1 << chance.randrange(network.max_prefixlen)))
        shift = network.max_prefixlen - length
        octets = (address >> shift << shift).to_bytes(network.max_prefixlen // 8)
        keys.append(octets + bytes((length,)) + struct.pack(">I", chance.choice((0, 0, 1, 3, 0xFFFFFFFF))))
    numbers = slot.attributes.intern_all([chance.choice(sets_of_rows) for _ in keys])
    return Records.of(slot, keys, numbers, [chance.choice((0, 1, 1_700_000_000, 0xFFFFFFFF)) for _ in keys])


def random_batch(chance: random.Random, store: AttributeStore, count: int = 40) -> tuple[RouteSlot, Records]:
    """Some routes of one slot; sets are usual, odd and broken ones."""
    slot = RouteSlot(chance.choice((4, 6)), chance.choice(PEERS), store)
    return slot, some_records(chance, slot, [sets.some_set(chance) for _ in range(1 + count // 3)], count)


def by_interpreter(
    filter: TypedFilter, arguments: Mapping[str, Value], slot: RouteSlot, records: Records, accept: bool
) -> Outcome:
    """One by one."""
    interpreter = Interpreter(filter, arguments, SmallWorld(SOURCES), accept)
    outcome = Outcome([], {}, Counter())
    assert records.values is not None
    assert records.times is not None
    for row in range(len(records)):
        octets, seconds = slot.attributes.octets[records.values[row]], int(records.times[row])
        decision = interpreter.run(_record(filter, slot, records.key(row), octets, seconds))
        for sent in decision.sent:
            outcome.sent.setdefault(sent.stream, []).append(sent.record)
        if decision.failure is not None:
            outcome.failures[decision.failure.span] += 1
        if decision.accepted:
            outcome.rows.append((records.key(row), _octets(filter, decision.record, octets), seconds))
    return outcome


def _record(filter: TypedFilter, slot: RouteSlot, key: bytes, octets: bytes, seconds: int) -> Record:
    if filter.takes == types.ROUTE:
        return RouteRecord(slot.family, key, slot.ingress, octets, seconds)
    assert isinstance(filter.takes, RecordType)
    return TypedRecords(filter.takes).of_row(slot, key, octets, seconds)


def _octets(filter: TypedFilter, record: Record, came: bytes) -> bytes:
    if isinstance(record, RouteRecord):
        return record.octets
    if filter.direction is Direction.RX:
        return came
    assert isinstance(record, RecordValue)
    assert isinstance(filter.gives, RecordType)
    return TypedRecords(filter.gives).encoded(record)


def by_compiled(
    filter: TypedFilter, arguments: Mapping[str, Value], batches: Sequence[tuple[RouteSlot, Records]], accept: bool
) -> list[Outcome]:
    """All rows of a batch at once, batch after batch with one filter."""
    world, made = SmallWorld(SOURCES), AttributeStore()
    counts = FilterCounts()
    own = compiled(filter, arguments, world, made, "ACCEPT" if accept else "REJECT", counts)
    outcomes = []
    for slot, records in batches:
        counts.failures.clear()
        del world.sent[:]
        silent = own.run(slot, records, effects=False)
        assert not world.sent
        assert not counts.failures
        found = own.run(slot, records)
        assert found == silent
        sent: dict[str, list[RecordValue]] = {}
        for stream, record in world.sent:
            sent.setdefault(stream, []).append(record)
        outcomes.append(Outcome(_rows(own.slot(slot), found), sent, Counter(counts.failures)))
    return outcomes


def _rows(slot: RouteSlot, found: Records) -> list[tuple[bytes, bytes, int]]:
    assert found.values is not None
    assert found.times is not None
    assert np.all(found.keys[:-1] < found.keys[1:])
    numbers, times = found.values.tolist(), found.times.tolist()
    return [(found.key(row), slot.attributes.octets[numbers[row]], times[row]) for row in range(len(found))]
