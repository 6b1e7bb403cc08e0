"""Fields of routes and records as columns: what their attribute sets, or the octets of records, say of one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from rotonda.blocks.types import ROUTE, RecordType
from rotonda.filters.batches import TypedRecords
from rotonda.filters.lists import Column, Lists
from rotonda.filters.set_columns import SetColumns
from rotonda.sources.columns import ListColumn, NumberColumn, column_of

FieldColumn: TypeAlias = NumberColumn | ListColumn


def field_column(type: RecordType, field: str, sets: Sequence[bytes]) -> FieldColumn:
    """A field of numbers, or of lists of them, that is no field of rows. Raises KeyError if there is no such field."""
    if type == ROUTE:
        return _ATTRIBUTES[field](SetColumns(sets))
    own = next((one for one in type.fields if one.name == field), None)
    if own is None:
        raise KeyError(field)
    records = TypedRecords(type)
    made = column_of(own.type, [records.of_set(octets).get(field) for octets in sets])
    assert isinstance(made, FieldColumn)
    return made


def _number(column: Column) -> NumberColumn:
    return NumberColumn(column.values, None if column.known.all() else column.known)


def _list(lists: Lists) -> ListColumn:
    return ListColumn(lists.values, lists.offsets)


_ATTRIBUTES: Mapping[str, Callable[[SetColumns], FieldColumn]] = {
    "origin_asn": lambda columns: _number(columns.origin_as),
    "med": lambda columns: _number(columns.med),
    "local_pref": lambda columns: _number(columns.local_pref),
    "atomic_aggregate": lambda columns: NumberColumn(columns.atomic_aggregate),
    "aggregator_asn": lambda columns: _number(columns.aggregator_as),
    "only_to_customer": lambda columns: _number(columns.only_to_customer),
    "communities": lambda columns: _list(columns.communities),
    "extended_communities": lambda columns: _list(columns.extended_communities),
}
