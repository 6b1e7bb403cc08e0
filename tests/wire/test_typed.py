"""Tests for L{rotoro.wire.typed}: one value, one record; hostile octets are refused."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy
from twisted.trial.unittest import SynchronousTestCase

from rotoro.wire.codec import decode, encode
from rotoro.wire.errors import BadTypeDefinition, CorruptData
from rotoro.wire.pdu import ROTORO
from rotoro.wire.rotoro import FieldType, TypeDefinition, TypeField
from rotoro.wire.typed import MAX_FIELDS, Field, RecordType
from tests.data import ROOT
from tests.session.worlds import patient

VECTORS = json.loads((ROOT / "spec" / "vectors" / "records.json").read_text())
KINDS = [kind for kind in FieldType if kind is not FieldType.RECORD]


def declared(told: Any) -> RecordType:
    """A type of the vectors."""
    return RecordType(
        told["name"], tuple(Field(name, FieldType[kind], bool(many)) for name, kind, many in told["fields"])
    )


TYPES = {told["name"]: declared(told) for told in VECTORS["types"]}


def meant(field: Field, value: Any) -> Any:
    """A value of the vectors as a record has it."""
    if value is None:
        return None
    if field.repeated:
        return tuple(meant(Field(field.name, field.kind), one) for one in value)
    if field.kind in (FieldType.IP_ADDRESS, FieldType.OCTETS):
        return bytes.fromhex(value)
    if field.kind is FieldType.PREFIX:
        return bytes.fromhex(value[0]), value[1]
    if field.kind is FieldType.AS_PATH:
        return tuple((kind, tuple(numbers)) for kind, numbers in value)
    return value


def numbers(bits: int) -> SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


ADDRESSES = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)


def prefix(address: bytes, length: int) -> tuple[bytes, int]:
    bits = 8 * len(address)
    length %= bits + 1
    return (int.from_bytes(address) >> bits - length << bits - length).to_bytes(len(address)), length


VALUES: dict[FieldType, SearchStrategy[Any]] = {
    FieldType.BOOL: st.booleans(),
    FieldType.U8: numbers(8),
    FieldType.U16: numbers(16),
    FieldType.U32: numbers(32),
    FieldType.U64: numbers(64),
    FieldType.ASN: numbers(32),
    FieldType.IP_ADDRESS: ADDRESSES,
    FieldType.PREFIX: st.builds(prefix, ADDRESSES, numbers(8)),
    FieldType.TIMESTAMP: numbers(64),
    FieldType.COMMUNITY: numbers(32),
    FieldType.EXTENDED_COMMUNITY: numbers(64),
    FieldType.LARGE_COMMUNITY: numbers(96),
    FieldType.AS_PATH: st.lists(
        st.tuples(st.integers(1, 4), st.lists(numbers(32), min_size=1, max_size=255).map(tuple)), max_size=3
    ).map(tuple),
    FieldType.STRING: st.text(st.characters(codec="utf-8"), max_size=20),
    FieldType.OCTETS: st.binary(max_size=20),
}
FIELDS = st.lists(st.tuples(st.sampled_from(KINDS), st.booleans()), max_size=20)


def made(fields: list[tuple[FieldType, bool]]) -> RecordType:
    return RecordType("Made", tuple(Field(f"f{at}", kind, many) for at, (kind, many) in enumerate(fields)))


def records(of: RecordType) -> SearchStrategy[Any]:
    """Values of a type, each of which may be absent."""

    def values(field: Field) -> SearchStrategy[Any]:
        one = VALUES[field.kind]
        return st.none() | (st.lists(one, max_size=4).map(tuple) if field.repeated else one)

    return st.tuples(*map(values, of.fields))


class RecordTests(SynchronousTestCase):
    def test_vectors(self) -> None:
        for told in VECTORS["records"]:
            with self.subTest(values=told["values"]):
                kind, octets = TYPES[told["type"]], bytes.fromhex(told["octets"])
                values = tuple(meant(field, value) for field, value in zip(kind.fields, told["values"], strict=True))
                self.assertEqual(kind.decode(octets), values)
                self.assertEqual(kind.encode(values).hex(), octets.hex())
                kind.check([octets, octets])

    def test_vectors_of_what_is_none(self) -> None:
        for told in VECTORS["refused"]:
            with self.subTest(why=told["why"]):
                kind, octets = TYPES[told["type"]], bytes.fromhex(told["octets"])
                error = self.assertRaises(CorruptData, kind.decode, octets)
                self.assertIn(kind.name, str(error))
                self.assertRaises(CorruptData, kind.check, [octets])

    def test_every_kind_has_a_vector(self) -> None:
        for many in (False, True):
            shown = {field.kind for kind in TYPES.values() for field in kind.fields if field.repeated == many}
            self.assertTrue(shown >= set(_VARIABLE if many else KINDS))

    @patient
    @given(st.data(), FIELDS)
    def test_there_and_back(self, data: DataObject, fields: list[tuple[FieldType, bool]]) -> None:
        kind = made(fields)
        values = data.draw(records(kind))
        octets = kind.encode(values)
        back = kind.decode(octets)
        self.assertEqual(back, values)
        self.assertEqual([type(value) for value in back], [type(value) for value in values])

    @patient
    @given(st.data(), FIELDS)
    def test_a_value_has_one_form(self, data: DataObject, fields: list[tuple[FieldType, bool]]) -> None:
        """Whatever is read is written just so, however it was bent before."""
        kind = made(fields)
        octets = bytearray(kind.encode(data.draw(records(kind))))
        for at, value in data.draw(st.lists(st.tuples(numbers(10), numbers(8)), max_size=3)):
            if octets:
                octets[at % len(octets)] = value
        bent = bytes(octets[: data.draw(st.none() | numbers(6))]) + data.draw(st.binary(max_size=2))
        try:
            values = kind.decode(bent)
        except CorruptData:
            return
        self.assertEqual(kind.encode(values), bent)

    @patient
    @given(FIELDS, st.binary(max_size=64))
    def test_any_octets(self, fields: list[tuple[FieldType, bool]], octets: bytes) -> None:
        kind = made(fields)
        try:
            values = kind.decode(octets)
        except CorruptData:
            return
        self.assertEqual(kind.encode(values), octets)

    def test_the_work_is_bounded(self) -> None:
        """A count costs nothing without the octets for it."""
        kind = RecordType("Deep", tuple(Field(f"f{at}", FieldType.STRING, True) for at in range(MAX_FIELDS)))
        octets = bytes([255] * 31 + [254]) + b"\xff\xff" * MAX_FIELDS
        error = self.assertRaises(CorruptData, kind.decode, octets)
        self.assertIn("Deep.f0, at octet", str(error))
        self.assertLess(len(str(error)), 200)
        self.assertRaises(CorruptData, kind.decode, bytes(1 << 16))

    def test_what_is_no_value(self) -> None:
        for kind, wrong in (
            (FieldType.BOOL, 1), (FieldType.U8, 256), (FieldType.U8, -1), (FieldType.U16, 1.5), (FieldType.U32, "1"),
            (FieldType.U64, 1 << 64), (FieldType.ASN, b"\1"), (FieldType.IP_ADDRESS, b"abc"),
            (FieldType.IP_ADDRESS, "abcd"), (FieldType.PREFIX, b"\n\0\0\0"), (FieldType.PREFIX, (b"\n\0\0\1", 8)),
            (FieldType.PREFIX, (b"\n\0\0\0", 33)), (FieldType.PREFIX, (b"\n\0\0\0", -1)), (FieldType.TIMESTAMP, 0.5),
            (FieldType.LARGE_COMMUNITY, 1 << 96), (FieldType.LARGE_COMMUNITY, -1), (FieldType.LARGE_COMMUNITY, "1"),
            (FieldType.AS_PATH, ((5, (1,)),)), (FieldType.AS_PATH, ((2, ()),)), (FieldType.AS_PATH, (1, 2)),
            (FieldType.AS_PATH, ((2, (1,) * 256),)), (FieldType.STRING, b"x"), (FieldType.STRING, "\ud800"),
            (FieldType.STRING, "x" * 65536), (FieldType.OCTETS, "x"), (FieldType.OCTETS, 3),
        ):  # fmt: skip
            for many, value in ((False, wrong), (True, (wrong,))):
                with self.subTest(kind=kind.name, wrong=str(wrong)[:20], many=many):
                    one = RecordType("One", (Field("before", FieldType.U8), Field("it", kind, many)))
                    error = self.assertRaises(ValueError, one.encode, (None, value))
                    self.assertIn("One.it: ", str(error))

    def test_one_value_is_no_list(self) -> None:
        for kind, value in (
            (FieldType.STRING, "abc"),
            (FieldType.OCTETS, b"abc"),
            (FieldType.U8, b"abc"),
            (FieldType.U8, 1),
        ):
            self.assertRaises(ValueError, RecordType("One", (Field("it", kind, True),)).encode, (value,))
        one = RecordType("One", (Field("it", FieldType.U8, True),))
        self.assertEqual(one.decode(one.encode(([1, 2],))), ((1, 2),))
        self.assertRaises(ValueError, one.encode, ((0,) * 65536,))

    def test_how_many_values(self) -> None:
        self.assertRaises(ValueError, TYPES["Nothing"].encode, (1,))
        self.assertRaises(ValueError, TYPES["Lists"].encode, (None,) * 8)

    def test_no_longer_than_a_set(self) -> None:
        two = RecordType("Two", (Field("a", FieldType.OCTETS), Field("b", FieldType.OCTETS)))
        longest = (bytes(65530), b"")
        self.assertEqual(two.decode(two.encode(longest)), longest)
        self.assertRaises(ValueError, two.encode, (bytes(65530), b"x"))


_VARIABLE = set(KINDS) - {
    FieldType.U8, FieldType.U32, FieldType.U64, FieldType.ASN, FieldType.TIMESTAMP, FieldType.COMMUNITY,
    FieldType.EXTENDED_COMMUNITY,
}  # fmt: skip
"""Of numbers one has to do, in lists."""


class TypeTests(SynchronousTestCase):
    def test_definitions_there_and_back(self) -> None:
        for kind in TYPES.values():
            pdu = kind.definition(7)
            self.assertEqual(decode(encode(pdu, ROTORO)), (ROTORO, pdu))
            self.assertEqual(RecordType.of(pdu), kind)

    def test_digests_tell_types_apart(self) -> None:
        a, b = Field("a", FieldType.U8), Field("b", FieldType.ASN)
        kinds = [
            RecordType("T", (a, b)),
            RecordType("T", (b, a)),
            RecordType("U", (a, b)),
            RecordType("T", (a,)),
            RecordType("T", (Field("a", FieldType.U8, True), b)),
            RecordType("T", (Field("a", FieldType.U16), b)),
            RecordType("T", (Field("c", FieldType.U8), b)),
        ]
        self.assertEqual(len({kind.digest for kind in kinds}), len(kinds))
        self.assertEqual(RecordType.of(kinds[0].definition(9)).digest, kinds[0].digest)

    def test_what_cannot_be(self) -> None:
        field = TypeField("a", FieldType.U8, 0)
        for definition, words in (
            (TypeDefinition(1, "", (field,)), "no name"),
            (TypeDefinition(1, "T", (field, field)), "twice"),
            (TypeDefinition(1, "T", (TypeField("a", FieldType.RECORD, 1),)), "none is carried yet"),
            (TypeDefinition(1, "T", tuple(TypeField(f"f{at}", 2, 0) for at in range(256))), "more than 255 fields"),
            (TypeDefinition(1, "é" * 128, (field,)), "255 octets"),
        ):
            error = self.assertRaises(BadTypeDefinition, RecordType.of, definition)
            self.assertIn(words, str(error))

    def test_differences(self) -> None:
        a, b, c = (Field(name, FieldType.U8) for name in "abc")
        many = Field("a", FieldType.ASN, True)
        own = RecordType("T", (a, b))
        self.assertEqual(own.differences(own), "")
        self.assertEqual(
            own.differences(RecordType("T", (many, b, c))), "a: u8 against a: [asn], nothing against c: u8"
        )
        self.assertEqual(own.differences(RecordType("U", (a,))), "T against U, b: u8 against nothing")
        wide = RecordType("T", tuple(Field(f"f{at}", FieldType.U8) for at in range(9)))
        self.assertTrue(own.differences(wide).endswith("nothing against f2: u8 and 6 more"))
