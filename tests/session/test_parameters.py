from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.effects import Close, Send
from rotoro.session.parameters import SILENT_INTERVALS, Alive, Parameters
from rotoro.wire import decode, encode
from rotoro.wire.pdu import ROTORO
from rotoro.wire.rotoro import Keepalive


class ParametersTests(SynchronousTestCase):
    def test_what_a_peer_is_told_can_be_told(self) -> None:
        told = Parameters("me", keepalive=5).pdu
        self.assertEqual(decode(encode(told, ROTORO)), (ROTORO, told))
        self.assertEqual((told.name, told.keepalive), ("me", 5))


class AliveTests(SynchronousTestCase):
    def test_something_is_said_once_an_interval(self) -> None:
        alive = Alive(10, 100.0)
        self.assertEqual((alive.next, alive.check(109.9)), (110.0, None))
        self.assertEqual(alive.check(110.0), Send(ROTORO, Keepalive(0, 110_000)))
        self.assertEqual((alive.next, alive.check(111.0)), (120.0, None))

    def test_a_peer_that_says_nothing_is_gone(self) -> None:
        alive = Alive(10, 100.0)
        end = 100.0 + SILENT_INTERVALS * 10
        self.assertIsInstance(alive.check(end), Close)
        alive.heard = 101.0
        self.assertIsInstance(alive.check(end), Send)
        self.assertEqual(alive.next, end + 1)
