"""What it takes to be a PDU: a class of named fields becomes a value, a Construct layout and a row of the registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

from construct import Byte, Const, Construct, If, Int32ub, Padding, Struct, this

HEADER_LENGTH = 8
"""Version u8, type u8, two octets for the PDU's own use, length of the whole PDU u32 (RFC 8210 section 5)."""

ROTORO = 0x80
"""The version octet of Rotoro's first major; IETF versions grow from 0 and stay below."""

RTR_LATEST = 2
RTR_VERSIONS = (0, 1, 2)
RTR_MAX_LENGTH = 65_535
"""The longest RTR PDU (8210bis section 5.1)."""

ROTORO_MAX_LENGTH = 1 << 20
"""The longest Rotoro PDU, unless PARAMS says less."""

VERSIONS = (*RTR_VERSIONS, ROTORO)


def max_length(version: int) -> int:
    """The longest PDU that a version allows, in octets."""
    return ROTORO_MAX_LENGTH if version == ROTORO else RTR_MAX_LENGTH


@dataclass(frozen=True, slots=True)
class Wire:
    """How one field lies on the wire, and what it means."""

    layout: Construct
    meaning: str
    in_header: bool = False
    """RTR keeps two octets of every header for the PDU's own use."""
    from_wire: Callable[[Any], Any] | None = None
    to_wire: Callable[[Any], Any] | None = None
    reserved: bool = False
    """Sent as zero, ignored when received, no part of the value: every PDU has zero there."""
    when: int = 0
    """A column that rows have only if these flags are set in the head of their PDU."""
    entry: type[Any] | None = None
    """What a list repeats, where the field is a list."""
    names: type[IntEnum] | None = None
    """What the values of a number are called."""


class Layout:
    """The base of everything that is declared field by field."""

    __slots__ = ()
    title: ClassVar[str]
    wires: ClassVar[dict[str, Wire]]
    """The fields that make up the value."""
    laid_out: ClassVar[dict[str, Wire]]
    """The same with the reserved fields, in the order of the wire."""
    layout: ClassVar[Construct]


class Part(Layout):
    """The base of what a PDU repeats: rows and entries."""

    __slots__ = ()


class Pdu(Layout):
    """The base of every protocol data unit."""

    __slots__ = ()
    number: ClassVar[int]
    versions: ClassVar[tuple[int, ...]]
    row: ClassVar[type[Part] | None]
    """What the rows at the end of the PDU are, if it carries a run of them."""

    def check(self) -> None:
        """Raise a `ProtocolError` if the values cannot be meant; the codec calls this for all that it decodes."""


PDUS: dict[tuple[int, int], type[Pdu]] = {}
"""Every known PDU by (protocol version, PDU type)."""

_SPELLING = {"Ipv4": "IPv4", "Ipv6": "IPv6", "Of": "of", "Aspa": "ASPA"}
"""Where the title of a PDU differs from its class's name."""

L = TypeVar("L", bound=Layout)


@dataclass_transform(frozen_default=True)
def pdu(number: int, *, versions: tuple[int, ...], row: type[Part] | None = None) -> Callable[[type[L]], type[L]]:
    """Declare a PDU: number it, lay it out with Construct and list it in `PDUS`."""

    def declare(cls: type[L]) -> type[L]:
        made: Any = _declared(cls)
        made.number, made.versions, made.row = number, versions, row
        named = {name: (name / wire.layout) * wire.meaning for name, wire in made.laid_out.items()}
        header = [named[name] for name, wire in made.laid_out.items() if wire.in_header]
        body = [named[name] for name, wire in made.laid_out.items() if not wire.in_header]
        made.layout = Struct(
            "version" / Byte, "type" / Const(number, Byte), *(header or [Padding(2)]), "length" / Int32ub, *body
        )
        for version in versions:
            if (version, number) in PDUS:
                raise TypeError(f"{made.title} and {PDUS[version, number].title} both are type {number}")
            PDUS[version, number] = made
        return made  # type: ignore[no-any-return]

    return declare


@dataclass_transform(frozen_default=True)
def part(cls: type[L]) -> type[L]:
    """Declare what a PDU repeats: a row of a run, or an entry of a list."""
    made: Any = _declared(cls)
    made.layout = Struct(*(_column(name, wire) for name, wire in made.laid_out.items()))
    return made  # type: ignore[no-any-return]


def _column(name: str, wire: Wire) -> Construct:
    # A row's head is the PDU around it: two levels up, past the range that repeats the row.
    layout = If((this._root.flags & wire.when) == wire.when, wire.layout) if wire.when else wire.layout
    return (name / layout) * wire.meaning


def _declared(cls: type[L]) -> type[L]:
    """A slots dataclass of the value's fields, with its wires read from the annotations."""
    laid_out = {name: wire for name, wire in _wires(cls) if wire is not None}
    # mypy holds every PDU frozen (see the decorators); freezing at run time would cost 1 us each.
    made: Any = dataclass(slots=True, unsafe_hash=True)(cls)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", cls.__name__).split()
    made.title = " ".join(_SPELLING.get(word, word) for word in words)
    made.laid_out = laid_out
    made.wires = {name: wire for name, wire in laid_out.items() if not wire.reserved}
    for name in laid_out.keys() - made.wires.keys():
        setattr(made, name, laid_out[name].layout.parse(bytes(laid_out[name].layout.sizeof())))
    return made  # type: ignore[no-any-return]


def _wires(cls: type) -> Iterator[tuple[str, Wire | None]]:
    hints = get_type_hints(cls, include_extras=True)
    for name in cls.__annotations__:
        hint = hints[name]
        if get_origin(hint) is ClassVar:
            hint = get_args(hint)[0]
        yield name, next((note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Wire)), None)
