from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import rotoro.session.bracket
from rotoro.session.bracket import Bracket
from rotoro.session.routes import ingress_pdu
from rotoro.table.attributes import AttributeStore
from rotoro.table.ingress import Ingress, IngressKind, IngressState
from rotoro.table.slots import RouteSlot
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.errors import CorruptData, LimitExceeded, UnknownWithdrawal
from rotoro.wire.rotoro import AttributeSets, IngressHealth, Routes4
from rotoro.wire.rtr import Aspa, RouterKey
from tests.session.worlds import snapshot

PEER = Ingress(7, IngressKind.BGP, b"\xc0\0\2\1", 64496)
SETS = AttributeSets(1, 0, (4, 4), bytes.fromhex("40010100 40010101"))


def run(*rows: str, announce: bool = True, ingress: int = 7) -> Routes4:
    return Routes4(1, int(announce), ingress, 5_000_000, 1, bytes.fromhex(" ".join(rows)))


class BracketTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = AttributeStore()
        self.store.intern(b"something of ours")
        self.bracket = self.new()

    def new(self, base: Snapshot = EMPTY, max_sets: int = 100) -> Bracket:
        bracket = Bracket(base, self.store, lambda ingress: replace(ingress, number=70), max_sets)
        bracket.define_ingress(ingress_pdu(1, PEER, closed=False))
        return bracket

    def table(self, **routes: str) -> Snapshot:
        slot = RouteSlot(4, replace(PEER, number=70), self.store)
        return snapshot(
            {(slot, bytes.fromhex(key[1:] + "00000000")): (bytes.fromhex(octets), 5) for key, octets in routes.items()}
        )

    def test_numbers_of_the_peer_become_ours(self) -> None:
        self.bracket.define_sets(SETS)
        self.bracket.add_routes(run("080a000000 00000001", "080b000000 00000000"))
        expected = self.table(k0a00000008="40010101", k0b00000008="40010100")
        self.assertEqual(self.bracket.diff().apply(EMPTY), expected)
        self.assertEqual(self.bracket.count, 2)
        (rows,) = self.bracket.rows()
        self.assertEqual((rows.slot.name, len(rows.keys)), ("route4 of ingress 70", 2))

    def test_sets_that_cannot_be_are_not_kept(self) -> None:
        def check(sets: Iterable[bytes]) -> None:
            checked.extend(sets)
            raise CorruptData("no record")

        checked: list[bytes] = []
        before = list(self.store.octets)
        bracket = Bracket(EMPTY, self.store, lambda ingress: ingress, 100, check)
        self.assertRaises(CorruptData, bracket.define_sets, SETS)
        self.assertEqual(checked, [bytes.fromhex("40010100"), bytes.fromhex("40010101")])
        self.assertEqual(self.store.octets, before)

    def test_the_last_row_of_a_key_wins(self) -> None:
        self.bracket.define_sets(SETS)
        self.bracket.add_routes(run("080a000000 00000001", "080b000000 00000001"))
        self.bracket.add_routes(run("080a000000", announce=False))
        self.bracket.add_routes(run("080b000000 00000000"))
        self.assertEqual(self.bracket.diff().apply(EMPTY), self.table(k0b00000008="40010100"))

    def test_a_closed_ingress_takes_its_routes_along(self) -> None:
        base = self.table(k0a00000008="40010101", k0b00000008="40010100")
        bracket = self.new(base)
        bracket.define_ingress(ingress_pdu(1, PEER, closed=True))
        self.assertEqual(bracket.diff().apply(base), EMPTY)
        other = self.new(base)
        other.define_ingress(replace(ingress_pdu(1, PEER, closed=False), state=IngressHealth.CLOSED, name="another"))
        self.assertEqual(other.diff().apply(base), base)

    def test_what_is_refused(self) -> None:
        bad: list[tuple[type[Exception], Any, Any]] = [
            (CorruptData, "add_routes", run("080a000000 00000000", ingress=8)),
            (CorruptData, "add_routes", run("080a000000 00000000")),
            (CorruptData, "add_routes", run("080a000000 000000")),
            (CorruptData, "add_routes", run("080a010000", announce=False)),
            (CorruptData, "add_routes", run("210a000000", announce=False)),
            (CorruptData, "define_sets", replace(SETS, first=1)),
            (CorruptData, "define_ingress", replace(ingress_pdu(1, PEER, closed=False), kind=99)),
            (CorruptData, "define_ingress", replace(ingress_pdu(1, PEER, closed=False), view=99)),
        ]
        for error, method, pdu in bad:
            with self.subTest(method=method, pdu=pdu):
                self.setUp()
                self.assertRaises(error, getattr(self.bracket, method), pdu)

    def test_a_forgotten_set_is_not_defined(self) -> None:
        bracket = self.new(max_sets=2)
        bracket.define_sets(SETS)
        bracket.add_routes(run("080b000000 00000000", "080c000000 00000001"))
        bracket.define_sets(replace(SETS, first=2))
        bracket.add_routes(run("080a000000 00000002"))
        self.assertRaises(CorruptData, bracket.add_routes, run("080a000000 00000001"))
        self.assertRaises(CorruptData, bracket.add_routes, run("080a000000 00000004"))

    def test_limits(self) -> None:
        self.patch(rotoro.session.bracket, "MAX_ROWS", 2)
        self.patch(rotoro.session.bracket, "MAX_INGRESSES", 1)
        greedy = self.new(max_sets=3)
        greedy.define_sets(SETS)
        self.assertRaises(LimitExceeded, greedy.define_sets, replace(SETS, first=2))
        self.bracket.add_payload(RouterKey(1, bytes(20), 1, b""))
        self.bracket.add_payload(RouterKey(1, bytes(20), 2, b""))
        self.assertRaises(LimitExceeded, self.bracket.add_payload, RouterKey(1, bytes(20), 3, b""))
        self.assertRaises(LimitExceeded, self.bracket.add_routes, run("080a000000", announce=False))
        self.assertRaises(LimitExceeded, self.bracket.define_ingress, ingress_pdu(1, replace(PEER, number=9), False))

    def test_a_known_ingress_is_told_again_at_the_limit(self) -> None:
        self.patch(rotoro.session.bracket, "MAX_INGRESSES", 1)
        self.bracket.define_ingress(ingress_pdu(1, replace(PEER, state=IngressState.DOWN), False))

    def test_what_costs_more_than_its_rows(self) -> None:
        for limit in ("MAX_RUNS", "MAX_OCTETS"):
            with self.subTest(limit=limit):
                self.setUp()
                self.bracket.define_sets(SETS)
                self.patch(rotoro.session.bracket, limit, 1 if limit == "MAX_RUNS" else 9)
                self.assertRaises(LimitExceeded, self.bracket.define_sets, replace(SETS, first=2))

    def test_times_that_no_table_can_keep(self) -> None:
        late = replace(run("080a000000", announce=False), time=(1 << 64) - 1)
        self.bracket.add_routes(late)
        (rows,) = self.bracket.rows()
        assert rows.times is not None
        self.assertEqual(rows.times.tolist(), [0xFFFFFFFF])

    def test_withdrawals_of_routes_are_idempotent_and_of_rpki_data_are_not(self) -> None:
        self.bracket.add_routes(run("080a000000", announce=False))
        self.assertEqual(self.bracket.diff().count, 0)
        self.bracket.add_payload(Aspa(0, 1, ()))
        self.assertRaises(UnknownWithdrawal, self.bracket.diff)
