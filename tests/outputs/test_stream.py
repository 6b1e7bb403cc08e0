"""Tests for L{rotonda.outputs.unconnected}, and for what all streams have in common."""

from __future__ import annotations

from rotonda.outputs.stream import SELDOM_SECONDS, Seldom
from rotonda.outputs.unconnected import UnconnectedStream
from twisted.trial.unittest import SynchronousTestCase

from tests.outputs.carriers import Told
from tests.outputs.records import seen


class UnconnectedStreamTests(Told):
    def test_all_is_dropped_and_told_once(self) -> None:
        stream = UnconnectedStream("m", "the broker")
        stream.send_all([seen(), seen()])
        self.assertEqual((stream.sent, stream.dropped, stream.problem), (2, 2, "the broker is not connected"))
        self.assertEqual(self.told, ["m: the broker is not connected: all records for it are dropped"])


class SeldomTests(SynchronousTestCase):
    def test_once_a_minute(self) -> None:
        seldom = Seldom()
        self.assertEqual([seldom.ask(now) for now in (0, 1, 59)], [0, None, None])
        self.assertEqual([seldom.ask(SELDOM_SECONDS + now) for now in (0, 1)], [2, None])
