"""What a validator exports as a source of RPKI data, wherever the octets come from.

`Fetch` is that place: a file, or something on the web (`rotonda.units.web_fetch`). An export that cannot be read again
is used on as it was; its entries leave when they expire all the same, and all of it when it is older than it may be.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, time
from typing import Any, Protocol

from twisted.application.service import MultiService
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThread

from rotonda.rpki.exports import MAX_OCTETS, BadExport, Export, read_export
from rotonda.rpki.sources import SourceState
from rotonda.units.files import DamagedFile, whole
from rotonda.units.readings import Outcome, Readings
from rotonda.units.sources import Life, SourceUnit
from rotonda.units.watch import Watch
from rotonda.views.shown import Link
from rotoro.table import EMPTY, Diff, Snapshot

PROBLEMS_TOLD = 20
"""Refused entries of one export that get a line of their own; the rest are counted."""

INTERVAL_SECONDS = 600.0
"""How often it is asked whether an export on the web has changed; validators publish every few minutes."""

SWEEP_SECONDS = 60.0
"""Entries that expire one after the other leave together, once in this time: each change costs every router a query."""

LOOK_SECONDS = 600.0
"""How often it is looked at the wall clock at least, which others may set."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The octets of an export, decompressed, and when they were written (seconds since 1970)."""

    octets: bytes
    modified: float
    accepted: Callable[[], None] = lambda: None
    """To be called when they were of use."""


def is_url(text: str) -> bool:
    """Whether somebody means something on the web and not a file.

    >>> is_url("https://rpki.example.net/vrps.json"), is_url("http/vrps.json")
    (True, False)
    """
    return text.lower().startswith(("http://", "https://"))


class CannotFetch(Exception):
    """There is nothing to be had now; says what, where and why."""


class Fetch(Protocol):
    """A place where an export lies."""

    @property
    def name(self) -> str:
        """What people call it."""

    def fetch(self) -> Awaitable[Fetched | None]:
        """What lies there now, or None if that is what was fetched before. Raises CannotFetch."""

    def watch(self, parent: MultiService, reactor: Any, changed: Callable[[], object]) -> None:
        """Call `changed` when it is time to fetch again, for as long as the parent runs."""


@dataclass(frozen=True, slots=True)
class FileFetch:
    """A file, plain or compressed, that is looked at now and then."""

    path: Path
    watch_seconds: float = 1.0

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    async def fetch(self) -> Fetched | None:
        """The file, read in a thread while the reactor serves others."""
        try:
            fetched: Fetched = await deferToThread(_read_file, self.path)
        except (DamagedFile, OSError) as wrong:
            raise CannotFetch(str(wrong)) from wrong
        return fetched

    def watch(self, parent: MultiService, reactor: Any, changed: Callable[[], object]) -> None:
        """When it has changed, and then stayed as it is for a moment."""
        Watch([self.path], changed, reactor, self.watch_seconds).setServiceParent(parent)


def _read_file(path: Path) -> Fetched:
    modified = path.stat().st_mtime
    return Fetched(whole(path, MAX_OCTETS), modified)


@dataclass(eq=False, kw_only=True)
class ExportSource(SourceUnit):
    """RPKI data of one export.

    With `keep_expired`, entries are used past their expiry; with `keep_stale`, the whole is past `max_age`, in seconds
    since it was written. `clock` is the time of the day, by which exports count.
    """

    fetch: Fetch
    keep_expired: bool = False
    keep_stale: bool = False
    max_age: float | None = None
    clock: Callable[[], float] = time

    def __post_init__(self) -> None:
        super().__post_init__()
        self.export: Export | None = None
        """What of the last good export has not expired."""
        self.readings = _Reading(self)
        self._modified = 0.0
        self._end: float | None = None
        """When the next of its entries expires."""
        self._failing = False
        self._swept = float("-inf")
        self._wake: IDelayedCall | None = None
        self._reactor: Any = None

    def start(self, parent: MultiService, reactor: Any) -> None:
        """Read it when the daemon starts, and when it has changed."""
        super().start(parent, reactor)
        self._reactor = reactor
        Life(self.readings.load, self.stop).setServiceParent(parent)
        self.fetch.watch(parent, reactor, self.readings.load)

    def stop(self) -> Any:
        """Read no more."""
        self._wake_in(None)
        return self.readings.stop()

    def shown(self) -> Link:
        """How old it is, and how long that may go on."""
        link = super().shown()
        link.mode = "export" if self.export is None else self.export.format
        if self.export is not None:
            link.age = self.clock() - self._modified
            link.expires_in = None if self.max_age is None else self.max_age - link.age
        return link

    def use(self, export: Export, modified: float, snapshot: Snapshot, diff: Diff) -> None:
        """It says this now."""
        self._failing = False
        self.export, self._modified, self._end = export, modified, export.next_end()
        self._judge(snapshot, diff)

    def unchanged(self) -> None:
        """It says what it said before."""
        self._failing = False
        self._judge(self.snapshot, None)

    def failed(self, problem: str) -> None:
        """It cannot be had or used now."""
        self._failed(problem)
        self._failing = True
        self.log.error("{wrong}{kept}", wrong=problem, kept="; the last good data stays" if self.export else "")
        self._judge(self.snapshot, None)

    def _judge(self, snapshot: Snapshot | None, diff: Diff | None) -> None:
        """Tell what is so, and look again when that may change."""
        if self.export is None:
            return
        now = self.clock()
        self._wake_at(now)
        if not self._failing:
            self.problem = None
        too_old = self.max_age is not None and now >= self._modified + self.max_age
        if too_old:
            self.problem = self.problem or f"{self.name}: older than {self.max_age:g} s"
            if not self.keep_stale:
                self._tell(SourceState.GONE, None)
                return
        if snapshot is None:  # it was too old, and is so no more
            snapshot = self.export.snapshot()
        if self._end is not None and self._end <= now:
            snapshot, diff = self._without_ended(now, snapshot, diff)
        if too_old or (not snapshot.count and self.export.expired):
            self.problem = self.problem or f"{self.name}: every entry has expired"
            self._tell(SourceState.EXPIRED, snapshot, diff)
        else:
            self._tell(SourceState.STALE if self._failing else SourceState.CURRENT, snapshot, diff)

    def _without_ended(self, now: float, snapshot: Snapshot, diff: Diff | None) -> tuple[Snapshot, Diff]:
        """The data and what changed in it, when the entries that have expired are out of it."""
        assert self.export is not None
        self.export, ended = self.export.after(now)
        self._end, self._swept = self.export.next_end(), now
        self._wake_at(now)
        self.log.info("{name}: {n:,} entries have expired", name=self.name, n=ended.count)
        return ended.apply(snapshot), ended if diff is None else diff.then(ended)

    def _wake_at(self, now: float) -> None:
        """Look again when the next entry ends, though not for each on its own, and when all of it does."""
        times = [now + LOOK_SECONDS]
        if self._end is not None:
            times.append(max(self._end, self._swept + SWEEP_SECONDS))
        if self.max_age is not None and now < self._modified + self.max_age:
            times.append(self._modified + self.max_age)
        self._wake_in(max(0.0, min(times) - now))

    def _wake_in(self, seconds: float | None) -> None:
        if self._wake is not None and self._wake.active():
            self._wake.cancel()
        if seconds is None or self.readings.stopped:
            self._wake = None
        else:
            self._wake = self._reactor.callLater(seconds, lambda: self._judge(self.snapshot, None))


class _Reading(Readings[Outcome]):
    """The readings of one export."""

    def __init__(self, unit: ExportSource) -> None:
        super().__init__(lambda outcome: unit.failed("; ".join(outcome.problems)) if outcome.problems else None)
        self._unit = unit

    @property
    def _names(self) -> str:
        return self._unit.name

    def _outcome(self) -> Outcome:
        return Outcome()

    async def _read(self, outcome: Outcome) -> None:
        unit, started = self._unit, perf_counter()
        try:
            fetched = await unit.fetch.fetch()
            if fetched is None:
                unit.unchanged()
                return
            before = EMPTY if unit.snapshot is None else unit.snapshot
            export, snapshot, diff = await deferToThread(_understand, unit, fetched, before)
        except (BadExport, CannotFetch) as wrong:
            if not self.stopped:
                unit.failed(str(wrong))
            return
        if self.stopped:
            return
        self._say(export, snapshot.count, perf_counter() - started)
        if unit.snapshot is not before and unit.snapshot is not None:  # entries have expired meanwhile
            diff = unit.snapshot.diff(snapshot)
        unit.use(export, fetched.modified, snapshot, diff)
        fetched.accepted()

    def _say(self, export: Export, records: int, seconds: float) -> None:
        for problem in export.problems[:PROBLEMS_TOLD]:
            self.log.warn("{problem}", problem=str(problem))
        if export.problem_count > PROBLEMS_TOLD:
            self.log.warn("{n} more entries with problems", n=export.problem_count - PROBLEMS_TOLD)
        self.log.info(
            "{name}: {records:,} records in {seconds:.1f} s; {expired:,} expired entries left out, {refused:,} with"
            " problems",
            name=self._unit.name,
            records=records,
            seconds=seconds,
            expired=export.expired,
            refused=export.problem_count,
        )
        if export.expired and not records:
            self.log.warn("every entry has expired; --keep-expired serves them all the same")


def _understand(unit: ExportSource, fetched: Fetched, before: Snapshot) -> tuple[Export, Snapshot, Diff]:
    """What octets say, and what changes with that; runs in a thread."""
    export = read_export(fetched.octets, unit.name, unit.clock(), unit.keep_expired)
    snapshot = export.snapshot()
    return export, snapshot, before.diff(snapshot)
