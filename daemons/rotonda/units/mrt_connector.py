"""Routes from MRT archives, as a table that others follow.

The archives are read in their order, as one story: a table dump first, then the updates that came after it. While they
are read for the first time the table grows in steps that followers see; when one of them changes, all are read again,
and the table moves to the new state in one step, or stays as it is if they cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from rotonda.bgp.mrt import Damage, Given, MrtReader, PeerEvent
from rotonda.bgp.peers import Peer
from rotonda.bgp.update import RouteBatch
from rotonda.rib.builder import TableBuilder
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
"""Rows between two commits of a growing table; or a quarter of the table, if that is more."""

ESTABLISHED = 6
DAMAGES_TOLD = 20
"""Damaged records of one archive that get a line of their own; the rest are counted."""


@dataclass(slots=True)
class Loaded:
    """What became of the last reading."""

    archives: int = 0
    rows: int = 0
    damaged: int = 0
    skipped: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


class MrtTable:
    """The table of some archives; `done` is called after each reading, `changed` after each commit."""

    log = Logger()

    def __init__(
        self,
        paths: Sequence[Path],
        store: AttributeStore,
        history: History,
        clock: Callable[[], float],
        changed: Callable[[], None],
        done: Callable[[Loaded], None],
    ) -> None:
        self.loading = False
        self.loaded = Loaded()
        self._paths = paths
        self._store = store
        self._history = history
        self._clock = clock
        self._changed = changed
        self._done = done
        self._again = False
        self._building = EMPTY
        self._ingresses: dict[tuple[bytes, int, bool], Ingress] = {}

    def load(self) -> None:
        """Read the archives, now or when the reading under way is over."""
        if self.loading:
            self._again = True
            return
        self.loading, self._again = True, False
        ensureDeferred(self._load()).addErrback(self._failed).addBoth(self._over)

    def _failed(self, failure: object) -> None:
        self.log.error("reading archives failed: {failure}", failure=failure)
        self.loaded.problems.append("reading failed; see the log")

    def _over(self, _: object) -> None:
        self.loading = False
        self._done(self.loaded)
        if self._again:
            self.load()

    async def _load(self) -> None:
        self.loaded, self._building = Loaded(), EMPTY
        first = not self._history.ready
        started = self._clock()
        for path in self._paths:
            try:
                await self._archive(path, grow=first)
            except (OSError, DamagedFile) as wrong:
                self.loaded.problems.append(str(wrong))
                self.log.error("{problem}", problem=str(wrong))
        self.loaded.seconds = self._clock() - started
        if self.loaded.problems and not first:
            self.log.error("the table stays as it was, since not all archives could be read")
            return
        if self._history.commit(self._building) is not None:
            self._changed()

    async def _archive(self, path: Path, grow: bool) -> None:
        file = CompressedFile(path)
        reader = MrtReader(str(path))
        builder = TableBuilder(self._store, reader.sets, self._slots(reader), lambda: self._building)
        progress = Progress(path.name, self._clock, lambda line: self.log.info("{line}", line=line))
        pieces = iter(file)
        more, broken = True, None
        told = 0
        while more:
            step = await deferToThread(_step, pieces, reader)
            more, broken = step.more, step.broken
            for given in step.given:
                told += self._take(given, builder, reader, told)
            progress.add(step.rows, file.position / file.size if file.size else 1.0)
            if grow and builder.waiting >= max(COMMIT_ROWS, self._building.count // 4):
                self._grow(builder.take())
        last = builder.take()
        if grow:
            self._grow(last)
        else:
            self._building = last.apply(self._building)
        self._account(path, reader, progress, told)
        if broken is not None:
            raise broken
        if not progress.count and (told or not file.size):
            raise DamagedFile(path, 0, "no route can be read from it" if file.size else "the file is empty")

    def _take(self, given: Given, builder: TableBuilder, reader: MrtReader, told: int) -> int:
        """Put one thing that a reader gave where it belongs; returns how many damages that were."""
        if isinstance(given, RouteBatch):
            builder.add(given)
            return 0
        if isinstance(given, PeerEvent):
            if given.old == ESTABLISHED != given.new:
                self._close(builder, reader.peers[given.peer])
            return 0
        if told < DAMAGES_TOLD:
            self.log.warn("{damage}", damage=damage_text(reader.name, given))
        return 1

    def _close(self, builder: TableBuilder, peer: Peer) -> None:
        """A session of the collector ended, and its routes with it (RFC 4271 section 8.2)."""
        self._grow(builder.take(), commit=False)
        slots: list[Slot] = [
            RouteSlot(4, self._ingress(peer), self._store),
            RouteSlot(6, self._ingress(peer), self._store),
        ]
        self._grow(Diff.of({slot: closing(self._building, slot) for slot in slots}), commit=False)

    def _grow(self, diff: Diff, commit: bool = True) -> None:
        """Move the table that is being built on, and with it, in the first reading, the one that followers see."""
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
            found = self._ingresses[identity] = Ingress(
                number=len(self._ingresses),
                kind=IngressKind.MRT,
                address=peer.address,
                asn=peer.asn,
                bgp_id=peer.bgp_id,
                view=RibView.ADJ_RIB_OUT_POST if peer.local else RibView.ADJ_RIB_IN_PRE,
                name=peer.view_name.encode()[:MAX_NAME].decode(errors="ignore"),
            )
        return found

    def _account(self, path: Path, reader: MrtReader, progress: Progress, damaged: int) -> None:
        counts = reader.counts
        skipped = sum(counts.skipped.values())
        loaded = self.loaded
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


@dataclass(frozen=True, slots=True)
class _Step:
    given: list[Given]
    rows: int
    more: bool
    broken: DamagedFile | OSError | None = None


def _step(pieces: Iterator[bytes], reader: MrtReader) -> _Step:
    """Read some rows; runs in a thread, while the reactor serves others."""
    given: list[Given] = []
    rows = 0
    try:
        for piece in pieces:
            for one in reader.receive(piece):
                given.append(one)
                rows += len(one) if isinstance(one, RouteBatch) else 0
            if rows >= STEP_ROWS:
                return _Step(given, rows, more=True)
        broken = None
    except (OSError, DamagedFile) as wrong:
        broken = wrong
    for one in reader.finish():
        given.append(one)
        rows += len(one) if isinstance(one, RouteBatch) else 0
    return _Step(given, rows, more=False, broken=broken)


def damage_text(name: str, damage: Damage) -> str:
    """One line for a damaged record."""
    octets = damage.octets.hex(" ", 4)
    return f"{name}: record {damage.record_number} at octet {damage.offset}: {damage.what} [{octets}]"
