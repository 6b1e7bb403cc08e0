from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.outgoing import SMALL, Outgoing


class OutgoingTests(SynchronousTestCase):
    def test_small_pieces_are_joined_and_large_ones_shared(self) -> None:
        large = bytes(SMALL)
        outgoing = Outgoing()
        outgoing.put(b"a")
        outgoing.share((b"b", large, b"c"))
        outgoing.put(b"d")
        self.assertEqual((outgoing.own, bool(outgoing), len(list(outgoing))), (2, True, 5))
        self.assertEqual(outgoing.take(), b"ab")
        self.assertIs(outgoing.take(), large)
        self.assertEqual(outgoing.take(), b"cd")
        self.assertFalse(outgoing)

    def test_no_more_than_small_is_joined(self) -> None:
        outgoing = Outgoing()
        outgoing.share(bytes(SMALL // 2) for _ in range(3))
        self.assertEqual([len(outgoing.take()), len(outgoing.take())], [SMALL, SMALL // 2])

    def test_what_was_not_written_comes_first(self) -> None:
        outgoing = Outgoing()
        outgoing.put(b"abc")
        outgoing.put_back(outgoing.take()[1:])
        outgoing.put(b"d")
        self.assertEqual(outgoing.take(), b"bcd")

    def test_clear(self) -> None:
        outgoing = Outgoing()
        outgoing.put(b"abc")
        outgoing.clear()
        self.assertFalse(outgoing)
