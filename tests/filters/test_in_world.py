"""A compiled filter that goes to another world decides as one that was compiled there."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.blocks import types
from rotonda.blocks.values import Constant, Prefix, RecordValue
from rotonda.filters import set_columns
from rotonda.filters.compile import CompiledFilter, compiled
from rotonda.filters.world import SmallWorld, SourceView, TableView
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, Records, RouteSlot
from tests.blocks import filters as files
from tests.filters.compared import CUSTOMERS, MADE, customer, random_batch
from tests.filters.programs import Programs
from tests.filters.test_compile import ARGUMENTS, REALISTIC

BY_ORIGIN = REALISTIC.replace("customers.contains(route.as_path.first());", "")
"""It asks sources nothing that depends on an attribute set alone."""
Rows = list[tuple[bytes, bytes, int]]
Batches = Sequence[tuple[RouteSlot, Records]]


class Judge(SourceView):
    """Says of origins and paths what their numbers say, in a way of its own."""

    def __init__(self, way: int) -> None:
        self.way = way

    def validate(self, prefix: Prefix, origin: int) -> Constant:
        return Constant("Rov", types.ROV.constants[(prefix.length + origin + self.way) % 3])

    def verify(self, path: Sequence[tuple[int, tuple[int, ...]]], direction: Constant) -> Constant:
        count = sum(len(numbers) for kind, numbers in path if kind == 2)
        return Constant("PathState", types.PATH_STATE.constants[(count + self.way) % 3])


def some_sources(chance: random.Random) -> Mapping[str, SourceView]:
    """Sources of which each may be gone."""
    customers = [customer(*words) for words in CUSTOMERS if chance.random() < 0.6]
    other = customer("10.0.0.0/8", chance.choice((1, 2, 64496)), chance.choice((0, 3)))
    found: dict[str, SourceView] = {
        "customers": TableView([*customers, other]),
        "rib": TableView([customer(chance.choice(("0.0.0.0/0", "2001:db8:1:2::/64")), 5, 5)]),
        "rpki": Judge(chance.randrange(3)),
        "names": TableView([customer(*words) for words in CUSTOMERS]),
    }
    return {name: view for name, view in found.items() if chance.random() < 0.8}


def shown(own: CompiledFilter, batches: Batches) -> list[tuple[Rows, list[tuple[str, RecordValue]]]]:
    """What becomes of the rows, and what is sent."""
    result = []
    for slot, records in batches:
        world = own.world
        assert isinstance(world, SmallWorld)
        del world.sent[:]
        found = own.run(slot, records)
        assert found.values is not None
        assert found.times is not None
        octets = own.slot(slot).attributes.octets
        rows = [
            (found.key(row), octets[number], time)
            for row, (number, time) in enumerate(zip(found.values.tolist(), found.times.tolist(), strict=True))
        ]
        result.append((rows, list(world.sent)))
    return result


class InWorldTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(files, "TYPES", {**files.TYPES, "Made": MADE})

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**32), st.booleans())
    def test_random_filters_decide_as_if_compiled_there(self, seed: int, accept: bool) -> None:
        chance = random.Random(seed)
        text = Programs(chance).program()
        filter, _ = files.complained(text)
        if filter is not None:
            on_failure = "ACCEPT" if accept else "REJECT"
            first = compiled(filter, ARGUMENTS, SmallWorld(some_sources(chance)), AttributeStore(), on_failure)
            self.compare(chance, first, text)

    @settings(max_examples=8, deadline=None)
    @given(st.integers(0, 2**32))
    def test_a_filter_as_operators_write_it(self, seed: int) -> None:
        chance = random.Random(seed)
        first = compiled(files.lowered(REALISTIC), {"my_asn": 2}, SmallWorld(some_sources(chance)))
        self.compare(chance, first, REALISTIC, {"my_asn": 2})

    def compare(
        self, chance: random.Random, own: CompiledFilter, text: str, arguments: Mapping[str, int] = ARGUMENTS
    ) -> None:
        """The filter and its successors in other worlds, all at work side by side, beside ones that are new."""
        store = AttributeStore()
        batches: list[tuple[RouteSlot, Records]] = []
        line = [own]
        for _ in range(2):
            batches += [random_batch(chance, store) for _ in range(2)]
            if chance.random() < 0.8:
                shown(line[-1], batches)
            line.append(line[-1].in_world(SmallWorld(some_sources(chance))))
            for one in chance.sample(line, len(line)):
                fresh = compiled(own.filter, arguments, one.world, AttributeStore(), own.on_failure)
                one.counts.failures.clear()
                self.assertEqual(shown(one, batches), shown(fresh, batches), text)
                self.assertEqual(one.counts.failures, fresh.counts.failures, text)

    def test_what_asks_no_source_is_computed_once(self) -> None:
        filter = files.lowered(BY_ORIGIN)
        slot, records = random_batch(random.Random(1), AttributeStore(), 200)
        asked: list[int] = []
        taken_apart = set_columns.SetColumns.__init__

        def counted(own: set_columns.SetColumns, sets: Sequence[bytes]) -> None:
            asked.append(sum(map(bool, sets)))  # an empty one may be one that is gone
            taken_apart(own, sets)

        self.patch(set_columns.SetColumns, "__init__", counted)
        own = compiled(filter, {"my_asn": 2}, SmallWorld({"rpki": Judge(0)}))
        own.run(slot, records)
        self.assertGreater(sum(asked), 0)
        asked.clear()
        own.in_world(SmallWorld({"rpki": Judge(0)})).run(slot, records)
        self.assertEqual(sum(asked), 0)

    def test_no_state_of_a_source_lives_on(self) -> None:
        filter = files.lowered(REALISTIC)
        batch = random_batch(random.Random(1), AttributeStore(), 200)
        views = [Judge(0), TableView([])]
        own = compiled(filter, {"my_asn": 2}, SmallWorld(dict(zip(("rpki", "customers"), views, strict=True))))
        own.run(*batch)
        own = own.in_world(SmallWorld({"rpki": Judge(1)}))
        own.run(*batch)
        before = [weakref.ref(view) for view in views]
        views.clear()
        gc.collect()
        self.assertEqual([view() for view in before], [None, None])


class AsksWhatCoversTests(SynchronousTestCase):
    def asks_what_covers(self, condition: str, define: str = "") -> bool:
        filter = files.lowered(
            f"filter-map test {{ define {{ rx_tx route: Route; use rpki; use customers; {define} }}"
            f" apply {{ filter match {condition} matching {{ reject; }}; accept; }} }}"
        )
        return compiled(filter, {}, SmallWorld()).asks_what_covers("rpki")

    def test_what_depends_on_nothing_else(self) -> None:
        for condition, define in (
            ("rpki.validate(route.prefix, route.origin_asn) == INVALID", ""),
            (
                "state == INVALID && own == VALID",
                "where = route.prefix; state = rpki.validate(where, AS1); own = state;",
            ),
            ("rpki.validate(route.prefix, customers.find(route.peer_asn).first().asn) == VALID", ""),
            ("customers.contains(route.prefix)", ""),
            ("rpki.less_specifics(route.prefix).matches", ""),
            ("rpki.validate(route.prefix, rpki.longest_match(route.prefix).first().asn) == VALID", ""),
            ("rpki.exact_match(route.prefix).matches || rpki.contains(route.prefix)", ""),
        ):
            self.assertTrue(self.asks_what_covers(condition, define), condition)

    def test_what_does(self) -> None:
        for condition in (
            "rpki.verify(route.as_path, UPSTREAM) == INVALID",
            "rpki.validate(10.0.0.0/8, route.origin_asn) == INVALID",
            "rpki.validate(Prefix.from(route.next_hop, /24), route.origin_asn) == INVALID",
            "rpki.more_specifics(route.prefix).matches",
            "rpki.validate(route.prefix, route.origin_asn) == VALID || rpki.contains(route.origin_asn)",
            "rpki.validate(route.prefix, rpki.find(route.peer_asn).first().asn) == VALID",
        ):
            self.assertFalse(self.asks_what_covers(condition), condition)
