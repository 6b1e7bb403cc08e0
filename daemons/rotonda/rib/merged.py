"""One entry of what several ingresses say alike, for strategies whose hash has no `peer_id`.

Their tables stay as their sessions left them. Which of the routes with one hash is the active one is found out when
somebody asks, among those to the prefixes that are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.entries import MICROSECONDS, Ended, Entries, Mask, paths_of, prefixes_of
from rotonda.rib.merge import MostRecent
from rotonda.rib.page import CurrentPart, PastPart
from rotonda.rib.past import Past
from rotonda.rib.places import Keys
from rotoro.table import RouteSlot
from rotoro.table.columns import among
from rotoro.table.digest import Hashes, digest64, key_hashes


def merged(
    current: Sequence[CurrentPart], before: Sequence[PastPart], past: Past
) -> tuple[list[CurrentPart], list[PastPart]]:
    """The active routes of these, and the entries of the past with the routes that are not active.

    What is given must be all there is to its prefixes.
    """
    if not current:
        return [], _latest(before, [], past)
    hashes = [_hashes(past, part.slot, *part.columns[:2]) for part in current]
    active, replaced_at = _active(hashes, [part.columns[2] for part in current])
    chosen, demoted = [], []
    for part, mask, times in zip(current, active, replaced_at, strict=True):
        chosen.append(part.where(mask))
        demoted.append(_demoted(part.where(~mask), times[~mask]))
    return chosen, [*_latest(before, hashes, past), *(part for part in demoted if len(part))]


def _hashes(past: Past, slot: RouteSlot, keys: Keys, numbers: NDArray[np.uint32]) -> Hashes:
    """What is the same for rows that are one entry."""
    said = repr((slot.family, past.strategy.of_ingress(slot.ingress))).encode()
    return key_hashes(int.from_bytes(digest64(said)), keys, past.hashes.of(numbers))


def _active(hashes: list[Hashes], times: list[NDArray[np.uint32]]) -> tuple[list[Mask], list[NDArray[np.uint32]]]:
    """Which rows of each part were received last of their hash, and when those of the hash of each row were."""
    groups, received = np.concatenate(hashes), np.concatenate(times)
    order = np.lexsort((received, groups))
    last = np.ones(len(order), np.bool_)
    np.not_equal(groups[order][1:], groups[order][:-1], out=last[:-1])
    winners = order[last]
    active, replaced_at = np.zeros(len(order), np.bool_), np.empty(len(order), np.uint32)
    active[winners] = True
    replaced_at[order] = np.repeat(received[winners], np.diff(np.flatnonzero(last), prepend=-1))
    cuts = np.cumsum([len(own) for own in hashes])[:-1]
    return np.split(active, cuts), np.split(replaced_at, cuts)


def _demoted(part: CurrentPart, replaced_at: NDArray[np.uint32]) -> PastPart:
    """Routes that are current in their sessions, as entries that others have replaced at the end of a second."""
    keys, numbers, received, _, _ = part.columns
    prefixes, paths = prefixes_of(keys), paths_of(keys)
    ended = (replaced_at.astype(np.uint64) + np.uint64(1)) * np.uint64(MICROSECONDS) - np.uint64(1)
    states = np.full(len(keys), Ended.REPLACED, np.uint8)
    new = np.ones(len(keys), np.bool_)
    np.not_equal(prefixes[1:], prefixes[:-1], out=new[1:])
    order = np.lexsort((paths, ended, np.cumsum(new)))
    return PastPart(part.slot, Entries(prefixes, paths, numbers, received, ended, states).take(order))


def _latest(before: Sequence[PastPart], current: list[Hashes], past: Past) -> list[PastPart]:
    """The entries that no current route and no later entry of any ingress has overwritten."""
    if not before or not isinstance(past.strategy.overwrite, MostRecent):
        return list(before)
    groups = np.concatenate([_hashes(past, part.slot, *part.columns[:2]) for part in before])
    order = np.lexsort((np.concatenate([part.entries.ended for part in before]), groups))
    last = np.ones(len(order), np.bool_)
    np.not_equal(groups[order][1:], groups[order][:-1], out=last[:-1])
    kept = np.zeros(len(order), np.bool_)
    kept[order[last]] = True
    if current:
        kept &= ~among(groups, np.sort(np.concatenate(current)))
    cuts = np.cumsum([len(part) for part in before])[:-1]
    return [part.where(mask) for part, mask in zip(before, np.split(kept, cuts), strict=True) if mask.any()]
