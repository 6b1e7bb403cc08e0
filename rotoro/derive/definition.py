"""PDUs through their Construct layouts: slow and plain, the definition that everything fast is held to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from construct import Computed, ConstructError, GreedyRange, Struct

from rotoro.wire.errors import CorruptData
from rotoro.wire.pdu import PDUS, Layout, Part, Pdu, Wire


def build(pdu: Pdu, version: int) -> bytes:
    """One PDU as its layout writes it.

    >>> from rotoro.wire.rtr import CacheResponse
    >>> build(CacheResponse(7), 2).hex(" ", 4)
    '02030007 00000008'
    """
    values = {"version": version, **raw(pdu)}
    length = len(pdu.layout.build({**values, "length": 0}))
    octets: bytes = pdu.layout.build({**values, "length": length})
    return octets


def parse(octets: bytes) -> tuple[int, Pdu]:
    """One PDU as its layout reads it, checked; CorruptData where the layout fails or leaves octets over."""
    pdu = PDUS[octets[0], octets[1]]
    try:
        found = pdu.layout.parse(octets)
        made = pdu(**{name: _value(wire, found[name]) for name, wire in pdu.wires.items()})
    except (ConstructError, UnicodeDecodeError) as broken:
        raise CorruptData(f"{pdu.title}: {broken}", octets) from broken
    made.check()
    # The layouts do not look at the length, and leave what they cannot read.
    if int(found.length) != len(octets) or len(build(made, octets[0])) != len(octets):
        raise CorruptData(f"{pdu.title} of {len(octets)} octets does not fill them", octets)
    return octets[0], made


def build_rows(row: type[Part], flags: int, rows: Iterable[dict[str, Any]]) -> bytes:
    """The rows of a run as their layout writes them, values by name."""
    written = [{name: _raw(wire, values.get(name)) for name, wire in row.wires.items()} for values in rows]
    octets: bytes = _run(row, flags).build({"rows": written})
    return octets


def parse_rows(row: type[Part], flags: int, octets: bytes) -> list[dict[str, Any]]:
    """The rows of a run as their layout reads them; a column that the flags leave out is None."""
    found = _run(row, flags).parse(octets)["rows"]
    return [
        {name: None if each[name] is None else _value(wire, each[name]) for name, wire in row.wires.items()}
        for each in found
    ]


def _run(row: type[Part], flags: int) -> Struct:
    return Struct("flags" / Computed(flags), "rows" / GreedyRange(row.layout))


def raw(owner: Layout) -> dict[str, Any]:
    """What a layout takes to write this PDU or entry."""
    return {name: _raw(wire, getattr(owner, name)) for name, wire in type(owner).laid_out.items()}


def _raw(wire: Wire, value: Any) -> Any:
    return wire.to_wire(value) if wire.to_wire and value is not None else value


def _value(wire: Wire, found: Any) -> Any:
    return wire.from_wire(found) if wire.from_wire else found
