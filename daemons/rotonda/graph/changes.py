"""What becomes of each unit when another program takes the place of the one that runs."""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

from rotonda.blocks.configs import AnyUnit, KafkaTopic, LocalExceptions, MergeUnit, Router
from rotonda.blocks.places import Span
from rotonda.blocks.program import Program
from rotonda.blocks.settings import Config, FilterUse
from rotonda.graph.plan import Plan, Planned

_MADE_OF_WESTS = (AnyUnit, LocalExceptions, MergeUnit, Router)
"""Units that cannot be given other wests while they run."""


class Fate(Enum):
    """What becomes of a unit."""

    KEPT = "kept"
    FILTERED = "with other filters"
    REPLACED = "replaced"
    NEW = "new"
    GONE = "gone"


def fates(before: Plan, after: Plan, old: Program, new: Program) -> dict[str, Fate]:
    """The fate of every unit of both plans, those that stay from west to east."""
    names = [*after.units, *(name for name in before.units if name not in after.units)]
    found: dict[str, Fate] = {}
    for name in names:
        found[name] = _fate(before.units.get(name), after.units.get(name), old, new, found)
    return found


def _fate(before: Planned | None, after: Planned | None, old: Program, new: Program, found: dict[str, Fate]) -> Fate:
    if before is None:
        return Fate.NEW
    if after is None:
        return Fate.GONE
    own, other = before.block, after.block
    same_types = own.takes == other.takes and own.gives == other.gives
    if not same_types or not _alike(own.config, other.config):
        return Fate.REPLACED
    changed_west = before.wests != after.wests or any(
        found.get(west.name) in (Fate.NEW, Fate.REPLACED) for west in after.wests
    )
    if changed_west and isinstance(other.config, _MADE_OF_WESTS):
        return Fate.REPLACED
    if isinstance(other.config, KafkaTopic) and before.halves != after.halves:
        return Fate.REPLACED
    return Fate.KEPT if _same_filters(own.config, other.config, old, new) else Fate.FILTERED


def _alike(one: Config, other: Config) -> bool:
    """Whether two configurations are the same but for which filters they have; having one and having none differ."""
    if type(one) is not type(other):
        return False
    return all(_alike_values(value, vars(other)[name]) for name, value in vars(one).items() if name != "on_failure")


def _alike_values(one: Any, other: Any) -> bool:
    if isinstance(one, FilterUse) and isinstance(other, FilterUse):
        return True
    if isinstance(one, Config) and isinstance(other, Config):
        return _alike(one, other)
    if isinstance(one, tuple) and isinstance(other, tuple) and not hasattr(one, "_fields"):
        return len(one) == len(other) and all(map(_alike_values, one, other))
    return bool(one == other)


def _same_filters(one: Config, other: Config, old: Program, new: Program) -> bool:
    if getattr(one, "on_failure", None) != getattr(other, "on_failure", None):
        return False
    for value, changed in zip(uses(one), uses(other), strict=True):
        if value != changed or not same_filter(old, new, value.name):
            return False
    return True


def uses(config: Config) -> list[FilterUse]:
    """All filters of a unit, also those of its peers."""
    found: list[FilterUse] = []
    for value in vars(config).values():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, FilterUse):
                found.append(each)
            elif isinstance(each, Config):
                found += uses(each)
    return found


def same_filter(old: Program, new: Program, name: str) -> bool:
    """Whether a filter does the same in two programs, wherever it stands in their texts.

    The data sources that it asks are part of it, and the streams that it sends to.
    """
    one, other = old.filters[name], new.filters[name]
    if not _same(one, other, {}):
        return False
    sources = all(same_source(old, new, source) for source, _ in one.sources)
    return sources and all(same_stream(old, new, stream) for stream, _ in one.streams)


def same_source(old: Program, new: Program, name: str) -> bool:
    """Whether a data source is the same in two programs."""
    one, other = old.sources[name], new.sources[name]
    return one.config == other.config and one.type == other.type


def same_stream(old: Program, new: Program, name: str) -> bool:
    """Whether an output stream is the same in two programs."""
    one, other = old.streams[name], new.streams[name]
    return one.config == other.config and one.type == other.type


def _same(one: Any, other: Any, seen: dict[tuple[int, int], bool]) -> bool:
    """Whether two typed values are the same but for their places; parts that stand twice are compared once."""
    if isinstance(one, Span) and isinstance(other, Span):
        return True
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_same(*pair, seen) for pair in zip(one, other, strict=True))
    if not isinstance(one, msgspec.Struct) or type(one) is not type(other):
        return bool(type(one) is type(other) and one == other)
    key = id(one), id(other)
    if key not in seen:
        seen[key] = all(_same(getattr(one, field), getattr(other, field), seen) for field in one.__struct_fields__)
    return seen[key]
