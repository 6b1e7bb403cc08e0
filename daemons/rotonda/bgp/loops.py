"""Which loops read the routes: compiled ones where `setup.py` could build them, plain ones everywhere.

Compiled code takes what is sound and usual. At anything else it stops, and the plain code reads that one message or
record: so there is one place that tells faults, and both give the same rows, batches and faults.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

import numpy as np

from rotonda import is_compiled
from rotonda.bgp._plain import ALL, RecordRows, Run
from rotonda.bgp.records import MessageKind, RibKind
from rotonda.bgp.sets import AttributeSets, Form
from rotonda.bgp.update import ADDRESS_OCTETS, BATCH_ROWS, RouteBatch, Waiting

accelerated = is_compiled("rotonda.bgp._bulk")


class CompiledRows(RecordRows):
    """Gathers the same rows; the plain ones that are still waiting come after the compiled ones."""

    def __init__(self, sets: AttributeSets, batch_rows: int = BATCH_ROWS) -> None:
        from rotonda.bgp import _bulk

        super().__init__(sets, batch_rows)
        self._columns = {family: _bulk.Columns(octets, batch_rows) for family, octets in ADDRESS_OCTETS.items()}
        self._loops = _bulk.Loops(
            self._columns[4],
            self._columns[6],
            batch_rows,
            tuple(_pair(self.classic[four_octet]) for four_octet in (False, True)),
            tuple(
                tuple(_pair(self.multiprotocol[four_octet, family]) for family in (4, 6))
                for four_octet in (False, True)
            ),
            tuple(_pair(self.forms[family]) for family in (4, 6)),
        )

    @property
    def full(self) -> bool:
        """Whether a batch should be taken now."""
        return any(
            columns.rows() + self.waiting[family].rows >= self.batch_rows for family, columns in self._columns.items()
        )

    def take(self) -> Iterator[RouteBatch]:
        """The batches of all rows gathered so far, at most one for each family; none of them is left."""
        self._absorb()
        for family, columns in self._columns.items():
            if columns.rows():
                yield _batch(family, *columns.take())

    def update(
        self,
        message: bytes,
        start: int,
        stop: int,
        peer: int,
        time: int,
        four_octet: bool = True,
        add_path: int = 0,
        guess: bool = False,
        withdraw: bool = False,
    ) -> None:
        """Add the routes of one UPDATE."""
        self._absorb()
        if withdraw or not self._loops.update(message, start, stop, peer, time, four_octet, add_path, guess):
            super().update(message, start, stop, peer, time, four_octet, add_path, guess, withdraw)

    def ribs(self, data: bytes, position: int, kind: RibKind, peers: array[int], limit: int = ALL) -> Run:
        """Read TABLE_DUMP_V2 records; the record that the compiled loop does not take is read alone."""
        self._absorb()
        after, records = self._loops.ribs(data, position, kind.number, kind.family == 6, kind.add_path, peers.tobytes())
        return Run(after, records) if records else super().ribs(data, position, kind, peers, 1)

    def messages(
        self,
        data: bytes,
        position: int,
        kind: MessageKind,
        known: dict[bytes, int],
        peer_of: Callable[[bytes], int],
        limit: int = ALL,
    ) -> Run:
        """Read BGP4MP records; the record that the compiled loop does not take is read alone."""
        self._absorb()
        after, records = self._loops.messages(
            data, position, kind.number, kind.extended_time, kind.four_octet, kind.add_path, known
        )
        return Run(after, records) if records else super().messages(data, position, kind, known, peer_of, 1)

    def _absorb(self) -> None:
        """Put plain rows behind the compiled ones, before more of these come."""
        for family, waiting in self.waiting.items():
            if waiting.rows:
                batch = waiting.batch()
                self._columns[family].extend(tuple(column.tobytes() for column in batch.columns), len(batch))
                self.waiting[family] = Waiting(family)


def _pair(form: Form) -> tuple[dict[bytes, int], Callable[[bytes], int]]:
    return form.seen, form.number


def _batch(family: int, rows: int, buffers: tuple[bytearray, ...]) -> RouteBatch:
    kinds = [np.dtype(kind) for kind in ("?", "u4", f"S{ADDRESS_OCTETS[family] + 5}", "u4", "u4")]
    columns = [np.frombuffer(buffer, kind, rows).copy() for buffer, kind in zip(buffers, kinds, strict=True)]
    return RouteBatch(family, *columns)


def attribute_sets(*, compiled: bool = accelerated) -> AttributeSets:
    """A collection of attribute sets that uses the better loop that there is, or the plain one if asked for."""
    if compiled:
        from rotonda.bgp._bulk import usual_normal
    else:
        from rotonda.bgp._usual import usual_normal
    return AttributeSets(usual_normal)


def rows(sets: AttributeSets, batch_rows: int = BATCH_ROWS, *, compiled: bool = accelerated) -> RecordRows:
    """A gatherer of the better kind that there is, or of the plain one if asked for."""
    return CompiledRows(sets, batch_rows) if compiled else RecordRows(sets, batch_rows)
