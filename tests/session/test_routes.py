from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.bracket import Bracket
from rotoro.session.routes import RotoroEncoder, ingress_pdu
from rotoro.table.attributes import AttributeStore
from rotoro.table.history import State
from rotoro.table.ingress import Ingress, IngressKind
from rotoro.table.serial import Position
from rotoro.table.slots import RouteSlot
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire import Decoder, Pdu
from rotoro.wire.bulk import Prefixes
from rotoro.wire.rotoro import AttributeSets, Begin, Commit, IngressHealth, IngressState, Routes4, Routes6
from rotoro.wire.rtr import Aspa, RouterKey
from tests.session.worlds import RPKI, Model, Routes, applied, changes, patient, snapshot, vrps

ROUTES = Routes()
POOL = {**RPKI, **ROUTES.pool}
START, END = Position(1, 2), Position(1, 3)


def decoded(pieces: list[bytes]) -> list[Any]:
    decoder = Decoder()
    decoder.receive(b"".join(pieces))
    return [pdu for _, pdu in decoder.items()]


def read(bracket: Bracket, pdus: list[Pdu]) -> list[Commit]:
    """Put a bracket together, as a follower does."""
    commits = []
    for pdu in pdus:
        match pdu:
            case IngressState():
                bracket.define_ingress(pdu)
            case AttributeSets():
                bracket.define_sets(pdu)
            case Routes4() | Routes6():
                bracket.add_routes(pdu)
            case Prefixes() | RouterKey() | Aspa():
                bracket.add_payload(pdu)
            case Commit():
                commits.append(pdu)
    return commits


def many(count: int, sets: int, store: AttributeStore, ingress: Ingress) -> Snapshot:
    """Routes with as many attribute sets as asked, in no order."""
    model: Model = {}
    for number in range(count):
        key = (10 << 24 | number << 8).to_bytes(4) + bytes([24]) + bytes(4)
        model[RouteSlot(4, ingress, store), key] = (b"\x40\x01\x01" + (number * 7919 % sets).to_bytes(2), number)
    return snapshot(model)


class EncoderTests(SynchronousTestCase):
    @patient
    @given(changes(POOL), changes(POOL), st.booleans())
    def test_a_follower_reads_what_was_written(self, first: Model, second: Model, small: bool) -> None:
        model = applied({}, first)
        before, after = snapshot(model), snapshot(applied(model, second))
        encoder = RotoroEncoder(5, max_pdu=64 + 40, max_sets=2) if small else RotoroEncoder(5)
        state = State(END, after)
        for base, pieces in (
            (EMPTY, encoder.snapshot(state)),
            (before, encoder.diff(before.diff(after), START, state)),
        ):
            pdus = decoded(list(pieces))
            self.assertIsInstance(pdus[0], Begin)
            bracket = Bracket(base, ROUTES.store, lambda ingress: ingress, encoder.max_sets)
            (commit,) = read(bracket, pdus)
            found = bracket.diff().apply(base)
            self.assertEqual((found.digest, found.count), (commit.digest, commit.count))
            self.assertEqual(found, after)

    def test_sets_are_forgotten_in_step(self) -> None:
        ingress, store, theirs = Ingress(1, IngressKind.BGP), AttributeStore(), AttributeStore()
        table = many(500, 100, store, ingress)
        for limit in (17, 32, 99, 100, 1000):
            encoder = RotoroEncoder(1, max_pdu=64 + 17 * 17, max_sets=limit)
            pdus = decoded(list(encoder.snapshot(State(END, table))))
            bracket = Bracket(EMPTY, theirs, lambda ingress: ingress, limit)
            (commit,) = read(bracket, pdus)
            self.assertEqual(bracket.diff().apply(EMPTY).digest, commit.digest)
            defined = sum(len(pdu.lengths) for pdu in pdus if isinstance(pdu, AttributeSets))
            self.assertEqual(defined == 100, limit >= 117, (limit, defined))
            self.assertTrue(
                all(
                    len(pdu.octets) + 2 * len(pdu.lengths) <= 64 + 17 * 17
                    for pdu in pdus
                    if isinstance(pdu, AttributeSets)
                )
            )

    def test_numbers_begin_at_0_in_each_bracket(self) -> None:
        ingress, store = Ingress(1, IngressKind.BGP), AttributeStore()
        store.intern_all([bytes([number]) for number in range(50)])
        table = many(5, 3, store, ingress)
        encoder = RotoroEncoder(1)
        for pieces in (encoder.snapshot(State(END, table)), encoder.diff(EMPTY.diff(table), START, State(END, table))):
            sets = [pdu for pdu in decoded(list(pieces)) if isinstance(pdu, AttributeSets)]
            self.assertEqual([pdu.first for pdu in sets], [0])

    def test_an_ingress_that_is_gone_is_one_pdu(self) -> None:
        slot_of = {slot.number: slot for slot, _ in ROUTES.pool if isinstance(slot, RouteSlot)}
        everything = {key: values[0] for key, values in ROUTES.pool.items()}
        before = snapshot(everything)
        after = snapshot({key: value for key, value in everything.items() if key[0].number != 8})  # type: ignore[attr-defined]
        diff = before.diff(after)
        pdus = decoded(list(RotoroEncoder(1).diff(diff, START, State(END, after))))
        self.assertEqual([type(pdu) for pdu in pdus], [Begin, IngressState, Commit])
        self.assertEqual(pdus[1], ingress_pdu(1, slot_of[8].ingress, closed=True))
        self.assertEqual(pdus[1].state, IngressHealth.CLOSED)
        streamed = decoded(list(RotoroEncoder(1, stream=True).diff(diff, START, State(END, after))))
        kinds = [IngressState, Routes4, Routes4, Routes6, Routes6, Commit]
        self.assertEqual(
            sorted({kind.__name__ for kind in map(type, streamed)}), sorted({kind.__name__ for kind in kinds})
        )
        self.assertEqual(streamed[0].state, slot_of[8].ingress.state)

    def test_a_number_that_another_ingress_got(self) -> None:
        one, store = Ingress(7, IngressKind.BGP, name="old"), AttributeStore()
        other = replace(one, name="new")
        before, after = many(3, 1, store, one), many(2, 1, store, other)
        pdus = decoded(list(RotoroEncoder(1).diff(before.diff(after), START, State(END, after))))
        bracket = Bracket(before, store, lambda ingress: ingress, 100)
        (commit,) = read(bracket, pdus)
        self.assertEqual(bracket.diff().apply(before).digest, commit.digest)

    def test_single_pairs_stand_outside_brackets_but_rpki_data_does_not(self) -> None:
        routes, store = many(2, 1, AttributeStore(), Ingress(1, IngressKind.BGP)), vrps(1)
        for table, first in ((routes, IngressState), (store, Begin)):
            pdus = decoded(list(RotoroEncoder(1, stream=True).diff(EMPTY.diff(table), START, State(END, table))))
            self.assertIsInstance(pdus[0], first)
            self.assertIsInstance(pdus[-1], Commit)

    def test_numbers_of_two_stores_are_two_things(self) -> None:
        one, other = (many(3, 2, AttributeStore(), Ingress(number, IngressKind.BGP)) for number in (1, 2))
        (slot,) = other
        slot.attributes.octets[0] = b"\x40\x01\x01\x07\x07"  # type: ignore[attr-defined]
        table = Snapshot.of({**one, **other})
        pdus = decoded(list(RotoroEncoder(1).snapshot(State(END, table))))
        defined = b"".join(pdu.octets for pdu in pdus if isinstance(pdu, AttributeSets))
        self.assertIn(b"\x07\x07", defined)

    def test_rows_of_the_least_size(self) -> None:
        table = many(3, 1, AttributeStore(), Ingress(1, IngressKind.BGP))
        (run,) = (
            pdu for pdu in decoded(list(RotoroEncoder(1).snapshot(State(END, table)))) if isinstance(pdu, Routes4)
        )
        self.assertEqual((run.flags, len(run.rows)), (1 | 4, 3 * 13))  # announced, with time offsets
        self.assertEqual(run.tick, 1_000_000)
