"""The wiring of instances as SVG: a frame for each instance, a box for each unit, dashed lines for Rotoro links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from rotonda.blocks.characters import escaped
from rotonda.blocks.wiring import Half, Layout, Node

_BOX_WIDTH, _BOX_HEIGHT, _GAP, _BETWEEN, _MARGIN, _HEAD = 190, 46, 110, 24, 24, 34
_CHARACTER = 8
"""Units that a character may take."""
_STYLE = (
    "text{font:13px sans-serif;fill:#1b1f24}.kind{font-size:11px;fill:#57606a}.frame{fill:#f6f8fa;stroke:#8c959f}"
    ".rib{fill:#ddf4ff}.connector{fill:#fff8c5}.policy{fill:#fbefff}.router{fill:#dafbe1}.other{fill:#fff}"
    ".box{stroke:#57606a}.edge{fill:none;stroke:#57606a;stroke-width:1.5}.link{stroke-dasharray:6 4;stroke:#0969da}"
    ".type{font-size:11px;fill:#57606a}"
)
_ARROW = (
    '<defs><marker id="east" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#57606a"/></marker></defs>'
)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def drawn(layouts: Sequence[Layout], categories: Mapping[str, str]) -> str:
    """The picture of all instances, one below the other. `categories` are those of the types of units."""
    frames = list(_frames(layouts))
    width = max((frame.width for frame in frames), default=0) + 2 * _MARGIN
    height = (frames[-1].top + frames[-1].height if frames else 0) + _MARGIN
    homes = {
        (frame.layout.name, node.name): frame.east_of(number)
        for frame in frames
        for number, node in enumerate(frame.layout.nodes)
        if node.half is not Half.EAST
    }
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{_STYLE}</style>{_ARROW}",
        *(line for frame in frames for line in frame.drawn(categories)),
        *(line for frame in frames for line in frame.links(homes)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Frame:
    """One instance, from a height on."""

    def __init__(self, layout: Layout, top: int) -> None:
        self.layout = layout
        self.top = top
        longest = max((len(_title(node)) for node in layout.nodes), default=0)
        self._box = max(_BOX_WIDTH, longest * _CHARACTER + 20)
        self.width = 2 * _MARGIN + max(layout.columns, 1) * (self._box + _GAP) - _GAP
        self.height = _HEAD + layout.rows * (_BOX_HEIGHT + _BETWEEN) + _MARGIN - _BETWEEN

    def west_of(self, number: int) -> tuple[int, int]:
        """Where edges arrive at a node or a bend."""
        place = self.layout.place(number)
        left = 2 * _MARGIN + place.column * (self._box + _GAP)
        return left, self.top + _HEAD + place.row * (_BOX_HEIGHT + _BETWEEN) + _BOX_HEIGHT // 2

    def east_of(self, number: int) -> tuple[int, int]:
        """Where they leave it."""
        x, y = self.west_of(number)
        return x + self._box, y

    def drawn(self, categories: Mapping[str, str]) -> Iterator[str]:
        """The frame and what is in it."""
        yield f'<rect class="frame" x="{_MARGIN}" y="{self.top}" width="{self.width}" height="{self.height}" rx="6"/>'
        yield _text(_MARGIN + 12, self.top + 20, f"instance {self.layout.name}")
        for way in self.layout.ways:
            yield self._way(way)
        for number, node in enumerate(self.layout.nodes):
            yield from self._node(number, node, categories)

    def _way(self, way: Sequence[int]) -> str:
        x, y = self.east_of(way[0])
        steps = [f"M{x} {y}"]
        for west, east in pairwise(way):
            (a, b), (c, d) = self.east_of(west), self.west_of(east)
            middle = (a + c) // 2
            steps.append(f"L{a} {b}C{middle} {b} {middle} {d} {c} {d}")
        return f'<path class="edge" d="{"".join(steps)}" marker-end="url(#east)"/>'

    def _node(self, number: int, node: Node, categories: Mapping[str, str]) -> Iterator[str]:
        x, middle = self.west_of(number)
        y = middle - _BOX_HEIGHT // 2
        kind = "other" if node.instance else categories.get(node.kind, "").lower() or "other"
        dashed = ' stroke-dasharray="6 4"' if node.instance else ""
        yield (f'<rect class="box {kind}" x="{x}" y="{y}" width="{self._box}" height="{_BOX_HEIGHT}" rx="4"{dashed}/>')
        yield _text(x + 10, y + 19, _title(node))
        yield _text(x + 10, y + 36, f"{node.kind} over Rotoro" if node.instance else node.kind, "kind")
        if node.gives and any(way[0] == number for way in self.layout.ways):
            yield _text(x + self._box + 8, middle - 5, node.gives, "type")

    def links(self, homes: Mapping[tuple[str, str], tuple[int, int]]) -> Iterator[str]:
        """Lines from tables of other instances in the picture to where they are used."""
        for number, node in enumerate(self.layout.nodes):
            home = homes.get((node.instance, node.unit)) if node.instance else None
            if home is not None:
                (a, b), (c, d) = home, self.west_of(number)
                reach = _GAP // 2
                path = f"M{a} {b}C{a + reach} {b} {c - reach} {d} {c} {d}"
                yield f'<path class="edge link" d="{path}" marker-end="url(#east)"/>'


def _frames(layouts: Sequence[Layout]) -> Iterator[_Frame]:
    top = _MARGIN
    for layout in layouts:
        frame = _Frame(layout, top)
        yield frame
        top += frame.height + _MARGIN


def _title(node: Node) -> str:
    return f"{node.name} ({node.half.value})" if node.half is not Half.WHOLE else node.name


def _text(x: int, y: int, words: str, kind: str = "name") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{_plain(words)}</text>'


def _plain(words: str) -> str:
    return "".join(_ENTITIES.get(sign, sign) for sign in escaped(words))
