"""A folder for what has to last, which only this daemon can change.

A file is replaced as a whole: written beside the old one, brought to the disk, renamed, and the folder brought to the
disk, too. Whenever the machine stops, there is the old file or the new one, and what stops in between leaves nothing
that is read. What somebody else could have written is refused: a folder or a file that is a link, that belongs to
another user or that others may write to. What is done to the disk is all in `Calls`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_CHUNK = 1 << 20
_LINKS = {errno.ELOOP: "a symbolic link", errno.ENOTDIR: "a symbolic link, or no folder"}


class Refused(Exception):
    """A folder or a file that must not be believed; says why."""


class Calls:
    """What is asked of the system, each thing once."""

    def open_folder(self, path: Path) -> int:
        """Make the folder, for its owner only, if it is not there, and open it."""
        with suppress(FileExistsError):
            path.mkdir(0o700)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def create(self, folder: int, name: str) -> int:
        """A new file, which must not be there."""
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)

    def open(self, folder: int, name: str) -> int:
        """A file to read; a pipe in its place does not make us wait."""
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)

    def lock(self, folder: int, name: str) -> int:
        """Hold this file until it is closed or the process ends; BlockingIOError if another process does."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        held = os.open(name, flags, 0o600, dir_fd=folder)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(held)
            raise
        return held

    def look(self, file: int) -> os.stat_result:
        """What kind of file it is, and whose."""
        return os.fstat(file)

    def read(self, file: int, count: int) -> bytes:
        """At most so many octets."""
        return os.read(file, count)

    def write(self, file: int, octets: memoryview) -> int:
        """Write, and say how many were written."""
        return os.write(file, octets)

    def sync(self, file: int) -> None:
        """Return when a file, or the names in a folder, are on the disk."""
        os.fsync(file)

    def close(self, file: int) -> None:
        """Let go of it."""
        os.close(file)

    def rename(self, folder: int, old: str, new: str) -> None:
        """Give a file another name, in the place of what has that name."""
        os.rename(old, new, src_dir_fd=folder, dst_dir_fd=folder)

    def remove(self, folder: int, name: str) -> None:
        """Remove a file."""
        os.unlink(name, dir_fd=folder)


SYSTEM = Calls()


class Folder:
    """The folder, for one table of one daemon; its files are called after the table.

    All methods raise OSError; those that look at what is there raise Refused.
    """

    def __init__(self, path: Path, name: str, calls: Calls = SYSTEM, user: Callable[[], int] = os.geteuid) -> None:
        self.path = path
        self._name = name
        self._calls = calls
        self._user = user
        self._folder: int | None = None
        self._lock: int | None = None

    def open(self) -> None:
        """Begin, as the only process that has this table."""
        self._folder = _not_linked(str(self.path), lambda: self._calls.open_folder(self.path))
        try:
            found = self._calls.look(self._folder)
            self._check(f"{self.path}", found, stat.S_ISDIR(found.st_mode))
            self._lock = self._calls.lock(self._folder, f"{self._name}.lock")
        except BlockingIOError:
            self.close()
            raise Refused(f"{self.path}: another process keeps {self._name} there") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """The end."""
        for file in (self._lock, self._folder):
            if file is not None:
                self._calls.close(file)
        self._lock = self._folder = None

    def shown(self, kind: str) -> str:
        """What people call a file."""
        return str(self.path / self._called(kind))

    def read(self, kind: str, limit: int) -> bytes | None:
        """All of a file, or None if there is none; Refused if it must not be believed or is longer than that."""
        try:
            file = _not_linked(self.shown(kind), lambda: self._calls.open(self._opened, self._called(kind)))
        except FileNotFoundError:
            return None
        try:
            found = self._calls.look(file)
            self._check(self.shown(kind), found, stat.S_ISREG(found.st_mode))
            if found.st_size > limit:
                raise Refused(f"{self.shown(kind)}: {found.st_size} octets, and {limit} are the limit")
            return self._all(file, found.st_size)
        finally:
            self._calls.close(file)

    def replace(self, kind: str, pieces: Iterable[bytes]) -> None:
        """Put this in the place of a file; after an OSError the old one is there, and nothing in part."""
        name = self._called(kind)
        new = f"{name}.new"
        with suppress(FileNotFoundError):
            self._calls.remove(self._opened, new)
        file = self._calls.create(self._opened, new)
        try:
            self._fill(file, pieces)
            self._calls.rename(self._opened, new, name)
        except OSError:
            with suppress(OSError):
                self._calls.remove(self._opened, new)
            raise
        self._calls.sync(self._opened)

    @property
    def _opened(self) -> int:
        if self._folder is None:
            raise OSError(f"{self.path} is not open")
        return self._folder

    def _called(self, kind: str) -> str:
        return f"{self._name}.{kind}"

    def _check(self, what: str, found: os.stat_result, right: bool) -> None:
        if not right:
            raise Refused(f"{what}: not what it should be, but of type {stat.filemode(found.st_mode)[0]!r}")
        if found.st_uid != self._user():
            raise Refused(f"{what}: belongs to user {found.st_uid}, not to {self._user()}")
        if found.st_mode & _OTHERS_WRITE:
            raise Refused(f"{what}: others may write to it ({stat.filemode(found.st_mode)})")

    def _all(self, file: int, size: int) -> bytes:
        pieces, left = [], size
        while left > 0 and (piece := self._calls.read(file, left)):
            pieces.append(piece)
            left -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _fill(self, file: int, pieces: Iterable[bytes]) -> None:
        try:
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    rest = rest[self._calls.write(file, rest[:_CHUNK]) :]
            self._calls.sync(file)
        finally:
            self._calls.close(file)


def _not_linked(what: str, open_it: Callable[[], int]) -> int:
    try:
        return open_it()
    except OSError as wrong:
        if wrong.errno in _LINKS:
            raise Refused(f"{what}: {_LINKS[wrong.errno]}") from None
        raise
