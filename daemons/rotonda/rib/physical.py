"""A physical RIB: what all its wests say, kept. Two tables, one of routes and one of RPKI data, each with its
history; and the past of the routes, as far as its merge strategy keeps it.
"""

from __future__ import annotations

from collections.abc import Callable

from rotonda.rib.attributes_index import AttributesIndex
from rotonda.rib.merge import MergeStrategy
from rotonda.rib.past import Past
from rotonda.rib.union import Union
from rotoro.table import AttributeStore, Diff, History, RouteSlot


class PhysicalRib:
    """The routes by prefix and ingress of all links, and the union of their RPKI data.

    All route slots must have this store of attributes. `history` makes the history of each of the two tables. `clock`
    tells seconds since 1970; without one, it is as late as the latest route was received.
    """

    def __init__(
        self,
        name: str,
        attributes: AttributeStore,
        history: Callable[[], History],
        merge: MergeStrategy = MergeStrategy(),  # noqa: B008  # it is a value that never changes
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.name = name
        self.attributes = attributes
        self.index = AttributesIndex(attributes)
        self.routes = Union(history())
        self.rpki = Union(history())
        self.past = Past(attributes, merge)
        self._clock = clock
        self._latest: float = 0
        self.routes.history.subscribe(self._remember)

    @property
    def tables(self) -> dict[str, History]:
        """Its tables by their names."""
        return {"rib": self.routes.history, "rpki": self.rpki.history}

    def sweep(self, now: float) -> None:
        """It is this late: give up entries of the past that have left their window."""
        self.past.sweep(now)

    def _remember(self, diff: Diff) -> None:
        self._latest = max(self._latest, _latest_received(diff)) if self._clock is None else self._clock()
        self.past.feed(diff, self._latest)


def _latest_received(diff: Diff) -> int:
    times = [change.after.times for slot, change in diff.items() if isinstance(slot, RouteSlot)]
    return max((int(own.max()) for own in times if own is not None and len(own)), default=0)
