"""Records of declared types, as Rotoro carries them."""

from __future__ import annotations

from rotonda.blocks import types
from rotonda.blocks.types import FieldOf, ListType, RecordType, Type
from rotonda.blocks.values import (
    Address,
    Constant,
    LargeCommunity,
    Prefix,
    PrefixMatch,
    RecordValue,
    SocketAddress,
    Value,
)
from rotonda.filters.records import from_wire, to_wire, wire_type
from twisted.trial.unittest import SynchronousTestCase

from rotoro.wire.rotoro import FieldType

V4, V6 = Prefix.parse("10.0.0.0/8"), Prefix.parse("2001:db8::/32")
HOST4, HOST6 = Address.parse("192.0.2.1"), Address.parse("2001:db8::1")
VALUES: dict[Type, tuple[FieldType, tuple[Value, ...]]] = {
    types.BOOL: (FieldType.BOOL, (True, False)),
    types.U8: (FieldType.U8, (0, 255)),
    types.U16: (FieldType.U16, (0, 65535)),
    types.U32: (FieldType.U32, (0, 2**32 - 1)),
    types.U64: (FieldType.U64, (0, 2**64 - 1)),
    types.FLOAT: (FieldType.OCTETS, (0.5, -1e300, 0.0)),
    types.STRING: (FieldType.STRING, ("", "\N{SNOWMAN}")),
    types.ASN: (FieldType.ASN, (0, 2**32 - 1)),
    types.ADDRESS: (FieldType.IP_ADDRESS, (HOST4, HOST6)),
    types.SOCKET_ADDRESS: (FieldType.STRING, (SocketAddress(HOST4, 179), SocketAddress(HOST6, 0))),
    types.PREFIX: (FieldType.PREFIX, (V4, V6)),
    types.PREFIX_LENGTH: (FieldType.U8, (0, 128)),
    types.PREFIX_MATCH: (
        FieldType.OCTETS,
        (
            PrefixMatch(V4, 8, 24),
            PrefixMatch(V6, 48, 64),
            PrefixMatch(V4, 8, 16, Prefix.parse("10.1.0.0/16")),
            PrefixMatch(V6, 32, 33, Prefix.parse("2001:db8::/33")),
        ),
    ),
    types.AS_PATH: (FieldType.AS_PATH, ((), ((2, (1, 2)), (1, (3,))))),
    types.COMMUNITY: (FieldType.COMMUNITY, (0, 2**32 - 1)),
    types.EXTENDED_COMMUNITY: (FieldType.EXTENDED_COMMUNITY, (0, 2**64 - 1)),
    types.LARGE_COMMUNITY: (FieldType.LARGE_COMMUNITY, (LargeCommunity(0, 0, 0), LargeCommunity(1, 2**32 - 1, 3))),
    types.TIME: (FieldType.TIMESTAMP, (0, 1_700_000_000_000_000)),
    types.DURATION: (FieldType.U64, (3600,)),
    types.ROV: (FieldType.U8, tuple(Constant("Rov", name) for name in types.ROV.constants)),
}


class RecordTests(SynchronousTestCase):
    def test_every_scalar_is_carried(self) -> None:
        self.assertEqual(set(VALUES) - {types.ROV}, set(types.SCALARS))

    def test_what_is_written_can_be_read_again(self) -> None:
        for of, (kind, values) in VALUES.items():
            record = RecordType("Test", (FieldOf("one", of), FieldOf("many", ListType(of)), FieldOf("none", of)))
            wire = wire_type(record)
            self.assertEqual([field.kind for field in wire.fields], [kind] * 3, of)
            self.assertEqual([field.repeated for field in wire.fields], [False, True, False])
            for value in values:
                made = RecordValue("Test", (("one", value), ("many", values), ("none", None)))
                octets = wire.encode(to_wire(record, made))
                self.assertEqual(from_wire(record, wire.decode(octets)), made, of)

    def test_the_prefix_is_that_of_the_row(self) -> None:
        record = RecordType("Test", (FieldOf("prefix", types.PREFIX), FieldOf("other", types.PREFIX)))
        self.assertEqual([field.name for field in wire_type(record).fields], ["other"])
        made = RecordValue("Test", (("prefix", V4), ("other", V6)))
        self.assertEqual(from_wire(record, to_wire(record, made), V4), made)

    def test_a_prefix_of_another_type_is_a_field_like_others(self) -> None:
        record = RecordType("Test", (FieldOf("prefix", types.STRING),))
        made = RecordValue("Test", (("prefix", "10/8"),))
        self.assertEqual(from_wire(record, to_wire(record, made), V4), made)

    def test_records_within_records_are_not_carried(self) -> None:
        for of in (types.VRP, ListType(ListType(types.ASN))):
            with self.assertRaisesRegex(ValueError, "Test.inner: .* is not carried"):
                wire_type(RecordType("Test", (FieldOf("inner", of),)))

    def test_constants_that_do_not_exist_are_not_read(self) -> None:
        record = RecordType("Test", (FieldOf("state", types.ROV),))
        with self.assertRaises(ValueError):
            from_wire(record, (3,))
