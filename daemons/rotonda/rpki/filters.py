"""Filters on RPKI data, applied to whole columns of records.

Prefixes are compared as octets: of those that a filter has, none lies inside another for the same AS, so that the last
one that begins at or before an address is the only one that can contain it. That one is found for all records at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Keys = NDArray[np.bytes_]
Octets = NDArray[np.uint8]

_WIDTH = {4: 4, 6: 16}
_BITS = np.clip(np.arange(129)[:, None] - np.arange(16) * 8, 0, 8)
_NETWORK = (0xFF00 >> _BITS).astype(np.uint8)
"""By prefix length: the octets of an address with the bits of the network set."""


@dataclass(frozen=True)
class PrefixFilters:
    """What RFC 8416 section 3.3.1 takes away: VRPs within a prefix, of an AS, or of an AS within a prefix.

    An entry is family, address, length and AS number; without a prefix the family is 0, without an AS it is None.
    """

    entries: frozenset[tuple[int, int, int, int | None]] = field(default_factory=frozenset)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.entries)

    def with_those_of(self, other: PrefixFilters) -> PrefixFilters:
        """Both."""
        return PrefixFilters(self.entries | other.entries)

    def kept(self, keys: Keys) -> Mask:
        """Which VRPs, as S10 or S22 keys, none of the filters takes away."""
        kept = np.ones(len(keys), np.bool_)
        if not self.entries or not len(keys):
            return kept
        octets = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), -1)
        family = 4 if octets.shape[1] == 10 else 6
        asns = np.ascontiguousarray(octets[:, -4:]).view(">u4").reshape(-1)
        kept[np.isin(asns, self._asns)] = False
        kept[self._within[family].contain(octets[:, :-6], octets[:, -5])] = False
        own = self._within_of_as[family]
        some = np.flatnonzero(kept & np.isin(asns, self._asns_with_prefix))
        leading = np.concatenate((octets[some, -4:], octets[some, :-6]), axis=1)
        kept[some[own.contain(leading, octets[some, -5])]] = False
        return kept

    @cached_property
    def _asns(self) -> NDArray[np.uint32]:
        return _numbers(asn for family, _, _, asn in self.entries if not family and asn is not None)

    @cached_property
    def _asns_with_prefix(self) -> NDArray[np.uint32]:
        return _numbers(asn for family, _, _, asn in self.entries if family and asn is not None)

    @cached_property
    def _within(self) -> dict[int, _Within]:
        return {family: self._of(family, False) for family in _WIDTH}

    @cached_property
    def _within_of_as(self) -> dict[int, _Within]:
        return {family: self._of(family, True) for family in _WIDTH}

    def _of(self, family: int, with_as: bool) -> _Within:
        own = ((asn, at, length) for kind, at, length, asn in self.entries if kind == family)
        width = _WIDTH[family]
        return _Within.of(
            width + 4 * with_as,
            (
                (b"" if asn is None else asn.to_bytes(4), at.to_bytes(width), length)
                for asn, at, length in own
                if (asn is not None) is with_as
            ),
        )


@dataclass(frozen=True, slots=True)
class _Within:
    """Prefixes, each with the octets that stand before its address (an AS number, or none)."""

    starts: Keys
    lengths: Octets

    @staticmethod
    def of(width: int, prefixes: Iterable[tuple[bytes, bytes, int]]) -> _Within:
        """The outermost of these."""
        kept: list[tuple[bytes, bytes, int]] = []
        for lead, address, length in sorted(prefixes):
            if not kept or kept[-1][0] != lead or not _inside(address, kept[-1][1], kept[-1][2]):
                kept.append((lead, address, length))
        starts = np.frombuffer(b"".join(lead + address for lead, address, _ in kept), f"S{width}")
        return _Within(starts, np.fromiter((length for _, _, length in kept), np.uint8, len(kept)))

    def contain(self, leading: Octets, lengths: Octets) -> Mask:
        """Which of some prefixes lie inside one of these; `leading` are their octets up to the end of the address."""
        inside = np.zeros(len(lengths), np.bool_)
        if not len(self.starts) or not len(lengths):
            return inside
        places = np.ascontiguousarray(leading).view(self.starts.dtype).reshape(-1)
        candidate = np.searchsorted(self.starts, places, side="right") - 1
        rows = np.flatnonzero((candidate >= 0) & (lengths >= self.lengths[candidate]))
        filters = candidate[rows]
        width = self.starts.dtype.itemsize
        differ = leading[rows] ^ self.starts.view(np.uint8).reshape(-1, width)[filters]
        lead = 4 if width in (8, 20) else 0
        alike = ~(differ[:, lead:] & _NETWORK[self.lengths[filters], : width - lead]).any(axis=1)
        inside[rows] = alike & ~differ[:, :lead].any(axis=1)
        return inside


def _inside(address: bytes, start: bytes, length: int) -> bool:
    host = 8 * len(start) - length
    return int.from_bytes(address) >> host == int.from_bytes(start) >> host


def _numbers(asns: Iterable[int]) -> NDArray[np.uint32]:
    return np.array(sorted(set(asns)), np.uint32)


def keys_without(keys: NDArray[np.object_], taken: frozenset[tuple[int | None, bytes | None]]) -> Mask:
    """Which router keys (SKI, length, key, AS number) are of none of these AS numbers, SKIs, or both at once."""
    if not taken:
        return np.ones(len(keys), np.bool_)
    parts = ((int.from_bytes(key[-4:]), key[:20]) for key in keys.tolist())
    return np.fromiter((not taken & {(asn, None), (None, ski), (asn, ski)} for asn, ski in parts), np.bool_, len(keys))


def aspas_without(customers: Keys, taken: frozenset[int]) -> Mask:
    """Which ASPAs, by their customers as S4 keys, are not of these customers."""
    return ~np.isin(np.ascontiguousarray(customers).view(">u4"), _numbers(taken))
