"""Tests for L{rotoro.wire.fields}: layout and meaning of each field, said once."""

from __future__ import annotations

from enum import IntEnum
from typing import get_args

from construct import Byte
from twisted.trial.unittest import SynchronousTestCase

from rotoro.wire import fields
from rotoro.wire.fields import RouteFlags, listed, named
from rotoro.wire.pdu import Wire
from rotoro.wire.rotoro import Catalogue, Counter, Diagnostic, TableEntry

DECLARED = {name: get_args(value)[1] for name, value in vars(fields).items() if get_args(value)}


class MeaningTests(SynchronousTestCase):
    def test_every_field(self) -> None:
        for name, wire in DECLARED.items():
            with self.subTest(field=name):
                self.assertIsInstance(wire, Wire)
                self.assertTrue(wire.meaning[0].isupper() or wire.meaning[0].isdigit())
                self.assertTrue(wire.meaning.endswith("."))

    def test_conversions(self) -> None:
        """What goes out comes back in."""
        samples = {"Prefix4": "c0000200", "Prefix6": "20010db8" + "00" * 12, "Name": b"na\xc3\xafve".hex()}
        for name, octets in samples.items():
            wire = DECLARED[name]
            self.assertEqual(wire.raw(wire.value(bytes.fromhex(octets))).hex(), octets)
        self.assertEqual((DECLARED["Asn"].value(5), DECLARED["Asn"].raw(5)), (5, 5))

    def test_error_text_is_never_refused(self) -> None:
        self.assertEqual(DECLARED["ErrorText"].value(b"a\xffb"), "a\\xffb")


class ListTests(SynchronousTestCase):
    def test_entries(self) -> None:
        wire = listed(Diagnostic, "Complaints.")
        told = (Diagnostic(1, 2, "one"), Diagnostic(3, 4, "two"))
        octets = wire.layout.build(wire.raw(told))
        self.assertEqual(
            octets.hex(), "0002 0000000100000002 0003 6f6e65 0000000300000004 0003 74776f".replace(" ", "")
        )
        self.assertEqual(wire.value(wire.layout.parse(octets)), told)
        self.assertIs(wire.entry, Diagnostic)

    def test_reserved_in_entries(self) -> None:
        (told,) = Catalogue.wires["tables"].raw((TableEntry(1, 2, 3, 0, 5, 6, 7, 8, "n"),))
        self.assertEqual((told["zero"], told["name"]), (0, b"n"))
        (told,) = listed(Counter, "Counters.").raw((Counter("n", 1),))
        self.assertEqual(told, {"name": b"n", "value": 1})


class NamedTests(SynchronousTestCase):
    def test_meaning_is_the_first_line(self) -> None:
        class Colour(IntEnum):
            """What it looks like.

            Not how it feels.
            """

            RED = 1

        wire = named(Colour)
        self.assertEqual((wire.meaning, wire.names, wire.layout), ("What it looks like.", Colour, Byte))
        self.assertEqual(wire.allowed, {1})

    def test_flags_are_single_bits(self) -> None:
        self.assertEqual([flag.value for flag in RouteFlags], [1, 2, 4])
