from __future__ import annotations

from rotonda.rib.physical import PhysicalRib
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import VRP4, AttributeStore, History, Records, Snapshot
from tests.rib.tables import ingresses, random_routes, snapshot_of


class PhysicalRibTests(SynchronousTestCase):
    def test_routes_and_rpki_data_lie_in_two_tables(self) -> None:
        store = AttributeStore()
        rib = PhysicalRib("rib-loc", store, lambda: History(1))
        self.assertEqual(list(rib.tables), ["rib", "rpki"])
        routes = snapshot_of(random_routes(1, 50, ingresses()), store)
        data = Snapshot.of({VRP4: Records.of(VRP4, [bytes(10)])})
        rib.routes.update("a", routes)
        self.assertEqual([history.ready for history in rib.tables.values()], [True, False])
        rib.rpki.update("a", data)
        self.assertEqual([history.snapshot for history in rib.tables.values()], [routes, data])
