"""A table of RPKI data as what judges routes and their paths."""

from __future__ import annotations

from collections.abc import Callable

from rotonda.rpki.aspas import AspaSet
from rotonda.rpki.validation import ValidatedSet
from rotoro.table import ASPA, VRP4, VRP6, Records, Snapshot


def validated_set(snapshot: Snapshot) -> ValidatedSet:
    """The VRPs of a table, ready to judge routes."""
    return ValidatedSet(snapshot.records(VRP4).keys, snapshot.records(VRP6).keys)


def aspa_set(snapshot: Snapshot) -> AspaSet:
    """The ASPAs of a table, ready to judge paths."""
    return _of_records(snapshot.records(ASPA))


def latest_aspa_set() -> Callable[[Snapshot], AspaSet]:
    """The same, made anew only if the ASPAs are not those of the call before: mostly it is VRPs that change."""
    made: list[tuple[Records, AspaSet]] = []

    def latest(snapshot: Snapshot) -> AspaSet:
        records = snapshot.records(ASPA)
        if not made or made[0][0] is not records:
            made[:] = [(records, _of_records(records))]
        return made[0][1]

    return latest


def _of_records(records: Records) -> AspaSet:
    values = records.columns[1]
    return AspaSet.of(records.keys, () if values is None else values.tolist())
