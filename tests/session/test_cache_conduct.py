from __future__ import annotations

from typing import Any

from rotoro.session.cache import (
    GOODBYE_RESTART,
    MAX_WAITING,
    NOTIFY_SECONDS,
    STALLED_RETRIES,
    State,
)
from rotoro.session.effects import Send, WakeAt
from rotoro.wire.rtr import CacheResponse, EndOfData, ResetQuery, SerialNotify, SerialQuery
from tests.session.caches import SESSION, CacheCase, decoded, rows, streamed
from tests.session.worlds import closes, report, sent, vrps


class NotifyTests(CacheCase):
    def notified(self, number: int, now: float) -> list[Any]:
        self.history.commit(vrps(number))
        return sent(self.cache.changed(now))

    def test_never_before_the_first_query(self) -> None:
        """C-SN-01."""
        self.assertEqual(self.notified(3, 1.0), [])

    def test_at_most_once_a_minute_and_then_the_latest(self) -> None:
        """C-SN-02 to 05."""
        self.answer(ResetQuery())
        self.assertEqual(self.notified(3, 100.0), [SerialNotify(SESSION + 2, 11)])
        self.history.commit(vrps(4))
        self.assertEqual(self.cache.changed(110.0), [WakeAt(100.0 + NOTIFY_SECONDS)])
        self.assertEqual(self.notified(5, 159.0), [])
        self.assertEqual(self.cache.wake(160.0), [Send(2, SerialNotify(SESSION + 2, 13))])
        self.assertEqual(self.cache.wake(300.0), [])

    def test_not_of_what_the_router_has_fetched(self) -> None:
        self.answer(ResetQuery())
        self.notified(3, 100.0)
        self.notified(4, 110.0)
        self.answer(SerialQuery(SESSION + 2, 10), now=120.0)
        self.assertEqual(self.cache.wake(160.0), [])

    def test_never_inside_an_answer(self) -> None:
        """C-SN-06."""
        self.answer(ResetQuery())
        self.ask(ResetQuery())
        self.assertEqual(self.notified(3, 100.0), [])
        self.assertEqual(self.cache.wake(101.0), [WakeAt(STALLED_RETRIES * 600.0)])
        self.assertEqual(sent(self.cache.drained(102.0)), [SerialNotify(SESSION + 2, 11)])


class PatienceTests(CacheCase):
    def test_queries_wait_their_turn(self) -> None:
        """C-FR-03, 04."""
        first = streamed(self.ask(ResetQuery()))
        self.assertEqual(self.ask(SerialQuery(SESSION + 2, 10)), [])
        second = self.cache.drained(1.0)
        self.assertEqual([type(pdu) for _, pdu in decoded(streamed(second))], [CacheResponse, EndOfData])
        self.assertEqual(len(rows(pdu for _, pdu in decoded(first))), 2)
        self.assertEqual(self.cache.drained(2.0), [])

    def test_not_many_of_them(self) -> None:
        self.ask(ResetQuery())
        for _ in range(MAX_WAITING):
            self.assertEqual(self.ask(ResetQuery()), [])
        effects = self.ask(ResetQuery())
        self.assertTrue(closes(effects))
        self.assertEqual(self.cache.drained(1.0), [])

    def test_a_waiting_query_of_a_foreign_session(self) -> None:
        self.ask(ResetQuery())
        self.ask(SerialQuery(1, 1))
        effects = self.cache.drained(1.0)
        told = report(effects)
        assert told is not None
        self.assertEqual(told.code, 0)

    def test_a_router_that_does_not_read_is_let_go(self) -> None:
        """C-TP-02."""
        self.ask(ResetQuery())
        self.cache.progressed(1000.0)
        self.assertEqual(self.cache.wake(1800.0), [WakeAt(2800.0)])
        effects = self.cache.wake(2800.0)
        told = report(effects)
        assert told is not None
        self.assertEqual(told.code, 10)
        self.assertTrue(closes(effects))

    def test_a_router_that_says_nothing_is_let_go(self) -> None:
        self.assertTrue(closes(self.cache.wake(120.0)))
        self.assertIs(self.cache.state, State.CLOSED)


class GoodbyeTests(CacheCase):
    def test_version_2_has_words_for_it(self) -> None:
        """C-RS-01 to 03."""
        for version, reason, codes in ((2, GOODBYE_RESTART, [12]), (2, 0, [13]), (1, 0, []), (0, GOODBYE_RESTART, [])):
            with self.subTest(version=version, reason=reason):
                self.cache = self.session(self.history)
                self.answer(ResetQuery(), version)
                effects = self.cache.goodbye(reason, 0, "bye")
                self.assertEqual([pdu.code for pdu in sent(effects)], codes)
                self.assertTrue(closes(effects))

    def test_nothing_is_said_to_who_has_not_spoken(self) -> None:
        self.assertEqual(sent(self.cache.goodbye(0, 0, "bye")), [])
