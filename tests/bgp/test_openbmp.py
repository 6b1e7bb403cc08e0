"""Tests for L{rotonda.bgp.openbmp}: the header, field by field, by a layout of its own."""

from __future__ import annotations

import gzip
from hashlib import md5
from typing import Any

from construct import Bytes, Const, Int8ub, Int16ub, Int32ub, PascalString, Struct, Terminated, this
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rotonda.bgp.bmp import BmpReader, HandedOn, HandOn
from rotonda.bgp.openbmp import Framing, messages
from rotonda.bgp.raw import RawMessage
from twisted.trial.unittest import SynchronousTestCase

from interop.traffic import bmp as made
from tests.data import shared

LAYOUT: Any = Struct(
    "magic" / Const(b"OBMP"),
    "version" / Const(b"\1\7"),
    "header" / Int16ub,
    "length" / Int32ub,
    "flags" / Int8ub,
    "kind" / Const(12, Int8ub),
    "seconds" / Int32ub,
    "microseconds" / Int32ub,
    "collector_hash" / Bytes(16),
    "collector" / PascalString(Int16ub, "utf-8"),
    "router_hash" / Bytes(16),
    "router" / Bytes(16),
    "group" / PascalString(Int16ub, "utf-8"),
    "rows" / Const(1, Int32ub),
    "message" / Bytes(this.length),
    Terminated,
)
"""As the collectors and their readers have it."""

V4, V6 = bytes((192, 0, 2, 1)), bytes.fromhex("20010db8000000000000000000000001")


class FramingTests(SynchronousTestCase):
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from([V4, V6, b""]), st.text(st.characters(codec="utf-8"), max_size=60), st.binary(max_size=90),
           st.integers(0, 2**32 - 1), st.integers(0, 999_999))  # fmt: skip
    def test_every_field(self, router: bytes, collector: str, message: bytes, seconds: int, micros: int) -> None:
        framing = Framing(collector, router)
        octets = framing.framed(message, seconds + micros / 1_000_000)
        read = LAYOUT.parse(octets)
        self.assertEqual((read.collector, read.message, read.group), (collector, message, ""))
        self.assertEqual(read.header, len(octets) - len(message))
        self.assertEqual(read.flags, 0xC0 if len(router) == 16 else 0x80)
        self.assertEqual(read.router, router.ljust(16, b"\0"))
        self.assertEqual(read.router_hash, framing.key)
        self.assertEqual(read.collector_hash, md5(collector.encode()).digest())
        self.assertEqual(read.seconds, seconds)
        self.assertLessEqual(abs(read.microseconds - micros), 1)

    def test_one_as_it_stands_on_the_wire(self) -> None:
        framed = Framing("rv2", V4).framed(b"bmp", 1_700_000_000.5)
        begin = "4f424d50 01 07 0051 00000003 80 0c 6553f100 0007a120"
        self.assertEqual(framed[:22], bytes.fromhex(begin))
        self.assertEqual(framed[38:43], b"\0\3rv2")
        self.assertEqual(framed[59:], V4 + bytes(12) + bytes(2) + b"\0\0\0\1" + b"bmp")

    def test_routers_and_collectors_have_hashes_of_their_own(self) -> None:
        keys = {Framing(collector, router).key for collector in ("a", "b") for router in (V4, V6)}
        self.assertEqual(len(keys), 4)
        self.assertEqual(Framing("a", V4).key, Framing("a", V4).key)
        self.assertEqual(Framing("a", V4).key, md5(b"192.0.2.1" + md5(b"a").digest()).digest())

    def test_a_name_that_is_too_long_is_cut(self) -> None:
        self.assertEqual(LAYOUT.parse(Framing("n" * 300, V4).framed(b"", 0.0)).collector, "n" * 255)


class MessageTests(SynchronousTestCase):
    def test_each_message_alone(self) -> None:
        peer = made.Peer()
        each = [
            made.initiation(),
            made.peer_up(peer),
            made.monitoring(peer, made.update(made.prefix(1))),
            made.message(9),
        ]
        self.assertEqual(list(messages(HandedOn(b"".join(each), len(each)))), each)
        self.assertEqual(list(messages(HandedOn(b"", 0))), [])

    def test_what_the_filter_says_goes_with_them(self) -> None:
        peer, other = made.Peer(), made.Peer(bytes((192, 0, 2, 11)), 64_501)
        each = [made.peer_up(peer), made.peer_up(other), made.monitoring(peer, made.update(made.prefix(1))),
                made.monitoring(other, made.update(made.prefix(2))), made.peer_up(peer)]  # fmt: skip

        def accepts(message: RawMessage) -> bool:
            return message.peer is None or message.peer.asn != 64_501

        for size in (1, 100, 10_000):
            reader = BmpReader(accepts, HandOn.ALL)
            octets = b"".join(each)
            given_on = [
                (one.accepted, message)
                for at in range(0, len(octets), size)
                for handed in reader.receive(octets[at : at + size], 0)
                if isinstance(handed, HandedOn)
                for one in [handed]
                for message in messages(handed)
            ]
            self.assertEqual(given_on, list(zip((True, False, True, False, True), each, strict=True)))

    def test_a_recorded_session(self) -> None:
        octets = gzip.decompress(shared("bmp/recorded/frr-8.4.4-nosoftreconfig-5k.bmp.raw.gz").read_bytes())
        reader, framing, back, count = BmpReader(hand_on=HandOn.ALL), Framing("c", V4), [], 0
        for at in range(0, len(octets), 50_000):
            for handed in reader.receive(octets[at : at + 50_000], 0):
                if isinstance(handed, HandedOn):
                    back += [LAYOUT.parse(framing.framed(one, 1.0)).message for one in messages(handed)]
                    count += handed.messages
        self.assertEqual((b"".join(back), len(back)), (octets, count))
