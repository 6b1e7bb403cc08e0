"""PDUs through their Construct layouts: slow and plain, the definition that everything fast is held to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from construct import Computed, ConstructError, GreedyRange, Struct

from rotoro.wire.errors import CorruptData
from rotoro.wire.pdu import PDUS, Part, Pdu


def build(pdu: Pdu, version: int) -> bytes:
    """One PDU as its layout writes it.

    >>> from rotoro.wire.rtr import CacheResponse
    >>> build(CacheResponse(7), 2).hex(" ", 4)
    '02030007 00000008'
    """
    values = {"version": version, **{name: wire.raw(getattr(pdu, name)) for name, wire in pdu.laid_out.items()}}
    length = len(pdu.layout.build({**values, "length": 0}))
    octets: bytes = pdu.layout.build({**values, "length": length})
    return octets


def parse(octets: bytes) -> tuple[int, Pdu]:
    """One PDU as its layout reads it, checked; CorruptData where the layout fails or leaves octets over."""
    pdu = PDUS[octets[0], octets[1]]
    try:
        found = pdu.layout.parse(octets)
        made = pdu(**{name: wire.value(found[name]) for name, wire in pdu.wires.items()})
    except (ConstructError, UnicodeDecodeError) as broken:
        raise CorruptData(f"{pdu.title}: {broken}", octets) from broken
    made.check()
    # The layouts do not look at the length, and leave what they cannot read.
    if int(found.length) != len(octets) or len(build(made, octets[0])) != len(octets):
        raise CorruptData(f"{pdu.title} of {len(octets)} octets does not fill them", octets)
    return octets[0], made


def build_rows(row: type[Part], flags: int, rows: Iterable[dict[str, Any]]) -> bytes:
    """The rows of a run as their layout writes them, values by name."""
    absent, present = dict.fromkeys(row.wires), row.present(flags)
    written = [{**absent, **{name: wire.raw(values[name]) for name, wire in present.items()}} for values in rows]
    octets: bytes = _run(row, flags).build({"rows": written})
    return octets


def parse_rows(row: type[Part], flags: int, octets: bytes) -> list[dict[str, Any]]:
    """The rows of a run as their layout reads them; a column that the flags leave out is None."""
    found = _run(row, flags).parse(octets)["rows"]
    return [
        {name: None if each[name] is None else wire.value(each[name]) for name, wire in row.wires.items()}
        for each in found
    ]


def _run(row: type[Part], flags: int) -> Struct:
    return Struct("flags" / Computed(flags), "rows" / GreedyRange(row.layout))
