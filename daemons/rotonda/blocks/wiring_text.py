"""The wiring of an instance as text: boxes with lines between them, from west to east.

A line leaves a box in the row of its name and arrives in the row below, so that lines that only pass each other never
look joined. Edges of the same wests to the same easts share one line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from rotonda.blocks.characters import escaped
from rotonda.blocks.wiring import Half, Layout, Node

MOST_NODES = 300
"""Units of a drawing; more of them are listed."""
_HEIGHT = 5
"""Lines of a row: a box of four, and one between."""
_LEAVES, _ARRIVES = 1, 2
"""Lines in which edges leave and arrive."""
_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_SIGNS = {
    _UP: "│", _DOWN: "│", _UP | _DOWN: "│", _LEFT: "─", _RIGHT: "─", _LEFT | _RIGHT: "─", _DOWN | _RIGHT: "┌",
    _DOWN | _LEFT: "┐", _UP | _RIGHT: "└", _UP | _LEFT: "┘", _UP | _DOWN | _RIGHT: "├", _UP | _DOWN | _LEFT: "┤",
    _DOWN | _LEFT | _RIGHT: "┬", _UP | _LEFT | _RIGHT: "┴", _UP | _DOWN | _LEFT | _RIGHT: "┼",
}  # fmt: skip


def drawn(layout: Layout) -> str:
    """The picture, or a list if it would be too large to be looked at."""
    head = f"instance {escaped(layout.name)}\n\n"
    if len(layout.places) + len(layout.bends) > MOST_NODES:
        return head + _listed(layout)
    return head + _Canvas(layout).text()


def _listed(layout: Layout) -> str:
    easts: dict[int, list[str]] = defaultdict(list)
    for way in layout.ways:
        easts[way[0]].append(_title(layout.nodes[way[-1]]))
    return "".join(
        f"{_title(node)}: {_about(node)}{' -> ' if easts[number] else ''}{', '.join(easts[number])}\n"
        for number, node in enumerate(layout.nodes)
    )


def _title(node: Node) -> str:
    return escaped(f"{node.name} ({node.half.value})" if node.half is not Half.WHOLE else node.name)


def _about(node: Node) -> str:
    return f"{node.kind} over Rotoro" if node.instance else node.kind


class _Canvas:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._cells: dict[int, dict[int, str]] = defaultdict(dict)
        self._lines: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._hops = _hops(layout.ways)
        self._left, self._width = [], []
        self._tracks: list[dict[frozenset[int], int]] = []
        at = 0
        for column in range(layout.columns):
            width = max((len(text) for node in self._nodes(column) for text in (_title(node), _about(node))), default=0)
            label = max((len(node.gives) + 3 for node in self._nodes(column)), default=0)
            self._left.append(at)
            self._width.append(width + 4)
            self._tracks.append(self._tracked(column, at + width + 4 + label))
            at += width + 4 + label + 2 * (1 + len(set(self._tracks[-1].values()))) + 1

    def text(self) -> str:
        """All of it, line by line."""
        for column in range(self._layout.columns):
            for wests, easts in self._bundles(column):
                self._bundle(column, wests, easts)
        for number in self._layout.bends:
            self._bend(number)
        for number in range(len(self._layout.nodes)):
            self._box(number)
        height = self._layout.rows * _HEIGHT
        return "\n".join(self._line(y) for y in range(height)).rstrip() + "\n"

    def _nodes(self, column: int) -> Iterator[Node]:
        pairs = zip(self._layout.nodes, self._layout.places, strict=True)
        return (node for node, place in pairs if place.column == column)

    # --- lines -------------------------------------------------------------------------------------------------------

    def _bundles(self, column: int) -> list[tuple[tuple[int, ...], frozenset[int]]]:
        """Those in a column that lead to the same ones in the next, and these."""
        bundles: dict[frozenset[int], list[int]] = defaultdict(list)
        for west, easts in self._hops.items():
            if self._layout.place(west).column == column:
                bundles[frozenset(easts)].append(west)
        return [(tuple(wests), easts) for easts, wests in bundles.items()]

    def _tracked(self, column: int, begin: int) -> dict[frozenset[int], int]:
        """Where the upright part of each bundle stands: the first place where no other one is in its way."""
        taken: list[list[tuple[int, int]]] = []
        tracks: dict[frozenset[int], int] = {}
        for wests, easts in sorted(self._bundles(column), key=lambda bundle: self._span(*bundle)):
            low, high = self._span(wests, easts)
            places = (at for at, spans in enumerate(taken) if all(low > b or high < a for a, b in spans))
            free = next(places, len(taken))
            if free == len(taken):
                taken.append([])
            taken[free].append((low, high))
            tracks[easts] = begin + 1 + 2 * free
        return tracks

    def _span(self, wests: Iterable[int], easts: Iterable[int]) -> tuple[int, int]:
        ys = [self._leaves(west) for west in wests] + [self._arrives(east) for east in easts]
        return min(ys), max(ys)

    def _leaves(self, number: int) -> int:
        return self._layout.place(number).row * _HEIGHT + _LEAVES

    def _arrives(self, number: int) -> int:
        return self._layout.place(number).row * _HEIGHT + _ARRIVES

    def _bundle(self, column: int, wests: Sequence[int], easts: frozenset[int]) -> None:
        x = self._tracks[column][easts]
        for west in wests:
            self._across(self._leaves(west), self._left[column] + self._right(west), x)
        low, high = self._span(wests, easts)
        for y in range(low, high):
            self._lines[y][x] |= _DOWN
            self._lines[y + 1][x] |= _UP
        for east in easts:
            self._across(self._arrives(east), x, self._left[self._layout.place(east).column])

    def _right(self, number: int) -> int:
        """Where the box of a node ends; of a bend, where it begins."""
        return self._width[self._layout.place(number).column] - 1 if number < len(self._layout.nodes) else 1

    def _across(self, y: int, left: int, right: int) -> None:
        for x in range(left, right):
            self._lines[y][x] |= _RIGHT
            self._lines[y][x + 1] |= _LEFT

    def _bend(self, number: int) -> None:
        x = self._left[self._layout.place(number).column]
        self._across(self._arrives(number), x, x + 1)
        self._lines[self._leaves(number)][x + 1] |= _DOWN
        self._lines[self._arrives(number)][x + 1] |= _UP

    # --- boxes -------------------------------------------------------------------------------------------------------

    def _box(self, number: int) -> None:
        node, place = self._layout.nodes[number], self._layout.places[number]
        left, width, top = self._left[place.column], self._width[place.column], place.row * _HEIGHT
        inner = width - 2
        self._write(top, left, "┌" + "─" * inner + "┐")
        self._write(top + 1, left, f"│ {_title(node):{inner - 1}}│")
        self._write(top + 2, left, f"│ {_about(node):{inner - 1}}│")
        self._write(top + 3, left, "└" + "─" * inner + "┘")
        if number in self._hops:
            self._write(top + _LEAVES, left + width - 1, "├")
            self._write(top + _LEAVES, left + width + 1, node.gives)
        if any(number in easts for easts in self._hops.values()):
            self._write(top + _ARRIVES, left, ">")

    def _write(self, y: int, x: int, text: str) -> None:
        for at, sign in enumerate(text, x):
            self._cells[y][at] = sign

    def _line(self, y: int) -> str:
        signs: dict[int, str] = {x: _SIGNS[lines] for x, lines in self._lines[y].items() if lines}
        signs |= self._cells[y]
        return "".join(signs.get(x, " ") for x in range(max(signs, default=-1) + 1)).rstrip()


def _hops(ways: Iterable[Sequence[int]]) -> Mapping[int, set[int]]:
    """All pairs of neighbours on ways."""
    hops: dict[int, set[int]] = defaultdict(set)
    for way in ways:
        for west, east in pairwise(way):
            hops[west].add(east)
    return dict(hops)
