"""How many prefixes there are, however many ingresses tell of each.

That takes a look at every route, so it is done when somebody asks, and once for each state of a table.
"""

from __future__ import annotations

import numpy as np

from rotonda.rib.rows import prefix_keys
from rotoro.table import History, Position, RouteSlot, Snapshot


class PrefixCounts:
    """The distinct prefixes of a table by family, counted anew when it has moved on."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._counted: tuple[Position, dict[str, int]] | None = None

    def current(self) -> dict[str, int]:
        """The counts of now; none before there is data."""
        if not self.history.ready:
            return {}
        if self._counted is None or self._counted[0] != self.history.position:
            self._counted = self.history.position, distinct_prefixes(self.history.snapshot)
        return self._counted[1]


def distinct_prefixes(snapshot: Snapshot) -> dict[str, int]:
    """How many prefixes each family has; families without routes are left out."""
    counts = {}
    for family in (4, 6):
        own = [
            records.keys for slot, records in snapshot.items() if isinstance(slot, RouteSlot) and slot.family == family
        ]
        if own:
            prefixes = np.concatenate([prefix_keys(keys, family) for keys in own])
            prefixes.sort(kind="stable")  # merges what is sorted already: ten times as fast as the default here
            counts[f"ipv{family}"] = 1 + int(np.count_nonzero(prefixes[1:] != prefixes[:-1]))
    return counts
