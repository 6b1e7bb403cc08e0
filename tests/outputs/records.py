"""A record type with a bit of everything, and records of it."""

from __future__ import annotations

from rotonda.blocks import types
from rotonda.blocks.types import FieldOf, ListType, RecordType
from rotonda.blocks.values import Prefix, RecordValue

SEEN = RecordType(
    "Seen",
    (
        FieldOf("prefix", types.PREFIX),
        FieldOf("asn", types.ASN),
        FieldOf("path", types.AS_PATH),
        FieldOf("marks", ListType(types.COMMUNITY)),
        FieldOf("note", types.STRING),
    ),
)


def seen(number: int = 1, note: str | None = "a note") -> RecordValue:
    """One of them."""
    fields = (
        ("prefix", Prefix.parse(f"10.{number % 256}.0.0/16")),
        ("asn", number),
        ("path", ((2, (64496, number)),)),
        ("marks", (1, 2)),
        ("note", note),
    )
    return RecordValue("Seen", fields)
