"""The columns of a table in little memory, and the indexes that are made of them when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks import types
from rotonda.blocks.types import ListType, ScalarType, Type
from rotonda.blocks.values import Prefix, Value
from rotonda.filters.world import NONE
from rotonda.sources.found import Rows
from rotonda.sources.prefix_index import Groups, PrefixIndex, by_family
from rotonda.sources.prefix_tree import Mask, Numbers
from rotoro.table.columns import distinct

_DTYPES: dict[Type, np.dtype[Any]] = {
    **{type: np.dtype(f"u{bits // 8}") for type, bits in types.WHOLE_NUMBERS.items()},
    types.COMMUNITY: np.dtype("u4"),
    types.EXTENDED_COMMUNITY: np.dtype("u8"),
    types.TIME: np.dtype("u8"),
    types.FLOAT: np.dtype("f8"),
    types.DURATION: np.dtype("f8"),
    types.BOOL: np.dtype("?"),
}
"""Types of values that are columns of numbers."""

_PREFIX_OCTETS = 17
_PIECE = 1 << 13
"""Values that are put into an index before others have their turn."""

_PARTS = 64
"""Into which an index is divided, as a large one is moved as a whole, and holds up others, when it grows."""

Pause = Callable[[], object]
"""Lets others have their turn."""

Keys = Sequence[Value] | NDArray[Any]
"""What is looked up: values of the language, or an array of numbers, or of prefixes of one family."""


class Column(Protocol):
    """The values of one field, which never change."""

    def __len__(self) -> int:
        """How many rows."""

    def value(self, row: int) -> Value:
        """One value, None where it is missing."""

    def rows(self, key: Value) -> Rows:
        """The rows with this value, ascending."""

    def first_rows(self, keys: Keys) -> Numbers:
        """The first row with each of these values, or NONE."""

    def prepare(self, pause: Pause) -> None:
        """Make the indexes that questions need, where nobody waits for an answer."""

    def known_at(self, rows: Numbers) -> Mask | None:
        """Which of these rows have a value; None for all of them."""

    def same(self, rows: Numbers, other: Any, theirs: Numbers) -> Mask:
        """Which of these rows have what as many rows of another column of the same field have."""

    def followed_by(self, parts: Sequence[Any]) -> Column:
        """The column of its rows and those of others of the same type."""


def column_of(type: Type, values: list[Value]) -> Column:
    """The column of these values."""
    if type == types.PREFIX:
        return PrefixColumn.of(values)  # type: ignore[arg-type]
    if isinstance(type, ScalarType) and type in _DTYPES:
        known = np.array([value is not None for value in values]) if None in values else None
        return NumberColumn(np.array([0 if value is None else value for value in values], _DTYPES[type]), known)
    if isinstance(type, ListType) and isinstance(type.item, ScalarType) and type.item in _DTYPES:
        return ListColumn.of(values, _DTYPES[type.item])  # type: ignore[arg-type]
    return ValueColumn.of(values)


def joined(parts: Sequence[Column]) -> Column:
    """The column of all of these, which are of one type."""
    first = parts[0]
    return first if len(parts) == 1 else first.followed_by(parts[1:])


def _all_known(parts: Sequence[NumberColumn | ListColumn]) -> Mask | None:
    if all(part.known is None for part in parts):
        return None
    return np.concatenate([np.ones(len(part), np.bool_) if part.known is None else part.known for part in parts])


class NumberColumn:
    """A column of numbers; `known` says where they are, None for everywhere."""

    def __init__(self, values: NDArray[Any], known: Mask | None = None) -> None:
        self.values = values
        self.known = known

    def __len__(self) -> int:
        return len(self.values)

    def value(self, row: int) -> Value:
        """One value."""
        missing = self.known is not None and not self.known[row]
        return None if missing else self.values[row].item()

    def values_at(self, rows: Numbers) -> NDArray[Any]:
        """The values of these rows, 0 where there is none."""
        return self.values[rows] if len(self) else np.zeros(len(rows), self.values.dtype)

    def known_at(self, rows: Numbers) -> Mask | None:
        """Which of these rows have a value."""
        return None if self.known is None or not len(self) else self.known[rows]

    def followed_by(self, parts: Sequence[NumberColumn]) -> NumberColumn:
        """The column of its rows and those of others."""
        parts = [self, *parts]
        return NumberColumn(np.concatenate([part.values for part in parts]), _all_known(parts))

    def same(self, rows: Numbers, other: NumberColumn, theirs: Numbers) -> Mask:
        """Which of these rows have the same number there."""
        return np.asarray(self.values[rows] == other.values[theirs]) & _both_known(self, rows, other, theirs)

    def rows(self, key: Value) -> Rows:
        """The rows with this value."""
        distinct, groups = self._index
        if not self._fits(key):
            return ()
        number = int(distinct.searchsorted(self.values.dtype.type(key)))
        return groups.rows(number) if number < len(distinct) and distinct[number] == key else ()

    def first_rows(self, keys: Keys) -> Numbers:
        """The first row with each of these numbers."""
        return self._index[1].first(self._numbers(keys))

    def prepare(self, pause: Pause) -> None:
        """Sort the numbers."""
        _ = self._index
        pause()

    def _numbers(self, keys: Keys) -> Numbers:
        """Where each number stands among the distinct ones."""
        distinct, _ = self._index
        numbers = np.full(len(keys), NONE, np.int64)
        if len(distinct) and len(keys):
            wanted, possible = (keys, True) if isinstance(keys, np.ndarray) else self._fitting(keys)
            at = np.minimum(np.searchsorted(distinct, wanted), len(distinct) - 1)
            there = (distinct[at] == wanted) & possible
            numbers[there] = at[there]
        return numbers

    def _fitting(self, keys: Sequence[Value]) -> tuple[NDArray[Any], Mask]:
        """Values as numbers of this column, and which of them can be any."""
        possible = np.array(list(map(self._fits, keys)))
        fitting = [key if fits else 0 for key, fits in zip(keys, possible, strict=True)]
        return np.array(fitting, self.values.dtype), possible

    def _fits(self, key: Any) -> bool:
        dtype = self.values.dtype
        if dtype.kind == "f":
            return isinstance(key, int | float)
        return isinstance(key, int) and 0 <= key < 1 << 8 * dtype.itemsize

    @cached_property
    def _index(self) -> tuple[NDArray[Any], Groups]:
        rows = np.arange(len(self.values)) if self.known is None else np.flatnonzero(self.known)
        order = np.argsort(self.values[rows], kind="stable")
        ordered = self.values[rows][order]
        first = np.ones(len(ordered), np.bool_)
        first[1:] = ordered[1:] != ordered[:-1]
        return ordered[first], Groups(rows[order], np.append(np.flatnonzero(first), len(ordered)))


class PrefixColumn:
    """A column of prefixes: the family of each, 4 or 6, or 0 where it is missing; and 17 octets, the length last."""

    def __init__(self, families: NDArray[np.uint8], octets: NDArray[np.uint8]) -> None:
        self.families = families
        self._octets = octets

    @staticmethod
    def of(values: list[Prefix | None]) -> PrefixColumn:
        """Of single prefixes."""
        families = (0 if value is None else 6 if value.is_ipv6 else 4 for value in values)
        octets = b"".join(
            bytes(_PREFIX_OCTETS) if value is None else value.octets.ljust(16, b"\0") + bytes((value.length,))
            for value in values
        )
        rows = np.frombuffer(octets, np.uint8).reshape(-1, _PREFIX_OCTETS)
        return PrefixColumn(np.fromiter(families, np.uint8, len(values)), rows)

    def __len__(self) -> int:
        return len(self.families)

    def value(self, row: int) -> Prefix | None:
        """One prefix."""
        family, octets = self.families[row], self._octets[row]
        return None if not family else Prefix(octets[: 4 if family == 4 else 16].tobytes(), int(octets[16]))

    def known_at(self, rows: Numbers) -> Mask | None:
        """Which of these rows have a prefix."""
        return self.families[rows] > 0 if len(self) else None

    def followed_by(self, parts: Sequence[PrefixColumn]) -> PrefixColumn:
        """The column of its rows and those of others."""
        parts = [self, *parts]
        families = np.concatenate([part.families for part in parts])
        return PrefixColumn(families, np.concatenate([part._octets for part in parts]))

    def same(self, rows: Numbers, other: PrefixColumn, theirs: Numbers) -> Mask:
        """Which of these rows have the same prefix there."""
        alike = np.all(self._octets[rows] == other._octets[theirs], axis=1)
        return np.asarray(alike & (self.families[rows] == other.families[theirs]))

    def rows(self, key: Value) -> Rows:
        """The rows with this prefix."""
        return self.index(key.bits).exact_match(key) if isinstance(key, Prefix) else ()

    def first_rows(self, keys: Keys) -> Numbers:
        """The first row with each of these prefixes."""
        if isinstance(keys, np.ndarray):
            return self.index(8 * (keys.dtype.itemsize - 1)).first_rows("exact_match", keys)
        rows = np.full(len(keys), NONE, np.int64)
        for places, own in by_family(list(keys)):  # type: ignore[arg-type]
            rows[places] = self.first_rows(own)
        return rows

    def prepare(self, pause: Pause) -> None:
        """Make the trees of both families."""
        for bits in (32, 128):
            self.index(bits).tree.prepare()
            pause()

    def index(self, bits: int) -> PrefixIndex:
        """The prefixes of the family whose addresses have so many bits."""
        return self._index4 if bits == 32 else self._index6

    @cached_property
    def _index4(self) -> PrefixIndex:
        return self._made(4, [*range(4), 16])

    @cached_property
    def _index6(self) -> PrefixIndex:
        return self._made(6, [*range(_PREFIX_OCTETS)])

    def _made(self, family: int, octets: list[int]) -> PrefixIndex:
        rows = np.flatnonzero(self.families == family)
        own = np.ascontiguousarray(self._octets[rows][:, octets])
        return PrefixIndex(own.view(f"S{len(octets)}").reshape(-1), rows)


def _both_known(
    one: NumberColumn | ListColumn, rows: Numbers, other: NumberColumn | ListColumn, theirs: Numbers
) -> Mask:
    """Which rows are known in both columns, or in neither."""
    known, there = one.known_at(rows), other.known_at(theirs)
    everywhere = np.ones(len(rows), np.bool_)
    return np.asarray((everywhere if known is None else known) == (everywhere if there is None else there))


class ListColumn:
    """A column of lists of numbers: list i is values[offsets[i]:offsets[i + 1]]; `known` as of numbers."""

    def __init__(self, values: NDArray[Any], offsets: Numbers, known: Mask | None = None) -> None:
        self.values = values
        self.offsets = offsets
        self.known = known

    @staticmethod
    def of(lists: list[tuple[Any, ...] | None], dtype: np.dtype[Any]) -> ListColumn:
        """Of single lists."""
        lengths = np.fromiter((len(own or ()) for own in lists), np.int64, len(lists))
        values = np.fromiter((item for own in lists for item in own or ()), dtype, int(lengths.sum()))
        known = np.array([own is not None for own in lists]) if None in lists else None
        return ListColumn(values, np.concatenate(([0], np.cumsum(lengths))), known)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def value(self, row: int) -> Value:
        """One list."""
        missing = self.known is not None and not self.known[row]
        return None if missing else tuple(self.values[self.offsets[row] : self.offsets[row + 1]].tolist())

    def rows(self, key: Value) -> Rows:
        """The rows with this list."""
        return self._by_value.rows(key)

    def first_rows(self, keys: Keys) -> Numbers:
        """The first row with each of these lists."""
        return self._by_value.first_rows(keys)

    def prepare(self, pause: Pause) -> None:
        """Sort the items."""
        _ = self._pairs
        pause()

    def known_at(self, rows: Numbers) -> Mask | None:
        """Which of these rows have a list."""
        return None if self.known is None or not len(self) else self.known[rows]

    def followed_by(self, parts: Sequence[ListColumn]) -> ListColumn:
        """The column of its rows and those of others."""
        parts = [self, *parts]
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        values = np.concatenate([part.values for part in parts])
        return ListColumn(values, np.concatenate(([0], np.cumsum(lengths))), _all_known(parts))

    def same(self, rows: Numbers, other: ListColumn, theirs: Numbers) -> Mask:
        """Which of these rows have the same list there."""
        same = _both_known(self, rows, other, theirs)
        starts, lengths = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        others = other.offsets[theirs]
        same &= lengths == other.offsets[theirs + 1] - others
        lengths = np.where(same, lengths, 0)
        which = np.repeat(np.arange(len(rows)), lengths)
        offsets = np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        unlike = self.values[starts[which] + offsets] != other.values[others[which] + offsets]
        same[which[unlike]] = False
        return same

    def has_at(self, rows: Numbers, items: NDArray[Any]) -> Mask:
        """Whether the lists of these rows have these items, one of each."""
        if not len(self.values):
            return np.zeros(len(rows), np.bool_)
        distinct, pairs = self._pairs
        places = np.minimum(np.searchsorted(distinct, items), len(distinct) - 1)
        wanted = rows.astype(np.uint64) * np.uint64(len(distinct)) + places.astype(np.uint64)
        at = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
        return np.asarray((pairs[at] == wanted) & (distinct[places] == items))

    @cached_property
    def _pairs(self) -> tuple[NDArray[Any], NDArray[np.uint64]]:
        """The distinct items, and all pairs of a row and the place of an item among them."""
        items, places = np.unique(self.values, return_inverse=True)
        rows = np.repeat(np.arange(len(self), dtype=np.uint64), np.diff(self.offsets))
        return items, distinct(rows * np.uint64(len(items)) + places.astype(np.uint64))

    @cached_property
    def _by_value(self) -> ValueColumn:
        return ValueColumn.of([self.value(row) for row in range(len(self))])


class ValueColumn:
    """A column of anything else, looked up by hash.

    An array of objects, because lists of millions are looked through for garbage again and again, which takes long.
    """

    def __init__(self, values: NDArray[np.object_]) -> None:
        self._values = values

    @staticmethod
    def of(values: Sequence[Value]) -> ValueColumn:
        """Of single values."""
        return ValueColumn(np.fromiter(values, np.object_, len(values)))

    def __len__(self) -> int:
        return len(self._values)

    def value(self, row: int) -> Value:
        """One value."""
        found: Value = self._values[row]
        return found

    def known_at(self, rows: Numbers) -> Mask | None:
        """Which of these rows have a value."""
        return np.fromiter((value is not None for value in self._values[rows].tolist()), np.bool_, len(rows))

    def followed_by(self, parts: Sequence[ValueColumn]) -> ValueColumn:
        """The column of its rows and those of others."""
        return ValueColumn(np.concatenate([part._values for part in (self, *parts)]))

    def same(self, rows: Numbers, other: ValueColumn, theirs: Numbers) -> Mask:
        """Which of these rows have the same value there."""
        pairs = zip(self._values[rows].tolist(), other._values[theirs].tolist(), strict=True)
        return np.fromiter((own == there for own, there in pairs), np.bool_, len(rows))

    def rows(self, key: Value) -> Rows:
        """The rows with this value."""
        first = self._first(key)
        return () if first == NONE else self._index[1].rows(first)

    def first_rows(self, keys: Keys) -> Numbers:
        """The first row with each of these values."""
        return np.fromiter(map(self._first, keys), np.int64, len(keys))

    def _first(self, key: Value) -> int:
        firsts = self._index[0]
        return firsts[hash(key) % _PARTS].get(key, NONE)

    def prepare(self, pause: Pause) -> None:
        """Look for equal values."""
        if "_index" not in self.__dict__:
            self.__dict__["_index"] = self._indexed(pause)

    @cached_property
    def _index(self) -> tuple[list[dict[Hashable, int]], Groups]:
        return self._indexed(lambda: None)

    def _indexed(self, pause: Pause) -> tuple[list[dict[Hashable, int]], Groups]:
        """The first row of each value, and the rows that have the value of each row that is a first one."""
        firsts: list[dict[Hashable, int]] = [{} for _ in range(_PARTS)]
        own = np.full(len(self), NONE, np.int64)
        for start in range(0, len(self), _PIECE):
            piece = self._values[start : start + _PIECE].tolist()
            own[start : start + _PIECE] = [
                NONE if value is None else firsts[hash(value) % _PARTS].setdefault(value, row)
                for row, value in enumerate(piece, start)
            ]
            pause()
        rows = np.flatnonzero(own != NONE)
        ordered = rows[np.argsort(own[rows], kind="stable")]
        return firsts, Groups(ordered, np.searchsorted(own[ordered], np.arange(len(self) + 1)))
