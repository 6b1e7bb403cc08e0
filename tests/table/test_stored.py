"""Tests for L{rotoro.table.stored}: a table comes back as it was, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.diff import Diff
from rotoro.table.history import History, State, Step
from rotoro.table.records import Records
from rotoro.table.sealed import BadStored
from rotoro.table.serial import Position
from rotoro.table.slots import ASPA, ROUTER_KEY, VRP4, VRP6
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.table.stored import MAX_LOST, Part, Promise, Stored, read_table, resumed, write_table
from tests.table.worlds import patient

WHO = ("connector-c.rpki", "/some/vrps.json")


def vrps(*numbers: int) -> Records:
    return Records.of(VRP4, [bytes([192, 0, 2, number, 32, 32, 0, 0, 251, 240]) for number in numbers])


def table(*numbers: int) -> Snapshot:
    """A table with records of all kinds, some of them always there."""
    six = Records.of(VRP6, [bytes(16) + bytes([128, 64, 0, 0, 251, number]) for number in numbers[:2]])
    keys = Records.of(ROUTER_KEY, [bytes(19) + bytes([number, 0, 0, 0, 1, number, 0, 0, 0, 1]) for number in numbers])
    aspas = Records.of(ASPA, [b"\0\0\0\1"], [b"".join(number.to_bytes(4) for number in sorted(numbers))])
    return Snapshot.of({VRP4: vrps(*numbers), VRP6: six, ROUTER_KEY: keys, ASPA: aspas})


def stored(*sets: tuple[int, ...], serial: int = 7) -> Stored:
    history = History(5, serial)
    for numbers in sets:
        history.commit(table(*numbers))
    part = Part("tcp:192.0.2.1:323", "rtr", 2, Position(9, 4), (3600, 600, 7200), 1.5e9, history.snapshot)
    other = replace(part, version=0x80, table="w.rpki", snapshot=table(1, 99))
    return Stored(*WHO, 1.4e9, {0: 10, 1: 11, 2: 12}, history.state, history.steps, (part, other))


def read(octets: bytes) -> Stored:
    return read_table(octets, *WHO)


STORED = stored((1, 2), (2, 3), (3,))
OCTETS = b"".join(write_table(STORED))


class TableTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        found = read(OCTETS)
        self.assertEqual(found, STORED)
        self.assertIs(found.parts[0].snapshot, found.state.snapshot, "what is the same is kept once")

    @given(st.lists(st.sets(st.integers(0, 255), max_size=5).map(lambda found: tuple(sorted(found))), min_size=1))
    @patient
    def test_any(self, sets: list[tuple[int, ...]]) -> None:
        whole = stored(*sets)
        self.assertEqual(read(b"".join(write_table(whole))), whole)

    def test_nothing_at_all(self) -> None:
        nothing = Stored(*WHO, 0.0, {}, State(Position(0, 0), EMPTY))
        self.assertEqual(read(b"".join(write_table(nothing))), nothing)

    def test_every_cut(self) -> None:
        for length in range(len(OCTETS)):
            self.assertRaises(BadStored, read, OCTETS[:length])

    def test_every_octet_damaged(self) -> None:
        for place in range(len(OCTETS)):
            for bit in (1, 0x80):
                damaged = bytearray(OCTETS)
                damaged[place] ^= bit
                self.assertRaises(BadStored, read, bytes(damaged))

    def test_anothers(self) -> None:
        for owner, sources in (("rib-c.rpki", WHO[1]), (WHO[0], "/other/vrps.json")):
            self.assertRaises(BadStored, read_table, OCTETS, owner, sources)

    def test_contradictions_under_a_right_digest(self) -> None:
        state, steps = STORED.state, STORED.steps
        other = Snapshot(dict(state.snapshot), state.snapshot.count, state.snapshot.digest ^ 1)
        changes: list[dict[str, Any]] = [
            {"state": State(state.position, other)},
            {"state": State(Position(5, 8), state.snapshot)},
            {"state": State(state.position, table(77))},
            {"steps": steps[::-1]},
            {"steps": steps[:1] * 2},
            {"steps": (Step(3, table(50).diff(table(4))),)},
        ]
        for change in changes:
            with self.subTest(change=list(change)):
                self.assertRaises(BadStored, read, b"".join(write_table(replace(STORED, **change))))


class PromiseTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        self.assertEqual(Promise.read(Promise(2**64 - 1, 1044).write()), Promise(2**64 - 1, 1044))

    def test_every_cut_and_every_bit(self) -> None:
        whole = Promise(5, 1033).write()
        for length in range(len(whole)):
            self.assertRaises(BadStored, Promise.read, whole[:length])
        for bit in range(8 * len(whole)):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            self.assertRaises(BadStored, Promise.read, bytes(damaged))

    def test_a_table_is_no_promise(self) -> None:
        self.assertRaises(BadStored, Promise.read, OCTETS)
        self.assertRaises(BadStored, read, Promise(5, 9).write())


class ResumedTests(SynchronousTestCase):
    def test_after_a_stop_in_good_order(self) -> None:
        self.assertEqual(resumed(STORED, Promise(5, 9)), (STORED.state, STORED.steps))

    def test_after_any_other_stop_behind_all_that_may_have_been_told(self) -> None:
        state, steps = resumed(STORED, Promise(5, 1033))
        history = History(1)
        history.resume(state, steps)
        self.assertEqual(history.position, Position(5, 1034))
        known = {serial for serial in range(2000) if history.since(serial) is not None}
        self.assertEqual(known, {7, 8, 9, 1034})
        self.assertEqual(history.since(9), Diff({}, 0))
        self.assertEqual(history.since(7), table(1, 2).diff(table(3)))

    def test_what_does_not_go_together(self) -> None:
        for promise in (Promise(5, 8), Promise(6, 9), Promise(5, 10 + MAX_LOST), Promise(5, 2**64 - 1)):
            self.assertRaises(BadStored, resumed, STORED, promise)
