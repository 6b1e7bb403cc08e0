"""MRT archives (RFC 6396, RFC 8050) to batches of routes, from octets that come in slices of any size.

A record is used whole or not at all. A malformed one becomes a `Damage` and is skipped by its length; one whose length
cannot be believed ends the reading, for nobody knows where the next begins. `Counts` says what became of every record.
Memory holds one record, one batch, and what the consumer sees: the peers and the attribute sets.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rotonda.bgp import loops
from rotonda.bgp._plain import HEADER, Run
from rotonda.bgp.errors import Malformed
from rotonda.bgp.old_records import BGP_STATE_CHANGE, BGP_UPDATE, bgp_state_change, bgp_update, table_dump
from rotonda.bgp.peers import PEER_LIMIT, Peer, Peers, described, index_table
from rotonda.bgp.records import (
    BGP,
    HEADER_OCTETS,
    MESSAGE_KINDS,
    PEER_INDEX_TABLE,
    RIB_GENERIC,
    RIB_KINDS,
    STATE_CHANGES,
    TABLE_DUMPS,
    kind_number,
)
from rotonda.bgp.update import BATCH_ROWS, RouteBatch

RECORD_LIMIT = 1 << 24  # octets: a RIB record with 4 KiB of attributes from each of 2,000 peers has half as many
KIND_LIMIT = 1 << 10  # kinds of record that are counted apart; what follows a lost boundary has any number
OTHER_KINDS = (-1, -1)
NO_KIND = -1  # of a record whose header is cut


@dataclass(frozen=True, slots=True)
class Damage:
    """A record that could not be used."""

    offset: int  # of the record, in the decompressed stream
    record_number: int  # from 0
    what: str
    octets: bytes  # at most 32, at the fault


@dataclass(frozen=True, slots=True)
class PeerEvent:
    """A session of the collector changed its state; numbers as RFC 6396 §4.4.1 has them: 6 is Established."""

    peer: int  # number in `MrtReader.peers`
    old: int
    new: int
    time: int  # seconds since 1970


@dataclass(slots=True)
class Counts:
    """What became of the records, by (type, subtype), and how many rows they gave."""

    read: Counter[tuple[int, int]] = field(default_factory=Counter)
    skipped: Counter[tuple[int, int]] = field(default_factory=Counter)  # of kinds that are not read here
    damaged: Counter[tuple[int, int]] = field(default_factory=Counter)
    other_families: Counter[tuple[int, int]] = field(default_factory=Counter)  # NLRI in UPDATEs, by (AFI, SAFI)
    guessed_add_path: int = 0  # runs of NLRI with path identifiers where the record denies them
    announcements: int = 0
    withdrawals: int = 0


Given = RouteBatch | Damage | PeerEvent


class MrtReader:
    """Takes a decompressed MRT stream in any slices; gives batches of routes, and what else happened.

    `name` says in messages which archive it is. `compiled` chooses the loops; all of them give the same.
    """

    def __init__(self, name: str, batch_rows: int = BATCH_ROWS, *, compiled: bool = loops.accelerated) -> None:
        self.name = name
        self.counts = Counts()
        self._sets = loops.attribute_sets(compiled=compiled)
        self._peers = Peers()
        self._rows = loops.rows(self._sets, batch_rows, compiled=compiled)
        self.counts.other_families = self._rows.other_families
        self._table = array("I")  # our number for each peer of the newest peer index table
        self._described: dict[bool, dict[bytes, int]] = {False: {}, True: {}}  # by `local`: octets -> number
        self._table_dump_forms = {family: self._sets.form(False, family, family == 6) for family in (4, 6)}
        self._octets = b""
        self._position = 0  # of the record in hand, in these octets
        self._offset = 0  # of the same, in the stream
        self._records = 0  # in front of it
        self._pieces: list[bytes] = []  # what came since
        self._held = 0  # octets in the pieces
        self._wanted = HEADER_OCTETS  # octets that make the record in hand whole
        self._lost = False

    @property
    def peers(self) -> list[Peer]:
        """The peers that rows and events mean by their numbers."""
        return self._peers.peers

    @property
    def sets(self) -> list[bytes]:
        """The attribute sets that rows mean by their numbers, in the normal form of `sets.py`."""
        return self._sets.sets

    @property
    def whole(self) -> bool:
        """Whether the stream has been followed from record to record so far, and, if it has ended, to its very end."""
        return not self._lost

    def receive(self, data: bytes) -> Iterator[Given]:
        """Take the next octets; give what they complete. What is not asked for now comes with the next call."""
        if not self._lost:
            self._pieces.append(data)
            self._held += len(data)
        return self._given()

    def finish(self) -> Iterator[Given]:
        """Give what is left when the stream has ended; a record that lacks its end is a `Damage`."""
        yield from self._given()
        yield from self._flush()
        left = self._octets[self._position :] + b"".join(self._pieces)
        if left and not self._lost:
            part = "a record" if len(left) >= HEADER_OCTETS else "the header of a record"
            fault = Malformed(f"the stream ends with {len(left)} of the {self._wanted} octets of {part}", left)
            yield self._damaged(int.from_bytes(left[4:8]) if len(left) >= HEADER_OCTETS else NO_KIND, fault)
            self._lose()

    def _given(self) -> Iterator[Given]:
        if len(self._octets) - self._position + self._held >= self._wanted:
            self._octets = b"".join((self._octets[self._position :], *self._pieces))
            self._position, self._held = 0, 0
            self._pieces.clear()
        while not self._lost and self._whole():
            yield from self._next()
            if self._rows.full:
                yield from self._flush()

    def _whole(self) -> bool:
        """Whether there is enough of the record in hand to do something about it."""
        left = len(self._octets) - self._position
        length = HEADER(self._octets, self._position)[2] if left >= HEADER_OCTETS else 0
        self._wanted = HEADER_OCTETS + (length if length <= RECORD_LIMIT else 0)
        return left >= self._wanted

    def _next(self) -> Iterator[Given]:
        """Read the record in hand, and those of its kind that follow it if there may be many."""
        time, number, length = HEADER(self._octets, self._position)
        if length > RECORD_LIMIT:
            header = self._octets[self._position : self._position + HEADER_OCTETS]
            what = f"a record of {length} octets, more than {RECORD_LIMIT}: the rest of the stream is not read"
            yield self._damaged(number, Malformed(what, header))
            self._lose()
        elif (run := self._run(number)) is not None:
            self._advance(run.position, number, self.counts.read, run.records)
            if run.fault is not None:
                yield self._damaged(number, run.fault)
                self._advance(self._position + HEADER_OCTETS + HEADER(self._octets, self._position)[2])
        else:
            yield from self._single(number, time, self._position + HEADER_OCTETS, length)

    def _run(self, number: int) -> Run | None:
        if (rib := RIB_KINDS.get(number)) is not None:
            return self._rows.ribs(self._octets, self._position, rib, self._table)
        if (message := MESSAGE_KINDS.get(number)) is None:
            return None
        known = self._described[message.local]

        def peer_of(octets: bytes) -> int:
            return self._peer(octets, message.four_octet, message.local)

        return self._rows.messages(self._octets, self._position, message, known, peer_of)

    def _single(self, number: int, time: int, start: int, length: int) -> Iterator[Given]:
        counter = self.counts.read
        try:
            event = self._other(number, time, self._octets[start : start + length])
        except Malformed as fault:
            yield self._damaged(number, fault)
            self._advance(start + length)
            return
        if isinstance(event, PeerEvent):
            yield from self._flush()  # what came before the event must be known before it
            yield event
        elif not event:
            counter = self.counts.skipped
        self._advance(start + length, number, counter)

    def _other(self, number: int, time: int, body: bytes) -> PeerEvent | bool:
        """Read one record of a kind that does not come by the thousand; False if it is not known here."""
        if number == PEER_INDEX_TABLE:
            self._table = array("I")
            index_table(body, self._peers, self._table)
        elif number == RIB_GENERIC:
            return self._rows.rib_generic(body, self._table)
        elif number in STATE_CHANGES:
            return self._state_change(time, body, *STATE_CHANGES[number])
        elif number in TABLE_DUMPS:
            table_dump(body, TABLE_DUMPS[number], self._peers, self._rows, self._table_dump_forms[TABLE_DUMPS[number]])
        elif number == kind_number(BGP, BGP_UPDATE):
            bgp_update(body, time, self._peers, self._rows)
        elif number == kind_number(BGP, BGP_STATE_CHANGE):
            return PeerEvent(*bgp_state_change(body, self._peers), time)
        else:
            return False
        return True

    def _state_change(self, time: int, body: bytes, extended_time: bool, four_octet: bool) -> PeerEvent:
        octets = body[4:] if extended_time else body
        peer = self._peer(octets[:-4], four_octet, False)
        return PeerEvent(peer, int.from_bytes(octets[-4:-2]), int.from_bytes(octets[-2:]), time)

    def _peer(self, octets: bytes, four_octet: bool, local: bool) -> int:
        known = self._described[local]
        if len(known) >= PEER_LIMIT:
            known.clear()
        number = known[octets] = self._peers.number(described(octets, four_octet, local))
        return number

    def _advance(
        self, position: int, number: int = 0, counter: Counter[tuple[int, int]] | None = None, records: int = 1
    ) -> None:
        self._offset += position - self._position
        self._position = position
        self._records += records
        if counter is not None and records:
            _count(counter, number, records)

    def _damaged(self, number: int, fault: Malformed) -> Damage:
        _count(self.counts.damaged, number, 1)
        return Damage(self._offset, self._records, fault.what, fault.octets)

    def _lose(self) -> None:
        """Forget all octets, and those that may come."""
        self._lost = True
        self._octets, self._position, self._held = b"", 0, 0
        self._pieces.clear()

    def _flush(self) -> Iterator[RouteBatch]:
        for batch in self._rows.take():
            announced = int(batch.announce.sum())
            self.counts.announcements += announced
            self.counts.withdrawals += len(batch) - announced
            self.counts.guessed_add_path = self._rows.guessed_add_path
            yield batch


def _count(counter: Counter[tuple[int, int]], number: int, records: int) -> None:
    kind = (number >> 16, number & 0xFFFF) if number >= 0 else OTHER_KINDS
    counter[kind if kind in counter or len(counter) < KIND_LIMIT else OTHER_KINDS] += records
