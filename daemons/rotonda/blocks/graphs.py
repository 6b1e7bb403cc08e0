"""Graphs of instances: which units run where, what flows between them, and that it flows from west to east."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import pairwise

import msgspec

from rotonda.blocks.configs import (
    AnyUnit,
    BgpConnector,
    BmpConnector,
    Daemon,
    JsonConnector,
    KafkaTopic,
    LocalExceptions,
    MergeUnit,
    PhysicalRib,
    RotoroLink,
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

POLICIES = (AnyUnit, MergeUnit, LocalExceptions, Router)
"""Units of RPKI data that have wests."""
RPKI_ONLY = (RtrConnector, JsonConnector, *POLICIES)
"""Units that have RPKI data and no routes."""
TAKES_RPKI = (PhysicalRib, *POLICIES)
"""Units into which RPKI data may flow."""
NEEDS_WEST = (VirtualRib, *POLICIES)
MOST_RINGS = 10
"""Circles that are told."""


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


class WrittenGraph(msgspec.Struct, frozen=True, eq=False):
    """The graph of an instance as it stands in the text."""

    span: Span
    config: Daemon
    places: tuple[tuple[Span, ...], ...]
    """Where the units of its paths stand."""

    def nodes(self) -> Iterator[tuple[GraphNode, Span, bool]]:
        """All nodes with their places, and whether they are the first of a path."""
        for path, spans in zip(self.config.graph, self.places, strict=True):
            for number, (node, span) in enumerate(zip(path, spans, strict=True)):
                yield node, span, number == 0

    def edges(self) -> Mapping[tuple[GraphNode, GraphNode], Span]:
        """All pairs of neighbours, and where each of them stands first."""
        found: dict[tuple[GraphNode, GraphNode], Span] = {}
        for path, spans in zip(self.config.graph, self.places, strict=True):
            for (west, left), (east, right) in pairwise(zip(path, spans, strict=True)):
                found.setdefault((west, east), left.to(right))
        return found


class Graphs:
    """Checks the graphs of all instances of a file. Of `unsure` units it is not known what flows through them."""

    def __init__(
        self,
        complaints: Complaints,
        units: Mapping[str, UnitBlock],
        graphs: Mapping[str, WrittenGraph],
        unsure: Set[str] = frozenset(),
    ) -> None:
        self._complaints = complaints
        self._units = units
        self._graphs = graphs
        self._unsure = unsure
        self._own = {
            name: {node.unit: span for node, span, _ in reversed([*graph.nodes()]) if node.instance is None}
            for name, graph in graphs.items()
        }

    def check(self) -> None:
        """All of them, each on its own and then together."""
        for name, graph in self._graphs.items():
            self._one(name, graph)
        self._homes()
        self._rings()

    # --- one instance ------------------------------------------------------------------------------------------------

    def _one(self, name: str, graph: WrittenGraph) -> None:
        if not any(graph.config.graph):
            self._complaints.error(graph.span, f"the graph of {name} has no units", "at least one unit")
        for node, span, is_first in graph.nodes():
            self._asserted(node, span)
            if node.instance is not None:
                self._remote(name, node, span, is_first=is_first)
        edges = graph.edges()
        for (west, east), span in edges.items():
            self._edge(west, east, span)
        self._needs(name, Counter(east.unit for _, east in edges))

    def _asserted(self, node: GraphNode, span: Span) -> None:
        unit = self._units.get(node.unit)
        wanted = ASSERTIONS[node.asserted or "Unit"]
        if unit is None or not wanted or wanted in (unit.config.CATEGORY, unit.config.WORD):
            return
        message = f"{node.asserted}({node_name(node)}): {node.unit} is a {unit.config.WORD}"
        self._complaints.error(span, message, f"{unit.config.CATEGORY}({node_name(node)})")

    def _remote(self, name: str, node: GraphNode, span: Span, *, is_first: bool) -> None:
        instance, error = node.instance or "", self._complaints.error
        if instance == name:
            error(span, f"{node_name(node)}: {name} is this instance itself", node.unit)
        elif not is_first:
            error(span, f"{node_name(node)} is a table of another instance", "it at the west end of a path")
        elif instance in self._graphs:
            if node.unit not in self._own[instance]:
                error(span, f"{node.unit} is not in the graph of {instance}")
            self._reached(name, instance, span)

    def _reached(self, name: str, other: str, span: Span) -> None:
        """An instance that needs tables of another one must know where that is."""
        if other not in self._graphs[name].config.remotes and not self._graphs[other].config.listen:
            self._complaints.error(
                span, f"{name} has tables of {other}, which listens nowhere",
                f"listen: in {other}, or {other}: {{ address: ... }} in {name}",
            )  # fmt: skip

    def _edge(self, west: GraphNode, east: GraphNode, span: Span) -> None:
        giver, taker = self._units.get(west.unit), self._units.get(east.unit)
        if giver is None or taker is None or east.instance is not None:
            return  # these were told
        error, words = self._complaints.error, f"{node_name(west)} -> {east.unit}"
        if isinstance(giver.config, BgpConnector) and giver.config.topology == "EastOnly":
            error(span, f"{words}: {west.unit} is EastOnly", "another topology, or nothing east of it")
        if isinstance(taker.config, BgpConnector) and taker.config.topology == "WestOnly":
            error(span, f"{words}: {east.unit} is WestOnly", "another topology, or nothing west of it")
        elif isinstance(giver.config, Router):
            error(span, f"{words}: a Router is an end", "nothing east of it")
        elif not self._unsure.isdisjoint((west.unit, east.unit)):
            return
        elif taker.takes is None:
            error(span, f"{words}: nothing flows into a {taker.config.WORD}", "it at the west end of a path")
        elif not _fits(giver, taker):
            given = "nothing" if giver.gives is None else giver.gives.name or "records"
            error(
                span, f"{words}: {given} of {west.unit} cannot flow into {east.unit}", _wanted(taker),
                _difference(giver.gives, taker.takes),
            )  # fmt: skip

    def _needs(self, name: str, wests: Mapping[str, int]) -> None:
        error = self._complaints.error
        for unit, span in self._own[name].items():
            config = self._units[unit].config if unit in self._units else None
            if isinstance(config, NEEDS_WEST) and unit not in wests:
                error(span, f"{unit}, of type {config.WORD}, has nothing west of it", "what it shows or judges")
            elif isinstance(config, PhysicalRib) and unit not in wests:
                self._complaints.warn(span, f"{unit} has nothing west of it and stays empty")
            if isinstance(config, LocalExceptions) and wests.get(unit, 0) > 1:
                error(span, f"{unit} has several wests", "one; make it of several by Any or Merge")
            if isinstance(config, BmpConnector) and config.proxy is True:
                error(
                    span, f"{unit}: proxy: true does not say where messages are handed on to",
                    "proxy: { to: [192.0.2.1:11019] }",
                )  # fmt: skip

    # --- all instances -----------------------------------------------------------------------------------------------

    def _homes(self) -> None:
        first: dict[str, str] = {}
        for name, units in self._own.items():
            for unit, span in units.items():
                home = first.setdefault(unit, name)
                if home != name and not self._is_split(unit):
                    self._complaints.error(
                        span, f"{unit} is in the graph of {home}, too", f"it in one of them, and {home}.{unit} here"
                    )
        self._halves(first)

    def _halves(self, first: Mapping[str, str]) -> None:
        """A connector whose halves are in two graphs lives where its west half is, and follows what leads east."""
        western = {
            node.unit: name
            for name, graph in reversed([*self._graphs.items()])
            for path in graph.config.graph
            for node in path[:1]
            if node.instance is None and len(path) > 1
        }
        for name, graph in self._graphs.items():
            for (_, east), span in graph.edges().items():
                if self._is_topic(east.unit):
                    continue
                home = western.get(east.unit, first.get(east.unit, name))
                if east.instance is None and home != name and self._is_split(east.unit):
                    self._reached(home, name, span)

    def _rings(self) -> None:
        """Nothing goes round, wherever units run. A connector that stands at both ends is two halves."""
        onward: dict[str, dict[str, Span]] = {}
        for graph in self._graphs.values():
            for (west, east), span in graph.edges().items():
                is_there = west.instance is None or west.unit in self._own.get(west.instance, ())
                if is_there and not self._is_split(east.unit):
                    onward.setdefault(west.unit, {}).setdefault(east.unit, span)
        for number, ring in enumerate(_rings(onward)):
            if number == MOST_RINGS:
                break
            units = " -> ".join(ring) if len(ring) <= 10 else f"{' -> '.join(ring[:9])} -> ... -> {ring[-1]}"
            self._complaints.error(
                onward[ring[-2]][ring[-1]], f"data would go round: {units}",
                "a graph from west to east; only a WestEastSplit connector may stand at both ends",
            )  # fmt: skip

    def _is_split(self, name: str) -> bool:
        unit = self._units.get(name)
        if unit is None or isinstance(unit.config, KafkaTopic):
            return unit is not None
        return isinstance(unit.config, BgpConnector) and unit.config.topology == "WestEastSplit"

    def _is_topic(self, name: str) -> bool:
        """Whether this is a topic between instances: each of its halves lives where it stands."""
        unit = self._units.get(name)
        return unit is not None and isinstance(unit.config, KafkaTopic)


def takes_rpki(config: Config) -> bool:
    """Whether RPKI data may flow into such a unit."""
    return isinstance(config, TAKES_RPKI)


def _fits(giver: UnitBlock, taker: UnitBlock) -> bool:
    if isinstance(giver.config, RPKI_ONLY):
        return takes_rpki(taker.config)
    if isinstance(taker.config, POLICIES):  # the RPKI data that a RIB or a link has beside its routes
        return isinstance(giver.config, PhysicalRib | RotoroLink)
    return giver.gives == taker.takes


def _wanted(taker: UnitBlock) -> str:
    return "RPKI data" if isinstance(taker.config, POLICIES) else (taker.takes and taker.takes.name) or "records"


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


def _rings(onward: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Ways from a node back to it, one for each edge that closes one; without recursion, as graphs may be long."""
    done: set[str] = set()
    for start in onward:
        way: dict[str, Iterator[str]] = {}
        if start not in done:
            way[start] = iter(onward[start])
        while way:
            node = next(reversed(way))
            following = next(way[node], None)
            if following is None:
                del way[node]
                done.add(node)
            elif following in way:
                names = list(way)
                yield [*names[names.index(following) :], following]
            elif following not in done:
                way[following] = iter(onward.get(following, ()))
