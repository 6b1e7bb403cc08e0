"""Fields that attribute sets, or the octets of records, have: what many sets say in one of them, in a form by which
equal values are found."""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from rotonda.bgp.as_path import written
from rotonda.bgp.attributes import AS_PATH, ORIGINS
from rotonda.blocks.types import ROUTE, RecordType
from rotonda.blocks.values import Address, Constant
from rotonda.filters.batches import TypedRecords
from rotonda.filters.lists import Column, Lists
from rotonda.filters.set_columns import NextHops, SetColumns
from rotonda.rib.path_segments import PathSegments
from rotonda.rib.set_walk import walked
from rotonda.sources.columns import ListColumn, NumberColumn, column_of

Told = Sequence[Hashable]
"""What sets say, one after the other; None where a value is missing."""


class SetField(NamedTuple):
    """How one field is read."""

    told: Callable[[Sequence[bytes]], Told]
    form: Callable[[Any], Hashable]
    """The form in which `told` has a value of the language; None if it has none."""
    dtype: np.dtype[Any] | None = None
    """Of numbers, and of those in lists; None of anything else."""
    lists: Callable[[Told], ListColumn] | None = None
    """The lists of numbers that were told."""


def set_field(type: RecordType, field: str) -> SetField:
    """A field that is no field of rows. Raises KeyError if there is no such field."""
    if type == ROUTE:
        return _ATTRIBUTES[field]
    own = type.field(field)
    if own is None:
        raise KeyError(field)
    empty, records = column_of(own.type, []), TypedRecords(type)
    made = SetField(lambda sets: [records.of_set(octets).get(field) for octets in sets], lambda value: value)
    if isinstance(empty, ListColumn):
        dtype = empty.values.dtype
        return made._replace(dtype=dtype, lists=lambda told: ListColumn.of(list(told), dtype))  # type: ignore[arg-type]
    return made._replace(dtype=empty.values.dtype) if isinstance(empty, NumberColumn) else made


def _number(read: Callable[[SetColumns], Column], dtype: str) -> SetField:
    def told(sets: Sequence[bytes]) -> Told:
        values, known = read(SetColumns(sets))
        own: list[Hashable] = values.tolist()
        for row in np.flatnonzero(~known).tolist():
            own[row] = None
        return own

    return SetField(told, lambda value: value, np.dtype(dtype))


def _list(read: Callable[[SetColumns], Lists], dtype: str) -> SetField:
    """Lists are told as their octets, which need little memory."""
    width = np.dtype(dtype).itemsize

    def lists(told: Told) -> ListColumn:
        octets = [own for own in told if isinstance(own, bytes)]
        offsets = np.cumsum([0, *(len(own) // width for own in octets)])
        return ListColumn(np.frombuffer(b"".join(octets), dtype), offsets)

    def form(value: Any) -> bytes | None:
        try:
            return np.array(value, dtype).tobytes() if isinstance(value, tuple) else None
        except (TypeError, ValueError, OverflowError):
            return None

    return SetField(lambda sets: _pieces(read(SetColumns(sets))), form, np.dtype(dtype), lists)


def _pieces(lists: Lists) -> list[bytes]:
    octets, ends = lists.values.tobytes(), (lists.offsets * lists.values.itemsize).tolist()
    return [octets[start:end] for start, end in pairwise(ends)]


def _paths(sets: Sequence[bytes]) -> Told:
    """The octets of AS paths; none of one that cannot be read."""
    where, told = walked(sets), [b""] * len(sets)
    found = where.values(AS_PATH)
    readable = np.zeros(len(sets), np.bool_)
    readable[PathSegments.of(where).rows] = True
    found = found.only(readable[found.rows])
    for row, start, size in zip(found.rows.tolist(), found.starts.tolist(), found.sizes.tolist(), strict=True):
        told[row] = where.data[start : start + size]
    return told


def _path(value: Any) -> bytes | None:
    try:
        return written(value)
    except (TypeError, ValueError, struct.error):
        return None


def _next_hops(sets: Sequence[bytes]) -> Told:
    hops: NextHops = SetColumns(sets).next_hop
    octets = hops.octets.tobytes()
    widths = (4 * (hops.families == 4) + 16 * (hops.families == 6)).tolist()
    return [octets[16 * row : 16 * row + width] or None for row, width in enumerate(widths)]


def _atomic(sets: Sequence[bytes]) -> Told:
    told: list[Hashable] = SetColumns(sets).atomic_aggregate.tolist()
    return told


def _large(value: Any) -> bytes | None:
    try:
        return b"".join(struct.pack(">III", own.administrator, own.first, own.second) for own in value)
    except (AttributeError, TypeError, struct.error):
        return None


def _origin(value: Any) -> int | None:
    return ORIGINS.index(value.name) if isinstance(value, Constant) and value.name in ORIGINS else None


def _octets(value: Any) -> bytes | None:
    return value.octets if isinstance(value, Address) else None


def _address4(value: Any) -> int | None:
    octets = _octets(value)
    return int.from_bytes(octets) if octets is not None and len(octets) == 4 else None


_ATTRIBUTES: Mapping[str, SetField] = {
    "origin": _number(lambda columns: columns.origin, "u1")._replace(form=_origin, dtype=None),
    "as_path": SetField(_paths, _path),
    "origin_asn": _number(lambda columns: columns.origin_as, "u4"),
    "next_hop": SetField(_next_hops, _octets),
    "med": _number(lambda columns: columns.med, "u4"),
    "local_pref": _number(lambda columns: columns.local_pref, "u4"),
    "atomic_aggregate": SetField(_atomic, lambda value: value, np.dtype("?")),
    "aggregator_asn": _number(lambda columns: columns.aggregator_as, "u4"),
    "communities": _list(lambda columns: columns.communities, "u4"),
    "extended_communities": _list(lambda columns: columns.extended_communities, "u8"),
    "large_communities": SetField(lambda sets: _pieces(SetColumns(sets).large_communities), _large),
    "originator_id": _number(lambda columns: columns.originator_id, "u4")._replace(form=_address4, dtype=None),
    "only_to_customer": _number(lambda columns: columns.only_to_customer, "u4"),
}
