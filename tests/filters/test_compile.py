"""Compiled filters do what the interpreter says, whatever the filter and the rows."""

from __future__ import annotations

import random
from itertools import islice

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.bgp.attributes import written
from rotonda.bgp.mrt import MrtReader
from rotonda.bgp.update import RouteBatch
from rotonda.blocks.places import Span
from rotonda.blocks.values import RecordValue, Value
from rotonda.filters.batches import TypedRecords
from rotonda.filters.compile import FilterCounts, compiled
from rotonda.filters.routes import RouteFilter
from rotonda.filters.world import SmallWorld
from rotonda.units.files import decompressed
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, Ingress, IngressKind, Records, RouteSlot
from tests.blocks import filters as files
from tests.data import shared
from tests.filters.compared import MADE, PEERS, SOURCES, by_compiled, by_interpreter, random_batch
from tests.filters.programs import Programs
from tests.filters.records import BARE, EVERYTHING, WITH_SET

ARGUMENTS = {"my_asn": 2, "limit": 3}
REALISTIC = """
filter-map from-transit with my_asn: Asn {
    define { rx_tx route: Route; use rpki; use customers; state = rpki.validate(route.prefix, route.origin_asn); }
    term too-specific {
        some {
            !route.prefix.is_ipv6() && (route.prefix.len() > /24 || route.prefix.len() < /8);
            route.prefix.is_ipv6() && route.prefix.len() > /48;
        }
    }
    term bogon {
        match { route.prefix in [0.0.0.0/8 orlonger, 10.0.0.0/8 longer, 192.168.0.0/16 orlonger, fc00::/7 orlonger]; }
    }
    term bad-path {
        some { route.as_path.len() > 50; route.as_path.contains_any([my_asn, AS0]); route.as_path.has_set(); }
    }
    term preferred {
        some {
            route.communities.contains_any([3356:100, 1299:20000]);
            route.med.exists() && route.med > 10;
            customers.contains(route.as_path.first());
        }
    }
    action prefer { route.local_pref.set(200); route.communities.remove(3356:100); route.large_communities.add(1:2:3); }
    action shorten { route.as_path.set([AS1]); log.send({ where: route.prefix, was: state }); }
    apply {
        filter some too-specific matching { reject; };
        filter match bogon matching { reject; };
        filter match bad-path matching { reject; };
        filter match route.origin_asn.exists() && state == INVALID matching { reject; };
        filter match preferred matching { prefer; } not matching { shorten; };
        filter match route.as_path.len() == 1 && route.local_pref.exists() matching { reject; };
        accept;
    }
}
"""


class RandomFilterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(files, "TYPES", {**files.TYPES, "Made": MADE})

    @given(st.integers(0, 2**32), st.booleans())
    @settings(max_examples=100, deadline=None)
    def test_the_same_becomes_of_every_row(self, seed: int, accept: bool) -> None:
        self.compare(seed, accept)

    def compare(self, seed: int, accept: bool) -> bool:
        """One random filter on two random batches; whether it was one that the language allows."""
        chance = random.Random(seed)
        text = Programs(chance).program()
        filter, _ = files.complained(text)
        if filter is None:
            return False
        store = AttributeStore()
        batches = [random_batch(chance, store) for _ in range(2)]
        expected = [by_interpreter(filter, ARGUMENTS, *batch, accept) for batch in batches]
        self.assertEqual(by_compiled(filter, ARGUMENTS, batches, accept), expected, text)
        return True

    def test_most_random_filters_are_right(self) -> None:
        right = sum(files.complained(Programs(random.Random(seed)).program())[0] is not None for seed in range(100))
        self.assertGreater(right, 80)


class RealDataTests(SynchronousTestCase):
    def test_a_filter_as_operators_write_it(self) -> None:
        filter = files.lowered(REALISTIC)
        for name in ("mrt-updates/routeviews.updates.20260222.1530.bz2", "mrt-updates/ris.updates.20190101.0000.gz"):
            batches = self.batches(name)
            self.assertGreater(sum(len(records) for _, records in batches), 200)
            for accept in (False, True):
                expected = [by_interpreter(filter, {"my_asn": 1299}, *batch, accept) for batch in batches]
                self.assertEqual(by_compiled(filter, {"my_asn": 1299}, batches, accept), expected)
                self.assertTrue(any(outcome.rows for outcome in expected))

    def batches(self, name: str) -> list[tuple[RouteSlot, Records]]:
        """The first announcements of an archive, as if all were of one peer."""
        reader, store = MrtReader(name), AttributeStore()
        batches: list[tuple[RouteSlot, Records]] = []
        given = [one for piece in islice(decompressed(shared(name)), 20) for one in reader.receive(piece)]
        for batch in (*given, *reader.finish()):
            if isinstance(batch, RouteBatch) and len(batches) < 6:
                slot = RouteSlot(4 if batch.family == 4 else 6, Ingress(1, IngressKind.MRT, asn=1), store)
                rows = np.flatnonzero(batch.announce)[:800]
                numbers = store.intern_all([reader.sets[number] for number in batch.attributes[rows].tolist()])
                batches.append((slot, Records.of(slot, batch.keys[rows], numbers)))
        return batches


def key(prefix: bytes, length: int = 24, path_id: int = 0) -> bytes:
    return prefix.ljust(4, b"\0") + bytes((length,)) + path_id.to_bytes(4)


class CompiledFilterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = AttributeStore()
        self.slot = RouteSlot(4, PEERS[0], self.store)
        sets = [written(attributes) for attributes in (EVERYTHING, BARE, WITH_SET)]
        keys = [key(bytes((10, 0, at)), 24, at) for at in range(6)]
        self.rows = Records.of(self.slot, keys, self.store.intern_all(sets * 2), range(6))
        self.world = SmallWorld(SOURCES)
        self.counts = FilterCounts()

    def compiled(
        self, text: str, policy: str = "REJECT", store: AttributeStore | None = None, **given: Value
    ) -> RouteFilter:
        return compiled(files.lowered(text), given, self.world, store, policy, self.counts)

    def test_what_is_accepted_as_it_is_is_shared(self) -> None:
        for text in ("route.path_id < 9;", "route.prefix.len() == /24;"):
            own = self.compiled(files.on_route(text))
            self.assertIs(own.run(self.slot, self.rows), self.rows)
            self.assertIs(own.slot(self.slot), self.slot)

    def test_a_change_to_the_same_shares_the_rows_too(self) -> None:
        text = (
            "filter-map test { define { rx_tx route: Route; } action a { route.atomic_aggregate.set(true); }"
            " apply { a; } }"
        )
        some = self.rows.take(np.array([0, 3]))
        self.assertIs(self.compiled(text).run(self.slot, some), some)

    def test_no_rows(self) -> None:
        own = self.compiled(files.on_route("route.med == 1 && customers.contains(route.prefix);", "use customers;"))
        self.assertEqual(len(own.run(self.slot, Records.none(self.slot))), 0)

    def test_only_effects_count(self) -> None:
        own = self.compiled(files.on_route("route.med == 50;"))
        own.run(self.slot, self.rows, effects=False)
        self.assertEqual(self.counts, FilterCounts())
        own.run(self.slot, self.rows)
        self.assertEqual((self.counts.seen, self.counts.accepted, self.counts.rejected), (6, 2, 4))
        (span,) = self.counts.failures
        self.assertEqual(self.counts.failures[span], 4)
        self.assertEqual(files.on_route("route.med == 50;")[span.start : span.end], "route.med")

    def test_failures_can_be_accepted_as_they_came(self) -> None:
        text = (
            "filter-map test { define { rx_tx route: Route; } action a { route.local_pref.set(7); }"
            " apply { a; filter match route.med == 50 matching { reject; }; } }"
        )
        found = self.compiled(text, "ACCEPT").run(self.slot, self.rows)
        self.assertEqual(found, self.rows.take(np.array([1, 2, 4, 5])))

    def test_records_are_sent_in_the_order_of_the_rows(self) -> None:
        text = (
            "filter test { define { rx route: Route; } apply {"
            " filter match route.med.exists() matching { log.send({ id: route.path_id, med: route.med }); }"
            " not matching { log.send({ id: route.path_id }); }; log.send({ last: route.path_id }); reject; } }"
        )
        own = self.compiled(text)
        own.run(self.slot, self.rows, effects=False)
        self.assertEqual(self.world.sent, [])
        own.run(self.slot, self.rows)
        numbers = [record.fields[0] for _, record in self.world.sent]
        self.assertEqual(numbers, [(name, at) for at in range(6) for name in ("id", "last")])
        self.assertEqual(self.counts.sent, {"log": 12})
        self.assertEqual(self.world.sent[0], ("log", RecordValue("", (("id", 0), ("med", 50)))))

    def test_a_number_may_be_given_to_another_set(self) -> None:
        own = self.compiled(files.on_route("route.med.exists() && route.communities.contains(64496:1);"))
        self.assertEqual(len(own.run(self.slot, self.rows)), 2)
        self.store.sweep()
        self.store.sweep()
        assert self.rows.values is not None
        others = self.store.intern_all([written({**BARE, 1: (0x40, bytes((at,)))}) for at in range(3)])
        self.assertEqual(set(others.tolist()), set(self.rows.values.tolist()))
        self.assertEqual(len(own.run(self.slot, self.rows)), 0)

    def test_each_store_has_sets_of_its_own(self) -> None:
        own = self.compiled(files.on_route("route.med.exists();"))
        self.assertEqual(len(own.run(self.slot, self.rows)), 2)
        other = AttributeStore()
        slot = RouteSlot(4, PEERS[0], other)
        rows = Records.of(slot, self.rows.keys, other.intern_all([written(BARE)] * 6))
        self.assertEqual(len(own.run(slot, rows)), 0)

    def test_made_records_have_a_store_of_their_own(self) -> None:
        self.patch(files, "TYPES", {**files.TYPES, "Made": MADE})
        text = (
            "filter-map test with who: Asn { define { rx route: Route; tx made: Made; }"
            ' action a { made.asn.set(who); made.note.set("x"); made.tags.set(route.communities); }'
            " apply { a; accept; } }"
        )
        store = AttributeStore()
        own = self.compiled(text, "ACCEPT", store, who=5)
        slot, found = own.slot(self.slot), own.run(self.slot, self.rows)
        self.assertIs(slot.attributes, store)
        self.assertEqual((slot.family, slot.ingress), (4, PEERS[0]))
        self.assertEqual(found.keys.tolist(), self.rows.keys.tolist())
        self.assertEqual(len(store), 2)
        assert found.values is not None
        record = TypedRecords(MADE).of_set(store.octets[found.values[0]])
        self.assertEqual((record.get("asn"), record.get("tags")), (5, (64496 << 16 | 1, 64496 << 16 | 2)))

    def test_sources_that_are_gone_fail_the_filter_where_it_asks(self) -> None:
        text = files.on_route('route.med.exists() && names.contains("x");', "use names;")
        self.assertEqual(len(self.compiled(text, "ACCEPT").run(self.slot, self.rows)), 2)
        self.assertEqual(self.counts.failures, {_place(text, "names", 2): 2})

    def test_what_failed_is_not_merely_missing(self) -> None:
        text = files.on_route("customers.find(route.origin_asn).first().limit.exists();", "use customers;")
        self.world = SmallWorld()
        self.assertEqual(len(self.compiled(text).run(self.slot, self.rows)), 0)
        self.assertEqual(self.counts.failures, {_place(text, "customers", 2): 6})

    def test_what_cannot_be_compiled(self) -> None:
        with self.assertRaisesRegex(ValueError, "the filter test needs who"):
            self.compiled(files.on_route("route.peer_asn == who;", arguments="with who: Asn"))
        with self.assertRaisesRegex(ValueError, "the filter test is one of messages"):
            self.compiled("filter test { define { rx message: BmpMessage; } apply { accept; } }")


def _place(text: str, word: str, occurrence: int) -> Span:
    at = -1
    for _ in range(occurrence):
        at = text.index(word, at + 1)
    return Span(at, at + len(word))
