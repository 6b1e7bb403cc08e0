"""Logs for people: each record is one line, its fields as `name=value`.

Texts that are more than a word are quoted, and in quotes nothing is a line end, a control character or one that is not
seen, so that nobody who chooses a text can write lines of their own.
"""

from __future__ import annotations

import os
import re
import select
import socket
from collections.abc import Callable, Sequence
from typing import Any

from rotonda.blocks.literals import quoted
from rotonda.blocks.types import AS_PATH, PREFIX_MATCH, SCALARS, STRING, ListType, RecordType, Type
from rotonda.blocks.values import RecordValue
from rotonda.filters.written import time_text, words
from rotonda.outputs.stream import CannotWrite, Lines

LONGEST_LINE = 8_192
"""Octets of a line; what is longer is cut, and ends in `...`."""

LEVELS = {"DEBUG": 7, "INFO": 6, "WARN": 4, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
"""Severities of syslog (RFC 5424 section 6.2.1)."""

FACILITIES = {"USER": 1, "DAEMON": 3, "SYSLOG": 5, **{f"LOCAL{number}": 16 + number for number in range(8)}}

_WORDS = {*SCALARS} - {STRING, AS_PATH, PREFIX_MATCH}
"""Types whose values are always one word."""

_WORD = re.compile(r"[A-Za-z0-9_.:/@+-]+", re.ASCII)
_PATIENCE_SECONDS = 1.0
_AT_ONCE = select.PIPE_BUF
_MICROSECONDS = 1_000_000


def log_line(type: RecordType) -> Callable[[RecordValue], str]:
    """What makes `name=value name=value` of records; fields that are missing are left out."""
    writers = {field.name: _value(field.type) for field in type.fields}
    untyped = _value(None)

    def line(record: RecordValue) -> str:
        return " ".join(
            f"{name}={writers.get(name, untyped)(value)}" for name, value in record.fields if value is not None
        )

    return line


def _value(type: Type | None) -> Callable[[Any], str]:
    """What writes values of a type so that nobody can take them for something else."""
    say = words(type)
    if type == STRING:
        return _quoted
    if isinstance(type, ListType | RecordType) and (isinstance(type, ListType) or type.fields):
        return lambda value: text if (text := say(value)).isprintable() else quoted(text)
    if type is None or isinstance(type, RecordType):
        return lambda value: _quoted(value) if isinstance(value, str) else _quoted(say(value))
    return say if type in _WORDS else lambda value: _quoted(say(value))


def _quoted(text: str) -> str:
    if _WORD.fullmatch(text):
        return text
    return f'"{text}"' if text.isprintable() and '"' not in text and "\\" not in text else quoted(text)


def dated_lines(title: str, level: str, line: Callable[[RecordValue], str]) -> Lines:
    """The same with a moment, how urgent it is, and the name of the stream before it."""
    before = f"{level} {title}: "

    def dated(records: Sequence[RecordValue], sent: float) -> list[bytes]:
        moment = time_text(round(sent * _MICROSECONDS))
        return [_cut(f"{moment} {before}{line(record)}") + b"\n" for record in records]

    return dated


def syslog_lines(title: str, level: str, facility: str, line: Callable[[RecordValue], str], process: int) -> Lines:
    """Messages for the syslog of this machine, which adds the moment itself (RFC 3164 section 5.3)."""
    before = f"<{FACILITIES[facility] << 3 | LEVELS[level]}>rotonda[{process}]: {title}: "
    return lambda records, sent: [_cut(f"{before}{line(record)}") for record in records]


def _cut(line: str) -> bytes:
    octets = line.encode("utf-8", "backslashreplace")
    if len(octets) <= LONGEST_LINE:
        return octets
    return octets[: LONGEST_LINE - 3].decode("utf-8", "ignore").encode() + b"..."


class DescriptorSink:
    """Standard error: whoever reads it may be slow, and then it is waited a little, and tried again later."""

    def __init__(self, descriptor: int = 2, name: str = "standard error") -> None:
        self.name = name
        self._descriptor = descriptor
        self._rest = b""

    def write(self, lines: Sequence[bytes]) -> None:
        """Write these lines."""
        for number, line in enumerate(lines):
            octets = self._rest or line  # the rest of the line that was begun the last time comes first
            while octets:
                try:
                    octets = octets[self._put(octets[:_AT_ONCE]) :]
                except OSError as wrong:
                    self._rest = octets if octets is not line else b""
                    raise CannotWrite(number, f"{self.name}: {wrong.strerror or wrong}") from wrong
            self._rest = b""

    def _put(self, octets: bytes) -> int:
        poll = select.poll()  # a pipe that can be written to takes PIPE_BUF octets without waiting
        poll.register(self._descriptor, select.POLLOUT)
        if not poll.poll(_PATIENCE_SECONDS * 1000):
            raise OSError("nobody reads it")
        return os.write(self._descriptor, octets)

    def reopen(self) -> None:
        """It is always the same."""

    def close(self) -> None:
        """It is not ours."""


class SyslogSink:
    """The syslog of this machine."""

    def __init__(self, path: str = "/dev/log") -> None:
        self.name = f"syslog at {path}"
        self._path = path
        self._socket: socket.socket | None = None

    def write(self, lines: Sequence[bytes]) -> None:
        """Send these messages."""
        for number, line in enumerate(lines):
            try:
                self._connected().send(line)
            except OSError as wrong:
                self.close()
                raise CannotWrite(number, f"{self.name}: {wrong.strerror or wrong}") from wrong

    def _connected(self) -> socket.socket:
        if self._socket is None:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            made.settimeout(_PATIENCE_SECONDS)
            try:
                made.connect(self._path)
            except OSError:
                made.close()
                raise
            self._socket = made
        return self._socket

    def reopen(self) -> None:
        """Connect again."""
        self.close()

    def close(self) -> None:
        """Send no more."""
        known, self._socket = self._socket, None
        if known is not None:
            known.close()
