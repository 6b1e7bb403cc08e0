"""Chance that is the same everywhere."""

from __future__ import annotations

import numpy as np
from rotonda.demo.dice import Dice
from twisted.trial.unittest import SynchronousTestCase


class DiceTests(SynchronousTestCase):
    def test_throws_depend_on_the_seed_and_what_they_are_for(self) -> None:
        throws = [Dice(seed, purpose).bits(4).tolist() for seed in (1, 2) for purpose in ("a", "b")]
        self.assertEqual(throws[0], Dice(1, "a").bits(4).tolist())
        self.assertEqual(len({tuple(throw) for throw in throws}), 4)

    def test_these_are_the_throws_on_every_machine(self) -> None:
        self.assertEqual(Dice(1, "a").bits(2).tolist(), [14_460_549_579_101_240_468, 12_332_182_579_652_894_595])

    def test_distributions_are_what_they_say(self) -> None:
        dice, many = Dice(7, "many"), 100_000
        self.assertTrue(0 <= dice.shares(many).min() < 0.001 and 0.999 < dice.shares(many).max() < 1)
        self.assertEqual(np.unique(dice.below(many, 5)).tolist(), [0, 1, 2, 3, 4])
        chosen = np.bincount(dice.chosen(many, np.array([1.0, 0.0, 3.0]))) / many
        self.assertTrue(np.allclose(chosen, [0.25, 0, 0.75], atol=0.01), chosen)
        runs = dice.runs(many, 0.5, 4)
        shares = np.bincount(runs)[1:] / many
        self.assertTrue(np.allclose(shares, [0.5, 0.25, 0.125, 0.125], atol=0.01), shares)
