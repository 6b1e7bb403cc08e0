"""UPDATE messages to rows, and rows to batches: the plain way, which every fault is told by.

`loops.py` decides whether compiled code goes first. A message is used whole or not at all: what is malformed leaves no
row behind. Rows wait as the octets that came (`Waiting`) and become columns when a batch is taken.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp.attributes import MP_REACH, MP_UNREACH, spans
from rotonda.bgp.errors import Malformed, MalformedAttributes
from rotonda.bgp.sets import AttributeSets, Form, set_number

NO_SET = 0xFFFFFFFF  # in the column of attribute sets: a withdrawal has none
BATCH_ROWS = 65536
OTHER_FAMILIES_LIMIT = 256  # that are counted apart
ADDRESS_OCTETS = {4: 4, 6: 16}
ADD_PATH = {4: 1, 6: 2}
FAMILIES = {(1, 1): 4, (2, 1): 6}  # AFI, SAFI -> family: unicast is what is read here
_MASKS = {
    family: np.array(
        [list((-1 << bits - length & (1 << bits) - 1).to_bytes(bits // 8)) for length in range(bits + 1)], np.uint8
    )
    for family, bits in ((4, 32), (6, 128))
}


@dataclass(frozen=True, slots=True)
class RouteBatch:
    """Routes of one family as columns of equal length, in the order they came; the last row of a key counts."""

    family: int  # 4 or 6
    announce: NDArray[np.bool_]  # False: withdrawn
    peers: NDArray[np.uint32]  # number of the peer, in the list of whoever made the batch
    keys: NDArray[np.bytes_]  # S9 or S21: address, length, path identifier (0 where there is none)
    attributes: NDArray[np.uint32]  # number of the attribute set; NO_SET where withdrawn
    times: NDArray[np.uint32]  # seconds since 1970

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """All columns, in the order of the fields."""
        return self.announce, self.peers, self.keys, self.attributes, self.times

    def take(self, rows: NDArray[np.intp]) -> RouteBatch:
        """Only these rows."""
        return RouteBatch(self.family, *(column[rows] for column in self.columns))

    @staticmethod
    def joined(batches: Sequence[RouteBatch]) -> RouteBatch:
        """Batches of one family, one behind the other."""
        if len(batches) == 1:
            return batches[0]
        together = zip(*(batch.columns for batch in batches), strict=True)
        return RouteBatch(batches[0].family, *map(np.concatenate, together))


class Waiting:
    """Rows of one family that wait to be a batch: finished columns, then runs of keys that share all else."""

    def __init__(self, family: int) -> None:
        self.family = family
        self.rows = 0
        self._finished: list[RouteBatch] = []
        self._raw: list[bytes] = []  # length, address, path identifier
        self._runs: list[tuple[int, bool, int, int, int]] = []  # keys, announced, peer, attribute set, time

    def add(self, raw: list[bytes], announce: bool, peer: int, attributes: int, time: int) -> None:
        """Append a run of keys as `nlri` gives them."""
        self.rows += len(raw)
        self._raw += raw
        self._runs.append((len(raw), announce, peer, attributes, time))

    def append(self, columns: RouteBatch) -> None:
        """Append finished columns."""
        self._finish()
        self.rows += len(columns)
        self._finished.append(columns)

    def batch(self) -> RouteBatch:
        """All rows as columns."""
        self._finish()
        return RouteBatch.joined(self._finished)

    def _finish(self) -> None:
        if self._raw:
            counts, announce, peers, attributes, times = np.array(self._runs, np.int64).T
            peers, attributes, times = (
                column.astype(np.uint32).repeat(counts) for column in (peers, attributes, times)
            )
            keys = keys_of(np.frombuffer(b"".join(self._raw), np.uint8), self.family)
            announced = announce.astype(np.bool_).repeat(counts)
            self._finished.append(RouteBatch(self.family, announced, peers, keys, attributes, times))
            self._raw, self._runs = [], []


def keys_of(raw: NDArray[np.uint8], family: int) -> NDArray[np.bytes_]:
    """Keys from rows of length, address and path identifier; host bits mean nothing (RFC 4271 §4.3) and are cleared."""
    octets = ADDRESS_OCTETS[family]
    rows = raw.reshape(-1, octets + 5)
    keys = np.empty_like(rows)
    np.bitwise_and(rows[:, 1 : octets + 1], _MASKS[family][rows[:, 0]], out=keys[:, :octets])
    keys[:, octets] = rows[:, 0]
    keys[:, octets + 1 :] = rows[:, octets + 1 :]
    return keys.view(f"S{octets + 5}").reshape(-1)


class Rows:
    """Gathers the routes of UPDATE messages until they are worth a batch.

    `add_path` says whose NLRI carry path identifiers (RFC 7911), as a sum: 1 for IPv4, 2 for IPv6.
    """

    def __init__(self, sets: AttributeSets, batch_rows: int = BATCH_ROWS) -> None:
        self.batch_rows = batch_rows
        self.waiting = {4: Waiting(4), 6: Waiting(6)}
        self.other_families: Counter[tuple[int, int]] = Counter()  # (AFI, SAFI) of NLRI that were passed over
        self.guessed_add_path = 0  # runs of NLRI, see `_nlri`
        self.classic = {four_octet: sets.form(four_octet, 4, False) for four_octet in (False, True)}
        self.multiprotocol = {
            (four_octet, family): sets.form(four_octet, family, True)
            for four_octet in (False, True)
            for family in (4, 6)
        }

    @property
    def full(self) -> bool:
        """Whether a batch should be taken now."""
        return self.waiting[4].rows >= self.batch_rows or self.waiting[6].rows >= self.batch_rows

    def take(self) -> Iterator[RouteBatch]:
        """The batches of all rows gathered so far, at most one for each family; none of them is left."""
        for family, waiting in self.waiting.items():
            if waiting.rows:
                self.waiting[family] = Waiting(family)
                yield waiting.batch()

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
        """Add the routes of the UPDATE whose body (what follows the BGP header) is `message[start:stop]`.

        Raises `Malformed` for prefixes that cannot be read and `MalformedAttributes` for attributes that must not be
        used: `withdraw` then reads the message again as RFC 7606 §2 wants it, all its prefixes withdrawn. `guess` lets
        NLRI themselves say that they have path identifiers, for archives that do not tell.
        """
        parts = self._parts(message, start, stop, four_octet, withdraw)
        runs = [
            (family, self._nlri(message, *span, family, bool(add_path & ADD_PATH[family]), guess), form, octets)
            for family, span, form, octets in parts
            if span[0] < span[1]
        ]
        numbers = [NO_SET if form is None or withdraw else set_number(form, octets) for _, _, form, octets in runs]
        for (family, raw, _, _), number in zip(runs, numbers, strict=True):
            self.waiting[family].add(raw, number != NO_SET, peer, number, time)

    def _parts(self, message: bytes, start: int, stop: int, four_octet: bool, withdraw: bool) -> list[Part]:
        """All runs of NLRI of a message, withdrawals first: what it both withdraws and announces is announced."""
        withdrawn, (first, end), announced = sections(message, start, stop)
        parts: list[Part] = [(4, withdrawn, None, b"")]
        octets, classic = message[first:end], self.classic[four_octet]
        if octets not in classic.seen:  # which has no set with MP attributes, as these are cut out
            octets = self._cut(message, first, end, four_octet, withdraw, parts)
        parts.append((4, announced, classic, octets))
        return parts

    def _cut(self, message: bytes, at: int, end: int, four_octet: bool, withdraw: bool, parts: list[Part]) -> bytes:
        """Note the NLRI in MP attributes; give the attributes without these."""
        reach: tuple[int, tuple[int, int], bytes] | None = None
        before, after = b"", b""
        try:
            for kind, _, start, stop in spans(message, at, end):
                if kind == MP_UNREACH:
                    self._unreach(message, start, stop, parts)
                elif kind == MP_REACH:
                    reach = self._reach(message, start, stop)
                    before, after = after, b""
                else:
                    after += message[at:stop]
                at = stop
        except MalformedAttributes:
            if not withdraw:
                raise
        if reach is not None:
            family, span, header = reach
            parts.append((family, span, self.multiprotocol[four_octet, family], before + header + after))
        return before + after

    def _unreach(self, message: bytes, start: int, stop: int, parts: list[Part]) -> None:
        if stop - start < 3:
            raise Malformed("MP_UNREACH_NLRI is too short", message[start:stop])
        afi_safi = _afi_safi(message, start)
        if afi_safi in FAMILIES:
            parts.append((FAMILIES[afi_safi], (start + 3, stop), None, b""))
        else:
            self._pass_over(afi_safi)

    def _reach(self, message: bytes, start: int, stop: int) -> tuple[int, tuple[int, int], bytes] | None:
        """Family, span of the NLRI, and the attribute as it is without them."""
        nlri = start + 5 + message[start + 3] if stop - start > 4 else stop + 1
        if nlri > stop:
            raise Malformed("MP_REACH_NLRI is too short for its next hop", message[start:stop])
        afi_safi = _afi_safi(message, start)
        if afi_safi not in FAMILIES:
            self._pass_over(afi_safi)
            return None
        value = message[start:nlri]
        return FAMILIES[afi_safi], (nlri, stop), struct.pack(">BBH", 0x90, MP_REACH, len(value)) + value

    def _pass_over(self, afi_safi: tuple[int, int]) -> None:
        if afi_safi in self.other_families or len(self.other_families) < OTHER_FAMILIES_LIMIT:
            self.other_families[afi_safi] += 1
        else:
            self.other_families[0, 0] += 1

    def _nlri(self, message: bytes, start: int, stop: int, family: int, add_path: bool, guess: bool) -> list[bytes]:
        """BIRD 1 writes path identifiers without saying so. Small ones read as default routes, and nobody sane names
        one prefix twice in a message: such NLRI are read with path identifiers if they can be."""
        octets = ADDRESS_OCTETS[family]
        if guess and not add_path and message[start : min(start + 2, stop)] == b"\0\0":
            with suppress(Malformed):
                raw = nlri(message, start, stop, octets, True)
                self.guessed_add_path += 1
                return raw
        return nlri(message, start, stop, octets, add_path)


Part = tuple[int, tuple[int, int], Form | None, bytes]
"""Family, span of the NLRI, and with which attributes; None where they are withdrawn."""


def sections(message: bytes, start: int, stop: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Where an UPDATE's body has withdrawn routes, path attributes and NLRI (RFC 4271 §4.3)."""
    first = start + 2
    withdrawn = first + int.from_bytes(message[start:first])
    if stop - start < 4 or withdrawn + 2 > stop:
        raise Malformed(f"withdrawn routes go beyond an UPDATE of {stop - start} octets", message[start:stop])
    attributes = withdrawn + 2 + int.from_bytes(message[withdrawn : withdrawn + 2])
    if attributes > stop:
        raise Malformed(f"path attributes go {attributes - stop} octets beyond the UPDATE", message[withdrawn:stop])
    return (first, withdrawn), (withdrawn + 2, attributes), (attributes, stop)


def nlri(message: bytes, at: int, stop: int, octets: int, add_path: bool) -> list[bytes]:
    """Length, address and path identifier of each prefix in `message[at:stop]`; addresses have `octets` octets."""
    found: list[bytes] = []
    path = b"\0\0\0\0"
    while at < stop:
        start = at
        if add_path:
            path, at = message[at : at + 4], at + 4
        length = message[at] if at < stop else 0
        end = at + 1 + (length + 7 >> 3)
        if length > octets * 8 or end > stop:
            raise Malformed(f"prefix of length {length} with {max(stop - at - 1, 0)} octets left", message[start:stop])
        found.append(message[at:end].ljust(octets + 1, b"\0") + path)
        at = end
    return found


def end_of_rib(message: bytes, start: int, stop: int) -> int | None:
    """The family whose End-of-RIB marker the UPDATE body `message[start:stop]` is (RFC 4724 §2), if it is one."""
    body = message[start:stop]
    if body == b"\0\0\0\0":
        return 4
    for kind, _, first, end in spans(body, 4, len(body)) if body[:2] == b"\0\0" and len(body) <= 11 else ():
        if kind == MP_UNREACH and end - first == 3 and end == len(body):
            return FAMILIES.get(_afi_safi(body, first))
    return None


def _afi_safi(message: bytes, at: int) -> tuple[int, int]:
    return message[at] << 8 | message[at + 1], message[at + 2]
