"""Graphs of instances: which units run where, what flows between them, and that it flows from west to east."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from rotonda.blocks.configs import (
    AnyUnit,
    BgpConnector,
    BmpConnector,
    JsonConnector,
    LocalExceptions,
    MergeUnit,
    PhysicalRib,
    Router,
    RtrConnector,
    VirtualRib,
)
from rotonda.blocks.diagnostics import Complaints
from rotonda.blocks.evaluate import ASSERTIONS
from rotonda.blocks.places import Span
from rotonda.blocks.program import UnitBlock
from rotonda.blocks.settings import Config, GraphNode, GraphPath
from rotonda.blocks.types import VRP, RecordType

Edge = tuple[str, str]

RPKI_ONLY = (RtrConnector, JsonConnector, AnyUnit, MergeUnit, LocalExceptions, Router)
"""Units that have RPKI data and no routes."""
POLICIES = (AnyUnit, MergeUnit, LocalExceptions, Router)
"""Of those, the ones that have wests."""
WEST_ONLY_WORDS = "it only brings data in"


def edges_of(paths: Iterable[GraphPath]) -> tuple[Edge, ...]:
    """All pairs of neighbours, each once, in the order of the paths."""
    edges: dict[Edge, None] = {}
    for path in paths:
        for west, east in pairwise(path):
            edges.setdefault((node_name(west), node_name(east)))
    return tuple(edges)


def node_name(node: GraphNode) -> str:
    """What edges call a node."""
    return f"{node.instance}.{node.unit}" if node.instance else node.unit


class Graphs:
    """Checks the graphs of all instances of a file, each with the place where it stands."""

    def __init__(
        self,
        complaints: Complaints,
        units: Mapping[str, UnitBlock],
        graphs: Mapping[str, tuple[Span, tuple[GraphPath, ...]]],
    ) -> None:
        self._complaints = complaints
        self._units = units
        self._graphs = graphs

    def check(self) -> None:
        """All of them, each on its own and then together."""
        for name, (span, paths) in self._graphs.items():
            self._one(name, span, paths)
        self._together()

    # --- one instance ------------------------------------------------------------------------------------------------

    def _one(self, name: str, span: Span, paths: tuple[GraphPath, ...]) -> None:
        edges = edges_of(paths)
        if not any(paths):
            self._complaints.error(span, f"the graph of {name} has no units", "at least one unit")
        for path in paths:
            for place, node in enumerate(path):
                self._node(name, span, node, is_first=place == 0)
        for west, east in edges:
            self._edge(span, west, east)
        self._cycles(span, edges)
        self._needs(span, paths, edges)

    def _node(self, name: str, span: Span, node: GraphNode, *, is_first: bool) -> None:
        unit = self._units.get(node.unit)
        if unit is None:
            return  # its own error was told
        category = unit.config.CATEGORY
        wanted = ASSERTIONS.get(node.asserted or "Unit", ())
        if wanted and category not in wanted:
            self._complaints.error(
                span, f"{node.asserted}({node.unit}): {node.unit} is a {unit.config.WORD}", f"{category}({node.unit})"
            )
        if node.instance is not None:
            self._remote(name, span, node, is_first=is_first)

    def _remote(self, name: str, span: Span, node: GraphNode, *, is_first: bool) -> None:
        instance = node.instance or ""
        if instance == name:
            self._complaints.error(span, f"{node_name(node)}: {name} is this instance itself", node.unit)
        elif not is_first:
            self._complaints.error(
                span, f"{node_name(node)} is a table of another instance", "it at the west end of a path"
            )
        elif instance in self._graphs and node.unit not in self._own_units(instance):
            self._complaints.error(span, f"{node.unit} is not in the graph of {instance}")

    def _edge(self, span: Span, west: str, east: str) -> None:
        giver, taker = self._unit(west), self._unit(east)
        if giver is None or taker is None:
            return
        words = f"{west} -> {east}"
        if isinstance(giver.config, BgpConnector) and giver.config.topology == "EastOnly":
            self._complaints.error(span, f"{words}: {west} is EastOnly", "another topology, or nothing east of it")
        if isinstance(taker.config, BgpConnector) and taker.config.topology == "WestOnly":
            self._complaints.error(span, f"{words}: {east} is WestOnly", "another topology, or nothing west of it")
        elif isinstance(giver.config, Router):
            self._complaints.error(span, f"{words}: a Router is an end", "nothing east of it")
        elif taker.takes is None:
            self._complaints.error(span, f"{words}: nothing flows into a {taker.config.WORD}", WEST_ONLY_WORDS)
        elif not _fits(giver, taker):
            given = "nothing" if giver.gives is None else giver.gives.name or "records"
            self._complaints.error(
                span, f"{words}: {given} of {west} cannot flow into {east}", f"{taker.takes.name or 'records'}",
                _difference(giver.gives, taker.takes),
            )  # fmt: skip

    def _cycles(self, span: Span, edges: tuple[Edge, ...]) -> None:
        """A connector that stands at both ends is two halves, so that nothing goes round through it."""
        onward: dict[str, list[str]] = {}
        for west, east in edges:
            if not self._is_split(east):
                onward.setdefault(west, []).append(east)
        done: set[str] = set()
        for start in onward:
            ring = _ring(start, onward, done)
            if ring is not None:
                self._complaints.error(
                    span, f"data would go round: {' -> '.join(ring)}",
                    "a graph from west to east; only a WestEastSplit connector may stand at both ends",
                )  # fmt: skip
                return

    def _needs(self, span: Span, paths: tuple[GraphPath, ...], edges: tuple[Edge, ...]) -> None:
        with_west = {east for _, east in edges}
        for node in dict.fromkeys(node for path in paths for node in path):
            unit = self._units.get(node.unit)
            if unit is None or node.instance is not None:
                continue
            config, name = unit.config, node.unit
            if isinstance(config, (VirtualRib, *POLICIES)) and name not in with_west:
                self._complaints.error(
                    span, f"{name}, a {config.WORD}, has nothing west of it", "what it shows or judges"
                )
            elif isinstance(config, PhysicalRib) and name not in with_west:
                self._complaints.warn(span, f"{name} has nothing west of it and stays empty")
            if isinstance(config, LocalExceptions) and sum(east == name for _, east in edges) > 1:
                self._complaints.error(span, f"{name} has several wests", "one; make it of several by Any or Merge")
            if isinstance(config, BmpConnector) and config.proxy is True:
                self._complaints.error(
                    span, f"{name}: proxy: true does not say where messages are handed on to",
                    "proxy: { to: [192.0.2.1:11019] }",
                )  # fmt: skip

    # --- all instances -----------------------------------------------------------------------------------------------

    def _together(self) -> None:
        homes: dict[str, list[str]] = {}
        for name in self._graphs:
            for unit in self._own_units(name):
                homes.setdefault(unit, []).append(name)
        for unit, instances in homes.items():
            if len(instances) > 1 and not self._is_split(unit):
                self._complaints.error(
                    self._graphs[instances[1]][0], f"{unit} is in the graphs of {' and '.join(instances)}",
                    f"one of them, and {instances[0]}.{unit} in the others",
                )  # fmt: skip

    def _own_units(self, instance: str) -> Iterator[str]:
        _, paths = self._graphs[instance]
        yield from dict.fromkeys(node.unit for path in paths for node in path if node.instance is None)

    def _unit(self, name: str) -> UnitBlock | None:
        found = self._units.get(name)
        if found is not None:
            return found
        instance, _, unit = name.partition(".")
        return self._units.get(unit) if instance in self._graphs else None

    def _is_split(self, name: str) -> bool:
        unit = self._units.get(name)
        return unit is not None and isinstance(unit.config, BgpConnector) and unit.config.topology == "WestEastSplit"


def takes_rpki(config: Config) -> bool:
    """Whether RPKI data may flow into such a unit."""
    return isinstance(config, (PhysicalRib, *POLICIES))


def _fits(giver: UnitBlock, taker: UnitBlock) -> bool:
    if isinstance(giver.config, RPKI_ONLY):
        return takes_rpki(taker.config)
    if isinstance(taker.config, POLICIES):  # the RPKI data of a RIB
        return isinstance(giver.config, PhysicalRib)
    return giver.gives == taker.takes


def _difference(given: RecordType | None, wanted: RecordType) -> str:
    """What two record types differ in."""
    if given is None or given is VRP or wanted is VRP:
        return ""
    own = {field.name: field.type for field in given.fields}
    for field in wanted.fields:
        if field.name not in own:
            return f"{given.name or 'what flows'} has no {field.name}"
        if own[field.name] != field.type:
            return f"{field.name} is {own[field.name]}, not {field.type}"
    more = [name for name in own if wanted.field(name) is None]
    return f"{wanted.name or 'what is taken'} has no {more[0]}" if more else ""


def _ring(start: str, onward: Mapping[str, list[str]], done: set[str]) -> list[str] | None:
    """A way from a node back to one on it, if there is one; without recursion, as graphs may be long."""
    way: list[str] = []
    waiting: list[tuple[str, Iterator[str]]] = []

    def enter(node: str) -> None:
        way.append(node)
        waiting.append((node, iter(onward.get(node, ()))))

    if start not in done:
        enter(start)
    while waiting:
        node, rest = waiting[-1]
        following = next(rest, None)
        if following is None:
            waiting.pop()
            way.pop()
            done.add(node)
        elif following in way:
            return [*way[way.index(following) :], following]
        elif following not in done:
            enter(following)
    return None
