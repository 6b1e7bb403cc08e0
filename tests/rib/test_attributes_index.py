from __future__ import annotations

from rotonda.rib.attributes_index import AttributesIndex
from rotonda.rib.communities import Community
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore
from tests.rib.tables import SETS, attribute_set


class AttributesIndexTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = AttributeStore()
        self.index = AttributesIndex(self.store, kept=2)

    def test_it_grows_with_the_store(self) -> None:
        self.assertEqual(len(self.index.with_origin(1)), 0)
        for number, octets in enumerate(SETS):
            self.store.intern(octets)
            self.assertEqual(len(self.index.with_origin(64496)), number + 1)
        expected = [self.index.display(octets).get("origin_as") == 64496 for octets in SETS]
        self.assertEqual(self.index.with_origin(64496).tolist(), expected)

    def test_a_number_that_is_given_to_another_set_is_read_again(self) -> None:
        number = self.store.intern(attribute_set(64496))
        self.assertTrue(self.index.with_origin(64496)[number])
        self.store.sweep()
        self.assertEqual(self.store.sweep(), 1)
        self.assertEqual(self.store.intern(attribute_set(64497)), number)
        self.assertFalse(self.index.with_origin(64496)[number])
        self.assertTrue(self.index.with_origin(64497)[number])

    def test_a_set_that_comes_back_is_read_again(self) -> None:
        """Who looks while its number is free learns nothing of it."""
        number = self.store.intern(attribute_set(64496))
        self.store.sweep()
        self.store.sweep()
        self.assertFalse(self.index.with_origin(64496)[number])
        self.assertEqual(self.store.intern(attribute_set(64496)), number)
        self.assertTrue(self.index.with_origin(64496)[number])

    def test_no_origin_is_not_origin_0(self) -> None:
        none, zero = self.store.intern(attribute_set(None)), self.store.intern(attribute_set(0))
        found = self.index.with_origin(0)
        self.assertEqual((found[none], found[zero]), (False, True))

    def test_communities_are_found_whole(self) -> None:
        wanted = self.store.intern(attribute_set(1, ((64496, 1), (64497, 2))))
        likely = self.store.intern(attribute_set(2, med=Community.parse("64496:1").octets[0]))
        crossing = self.store.intern(attribute_set(3, ((1, 64496), (1, 2))))
        found = self.index.with_community(Community.parse("64496:1"))
        self.assertEqual([found[number] for number in (wanted, likely, crossing)], [True, False, False])

    def test_the_display_form_is_kept(self) -> None:
        self.assertIs(self.index.display(SETS[0]), self.index.display(SETS[0]))
