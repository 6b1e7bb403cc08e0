"""Patterns of AS paths, compared with a plain reading of them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.gateway.ris_paths import MOST_ITEMS, Item, PathPattern
from twisted.trial.unittest import SynchronousTestCase

ITEMS: st.SearchStrategy[Item] = st.integers(1, 3) | st.sets(st.integers(1, 3), min_size=1).map(
    lambda numbers: tuple(sorted(numbers))
)
PATHS = st.lists(ITEMS, max_size=5)


def text(item: Item) -> str:
    return str(item) if isinstance(item, int) else f"[{','.join(map(str, item))}]"


def by_words(pattern: str, path: list[Item]) -> bool:
    """The same as a question about strings."""
    inner = pattern.removeprefix("!")
    whole = "^," + "".join(f"{text(item)}," for item in path) + "$"
    part = inner.removeprefix("^").removesuffix("$")
    wanted = ("^," if inner.startswith("^") else ",") + (f"{part}," if part else "") + ("$" if inner[-1] == "$" else "")
    return (wanted in whole) != pattern.startswith("!")


class PatternTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.sampled_from(["", "!"]), st.sampled_from(["", "^"]), st.lists(ITEMS, min_size=1, max_size=3),
           st.sampled_from(["", "$"]), PATHS)  # fmt: skip
    def test_like_words(self, no: str, start: str, items: list[Item], end: str, path: list[Item]) -> None:
        pattern = no + start + ",".join(map(text, items)) + end
        self.assertEqual(PathPattern.parse(pattern).matches(path), by_words(pattern, path), (pattern, path))

    def test_examples(self) -> None:
        path: list[Item] = [123, 456, 789, (10111, 10112)]
        examples: list[tuple[str | int, bool]] = [
            ("123", True), (456, True), ("456,789", True), ("123,789", False), ("^123", True), ("^456", False),
            ("[10111,10112]$", True), ("[10112,10111]$", True), ("10111", False), ("789$", False), ("!789$", True),
            ("^123,456,789,[10111,10112]$", True), ("!^123", False), ("^$", False), ("!^$", True), ("12", False),
        ]  # fmt: skip
        for pattern, expected in examples:
            with self.subTest(pattern=pattern):
                self.assertEqual(PathPattern.parse(pattern).matches(path), expected)
        self.assertTrue(PathPattern.parse("^$").matches([]))

    def test_refused(self) -> None:
        for words in ["", "!", "^", "$", "1,", ",1", "1,,2", "a", "1.*2", "[1", "[]", "1 2", "4294967296", "-1", -1,
                      "[1,4294967296]", ",".join(["1"] * (MOST_ITEMS + 1)), "[" * 100_000, "1," * 100_000,
                      "٣"]:  # fmt: skip
            with self.subTest(words=str(words)[:20]):
                self.assertRaises(ValueError, PathPattern.parse, words)
