"""What the UPDATEs of one session become: batches of routes that may be used.

Two questions are asked once per attribute set, not once per route: may routes with it be used, and what of it is kept.
A route that may not be used counts as withdrawn, for it replaces the one that the peer had announced before
(RFC 7606 section 2, RFC 4271 section 9.1.2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp import as_path, loops
from rotonda.bgp.attributes import (
    AS_PATH,
    ATOMIC_AGGREGATE,
    CLUSTER_LIST,
    LOCAL_PREF,
    MED,
    MP_REACH,
    NEXT_HOP,
    ORIGIN,
    ORIGINATOR_ID,
    Octets,
    parsed,
    spans,
    written,
)
from rotonda.bgp.errors import Malformed, MalformedAttributes
from rotonda.bgp.messages import HEADER_OCTETS, Error, Fault
from rotonda.bgp.update import ADD_PATH, NO_SET, RouteBatch, end_of_rib, sections

SETS_LIMIT, OCTETS_LIMIT = 1 << 18, 1 << 28
"""After so many attribute sets, or so many octets of UPDATEs, sets are remembered no longer but looked at anew."""

_WELL_KNOWN = 0x40
_NEEDED = 1 << ORIGIN | 1 << AS_PATH
_NEXT_HOPS = 1 << NEXT_HOP | 1 << MP_REACH
_ONLY_INTERNAL = 1 << LOCAL_PREF | 1 << ORIGINATOR_ID | 1 << CLUSTER_LIST
_WRONG_FLAGS = 1  # there is no attribute 0
_USABLE, _LOOPED, _FAULTY = range(3)


@dataclass(frozen=True, slots=True)
class Receiving:
    """What the messages of a session must be read with, and by whom."""

    own_asn: int
    own_id: int
    external: bool
    """Whether the peer is of another AS."""
    families: frozenset[int] = frozenset({4, 6})
    four_octet: bool = True
    add_path: frozenset[int] = frozenset()
    """The families whose routes come with path identifiers."""


@dataclass(slots=True)
class Taken:
    """What came of the UPDATEs of a peer, in all its sessions."""

    updates: int = 0
    filtered: int = 0
    """UPDATEs that the filter refused."""
    announced: int = 0
    withdrawn: int = 0
    looped: int = 0
    """Routes that had our own AS in their path, or our own identifier (RFC 4271 section 9, RFC 4456 section 8)."""
    faulty: int = 0
    """Routes that lacked what they must have, or had what cannot be: taken as withdrawn."""
    faulty_updates: int = 0
    """UPDATEs with attributes that could not be read: their routes were taken as withdrawn."""
    other_families: int = 0
    """Rows of families that were not agreed on, which are left out."""


class Intake:
    """Reads the UPDATEs of one session; `sets` are the attribute sets that batches mean by their numbers."""

    def __init__(self, receiving: Receiving, counts: Taken) -> None:
        self.counts = counts
        self._receiving = receiving
        self._add_path = sum(ADD_PATH[family] for family in receiving.add_path)
        self._begin()

    def _begin(self) -> None:
        self._read = loops.attribute_sets()
        self._rows = loops.rows(self._read)
        self.sets: list[bytes] = []
        self._verdicts = np.empty(0, np.uint8)
        self._octets = 0
        self.updates = 0
        """UPDATEs since batches were taken."""

    @property
    def full(self) -> bool:
        """Whether batches should be taken now."""
        return self._rows.full

    @property
    def heavy(self) -> bool:
        """Whether batches should be taken and used now, and then forgotten."""
        return self._octets > OCTETS_LIMIT or len(self._read.sets) > SETS_LIMIT

    def update(self, message: bytes, time: int) -> int | None:
        """Read a whole UPDATE; returns the family whose End-of-RIB it is, if it is one. Raises Fault."""
        self.counts.updates += 1
        self._octets += len(message)
        if len(message) <= HEADER_OCTETS + 11:
            try:
                if (family := end_of_rib(message, HEADER_OCTETS, len(message))) is not None:
                    return family
            except Malformed:
                pass  # it is told below
        self.updates += 1
        try:
            try:
                self._add(message, time)
            except MalformedAttributes:
                self.counts.faulty_updates += 1
                self._add(message, time, withdraw=True)
        except Malformed as wrong:
            raise _fault(message, wrong) from wrong
        return None

    def _add(self, message: bytes, time: int, withdraw: bool = False) -> None:
        four_octet, stop = self._receiving.four_octet, len(message)
        self._rows.update(message, HEADER_OCTETS, stop, 0, time, four_octet, self._add_path, withdraw=withdraw)

    def take(self) -> Iterator[RouteBatch]:
        """The batches of all that was read, at most one of each family; peers in them are 0.

        They are to be used, with `sets`, before `forget`.
        """
        batches = list(self._rows.take())
        self.updates = 0
        self._judge_new()
        for batch in batches:
            if batch.family in self._receiving.families:
                yield self._judged(batch)
            else:
                self.counts.other_families += len(batch)

    def forget(self) -> None:
        """Let go of the attribute sets if they are many; for the time after batches were taken and used."""
        if self.heavy:
            self._begin()

    def _judge_new(self) -> None:
        new = self._read.sets[len(self.sets) :]
        verdicts = np.empty(len(new), np.uint8)
        for row, normal in enumerate(new):
            verdicts[row], kept = _verdict(normal, self._receiving)
            self.sets.append(kept)
        self._verdicts = np.concatenate((self._verdicts, verdicts))

    def _judged(self, batch: RouteBatch) -> RouteBatch:
        verdicts = np.zeros(len(batch), np.uint8)
        verdicts[batch.announce] = self._verdicts[batch.attributes[batch.announce]]
        usable = batch.announce & (verdicts == _USABLE)
        self.counts.looped += int(np.count_nonzero(verdicts == _LOOPED))
        self.counts.faulty += int(np.count_nonzero(verdicts == _FAULTY))
        announced = int(np.count_nonzero(usable))
        self.counts.announced += announced
        self.counts.withdrawn += int(np.count_nonzero(~batch.announce))
        if announced == np.count_nonzero(batch.announce):
            return batch
        numbers: NDArray[np.uint32] = np.where(usable, batch.attributes, np.uint32(NO_SET))
        return replace(batch, announce=usable, attributes=numbers)


def _fault(message: bytes, wrong: Malformed) -> Fault:
    """RFC 4271 section 6.3: whether the attributes as a list, or a prefix among them, could not be read."""
    subcode = 10
    try:
        _, (start, stop), _ = sections(message, HEADER_OCTETS, len(message))
        for _ in spans(message, start, stop):
            pass
    except MalformedAttributes:
        pass  # which alone would not have ended the session
    except Malformed:
        subcode = 1
    return Fault(Error.UPDATE, subcode, str(wrong), b"")


def _verdict(normal: bytes, receiving: Receiving) -> tuple[int, bytes]:
    """Whether routes with this set are used, and what of the set is kept."""
    external = receiving.external
    kinds, path = _outline(normal)
    if not kinds & _NEXT_HOPS or kinds & _NEEDED != _NEEDED or kinds & _WRONG_FLAGS:
        return _FAULTY, b""  # RFC 7606 sections 3c and 3d
    numbers, confederation = _hops(path)
    if 0 in numbers or (external and (confederation or not numbers)):
        # RFC 7607; RFC 5065 section 5; without a number the path lacks the peer's own (RFC 4271 section 5.1.2)
        return _FAULTY, b""
    if receiving.own_asn in numbers:
        return _LOOPED, b""
    if not kinds & _ONLY_INTERNAL:
        return _USABLE, normal
    return _internal(parsed(normal), normal, receiving)


def _outline(normal: bytes) -> tuple[int, bytes]:
    """Which attributes a set has, as bits, and its AS_PATH."""
    kinds, path, at = 0, b"", 0
    while at < len(normal):
        flags, kind = normal[at], normal[at + 1]
        start = at + (4 if flags & 0x10 else 3)
        end = start + int.from_bytes(normal[at + 2 : start])
        kinds |= 1 << kind
        if kind == AS_PATH:
            path = normal[start:end]
        if kind <= ATOMIC_AGGREGATE and kind != MED and flags & 0xC0 != _WELL_KNOWN:
            kinds |= _WRONG_FLAGS
        at = end
    return kinds, path


def _hops(path: bytes) -> tuple[tuple[int, ...], bool]:
    """All AS numbers of a path, and whether some are of a confederation."""
    if path[:1] == b"\2" and path[1] * 4 + 2 == len(path):  # one sequence, as nearly all are
        return struct.unpack(f">{path[1]}I", path[2:]), False
    segments = as_path.read(path, 4)
    numbers = tuple(number for _, segment in segments for number in segment)
    return numbers, any(kind > as_path.AS_SEQUENCE for kind, _ in segments)


def _internal(attributes: Octets, normal: bytes, receiving: Receiving) -> tuple[int, bytes]:
    """The same for a set with attributes that mean something within an AS only."""
    if receiving.external:  # RFC 7606 sections 7.5, 7.9, 7.10: what others say of this is not heard
        return _USABLE, written({kind: each for kind, each in attributes.items() if not _ONLY_INTERNAL >> kind & 1})
    originator = attributes.get(ORIGINATOR_ID, (0, b""))[1]
    # RFC 4456 section 8: a reflector may give us back what is ours
    return (_LOOPED, b"") if originator and int.from_bytes(originator) == receiving.own_id else (_USABLE, normal)
