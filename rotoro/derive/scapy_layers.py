"""Scapy layers for every PDU, made from the same declarations. Needs Scapy; nothing else here does."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from scapy.fields import (
    ByteEnumField,
    ByteField,
    Field,
    FieldLenField,
    FieldListField,
    IntField,
    IP6Field,
    IPField,
    LongField,
    PacketListField,
    ShortField,
    StrFixedLenField,
    StrLenField,
)
from scapy.packet import Packet, Raw

from rotoro.wire.pdu import PDUS, RTR_LATEST, Layout, Part, Pdu
from rotoro.wire.shape import Kind, Shape, every_pdu, in_header, is_address, parts_of, shape

AnyField = Field[Any, Any]
_NUMBERS: dict[int, type[AnyField]] = {1: ByteField, 2: ShortField, 4: IntField, 8: LongField}
_ADDRESSES: dict[int, type[AnyField]] = {4: IPField, 16: IP6Field}
_COUNTS = {1: "B", 2: "!H", 4: "!I"}


class PduLayer(Packet):
    """The base of every layer: fills in its length, and finds the layer of the PDU behind it."""

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Put the length in if nobody gave one."""
        if self.length is None:
            pkt = pkt[:4] + struct.pack("!I", len(pkt)) + pkt[8:]
        return pkt + pay

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        """What follows in a stream is the next PDU."""
        return layer_at(payload)


class PartLayer(Packet):
    """The base of what a PDU repeats."""

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes | None]:
        """What follows belongs to the next entry."""
        return b"", s


def layer_at(octets: bytes) -> type[Packet]:
    """The layer of the PDU that these octets begin with."""
    pdu = PDUS.get((octets[0], octets[1])) if len(octets) > 1 else None
    return Raw if pdu is None else LAYERS[pdu]


def field_name(name: str) -> str:
    """The name of a field in Scapy, which keeps some names for itself.

    >>> field_name("serial"), field_name("time")
    ('serial', 'time_')
    """
    return name + "_" if hasattr(Packet, name) else name


def _fields(owner: type[Layout], header: bool) -> list[AnyField]:
    return [field for name in in_header(owner, header) for field in _of(owner, name, shape(owner, name))]


def _of(owner: type[Layout], name: str, form: Shape) -> list[AnyField]:
    """The Scapy field for one of ours, and the length or count in front of it."""
    wire, called = owner.laid_out[name], field_name(name)
    if form.kind is Kind.NUMBER:
        if wire.names is not None:
            return [ByteEnumField(called, 0, {value.value: value.name for value in wire.names})]
        return [_NUMBERS[form.size](called, 0)]
    if form.kind is Kind.OCTETS:
        if is_address(form):
            return [_ADDRESSES[form.size](called, None)]
        return [StrFixedLenField(called, bytes(form.size), form.size)]
    if form.kind is Kind.REST:
        return [StrLenField(called, b"", length_from=_left_for(called))]
    if form.kind is Kind.NUMBERS:
        return [FieldListField(called, [], _NUMBERS[form.size]("", 0), length_from=_left_for(called))]
    return _counted(owner, name, form)


def _counted(owner: type[Layout], name: str, form: Shape) -> list[AnyField]:
    called, entry = field_name(name), owner.laid_out[name].entry
    if form.kind is Kind.COUNTED_OCTETS:
        length = FieldLenField(f"{name}_length", None, fmt=_COUNTS[form.prefix], length_of=called)
        return [length, StrLenField(called, b"", length_from=_value_of(f"{name}_length"))]
    count = FieldLenField(f"{name}_count", None, fmt=_COUNTS[form.prefix], count_of=called)
    how_many = _value_of(f"{name}_count")
    if entry is not None:
        return [count, PacketListField(called, [], PARTS[entry], count_from=how_many)]
    return [count, FieldListField(called, [], _NUMBERS[form.size]("", 0), count_from=how_many)]


def _value_of(name: str) -> Callable[[Packet], int]:
    return lambda packet: int(packet.getfieldval(name))


def _left_for(name: str) -> Callable[[Packet], int]:
    """What the length of the PDU leaves for its last field."""

    def left(packet: Packet) -> int:
        others = (field for field in packet.fields_desc if field.name != name)
        return int(packet.length) - sum(len(f.addfield(packet, b"", packet.getfieldval(f.name))) for f in others)

    return left


def _layer(owner: type[Layout], base: type[Packet], fields: list[AnyField]) -> type[Packet]:
    members = {"name": owner.title, "fields_desc": fields, "__doc__": owner.__doc__, "__module__": __name__}
    return type(owner.__name__, (base,), members)


def _pdu_layer(pdu: type[Pdu]) -> type[Packet]:
    head = _fields(pdu, True) or [ShortField("zero_16", 0)]
    version = RTR_LATEST if RTR_LATEST in pdu.versions else pdu.versions[-1]
    start: list[AnyField] = [ByteField("version", version), ByteField("type", pdu.number)]
    return _layer(pdu, PduLayer, [*start, *head, IntField("length", None), *_fields(pdu, False)])


PARTS: dict[type[Part], type[Packet]] = {
    part: _layer(part, PartLayer, _fields(part, False))
    for pdu in every_pdu()
    for name, part in parts_of(pdu).items()
    if name != "rows"
}
"""The layers of list entries. Rows are not here: which columns they have depends on their run."""

LAYERS: dict[type[Pdu], type[Packet]] = {pdu: _pdu_layer(pdu) for pdu in every_pdu()}
"""The layer of each PDU."""
