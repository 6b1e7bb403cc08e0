"""A table of RPKI data as what judges routes."""

from __future__ import annotations

from rotonda.rpki.validation import ValidatedSet
from rotoro.table import VRP4, VRP6, Snapshot


def validated_set(snapshot: Snapshot) -> ValidatedSet:
    """The VRPs of a table, ready to judge routes."""
    return ValidatedSet(snapshot.records(VRP4).keys, snapshot.records(VRP6).keys)
