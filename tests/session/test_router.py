from __future__ import annotations

from typing import Any

import numpy as np

from rotoro.session.asking import ANSWER_SECONDS, NO_DATA_SECONDS, TRANSFER_SECONDS, State
from rotoro.session.effects import Effect, Flush, Note, Send, Update, WakeAt
from rotoro.session.held import Held
from rotoro.session.payload import Timers
from rotoro.session.router import RouterSession
from rotoro.table.snapshot import EMPTY
from rotoro.wire import Decoder, encode
from rotoro.wire.bulk import PREFIX_FORMS, encode_prefixes
from rotoro.wire.errors import CorruptData, ProtocolError
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
from tests.session.routers import END, ONE, TWO, RouterCase, prefixes
from tests.session.worlds import aspa, closes, providers, report, sent, snapshot, vrps


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
        pdu = RouterKey(1, bytes([1] * 20), 64496, b"\x30\x03key")
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
                flushed = [effect.code for effect in effects if isinstance(effect, Flush)]
                self.assertEqual(flushed, [] if kept else [code])
                self.assertEqual(closes(effects), code != 2)
                self.assertEqual(sent(effects), [])
                notes = [effect.text for effect in effects if isinstance(effect, Note)]
                self.assertNotIn("\x1b", notes[0])


def _keys(*keys: tuple[Any, bytes]) -> Any:
    return np.array([key for _, key in keys], "S10")
