"""Tests for L{rotonda.units.aside}: what is small is done at once, what is big later."""

from __future__ import annotations

from rotonda.units.aside import Aside
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.units.puppets import Thread


class AsideTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.thread = Thread()
        self.aside = Aside(10, self.thread)
        self.aside.startService()
        self.used: list[int] = []

    def test_little_is_done_at_once(self) -> None:
        self.aside.do(10, lambda: 1, self.used.append)
        self.assertEqual((self.used, self.aside.busy, self.thread.waiting), ([1], False, 0))

    def test_before_the_start_everything_is_done_at_once(self) -> None:
        Aside(10, self.thread).do(11, lambda: 1, self.used.append)
        self.assertEqual((self.used, self.thread.waiting), ([1], 0))

    def test_much_is_done_in_a_thread(self) -> None:
        self.aside.do(11, lambda: 1, self.used.append)
        self.assertEqual((self.used, self.aside.busy), ([], True))
        self.thread.run()
        self.assertEqual((self.used, self.aside.busy), ([1], False))

    def test_what_cannot_be_done_is_told(self) -> None:
        self.aside.do(11, lambda: 1 // 0, self.used.append)
        self.thread.run()
        self.assertEqual((self.used, self.aside.busy), ([], False))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_the_end_waits_and_nothing_is_used_any_more(self) -> None:
        self.assertEqual(self.successResultOf(self.aside.stopService()), None)
        self.aside.startService()
        self.aside.do(11, lambda: 1, self.used.append)
        over: Deferred[None] = self.aside.stopService()
        self.assertNoResult(over)
        self.thread.run()
        self.successResultOf(over)
        self.assertEqual(self.used, [])
