"""Many routers in a process of their own that stay connected: they fetch everything, then what they are notified of.

They share the processors with the cache, so they are as light as routers can be: a program in C (`many_routers.c`). All
of them have the same session and serial, so that one query serves for all, and what was read is understood when the
clock has stopped.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from interop.bench.raw import build
from interop.peers.probe import COLUMNS, END_OF_DATA, LENGTH
from interop.peers.processes import Daemon, cpu_seconds
from interop.vrps import RpkiData

VERSION = 1

Changes = frozenset[tuple[bool, bytes]]
"""Whether each is announced, and its key, as `RpkiData` has it."""


@dataclass(frozen=True)
class Told:
    """What routers saw of one change; times are seconds of CLOCK_MONOTONIC, which all processes share."""

    first_notify: float
    last_end: float
    ends: tuple[float, ...]
    """When each router had its End of Data, in the order of time."""
    changes: Changes
    """What each of them was told, all the same."""


def changes_between(before: RpkiData, after: RpkiData) -> Changes:
    """What routers must be told."""
    old, new = (set(map(bytes, [*data.vrps4, *data.vrps6])) for data in (before, after))
    # numpy drops the zeros at the end of a key
    return frozenset((sign, key) for sign, keys in ((True, new - old), (False, old - new)) for key in keys)


class Routers:
    """So many routers; use as a context manager, whose end disconnects them."""

    def __init__(self, port: int, count: int, seconds: int = 60) -> None:
        """`seconds` in which nothing comes are too many."""
        self._port, self._count, self._seconds = port, count, seconds
        self._changes = 0
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        """Connected, and all in step."""
        with ExitStack() as ending:
            folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="rotoro-routers-")))
            words = map(str, (self._port, self._count, self._seconds))
            command: list[str | Path] = [build(folder, "many_routers"), *words]
            self._process = ending.enter_context(Daemon("many_routers", command, folder))
            self._process.expect_line("ready", self._seconds)
            self._ending = ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    @property
    def cpu_seconds(self) -> float:
        """What the routers themselves took so far."""
        return cpu_seconds(self._process.pid)

    def change(self) -> Told:
        """What comes next; raises `PeerFailed` if nothing does."""
        self._changes += 1
        answer, times = self._process.expect(self._told, "all routers have a change", self._seconds + 5)
        first, *ends = map(float, times.split())
        return Told(first, ends[-1], tuple(ends), frozenset(_changes(bytes.fromhex(answer))))

    def _told(self) -> tuple[str, str] | None:
        """The two lines of a change, once they are whole."""
        whole = self._process.log.read_text().rpartition("\n")[0].splitlines()[1:]
        return (whole[-2], whole[-1]) if len(whole) == 2 * self._changes else None


def _changes(answer: bytes) -> Iterable[tuple[bool, bytes]]:
    place = 8
    while answer[place + 1] != END_OF_DATA:
        kind = answer[place + 1]
        length = LENGTH[kind]
        pdu = answer[place : place + length]
        yield bool(pdu[8] & 1), bytes(pdu[octet] for octet in COLUMNS[kind]).rstrip(b"\0")
        place += length
