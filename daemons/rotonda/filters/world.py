"""What filters may ask, and whom they may tell: data sources and output streams, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp.as_path import AS_SEQUENCE, AS_SET, AsPath
from rotonda.blocks.types import PATH_STATE, ROV, RecordType
from rotonda.blocks.values import Constant, Prefix, RecordValue, Value
from rotonda.rpki.path_tables import PathTable

ADDRESS_OCTETS = {4: 4, 6: 16}
NONE = -1
LOOK_UPS = ("exact_match", "longest_match", "less_specifics", "more_specifics")


class SourceGone(Exception):
    """A data source cannot answer; words say why. A filter that needs it fails."""


class Record(Protocol):
    """A record that filters work on."""

    def get(self, name: str) -> Any:
        """The field of this canonical name; None if it is missing."""


Found = Sequence[Record]
"""In the order of the source; records may be made only when they are looked at."""


class Tabled(Protocol):
    """Records that have numbers, so that they can be asked for by the thousand; NONE is the number of no record."""

    def first_of(self, look_up: str, prefixes: NDArray[np.bytes_]) -> NDArray[np.int64]:
        """The first that `exact_match` or `longest_match` finds for each of these prefixes, which ascend."""

    def first_rows(self, field: str, keys: Sequence[Value] | NDArray[Any]) -> NDArray[np.int64]:
        """The first with each of these values in this field."""

    def known_at(self, field: str, rows: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Which of these have a value in this field; None for all of them."""

    def numbers_at(self, field: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """What these have in this field, which is one of numbers."""

    def has_at(self, field: str, rows: NDArray[np.int64], items: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether these have, each, this item in this field, which is one of lists of numbers."""


class SourceView:
    """One state of a data source; answers never change. What a kind of source has no answer to raises `SourceGone`.

    The methods with `column` in their names do the same for many values at once. `prefixes` are keys of one family, S5
    or S17: address and length.
    """

    def tabled(self) -> Tabled | None:
        """Its records by their numbers, if they have some."""
        return None

    def exact_match(self, prefix: Prefix) -> Found:
        """Records of this prefix."""
        raise SourceGone("it has no prefixes")

    def longest_match(self, prefix: Prefix) -> Found:
        """Records of the longest prefix that covers this one."""
        raise SourceGone("it has no prefixes")

    def less_specifics(self, prefix: Prefix) -> Found:
        """Records of all prefixes that cover this one, itself included."""
        raise SourceGone("it has no prefixes")

    def more_specifics(self, prefix: Prefix) -> Found:
        """Records of all prefixes that this one covers, itself included."""
        raise SourceGone("it has no prefixes")

    def find(self, field: str, key: Value) -> Found:
        """Records with this value in this field."""
        raise SourceGone("it cannot be searched")

    def contains(self, field: str, key: Value) -> bool:
        """Whether a record has this value in this field."""
        return bool(self.find(field, key))

    def validate(self, prefix: Prefix, origin: int) -> Constant:
        """What its VRPs say of a prefix and its origin (`types.ROV`)."""
        raise SourceGone("it has no VRPs")

    def verify(self, path: AsPath, direction: Constant) -> Constant:
        """What its ASPAs say of a path (`types.PATH_STATE`)."""
        raise SourceGone("it has no ASPAs")

    def count_column(self, look_up: str, prefixes: NDArray[np.bytes_]) -> NDArray[np.int64]:
        """How many records one of `LOOK_UPS` finds for each prefix."""
        found: Callable[[Prefix], Found] = getattr(self, look_up)
        counts = (len(found(prefix)) for prefix in prefixes_of(prefixes))
        return np.fromiter(counts, np.int64, len(prefixes))

    def contains_column(self, field: str, keys: Sequence[Value] | NDArray[Any]) -> NDArray[np.bool_]:
        """Which values a record has in this field; `keys` may be an array of numbers, or of prefixes."""
        values: Iterable[Value] = keys
        if isinstance(keys, np.ndarray):
            values = prefixes_of(keys) if keys.dtype.kind == "S" else keys.tolist()
        return np.fromiter((self.contains(field, key) for key in values), np.bool_, len(keys))

    def validate_column(self, prefixes: NDArray[np.bytes_], origins: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """The states of prefixes with their origins, as places among the constants of `types.ROV`."""
        pairs = zip(prefixes_of(prefixes), origins.tolist(), strict=True)
        states = (ROV.constants.index(self.validate(prefix, origin).name) for prefix, origin in pairs)
        return np.fromiter(states, np.uint8, len(prefixes))

    def verify_column(self, paths: Sequence[AsPath], direction: Constant) -> NDArray[np.uint8]:
        """The states of paths, as places among the constants of `types.PATH_STATE`."""
        states = (PATH_STATE.constants.index(self.verify(path, direction).name) for path in paths)
        return np.fromiter(states, np.uint8, len(paths))

    def verify_table(self, paths: PathTable, direction: Constant) -> NDArray[np.uint8]:
        """The same for paths that are columns, as `rotonda.filters.set_columns` has them; `sets`: which have one."""
        sets = np.zeros(len(paths), np.bool_) if paths.sets is None else paths.sets
        ends = zip(paths.offsets[:-1].tolist(), paths.offsets[1:].tolist(), sets.tolist(), strict=True)
        return self.verify_column(
            [
                (((AS_SEQUENCE, tuple(paths.numbers[start:end].tolist())),) if end > start else ())
                + (((AS_SET, (0,)),) if has_set else ())
                for start, end, has_set in ends
            ],
            direction,
        )


def prefixes_of(keys: NDArray[np.bytes_]) -> Iterable[Prefix]:
    """The prefixes of keys of one family, S5 or S17."""
    width = keys.dtype.itemsize
    octets = np.ascontiguousarray(keys).tobytes()
    for at in range(0, len(octets), width):
        yield Prefix(octets[at : at + width - 1], octets[at + width - 1])


class World(Protocol):
    """All that surrounds a filter."""

    def source(self, name: str) -> SourceView:
        """The data source with this full name, as it is now. Raises `SourceGone`."""

    def send(self, stream: str, records: Sequence[RecordValue], of: RecordType) -> None:
        """Records of one type go to the output stream with this full name, in this order."""


class TableView(SourceView):
    """Records in memory, looked through one by one."""

    def __init__(self, records: Sequence[Record], prefix_field: str = "prefix") -> None:
        self._records = tuple(records)
        self._prefix_field = prefix_field

    def exact_match(self, prefix: Prefix) -> Found:
        """Records of this prefix."""
        return self._where(lambda own: own == prefix)

    def longest_match(self, prefix: Prefix) -> Found:
        """Records of the longest prefix that covers this one."""
        covering = self.less_specifics(prefix)
        longest = max((record.get(self._prefix_field).length for record in covering), default=0)
        return tuple(record for record in covering if record.get(self._prefix_field).length == longest)

    def less_specifics(self, prefix: Prefix) -> Found:
        """Records of all prefixes that cover this one, itself included."""
        return self._where(lambda own: own.covers(prefix))

    def more_specifics(self, prefix: Prefix) -> Found:
        """Records of all prefixes that this one covers, itself included."""
        return self._where(prefix.covers)

    def find(self, field: str, key: Value) -> Found:
        """Records with this value in this field."""
        return tuple(record for record in self._records if record.get(field) == key)

    def _where(self, wanted: Callable[[Prefix], bool]) -> Found:
        prefixes = ((record, record.get(self._prefix_field)) for record in self._records)
        return tuple(record for record, prefix in prefixes if prefix is not None and wanted(prefix))


class SmallWorld:
    """A world in memory that remembers what was sent."""

    def __init__(self, sources: Mapping[str, SourceView] | None = None) -> None:
        self._sources = sources or {}
        self.sent: list[tuple[str, RecordValue]] = []

    def source(self, name: str) -> SourceView:
        """The source that it was made with. Raises `SourceGone`."""
        try:
            return self._sources[name]
        except KeyError:
            raise SourceGone(f"there is no {name}") from None

    def send(self, stream: str, records: Sequence[RecordValue], of: RecordType) -> None:
        """Remember the records."""
        self.sent += ((stream, record) for record in records)
