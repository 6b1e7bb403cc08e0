"""What a file means when nothing is wrong in it: blocks by their full names, ready to run."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from rotonda.blocks.places import Source, Span
from rotonda.blocks.settings import Config, GraphPath
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.types import RecordType, SourceType, StreamType


class UnitBlock(msgspec.Struct, frozen=True):
    """A unit; `takes` and `gives` are the types of the records on its two sides, None where it has none.

    A RIB without `contains` and without a filter that makes records gives what it takes.
    """

    name: str
    span: Span
    config: Config
    takes: RecordType | None
    gives: RecordType | None


class SourceBlock(msgspec.Struct, frozen=True):
    """A data source."""

    name: str
    span: Span
    config: Config
    type: SourceType


class StreamBlock(msgspec.Struct, frozen=True):
    """An output stream; `config` is None for one whose transport is bound elsewhere."""

    name: str
    span: Span
    config: Config | None
    type: StreamType


class InstanceBlock(msgspec.Struct, frozen=True):
    """An instance with its graph; `edges` are all pairs of neighbours of its paths, each once, in order.

    In an edge a unit of another instance is called `instance.unit`, and the east half of a connector that stands at
    both ends of paths has the name of the connector, too: an edge leads into it.
    """

    name: str
    span: Span
    config: Config
    paths: tuple[GraphPath, ...]
    edges: tuple[tuple[str, str], ...]


class Program(msgspec.Struct, frozen=True, eq=False):
    """All blocks of a file, by their full names (`module.name`), in the order of the file."""

    types: Mapping[str, RecordType]
    filters: Mapping[str, TypedFilter]
    units: Mapping[str, UnitBlock]
    sources: Mapping[str, SourceBlock]
    streams: Mapping[str, StreamBlock]
    instances: Mapping[str, InstanceBlock]
    source: Source
    """The text that it was made from."""
