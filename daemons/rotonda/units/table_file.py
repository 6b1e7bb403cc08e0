"""A data source that is a file: a table of records, which is read again when it changes.

A file that is broken or gone leaves the last good one in use, is counted and told, and looked at more often. Before it
was good once there is no view of it. It is read in a thread, in small pieces with pauses between them, so that the
reactor has its turns, and of its changes is known which prefixes they are about.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Collection
from hashlib import blake2b
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from rotonda.blocks.configs import TableSource
from rotonda.sources.table import TableView
from rotonda.sources.table_changes import Changed, together
from rotonda.sources.table_files import MAX_OCTETS, BadTable
from rotonda.units.files import DamagedFile, decompressed_octets
from rotonda.units.readings import Outcome, Readings
from rotonda.views.shown import SourceState
from rotoro.net.files import look_at

LOOK_AGAIN_SECONDS = 10.0
"""How often a file is looked at, at least, that was no good or changed while it was read."""

PAUSE_SECONDS = 0.0005
_PIECE = 1 << 22
_CHANGES_KNOWN = 16
"""Readings of which is known what they have changed."""


class Read(NamedTuple):
    """What a file is: a digest of its octets; and, if they are others than before, its table, and what that changes."""

    digest: bytes
    view: TableView | None = None
    changed: Changed | None = None


class TableFile(Service):
    """The table of one data source. `changed` gets each new view, in the reactor's thread, and `over` is called after
    each reading, whatever came of it. ACTIVE sources differ from PASSIVE ones only by who listens."""

    log = Logger()

    def __init__(
        self,
        name: str,
        config: TableSource,
        reactor: Any,
        changed: Callable[[TableView], None],
        in_thread: Callable[..., Deferred[Any]] = deferToThread,
        over: Callable[[], None] = lambda: None,
        asked: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """`asked` tells the fields of which indexes are needed."""
        self.setName(f"data source {name}")
        self.title = name
        self.config = config
        self.path = Path(config.source_file)
        self.view: TableView | None = None
        """What is in use; None before the file was good once."""
        self.problem: str | None = None
        """What is wrong with the file as it lies there; None if nothing is."""
        self.failures = 0
        """Readings that failed."""
        self.last_error: str | None = None
        """What was wrong when that was the case the last time."""
        self.read_at: float | None = None
        """When the file was read, and good, the last time, by the reactor's clock."""
        self.readings = _Reading(self, in_thread)
        self.seen = look_at(())
        self._digest = b""
        self._changes: deque[tuple[int, Changed | None]] = deque(maxlen=_CHANGES_KNOWN)
        self._reactor = reactor
        self._changed = changed
        self._over = over
        self._asked = asked
        self._wake: IDelayedCall | None = None

    def startService(self) -> None:
        """Read the file, and look at it now and then."""
        super().startService()
        self.readings.load()

    def stopService(self) -> Deferred[None]:
        """Read no more."""
        super().stopService()
        self._sleep(None)
        return self.readings.stop()

    def reopen(self) -> None:
        """Look at once whether the file has changed."""
        if self.running and not self.readings.loading:
            self._look()

    @property
    def state(self) -> SourceState:
        """How it fares, in a word."""
        if self.view is None:
            return "LOADING" if self.problem is None else "BROKEN"
        return "CURRENT" if self.problem is None else "STALE"

    @property
    def age(self) -> float | None:
        """Seconds since the file was last read and good."""
        return None if self.read_at is None else float(self._reactor.seconds()) - self.read_at

    def since(self, view: TableView) -> Changed | None:
        """The prefixes of which records have changed since this view; None if that is not known any more."""
        if self.view is None:
            return None
        wanted = range(view.version + 1, self.view.version + 1)
        own = [changes for version, changes in self._changes if version in wanted and changes is not None]
        return together(own) if len(own) == len(wanted) else None

    def use(self, read: Read) -> None:
        """The file was read, and is this."""
        if self.problem is not None:
            self.log.info("{name}: {path} is good again", name=self.title, path=str(self.path))
        self.problem, self.read_at = None, float(self._reactor.seconds())
        if read.view is not None:
            self.view, self._digest = read.view, read.digest
            self._changes.append((read.view.version, read.changed))
            self._changed(read.view)

    def failed(self, problem: str) -> None:
        """The file cannot be used."""
        self.failures += 1
        self.last_error = problem
        if problem != self.problem:
            kept = "there is no table before it is good" if self.view is None else "the table that was read last stays"
            self.log.error("{name}: {problem}; {kept}", name=self.title, problem=problem, kept=kept)
        self.problem = problem

    def read(self) -> Read:
        """The table of the file as it lies there. Raises OSError, DamagedFile, BadTable."""
        octets = decompressed_octets(_octets(self.path), str(self.path), MAX_OCTETS)
        digest = blake2b(octets, digest_size=16).digest()
        before = self.view
        if before is not None and digest == self._digest:
            before.prepare(self._asked(), self._pause)
            return Read(digest)
        version = 0 if before is None else before.version + 1
        view = TableView.read(octets, self.config.contains, str(self.path), version, self._pause)
        view.prepare(self._asked(), self._pause)
        return Read(digest, view, None if before is None else view.changed_since(before, self._pause))

    def _pause(self) -> None:
        """Let the reactor have its turn; and stop with it."""
        if self.readings.stopped:
            raise BadTable(["not read to its end"])
        sleep(PAUSE_SECONDS)

    def settled(self) -> None:
        """A reading is over: look at the file again when it is time."""
        good = self.problem is None and self.seen == look_at([self.path])
        interval = self.config.check_update_interval
        self._sleep(interval if good else min(interval, LOOK_AGAIN_SECONDS))
        self._over()

    def _sleep(self, seconds: float | None) -> None:
        if self._wake is not None and self._wake.active():
            self._wake.cancel()
        self._wake = None if seconds is None else self._reactor.callLater(seconds, self._look)

    def _look(self) -> None:
        now = look_at([self.path])
        if now == self.seen and now != (None,):  # why there is nothing to be seen, only an attempt to read it tells
            self.settled()
        else:
            self.readings.load()


class _Reading(Readings[Outcome]):
    """The readings of one file."""

    def __init__(self, unit: TableFile, in_thread: Callable[..., Deferred[Any]]) -> None:
        super().__init__(self._told)
        self._unit = unit
        self._in_thread = in_thread

    @property
    def _names(self) -> str:
        return str(self._unit.path)

    def _outcome(self) -> Outcome:
        return Outcome()

    async def _read(self, outcome: Outcome) -> None:
        began = perf_counter()
        unit = self._unit
        unit.seen = look_at([unit.path])
        try:
            read = await self._in_thread(unit.read)
        except (BadTable, DamagedFile, OSError) as wrong:
            outcome.problems.append(str(wrong))
            return
        if self.stopped:
            return
        if read.view is not None:
            seconds = perf_counter() - began
            unit.log.info("{name}: {count:,} records in {s:.1f} s", name=unit.title, count=len(read.view), s=seconds)
        unit.use(read)

    def _told(self, outcome: Outcome) -> None:
        if outcome.problems:
            self._unit.failed("; ".join(outcome.problems))
        self._unit.settled()


def _octets(path: Path) -> bytes:
    """All octets of a file that nobody writes to meanwhile; what is no file is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(f"{path} is not a file")
        if before.st_size > MAX_OCTETS:
            raise OSError(f"{path} is longer than {MAX_OCTETS:,} octets")
        octets = _read(descriptor, before.st_size + 1)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(octets) != after.st_size:
        raise OSError(f"{path} was written to while it was read")
    return octets


def _read(descriptor: int, most: int) -> bytes:
    pieces, size = [], 0
    while size < most and (piece := os.read(descriptor, min(_PIECE, most - size))):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)
