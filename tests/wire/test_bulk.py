"""Tests for L{rotoro.wire.bulk}: columns say the same as the Construct layouts, row by row."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.definition import build, build_rows, parse_rows
from rotoro.derive.strategies import pdus, route_rows, route_runs
from rotoro.wire.bulk import (
    PREFIX_FORMS,
    ROUTE_FORMS,
    as_keys,
    as_octets,
    decode_prefixes,
    decode_routes,
    encode_prefixes,
    encode_rows,
    record_dtype,
)
from rotoro.wire.errors import CorruptData
from rotoro.wire.fields import RouteFlags
from rotoro.wire.rotoro import RouteRow4, RouteRow6, Routes4
from rotoro.wire.rtr import Ipv4Prefix, Ipv6Prefix
from tests.wire.streams import PATIENT, prefix_key

FAMILY_OF = {Ipv4Prefix: 4, Ipv6Prefix: 6}


class DtypeTests(SynchronousTestCase):
    def test_widths(self) -> None:
        """9 and 21 octets at the least; every column adds four (protocol section 4)."""
        for flags in range(8):
            columns = flags.bit_count()
            self.assertEqual(record_dtype(RouteRow4, flags).itemsize, 5 + 4 * columns)
            self.assertEqual(record_dtype(RouteRow6, flags).itemsize, 17 + 4 * columns)

    def test_keys(self) -> None:
        octets = np.array([[1, 0, 0], [0, 2, 0]], np.uint8)
        self.assertEqual(as_keys(octets).dtype, np.dtype("S3"))
        self.assertEqual(as_octets(as_keys(octets)).tolist(), octets.tolist())
        self.assertEqual(as_octets(as_keys(octets[:, ::-1])).tolist(), octets[:, ::-1].tolist())
        self.assertEqual(np.sort(as_keys(octets)).tobytes(), bytes((0, 2, 0, 1, 0, 0)))


class PrefixTests(SynchronousTestCase):
    def _columns(self, sent: list[Any]) -> None:
        form = PREFIX_FORMS[FAMILY_OF[type(sent[0])]]
        octets = b"".join(build(pdu, 2) for pdu in sent)
        run, broken = decode_prefixes(form, octets)
        self.assertIsNone(broken)
        self.assertEqual(run.announced.tolist(), [bool(pdu.flags) for pdu in sent])
        self.assertEqual(run.keys.tobytes(), b"".join(map(prefix_key, sent)))
        self.assertEqual(run.keys.dtype, np.dtype(form.key_dtype))
        for announce in (False, True):
            alike = b"".join(build(replace(pdu, flags=int(announce)), 1) for pdu in sent)
            self.assertEqual(encode_prefixes(form, run.keys, announce, 1), alike)
            rows = run.keys[run.announced == announce]
            self.assertEqual(len(encode_prefixes(form, rows, announce, 0)), len(rows) * form.size)

    @given(st.lists(pdus(Ipv4Prefix), min_size=1, max_size=30))
    @PATIENT
    def test_ipv4(self, sent: list[Any]) -> None:
        self._columns(sent)

    @given(st.lists(pdus(Ipv6Prefix), min_size=1, max_size=30))
    @PATIENT
    def test_ipv6(self, sent: list[Any]) -> None:
        self._columns(sent)

    def test_order_of_keys(self) -> None:
        """Octet order is address, max length, length, AS number."""
        rows = [("192.0.2.0", 24, 25, 1), ("192.0.2.0", 24, 24, 9), ("10.0.0.0", 8, 32, 5), ("192.0.2.0", 24, 25, 0)]
        sent = [Ipv4Prefix(1, length, longest, IPv4Address(a), asn) for a, length, longest, asn in rows]
        run, _ = decode_prefixes(PREFIX_FORMS[4], b"".join(build(pdu, 2) for pdu in sent))
        self.assertEqual(np.argsort(run.keys).tolist(), [2, 1, 3, 0])

    def test_every_length(self) -> None:
        """Host bits are found behind every prefix length, and only there."""
        forms: list[tuple[Any, Any, int]] = [(Ipv4Prefix, IPv4Address, 32), (Ipv6Prefix, IPv6Address, 128)]
        for pdu, address, bits in forms:
            form = PREFIX_FORMS[4 if bits == 32 else 6]
            for length in range(bits + 1):
                for bit in range(bits):
                    octets = build(pdu(1, length, bits, address(1 << bit), 0), 2)
                    _, broken = decode_prefixes(form, octets)
                    self.assertEqual(broken is not None, bit < bits - length, (length, bit))

    def test_every_pair_of_lengths(self) -> None:
        forms: list[tuple[Any, Any, int]] = [(Ipv4Prefix, IPv4Address, 32), (Ipv6Prefix, IPv6Address, 128)]
        for pdu, address, bits in forms:
            pairs = [(length, longest) for length in range(256) for longest in range(256)]
            form = PREFIX_FORMS[4 if bits == 32 else 6]
            good = [pair for pair in pairs if pair[0] <= pair[1] <= bits]
            octets = b"".join(build(pdu(1, *pair, address(0), 0), 2) for pair in good)
            self.assertIsNone(decode_prefixes(form, octets)[1])
            for pair in set(pairs[:: 7 * 37]) - set(good):
                self.assertIsInstance(decode_prefixes(form, build(pdu(1, *pair, address(0), 0), 2))[1], CorruptData)

    def test_none(self) -> None:
        for form in PREFIX_FORMS.values():
            run, broken = decode_prefixes(form, b"")
            self.assertEqual((len(run), broken), (0, None))
            self.assertEqual(encode_prefixes(form, run.keys, True, 2), b"")


class RouteTests(SynchronousTestCase):
    @given(st.sampled_from([4, 6]).flatmap(route_runs))
    @PATIENT
    def test_decode(self, run: Any) -> None:
        found = decode_routes(run)
        rows = parse_rows(run.row, run.flags, run.rows)
        key = [row["prefix"].packed + bytes((row["prefix_length"],)) + (row["path"] or 0).to_bytes(4) for row in rows]
        self.assertEqual(found.keys.tobytes(), b"".join(key))
        announced = run.flags & RouteFlags.ANNOUNCE
        self.assertEqual(found.attributes.tolist(), [row["attributes"] for row in rows] if announced else [])
        times = [(run.time + (row["offset"] or 0) * run.tick) % 2**64 for row in rows]
        self.assertEqual(found.times.tolist(), times)

    @given(st.sampled_from([4, 6]), st.integers(0, 7), st.data())
    @PATIENT
    def test_encode(self, family: int, flags: int, data: st.DataObject) -> None:
        """Every combination of columns, there and back."""
        rows = data.draw(route_rows(family, flags))
        form = ROUTE_FORMS[family]
        octets = build_rows(form.row, flags, rows)
        run: Any = form.pdu(1, flags, 2, 3, 4, octets)
        found = decode_routes(run)
        offsets = np.array([row.get("offset", 0) for row in rows], np.uint32)
        self.assertEqual(encode_rows(family, flags, found.keys, found.attributes, offsets), octets)

    def test_broken_rows(self) -> None:
        for octets, what in [
            ("18 c0000200 00000001 18", "10 octets of rows"),
            ("18 c0000200 00000001 21 c0000200 00000001", "route 1"),
            ("18 c0000200 00000001 ff c0000200 00000001", "route 1"),
            ("17 c0000200 00000001 17 c0000300 00000001", "route 1"),
            ("00 80000000 00000001", "route 0"),
        ]:
            with self.subTest(rows=octets), self.assertRaisesRegex(CorruptData, what):
                decode_routes(Routes4(1, 1, 2, 3, 0, bytes.fromhex(octets)))

    def test_offending_row(self) -> None:
        with self.assertRaises(CorruptData) as caught:
            decode_routes(Routes4(1, 0, 2, 3, 0, bytes.fromhex("18c0000200 18c0000201 18c0000300")))
        self.assertEqual(caught.exception.offending.hex(), "18c0000201")
