"""A past of routes as lists and dictionaries, which does at once what a strategy says."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from rotonda.rib.entries import MICROSECONDS, Ended
from rotonda.rib.merge import MergeStrategy, MostRecent, WindowTime

from rotoro.table import Ingress
from tests.rib.tables import SETS, PlainRoute

Session = tuple[int, int, int, int, int]
"""Family, address, length, ingress, path identifier."""


class PlainEntry(NamedTuple):
    """A route and, if it is of the past, when (in microseconds) and how it ended."""

    route: PlainRoute
    ended: int = 0
    state: int = 0

    @property
    def order(self) -> tuple[int, ...]:
        route = self.route
        return route.family, route.address, route.length, self.ended, route.ingress.number, route.path


def session(route: PlainRoute) -> Session:
    return route.family, route.address, route.length, route.ingress.number, route.path


@dataclass
class PlainPast:
    """Current routes and entries of the past by session key; `hash_of` is what distinguishes attribute sets."""

    strategy: MergeStrategy
    hash_of: Callable[[bytes], object]
    current: dict[Session, PlainRoute] = field(default_factory=dict)
    past: dict[Session, list[PlainEntry]] = field(default_factory=lambda: defaultdict(list))
    since: int = 0

    def update(self, announced: list[PlainRoute], withdrawn: set[Session], ended: int) -> None:
        """One change of the table."""
        for route in announced:
            self._announce(route, ended)
        for key in withdrawn:
            if key in self.current:
                self.past[key].append(PlainEntry(self.current.pop(key), ended, Ended.WITHDRAWN))
                self._bound(key)

    def sweep(self, now: int) -> None:
        """It is this late, in seconds."""
        if isinstance(self.strategy.overwrite, WindowTime):
            self.since = max(self.since, now - self.strategy.overwrite.seconds)

    def shown(self) -> list[PlainEntry]:
        """Everything there is, in the order of answers."""
        active = [PlainEntry(route) for route in self.current.values()]
        past = [entry for entries in self.past.values() for entry in entries if self._in_window(entry)]
        if self.strategy.merges_peers:
            active, past = self._merged(active, past)
        return sorted([*active, *past], key=lambda entry: entry.order)

    def _announce(self, route: PlainRoute, ended: int) -> None:
        key, old = session(route), self.current.get(session(route))
        if old is not None and old.octets == route.octets:
            return  # tables are about values: nothing has changed
        self.current[key] = route
        if old is not None and self.hash_of(old.octets) != self.hash_of(route.octets):
            self.past[key].append(PlainEntry(old, ended, Ended.REPLACED))
        if isinstance(self.strategy.overwrite, MostRecent):
            own = self.hash_of(route.octets)
            self.past[key] = [entry for entry in self.past[key] if self.hash_of(entry.route.octets) != own]
        self._bound(key)

    def _bound(self, key: Session) -> None:
        most = self.strategy.overwrite.entries - (key in self.current)
        self.past[key] = self.past[key][len(self.past[key]) - most :] if len(self.past[key]) > most else self.past[key]

    def _in_window(self, entry: PlainEntry) -> bool:
        return min(entry.route.time, entry.ended // MICROSECONDS) >= self.since

    def _merged(self, active: list[PlainEntry], past: list[PlainEntry]) -> tuple[list[PlainEntry], list[PlainEntry]]:
        def group(entry: PlainEntry) -> object:
            route = entry.route
            said = self.strategy.of_ingress(route.ingress)
            return route.family, route.address, route.length, route.path, said, self.hash_of(route.octets)

        winners: dict[object, PlainEntry] = {}
        for entry in sorted(active, key=lambda entry: (entry.route.time, entry.route.ingress.number)):
            winners[group(entry)] = entry
        latest: dict[object, PlainEntry] = {}
        for entry in sorted(past, key=lambda entry: (entry.ended, entry.route.ingress.number)):
            latest[group(entry)] = entry
        if isinstance(self.strategy.overwrite, MostRecent):
            past = [entry for entry in past if latest[group(entry)] == entry and group(entry) not in winners]
        losers = [entry for entry in active if winners[group(entry)] != entry]
        for loser in losers:
            ended = (winners[group(loser)].route.time + 1) * MICROSECONDS - 1
            past.append(PlainEntry(loser.route, ended, Ended.REPLACED))
        return list(winners.values()), past


def random_changes(
    chance: random.Random, origins: list[Ingress], steps: int, time: int
) -> list[tuple[list[PlainRoute], set[Session], int]]:
    """What is announced and withdrawn, each session key once, and the second in which that is; full of coincidences."""
    changes = []
    for _ in range(steps):
        time += chance.choice((0, 0, 1, 10))
        announced: dict[Session, PlainRoute] = {}
        for _ in range(chance.choice((1, 1, 2, 8))):
            family = chance.choice((4, 4, 6))
            address = chance.choice((0, 10, 255)) << (24 if family == 4 else 120)
            octets, ingress = chance.choice(SETS[:10]), chance.choice(origins)
            route = PlainRoute(family, address, 8, chance.choice((0, 0, 0, 7)), ingress, octets, 0)
            received = max(0, time - chance.choice((0, 0, 0, 30, time)))
            announced[session(route)] = replace(route, time=received)
        gone = set(chance.sample(sorted(announced), chance.randrange(len(announced) + 1)))
        changes.append(([route for key, route in announced.items() if key not in gone], gone, time))
    return changes
