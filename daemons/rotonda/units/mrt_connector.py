"""Routes from MRT archives, as a table that others follow.

The archives are read in their order, as one story: a table dump first, then the updates that came after it. While they
are read for the first time the table grows in steps that followers see; when one of them changes, all are read again,
and the table moves to the new state in one step, or stays as it is if they cannot be read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from twisted.internet.threads import deferToThread

from rotonda.bgp.mrt import Damage, Given, MrtReader
from rotonda.bgp.peers import Peer
from rotonda.bgp.update import RouteBatch
from rotonda.rib.builder import TableBuilder
from rotonda.units.file_table import FileTable, Outcome
from rotonda.units.files import CompressedFile, DamagedFile
from rotonda.units.progress import Progress
from rotoro.table import (
    EMPTY,
    AttributeStore,
    Diff,
    History,
    Ingress,
    IngressKind,
    RibView,
    RouteSlot,
    Slot,
    closing,
)
from rotoro.table.ingress import MAX_NAME

STEP_ROWS = 65_536
"""Rows that are read before the reactor has its turn."""

COMMIT_ROWS = 131_072
"""Rows that are put into the table at a time; or a quarter of the table, if that is more."""

ESTABLISHED = 6
DAMAGES_TOLD = 20
"""Damaged records of one archive that get a line of their own; the rest are counted."""


@dataclass(slots=True)
class Loaded(Outcome):
    """What became of the records of all archives in one reading."""

    archives: int = 0
    rows: int = 0
    damaged: int = 0
    skipped: int = 0


async def _at_once() -> None:
    """Nobody has to wait."""


class MrtTable(FileTable[Loaded]):
    """The table of some archives. What is read again replaces it as a whole, or not at all."""

    def __init__(
        self,
        paths: Sequence[Path],
        store: AttributeStore,
        history: History,
        clock: Callable[[], float],
        changed: Callable[[], None],
        done: Callable[[Loaded], None],
        adopt: Callable[[Ingress], Ingress] = lambda described: described,
        released: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:
        """`released` is awaited before more is read."""
        super().__init__(paths, history, clock, changed, done)
        self._store = store
        self._adopt = adopt
        self._released = released
        self._building = EMPTY
        self._ingresses: dict[tuple[bytes, int, bool], Ingress] = {}
        self._rows: dict[Path, int] = {}
        """How many routes each archive gave when it could be used last."""

    def _outcome(self) -> Loaded:
        return Loaded()

    async def _read(self, outcome: Loaded) -> None:
        first, started, self._building = not self._history.ready, self._clock(), EMPTY
        for path in self._paths:
            try:
                await self._archive(path, outcome, grow=first)
            except (OSError, DamagedFile) as wrong:
                outcome.problems.append(str(wrong))
                self.log.error("{problem}", problem=str(wrong))
        outcome.seconds = self._clock() - started
        built, self._building = self._building, EMPTY  # nobody else may keep it alive
        if outcome.problems and not first:
            self.log.error("the table stays as it was, since not all archives could be read")
        else:
            await self._commit(built)

    async def _archive(self, path: Path, loaded: Loaded, grow: bool) -> None:
        file, reader = CompressedFile(path), MrtReader(str(path))
        builder = TableBuilder(self._store, reader.sets, self._slots(reader), lambda: self._building)
        progress = Progress(path.name, self._clock, lambda line: self.log.info("{line}", line=line))
        pieces, damaged, step = iter(file), 0, _Step()
        while step.more:
            await self._released()
            step = await deferToThread(_step, pieces, reader)
            if self.stopped:
                return
            for given in step.given:
                damaged += self._take(given, builder, reader, damaged)
            progress.add(step.rows, file.position / file.size if file.size else 1.0)
            if not step.more or builder.waiting >= max(COMMIT_ROWS, self._building.count // 4):
                self._grow(builder.take(), commit=grow)
        self._account(path, reader, progress, damaged, loaded)
        if step.broken is not None:
            raise step.broken
        if not progress.count and (damaged or not file.size):
            raise DamagedFile(path, 0, "no route can be read from it" if file.size else "the file is empty")
        before = self._rows.get(path, 0)
        if not reader.whole and progress.count < before:
            raise DamagedFile(path, file.position, f"it is cut: {progress.count:,} routes where it had {before:,}")
        self._rows[path] = progress.count

    def _take(self, given: Given, builder: TableBuilder, reader: MrtReader, told: int) -> int:
        """Put one thing that a reader gave where it belongs; returns how many damages that were."""
        if isinstance(given, Damage):
            if told < DAMAGES_TOLD:
                self.log.warn("{damage}", damage=damage_text(reader.name, given))
            return 1
        if isinstance(given, RouteBatch):
            builder.add(given)
        elif given.old == ESTABLISHED != given.new:
            self._close(builder, reader.peers[given.peer])
        return 0

    def _close(self, builder: TableBuilder, peer: Peer) -> None:
        """A session of the collector ended, and its routes with it (RFC 4271 section 8.2)."""
        self._grow(builder.take(), commit=False)
        ingress = self._ingress(peer)
        slots: list[Slot] = [RouteSlot(4, ingress, self._store), RouteSlot(6, ingress, self._store)]
        self._grow(Diff.of({slot: closing(self._building, slot) for slot in slots}), commit=False)

    def _grow(self, diff: Diff, commit: bool) -> None:
        """Move the table that is being built on, and with it, if it is told so, the one that followers see."""
        start, self._building = self._building, diff.apply(self._building)
        if not commit:
            return
        known = diff if self._history.snapshot is start else None
        if self._history.commit(self._building, known) is not None:
            self._changed()

    def _slots(self, reader: MrtReader) -> Callable[[int, int], RouteSlot]:
        def slot(peer: int, family: int) -> RouteSlot:
            return RouteSlot(4 if family == 4 else 6, self._ingress(reader.peers[peer]), self._store)

        return slot

    def _ingress(self, peer: Peer) -> Ingress:
        """The same peer in several archives is one ingress, though only table dumps tell its BGP identifier."""
        identity = (peer.address, peer.asn, peer.local)
        found = self._ingresses.get(identity)
        if found is None:
            described = Ingress(
                number=len(self._ingresses),
                kind=IngressKind.MRT,
                address=peer.address,
                asn=peer.asn,
                bgp_id=peer.bgp_id,
                view=RibView.ADJ_RIB_OUT_POST if peer.local else RibView.ADJ_RIB_IN_PRE,
                name=peer.view_name.encode()[:MAX_NAME].decode(errors="ignore"),
            )
            found = self._ingresses[identity] = self._adopt(described)
        return found

    def _account(self, path: Path, reader: MrtReader, progress: Progress, damaged: int, loaded: Loaded) -> None:
        counts = reader.counts
        skipped = sum(counts.skipped.values())
        loaded.archives += 1
        loaded.rows += progress.count
        loaded.damaged += damaged
        loaded.skipped += skipped
        if damaged > DAMAGES_TOLD:
            self.log.warn("{path}: {n} more damaged records", path=path, n=damaged - DAMAGES_TOLD)
        self.log.info(
            "{path}: {rows:,} routes in {seconds:.1f} s, {rate:,.0f} routes/s; {announced:,} announced, {withdrawn:,}"
            " withdrawn, {skipped:,} records of other kinds, {damaged:,} damaged",
            path=path,
            rows=progress.count,
            seconds=progress.seconds,
            rate=progress.count / max(progress.seconds, 1e-6),
            announced=counts.announcements,
            withdrawn=counts.withdrawals,
            skipped=skipped,
            damaged=damaged,
        )


@dataclass(slots=True)
class _Step:
    """What some rows' worth of an archive gave; `broken` says why it cannot be read further."""

    given: list[Given] = field(default_factory=list)
    rows: int = 0
    more: bool = True
    broken: DamagedFile | OSError | None = None

    def take(self, given: Iterator[Given]) -> None:
        for one in given:
            self.given.append(one)
            self.rows += len(one) if isinstance(one, RouteBatch) else 0


def _step(pieces: Iterator[bytes], reader: MrtReader) -> _Step:
    """Read some rows; runs in a thread, while the reactor serves others."""
    step = _Step()
    try:
        for piece in pieces:
            step.take(reader.receive(piece))
            if step.rows >= STEP_ROWS:
                return step
    except (OSError, DamagedFile) as wrong:
        step.broken = wrong
    step.take(reader.finish())
    step.more = False
    return step


def damage_text(name: str, damage: Damage) -> str:
    """One line for a damaged record."""
    octets = damage.octets.hex(" ", 4)
    return f"{name}: record {damage.record_number} at octet {damage.offset}: {damage.what} [{octets}]"
