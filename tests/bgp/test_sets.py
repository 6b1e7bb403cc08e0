from __future__ import annotations

import struct
from itertools import permutations

from rotonda.bgp import loops, sets
from rotonda.bgp.attributes import Octets, parsed, written
from rotonda.bgp.errors import Malformed, MalformedAttributes
from rotonda.bgp.sets import AttributeSets, normalised
from twisted.trial.unittest import SynchronousTestCase

from tests.bgp.archives import COMPILED, HOP6, NEXT_HOP, ORIGIN, PATH2, PATH4, SET4, reach6

MED = bytes.fromhex("80040400000005")
TRANS = bytes.fromhex("4002060202fbf45ba0")
AS4_PATH = bytes.fromhex("c0110a02020000fbf4fa56ea00")
MERGED = bytes.fromhex("40020a02020000fbf4fa56ea00")


def aggregator(number: int, octets: int = 2) -> bytes:
    return bytes((0xC0, 7, octets + 4)) + number.to_bytes(octets) + bytes((192, 0, 2, 9))


def as4_aggregator(number: int) -> bytes:
    return bytes((0xC0, 18, 8)) + number.to_bytes(4) + bytes((192, 0, 2, 9))


class NormalFormTests(SynchronousTestCase):
    def test_one_set_has_one_form(self) -> None:
        long = bytes.fromhex("5002000a02020000fbf40000fbf5")
        for name, octets in (
            ("already so", SET4),
            ("another order", NEXT_HOP + PATH4 + ORIGIN),
            ("a long length without need", ORIGIN + long + NEXT_HOP),
            ("unused bits of the flags", b"\x4f" + SET4[1:]),
            ("an attribute twice: the first counts", SET4 + b"\x40\1\1\2"),
            ("withdrawn routes of another family", SET4 + b"\x80\x0f\3\0\2\1"),
            ("attributes for speakers of two octets", SET4 + AS4_PATH + as4_aggregator(1)),
            ("the next hop of another family", SET4 + reach6(b"")),
        ):
            with self.subTest(name):
                self.assertEqual(normalised(octets, True, 4, False), SET4)

    def test_the_next_hop_is_the_one_of_the_family(self) -> None:
        head = ORIGIN + PATH4
        full = bytes.fromhex("800e1500020110") + HOP6 + b"\0"
        over4 = bytes.fromhex("800e1500010110") + HOP6 + b"\0"
        pair = bytes.fromhex("800e2500020120") + HOP6 * 2 + b"\0"
        for name, octets, family, multiprotocol, expected in (
            ("IPv6, beside one of IPv4", head + NEXT_HOP + full, 6, True, head + full),
            ("IPv6, short form, two addresses", head + b"\x80\x0e\x21\x20" + HOP6 * 2, 6, True, head + pair),
            ("IPv6 without any", head, 6, True, head),
            ("IPv4 over IPv6 (RFC 8950)", head + b"\x80\x0e\x11\x10" + HOP6, 4, False, head + over4),
            ("IPv4 in MP_REACH_NLRI", head + b"\x80\x0e\x09\0\1\1\4\xc0\0\2\1\0", 4, True, SET4),
        ):
            with self.subTest(name):
                self.assertEqual(normalised(octets, True, family, multiprotocol), expected)

    def test_numbers_of_two_octets_become_four(self) -> None:
        """RFC 6793 §4.2.3."""
        big = 4_200_000_000
        for name, octets, expected in (
            ("no new path", ORIGIN + PATH2 + NEXT_HOP, SET4),
            ("a new path", TRANS + AS4_PATH, MERGED),
            ("a new path that cannot be read", PATH2 + b"\xc0\x11\2\2\1", PATH4),
            ("an aggregator", PATH2 + aggregator(64500), PATH4 + aggregator(64500, 4)),
            ("a new aggregator", PATH2 + aggregator(23456) + as4_aggregator(big), PATH4 + aggregator(big, 4)),
            (
                "an aggregator who did not know: the new ones are out of date",
                TRANS + aggregator(64500) + AS4_PATH + as4_aggregator(big),
                bytes.fromhex("40020a02020000fbf400005ba0") + aggregator(64500, 4),
            ),
        ):
            with self.subTest(name):
                self.assertEqual(normalised(octets, False, 4, False), expected)

    def test_what_must_not_be_used_is_malformed(self) -> None:
        for octets in (
            b"\x40",
            b"\x50\1\0",
            b"\x40\1\2\0",
            b"\x40\1\1\0\x40",
            b"\x40\1\1\7",
            b"\x40\1\2\0\0",
            b"\x40\2\2\2\1",
            b"\x40\3\3abc",
            b"\x80\4\0",
            b"\xc0\x08\3abc",
            b"\xc0\x10\x07abcdefg",
            b"\xc0\x20\x0babcdefghijk",
            b"\x80\x0e\0",
            b"\x80\x0e\3\x10ab",
            b"\x80\x0e\4\0\2\1\x10",
            b"\x80\x0e\6\0\2\1\1a\0",
            b"\x80\x0e\x09\0\1\1\4abcd\0",
        ):
            with self.subTest(octets.hex()):
                self.assertRaises(MalformedAttributes, normalised, octets, True, 6, True)
        self.assertRaises(Malformed, normalised, reach6(b"") * 2, True, 6, True)


class QuickFormTests(SynchronousTestCase):
    """The quick ways give what `normalised` gives, or nothing."""

    def setUp(self) -> None:
        self.quick = [loops.attribute_sets(compiled=compiled).quick for compiled in COMPILED]

    def assert_agrees(self, octets: bytes) -> int:
        """How many of the quick ways had an answer."""
        answers = 0
        for six in (False, True):
            try:
                slow = normalised(octets, True, 6 if six else 4, six)
            except Malformed:
                slow = None
            for quick in self.quick:
                answer = quick(octets, six)
                if answer is not None:
                    answers += 1
                    self.assertEqual(answer, slow, octets.hex())
        return answers

    def test_on_usual_sets(self) -> None:
        communities = bytes((0xC0, 8, 8)) + bytes(8)
        long = struct.pack(">BBH", 0xD0, 8, 400) + bytes(400)
        short6 = b"\x80\x0e\x11\x10" + HOP6
        for octets in (SET4, SET4 + MED + communities, ORIGIN + PATH4 + short6, ORIGIN + PATH4 + communities + short6):
            self.assertGreaterEqual(self.assert_agrees(octets), len(COMPILED))
        self.assert_agrees(SET4 + long)

    def test_on_every_octet_changed_and_every_cut(self) -> None:
        short6 = b"\x80\x0e\x11\x10" + HOP6
        whole = SET4 + MED + bytes.fromhex("c00804 00000001") + short6 + bytes.fromhex("c0200c") + bytes(12)
        six = ORIGIN + PATH4 + MED + reach6(b"")
        for octets in (whole, six):
            for at in range(len(octets)):
                self.assert_agrees(octets[:at])
                for value in (0, 1, 2, 4, 16, 0x40, 0x50, 255, octets[at] ^ 1):
                    self.assert_agrees(octets[:at] + bytes((value,)) + octets[at + 1 :])

    def test_on_two_attributes_of_any_kind(self) -> None:
        for first in range(40):
            for second in range(40):
                attributes: Octets = {first: (0x40, bytes(4)), second: (0xC0, bytes(12))}
                octets = written(attributes)
                self.assertEqual(parsed(octets), attributes)
                self.assert_agrees(octets)
                self.assert_agrees(octets[-15:] + octets[:-15])  # the other way round

    def test_on_every_order(self) -> None:
        """Collectors write the next hop of IPv6 last, behind attributes of higher types."""
        short6 = b"\x80\x0e\x11\x10" + HOP6
        four = (ORIGIN, PATH4, NEXT_HOP, MED, bytes.fromhex("c02304 00000001"))
        for parts in (four, (ORIGIN, PATH4, short6, bytes.fromhex("c0200c") + bytes(12))):
            answers = [self.assert_agrees(b"".join(order)) for order in permutations(parts)]
            self.assertGreaterEqual(min(answers), len(COMPILED) - 1, "the compiled one takes all of them")
        for order in permutations((ORIGIN, NEXT_HOP, short6)):
            self.assert_agrees(b"".join(order))


class NumberTests(SynchronousTestCase):
    def test_the_same_set_has_the_same_number_however_it_is_written(self) -> None:
        collection = AttributeSets()
        wide, narrow = collection.form(True, 4, False), collection.form(False, 4, False)
        self.assertEqual(narrow.number(ORIGIN + PATH2 + NEXT_HOP), 0)
        self.assertEqual(wide.number(SET4 + MED), 1)
        self.assertEqual(wide.number(NEXT_HOP + PATH4 + ORIGIN), 0)
        self.assertEqual(collection.sets, [SET4, SET4 + MED])
        self.assertEqual(wide.seen, {SET4 + MED: 1, NEXT_HOP + PATH4 + ORIGIN: 0})

    def test_what_is_remembered_has_a_limit_that_changes_no_number(self) -> None:
        self.patch(sets, "SEEN_LIMIT", 3)
        form = AttributeSets().form(True, 4, False)
        octets = [SET4 + bytes((0x80, 4, 4, 0, 0, 0, number)) for number in range(10)]
        self.assertEqual([form.number(one) for one in octets + octets], [*range(10), *range(10)])
        self.assertLessEqual(len(form.seen), 3)
