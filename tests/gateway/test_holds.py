"""What is held stays, whoever else lets go of it, and slices come to the same as the whole."""

from __future__ import annotations

import numpy as np
from rotonda.gateway import holds as module
from rotonda.gateway.holds import Hold, Holds
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, Ingress, IngressKind, RouteSlot


class HoldTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = AttributeStore()
        self.slot = RouteSlot(4, Ingress(1, IngressKind.BGP, bytes(4), 64496), self.store)
        self.values = self.store.intern_all([b"%d" % number for number in range(100)])

    def sets(self) -> int:
        for _ in range(2):
            self.store.sweep()
        return len(self.store)

    def test_held_until_the_last_user_leaves(self) -> None:
        hold = Hold(Holds(), [(self.slot, self.values[:60])])
        hold.take()
        hold.take()
        hold.leave()
        self.assertEqual(self.sets(), 60)
        hold.leave()
        self.assertEqual(self.sets(), 0)

    def test_in_slices(self) -> None:
        self.patch(module, "HELD_ROWS", 7)
        woken: list[Holds] = []
        holds = Holds(woken.append)
        hold = Hold(holds, [(self.slot, np.repeat(self.values, 2)), (self.slot, None), (self.slot, self.values[:0])])
        hold.take()
        hold.leave()
        hold.take()
        self.assertEqual(woken, [holds] * 3)
        counted = 1
        while holds.work():
            counted += 1
        self.assertEqual(counted, 3 * 29)
        self.assertEqual(self.sets(), 100)
        hold.leave()
        while holds.work():
            pass
        self.assertEqual(self.sets(), 0)
        self.assertFalse(holds.work())
