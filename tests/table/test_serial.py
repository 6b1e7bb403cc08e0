import doctest

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import rotoro.table.serial
from rotoro.table.serial import Position, next_serial, serial_after, serial_distance

serials = st.integers(0, 2**32 - 1)


class SerialTests(SynchronousTestCase):
    def test_examples(self) -> None:
        self.assertEqual(doctest.testmod(rotoro.table.serial).failed, 0)

    def test_order_around_the_end(self) -> None:
        """The corner cases of RFC 1982 section 5.2, for 32 bits."""
        # later, earlier, after
        for later, earlier, after in (
            (1, 0, True),
            (44, 0, True),
            (100, 0, True),
            (0x7FFFFFFF, 0, True),
            (0x80000000, 0, False),
            (0, 0x80000000, False),
            (0x80000001, 0, False),
            (0, 0x80000001, True),
            (0, 0xFFFFFFFF, True),
            (0xFFFFFFFF, 0, False),
            (5, 5, False),
        ):
            with self.subTest(later=later, earlier=earlier):
                self.assertIs(serial_after(later, earlier), after)

    @given(serials, serials)
    def test_at_most_one_is_after(self, one: int, other: int) -> None:
        both = serial_after(one, other), serial_after(other, one)
        undecided = one == other or serial_distance(one, other) == 2**31
        self.assertEqual(sum(both), 0 if undecided else 1)

    @given(serials)
    def test_next_is_after(self, serial: int) -> None:
        self.assertTrue(serial_after(next_serial(serial), serial))
        self.assertEqual(serial_distance(serial, next_serial(serial)), 1)


class PositionTests(SynchronousTestCase):
    def test_order_within_an_epoch(self) -> None:
        self.assertTrue(Position(1, 2) < Position(1, 3))
        self.assertTrue(Position(1, 2) <= Position(1, 2))
        self.assertTrue(Position(1, 3) > Position(1, 2))
        self.assertTrue(Position(1, 3) >= Position(1, 3))

    def test_no_order_between_epochs(self) -> None:
        one, other = Position(1, 2), Position(2, 3)
        self.assertEqual([one < other, one <= other, one > other, one >= other, one == other], [False] * 5)

    def test_rtr_sees_the_lower_half(self) -> None:
        position = Position(1, 0xFFFFFFFF)
        self.assertEqual(position.rtr_serial, 0xFFFFFFFF)
        self.assertEqual(position.next(), Position(1, 0x100000000))
        self.assertEqual(position.next().rtr_serial, 0)
        self.assertEqual(position.next().back(2), Position(1, 0xFFFFFFFE))

    def test_numbers_fit(self) -> None:
        for epoch, serial in ((-1, 0), (0, -1), (2**64, 0), (0, 2**64)):
            with self.subTest(epoch=epoch, serial=serial):
                self.assertRaises(ValueError, Position, epoch, serial)
