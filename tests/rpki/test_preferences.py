"""Tests for L{rotonda.rpki.preferences}: which caches are used and asked, as stories."""

from __future__ import annotations

from rotonda.rpki.preferences import CacheState, Preferences
from twisted.trial.unittest import SynchronousTestCase

# how a cache may fare
NEW = (False, False, False)
FAILED = (False, False, True)
SYNCED = (True, True, False)
AWAY = (False, True, True)
"""Its connection is lost; its data is good."""


class PreferencesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.preferences = Preferences([1, 5, 5, 9], 10)

    def after(self, seconds: float, *states: tuple[bool, bool, bool]) -> tuple[int | None, int]:
        """What is used, and up to which preference is asked, when the caches fare so at that time."""
        caches = [CacheState(own, *state) for own, state in zip((1, 5, 5, 9), states, strict=True)]
        self.preferences.decide(caches, seconds)
        return self.preferences.used, self.preferences.asked

    def test_the_first_that_can_be_had(self) -> None:
        self.assertEqual((self.preferences.used, self.preferences.asked), (None, 1))
        self.assertEqual(self.after(0, NEW, NEW, NEW, NEW), (None, 1))
        self.assertEqual(self.after(9, NEW, NEW, NEW, NEW), (None, 1), "a connection may take its time")
        self.assertEqual(self.after(10, NEW, NEW, NEW, NEW), (None, 5))
        self.assertEqual(self.after(19, NEW, NEW, NEW, NEW), (None, 5))
        self.assertEqual(self.after(20, NEW, NEW, NEW, NEW), (None, 9))
        self.assertEqual(self.after(21, NEW, SYNCED, NEW, SYNCED), (5, 5))
        self.assertEqual(self.after(22, SYNCED, SYNCED, NEW, NEW), (1, 1))

    def test_without_data_nobody_waits_for_who_has_failed(self) -> None:
        self.assertEqual(self.after(0, FAILED, NEW, NEW, NEW), (None, 5))
        self.assertEqual(self.after(0, FAILED, FAILED, NEW, NEW), (None, 5), "one of two may still answer")
        self.assertEqual(self.after(0, FAILED, FAILED, FAILED, NEW), (None, 9))

    def test_a_short_absence_changes_nothing(self) -> None:
        self.assertEqual(self.after(0, SYNCED, NEW, NEW, NEW), (1, 1))
        self.assertEqual(self.after(50, AWAY, NEW, NEW, NEW), (1, 1))
        self.assertEqual(self.after(59, AWAY, NEW, NEW, NEW), (1, 1))
        self.assertEqual(self.after(59.5, SYNCED, NEW, NEW, NEW), (1, 1))
        self.assertEqual(self.after(60, AWAY, NEW, NEW, NEW), (1, 1), "it is away anew")
        self.assertEqual(self.after(69, AWAY, NEW, NEW, NEW), (1, 1))

    def test_old_data_is_used_until_other_data_is_whole(self) -> None:
        self.after(0, SYNCED, NEW, NEW, NEW)
        self.after(1, AWAY, NEW, NEW, NEW)
        self.assertEqual(self.after(11, AWAY, NEW, NEW, NEW), (1, 5))
        partly = (False, True, False)
        self.assertEqual(self.after(12, AWAY, partly, NEW, NEW), (1, 5), "one of its tables, or an old set of it")
        self.assertEqual(self.after(13, AWAY, SYNCED, NEW, NEW), (5, 5))
        self.assertEqual(self.after(14, partly, SYNCED, NEW, NEW), (5, 5), "the better one is back, but not whole")
        self.assertEqual(self.after(15, SYNCED, SYNCED, NEW, NEW), (1, 1))

    def test_when_nobody_can_be_reached(self) -> None:
        self.after(0, SYNCED, NEW, NEW, NEW)
        self.after(1, AWAY, NEW, NEW, NEW)
        for seconds, asked in ((11, 5), (21, 9), (99, 9)):
            self.assertEqual(self.after(seconds, AWAY, FAILED, FAILED, FAILED), (1, asked))
        self.assertEqual(self.after(100, FAILED, FAILED, FAILED, FAILED), (None, 9), "its data has expired")

    def test_what_stands_by_serves_when_the_better_one_is_given_up(self) -> None:
        self.after(0, NEW, SYNCED, NEW, NEW)
        self.after(1, SYNCED, AWAY, NEW, NEW)
        self.assertEqual(self.after(2, FAILED, AWAY, NEW, NEW), (5, 1), "its data is used again, and nobody hurries")
        self.assertEqual(self.after(12, FAILED, AWAY, NEW, NEW), (5, 5))

    def test_one_preference_is_all_there_is(self) -> None:
        only = Preferences([0, 0], 10)
        for states, used in [((NEW, NEW), None), ((NEW, SYNCED), 0), ((AWAY, FAILED), 0), ((FAILED, FAILED), None)]:
            only.decide([CacheState(0, *state) for state in states], 0)
            self.assertEqual((only.used, only.asked), (used, 0))
