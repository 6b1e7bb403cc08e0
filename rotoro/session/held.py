"""What a router has of a cache: the data of the last End of Data, and the answer that is coming."""

from __future__ import annotations

from dataclasses import dataclass

from rotoro.session.payload import Payload, Timers, payload_diff, size
from rotoro.table.diff import Diff
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.bulk import Prefixes
from rotoro.wire.errors import LimitExceeded, UnknownWithdrawal
from rotoro.wire.rtr import ANNOUNCE

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
    """What one query has brought so far."""

    def __init__(self, base: Held | None) -> None:
        self.base = base
        """What the changes that were asked for apply to; None where everything was asked for."""
        self.session = 0
        """The session that its Cache Response named."""
        self._pdus: list[Payload] = []
        self._records = 0
        self._octets = 0

    @property
    def snapshot(self) -> Snapshot:
        """What its data applies to."""
        return EMPTY if self.base is None else self.base.snapshot

    def take(self, pdu: Payload) -> None:
        """Data. Raises UnknownWithdrawal if it withdraws from nothing, LimitExceeded if there is no end to it."""
        announced = pdu.announced.all() if isinstance(pdu, Prefixes) else pdu.flags & ANNOUNCE
        if self.base is None and not announced:
            raise UnknownWithdrawal(f"{pdu.title} withdrawn in the answer to a Reset Query")
        records, octets = size(pdu)
        self._records += records
        self._octets += octets
        if self._records > MAX_RECORDS or self._octets > MAX_OCTETS:
            raise LimitExceeded(f"an answer of more than {MAX_RECORDS} records, or of more than {MAX_OCTETS} octets")
        self._pdus.append(pdu)

    def diff(self, version: int) -> Diff:
        """What the data makes of that. Raises UnknownWithdrawal or DuplicateAnnouncement where it contradicts it."""
        return payload_diff(self.snapshot, self._pdus, version)
