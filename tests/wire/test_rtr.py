"""Tests for L{rotoro.wire.rtr}: the rules that RTR puts on values."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from twisted.trial.unittest import SynchronousTestCase

from rotoro.wire import PDUS, ROTORO, Pdu, decode, encode
from rotoro.wire.errors import AspaProviderListError, CorruptData, ProtocolError
from rotoro.wire.pdu import RTR_VERSIONS
from rotoro.wire.rtr import Aspa, EndOfData, EndOfDataV0, ErrorReport, Ipv4Prefix, Ipv6Prefix


class VersionTests(SynchronousTestCase):
    def test_types(self) -> None:
        """RFC 6810 has nine types, RFC 8210 adds Router Key, 8210bis adds ASPA."""
        types = {version: {number for known, number in PDUS if known == version} for version in RTR_VERSIONS}
        self.assertEqual(types[0], {0, 1, 2, 3, 4, 6, 7, 8, 10})
        self.assertEqual(types[1], types[0] | {9})
        self.assertEqual(types[2], types[1] | {11})

    def test_rotoro_carries_data_unchanged(self) -> None:
        shared = {number for version, number in PDUS if version == ROTORO and number < 32} - {2, 3}
        self.assertEqual(shared, {4, 6, 9, 10, 11})
        for number in shared:
            self.assertIs(PDUS[ROTORO, number], PDUS[2, number])

    def test_end_of_data(self) -> None:
        """Twelve octets in version 0, twenty-four after (RFC 8210 section 5.8)."""
        self.assertEqual(len(encode(EndOfDataV0(1, 2), 0)), 12)
        self.assertEqual(len(encode(EndOfData(1, 2, 3, 4, 5), 1)), 24)
        for version, length in [(0, 24), (1, 12), (2, 12)]:
            octets = bytes((version, 7, 0, 1)) + length.to_bytes(4) + bytes(length - 8)
            with self.subTest(version=version), self.assertRaises(CorruptData):
                decode(octets)


class CheckTests(SynchronousTestCase):
    def _refused(self, pdu: Pdu, error: type[ProtocolError], words: str) -> None:
        with self.subTest(pdu=pdu), self.assertRaisesRegex(error, words) as caught:
            pdu.check()
        self.assertIs(type(caught.exception), error)

    def test_prefixes(self) -> None:
        four, six = IPv4Address("192.0.2.0"), IPv6Address("2001:db8::")
        for good in [
            Ipv4Prefix(1, 24, 24, four, 0),
            Ipv4Prefix(0, 23, 32, four, 1),
            Ipv4Prefix(1, 0, 0, IPv4Address(0), 0),
            Ipv4Prefix(255, 32, 32, IPv4Address("255.255.255.255"), 0xFFFFFFFF),
            Ipv6Prefix(1, 32, 128, six, 0),
            Ipv6Prefix(1, 0, 0, IPv6Address(0), 0),
        ]:
            good.check()
        self._refused(Ipv4Prefix(1, 24, 0, four, 0), CorruptData, "maximum 0")
        self._refused(Ipv4Prefix(1, 24, 33, four, 0), CorruptData, "maximum 33, of 32")
        self._refused(Ipv4Prefix(1, 33, 33, four, 0), CorruptData, "prefix length 33")
        self._refused(Ipv4Prefix(1, 22, 24, four, 0), CorruptData, "192.0.2.0/22 has bits set")
        self._refused(Ipv6Prefix(1, 32, 31, six, 0), CorruptData, "maximum 31")
        self._refused(Ipv6Prefix(1, 28, 129, six, 0), CorruptData, "maximum 129, of 128")
        self._refused(Ipv6Prefix(1, 16, 48, six, 0), CorruptData, "bits set")

    def test_aspas(self) -> None:
        for good in [Aspa(1, 5, (0,)), Aspa(1, 5, (1,)), Aspa(1, 5, (1, 2, 0xFFFFFFFF)), Aspa(0, 5, ())]:
            good.check()
        self._refused(Aspa(1, 5, ()), AspaProviderListError, "AS5 announced without")
        self._refused(Aspa(1, 5, (2, 1)), AspaProviderListError, "ascending")
        self._refused(Aspa(1, 5, (1, 1)), AspaProviderListError, "ascending")
        self._refused(Aspa(1, 5, (0, 1)), AspaProviderListError, "AS 0")
        self._refused(Aspa(0, 5, (1,)), CorruptData, "withdrawal of AS5 names 1")
        self.assertEqual(AspaProviderListError.code, 9)

    def test_most_providers(self) -> None:
        """8210bis limits a PDU to 65,535 octets: 16,380 providers."""
        most = Aspa(1, 5, tuple(range(1, 16_381)))
        self.assertEqual(decode(encode(most)), (2, most))
        with self.assertRaises(ValueError):
            encode(Aspa(1, 5, tuple(range(1, 16_382))))

    def test_unknown_error_codes_are_told(self) -> None:
        """What to do about a code is the session's matter."""
        report = ErrorReport(4711, b"", "")
        self.assertEqual(decode(encode(report, 0)), (0, report))
