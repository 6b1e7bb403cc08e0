"""Tests for L{rotonda.filters.written}: values of each type for JSON and for people."""

from __future__ import annotations

from typing import Any

import msgspec
from rotonda.blocks import types
from rotonda.blocks.types import FieldOf, ListType, RecordType, Type
from rotonda.blocks.values import Address, Constant, LargeCommunity, Prefix, PrefixMatch, RecordValue, SocketAddress
from rotonda.filters.written import plain, time_text, words
from twisted.trial.unittest import SynchronousTestCase

TEN, SIX = Prefix.parse("10.0.0.0/8"), Prefix.parse("2001:db8::/32")
INNER = RecordType("Inner", (FieldOf("asn", types.ASN), FieldOf("name", types.STRING)))
RECORD = RecordValue("Inner", (("asn", 1), ("name", 'a"b')))
RANGE, THROUGH = "10.0.0.0/8 prefix-length-range /9-/24", "10.0.0.0/8 through 10.1.0.0/16"
ROWS: list[tuple[Type | None, Any, Any, str]] = [
    (types.BOOL, True, True, "true"),
    (types.U32, 7, 7, "7"),
    (types.FLOAT, 1.5, 1.5, "1.5"),
    (types.STRING, "a b", "a b", "a b"),
    (types.ASN, 64496, 64496, "AS64496"),
    (types.PREFIX, TEN, "10.0.0.0/8", "10.0.0.0/8"),
    (types.PREFIX, SIX, "2001:db8::/32", "2001:db8::/32"),
    (types.PREFIX_LENGTH, 24, 24, "/24"),
    (types.ADDRESS, SIX.address, "2001:db8::", "2001:db8::"),
    (types.SOCKET_ADDRESS, SocketAddress(SIX.address, 179), "[2001:db8::]:179", "[2001:db8::]:179"),
    (types.COMMUNITY, 64496 << 16 | 7, "64496:7", "64496:7"),
    (types.EXTENDED_COMMUNITY, 0x0002FBF000000001, "rt:64496:1", "rt:64496:1"),
    (types.EXTENDED_COMMUNITY, 0x4400000000000001, "0x4400000000000001", "0x4400000000000001"),
    (types.LARGE_COMMUNITY, LargeCommunity(1, 2, 3), "1:2:3", "1:2:3"),
    (types.AS_PATH, ((2, (1, 2)), (1, (3, 4))), "1 2 {3,4}", "1 2 {3,4}"),
    (types.AS_PATH, (), "", ""),
    (types.TIME, 1, "1970-01-01T00:00:00.000001Z", "1970-01-01T00:00:00.000001Z"),
    (types.ROV, Constant("Rov", "VALID"), "VALID", "VALID"),
    (types.PREFIX_MATCH, PrefixMatch(TEN, 8, 8), "10.0.0.0/8 exact", "10.0.0.0/8 exact"),
    (types.PREFIX_MATCH, PrefixMatch(TEN, 9, 24), RANGE, RANGE),
    (types.PREFIX_MATCH, PrefixMatch(TEN, 8, 16, Prefix.parse("10.1.0.0/16")), THROUGH, THROUGH),
    (ListType(types.COMMUNITY), (1, 2), ["0:1", "0:2"], "[0:1, 0:2]"),
    (ListType(types.STRING), ("a", "b"), ["a", "b"], '["a", "b"]'),
    (INNER, RECORD, {"asn": 1, "name": 'a"b'}, '{ asn: AS1, name: "a\\"b" }'),
    (INNER, RecordValue("", (("asn", None),)), {"asn": None}, "{ asn: none }"),
    (None, RECORD, {"asn": 1, "name": 'a"b'}, '{"asn": 1, "name": "a\\"b"}'),
    (None, ((2, (1, 2)),), "1 2", "1 2"),
    (None, (Address(bytes(4)), 1), ["0.0.0.0", 1], '["0.0.0.0", 1]'),
    (None, PrefixMatch(TEN, 8, 8), "10.0.0.0/8 exact", "10.0.0.0/8 exact"),
    (types.STRING, None, None, ""),
]


class WrittenTests(SynchronousTestCase):
    def test_each_type(self) -> None:
        for type, value, json, text in ROWS:
            with self.subTest(type=str(type), value=value):
                self.assertEqual((plain(type)(value), words(type)(value)), (json, text))
                msgspec.json.encode(json)

    def test_every_type_of_the_language_has_a_form(self) -> None:
        known = {type for type, *_ in ROWS}
        self.assertEqual({str(one) for one in types.SCALARS if one not in known}, {"U8", "U16", "U64", "Duration"})

    def test_moments(self) -> None:
        self.assertEqual(time_text(1_767_225_599_999_999), "2025-12-31T23:59:59.999999Z")
        self.assertTrue(time_text(2**64 - 1).endswith("Z"))
