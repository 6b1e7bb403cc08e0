from __future__ import annotations

import struct

import numpy as np
from rotonda.rib.merge import OF_SETS, MergeStrategy
from rotonda.rib.set_hashes import SetHashes, hashing
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore
from rotoro.table.digest import octet_hashes
from tests.rib.tables import SETS, attribute_set


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBB", 0x40, kind, len(value)) + value


ODD = [b"", b"\x40", bytes.fromhex("400205"), attribute(2, b"") + attribute(99, b"x") * 2,
       b"".join(attribute(kind, b"?") for kind in range(100)), bytes.fromhex("5002012c") + bytes(300)]  # fmt: skip


class SetHashesTests(SynchronousTestCase):
    def test_many_sets_are_hashed_as_few_are(self) -> None:
        for fields in ((), ("as_path",), ("as_path", "med", "communities"), ("next_hop", "origin")):
            hash_sets = hashing(MergeStrategy(fields).attributes)
            sets = [*SETS, *ODD]
            alone = [int(hash_sets([octets])[0]) for octets in sets]
            self.assertEqual(hash_sets(sets * 4).tolist(), alone * 4, fields)
            self.assertEqual(set(hash_sets(sets * 700).tolist()), set(alone), fields)

    def test_only_the_chosen_attributes_count(self) -> None:
        values = {kind: bytes([kind, 1]) for kinds in OF_SETS.values() if len(kinds) < 256 for kind in kinds}
        for field, kinds in OF_SETS.items():
            hash_sets = hashing(MergeStrategy((field,)).attributes)
            base = hash_sets([b"".join(attribute(kind, value) for kind, value in sorted(values.items()))])[0]
            for kind in values:
                changed = {**values, kind: b"!"}
                other = hash_sets([b"".join(attribute(at, value) for at, value in sorted(changed.items()))])[0]
                self.assertEqual(base != other, kind in kinds, (field, kind))

    def test_a_value_belongs_to_its_attribute(self) -> None:
        hash_sets = hashing((4, 5))
        sets = [attribute(4, b"a") + attribute(5, b"b"), attribute(4, b"b") + attribute(5, b"a"), attribute(4, b"a"),
                attribute(5, b"a"), b""]  # fmt: skip
        self.assertEqual(len(set(hash_sets(sets).tolist())), 5)

    def test_a_number_that_is_given_to_another_set_is_read_again(self) -> None:
        store = AttributeStore()
        hashes = SetHashes(store, octet_hashes)
        number = store.intern(attribute_set(64496))
        first = hashes.of(np.array([number], np.uint32))
        store.sweep()
        store.sweep()
        self.assertEqual(store.intern(attribute_set(64497)), number)
        self.assertNotEqual(hashes.of(np.array([number], np.uint32)), first)

    def test_it_grows_with_the_store(self) -> None:
        store = AttributeStore()
        hashes = SetHashes(store, octet_hashes)
        for octets in SETS:
            number = store.intern(octets)
            self.assertEqual(
                hashes.of(np.array([number, 0], np.uint32)).tolist(), octet_hashes([octets, SETS[0]]).tolist()
            )
