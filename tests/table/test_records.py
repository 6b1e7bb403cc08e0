import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.records import Records
from rotoro.table.slots import ASPA, ROUTER_KEY, VRP4, Slot
from tests.table.worlds import WORLD, patient

ROUTES = WORLD.routes[0]
ONE, TWO, THREE = (bytes([number]).rjust(9, b"\x0a") for number in (1, 2, 3))


def routes(keys: list[bytes], values: list[int], times: list[int]) -> Records:
    return Records.of(ROUTES, keys, np.array(values, np.uint32), times)


class RecordsTests(SynchronousTestCase):
    @patient
    @given(st.sampled_from(WORLD.slots), st.data())
    def test_sorted_and_the_last_wins(self, slot: Slot, data: st.DataObject) -> None:
        rows = st.tuples(st.sampled_from(WORLD.keys(slot)), st.sampled_from(WORLD.values(slot)))
        given = data.draw(st.lists(rows))
        values = WORLD.column(slot, [value for _, value in given])
        records = Records.of(slot, [key for key, _ in given], values)
        self.assertEqual(list(WORLD.table(slot, records).items()), sorted(dict(given).items()))
        self.assertEqual(len(records), len(dict(given)))

    def test_times_travel_with_their_rows_and_do_not_compare(self) -> None:
        records = routes([TWO, ONE, TWO], [7, 8, 9], [1, 2, 3])
        self.assertEqual(records, routes([ONE, TWO], [8, 9], [0, 0]))
        self.assertEqual([None if records.times is None else records.times.tolist()], [[2, 3]])

    def test_equality(self) -> None:
        records = routes([ONE], [7], [0])
        for other in (routes([TWO], [7], [0]), routes([ONE], [8], [0]), Records(records.keys), None):
            with self.subTest(other=other):
                self.assertNotEqual(records, other)

    def test_read_only(self) -> None:
        for column in routes([ONE], [7], [1]).columns:
            assert column is not None
            with self.assertRaises(ValueError):
                column[0] = 0

    def test_what_is_given_is_copied(self) -> None:
        keys, values = np.array([ONE], "S9"), np.array([7], np.uint32)
        records = Records.of(ROUTES, keys, values)
        keys[0], values[0] = TWO, 8
        self.assertEqual(records, routes([ONE], [7], [0]))

    def test_times_are_zero_if_not_given(self) -> None:
        times = Records.of(ROUTES, [ONE], np.array([7], np.uint32)).times
        assert times is not None
        self.assertEqual(times.tolist(), [0])

    def test_none(self) -> None:
        for slot in WORLD.slots:
            with self.subTest(slot.name):
                none = Records.none(slot)
                empty = WORLD.records(slot, {})
                self.assertEqual((len(none), none), (0, empty))
                kinds = [[column is None or column.dtype for column in one.columns] for one in (none, empty)]
                self.assertEqual(*kinds)

    def test_wrong_columns_are_named(self) -> None:
        numbers = np.array([7], np.uint32)
        for slot, columns, named in (
            (VRP4, ([bytes(9)],), "keys"),
            (VRP4, ([bytes(10)], [b"value"]), "values"),
            (VRP4, ([bytes(10)], None, [1]), "times"),
            (ROUTES, ([ONE],), "values"),
            (ROUTES, ([ONE], np.array([7], np.int64)), "values"),
            (ROUTES, ([ONE, TWO], numbers), "values"),
            (ROUTES, ([ONE], numbers, [1, 2]), "times"),
        ):
            with self.subTest(slot=slot.name, columns=columns):
                refusal = self.assertRaises(ValueError, Records.of, slot, *columns)
                self.assertIn(f"{slot.name} {named}", str(refusal))

    def test_memory(self) -> None:
        self.assertEqual(routes([ONE, TWO], [7, 8], [0, 0]).nbytes, 2 * (9 + 4 + 4))
        self.assertGreater(Records.of(ASPA, [b"\0\0\0\1"], [bytes(400)]).nbytes, 400)

    def test_find(self) -> None:
        rows, there = routes([ONE, THREE], [7, 8], [0, 0]).find(np.array([ONE, TWO, THREE], "S9"))
        self.assertEqual((rows.tolist(), there.tolist()), ([0, 1, 1], [True, False, True]))


class BetweenTests(SynchronousTestCase):
    def test_half_open(self) -> None:
        records = routes([ONE, TWO, THREE], [7, 8, 9], [0, 0, 0])
        for low, high, count in (
            (ONE, THREE, 2),
            (TWO, None, 2),
            (b"", b"\x0a", 0),
            (b"\x0a", b"\x0b", 3),
            (THREE, ONE, 0),
        ):
            with self.subTest(low=low, high=high):
                self.assertEqual(len(records.between(low, high)), count)

    def test_a_view(self) -> None:
        records = routes([ONE, TWO], [7, 8], [0, 0])
        self.assertTrue(np.shares_memory(records.between(TWO).keys, records.keys))

    def test_octets_of_any_length(self) -> None:
        records = Records.of(ROUTER_KEY, [b"a", b"ab", b"b"])
        self.assertEqual(records.between(b"a\0", b"b").keys.tolist(), [b"ab"])

    def test_too_long_for_a_bound(self) -> None:
        self.assertRaises(ValueError, routes([], [], []).between, bytes(10))


class ReplaceTests(SynchronousTestCase):
    def test_other_values_share_the_keys(self) -> None:
        records = routes([ONE, TWO, THREE], [7, 8, 9], [1, 1, 1])
        replaced = records.replace(records.take(slice(1, 2)), routes([TWO], [6], [2]))
        self.assertIs(replaced.keys, records.keys)
        self.assertEqual(replaced, routes([ONE, TWO, THREE], [7, 6, 9], [0, 0, 0]))
        assert replaced.times is not None
        self.assertEqual(replaced.times.tolist(), [1, 2, 1])
        self.assertEqual(records, routes([ONE, TWO, THREE], [7, 8, 9], [0, 0, 0]))

    def test_a_new_start_shares_everything(self) -> None:
        old, new = routes([ONE], [7], [0]), routes([TWO, THREE], [8, 9], [0, 0])
        self.assertIs(old.replace(old, new), new)
        self.assertIs(Records.none(ROUTES).replace(Records.none(ROUTES), new), new)

    def test_coming_and_going(self) -> None:
        records = routes([ONE, TWO], [7, 8], [1, 2])
        replaced = records.replace(records.take(slice(0, 1)), routes([THREE], [9], [3]))
        self.assertEqual(replaced, routes([TWO, THREE], [8, 9], [0, 0]))
        assert replaced.times is not None
        self.assertEqual(replaced.times.tolist(), [2, 3])

    def test_what_does_not_fit(self) -> None:
        records = routes([ONE, TWO], [7, 8], [0, 0])
        none = Records.none(ROUTES)
        for gone, new, said in (
            (routes([THREE], [9], [0]), none, THREE.hex()),
            (routes([ONE], [8], [0]), none, "other values"),
            (none, routes([TWO], [9], [0]), TWO.hex()),
            (records.take(slice(0, 1)), routes([TWO], [9], [0]), TWO.hex()),
        ):
            with self.subTest(said=said):
                refusal = self.assertRaises(ValueError, records.replace, gone, new)
                self.assertIn(said, str(refusal))
