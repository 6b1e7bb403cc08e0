"""A physical RIB: what all its wests say, kept. Two tables, one of routes and one of RPKI data, each with its
history.
"""

from __future__ import annotations

from collections.abc import Callable

from rotonda.rib.attributes_index import AttributesIndex
from rotonda.rib.union import Union
from rotoro.table import AttributeStore, Diff, History, PayloadSlot, Slot, Snapshot


class PhysicalRib:
    """The routes by prefix and ingress of all links, and the union of their RPKI data.

    All route slots must have this store of attributes. `history` makes the history of each of the two tables.
    """

    def __init__(self, name: str, attributes: AttributeStore, history: Callable[[], History]) -> None:
        self.name = name
        self.attributes = attributes
        self.index = AttributesIndex(attributes)
        self.routes = Union(history())
        self.rpki = Union(history())

    @property
    def tables(self) -> dict[str, History]:
        """Its tables by their names."""
        return {"rib": self.routes.history, "rpki": self.rpki.history}

    def update(self, link: str, snapshot: Snapshot, diff: Diff | None = None) -> tuple[Diff | None, Diff | None]:
        """What a link holds now, routes or RPKI data or both; returns what changed in either table.

        A table is asked only if the link holds or held such records. Where an empty table must count as data, call
        `routes.update` or `rpki.update`. Raises `Disputed`.
        """
        changed = []
        for union, payload in ((self.routes, False), (self.rpki, True)):
            held, own = _only(snapshot, payload), None if diff is None else _only_changes(diff, payload)
            changed.append(union.update(link, held, own) if held or link in union.links else None)
        return changed[0], changed[1]

    def forget(self, link: str) -> tuple[Diff | None, Diff | None]:
        """A link is gone for good."""
        return self.routes.forget(link), self.rpki.forget(link)


def _is_payload(slot: Slot) -> bool:
    return isinstance(slot, PayloadSlot)


def _only(snapshot: Snapshot, payload: bool) -> Snapshot:
    kept = {slot: records for slot, records in snapshot.items() if _is_payload(slot) == payload}
    return snapshot if len(kept) == len(snapshot) else Snapshot.of(kept)


def _only_changes(diff: Diff, payload: bool) -> Diff:
    kept = {slot: change for slot, change in diff.items() if _is_payload(slot) == payload}
    return diff if len(kept) == len(diff) else Diff.of(kept)
