"""Local exceptions on a source: SLURM files, read again when they change (`rotonda.rpki.slurm`).

The files are taken together or not at all: one that is broken, or two that contradict each other, leave in force what
was read last. Before they were good once, nothing is told: data without its exceptions is not what is wanted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.threads import deferToThread

from rotonda.rpki.exceptions import BadExceptions, Exceptions, joined
from rotonda.rpki.slurm import MAX_OCTETS, read_slurm
from rotonda.rpki.sources import News, SourceState
from rotonda.units.readings import Outcome, Readings
from rotonda.units.sources import SourceUnit
from rotonda.units.watch import Watch
from rotoro.table import EMPTY, Diff, Snapshot

WATCH_SECONDS = 1.0


@dataclass(eq=False, kw_only=True)
class ExceptionsUnit(SourceUnit):
    """What a source says, less what the files filter out, and with what they assert."""

    name: str = "exceptions"
    source: SourceUnit
    paths: Sequence[Path]
    watch_seconds: float = WATCH_SECONDS

    def __post_init__(self) -> None:
        super().__post_init__()
        self.exceptions: Exceptions | None = None
        """What is in force; None before it was good once."""
        self.readings = _Files(self)

    @property
    def complete(self) -> bool:
        """Whether the source is, and the exceptions are known."""
        return self.exceptions is not None and self.source.complete

    @property
    def west(self) -> Sequence[SourceUnit]:
        """The source."""
        return (self.source,)

    def start(self, parent: MultiService, reactor: Any) -> None:
        """Read the files, watch them, and listen to the source, which is started too."""
        super().start(parent, reactor)
        self.source.subscribe(self._hear)
        self.source.start(parent, reactor)
        Watch(self.paths, self.readings.load, reactor, self.watch_seconds).setServiceParent(parent)
        _Loading(self.readings).setServiceParent(parent)

    def stop(self) -> Any:
        """Read no more."""
        return self.readings.stop()

    def use(self, exceptions: Exceptions) -> None:
        """These are in force from now on."""
        self.problem, self.exceptions = None, exceptions
        self.log.info(
            "{name}: {filters:,} filters and {added:,} assertions",
            name=exceptions.name,
            filters=exceptions.filter_count,
            added=exceptions.added.count,
        )
        self._hear(News(self.source.state, self.source.snapshot))

    def failed(self, problem: str) -> None:
        """The files cannot be used."""
        self._failed(problem)
        kept = "nothing is served before they are good" if self.exceptions is None else "those in force stay"
        self.log.error("{problem}; {kept}", problem=problem, kept=kept)

    def _hear(self, news: News) -> None:
        if self.exceptions is None:
            return
        if news.snapshot is None:
            self._tell(SourceState.CONNECTING if self.state is SourceState.CONNECTING else news.state, None)
        elif self.snapshot is None or news.diff is None:
            self._tell(news.state, *self._anew(self.exceptions, news.snapshot))
        else:
            diff = self.exceptions.of_diff(news.diff)
            self._tell(news.state, diff.apply(self.snapshot), diff)

    def _anew(self, exceptions: Exceptions, snapshot: Snapshot) -> tuple[Snapshot, Diff]:
        made = exceptions.of(snapshot).apply(snapshot)
        return made, (self.snapshot or EMPTY).diff(made)


class _Files(Readings[Outcome]):
    """The files of one unit."""

    def __init__(self, unit: ExceptionsUnit) -> None:
        super().__init__(lambda outcome: None)
        self._unit = unit

    @property
    def _names(self) -> str:
        return ", ".join(map(str, self._unit.paths))

    def _outcome(self) -> Outcome:
        return Outcome()

    async def _read(self, outcome: Outcome) -> None:
        try:
            found = await deferToThread(_read_all, list(self._unit.paths))
        except (BadExceptions, OSError) as wrong:
            self._unit.failed(str(wrong))
            return
        if not self.stopped:
            self._unit.use(found)


def _read_all(paths: list[Path]) -> Exceptions:
    return joined([read_slurm(_octets(path), str(path)) for path in paths])


def _octets(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_OCTETS + 1)


class _Loading(Service):
    """Reads for the first time when the daemon starts."""

    def __init__(self, readings: Readings[Outcome]) -> None:
        self._readings = readings

    def startService(self) -> None:
        super().startService()
        self._readings.load()

    def stopService(self) -> Any:
        super().stopService()
        return self._readings.stop()
