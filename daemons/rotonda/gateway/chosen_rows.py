"""Which records of a table a client wants: found as spans of sorted columns, not row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.prefixes import BITS, OCTETS, Prefix
from rotonda.rib.query import Match
from rotoro.table import VRP4, VRP6, Records, RouteSlot, Slot

_VRP_FAMILIES = {VRP4: 4, VRP6: 6}


@dataclass(frozen=True)
class Wanted:
    """What must be true of a record. What a record cannot have - an ASPA a prefix - it does not fulfil.

    Of a prefix, `match` is EXACT, LONGER or SHORTER; the last two count the prefix itself.
    """

    prefix: Prefix | None = None
    match: Match = Match.EXACT
    family: int | None = None
    ingress: int | None = None
    peer_as: int | None = None
    peer: bytes | None = None

    def concerns(self, slot: Slot) -> bool:
        """Whether records of this slot can be meant."""
        if isinstance(slot, RouteSlot):
            own, family = slot.ingress, slot.family
            return self._of_family(family) and (
                self.ingress in (None, own.number)
                and self.peer_as in (None, own.asn)
                and self.peer in (None, own.address)
            )
        if self.ingress is not None or self.peer_as is not None or self.peer is not None:
            return False
        if slot in (VRP4, VRP6):
            return self._of_family(_VRP_FAMILIES[slot])
        return self.family is None and self.prefix is None

    def parts(self, slot: Slot, records: Records) -> Iterator[Records]:
        """The records of a slot, which is concerned, that are meant: in order, as views where that is possible."""
        if self.prefix is None:
            yield records
        elif isinstance(slot, RouteSlot):
            yield from (part for part, _ in _spans(records, self._route_bounds))
        else:
            bounds, lengths = self._vrp_spans
            for part, (shortest, longest) in _spans(records, bounds, lengths):
                own = _octet(part.keys, OCTETS[self.prefix.family] + 1)
                yield part.take((own >= shortest) & (own <= longest))

    def _of_family(self, family: int) -> bool:
        return self.family in (None, family) and (self.prefix is None or self.prefix.family == family)

    @cached_property
    def _covering(self) -> list[Prefix]:
        assert self.prefix is not None
        if self.match is not Match.SHORTER:
            return [self.prefix]
        return [self.prefix.cut(length) for length in range(self.prefix.length + 1)]

    @cached_property
    def _route_bounds(self) -> NDArray[Any]:
        """First and last key of each span: one below the other, in two columns."""
        own = self.prefix
        assert own is not None
        if self.match is Match.LONGER:
            pairs = [(own.low, own.end)]
        else:
            pairs = [(each.low, each.high) for each in self._covering]
        return np.array(pairs, f"S{OCTETS[own.family] + 5}")

    @cached_property
    def _vrp_spans(self) -> tuple[NDArray[Any], list[tuple[int, int]]]:
        """The same for VRPs, in which the longest length comes before the length: of each span of addresses the keys
        around it, and the lengths that are meant there."""
        own = self.prefix
        assert own is not None
        octets, above = OCTETS[own.family], b"\xff" * 6
        if self.match is Match.LONGER:
            pairs, lengths = [(own.address, own.end[:octets] + above)], [(own.length, BITS[own.family])]
        else:
            of_address: dict[bytes, list[int]] = {}
            for each in self._covering:
                of_address.setdefault(each.address, []).append(each.length)
            pairs = [(address, address + above) for address in of_address]
            lengths = [(each[0], each[-1]) for each in of_address.values()]
        return np.array(pairs, f"S{octets + 6}"), lengths


def _spans(records: Records, bounds: NDArray[Any], meant: Sequence[Any] = ()) -> Iterator[tuple[Records, Any]]:
    """The spans that are not empty, each with what is said of it."""
    starts, stops = records.keys.searchsorted(bounds[:, 0]), records.keys.searchsorted(bounds[:, 1])
    for start, stop, what in zip(starts.tolist(), stops.tolist(), meant or [None] * len(bounds), strict=True):
        if start < stop:
            yield records.take(slice(start, stop)), what


def _octet(keys: NDArray[Any], at: int) -> NDArray[np.uint8]:
    """One octet of each key."""
    octets = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), keys.dtype.itemsize)
    column: NDArray[np.uint8] = octets[:, at]
    return column
