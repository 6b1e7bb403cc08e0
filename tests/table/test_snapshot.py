import numpy as np
from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.digest import MODULUS
from rotoro.table.records import Records
from rotoro.table.slots import ASPA, ROUTER_KEY, VRP4, VRP6, Slot
from rotoro.table.snapshot import EMPTY, Snapshot
from tests.table.worlds import WORLD, Model, filled, patient

ONE, TWO = Records.of(VRP4, [bytes(9) + b"\1"]), Records.of(VRP4, [bytes(9) + b"\2"])


class SnapshotTests(SynchronousTestCase):
    @patient
    @given(WORLD.models())
    def test_holds_what_it_is_given(self, model: Model) -> None:
        snapshot = WORLD.snapshot(model)
        self.assertEqual(WORLD.model(snapshot), filled(model))
        self.assertEqual(snapshot.count, sum(map(len, model.values())))
        self.assertEqual(snapshot, WORLD.snapshot(dict(reversed(model.items()))))

    @patient
    @given(WORLD.models(), WORLD.models())
    def test_equal_if_the_models_are(self, one: Model, other: Model) -> None:
        self.assertEqual(WORLD.snapshot(one) == WORLD.snapshot(other), one == other)

    def test_order_of_slots(self) -> None:
        slots = [*reversed(WORLD.slots)]
        snapshot = WORLD.snapshot({slot: {WORLD.keys(slot)[0]: WORLD.values(slot)[0]} for slot in slots})
        four, six, other_four = WORLD.routes
        self.assertEqual(list(snapshot), [VRP4, VRP6, ROUTER_KEY, ASPA, four, other_four, six])

    def test_digest_is_a_sum(self) -> None:
        both = Snapshot.of({VRP4: Records.of(VRP4, np.concatenate((ONE.keys, TWO.keys)))})
        one, two = Snapshot.of({VRP4: ONE}), Snapshot.of({VRP4: TWO})
        self.assertEqual(both.digest, (one.digest + two.digest) % MODULUS)
        self.assertEqual(EMPTY.digest, 0)

    def test_empty(self) -> None:
        self.assertEqual((EMPTY.count, EMPTY.nbytes, len(EMPTY)), (0, 0, 0))
        self.assertEqual(Snapshot.of({VRP4: Records.none(VRP4)}), EMPTY)
        self.assertNotEqual(EMPTY, {})
        self.assertEqual(EMPTY.records(ASPA), Records.none(ASPA))
        self.assertRaises(KeyError, lambda: EMPTY[ASPA])

    def test_columns_are_shared(self) -> None:
        snapshot = Snapshot.of({VRP4: ONE})
        self.assertIs(snapshot[VRP4], ONE)
        self.assertIs(snapshot.records(VRP4), ONE)
        self.assertEqual(snapshot.nbytes, 10)

    def test_replaced_slots_keep_their_order(self) -> None:
        snapshot = Snapshot.of({VRP4: ONE, ASPA: Records.of(ASPA, [bytes(4)], [b""])})
        six = Records.of(VRP6, [bytes(22)])
        cases: list[tuple[dict[Slot, Records], list[Slot], int]] = [
            ({VRP6: six}, [VRP4, VRP6, ASPA], 3),
            ({VRP4: Records.none(VRP4)}, [ASPA], 1),
            ({VRP4: Records.of(VRP4, [bytes(10), b"\1" * 10])}, [VRP4, ASPA], 3),
        ]
        for changed, slots, count in cases:
            with self.subTest(slots=slots):
                replaced = snapshot.replace(changed, 5)
                self.assertEqual((list(replaced), replaced.count), (slots, count))
                self.assertEqual(replaced.digest, (snapshot.digest + 5) % MODULUS)

    def test_diff(self) -> None:
        one, two = Snapshot.of({VRP4: ONE}), Snapshot.of({VRP4: TWO})
        self.assertEqual(one.diff(two).apply(one), two)

    def test_shown_with_its_digest(self) -> None:
        snapshot = Snapshot.of({VRP4: ONE})
        self.assertIn(f"1 records in 1 slots, digest {snapshot.digest:016x}", repr(snapshot))

    def test_half_a_million_vrps_are_smaller_than_on_the_wire(self) -> None:
        numbers = np.arange(500_000, dtype=">u4")
        keys = np.zeros((500_000, 10), np.uint8)
        keys[:, :4] = numbers.view(np.uint8).reshape(-1, 4)
        four, six = keys[:400_000], np.pad(keys[400_000:], ((0, 0), (0, 12)))
        snapshot = Snapshot.of(
            {
                VRP4: Records.of(VRP4, four.reshape(-1).view("S10")),
                VRP6: Records.of(VRP6, six.reshape(-1).view("S22")),
            }
        )
        self.assertEqual(snapshot.count, 500_000)
        self.assertLess(snapshot.nbytes, 0.6 * (400_000 * 20 + 100_000 * 32))
