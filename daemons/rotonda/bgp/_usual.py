"""The normal form of usual attribute sets without a look at all they say, in plain Python.

Used where nothing was compiled; what is not usual is left to `sets.normalised`, and both give the same.
"""

from __future__ import annotations

from rotonda.bgp.attributes import (
    AGGREGATOR,
    AS_PATH,
    ATOMIC_AGGREGATE,
    CLUSTER_LIST,
    COMMUNITIES,
    EXACT_OCTETS,
    EXTENDED_COMMUNITIES,
    LARGE_COMMUNITIES,
    LOCAL_PREF,
    MED,
    MP_REACH,
    MULTIPLE_OF,
    NEXT_HOP,
    ONLY_TO_CUSTOMER,
    ORIGIN,
    ORIGINATOR_ID,
)

_USUAL = (
    ORIGIN, AS_PATH, NEXT_HOP, MED, LOCAL_PREF, ATOMIC_AGGREGATE, AGGREGATOR, COMMUNITIES, ORIGINATOR_ID, CLUSTER_LIST,
    MP_REACH, EXTENDED_COMMUNITIES, LARGE_COMMUNITIES, ONLY_TO_CUSTOMER,
)  # fmt: skip
# What the first three octets of an attribute say where it is in normal form or nearly so: its type, and how long its
# value is; -1: the length was written as two octets without need, as Quagga does. Some values need another look.
_HEADS = {
    bytes((flags, kind, length)): (kind, length)
    for flags in (0x40, 0x80, 0xC0, 0xE0)
    for kind in _USUAL
    for length in range(256)
    if length == EXACT_OCTETS.get(kind, length) and not length % MULTIPLE_OF.get(kind, 1)
}
_ORIGINS = {bytes((0x40, ORIGIN, 1, value)) for value in range(3)}
_PLAIN_HEADS = {head: meaning for head, meaning in _HEADS.items() if meaning[0] not in (ORIGIN, MP_REACH)}
_LONG_HEADS = {bytes((head[0] | 0x10, head[1], 0)): (kind, -1) for head, (kind, _) in _HEADS.items()}
_ANY_HEAD = _HEADS | _LONG_HEADS
_HOPS = (b"\x10", b"\x20")  # lengths of next hops


def usual_normal(octets: bytes, six: bool) -> bytes | None:
    """The normal form of a set with 4-octet AS numbers, if it is there or nearly so; None if `normalised` must look."""
    at, before = (4, ORIGIN) if octets[:4] in _ORIGINS else (0, ORIGIN)
    while at < len(octets):
        kind, length = _PLAIN_HEADS.get(octets[at : at + 3], (0, 0))
        if kind <= before or (kind == AS_PATH and not _is_one_segment(octets, at + 3, length)):
            return _nearly_normal(octets, six)
        before, at = kind, at + 3 + length
    return octets if at == len(octets) else None


def _nearly_normal(octets: bytes, six: bool) -> bytes | None:
    pieces: list[bytes] = []
    copied = at = before = 0
    hop = False
    while at < len(octets):
        kind, length = _ANY_HEAD.get(octets[at : at + 3], (0, 0))
        value = at + 3
        if length < 0 and value < len(octets):
            short = bytes((octets[at] ^ 0x10, kind, octets[value]))
            kind, length = _HEADS.get(short, (0, 0))
            pieces += (octets[copied:at], short)
            copied = value = at + 4
        at = value + length
        if kind <= before or at > len(octets):
            return None
        before, hop = kind, hop or kind == NEXT_HOP
        if kind == MP_REACH:
            if not six or hop or not _is_usual_reach(octets[value:at]):
                return None
            if octets[value]:
                pieces += (octets[copied : value - 1], bytes((length + 4, 0, 2, 1)), octets[value:at], b"\0")
                copied = at
        elif (kind == AS_PATH and length and not _is_one_segment(octets, value, length)) or (
            kind == ORIGIN and octets[value] > 2
        ):
            return None
    pieces.append(octets[copied:])
    return b"".join(pieces) if len(pieces) > 1 else octets


def _is_one_segment(octets: bytes, value: int, length: int) -> bool:
    return 2 < length <= len(octets) - value and 0 < octets[value] < 5 and octets[value + 1] * 4 + 2 == length


def _is_usual_reach(value: bytes) -> bool:
    """Whether it is of IPv6 unicast, without NLRI, in the short form of RFC 6396 or the one of RFC 4760."""
    return (value[:1] in _HOPS and len(value) == 1 + value[0]) or (
        value[:3] == b"\0\2\1" and value[3:4] in _HOPS and len(value) == 5 + value[3] and not value[-1]
    )
