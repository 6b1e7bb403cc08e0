"""What a filter may know of the file that it stands in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from rotonda.blocks.syntax import Expression, Name, Path
from rotonda.blocks.types import SourceType, StreamType, Type


class Scope(Protocol):
    """The file, seen from where a filter stands in it."""

    def type(self, reference: Name) -> Type | None:
        """The type of this name; None after a complaint."""

    def source(self, path: Path) -> tuple[str, SourceType] | None:
        """The full name of a data source and its type; None after a complaint."""

    def stream(self, path: Path) -> tuple[str, StreamType] | None:
        """The full name of an output stream and its type; None, without a complaint, if there is none."""

    def value(self, path: Path) -> tuple[str, Expression, Scope] | None:
        """What a module says that a name stands for, `name = ...;`: its full name, and the file as seen from there.

        None, without a complaint, if no module says so.
        """

    def names(self) -> Iterable[str]:
        """All names that can be seen from there, for suggestions."""
