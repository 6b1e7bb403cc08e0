"""What attribute sets say, as columns: one row for each set.

The columns are made when they are asked for, once, for all sets together. Their answers are those of
`rotonda.bgp.attributes.decoded`: an attribute that cannot be read is absent, and a set that is not framed soundly has
no attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp.as_path import AS_SET
from rotonda.bgp.attributes import (
    AGGREGATOR,
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
    ORIGINATOR_ID,
    ORIGINS,
)
from rotonda.filters.lists import Column, Lists, Mask, Positions
from rotonda.rib.path_segments import PathSegments
from rotonda.rib.set_walk import Values, WalkedSets, runs, walked
from rotonda.rpki.path_tables import PathTable

_REACH_HEAD = 4  # AFI, SAFI and the length of the next hop


class NextHops(NamedTuple):
    """The global next hop of each set: its family, 4 or 6, or 0 for none; and its octets, 16 of uint8 a row.

    An IPv4 address stands in the first four.
    """

    families: NDArray[np.uint8]
    octets: NDArray[np.uint8]


class SetColumns:
    """The columns of these sets, which are in the normal form of `rotonda.bgp.sets`, or at least hoped to be."""

    def __init__(self, sets: Sequence[bytes]) -> None:
        self.sets = sets

    def __len__(self) -> int:
        return len(self.sets)

    @cached_property
    def origin(self) -> Column:
        """ORIGIN: 0, 1 or 2 (uint8), an index of `rotonda.bgp.attributes.ORIGINS`."""
        found = self._walked.values(ORIGIN)
        numbers = self._walked.read(found.starts, "u1").astype(np.int64)
        for at in np.flatnonzero(found.sizes != 1).tolist():
            start = int(found.starts[at])
            whole = int.from_bytes(self._walked.data[start : start + int(found.sizes[at])])
            numbers[at] = min(whole, len(ORIGINS))
        defined = numbers < len(ORIGINS)
        return self._column(found.rows[defined], numbers[defined].astype(np.uint8))

    @cached_property
    def origin_as(self) -> Column:
        """The AS that the route comes from (uint32), as origin validation takes it (RFC 6811 §2)."""
        return Column(*self._segments.origins())

    @cached_property
    def neighbour_as(self) -> Column:
        """The AS that the path begins with (uint32), confederations passed over; none where it begins with a set."""
        return Column(*self._segments.neighbours())

    @cached_property
    def path_length(self) -> Positions:
        """How long the path is for choosing routes: sets count once, confederations do not (RFC 5065 §5.3)."""
        return self._segments.hops()

    @cached_property
    def path_numbers(self) -> Lists:
        """All AS numbers of the path (uint32), neighbour first, also those in sets and of confederations."""
        return Lists(*self._segments.numbers())

    @cached_property
    def path_has_set(self) -> Mask:
        """Which paths have an AS_SET (RFC 9774)."""
        known = np.zeros(len(self), np.bool_)
        known[self._segments.rows[self._segments.kinds == AS_SET]] = True
        return known

    @cached_property
    def path_table(self) -> PathTable:
        """The paths as path verification takes them."""
        return self._segments.path_table()

    @cached_property
    def next_hop(self) -> NextHops:
        """The next hop, of NEXT_HOP or MP_REACH_NLRI."""
        hops = NextHops(np.zeros(len(self), np.uint8), np.zeros((len(self), 16), np.uint8))
        plain = self._exactly(NEXT_HOP, 4)
        self._put_hops(hops, plain.rows, plain.starts, 4)
        reach = self._walked.values(MP_REACH)
        reach = reach.only(reach.sizes >= _REACH_HEAD)
        told = self._walked.read(reach.starts + _REACH_HEAD - 1, "u1").astype(np.int64)
        lengths = np.minimum(told, reach.sizes - _REACH_HEAD)
        for octets, wanted in ((4, lengths == 4), (16, (lengths == 16) | (lengths == 32))):
            found = reach.only(wanted)
            self._put_hops(hops, found.rows, found.starts + _REACH_HEAD, octets)
        return hops

    @cached_property
    def med(self) -> Column:
        """MULTI_EXIT_DISC (uint32)."""
        return self._number(MED)

    @cached_property
    def local_pref(self) -> Column:
        """LOCAL_PREF (uint32)."""
        return self._number(LOCAL_PREF)

    @cached_property
    def atomic_aggregate(self) -> Mask:
        """Which sets have ATOMIC_AGGREGATE."""
        known = np.zeros(len(self), np.bool_)
        known[self._exactly(ATOMIC_AGGREGATE, 0).rows] = True
        return known

    @cached_property
    def aggregator_as(self) -> Column:
        """The AS of AGGREGATOR (uint32)."""
        return self._number(AGGREGATOR, 8)

    @cached_property
    def originator_id(self) -> Column:
        """ORIGINATOR_ID (RFC 4456), the address as a number (uint32)."""
        return self._number(ORIGINATOR_ID)

    @cached_property
    def only_to_customer(self) -> Column:
        """The AS of ONLY_TO_CUSTOMER (RFC 9234; uint32)."""
        return self._number(ONLY_TO_CUSTOMER)

    @cached_property
    def communities(self) -> Lists:
        """COMMUNITIES (RFC 1997) as numbers (uint32), the AS in the upper half."""
        return self._lists(COMMUNITIES, ">u4")

    @cached_property
    def extended_communities(self) -> Lists:
        """EXTENDED COMMUNITIES (RFC 4360) as numbers (uint64), the type in the uppermost octets."""
        return self._lists(EXTENDED_COMMUNITIES, ">u8")

    @cached_property
    def large_communities(self) -> Lists:
        """LARGE_COMMUNITY (RFC 8092) as octets (S12), which sort and compare as the numbers do; see `large_parts`."""
        return self._lists(LARGE_COMMUNITIES, "S12")

    @cached_property
    def _walked(self) -> WalkedSets:
        return walked(self.sets)

    @cached_property
    def _segments(self) -> PathSegments:
        return PathSegments.of(self._walked)

    def _exactly(self, kind: int, octets: int) -> Values:
        found = self._walked.values(kind)
        return found.only(found.sizes == octets)

    def _number(self, kind: int, octets: int = 4) -> Column:
        found = self._exactly(kind, octets)
        return self._column(found.rows, self._walked.numbers(found.starts))

    def _column(self, rows: Positions, numbers: NDArray[np.generic]) -> Column:
        column = Column(np.zeros(len(self), numbers.dtype), np.zeros(len(self), np.bool_))
        column.values[rows] = numbers
        column.known[rows] = True
        return column

    def _put_hops(self, hops: NextHops, rows: Positions, places: Positions, octets: int) -> None:
        hops.families[rows] = 4 if octets == 4 else 6
        parts = hops.octets.view(np.uint32)
        for part in range(4):
            parts[rows, part] = self._walked.read(places + 4 * part, "=u4") if 4 * part < octets else 0

    def _lists(self, kind: int, layout: str) -> Lists:
        width = np.dtype(layout).itemsize
        found = self._walked.values(kind)
        found = found.only(found.sizes % width == 0)
        starts, counts = np.zeros(len(self), np.int64), np.zeros(len(self), np.int64)
        starts[found.rows], counts[found.rows] = found.starts, found.sizes // width
        offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
        return Lists(self._walked.read(runs(starts, counts, width), layout), offsets)


def large_parts(values: NDArray[np.bytes_]) -> NDArray[np.uint32]:
    """Large communities as rows of three numbers: global administrator and two local parts."""
    return np.ascontiguousarray(values).view(">u4").reshape(-1, 3).astype(np.uint32)
