"""Tests for L{rotoro.wire.shape}: what kinds of fields there are."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Annotated

from construct import Int8sb, PascalString
from twisted.trial.unittest import SynchronousTestCase

from rotoro.wire import PDUS
from rotoro.wire.pdu import Part, Wire, part
from rotoro.wire.rotoro import AttributeSets, Catalogue, RouteRow6, Routes6, TableEntry, TypeField
from rotoro.wire.rtr import Aspa, ErrorReport, Ipv6Prefix, RouterKey
from rotoro.wire.shape import Kind, every_pdu, in_header, is_address, parts_of, shape


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

    def test_what_has_none(self) -> None:
        @part
        class Odd(Part):
            """A part."""

            name: Annotated[str, Wire(PascalString(Int8sb, "utf8"), "A name.")]

        with self.assertRaisesRegex(TypeError, "Odd: no shape for name"):
            shape(Odd, "name")
