"""What queries ask of attribute sets, found once per set and not once per route: a companion of an `AttributeStore`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.communities import Community
from rotonda.rib.display import Shown, display
from rotonda.rib.origins import origins_of
from rotonda.rib.per_set import PerSet
from rotoro.table import AttributeStore

Mask = NDArray[np.bool_]
Origins = NDArray[np.uint32]

KEPT_DISPLAYS = 1 << 14


class AttributesIndex:
    """Origins of attribute sets by number, and the display form of the sets asked for last."""

    def __init__(self, store: AttributeStore, kept: int = KEPT_DISPLAYS) -> None:
        self.store = store
        self._display = lru_cache(kept)(display)
        self._of_sets = PerSet(store, _origins)

    def display(self, octets: bytes) -> Shown:
        """A set for people, not to be changed by them."""
        return self._display(octets)

    def origins(self) -> tuple[Origins, Mask]:
        """The origin AS of each set, and whether its path tells one (0 where not)."""
        count = len(self.store.octets)
        self._of_sets.prepare(np.arange(count, dtype=np.uint32))
        results: Origins = self._of_sets.results[:count].astype(np.uint32, copy=False)
        return results[:, 0], results[:, 1] > 0

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


def _origins(sets: Sequence[bytes]) -> NDArray[np.uint32]:
    """The origin of each set, and 1 if its path tells one."""
    origins, known = origins_of(sets)
    return np.stack((origins, known.astype(np.uint32)), axis=1)
