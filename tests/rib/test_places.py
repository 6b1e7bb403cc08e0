from __future__ import annotations

import numpy as np
from rotonda.rib.places import BadCursor, Place, places
from twisted.trial.unittest import SynchronousTestCase

from tests.rib.tables import key

MARK = b"abcd"


class PlaceTests(SynchronousTestCase):
    def test_a_cursor_leads_back_to_its_place(self) -> None:
        for family in (4, 6):
            octets = places(np.array([key(family, 0, 0, 0), key(family, 5, 24, 9)], f"S{9 if family == 4 else 21}"), 3)
            for row in range(2):
                place = Place.of(family, octets[row : row + 1].tobytes())
                self.assertEqual((place.ingress, place.family), (3, family))
                self.assertEqual(Place.read(place.written(MARK), MARK), place)

    def test_the_order_is_by_prefix_then_ingress_then_path(self) -> None:
        keys = np.array([key(4, 1, 32, path) for path in (0, 1, 255, 0xFFFFFFFF)], "S9")
        both = np.concatenate((places(keys, 2), places(keys, 300)))
        self.assertEqual(np.argsort(both).tolist(), list(range(8)))
        higher = places(np.array([key(4, 2, 0)], "S9"), 0)
        self.assertTrue((both < higher).all())

    def test_what_is_no_cursor(self) -> None:
        good = Place(4, bytes(5), 1, bytes(4)).written(MARK)
        for cursor in ("", "a", "é", good[:-4], good + "AAAA", good.replace("B", "F", 1), "A" * 100, "B" * 24):
            with self.subTest(cursor):
                self.assertRaises(BadCursor, Place.read, cursor, MARK)
        with self.assertRaisesRegex(BadCursor, "another question"):
            Place.read(good, b"dcba")
