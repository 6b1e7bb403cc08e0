"""Tests for L{rotoro.wire.pdu}: what a declaration makes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from rotoro.wire.errors import CorruptData
from rotoro.wire.fields import Asn, HeaderFlags, HeaderZero8, Name, Zero16
from rotoro.wire.pdu import PDUS, ROTORO, VERSIONS, Part, Pdu, part, pdu
from rotoro.wire.rotoro import Catalogue, Keepalive, RouteRow4, TableEntry
from rotoro.wire.rtr import Aspa, CacheReset, EndOfData, Ipv4Prefix, ResetQuery, SerialNotify, SerialQuery
from rotoro.wire.shape import every_pdu, parts_of


class RegistryTests(SynchronousTestCase):
    def test_versions(self) -> None:
        for (version, number), known in PDUS.items():
            self.assertIn(version, VERSIONS)
            self.assertIn(version, known.versions)
            self.assertEqual(known.number, number)

    def test_same_number_twice(self) -> None:
        before = dict(PDUS)
        with self.assertRaisesRegex(TypeError, "both are type 0"):

            @pdu(0, versions=(2,))
            class Another(Pdu):
                serial: Asn

        self.assertEqual(PDUS, before)

    def test_documented(self) -> None:
        for each in every_pdu():
            for owner in (each, *parts_of(each).values()):
                self.assertTrue(owner.__doc__, owner.title)
                for name, wire in owner.wires.items():
                    self.assertTrue(wire.meaning.endswith("."), f"{owner.title}: {name}")

    def test_limits(self) -> None:
        """What RTR has is no longer in Rotoro: a cache must be able to pass it on."""
        for each in every_pdu():
            self.assertEqual(each.longest, 1 << 20 if each.versions == (ROTORO,) else 65_535, each.title)
        self.assertEqual(VERSIONS, (0, 1, 2, ROTORO))


class ValueTests(SynchronousTestCase):
    def test_titles(self) -> None:
        titles = [known.title for known in (Ipv4Prefix, EndOfData, Aspa, SerialNotify)]
        self.assertEqual(titles, ["IPv4 Prefix", "End of Data", "ASPA", "Serial Notify"])

    def test_equal_by_type_and_values(self) -> None:
        self.assertEqual(SerialQuery(1, 2), SerialQuery(1, 2))
        self.assertEqual(hash(SerialQuery(1, 2)), hash(SerialQuery(1, 2)))
        self.assertNotEqual(SerialQuery(1, 2), SerialQuery(1, 3))
        self.assertNotEqual(SerialQuery(1, 2), SerialNotify(1, 2))
        self.assertNotEqual(CacheReset(), ResetQuery())

    def test_no_room_for_more(self) -> None:
        with self.assertRaises(AttributeError):
            SerialQuery(1, 2).other = 3  # type: ignore[attr-defined]

    def test_reserved_fields(self) -> None:
        """They have a place on the wire, read as zero, and are no part of the value."""
        self.assertEqual(list(Aspa.wires), ["flags", "customer", "providers"])
        self.assertEqual(list(Aspa.laid_out), ["flags", "header_zero", "customer", "providers"])
        self.assertEqual(Aspa(0, 1, ()).header_zero, 0)


class DeclarationTests(SynchronousTestCase):
    def test_part(self) -> None:
        @part
        class Named(Part):
            """A part."""

            asn: Asn
            zero: ClassVar[Zero16]
            name: Name

        self.assertEqual(Named.layout.build({"asn": 5, "zero": 0, "name": b"ab"}).hex(), "00000005000002" + b"ab".hex())
        self.assertEqual(repr(Named(5, "ab")).partition(".")[2].rpartition(".")[2], "Named(asn=5, name='ab')")

    def test_header_fields_fill_the_header(self) -> None:
        for each in every_pdu():
            octets = sum(wire.layout.sizeof() for wire in each.laid_out.values() if wire.in_header)
            self.assertIn(octets, (0, 2), each.title)

    def test_header_of_two_fields(self) -> None:
        @pdu(99, versions=())
        class Flagged(Pdu):
            """A PDU of no version."""

            flags: HeaderFlags
            header_zero: ClassVar[HeaderZero8]

        built = Flagged.layout.build({"version": 2, "flags": 1, "header_zero": 0, "length": 8})
        self.assertEqual(built.hex(" ", 4), "02630100 00000008")

    def test_types(self) -> None:
        """What the values are, whatever they look like on the wire."""
        self.assertEqual(Ipv4Prefix.types["prefix"], IPv4Address)
        self.assertEqual((Aspa.types["providers"], Aspa.types["header_zero"]), (tuple, int))

    def test_fields_under_flags(self) -> None:
        for flags, columns in [
            (0, []),
            (1, ["attributes"]),
            (6, ["path", "offset"]),
            (7, ["attributes", "path", "offset"]),
        ]:
            self.assertEqual(list(RouteRow4.present(flags)), ["prefix_length", "prefix", *columns])


class CheckTests(SynchronousTestCase):
    def test_allowed_numbers(self) -> None:
        """Also those of entries; only then comes what else must hold."""
        Catalogue((TableEntry(1, 1, 3, 0, 0, 0, 1, 1, "one"),)).check()
        unnamed = TableEntry(1, 1, 3, 0, 0, 0, 1, 1, "")
        for entry, words in [
            (replace(unnamed, kind=3), "kind 3"),
            (replace(unnamed, families=0), "families 0"),
            (replace(unnamed, health=3), "health 3"),
        ]:
            with self.assertRaisesRegex(CorruptData, f"Table Entry with the unknown {words}"):
                Catalogue((entry,)).check()

    def test_limits(self) -> None:
        self.assertEqual(list(Keepalive.limits), ["echo"])
        self.assertEqual(list(Catalogue.limits), ["tables"])
        self.assertEqual(Aspa.limits, {})
