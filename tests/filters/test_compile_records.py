"""Compiled filters of records that a file declares: they are read, changed and made anew."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.blocks import types
from rotonda.blocks.types import FieldOf, RecordType
from rotonda.blocks.values import Address, RecordValue
from rotonda.filters.batches import TypedRecords
from rotonda.filters.compile import compiled
from rotonda.filters.world import SmallWorld
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, Records, RouteSlot
from tests.blocks import filters as files
from tests.filters.compared import MADE, PEERS, by_compiled, by_interpreter, some_records
from tests.filters.programs import COMPARED, PREFIXES
from tests.filters.sets import random_path

KEYED = RecordType("Rated", (FieldOf("asn", types.ASN), FieldOf("note", types.STRING), FieldOf("score", types.FLOAT)))
CONDITIONS = (
    "made.asn {compared} AS2", "made.asn in [AS1, AS3]", "made.asn not in made.asns", "made.note == \"edge\"",
    "made.note.len() {compared} 2", "made.level {compared} made.asns.len()", "made.level.exists()",
    "made.asns.contains(made.asn)", "made.asns.first() == made.asn", "AS1 in made.path", "made.path.origin() == AS3",
    "made.hop == 10.1.2.3", "made.hop.is_ipv6()", "made.tags.contains(0:1)", "made.tags.is_empty()",
    "made.prefix in [{prefix}, 10.0.0.0/8 orlonger]", "made.prefix.len() {compared} /24", "made.prefix.exists()",
    "made.prefix.covers({prefix})", "customers.contains(made.asn)", "customers.longest_match(made.prefix).matches()",
    "customers.find(made.asn).first().limit {compared} made.level", "names.contains(made.note)",
)  # fmt: skip
CHANGES = (
    "asn.set(AS7)", "asn.set(made.path.last())", "level.unset()", "level.set(made.asns.len())", "asns.push(made.asn)",
    "asns.remove(AS1)", "asns.clear()", "path.prepend(made.asn, 3)", "hop.unset()", "hop.set(made.prefix.address())",
    'note.set(String.format("{{}}/{{}}", made.asn, made.prefix))', "tags.add(0:1)",
)  # fmt: skip


def program(chance: random.Random) -> str:
    """A filter of made records, or one that makes others of them."""
    makes = chance.random() < 0.3

    def condition() -> str:
        words = chance.choice(CONDITIONS).format(compared=chance.choice(COMPARED), prefix=chance.choice(PREFIXES))
        return chance.choice(("{}", "!({})", "({} && made.level > 0)", "({} || made.asn == AS1)")).format(words)

    def change() -> str:
        if not makes:
            return f"made.{chance.choice(CHANGES).format()}; "
        return chance.choice(
            (
                "rated.score.set(0.5); ",
                "rated.note.set(made.prefix.to_string()); ",
                "rated.asn.set(made.path.origin()); ",
            )
        )

    records = "rx made: Made; tx rated: Rated;" if makes else "rx_tx made: Made;"
    prepare = "rated.asn.set(made.asn); rated.note.set(made.note); rated.score.set(1.5); " if makes else change()
    rules = "".join(
        f"filter match {condition()} matching {{ {chance.choice(('act; ', ''))}"
        f"{chance.choice(('return accept;', 'reject;', ''))} }}; "
        for _ in range(chance.randint(1, 4))
    )
    return (
        f"filter-map test {{ define {{ {records} use customers; use names; }} action prepare {{ {prepare} }} "
        f"action act {{ {change()}{change()} }} apply {{ prepare; {rules} accept; }} }}"
    )


def record(chance: random.Random) -> RecordValue:
    """A record in which anything may be missing."""
    values = {
        "asn": chance.choice((0, 1, 2, 3, 0xFFFFFFFF)),
        "note": chance.choice(("", "edge", "\N{SNOWMAN}" * 9)),
        "level": chance.choice((0, 1, 2, 0xFFFFFFFF)),
        "asns": tuple(chance.choice((0, 1, 2, 3)) for _ in range(chance.randrange(4))),
        "path": random_path(chance)[:4],
        "seen": chance.choice((0, 1_700_000_000_000_000)),
        "hop": chance.choice((Address(bytes((10, 1, 2, 3))), Address(bytes(15) + b"\1"))),
        "tags": tuple(chance.choice((0, 1, 0xFFFFFFFF)) for _ in range(chance.randrange(3))),
    }
    return RecordValue(
        "Made", (("prefix", None), *((n, v if chance.random() < 0.9 else None) for n, v in values.items()))
    )


class RecordFilterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(files, "TYPES", {**files.TYPES, "Made": MADE, "Rated": KEYED})

    @given(st.integers(0, 2**32), st.booleans())
    @settings(max_examples=100, deadline=None)
    def test_the_same_becomes_of_every_record(self, seed: int, accept: bool) -> None:
        chance = random.Random(seed)
        text = program(chance)
        filter, said = files.complained(text)
        if filter is None:
            raise AssertionError("; ".join(one.message for one in said), text)
        store, kind = AttributeStore(), TypedRecords(MADE)
        batches = []
        for _ in range(2):
            slot = RouteSlot(chance.choice((4, 6)), chance.choice(PEERS), store)
            sets = [kind.encoded(record(chance)) for _ in range(12)]
            batches.append((slot, some_records(chance, slot, sets, 30)))
        expected = [by_interpreter(filter, {}, *batch, accept) for batch in batches]
        self.assertEqual(by_compiled(filter, {}, batches, accept), expected, text)

    def test_octets_that_are_no_record_have_no_fields(self) -> None:
        filter = files.lowered(
            "filter test { define { rx made: Made; }"
            " apply { filter match made.asn.exists() matching { accept; }; reject; } }"
        )
        store = AttributeStore()
        slot = RouteSlot(4, PEERS[0], store)
        rows = Records.of(slot, [bytes(9)], store.intern_all([b"\xff\xff broken"]))
        self.assertEqual(len(compiled(filter, {}, SmallWorld()).run(slot, rows)), 0)

    def test_records_that_cannot_be_carried_fail(self) -> None:
        filter = files.lowered(
            "filter-map test { define { rx_tx made: Made; } action grow {"
            + ' made.note.set(String.format("{}{}", made.note, made.note)); ' * 12
            + "} apply { grow; accept; } }"
        )
        store, kind = AttributeStore(), TypedRecords(MADE)
        slot = RouteSlot(4, PEERS[0], store)
        values = dict(record(random.Random(1)).fields)
        sets = [kind.encoded(RecordValue("Made", tuple({**values, "note": note}.items()))) for note in ("", "x" * 32)]
        rows = Records.of(slot, [bytes(9), bytes(8) + b"\1"], store.intern_all(sets))
        for policy, left in (("REJECT", 1), ("ACCEPT", 2)):
            own = compiled(filter, {}, SmallWorld(), on_failure=policy)
            found = own.run(slot, rows)
            self.assertEqual(len(found), left)
            self.assertEqual(own.counts.failures.total(), 1)
