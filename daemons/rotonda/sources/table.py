"""Tables of records as filters see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks.types import RecordType
from rotonda.blocks.values import Prefix, RecordValue, Value
from rotonda.filters.world import NONE, SourceGone, SourceView
from rotonda.sources.columns import Column, Keys, ListColumn, NumberColumn, Pause, PrefixColumn, column_of
from rotonda.sources.found import Found, Rows
from rotonda.sources.prefix_index import PrefixIndex
from rotonda.sources.prefix_tree import Mask, Numbers
from rotonda.sources.table_changes import Changed, changed
from rotonda.sources.table_files import read_columns


class TableView(SourceView):
    """The records of a table at one moment, in the order of its file.

    Prefixes are looked up in the first field of that type. Indexes that were not made beforehand are made when they are
    first needed.
    """

    def __init__(self, type: RecordType, columns: Sequence[Column], version: int = 0) -> None:
        """Of a column for each field of the type. `version` grows from view to view of one source."""
        self.type = type
        self.version = version
        self._columns = {field.name: column for field, column in zip(type.fields, columns, strict=True)}
        self._prefixes = next((own for own in columns if isinstance(own, PrefixColumn)), None)

    @staticmethod
    def of(type: RecordType, columns: Sequence[list[Value]], version: int = 0) -> TableView:
        """Of the values of each field."""
        pairs = zip(type.fields, columns, strict=True)
        return TableView(type, [column_of(field.type, values) for field, values in pairs], version)

    @staticmethod
    def read(octets: bytes, type: RecordType, name: str, version: int = 0, pause: Pause = lambda: None) -> TableView:
        """The table of a file of this name; `pause` is called every few milliseconds. Raises BadTable."""
        view = TableView(type, read_columns(octets, type, name, pause), version)
        view.prepare((), pause)
        return view

    def prepare(self, fields: Collection[str], pause: Pause = lambda: None) -> None:
        """Make the indexes of prefixes and of these fields, where nobody waits for an answer."""
        for name, column in self._columns.items():
            if column is self._prefixes or name in fields:
                column.prepare(pause)

    def tabled(self) -> TableView:
        """Itself."""
        return self

    def changed_since(self, before: TableView, pause: Pause = lambda: None) -> Changed:
        """The prefixes of which another table of the same type has other records; `pause` as in `read`."""
        return changed(list(before._columns.values()), list(self._columns.values()), pause)

    def __len__(self) -> int:
        return max(map(len, self._columns.values()), default=0)

    def record(self, row: int) -> RecordValue:
        """One record."""
        return RecordValue(self.type.name, tuple((name, own.value(row)) for name, own in self._columns.items()))

    def column(self, field: str) -> Column:
        """The values of a field. Raises SourceGone if there is no such field."""
        try:
            return self._columns[field]
        except KeyError:
            raise SourceGone(f"{self.type} has no field {field}") from None

    # --- one question ------------------------------------------------------------------------------------------------

    def exact_match(self, prefix: Prefix) -> Found[RecordValue]:
        """Records of this prefix."""
        return self._found(self._index(prefix.bits).exact_match(prefix))

    def longest_match(self, prefix: Prefix) -> Found[RecordValue]:
        """Records of the longest prefix that covers this one."""
        return self._found(self._index(prefix.bits).longest_match(prefix))

    def less_specifics(self, prefix: Prefix) -> Found[RecordValue]:
        """Records of all prefixes that cover this one, the shortest first."""
        return self._found(self._index(prefix.bits).less_specifics(prefix))

    def more_specifics(self, prefix: Prefix) -> Found[RecordValue]:
        """Records of all prefixes that this one covers, in order of address and length."""
        return self._found(self._index(prefix.bits).more_specifics(prefix))

    def find(self, field: str, key: Value) -> Found[RecordValue]:
        """Records with this value in this field."""
        return self._found(self.column(field).rows(key))

    def contains(self, field: str, key: Value) -> bool:
        """Whether a record has this value in this field."""
        return len(self.column(field).rows(key)) > 0

    # --- whole columns -----------------------------------------------------------------------------------------------

    def count_column(self, look_up: str, prefixes: NDArray[np.bytes_]) -> Numbers:
        """How many records one of `LOOK_UPS` finds for each prefix."""
        return self._index_of(prefixes).counts(look_up, prefixes)

    def contains_column(self, field: str, keys: Keys) -> Mask:
        """Which values a record has in this field; numbers, and prefixes of one family, may come as arrays."""
        return np.asarray(self.first_rows(field, keys) != NONE)

    def first_rows(self, field: str, keys: Keys) -> Numbers:
        """The row of the first record with each of these values in this field, or NONE."""
        return self.column(field).first_rows(keys)

    def first_of(self, look_up: str, prefixes: NDArray[np.bytes_]) -> Numbers:
        """The row of the first record that `exact_match` or `longest_match` finds for each of these, which ascend."""
        return self._index_of(prefixes).first_rows_ascending(look_up, prefixes)

    def known_at(self, field: str, rows: Numbers) -> Mask | None:
        """Which of these rows have a value in this field; None for all of them."""
        return self.column(field).known_at(rows)

    def numbers_at(self, field: str, rows: Numbers) -> NDArray[Any]:
        """What these rows have in a field of numbers."""
        column = self.column(field)
        assert isinstance(column, NumberColumn)
        return column.values_at(rows)

    def has_at(self, field: str, rows: Numbers, items: NDArray[Any]) -> Mask:
        """Whether these rows have, each, this item in a field of lists of numbers."""
        column = self.column(field)
        assert isinstance(column, ListColumn)
        return column.has_at(rows, items)

    def _index(self, bits: int) -> PrefixIndex:
        if self._prefixes is None:
            raise SourceGone(f"{self.type} has no prefixes")
        return self._prefixes.index(bits)

    def _index_of(self, prefixes: NDArray[Any]) -> PrefixIndex:
        return self._index(8 * (prefixes.dtype.itemsize - 1))

    def _found(self, rows: Rows) -> Found[RecordValue]:
        return Found(rows, self.record)
