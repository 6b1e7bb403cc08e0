"""Verdicts: the cases of RFC 6811, and a whole table against a loop that cannot be wrong."""

from __future__ import annotations

from ipaddress import ip_network

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rotonda.rpki.records import BITS, Vrp, parse_prefix, parse_vrp
from rotonda.rpki.validation import NO_ORIGIN, State, ValidatedSet, Verdict
from twisted.trial.unittest import SynchronousTestCase

Route = tuple[int, int, int, int]  # family, address, length, origin


def validated(vrps: list[Vrp]) -> ValidatedSet:
    keys = {family: [vrp.key() for vrp in sorted(set(vrps)) if vrp.family == family] for family in (4, 6)}
    return ValidatedSet(np.array(keys[4], "S10"), np.array(keys[6], "S22"))


def table(routes: list[Route], family: int) -> tuple[NDArray[np.bytes_], NDArray[np.uint32]]:
    mine = [route for route in routes if route[0] == family]
    octets = BITS[family] // 8
    keys = [address.to_bytes(octets, "big") + bytes((length,)) for _, address, length, _ in mine]
    return np.array(keys, f"S{octets + 1}"), np.array([origin for *_, origin in mine], np.uint32)


def naive(vrps: list[Vrp], route: Route) -> State:
    """RFC 6811 section 2, word by word."""
    family, address, length, origin = route
    covering = [
        vrp
        for vrp in vrps
        if vrp.family == family
        and vrp.length <= length
        and vrp.address >> (BITS[family] - vrp.length) == address >> (BITS[family] - vrp.length)
    ]
    if any(vrp.asn == origin != NO_ORIGIN and length <= vrp.max_length for vrp in covering):
        return State.VALID
    return State.INVALID if covering else State.NOT_FOUND


class VerdictTests(SynchronousTestCase):
    VRPS = [
        parse_vrp(asn, prefix, max_length)[0]
        for asn, prefix, max_length in (
            (64496, "192.0.2.0/24", 24), (64497, "192.0.2.0/23", 25), (64497, "192.0.2.0/23", 24),
            (0, "198.51.100.0/24", 32),
            (64496, "2001:db8::/32", 48), (64498, "2001:db8:0:0:8000::/65", 128), (64499, "2001:db8::/127", 127),
        )
    ]  # fmt: skip
    ROUTES = (
        ("192.0.2.0/24", 64496, State.VALID, None), ("192.0.2.0/24", 64497, State.VALID, None),
        ("192.0.2.0/24", 64498, State.INVALID, "as"), ("192.0.2.0/25", 64496, State.INVALID, "length"),
        ("192.0.2.0/25", 64497, State.VALID, None), ("192.0.2.0/26", 64497, State.INVALID, "length"),
        ("192.0.2.0/24", NO_ORIGIN, State.INVALID, "as"), ("192.0.2.0/22", 64497, State.NOT_FOUND, None),
        ("203.0.113.0/24", 64497, State.NOT_FOUND, None), ("203.0.113.0/24", NO_ORIGIN, State.NOT_FOUND, None),
        ("198.51.100.0/24", 0, State.INVALID, "as"), ("198.51.100.7/32", 64496, State.INVALID, "as"),
        ("0.0.0.0/0", 64496, State.NOT_FOUND, None), ("2001:db8::/48", 64496, State.VALID, None),
        ("2001:db8::/49", 64496, State.INVALID, "length"), ("2001:db8:0:0:8000::/65", 64498, State.VALID, None),
        ("2001:db8:0:0:8000::/64", 64498, State.INVALID, "as"), ("2001:db8::/127", 64499, State.VALID, None),
        ("2001:db8:0:0:ffff::1/128", 64498, State.VALID, None), ("2001:db9::/48", 64496, State.NOT_FOUND, None),
    )  # fmt: skip

    def test_one_by_one_and_as_a_table(self) -> None:
        judge = validated(self.VRPS)
        for prefix, origin, state, reason in self.ROUTES:
            with self.subTest(prefix=prefix, origin=origin):
                family, address, length = parse_prefix(prefix)
                verdict = judge.validate(family, address, length, origin)
                self.assertEqual((verdict.state, verdict.reason), (state, reason))
                column = judge.validate_table(*table([(family, address, length, origin)], family))
                self.assertEqual(column.tolist(), [state])

    def test_a_verdict_lists_all_covering_vrps(self) -> None:
        verdict = validated(self.VRPS).validate(4, 0xC0000200, 25, 64497)
        self.assertEqual([(vrp.prefix, vrp.max_length) for vrp in verdict.matched], [("192.0.2.0/23", 25)])
        self.assertEqual([(vrp.prefix, vrp.max_length) for vrp in verdict.unmatched_length], [("192.0.2.0/23", 24)])
        self.assertEqual([(vrp.prefix, vrp.asn) for vrp in verdict.unmatched_as], [("192.0.2.0/24", 64496)])

    def test_states_have_their_usual_names(self) -> None:
        self.assertEqual([str(state) for state in State], ["not-found", "valid", "invalid"])

    def test_without_vrps_nothing_is_found(self) -> None:
        judge = validated([])
        self.assertEqual(judge.validate(4, 0, 0, 1), Verdict(State.NOT_FOUND))
        self.assertEqual(judge.validate_table(*table([(6, 0, 0, 1)], 6)).tolist(), [0])
        self.assertEqual(len(judge.validate_table(*table([], 4))), 0)

    def test_what_is_no_prefix_is_refused(self) -> None:
        for family, address, length in ((5, 0, 0), (4, 0, 33), (4, 1 << 32, 32), (6, -1, 0), (6, 0, 129), (4, 0, -1)):
            with self.subTest(family=family, address=address, length=length):
                self.assertRaises(ValueError, validated([]).validate, family, address, length, 1)


class TableTests(SynchronousTestCase):
    # Few bits that matter, so that prefixes meet: at the start, around the middle of IPv6, and at the end.
    addresses = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
    places = st.tuples(st.sampled_from((4, 6)), addresses, st.integers(0, 128))

    @staticmethod
    def prefix(place: tuple[int, tuple[int, int, int], int]) -> tuple[int, int, int]:
        family, (start, middle, end), length = place
        bits = BITS[family]
        length = min(length, bits) if length % 3 else (length % 9 + bits - 4) % (bits + 1)
        address = start << (bits - 2) | middle << (bits // 2 - 1) | end
        return family, address >> (bits - length) << (bits - length), length

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(st.tuples(places, st.integers(0, 128), st.integers(0, 3)), max_size=30),
        st.lists(st.tuples(places, st.integers(0, 3)), max_size=30),
    )
    def test_a_table_is_the_same_as_a_loop(
        self,
        roas: list[tuple[tuple[int, tuple[int, int, int], int], int, int]],
        announced: list[tuple[tuple[int, tuple[int, int, int], int], int]],
    ) -> None:
        vrps = []
        for place, more, asn in roas:
            family, address, length = self.prefix(place)
            vrps.append(Vrp(family, address, min(BITS[family], length + more), length, asn))
        routes = [(*self.prefix(place), origin) for place, origin in announced]
        judge = validated(vrps)
        for family in (4, 6):
            expected = [naive(vrps, route) for route in routes if route[0] == family]
            self.assertEqual(judge.validate_table(*table(routes, family)).tolist(), expected)
        for route in routes:
            self.assertEqual(judge.validate(*route).state, naive(vrps, route))

    def test_ten_thousand_vrps_for_one_prefix(self) -> None:
        judge = validated([Vrp(4, 0, 32, 0, asn) for asn in range(10_000)])
        network = int(ip_network("192.0.2.0/24").network_address)
        states = judge.validate_table(*table([(4, network, 24, origin) for origin in (0, 1, 9_999, 10_000)], 4))
        self.assertEqual(states.tolist(), [State.INVALID, State.VALID, State.VALID, State.INVALID])
        self.assertEqual(len(judge.validate(4, network, 24, 5).unmatched_as), 9_999)
