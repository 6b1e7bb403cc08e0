"""Who is called what: the blocks of a file by their full names, and how a name finds its block from where it stands.

A dotted name is looked for from the root, then from the module in which it stands outwards; a single one from the
module outwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rotonda.blocks.diagnostics import Complaints, suggestion
from rotonda.blocks.syntax import (
    Assignment,
    Block,
    Expression,
    Field,
    File,
    Filter,
    Item,
    Module,
    Name,
    Path,
    Reference,
    TypeDefinition,
)

Declared = Module | Block | Assignment | Filter

KINDS = {
    "unit": "a unit",
    "data-source": "a data source",
    "output-stream": "an output stream",
    "instance": "an instance",
}


def kind_of(item: Item) -> str:
    """What an item is, for people."""
    match item:
        case Block(kind=kind):
            return KINDS[kind.value]
        case Filter():
            return "a filter"
        case Module():
            return "a module"
        case Assignment():
            return "a value"
        case TypeDefinition():
            return "a type"


class Space:
    """What is declared in one module, or at the root."""

    def __init__(self, name: str, parent: Space | None) -> None:
        self.name = name
        self.parent = parent
        self.declared: dict[str, Declared] = {}
        self.spaces: dict[str, Space] = {}
        self.types: list[TypeDefinition] = []
        self.used: set[str] = set()
        """Values in it that something has asked for."""
        self.broken: frozenset[str] = frozenset()
        """At the root: names of blocks that could not be read, of which nothing more is said."""

    def full(self, name: str) -> str:
        """The full name of something in this module."""
        return f"{self.name}.{name}" if self.name else name

    @property
    def outwards(self) -> Iterator[Space]:
        """This module and those around it."""
        space: Space | None = self
        while space is not None:
            yield space
            space = space.parent

    @property
    def root(self) -> Space:
        """The file."""
        return self if self.parent is None else self.parent.root

    def everything(self) -> Iterator[tuple[Space, Declared]]:
        """All that is declared here and in the modules within, in the order of the file."""
        for name, item in self.declared.items():
            yield self, item
            if name in self.spaces:
                yield from self.spaces[name].everything()

    def within(self) -> Iterator[Space]:
        """This module and all those in it."""
        yield self
        for space in self.spaces.values():
            yield from space.within()

    def find(self, path: Path) -> tuple[Space, Declared] | None:
        """What a name means here, and where that is declared."""
        words = [part.text for part in path.parts]
        starts = self.outwards if len(words) == 1 else (self.root, *self.outwards)
        return next((found for start in starts if (found := start._walk(words)) is not None), None)

    def names(self) -> Iterator[str]:
        """Names by which something can be found from here."""
        for space in self.outwards:
            yield from space.declared
        for inner in self.root.within():
            if inner.name:
                yield from map(inner.full, inner.declared)

    def _walk(self, words: list[str]) -> tuple[Space, Declared] | None:
        space = self
        for word in words[:-1]:
            if word not in space.spaces:
                return None
            space = space.spaces[word]
        found = space.declared.get(words[-1])
        return None if found is None else (space, found)


def spaces_of(file: File, complaints: Complaints) -> Space:
    """All names of a file; those that are declared twice are complained of, and the first one counts."""
    root = Space("", None)
    root.broken = frozenset(file.broken)
    _fill(root, file.items, complaints)
    return root


def _fill(space: Space, items: Iterable[Item], complaints: Complaints) -> None:
    for item in items:
        if isinstance(item, TypeDefinition):
            space.types.append(item)
            continue
        name = item.name.text
        if name in space.declared:
            first = space.declared[name]
            line, _ = complaints.source.place(first.span.start)
            complaints.error(
                item.name.span,
                f"{name} is declared twice in {space.name or 'this file'}",
                hint=f"it is {kind_of(first)} in line {line}",
            )
            continue
        space.declared[name] = item
        if isinstance(item, Module):
            if item.arguments:
                complaints.error(item.arguments[0].span, "a module takes no arguments", hint="give them to its filters")
            space.spaces[name] = Space(space.full(name), space)
            _fill(space.spaces[name], item.items, complaints)


def path_of(expression: Expression) -> Path | None:
    """The dotted name that an expression is, if it is one."""
    parts: list[Name] = []
    while isinstance(expression, Field):
        parts.append(expression.name)
        expression = expression.subject
    if not isinstance(expression, Reference):
        return None
    parts.append(expression.name)
    parts.reverse()
    return Path(span=parts[0].span.to(parts[-1].span), parts=tuple(parts))


def undefined(path: Path, space: Space, wanted: str, complaints: Complaints) -> None:
    """Complain that nothing is called so, unless what was called so could not be read."""
    if space.root.broken.isdisjoint(part.text for part in path.parts):
        complaints.error(path.span, f"there is no {path.text}", wanted, suggestion(path.text, space.names()))
