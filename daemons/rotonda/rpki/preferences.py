"""Which of several caches are used, and which of them are asked at all (RFC 8210 section 10).

Caches of one preference belong together: all that they say is used. Those of the lowest number are asked first. The
next ones are asked when none of these has been in step for a while, and let go when one is again. What is used changes
only to caches that have told everything; until then what there is goes on being used, as long as it is good.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheState:
    """How a cache fares.

    `synced`: it is connected, and has told everything since it is. `holds`: there is data of it that has not expired.
    `failed`: it could not be reached, or said that something is wrong, and has told nothing since.
    """

    preference: int
    synced: bool
    holds: bool
    failed: bool


class Preferences:
    """Decides, for caches of these preferences, by how they fare; `patience` is in seconds."""

    def __init__(self, preferences: Collection[int], patience: float) -> None:
        self._ranks = sorted(set(preferences))
        self._patience = patience
        self._waiting: dict[int, float] = {}
        """Since when caches of a preference are asked and none of them, or of better ones, is in step."""
        self.used: int | None = None
        """The preference whose caches are used; None as long as there is no data, or none any more."""
        self.asked = self._ranks[0]
        """Caches up to this preference are to be connected."""

    def decide(self, caches: Collection[CacheState], now: float) -> None:
        """Look at all caches again."""
        self.used = self._best(caches)
        self.asked = self._last_to_ask(caches, now)

    def _best(self, caches: Collection[CacheState]) -> int | None:
        synced = [cache.preference for cache in caches if cache.synced]
        if synced:
            return min(synced)
        held = [cache.preference for cache in caches if cache.holds]
        return self.used if self.used in held else min(held, default=None)

    def _last_to_ask(self, caches: Collection[CacheState], now: float) -> int:
        waiting, self._waiting = self._waiting, {}
        for rank in self._ranks:
            own = [cache for cache in caches if cache.preference == rank]
            if any(cache.synced for cache in own):
                return rank
            self._waiting[rank] = waiting.get(rank, now)
            # Without any data there is nothing to lose by asking others as soon as these have failed.
            hopeless = self.used is None and all(cache.failed for cache in own)
            if now < self._waiting[rank] + self._patience and not hopeless:
                return rank
        return self._ranks[-1]
