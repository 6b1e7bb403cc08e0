"""What is received between BEGIN and COMMIT, put together into one diff of a table.

The peer numbers ingresses and attribute sets, and its numbers mean nothing outside the bracket. Here they become ours
as soon as they come. Nothing else is decided before the end, and nothing of it is seen before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotoro.session.effects import Rows
from rotoro.session.payload import Payload, payload_changes, payload_rows, size
from rotoro.session.routes import SECOND
from rotoro.table.attributes import AttributeStore
from rotoro.table.diff import Diff
from rotoro.table.ingress import Ingress, IngressKind, RibView
from rotoro.table.ingress import IngressState as State
from rotoro.table.resolve import resolve_rows
from rotoro.table.slots import RouteSlot, Slot
from rotoro.table.snapshot import Snapshot
from rotoro.wire.bulk import ROUTE_FORMS, decode_routes
from rotoro.wire.errors import CorruptData, LimitExceeded
from rotoro.wire.fields import RouteFlags
from rotoro.wire.pdu import ROTORO
from rotoro.wire.rotoro import AttributeSets, IngressHealth, IngressState, Routes4, Routes6

MAX_ROWS = 200_000_000
"""How many rows a bracket may have: a hundred full tables of two families."""

MAX_RUNS = 1 << 20
"""In how many PDUs they may come: each costs us as much as a hundred rows."""

MAX_OCTETS = 1 << 32
"""How many octets a bracket may have that are not rows: attribute sets, router keys and ASPAs."""

MAX_INGRESSES = 1 << 16
"""How many ingresses a bracket may define."""

LATEST = np.uint64(0xFFFFFFFF)
"""The latest time that a table can keep, in seconds since 1970; later ones become it."""

Adopt = Callable[[Ingress], Ingress]
"""Gives an ingress of the peer its number on this side."""

Check = Callable[[Iterable[bytes]], None]
"""Raises CorruptData for sets that cannot be: records that are not of their table's type."""


class Bracket:
    """A change of one table while it is being received."""

    def __init__(
        self, base: Snapshot, store: AttributeStore, adopt: Adopt, max_sets: int, check: Check | None = None
    ) -> None:
        self.base = base
        """What the change starts from."""
        self.count = 0
        """Rows so far."""
        self._store = store
        self._adopt = adopt
        self._max_sets = max_sets
        self._check = check
        self._ingresses: dict[int, Ingress] = {}
        self._sets = np.empty(max_sets, np.uint32)
        """Our number of the peer's attribute set n, at n modulo `max_sets`: the last so many are remembered."""
        self._defined = 0
        """How many sets the peer has defined."""
        self._runs = 0
        self._octets = 0
        self._rows: dict[Slot, list[Rows]] = {}
        self._payload: list[Payload] = []

    def define_ingress(self, pdu: IngressState) -> None:
        """Routes may come from there; if it is closed, all that it had are withdrawn."""
        if pdu.ingress not in self._ingresses and len(self._ingresses) >= MAX_INGRESSES:
            raise LimitExceeded(f"more than {MAX_INGRESSES} ingresses in one bracket")
        own = self._ingresses[pdu.ingress] = self._adopt(described(pdu))
        if pdu.state == IngressHealth.CLOSED:
            for form in ROUTE_FORMS.values():
                slot = self._slot(form.family, own)
                keys = self.base.records(slot).keys
                self._add(Rows(slot, np.zeros(len(keys), bool), keys, None, None))

    def define_sets(self, pdu: AttributeSets) -> None:
        """Rows may have these attribute sets; the numbers count on without a gap."""
        first, end = self._defined, self._defined + len(pdu.lengths)
        if pdu.first != first:
            raise CorruptData(f"attribute sets from number {pdu.first}, where {first} is next")
        if end > self.count + self._max_sets:
            raise LimitExceeded(f"{end} attribute sets for {self.count} rows so far")
        octets = pdu.octets
        self._count(0, len(octets))
        sets = [octets[at:to] for at, to in pairwise(accumulate(pdu.lengths, initial=0))]
        if self._check is not None:
            self._check(sets)
        own = self._store.intern_all(sets)
        np.put(self._sets, np.arange(first, end), own, mode="wrap")
        self._defined = end

    def add_routes(self, run: Routes4 | Routes6) -> None:
        """A run of routes of a known ingress with known attribute sets."""
        ingress = self._ingresses.get(run.ingress)
        if ingress is None:
            raise CorruptData(f"routes of ingress {run.ingress}, which this bracket does not define")
        rows = decode_routes(run)
        family = 4 if isinstance(run, Routes4) else 6
        announced = bool(run.flags & RouteFlags.ANNOUNCE)
        times = np.minimum(rows.times // np.uint64(SECOND), LATEST).astype(np.uint32)
        values = self._own_numbers(rows.attributes) if announced else None
        self._add(Rows(self._slot(family, ingress), np.full(len(rows.keys), announced), rows.keys, values, times))

    def add_payload(self, pdu: Payload) -> None:
        """RPKI data."""
        self._count(*size(pdu))
        self._payload.append(pdu)

    def rows(self) -> tuple[Rows, ...]:
        """All rows, slot by slot, in the order received."""
        return (*payload_rows(self._payload), *self._routes())

    def diff(self) -> Diff:
        """What the bracket makes of the table that it started from.

        Raises UnknownWithdrawal or DuplicateAnnouncement for RPKI data that contradicts the table.
        """
        changes = payload_changes(self.base, self._payload, ROTORO)
        for rows in self._routes():
            resolved = resolve_rows(
                self.base, rows.slot, rows.announced, rows.keys, rows.values, rows.times, strict=False
            )
            changes[rows.slot] = resolved.change
        return Diff.of(changes)

    def _routes(self) -> Iterator[Rows]:
        return (_joined(slot, runs) for slot, runs in self._rows.items())

    def _slot(self, family: int, ingress: Ingress) -> RouteSlot:
        return RouteSlot(family, ingress, self._store)  # type: ignore[arg-type]  # 4 and 6 are all the forms there are

    def _own_numbers(self, numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
        wrong = (numbers >= self._defined) | (numbers < self._defined - self._max_sets)
        if wrong.any():
            raise CorruptData(f"a route with attribute set {numbers[wrong][0]}, which is not defined (any more)")
        return np.take(self._sets, numbers, mode="wrap")

    def _add(self, rows: Rows) -> None:
        self._count(len(rows.keys))
        self._rows.setdefault(rows.slot, []).append(rows)

    def _count(self, rows: int, octets: int = 0) -> None:
        self.count += rows
        self._octets += octets
        self._runs += 1
        if self.count > MAX_ROWS or self._runs > MAX_RUNS or self._octets > MAX_OCTETS:
            raise LimitExceeded(f"more than {MAX_ROWS} rows in {MAX_RUNS} PDUs, and {MAX_OCTETS} octets, in a bracket")


def described(pdu: IngressState) -> Ingress:
    """The ingress of which this PDU tells, under its number there; raises CorruptData."""
    try:
        return Ingress(
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
