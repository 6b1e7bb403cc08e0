"""What queries ask of attribute sets, found once per set and not once per route.

A companion of an `AttributeStore`, which may give a number to another set: the hashes tell which numbers are to be
read again.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.communities import Community
from rotonda.rib.display import Shown, display
from rotonda.rib.origins import origins_of
from rotoro.table import AttributeStore

Mask = NDArray[np.bool_]
Origins = NDArray[np.uint32]

KEPT_DISPLAYS = 1 << 14


class AttributesIndex:
    """Origins of attribute sets by number, and the display form of the sets asked for last."""

    def __init__(self, store: AttributeStore, kept: int = KEPT_DISPLAYS) -> None:
        self.store = store
        self._display = lru_cache(kept)(display)
        self._hashes = np.empty(0, np.uint64)
        self._origins = np.empty(0, np.uint32)
        self._known = np.empty(0, np.bool_)

    def display(self, octets: bytes) -> Shown:
        """A set for people, not to be changed by them."""
        return self._display(octets)

    def origins(self) -> tuple[Origins, Mask]:
        """The origin AS of each set, and whether its path tells one (0 where not)."""
        self._refresh()
        return self._origins, self._known

    def with_origin(self, asn: int) -> Mask:
        """Which sets, by number, are of routes that this AS originates."""
        origins, known = self.origins()
        return np.asarray((origins == asn) & known)

    def with_community(self, community: Community) -> Mask:
        """Which sets, by number, have this community."""
        wanted = np.zeros(len(self.store.octets), np.bool_)
        likely = (number for number, octets in enumerate(self.store.octets) if community.octets in octets)
        for number in likely:
            wanted[number] = community.shown in self.display(self.store.octets[number]).get(community.field, ())  # type: ignore[operator]
        return wanted

    def _refresh(self) -> None:
        hashes, octets = self.store.hashes, self.store.octets
        before = len(self._hashes)
        reused = np.flatnonzero(hashes[:before] != self._hashes)
        if not len(reused) and len(hashes) == before:
            return
        stale = np.concatenate((reused, np.arange(before, len(hashes))))
        more = len(hashes) - before
        self._origins = np.pad(self._origins, (0, more))
        self._known = np.pad(self._known, (0, more))
        self._origins[stale], self._known[stale] = origins_of([octets[number] for number in stale.tolist()])
        self._hashes = hashes.copy()
