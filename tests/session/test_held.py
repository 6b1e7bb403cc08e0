from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

import rotoro.session.held
from rotoro.session.held import Answer, Held
from rotoro.session.payload import Timers
from rotoro.table.snapshot import EMPTY
from rotoro.wire.errors import DuplicateAnnouncement, LimitExceeded, UnknownWithdrawal
from rotoro.wire.rtr import Aspa, RouterKey
from tests.session.worlds import aspa, providers, snapshot

KEY = RouterKey(1, bytes(20), 64496, b"\x30\x03key")


class HeldTests(SynchronousTestCase):
    def test_when_it_expires(self) -> None:
        self.assertEqual(Held(2, 7, 1, Timers(expire=7200), 100.0, EMPTY).expires, 7300.0)


class AnswerTests(SynchronousTestCase):
    def test_changes_apply_to_what_was_held(self) -> None:
        before = snapshot({aspa(5): providers(1)})
        answer = Answer(Held(2, 7, 1, Timers(), 0.0, before))
        answer.take(Aspa(0, 5, ()))
        answer.take(Aspa(1, 6, (2, 3)))
        self.assertEqual(answer.diff(2).apply(answer.snapshot), snapshot({aspa(6): providers(2, 3)}))

    def test_there_is_nothing_to_withdraw_from_a_whole_set(self) -> None:
        answer = Answer(None)
        self.assertEqual(answer.snapshot, EMPTY)
        self.assertRaises(UnknownWithdrawal, answer.take, Aspa(0, 5, ()))

    def test_a_customer_has_one_place_in_an_answer(self) -> None:
        """R-AS-09: but to withdraw and to announce again is no repetition."""
        before = Held(2, 7, 1, Timers(), 0.0, snapshot({aspa(5): providers(1)}))
        answer = Answer(before)
        for pdu in (Aspa(1, 5, (2,)), Aspa(0, 5, ()), Aspa(1, 5, (3,))):
            answer.take(pdu)
        self.assertEqual(answer.diff(2).apply(answer.snapshot), snapshot({aspa(5): providers(3)}))
        answer = Answer(None)
        for pdu in (Aspa(1, 5, (2,)), Aspa(1, 6, (2,)), Aspa(1, 5, (2, 3))):
            answer.take(pdu)
        twice = self.assertRaises(DuplicateAnnouncement, answer.diff, 2)
        self.assertEqual(twice.offending.hex(" ", 4), "020b0100 00000014 00000005 00000002 00000003")

    def test_limits(self) -> None:
        for limit, most in (("MAX_RECORDS", 2), ("MAX_OCTETS", 2 * len(KEY.key_info))):
            with self.subTest(limit=limit):
                self.patch(rotoro.session.held, limit, most)
                answer = Answer(None)
                answer.take(KEY)
                answer.take(KEY)
                self.assertRaises(LimitExceeded, answer.take, KEY)

    def test_keys_that_are_no_der(self) -> None:
        """Attack test 20: a router takes them, and can say how many there were."""
        long = bytes(200)
        good = [b"\x30\x00", b"\x30\x03key", b"\x30\x81\xc8" + long, b"\x30\x82\x01\x90" + long + long]
        bad = [b"", b"\x30", b"\x02\x01\x00", b"\x30\x04key", b"\x30\x02key", b"\x30\x80\x00\x00", b"\x30\x81\x03key",
               b"\x30\x82\x00\xc8" + long, b"\x30\x82\x01", b"\x30\xff" + long]  # fmt: skip
        for infos, expected in ((good, 0), (bad, len(bad))):
            answer = Answer(None)
            for info in infos:
                answer.take(RouterKey(1, bytes(20), 64496, info))
            self.assertEqual(answer.odd_keys, expected)
