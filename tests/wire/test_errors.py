"""Tests for L{rotoro.wire.errors}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rotoro.wire.errors import ERRORS, NOT_FATAL, SHOWN_OCTETS, CorruptData, ProtocolError, code_in
from rotoro.wire.pdu import ROTORO


class CodeTests(SynchronousTestCase):
    def test_codes(self) -> None:
        """RTR's codes without a gap (8210bis section 12), Rotoro's from 0x8000."""
        self.assertEqual(sorted(ERRORS), [*range(14), *range(0x8000, 0x8006)])
        self.assertEqual(len({error.title for error in ERRORS.values()}), len(ERRORS))
        for code, error in ERRORS.items():
            self.assertEqual(error.code, code)
            self.assertTrue(error.__doc__)

    def test_only_codes_that_the_version_has(self) -> None:
        """8210bis section 12: a session sends no code that its version does not define."""
        for version, known in [(0, range(8)), (1, range(9)), (2, range(14)), (ROTORO, sorted(ERRORS))]:
            for code in ERRORS:
                with self.subTest(version=version, code=code):
                    self.assertIn(code_in(version, code), known)
                    if code in known:
                        self.assertEqual(code_in(version, code), code)

    def test_nearest(self) -> None:
        for version, code, expected in [(0, 8, 3), (1, 9, 0), (0, 10, 1), (1, 11, 3), (2, 0x8003, 1), (1, 12, 1)]:
            self.assertEqual(code_in(version, code), expected)

    def test_unknown_code(self) -> None:
        self.assertEqual(code_in(2, 4711), 4711)

    def test_not_fatal(self) -> None:
        self.assertEqual(NOT_FATAL, {2, 12})


class OffendingTests(SynchronousTestCase):
    def test_kept_short(self) -> None:
        for octets in (b"", b"short", bytes(1000), bytearray(70), memoryview(bytes(70))):
            error = CorruptData("what", octets)
            self.assertEqual(error.offending, bytes(octets)[:SHOWN_OCTETS])
            self.assertIsInstance(error.offending, bytes)

    def test_message(self) -> None:
        self.assertEqual(str(CorruptData("what")), "what")
        self.assertIsInstance(CorruptData("what"), ProtocolError)
