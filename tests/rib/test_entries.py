from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.rib import entries as module
from rotonda.rib.entries import Ended, Entries, joined_keys, paths_of, prefixes_of
from twisted.trial.unittest import SynchronousTestCase

from tests.rib.tables import key


def random_entries(chance: random.Random, count: int, paths: tuple[int, ...]) -> Entries:
    keys = np.array([key(4, chance.randrange(3), 32, chance.choice(paths)) for _ in range(count)], "S9")
    numbers = np.array([chance.randrange(4) for _ in range(count)], np.uint32)
    states = np.full(count, Ended.REPLACED, np.uint8)
    ended = np.arange(count, dtype=np.uint64)
    return Entries(prefixes_of(keys), paths_of(keys), numbers, numbers, ended, states).by_prefix()


class SessionsTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.integers(0, 1 << 32), st.integers(0, 40), st.sampled_from([(0,), (0, 1, 1 << 31), (7,)]))
    def test_what_is_overwritten_and_what_is_newest(self, seed: int, count: int, paths: tuple[int, ...]) -> None:
        self.patch(module, "_SHORT", 4)
        chance = random.Random(seed)
        entries = random_entries(chance, count, paths)
        keys, numbers, ended = (column.tolist() for column in (entries.keys, entries.numbers, entries.ended))
        self.assertEqual(list(zip(entries.prefixes.tolist(), ended, strict=True)),
                         sorted(zip(entries.prefixes.tolist(), ended, strict=True)))  # fmt: skip

        def later(row: int) -> list[int]:
            return [other for other in range(count) if keys[other] == keys[row] and ended[other] > ended[row]]

        sessions = entries.sessions()
        expected = [row for row in range(count) if any(numbers[other] == numbers[row] for other in later(row))]
        self.assertEqual(sorted(sessions.overwritten(entries.numbers.astype(np.uint64)).tolist()), expected)
        counting = np.array([chance.random() < 0.7 for _ in range(count)], np.bool_)
        limit = chance.randrange(5)
        kept = [bool(counting[row]) and int(counting[later(row)].sum()) < limit for row in range(count)]
        self.assertEqual(sessions.newest(counting, np.full(count, limit)).tolist(), kept)

    def test_keys_come_apart_and_together(self) -> None:
        for family, width in ((4, 9), (6, 21)):
            keys = np.array([key(family, 0, 0, 0), key(family, 7, 9, 0x01020300)], f"S{width}")
            self.assertEqual(paths_of(keys).tolist(), [0, 0x01020300])
            self.assertEqual(joined_keys(prefixes_of(keys), paths_of(keys)).tobytes(), keys.tobytes())
