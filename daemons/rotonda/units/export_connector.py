"""RPKI data from what validators export, as a table that routers and others follow.

The files are read when they change, and now and then since entries expire. In the place of a file that cannot be used
stands what it said last; a file that never said anything keeps the table from starting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from twisted.internet.threads import deferToThread

from rotonda.rpki.exports import MAX_OCTETS, read_export
from rotonda.rpki.ledger import BadExport, Export
from rotonda.rpki.records import joined_providers
from rotonda.units.file_table import FileTable, Outcome
from rotonda.units.files import DamagedFile, decompressed
from rotoro.table import ASPA, ROUTER_KEY, VRP4, VRP6, History, Records, Slot, Snapshot

PROBLEMS_TOLD = 20
"""Refused entries of one file that get a line of their own; the rest are counted."""


@dataclass(slots=True)
class Accepted(Outcome):
    """What became of the entries of all files in one reading."""

    records: int = 0
    expired: int = 0
    duplicates: int = 0
    refused: int = 0


class ExportTable(FileTable[Accepted]):
    """The table of some export files. When one cannot be used, its last good data stays."""

    def __init__(
        self,
        paths: Sequence[Path],
        history: History,
        clock: Callable[[], float],
        keep_expired: bool,
        changed: Callable[[], None],
        done: Callable[[Accepted], None],
    ) -> None:
        super().__init__(paths, history, clock, changed, done)
        self._keep_expired = keep_expired
        self._good: dict[Path, Export] = {}
        """What each file said when it could be used last."""

    def _outcome(self) -> Accepted:
        return Accepted()

    async def _read(self, outcome: Accepted) -> None:
        started = perf_counter()
        for path in self._paths:
            try:
                self._good[path] = await deferToThread(_read, path, self._clock(), self._keep_expired)
            except (BadExport, DamagedFile, OSError) as wrong:
                outcome.problems.append(str(wrong))
                kept = "; the last good data stays" if path in self._good else ""
                self.log.error("{wrong}{kept}", wrong=str(wrong), kept=kept)
        exports = list(self._good.values())
        if len(exports) < len(set(self._paths)) or len(outcome.problems) == len(self._paths):
            return
        snapshot = await deferToThread(snapshot_of, exports)
        outcome.records, outcome.seconds = snapshot.count, perf_counter() - started
        outcome.expired = sum(export.expired for export in exports)
        outcome.duplicates = sum(export.duplicates for export in exports)
        outcome.refused = sum(export.problem_count for export in exports)
        self._tell(outcome, exports)
        await self._commit(snapshot)

    def _tell(self, accepted: Accepted, exports: Sequence[Export]) -> None:
        for export in exports:
            for problem in export.problems[:PROBLEMS_TOLD]:
                self.log.warn("{problem}", problem=str(problem))
            if export.problem_count > PROBLEMS_TOLD:
                self.log.warn("{n} more entries with problems", n=export.problem_count - PROBLEMS_TOLD)
        self.log.info(
            "{paths}: {records:,} records in {seconds:.1f} s; {expired:,} expired entries left out, {refused:,} with"
            " problems",
            paths=self._names,
            records=accepted.records,
            seconds=accepted.seconds,
            expired=accepted.expired,
            refused=accepted.refused,
        )
        if accepted.expired and not accepted.records:
            self.log.warn("every entry has expired; --keep-expired serves them all the same")


def _read(path: Path, now: float, keep_expired: bool) -> Export:
    """Everything that a file says; runs in a thread, while the reactor serves others."""
    return read_export(_octets(path), str(path), now, keep_expired)


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
    lists: dict[int, list[bytes]] = {}
    for export in exports:
        for customer, providers in export.aspas.items():
            lists.setdefault(customer, []).append(providers)
    joined = {customer: joined_providers(lists[customer]) for customer in sorted(lists)}
    aspas = {customer: providers for customer, providers in joined.items() if providers}
    keys = sorted({key for export in exports for key in export.router_keys})
    records: dict[Slot, Records] = {
        VRP4: Records.of(VRP4, np.concatenate([np.empty(0, "S10"), *(export.vrps4 for export in exports)])),
        VRP6: Records.of(VRP6, np.concatenate([np.empty(0, "S22"), *(export.vrps6 for export in exports)])),
        ROUTER_KEY: Records.of(ROUTER_KEY, keys),
        ASPA: Records.of(ASPA, np.array(list(aspas), ">u4").view("S4"), list(aspas.values())),
    }
    return Snapshot.of(records)
