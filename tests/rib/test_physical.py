from __future__ import annotations

from rotonda.rib.physical import PhysicalRib
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, VRP4, AttributeStore, History, Records, Slot, Snapshot
from tests.rib.tables import ingresses, random_routes, snapshot_of


class PhysicalRibTests(SynchronousTestCase):
    def test_routes_and_rpki_data_lie_in_two_tables(self) -> None:
        store = AttributeStore()
        rib = PhysicalRib("rib-loc", store, lambda: History(1))
        self.assertEqual(list(rib.tables), ["rib", "rpki"])
        routes, data = (
            snapshot_of(random_routes(1, 50, ingresses()), store),
            Snapshot.of({VRP4: Records.of(VRP4, [bytes(10)])}),
        )
        changed = rib.update("a", routes)
        self.assertEqual((changed[0] is not None, changed[1]), (True, None))
        self.assertEqual([history.ready for history in rib.tables.values()], [True, False])
        both: dict[Slot, Records] = {**routes, **data}
        mixed = Snapshot.of(both)
        rib.update("a", mixed, routes.diff(mixed))
        self.assertEqual([history.snapshot for history in rib.tables.values()], [routes, data])
        rib.update("a", EMPTY)
        self.assertEqual([history.snapshot for history in rib.tables.values()], [EMPTY, EMPTY])
        rib.update("b", mixed)
        rib.forget("b")
        self.assertEqual([history.snapshot for history in rib.tables.values()], [EMPTY, EMPTY])
