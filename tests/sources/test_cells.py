"""Tests for L{rotonda.sources.cells}: what is read, what is refused, and that what is written can be read again."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rotonda.blocks import types
from rotonda.blocks.types import FieldOf, ListType, RecordType, Type
from rotonda.blocks.values import Address, Constant, LargeCommunity, Prefix, RecordValue, SocketAddress
from rotonda.filters.written import plain, words
from rotonda.sources.cells import LONGEST_TEXT, MOST_ITEMS, NoSuchCells, field_reader, reader
from twisted.trial.unittest import SynchronousTestCase

from tests.session.worlds import patient
from tests.sources.plain import prefixes

U32S = st.integers(0, (1 << 32) - 1)
ADDRESSES = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)).map(Address)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES: dict[Type, st.SearchStrategy[Any]] = {
    types.BOOL: st.booleans(),
    types.U8: st.integers(0, 255),
    types.U64: st.integers(0, (1 << 64) - 1),
    types.ASN: U32S,
    types.STRING: TEXTS,
    types.ADDRESS: ADDRESSES,
    types.PREFIX: prefixes(),
    types.PREFIX_LENGTH: st.integers(0, 128),
    types.COMMUNITY: U32S,
    types.LARGE_COMMUNITY: st.builds(LargeCommunity, U32S, U32S, U32S),
    types.SOCKET_ADDRESS: st.builds(SocketAddress, ADDRESSES, st.integers(0, 65_535)),
    types.TIME: st.integers(0, 253_402_300_799_999_999),
    types.ROV: st.sampled_from(types.ROV.constants).map(lambda name: Constant("Rov", name)),
    types.AS_PATH: st.lists(
        st.tuples(st.sampled_from((1, 2, 3, 4)), st.lists(U32S, min_size=1, max_size=4).map(tuple)), max_size=4
    ).map(tuple),
}  # fmt: skip


def _joined(path: tuple[tuple[int, tuple[int, ...]], ...]) -> list[tuple[int, tuple[int, ...]]]:
    """A path whose sequences that stand side by side are one, as they are when somebody has written it."""
    made: list[tuple[int, tuple[int, ...]]] = []
    for kind, numbers in path:
        if made and made[-1][0] == kind == 2:
            made[-1] = kind, made[-1][1] + numbers
        else:
            made.append((kind, numbers))
    return made


class ReaderTests(SynchronousTestCase):
    @patient
    @given(st.data())
    def test_what_is_written_is_read_again(self, data: st.DataObject) -> None:
        for type, values in VALUES.items():
            value = data.draw(values)
            for written in (plain(type)(value), words(type)(value)):
                read: Any = reader(type)(written)
                same = _joined(value) == _joined(read) if type == types.AS_PATH else value == read
                self.assertTrue(same, (type, written, value, read))

    def test_other_ways_to_write(self) -> None:
        rows: list[tuple[Type, Any, Any]] = [
            (types.ASN, " as64496 ", 64496),
            (types.ASN, "1.10", 65546),
            (types.PREFIX_LENGTH, "/24", 24),
            (types.BOOL, "TRUE", True),
            (types.FLOAT, "1.5", 1.5),
            (types.DURATION, 60, 60.0),
            (types.TIME, "1970-01-01t00:00:01.5+01:00", -1),
            (types.TIME, "1970-01-01T01:00:01.5+01:00", 1_500_000),
            (types.TIME, 1.5, 1_500_000),
            (types.AS_PATH, [64496, "AS64497"], ((2, (64496, 64497)),)),
            (types.AS_PATH, "", ()),
            (types.ROV, "not-found", Constant("Rov", "NOT_FOUND")),
            (ListType(types.ASN), "64496; AS64497 3", (64496, 64497, 3)),
            (ListType(types.STRING), "a b; c", ("a b", "c")),
            (ListType(types.ASN), "", ()),
            (types.EXTENDED_COMMUNITY, "rt:64496:1", 0x0002FBF000000001),
        ]  # fmt: skip
        for type, cell, value in rows:
            with self.subTest(type=type, cell=cell):
                if value == -1:
                    self.assertRaisesRegex(ValueError, "before 1970", reader(type), cell)
                else:
                    self.assertEqual(reader(type)(cell), value)

    def test_refused(self) -> None:
        """Each kind of nonsense with words that tell what is wrong."""
        rows: list[tuple[Type, Any, str]] = [
            (types.ASN, "AS4294967296", "not between"),
            (types.ASN, "70000.1", "not an AS number"),
            (types.ASN, "١٢", "not an AS number"),
            (types.ASN, True, "not an AS number"),
            (types.U8, -1, "not between"),
            (types.U8, 1.0, "not a whole number"),
            (types.U64, "9" * 30, "not a whole number"),
            (types.BOOL, 1, "neither true nor false"),
            (types.BOOL, "yes", "neither"),
            (types.FLOAT, "nan", "not a number"),
            (types.FLOAT, "1e999", "not a number"),
            (types.FLOAT, None, "nothing"),
            (types.STRING, "a\0", r"U\+0000"),
            (types.STRING, 7, "not a text"),
            (types.STRING, "x" * (LONGEST_TEXT + 1), "characters"),
            (types.PREFIX, "10.0.0.1/8", "did you mean 10.0.0.0/8"),
            (types.PREFIX, "10.0.0.1", "an address"),
            (types.PREFIX, "10.0.0.0/33", "length of 0 to 32"),
            (types.PREFIX, "10.0.0.0/ 8", "length"),
            (types.PREFIX, "ten/8", "not a prefix"),
            (types.ADDRESS, "10.0.0", "not an IP"),
            (types.ADDRESS, {}, "not an IP"),
            (types.COMMUNITY, "1:2:3", "not a community"),
            (types.COMMUNITY, "70000:1", "too large"),
            (types.AS_PATH, "64496 {", "not an AS path"),
            (types.AS_PATH, "{}", "not an AS path"),
            (types.AS_PATH, "64496 x", "not an AS number"),
            (types.TIME, "2026-02-30T00:00:00Z", "moment"),
            (types.TIME, "2026-02-03", "moment"),
            (types.TIME, 10**18, "moment"),
            (types.DURATION, -1, "duration"),
            (types.ROV, "perhaps", "none of NOT_FOUND"),
            (ListType(types.ASN), [1] * (MOST_ITEMS + 1), "items"),
            (ListType(types.ASN), 5, "not a list"),
        ]  # fmt: skip
        for type, cell, why in rows:
            with self.subTest(type=type, cell=str(cell)[:40]):
                self.assertRaisesRegex(ValueError, why, reader(type), cell)

    @given(st.one_of(st.text(max_size=30), st.integers(), st.floats(), st.none(), st.lists(st.integers(), max_size=3)))
    def test_anything_is_a_value_or_refused(self, cell: Any) -> None:
        known: list[Type] = [*VALUES, types.FLOAT, types.DURATION, types.EXTENDED_COMMUNITY, ListType(types.ASN)]
        for type in known:
            try:
                reader(type)(cell)
            except ValueError as wrong:
                self.assertLess(len(str(wrong)), 200)

    def test_missing_values_and_records(self) -> None:
        inner = RecordType("Inner", (FieldOf("a_b", types.U8), FieldOf("c", types.U8, optional=True)))
        self.assertEqual(reader(inner)({"a-b": 1}), RecordValue("Inner", (("a_b", 1), ("c", None))))
        self.assertRaisesRegex(ValueError, "nothing", reader(inner), {"c": 1})
        self.assertRaisesRegex(ValueError, "not a record", reader(inner), [1])
        self.assertIsNone(field_reader(FieldOf("x", types.U8, optional=True))(""))
        self.assertEqual(field_reader(FieldOf("x", types.STRING, optional=True))(""), "")
        self.assertRaises(NoSuchCells, reader, types.PREFIX_MATCH)

    def test_prefixes_of_every_length(self) -> None:
        self.assertEqual(reader(types.PREFIX)("::/0"), Prefix(bytes(16), 0))
