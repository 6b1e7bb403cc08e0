"""Questions about routes, answered from one snapshot.

An answer is first a `Part` of each slot - a span of rows, or some rows - which costs a few searches however large the
table is; only what depends on attributes looks at all rows of the spans. Rows are put in order for one page at a
time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.attributes_index import AttributesIndex
from rotonda.rib.communities import Community
from rotonda.rib.entries import Ended
from rotonda.rib.merged import merged
from rotonda.rib.page import CurrentPart, Page, Part, PastPart, first_routes
from rotonda.rib.past import Past
from rotonda.rib.places import Keys, Place
from rotonda.rib.prefixes import OCTETS, Prefix
from rotoro.table import Ingress, IngressState, Records, RouteSlot, Snapshot

DEFAULT_LIMIT = 100
MOST_ROUTES = 10_000
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]


class Match(StrEnum):
    """How the prefixes of routes relate to the one that is asked for."""

    EXACT = "exact"
    LONGEST = "longest"
    """The longest of those that cover it and that the rest of the question lets pass."""
    LONGER = "longer"
    SHORTER = "shorter"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked; everything that is given must be true of a route.

    `itself` says whether LONGER and SHORTER count the prefix itself; `history`, whether entries of the past are routes
    too. A status that only they can have asks for them by itself.
    """

    prefix: Prefix | None = None
    match: Match = Match.EXACT
    itself: bool = True
    family: int | None = None
    origin: int | None = None
    community: Community | None = None
    ingress: int | None = None
    peer_as: int | None = None
    peer_address: bytes | None = None
    status: IngressState | Ended | None = None
    history: bool = False

    @property
    def of_past(self) -> bool:
        """Whether entries of the past can be meant."""
        return isinstance(self.status, Ended) or (self.history and self.status is None)

    @property
    def mark(self) -> bytes:
        """What tells the cursors of this question from those of others."""
        return blake2b(repr(self).encode(), digest_size=4).digest()

    def concerns_family(self, family: int) -> bool:
        """Whether routes of this family can be meant."""
        return self.family in (None, family) and (self.prefix is None or self.prefix.family == family)

    def concerns(self, family: int, ingress: Ingress) -> bool:
        """Whether routes of this family from this ingress can be meant, whatever their status."""
        return (
            self.concerns_family(family)
            and (self.ingress is None or self.ingress == ingress.number)
            and (self.peer_as is None or self.peer_as == ingress.asn)
            and (self.peer_address is None or self.peer_address == ingress.address)
        )


def answer(
    snapshot: Snapshot,
    query: Query,
    index: AttributesIndex,
    present: Callable[[int], Ingress | None] = lambda number: None,
    past: Past | None = None,
) -> Results:
    """All routes that the query asks for, of the snapshot and of its past, if it has one.

    `present` tells how an ingress is now.
    """
    parts = _parts(snapshot, query, present, past)
    wanted = _wanted_sets(query, index)
    if wanted is not None:
        parts = [part.with_sets(wanted) for part in parts]
    parts = [part for part in parts if len(part)]
    return Results(query, tuple(_longest(parts) if query.match is Match.LONGEST and query.prefix else parts))


@dataclass(frozen=True)
class Results:
    """The routes that were asked for, not yet in order."""

    query: Query
    parts: tuple[Part, ...]

    @cached_property
    def count(self) -> int:
        """How many they are."""
        return sum(map(len, self.parts))

    def page(self, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page:
        """The first of them, or the first behind a cursor. Raises BadCursor, and ValueError for an impossible limit."""
        if not 1 <= limit <= MOST_ROUTES:
            raise ValueError(f"a limit of {limit} is not between 1 and {MOST_ROUTES}")
        behind = None if cursor is None else Place.read(cursor, self.query.mark)
        blocks, last = first_routes(self.parts, limit, behind)
        return Page(blocks, None if last is None else last.written(self.query.mark))


def _parts(snapshot: Snapshot, query: Query, present: Callable[[int], Ingress | None], past: Past | None) -> list[Part]:
    """What the query asks for, whatever the attributes."""
    bounds = None if query.prefix is None else _bounds(query.prefix, query.match, query.itself)
    if bounds is not None:
        snapshot = snapshot.narrowed(bounds)

    def ingress(slot: RouteSlot) -> Ingress:
        return present(slot.number) or slot.ingress

    def concerned(slot: RouteSlot) -> bool:
        return query.concerns(slot.family, ingress(slot))

    merges = past is not None and past.strategy.merges_peers
    looked_at = (lambda slot: query.concerns_family(slot.family)) if merges else concerned
    current = _current_parts(snapshot, bounds, looked_at)
    before = _past_parts(past, snapshot, bounds, looked_at) if past is not None and query.of_past else []
    if past is not None and merges:
        current, before = merged(current, before, past)
        current = [part for part in current if concerned(part.slot)]
        before = [part for part in before if query.of_past and concerned(part.slot)]
    if query.status is not None:
        current = [part for part in current if query.status == ingress(part.slot).state]
        before = [part.where(part.entries.states == query.status) for part in before]
    return [*current, *before]


def _current_parts(
    snapshot: Snapshot, bounds: Keys | None, looked_at: Callable[[RouteSlot], bool]
) -> list[CurrentPart]:
    return [
        CurrentPart(slot, records, range(len(records)) if bounds is None else _rows(records, bounds))
        for slot, records in snapshot.items()
        if isinstance(slot, RouteSlot) and looked_at(slot)
    ]


def _past_parts(
    past: Past, snapshot: Snapshot, bounds: Keys | None, looked_at: Callable[[RouteSlot], bool]
) -> list[PastPart]:
    slots = [slot for slot in past.slots if looked_at(slot)]
    return [PastPart(slot, past.entries(slot, snapshot.records(slot), bounds)) for slot in slots]


def _bounds(prefix: Prefix, match: Match, itself: bool) -> Keys:
    """The keys at which spans of rows that match begin, and then those before which they end; no spans overlap."""
    if match is Match.LONGER:
        lows, highs = [prefix.low if itself else prefix.high], [prefix.end]
    elif match is Match.EXACT:
        lows, highs = [prefix.low], [prefix.high]
    else:
        covering = [prefix.cut(length) for length in range(prefix.length + (itself or match is Match.LONGEST))]
        lows, highs = [cover.low for cover in covering], [cover.high for cover in covering]
    return np.frombuffer(b"".join(lows + highs), f"S{OCTETS[prefix.family] + 5}")


def _rows(records: Records, bounds: Keys) -> range | Rows:
    found = records.keys.searchsorted(bounds).tolist()
    count = len(found) // 2
    spans = [range(*span) for span in zip(found[:count], found[count:], strict=True) if span[0] < span[1]]
    if len(spans) < 2:
        return spans[0] if spans else range(0)
    return np.concatenate([np.arange(span.start, span.stop) for span in spans])


def _wanted_sets(query: Query, index: AttributesIndex) -> Mask | None:
    masks = []
    if query.origin is not None:
        masks.append(index.with_origin(query.origin))
    if query.community is not None:
        masks.append(index.with_community(query.community))
    return np.logical_and.reduce(masks) if masks else None


def _longest(parts: Sequence[Part]) -> list[Part]:
    """Of prefixes that all cover one, those of the longest length: in each part, it is that of its last rows."""
    longest = max((part.last.length for part in parts), default=0)
    return [part.of_last() for part in parts if part.last.length == longest]
