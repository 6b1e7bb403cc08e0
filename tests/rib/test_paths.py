"""Tests for L{rotonda.rib.paths}: the AS paths of attribute sets as columns."""

from __future__ import annotations

import random

from rotonda.bgp import as_path
from rotonda.rib.paths import path_of, path_table
from rotonda.rpki.paths import Path
from twisted.trial.unittest import SynchronousTestCase

from tests.rib.test_origins import attribute, random_set


def with_path(*segments: as_path.Segment) -> bytes:
    return attribute(1, b"\0") + attribute(2, as_path.written(segments))


class PathTests(SynchronousTestCase):
    def test_what_a_path_is(self) -> None:
        for octets, path in [
            (with_path((2, (1, 2, 2))), Path((1, 2, 2))),
            (with_path((2, (1, 2)), (2, (3,))), Path((1, 2, 3))),
            (with_path((2, (1,)), (1, (2, 3))), Path((1,), has_set=True)),
            (with_path((3, (8, 9)), (2, (1,))), Path((1,))),
            (with_path((4, (8, 9)), (2, (1,))), Path((1,), has_set=True)),
            (with_path(), Path(())),
            (attribute(1, b"\0"), Path(())),
            (b"", Path(())),
            (attribute(2, b"\2\3\0"), Path(())),
            (b"\x40\2\xff", Path(())),
        ]:
            with self.subTest(octets.hex()):
                self.assertEqual(path_of(octets), path)
                self.check([octets, with_path((2, (7,))), octets])

    def test_a_table_has_the_same(self) -> None:
        chance = random.Random(3)
        self.check([random_set(chance) for _ in range(1000)])
        self.check([])

    def check(self, sets: list[bytes]) -> None:
        table = path_table(sets)
        assert table.sets is not None
        self.assertEqual(len(table), len(sets))
        for row, octets in enumerate(sets):
            numbers = table.numbers[table.offsets[row] : table.offsets[row + 1]].tolist()
            self.assertEqual(Path(tuple(numbers), bool(table.sets[row])), path_of(octets), octets.hex())
