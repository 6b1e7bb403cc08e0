"""Tables out of the octets of files: CSV with a line of names, a JSON array of objects, an object that has one such
array, or a JSON object on each line.

The fields of the record type are looked for by their names, in which `-` and `_` are the same; what a file has besides
is not looked at. A file is good as a whole or not at all, and of one that is not the first problems are told by line
or record, and by field.

Files are read in small pieces, with a pause after each, so that a thread which reads one never holds up others for
long, and what was read is in columns at once.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from operator import attrgetter
from typing import Any, NoReturn

import msgspec

from rotonda.blocks import types
from rotonda.blocks.characters import cut
from rotonda.blocks.types import ListType, RecordType, Type
from rotonda.blocks.values import Value
from rotonda.sources.cells import Reader, field_reader
from rotonda.sources.columns import Column, Pause, column_of, joined

MAX_OCTETS = 256 << 20
MOST_RECORDS = 5_000_000
MOST_VALUES = 1 << 25
"""Cells, and items of lists in them: each may cost about 60 octets of memory."""
MOST_OF_A_RECORD = 1 << 20
"""Octets of one record, or of one line."""
PROBLEMS_TOLD = 20

_CHUNK = 1 << 10
_SLICE = 1 << 18
"""Octets of JSON that are decoded at a time."""
_SCANNED = 1 << 22
"""Octets that are looked through at a time."""
_AROUND = 1 << 16
"""Octets before and behind an array in an object."""
_PATH = re.compile(r"(?P<what>.*) - at `\$(?P<record>\[\d+\])?(?:\.(?P<field>\w+))?.*`", re.DOTALL)
_OFFSET = re.compile(r"\(byte (\d+)\)")
_BETWEEN_OBJECTS = re.compile(rb"\}[ \t\r\n]*,(?=[ \t\r\n]*\{)")
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
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


def read_columns(octets: bytes, type: RecordType, name: str, pause: Pause = lambda: None) -> list[Column]:
    """The column of each field of the type, in the order of the file.

    `name` is what the file is called: its suffix says how to read it. `pause` is called every few milliseconds. Raises
    BadTable.
    """
    try:
        suffix = format_of(name)
    except ValueError as wrong:
        raise BadTable([str(wrong)]) from None
    if len(octets) > MAX_OCTETS:
        raise BadTable([f"{name}: {len(octets):,} octets; {MAX_OCTETS:,} are allowed"])
    columns = _Columns(type, name, pause)
    if octets.startswith(_UTF16):
        columns.refuse("line 1: this is UTF-16, not UTF-8")
    return {".csv": _read_csv, ".json": _read_json, ".jsonl": _read_lines}[suffix](octets, columns)


@dataclass
class _Columns:
    """The columns of a table, as they are filled."""

    type: RecordType
    name: str
    pause: Pause
    parts: list[list[Column]] = field(init=False)
    problems: list[str] = field(default_factory=list)
    count: int = 0
    records: int = 0
    values: int = 0

    def __post_init__(self) -> None:
        self.parts = [[] for _ in self.type.fields]
        self.readers = [field_reader(own) for own in self.type.fields]

    def add(self, cells: Sequence[Sequence[Any]], numbers: Sequence[int], what: str = "line") -> None:
        """The next records: the cells of each field, and the number of the line or record of each."""
        for own, read, column, parts in zip(self.type.fields, self.readers, cells, self.parts, strict=True):
            values = self._read(own.name, read, column, lambda at: f"{what} {numbers[at]}")
            self.values += len(values)
            if isinstance(own.type, ListType) or own.type == types.AS_PATH:
                self.values += sum(map(len, filter(None, values)))  # type: ignore[arg-type]
            if not self.problems:
                parts.append(column_of(own.type, values))
        self.records += len(numbers)
        if self.records > MOST_RECORDS:
            self.refuse(f"more than {MOST_RECORDS:,} records")
        if self.values > MOST_VALUES:
            self.refuse(f"{what} {numbers[-1]}: more than {MOST_VALUES:,} values")
        self.pause()

    def _read(self, name: str, read: Reader, cells: Sequence[Any], place: Callable[[int], str]) -> list[Value]:
        values: list[Value] = []
        rest = iter(cells)
        while len(values) < len(cells):  # `map` begins again behind a cell that cannot be read
            try:
                values.extend(map(read, rest))
            except ValueError as wrong:
                values.append(None)
                self.problem(f"{place(len(values) - 1)}: {name}: {wrong}")
        return values

    def problem(self, what: str) -> None:
        """Something is wrong, and more may be found."""
        self.count += 1
        if len(self.problems) < PROBLEMS_TOLD:
            self.problems.append(f"{self.name}:{what}")
        elif self.count > 100 * PROBLEMS_TOLD:
            raise BadTable(self.problems, self.count)

    def refuse(self, what: str) -> NoReturn:
        """Something is so wrong that nothing more can be found."""
        self.problem(f" {what}" if not what.startswith(("line", "record")) else what)
        raise BadTable(self.problems, self.count)

    def done(self) -> list[Column]:
        """All columns. Raises BadTable if there was a problem."""
        if self.problems:
            raise BadTable(self.problems, self.count)
        return [
            joined(parts) if parts else column_of(own.type, [])
            for own, parts in zip(self.type.fields, self.parts, strict=True)
        ]

    def count_of(self, octets: bytes, wanted: bytes, end: int | None = None) -> int:
        """How often something is there, before `end`."""
        end, found = len(octets) if end is None else end, 0
        for first in range(0, end, _SCANNED):
            found += octets.count(wanted, first, min(first + _SCANNED + len(wanted) - 1, end))
            self.pause()
        return found

    def line(self, octets: bytes, offset: int) -> int:
        """The number of the line of this octet."""
        return self.count_of(octets, b"\n", offset) + 1


def _named(names: Iterable[str], wanted: str) -> list[int]:
    """Where a field is among names that are written in any way."""
    return [at for at, name in enumerate(names) if name.strip().lower().replace("-", "_") == wanted.lower()]


class _Lines:
    """The lines of a file, none of which is too long, nor are several that belong together."""

    def __init__(self, octets: bytes, columns: _Columns) -> None:
        self.number = 0
        self.given = 0
        """Octets since somebody last said that a record was over."""
        self._file = BytesIO(octets)
        self._file.seek(len(_BOM) if octets.startswith(_BOM) else 0)
        self._columns = columns

    def __iter__(self) -> Iterator[bytes]:
        while line := self._file.readline(MOST_OF_A_RECORD + 1):
            self.number += 1
            self.given += len(line)
            if self.given > MOST_OF_A_RECORD:
                self._columns.refuse(f"line {self.number}: a record of more than {MOST_OF_A_RECORD:,} octets")
            yield line

    def texts(self) -> Iterator[str]:
        """The same as texts."""
        for line in self:
            try:
                text = line.decode()
            except UnicodeDecodeError:
                self._columns.refuse(f"line {self.number}: this is not UTF-8")
            if "\0" in text:
                self._columns.refuse(f"line {self.number}: a NUL")
            yield text


# --- CSV -------------------------------------------------------------------------------------------------------------


def _read_csv(octets: bytes, columns: _Columns) -> list[Column]:
    if columns.count_of(octets, b"\n") > MOST_RECORDS + 1:
        columns.refuse(f"more than {MOST_RECORDS:,} lines")
    lines = _Lines(octets, columns)
    rows = csv.reader(lines.texts(), strict=True)
    try:
        places = _columns_of(next(rows, []), columns)
        width = places.pop()
        for numbers, chunk in _chunks(rows, lines, width, columns):
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


def _chunks(rows: Any, lines: _Lines, width: int, columns: _Columns) -> Iterator[tuple[list[int], list[list[str]]]]:
    numbers: list[int] = []
    chunk: list[list[str]] = []
    line, lines.given = int(rows.line_num) + 1, 0
    for row in rows:
        if len(row) == width:
            numbers.append(line)
            chunk.append(row)
        elif row:
            columns.problem(f"line {line}: {len(row):,} cells, not {width}")
        line, lines.given = rows.line_num + 1, 0
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

    def __init__(self, octets: bytes, columns: _Columns) -> None:
        fields = columns.type.fields
        self.names = [_name_in(octets[:_SCANNED], own.name) for own in fields]
        declared = [(f"f{at}", _cell_type(own.type)) for at, own in enumerate(fields)]
        optional = [(*pair, None) if own.optional else pair for pair, own in zip(declared, fields, strict=True)]
        rename = {f"f{at}": name for at, name in enumerate(self.names)}
        self.record: Any = msgspec.defstruct("Row", optional, rename=rename, gc=False, kw_only=True)
        self.written = [json.dumps(name).encode() for name in self.names]
        self._cells = [attrgetter(f"f{at}") for at in range(len(self.names))]

    def cells(self, records: Sequence[Any]) -> list[list[Any]]:
        """The cells of each field."""
        return [list(map(cells, records)) for cells in self._cells]

    def may_have_twice(self, octets: bytes, count: int) -> bool:
        """Whether some object may have a field twice: if its name is there more often than there are objects."""
        return any(octets.count(name) > count for name in self.written)


def _name_in(octets: bytes, name: str) -> str:
    written = name.replace("_", "-")
    return written if f'"{name}"'.encode() not in octets and f'"{written}"'.encode() in octets else name


def _read_json(octets: bytes, columns: _Columns) -> list[Column]:
    if columns.count_of(octets, b"{") > 2 * MOST_RECORDS:
        columns.refuse(f"more than {MOST_RECORDS:,} records")
    objects = _Objects(octets, columns)
    at, end = _array_in(octets, objects, columns)
    decode = msgspec.json.Decoder(list[objects.record]).decode  # type: ignore[name-defined]
    size = _SLICE
    while at < end:
        between = _BETWEEN_OBJECTS.search(octets, min(at + size, end), min(at + size + MOST_OF_A_RECORD, end))
        stop = end if between is None else between.start() + 1
        if stop - at > size + MOST_OF_A_RECORD:
            columns.refuse(f"behind record {columns.records}: one of more than {MOST_OF_A_RECORD:,} octets")
        piece = b"[" + octets[at:stop] + b"]"
        try:
            records = decode(piece)
        except _UNREADABLE as wrong:
            if between is not None and _is_cut(wrong, len(piece)) and size < MOST_OF_A_RECORD:
                size *= 2  # what looked like the end of a record was within one
                continue
            columns.refuse(_told(wrong, octets, columns, at - 1))
        _add_objects(objects, records, piece, columns)
        at, size = end if between is None else between.end(), _SLICE
    return columns.done()


def _array_in(octets: bytes, objects: _Objects, columns: _Columns) -> tuple[int, int]:
    """Where the array begins and ends of which the file consists, or which an object has."""
    begin = len(_BOM) if octets.startswith(_BOM) else 0
    first, last = octets.find(b"[", begin, begin + _AROUND), octets.rfind(b"]", max(0, len(octets) - _AROUND))
    if 0 <= first < last:
        try:
            around = msgspec.json.decode(octets[begin:first] + b"0" + octets[last + 1 :])
        except _UNREADABLE:
            around = None
        if around == 0 or (isinstance(around, dict) and 0 in around.values()):
            return first + 1, last
    try:  # to hear what is wrong
        msgspec.json.decode(octets[begin : begin + MOST_OF_A_RECORD], type=list[objects.record])  # type: ignore[name-defined]
    except _UNREADABLE as wrong:
        if len(octets) <= MOST_OF_A_RECORD or "truncated" not in str(wrong):
            columns.refuse(_told(wrong, octets, columns, begin))
    columns.refuse(f"line {columns.line(octets, len(octets))}: this is neither an array nor an object with one")


def _is_cut(wrong: Exception, octets: int) -> bool:
    """Whether a piece of so many octets cannot be read because it is one."""
    if isinstance(wrong, msgspec.ValidationError | RecursionError) or _is_of_utf8(wrong):
        return False
    offset = _OFFSET.search(str(wrong))
    return offset is None or int(offset[1]) >= octets - 1


def _add_objects(objects: _Objects, records: Sequence[Any], octets: bytes, columns: _Columns) -> None:
    before = columns.records
    if objects.may_have_twice(octets, len(records)):
        for number, raw in enumerate(msgspec.json.decode(octets, type=list[msgspec.Raw]), before + 1):
            _tell_doubles(bytes(raw), f"record {number}", columns)
    for first in range(0, len(records), _CHUNK):
        chunk = records[first : first + _CHUNK]
        number = before + first + 1
        columns.add(objects.cells(chunk), range(number, number + len(chunk)), "record")


def _read_lines(octets: bytes, columns: _Columns) -> list[Column]:
    count = columns.count_of(octets, b"\n") + 1
    if count > 2 * MOST_RECORDS:
        columns.refuse(f"more than {MOST_RECORDS:,} records")
    objects = _Objects(octets, columns)
    doubles = any(columns.count_of(octets, name) > count for name in objects.written)
    decode = msgspec.json.Decoder(objects.record).decode
    lines = _Lines(octets, columns)
    numbers: list[int] = []
    records: list[Any] = []
    for line in lines:
        lines.given = 0
        if not line.strip():
            continue
        try:
            records.append(decode(line))
        except _UNREADABLE as wrong:
            columns.problem(_told(wrong, line, columns, 0, f"line {lines.number}"))
            continue
        numbers.append(lines.number)
        if doubles:
            _tell_doubles(line, f"line {lines.number}", columns)
        if len(records) == _CHUNK:
            columns.add(objects.cells(records), numbers)
            numbers, records = [], []
    if records:
        columns.add(objects.cells(records), numbers)
    return columns.done()


def _told(wrong: Exception, octets: bytes, columns: _Columns, begin: int, place: str = "") -> str:
    """What a decoder that began at this octet says, in our words: where, and what."""
    if isinstance(wrong, RecursionError):
        return f"{place or f'record {columns.records + 1}'}: values are nested too deeply"
    if _is_of_utf8(wrong):
        return f"{place or f'line {columns.line(octets, _not_utf8(octets, begin))}'}: this is not UTF-8"
    told = str(wrong)
    found = _PATH.fullmatch(told)
    if found and (found["record"] or place):
        place = place or f"record {columns.records + int(found['record'][1:-1]) + 1}"
        return f"{place}: {found['field'] + ': ' if found['field'] else ''}{cut(found['what'], 200)}"
    offset = _OFFSET.search(told)
    if not place:
        at = begin + int(offset[1]) if offset else len(octets) if "truncated" in told else begin
        place = f"line {columns.line(octets, min(max(at, 0), len(octets)))}"
        told = _OFFSET.sub("", told).strip()
    return f"{place}: {cut(told, 200)}"


def _is_of_utf8(wrong: Exception) -> bool:
    """Whether a decoder says that something is no UTF-8, as msgspec 0.22 and before do it, or as later ones do."""
    is_of_values = isinstance(wrong, msgspec.ValidationError)
    return isinstance(wrong, UnicodeDecodeError) or ("UTF-8" in str(wrong) and not is_of_values)


def _not_utf8(octets: bytes, begin: int) -> int:
    """Where, behind this octet, something is no UTF-8."""
    try:
        octets[max(begin, 0) : begin + 2 * MOST_OF_A_RECORD].decode()
    except UnicodeDecodeError as wrong:
        return max(begin, 0) + wrong.start
    return begin


def _tell_doubles(octets: bytes, place: str, columns: _Columns) -> None:
    """Of which fields JSON has two, of which a decoder only takes one."""

    def look(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twice = next(name for at, name in enumerate(names) if name in names[:at])
            columns.problem(f"{place}: {cut(twice)} is there twice")

    json.loads(octets, object_pairs_hook=look)
