"""Messages that wait on disk: a folder of segments, which are written, read and removed as wholes.

A segment is a file of frames, each with its length, how many messages it has, and checksums. Every frame is brought to
the disk before it counts as written. A segment is removed only when somebody says that all its messages have arrived:
after a crash messages may come twice, but none is missing. What a crash has left half written is told and left out. The
folder belongs to one process at a time.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple
from zlib import crc32

import msgspec

from rotonda.outputs.carrier import Message

SEGMENT_OCTETS = 4 << 20
"""Octets after which another segment is begun."""

BATCH_OCTETS, BATCH_MESSAGES = 1 << 20, 8192
"""How much is brought to the disk together."""

FRAME_OCTETS, FRAME_MESSAGES = 1 << 18, 2048
"""How much has one checksum; to read it takes a few milliseconds, in which no other thread does anything."""

_HEADER = struct.Struct(">4sIIII")
"""Magic number, octets, messages, checksum of the octets, checksum of all before."""

_MAGIC = b"RSp1"
_NAME = re.compile(r"(\d{16})\.segment", re.ASCII)
_FIRST = 10**15 // 2
"""Number of the first segment: there is room for segments before it."""

_LOST = (errno.ENOENT, errno.EIO)
"""Errors after which it is of no use to try again."""

_decoder = msgspec.msgpack.Decoder(list[Message])


class CannotSpill(Exception):
    """The disk does not take messages, or does not give them; says why."""


class Spilled(NamedTuple):
    """Messages of one segment, how many of it are damaged, and what is to be told of them."""

    messages: list[Message]
    damaged: int
    told: str | None


@dataclass(eq=False)
class _Segment:
    """A file; only so many octets of it are frames."""

    number: int
    octets: int = 0
    count: int = 0
    frames: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Where the octets of each begin, how many these are, of how many messages, and their checksum."""

    @property
    def name(self) -> str:
        return f"{self.number:016}.segment"


class Spill:
    """The folder of one stream. All is done in one thread at a time, which may wait for the disk."""

    def __init__(self, folder: str, limit: int, segment: int = SEGMENT_OCTETS) -> None:
        self.folder = folder
        self.octets = 0
        """What all segments have."""
        self.told: list[str] = []
        """What was wrong with segments of an earlier run."""
        self._limit = limit
        self._most = segment
        self._lock = self._directory = self._file = -1
        self._segments: list[_Segment] = []
        self._read: list[_Segment] = []
        """Those that have been read and are still there."""
        self._next = _FIRST

    @property
    def count(self) -> int:
        """Messages that have not been read."""
        return sum(segment.count for segment in self._segments)

    def open(self) -> None:
        """Take the folder, which is made if it is not there, with what an earlier run has left. Raises CannotSpill."""
        try:
            self._open()
        except OSError as wrong:
            self.close()
            raise CannotSpill(f"{self.folder}: {wrong.strerror or wrong}") from wrong

    def append(self, messages: Sequence[Message]) -> bool:
        """Bring messages to the disk behind all others; False if they would be too many octets. Raises CannotSpill."""
        frames = list(_frames(messages))
        if self.octets + sum(len(octets) for octets, _ in frames) > self._limit:
            return False
        try:
            self._append(frames)
        except OSError as wrong:
            self._cut_back()
            raise CannotSpill(f"{self.folder}: {wrong.strerror or wrong}") from wrong
        return True

    def read(self) -> Spilled:
        """The messages of the segment that is the first of those not read. There must be one. Raises CannotSpill."""
        segment = self._segments[0]
        if len(self._segments) == 1:
            self._seal()
        try:
            spilled = self._messages(segment)
        except OSError as wrong:
            why = f"{self.folder}: {segment.name}: {wrong.strerror or wrong}"
            if wrong.errno not in _LOST:
                raise CannotSpill(why) from wrong
            spilled = Spilled([], segment.count, f"{why}; {segment.count:,} messages are lost")
        self._read.append(self._segments.pop(0))
        return spilled

    def remove(self) -> None:
        """All that was read has arrived: it goes. Raises CannotSpill."""
        while self._read:
            segment = self._read[0]
            try:
                with suppress(FileNotFoundError):
                    os.unlink(segment.name, dir_fd=self._directory)
            except OSError as wrong:
                raise CannotSpill(f"{self.folder}: {segment.name}: {wrong.strerror or wrong}") from wrong
            self.octets -= segment.octets
            del self._read[0]

    def put_back(self, messages: Sequence[Message]) -> int:
        """These are what has not arrived of what was read, or what was to go before all that is here; how many of
        them, the first ones, are on the disk. Raises CannotSpill."""
        frames = list(_frames(messages))
        room = self._limit - self.octets + sum(segment.octets for segment in self._read)
        groups: list[list[tuple[bytes, int]]] = []
        size = kept = 0
        for frame in frames:
            room -= len(frame[0])
            if room < 0:
                break
            if not size or size + len(frame[0]) > self._most:
                groups.append([])
                size = 0
            groups[-1].append(frame)
            size += len(frame[0])
            kept += frame[1]
        first = min((segment.number for segment in (*self._read, *self._segments)), default=self._next)
        made = [self._whole(number, group) for number, group in enumerate(groups, first - len(groups))]
        self._sync_folder()
        self._segments[:0] = made
        self.remove()
        return kept

    def close(self) -> None:
        """Let others have the folder."""
        self._seal()
        for held in (self._directory, self._lock):
            if held >= 0:
                os.close(held)
        self._directory = self._lock = -1

    # --- what is there -----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        os.makedirs(os.path.dirname(self.folder) or ".", exist_ok=True)
        with suppress(FileExistsError):
            os.mkdir(self.folder, 0o700)
        self._directory = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        found = os.fstat(self._directory)
        if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise OSError("others may write here")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._lock = os.open("lock", flags, 0o600, dir_fd=self._directory)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError("another process uses it") from None
        numbers = sorted(int(name[1]) for name in map(_NAME.fullmatch, os.listdir(self._directory)) if name)
        self._segments = [segment for segment in map(self._known, numbers) if segment is not None]
        self.octets = sum(segment.octets for segment in self._segments)
        self._next = max([_FIRST, *(number + 1 for number in numbers)])

    def _known(self, number: int) -> _Segment | None:
        """A segment of an earlier run; one without messages goes."""
        segment = _Segment(number)
        file = os.open(segment.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._directory)
        try:
            size = os.fstat(file).st_size
            while (frame := _frame_at(file, segment.octets, size)) is not None:
                segment.frames.append(frame)
                segment.octets = frame[0] + frame[1]
                segment.count += frame[2]
        finally:
            os.close(file)
        if segment.octets < size:
            more = f"{size - segment.octets:,} octets at the end are damaged, and left out"
            self.told.append(f"{self.folder}: {segment.name}: {more}")
        if segment.count:
            return segment
        os.unlink(segment.name, dir_fd=self._directory)
        return None

    def _messages(self, segment: _Segment) -> Spilled:
        messages: list[Message] = []
        damaged = 0
        file = os.open(segment.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._directory)
        try:
            for at, size, count, checksum in segment.frames:
                octets = os.pread(file, size, at)
                try:
                    found = _decoder.decode(octets) if crc32(octets) == checksum else []
                except msgspec.MsgspecError:
                    found = []
                messages += found
                damaged += max(0, count - len(found))
        finally:
            os.close(file)
        told = f"{self.folder}: {segment.name}: {damaged:,} messages are damaged" if damaged else None
        return Spilled(messages, damaged, told)

    # --- writing -----------------------------------------------------------------------------------------------------

    def _append(self, frames: list[tuple[bytes, int]]) -> None:
        """Into the segment that is being written, as one: what is there of it in the end, all is."""
        if self._file < 0 or self._segments[-1].octets >= self._most:
            self._begin()
        segment, before = self._segments[-1], self._segments[-1].octets
        _write(self._file, b"".join(octets for octets, _ in frames))
        os.fdatasync(self._file)
        for octets, count in frames:
            _add(segment, octets, count)
        self.octets += segment.octets - before

    def _begin(self) -> None:
        self._seal()
        segment = _Segment(self._next)
        self._file = self._create(segment)
        self._next += 1
        self._segments.append(segment)
        self._sync_folder()

    def _create(self, segment: _Segment) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(segment.name, flags, 0o600, dir_fd=self._directory)

    def _whole(self, number: int, frames: list[tuple[bytes, int]]) -> _Segment:
        segment = _Segment(number)
        file = self._create(segment)
        try:
            _write(file, b"".join(octets for octets, _ in frames))
            os.fdatasync(file)
        except OSError as wrong:
            with suppress(OSError):
                os.unlink(segment.name, dir_fd=self._directory)
            raise CannotSpill(f"{self.folder}: {wrong.strerror or wrong}") from wrong
        finally:
            os.close(file)
        for octets, count in frames:
            _add(segment, octets, count)
        self.octets += segment.octets
        return segment

    def _cut_back(self) -> None:
        """Take away what was not written as a whole; a segment of which that is not certain is written no more."""
        if self._file < 0:
            return
        with suppress(OSError):
            os.ftruncate(self._file, self._segments[-1].octets)
        self._seal()

    def _seal(self) -> None:
        """The next frame begins another segment."""
        file, self._file = self._file, -1
        if file < 0:
            return
        os.close(file)
        if self._segments and not self._segments[-1].count:
            with suppress(OSError):
                os.unlink(self._segments.pop().name, dir_fd=self._directory)

    def _sync_folder(self) -> None:
        os.fsync(self._directory)


def _frames(messages: Sequence[Message]) -> Iterator[tuple[bytes, int]]:
    """Messages as frames, each with how many messages it has."""
    rest = iter(messages)
    while piece := list(islice(rest, FRAME_MESSAGES)):
        first = size = 0
        for number, message in enumerate(piece):
            size += len(message.payload)
            if size >= FRAME_OCTETS or number == len(piece) - 1:
                yield _frame(piece[first : number + 1]), number + 1 - first
                first, size = number + 1, 0


def _frame(messages: list[Message]) -> bytes:
    octets = msgspec.msgpack.encode(messages)
    head = _HEADER.pack(_MAGIC, len(octets), len(messages), crc32(octets), 0)[:-4]
    return head + crc32(head).to_bytes(4) + octets


def _frame_at(file: int, at: int, size: int) -> tuple[int, int, int, int] | None:
    """The frame that begins there: where its octets are, how many, of how many messages, their checksum."""
    header = os.pread(file, _HEADER.size, at)
    if len(header) < _HEADER.size:
        return None
    magic, octets, count, checksum, own = _HEADER.unpack(header)
    begin = at + _HEADER.size
    if magic != _MAGIC or crc32(header[:-4]) != own or begin + octets > size:
        return None
    return begin, octets, count, checksum


def _add(segment: _Segment, frame: bytes, count: int) -> None:
    _, octets, _, checksum, _ = _HEADER.unpack(frame[: _HEADER.size])
    segment.frames.append((segment.octets + _HEADER.size, octets, count, checksum))
    segment.octets += len(frame)
    segment.count += count


def _write(file: int, octets: bytes) -> None:
    at = 0
    while at < len(octets):
        at += os.write(file, octets[at : at + FRAME_OCTETS])
