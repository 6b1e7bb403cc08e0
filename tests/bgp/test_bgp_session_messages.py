"""Tests for L{rotonda.bgp.messages}: OPEN there and back, and as Scapy reads it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rotonda.bgp.messages import Framing, Kind, Open, message, read_notification, read_open
from twisted.trial.unittest import SynchronousTestCase

FAMILIES = st.frozensets(st.sampled_from((4, 6)))
OPENS = st.builds(
    Open,
    st.integers(1, (1 << 32) - 1),
    st.sampled_from((0, 3, 90, 65535)),
    st.integers(1, (1 << 32) - 1),
    st.frozensets(st.sampled_from((4, 6)), min_size=1),
    st.just(True),
    st.booleans(),
    FAMILIES,
    FAMILIES,
)


class OpenTests(SynchronousTestCase):
    @given(OPENS)
    def test_there_and_back(self, told: Open) -> None:
        self.assertEqual(read_open(told.message()), told)

    def test_of_two_octets(self) -> None:
        told = Open(64497, 90, 2, frozenset(), four_octet=False, route_refresh=False)
        self.assertEqual(read_open(told.message()), Open(64497, 90, 2, frozenset({4}), False, False))

    def test_longer_parameters(self) -> None:
        """RFC 9072: the length is written in two octets, and again for each parameter."""
        plain = Open(64497, 90, 2).message()
        capabilities = plain[31:]
        body = plain[19:28] + b"\xff\xff" + (3 + len(capabilities)).to_bytes(2) + b"\2"
        self.assertEqual(
            read_open(message(Kind.OPEN, body + len(capabilities).to_bytes(2) + capabilities)), Open(64497, 90, 2)
        )

    def test_capabilities_that_are_not_known_are_passed_over(self) -> None:
        plain = Open(64497, 90, 2).message()[19:]
        more = bytes((64, 2, 0, 120)) + bytes((99, 3)) + b"abc"
        body = plain[:9] + bytes((plain[9] + len(more), 2, plain[11] + len(more))) + plain[12:] + more
        self.assertEqual(read_open(message(Kind.OPEN, body)), Open(64497, 90, 2))

    def test_as_scapy_reads_it(self) -> None:
        from scapy.contrib.bgp import BGPHeader

        read = BGPHeader(Open(4_200_000_000, 90, 0xC0000201, frozenset({4, 6})).message())
        body = read.payload
        self.assertEqual((body.my_as, body.hold_time, body.bgp_id), (23456, 90, "192.0.2.1"))
        [parameter] = body.opt_params
        self.assertEqual(parameter.param_type, 2)


class NotificationTests(SynchronousTestCase):
    def test_words(self) -> None:
        for body, words in [
            (bytes((6, 2)), "cease, shutdown"),
            (bytes((6, 4, 3)) + b"new", "cease, reset, 'new'"),
            (bytes((3, 10)), "update, subcode 10"),
            (bytes((2, 7, 1, 4)), "open, subcode 7, 0104"),
            (bytes((99, 1)), "error 99, subcode 1"),
            (bytes((6, 99)), "cease, cease 99"),
        ]:
            self.assertEqual(read_notification(message(Kind.NOTIFICATION, body)), words)

    @given(st.binary(min_size=2, max_size=300))
    def test_whatever_it_says(self, body: bytes) -> None:
        self.assertTrue(read_notification(message(Kind.NOTIFICATION, body)).isprintable())


class FramingTests(SynchronousTestCase):
    def test_it_holds_no_more_than_a_message(self) -> None:
        framing = Framing()
        whole = message(Kind.UPDATE, bytes(4077))
        self.assertEqual(list(framing.receive(whole + whole[:4000])), [(Kind.UPDATE, whole)])
        self.assertEqual(list(framing.receive(whole[4000:])), [(Kind.UPDATE, whole)])
