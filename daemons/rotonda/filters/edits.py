"""Changes of attribute sets: what the actions of filters do to one set.

Sets are in the normal form of `rotonda.bgp.sets` before and after. Attributes that an edit does not name stay as they
came; an attribute that is set gets the usual flags. An edit checks its own values when it is made (ValueError), and
`edited` whether the result can be written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rotonda.bgp import as_path
from rotonda.bgp.as_path import AS_CONFED_SET, AS_SEQUENCE, AS_SET, AsPath
from rotonda.bgp.attributes import (
    AS_PATH,
    ATOMIC_AGGREGATE,
    COMMUNITIES,
    EXTENDED_COMMUNITIES,
    LARGE_COMMUNITIES,
    LOCAL_PREF,
    MED,
    MP_REACH,
    NEXT_HOP,
    ONLY_TO_CUSTOMER,
    ORIGIN,
    ORIGINS,
    Octets,
    parsed,
    written,
)
from rotonda.bgp.errors import Malformed

LONGEST_SET = 0xFFFF
"""Octets of the longest set: its length is told in two octets (RFC 4271 §4.3)."""

LONGEST_SEGMENT = 255
"""AS numbers of the longest path segment: their count is told in one octet (RFC 4271 §4.3)."""

LIST_OCTETS = {COMMUNITIES: 4, EXTENDED_COMMUNITIES: 8, LARGE_COMMUNITIES: 12}
"""The lists that can be edited, and how long their values are."""

# RFC 4271 §4.3, §5: well-known attributes are transitive, others optional, and some of these transitive too
_EXTENDED = 0x10
_WELL_KNOWN, _OPTIONAL, _OPTIONAL_TRANSITIVE = 0x40, 0x80, 0xC0
_FLAGS = {
    **dict.fromkeys((ORIGIN, AS_PATH, NEXT_HOP, LOCAL_PREF, ATOMIC_AGGREGATE), _WELL_KNOWN),
    **dict.fromkeys((MED, MP_REACH), _OPTIONAL),
    **dict.fromkeys((*LIST_OCTETS, ONLY_TO_CUSTOMER), _OPTIONAL_TRANSITIVE),
}


class Edit:
    """One change, a value."""

    __slots__ = ()

    def _apply(self, attributes: Octets) -> None:
        raise NotImplementedError


def edited(octets: bytes, edits: Sequence[Edit]) -> bytes:
    """The set after these edits, done one after the other.

    Raises ValueError when the result would be too long, or when the set, or a value that is to be changed, cannot be
    read.
    """
    if len(edits) == 1 and isinstance(edits[0], SetNumber):
        put = _put_in_place(octets, edits[0].kind, edits[0].number.to_bytes(4))
        if put is not None:
            return put
    try:
        attributes = parsed(octets)
        for edit in edits:
            edit._apply(attributes)
    except Malformed as fault:
        raise ValueError(f"cannot change an attribute set: {fault}") from fault
    octets_needed = sum(len(value) + (3 if len(value) < 256 else 4) for _, value in attributes.values())
    if octets_needed > LONGEST_SET:
        raise ValueError(
            f"an attribute set of {octets_needed} octets is too long, at most {LONGEST_SET} can be written"
        )
    return written(attributes)


@dataclass(frozen=True, slots=True)
class Remove(Edit):
    """The set has no attribute of this type."""

    kind: int

    def _apply(self, attributes: Octets) -> None:
        attributes.pop(self.kind, None)


@dataclass(frozen=True, slots=True)
class SetOrigin(Edit):
    """ORIGIN is this index of `rotonda.bgp.attributes.ORIGINS`."""

    origin: int

    def __post_init__(self) -> None:
        if not 0 <= self.origin < len(ORIGINS):
            raise ValueError(f"ORIGIN {self.origin}, want 0 to {len(ORIGINS) - 1}")

    def _apply(self, attributes: Octets) -> None:
        _put(attributes, ORIGIN, bytes((self.origin,)))


@dataclass(frozen=True, slots=True)
class SetNumber(Edit):
    """An attribute that is one 4-octet number has this value: MED, LOCAL_PREF or ONLY_TO_CUSTOMER."""

    kind: int
    number: int

    def __post_init__(self) -> None:
        if self.kind not in (MED, LOCAL_PREF, ONLY_TO_CUSTOMER):
            raise ValueError(f"path attribute {self.kind} is not one number")
        _check_numbers((self.number,))

    def _apply(self, attributes: Octets) -> None:
        _put(attributes, self.kind, self.number.to_bytes(4))


@dataclass(frozen=True, slots=True)
class SetAtomicAggregate(Edit):
    """The set has ATOMIC_AGGREGATE; `Remove` is for the opposite."""

    def _apply(self, attributes: Octets) -> None:
        _put(attributes, ATOMIC_AGGREGATE, b"")


@dataclass(frozen=True, slots=True)
class SetNextHop(Edit):
    """The next hop is this address, of 4 or 16 octets, for routes of IPv`family`.

    IPv4 routes may have an IPv6 next hop (RFC 8950), but not the other way round. A link-local next hop goes.
    """

    address: bytes
    family: int

    def __post_init__(self) -> None:
        if (len(self.address), self.family) not in ((4, 4), (16, 4), (16, 6)):
            raise ValueError(f"next hop of {len(self.address)} octets for a route of IPv{self.family}")

    def _apply(self, attributes: Octets) -> None:
        _, before = attributes.pop(MP_REACH, (0, b""))
        attributes.pop(NEXT_HOP, None)
        if len(self.address) == 4:
            _put(attributes, NEXT_HOP, self.address)
        else:
            afi, safi = 1 if self.family == 4 else 2, before[2] if len(before) > 2 else 1
            _put(attributes, MP_REACH, struct.pack(">HBB", afi, safi, 16) + self.address + b"\0")


@dataclass(frozen=True, slots=True)
class SetPath(Edit):
    """The AS path is this one; `of_numbers` makes one of plain numbers."""

    path: AsPath

    def __post_init__(self) -> None:
        for kind, numbers in self.path:
            if not AS_SET <= kind <= AS_CONFED_SET or not 0 < len(numbers) <= LONGEST_SEGMENT:
                raise ValueError(f"AS_PATH segment of type {kind} with {len(numbers)} numbers")
            _check_numbers(numbers)

    @staticmethod
    def of_numbers(numbers: Sequence[int]) -> SetPath:
        """A path that is one sequence, in as many segments as it needs."""
        return SetPath(_segments(tuple(numbers)))

    def _apply(self, attributes: Octets) -> None:
        _put(attributes, AS_PATH, as_path.written(self.path))


@dataclass(frozen=True, slots=True)
class Prepend(Edit):
    """The AS path begins with these numbers, in this order, then goes on as before (RFC 4271 §5.1.2)."""

    numbers: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_numbers(self.numbers)

    def _apply(self, attributes: Octets) -> None:
        flags, value = attributes.get(AS_PATH, (_FLAGS[AS_PATH], b""))
        path = as_path.read(value, 4)
        first: tuple[int, ...] = ()
        if path and path[0][0] == AS_SEQUENCE:
            (_, first), *rest = path
            path = tuple(rest)
        attributes[AS_PATH] = flags, as_path.written(_segments(self.numbers + first) + path)


@dataclass(frozen=True, slots=True)
class AddValues(Edit):
    """A list has these values too: those that it lacks come at its end, each once.

    Values are octets: 4 of a community, 8 of an extended one, 12 of a large one (`LIST_OCTETS`).
    """

    kind: int
    values: tuple[bytes, ...]

    def __post_init__(self) -> None:
        _check_list(self.kind, self.values)

    def _apply(self, attributes: Octets) -> None:
        before = _listed(attributes, self.kind)
        there = set(before)
        new = dict.fromkeys(value for value in self.values if value not in there)
        _put_list(attributes, self.kind, (*before, *new))


@dataclass(frozen=True, slots=True)
class RemoveValues(Edit):
    """A list has none of these values; the order of the others stays, and a list without values goes."""

    kind: int
    values: tuple[bytes, ...]

    def __post_init__(self) -> None:
        _check_list(self.kind, self.values)

    def _apply(self, attributes: Octets) -> None:
        unwanted = set(self.values)
        left = [value for value in _listed(attributes, self.kind) if value not in unwanted]
        _put_list(attributes, self.kind, left)


@dataclass(frozen=True, slots=True)
class ReplaceValues(Edit):
    """A list has exactly these values, each once; without values it goes."""

    kind: int
    values: tuple[bytes, ...]

    def __post_init__(self) -> None:
        _check_list(self.kind, self.values)

    def _apply(self, attributes: Octets) -> None:
        _put_list(attributes, self.kind, dict.fromkeys(self.values))


def _put(attributes: Octets, kind: int, value: bytes) -> None:
    attributes[kind] = _FLAGS[kind], value


def _put_in_place(octets: bytes, kind: int, value: bytes) -> bytes | None:
    """What `_put` makes of a set in normal form, without taking it apart; None if it is not in that form."""
    at, end, last, where = 0, len(octets), -1, None
    while at < end - 2:
        flags, own = octets[at], octets[at + 1]
        if own <= last or flags & 0x0F or (flags & _EXTENDED and (at + 4 > end or not octets[at + 2])):
            return None
        size = octets[at + 2] << 8 | octets[at + 3] if flags & _EXTENDED else octets[at + 2]
        stop = at + (4 if flags & _EXTENDED else 3) + size
        if where is None and own >= kind:
            where = at, stop if own == kind else at
        at, last = stop, own
    if at != end or not octets:
        return None
    start, stop = where or (end, end)
    made = b"".join((octets[:start], bytes((_FLAGS[kind], kind, len(value))), value, octets[stop:]))
    return made if len(made) <= LONGEST_SET else None


def _segments(numbers: tuple[int, ...]) -> AsPath:
    """Sequences of these numbers; the first one is the one that is not full."""
    short = len(numbers) % LONGEST_SEGMENT
    starts = ([0] if short else []) + list(range(short, len(numbers), LONGEST_SEGMENT))
    ends = [*starts[1:], len(numbers)]
    return tuple((AS_SEQUENCE, numbers[start:end]) for start, end in zip(starts, ends, strict=False))


def _listed(attributes: Octets, kind: int) -> list[bytes]:
    value, width = attributes.get(kind, (0, b""))[1], LIST_OCTETS[kind]
    if len(value) % width:
        raise Malformed(f"path attribute {kind} of {len(value)} octets", value)
    return [value[at : at + width] for at in range(0, len(value), width)]


def _put_list(attributes: Octets, kind: int, values: Iterable[bytes]) -> None:
    """The list with these values, flagged as it was."""
    value = b"".join(values)
    if value:
        attributes[kind] = attributes.get(kind, (_FLAGS[kind],))[0], value
    else:
        attributes.pop(kind, None)


def _check_list(kind: int, values: Iterable[bytes]) -> None:
    if kind not in LIST_OCTETS:
        raise ValueError(f"path attribute {kind} is no list of communities")
    for value in values:
        if len(value) != LIST_OCTETS[kind]:
            raise ValueError(f"value {value[:32].hex()} of {len(value)} octets for path attribute {kind}")


def _check_numbers(numbers: Iterable[int]) -> None:
    for number in numbers:
        if not 0 <= number < 1 << 32:
            raise ValueError(f"{number} does not fit into four octets")
