"""Local exceptions on a source: SLURM files, read again when they change (`rotonda.rpki.slurm`).

The files are taken together or not at all: one that is broken, or two that contradict each other, leave in force what
was read last. Before they were good once, nothing is told: data without its exceptions is not what is wanted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.threads import deferToThread

from rotonda.rpki.exceptions import BadExceptions, Exceptions, joined
from rotonda.rpki.slurm import MAX_OCTETS, read_slurm
from rotonda.rpki.sources import News, SourceState
from rotonda.rpki.unions import left_out
from rotonda.units.aside import SMALL, Aside
from rotonda.units.readings import Outcome, Readings
from rotonda.units.sources import Life, SourceUnit
from rotonda.units.watch import Watch
from rotonda.views.shown import Link
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
        self.aside = Aside()
        self._follows = False
        """Whether what is told is made of what the source told last, by the exceptions in force."""

    @property
    def complete(self) -> bool:
        """Whether the source is, and the exceptions are made to all of it."""
        return self._follows and self.source.complete

    @property
    def west(self) -> Sequence[SourceUnit]:
        """The source."""
        return (self.source,)

    def start(self, parent: MultiService, reactor: Any) -> None:
        """Read the files, watch them, and listen to the source, which is started too."""
        super().start(parent, reactor)
        self.aside.setServiceParent(parent)
        self.source.subscribe(self._hear)
        self.source.start(parent, reactor)
        Watch(self.paths, self.readings.load, reactor, self.watch_seconds).setServiceParent(parent)
        Life(self.readings.load, self.stop).setServiceParent(parent)

    def stop(self) -> Any:
        """Read no more."""
        return self.readings.stop()

    def shown(self) -> Link:
        """How it fares, and how many assertions could not be joined with the data."""
        link = super().shown()
        if self.exceptions is not None and self.snapshot is not None:
            link.left_out = left_out(self.snapshot, self.exceptions.added)
        return link

    def use(self, exceptions: Exceptions) -> None:
        """These are in force from now on."""
        self.problem, self.exceptions = None, exceptions
        self.log.info(
            "{name}: {filters:,} filters and {added:,} assertions",
            name=exceptions.name,
            filters=exceptions.filter_count,
            added=exceptions.added.count,
        )
        self._look()

    def failed(self, problem: str) -> None:
        """The files cannot be used."""
        self._failed(problem)
        kept = "nothing is served before they are good" if self.exceptions is None else "those in force stay"
        self.log.error("{problem}; {kept}", problem=problem, kept=kept)

    def _look(self) -> None:
        """Make all of it anew."""
        self._hear(News(self.source.state, self.source.snapshot))

    def _hear(self, news: News) -> None:
        if self.exceptions is None or self.aside.busy:
            return
        if news.snapshot is None:
            self._tell(SourceState.CONNECTING if self.state is SourceState.CONNECTING else news.state, None)
        elif self.snapshot is None or news.diff is None or news.diff.rows > SMALL or not self._follows:
            self._make(self.exceptions, news.snapshot)
        else:
            diff = self.exceptions.of_diff(news.diff)
            self._tell(news.state, diff.apply(self.snapshot), diff)

    def _make(self, exceptions: Exceptions, snapshot: Snapshot) -> None:
        before = EMPTY if self.snapshot is None else self.snapshot
        self._follows = False
        made = partial(self._made, exceptions, snapshot)
        self.aside.do(snapshot.count, partial(_excepted, exceptions, snapshot, before), made)

    def _made(self, exceptions: Exceptions, snapshot: Snapshot, result: tuple[Snapshot, Diff]) -> None:
        self._follows = self.source.snapshot is snapshot and self.exceptions is exceptions
        if self.source.snapshot is not None:
            self._tell(self.source.state, *result)
        if not self._follows:
            self._look()


def _excepted(exceptions: Exceptions, snapshot: Snapshot, before: Snapshot) -> tuple[Snapshot, Diff]:
    """The data with the exceptions made, and what leads there."""
    made = exceptions.of(snapshot).apply(snapshot)
    return made, before.diff(made)


class _Files(Readings[Outcome]):
    """The files of one unit."""

    def __init__(self, unit: ExceptionsUnit) -> None:
        super().__init__(lambda outcome: unit.failed("; ".join(outcome.problems)) if outcome.problems else None)
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
