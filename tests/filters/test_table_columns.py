"""What filters ask of tables goes by columns, and comes to the same as record by record."""

from __future__ import annotations

import random
from itertools import product

from rotonda.blocks import types
from rotonda.blocks.check import check
from rotonda.blocks.places import Source
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.types import FieldOf, ListType, RecordType
from rotonda.blocks.values import Prefix
from rotonda.filters.compile import compiled
from rotonda.filters.interpret import Interpreter
from rotonda.filters.route_record import RouteRecord
from rotonda.filters.world import SmallWorld, SourceGone, SourceView
from rotonda.sources.table import TableView
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, Records, RouteSlot
from tests.filters.compared import random_batch
from tests.filters.programs import PREFIXES

ROW = RecordType(
    "Row",
    (
        FieldOf("prefix", types.PREFIX), FieldOf("asn", types.ASN), FieldOf("asns", ListType(types.ASN)),
        FieldOf("max_length", types.PREFIX_LENGTH), FieldOf("name", types.STRING), FieldOf("good", types.BOOL),
    ),
)  # fmt: skip
FILE = """
data-source t: Table with config {{
    source_file: "t.csv",
    contains: Row {{
        prefix: Prefix, asn: Asn, asns: [Asn], max_length: PrefixLength, name: String, good: Bool
    }}
}};
filter-map f {{
    define {{ rx_tx route: Route; use t; found = {found}; one = found.first(); }}
    term good for row: Row {{ match {{ route.origin_asn in row.asns; }} }}
    action change {{ route.med.set(7); }}
    apply {{ filter match {condition} matching {{ change; return accept; }}; reject; }}
}}
"""
FOUND = ("t.longest_match(route.prefix)", "t.exact_match(route.prefix)", "t.find(route.origin_asn)",
         "t.find(route.peer_asn)", "t.less_specifics(route.prefix)", "t.more_specifics(route.prefix)")  # fmt: skip
CONDITIONS = (
    "found.matches", "!found.matches", "found.len() > 1", "found.matches && route.origin_asn in one.asns",
    "found.matches && route.origin_asn not in one.asns", "route.as_path.first() in one.asns", "one.asns.contains(1)",
    "found.matches && one.asns.contains(route.peer_asn)", "route.prefix.len() <= one.max_length", "one.good",
    "one.asn == route.origin_asn", "one.exists() && one.asn == 1", "one.asn.exists()", 'one.name == "a"',
    "one.asns.len() > 1", "t.contains(route.prefix) || found.matches", "!found.matches || one.good",
)  # fmt: skip


def lowered(found: str, condition: str) -> TypedFilter:
    """The filter of a file."""
    program, said = check(Source("t.blocks", FILE.format(found=found, condition=condition)))
    if program is None:
        raise ValueError("; ".join(one.message for one in said))
    return program.filters["f"]


def table(chance: random.Random, count: int) -> TableView:
    """Rows about prefixes that routes have, or that lie around those."""
    rows = []
    for _ in range(count):
        address, length = chance.choice(PREFIXES).split("/")
        prefix = Prefix.parse(f"{address}/{length}").cut(chance.choice((int(length), max(0, int(length) - 4), 0)))
        asns = tuple(chance.choice((1, 2, 3, 64496, 0xFFFFFFFF)) for _ in range(chance.randrange(4)))
        rows.append(
            (prefix, chance.choice((1, 2, 64496)), asns, chance.choice((8, 24, 128)), "a", chance.random() < 0.5)
        )
    return TableView.of(ROW, [list(column) for column in zip(*rows, strict=True)] or [[] for _ in ROW.fields])


class Gone(SourceView):
    """A source whose data is not there."""

    def tabled(self) -> None:
        raise SourceGone("it has not come")

    def longest_match(self, prefix: Prefix) -> list[RouteRecord]:
        raise SourceGone("it has not come")


class ComparingTestCase(SynchronousTestCase):
    def compare(self, filter: TypedFilter, view: SourceView, slot: RouteSlot, records: Records) -> tuple[int, int]:
        """Hold the columns against the interpreter; gives how many were accepted and failed."""
        world = SmallWorld({"t": view})
        own = compiled(filter, {}, world)
        left = own.run(slot, records)
        assert records.values is not None
        assert records.times is not None
        assert left.values is not None
        octets, interpreter = slot.attributes.octets, Interpreter(filter, {}, world)
        wanted = []
        for row, number in enumerate(records.values.tolist()):
            seconds = int(records.times[row])
            record = RouteRecord(slot.family, records.key(row), slot.ingress, octets[number], seconds)
            decision = interpreter.run(record)
            if decision.accepted:
                assert isinstance(decision.record, RouteRecord)
                wanted.append((records.key(row), decision.record.octets))
        found = [(left.key(row), octets[number]) for row, number in enumerate(left.values.tolist())]
        self.assertEqual(found, wanted)
        return len(found), sum(own.counts.failures.values())


class TableColumnsTests(ComparingTestCase):
    def test_as_the_interpreter(self) -> None:
        chance, accepted, failed = random.Random(1), 0, 0
        for found, condition in product(FOUND, CONDITIONS):
            with self.subTest(f"{found}: {condition}"):
                filter = lowered(found, condition)
                for count in (0, 1, 30):
                    slot, records = random_batch(chance, AttributeStore(), 40)
                    sums = self.compare(filter, table(chance, count), slot, records)
                    accepted, failed = accepted + sums[0], failed + sums[1]
        self.assertGreater(accepted, 500)
        self.assertGreater(failed, 500)

    def test_many_rows_of_few_records(self) -> None:
        """So many that records are looked for among rows."""
        chance = random.Random(2)
        for condition in ("found.matches && route.origin_asn in one.asns", "!found.matches"):
            for found in FOUND[:2]:
                slot, records = random_batch(chance, AttributeStore(), 2000)
                self.compare(lowered(found, condition), table(chance, 12), slot, records)

    def test_a_table_that_is_gone(self) -> None:
        slot, records = random_batch(random.Random(3), AttributeStore(), 10)
        filter = lowered(FOUND[0], "found.matches && one.good")
        self.assertEqual(self.compare(filter, Gone(), slot, records), (0, len(records)))

    def test_no_record_is_made(self) -> None:
        """Neither to see whether something was found, nor for what its numbers are."""
        slot, records = random_batch(random.Random(4), AttributeStore(), 200)
        view = table(random.Random(5), 30)
        self.patch(TableView, "record", lambda own, row: self.fail("a record was made"))
        for found in FOUND[:3]:
            for condition in (CONDITIONS[0], CONDITIONS[3], CONDITIONS[7], CONDITIONS[8]):
                compiled(lowered(found, condition), {}, SmallWorld({"t": view})).run(slot, records)
