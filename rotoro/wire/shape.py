"""What kinds of fields there are: each Construct layout told in one word and two numbers, for whoever needs to know."""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from construct import Bytes, FocusedSeq, FormatField, GreedyBytes, GreedyRange, Prefixed

from rotoro.wire.pdu import PDUS, Layout, Part, Pdu, Wire


class Kind(Enum):
    """The kinds of fields."""

    NUMBER = "number"
    OCTETS = "octets"
    REST = "octets up to the end of the PDU"
    COUNTED_OCTETS = "length and octets"
    NUMBERS = "numbers up to the end of the PDU"
    COUNTED_NUMBERS = "count and numbers"
    ENTRIES = "count and entries"


class Shape(NamedTuple):
    """How one field is laid out."""

    kind: Kind
    size: int = 0
    """Octets of the number, of each number of a list, or of the octet string; 0 where it varies."""
    prefix: int = 0
    """Octets of the length or count in front of it."""
    value: type = int
    """What its values are: int, bytes, str, an address, or tuple."""

    @property
    def fixed(self) -> bool:
        """Whether the field always has the same width."""
        return self.kind in (Kind.NUMBER, Kind.OCTETS)


def shape(owner: type[Layout], name: str) -> Shape:
    """The shape of one field.

    >>> from rotoro.wire.rtr import Aspa, ErrorReport
    >>> shape(Aspa, "customer").kind, shape(Aspa, "providers").kind
    (<Kind.NUMBER: 'number'>, <Kind.NUMBERS: 'numbers up to the end of the PDU'>)
    >>> shape(ErrorReport, "text")
    Shape(kind=<Kind.COUNTED_OCTETS: 'length and octets'>, size=0, prefix=4, value=<class 'str'>)
    """
    wire, value = owner.laid_out[name], owner.types[name]
    layout = wire.layout
    if isinstance(layout, FormatField):
        return Shape(Kind.NUMBER, layout.sizeof())
    if isinstance(layout, Bytes):
        return Shape(Kind.OCTETS, layout.length, value=value)
    if layout is GreedyBytes:
        return Shape(Kind.REST, value=value)
    if isinstance(layout, Prefixed):
        return Shape(Kind.COUNTED_OCTETS, 0, layout.lengthfield.sizeof(), value)
    if isinstance(layout, GreedyRange):
        return Shape(Kind.NUMBERS, layout.subcon.sizeof(), value=tuple)
    if isinstance(layout, FocusedSeq):  # what Construct's PrefixedArray is made of
        count, each = (part.subcon.subcon for part in layout.subcons)
        if wire.entry is not None:
            return Shape(Kind.ENTRIES, 0, count.sizeof(), tuple)
        return Shape(Kind.COUNTED_NUMBERS, each.sizeof(), count.sizeof(), tuple)
    raise TypeError(f"{owner.title}: no shape for {name}, {layout!r}")


def is_address(found: Shape) -> bool:
    """Whether the values are IP addresses."""
    return found.value in (IPv4Address, IPv6Address)


def in_header(owner: type[Layout], where: bool) -> dict[str, Wire]:
    """The fields in the header, or those behind it."""
    return {name: wire for name, wire in owner.laid_out.items() if wire.in_header is where}


def every_pdu() -> list[type[Pdu]]:
    """Every PDU class once, in the order declared."""
    return list(dict.fromkeys(PDUS.values()))


def parts_of(pdu: type[Pdu]) -> dict[str, type[Part]]:
    """What a PDU repeats: the entries of its lists by field, and its rows."""
    entries = {name: wire.entry for name, wire in pdu.wires.items() if wire.entry is not None}
    return {**entries, **({"rows": pdu.row} if pdu.row is not None else {})}
