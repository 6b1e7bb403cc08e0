"""A data source that is a file: a table of records, which is read again when it changes.

A file that is broken or gone leaves the last good one in use, is counted and told, and looked at more often. Before it
was good once there is no view of it.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from time import perf_counter
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from rotonda.blocks.configs import TableSource
from rotonda.sources.table import TableView
from rotonda.sources.table_files import MAX_OCTETS, BadTable
from rotonda.units.files import DamagedFile, whole
from rotonda.units.readings import Outcome, Readings
from rotoro.net.files import look_at

LOOK_AGAIN_SECONDS = 10.0
"""How often a file is looked at, at least, that was no good or changed while it was read."""


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
    ) -> None:
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
        self.readings = _Reading(self, in_thread)
        self.seen = look_at(())
        self._digest = b""
        self._reactor = reactor
        self._changed = changed
        self._over = over
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

    def use(self, view: TableView | None, digest: bytes) -> None:
        """The file was read, and is this; None if it is as before."""
        self.problem = None
        if view is not None:
            self.view, self._digest = view, digest
            self._changed(view)

    def failed(self, problem: str) -> None:
        """The file cannot be used."""
        self.failures += 1
        if problem != self.problem:
            kept = "there is no table before it is good" if self.view is None else "the table that was read last stays"
            self.log.error("{name}: {problem}; {kept}", name=self.title, problem=problem, kept=kept)
        self.problem = problem

    def read(self) -> tuple[TableView | None, bytes]:
        """The table of the file and a digest of its octets; no table if they are those that are in use."""
        if not stat.S_ISREG(self.path.stat().st_mode):
            raise OSError(f"{self.path} is not a file")
        octets = whole(self.path, MAX_OCTETS)
        digest = blake2b(octets, digest_size=16).digest()
        if digest == self._digest:
            return None, digest
        version = 0 if self.view is None else self.view.version + 1
        return TableView.read(octets, self.config.contains, str(self.path), version), digest

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
        if look_at([self.path]) == self.seen:
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
            view, digest = await self._in_thread(unit.read)
        except (BadTable, DamagedFile, OSError) as wrong:
            outcome.problems.append(str(wrong))
            return
        if self.stopped:
            return
        if view is not None:
            seconds = perf_counter() - began
            unit.log.info("{name}: {count:,} records in {s:.1f} s", name=unit.title, count=len(view), s=seconds)
        unit.use(view, digest)

    def _told(self, outcome: Outcome) -> None:
        if outcome.problems:
            self._unit.failed("; ".join(outcome.problems))
        self._unit.settled()
