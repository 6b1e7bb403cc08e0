"""Tables out of the octets of files: CSV with a line of names, a JSON array of objects, or a JSON object on each line.

The fields of the record type are looked for by their names, in which `-` and `_` are the same; what a file has besides
is not looked at. A file is good as a whole or not at all, and of one that is not the first problems are told by line
or record, and by field.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from operator import attrgetter
from typing import Any

import msgspec

from rotonda.blocks import types
from rotonda.blocks.characters import cut
from rotonda.blocks.types import ListType, RecordType, Type
from rotonda.blocks.values import Value
from rotonda.sources.cells import Reader, field_reader

MAX_OCTETS = 256 << 20
MOST_RECORDS = 5_000_000
MOST_VALUES = 1 << 25
"""More commas than this are not looked into: each costs about 60 octets of memory."""
PROBLEMS_TOLD = 20

_CHUNK = 1 << 14
_PATH = re.compile(r"(?P<what>.*) - at `\$(?P<record>\[\d+\])?(?:\.(?P<field>\w+))?.*`", re.DOTALL)
_OFFSET = re.compile(r"\(byte (\d+)\)")
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
SUFFIXES = (".csv", ".json", ".jsonl")
_COMPRESSED = (".gz", ".bz2", ".xz")


class BadTable(Exception):
    """A file that is no table of these records; `problems` has a line for each, `count` of them there are at least."""

    def __init__(self, problems: Sequence[str], count: int | None = None) -> None:
        self.problems = list(problems)
        self.count = len(problems) if count is None else count
        more = self.count - len(self.problems)
        super().__init__("; ".join(self.problems) + (f"; and {more:,} more" if more else ""))


def format_of(name: str) -> str:
    """What a file is, by its suffix, of which one for compression may follow. Raises ValueError.

    >>> format_of("/srv/customers.csv.gz")
    '.csv'
    """
    lower = name.lower()
    for ending in _COMPRESSED:
        lower = lower.removesuffix(ending)
    found = next((suffix for suffix in SUFFIXES if lower.endswith(suffix)), None)
    if found is None:
        raise ValueError(f"{cut(name, 200)}: its suffix does not say what it is: {', '.join(SUFFIXES)}")
    return found


def read_columns(octets: bytes, type: RecordType, name: str) -> list[list[Value]]:
    """The values of each field of the type, in the order of the file.

    `name` is what the file is called: its suffix says how to read it. Raises BadTable.
    """
    try:
        suffix = format_of(name)
    except ValueError as wrong:
        raise BadTable([str(wrong)]) from None
    if len(octets) > MAX_OCTETS:
        raise BadTable([f"{name}: {len(octets):,} octets; {MAX_OCTETS:,} are allowed"])
    return {".csv": _read_csv, ".json": _read_json, ".jsonl": _read_lines}[suffix](octets, _Columns(type, name))


@dataclass
class _Columns:
    """The columns of a table, as they are filled."""

    type: RecordType
    name: str
    values: list[list[Value]] = field(init=False)
    problems: list[str] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.values = [[] for _ in self.type.fields]
        self.readers = [field_reader(own) for own in self.type.fields]

    def add(self, cells: Sequence[Sequence[Any]], numbers: Sequence[int], what: str = "line") -> None:
        """The next records: the cells of each field, and the number of the line or record of each."""
        for own, read, column, values in zip(self.type.fields, self.readers, cells, self.values, strict=True):
            self._add(own.name, read, column, values, lambda at: f"{what} {numbers[at]}")
        if self.values and len(self.values[0]) > MOST_RECORDS:
            self.refuse(f"more than {MOST_RECORDS:,} records")

    def _add(
        self, name: str, read: Reader, cells: Sequence[Any], values: list[Value], place: Callable[[int], str]
    ) -> None:
        first, end = len(values), len(values) + len(cells)
        rest = iter(cells)
        while len(values) < end:  # `map` begins again behind a cell that cannot be read
            try:
                values.extend(map(read, rest))
            except ValueError as wrong:
                values.append(None)
                self.problem(f"{place(len(values) - first - 1)}: {name}: {wrong}")

    def problem(self, what: str) -> None:
        """Something is wrong, and more may be found."""
        self.count += 1
        if len(self.problems) < PROBLEMS_TOLD:
            self.problems.append(f"{self.name}:{what}")
        elif self.count > 100 * PROBLEMS_TOLD:
            raise BadTable(self.problems, self.count)

    def refuse(self, what: str) -> None:
        """Something is so wrong that nothing more can be found."""
        self.problem(f" {what}" if not what.startswith(("line", "record")) else what)
        raise BadTable(self.problems, self.count)

    def done(self) -> list[list[Value]]:
        """All columns. Raises BadTable if there was a problem."""
        if self.problems:
            raise BadTable(self.problems, self.count)
        return self.values


def _line(octets: bytes, offset: int) -> int:
    return octets.count(b"\n", 0, offset) + 1


def _named(names: Iterable[str], wanted: str) -> list[int]:
    """Where a field is among names that are written in any way."""
    return [at for at, name in enumerate(names) if name.strip().lower().replace("-", "_") == wanted.lower()]


# --- CSV -------------------------------------------------------------------------------------------------------------


def _read_csv(octets: bytes, columns: _Columns) -> list[list[Value]]:
    if (nul := octets.find(b"\0")) >= 0:
        columns.refuse(f"line {_line(octets, nul)}: a NUL")
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        columns.refuse(f"line {_line(octets, wrong.start)}: this is not UTF-8")
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        places = _columns_of(next(rows, []), columns)
        width = places.pop()
        for numbers, chunk in _chunks(rows, width, columns):
            columns.add([[row[place] for row in chunk] for place in places], numbers)
    except csv.Error as wrong:
        columns.refuse(f"line {rows.line_num}: {wrong}")
    return columns.done()


def _columns_of(header: list[str], columns: _Columns) -> list[int]:
    """Where each field stands in a line; and how many cells a line has."""
    places = []
    for own in columns.type.fields:
        found = _named(header, own.name)
        if len(found) > 1:
            columns.refuse(f"line 1: there are {len(found)} columns {own.name}")
        if not found:
            names = cut(", ".join(header), 200) or "nothing"
            hint = "; cells are divided by commas" if len(header) == 1 and ";" in header[0] else ""
            columns.refuse(f"line 1: there is no column {own.name}, but {names}{hint}")
        places += found
    return [*places, len(header)]


def _chunks(rows: Any, width: int, columns: _Columns) -> Iterator[tuple[list[int], list[list[str]]]]:
    numbers: list[int] = []
    chunk: list[list[str]] = []
    line = int(rows.line_num) + 1
    for row in rows:
        if len(row) == width:
            numbers.append(line)
            chunk.append(row)
        elif row:
            columns.problem(f"line {line}: {len(row):,} cells, not {width}")
        line = rows.line_num + 1
        if len(chunk) == _CHUNK:
            yield numbers, chunk
            numbers, chunk = [], []
    yield numbers, chunk


# --- JSON ------------------------------------------------------------------------------------------------------------

_SCALAR = str | int | float | bool | None


def _cell_type(type: Type) -> Any:
    """What JSON may have there, so that nothing else is made on the way."""
    if isinstance(type, ListType):
        return str | list[_cell_type(type.item)] | None  # type: ignore[misc]
    if type == types.AS_PATH:
        return str | list[str | int] | None
    return dict[str, Any] if isinstance(type, RecordType) else _SCALAR


class _Objects:
    """How the objects of a file are decoded: the class of records, and how its fields are called in the file."""

    def __init__(self, octets: bytes, type: RecordType) -> None:
        self.names = [_name_in(octets, own.name) for own in type.fields]
        declared = [(f"f{at}", _cell_type(own.type)) for at, own in enumerate(type.fields)]
        optional = [(*pair, None) if own.optional else pair for pair, own in zip(declared, type.fields, strict=True)]
        rename = {f"f{at}": name for at, name in enumerate(self.names)}
        self.record: Any = msgspec.defstruct("Row", optional, rename=rename, gc=False, kw_only=True)
        self._cells = [attrgetter(f"f{at}") for at in range(len(self.names))]

    def cells(self, records: Sequence[Any]) -> list[list[Any]]:
        """The cells of each field."""
        return [list(map(cells, records)) for cells in self._cells]

    def has_twice(self, octets: bytes, count: int) -> bool:
        """Whether some object may have a field twice: if its name is there more often than there are objects."""
        return any(octets.count(json.dumps(name).encode()) > count for name in self.names)


def _name_in(octets: bytes, name: str) -> str:
    written = name.replace("_", "-")
    return written if f'"{name}"'.encode() not in octets and f'"{written}"'.encode() in octets else name


def _read_json(octets: bytes, columns: _Columns) -> list[list[Value]]:
    octets = octets.removeprefix(b"\xef\xbb\xbf")
    _bound(octets, columns)
    objects = _Objects(octets, columns.type)
    try:
        records = msgspec.json.decode(octets, type=list[objects.record])  # type: ignore[name-defined]
    except _UNREADABLE as wrong:
        columns.refuse(_told(wrong, octets))
    if objects.has_twice(octets, len(records)):
        for number, raw in enumerate(msgspec.json.decode(octets, type=list[msgspec.Raw]), 1):
            _tell_doubles(bytes(raw), f"record {number}", columns)
    for first in range(0, len(records), _CHUNK):
        chunk = records[first : first + _CHUNK]
        columns.add(objects.cells(chunk), range(first + 1, first + 1 + len(chunk)), "record")
    return columns.done()


def _read_lines(octets: bytes, columns: _Columns) -> list[list[Value]]:
    octets = octets.removeprefix(b"\xef\xbb\xbf")
    _bound(octets, columns)
    objects = _Objects(octets, columns.type)
    decode = msgspec.json.Decoder(objects.record).decode
    doubles = objects.has_twice(octets, octets.count(b"\n") + 1)
    numbers: list[int] = []
    records: list[Any] = []
    for number, line in enumerate(BytesIO(octets), 1):
        if not line.strip():
            continue
        try:
            records.append(decode(line))
        except _UNREADABLE as wrong:
            columns.problem(_told(wrong, line, f"line {number}"))
            continue
        numbers.append(number)
        if doubles:
            _tell_doubles(line, f"line {number}", columns)
        if len(records) == _CHUNK:
            columns.add(objects.cells(records), numbers)
            numbers, records = [], []
    columns.add(objects.cells(records), numbers)
    return columns.done()


def _bound(octets: bytes, columns: _Columns) -> None:
    """Refuse what would take too much memory before it is decoded."""
    if octets.count(b",") > MOST_VALUES or octets.count(b"\n") > MOST_VALUES:
        columns.refuse(f"more than {MOST_VALUES:,} values")
    if octets.count(b"{") > 2 * MOST_RECORDS:
        columns.refuse(f"more than {MOST_RECORDS:,} records")


def _told(wrong: Exception, octets: bytes, place: str = "") -> str:
    """What a decoder says, in our words: where, and what."""
    if isinstance(wrong, RecursionError):
        return f"{place or 'line 1'}: values are nested too deeply"
    told = str(wrong)
    found = _PATH.fullmatch(told)
    if found and (found["record"] or place):
        place = place or f"record {int(found['record'][1:-1]) + 1}"
        return f"{place}: {found['field'] + ': ' if found['field'] else ''}{cut(found['what'], 200)}"
    offset = _OFFSET.search(told)
    if not place:
        end = len(octets) if "truncated" in told else 0
        place = f"line {_line(octets, int(offset[1]) if offset else end)}"
    return f"{place}: {cut(told, 200)}"


def _tell_doubles(octets: bytes, place: str, columns: _Columns) -> None:
    """Of which fields JSON has two, of which a decoder only takes one."""

    def look(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twice = next(name for at, name in enumerate(names) if name in names[:at])
            columns.problem(f"{place}: {cut(twice)} is there twice")

    json.loads(octets, object_pairs_hook=look)
