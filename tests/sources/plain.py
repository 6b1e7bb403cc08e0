"""Tables that are looked through record by record, to compare with; and prefixes that are full of coincidences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from rotonda.blocks import types
from rotonda.blocks.types import FieldOf, RecordType
from rotonda.blocks.values import Prefix

LOOK_UPS = ("exact_match", "longest_match", "less_specifics", "more_specifics")
CUSTOMER = RecordType(
    "Customer",
    (FieldOf("prefix", types.PREFIX), FieldOf("asn", types.ASN), FieldOf("name", types.STRING)),
)


def _prefix(bits: int, length: int, parts: tuple[int, int, int]) -> Prefix:
    first, second, last = parts
    address = (first << bits - 8 | second << bits - 16 | last) % (1 << bits)
    shift = bits - length
    return Prefix((address >> shift << shift).to_bytes(bits // 8), length)


def prefixes() -> st.SearchStrategy[Prefix]:
    """Prefixes of both families, of which many cover each other."""
    parts = st.tuples(st.sampled_from((0, 10, 128, 255)), st.integers(0, 3), st.integers(0, 2))
    lengths = {bits: st.sampled_from((0, 1, 8, 9, 15, 16, 24, bits - 1, bits)) for bits in (32, 128)}
    return st.one_of(*(st.builds(_prefix, st.just(bits), lengths[bits], parts) for bits in (32, 128)))


def matching(own: Sequence[Prefix], look_up: str, prefix: Prefix) -> list[int]:
    """The rows that a look-up finds, in any order."""
    wanted = {
        "exact_match": lambda other: other == prefix,
        "longest_match": lambda other: other.covers(prefix),
        "less_specifics": lambda other: other.covers(prefix),
        "more_specifics": prefix.covers,
    }[look_up]
    rows = [row for row, other in enumerate(own) if wanted(other)]
    if look_up == "longest_match":
        longest = max((own[row].length for row in rows), default=0)
        rows = [row for row in rows if own[row].length == longest]
    return rows


def keys(prefixes: Sequence[Prefix], bits: int) -> NDArray[np.bytes_]:
    """Prefixes of one family as keys."""
    octets = [prefix.octets + bytes((prefix.length,)) for prefix in prefixes if prefix.bits == bits]
    return np.array(octets, f"S{bits // 8 + 1}")
