"""How tests read and compare syntax trees."""

from __future__ import annotations

from enum import Enum

import msgspec
from rotonda.blocks.diagnostics import Complaints, Diagnostic
from rotonda.blocks.parse import parse
from rotonda.blocks.places import Source
from rotonda.blocks.syntax import File


def read(text: str) -> tuple[File, list[Diagnostic]]:
    """The tree of a text, and what is wrong in it."""
    source = Source("test.blocks", text)
    complaints = Complaints(source)
    return parse(source, complaints), complaints.ordered()


def whole(text: str) -> File:
    """The tree of a text in which nothing is wrong."""
    file, found = read(text)
    assert not found, f"{[(one.message, one.span) for one in found]} in {text}"
    return file


def without_places(node: object) -> object:
    """A tree as tuples, without saying where things stand."""
    if isinstance(node, msgspec.Struct):
        fields = (name for name in node.__struct_fields__ if name != "span")
        return (type(node).__name__, *((name, without_places(getattr(node, name))) for name in fields))
    if isinstance(node, Enum):
        return node.name
    return tuple(map(without_places, node)) if isinstance(node, tuple) else node
