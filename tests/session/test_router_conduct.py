from __future__ import annotations

import rotoro.session.held
from rotoro.session.asking import TRANSFER_SECONDS, State
from rotoro.session.effects import Close, Send, WakeAt
from rotoro.session.payload import Timers
from rotoro.session.router import RouterSession
from rotoro.session.versions import LOWER_SECONDS, UNHEARD_CONNECTIONS
from rotoro.wire import Foreign, encode
from rotoro.wire.errors import CorruptData
from rotoro.wire.pdu import Pdu
from rotoro.wire.rtr import (
    CacheResponse,
    EndOfData,
    EndOfDataV0,
    ErrorReport,
    ResetQuery,
    SerialNotify,
    SerialQuery,
)
from tests.session.routers import END, ONE, TWO, RouterCase, prefixes
from tests.session.worlds import closes, sent, vrps


class VersionTests(RouterCase):
    def test_early_notifies_of_any_version_are_ignored(self) -> None:
        """R-VN-07."""
        self.connect()
        for version in (0, 1, 2):
            self.assertEqual(self.hear(SerialNotify(1, 1), version=version), [])
        self.assertEqual(self.hear(Foreign(9, 0, bytes.fromhex("09000001 0000000c 00000001")), version=9), [])
        self.assertIs(self.router.state, State.ASKING)

    def test_an_offer_of_the_next_lower_version_is_taken_at_once(self) -> None:
        """R-VN-02."""
        self.connect()
        effects = self.hear(ErrorReport(4, encode(ResetQuery(), 2), "no"), version=1)
        self.assertIn(Send(1, ResetQuery()), effects)
        self.assertFalse(closes(effects))
        self.hear(CacheResponse(7), END, version=1)
        self.assertEqual((self.router.version, self.router.state), (1, State.IDLE))

    def test_a_cache_that_offers_and_closes_all_the_same(self) -> None:
        """RFC 8210 lets it: the fresh connection begins with what was offered, not lower."""
        self.connect()
        self.hear(ErrorReport(4, b"", "no"), version=1)
        self.router.lost(1.0)
        self.assertEqual(self.router.start(2.0)[0], Send(1, ResetQuery()))

    def test_an_offer_that_is_too_low_is_not_believed(self) -> None:
        """Some caches say version 0, or one that nobody knows, and can do 1."""
        for version in (0, 0xFF):
            with self.subTest(version=version):
                self.setUp()
                self.connect()
                pdu: Pdu = ErrorReport(4, b"", "no")
                if version:
                    pdu = Foreign(version, 10, encode(pdu, 2).replace(b"\x02", b"\xff", 1))
                effects = self.hear(pdu, version=version)
                self.assertTrue(closes(effects))
                self.assertEqual(sent(effects), [])
                self.router.lost(1.0)
                self.assertEqual(self.router.start(2.0)[0], Send(1, ResetQuery()))

    def test_a_cache_that_speaks_nothing_of_ours(self) -> None:
        """R-VN-03, R-VN-04: no loop on one connection."""
        self.router = RouterSession("rpki", 0)
        self.connect()
        effects = self.hear(ErrorReport(4, b"", "no"), version=0)
        self.assertTrue(closes(effects))
        self.assertEqual(sent(effects), [])

    def test_a_cache_that_only_closes(self) -> None:
        """R-VN-06: once may be the network."""
        for version in (2, 1, 0, 2):
            for _ in range(UNHEARD_CONNECTIONS):
                self.assertEqual(self.router.start(1.0)[0], Send(version, ResetQuery()))
                self.router.lost(2.0)

    def test_a_lost_connection_lowers_nothing_once_data_came(self) -> None:
        self.load()
        for _ in range(10):
            self.router.lost(1.0)
            self.assertEqual(self.router.start(2.0)[0], Send(2, SerialQuery(7, 42)))

    def test_an_answer_in_a_lower_version(self) -> None:
        """R-VN-05, R-SS-06."""
        self.connect()
        self.hear(CacheResponse(7), prefixes(ONE), EndOfDataV0(7, 3), version=0)
        self.assertEqual((self.router.version, self.router.state), (0, State.IDLE))
        self.router.lost(1.0)
        self.assertEqual(self.router.start(2.0)[0], Send(0, SerialQuery(7, 3)))

    def test_the_highest_version_is_tried_again_some_day(self) -> None:
        self.connect()
        self.hear(ErrorReport(4, b"", "no"), version=1)
        self.hear(CacheResponse(7), END, version=1)
        self.router.lost(10.0)
        self.assertEqual(self.router.start(LOWER_SECONDS)[0], Send(2, ResetQuery()))
        self.assertIn(Send(1, SerialQuery(7, 42)), self.hear(ErrorReport(4, b"", "no"), version=1, now=LOWER_SECONDS))

    def test_another_version_in_the_session(self) -> None:
        """R-VN-08, 09."""
        self.load()
        self.refused(self.hear(SerialNotify(7, 43), version=1), 8)
        self.setUp()
        self.connect()
        self.hear(CacheResponse(7))
        self.refused(self.hear(prefixes(ONE), version=1), 8)
        self.setUp()
        self.connect()
        self.hear(CacheResponse(7))
        self.refused(self.hear(Foreign(9, 4, b"\x09\x04"), version=9), 8)

    def test_a_foreign_version_in_answer_to_the_query(self) -> None:
        self.connect()
        self.refused(self.hear(Foreign(9, 3, b"\x09\x03"), version=9), 4)


class TimerTests(RouterCase):
    def test_timers_are_clamped(self) -> None:
        """R-TM-05."""
        for said, taken in (
            ((0, 0, 0), Timers(1, 1, 600)),
            ((3600, 600, 10), Timers(3600, 600, 3601)),
            ((0xFFFFFFFF,) * 3, Timers(86_400, 7_200, 172_800)),
        ):
            with self.subTest(said=said):
                self.setUp()
                self.load(end=EndOfData(7, 1, *said))
                assert self.router.held is not None
                self.assertEqual(self.router.held.timers, taken)
                self.assertEqual(self.router.clamped, 1)
                self.assertEqual(sent(self.router.wake(0.5)), [])

    def test_expiry_is_exact(self) -> None:
        """R-TM-04: with a mute cache, and without a connection."""
        self.load()
        self.router.wake(3600.0)
        effects = self.router.wake(3660.0)
        self.assertTrue(closes(effects))
        self.assertFalse(self.flushed(effects))
        self.assertEqual(self.router.lost(3661.0), [WakeAt(7200.0)])
        self.assertFalse(self.flushed(self.router.wake(7199.9)))
        self.assertTrue(self.flushed(self.router.wake(7200.0)))
        self.assertIsNone(self.router.held)
        self.setUp()
        self.load(end=EndOfData(7, 1, 600, 600, 601))
        self.assertEqual(self.router.wake(600.0), [Send(2, SerialQuery(7, 1)), WakeAt(601.0)])
        effects = self.router.wake(601.0)
        self.assertTrue(self.flushed(effects))
        self.assertFalse(closes(effects))
        self.assertIn(WakeAt(660.0), effects)

    def test_changes_of_what_has_expired_are_of_no_use(self) -> None:
        """What a router holds is always what a cache had, so it asks for everything."""
        self.load(end=EndOfData(7, 1, 600, 600, 601))
        self.router.wake(600.0)
        self.hear(CacheResponse(7), prefixes(TWO), now=600.5)
        self.assertTrue(self.flushed(self.router.wake(601.0)))
        effects = self.hear(EndOfData(7, 2, 600, 600, 601), now=602.0)
        self.assertEqual(sent(effects), [ResetQuery()])
        self.assertIsNone(self.router.held)
        self.hear(CacheResponse(7), prefixes(TWO), EndOfData(7, 2, 600, 600, 601), now=603.0)
        self.assertEqual(self.router.held.snapshot if self.router.held else None, vrps(2))

    def test_a_stall_in_the_middle_of_an_answer(self) -> None:
        """R-PL-12: the old set stays, until it expires."""
        self.load()
        self.router.wake(3600.0)
        self.hear(CacheResponse(7), now=3600.0)
        effects = self.router.wake(3600.0 + TRANSFER_SECONDS)
        self.refused(effects, 10)
        self.assertIsNotNone(self.router.held)

    def test_an_answer_without_end(self) -> None:
        self.patch(rotoro.session.held, "MAX_RECORDS", 2)
        self.load()
        self.router.wake(3600.0)
        effects = self.hear(CacheResponse(7), prefixes(TWO), prefixes(ONE), prefixes(ONE), now=3600.0)
        self.refused(effects, 1)
        self.assertIsNotNone(self.router.held)

    def test_a_bug_of_ours_does_not_end_in_silence(self) -> None:
        self.connect()
        self.refused(self.router.fail(CorruptData("x")), 0)
        self.assertEqual(self.router.start(1.0)[0], Send(2, ResetQuery()))
        self.assertFalse([effect for effect in self.router.lost(2.0) if isinstance(effect, Close)])
