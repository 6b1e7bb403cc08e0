"""The kinds of MRT records that come by the thousand, and what their numbers say about them (RFC 6396, RFC 8050)."""

from __future__ import annotations

from typing import NamedTuple

HEADER_OCTETS = 12
BGP, TABLE_DUMP, TABLE_DUMP_V2, BGP4MP, BGP4MP_ET = 5, 12, 13, 16, 17


class RibKind(NamedTuple):
    """Records with one prefix and an entry for each peer that has it."""

    number: int  # type and subtype as they stand in the header
    family: int
    add_path: bool


class MessageKind(NamedTuple):
    """Records with one BGP message."""

    number: int
    extended_time: bool  # microseconds follow the header
    four_octet: bool  # AS numbers, in the record and in the message
    local: bool  # the collector sent it
    add_path: bool


def kind_number(kind: int, subtype: int) -> int:
    """Type and subtype as one number, as the header has them."""
    return kind << 16 | subtype


RIB_KINDS = {
    kind.number: kind
    for kind in (
        RibKind(kind_number(TABLE_DUMP_V2, subtype), family, add_path)
        for subtype, family, add_path in ((2, 4, False), (4, 6, False), (8, 4, True), (10, 6, True))
    )
}
MESSAGE_KINDS = {
    kind.number: kind
    for kind in (
        MessageKind(kind_number(type_, subtype), type_ == BGP4MP_ET, *meaning)
        for type_ in (BGP4MP, BGP4MP_ET)
        for subtype, *meaning in (
            (1, False, False, False),
            (4, True, False, False),
            (6, False, True, False),
            (7, True, True, False),
            (8, False, False, True),
            (9, True, False, True),
            (10, False, True, True),
            (11, True, True, True),
        )
    )
}
STATE_CHANGES = {
    kind_number(type_, subtype): (type_ == BGP4MP_ET, four_octet)
    for type_ in (BGP4MP, BGP4MP_ET)
    for subtype, four_octet in ((0, False), (5, True))
}
TABLE_DUMPS = {kind_number(TABLE_DUMP, afi): family for afi, family in ((1, 4), (2, 6))}
PEER_INDEX_TABLE, RIB_GENERIC = kind_number(TABLE_DUMP_V2, 1), kind_number(TABLE_DUMP_V2, 6)
