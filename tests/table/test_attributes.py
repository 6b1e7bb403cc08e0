from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.attributes import AttributeStore, Numbers
from rotoro.table.digest import octet_hashes
from tests.table.worlds import patient

SETS = [bytes([number]) * 3 for number in range(6)]


def numbers(*given: int) -> Numbers:
    return np.array(given, np.uint32)


class InternTests(SynchronousTestCase):
    def test_each_set_once(self) -> None:
        store = AttributeStore()
        found = store.intern_all([b"a", b"b", b"a", b""])
        self.assertEqual(found.tolist(), [0, 1, 0, 2])
        self.assertEqual(found.dtype, np.uint32)
        self.assertEqual([store.intern(b"b"), store.intern(b"c")], [1, 3])
        self.assertEqual((len(store), store.octets), (4, [b"a", b"b", b"", b"c"]))
        self.assertEqual(store.intern_all([]).tolist(), [])

    def test_hashes_follow_growth(self) -> None:
        store = AttributeStore()
        sets = [number.to_bytes(4, "big") for number in range(5000)]
        for start in range(0, 5000, 700):
            store.intern_all(sets[start : start + 700])
        self.assertEqual(store.hashes.tolist(), octet_hashes(sets).tolist())
        with self.assertRaises(ValueError):
            store.hashes[0] = 0


class SweepTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = AttributeStore()
        self.store.intern_all(SETS)

    def test_two_sweeps_free_what_nobody_needs(self) -> None:
        self.store.retain(numbers(1, 1, 3))
        self.assertEqual([self.store.sweep(), self.store.sweep(), self.store.sweep()], [0, 4, 0])
        self.assertEqual(len(self.store), 2)
        self.assertEqual(self.store.octets, [b"", SETS[1], b"", SETS[3], b"", b""])

    def test_free_numbers_are_given_again(self) -> None:
        self.store.retain(numbers(1, 3))
        self.store.sweep()
        self.store.sweep()
        found = self.store.intern_all([b"new", b"newer", SETS[3]])
        self.assertEqual(len(self.store.octets), 6)
        self.assertEqual(found[2], 3)
        self.assertEqual([self.store.octets[number] for number in found], [b"new", b"newer", SETS[3]])
        self.assertEqual(self.store.hashes[found].tolist(), octet_hashes([b"new", b"newer", SETS[3]]).tolist())

    def test_use_between_sweeps_is_respected(self) -> None:
        self.store.sweep()
        self.store.intern(SETS[2])
        self.store.retain(numbers(4))
        self.store.release(numbers(4))
        self.assertEqual(self.store.sweep(), 4)
        self.assertEqual([self.store.octets[2], self.store.octets[4]], [SETS[2], SETS[4]])
        self.assertEqual(self.store.sweep(), 2)

    def test_release_without_retain(self) -> None:
        self.store.retain(numbers(1, 2))
        refusal = self.assertRaises(ValueError, self.store.release, numbers(1, 2, 2))
        self.assertIn("2", str(refusal))
        self.store.release(numbers(1, 2))

    @patient
    @given(st.lists(st.tuples(st.sampled_from("irs-"), st.lists(st.sampled_from(SETS), max_size=4)), max_size=30))
    def test_what_is_retained_stays(self, steps: list[tuple[str, list[bytes]]]) -> None:
        """Interning, retaining, releasing and sweeping in any order never takes a set from a row."""
        store, retained = AttributeStore(), Counter[bytes]()
        for action, sets in steps:
            if action == "i":
                store.intern_all(sets)
            elif action == "r":
                store.retain(store.intern_all(sets))
                retained.update(sets)
            elif action == "s":
                store.sweep()
            else:
                held = list((Counter(sets) & retained).elements())
                store.release(store.intern_all(held))
                retained.subtract(held)
            needed = [octets for octets, rows in retained.items() if rows]
            known = {octets: number for number, octets in enumerate(store.octets) if octets}
            self.assertLessEqual(set(needed), set(known))
            found = [known[octets] for octets in needed]
            self.assertEqual(store.hashes[found].tolist(), octet_hashes(needed).tolist())
