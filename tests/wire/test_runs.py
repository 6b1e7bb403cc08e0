"""Tests for L{rotoro.wire.runs}: records in any mix, found by looking and proved by their chain."""

from __future__ import annotations

import itertools
import struct
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.strategies import prefixes, versioned
from rotoro.wire import Decoder, Pdu, decode, encode
from rotoro.wire.bulk import PREFIX_FORM_OF_TYPE, Prefixes
from rotoro.wire.errors import AspaProviderListError, CorruptData, ProtocolError
from rotoro.wire.pdu import ROTORO
from rotoro.wire.rtr import Aspa, CacheResponse, Ipv4Prefix, Ipv6Prefix
from rotoro.wire.runs import PrefixReader, Taken
from tests.wire.streams import PATIENT, comparable, cut, outcome, received, stream

FOUR = Ipv4Prefix(1, 24, 32, IPv4Address("192.0.2.0"), 64496)
SIX = Ipv6Prefix(0, 32, 48, IPv6Address("2001:db8::"), 64497)
PROVIDERS = Aspa(1, 64500, (64501, 64502))
RECORDS: list[Any] = [FOUR, SIX, PROVIDERS, Aspa(0, 64500, ())]
LOOKS_LIKE_FOUR = IPv6Address(bytes.fromhex("02040000 00000014 00000000 00000000"))
LOOKS_LIKE_SIX = IPv6Address(bytes.fromhex("00000000 02060000 00000020 00000000"))


def sizes(taken: Taken) -> list[tuple[int, int]]:
    """Family and rows of each run."""
    return [(pdu.family, len(pdu)) for pdu in taken.pdus if isinstance(pdu, Prefixes)]


def take(octets: bytes, at: int = 0, reader: PrefixReader | None = None) -> Taken:
    return (reader or PrefixReader()).take(bytearray(octets), at, PREFIX_FORM_OF_TYPE[octets[at + 1]])


def mixed(sent: list[Any]) -> list[tuple[int, Pdu]]:
    return [(2, pdu) for pdu in sent]


class MixTests(SynchronousTestCase):
    @given(st.lists(st.sampled_from(RECORDS), max_size=300), st.integers(0, 8), st.integers(0, 40))
    @PATIENT
    def test_one_look(self, behind: list[Any], before: int, cut_off: int) -> None:
        """What is taken is whole, in order, and no more than is there."""
        sent = [FOUR, *behind]
        whole = stream(mixed(sent))
        octets = bytes(before) + whole[: max(len(encode(sent[0])), len(whole) - cut_off)]
        taken = take(octets, before, PrefixReader(1 << 20))
        count, size = 0, 0
        while size < taken.octets:
            size += len(encode(sent[count]))
            count += 1
        self.assertEqual(size, taken.octets)
        self.assertLessEqual(before + size, len(octets))
        self.assertEqual(
            comparable((2, run) for run in taken.pdus),
            comparable(mixed(sent[:count])),
        )

    def test_everything_in_one_look(self) -> None:
        sent = [FOUR, SIX] * 500
        taken = take(stream(mixed(sent)), 0, PrefixReader(1 << 20))
        self.assertEqual((taken.octets, sizes(taken)), (500 * 52, [(4, 500), (6, 500)]))

    def test_sorted_families(self) -> None:
        """A long run of one family is taken as such."""
        taken = take(stream(mixed([FOUR] * 1000 + [SIX] * 1000)))
        self.assertEqual((taken.octets, sizes(taken)), (20_000, [(4, 1000)]))

    @given(st.integers(0, 2**32), st.integers(1, 3000))
    @settings(PATIENT, max_examples=20)
    def test_long_mixes(self, seed: int, size: int) -> None:
        chance = Random(seed)
        numbered = {Aspa: "customer", Ipv4Prefix: "asn", Ipv6Prefix: "asn"}
        sent = []
        for number in range(chance.choice((100, 2000))):
            record = chance.choice([FOUR, SIX] * 9 + RECORDS)
            sent.append(replace(record, **{numbered[type(record)]: number}))
        octets = stream(mixed(sent))
        found = comparable(received(cut(octets, range(0, len(octets), size))))
        self.assertEqual(found, comparable(mixed(sent)))

    def test_other_version_ends_it(self) -> None:
        sent: list[tuple[int, Pdu]] = [(2, FOUR), (2, SIX), (1, FOUR), (1, SIX), (2, SIX), (0x80, FOUR), (2, SIX)]
        self.assertEqual([version for version, _ in received([stream(sent)])], [2, 2, 1, 1, 2, 0x80, 2])

    def test_other_pdu_ends_it(self) -> None:
        sent: list[tuple[int, Pdu]] = [(2, FOUR), (2, SIX), (2, CacheResponse(1)), (2, FOUR), (2, SIX)]
        self.assertEqual(comparable(received([stream(sent)])), comparable(sent))


class FalseHeaderTests(SynchronousTestCase):
    """An address may look like a header; the chain shows that none begins there."""

    DECEIVING = [
        Ipv6Prefix(1, 128, 128, LOOKS_LIKE_FOUR, 0),
        Ipv6Prefix(1, 128, 128, LOOKS_LIKE_SIX, 0x0204_0000),
        Ipv6Prefix(1, 64, 64, LOOKS_LIKE_FOUR, 0x14),
        Ipv4Prefix(1, 32, 32, IPv4Address("2.4.0.0"), 0x14),
        Ipv4Prefix(1, 32, 32, IPv4Address("2.11.1.0"), 0x7FFC),
        Aspa(1, 0, (0x0204_0000, 0x0206_0000, 0x020B_0000)),
        Aspa(1, 0x0204_0000, (0x14, 0x20)),
    ]

    @given(st.lists(st.sampled_from([*RECORDS, *DECEIVING]), min_size=1, max_size=100), st.integers(1, 4000))
    @PATIENT
    def test_mixes(self, sent: list[Any], size: int) -> None:
        octets = stream(mixed(sent))
        found = comparable(received(cut(octets, range(0, len(octets), size))))
        self.assertEqual(found, comparable(mixed(sent)))

    @given(st.lists(versioned(Ipv4Prefix, Ipv6Prefix), max_size=20), prefixes(128))
    @PATIENT
    def test_any_prefixes(self, sent: list[tuple[int, Pdu]], prefix: tuple[Any, int]) -> None:
        several = [*sent, (2, Ipv6Prefix(1, prefix[1], 128, prefix[0], 0x0206_0000)), *sent]
        self.assertEqual(comparable(received([stream(several)])), comparable(several))


class BrokenTests(SynchronousTestCase):
    def test_ends_before_the_first_bad_one(self) -> None:
        """Of either family, whichever comes first; then it alone is at fault."""
        bad: dict[int, Any] = {4: replace(FOUR, max_length=33), 6: replace(SIX, max_length=0), 11: Aspa(1, 5, ())}
        for first, second in itertools.product(bad, bad):
            sent = [FOUR, SIX, PROVIDERS, bad[first], SIX, PROVIDERS, FOUR, bad[second], SIX]
            with self.subTest(first=first, second=second):
                found, broken = outcome([stream(mixed(sent))])
                self.assertEqual(found, comparable(mixed(sent[:3])))
                self.assertIsInstance(broken, AspaProviderListError if first == 11 else CorruptData)
                self.assertEqual(broken.offending if broken else b"", encode(bad[first]))

    def test_is_not_taken(self) -> None:
        octets = stream(mixed([FOUR, FOUR, replace(FOUR, max_length=0)]))
        taken = take(octets)
        self.assertEqual((taken.octets, sizes(taken)), (40, [(4, 2)]))
        self.assertIsInstance(taken.broken, CorruptData)


class WindowTests(SynchronousTestCase):
    def test_grows_while_it_pays(self) -> None:
        reader = PrefixReader()
        octets = stream(mixed([FOUR, SIX] * 10_000))
        at = looks = 0
        while at < len(octets):
            at += take(octets, at, reader).octets
            looks += 1
        self.assertLess(looks, 10)
        self.assertEqual(reader.window, 1 << 19)

    def test_shrinks_when_the_mix_ends(self) -> None:
        reader = PrefixReader(1 << 20)
        take(stream([*mixed([FOUR, SIX, FOUR]), *mixed([CacheResponse(1)] * 20)]), 0, reader)
        self.assertEqual(reader.window, PrefixReader().window)


class AspaTests(SynchronousTestCase):
    @given(
        st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 4), max_size=4)), min_size=1, max_size=6),
        st.sampled_from([2, ROTORO]),
        st.integers(1, 40),
    )
    def test_as_the_codec_reads_them(self, drawn: list[tuple[int, list[int]]], version: int, width: int) -> None:
        """The same PDUs up to the first that is wrong, and the same words for that."""
        octets = [
            struct.pack(f">BBBxII{len(found)}I", version, 11, flags, 12 + 4 * len(found), 7, *found)
            for flags, found in drawn
        ]
        expected: list[Pdu | str] = []
        for each in octets:
            try:
                expected.append(decode(each)[1])
            except ProtocolError as broken:
                expected.append(f"{broken} {broken.offending.hex()}")
                break
        stream, decoder = b"".join(octets), Decoder()
        found: list[Pdu | str] = []
        for at in range(0, len(stream), width):
            decoder.receive(stream[at : at + width])
            try:
                for _, pdu in decoder.items():
                    found.append(pdu)  # those before an error count
            except ProtocolError as broken:
                found.append(f"{broken} {broken.offending.hex()}")
                break
        self.assertEqual(found, expected)

    def test_no_longer_than_our_parameters_say(self) -> None:
        decoder = Decoder()
        decoder.rotoro_limit = 20
        decoder.receive(encode(Aspa(1, 7, (1, 2)), ROTORO) + encode(Aspa(1, 7, (1, 2, 3)), ROTORO))
        items = decoder.items()
        self.assertEqual(next(items), (ROTORO, Aspa(1, 7, (1, 2))))
        self.assertRaises(CorruptData, next, items)
