"""One vector per PDU: octets beside values.

`spec/vectors/rtr.json` is kept by hand, from RFCs and from other programs. `spec/vectors/rotoro.json` is written here:
RTR's PDUs are those vectors of version 2 with another first octet, Rotoro's own come from the Construct layouts that
define the format. The fast codec then has to agree with all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rotoro.derive.definition import build
from rotoro.derive.examples import EXAMPLES
from rotoro.wire.pdu import PDUS, ROTORO, RTR_LATEST, Layout, Pdu
from rotoro.wire.shape import every_pdu, is_address, shape


class Vector(NamedTuple):
    """One PDU, as a file of vectors has it."""

    version: int
    pdu: Pdu
    octets: bytes
    source: str


def written(by_hand: Path) -> str:
    """The whole of `spec/vectors/rotoro.json`; takes what the vectors kept by hand say of version 2."""
    about = (
        "One PDU of Rotoro or more each: octets beside values; octet strings are hex. Written by "
        "`python -m rotoro.derive`; do not edit. Sources are as in rtr.json, or the declarations in rotoro/wire: no "
        "other program speaks Rotoro yet, so those show what the layouts mean, and not that somebody else agrees."
    )
    vectors = [_entry(vector) for pdu in every_pdu() if ROTORO in pdu.versions for vector in _vectors(pdu, by_hand)]
    return json.dumps({"about": about, "vectors": vectors}, indent=1) + "\n"


def _vectors(pdu: type[Pdu], by_hand: Path) -> Iterator[Vector]:
    """One at least."""
    if RTR_LATEST in pdu.versions:
        for vector in read(by_hand):
            if type(vector.pdu) is pdu and vector.version == RTR_LATEST:
                octets = bytes([ROTORO]) + vector.octets[1:]
                yield Vector(ROTORO, vector.pdu, octets, f"{vector.source}; in version {RTR_LATEST}")
        return
    for example in [example for example in EXAMPLES if type(example) is pdu] or [plain(pdu)]:
        yield Vector(ROTORO, example, build(example, ROTORO), "the declarations in rotoro/wire")


def plain(owner: type[Layout]) -> Any:
    """A PDU of small numbers and field names, for one that has no example yet.

    >>> from rotoro.wire.rtr import SerialQuery
    >>> plain(SerialQuery)
    SerialQuery(session=1, serial=2)
    """
    values: dict[str, Any] = {}
    for count, (name, wire) in enumerate(owner.wires.items(), 1):
        form = shape(owner, name)
        if wire.entry is not None:
            values[name] = (plain(wire.entry),)
        elif wire.allowed is not None:
            values[name] = count if count in wire.allowed else min(wire.allowed)
        elif form.value in (int, str):
            values[name] = count if form.value is int else name
        elif form.value is tuple:
            values[name] = (1, 2)
        else:
            octets = bytes(form.size) if form.fixed else b"\x01\x02"
            values[name] = form.value(octets)
    return owner(**values)


def _entry(vector: Vector) -> dict[str, Any]:
    return {
        "pdu": type(vector.pdu).__name__,
        "version": vector.version,
        "type": vector.pdu.number,
        "octets": _spaced(vector.octets),
        "values": values_of(vector.pdu),
        "source": vector.source,
    }


def _spaced(octets: bytes) -> str:
    return " ".join(part.hex() for part in (octets[:2], octets[2:4], octets[4:8], octets[8:]) if part)


def values_of(owner: Layout) -> dict[str, Any]:
    """A PDU's values as JSON has them: octets in hex, addresses as text."""
    return {name: _told(getattr(owner, name)) for name in owner.wires}


def _told(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_told(each) for each in value]
    if isinstance(value, Layout):
        return values_of(value)
    if isinstance(value, bytes):
        return value.hex()
    return int(value) if isinstance(value, int) else str(value)


def read(path: Path) -> list[Vector]:
    """The vectors of a file."""
    return [
        Vector(
            entry["version"],
            _made(PDUS[entry["version"], entry["type"]], entry["values"]),
            bytes.fromhex(entry["octets"]),
            entry["source"],
        )
        for entry in json.loads(path.read_text())["vectors"]
    ]


def _made(owner: type[Any], values: dict[str, Any]) -> Any:
    return owner(**{name: _meant(owner, name, value) for name, value in values.items()})


def _meant(owner: type[Layout], name: str, value: Any) -> Any:
    form, entry = shape(owner, name), owner.wires[name].entry
    if entry is not None:
        return tuple(_made(entry, each) for each in value)
    if form.value is bytes:
        return bytes.fromhex(value)
    return form.value(value) if form.value is tuple or is_address(form) else value
