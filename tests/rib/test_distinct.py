from __future__ import annotations

from rotonda.rib.distinct import PrefixCounts, distinct_prefixes
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, VRP4, AttributeStore, History, Records, Slot, Snapshot
from tests.rib.tables import ingresses, random_routes, snapshot_of


class PrefixCountsTests(SynchronousTestCase):
    def test_a_prefix_counts_once_whatever_ingresses_and_paths_it_has(self) -> None:
        for seed in range(5):
            routes = random_routes(seed, 300, ingresses())
            of_each = {(route.family, route.address, route.length) for route in routes}
            expected = {f"ipv{family}": sum(of[0] == family for of in of_each) for family in (4, 6)}
            self.assertEqual(distinct_prefixes(snapshot_of(routes, AttributeStore())), expected)

    def test_nothing_has_no_prefixes(self) -> None:
        self.assertEqual(distinct_prefixes(EMPTY), {})
        self.assertEqual(distinct_prefixes(Snapshot.of({VRP4: Records.of(VRP4, [bytes(10)])})), {})

    def test_a_table_that_moves_on_is_counted_again(self) -> None:
        store, history = AttributeStore(), History(1)
        routes = random_routes(1, 50, ingresses(1))
        counts = PrefixCounts(history)
        self.assertEqual(counts.current(), {})
        before: Snapshot = snapshot_of(routes, store)
        history.commit(before)
        first = counts.current()
        self.assertEqual(first, distinct_prefixes(before))
        self.assertIs(counts.current(), first)
        after: dict[Slot, Records] = {
            slot: records for slot, records in before.items() if slot.name.startswith("route4")
        }
        history.commit(Snapshot.of(after))
        self.assertEqual(counts.current(), {"ipv4": first["ipv4"]})
