"""What a router has of a cache: the data of the last End of Data, and the answer that is coming."""

from __future__ import annotations

from dataclasses import dataclass

from rotoro.session.payload import Payload, Timers, payload_diff, payload_resolved, size
from rotoro.table.diff import Diff
from rotoro.table.slots import is_der_sequence
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.bulk import Prefixes
from rotoro.wire.errors import LimitExceeded, UnknownWithdrawal
from rotoro.wire.lenient import OldAspa
from rotoro.wire.rtr import ANNOUNCE, Aspa, RouterKey

MAX_RECORDS = 10_000_000
"""How many records one answer may have."""

MAX_OCTETS = 1 << 30
"""How many octets its keys and providers may have."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a router keeps of a cache: the data, and what it takes to ask for changes."""

    version: int
    session: int
    serial: int
    timers: Timers
    since: float
    """When the End of Data came."""
    snapshot: Snapshot

    @property
    def expires(self) -> float:
        """When the data must not be used any more (RFC 8210 section 6)."""
        return self.since + self.timers.expire


class Answer:
    """What one query has brought so far.

    In which order the records come is not checked: the draft itself doubts that it is worth it (8210bis section 11.2),
    and the set at the end is the same. A tolerant answer takes what is there already and withdrawals of what is not.
    """

    def __init__(self, base: Held | None, tolerant: bool = False) -> None:
        self.base = base
        """What the changes that were asked for apply to; None where everything was asked for."""
        self.session = 0
        """The session that its Cache Response named."""
        self.tolerated = 0
        """Records that were there twice, or withdrawn and not there: known once there is a diff."""
        self.old_aspas = 0
        """ASPAs in the layout of draft 10."""
        self.odd_keys = 0
        """Router keys that are no DER: taken, as a router that validates nothing by them may, and told."""
        self._tolerant = tolerant
        self._pdus: list[Payload] = []
        self._families: dict[int, set[int]] = {}
        """The providers of customers for whom there is one ASPA for each address family."""
        self._records = 0
        self._octets = 0

    @property
    def snapshot(self) -> Snapshot:
        """What its data applies to."""
        return EMPTY if self.base is None else self.base.snapshot

    def take(self, pdu: Payload) -> None:
        """Data. Raises UnknownWithdrawal if it withdraws from nothing, LimitExceeded if there is no end to it."""
        announced = bool(pdu.announced.all()) if isinstance(pdu, Prefixes) else bool(pdu.flags & ANNOUNCE)
        self._refuse_withdrawal(pdu.title, announced)
        self._count(*size(pdu))
        self.odd_keys += isinstance(pdu, RouterKey) and not is_der_sequence(pdu.key_info)
        self._pdus.append(pdu)

    def take_old(self, pdu: OldAspa) -> None:
        """The same, for the providers of one address family: those of all families count."""
        self._refuse_withdrawal(pdu.title, pdu.announced)
        self._count(1, 4 * len(pdu.providers))
        self.old_aspas += 1
        if pdu.announced:
            self._families.setdefault(pdu.customer, set()).update(pdu.providers)

    def diff(self, version: int) -> Diff:
        """What the data makes of that. Raises UnknownWithdrawal or DuplicateAnnouncement where it contradicts it."""
        pdus = [*self._pdus, *(_joined(customer, found) for customer, found in self._families.items())]
        if not self._tolerant:
            return payload_diff(self.snapshot, pdus, version)
        resolved = payload_resolved(self.snapshot, pdus)
        self.tolerated = sum(
            found.superseded + found.unknown + (found.unchanged if slot.value_dtype is None else 0)
            for slot, found in resolved.items()
        )
        return Diff.of({slot: found.change for slot, found in resolved.items()})

    def _refuse_withdrawal(self, title: str, announced: bool) -> None:
        if self.base is None and not announced and not self._tolerant:
            raise UnknownWithdrawal(f"{title} withdrawn in the answer to a Reset Query")

    def _count(self, records: int, octets: int) -> None:
        self._records += records
        self._octets += octets
        if self._records > MAX_RECORDS or self._octets > MAX_OCTETS:
            raise LimitExceeded(f"an answer of more than {MAX_RECORDS} records, or of more than {MAX_OCTETS} octets")


def _joined(customer: int, providers: set[int]) -> Aspa:
    """One ASPA for both families: AS 0, which means nobody, has no place beside others."""
    return Aspa(ANNOUNCE, customer, tuple(sorted(providers - {0} or {0})))
