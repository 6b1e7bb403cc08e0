"""How the configuration of a block is declared: its settings, each with its type, its default and what it is for.

    class PhysicalRib(Config, word="PhysicalRib", kind=BlockKind.UNIT):
        '''Stores the routes that its filter-map accepts.'''
        filter_map = setting(MapReference, None, "what it does to each route")

The class is the declaration, and an instance of it one configuration: the checker makes instances from records, units
are built from them, and `spec/blocks.md` has its tables from the declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar, cast

import msgspec

from rotonda.blocks.syntax import BlockKind, canonical

T = TypeVar("T")


class Required(Exception):
    """A setting without a default was not given."""


class _Needed:
    """Stands where a default would."""

    def __repr__(self) -> str:
        return "required"


NEEDED: Any = _Needed()
"""The default of a setting that must be given."""


# --- types of settings -----------------------------------------------------------------------------------------------
# What is no type of values: references to other blocks, and words of several kinds.


class Plain(msgspec.Struct, frozen=True):
    """A value of a type of the language, by the name of the type; `low` and `high` bound whole numbers and seconds."""

    type: str
    low: float | None = None
    high: float | None = None


class Choice(msgspec.Struct, frozen=True):
    """One of these constants; the value is its name."""

    constants: tuple[str, ...]


class ListOf(msgspec.Struct, frozen=True):
    """A list, or a single one in its place; the value is a tuple."""

    item: SettingType


class OneOf(msgspec.Struct, frozen=True):
    """Whatever of these fits first."""

    types: tuple[SettingType, ...]


class FilterReference(msgspec.Struct, frozen=True):
    """A filter, or `FILTER.none`; the value is a `FilterUse`, or None. `pure` ones only, or also maps."""

    pure: bool


class BlockReference(msgspec.Struct, frozen=True):
    """Another block, by its name; the value is its full name. `words` are the types that it may have, () for all."""

    kind: BlockKind
    words: tuple[str, ...] = ()


class RecordTypeReference(msgspec.Struct, frozen=True):
    """A record type, named or defined there; the value is a `types.RecordType`."""


class NestedRecord(msgspec.Struct, frozen=True):
    """A record of settings; the value is an instance of this class."""

    config: type[Config]


class HashFields(msgspec.Struct, frozen=True):
    """Fields of a record, `(Route::prefix, Route::as_path)`; the value is a tuple of their canonical names."""


class Overwrite(msgspec.Struct, frozen=True):
    """`MOST_RECENT` or a moving window; the value is a `Window`."""


class Graph(msgspec.Struct, frozen=True):
    """Paths of units; the value is a tuple of `GraphPath`."""


SettingType = (
    Plain | Choice | ListOf | OneOf | FilterReference | BlockReference | RecordTypeReference | NestedRecord | HashFields
    | Overwrite | Graph
)  # fmt: skip

BOOL, STRING, ADDRESS, SOCKET_ADDRESS, ASN, PREFIX = map(
    Plain, ("Bool", "String", "IpAddress", "SocketAddress", "Asn", "Prefix")
)
DURATION = Plain("Duration", 0)
NUMBER = Plain("U32")
ENDPOINT = OneOf((SOCKET_ADDRESS, Plain("U16", 0, 65535), STRING))
"""Where to listen or to connect: `127.0.0.1:8323`, a port, or a string as the command line has it, `"tls:..."`."""
PURE_FILTER, FILTER_MAP = FilterReference(pure=True), FilterReference(pure=False)


# --- values of settings ----------------------------------------------------------------------------------------------


class FilterUse(msgspec.Struct, frozen=True):
    """A filter by its full name, with the arguments that this unit gives it."""

    name: str
    arguments: tuple[tuple[str, Any], ...] = ()


class Window(msgspec.Struct, frozen=True):
    """How many entries of a route are kept: `count` of them, or those of the last `seconds`; neither: MOST_RECENT."""

    count: int | None = None
    seconds: int | None = None


class GraphNode(msgspec.Struct, frozen=True):
    """A unit in a path, by its full name; `instance` is set for a table of another instance, `west.rib-in`.

    `asserted` is the kind that the path says it has, `Rib` of `Rib(x)`.
    """

    unit: str
    instance: str | None = None
    asserted: str | None = None


GraphPath = tuple[GraphNode, ...]


# --- declarations ----------------------------------------------------------------------------------------------------


class Setting(msgspec.Struct, frozen=True):
    """One setting of a configuration."""

    type: SettingType
    default: Any
    about: str
    aliases: tuple[str, ...] = ()

    @property
    def needed(self) -> bool:
        """Whether it must be given."""
        return self.default is NEEDED


def setting(type: SettingType, default: T, about: str, *aliases: str) -> T:
    """Declare a setting; to the type checker it is a value like its default."""
    return cast(T, Setting(type, default, about, aliases))


class Config:
    """The configuration of a block. `Type(name=value, ...)` takes canonical names; the rest has its default."""

    SETTINGS: ClassVar[Mapping[str, Setting]] = {}
    WORD: ClassVar[str] = ""
    """The type of the block in the language."""
    KIND: ClassVar[BlockKind | None] = None
    CATEGORY: ClassVar[str] = ""
    """What graphs may call it: `Rib`, `Connector`."""

    def __init_subclass__(cls, word: str = "", kind: BlockKind | None = None, category: str = "") -> None:
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Setting)}
        bases = {name: value for base in cls.__bases__ for name, value in getattr(base, "SETTINGS", {}).items()}
        cls.SETTINGS = {**own, **{name: value for name, value in bases.items() if name not in own}}
        cls.WORD, cls.KIND, cls.CATEGORY = word or cls.WORD, kind or cls.KIND, category or cls.CATEGORY

    def __init__(self, **given: Any) -> None:
        for name in given:
            if name not in self.SETTINGS:
                raise TypeError(f"{type(self).__name__} has no setting {name!r}")
        for name, declared in self.SETTINGS.items():
            value = given.get(name, declared.default)
            if value is NEEDED:
                raise Required(name)
            setattr(self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # configurations are compared, not hashed

    def __repr__(self) -> str:
        values = ((name, getattr(self, name), declared) for name, declared in self.SETTINGS.items())
        given = (f"{name}={value!r}" for name, value, declared in values if value != declared.default)
        return f"{type(self).__name__}({', '.join(given)})"

    @classmethod
    def find(cls, name: str) -> str | None:
        """The canonical name of the setting that is called so, or by an alias."""
        wanted = canonical(name)
        if wanted in cls.SETTINGS:
            return wanted
        return next((own for own, declared in cls.SETTINGS.items() if wanted in declared.aliases), None)
