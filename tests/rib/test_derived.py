from __future__ import annotations

from rotonda.rib.derived import Derived
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, VRP4, History, Records, Snapshot


class DerivedTests(SynchronousTestCase):
    def test_made_once_for_each_state_of_the_table(self) -> None:
        history, made = History(1), list[Snapshot]()

        def count(snapshot: Snapshot) -> int:
            made.append(snapshot)
            return snapshot.count

        derived = Derived(history, count)
        self.assertIsNone(derived.current(), "no data yet")
        history.commit(EMPTY)
        self.assertEqual((derived.current(), derived.current()), (0, 0))
        history.commit(Snapshot.of({VRP4: Records.of(VRP4, [bytes(10)])}))
        self.assertEqual((derived.current(), derived.current(), len(made)), (1, 1, 2))
