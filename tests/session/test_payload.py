from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.payload import RtrEncoder, Timers, changes, payload_diff, router_key, router_key_octets
from rotoro.table.history import State
from rotoro.table.serial import Position
from rotoro.table.snapshot import EMPTY
from rotoro.wire import Decoder
from rotoro.wire.errors import DuplicateAnnouncement, UnknownWithdrawal
from rotoro.wire.pdu import ROTORO
from rotoro.wire.rtr import Aspa, RouterKey
from tests.session.worlds import RPKI, Model, applied, in_version, patient, snapshot
from tests.session.worlds import changes as drawn


def decoded(pieces: list[bytes]) -> list[Any]:
    decoder = Decoder()
    decoder.receive(b"".join(pieces))
    return [pdu for _, pdu in decoder.items()]


class RoundTripTests(SynchronousTestCase):
    @patient
    @given(drawn(RPKI), drawn(RPKI), st.sampled_from([0, 1, 2, ROTORO]))
    def test_what_is_written_is_read(self, first: Model, second: Model, version: int) -> None:
        before, after = (snapshot(applied(base, change)) for base, change in (({}, first), (first, second)))
        before, after = in_version(before, version), in_version(after, version)
        pdus = decoded(list(changes(before.diff(after), version)))
        self.assertEqual(payload_diff(before, pdus, version), before.diff(after))
        self.assertEqual(payload_diff(before, pdus, version).apply(before), after)

    @given(st.binary(max_size=30), st.integers(0, 0xFFFFFFFF))
    def test_router_keys(self, info: bytes, asn: int) -> None:
        pdu = RouterKey(1, bytes(range(20)), asn, info)
        self.assertEqual(router_key(router_key_octets(pdu), True), pdu)

    def test_versions_lack_kinds(self) -> None:
        everything = snapshot({key: values[0] for key, values in RPKI.items()})
        for version, kinds in ((0, set()), (1, {RouterKey}), (2, {RouterKey, Aspa}), (ROTORO, {RouterKey, Aspa})):
            pdus = decoded(list(changes(EMPTY.diff(everything), version)))
            self.assertEqual({type(pdu) for pdu in pdus} & {RouterKey, Aspa}, kinds)


class ContradictionTests(SynchronousTestCase):
    def test_the_pdu_is_shown_in_its_version(self) -> None:
        announced = RouterKey(1, bytes(20), 5, b"x")
        twice = self.assertRaises(DuplicateAnnouncement, payload_diff, EMPTY, [announced, announced], 1)
        self.assertEqual(twice.offending[:2], b"\x01\x09")
        unknown = self.assertRaises(UnknownWithdrawal, payload_diff, EMPTY, [Aspa(0, 5, ())], ROTORO)
        self.assertEqual(unknown.offending.hex(" ", 4), "800b0000 0000000c 00000005")


class TimersTests(SynchronousTestCase):
    def test_what_cannot_be_is_refused(self) -> None:
        """C-TM-01, 02."""
        for refresh, retry, expire in ((0, 1, 600), (1, 0, 600), (1, 1, 599), (86_401, 1, 172_800), (3600, 600, 3600)):
            self.assertRaises(ValueError, Timers, refresh, retry, expire)

    @given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
    def test_clamped_timers_are_allowed(self, refresh: int, retry: int, expire: int) -> None:
        timers = Timers.clamped(refresh, retry, expire)
        self.assertEqual(Timers.clamped(timers.refresh, timers.retry, timers.expire), timers)


class EncoderTests(SynchronousTestCase):
    def test_equal_encoders_are_one(self) -> None:
        self.assertEqual(RtrEncoder(2, 7, Timers()), RtrEncoder(2, 7, Timers()))
        self.assertEqual(len({RtrEncoder(2, 7, Timers()), RtrEncoder(2, 7, Timers()), RtrEncoder(1, 7, Timers())}), 2)

    def test_the_position_as_rtr_counts(self) -> None:
        octets = b"".join(RtrEncoder(1, 7, Timers()).snapshot(State(Position(9, (1 << 32) + 3), EMPTY)))
        self.assertEqual(octets.hex(" ", 4), "01030007 00000008 01070007 00000018 00000003 00000e10 00000258 00001c20")
