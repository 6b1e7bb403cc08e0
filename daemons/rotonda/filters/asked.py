"""What filters ask of data sources, as far as it can be made ready beforehand."""

from __future__ import annotations

from collections.abc import Iterable

from rotonda.blocks.lower_walk import everything, expressions
from rotonda.blocks.typed import Ask, Expr, GetField, SourceOf, Step
from rotonda.blocks.types import ListType, SourceType
from rotonda.filters.answers import OBJECTS, form

_BY_KEY = ("Source.find", "Source.contains")


def asked_fields(steps: Iterable[Step], source: str) -> frozenset[str]:
    """The fields of a data source by whose values these steps find records, and the lists of numbers that they look
    into."""
    return frozenset(field for one in everything(*expressions(steps)) if (field := _field(one, source)) is not None)


def _field(wanted: Expr, source: str) -> str | None:
    match wanted:
        case Ask(subject=subject, method=method, arguments=(key, *_)) if method in _BY_KEY and _is_of(subject, source):
            return subject.type.key_field(key.type) if isinstance(subject.type, SourceType) else None
        case GetField(subject=subject, field=field, type=ListType(item=item)) if form(item) != OBJECTS:
            return field if _is_of(subject, source) else None
    return None


def _is_of(wanted: Expr, source: str) -> bool:
    """Whether this source is asked for it."""
    return any(isinstance(part, SourceOf) and part.name == source for part in everything(wanted))
