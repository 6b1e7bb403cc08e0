from __future__ import annotations

from dataclasses import replace

from rotonda.rib.ingresses import IngressRegistry, TooManyIngresses
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import NO_PARENT, Ingress, IngressKind, IngressState

PEER = Ingress(7, IngressKind.BGP, bytes([192, 0, 2, 1]), 64496)


class IngressRegistryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.registry = IngressRegistry()

    def test_a_reconnect_finds_the_same_number(self) -> None:
        first = self.registry.adopt("west", PEER)
        self.registry.adopt("west", Ingress(8, IngressKind.FILE, name="a"))
        self.registry.restarted("west")
        again = self.registry.adopt("west", replace(PEER, number=99))
        self.assertEqual(again, first)
        self.assertEqual(len(self.registry), 2)

    def test_two_links_never_share_an_ingress(self) -> None:
        numbers = {self.registry.adopt(link, PEER).number for link in ("west", "other")}
        self.assertEqual(len(numbers), 2)
        self.assertEqual([self.registry.link(number) for number in sorted(numbers)], ["west", "other"])

    def test_two_of_the_same_identity_in_one_session_are_kept_apart(self) -> None:
        """A peer that two collectors hear: what lies east of both must not take them for one."""
        first, second = (self.registry.adopt("west", replace(PEER, number=number)).number for number in (3, 4))
        self.assertNotEqual(first, second)
        self.assertEqual(self.registry.adopt("west", replace(PEER, number=4)).number, second)
        self.registry.restarted("west")
        again = {self.registry.adopt("west", replace(PEER, number=number)).number for number in (8, 9)}
        self.assertEqual(again, {first, second})

    def test_parents_are_renumbered_with_their_children(self) -> None:
        self.registry.adopt("other", PEER)
        parent = self.registry.adopt("west", Ingress(0, IngressKind.BMP, name="router"))
        child = self.registry.adopt("west", replace(PEER, number=1, parent=0))
        self.assertEqual(child.parent, parent.number)
        for odd in (1, 5000):
            self.assertEqual(self.registry.adopt("west", replace(PEER, number=1, parent=odd)).parent, NO_PARENT)

    def test_states_change_and_are_counted(self) -> None:
        self.registry.adopt("west", PEER)
        before = self.registry.revision
        self.registry.adopt("west", PEER)
        self.assertEqual(self.registry.revision, before)
        self.assertEqual(self.registry.adopt("west", replace(PEER, state=IngressState.DOWN)).state, IngressState.DOWN)
        self.assertGreater(self.registry.revision, before)

    def test_ingresses_of_a_link_that_is_away_are_down(self) -> None:
        mine, other = (self.registry.adopt(link, PEER).number for link in ("west", "other"))
        before = self.registry.revision
        for away, state in [(True, IngressState.DOWN), (True, IngressState.DOWN), (False, IngressState.UP)]:
            self.registry.set_away("west", away)
            found = [self.registry.get(number) for number in (mine, other)]
            self.assertEqual([ingress and ingress.state for ingress in found], [state, IngressState.UP])
            self.assertEqual(list(self.registry), found)
        self.assertEqual(self.registry.revision, before + 2)

    def test_numbers_that_nobody_has(self) -> None:
        self.assertIsNone(self.registry.get(0))
        self.assertIsNone(self.registry.get(-1))
        self.registry.adopt("west", PEER)
        self.assertEqual(list(self.registry), [self.registry.get(0)])

    def test_there_is_a_limit(self) -> None:
        registry = IngressRegistry(most=1)
        registry.adopt("west", PEER)
        registry.adopt("west", PEER)
        with self.assertRaisesRegex(TooManyIngresses, "west: ingress 4"):
            registry.adopt("west", replace(PEER, number=4, name="another"))
