"""What one instance of a program runs: its units from west to east, and what it has from other instances.

An edge that leads from one instance into another is a table that the eastern one follows. A connector that stands at
both ends lives where its west half is: if its east half is in the graph of another instance, its own instance follows
the table that leads there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rotonda.blocks.configs import BgpConnector, Daemon, KafkaTopic, PhysicalRib, Remote, RotoroLink, VirtualRib
from rotonda.blocks.graphs import RPKI_ONLY
from rotonda.blocks.program import InstanceBlock, Program, UnitBlock
from rotonda.blocks.settings import Config


class CannotRun(ValueError):
    """An instance that cannot run as it is told to; says why."""


@dataclass(frozen=True, slots=True)
class West:
    """What stands west of a unit: another unit of this instance, or of the remote one that is named."""

    unit: str
    instance: str | None = None

    @property
    def name(self) -> str:
        """What it is called here."""
        return f"{self.instance}.{self.unit}" if self.instance else self.unit


@dataclass(frozen=True, slots=True)
class Planned:
    """One unit with its wests, in the order of the graph."""

    block: UnitBlock
    wests: tuple[West, ...]
    has_east: bool = False
    """Whether another unit of this instance follows its table."""

    @property
    def halves(self) -> tuple[bool, bool]:
        """Of a topic between instances: whether this one reads it, and whether it writes it."""
        return self.has_east or not self.wests, bool(self.wests)


@dataclass(frozen=True)
class Plan:
    """The units of one instance, each behind those west of it; and how the instances that it follows are reached."""

    name: str
    daemon: Daemon
    units: Mapping[str, Planned]
    remotes: Mapping[str, Remote]

    def followed(self, instance: str) -> Iterator[str]:
        """The units of another instance whose tables are needed."""
        wests = (west for unit in self.units.values() for west in unit.wests)
        yield from dict.fromkeys(west.unit for west in wests if west.instance == instance)


def plan(program: Program, name: str | None = None) -> Plan:
    """The plan of the instance of this name, or of the only one. Raises CannotRun."""
    instance = _instance(program, name)
    own = list(_own_edges(program, instance))
    units = _units_of(program, instance)
    wests: dict[str, list[West]] = {unit: [] for unit in units}
    for west, east in own:
        if east in wests and west not in wests[east]:
            wests[east].append(west)
    followed = {west.unit for west, _ in own if west.instance is None}
    planned = {
        unit: Planned(program.units[unit], tuple(wests[unit]), unit in followed) for unit in _west_first(units, wests)
    }
    config = instance.config
    assert isinstance(config, Daemon)
    needed = dict.fromkeys(west.instance for each in planned.values() for west in each.wests if west.instance)
    remotes = {other: _remote(program, config, instance.name, other) for other in needed}
    return Plan(instance.name, config, planned, remotes)


def _instance(program: Program, name: str | None) -> InstanceBlock:
    if name is None:
        if len(program.instances) != 1:
            known = ", ".join(program.instances) or "none"
            raise CannotRun(f"say which instance is to run with --instance; there are: {known}")
        return next(iter(program.instances.values()))
    if name not in program.instances:
        raise CannotRun(f"there is no instance {name}; there are: {', '.join(program.instances) or 'none'}")
    return program.instances[name]


def _units_of(program: Program, instance: InstanceBlock) -> list[str]:
    """The units that live in an instance."""
    named = dict.fromkeys(node.unit for path in instance.paths for node in path if node.instance is None)
    return [unit for unit in named if _home(program, unit) in (None, instance.name)]


def _home(program: Program, unit: str) -> str | None:
    """Where a connector that stands in several instances lives: where its west half is; None for other units.

    The halves of a topic of Kafka know nothing of each other, so each lives where it stands.
    """
    if isinstance(program.units[unit].config, KafkaTopic):
        return None
    at = [each for each in program.instances.values() for path in each.paths if any(_is_local(n, unit) for n in path)]
    names = list(dict.fromkeys(each.name for each in at))
    if len(names) < 2:
        return None
    western = (each.name for each in at for path in each.paths if path and _is_local(path[0], unit) and len(path) > 1)
    return next(western, names[0])


def _is_local(node: object, unit: str) -> bool:
    return getattr(node, "unit", None) == unit and getattr(node, "instance", None) is None


def _own_edges(program: Program, instance: InstanceBlock) -> Iterator[tuple[West, str]]:
    """The edges that lead into units of this instance, also those that stand in the graphs of others."""
    for other in program.instances.values():
        for path in other.paths:
            for west, east in pairwise(path):
                if other is instance:
                    yield West(west.unit, west.instance), east.unit
                elif (
                    isinstance(program.units[east.unit].config, BgpConnector)
                    and _home(program, east.unit) == instance.name
                ):
                    yield West(west.unit, west.instance or other.name), east.unit


def _remote(program: Program, config: Daemon, name: str, other: str) -> Remote:
    remotes = config.remotes
    if isinstance(remotes, Mapping) and other in remotes:
        return remotes[other]
    known = program.instances.get(other)
    listen = known.config.listen if known is not None and isinstance(known.config, Daemon) else ()
    if not listen:
        raise CannotRun(
            f"{name} has tables of {other}, which listens nowhere: give {other} a listen:, or {name} a "
            f"{other}: {{ address: ... }}"
        )
    return Remote(address=listen[0])


def brings_rpki(config: Config) -> bool:
    """Whether this is a link that is to bring all that its server has, and not only one table or one type."""
    return isinstance(config, RotoroLink) and config.table is None and config.contains is None


def has_rpki(program: Program, unit: str) -> bool:
    """Whether RPKI data flows out of a unit: it brings some in, or is a RIB somewhere east of one that does."""
    wests: dict[str, list[str]] = {}
    for instance in program.instances.values():
        for path in instance.paths:
            for west, east in pairwise(path):
                wests.setdefault(east.unit, []).append(west.unit)
    seen: dict[str, None] = {unit: None}
    waiting = [unit]
    while waiting:
        name = waiting.pop()
        config = program.units[name].config
        if isinstance(config, RPKI_ONLY) or brings_rpki(config):
            return True
        if isinstance(config, PhysicalRib | VirtualRib):
            further = [west for west in wests.get(name, ()) if west not in seen]
            seen.update(dict.fromkeys(further))
            waiting += further
    return False


def _west_first(units: Sequence[str], wests: Mapping[str, Sequence[West]]) -> list[str]:
    """The units so that each stands behind its wests; the two halves of a connector do not count as a circle."""
    ordered: dict[str, None] = {}
    waiting = list(units)
    while waiting:
        ready = [
            unit
            for unit in waiting
            if all(west.instance or west.unit in ordered or west.unit == unit for west in wests[unit])
        ]
        for unit in ready or waiting[:1]:  # a connector with an east half waits for nobody
            ordered[unit] = None
        waiting = [unit for unit in waiting if unit not in ordered]
    return list(ordered)
