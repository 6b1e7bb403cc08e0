"""What expressions of a filter are lowered with: the names of the filter, and what they stand for in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from rotonda.blocks.places import Span
from rotonda.blocks.syntax import Action, Assignment, Direction, Term
from rotonda.blocks.typed import Expr, FilterKind
from rotonda.blocks.types import SourceType, Type


class Place(msgspec.Struct, frozen=True):
    """Where an expression stands: what local names stand for there, and which record it sees.

    Values of bindings see the record as it came (`RX`), everything else as it is by then (`RX_TX`). A name that stands
    for None is known and wrong.
    """

    reading: Direction
    names: Mapping[str, Expr | None] = {}
    outside: bool = False
    """Whether it is outside of the filter, in the module: there its names are not known."""

    def knowing(self, names: Mapping[str, Expr | None]) -> Place:
        """The same place with more names."""
        return Place(self.reading, {**self.names, **names}, self.outside)


class Record(msgspec.Struct, frozen=True):
    """A record that comes in or goes out."""

    direction: Direction
    name: str
    type: Type
    span: Span


class Names:
    """What the names of a filter stand for; each stands for one thing."""

    def __init__(self, kind: FilterKind) -> None:
        self.kind = kind
        self.records: dict[str, Record] = {}
        self.arguments: dict[str, Type] = {}
        self.sources: dict[str, tuple[str, SourceType]] = {}
        self.bindings: dict[str, Assignment] = {}
        self.terms: dict[str, Term] = {}
        self.actions: dict[str, Action] = {}
        self.wrong: set[str] = set()
        """Names whose declarations are wrong; nothing is said of their uses."""
        self.used: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether the name is taken."""
        return name in self.wrong or any(name in taken for taken in self._tables())

    def all(self) -> Iterable[str]:
        """Every name."""
        return [name for taken in self._tables() for name in taken]

    @property
    def comes_in(self) -> Record | None:
        """The record that the filter gets."""
        return next((one for one in self.records.values() if one.direction is not Direction.TX), None)

    @property
    def goes_out(self) -> Record | None:
        """The record that actions may change."""
        return next((one for one in self.records.values() if one.direction is not Direction.RX), None)

    def _tables(self) -> tuple[Mapping[str, object], ...]:
        return self.records, self.arguments, self.sources, self.bindings, self.terms, self.actions


def count(number: int, what: str = "argument") -> str:
    """So many arguments, in words."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
