"""Tests for L{rotoro.derive.strategies} and L{rotoro.derive.violations}: what is legal and what is not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.strategies import anything, field, legal, of_version, pdus, route_runs, versioned
from rotoro.derive.violations import fixed_width, minimum, refused_lengths, violations
from rotoro.wire import PDUS, Pdu, encode
from rotoro.wire.bulk import decode_routes
from rotoro.wire.rotoro import Begin, BracketKind, Catalogue, Subscribe
from rotoro.wire.rtr import Aspa, CacheReset, ErrorReport, ResetQuery, SerialNotify
from rotoro.wire.shape import every_pdu
from tests.wire.streams import PATIENT, some


class LegalTests(SynchronousTestCase):
    @given(versioned())
    @PATIENT
    def test_pass_their_check(self, sent: tuple[int, Pdu]) -> None:
        version, pdu = sent
        self.assertTrue(legal(pdu))
        self.assertIs(PDUS[version, pdu.number], type(pdu))

    def test_every_pdu(self) -> None:
        """A PDU is included the day it is declared."""
        for pdu in every_pdu():
            with self.subTest(pdu=pdu.title):
                self.assertIsInstance(some(pdus(pdu)), pdu)

    @given(of_version(0))
    @PATIENT
    def test_of_version(self, pdu: Pdu) -> None:
        self.assertIn(0, pdu.versions)

    @given(st.sampled_from([4, 6]).flatmap(route_runs))
    @PATIENT
    def test_route_runs(self, run: Any) -> None:
        self.assertGreater(len(decode_routes(run).keys), 0)

    def test_reach(self) -> None:
        """Both sides of a rule are tried."""
        some(pdus(Aspa), lambda pdu: not pdu.flags)
        some(pdus(Aspa), lambda pdu: len(pdu.providers) > 1)
        some(pdus(Subscribe), lambda pdu: len(pdu.scope_address) == 16)
        some(pdus(Catalogue), lambda pdu: len(pdu.tables) > 1)
        self.assertFalse(legal(some(anything(Aspa), lambda pdu: not legal(pdu))))

    @given(field(Begin, "kind"))
    @PATIENT
    def test_named_numbers(self, kind: int) -> None:
        self.assertIn(kind, list(BracketKind))


class LengthTests(SynchronousTestCase):
    def test_minimum(self) -> None:
        for pdu, octets in [(ResetQuery, 8), (SerialNotify, 12), (Aspa, 12), (ErrorReport, 16), (Begin, 44)]:
            self.assertEqual(minimum(pdu), octets)

    def test_fixed_width(self) -> None:
        self.assertTrue(fixed_width(SerialNotify))
        self.assertFalse(fixed_width(Aspa))

    def test_refused(self) -> None:
        for lengths in (refused_lengths(version, number) for version, number in PDUS):
            self.assertTrue({*range(8), 1 << 31, (1 << 32) - 1} < set(lengths))
        self.assertIn(65_536, refused_lengths(2, 11))
        self.assertNotIn(65_536, refused_lengths(0x80, 36))


class ViolationTests(SynchronousTestCase):
    def test_they_encode_and_are_illegal(self) -> None:
        for rule in violations():
            with self.subTest(rule=rule.what):
                pdu = some(rule.broken)
                self.assertFalse(legal(pdu))
                self.assertGreater(len(encode(pdu, pdu.versions[-1])), 8)

    def test_every_check_has_one(self) -> None:
        """Whoever adds to `must_hold` adds what breaks it."""
        broken = {type(some(rule.broken)) for rule in violations()}
        checked = {pdu for pdu in every_pdu() if pdu.limits or pdu.must_hold is not Pdu.must_hold}
        self.assertEqual({pdu.title for pdu in checked - broken}, set())
        self.assertNotIn(CacheReset, broken)
