"""How a RIB merges what it hears of a route with what it heard before: values, as they are configured.

Two keys tell entries apart. The *session key* - family, ingress, prefix, path identifier - says what is current: BGP
replaces and withdraws by it. The *hash*, over fields that one chooses, says which entries are distinct. An update
with the hash of the current entry refreshes that entry. One with another hash begins a new entry, and the old one
becomes part of the past as replaced; a withdrawal makes it withdrawn. So the entries of a session key are a row in
the order of time, no two neighbours with the same hash unless a withdrawal lies between them. What stays of that row
is the other half of a strategy:

* `MostRecent`, the upsert: one entry for each hash. When a hash comes again, its entry in the past is overwritten.
* `WindowCount`: the newest entries, the current one included, whether or not their hashes repeat.
* `WindowTime`: entries of the past stay until the window has moved past the time at which they were received.

A current entry always stays. Every strategy has a bound of entries of each session key, so that nobody can fill the
memory by changing one route again and again.

Prefix, path identifier and, as a part of `peer_id`, the ingress always are in the hash, but for one case: a hash
without `peer_id`. Then what several ingresses say with the same hash - with the same prefix and path identifier - is
one entry. The route that was received last is shown as active; the others are shown as replaced since then, although
their sessions hold on to them, and one of them is active again if the last one goes. With `MostRecent`, an entry of
the past is overwritten by what any ingress says with its hash; windows belong to one session key each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rotonda.bgp.attributes import (
    AGGREGATOR,
    AS_PATH,
    ATOMIC_AGGREGATE,
    CLUSTER_LIST,
    COMMUNITIES,
    EXTENDED_COMMUNITIES,
    LARGE_COMMUNITIES,
    LOCAL_PREF,
    MED,
    MP_REACH,
    NEXT_HOP,
    ONLY_TO_CUSTOMER,
    ORIGIN,
    ORIGINATOR_ID,
)
from rotoro.table import Ingress

MOST_HASHES = 64
MOST_IN_TIME = 4096
MOST_ENTRIES = 1 << 16

ALWAYS = ("prefix", "path_id")
PEER_ID = "peer_id"

OF_INGRESS: Mapping[str, Callable[[Ingress], object]] = {
    "peer_as": lambda ingress: ingress.asn,
    "peer_asn": lambda ingress: ingress.asn,
    "peer_address": lambda ingress: ingress.address,
    "router_id": lambda ingress: ingress.bgp_id,
    "distinguisher": lambda ingress: ingress.distinguisher,
    "rib_view": lambda ingress: ingress.view,
}
"""What each field says of an ingress. It only counts in a hash without `peer_id`, which says all of that."""

OF_SETS: Mapping[str, tuple[int, ...]] = {
    "origin": (ORIGIN,),
    "as_path": (AS_PATH,),
    "next_hop": (NEXT_HOP, MP_REACH),
    "med": (MED,),
    "local_pref": (LOCAL_PREF,),
    "atomic_aggregate": (ATOMIC_AGGREGATE,),
    "aggregator": (AGGREGATOR,),
    "communities": (COMMUNITIES,),
    "extended_communities": (EXTENDED_COMMUNITIES,),
    "large_communities": (LARGE_COMMUNITIES,),
    "originator_id": (ORIGINATOR_ID,),
    "cluster_list": (CLUSTER_LIST,),
    "only_to_customer": (ONLY_TO_CUSTOMER,),
    "attributes": tuple(range(256)),
}
"""The path attributes that each field stands for; `attributes` stands for all of them."""

FIELDS = (*ALWAYS, PEER_ID, *OF_INGRESS, *OF_SETS)
DEFAULT_HASH = ("prefix", PEER_ID, "as_path")


def _check_entries(entries: int) -> None:
    if not 1 <= entries <= MOST_ENTRIES:
        raise ValueError(f"{entries} entries of each session key are not between 1 and {MOST_ENTRIES:,}")


@dataclass(frozen=True, slots=True)
class MostRecent:
    """One entry for each hash, of so many hashes for each session key; those that were current last stay."""

    entries: int = MOST_HASHES

    def __post_init__(self) -> None:
        _check_entries(self.entries)


@dataclass(frozen=True, slots=True)
class WindowCount:
    """The newest entries of each session key, so many of them with the current one."""

    entries: int

    def __post_init__(self) -> None:
        _check_entries(self.entries)


@dataclass(frozen=True, slots=True)
class WindowTime:
    """Entries that were received within so many seconds; never more than `entries` of one session key."""

    seconds: int
    entries: int = MOST_IN_TIME

    def __post_init__(self) -> None:
        _check_entries(self.entries)
        if self.seconds < 1:
            raise ValueError(f"a window of {self.seconds} seconds is shorter than one")


Overwrite = MostRecent | WindowCount | WindowTime


@dataclass(frozen=True, slots=True)
class MergeStrategy:
    """Which entries of a RIB are distinct, and which of them stay. Raises ValueError, naming a field that is unknown.

    >>> MergeStrategy().merges_peers, MergeStrategy(("prefix", "as_path"), WindowCount(5)).merges_peers
    (False, True)
    """

    hash: tuple[str, ...] = DEFAULT_HASH
    overwrite: Overwrite = MostRecent()

    def __post_init__(self) -> None:
        for name in self.hash:
            if name not in FIELDS:
                raise ValueError(f"routes have no field {name!r} to hash; there are {', '.join(FIELDS)}")

    @property
    def merges_peers(self) -> bool:
        """Whether what several ingresses say may be one entry."""
        return PEER_ID not in self.hash

    @property
    def attributes(self) -> frozenset[int]:
        """The path attributes that are hashed."""
        return frozenset(kind for name in self.hash for kind in OF_SETS.get(name, ()))

    def of_ingress(self, ingress: Ingress) -> tuple[object, ...]:
        """What the hash has of an ingress where `peer_id` is not part of it."""
        return tuple(OF_INGRESS[name](ingress) for name in sorted(self.hash) if name in OF_INGRESS)
