"""RPKI data from what validators export, as a table that routers and others follow.

The files are read when they change, and now and then since entries expire. A file that cannot be used leaves the last
good data in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from rotonda.rpki.exports import read_export
from rotonda.rpki.ledger import BadExport, Export
from rotonda.units.files import DamagedFile, decompressed
from rotoro.table import ASPA, ROUTER_KEY, VRP4, VRP6, History, Records, Slot, Snapshot

MAX_OCTETS = 1 << 30
"""The longest export, decompressed, that is read at all."""

PROBLEMS_TOLD = 20
"""Refused entries of one file that get a line of their own; the rest are counted."""


@dataclass(slots=True)
class Accepted:
    """What became of the last reading."""

    records: int = 0
    expired: int = 0
    duplicates: int = 0
    refused: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


class ExportTable:
    """The table of some export files; `changed` is called after each commit, `done` after each reading."""

    log = Logger()

    def __init__(
        self,
        paths: Sequence[Path],
        history: History,
        clock: Callable[[], float],
        keep_expired: bool,
        changed: Callable[[], None],
        done: Callable[[Accepted], None],
    ) -> None:
        self.loading = False
        self.accepted = Accepted()
        self._paths = paths
        self._history = history
        self._clock = clock
        self._keep_expired = keep_expired
        self._changed = changed
        self._done = done
        self._again = False

    @property
    def wanted(self) -> bool:
        """Whether there are files to read."""
        return bool(self._paths)

    def load(self) -> None:
        """Read the files, now or when the reading under way is over."""
        if self.loading:
            self._again = True
            return
        self.loading, self._again = True, False
        reading = deferToThread(_read, self._paths, self._clock(), self._keep_expired)
        reading.addCallbacks(self._take, self._refuse).addErrback(self._failed).addBoth(self._over)

    def _take(self, read: tuple[Snapshot, list[Export], float]) -> None:
        snapshot, exports, seconds = read
        accepted = self.accepted = Accepted(
            records=snapshot.count,
            expired=sum(export.expired for export in exports),
            duplicates=sum(export.duplicates for export in exports),
            refused=sum(export.problem_count for export in exports),
            seconds=seconds,
        )
        for export in exports:
            for problem in export.problems[:PROBLEMS_TOLD]:
                self.log.warn("{problem}", problem=str(problem))
            if export.problem_count > PROBLEMS_TOLD:
                self.log.warn("{n} more entries with problems", n=export.problem_count - PROBLEMS_TOLD)
        self.log.info(
            "{paths}: {records:,} records in {seconds:.1f} s; {expired:,} expired entries left out, {refused:,} with"
            " problems",
            paths=", ".join(map(str, self._paths)),
            records=accepted.records,
            seconds=seconds,
            expired=accepted.expired,
            refused=accepted.refused,
        )
        if accepted.expired and not accepted.records:
            self.log.warn("every entry has expired; --keep-expired serves them all the same")
        if self._history.commit(snapshot) is not None:
            self._changed()

    def _refuse(self, failure: Any) -> None:
        failure.trap(BadExport, DamagedFile, OSError)
        text = str(failure.value)
        self.accepted.problems = [text]
        kept = "; the last good data stays" if self._history.ready else ""
        self.log.error("{text}{kept}", text=text, kept=kept)

    def _failed(self, failure: object) -> None:
        self.log.error("reading exports failed: {failure}", failure=failure)
        self.accepted.problems = ["reading failed; see the log"]

    def _over(self, _: object) -> None:
        self.loading = False
        self._done(self.accepted)
        if self._again:
            self.load()


def _read(paths: Sequence[Path], now: float, keep_expired: bool) -> tuple[Snapshot, list[Export], float]:
    """Everything that the files say; runs in a thread, while the reactor serves others."""
    from time import perf_counter

    started = perf_counter()
    exports = [read_export(_octets(path), str(path), now, keep_expired) for path in paths]
    return snapshot_of(exports), exports, perf_counter() - started


def _octets(path: Path) -> bytes:
    pieces, size = [], 0
    for piece in decompressed(path):
        size += len(piece)
        if size > MAX_OCTETS:
            raise BadExport(str(path), f"longer than {MAX_OCTETS} octets", "file")
        pieces.append(piece)
    return b"".join(pieces)


def snapshot_of(exports: Sequence[Export]) -> Snapshot:
    """The union of what several exports say; the providers of a customer are those that any of them names."""
    aspas: dict[int, set[bytes]] = {}
    for export in exports:
        for customer, providers in export.aspas.items():
            found = {providers[at : at + 4] for at in range(0, len(providers), 4)}
            aspas.setdefault(customer, set()).update(found)
    keys = sorted({key for export in exports for key in export.router_keys})
    customers = np.array(sorted(aspas), ">u4").view("S4")
    providers_ = [b"".join(sorted(aspas[customer])) for customer in sorted(aspas)]
    records: dict[Slot, Records] = {
        VRP4: Records.of(VRP4, np.concatenate([np.empty(0, "S10"), *(export.vrps4 for export in exports)])),
        VRP6: Records.of(VRP6, np.concatenate([np.empty(0, "S22"), *(export.vrps6 for export in exports)])),
        ROUTER_KEY: Records.of(ROUTER_KEY, keys),
        ASPA: Records.of(ASPA, customers, providers_),
    }
    return Snapshot.of(records)
