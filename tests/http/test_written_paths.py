"""Tests for L{rotonda.http.written_paths}: AS paths as people write them."""

from __future__ import annotations

from rotonda.http.errors import Refused
from rotonda.http.written_paths import written_path, written_paths
from rotonda.rpki.paths import Path
from rotonda.rpki.validation import NO_ORIGIN
from twisted.trial.unittest import SynchronousTestCase


class OnePathTests(SynchronousTestCase):
    def test_what_may_be_written(self) -> None:
        for words, numbers, has_set, origin in [
            ("64496 64497", (64496, 64497), False, 64497),
            ("AS64496, as64497,0", (64496, 64497, 0), False, 0),
            (" 64496,,64497 , ", (64496, 64497), False, 64497),
            ("", (), False, NO_ORIGIN),
            ("\x1f", (), False, NO_ORIGIN),
            ("64496 {64497,64498}", (64496,), True, NO_ORIGIN),
            ("{64497 64498}, 64496", (64496,), True, 64496),
            ("(65001 65002) 64496", (64496,), False, 64496),
            ("(65001)", (), False, NO_ORIGIN),
            ("[65001,65002] 64496", (64496,), True, 64496),
            ("4294967295", (4294967295,), False, 4294967295),
        ]:
            with self.subTest(words):
                self.assertEqual(written_path("path", words), (Path(numbers, has_set), origin))
                for more in ([words], [words, "AS1"]):
                    table, origins = written_paths(more, None)
                    self.assertEqual(table.numbers[: table.offsets[1]].tolist(), list(numbers))
                    self.assertEqual(
                        (int(origins[0]), table.sets is not None and bool(table.sets[0])), (origin, has_set)
                    )

    def test_what_may_not(self) -> None:
        for words in (
            "64496 x",
            "1" * 400,  # more than a float can be
            "64496 " + "1" * 5000,  # more digits than Python wants to read
            "64496 {64497",
            "64496 }",
            "{64496 {1}}",
            "-1",
            "4294967296",
            "012",
            "1.2",
            "{x}",
            "٣",
        ):
            with self.subTest(words):
                self.assertRaisesRegex(Refused, "path: ", written_path, "path", words)
                with self.assertRaisesRegex(Refused, r"paths\[1\]: "):
                    written_paths(["64496 64497", words], None)


class ManyPathsTests(SynchronousTestCase):
    def test_columns(self) -> None:
        table, origins = written_paths(["1 2 3", "", "4,5"], 9)
        assert table.neighbours is not None
        self.assertEqual((table.numbers.tolist(), table.offsets.tolist()), ([1, 2, 3, 4, 5], [0, 3, 3, 5]))
        self.assertEqual((table.neighbours.tolist(), origins.tolist()), ([9, 9, 9], [3, NO_ORIGIN, 5]))

    def test_words_and_numbers_may_be_mixed(self) -> None:
        table, origins = written_paths([[1, 2], "AS3 {4}", []], None)
        assert table.sets is not None
        self.assertEqual((table.numbers.tolist(), table.sets.tolist()), ([1, 2, 3], [False, True, False]))
        self.assertEqual(origins.tolist(), [2, NO_ORIGIN, NO_ORIGIN])
        for wrong in ([-1], [1 << 32]):
            self.assertRaisesRegex(Refused, r"paths\[0\]: an AS number has 32 bits", written_paths, [wrong], None)

    def test_none(self) -> None:
        table, origins = written_paths([], None)
        self.assertEqual((len(table), len(origins)), (0, 0))
