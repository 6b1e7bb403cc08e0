from __future__ import annotations

from rotonda.bgp import loops
from rotonda.bgp._plain import RecordRows
from rotonda.bgp.errors import Malformed, MalformedAttributes
from rotonda.bgp.update import NO_SET, end_of_rib
from twisted.trial.unittest import SynchronousTestCase

from tests.bgp.archives import COMPILED, ORIGIN, PATH4, SET4, reach6, rows, unreach6, update

PREFIX = bytes.fromhex("18c63364")
PREFIX6 = bytes.fromhex("2020010db8")


class RowsTests(SynchronousTestCase):
    """What BGP sessions and BMP use: one message after the other, batches when they are wanted."""

    def gathered(self, compiled: bool) -> RecordRows:
        return loops.rows(loops.attribute_sets(compiled=compiled), 4, compiled=compiled)

    def test_messages_are_gathered_until_they_are_taken(self) -> None:
        for compiled in COMPILED:
            gathered = self.gathered(compiled)
            body = update(SET4, PREFIX * 3)
            gathered.update(b"??" + body + b"??", 2, 2 + len(body), 7, 1000)
            self.assertFalse(gathered.full)
            withdrawal = update(unreach6(PREFIX6), withdrawn=PREFIX)
            gathered.update(withdrawal, 0, len(withdrawal), 8, 1001)
            self.assertTrue(gathered.full)
            four, six = gathered.take()
            self.assertEqual((four.family, len(four), six.family, len(six)), (4, 4, 6, 1))
            self.assertEqual(four.peers.tolist(), [7, 7, 7, 8])
            self.assertEqual(four.times.tolist(), [1000, 1000, 1000, 1001])
            self.assertEqual(four.announce.tolist(), [True, True, True, False])
            self.assertEqual(four.attributes.tolist(), [0, 0, 0, NO_SET])
            self.assertEqual((str(four.keys.dtype), str(six.keys.dtype)), ("|S9", "|S21"))
            self.assertEqual(list(gathered.take()), [])

    def test_path_identifiers_are_told_for_each_family(self) -> None:
        path = b"\0\0\0\5"
        for compiled in COMPILED:
            for add_path, four, six in ((1, path + PREFIX, PREFIX6), (2, PREFIX, path + PREFIX6)):
                gathered = self.gathered(compiled)
                for body in (update(SET4, four), update(ORIGIN + PATH4 + reach6(six))):
                    gathered.update(body, 0, len(body), 0, 0, True, add_path)
                ends = [batch.keys.tobytes()[-4:] for batch in gathered.take()]
                self.assertEqual(ends, [path, bytes(4)] if add_path == 1 else [bytes(4), path])

    def test_a_malformed_message_leaves_nothing_and_can_be_withdrawn(self) -> None:
        """RFC 7606 §2: treat-as-withdraw."""
        for attributes, announced in (
            (b"\x40\1\1\7", PREFIX),
            (SET4 + b"\x40", PREFIX),
            (b"\x40\1\1\7" + reach6(PREFIX6), b""),
            (reach6(PREFIX6) + b"\x40\1\1", b""),
        ):
            body = update(attributes, announced)
            for compiled in COMPILED:
                gathered = self.gathered(compiled)
                with self.assertRaises(MalformedAttributes):
                    gathered.update(body, 0, len(body), 0, 0)
                self.assertEqual(list(gathered.take()), [])
                gathered.update(body, 0, len(body), 0, 0, withdraw=True)
                (batch,) = gathered.take()
                self.assertEqual([row[0] for row in rows(batch)], [False])

    def test_prefixes_that_cannot_be_read_are_another_fault(self) -> None:
        for body in (update(SET4, b"\x21" + bytes(5)), update(reach6(PREFIX6) * 2), b"\0\0", b""):
            for compiled in COMPILED:
                with self.assertRaises(Malformed) as caught:
                    self.gathered(compiled).update(body, 0, len(body), 0, 0)
                self.assertNotIsInstance(caught.exception, MalformedAttributes)

    def test_more_rows_than_a_batch_are_kept(self) -> None:
        """Nobody has to take a batch in time; nothing is lost or written elsewhere."""
        body = update(SET4, PREFIX * 10_000)
        for compiled in COMPILED:
            gathered = self.gathered(compiled)
            for number in range(5):
                gathered.update(body, 0, len(body), number, 0)
            gathered.update(update(withdrawn=b"\0\0"), 0, 6, 9, 0, guess=True)
            (batch,) = gathered.take()
            self.assertEqual(len(batch), 50_002)
            self.assertEqual(batch.peers[::10_000].tolist(), [0, 1, 2, 3, 4, 9])

    def test_the_end_of_a_table_is_recognised(self) -> None:
        """RFC 4724 §2."""
        for body, family in (
            (update(), 4),
            (update(unreach6(b"")), 6),
            (update(b"\x80\x0f\3\0\2\1"), 6),
            (update(b"\x80\x0f\3\0\1\x80"), None),
            (update(unreach6(PREFIX6)), None),
            (update(SET4, PREFIX), None),
            (update(withdrawn=PREFIX), None),
        ):
            with self.subTest(body.hex()):
                self.assertEqual(end_of_rib(body, 0, len(body)), family)
