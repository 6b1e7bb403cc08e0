"""Which records are wanted, compared with a plain reading of each."""

from __future__ import annotations

from ipaddress import ip_network

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.gateway.chosen_rows import Wanted
from rotonda.rib.prefixes import Prefix
from rotonda.rib.query import Match
from rotonda.rpki.records import Vrp
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import ASPA, VRP4, VRP6, AttributeStore, Ingress, IngressKind, Records, RouteSlot
from tests.gateway.copies import prefix_text

MATCHES = st.sampled_from([Match.EXACT, Match.LONGER, Match.SHORTER])


@st.composite
def prefixes(draw: st.DrawFn, family: int) -> Prefix:
    """Prefixes that are often within each other."""
    bits = 32 if family == 4 else 128
    length = draw(st.integers(0, 6) | st.integers(0, bits))
    address = draw(st.integers(0, 15)) << bits - 4 | draw(st.sampled_from([0, 1]))
    address = address >> bits - length << bits - length if length else 0
    return Prefix(family, address.to_bytes(bits // 8), length)


def is_wanted(asked: Prefix, match: Match, text: str) -> bool:
    """The same by the standard library."""
    own, other = ip_network(asked.text), ip_network(text)
    if own.version != other.version:
        return False
    if match is Match.EXACT:
        return own == other
    inner, outer = (other, own) if match is Match.LONGER else (own, other)
    return inner.subnet_of(outer)  # type: ignore[arg-type]  # of one family


class RouteTests(SynchronousTestCase):
    def check(self, family: int, held: list[Prefix], asked: Prefix, match: Match) -> None:
        slot = RouteSlot(4 if family == 4 else 6, Ingress(0, IngressKind.BGP), AttributeStore())
        keys = sorted({each.low[:-1] + bytes([path]) for path, each in enumerate(held)})
        records = Records.of(slot, keys, np.zeros(len(keys), np.uint32))
        wanted = Wanted(asked, match)
        self.assertTrue(wanted.concerns(slot))
        found = [part.key(row) for part in wanted.parts(slot, records) for row in range(len(part))]
        self.assertEqual(found, [key for key in keys if is_wanted(asked, match, prefix_text(key))])

    @settings(deadline=None)
    @given(st.lists(prefixes(4), max_size=30), prefixes(4), MATCHES)
    def test_ipv4(self, held: list[Prefix], asked: Prefix, match: Match) -> None:
        self.check(4, held, asked, match)

    @settings(deadline=None)
    @given(st.lists(prefixes(6), max_size=30), prefixes(6), MATCHES)
    def test_ipv6(self, held: list[Prefix], asked: Prefix, match: Match) -> None:
        self.check(6, held, asked, match)

    def test_without_a_prefix_all_are(self) -> None:
        slot = RouteSlot(4, Ingress(0, IngressKind.BGP), AttributeStore())
        records = Records.of(slot, [bytes(9)], np.zeros(1, np.uint32))
        self.assertEqual(list(Wanted().parts(slot, records)), [records])

    def test_slots(self) -> None:
        slot = RouteSlot(6, Ingress(3, IngressKind.BGP, bytes(16), 64500), AttributeStore())
        for wanted, expected in [
            (Wanted(), True), (Wanted(family=6), True), (Wanted(family=4), False), (Wanted(ingress=3), True),
            (Wanted(ingress=4), False), (Wanted(peer=bytes(16)), True), (Wanted(peer=bytes(4)), False),
            (Wanted(peer_as=64500), True), (Wanted(peer_as=1), False), (Wanted(Prefix.parse("10.0.0.0/8")), False),
        ]:  # fmt: skip
            with self.subTest(wanted=wanted):
                self.assertEqual(wanted.concerns(slot), expected)


class PayloadTests(SynchronousTestCase):
    def check(self, family: int, held: list[Prefix], asked: Prefix, match: Match) -> None:
        slot = VRP4 if family == 4 else VRP6
        vrps = {
            Vrp(family, int.from_bytes(each.address), each.length, each.length, asn): each.text
            for asn, each in enumerate(held)
        }
        records = Records.of(slot, [vrp.key() for vrp in vrps])
        wanted = Wanted(asked, match)
        found = [part.key(row) for part in wanted.parts(slot, records) for row in range(len(part))]
        expected = sorted(vrp.key() for vrp, text in vrps.items() if is_wanted(asked, match, text))
        self.assertEqual(found, expected)

    @settings(deadline=None)
    @given(st.lists(prefixes(4), max_size=30), prefixes(4), MATCHES)
    def test_ipv4(self, held: list[Prefix], asked: Prefix, match: Match) -> None:
        self.check(4, held, asked, match)

    @settings(deadline=None)
    @given(st.lists(prefixes(6), max_size=30), prefixes(6), MATCHES)
    def test_ipv6(self, held: list[Prefix], asked: Prefix, match: Match) -> None:
        self.check(6, held, asked, match)

    def test_slots(self) -> None:
        prefix = Wanted(Prefix.parse("10.0.0.0/8"))
        self.assertEqual([prefix.concerns(slot) for slot in (VRP4, VRP6, ASPA)], [True, False, False])
        self.assertEqual([Wanted(family=6).concerns(slot) for slot in (VRP4, VRP6, ASPA)], [False, True, False])
        self.assertEqual([Wanted(peer_as=1).concerns(slot) for slot in (VRP4, VRP6, ASPA)], [False] * 3)
        self.assertEqual([Wanted().concerns(slot) for slot in (VRP4, VRP6, ASPA)], [True] * 3)
