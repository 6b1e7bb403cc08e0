"""A disk in memory that fails and forgets: what was not brought to it is lost, in part or as a whole, at a crash.

Names that were changed come to the disk in their order, as journals keep it, but nobody knows how many of them. Of a
file that was not synced there may be a part, with octets at its end that nobody wrote.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from rotonda.units.state import Calls, Folder

FOLDER = 3


class Crash(BaseException):
    """The machine stops; nothing that is meant to tidy up is run."""


class Disk(Calls):
    """The disk, with one folder. `before` is called before each thing that is done to it, by its name."""

    def __init__(self, chance: Random) -> None:
        self.before: Callable[[str], object] = lambda what: None
        self.names: dict[str, int] = {}
        self._chance = chance
        self._files: dict[int, bytes] = {}
        self._synced: dict[int, bytes] = {}
        self._kept_names: dict[str, int] = {}
        self._pending: list[tuple[str, int | None]] = []
        self._open: dict[int, tuple[int, int]] = {}
        self._next = 10

    def folder(self, name: str = "c") -> Folder:
        """The folder, as a new process sees it."""
        return Folder(Path("/state"), name, self, lambda: 1000)

    def crash(self) -> None:
        """The machine stops, and starts again."""
        for name, file in self._pending[: self._chance.randint(0, len(self._pending))]:
            self._kept_names.pop(name, None)
            if file is not None:
                self._kept_names[name] = file
        self._pending.clear()
        self._files = {file: self._left(file) for file in self._kept_names.values()}
        self._synced = dict(self._files)
        self.names = dict(self._kept_names)
        self._open.clear()

    def _left(self, file: int) -> bytes:
        there = self._files[file]
        if self._synced.get(file) == there:
            return there
        return there[: self._chance.randint(0, len(there))] + bytes(self._chance.randint(0, 3))

    # --- what is asked of the system ---------------------------------------------------------------------------------

    def open_folder(self, path: Path) -> int:
        return FOLDER

    def create(self, folder: int, name: str) -> int:
        self.before("create")
        if name in self.names:
            raise FileExistsError(name)
        self._next += 1
        self._files[self._next] = b""
        self._name(name, self._next)
        return self._opened(self._next)

    def open(self, folder: int, name: str) -> int:
        if name not in self.names:
            raise FileNotFoundError(name)
        return self._opened(self.names[name])

    def lock(self, folder: int, name: str) -> int:
        return self._opened(0)

    def look(self, file: int) -> os.stat_result:
        if file == FOLDER:
            return os.stat_result((stat.S_IFDIR | 0o700, 1, 1, 1, 1000, 1000, 0, 0, 0, 0))
        size = len(self._files[self._open[file][0]])
        return os.stat_result((stat.S_IFREG | 0o600, 1, 1, 1, 1000, 1000, size, 0, 0, 0))

    def read(self, file: int, count: int) -> bytes:
        number, place = self._open[file]
        piece = self._files[number][place : place + count]
        self._open[file] = number, place + len(piece)
        return piece

    def write(self, file: int, octets: memoryview) -> int:
        self.before("write")
        number, _ = self._open[file]
        written = self._chance.randint(1, len(octets))
        self._files[number] += octets[:written]
        return written

    def sync(self, file: int) -> None:
        self.before("sync")
        if file != FOLDER:
            number, _ = self._open[file]
            self._synced[number] = self._files[number]
            return
        self._kept_names = dict(self.names)
        self._pending.clear()

    def close(self, file: int) -> None:
        self._open.pop(file, None)

    def rename(self, folder: int, old: str, new: str) -> None:
        self.before("rename")
        file = self.names.pop(old)
        self._pending.append((old, None))
        self._name(new, file)

    def remove(self, folder: int, name: str) -> None:
        if name not in self.names:
            raise FileNotFoundError(name)
        self.before("remove")
        del self.names[name]
        self._pending.append((name, None))

    def _name(self, name: str, file: int) -> None:
        self.names[name] = file
        self._pending.append((name, file))

    def _opened(self, number: int) -> int:
        self._next += 1
        self._open[self._next] = number, 0
        return self._next


def fail_at(count: int, wrong: BaseException) -> Callable[[str], Any]:
    """Raises this the count-th time that it is called, counting from 0."""
    left = [count]

    def before(what: str) -> None:
        left[0] -= 1
        if left[0] == -1:
            raise wrong

    return before
