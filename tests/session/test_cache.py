from __future__ import annotations

from itertools import pairwise

from rotoro.session.cache import MAX_FOREIGN, CacheData, CacheSession
from rotoro.session.effects import Send, Stream, WakeAt
from rotoro.wire import Foreign, encode
from rotoro.wire.bulk import Prefixes
from rotoro.wire.errors import CorruptData
from rotoro.wire.pdu import RTR_VERSIONS, Pdu
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
from tests.session.caches import SESSION, CacheCase, decoded, rows, streamed
from tests.session.worlds import RPKI, aspa, closes, history, providers, report, router_key, sent, snapshot, vrp, vrps

SLOTS = ("state", "version", "serial", "queries", "_established", "_progress", "_waiting", "_owes_notify")


class VersionTests(CacheCase):
    def test_each_version_is_served_in_itself(self) -> None:
        """C-VN-01, 02, 03, 08, C-TM-03, C-AS-08: End of Data of 12 or 24 octets, no kind that the version lacks."""
        self.history.commit(snapshot({key: values[0] for key, values in RPKI.items()}))
        for version, end, kinds in (
            (0, EndOfDataV0, set()),
            (1, EndOfData, {RouterKey}),
            (2, EndOfData, {RouterKey, Aspa}),
        ):
            with self.subTest(version=version):
                self.cache = self.session(self.history)
                found = self.answer(ResetQuery(), version)
                self.assertEqual(found[0], CacheResponse(SESSION + version))
                self.assertIsInstance(found[-1], end)
                self.assertEqual({type(pdu) for pdu in found[1:-1]} - {Prefixes}, kinds)
                self.assertTrue(all(announced for announced, _ in rows(found)))

    def test_a_serial_query_negotiates_as_well(self) -> None:
        """C-VN-07."""
        found = self.answer(SerialQuery(SESSION + 1, 10), 1)
        self.assertEqual([type(pdu) for pdu in found], [CacheResponse, EndOfData])

    def test_an_unknown_version_is_offered_the_highest_and_may_try_again(self) -> None:
        """C-VN-04, 05."""
        for version in (3, 9, 0x7F, 255):
            effects = self.ask(Foreign(version, 2, bytes([version, 2, 0, 0, 0, 0, 0, 8])))
            told = report(effects)
            assert told is not None
            self.assertEqual((told.code, told.offending[:2]), (4, bytes([version, 2])))
            self.assertIn(Send(2, told), effects)
            self.assertFalse(closes(effects))
        self.assertEqual(self.answer(ResetQuery(), 2)[0], CacheResponse(SESSION + 2))

    def test_versions_are_not_tried_for_ever(self) -> None:
        for _ in range(MAX_FOREIGN):
            self.assertFalse(closes(self.ask(Foreign(9, 2, b"\x09\x02\0\0\0\0\0\x08"))))
        self.assertTrue(closes(self.ask(Foreign(9, 2, b"\x09\x02\0\0\0\0\0\x08"))))

    def test_another_version_in_the_session_is_the_end(self) -> None:
        """C-VN-09, 10, 12: code 8, or 3 where there is none."""
        for first, second, code in ((0, 1, 3), (1, 0, 8), (2, 1, 8), (1, 2, 8)):
            with self.subTest(first=first, second=second):
                self.cache = self.session(self.history)
                self.answer(ResetQuery(), first)
                effects = self.ask(SerialQuery(SESSION, 10), second)
                told = report(effects)
                assert told is not None
                self.assertEqual((told.code, told.offending[0]), (code, second))
                self.assertIn(Send(first, told), effects)
                self.assertTrue(closes(effects))

    def test_in_a_session_even_what_is_no_pdu_is_of_another_version_first(self) -> None:
        for octets in (b"\x01\x02\0\0\0\0\0\7", b"\x09\x02\0\0\0\0\0\7", b"\x01\x2a\0\0\0\0\0\x08"):
            with self.subTest(octets=octets):
                self.cache = self.session(self.history)
                self.answer(ResetQuery())
                effects = self.cache.broken(CorruptData("it says", octets), 0.0)
                told = report(effects)
                assert told is not None
                self.assertEqual((told.code, told.offending), (8, octets))
                self.assertTrue(closes(effects))
        self.cache = self.session(self.history)
        self.answer(ResetQuery())
        self.assertEqual(sent(self.cache.broken(CorruptData("it says", b"\x01\x0a"), 0.0)), [])

    def test_an_error_report_of_any_version_is_not_answered(self) -> None:
        """C-VN-11, C-ER-01, C-ER-03."""
        for version in (0, 1, 2, 9, 0x80):
            with self.subTest(version=version):
                self.cache = self.session(self.history)
                pdu: Pdu = ErrorReport(255, b"", "")
                if version not in RTR_VERSIONS:
                    pdu = Foreign(version, 10, bytes([version, 10]))
                effects = self.ask(pdu, version)
                self.assertEqual(sent(effects), [])
                self.assertTrue(closes(effects))

    def test_what_is_no_pdu_is_answered_in_its_own_version(self) -> None:
        """C-FR-05, C-FR-06."""
        for version in RTR_VERSIONS:
            with self.subTest(version=version):
                self.cache = self.session(self.history)
                effects = self.cache.broken(CorruptData("length 7", bytes([version, 2, 0, 0, 0, 0, 0, 7])), 0.0)
                told = report(effects)
                assert told is not None
                self.assertEqual(told.code, 0)
                self.assertIn(Send(version, told), effects)
                self.assertTrue(closes(effects))


class LimitedCacheTests(CacheCase):
    versions = (1,)

    def test_versions_are_those_with_a_session_id(self) -> None:
        self.assertEqual(CacheData(self.history, {2: 9, 1: 7}).versions, (1, 2))
        self.assertEqual(CacheData.of(self.history, 0xFFFF, versions=(1, 2)).sessions, {1: 0, 2: 1})

    def test_higher_versions_are_offered_ours(self) -> None:
        effects = self.ask(ResetQuery(), 2)
        told = report(effects)
        assert told is not None
        self.assertEqual((told.code, told.offending), (4, encode(ResetQuery(), 2)))
        self.assertIn(Send(1, told), effects)
        self.assertFalse(closes(effects))
        self.assertEqual(self.answer(ResetQuery(), 1)[0], CacheResponse(SESSION + 1))

    def test_lower_versions_are_refused(self) -> None:
        """C-VN-06."""
        effects = self.ask(ResetQuery(), 0)
        told = report(effects)
        assert told is not None
        self.assertEqual(told.code, 4)
        self.assertIn(Send(1, told), effects)
        self.assertTrue(closes(effects))

    def test_an_error_report_of_a_higher_version_is_not_answered(self) -> None:
        self.assertEqual(sent(self.ask(ErrorReport(4, b"", ""), 2)), [])


class SerialTests(CacheCase):
    def test_the_current_serial_has_no_changes(self) -> None:
        """C-SS-01, 16."""
        found = self.answer(SerialQuery(SESSION + 2, 10))
        self.assertEqual(found, [CacheResponse(SESSION + 2), EndOfData(SESSION + 2, 10, 3600, 600, 7200)])

    def test_changes_are_merged(self) -> None:
        """C-SS-02, 03, 04: each record once at the most, and nothing of what came to nothing."""
        self.history.commit(vrps(1, 3))
        self.history.commit(vrps(1, 3, 4))
        self.history.commit(vrps(1, 3))
        found = self.answer(SerialQuery(SESSION + 2, 10))
        key2, key3 = (vrp(f"10.{number}.0.0/16", 24, 64496 + number)[1] for number in (2, 3))
        self.assertEqual(rows(found), [(True, key3), (False, key2)])

    def test_a_serial_out_of_reach_is_a_reset(self) -> None:
        """C-SS-05, 06, 08."""
        self.history.commit(vrps(3))
        for serial in (9, 12, (11 + (1 << 31)) % (1 << 32)):
            with self.subTest(serial=serial):
                self.assertEqual(sent(self.ask(SerialQuery(SESSION + 2, serial))), [CacheReset()])

    def test_serials_start_again(self) -> None:
        """C-SS-07."""
        self.history = history(vrps(1), serial=0xFFFFFFFF)
        self.history.commit(vrps(2))
        self.cache = self.session(self.history)
        end = self.answer(SerialQuery(SESSION + 2, 0xFFFFFFFF))[-1]
        self.assertEqual(end, EndOfData(SESSION + 2, 0, 3600, 600, 7200))

    def test_a_foreign_session_is_an_error_only_in_an_established_one(self) -> None:
        """C-SS-09, 10, 12."""
        self.assertEqual(sent(self.ask(SerialQuery(SESSION + 1, 10), 2)), [CacheReset()])
        self.answer(ResetQuery())
        effects = self.ask(SerialQuery(SESSION + 1, 10), 2)
        told = report(effects)
        assert told is not None
        self.assertEqual((told.code, told.offending), (0, encode(SerialQuery(SESSION + 1, 10), 2)))
        self.assertTrue(closes(effects))

    def test_a_change_in_the_middle_of_an_answer(self) -> None:
        """C-SS-17: the answer is of one state, and the notify comes behind it."""
        effects = self.ask(ResetQuery())
        self.history.commit(vrps(9))
        self.assertEqual(self.cache.changed(1.0), [])
        found = decoded(streamed(effects))
        self.assertEqual(len(rows(pdu for _, pdu in found)), 2)
        self.assertEqual(found[-1][1], EndOfData(SESSION + 2, 10, 3600, 600, 7200))
        self.assertEqual(self.cache.drained(2.0), [Send(2, SerialNotify(SESSION + 2, 11))])

    def test_answers_are_shared(self) -> None:
        first, second = self.session(self.history), self.session(self.history)
        (one, _), (other, _) = first.receive(2, ResetQuery(), 0.0), second.receive(2, ResetQuery(), 0.0)
        assert isinstance(one, Stream)
        assert isinstance(other, Stream)
        self.assertTrue(all(a is b for a, b in zip(one.chunks, other.chunks, strict=True)))


class AtOnceTests(CacheCase):
    """The shortest way is no other way."""

    def test_it_answers_as_the_long_way_does(self) -> None:
        twins = [self.established() for _ in range(2)]
        self.history.commit(vrps(1, 3))
        for now, serial in ((5.0, 10), (6.0, 11)):
            query = SerialQuery(SESSION + 2, serial)
            at_once = twins[0].answer_at_once(2, query, now)
            assert at_once is not None
            self.assertEqual(twins[1].receive(2, query, now), [at_once[0], WakeAt(at_once[1])])
            self.assertEqual(*({name: getattr(twin, name) for name in SLOTS} for twin in twins))
            for twin in twins:
                twin.drained(now)

    def test_what_it_does_not_answer_it_leaves_alone(self) -> None:
        for version, pdu in (
            (1, SerialQuery(SESSION + 1, 10)),
            (2, SerialQuery(SESSION, 10)),
            (2, SerialQuery(SESSION + 2, 3)),
            (2, ResetQuery()),
            (2, ErrorReport(0, b"", "")),
        ):
            twins = [self.established() for _ in range(2)]
            with self.subTest(pdu=pdu):
                self.assertIsNone(twins[0].answer_at_once(version, pdu, 5.0))
                self.assertEqual(*({name: getattr(twin, name) for name in SLOTS} for twin in twins))

    def test_only_who_is_up_to_date_is_answered(self) -> None:
        query = SerialQuery(SESSION + 2, 10)
        self.assertIsNone(self.cache.answer_at_once(2, query, 0.0), "no version is agreed")
        self.ask(query)
        self.assertIsNone(self.cache.answer_at_once(2, query, 0.0), "an answer is under way")

    def established(self) -> CacheSession:
        cache = self.session(self.history)
        cache.receive(2, SerialQuery(SESSION + 2, 10), 0.0)
        cache.drained(0.0)
        return cache


class ContentTests(CacheCase):
    def test_no_data_is_not_fatal(self) -> None:
        """C-QR-06."""
        self.history = history(None)
        self.cache = self.session(self.history)
        for query in (ResetQuery(), SerialQuery(SESSION + 2, 1)):
            told = report(self.ask(query))
            assert told is not None
            self.assertEqual((told.code, told.offending), (2, b""))
        self.history.commit(vrps(1))
        self.assertEqual([type(pdu) for pdu in sent(self.cache.changed(1.0))], [SerialNotify])
        self.assertEqual(len(rows(self.answer(ResetQuery()))), 1)

    def test_an_empty_set_is_data(self) -> None:
        """C-QR-07."""
        self.cache = self.session(history())
        self.assertEqual([type(pdu) for pdu in self.answer(ResetQuery())], [CacheResponse, EndOfData])

    def test_order_of_version_2(self) -> None:
        """C-OR-01 to 08, C-QR-01, C-AS-02: announced prefixes descend, everything else ascends."""
        everything = {key: values[-1] for key, values in RPKI.items()}
        self.history.commit(snapshot(everything))
        found = self.answer(ResetQuery())
        kinds = [(pdu.family if isinstance(pdu, Prefixes) else type(pdu).number) for pdu in found[1:-1]]
        self.assertEqual(kinds, sorted(kinds))
        for family in (4, 6):
            keys = [
                key for run in found if isinstance(run, Prefixes) and run.family == family for _, key in rows([run])
            ]
            self.assertEqual(keys, sorted(keys, reverse=True))
        keys_ = [(pdu.key_id, len(pdu.key_info), pdu.key_info, pdu.asn) for pdu in found if isinstance(pdu, RouterKey)]
        self.assertEqual(keys_, sorted(keys_))
        customers = [pdu.customer for pdu in found if isinstance(pdu, Aspa)]
        self.assertEqual(customers, sorted(customers))
        self.history.commit(vrps(5, 6))
        gone = self.answer(SerialQuery(SESSION + 2, 11))
        self.assertEqual([announced for announced, _ in rows(gone)][:2], [True, True])
        withdrawn = [key for announced, key in rows(gone) if not announced and len(key) == 10]
        self.assertEqual(withdrawn, sorted(withdrawn))
        self.assertTrue(any(a[:6] == b[:6] and a < b for a, b in pairwise(withdrawn)))  # AS 0 goes first

    def test_an_aspa_is_replaced_by_one_announcement_and_withdrawn_in_twelve_octets(self) -> None:
        """C-AS-05, 06."""
        self.history.commit(snapshot({aspa(1): providers(2, 3)}))
        self.history.commit(snapshot({aspa(1): providers(4)}))
        self.assertEqual(
            [p for p in self.answer(SerialQuery(SESSION + 2, 11)) if isinstance(p, Aspa)], [Aspa(1, 1, (4,))]
        )
        self.history.commit(snapshot({}))
        found = [pdu for pdu in self.answer(SerialQuery(SESSION + 2, 12)) if isinstance(pdu, Aspa)]
        self.assertEqual(found, [Aspa(0, 1, ())])
        self.assertEqual(len(encode(found[0], 2)), 12)

    def test_router_keys_differ_by_each_part(self) -> None:
        """C-RK-01, 02."""
        keys = [router_key(1, b"a", 1), router_key(1, b"b", 1), router_key(1, b"a", 2)]
        self.history.commit(snapshot(dict.fromkeys(keys)))
        self.history.commit(snapshot(dict.fromkeys(keys[1:])))
        found = [pdu for pdu in self.answer(SerialQuery(SESSION + 2, 11)) if isinstance(pdu, RouterKey)]
        self.assertEqual(found, [RouterKey(0, bytes([1] * 20), 1, b"a")])
        self.assertEqual(len(encode(found[0], 2)), 33)
