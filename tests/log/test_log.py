"""Whatever a writer does, and whatever compaction makes of it, a reader has the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.log import written
from rotoro.log.cells import Cell, all_of, cell_of, lying_in, numbered, partition_of, touched
from rotoro.log.read import Message, ValueReader
from rotoro.log.reader import Marks, Taking, Waiting, leaving, pieces
from rotoro.log.writer import LogWriter, Step
from rotoro.session.bracket import Bracket
from rotoro.table import EMPTY, AttributeStore, History, Ingress, IngressKind, Records, RouteSlot, Slot, Snapshot
from rotoro.wire.codec import decode
from rotoro.wire.errors import CorruptData
from rotoro.wire.rotoro import AttributeSets, Begin, Commit, Health, IngressState, Routes4, Routes6
from tests.table.worlds import patient

PARTITIONS = 3
PEERS = [
    Ingress(1, IngressKind.BGP, b"\xc0\0\2\1", 64496, name="one"),
    Ingress(2, IngressKind.BMP, bytes(16), 64497, distinguisher=7, name="two"),
]
SETS = [b"\x40\x01\x01" + bytes([number]) * 37 for number in range(8)]
STARTS = {4: [0, 256, 1 << 17, 1 << 18, 10 << 24, (1 << 32) - 256],
          6: [0, 0x20010DB8 << 96, (0x20010DB8 << 96) + 256, ((1 << 128) - 1) & ~0xFF]}  # fmt: skip

Route = tuple[int, int, bytes]
"""Which peer, family, key."""
Model = dict[Route, tuple[int, int]]
"""Attribute set and time of each route."""


def keys(family: int) -> list[bytes]:
    octets = 4 if family == 4 else 16
    bits = 8 * octets
    places = product(STARTS[family], (8, bits - 8, bits), (0, 1))
    made = [(start & ~((1 << bits - length) - 1), length, path) for start, length, path in places]
    return sorted({address.to_bytes(octets) + bytes([length]) + path.to_bytes(4) for address, length, path in made})


ROUTES = st.sampled_from([(peer, family, key) for peer in (0, 1) for family in (4, 6) for key in keys(family)])
MODELS = st.dictionaries(ROUTES, st.tuples(st.integers(0, 7), st.integers(0, 3)), max_size=25)


class West:
    """A table that changes."""

    def __init__(self) -> None:
        self.store = AttributeStore()
        self.history = History(1)

    def become(self, model: Model) -> None:
        slots: dict[Slot, list[tuple[bytes, int, int]]] = {}
        for (peer, family, key), (number, time) in model.items():
            slot = RouteSlot(4 if family == 4 else 6, PEERS[peer], self.store)
            slots.setdefault(slot, []).append((key, self.store.intern(SETS[number]), time))
        made = {slot: Records.of(slot, *map(list, zip(*rows, strict=True))) for slot, rows in slots.items()}
        self.diff = self.history.commit(Snapshot.of(made))


class East:
    """A table made of a log."""

    def __init__(self) -> None:
        self.store, self.history = AttributeStore(), History(2)
        self.values, self.taking = ValueReader(), Taking(self.store, lambda described: described)
        self.marks = Marks()
        self.refused: list[str] = []

    def take(self, messages: Iterable[Message], octets: int = 1 << 20) -> None:
        left = []
        for partition, key, value in messages:
            if not self.marks.take(partition, key, value):
                left.append((partition, key, value))
        for piece in pieces(left, octets):
            for batch in self.values.batches(piece, PARTITIONS):
                numbers = np.concatenate([np.empty(0, np.uint32), *self.taking.intern(batch)])
                self.history.commit_diff(self.taking.diff(self.history.snapshot, batch, numbers))
                self.refused += [refused.why for refused in batch.refused]


def state(snapshot: Snapshot) -> dict[tuple[int, int, bytes], tuple[bytes, int]]:
    """What a table says, without the numbers of its sets."""
    found: dict[tuple[int, int, bytes], tuple[bytes, int]] = {}
    for slot, records in snapshot.items():
        assert isinstance(slot, RouteSlot)
        assert records.values is not None
        assert records.times is not None
        for row, (value, time) in enumerate(zip(records.values.tolist(), records.times.tolist(), strict=True)):
            found[slot.family, slot.ingress.digest, records.key(row)] = slot.attributes.octets[value], time
    return found


class Log:
    """What brokers keep: partitions whose records stay in order, of which compaction may take away older ones."""

    def __init__(self) -> None:
        self.records: list[list[Message]] = [[] for _ in range(PARTITIONS)]

    def put(self, step: Step) -> None:
        for partition, key, value in step.records:
            self.records[partition].append((partition, key, value))

    def compact(self, upto: float, *, tombstones: bool) -> None:
        """The older part of each partition; with `tombstones` those go, too, that are the last of their key."""
        for partition, records in enumerate(self.records):
            dirty = int(len(records) * upto)
            last = {key: place for place, (_, key, _) in enumerate(records[:dirty])}
            kept = [each for place, each in enumerate(records[:dirty]) if last[each[1]] == place]
            kept = [each for each in kept if not tombstones or each[2] is not None]
            self.records[partition] = kept + records[dirty:]

    def __iter__(self) -> Iterator[Message]:
        return (message for records in self.records for message in records)


class Move(NamedTuple):
    """One thing that happens."""

    model: Model
    restart: bool
    compact: tuple[float, bool] | None


MOVES = st.lists(
    st.builds(Move, MODELS, st.booleans(), st.none() | st.tuples(st.floats(0, 1), st.booleans())),
    min_size=1,
    max_size=6,
)


def begun(log: Log, epoch: int, name: str = "w") -> LogWriter:
    writer = LogWriter(name, PARTITIONS, epoch)
    for _, key, value in log:
        writer.read_back(key, value)
    return writer


def put(log: Log, writer: LogWriter, steps: Iterable[Step]) -> None:
    for step in steps:
        log.put(step)
        writer.done(step)


class LogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(
            written, "MOST_OCTETS", written._REST + 6 * (42 + 29)
        )  # so that cells are cut, but those of one address fit

    @patient
    @given(MOVES, st.integers(1, 400))
    def test_a_reader_has_what_the_writer_has_whatever_happens(self, moves: Sequence[Move], octets: int) -> None:
        log, west, follower, seen = Log(), West(), East(), 0
        writer = begun(log, 1)
        for number, move in enumerate(moves, 2):
            west.become(move.model)
            told: list[Message] = []
            before = [list(records) for records in log.records]
            if move.restart:
                writer = begun(log, number)
                put(log, writer, writer.steps(west.history.snapshot, all_of(west.history.snapshot)))
                put(log, writer, writer.sweep(west.history.snapshot))
            elif west.diff is not None:
                put(log, writer, writer.steps(west.history.snapshot, touched(west.diff)))
            for old, new in zip(before, log.records, strict=True):
                told += new[len(old) :]
            seen += len(told)
            follower.take(told, octets)
            self.assertEqual(follower.history.snapshot.digest, west.history.snapshot.digest)
            if move.compact is not None:
                log.compact(move.compact[0], tombstones=move.compact[1])
        fresh = East()
        fresh.take(log, octets)
        self.assertEqual(fresh.history.snapshot.digest, west.history.snapshot.digest)
        self.assertEqual(fresh.history.snapshot.count, west.history.snapshot.count)
        self.assertEqual(Snapshot.of(fresh.history.snapshot).digest, west.history.snapshot.digest)
        self.assertEqual([*fresh.refused, *follower.refused], [])
        waiting = [Waiting(partition) for partition in range(PARTITIONS)]
        for partition, key, value in log:
            waiting[partition].add(key, value)
        late = East()
        late.take([message for each in waiting for message in each.take()])
        self.assertEqual(late.history.snapshot.digest, west.history.snapshot.digest)

    @patient
    @given(MODELS)
    def test_partitions_are_parts_of_the_table_that_add_up(self, model: Model) -> None:
        log, west = Log(), West()
        west.become(model)
        writer = begun(log, 1)
        put(log, writer, writer.steps(west.history.snapshot, all_of(west.history.snapshot)))
        whole, parts = East(), []
        whole.take(log)
        for partition, records in enumerate(log.records):
            east = East()
            east.take(records)
            parts.append(east.history.snapshot)
            self.assertEqual(
                leaving(east.history.snapshot, [partition], PARTITIONS).apply(east.history.snapshot), EMPTY
            )
            others = [other for other in range(PARTITIONS) if other != partition]
            left = leaving(whole.history.snapshot, others, PARTITIONS).apply(whole.history.snapshot)
            self.assertEqual(left.digest, parts[-1].digest)
        self.assertEqual(sum(part.digest for part in parts) % (1 << 64), west.history.snapshot.digest)
        self.assertEqual(sum(part.count for part in parts), west.history.snapshot.count)

    @patient
    @given(MODELS)
    def test_what_comes_out_is_what_went_in(self, model: Model) -> None:
        log, west, east = Log(), West(), East()
        west.become(model)
        writer = begun(log, 1)
        put(log, writer, writer.steps(west.history.snapshot, all_of(west.history.snapshot)))
        east.take(log)
        self.assertEqual(state(east.history.snapshot), state(west.history.snapshot))
        again = begun(log, 2)
        self.assertEqual(list(again.steps(west.history.snapshot, all_of(west.history.snapshot))), [])
        self.assertEqual([step.records for step in again.sweep(west.history.snapshot)], [])

    @patient
    @given(MODELS)
    def test_a_value_is_a_bracket_of_rotoro(self, model: Model) -> None:
        log, west = Log(), West()
        west.become(model)
        writer = begun(log, 9)
        put(log, writer, writer.steps(west.history.snapshot, all_of(west.history.snapshot)))
        store = AttributeStore()
        for _, key, value in log:
            begin, ingress, sets, run, commit = pdus(value)
            assert isinstance(begin, Begin)
            assert isinstance(commit, Commit)
            assert isinstance(ingress, IngressState)
            assert isinstance(sets, AttributeSets)
            assert isinstance(run, Routes4 | Routes6)
            bracket = Bracket(EMPTY, store, lambda described: described, 1 << 16)
            bracket.define_ingress(ingress)
            bracket.define_sets(sets)
            bracket.add_routes(run)
            diff = bracket.diff()
            self.assertEqual((begin.epoch, commit.epoch), (9, 9))
            self.assertEqual((diff.count, diff.digest_change), (commit.count, commit.digest))
            self.assertEqual(
                {slot.ingress.digest for slot in diff if isinstance(slot, RouteSlot)}, {cell_of(key).ingress}
            )

    def test_marks(self) -> None:
        log, east = Log(), East()
        writer = begun(log, 1)
        self.assertFalse(writer.had_marks)
        put(log, writer, [writer.marks(Health.HEALTHY, complete=False)])
        put(log, writer, [writer.marks(Health.STALLED, complete=True)])
        east.take(log)
        for partition in range(PARTITIONS):
            self.assertEqual([tuple(mark) for mark in east.marks.of(partition)], [("w", Health.STALLED, True)])
        again = begun(log, 2)
        self.assertTrue(again.had_marks and again.was_complete)
        self.assertFalse(begun(log, 2, "another").had_marks)
        east.marks.drop(1)
        self.assertEqual([len(east.marks.of(partition)) for partition in range(PARTITIONS)], [1, 0, 1])

    def test_writers_do_not_touch_what_others_have(self) -> None:
        log, west = Log(), West()
        west.become({(0, 4, bytes(9)): (0, 0)})
        one = begun(log, 1, "one")
        put(log, one, one.steps(west.history.snapshot, all_of(west.history.snapshot)))
        other = begun(log, 1, "other")
        self.assertEqual(other.cells, 0)
        self.assertEqual(list(other.sweep(EMPTY)), [])

    def test_a_cell_of_one_address_is_cut_off_and_counted(self) -> None:
        self.patch(written, "MOST_OCTETS", written._REST + 17 * 40)
        log, west, east = Log(), West(), East()
        address = bytes([192, 0, 2, 1, 32])
        west.become({(0, 4, address + path.to_bytes(4)): (0, 0) for path in range(200)})
        writer = begun(log, 1)
        steps = list(writer.steps(west.history.snapshot, all_of(west.history.snapshot)))
        for step in steps:
            log.put(step)
        east.take(log)
        self.assertEqual(sum(step.left_out for step in steps) + east.history.snapshot.count, 200)
        self.assertGreater(east.history.snapshot.count, 0)


class BadLogTests(SynchronousTestCase):
    """What is no record of ours is refused as a whole, and nothing else."""

    def setUp(self) -> None:
        self.log, west = Log(), West()
        west.become(
            {(0, 4, bytes([10, 0, 0, 0, 8]) + bytes(4)): (0, 1), (0, 4, bytes([10, 0, 1, 0, 24]) + bytes(4)): (1, 2)}
        )
        writer = begun(self.log, 1)
        put(self.log, writer, writer.steps(west.history.snapshot, all_of(west.history.snapshot)))
        ((self.partition, self.key, value),) = list(self.log)
        assert value is not None
        self.value = value
        self.digest = west.history.snapshot.digest

    @patient
    @given(st.data())
    def test_a_changed_octet(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.value) - 1))
        octet = data.draw(st.integers(0, 255))
        broken = self.value[:place] + bytes([octet]) + self.value[place + 1 :]
        east = East()
        east.take([(self.partition, self.key, broken)])
        snapshot = east.history.snapshot
        self.assertEqual(Snapshot.of(snapshot).digest, snapshot.digest)
        self.assertIn((snapshot.digest, bool(east.refused)), [(self.digest, False), (0, True)])

    @patient
    @given(st.data())
    def test_a_piece(self, data: st.DataObject) -> None:
        east = East()
        east.take([(self.partition, self.key, self.value[: data.draw(st.integers(0, len(self.value) - 1))])])
        self.assertEqual((east.history.snapshot.count, len(east.refused)), (0, 1))

    @patient
    @given(st.binary(max_size=60))
    def test_any_key(self, key: bytes) -> None:
        east = East()
        try:
            east.take([(self.partition, key, self.value), (self.partition, self.key, self.value)])
        except CorruptData:
            self.assertEqual(len(key), 8)  # a mark
            return
        self.assertEqual(east.history.snapshot.digest, self.digest)
        self.assertEqual(len(east.refused), 1)

    def test_another_partition(self) -> None:
        east = East()
        east.take([((self.partition + 1) % PARTITIONS, self.key, self.value)])
        self.assertIn("in partition", east.refused[0])

    def test_what_was_there_stays(self) -> None:
        east = East()
        east.take([(self.partition, self.key, self.value), (self.partition, self.key, self.value[:-1])])
        self.assertEqual((east.history.snapshot.digest, len(east.refused)), (self.digest, 1))

    def test_a_writer_replaces_what_it_cannot_read(self) -> None:
        self.log.records[self.partition].append((self.partition, self.key, b"?"))
        writer = begun(self.log, 2)
        self.assertEqual([record[1:] for step in writer.sweep(EMPTY) for record in step.records], [(self.key, None)])


class CellTests(SynchronousTestCase):
    @patient
    @given(ROUTES)
    def test_a_route_lies_in_one_cell_whose_halves_make_it(self, route: Route) -> None:
        _, family, key = route
        octets = 4 if family == 4 else 16
        number = int.from_bytes(key[:octets]) >> 8 * octets - (14 if family == 4 else 24)
        cell = numbered(1, 2, family, number)
        while True:
            self.assertEqual(cell_of(cell.key), cell)
            self.assertTrue(inside(cell, key))
            if cell.length == 8 * octets:
                break
            (cell,) = [half for half in cell.halves() if inside(half, key)]
        self.assertRaises(ValueError, cell.halves)
        where = partition_of(key[:octets], 12)
        for wanted in range(12):
            in_it = lying_in(family, np.array([key], f"S{len(key)}"), [wanted], 12).tolist()
            self.assertEqual(in_it, [wanted == where])


def inside(cell: Cell, key: bytes) -> bool:
    low, high = cell.bounds
    return low <= key and (high is None or key < high)


def pdus(value: bytes | None) -> list[object]:
    assert value is not None
    found: list[object] = []
    at = 0
    while at < len(value):
        length = int.from_bytes(value[at + 4 : at + 8])
        found.append(decode(value[at : at + length])[1])
        at += length
    return found
