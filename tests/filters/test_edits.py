"""Tests for L{rotonda.filters.edits}: a set that was edited says the change, and else what it said before."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from rotonda.bgp import as_path
from rotonda.bgp.as_path import AS_SEQUENCE, AS_SET
from rotonda.bgp.attributes import ORIGINS, Attributes, decoded, parsed
from rotonda.bgp.sets import normalised
from rotonda.filters.edits import (
    LIST_OCTETS,
    AddValues,
    Edit,
    Prepend,
    Remove,
    RemoveValues,
    ReplaceValues,
    SetAtomicAggregate,
    SetNextHop,
    SetNumber,
    SetOrigin,
    SetPath,
    edited,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.filters.sets import SOUND, attribute, usual_set

numbers = st.integers(0, 0xFFFFFFFF)
sets = st.integers(0, 1 << 32).map(lambda seed: usual_set(random.Random(seed)))
FIELDS = {
    1: ("origin", None), 2: ("as_path", ()), 4: ("med", None), 5: ("local_pref", None), 6: ("atomic_aggregate", False),
    7: ("aggregator", None), 8: ("communities", ()), 9: ("originator_id", None), 10: ("cluster_list", ()),
    16: ("extended_communities", ()), 32: ("large_communities", ()), 35: ("only_to_customer", None),
}  # fmt: skip


def listed(octets: bytes, kind: int) -> list[bytes]:
    value, width = parsed(octets).get(kind, (0, b""))[1], LIST_OCTETS[kind]
    return [value[at : at + width] for at in range(0, len(value), width)]


def plain(path: as_path.AsPath) -> list[tuple[int, int]]:
    """A path without the borders of its segments."""
    return [(kind, number) for kind, own in path for number in own]


def values_of(kind: int) -> st.SearchStrategy[tuple[bytes, ...]]:
    """Values that sets of these tests are likely to have, and others."""
    width = LIST_OCTETS[kind]
    likely = st.sampled_from([bytes(width), b"\xff" * width, bytes(width - 1) + b"\1"])
    return st.lists(st.one_of(likely, st.binary(min_size=width, max_size=width)), max_size=4).map(tuple)


class EditedTests(SynchronousTestCase):
    def changed(self, octets: bytes, edit: Edit, **fields: object) -> None:
        """Only these fields are other ones, and the result is in normal form."""
        self._check(edited(octets, [edit]), replace(decoded(octets), **fields))  # type: ignore[arg-type]

    def _check(self, result: bytes, expected: Attributes) -> None:
        self.assertEqual(decoded(result), expected)
        kinds = list(parsed(result))
        self.assertEqual(kinds, sorted(kinds))
        self.assertEqual(edited(result, []), result)

    @given(sets)
    def test_no_edit_is_no_change(self, octets: bytes) -> None:
        self.assertEqual(edited(octets, []), octets)

    @given(sets, numbers, st.integers(0, 2))
    def test_single_values(self, octets: bytes, number: int, origin: int) -> None:
        self.changed(octets, SetOrigin(origin), origin=ORIGINS[origin])
        self.changed(octets, SetNumber(4, number), med=number)
        self.changed(octets, SetNumber(5, number), local_pref=number)
        self.changed(octets, SetNumber(35, number), only_to_customer=number)
        self.changed(octets, SetAtomicAggregate(), atomic_aggregate=True)

    @given(sets, st.sampled_from(sorted(FIELDS)))
    def test_removal(self, octets: bytes, kind: int) -> None:
        name, absent = FIELDS[kind]
        self.changed(octets, Remove(kind), **{name: absent})
        self.assertNotIn(200, decoded(edited(octets, [Remove(200)])).unknown)

    @given(sets, st.binary(min_size=16, max_size=16))
    def test_next_hops(self, octets: bytes, address: bytes) -> None:
        self.changed(
            octets, SetNextHop(address[:4], 4), next_hop=str(IPv4Address(address[:4])), link_local_next_hop=None
        )
        for family in (4, 6):
            hop = str(IPv6Address(address))
            self.changed(octets, SetNextHop(address, family), next_hop=hop, link_local_next_hop=None)
            reach = parsed(edited(octets, [SetNextHop(address, family)]))[14][1]
            self.assertEqual(int.from_bytes(reach[:2]), 1 if family == 4 else 2)

    def test_a_next_hop_of_multicast_routes_stays_one(self) -> None:
        before = attribute(14, bytes.fromhex("00020210") + bytes(17))
        self.assertEqual(parsed(edited(before, [SetNextHop(b"\1" * 16, 6)]))[14][1][:4].hex(), "00020210")

    @given(sets, st.lists(numbers, max_size=600))
    def test_paths(self, octets: bytes, own: list[int]) -> None:
        before = decoded(octets).as_path
        for edit, after in [
            (SetPath.of_numbers(own), []),
            (Prepend(tuple(own)), plain(before)),
        ]:
            result = edited(octets, [edit])
            path = decoded(result).as_path
            self.assertEqual(plain(path), [(AS_SEQUENCE, number) for number in own] + after)
            self._check(result, replace(decoded(octets), as_path=path))
            self.assertTrue(all(len(segment) <= 255 for _, segment in path))

    def test_what_prepending_does_to_segments(self) -> None:
        for before, own, after in [
            ((), (1,), ((2, (1,)),)),
            (((2, (2, 3)),), (1, 1), ((2, (1, 1, 2, 3)),)),
            (((AS_SET, (2, 3)),), (1,), ((2, (1,)), (AS_SET, (2, 3)))),
            (((2, (7,) * 255),), (1, 2), ((2, (1, 2)), (2, (7,) * 255))),
            (((2, (7,) * 254), (2, (8,))), (1, 2), ((2, (1,)), (2, (2, *(7,) * 254)), (2, (8,)))),
        ]:
            with self.subTest(before=before):
                result = edited(attribute(2, as_path.written(before)), [Prepend(own)])
                self.assertEqual(decoded(result).as_path, after)

    @given(sets, st.sampled_from(sorted(LIST_OCTETS)).flatmap(lambda kind: st.tuples(st.just(kind), values_of(kind))))
    def test_lists(self, octets: bytes, change: tuple[int, tuple[bytes, ...]]) -> None:
        kind, values = change
        before, distinct = listed(octets, kind), list(dict.fromkeys(values))
        for edit, expected in [
            (AddValues(kind, values), before + [value for value in distinct if value not in before]),
            (RemoveValues(kind, values), [value for value in before if value not in values]),
            (ReplaceValues(kind, values), distinct),
        ]:
            result = edited(octets, [edit])
            self.assertEqual(listed(result, kind), expected)
            self.assertEqual(kind in parsed(result), bool(expected))
            name, _ = FIELDS[kind]
            self._check(result, replace(decoded(octets), **{name: getattr(decoded(result), name)}))

    def test_large_values_are_written_as_wanted(self) -> None:
        result = edited(b"", [AddValues(8, (struct.pack(">HH", 64496, 7),)), AddValues(32, (b"\0\0\0\1" * 3,))])
        self.assertEqual(result.hex(), "c00804fbf00007" + "c0200c" + "00000001" * 3)

    def test_flags(self) -> None:
        """What is new has the usual flags; a list that grows keeps its own, with the partial bit."""
        self.assertEqual(edited(b"", [SetNumber(4, 1), SetNumber(5, 2)]).hex(), "80040400000001" + "40050400000002")
        partial = attribute(8, bytes(4), flags=0xE0)
        self.assertEqual(edited(partial, [AddValues(8, (b"\1" * 4,))])[0], 0xE0)

    def test_edits_are_done_one_after_the_other(self) -> None:
        edits: list[Edit] = [Prepend((1,)), SetNumber(5, 7), Prepend((2,)), Remove(5), AddValues(8, (bytes(4),)),
                             RemoveValues(8, (bytes(4),))]  # fmt: skip
        self.assertEqual(edited(b"", edits), attribute(2, as_path.written(((2, (2, 1)),))))

    def test_the_result_is_in_normal_form(self) -> None:
        chance = random.Random(1)
        for _ in range(200):
            octets = b"".join(attribute(kind, SOUND[kind](chance)) for kind in (1, 2, 3, 4, 8, 16, 32))
            result = edited(octets, [Prepend((5, 6)), SetNumber(5, 9), AddValues(32, (bytes(12),))])
            self.assertEqual(normalised(result, True, 4, False), result)


class RefusedTests(SynchronousTestCase):
    def test_values_that_do_not_fit(self) -> None:
        for make in [
            lambda: SetOrigin(3),
            lambda: SetOrigin(-1),
            lambda: SetNumber(5, 1 << 32),
            lambda: SetNumber(5, -1),
            lambda: SetNumber(8, 1),
            lambda: SetNextHop(bytes(4), 6),
            lambda: SetNextHop(bytes(32), 6),
            lambda: SetPath(((5, (1,)),)),
            lambda: SetPath(((2, ()),)),
            lambda: SetPath(((2, (1,) * 256),)),
            lambda: SetPath.of_numbers([1 << 32]),
            lambda: Prepend((-1,)),
            lambda: AddValues(8, (bytes(5),)),
            lambda: RemoveValues(10, (bytes(4),)),
            lambda: ReplaceValues(32, (bytes(4),)),
        ]:
            self.assertRaises(ValueError, make)

    def _refused(self, octets: bytes, edits: Sequence[Edit], words: str) -> None:
        with self.assertRaisesRegex(ValueError, words):
            edited(octets, edits)

    def test_sets_that_get_too_long(self) -> None:
        values = tuple(struct.pack(">I", number) for number in range(16_383))
        self.assertEqual(len(edited(b"", [AddValues(8, values[:-1])])), 65_532)
        self._refused(b"", [AddValues(8, values)], "65536 octets is too long, at most 65535")
        self._refused(b"", [SetPath.of_numbers([1] * 70_000)], "too long")
        long = edited(b"", [AddValues(8, values[:-1])])
        self.assertEqual(len(edited(long, [SetAtomicAggregate()])), 65_535)
        self._refused(long, [SetNumber(5, 1)], "too long")

    def test_what_cannot_be_read_is_not_changed(self) -> None:
        self._refused(b"\x40\2\xff", [SetOrigin(0)], "cannot change an attribute set: path attribute 2")
        self._refused(attribute(2, b"\2\3\0"), [Prepend((1,))], "AS_PATH segment")
        self._refused(attribute(8, b"\1"), [AddValues(8, (bytes(4),))], "path attribute 8 of 1 octets")
        self.assertEqual(decoded(edited(attribute(2, b"\2\3\0"), [SetPath.of_numbers([1])])).as_path, ((2, (1,)),))
