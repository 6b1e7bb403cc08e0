"""What a merge strategy of the language is to a RIB: for routes, and for records of types that a file declares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rotonda.blocks.configs import MergeStrategy as Config
from rotonda.blocks.types import ROUTE, RecordType
from rotonda.filters.records import wire_type
from rotonda.rib.merge import ALWAYS, PEER_ID, MergeStrategy, MostRecent, Overwrite, WindowCount, WindowTime
from rotonda.rib.set_hashes import HashSets
from rotoro.table.digest import Hashes, octet_hashes
from rotoro.wire.typed import RecordType as WireType


def strategy_of(config: Config, record: RecordType) -> MergeStrategy:
    """A merge strategy as RIBs have it. Of a record, `hash_sets` hashes the fields."""
    hashed = config.hash if record == ROUTE else tuple(name for name in config.hash if name in (*ALWAYS, PEER_ID))
    return MergeStrategy(hashed, _overwrite(config))


def hash_sets(config: Config, record: RecordType) -> HashSets | None:
    """What hashes the chosen fields of the records that a store keeps as octets; None for routes."""
    if record == ROUTE:
        return None
    whole = wire_type(record)
    places = [place for place, field in enumerate(whole.fields) if field.name in config.hash]
    if len(places) == len(whole.fields):
        return octet_hashes
    if not places:
        return lambda sets: np.zeros(len(sets), np.uint64)
    chosen = WireType(whole.name, tuple(whole.fields[place] for place in places))

    def hashes(sets: Sequence[bytes]) -> Hashes:
        rows = map(whole.decode, sets)
        return octet_hashes(chosen.encode(tuple(row[place] for place in places)) for row in rows)

    return hashes


def _overwrite(config: Config) -> Overwrite:
    window = config.overwrite
    if window.count is not None:
        return WindowCount(window.count)
    return MostRecent() if window.seconds is None else WindowTime(window.seconds)
