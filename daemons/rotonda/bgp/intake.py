"""What the UPDATEs of one session become: batches of routes that may be used.

Two questions are asked once per attribute set, not once per route: may routes with it be used, and what of it is kept.
A route that may not be used counts as withdrawn, for it replaces the one that the peer had announced before
(RFC 7606 section 2, RFC 4271 section 9.1.2).
"""

from __future__ import annotations

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

SETS_LIMIT = 1 << 18
"""Attribute sets that are remembered: after so many, the peer's sets are looked at anew."""

_WELL_KNOWN = 0x40
_ONLY_INTERNAL = (LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST)
_FLAGS = dict.fromkeys((ORIGIN, AS_PATH, NEXT_HOP, LOCAL_PREF, ATOMIC_AGGREGATE), _WELL_KNOWN)
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
        self.updates = 0
        """UPDATEs since batches were taken."""

    @property
    def full(self) -> bool:
        """Whether batches should be taken now."""
        return self._rows.full

    def update(self, message: bytes, time: int) -> int | None:
        """Read a whole UPDATE; returns the family whose End-of-RIB it is, if it is one. Raises Fault."""
        self.counts.updates += 1
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
        if len(self.sets) > SETS_LIMIT:
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
    attributes = parsed(normal)
    if _is_faulty(attributes, receiving.external):
        return _FAULTY, b""
    path = as_path.read(attributes[AS_PATH][1], 4)
    numbers = {number for _, segment in path for number in segment}
    if 0 in numbers or (receiving.external and any(kind > as_path.AS_SEQUENCE for kind, _ in path)):
        return _FAULTY, b""  # RFC 7607; RFC 5065 section 5
    if receiving.own_asn in numbers or _is_reflected(attributes, receiving):
        return _LOOPED, b""
    if not receiving.external or not any(kind in attributes for kind in _ONLY_INTERNAL):
        return _USABLE, normal
    # RFC 7606 sections 7.5, 7.9, 7.10: what peers of other ASes say of this is not heard
    return _USABLE, written({kind: each for kind, each in attributes.items() if kind not in _ONLY_INTERNAL})


def _is_faulty(attributes: Octets, external: bool) -> bool:
    """RFC 7606 sections 3c and 3d: wrong flags, or a well-known attribute that is not there."""
    if not {ORIGIN, AS_PATH} <= attributes.keys() or not {NEXT_HOP, MP_REACH} & attributes.keys():
        return True
    if any(flags & 0xC0 != _FLAGS.get(kind, flags & 0xC0) for kind, (flags, _) in attributes.items()):
        return True
    return external and not attributes[AS_PATH][1]  # RFC 4271 section 5.1.2: it lacks the peer's own AS


def _is_reflected(attributes: Octets, receiving: Receiving) -> bool:
    """RFC 4456 section 8: a reflector gave us back what is ours."""
    if receiving.external:
        return False
    return ORIGINATOR_ID in attributes and int.from_bytes(attributes[ORIGINATOR_ID][1]) == receiving.own_id
