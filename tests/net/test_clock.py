from __future__ import annotations

import time
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.clock import boot_seconds, count_steadily


class ClockTests(SynchronousTestCase):
    def test_who_sets_the_wall_clock_does_not_move_it(self) -> None:
        reactor = SimpleNamespace(seconds=time.time)
        count_steadily(reactor)
        before = reactor.seconds()
        self.patch(time, "time", lambda: 0.0)
        self.assertGreaterEqual(reactor.seconds(), before)
        self.assertIs(reactor.seconds, boot_seconds)
