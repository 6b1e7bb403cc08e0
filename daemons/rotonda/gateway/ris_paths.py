"""RIS Live's patterns of AS paths. They are no regular expressions: a list of numbers that stand side by side.

`^` before it means the beginning of the path, `$` behind it the end, `!` before everything that it must not be there;
an AS_SET is written as a list of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Item = int | tuple[int, ...]
"""One hop: a number, or the ascending numbers of an AS_SET."""

MOST_ITEMS = 64
_MOST_CHARACTERS = 2_048
_ITEM = re.compile(r"(?:([0-9]{1,10})|\[([0-9]{1,10}(?:,[0-9]{1,10})*)\])(?:,|$)", re.ASCII)
_LAST_AS = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class PathPattern:
    """One pattern."""

    items: tuple[Item, ...]
    from_start: bool = False
    to_end: bool = False
    inverted: bool = False

    @staticmethod
    def parse(words: str | int) -> PathPattern:
        """The pattern that somebody wrote. Raises ValueError.

        >>> PathPattern.parse("^123,[4,5]$")
        PathPattern(items=(123, (4, 5)), from_start=True, to_end=True, inverted=False)
        """
        text = str(words).strip()[: _MOST_CHARACTERS + 1]
        inner = text.removeprefix("!")
        middle = inner.removeprefix("^").removesuffix("$")
        from_start, to_end = inner.startswith("^"), inner.endswith("$")
        items = _items(middle, text) if middle else ()
        if len(items) > MOST_ITEMS or len(text) > _MOST_CHARACTERS:
            raise ValueError(f"a pattern of more than {MOST_ITEMS} AS numbers")
        if not items and not (from_start and to_end):
            raise ValueError(f"{text[:60]!r} has no AS number")
        return PathPattern(items, from_start, to_end, text.startswith("!"))

    def matches(self, path: Sequence[Item]) -> bool:
        """Whether a path, first hop first, is as the pattern says."""
        return self._is_in(path) != self.inverted

    def _is_in(self, path: Sequence[Item]) -> bool:
        own, count, spare = self.items, len(self.items), len(path) - len(self.items)
        if spare < 0:
            return False
        first = spare if self.to_end else 0
        last = 0 if self.from_start else spare
        return any(tuple(path[start : start + count]) == own for start in range(first, last + 1))


def _items(words: str, whole: str) -> tuple[Item, ...]:
    items: list[Item] = []
    at = 0
    while at < len(words):
        found = _ITEM.match(words, at)
        if found is None:
            raise ValueError(f"{whole[:60]!r} is no list of AS numbers: see {words[at : at + 20]!r}")
        items.append(int(found[1]) if found[1] else tuple(sorted(map(int, found[2].split(",")))))
        at = found.end()
    if words.endswith(",") or any(number > _LAST_AS for item in items for number in _numbers(item)):
        raise ValueError(f"{whole[:60]!r} is no list of AS numbers")
    return tuple(items)


def _numbers(item: Item) -> tuple[int, ...]:
    return (item,) if isinstance(item, int) else item
