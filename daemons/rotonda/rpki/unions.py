"""What several holders of RPKI data have together, looked at only where something changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.rpki.records import MAX_PROVIDERS, joined_providers
from rotoro.table import ASPA, OCTETS, Records, Slot, Snapshot
from rotoro.table.columns import distinct


def held_by_any(slot: Slot, holders: Sequence[Records], keys: NDArray[Any]) -> Records:
    """The records with these ascending keys that any of the holders has.

    A customer's ASPA names all providers that any holder's names: whom one of them lets pass is let pass. AS0 counts
    only where it is alone (draft-ietf-sidrops-8210bis-27 section 10). A customer with more of them than one PDU can
    name has none: see `left_out`.
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


def left_out(union: Snapshot, *holders: Snapshot) -> int:
    """How many customers have ASPAs with these holders and none in the union: those with too many providers."""
    customers = distinct(np.concatenate([Records.none(ASPA).keys, *(own.records(ASPA).keys for own in holders)]))
    return len(customers) - int(np.count_nonzero(union.records(ASPA).find(customers)[1]))


def left_out_in_words(customers: int) -> str | None:
    """The same for people; None if there is none."""
    return f"no ASPAs of {customers:,} customers with more than {MAX_PROVIDERS:,} providers" if customers else None
