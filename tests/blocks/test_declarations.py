"""What is declared for the language is what runs: names that two rooms have in common."""

from __future__ import annotations

from rotonda.blocks.configs import BLOCKS, UNHASHED, MergeStrategy, PhysicalRib
from rotonda.blocks.syntax import canonical
from rotonda.blocks.types import BUILT_IN, ROUTE
from rotonda.rib import merge
from twisted.trial.unittest import SynchronousTestCase


class DeclarationTests(SynchronousTestCase):
    def test_hashes(self) -> None:
        """Every field that the checker lets pass is one by which a RIB can tell entries apart, and no other is."""
        passed = {field.name for field in ROUTE.fields} - set(UNHASHED)
        self.assertLessEqual(passed, set(merge.FIELDS))
        self.assertEqual({name for name in UNHASHED if name in merge.FIELDS}, set())
        self.assertEqual(MergeStrategy().hash, merge.DEFAULT_HASH)

    def test_settings_can_be_found_by_one_name_only(self) -> None:
        for made in BLOCKS.values():
            names = [each for name, declared in made.SETTINGS.items() for each in (name, *declared.aliases)]
            self.assertEqual(len(names), len(set(names)), made.WORD)
            self.assertEqual([canonical(name) for name in names], names)

    def test_a_configuration_shows_what_is_not_the_default(self) -> None:
        self.assertEqual(repr(PhysicalRib(on_failure="ACCEPT")), "PhysicalRib(on_failure='ACCEPT')")
        self.assertRaises(TypeError, PhysicalRib, speed=1)

    def test_types_of_the_language_have_one_name(self) -> None:
        self.assertEqual([name for name, type in BUILT_IN.items() if str(type) != name], [])
