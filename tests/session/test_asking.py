from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.asking import QUERY_SECONDS, State
from rotoro.session.effects import Effect, Flush, Note, Update, WakeAt
from rotoro.session.held import Held
from rotoro.session.payload import Timers
from rotoro.session.router import RouterSession
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.lenient import OldAspa
from rotoro.wire.pdu import Pdu
from rotoro.wire.rtr import (
    Aspa,
    CacheReset,
    CacheResponse,
    EndOfData,
    ErrorReport,
    ResetQuery,
    RouterKey,
    SerialNotify,
    SerialQuery,
)
from tests.session.worlds import aspa, closes, providers, report, router_key, sent, snapshot

KEY = RouterKey(1, bytes([1] * 20), 64496, b"\x30\x03key")
GONE = RouterKey(0, KEY.key_id, KEY.asn, KEY.key_info)
WITH_KEY = snapshot({router_key(1): None})


def end(serial: int = 42, refresh: int = 3600) -> EndOfData:
    return EndOfData(7, serial, refresh, 600, 7200)


def old(customer: int, *found: int, announced: bool = True, family: int = 0) -> OldAspa:
    return OldAspa(bytes(16), announced, family, customer, found)


class AskingCase(SynchronousTestCase):
    how: dict[str, Any] = {}  # options, only read

    def setUp(self) -> None:
        self.router = RouterSession(**self.how)
        self.router.start(0.0)

    def hear(self, *pdus: Pdu, now: float = 0.0) -> list[Effect]:
        return [effect for pdu in pdus for effect in self.router.receive(2, pdu, now)]

    def holds(self, expected: Snapshot) -> None:
        assert self.router.held is not None
        self.assertEqual(self.router.held.snapshot, expected)

    def notes(self, effects: list[Effect]) -> list[str]:
        return [effect.text for effect in effects if isinstance(effect, Note)]


class PauseTests(AskingCase):
    """R-TM-03: how long the next connection has to wait."""

    def test_by_what_became_of_the_query(self) -> None:
        for what, expected in (
            ((ErrorReport(1, b"", "no"),), 600),
            ((CacheResponse(7), CacheResponse(7)), 600),
            ((ErrorReport(12, b"", "soon"),), 1),
            ((CacheResponse(7), end()), 0),
            ((CacheResponse(7),), 1),
            ((), 1),
            ((ErrorReport(4, b"", "no"),), 0),
        ):
            with self.subTest(what=what):
                self.setUp()
                self.hear(*what)
                self.router.lost(1.0)
                self.assertEqual(self.router.pause.seconds, expected)

    def test_the_caches_own_retry(self) -> None:
        self.hear(CacheResponse(7), EndOfData(7, 1, 3600, 30, 7200))
        self.hear(ErrorReport(1, b"", "no"))
        self.assertEqual(self.router.pause.seconds, 30)
        self.router.start(30.0)
        self.assertEqual(self.router.pause.seconds, 0)

    def test_a_session_that_the_cache_does_not_know_any_more(self) -> None:
        """RFC 8210 has Error 0 for it, where 8210bis has Cache Reset: the data is given up and asked for again soon."""
        for known, pause in ((True, 1), (False, 600)):
            with self.subTest(known=known):
                self.setUp()
                if known:
                    self.hear(CacheResponse(7), end())
                    self.router.lost(1.0)
                    self.assertEqual(sent(self.router.start(1.0)), [SerialQuery(7, 42)])
                self.hear(ErrorReport(0, b"", "no such session"))
                self.assertIsNone(self.router.held)
                self.assertEqual(self.router.pause.seconds, pause)
                self.assertEqual(sent(self.router.start(600.0)), [ResetQuery()])

    def test_a_mute_cache(self) -> None:
        self.assertTrue(closes(self.router.wake(60.0)))
        self.assertEqual(self.router.pause.seconds, 600)

    def test_of_what_was_kept_on_disk(self) -> None:
        self.router = RouterSession()
        self.router.resume(Held(2, 7, 1, Timers(retry=9), 0.0, EMPTY), 0.0)
        self.router.start(0.0)
        self.hear(ErrorReport(1, b"", "no"))
        self.assertEqual(self.router.pause.seconds, 9)


class NoDataTests(AskingCase):
    def test_reset_queries_until_there_is_some(self) -> None:
        """R-ER-01: RFC 8210 section 8.4."""
        self.hear(CacheResponse(7), KEY, end())
        self.router.wake(3600.0)
        self.hear(ErrorReport(2, b"", "not now"), now=3600.0)
        self.assertEqual(sent(self.router.wake(3660.0)), [ResetQuery()])
        self.holds(WITH_KEY)

    def test_a_cache_reset_to_a_reset_query_waits_for_retry(self) -> None:
        """R-SS-09."""
        effects = self.hear(CacheReset(), now=5.0)
        self.assertEqual(effects[1:], [WakeAt(605.0)])
        self.assertEqual(len(self.notes(effects)), 1)
        self.assertIs(self.router.state, State.IDLE)


class CalledTests(AskingCase):
    """R-PL-10: what a cache says while it answers is not lost."""

    def test_there_is_something_newer_than_the_answer(self) -> None:
        self.hear(CacheResponse(7), SerialNotify(7, 43), KEY, SerialNotify(7, 44))
        effects = self.hear(end(42), now=5.0)
        self.assertEqual(effects[1], WakeAt(5.0))
        self.assertEqual(sent(self.router.wake(5.0)), [SerialQuery(7, 42)])

    def test_but_no_flood(self) -> None:
        self.hear(CacheResponse(7), SerialNotify(7, 43))
        self.assertEqual(self.hear(end(42))[1], WakeAt(QUERY_SECONDS))

    def test_nothing_newer(self) -> None:
        for called in (SerialNotify(7, 42), SerialNotify(7, 41), SerialNotify(8, 43)):
            self.setUp()
            self.hear(CacheResponse(7), called)
            self.assertEqual(self.hear(end(42))[1], WakeAt(3600.0))

    def test_before_the_version_is_agreed_nothing_counts(self) -> None:
        """R-VN-07."""
        self.hear(SerialNotify(7, 43), CacheResponse(7))
        self.assertEqual(self.hear(end(42))[1], WakeAt(3600.0))


class ExpireTests(AskingCase):
    def test_while_the_connection_is_being_closed(self) -> None:
        self.hear(CacheResponse(7), KEY, end())
        self.hear(ErrorReport(12, b"", "soon"))
        self.assertEqual(self.router.expire(100.0), [WakeAt(7200.0)])
        self.assertIsInstance(self.router.expire(7200.0)[0], Flush)
        self.assertEqual(self.router.expire(7200.0), [])


class ToldTests(AskingCase):
    """What people want to know of a cache, whatever becomes of its data."""

    def test_keys_that_are_none(self) -> None:
        odd = RouterKey(1, KEY.key_id, KEY.asn, b"\x30\x59key")
        effects = self.hear(CacheResponse(7), odd, end())
        self.assertEqual(self.notes(effects), ["1 router keys are no DER, as a public key would be"])
        self.holds(snapshot({router_key(1, odd.key_info): None}))

    def test_who_hangs_up_without_an_answer(self) -> None:
        self.assertEqual(self.notes(self.router.lost(1.0)), ["the cache hung up without an answer"])
        self.router.start(2.0)
        self.hear(CacheResponse(7))
        self.assertEqual(self.notes(self.router.lost(3.0)), [])


class TolerantTests(AskingCase):
    how = {"tolerant": True}

    def test_what_contradicts_is_taken_counted_and_told_once(self) -> None:
        effects = self.hear(CacheResponse(7), KEY, KEY, GONE, KEY, Aspa(0, 5, ()), Aspa(1, 6, (1,)), end())
        self.holds(snapshot({router_key(1): None, aspa(6): providers(1)}))
        self.assertEqual(len(self.notes(effects)), 1)
        self.assertEqual(self.router.tolerated, 4)
        self.router.wake(3600.0)
        effects = self.hear(CacheResponse(7), KEY, Aspa(1, 6, (1,)), end(43), now=3600.0)
        self.assertEqual(self.notes(effects), [])
        self.assertEqual(self.router.tolerated, 5)

    def test_nothing_to_tolerate(self) -> None:
        self.assertEqual(self.notes(self.hear(CacheResponse(7), KEY, end())), [])

    def test_it_is_told_again_on_the_next_connection(self) -> None:
        for _ in range(2):
            self.router.start(0.0)
            self.assertEqual(len(self.notes(self.hear(CacheResponse(7), KEY, KEY, end()))), 1)


class OldAspaTests(AskingCase):
    how = {"old_aspa": True}

    def test_the_families_of_a_customer_are_joined(self) -> None:
        self.hear(
            CacheResponse(7), old(5, 2, 1), old(5, 3, 2, family=1), old(6, 0), old(6, 9, family=1), old(7, 0), end()
        )
        self.holds(snapshot({aspa(5): providers(1, 2, 3), aspa(6): providers(9), aspa(7): providers(0)}))

    def test_everything_is_asked_for_each_time(self) -> None:
        self.hear(CacheResponse(7), old(5, 1), end())
        self.assertEqual(sent(self.router.wake(3600.0)), [ResetQuery()])
        effects = self.hear(CacheResponse(7), old(5, 2), end(43), now=3600.0)
        self.assertEqual(len([effect for effect in effects if isinstance(effect, Update)]), 1)
        self.holds(snapshot({aspa(5): providers(2)}))

    def test_changes_do_not_tell_what_is_left(self) -> None:
        self.hear(CacheResponse(7), KEY, end())
        self.assertEqual(sent(self.router.wake(3600.0)), [SerialQuery(7, 42)])
        effects = self.hear(CacheResponse(7), old(5, announced=False), end(43), now=3600.0)
        self.assertEqual(sent(effects), [ResetQuery()])
        self.holds(WITH_KEY)

    def test_there_is_nothing_to_withdraw_from_a_whole_set(self) -> None:
        told = report(self.hear(CacheResponse(7), old(5, announced=False)))
        assert told is not None
        self.assertEqual(told.code, 6)
