from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

import rotoro.session.held
from rotoro.session.asking import ANSWER_SECONDS, NO_DATA_SECONDS, TRANSFER_SECONDS, State
from rotoro.session.effects import Close, Effect, Flush, Note, Send, Update, WakeAt
from rotoro.session.held import Held
from rotoro.session.payload import Timers
from rotoro.session.router import RouterSession
from rotoro.session.versions import LOWER_SECONDS, UNHEARD_CONNECTIONS
from rotoro.table.snapshot import EMPTY
from rotoro.wire import Decoder, Foreign, encode
from rotoro.wire.bulk import PREFIX_FORMS, encode_prefixes
from rotoro.wire.errors import CorruptData, ProtocolError
from rotoro.wire.pdu import Pdu
from rotoro.wire.rtr import (
    Aspa,
    CacheReset,
    CacheResponse,
    EndOfData,
    EndOfDataV0,
    ErrorReport,
    ResetQuery,
    RouterKey,
    SerialNotify,
    SerialQuery,
)
from tests.session.worlds import aspa, closes, providers, report, sent, snapshot, vrp, vrps

END = EndOfData(7, 42, 3600, 600, 7200)
ONE = vrp("10.1.0.0/16", 24, 64497)
TWO = vrp("10.2.0.0/16", 24, 64498)


def prefixes(*keys: tuple[Any, bytes], announce: bool = True) -> Pdu:
    form = PREFIX_FORMS[4]
    decoder = Decoder()
    decoder.receive(encode_prefixes(form, np.array([key for _, key in keys], "S10"), announce, 2))
    ((_, run),) = decoder.items()
    return run


class RouterCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.router = RouterSession()

    def connect(self, now: float = 0.0) -> list[Any]:
        return sent(self.router.start(now))

    def hear(self, *pdus: Pdu, version: int = 2, now: float = 0.0) -> list[Effect]:
        return [effect for pdu in pdus for effect in self.router.receive(version, pdu, now)]

    def load(self, now: float = 0.0, end: Pdu = END) -> None:
        self.connect(now)
        effects = self.hear(CacheResponse(7), prefixes(ONE), end, now=now)
        self.assertEqual(len([effect for effect in effects if isinstance(effect, Update)]), 1)

    def refused(self, effects: Iterable[Effect], code: int) -> None:
        told = report(effects)
        assert told is not None, effects
        self.assertEqual(told.code, code)
        self.assertTrue(closes(effects))

    def flushed(self, effects: Iterable[Effect]) -> bool:
        return any(isinstance(effect, Flush) for effect in effects)


class AskingTests(RouterCase):
    def test_first_a_reset_query_in_the_highest_version(self) -> None:
        """R-VN-01."""
        self.assertEqual(self.router.start(5.0), [Send(2, ResetQuery()), WakeAt(5.0 + ANSWER_SECONDS)])

    def test_after_a_reconnect_the_changes(self) -> None:
        """R-SS-04."""
        self.load()
        self.router.lost(10.0)
        self.assertEqual(self.connect(20.0), [SerialQuery(7, 42)])

    def test_what_was_kept_on_disk_is_asked_on_from(self) -> None:
        for version in (0, 1, 2):
            self.setUp()
            self.router.resume(Held(version, 9, 5, Timers(), 0.0, vrps(1)), 0.0)
            self.assertEqual(self.router.start(0.0)[0], Send(version, SerialQuery(9, 5)))

    def test_refresh_and_no_sooner(self) -> None:
        """R-TM-01."""
        self.load()
        self.assertEqual(sent(self.router.wake(3599.0)), [])
        self.assertEqual(sent(self.router.wake(3600.0)), [SerialQuery(7, 42)])

    def test_notifies_lead_to_queries_but_not_to_a_flood(self) -> None:
        """R-TM-02, R-SS-11."""
        self.load()
        self.assertEqual(sent(self.hear(SerialNotify(7, 42), now=5.0)), [])
        self.assertEqual(sent(self.hear(SerialNotify(7, 43), now=5.0)), [SerialQuery(7, 42)])
        for number in range(100):
            self.assertEqual(sent(self.hear(SerialNotify(7, number), now=5.01)), [])
        self.hear(CacheResponse(7), EndOfData(7, 43, 3600, 600, 7200), now=5.02)
        self.assertEqual(self.hear(SerialNotify(7, 44), now=5.1), [WakeAt(6.0)])
        self.assertEqual(sent(self.router.wake(6.0)), [SerialQuery(7, 43)])

    def test_a_serial_after_the_last(self) -> None:
        """R-SS-10."""
        self.load(end=EndOfData(7, 0xFFFFFFFF, 3600, 600, 7200))
        self.assertEqual(sent(self.hear(SerialNotify(7, 0), now=5.0)), [SerialQuery(7, 0xFFFFFFFF)])


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


class AnswerTests(RouterCase):
    def test_nothing_is_used_before_end_of_data(self) -> None:
        """R-PL-09, 11."""
        self.load()
        self.router.wake(3600.0)
        self.assertEqual(
            self.hear(CacheResponse(7), prefixes(TWO), now=3600.0)[:1], [WakeAt(3600.0 + TRANSFER_SECONDS)]
        )
        held = self.router.held
        assert held is not None
        self.assertEqual(held.snapshot, vrps(1))
        self.router.lost(3601.0)
        self.assertEqual(self.router.held.snapshot if self.router.held else None, vrps(1))
        self.connect(3602.0)
        self.hear(CacheResponse(7), EndOfData(7, 43, 3600, 600, 7200), now=3602.0)
        self.assertEqual(self.router.held.snapshot if self.router.held else None, vrps(1))

    def test_changes_apply_and_a_reset_replaces(self) -> None:
        """R-SS-07, R-SS-08."""
        self.load()
        self.router.wake(3600.0)
        self.hear(CacheResponse(7), prefixes(TWO), prefixes(ONE, announce=False), END, now=3600.0)
        assert self.router.held is not None
        self.assertEqual(self.router.held.snapshot, vrps(2))
        self.router.wake(7200.0)
        self.assertEqual(sent(self.hear(CacheReset(), now=7200.0)), [ResetQuery()])
        assert self.router.held is not None
        self.assertEqual(self.router.held.snapshot, vrps(2))
        update = self.hear(CacheResponse(9), prefixes(ONE), EndOfData(9, 1, 3600, 600, 7200), now=7200.0)[1]
        assert isinstance(update, Update)
        assert update.diff is not None
        self.assertEqual((update.snapshot, update.diff.count), (vrps(1), 2))
        self.assertEqual((self.router.held.session, self.router.held.serial), (9, 1))

    def test_session_ids_must_agree(self) -> None:
        """R-SS-01 to 03."""
        self.load()
        self.router.wake(3600.0)
        effects = self.hear(CacheResponse(8), now=3600.0)
        self.refused(effects, 0)
        self.assertTrue(self.flushed(effects))
        self.setUp()
        self.connect()
        self.refused(self.hear(CacheResponse(7), prefixes(ONE), EndOfData(8, 1, 3600, 600, 7200)), 0)
        self.setUp()
        self.load()
        self.refused(self.hear(SerialNotify(8, 1)), 0)

    def test_after_a_fatal_error_everything_is_asked_again(self) -> None:
        """R-SS-05."""
        self.load()
        self.hear(CacheReset())
        self.assertEqual(self.connect(1.0), [ResetQuery()])

    def test_a_cache_that_has_nothing_but_cache_resets(self) -> None:
        """R-SS-09: the query has failed, and Retry is waited for."""
        self.connect()
        effects = self.hear(CacheReset())
        self.assertEqual(sent(effects), [])
        self.assertIn(WakeAt(600.0), effects)
        self.assertEqual(sent(self.router.wake(600.0)), [ResetQuery()])

    def test_records_that_contradict(self) -> None:
        """R-PL-01, 02, 03, R-PL-14: codes 7 and 6, with the PDU."""
        pdu = RouterKey(1, bytes([1] * 20), 64496, b"\x30\x59key")
        for code, show, answer in (
            (7, encode_prefixes(PREFIX_FORMS[4], _keys(ONE), True, 2), (prefixes(ONE), prefixes(ONE))),
            (6, encode_prefixes(PREFIX_FORMS[4], _keys(ONE), False, 2), (prefixes(ONE, announce=False),)),
            (7, encode(pdu, 2), (pdu, pdu)),
            (6, encode(RouterKey(0, pdu.key_id, 64496, b"x"), 2), (RouterKey(0, pdu.key_id, 64496, b"x"),)),
            (6, encode(Aspa(0, 5, ()), 2), (Aspa(0, 5, ()),)),
        ):
            with self.subTest(code=code, show=show.hex()):
                self.router = RouterSession("rpki", 2, Held(2, 7, 41, Timers(), 0.0, snapshot({TWO: None})))
                self.connect()
                effects = self.hear(CacheResponse(7), *answer, END)
                told = report(effects)
                assert told is not None
                self.assertEqual((told.code, told.offending), (code, show))
                self.assertTrue(self.flushed(effects))

    def test_withdrawals_in_the_answer_to_a_reset_query(self) -> None:
        for pdu in (prefixes(ONE, announce=False), RouterKey(0, bytes(20), 1, b""), Aspa(0, 1, ())):
            self.setUp()
            self.connect()
            self.refused(self.hear(CacheResponse(7), pdu), 6)

    def test_an_aspa_replaces(self) -> None:
        """R-AS-05, 06, 10."""
        self.connect()
        self.hear(CacheResponse(7), Aspa(1, 5, (1, 2)), END)
        assert self.router.held is not None
        self.assertEqual(self.router.held.snapshot, snapshot({aspa(5): providers(1, 2)}))
        self.router.wake(3600.0)
        self.hear(CacheResponse(7), Aspa(1, 5, (4,)), END, now=3600.0)
        self.assertEqual(self.router.held.snapshot, snapshot({aspa(5): providers(4)}))
        self.router.wake(7200.0)
        self.hear(CacheResponse(7), Aspa(0, 5, ()), END)
        self.assertEqual(self.router.held.snapshot, EMPTY)

    def test_notifies_inside_an_answer_are_ignored(self) -> None:
        """R-PL-10."""
        self.connect()
        self.hear(CacheResponse(7), SerialNotify(7, 99), prefixes(ONE), SerialNotify(7, 99), END)
        self.assertIs(self.router.state, State.IDLE)

    def test_what_has_no_place(self) -> None:
        """R-PL-07 to 09, R-FR-09."""
        self.connect()
        self.refused(self.hear(prefixes(ONE)), 3)
        self.setUp()
        self.connect()
        self.refused(self.hear(CacheResponse(7), CacheResponse(7)), 3)
        self.setUp()
        self.connect()
        self.refused(self.hear(END), 3)
        self.setUp()
        self.load()
        self.refused(self.hear(ResetQuery()), 3)


class BrokenTests(RouterCase):
    """What the decoder refuses, as the router answers it."""

    def broken(self, version: int, octets: str) -> list[Effect]:
        self.router = RouterSession("rpki", version)
        self.router.start(0.0)
        self.router.receive(version, CacheResponse(7), 0.0)
        decoder = Decoder()
        decoder.receive(bytes.fromhex(octets))
        try:
            list(decoder.items())
        except ProtocolError as error:
            return self.router.broken(error, 0.0)
        self.fail(f"{octets} was taken")

    def test_octets_that_are_no_pdu(self) -> None:
        """R-FR-02 to 08, R-PL-04 to 06, R-PL-15, R-AS-01 to 04, 07, 08."""
        prefix = "02040000 00000014 01"
        for code, version, octets in (
            (0, 2, "02030007 00000004"),
            (0, 2, "02070007 0000000c 00000001"),
            (0, 0, "00070007 00000018 00000001 00000e10 00000258 00001c20"),
            (0, 2, "02090100 fffffff0"),
            (5, 2, "022a0000 00000008"),
            (5, 2, "02050000 00000008"),
            (0, 2, prefix + "181700 c0000200 0000fbf0"),
            (0, 2, prefix + "182100 c0000200 0000fbf0"),
            (0, 2, prefix + "181800 c0000201 0000fbf0"),
            (5, 1, "010b0100 00000010 00000005 00000001"),
            (5, 0, "00090100 00000020" + "00" * 24),
            (9, 2, "020b0100 0000000c 00000005"),
            (9, 2, "020b0100 00000014 00000005 00000000 00000001"),
            (9, 2, "020b0100 00000014 00000005 00000002 00000001"),
            (9, 2, "020b0100 00000014 00000005 00000002 00000002"),
            (0, 2, "020b0100 0000000f 00000005 000000"),
            (0, 2, "020b0000 00000010 00000005 00000001"),
            (0, 2, "020b0000 00000018 01000002 00000005 00000001 00000002"),
        ):
            with self.subTest(octets=octets, version=version):
                effects = self.broken(version, octets)
                self.refused(effects, code)
                told = report(effects)
                assert told is not None
                self.assertTrue(bytes.fromhex(octets).startswith(told.offending[:8]))
                self.assertLess(len(encode(told, version)), 400)


class ErrorTests(RouterCase):
    def test_a_cache_without_data_is_asked_again(self) -> None:
        """R-ER-01."""
        self.connect()
        effects = self.hear(ErrorReport(2, b"", "wait"))
        self.assertEqual(effects[1:], [WakeAt(NO_DATA_SECONDS)])
        self.assertEqual(sent(self.router.wake(NO_DATA_SECONDS)), [ResetQuery()])

    def test_a_cache_that_comes_back_without_data_calls_when_it_has_some(self) -> None:
        """In a session of its own: that is no error before it has answered, and what is held stays in use."""
        self.load()
        self.router.lost(10.0)
        self.assertEqual(self.connect(20.0), [SerialQuery(7, 42)])
        self.hear(ErrorReport(2, b"", "no data yet"), now=20.0)
        effects = self.hear(SerialNotify(9, 42), now=30.0)
        self.assertEqual(sent(effects), [ResetQuery()])
        self.assertFalse(self.flushed(effects))

    def test_after_the_end_nothing_is_given_up(self) -> None:
        self.load()
        self.router.lost(10.0)
        self.assertEqual(self.router.fail(CorruptData("late")), [])
        self.assertIsNotNone(self.router.held)

    def test_a_restart_keeps_the_data_and_everything_else_does_not(self) -> None:
        """R-ER-02 to 05, R-ER-11."""
        for code, kept in ((12, True), (2, True), (13, False), (0, False), (8, False), (4, False), (255, False)):
            with self.subTest(code=code):
                self.setUp()
                self.load()
                effects = self.hear(ErrorReport(code, b"", "why\x1b[0m"))
                self.assertEqual(self.router.held is not None, kept)
                self.assertEqual(self.flushed(effects), not kept)
                self.assertEqual(closes(effects), code != 2)
                self.assertEqual(sent(effects), [])
                notes = [effect.text for effect in effects if isinstance(effect, Note)]
                self.assertNotIn("\x1b", notes[0])


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


def _keys(*keys: tuple[Any, bytes]) -> Any:
    return np.array([key for _, key in keys], "S10")
