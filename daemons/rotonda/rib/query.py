"""Questions about routes, answered from one snapshot.

An answer is first a `Part` of each slot - a span of rows, or some rows - which costs a few searches however large the
table is; only what depends on attributes looks at all rows of the spans. Rows are put in order for one page at a
time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from rotonda.rib.attributes_index import AttributesIndex
from rotonda.rib.communities import Community
from rotonda.rib.page import Page, Part, first_routes
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

    `itself` says whether LONGER and SHORTER count the prefix itself.
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
    status: IngressState | None = None

    @property
    def mark(self) -> bytes:
        """What tells the cursors of this question from those of others."""
        return blake2b(repr(self).encode(), digest_size=4).digest()

    def concerns(self, family: int, ingress: Ingress) -> bool:
        """Whether routes of this family from this ingress can be meant."""
        return (
            (self.family is None or self.family == family)
            and (self.prefix is None or self.prefix.family == family)
            and (self.ingress is None or self.ingress == ingress.number)
            and (self.peer_as is None or self.peer_as == ingress.asn)
            and (self.peer_address is None or self.peer_address == ingress.address)
            and (self.status is None or self.status == ingress.state)
        )


def answer(
    snapshot: Snapshot,
    query: Query,
    index: AttributesIndex,
    present: Callable[[int], Ingress | None] = lambda number: None,
) -> Results:
    """All routes of the snapshot that the query asks for; `present` tells how an ingress is now."""
    return Results(query, tuple(_parts(snapshot, query, index, present)))


@dataclass(frozen=True)
class Results:
    """The routes that were asked for, not yet in order."""

    query: Query
    parts: tuple[Part, ...]

    @cached_property
    def count(self) -> int:
        """How many they are."""
        return sum(len(part.rows) for part in self.parts)

    def page(self, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page:
        """The first of them, or the first behind a cursor. Raises BadCursor, and ValueError for an impossible limit."""
        if not 1 <= limit <= MOST_ROUTES:
            raise ValueError(f"a limit of {limit} is not between 1 and {MOST_ROUTES}")
        behind = None if cursor is None else Place.read(cursor, self.query.mark)
        blocks, last = first_routes(self.parts, limit, behind)
        return Page(blocks, None if last is None else last.written(self.query.mark))


def _parts(
    snapshot: Snapshot, query: Query, index: AttributesIndex, present: Callable[[int], Ingress | None]
) -> Iterator[Part]:
    bounds = None if query.prefix is None else _bounds(query.prefix, query.match, query.itself)
    parts = []
    for slot, records in snapshot.items():
        if isinstance(slot, RouteSlot) and query.concerns(slot.family, present(slot.number) or slot.ingress):
            parts.append(Part(slot, records, range(len(records)) if bounds is None else _rows(records, bounds)))
    wanted = _wanted_sets(query, index)
    if wanted is not None:
        parts = [_with_sets(part, wanted) for part in parts]
    parts = [part for part in parts if len(part.rows)]
    return iter(_longest(parts) if query.match is Match.LONGEST and query.prefix is not None else parts)


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


def _with_sets(part: Part, wanted: Mask) -> Part:
    numbers, rows = part.records.values, part.rows
    assert numbers is not None
    if isinstance(rows, range):
        kept = rows.start + np.flatnonzero(wanted[numbers[rows.start : rows.stop]])
    else:
        kept = rows[wanted[numbers[rows]]]
    return Part(part.slot, part.records, kept)


def _longest(parts: list[Part]) -> list[Part]:
    """Of prefixes that all cover one, those of the longest length: in each part, it is that of its last rows."""
    lengths = [Prefix.of_key(part.records.key(int(part.rows[-1]))).length for part in parts]
    longest = max(lengths, default=0)
    return [_last_prefix(part) for part, length in zip(parts, lengths, strict=True) if length == longest]


def _last_prefix(part: Part) -> Part:
    keys = part.records.keys
    low = np.array([Prefix.of_key(part.records.key(int(part.rows[-1]))).low], keys.dtype)
    return part.behind(int(keys.searchsorted(low)[0]))
