"""Runs of MRT records to rows, in plain Python: what is used when nothing was compiled, and what tells every fault.

A run is what stands at a position: records of one kind, until another kind, an incomplete record, a malformed one, or
enough rows for a batch. A malformed record leaves no row behind.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rotonda.bgp import _entries
from rotonda.bgp.errors import Malformed
from rotonda.bgp.records import HEADER_OCTETS, MessageKind, RibKind
from rotonda.bgp.sets import AttributeSets
from rotonda.bgp.update import BATCH_ROWS, FAMILIES, Rows

HEADER = struct.Struct(">III").unpack_from  # time, type and subtype, length
MARKER = b"\xff" * 16
UPDATE = 2
ALL = 1 << 62  # no limit to the records of a run


WINDOW = 1 << 20  # octets in which the records of a run are looked for at once


def _places(data: bytes, position: int, number: int, limit: int) -> list[int]:
    """Where the next whole records of a kind begin, and where the last of them ends."""
    places = [position]
    most = min(position + WINDOW, len(data) - HEADER_OCTETS)
    while position <= most and len(places) <= limit:
        _, found, length = HEADER(data, position)
        position += HEADER_OCTETS + length
        if found != number or position > len(data):
            break
        places.append(position)
    return places


class Run(NamedTuple):
    """How far a run went: the position after it, how many records it had, and what is wrong with the next, if it is."""

    position: int
    records: int
    fault: Malformed | None = None


class RecordRows(Rows):
    """Gathers the routes of MRT records."""

    def __init__(self, sets: AttributeSets, batch_rows: int = BATCH_ROWS) -> None:
        super().__init__(sets, batch_rows)
        self.forms = {family: sets.form(True, family, family == 6) for family in (4, 6)}

    def ribs(self, data: bytes, position: int, kind: RibKind, peers: array[int], limit: int = ALL) -> Run:
        """Read TABLE_DUMP_V2 records of `kind`; `peers` gives our number for each number of the peer index table."""
        form = self.forms[kind.family]
        places = _places(data, position, kind.number, min(limit, self.batch_rows - self.waiting[kind.family].rows))
        entries = _entries.quick(data, np.array(places), kind, len(peers), form)
        if not entries.prefixes:
            try:
                entries = _entries.careful(data, places[0] + _entries.PREFIX, places[1], kind, len(peers), form)
            except Malformed as fault:
                return Run(position, 0, fault)
        self._add(data, entries, kind, peers)
        return Run(places[len(entries.prefixes)], len(entries.prefixes))

    def rib_generic(self, body: bytes, peers: array[int]) -> bool:
        """Read one RIB_GENERIC record (RFC 6396 §4.3.3); False if it is not of unicast."""
        if len(body) < 7:
            raise Malformed(f"RIB record of {len(body)} octets", body)
        family = FAMILIES.get((body[4] << 8 | body[5], body[6]))
        if family is None:
            return False
        kind = RibKind(0, family, False)
        self._add(body, _entries.careful(body, 7, len(body), kind, len(peers), self.forms[family]), kind, peers)
        return True

    def _add(self, data: bytes, entries: _entries.Entries, kind: RibKind, peers: array[int]) -> None:
        if entries.heads:
            self.waiting[kind.family].append(_entries.columns(data, entries, kind, peers))

    def messages(
        self,
        data: bytes,
        position: int,
        kind: MessageKind,
        known: dict[bytes, int],
        peer_of: Callable[[bytes], int],
        limit: int = ALL,
    ) -> Run:
        """Read BGP4MP records of `kind`. `known` gives our number for the octets before a message that describe its
        peer; `peer_of` finds it, and fills `known`, when they are new. Messages other than UPDATE have no routes."""
        records = 0
        try:
            while records < limit and position + HEADER_OCTETS <= len(data) and not self.full:
                time, number, length = HEADER(data, position)
                stop = position + HEADER_OCTETS + length
                if number != kind.number or stop > len(data):
                    break
                self._message(data, position + (16 if kind.extended_time else 12), stop, time, kind, known, peer_of)
                position, records = stop, records + 1
        except Malformed as fault:
            return Run(position, records, fault)
        return Run(position, records)

    def _message(
        self,
        data: bytes,
        start: int,
        stop: int,
        time: int,
        kind: MessageKind,
        known: dict[bytes, int],
        peer_of: Callable[[bytes], int],
    ) -> None:
        fixed = start + (12 if kind.four_octet else 8)  # the last two octets are the AFI of the addresses that follow
        afi = data[fixed - 1] if fixed <= stop and not data[fixed - 2] else 0
        at = fixed + (8 if afi == 1 else 32)
        if not 1 <= afi <= 2 or at + 19 > stop:
            raise Malformed(f"BGP message of AFI {afi} in {max(stop - start, 0)} octets", data[start:stop])
        if data[at : at + 16] != MARKER or data[at + 16] << 8 | data[at + 17] != stop - at:
            raise Malformed(f"header of a BGP message in {stop - at} octets", data[at:stop])
        peer = known.get(data[start:at])
        if peer is None:
            peer = peer_of(data[start:at])
        if data[at + 18] == UPDATE:
            add_path = 3 if kind.add_path else 0
            self.update(data, at + 19, stop, peer, time, kind.four_octet, add_path, not kind.add_path)
