"""Tests for L{rotoro.wire.codec}: the fast codec and the Construct layouts give the same answers."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.definition import build, parse
from rotoro.derive.strategies import anything, legal, versioned
from rotoro.derive.vectors import Vector, read
from rotoro.derive.violations import Violation, header, minimum, refused_lengths, violations
from rotoro.wire import PDUS, ROTORO, Pdu, decode, encode
from rotoro.wire.codec import check_header
from rotoro.wire.errors import CorruptData, ProtocolError, UnsupportedPdu, UnsupportedVersion
from rotoro.wire.rotoro import ConfigChanged, ConfigData, Hello, Params, TypeDefinition, Unsubscribe
from rotoro.wire.rtr import Aspa, CacheReset, ErrorReport, Ipv4Prefix, RouterKey, SerialQuery
from tests.data import ROOT
from tests.wire.streams import PATIENT

VECTORS = [vector for name in ("rtr", "rotoro") for vector in read(ROOT / "spec" / "vectors" / f"{name}.json")]


class DefinitionTests(SynchronousTestCase):
    @given(versioned())
    @PATIENT
    def test_both_ways(self, sent: tuple[int, Pdu]) -> None:
        """Fast and plain write the same octets, and read the same PDU back from them."""
        version, pdu = sent
        octets = encode(pdu, version)
        self.assertEqual(octets, build(pdu, version))
        self.assertEqual(decode(octets), (version, pdu))
        self.assertEqual(parse(octets), (version, pdu))

    @given(versioned(), st.data())
    @PATIENT
    def test_what_is_refused(self, sent: tuple[int, Pdu], data: st.DataObject) -> None:
        """Whatever is done to the body, fast and plain agree on what is a PDU."""
        octets = bytearray(encode(sent[1], sent[0]))
        for _ in range(data.draw(st.integers(1, 3))):
            if len(octets) > 8:
                octets[data.draw(st.integers(8, len(octets) - 1))] = data.draw(st.integers(0, 255))
        plain, fast = _answer(parse, bytes(octets)), _answer(decode, bytes(octets))
        if isinstance(sent[1], ErrorReport) and fast is not None:
            return  # text that is not UTF-8 is shown, not refused: it does not encode to what it was
        self.assertEqual(fast, plain)

    @given(st.sampled_from(sorted(PDUS)), st.data())
    @PATIENT
    def test_unchecked_values(self, key: tuple[int, int], data: st.DataObject) -> None:
        """A PDU decodes if and only if it passes its own check."""
        pdu: Pdu = data.draw(anything(PDUS[key]))
        answer = _answer(decode, encode(pdu, key[0]))
        self.assertEqual(answer, (key[0], pdu) if legal(pdu) else None)


def _answer(reader: Any, octets: bytes) -> Any:
    try:
        return reader(octets)
    except ProtocolError:
        return None


class VectorTests(SynchronousTestCase):
    def _each(self, check: Any) -> None:
        for vector in VECTORS:
            with self.subTest(pdu=vector.pdu.title, version=vector.version, source=vector.source):
                check(vector)

    def test_encode(self) -> None:
        def check(vector: Vector) -> None:
            self.assertEqual(encode(vector.pdu, vector.version).hex(), vector.octets.hex())

        self._each(check)

    def test_decode(self) -> None:
        def check(vector: Vector) -> None:
            self.assertEqual(decode(vector.octets), (vector.version, vector.pdu))

        self._each(check)

    def test_definition(self) -> None:
        def check(vector: Vector) -> None:
            self.assertEqual(parse(vector.octets), (vector.version, vector.pdu))
            self.assertEqual(build(vector.pdu, vector.version).hex(), vector.octets.hex())

        self._each(check)

    def test_every_pdu_of_every_version(self) -> None:
        self.assertEqual({(vector.version, vector.pdu.number) for vector in VECTORS}, set(PDUS))

    def test_every_octet_changed(self) -> None:
        """Any other value of any one octet gives a PDU or a ProtocolError."""
        refused = 0
        for vector in VECTORS:
            for place in range(len(vector.octets)):
                for value in range(256):
                    octets = vector.octets[:place] + bytes((value,)) + vector.octets[place + 1 :]
                    refused += _answer(decode, octets) is None
        self.assertGreater(refused, 0)


class LengthTests(SynchronousTestCase):
    def test_header(self) -> None:
        """A length that the type cannot have is refused by the header alone."""
        for version, number in sorted(PDUS):
            for length in refused_lengths(version, number):
                with self.subTest(version=version, number=number, length=length), self.assertRaises(CorruptData):
                    check_header(version, number, length)
                with self.assertRaises(CorruptData):
                    decode(header(version, number, length))

    def test_shortest(self) -> None:
        for (version, number), pdu in PDUS.items():
            with self.subTest(pdu=pdu.title):
                check_header(version, number, minimum(pdu))

    def test_truncated(self) -> None:
        """Every type at every length, with a body of its own octets: a PDU or a ProtocolError."""
        for vector in VECTORS:
            for length in range(8, 81):
                octets = bytearray((vector.octets + bytes(80))[:length])
                octets[4:8] = length.to_bytes(4)
                plain, fast = _answer(parse, bytes(octets)), _answer(decode, bytes(octets))
                self.assertEqual(fast, plain, f"{vector.pdu.title} cut to {length}")

    def test_no_header(self) -> None:
        for length in range(8):
            with self.assertRaisesRegex(CorruptData, f"{length} octets"):
                decode(bytes(length))

    def test_length_is_not_the_length(self) -> None:
        with self.assertRaisesRegex(CorruptData, "claims 8 octets in 9"):
            decode(bytes.fromhex("02080000 00000008 00"))


class RefusalTests(SynchronousTestCase):
    def test_every_rule(self) -> None:
        """Each rule broken alone gets the error that it names, with the octets that show it."""
        for rule in violations():
            with self.subTest(rule=rule.what):
                self._refused(rule)

    def _refused(self, rule: Violation) -> None:
        @given(rule.broken)
        @settings(PATIENT, max_examples=20)
        def refused(pdu: Pdu) -> None:
            octets = encode(pdu, pdu.versions[-1])
            with self.assertRaises(rule.error) as caught:
                decode(octets)
            self.assertIs(type(caught.exception), rule.error)
            self.assertEqual(caught.exception.offending, octets[:64])

        refused()

    def test_unknown_version(self) -> None:
        for version in (3, 0x7F, 0x81, 0xFF):
            with self.assertRaises(UnsupportedVersion):
                decode(header(version, 2, 8))

    def test_unknown_type(self) -> None:
        for version in (0, 1, 2, ROTORO):
            for number in range(256):
                if (version, number) not in PDUS:
                    with self.subTest(version=version, number=number), self.assertRaises(UnsupportedPdu):
                        decode(header(version, number, 8))

    def test_text_that_is_not_utf8(self) -> None:
        """A name must be text; an error's text is shown as well as it can be (RFC 8210 section 5.11)."""
        name = bytes.fromhex("8050 0000 0000001a 00100000 00010000 0000001e 05 ff fe 61 62 63")
        with self.assertRaisesRegex(CorruptData, "UTF-8"):
            decode(name)
        report = bytes.fromhex("020a 0000 00000012 00000000 00000002 ff61")
        self.assertEqual(decode(report), (2, ErrorReport(0, b"", "\\xffa")))


class EncodeTests(SynchronousTestCase):
    def test_not_in_this_version(self) -> None:
        for pdu, version in [(CacheReset(), ROTORO), (Aspa(1, 1, (2,)), 1), (Hello(0), 2), (Unsubscribe(1), 0)]:
            with self.subTest(pdu=pdu.title), self.assertRaisesRegex(ValueError, "has no"):
                encode(pdu, version)

    def test_too_long(self) -> None:
        longest = ErrorReport(0, bytes(65_535 - 16), "")
        self.assertEqual(len(encode(longest, 2)), 65_535)
        with self.assertRaisesRegex(ValueError, "65536 octets"):
            encode(ErrorReport(0, bytes(65_536 - 16), ""), 2)
        with self.assertRaisesRegex(ValueError, "65536 octets"):
            encode(ErrorReport(0, bytes(65_536 - 16), ""), ROTORO)
        text = bytes((1 << 20) - 56)
        self.assertEqual(len(encode(ConfigData(0, 0, 0, bytes(32), text), ROTORO)), 1 << 20)
        with self.assertRaisesRegex(ValueError, "more than the 1048576 that it may have"):
            encode(ConfigData(0, 0, 0, bytes(32), text + b"x"), ROTORO)

    def test_values_that_do_not_fit(self) -> None:
        """Nothing is cut or padded in silence."""
        address: Any = IPv6Address("::1")
        for pdu in [
            SerialQuery(1 << 16, 0),
            SerialQuery(0, -1),
            RouterKey(1, bytes(19), 0, b""),
            RouterKey(1, bytes(21), 0, b""),
            Ipv4Prefix(1, 0, 0, address, 0),
            ConfigChanged(0, b"short"),
            Params(0, 4096, 1, 1, "n" * 256),
            TypeDefinition(0, "n" * 256, ()),
        ]:
            with self.subTest(pdu=pdu), self.assertRaisesRegex(ValueError, pdu.title):
                encode(pdu, pdu.versions[-1])
