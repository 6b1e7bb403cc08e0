"""What filters ask of a RIB goes by columns, and comes to the same as route by route."""

from __future__ import annotations

import random
from itertools import product

from rotonda.blocks import types
from rotonda.blocks.check import check
from rotonda.blocks.places import Source
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.types import FieldOf, ListType, RecordType
from rotonda.blocks.values import RecordValue
from rotonda.filters.compile import compiled
from rotonda.filters.records import to_wire, wire_type
from rotonda.filters.world import SmallWorld
from rotonda.sources import rib
from rotonda.sources.rib import RibView

from rotoro.table import AttributeStore, Records, RouteSlot, Slot, Snapshot
from tests.filters.compared import random_batch
from tests.filters.test_table_columns import FOUND, ComparingTestCase

FILE = """
unit other: PhysicalRib with config {{ {of} }};
data-source t: Rib with config {{ related: other }};
filter-map f {{
    define {{ rx_tx route: Route; use t; found = {found}; one = found.first(); }}
    action change {{ route.med.set(7); }}
    apply {{ filter match {condition} matching {{ change; return accept; }}; reject; }}
}}
"""
OF_ROUTES = (
    "found.matches", "!found.matches", "found.len() > 1", "one.origin_asn == route.origin_asn", "one.med > 1",
    "found.matches && one.origin_asn != route.origin_asn", "one.local_pref.exists()", "one.atomic_aggregate",
    "one.peer_asn == route.peer_asn", "one.path_id == route.path_id", "one.received <= route.received",
    "one.peer_id == route.peer_id", "one.communities.contains(64496:1)", "one.aggregator_asn.exists()",
    "one.only_to_customer == 1", "one.as_path.len() > 2", "one.next_hop == route.next_hop",
    "one.prefix == route.prefix", "t.contains(route.prefix) || found.matches", "t.contains(route.origin_asn)",
)  # fmt: skip
SEEN = RecordType(
    "Seen",
    (
        FieldOf("asn", types.ASN), FieldOf("asns", ListType(types.ASN)), FieldOf("level", types.U8),
        FieldOf("name", types.STRING),
    ),
)  # fmt: skip
OF_SEEN = (
    "found.matches", "found.len() > 1", "one.asn == route.origin_asn", "route.origin_asn in one.asns", "one.level > 3",
    "one.level.exists()", "one.asns.contains(1)", 'one.name == "a"', "t.contains(route.origin_asn)",
)  # fmt: skip


def lowered(found: str, condition: str, of: str = "") -> TypedFilter:
    """The filter of a file."""
    program, said = check(Source("t.blocks", FILE.format(found=found, condition=condition, of=of)))
    if program is None:
        raise ValueError("; ".join(one.message for one in said))
    return program.filters["f"]


def of_routes(chance: random.Random, count: int) -> RibView:
    """Routes of several ingresses, of both families."""
    store, table = AttributeStore(), dict[Slot, Records]()
    for _ in range(6):
        slot, records = random_batch(chance, store, count)
        table[slot] = records
    return RibView(Snapshot.of(table))


def of_seen(chance: random.Random, count: int) -> RibView:
    """Records of a declared type, under the prefixes of routes."""
    store, table = AttributeStore(), dict[Slot, Records]()
    wire = wire_type(SEEN)
    for _ in range(4):
        slot, records = random_batch(chance, AttributeStore(), count)
        octets = []
        for _ in range(5):
            values = (
            ("asn", chance.choice((1, 2, 64496))), ("asns", tuple(chance.sample((1, 2, 3, 64496), 2))),
            ("level", chance.choice((3, 4))), ("name", chance.choice("ab")),
            )  # fmt: skip
            octets.append(wire.encode(to_wire(SEEN, RecordValue("Seen", values))))
        own = RouteSlot(slot.family, slot.ingress, store)
        keys = [records.key(row) for row in range(len(records))]
        table[own] = Records.of(own, keys, [store.intern(chance.choice(octets)) for _ in keys])
    return RibView(Snapshot.of(table), SEEN)


class RibColumnsTests(ComparingTestCase):
    def test_as_the_interpreter(self) -> None:
        chance, accepted, failed = random.Random(1), 0, 0
        of = f"contains: {_declared()}"
        asked = [(lowered(*one), of_routes) for one in product(FOUND, OF_ROUTES)]
        asked += [(lowered(*one, of), of_seen) for one in product(FOUND, OF_SEEN) if "peer_asn" not in one[0]]
        for number, (filter, made) in enumerate(asked):
            self.patch(rib, "_FEW", (0, 16)[number % 2])
            for count in (0, 1, 30):
                with self.subTest(str(filter.name), number=number, count=count):
                    slot, records = random_batch(chance, AttributeStore(), 40)
                    sums = self.compare(filter, made(chance, count), slot, records)
                    accepted, failed = accepted + sums[0], failed + sums[1]
        self.assertGreater(accepted, 500)
        self.assertGreater(failed, 500)

    def test_no_route_is_made(self) -> None:
        """Neither to see whether something was found, nor for what its numbers are."""
        slot, records = random_batch(random.Random(4), AttributeStore(), 200)
        view = of_routes(random.Random(5), 30)
        self.patch(RibView, "record", lambda own, row: self.fail("a route was made"))
        for found in FOUND[:2]:
            for condition in OF_ROUTES[:15]:
                compiled(lowered(found, condition), {}, SmallWorld({"t": view})).run(slot, records)


def _declared() -> str:
    return f"Seen {{ {', '.join(f'{own.name}: {own.type}' for own in SEEN.fields)} }}"
