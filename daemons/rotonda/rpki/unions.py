"""What several holders of RPKI data have together, looked at only where something changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.rpki.records import joined_providers
from rotoro.table import OCTETS, Records, Slot


def held_by_any(slot: Slot, holders: Sequence[Records], keys: NDArray[Any]) -> Records:
    """The records with these ascending keys that any of the holders has.

    A customer's ASPA names all providers that any holder's names: whom one of them lets pass is let pass. AS0 counts
    only where it is alone (draft-ietf-sidrops-8210bis-27 section 10).
    """
    found = [own.take(rows[there]) for own in holders if len(own) for rows, there in [own.find(keys)]]
    if len(found) == 1:
        return found[0]
    if slot.value_dtype is None:
        return Records.of(slot, np.concatenate([keys[:0], *(part.keys for part in found)]))
    values: dict[bytes, list[bytes]] = {}
    for part in found:
        for row, value in enumerate(part.columns[1].tolist() if part.columns[1] is not None else ()):
            values.setdefault(part.key(row), []).append(value)
    joined = {key: providers for key, lists in values.items() if (providers := joined_providers(lists))}
    return Records.of(slot, list(joined), np.fromiter(joined.values(), OCTETS, len(joined)))
