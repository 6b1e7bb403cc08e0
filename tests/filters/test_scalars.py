"""The tables of methods, functions and changes are complete, and do what they say to single values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rotonda.bgp import as_path
from rotonda.blocks import types
from rotonda.blocks.types import ENUMERATIONS, ListType
from rotonda.blocks.values import Address, Constant, Prefix, PrefixMatch
from rotonda.filters import scalars
from rotonda.filters.edits import Prepend, edited
from twisted.trial.unittest import SynchronousTestCase

ADDRESSES = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)


class TableTests(SynchronousTestCase):
    def test_every_method_has_a_function_and_nothing_else_has(self) -> None:
        self.assertEqual(sorted(scalars.METHODS), sorted({method.key for method in types.METHODS}))

    def test_every_function_has_one(self) -> None:
        self.assertEqual(sorted(scalars.FUNCTIONS), sorted({function.key for function in types.FUNCTIONS}))

    def test_every_change_has_one(self) -> None:
        self.assertEqual(sorted(scalars.CHANGES), sorted({change.name for change in types.CHANGES}))


class ValueTests(SynchronousTestCase):
    def test_formatting(self) -> None:
        for template, given_texts, expected in (
            ("", (), ""),
            ("{}", ("a",), "a"),
            ("{} and {}", ("{}", "b"), "{} and b"),
            ("{} and {}", ("a",), "a and {}"),
            ("none", ("a", "b"), "none"),
        ):
            self.assertEqual(scalars.formatted(template, *given_texts), expected)

    def test_constants_ascend(self) -> None:
        for enumeration in ENUMERATIONS:
            ranks = [scalars.rank(Constant(enumeration.name, name)) for name in enumeration.constants]
            self.assertEqual(ranks, list(range(len(ranks))))

    @given(ADDRESSES, st.integers(0, 200))
    def test_prefixes_have_their_address(self, octets: bytes, length: int) -> None:
        made = scalars.made_prefix(Address(octets), length)
        if length > 8 * len(octets):
            self.assertIsNone(made)
        else:
            assert made is not None
            self.assertEqual((made.length, len(made.octets)), (length, len(octets)))
            self.assertTrue(scalars.has_address(made, Address(octets)))

    @given(st.lists(st.tuples(st.sampled_from((1, 2, 3)), st.lists(st.integers(0, 9), min_size=1, max_size=255))),
           st.integers(0, 9), st.integers(1, 255))  # fmt: skip
    def test_prepending_is_what_edits_do(self, segments: list[tuple[int, list[int]]], asn: int, times: int) -> None:
        path = tuple((kind, tuple(numbers)) for kind, numbers in segments)
        octets = b"\x50\x02" + len(as_path.written(path)).to_bytes(2) + as_path.written(path)
        changed = edited(octets, [Prepend((asn,) * times)])
        start = 4 if changed[0] & 0x10 else 3
        self.assertEqual(as_path.read(changed[start:], 4), scalars.prepended(path, asn, times))

    def test_prepending_to_nothing(self) -> None:
        self.assertEqual(scalars.prepended(None, 5), ((2, (5,)),))
        self.assertEqual(scalars.prepended((), 5, 0), ())

    def test_lists_change_one_by_one(self) -> None:
        self.assertEqual(scalars.CHANGES["push"](None, 1), (1,))
        self.assertEqual(scalars.CHANGES["add"]((1, 2), 1), (1, 2))
        self.assertEqual(scalars.CHANGES["remove"]((1, 2, 1), 1), (2,))
        self.assertEqual(scalars.CHANGES["remove"](None, 1), ())
        self.assertEqual(scalars.CHANGES["clear"](None), ())

    def test_membership(self) -> None:
        inner, outer = Prefix.parse("10.1.0.0/16"), Prefix.parse("10.0.0.0/8")
        prefixes, ranges = ListType(types.PREFIX), ListType(types.PREFIX_MATCH)
        self.assertTrue(scalars.is_member(inner, types.PREFIX, (outer,), prefixes))
        self.assertFalse(scalars.is_member(outer, types.PREFIX, (inner,), prefixes))
        self.assertFalse(scalars.is_member(inner, types.PREFIX, (PrefixMatch(outer, 8, 15),), ranges))
        self.assertFalse(scalars.is_member(inner, types.PREFIX, (), ranges))
        self.assertTrue(scalars.is_member(inner.address, types.ADDRESS, (outer,), prefixes))
        self.assertTrue(scalars.is_member(5, types.ASN, ((1, (4, 5)),), types.AS_PATH))
