"""Tests for L{rotoro.derive.definition} and L{rotoro.derive.shape}: the layouts, plainly used."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.definition import build, build_rows, parse, parse_rows
from rotoro.derive.shape import Kind, every_pdu, in_header, is_address, parts_of, shape
from rotoro.wire import PDUS
from rotoro.wire.errors import CorruptData
from rotoro.wire.rotoro import AttributeSets, Catalogue, RouteRow4, RouteRow6, Routes6, TableEntry, TypeField
from rotoro.wire.rtr import Aspa, ErrorReport, Ipv6Prefix, RouterKey, SerialQuery


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


class ShapeTests(SynchronousTestCase):
    def test_every_field_has_one(self) -> None:
        for pdu in every_pdu():
            for owner in (pdu, *parts_of(pdu).values()):
                for name in owner.laid_out:
                    form = shape(owner, name)
                    self.assertEqual(form.fixed, bool(form.size and not form.prefix and form.kind is not Kind.NUMBERS))

    def test_kinds(self) -> None:
        for owner, name, kind, size, prefix, value in [
            (RouterKey, "key_id", Kind.OCTETS, 20, 0, bytes),
            (RouterKey, "key_info", Kind.REST, 0, 0, bytes),
            (RouterKey, "header_zero", Kind.NUMBER, 1, 0, int),
            (ErrorReport, "offending", Kind.COUNTED_OCTETS, 0, 4, bytes),
            (Aspa, "providers", Kind.NUMBERS, 4, 0, tuple),
            (AttributeSets, "lengths", Kind.COUNTED_NUMBERS, 2, 4, tuple),
            (Catalogue, "tables", Kind.ENTRIES, 0, 2, tuple),
            (Ipv6Prefix, "prefix", Kind.OCTETS, 16, 0, IPv6Address),
            (TypeField, "name", Kind.COUNTED_OCTETS, 0, 1, str),
        ]:
            with self.subTest(field=name):
                self.assertEqual(shape(owner, name), (kind, size, prefix, value))

    def test_addresses(self) -> None:
        self.assertTrue(is_address(shape(Ipv6Prefix, "prefix")))
        self.assertFalse(is_address(shape(RouterKey, "key_id")))

    def test_parts(self) -> None:
        self.assertEqual(parts_of(Catalogue), {"tables": TableEntry})
        self.assertEqual(parts_of(Routes6), {"rows": RouteRow6})
        self.assertEqual(parts_of(Aspa), {})

    def test_header(self) -> None:
        self.assertEqual(list(in_header(Aspa, True)), ["flags", "header_zero"])
        self.assertEqual(list(in_header(Aspa, False)), ["customer", "providers"])

    def test_every_pdu_once(self) -> None:
        self.assertEqual(len(every_pdu()), len(set(PDUS.values())))
