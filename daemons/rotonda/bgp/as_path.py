"""AS paths as segments, and how a path of 2-octet numbers is made whole again.

A segment is `(kind, numbers)`; a path is a tuple of segments, first hop first. Only this file knows how it is written.
"""

from __future__ import annotations

import struct

from rotonda.bgp.errors import Malformed

AS_SET, AS_SEQUENCE, AS_CONFED_SEQUENCE, AS_CONFED_SET = 1, 2, 3, 4  # RFC 4271 §4.3, RFC 5065 §3
AS_TRANS = 23456  # RFC 6793 §9: stands where a number does not fit into two octets

Segment = tuple[int, tuple[int, ...]]
AsPath = tuple[Segment, ...]


def read(value: bytes, width: int) -> AsPath:
    """The segments of an AS_PATH whose numbers have `width` (2 or 4) octets; `Malformed` as RFC 7606 §7.2 tells."""
    segments: list[Segment] = []
    at = 0
    while at < len(value):
        kind, count = value[at], value[at + 1] if at + 1 < len(value) else 0
        end = at + 2 + count * width
        if not AS_SET <= kind <= AS_CONFED_SET or not count or end > len(value):
            raise Malformed(f"AS_PATH segment of type {kind} with {count} numbers at octet {at}", value[at:])
        segments.append((kind, struct.unpack_from(f">{count}{'H' if width == 2 else 'I'}", value, at + 2)))
        at = end
    return tuple(segments)


def written(path: AsPath) -> bytes:
    """The same path as an AS_PATH of 4-octet numbers."""
    return b"".join(struct.pack(f">BB{len(numbers)}I", kind, len(numbers), *numbers) for kind, numbers in path)


def merged(path: AsPath, new: AsPath) -> AsPath:
    """The path that a speaker of 2-octet numbers passed on, with its end told by AS4_PATH (RFC 6793 §4.2.3)."""
    # §3: confederations do not belong into AS4_PATH
    new = tuple(segment for segment in new if segment[0] in (AS_SET, AS_SEQUENCE))
    missing = hops(path) - hops(new)
    return _joined(_leading(path, missing), new) if missing >= 0 else path


def hops(path: AsPath) -> int:
    """How long the path is for choosing routes: a set counts once, a confederation not at all (RFC 5065 §5.3)."""
    return sum(len(numbers) if kind == AS_SEQUENCE else kind == AS_SET for kind, numbers in path)


def _leading(path: AsPath, wanted: int) -> AsPath:
    """The first segments that make `wanted` hops, with the confederation segments before and between them."""
    taken: list[Segment] = []
    for kind, numbers in path:
        if not wanted and kind in (AS_SET, AS_SEQUENCE):
            break
        part = numbers[:wanted] if kind == AS_SEQUENCE else numbers
        taken.append((kind, part))
        wanted -= hops(((kind, part),))
    return tuple(taken)


def _joined(before: AsPath, after: AsPath) -> AsPath:
    if before and after and before[-1][0] == after[0][0] == AS_SEQUENCE and len(before[-1][1] + after[0][1]) < 256:
        return (*before[:-1], (AS_SEQUENCE, before[-1][1] + after[0][1]), *after[1:])
    return before + after


def origin(path: AsPath) -> int | None:
    """The AS that the route comes from; none where the path ends in a set or leaves no confederation (RFC 6811 §2)."""
    return path[-1][1][-1] if path and path[-1][0] == AS_SEQUENCE else None


def text(path: AsPath) -> str:
    """The path as operators write it: `64500 {64501,64502}`, confederations in `( )` and `[ ]`."""
    return " ".join(_segment_text(*segment) for segment in path)


_SIGNS = {
    AS_SET: ("{", ",", "}"),
    AS_SEQUENCE: ("", " ", ""),
    AS_CONFED_SEQUENCE: ("(", " ", ")"),
    AS_CONFED_SET: ("[", ",", "]"),
}


def _segment_text(kind: int, numbers: tuple[int, ...]) -> str:
    before, between, after = _SIGNS[kind]
    return before + between.join(map(str, numbers)) + after
