"""How the graph of an instance is laid out: its units in columns from west to east, so that few edges cross."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import pairwise

import msgspec

from rotonda.blocks.graphs import node_name
from rotonda.blocks.program import InstanceBlock, Program

MOST_BENDS = 1000
"""Places in columns that are kept free for edges that lead past them; with more of them edges go straight."""
_SWEEPS = 4


class Half(Enum):
    """What of a unit a node is: a connector that stands at both ends of a graph is two."""

    WHOLE = ""
    WEST = "west half"
    EAST = "east half"


class Node(msgspec.Struct, frozen=True):
    """A unit as it is drawn; of a table of another instance, `instance` says whose."""

    name: str
    unit: str
    kind: str
    gives: str
    """The type of the records that flow out of it."""
    half: Half = Half.WHOLE
    instance: str = ""


class Place(msgspec.Struct, frozen=True):
    """A column and a row, both from 0, the first in the west and on top."""

    column: int
    row: int


class Layout(msgspec.Struct, frozen=True):
    """Where the nodes of an instance stand, by their numbers, and which ways its edges take.

    A way leads from a node over bends, one in each column between, to a node; `bends` have their places like nodes.
    """

    name: str
    nodes: tuple[Node, ...]
    places: tuple[Place, ...]
    bends: Mapping[int, Place]
    ways: tuple[tuple[int, ...], ...]

    def place(self, number: int) -> Place:
        """Where a node or a bend is."""
        return self.places[number] if number < len(self.places) else self.bends[number]

    @property
    def columns(self) -> int:
        """How many there are."""
        return 1 + max((place.column for place in self.places), default=-1)

    @property
    def rows(self) -> int:
        """How many there are."""
        return 1 + max((place.row for place in (*self.places, *self.bends.values())), default=-1)


def layout(program: Program, instance: InstanceBlock) -> Layout:
    """The layout of one instance."""
    nodes, edges = _graph(program, instance)
    columns = _columns(len(nodes), edges)
    ways = tuple(_ways(edges, columns, len(nodes)))
    rows = _rows(columns, ways)
    places = [Place(column, row) for column, row in zip(columns, rows, strict=True)]
    bends = dict(enumerate(places[len(nodes) :], len(nodes)))
    return Layout(instance.name, nodes, tuple(places[: len(nodes)]), bends, ways)


def _graph(program: Program, instance: InstanceBlock) -> tuple[tuple[Node, ...], list[tuple[int, int]]]:
    """All nodes, and edges between their numbers."""
    named = {node_name(node): node for path in instance.paths for node in path}
    wests, easts = {west for west, _ in instance.edges}, {east for _, east in instance.edges}
    numbers: dict[tuple[str, Half], int] = {}
    nodes: list[Node] = []
    for name, node in named.items():
        unit = program.units[node.unit]
        is_split = name in wests and name in easts and unit.config.CATEGORY == "Connector"
        for half in (Half.WEST, Half.EAST) if is_split else (Half.WHOLE,):
            gives = unit.gives.name or "records" if unit.gives is not None else ""
            numbers[name, half] = len(nodes)
            nodes.append(Node(name, node.unit, unit.config.WORD, gives, half, node.instance or ""))
    edges = [
        (numbers.get((west, Half.WEST), numbers.get((west, Half.WHOLE), 0)),
         numbers.get((east, Half.EAST), numbers.get((east, Half.WHOLE), 0)))
        for west, east in instance.edges
    ]  # fmt: skip
    return tuple(nodes), edges


def _columns(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The column of each node: east of all of its wests, and not farther west than it must be."""
    easts: dict[int, list[int]] = {}
    waiting = [0] * count
    for west, east in edges:
        easts.setdefault(west, []).append(east)
        waiting[east] += 1
    sources = [number for number in range(count) if not waiting[number]]
    columns = [0] * count
    ready = list(sources)
    for number in ready:
        for east in easts.get(number, ()):
            columns[east] = max(columns[east], columns[number] + 1)
            waiting[east] -= 1
            if not waiting[east]:
                ready.append(east)
    for number in sources:
        columns[number] = min((columns[east] for east in easts.get(number, ())), default=1) - 1
    return columns


def _ways(edges: Iterable[tuple[int, int]], columns: list[int], count: int) -> Iterator[tuple[int, ...]]:
    """The way of each edge; what bends there are is appended to the columns."""
    for west, east in edges:
        between = range(columns[west] + 1, columns[east])
        if len(columns) + len(between) - count > MOST_BENDS:
            yield west, east
            continue
        bends = range(len(columns), len(columns) + len(between))
        columns.extend(between)
        yield west, *bends, east


def _rows(columns: Sequence[int], ways: Iterable[tuple[int, ...]]) -> list[int]:
    """The row of each node and bend: near those that it is joined with, in an order in which few edges cross."""
    wests: dict[int, list[int]] = {}
    easts: dict[int, list[int]] = {}
    for way in ways:
        for west, east in pairwise(way):
            wests.setdefault(east, []).append(west)
            easts.setdefault(west, []).append(east)
    layers: list[list[int]] = [[] for _ in range(max(columns, default=-1) + 1)]
    for number, column in enumerate(columns):
        layers[column].append(number)
    rows = [0] * len(columns)
    for layer in layers:
        _number(layer, rows)
    for sweep in range(_SWEEPS):
        joined, order = (wests, layers) if sweep % 2 == 0 else (easts, layers[::-1])
        for layer in order:
            layer.sort(key=lambda number: _middle(number, joined, rows))
            _number(layer, rows)
    for layer in layers:
        free = 0
        for number in layer:
            rows[number] = max(free, round(_middle(number, wests, rows)))
            free = rows[number] + 1
    return rows


def _number(layer: Sequence[int], rows: list[int]) -> None:
    for row, number in enumerate(layer):
        rows[number] = row


def _middle(number: int, joined: Mapping[int, Sequence[int]], rows: Sequence[int]) -> float:
    others = joined.get(number, ())
    return sum(rows[other] for other in others) / len(others) if others else rows[number]
