from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.bgp.update import NO_SET, RouteBatch
from rotonda.rib.builder import TableBuilder
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, AttributeStore, History, RouteSlot, Snapshot
from tests.rib.tables import SETS, ingresses, key

INGRESSES = ingresses(3)
Row = tuple[bool, int, bytes, int, int]
Table = dict[tuple[int, int, bytes], bytes]


def batch(family: int, rows: list[Row]) -> RouteBatch:
    announce, peers, keys, sets, times = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return RouteBatch(
        family,
        np.array(announce, np.bool_),
        np.array(peers, np.uint32),
        np.frombuffer(b"".join(keys), "S9" if family == 4 else "S21"),
        np.array(sets, np.uint32),
        np.array(times, np.uint32),
    )


def random_rows(chance: random.Random, family: int, count: int, paths: tuple[int, ...]) -> list[Row]:
    rows: list[Row] = []
    for _ in range(count):
        announce = chance.random() < 0.7
        rows.append(
            (
                announce,
                chance.randrange(3),
                key(family, chance.randrange(6) << 8, chance.choice((16, 24)), chance.choice(paths)),
                chance.randrange(len(SETS)) if announce else NO_SET,
                chance.randrange(1 << 32),
            )
        )
    return rows


def plain(snapshot: Snapshot) -> Table:
    table: Table = {}
    for slot, records in snapshot.items():
        assert isinstance(slot, RouteSlot)
        assert records.values is not None
        for row, number in enumerate(records.values.tolist()):
            table[slot.family, slot.number, records.key(row)] = slot.attributes.octets[number]
    return table


class TableBuilderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = AttributeStore()
        self.history = History(1)
        self.builder = TableBuilder(
            self.store,
            SETS,
            lambda peer, family: RouteSlot(4 if family == 4 else 6, INGRESSES[peer], self.store),
            lambda: self.history.snapshot,
        )

    @settings(deadline=None, max_examples=60)
    @given(st.integers(0, 1 << 32), st.sampled_from([(0,), (0, 1, 0xFFFFFFFF)]), st.booleans())
    def test_the_table_is_what_a_loop_would_make(self, seed: int, paths: tuple[int, ...], ordered: bool) -> None:
        self.setUp()
        chance = random.Random(seed)
        table: Table = {}
        for _ in range(4):
            for _ in range(chance.randrange(4)):
                family = chance.choice((4, 6))
                rows = random_rows(chance, family, chance.randrange(40), paths)
                if ordered:
                    rows.sort(key=lambda row: row[2])
                for announce, peer, octets, number, _ in rows:
                    table.pop((family, peer, octets), None)
                    if announce:
                        table[family, peer, octets] = SETS[number]
                self.builder.add(batch(family, rows))
            diff = self.builder.take()
            self.assertEqual(diff, self.history.snapshot.diff(diff.apply(self.history.snapshot)))
            self.history.commit_diff(diff)
            self.assertEqual(plain(self.history.snapshot), table)

    @settings(deadline=None, max_examples=40)
    @given(st.integers(0, 1 << 32))
    def test_a_source_that_says_everything_again_withdraws_what_it_leaves_out(self, seed: int) -> None:
        self.setUp()
        chance = random.Random(seed)
        self.builder.add(batch(4, random_rows(chance, 4, 60, (0,))))
        self.history.commit_diff(self.builder.take())
        self.builder.restart()
        rows = random_rows(chance, 4, chance.randrange(60), (0,))
        table: Table = {}
        for part in (rows[:20], rows[20:]):
            for announce, peer, octets, number, _ in part:
                table.pop((4, peer, octets), None)
                if announce:
                    table[4, peer, octets] = SETS[number]
            self.builder.add(batch(4, part))
            if chance.random() < 0.5:
                self.history.commit_diff(self.builder.take())
        self.history.commit_diff(self.builder.finish())
        self.assertEqual(plain(self.history.snapshot), table)

    def test_what_changes_nothing_is_no_change(self) -> None:
        rows: list[Row] = [(True, 0, key(4, 1 << 8, 24), 3, 5)]
        self.builder.add(batch(4, rows))
        self.assertEqual(self.builder.waiting, 1)
        self.history.commit_diff(self.builder.take())
        self.assertEqual(self.builder.waiting, 0)
        self.builder.add(batch(4, [*rows, (False, 1, key(4, 1 << 8, 24), NO_SET, 6)]))
        self.assertEqual(len(self.builder.take()), 0)
        self.assertEqual(len(self.builder.take()), 0)
        self.assertEqual(len(self.builder.finish()), 0)

    def test_times_come_with_their_rows(self) -> None:
        self.builder.add(batch(4, [(True, 0, key(4, 2 << 8, 24), 3, 5), (True, 0, key(4, 1 << 8, 24), 2, 6)]))
        self.history.commit_diff(self.builder.take())
        (records,) = self.history.snapshot.values()
        assert records.times is not None
        self.assertEqual(records.times.tolist(), [6, 5])

    def test_a_set_that_the_store_gave_up_is_known_again(self) -> None:
        row: Row = (True, 0, key(4, 1 << 8, 24), 0, 5)
        self.builder.add(batch(4, [row]))
        self.history.commit_diff(self.builder.take())
        self.history.close()
        self.store.sweep()
        self.store.sweep()
        self.store.intern(SETS[1])  # takes the number that the first set had
        self.history = History(2)
        self.builder.add(batch(4, [row]))
        self.history.commit_diff(self.builder.take())
        self.assertEqual(list(plain(self.history.snapshot).values()), [SETS[0]])

    def test_a_restart_of_nothing(self) -> None:
        self.builder.restart()
        self.assertEqual(self.builder.finish().apply(EMPTY), EMPTY)
