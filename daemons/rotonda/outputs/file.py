"""Files of records: lines of JSON, or CSV with a line of names.

A record is one line, whatever is in it. A file that is there is continued: a half line at its end, which a process left
that could not finish it, gets an end of its own. Files are opened again when somebody has moved them away.
"""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from itertools import islice, pairwise
from time import time
from typing import Any

from msgspec.json import encode

from rotonda.blocks.literals import quoted
from rotonda.blocks.types import BOOL, DURATION, FLOAT, STRING, WHOLE_NUMBERS, ListType, RecordType, Type
from rotonda.blocks.values import RecordValue
from rotonda.filters.json_records import json_of
from rotonda.filters.written import plain, words
from rotonda.outputs.stream import CannotWrite, Lines

MODE = 0o640
_PIECE = 1 << 20
_LAST_LINE = 1 << 16


# --- lines -----------------------------------------------------------------------------------------------------------


def json_lines(type: RecordType) -> Lines:
    """What makes lines of JSON of records."""
    write = json_of(type, end="\n")
    return lambda records, sent: write(records)[0]


def csv_header(type: RecordType) -> bytes:
    """The line with the names of the fields."""
    return _csv_line([field.name for field in type.fields])


def csv_lines(type: RecordType) -> Lines:
    r"""What makes lines of CSV of records: a cell for each field of the type, with nothing for a missing one.

    Items of lists stand between blanks, records are JSON, and a text has its line ends as `\n`.
    """
    cells = [(field.name, _cell(field.type)) for field in type.fields]

    def line(record: RecordValue) -> bytes:
        own = dict(record.fields)
        return _csv_line(["" if (value := own.get(name)) is None else cell(value) for name, cell in cells])

    return lambda records, sent: list(map(line, records))


def _cell(type: Type) -> Callable[[Any], str]:
    if type == STRING:
        return one_line
    if isinstance(type, RecordType) or (isinstance(type, ListType) and isinstance(type.item, RecordType | ListType)):
        write = plain(type)
        return lambda value: encode(write(value)).decode()
    if isinstance(type, ListType):
        item = _cell(type.item)
        return lambda value: " ".join(map(item, value))
    if type == BOOL:
        return words(type)
    return str if type in _NUMBERS else plain(type)


def one_line(text: str) -> str:
    r"""A text without line ends and other characters that are not seen, which stand there as in literals.

    >>> one_line('a "b"\n')
    'a "b"\\n'
    """
    if text.isprintable() and "\\" not in text:
        return text
    return quoted(text)[1:-1].replace('\\"', '"')


_NUMBERS: set[Type] = {*WHOLE_NUMBERS, FLOAT, DURATION}


class _Echo:
    """A file that gives back what is written to it."""

    @staticmethod
    def write(text: str) -> str:
        return text


_CSV: Any = csv.writer(_Echo(), lineterminator="\n")


def _csv_line(cells: list[str]) -> bytes:
    line: str = _CSV.writerow(cells)
    return line.encode("utf-8", "backslashreplace")


# --- the file --------------------------------------------------------------------------------------------------------


class Fsync(Enum):
    """When lines are brought to the disk, so that they survive if the machine stops."""

    NEVER = "NEVER"
    """Whenever the system likes to."""
    ON_ROTATE = "ON_ROTATE"
    """When a file is closed: finished, given up or moved away."""
    EACH_BATCH = "EACH_BATCH"
    """Before they count as written."""


class FileSink:
    """One file, and the `keep` - 1 before it if it is rotated: `path.1` is the youngest of these.

    `header` is the first line of each file. `rotate` are the octets that a file may have, 0 for any number;
    `rotate_every` the seconds, counted from 1970, of which each has its own file, 0 for all.
    """

    def __init__(
        self, path: str, header: bytes = b"", rotate: int = 0, keep: int = 1, rotate_every: float = 0,
        fsync: Fsync = Fsync.NEVER, clock: Callable[[], float] = time,
    ) -> None:  # fmt: skip
        self.name = path
        self._header = header
        self._rotate = rotate
        self._keep = keep
        self._every = rotate_every
        self._fsync = fsync
        self._clock = clock
        self._period = 0
        """In which of these stretches of time the file was written last."""
        self._file: int | None = None
        self._seen: tuple[int, int] | None = None
        self._size = 0
        self._regular = True

    def write(self, lines: Sequence[bytes]) -> None:
        """Write these lines, into more than one file if they rotate; without lines, make the file."""
        written, rest = 0, iter(lines)
        try:
            self._open()
            if lines and self._every:
                self._begin_period()
            while batch := list(islice(rest, 1 << 12)):
                for piece in self._pieces(batch):
                    self._put(piece)
                    written += len(piece)
        except _Cut as cut:
            self.close()
            raise CannotWrite(written + cut.lines, f"{self.name}: {cut}") from cut
        except OSError as wrong:
            self.close()
            raise CannotWrite(written, f"{self.name}: {wrong.strerror or wrong}") from wrong

    def reopen(self) -> None:
        """Open the file again with the next lines."""
        self.close()

    def close(self) -> None:
        """Give the file up."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                if self._fsync is Fsync.ON_ROTATE and self._regular:
                    os.fsync(file)
            with suppress(OSError):
                os.close(file)

    def _begin_period(self) -> None:
        """Begin another file if this one was written in another stretch of time."""
        period = int(self._clock() // self._every)
        if period != self._period and self._regular and self._size > len(self._header):
            self._move_away()
        self._period = period

    def _pieces(self, lines: list[bytes]) -> Sequence[list[bytes]]:
        """Lines that go into one file together."""
        if not self._rotate:
            return [lines]
        self._open()
        pieces: list[list[bytes]] = [[]]
        room = self._rotate - self._size
        for line in lines:
            if len(line) > room and (pieces[-1] or self._size > len(self._header)):
                pieces.append([])
                room = self._rotate - len(self._header)
            pieces[-1].append(line)
            room -= len(line)
        return pieces if pieces[0] else pieces[1:]

    def _put(self, lines: list[bytes]) -> None:
        """Write lines into one file."""
        file = self._open()
        octets = b"".join(lines)
        if self._rotate and self._size > len(self._header) and self._size + len(octets) > self._rotate:
            self._move_away()
            file = self._open()
        begun, at = self._size, 0
        try:
            while at < len(octets):
                at += os.write(file, octets[at : at + _PIECE])
            if self._fsync is Fsync.EACH_BATCH and self._regular:
                at = 0  # none is certain to be there if this fails
                os.fsync(file)
                at = len(octets)
        except OSError as wrong:
            raise self._cut_back(file, begun, lines, at, wrong) from wrong
        self._size = begun + at

    def _cut_back(self, file: int, begun: int, lines: list[bytes], written: int, wrong: OSError) -> _Cut:
        """Take away the half line that was written; what was written as a whole stays."""
        whole, octets = 0, 0
        for line in lines:
            if octets + len(line) > written:
                break
            octets += len(line)
            whole += 1
        if self._regular:
            with suppress(OSError):  # what stays gets an end when the file is opened again
                os.ftruncate(file, begun + octets)
        return _Cut(whole, wrong.strerror or str(wrong))

    def _open(self) -> int:
        if self._file is not None and self._is_there():
            return self._file
        self.close()
        file = os.open(
            self.name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, MODE
        )
        self._file = file
        found = os.fstat(file)
        self._seen = found.st_dev, found.st_ino
        self._size, self._regular = found.st_size, stat.S_ISREG(found.st_mode)
        if self._every:
            self._period = int((found.st_mtime if self._size else self._clock()) // self._every)
        if stat.S_ISDIR(found.st_mode) or stat.S_ISFIFO(found.st_mode):
            raise OSError("this is not a file")
        if self._regular and self._size and self._begins_otherwise(file):
            self._move_away(most=max(self._keep, 2))  # it is not ours to be forgotten
            return self._open()
        if self._regular:
            self._end_last_line(file)
            if self._header and not self._size:
                self._size += os.write(file, self._header)
        return file

    def _is_there(self) -> bool:
        """Whether the name still means the file that is open."""
        try:
            found = os.stat(self.name)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._seen

    def _begins_otherwise(self, file: int) -> bool:
        """Whether the file has columns of another kind."""
        return bool(self._header) and os.pread(file, len(self._header), 0) != self._header

    def _end_last_line(self, file: int) -> None:
        last = os.pread(file, _LAST_LINE, max(0, self._size - _LAST_LINE))
        if last and not last.endswith(b"\n"):
            half = last.rpartition(b"\n")[2]
            open_quote = bool(self._header) and half.count(b'"') % 2
            self._size += os.write(file, b'"\n' if open_quote else b"\n")

    def _move_away(self, most: int = 0) -> None:
        """Make room for a new file; of the older ones so many are kept that there are `most` files, or `keep`."""
        self.close()
        names = [self.name, *(f"{self.name}.{number}" for number in range(1, most or self._keep))]
        for name, older in reversed(list(pairwise(names))):
            if os.path.exists(name):
                os.replace(name, older)
        if len(names) == 1:
            os.remove(self.name)


class _Cut(Exception):
    """Only so many lines of a piece were written."""

    def __init__(self, lines: int, why: str) -> None:
        super().__init__(why)
        self.lines = lines
