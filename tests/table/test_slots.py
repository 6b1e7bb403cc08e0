from dataclasses import replace

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.attributes import AttributeStore
from rotoro.table.columns import OCTETS
from rotoro.table.digest import digest64, key_hashes, mix
from rotoro.table.ingress import Ingress, IngressKind, IngressState
from rotoro.table.slots import ASPA, PAYLOAD_SLOTS, ROUTER_KEY, VRP4, VRP6, RouteSlot, Slot, is_der_sequence

INGRESS = Ingress(5, IngressKind.BGP, b"\xc0\0\2\1", 64496)


def octets(*items: bytes) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    return np.fromiter(items, OCTETS, len(items))


class PayloadSlotTests(SynchronousTestCase):
    def test_widths(self) -> None:
        self.assertEqual([slot.key_dtype.str for slot in PAYLOAD_SLOTS], ["|S10", "|S22", "|O", "|S4"])
        self.assertEqual([slot.value_dtype for slot in PAYLOAD_SLOTS], [None, None, None, OCTETS])
        self.assertFalse(any(slot.timed for slot in PAYLOAD_SLOTS))

    def test_order_is_that_of_the_tags(self) -> None:
        self.assertEqual(sorted(PAYLOAD_SLOTS, key=lambda slot: slot.order), [VRP4, VRP6, ROUTER_KEY, ASPA])

    def test_vrps_are_hashed_by_key(self) -> None:
        for slot, width in ((VRP4, 10), (VRP6, 22)):
            keys = np.array([bytes(range(width))], f"S{width}")
            self.assertEqual(slot.hashes(keys, None).tolist(), key_hashes(slot.tag, keys).tolist())

    def test_router_keys_are_hashed_as_octets(self) -> None:
        expected = int.from_bytes(digest64(b"\3key\0"), "big")
        self.assertEqual(ROUTER_KEY.hashes(octets(b"key\0"), None).tolist(), [expected])

    def test_aspas_keep_the_nulls_of_their_keys(self) -> None:
        keys = np.array([b"\0\0\1\0"], "S4")
        expected = int.from_bytes(digest64(b"\4\0\0\1\0\0\0\0\7"), "big")
        self.assertEqual(ASPA.hashes(keys, octets(b"\0\0\0\7")).tolist(), [expected])

    def test_nothing_is_shared(self) -> None:
        ASPA.retain(octets(b"1"))
        ASPA.release(octets(b"1"))


class RouteSlotTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = AttributeStore()
        self.four, self.six = RouteSlot(4, INGRESS, self.store), RouteSlot(6, INGRESS, self.store)

    def test_columns(self) -> None:
        self.assertEqual([slot.key_dtype.str for slot in (self.four, self.six)], ["|S9", "|S21"])
        self.assertEqual(self.four.value_dtype, np.uint32)
        self.assertTrue(self.four.timed)

    def test_same_slot(self) -> None:
        down = replace(INGRESS, state=IngressState.DOWN, parent=1)
        self.assertEqual(RouteSlot(4, down, self.store), self.four)
        self.assertEqual(hash(RouteSlot(4, down, self.store)), hash(self.four))

    def test_other_slots(self) -> None:
        others: list[Slot] = [
            self.six,
            RouteSlot(4, replace(INGRESS, number=6), self.store),
            RouteSlot(4, replace(INGRESS, name="another"), self.store),
            RouteSlot(4, INGRESS, AttributeStore()),
        ]
        self.assertNotIn(self.four, others)
        slots: list[Slot] = [*others[:3], self.four, *PAYLOAD_SLOTS]
        self.assertEqual(sorted(slots, key=lambda slot: slot.order)[:4], list(PAYLOAD_SLOTS))

    def test_hash_is_of_ingress_key_and_attributes(self) -> None:
        numbers = self.store.intern_all([b"one", b"two"])
        keys = np.array([b"\1", b"\2"], "S9")
        attributes = self.store.hashes[numbers]
        expected = key_hashes(mix(5 ^ INGRESS.digest), keys, attributes)
        self.assertEqual(self.four.hashes(keys, numbers).tolist(), expected.tolist())
        swapped = RouteSlot(4, replace(INGRESS, number=9), self.store).hashes(keys, numbers)
        self.assertEqual(swapped.tolist(), expected.tolist())

    def test_retain_and_release_reach_the_store(self) -> None:
        numbers = self.store.intern_all([b"one"])
        self.four.retain(numbers)
        self.assertEqual((self.store.sweep(), self.store.sweep()), (0, 0))
        self.four.release(numbers)
        self.assertEqual((self.store.sweep(), self.store.sweep()), (0, 1))

    def test_a_route_needs_attributes(self) -> None:
        self.assertRaises(ValueError, self.four.retain, None)

    def test_names(self) -> None:
        self.assertEqual([self.four.name, VRP4.name], ["route4 of ingress 5", "vrp4"])

    def test_no_other_family(self) -> None:
        self.assertRaises(ValueError, RouteSlot, 5, INGRESS, self.store)


class PublicKeyTests(SynchronousTestCase):
    def test_one_sequence_in_der(self) -> None:
        for octets, good in (
            ("", False),
            ("30", False),
            ("3000", True),
            ("3103020100", False),
            ("3003020100", True),
            ("300302010000", False),
            ("30820100" + "00" * 256, True),
            ("308180" + "00" * 128, True),
            ("30817f" + "00" * 127, False),
            ("30820080" + "00" * 128, False),
            ("3080", False),
            ("3082", False),
        ):
            with self.subTest(octets=octets[:12]):
                self.assertEqual(is_der_sequence(bytes.fromhex(octets)), good)
