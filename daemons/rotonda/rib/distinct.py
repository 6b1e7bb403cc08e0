"""How many prefixes there are, however many ingresses tell of each; that takes a look at every route."""

from __future__ import annotations

import numpy as np

from rotonda.rib.rows import prefix_keys
from rotoro.table import RouteSlot, Snapshot


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
