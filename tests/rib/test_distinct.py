from __future__ import annotations

from rotonda.rib.distinct import distinct_prefixes
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, VRP4, AttributeStore, Records, Snapshot
from tests.rib.tables import ingresses, random_routes, snapshot_of


class DistinctPrefixesTests(SynchronousTestCase):
    def test_a_prefix_counts_once_whatever_ingresses_and_paths_it_has(self) -> None:
        for seed in range(5):
            routes = random_routes(seed, 300, ingresses())
            of_each = {(route.family, route.address, route.length) for route in routes}
            expected = {f"ipv{family}": sum(of[0] == family for of in of_each) for family in (4, 6)}
            self.assertEqual(distinct_prefixes(snapshot_of(routes, AttributeStore())), expected)

    def test_nothing_has_no_prefixes(self) -> None:
        self.assertEqual(distinct_prefixes(EMPTY), {})
        self.assertEqual(distinct_prefixes(Snapshot.of({VRP4: Records.of(VRP4, [bytes(10)])})), {})
