"""Tests for L{rotonda.bgp.written}: what a peer makes of our UPDATEs, by our own reader and by Scapy."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rotonda.bgp.attributes import Attributes, decoded
from rotonda.bgp.intake import Intake, Receiving, Taken
from rotonda.bgp.sets import normalised
from rotonda.bgp.written import Telling, Writer, end_of_rib, withdrawals, words_for
from twisted.trial.unittest import SynchronousTestCase

from tests.bgp.speakers import HOP, ORIGIN, TIME, USUAL, attribute, path

OWN = 4_200_000_000
HOP4, HOP6 = bytes((192, 0, 2, 77)), bytes.fromhex("20010db8000000000000000000000077")
TELLING = Telling(OWN, True, True, HOP4, HOP6)
INSIDE = Telling(OWN, False)
REACH6 = attribute(0x80, 14, b"\0\2\1\x10" + bytes(15) + b"\1\0")
USUAL6 = ORIGIN + path(64497, 64500) + REACH6
MED = attribute(0x80, 4, bytes(4))
PREFERENCE = attribute(0x40, 5, bytes((0, 0, 0, 200)))

Route = tuple[int, int, int]  # address, length, number of the set


def keys_of(family: int, prefixes: Iterable[tuple[int, int]]) -> NDArray[np.bytes_]:
    """Keys of routes: address, length, no path identifier."""
    octets = 4 if family == 4 else 16
    rows = [(address >> octets * 8 - bits << octets * 8 - bits).to_bytes(octets) + bytes((bits, 0, 0, 0, 0))
            for address, bits in prefixes]  # fmt: skip
    return np.frombuffer(b"".join(rows), f"S{octets + 5}")


def read(messages: Iterable[bytes], external: bool = True, four_octet: bool = True) -> dict[bytes, Attributes | None]:
    """What a peer of AS 1 has when it has heard all of these; None where a prefix was withdrawn."""
    reader = Intake(Receiving(1, 1, external, four_octet=four_octet), Taken())
    found: dict[bytes, Attributes | None] = {}
    for message in messages:
        assert len(message) <= 4096
        reader.update(message, TIME)
    for batch in reader.take():
        for key, announced, number in zip(batch.keys, batch.announce, batch.attributes, strict=True):
            whole = key.ljust(batch.keys.itemsize, b"\0")[:-4]
            found[whole] = decoded(reader.sets[number]) if announced else None
    return found


PREFIXES = {
    4: st.tuples(st.integers(0, (1 << 32) - 1), st.integers(0, 32)),
    6: st.tuples(st.integers(0, (1 << 128) - 1), st.integers(0, 128)),
}


class TableTests(SynchronousTestCase):
    @given(st.sampled_from((4, 6)), st.data())
    def test_a_peer_hears_every_route_once(self, family: int, data: st.DataObject) -> None:
        keys = np.unique(keys_of(family, data.draw(st.lists(PREFIXES[family], max_size=60))))
        numbers = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(keys), max_size=len(keys))), np.uint32)
        hop = HOP if family == 4 else REACH6
        sets = [ORIGIN + path(64497, 64500 + number) + hop for number in range(5)]
        heard = read(Writer(TELLING).announcements(family, keys, numbers, sets))
        self.assertEqual(len(heard), len(keys))
        for key, number in zip(keys, numbers.tolist(), strict=True):
            told = heard[key.ljust(keys.itemsize, b"\0")[:-4]]
            assert told is not None
            self.assertEqual(told.as_path, ((2, (OWN, 64497, 64500 + number)),))
            self.assertEqual(told.next_hop, "192.0.2.77" if family == 4 else "2001:db8::77")

    def test_messages_are_as_full_as_can_be(self) -> None:
        for family, octets, least in ((4, 4, 800), (6, 7, 550)):
            count = 10_000
            prefixes = ((number << (8 if family == 4 else 80), 24 if family == 4 else 48) for number in range(count))
            keys = keys_of(family, prefixes)
            usual = USUAL if family == 4 else USUAL6
            messages = list(Writer(TELLING).announcements(family, keys, np.zeros(count, np.uint32), [usual]))
            self.assertLess(len(messages), count / least)
            self.assertTrue(all(4096 - octets - 1 < len(each) <= 4096 for each in messages[:-1]))
            gone = list(withdrawals(family, keys))
            self.assertLess(len(gone), count / least)
            self.assertEqual(set(read([*messages, *gone]).values()), {None})
            self.assertEqual(len(read(gone)), count)

    def test_nothing(self) -> None:
        keys = keys_of(4, [])
        self.assertEqual(list(Writer(TELLING).announcements(4, keys, np.empty(0, np.uint32), [])), [])
        self.assertEqual(list(withdrawals(6, keys_of(6, []))), [])

    def test_ends(self) -> None:
        reader = Intake(Receiving(1, 1, True), Taken())
        self.assertEqual([reader.update(end_of_rib(family), TIME) for family in (4, 6)], [4, 6])

    def test_what_cannot_be_told_is_withdrawn(self) -> None:
        long = USUAL + struct.pack(">BBH", 0xD0, 8, 4040) + bytes(4040)
        keys = keys_of(4, [(1 << 24, 8), (2 << 24, 8)])
        writer = Writer(TELLING)
        heard = read(writer.announcements(4, keys, np.array([0, 1], np.uint32), [long, USUAL]))
        self.assertEqual([told is None for told in heard.values()], [True, False])
        self.assertEqual(writer.untold, 1)

    def test_scapy_reads_the_same(self) -> None:
        from scapy.contrib import bgp
        from scapy.contrib.bgp import BGPHeader

        bgp.bgp_module_conf.use_2_bytes_asn = False
        self.addCleanup(setattr, bgp.bgp_module_conf, "use_2_bytes_asn", True)
        keys = keys_of(4, [(0xC6336400, 24), (0x0A000000, 9)])
        [message] = Writer(TELLING).announcements(4, keys, np.zeros(2, np.uint32), [USUAL + MED])
        body = BGPHeader(message).payload
        self.assertEqual([each.prefix for each in body.nlri], ["198.51.100.0/24", "10.0.0.0/9"])
        attributes = {each.type_code: each.attribute for each in body.path_attr}
        self.assertEqual(sorted(attributes), [1, 2, 3])
        self.assertEqual(attributes[2].segments[0].segment_value, [OWN, 64497, 64500])
        self.assertEqual(attributes[3].next_hop, "192.0.2.77")


class WordsTests(SynchronousTestCase):
    def told(self, normal: bytes, telling: Telling = TELLING, family: int = 4) -> bytes | None:
        """All but the next hop."""
        words = words_for(normal, family, telling)
        return None if words is None else words.before + words.after

    def test_to_another_as(self) -> None:
        mine = ORIGIN + path(OWN, 64497, 64500)
        for extra, kept in [
            (b"", b""),
            (MED + PREFERENCE, b""),
            (attribute(0x80, 9, bytes(4)) + attribute(0x80, 10, bytes(4)), b""),
            (attribute(0xC0, 8, bytes(4)), attribute(0xC0, 8, bytes(4))),
            (attribute(0xC0, 16, b"\0\2aaaaaa"), attribute(0xC0, 16, b"\0\2aaaaaa")),
            (attribute(0xC0, 16, b"\x40\2aaaaaa\0\2bbbbbb"), attribute(0xC0, 16, b"\0\2bbbbbb")),
            (attribute(0xC0, 16, b"\x40\2aaaaaa"), b""),
            (attribute(0xC0, 99, b"x"), attribute(0xE0, 99, b"x")),
            (attribute(0x80, 99, b"x"), b""),
        ]:
            with self.subTest(extra=extra.hex()):
                self.assertEqual(self.told(USUAL + extra), mine + kept)

    def test_within_an_as(self) -> None:
        default = attribute(0x40, 5, bytes((0, 0, 0, 100)))
        self.assertEqual(self.told(USUAL + MED + PREFERENCE, INSIDE), ORIGIN + path(64497, 64500) + MED + PREFERENCE)
        self.assertEqual(self.told(USUAL, INSIDE), ORIGIN + path(64497, 64500) + default)
        for family, normal, hop in [(4, USUAL, HOP[3:]), (6, USUAL6, bytes(15) + b"\1")]:
            words = words_for(normal, family, INSIDE)
            self.assertEqual(words.hop if words else None, hop)

    def test_what_stays(self) -> None:
        for community, outside, inside in [
            ("ffffff01", None, True),
            ("ffffff02", None, None),
            ("ffffff03", None, True),
        ]:
            normal = USUAL + attribute(0xC0, 8, bytes.fromhex("00010002" + community))
            self.assertEqual((self.told(normal), self.told(normal, INSIDE) and True), (outside, inside))
        shifted = USUAL + attribute(0xC0, 8, bytes.fromhex("00ffffff02000000"))
        self.assertIsNotNone(self.told(shifted))

    def test_what_is_lacking(self) -> None:
        for normal in [path(1) + HOP, ORIGIN + HOP, b"", b"\x40", b"\x40\1"]:
            self.assertIsNone(self.told(normal))
        self.assertIsNone(self.told(ORIGIN + path(64497), INSIDE), "no next hop")
        self.assertIsNone(self.told(USUAL6, Telling(OWN, True, True, HOP4), 6), "we have no address of that family")

    def test_paths(self) -> None:
        own = struct.pack(">I", OWN)
        full = b"\2\xff" + bytes(4) * 255
        nearly = b"\2\x3e" + b"\0\0\0\1" * 62
        for value, longer in [
            (b"", b"\2\1" + own),
            (b"\1\1\0\0\0\1", b"\2\1" + own + b"\1\1\0\0\0\1"),
            (nearly, b"\2\x3f" + own + nearly[2:]),
            (nearly[:1] + b"\x3f" + nearly[2:] + b"\0\0\0\2", b"\2\x40" + own + nearly[2:] + b"\0\0\0\2"),
            (full, b"\2\1" + own + full),
        ]:
            head = struct.pack(">BBH", 0x50, 2, len(value)) if len(value) > 255 else bytes((0x40, 2, len(value)))
            told = self.told(ORIGIN + head + value + HOP)
            assert told is not None
            self.assertEqual(told[len(ORIGIN) + (4 if told[len(ORIGIN)] & 0x10 else 3) :], longer)

    def test_to_a_peer_of_two_octets(self) -> None:
        """RFC 6793: it hears AS_TRANS, and what was meant in AS4_PATH; who reads both has the path again."""
        aggregator = attribute(0xC0, 7, struct.pack(">I", 4_200_000_001) + HOP4)
        words = words_for(USUAL + aggregator, 4, Telling(OWN, True, False, HOP4))
        assert words is not None
        self.assertIn(attribute(0x40, 2, struct.pack(">BBHHH", 2, 3, 23456, 64497, 64500)), words.before)
        again = decoded(normalised(words.before + b"\x40\3\4" + words.hop + words.after, False, 4, False))
        self.assertEqual(again.as_path, ((2, (OWN, 64497, 64500)),))
        self.assertEqual(again.aggregator, (4_200_000_001, "192.0.2.77"))

    @given(st.binary(max_size=60), st.booleans(), st.booleans(), st.sampled_from((4, 6)))
    def test_whatever_a_set_is(self, octets: bytes, external: bool, four_octet: bool, family: int) -> None:
        words_for(octets, family, Telling(OWN, external, four_octet, HOP4, HOP6))
        words_for(USUAL + octets, family, Telling(OWN, external, four_octet, HOP4, HOP6))
