"""What is received between BEGIN and COMMIT, put together into one diff of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotoro.session.effects import Rows
from rotoro.session.payload import payload_diff, payload_rows
from rotoro.session.routes import CLOSED, SECOND
from rotoro.table.attributes import AttributeStore
from rotoro.table.diff import Change, Diff
from rotoro.table.ingress import Ingress, IngressKind, RibView
from rotoro.table.ingress import IngressState as State
from rotoro.table.resolve import resolve_rows
from rotoro.table.slots import RouteSlot, Slot
from rotoro.table.snapshot import Snapshot
from rotoro.wire.bulk import ROUTE_FORMS, Prefixes, decode_routes
from rotoro.wire.errors import CorruptData, LimitExceeded
from rotoro.wire.fields import RouteFlags
from rotoro.wire.pdu import ROTORO
from rotoro.wire.rotoro import AttributeSets, IngressState, Routes4, Routes6
from rotoro.wire.rtr import Aspa, RouterKey

MAX_ROWS = 200_000_000
"""How many rows a bracket may have: a hundred full tables of two families."""

MAX_INGRESSES = 1 << 16
"""How many ingresses a bracket may define."""

Adopt = Callable[[Ingress], Ingress]
"""Gives an ingress of the peer its number on this side."""


class Bracket:
    """A change of one table while it is being received."""

    def __init__(self, base: Snapshot, store: AttributeStore, adopt: Adopt, max_sets: int) -> None:
        self._base = base
        self._store = store
        self._adopt = adopt
        self._max_sets = max_sets
        self._ingresses: dict[int, Ingress] = {}
        self._sets = np.empty(0, np.uint32)
        self._forgotten = 0
        self._rows: dict[Slot, list[Rows]] = {}
        self._payload: list[Prefixes | RouterKey | Aspa] = []
        self.count = 0
        """Rows so far."""

    def define_ingress(self, pdu: IngressState) -> None:
        """Routes may come from there; if it is closed, all that it had are withdrawn."""
        try:
            described = Ingress(
                number=pdu.ingress,
                kind=IngressKind(pdu.kind),
                address=pdu.address,
                asn=pdu.asn,
                bgp_id=pdu.bgp_id,
                distinguisher=pdu.distinguisher,
                view=RibView(pdu.view),
                parent=pdu.parent,
                name=pdu.name,
                state=State.UP if pdu.state == State.UP else State.DOWN,
            )
        except ValueError as wrong:
            raise CorruptData(f"ingress {pdu.ingress}: {wrong}") from None
        if len(self._ingresses) >= MAX_INGRESSES:
            raise LimitExceeded(f"more than {MAX_INGRESSES} ingresses in one bracket")
        own = self._ingresses[pdu.ingress] = self._adopt(described)
        if pdu.state == CLOSED:
            for form in ROUTE_FORMS.values():
                slot = self._slot(form.family, own)
                keys = self._base.records(slot).keys
                self._add(Rows(slot, np.zeros(len(keys), bool), keys, None, None))

    def define_sets(self, pdu: AttributeSets) -> None:
        """Rows may have these attribute sets; the numbers count on without a gap."""
        expected = self._forgotten + len(self._sets)
        if pdu.first != expected:
            raise CorruptData(f"attribute sets from number {pdu.first}, where {expected} is next")
        if expected + len(pdu.lengths) > self.count + self._max_sets:
            raise LimitExceeded(f"{expected + len(pdu.lengths)} attribute sets for {self.count} rows so far")
        ends = np.cumsum(pdu.lengths).tolist()
        octets = pdu.octets
        found = [octets[end - length : end] for end, length in zip(ends, pdu.lengths, strict=True)]
        self._sets = np.concatenate([self._sets, self._store.intern_all(found)])
        surplus = len(self._sets) - self._max_sets
        if surplus > 0:
            self._sets, self._forgotten = self._sets[surplus:], self._forgotten + surplus

    def add_routes(self, run: Routes4 | Routes6) -> None:
        """A run of routes of a known ingress with known attribute sets."""
        ingress = self._ingresses.get(run.ingress)
        if ingress is None:
            raise CorruptData(f"routes of ingress {run.ingress}, which this bracket does not define")
        rows = decode_routes(run)
        family = 4 if isinstance(run, Routes4) else 6
        announced = bool(run.flags & RouteFlags.ANNOUNCE)
        times = (rows.times // np.uint64(SECOND)).astype(np.uint32)
        values = self._own_numbers(rows.attributes) if announced else None
        self._add(Rows(self._slot(family, ingress), np.full(len(rows.keys), announced), rows.keys, values, times))

    def add_payload(self, pdu: Prefixes | RouterKey | Aspa, count: int) -> None:
        """RPKI data."""
        self.count += count
        if self.count > MAX_ROWS:
            raise LimitExceeded(f"more than {MAX_ROWS} rows in one bracket")
        self._payload.append(pdu)

    def rows(self) -> tuple[Rows, ...]:
        """All rows, slot by slot, in the order received."""
        return (*payload_rows(self._payload), *self._routes())

    def diff(self) -> Diff:
        """What the bracket makes of the table that it started from.

        Raises UnknownWithdrawal or DuplicateAnnouncement for RPKI data that contradicts the table.
        """
        changes: dict[Slot, Change] = dict(payload_diff(self._base, self._payload, ROTORO)) if self._payload else {}
        for rows in self._routes():
            resolved = resolve_rows(
                self._base, rows.slot, rows.announced, rows.keys, rows.values, rows.times, strict=False
            )
            changes[rows.slot] = resolved.change
        return Diff.of(changes)

    def _routes(self) -> Iterator[Rows]:
        return (_joined(slot, runs) for slot, runs in self._rows.items())

    def _slot(self, family: int, ingress: Ingress) -> RouteSlot:
        return RouteSlot(family, ingress, self._store)  # type: ignore[arg-type]  # 4 and 6 are all the forms there are

    def _own_numbers(self, numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
        wrong = (numbers < self._forgotten) | (numbers >= self._forgotten + len(self._sets))
        if wrong.any():
            raise CorruptData(f"a route with attribute set {numbers[wrong][0]}, which is not defined (any more)")
        return np.take(self._sets, numbers - np.uint32(self._forgotten))

    def _add(self, rows: Rows) -> None:
        self.count += len(rows.keys)
        if self.count > MAX_ROWS:
            raise LimitExceeded(f"more than {MAX_ROWS} rows in one bracket")
        self._rows.setdefault(rows.slot, []).append(rows)


def _joined(slot: Slot, runs: list[Rows]) -> Rows:
    if len(runs) == 1 and runs[0].values is not None:
        return runs[0]

    def column(name: str, missing: Any) -> Any:
        parts = [getattr(run, name) for run in runs]
        filled = [
            np.full(len(run.keys), missing) if part is None else part for run, part in zip(runs, parts, strict=True)
        ]
        return np.concatenate(filled)

    return Rows(
        slot,
        column("announced", None),
        column("keys", None),
        column("values", np.uint32(0)),
        column("times", np.uint32(0)),
    )
