"""Tests for L{rotonda.bgp.intake}: what may be used of UPDATEs, and what counts as withdrawn."""

from __future__ import annotations

import struct
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from rotonda.bgp import intake as module
from rotonda.bgp.intake import Intake, Receiving, Taken
from rotonda.bgp.messages import Error, Fault
from twisted.trial.unittest import SynchronousTestCase

from tests.bgp.speakers import HOP, ORIGIN, TIME, USUAL, attribute, path, update

ONE, TWO = bytes([24, 198, 51, 100]), bytes([24, 203, 0, 113])
PREFERENCE = attribute(0x40, 5, bytes((0, 0, 0, 200)))
ORIGINATOR = attribute(0x80, 9, bytes((0, 0, 0, 7)))
REACH6 = attribute(0x80, 14, b"\0\2\1\x10" + bytes(16) + b"\0" + bytes((32, 0x20, 1, 0xD, 0xB8)))


def intake(external: bool = True, families: frozenset[int] = frozenset({4, 6})) -> Intake:
    return Intake(Receiving(64496, 7, external, families), Taken())


class JudgedTests(SynchronousTestCase):
    def outcome(self, attributes: bytes, external: bool = True) -> tuple[bool, bytes | None, Taken]:
        """Whether a route with these attributes is announced, what is kept of them, and the counts."""
        reader = intake(external)
        reader.update(update(attributes, ONE), TIME)
        [batch] = reader.take()
        announced = bool(batch.announce[0])
        return announced, reader.sets[batch.attributes[0]] if announced else None, reader.counts

    def test_usual(self) -> None:
        self.assertEqual(self.outcome(USUAL), (True, USUAL, Taken(updates=1, announced=1)))

    def test_our_own_as(self) -> None:
        for numbers in [(64496,), (64497, 64496), (64497, 64496, 64499)]:
            announced, _, counts = self.outcome(ORIGIN + path(*numbers) + HOP)
            self.assertEqual((announced, counts.looped, counts.announced), (False, 1, 0))

    def test_faulty(self) -> None:
        for attributes in [
            path(64497) + HOP,
            ORIGIN + HOP,
            ORIGIN + path(64497),
            ORIGIN + path(64497, 0) + HOP,
            ORIGIN + attribute(0x40, 2, b"") + HOP,
            ORIGIN + attribute(0x40, 2, struct.pack(">BBI", 3, 1, 64497)) + HOP,
            attribute(0xC0, 1, b"\0") + path(64497) + HOP,
            ORIGIN + attribute(0x80, 2, path(64497)[3:]) + HOP,
        ]:
            with self.subTest(attributes=attributes.hex()):
                announced, _, counts = self.outcome(attributes)
                self.assertEqual((announced, counts.faulty), (False, 1))

    def test_unreadable(self) -> None:
        """RFC 7606: withdrawn, and the session goes on."""
        for attributes in [
            ORIGIN + path(64497) + attribute(0x40, 3, b"\1\2\3"),
            attribute(0x40, 1, b"\7") + path(64497) + HOP,
            ORIGIN + attribute(0x40, 2, b"\2\2\0\0\0\1") + HOP,
            USUAL + b"\xc0\x08\x20\0",
        ]:
            with self.subTest(attributes=attributes.hex()):
                announced, _, counts = self.outcome(attributes)
                self.assertEqual((announced, counts.faulty_updates), (False, 1))

    def test_what_only_an_as_tells_itself(self) -> None:
        """RFC 7606 sections 7.5 and 7.9."""
        self.assertEqual(self.outcome(USUAL + PREFERENCE)[1], USUAL)
        self.assertEqual(self.outcome(USUAL + PREFERENCE, external=False)[1], USUAL + PREFERENCE)
        announced, _, counts = self.outcome(USUAL + PREFERENCE + ORIGINATOR, external=False)
        self.assertEqual((announced, counts.looped), (False, 1), "RFC 4456: what we said comes back")
        self.assertEqual(self.outcome(USUAL + ORIGINATOR)[1], USUAL)

    def test_a_looped_route_replaces_the_one_before(self) -> None:
        reader = intake()
        reader.update(update(USUAL, ONE + TWO), TIME)
        reader.update(update(ORIGIN + path(64496) + HOP, ONE), TIME)
        [batch] = reader.take()
        self.assertEqual(batch.announce.tolist(), [True, True, False])


class RowsTests(SynchronousTestCase):
    def test_ends(self) -> None:
        reader = intake()
        self.assertEqual(reader.update(update(), TIME), 4)
        self.assertEqual(reader.update(update(attribute(0x80, 15, b"\0\2\1")), TIME), 6)
        self.assertEqual(reader.update(update(attribute(0x80, 15, b"\0\2\2")), TIME), None)
        self.assertIsNone(reader.update(update(withdrawn=ONE), TIME))

    def test_families_that_were_not_agreed_on(self) -> None:
        reader = intake(families=frozenset({4}))
        reader.update(update(ORIGIN + path(64497) + HOP + REACH6, ONE), TIME)
        [batch] = reader.take()
        self.assertEqual((batch.family, reader.counts.other_families), (4, 1))

    def test_sets_are_forgotten(self) -> None:
        for limit in ("SETS_LIMIT", "OCTETS_LIMIT"):
            with self.subTest(limit=limit), patch.object(module, limit, 10):
                self.forgets()

    def forgets(self) -> None:
        reader = intake()
        for number in range(1, 30):
            reader.update(update(ORIGIN + path(64497, number) + HOP, ONE), TIME)
        [batch] = reader.take()
        self.assertEqual(len(reader.sets), 29)
        self.assertIn(path(64497, 29), reader.sets[batch.attributes[-1]])
        reader.forget()
        self.assertEqual(reader.sets, [])
        reader.update(update(USUAL, ONE), TIME)
        [batch] = reader.take()
        self.assertEqual(reader.sets[batch.attributes[0]], USUAL)

    @given(st.binary(max_size=80), st.binary(max_size=30), st.binary(max_size=30))
    def test_whatever_comes(self, attributes: bytes, announced: bytes, withdrawn: bytes) -> None:
        """It is read, or it is a fault of UPDATE; what is left can be taken."""
        reader = intake()
        try:
            reader.update(update(attributes, announced, withdrawn), TIME)
        except Fault as fault:
            self.assertEqual(fault.code, Error.UPDATE)
        for batch in reader.take():
            self.assertTrue((batch.attributes[batch.announce] < len(reader.sets)).all())
