"""What it takes to be a PDU: a class of named fields becomes a value, a Construct layout and a row of the registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

from construct import Byte, Const, Construct, If, Int32ub, Padding, Struct, this

from rotoro.wire.errors import CorruptData

HEADER_LENGTH = 8
"""Version u8, type u8, two octets for the PDU's own use, length of the whole PDU u32 (RFC 8210 section 5)."""

ROTORO = 0x80
"""The version octet of Rotoro's first major; IETF versions grow from 0 and stay below."""

RTR_LATEST = 2
RTR_VERSIONS = (0, 1, 2)
VERSIONS = (*RTR_VERSIONS, ROTORO)

RTR_MAX_LENGTH = 65_535
"""The longest PDU of RTR, in octets (8210bis section 5.1), wherever it is carried: Rotoro must not bring what a cache
could not pass on."""

ROTORO_MAX_LENGTH = 1 << 20
"""The longest PDU of Rotoro's own, in octets, unless PARAMS says less."""


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
    entry: type[Part] | None = None
    """What a list repeats, where the field is a list."""
    names: type[IntEnum] | None = None
    """What the values of a number are called."""
    allowed: range | frozenset[int] | None = None
    """The values that a number may have, where not all that fit are meant."""

    def value(self, found: Any) -> Any:
        """What a layout has read, as a PDU has it."""
        return self.from_wire(found) if self.from_wire else found

    def raw(self, value: Any) -> Any:
        """The other way."""
        return self.to_wire(value) if self.to_wire else value


class Layout:
    """The base of everything that is declared field by field."""

    __slots__ = ()
    title: ClassVar[str]
    wires: ClassVar[dict[str, Wire]]
    """The fields that make up the value."""
    laid_out: ClassVar[dict[str, Wire]]
    """The same with the reserved fields, in the order of the wire."""
    types: ClassVar[dict[str, type]]
    """What the values of all these are: int, bytes, str, tuple, or a kind of address."""
    limits: ClassVar[dict[str, Wire]]
    """The fields of which not every value is allowed, and the lists of entries that have such."""
    layout: ClassVar[Construct]

    @classmethod
    def present(cls, flags: int) -> dict[str, Wire]:
        """The fields that are on the wire when the head of the PDU has these flags."""
        return {name: wire for name, wire in cls.laid_out.items() if flags & wire.when == wire.when}


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
    longest: ClassVar[int]
    """How many octets it may have, header included."""

    def check(self) -> None:
        """Raise a `ProtocolError` if the values cannot be meant; the codec calls this for all that it decodes."""
        _check_numbers(self)
        self.must_hold()

    def must_hold(self) -> None:
        """What else a declaration asks of its values, beside numbers that are allowed."""


def _check_numbers(owner: Layout) -> None:
    for name, wire in owner.limits.items():
        value = getattr(owner, name)
        if wire.entry is not None:
            for entry in value:
                _check_numbers(entry)
        elif wire.allowed is not None and value not in wire.allowed:
            raise CorruptData(f"{owner.title} with the unknown {name} {value}")


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
        made.longest = ROTORO_MAX_LENGTH if versions == (ROTORO,) else RTR_MAX_LENGTH
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
    annotated = {name: _annotation(hint) for name, hint in _hints(cls)}
    laid_out = {name: wire for name, (_, wire) in annotated.items() if wire is not None}
    # mypy holds every PDU frozen (see the decorators); freezing at run time would cost 1 us each.
    made: Any = dataclass(slots=True, unsafe_hash=True)(cls)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", cls.__name__).split()
    made.title = " ".join(_SPELLING.get(word, word) for word in words)
    made.laid_out = laid_out
    made.types = {name: annotated[name][0] for name in laid_out}
    made.wires = {name: wire for name, wire in laid_out.items() if not wire.reserved}
    made.limits = {
        name: wire for name, wire in made.wires.items() if wire.allowed or (wire.entry and wire.entry.limits)
    }
    for name in laid_out.keys() - made.wires.keys():
        setattr(made, name, laid_out[name].layout.parse(bytes(laid_out[name].layout.sizeof())))
    return made  # type: ignore[no-any-return]


def _hints(cls: type) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(cls, include_extras=True)
    return ((name, hints[name]) for name in cls.__annotations__)


def _annotation(hint: Any) -> tuple[type, Wire | None]:
    """What the values of an annotated field are, and their wire form, if it has one."""
    if get_origin(hint) is ClassVar:
        hint = get_args(hint)[0]
    value = getattr(hint, "__origin__", hint)
    wire = next((note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Wire)), None)
    return get_origin(value) or value, wire
