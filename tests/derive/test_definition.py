"""Tests for L{rotoro.derive.definition}: the layouts, plainly used."""

from __future__ import annotations

from ipaddress import IPv4Address

from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.definition import build, build_rows, parse, parse_rows
from rotoro.wire.errors import CorruptData
from rotoro.wire.rotoro import RouteRow4
from rotoro.wire.rtr import SerialQuery


class DefinitionTests(SynchronousTestCase):
    def test_build_and_parse(self) -> None:
        octets = bytes.fromhex("0201 1111 0000000c 00000001")
        self.assertEqual(build(SerialQuery(0x1111, 1), 2), octets)
        self.assertEqual(parse(octets), (2, SerialQuery(0x1111, 1)))

    def test_refused(self) -> None:
        for octets in ["0201 1111 0000000c 000000", "0201 1111 0000000d 00000001 00", "0201 1111 0000000b 00000001"]:
            with self.subTest(octets=octets), self.assertRaises(CorruptData):
                parse(bytes.fromhex(octets))

    def test_rows(self) -> None:
        """A column that the flags leave out takes no octets."""
        row = {"prefix_length": 24, "prefix": IPv4Address("192.0.2.0"), "attributes": 7, "path": 8, "offset": 9}
        columns = ["00000007", "00000008", "00000009"]
        for flags in range(8):
            expected = "18c0000200" + "".join(column for i, column in enumerate(columns) if flags >> i & 1)
            self.assertEqual(build_rows(RouteRow4, flags, [row]).hex(), expected)
            (found,) = parse_rows(RouteRow4, flags, bytes.fromhex(expected))
            named = ["attributes", "path", "offset"]
            kept = {name: row[name] if flags >> i & 1 else None for i, name in enumerate(named)}
            self.assertEqual(found, {**row, **kept})
