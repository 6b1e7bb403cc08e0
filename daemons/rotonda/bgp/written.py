"""Routes to UPDATE messages for one peer: grouped by attribute set, each message as full as it can be.

Prefixes are made octets all at once, as columns. What depends on attributes is done once per set of a call: whether
routes with it may be told to this peer, and in which words (RFC 4271 sections 5 and 9, RFC 1997, RFC 7606 section 5.1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp import as_path
from rotonda.bgp.attributes import (
    AGGREGATOR,
    AS4_AGGREGATOR,
    AS4_PATH,
    AS_PATH,
    ATOMIC_AGGREGATE,
    CLUSTER_LIST,
    COMMUNITIES,
    EXTENDED_COMMUNITIES,
    LARGE_COMMUNITIES,
    LOCAL_PREF,
    MED,
    MP_REACH,
    MP_UNREACH,
    NEXT_HOP,
    ONLY_TO_CUSTOMER,
    ORIGIN,
    ORIGINATOR_ID,
    parsed,
    written,
)
from rotonda.bgp.errors import Malformed
from rotonda.bgp.messages import HEADER_OCTETS, MARKER, MOST_OCTETS, Kind
from rotonda.bgp.update import ADDRESS_OCTETS

Keys = NDArray[Any]

DEFAULT_LOCAL_PREF = 100
_FIXED = HEADER_OCTETS + 4  # with the two lengths of an UPDATE
_NO_ADVERTISE = b"\xff\xff\xff\x02"
_NO_EXPORT = {b"\xff\xff\xff\x01", b"\xff\xff\xff\x03"}
_UNDERSTOOD = {ATOMIC_AGGREGATE, AGGREGATOR, COMMUNITIES, EXTENDED_COMMUNITIES, LARGE_COMMUNITIES, ONLY_TO_CUSTOMER}
_WITHIN_AN_AS = {MED, LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST}
_WHOLE = {
    True: _UNDERSTOOD - {COMMUNITIES, EXTENDED_COMMUNITIES},
    False: _UNDERSTOOD - {COMMUNITIES} | _WITHIN_AN_AS,
}  # by whether the peer is of another AS: what simply goes on
_NEXT_HOPS = {NEXT_HOP, MP_REACH}
_EXTENDED = 0x10
_OPTIONAL, _TRANSITIVE, _PARTIAL = 0x80, 0x40, 0x20
_NOT_TRANSITIVE = 0x40  # in the first octet of an extended community
_AFI_SAFI6 = b"\0\2\1"


@dataclass(frozen=True, slots=True)
class Telling:
    """How routes are told to a peer. To an `external` one we are the next hop, by the address of its family, if any."""

    own_asn: int
    external: bool
    four_octet: bool = True
    next_hop4: bytes | None = None
    next_hop6: bytes | None = None

    def next_hop(self, family: int) -> bytes | None:
        """Our address in a family."""
        return self.next_hop4 if family == 4 else self.next_hop6


@dataclass(frozen=True, slots=True)
class Words:
    """One attribute set as the peer is told it, around its next hop."""

    before: bytes
    hop: bytes
    after: bytes


class Writer:
    """Writes UPDATEs for one peer.

    `untold` counts routes that could not be told: they must not leave, lack what the peer needs, or are too long for a
    message. They are withdrawn, as the peer may have been told of another route.
    """

    def __init__(self, telling: Telling) -> None:
        self.untold = 0
        self._telling = telling

    def announcements(
        self, family: int, keys: Keys, numbers: NDArray[np.uint32], sets: Sequence[bytes]
    ) -> Iterator[bytes]:
        """Messages that announce these routes: keys as `RouteBatch` has them, whose path identifiers are left out, each
        prefix once, and the numbers of their attribute sets. `sets` is not looked at any more after this call."""
        order = np.argsort(numbers, kind="stable")
        ordered = numbers[order]
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else order
        normals = [sets[number] for number in ordered[starts].tolist()]
        nlri, ends = _nlri(family, keys[order])
        return self._announcements(family, nlri, ends, starts.tolist(), normals)

    def _announcements(
        self, family: int, nlri: bytes, ends: NDArray[np.int64], starts: list[int], normals: list[bytes]
    ) -> Iterator[bytes]:
        begins = [0, *ends[np.array(starts[1:], np.intp) - 1].tolist(), len(nlri)]
        rows = [*starts, len(ends)]
        for group, normal in enumerate(normals):
            begin, end = begins[group], begins[group + 1]
            words = words_for(normal, family, self._telling)
            room = 0 if words is None else _room(family, words)
            if words is None or room <= ADDRESS_OCTETS[family]:
                self.untold += rows[group + 1] - rows[group]
                yield from _withdrawals(family, nlri, ends[rows[group] : rows[group + 1]], begin)
            elif end - begin <= room:
                yield _announcement(family, words, nlri[begin:end])
            else:
                for start, stop in _pieces(ends[rows[group] : rows[group + 1]], begin, room):
                    yield _announcement(family, words, nlri[start:stop])


def withdrawals(family: int, keys: Keys) -> Iterator[bytes]:
    """Messages that withdraw these prefixes."""
    return _withdrawals(family, *_nlri(family, keys), 0)


def end_of_rib(family: int) -> bytes:
    """Says that all routes of the family were told (RFC 4724 section 2)."""
    return _update(b"", () if family == 4 else _multiprotocol(MP_UNREACH, (_AFI_SAFI6,)), b"")


def room_of_prefixes(family: int, normal: bytes | None) -> int:
    """How many prefixes surely fit into one message: with this attribute set as it is, or to be withdrawn for None."""
    own = 0 if normal is None else len(normal)
    room = MOST_OCTETS - _FIXED - own - (0 if family == 4 else 9)
    return max(1, room // (ADDRESS_OCTETS[family] + 1))


def whole_update(family: int, keys: Keys, normal: bytes) -> bytes | None:
    """One message that announces these prefixes with a set as it is, told to nobody: for who reads what was heard.

    None if the set has no next hop of that family, or if all of it does not fit.
    """
    try:
        attributes = parsed(normal)
    except Malformed:
        return None
    hops = [_next_hop(kind, attributes.pop(kind)[1]) for kind in (NEXT_HOP, MP_REACH) if kind in attributes]
    hop = next((each for each in hops if len(each) == ADDRESS_OCTETS[family]), None)
    if hop is None:
        return None
    before = {kind: own for kind, own in attributes.items() if kind < NEXT_HOP}
    after = {kind: own for kind, own in attributes.items() if kind > NEXT_HOP}
    words, (nlri, _) = Words(written(before), hop, written(after)), _nlri(family, keys)
    return _announcement(family, words, nlri) if len(nlri) <= _room(family, words) else None


def _withdrawals(family: int, nlri: bytes, ends: NDArray[np.int64], begin: int) -> Iterator[bytes]:
    room = MOST_OCTETS - _FIXED - (0 if family == 4 else 4 + len(_AFI_SAFI6))
    for start, stop in _pieces(ends, begin, room):
        if family == 4:
            yield _update(nlri[start:stop], (), b"")
        else:
            yield _update(b"", _multiprotocol(MP_UNREACH, (_AFI_SAFI6, nlri[start:stop])), b"")


def _pieces(ends: NDArray[np.int64], begin: int, room: int) -> Iterator[tuple[int, int]]:
    """Where to cut octets, which prefixes end at `ends`, so that as many whole prefixes as fit are in each piece."""
    row = 0
    while row < len(ends):
        row = int(np.searchsorted(ends, begin + room, "right"))
        yield begin, int(ends[row - 1])
        begin = int(ends[row - 1])


def _nlri(family: int, keys: Keys) -> tuple[bytes, NDArray[np.int64]]:
    """All prefixes as BGP writes them, one behind the other, and where each ends."""
    octets = ADDRESS_OCTETS[family]
    rows = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), octets + 5)
    length = rows[:, octets]
    widths = (length.astype(np.int64) + 7 >> 3) + 1
    prefixes = np.empty((len(keys), octets + 1), np.uint8)
    prefixes[:, 0], prefixes[:, 1:] = length, rows[:, :octets]
    return prefixes[np.arange(octets + 1) < widths[:, None]].tobytes(), widths.cumsum()


def _room(family: int, words: Words) -> int:
    """Octets for prefixes in a message with these words."""
    own = 3 if family == 4 else 4 + len(_AFI_SAFI6) + 2
    return MOST_OCTETS - _FIXED - own - len(words.before) - len(words.hop) - len(words.after)


def _announcement(family: int, words: Words, nlri: bytes) -> bytes:
    if family == 4:
        return _update(b"", (words.before, b"\x40\3\4", words.hop, words.after), nlri)
    reach = (_AFI_SAFI6, bytes((len(words.hop),)), words.hop, b"\0", nlri)
    return _update(b"", (*_multiprotocol(MP_REACH, reach), words.before, words.after), b"")


def _multiprotocol(kind: int, value: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return struct.pack(">BBH", 0x90, kind, sum(map(len, value))), *value


def _update(withdrawn: bytes, attributes: tuple[bytes, ...], nlri: bytes) -> bytes:
    length = sum(map(len, attributes))
    total = _FIXED + len(withdrawn) + length + len(nlri)
    head = struct.pack(">HBH", total, Kind.UPDATE, len(withdrawn))
    return b"".join((MARKER, head, withdrawn, struct.pack(">H", length), *attributes, nlri))


def words_for(normal: bytes, family: int, telling: Telling) -> Words | None:
    """What a peer is told of a set in normal form; None if routes with it cannot or must not be told."""
    external, known = telling.external, _WHOLE[telling.external]
    before, after = b"", b""
    hop = telling.next_hop(family) if external else None
    has_origin = has_path = False
    has_preference = external
    at = 0
    while at + 2 < len(normal):
        kind = normal[at + 1]
        start = at + (4 if normal[at] & _EXTENDED else 3)
        end = start + int.from_bytes(normal[at + 2 : start])
        whole = normal[at:end]
        if kind in known:
            after += whole
            has_preference = has_preference or kind == LOCAL_PREF
        elif kind == ORIGIN:
            has_origin, before = True, whole
        elif kind == AS_PATH:
            has_path, before = True, before + (_prepended(whole, start - at, telling.own_asn) if external else whole)
        elif kind in _NEXT_HOPS:
            hop = hop if external else _next_hop(kind, normal[start:end])
        elif kind == COMMUNITIES and _NO_ADVERTISE[:3] in whole and _stays(normal[start:end], external):
            return None
        else:
            after += _passed_on(kind, normal[at], whole, normal[start:end], external)
        at = end
    if not (has_origin and has_path) or hop is None or len(hop) != ADDRESS_OCTETS[family]:
        return None
    words = Words(before, hop, after if has_preference else _LOCAL_PREF + after)
    try:
        return words if telling.four_octet else _narrow(words)
    except Malformed:
        return None


def _next_hop(kind: int, value: bytes) -> bytes:
    """The address; of two in IPv6 the global one (RFC 2545 section 3)."""
    return value if kind == NEXT_HOP else value[4 : min(4 + int.from_bytes(value[3:4]), 20)]


def _passed_on(kind: int, flags: int, whole: bytes, value: bytes, external: bool) -> bytes:
    """What is told of an attribute that does not simply go on; it may be nothing."""
    if kind in _UNDERSTOOD:
        if kind != EXTENDED_COMMUNITIES or not external:
            return whole
        # RFC 4360 section 6: those that do not cross ASes
        every = (value[at : at + 8] for at in range(0, len(value), 8))
        crossing = b"".join(each for each in every if not each[0] & _NOT_TRANSITIVE)
        return _attribute(kind, flags, crossing) if crossing else b""
    # RFC 4271 section 5: what is not understood goes on if it is transitive, and is marked
    transitive = flags & _TRANSITIVE and kind not in _WITHIN_AN_AS
    return _attribute(kind, flags | _PARTIAL, value) if transitive else b""


def _stays(communities: bytes, external: bool) -> bool:
    each = {communities[at : at + 4] for at in range(0, len(communities), 4)}
    return _NO_ADVERTISE in each or (external and not each.isdisjoint(_NO_EXPORT))


def _prepended(whole: bytes, start: int, asn: int) -> bytes:
    """An AS_PATH, whose value begins at `start`, with one more number in front."""
    number, length = asn.to_bytes(4), len(whole) - start
    if length > 1 and whole[start] == as_path.AS_SEQUENCE and whole[start + 1] < 255:
        if length < 252 and start == 3:
            return b"".join((whole[:2], bytes((length + 4, 2, whole[4] + 1)), number, whole[5:]))
        path = bytes((as_path.AS_SEQUENCE, whole[start + 1] + 1)) + number + whole[start + 2 :]
    else:
        path = bytes((as_path.AS_SEQUENCE, 1)) + number + whole[start:]
    return _attribute(AS_PATH, _TRANSITIVE, path)


def _narrow(words: Words) -> Words:
    """The same for a peer that reads AS numbers of two octets (RFC 6793 section 4.2.2)."""
    before, after = parsed(words.before), parsed(words.after)
    flags, value = before[AS_PATH]
    path = as_path.read(value, 4)
    if any(number >= 1 << 16 for _, numbers in path for number in numbers):
        kept = tuple(segment for segment in path if segment[0] <= as_path.AS_SEQUENCE)
        after[AS4_PATH] = _OPTIONAL | _TRANSITIVE, as_path.written(kept)
    before[AS_PATH] = (
        flags,
        b"".join(
            struct.pack(f">BB{len(numbers)}H", kind, len(numbers), *map(_narrowed, numbers)) for kind, numbers in path
        ),
    )
    if AGGREGATOR in after:
        flags, value = after[AGGREGATOR]
        number = int.from_bytes(value[:4])
        after[AGGREGATOR] = flags, struct.pack(">H", _narrowed(number)) + value[4:]
        if number != _narrowed(number):
            after[AS4_AGGREGATOR] = _OPTIONAL | _TRANSITIVE, value
    return Words(written(before), words.hop, written(after))


def _narrowed(number: int) -> int:
    return number if number < 1 << 16 else as_path.AS_TRANS


def _attribute(kind: int, flags: int, value: bytes) -> bytes:
    return written({kind: (flags, value)})


_LOCAL_PREF = _attribute(LOCAL_PREF, _TRANSITIVE, DEFAULT_LOCAL_PREF.to_bytes(4))
