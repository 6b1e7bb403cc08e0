"""Sets of path attributes in one normal form, each kept once and known by its number.

Whoever reads routes meets the same octets again and again. `Form.seen` remembers which number they have, so that a set
is looked at once, not once per route. All that depends on attributes - display, filters - is done once per number.

The normal form: attributes in ascending order of type; 4-octet AS numbers (RFC 6793); one next hop - NEXT_HOP for IPv4,
MP_REACH_NLRI without NLRI else; the extended length only where it is needed. What is not understood stays as it came.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from rotonda.bgp import as_path
from rotonda.bgp.attributes import (
    AGGREGATOR,
    AS4_AGGREGATOR,
    AS4_PATH,
    AS_PATH,
    EXACT_OCTETS,
    MP_REACH,
    MP_UNREACH,
    MULTIPLE_OF,
    NEXT_HOP,
    ORIGIN,
    Octets,
    parsed,
    written,
)
from rotonda.bgp.errors import Malformed, MalformedAttributes

SEEN_LIMIT = 1 << 20  # spellings of sets that one form remembers; more are looked at again


def never_quick(octets: bytes, six: bool) -> bytes | None:
    """No set is usual."""
    return None


class Form:
    """How a source writes its sets: `seen` says which number the octets have, `number` finds it when they are new."""

    def __init__(self, sets: AttributeSets, four_octet: bool, family: int, multiprotocol: bool) -> None:
        self.seen: dict[bytes, int] = {}
        self._writing = four_octet, family, multiprotocol
        self._six = family == 6
        self._quick = sets.quick if four_octet else never_quick
        self._number = sets.number

    def number(self, octets: bytes) -> int:
        """The number of these octets' normal form; `MalformedAttributes` when they have none."""
        normal = self._quick(octets, self._six)
        if normal is None:
            normal = normalised(octets, *self._writing)
        if len(self.seen) >= SEEN_LIMIT:
            self.seen.clear()
        number = self.seen[octets] = self._number(normal)
        return number


class AttributeSets:
    """Distinct attribute sets in normal form, numbered in order of first use.

    `quick` does what `normalised` does for the usual sets, and gives None for others.
    """

    def __init__(self, quick: Callable[[bytes, bool], bytes | None] = never_quick) -> None:
        self.quick = quick
        self.sets: list[bytes] = []
        self._numbers: dict[bytes, int] = {}

    def number(self, normal: bytes) -> int:
        """The number of a set that is in normal form already."""
        number = self._numbers.get(normal)
        if number is None:
            number = self._numbers[normal] = len(self.sets)
            self.sets.append(normal)
        return number

    def form(self, four_octet: bool, family: int, multiprotocol: bool) -> Form:
        """How a source writes sets for routes of `family`: with AS numbers of 4 or 2 octets, and with the next hop in
        MP_REACH_NLRI (`multiprotocol`) or, if there is one, in NEXT_HOP."""
        return Form(self, four_octet, family, multiprotocol)


def set_number(form: Form, octets: bytes) -> int:
    """The number of a set, looked at only if its octets are new."""
    number = form.seen.get(octets)
    return form.number(octets) if number is None else number


def normalised(octets: bytes, four_octet: bool, family: int, multiprotocol: bool) -> bytes:
    """A set in normal form, for the routes of one family; `MalformedAttributes` as RFC 7606 §7 tells."""
    try:
        attributes = parsed(octets)
        _check(attributes)
        _widen(attributes, four_octet)
        _one_next_hop(attributes, family, multiprotocol)
    except Malformed as fault:
        raise MalformedAttributes(fault.what, fault.octets) from fault
    return written(attributes)


def _check(attributes: Octets) -> None:
    for kind, (_, value) in attributes.items():
        if len(value) != EXACT_OCTETS.get(kind, len(value)) or len(value) % MULTIPLE_OF.get(kind, 1):
            raise Malformed(f"path attribute {kind} of {len(value)} octets", value)
    if attributes.get(ORIGIN, (0, b"\0"))[1] > b"\2":
        raise Malformed("undefined ORIGIN", attributes[ORIGIN][1])


def _widen(attributes: Octets, four_octet: bool) -> None:
    """Make all AS numbers four octets long. RFC 6793 §4.1: whoever writes four does not need the AS4 attributes."""
    path, new = attributes.get(AS_PATH), attributes.pop(AS4_PATH, None)
    aggregator, new_aggregator = attributes.get(AGGREGATOR), attributes.pop(AS4_AGGREGATOR, None)
    if four_octet:
        if path is not None:
            as_path.read(path[1], 4)
        return
    if aggregator is not None and len(aggregator[1]) == 6:
        number, address = aggregator[1][:2].rjust(4, b"\0"), aggregator[1][2:]
        if int.from_bytes(number) != as_path.AS_TRANS and new_aggregator is not None:
            new = None  # RFC 6793 §4.2.3: somebody who knows two octets only has aggregated since; both are out of date
        elif new_aggregator is not None and len(new_aggregator[1]) == 8:
            number, address = new_aggregator[1][:4], new_aggregator[1][4:]
        attributes[AGGREGATOR] = aggregator[0], number + address
    if path is not None:
        attributes[AS_PATH] = path[0], as_path.written(_whole_path(path[1], new))


def _whole_path(value: bytes, new: tuple[int, bytes] | None) -> as_path.AsPath:
    path = as_path.read(value, 2)
    try:
        return as_path.merged(path, as_path.read(new[1], 4)) if new is not None else path
    except Malformed:  # RFC 6793 §6: an AS4_PATH that cannot be read is left out
        return path


def _one_next_hop(attributes: Octets, family: int, multiprotocol: bool) -> None:
    """Leave only the next hop that belongs to the family, in the form that everybody writes."""
    attributes.pop(MP_UNREACH, None)
    flags, value = attributes.pop(MP_REACH, (0, None))
    if value is None or (NEXT_HOP in attributes and not multiprotocol):
        return
    afi, safi, hop = reach(value, family)
    if afi != (1 if family == 4 else 2):
        raise Malformed(f"next hop of AFI {afi} for a route of IPv{family}", value)
    attributes.pop(NEXT_HOP, None)
    if afi == 1 and len(hop) == 4:
        attributes[NEXT_HOP] = 0x40, hop
    else:
        attributes[MP_REACH] = flags, struct.pack(">HBB", afi, safi, len(hop)) + hop + b"\0"


def reach(value: bytes, family: int) -> tuple[int, int, bytes]:
    """AFI, SAFI and next hop of an MP_REACH_NLRI, written in full or from its length on, as RFC 6396 §4.3.4 has it."""
    if value and value[0]:  # the AFIs that are read here begin with 0, and no next hop has that length
        afi, safi, hop, length = 1 if family == 4 else 2, 1, value[1:], value[0]
        if len(hop) != length:
            raise Malformed(f"next hop of {length} octets in {len(hop)}", value)
    else:
        afi, safi, length = struct.unpack(">HBB", value[:4]) if len(value) > 4 else (0, 0, 256)
        hop = value[4 : 4 + length]
        if len(value) < 5 + length:
            raise Malformed("MP_REACH_NLRI is too short for its next hop", value)
    if afi in (1, 2) and safi in (1, 2) and length not in (4, 16, 32):
        raise Malformed(f"next hop of {length} octets", value)
    return afi, safi, hop
