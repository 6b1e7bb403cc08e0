"""Tests for L{rotoro.wire.decoder}: octets in any slices, whole PDUs out, and nothing but ProtocolErrors."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.strategies import versioned
from rotoro.derive.violations import header, refused_lengths
from rotoro.wire import PDUS, ROTORO, Decoder, Foreign, Pdu, decode, encode
from rotoro.wire.bulk import Prefixes
from rotoro.wire.errors import CorruptData, ProtocolError, UnsupportedPdu, UnsupportedVersion
from rotoro.wire.pdu import ROTORO_MAX_LENGTH
from rotoro.wire.rotoro import SKIPPABLE, Keepalive
from rotoro.wire.rtr import Aspa, CacheReset, CacheResponse, EndOfData, Ipv4Prefix, Ipv6Prefix, SerialNotify
from tests.data import shared
from tests.wire.streams import PATIENT, comparable, cut, outcome, prefix_key, received, slices, stream
from tests.wire.test_codec import VECTORS

Sent = list[tuple[int, Pdu]]


class SliceTests(SynchronousTestCase):
    @given(st.lists(versioned(), max_size=12), st.data())
    @PATIENT
    def test_any_slices(self, sent: Sent, data: st.DataObject) -> None:
        """However the network cuts the octets, the same PDUs come out."""
        octets = stream(sent)
        decoder = Decoder()
        found = list(received(data.draw(slices(octets)), decoder))
        self.assertEqual(comparable(found), comparable(sent))
        self.assertEqual(decoder.pending, 0)

    @given(st.lists(versioned(Ipv4Prefix, Ipv6Prefix, Aspa), max_size=40), st.data())
    @PATIENT
    def test_payload(self, sent: Sent, data: st.DataObject) -> None:
        """Prefixes come in runs, and every run keeps its order."""
        octets = stream(sent)
        self.assertEqual(comparable(received(data.draw(slices(octets)))), comparable(sent))

    def test_octet_by_octet(self) -> None:
        octets = b"".join(vector.octets for vector in VECTORS)
        found = list(received(octets[i : i + 1] for i in range(len(octets))))
        self.assertEqual(comparable(found), comparable((vector.version, vector.pdu) for vector in VECTORS))

    def test_pending(self) -> None:
        decoder = Decoder()
        self.assertEqual(list(received([encode(SerialNotify(1, 2))[:11]], decoder)), [])
        self.assertEqual(decoder.pending, 11)


class HeaderTests(SynchronousTestCase):
    def test_lengths(self) -> None:
        """An impossible length ends it at the header: nothing is waited for, nothing is allocated."""
        for version, number in PDUS:
            for length in refused_lengths(version, number):
                with self.subTest(version=version, number=number, length=length):
                    found, broken = outcome([header(version, number, length)])
                    self.assertIsInstance(broken, CorruptData)
                    self.assertEqual(found, [])
                    self.assertEqual(broken.offending if broken else b"", header(version, number, length))

    def test_seven_octets_say_nothing(self) -> None:
        for version, number in PDUS:
            decoder = Decoder()
            self.assertEqual(outcome([header(version, number, 0)[:7]], decoder), ([], None))
            self.assertEqual(decoder.pending, 7)

    def test_unknown_type(self) -> None:
        for version in (0, 1, 2, ROTORO):
            for number in range(256):
                if (version, number) in PDUS or (version == ROTORO and number in SKIPPABLE):
                    continue
                with self.subTest(version=version, number=number):
                    self.assertIsInstance(outcome([header(version, number, 60_000)])[1], UnsupportedPdu)

    def test_lowered_limit(self) -> None:
        decoder = Decoder()
        decoder.rotoro_limit = 4096
        self.assertEqual(outcome([header(ROTORO, 66, 4096)], decoder), ([], None))
        for number in (66, 200):
            decoder = Decoder()
            decoder.rotoro_limit = 4096
            self.assertIsInstance(outcome([header(ROTORO, number, 4097)], decoder)[1], CorruptData)


class SkippableTests(SynchronousTestCase):
    def test_passed_over_and_counted(self) -> None:
        octets, expected = b"", []
        for number in SKIPPABLE:
            octets += header(ROTORO, number, 8 + number) + bytes(number)
            octets += encode(Keepalive(0, number), ROTORO)
            expected.append((ROTORO, Keepalive(0, number)))
        for size in (1, 7, 1000, len(octets)):
            decoder = Decoder()
            self.assertEqual(list(received(cut(octets, range(0, len(octets), size)), decoder)), expected)
            self.assertEqual(decoder.skipped, len(SKIPPABLE))

    def test_too_long(self) -> None:
        for length in (0, 7, ROTORO_MAX_LENGTH + 1, 0xFFFFFFFF):
            self.assertIsInstance(outcome([header(ROTORO, 128, length)])[1], CorruptData)


class ForeignTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """A PDU of another version is consumed whole, so that what follows is still understood."""
        for version in (3, 0x16, 0x7F, 0x81, 0xFF):
            for length in (8, 9, 12, 65_535):
                foreign = header(version, 2, length) + bytes(length - 8)
                found = list(received(cut(foreign + encode(CacheReset()), [5, 9])))
                with self.subTest(version=version, length=length):
                    self.assertEqual(found, [(version, Foreign(version, 2, foreign)), (2, CacheReset())])

    def test_no_length(self) -> None:
        for length in (0, 7, 65_536, 0xFFFFFFFF):
            self.assertIsInstance(outcome([header(9, 2, length)])[1], UnsupportedVersion)
        self.assertIsInstance(outcome([b"GET / HTTP/1.1\r\n\r\n"])[1], UnsupportedVersion)


class BrokenPrefixTests(SynchronousTestCase):
    GOOD = Ipv4Prefix(1, 24, 24, IPv4Address("192.0.2.0"), 64496)
    BAD = Ipv4Prefix(1, 24, 24, IPv4Address("192.0.2.1"), 64496)

    def test_in_the_middle(self) -> None:
        """The good ones before a bad one still come out; it is the one that is shown."""
        for before in (0, 1, 31, 32, 33, 1000):
            octets = encode(self.GOOD) * before + encode(self.BAD) + encode(self.GOOD) * 5
            for size in (7, 20, 4096, len(octets)):
                with self.subTest(before=before, size=size):
                    found, broken = outcome(cut(octets, range(0, len(octets), size)))
                    good = {(2, "IPv4 Prefix"): [(True, prefix_key(self.GOOD))] * before}
                    self.assertEqual(found, [good] if before else [])
                    self.assertIsInstance(broken, CorruptData)
                    self.assertEqual(broken.offending if broken else b"", encode(self.BAD))
                    self.assertIn("192.0.2.1/24 has bits set", str(broken))

    @given(st.lists(versioned(Ipv4Prefix, Ipv6Prefix, Aspa), min_size=1, max_size=60), st.data())
    @PATIENT
    def test_in_a_mix(self, sent: Sent, data: st.DataObject) -> None:
        """The same, wherever it stands among both families."""
        place = data.draw(st.integers(0, len(sent)))
        octets = stream(sent[:place]) + encode(self.BAD) + stream(sent[place:])
        found, broken = outcome(data.draw(slices(octets)))
        self.assertEqual(found, comparable(sent[:place]))
        self.assertEqual(broken.offending if broken else b"", encode(self.BAD))

    def test_unknown_flags_are_ignored(self) -> None:
        for flags in range(256):
            ((_, run),) = received([encode(Ipv4Prefix(flags, 0, 0, IPv4Address(0), 0))])
            assert isinstance(run, Prefixes)
            self.assertEqual(run.announced.tolist(), [bool(flags & 1)])


class MutationTests(SynchronousTestCase):
    def test_every_octet_of_a_stream(self) -> None:
        """One octet changed anywhere: PDUs, and at most one ProtocolError."""
        behind = encode(Ipv4Prefix(1, 0, 0, IPv4Address(0), 0)) * 3
        for vector in VECTORS:
            octets = vector.octets + behind
            for place in range(len(vector.octets)):
                for value in {0, 255, octets[place] ^ 1, octets[place] ^ 0x80, (octets[place] + 4) % 256}:
                    outcome([octets[:place] + bytes((value,)) + octets[place + 1 :]])

    def test_every_type_at_every_length(self) -> None:
        chance = random.Random(1)
        for version in (0, 1, 2, 3, ROTORO, 0x81):
            for number in range(256):
                for length in range(8, 81):
                    outcome([header(version, number, length) + chance.randbytes(length - 8)])

    @given(st.binary(max_size=200), st.data())
    @PATIENT
    def test_rubbish(self, octets: bytes, data: st.DataObject) -> None:
        outcome(data.draw(slices(octets)))


class AdversarialTests(SynchronousTestCase):
    def _each(self, folder: str) -> Iterator[tuple[Path, bytes]]:
        files = sorted(shared(f"adversarial/{folder}").glob("*.bin"))
        self.assertGreater(len(files), 0)
        for path in files:
            yield path, path.read_bytes()

    def test_random_slices(self) -> None:
        """What others broke on purpose gives the same answer in any slices, and only ProtocolErrors."""
        chance = random.Random(2)
        for folder in ("mutated-rtr", "crafted-rtr-to-cache", "crafted-rtr-to-router"):
            for path, octets in self._each(folder):
                with self.subTest(file=path.name):
                    whole, broken = outcome([octets])
                    for _ in range(5):
                        places = [chance.randint(0, len(octets)) for _ in range(chance.randint(1, 20))]
                        again, error = outcome(cut(octets, places))
                        self.assertEqual(again, whole)
                        self.assertEqual((type(error), str(error)), (type(broken), str(broken)))

    def test_what_the_cases_expect(self) -> None:
        """Where the answer to a crafted case lies in its octets alone, it is the one expected."""
        codes = {
            "crafted-rtr-to-cache": {"000": 0, "002": 0, "004": 0, "008": 5, "018": 0, "022": 0, "032": 4},
            "crafted-rtr-to-router": {"000": 0, "002": 0, "004": 0, "016": 0, "028": 5, "030": 9, "032": 9, "034": 9}
            | {"040": 0, "042": 0},
        }
        for folder, expected in codes.items():
            told = json.loads((shared(f"adversarial/{folder}") / "cases.json").read_text())
            for path, octets in self._each(folder):
                _, broken = outcome([octets])
                with self.subTest(file=path.name, what=told[path.name]["what"]):
                    self.assertEqual(broken.code if broken else None, expected.get(path.name[:3]))


class RecordingTests(SynchronousTestCase):
    def _counts(self, name: str, size: int) -> Counter[str]:
        octets = gzip.decompress(shared(f"rtr/{name}").read_bytes())
        counts: Counter[str] = Counter()
        decoder = Decoder()
        for _, pdu in received((octets[i : i + size] for i in range(0, len(octets), size)), decoder):
            counts[f"IPv{pdu.family}" if isinstance(pdu, Prefixes) else pdu.title] += (
                len(pdu) if isinstance(pdu, Prefixes) else 1
            )
        self.assertEqual(decoder.pending, 0)
        return counts

    def test_stayrtr(self) -> None:
        counts = self._counts("stayrtr-v1-full-424223vrps.raw.gz", 65_536)
        self.assertEqual(counts, {"Cache Response": 1, "IPv4": 323_603, "IPv6": 100_620, "End of Data": 1})

    def test_rtrtr(self) -> None:
        counts = self._counts("rtrtr-v2-5deltas.raw.gz", 1000)
        self.assertEqual((counts["Cache Response"], counts["End of Data"]), (6, 6))
        self.assertEqual(counts, self._counts("rtrtr-v2-5deltas.raw.gz", 1 << 20))
        self.assertGreater(min(counts["IPv4"], counts["IPv6"], counts["ASPA"]), 1000)


class RepeatedErrorTests(SynchronousTestCase):
    def test_what_comes_before(self) -> None:
        """Everything before a broken PDU comes out, once."""
        good: Sent = [(2, CacheResponse(7)), (2, EndOfData(7, 1, 2, 3, 4))]
        for vector in VECTORS:
            broken = vector.octets[:4] + (7).to_bytes(4) + vector.octets[8:]
            found, error = outcome([stream(good) + broken])
            self.assertEqual(found, good)
            self.assertIsInstance(error, ProtocolError)

    def test_refused_by_its_check(self) -> None:
        octets = stream([(2, CacheReset())]) + encode(Aspa(1, 5, (3, 3)))
        found, error = outcome([octets])
        self.assertEqual(found, [(2, CacheReset())])
        self.assertEqual(error.code if error else None, 9)
        with self.assertRaises(ProtocolError):
            decode(octets[8:])
