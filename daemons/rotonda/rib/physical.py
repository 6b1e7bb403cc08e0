"""A physical RIB: what all its wests say, kept. Two tables, one of routes and one of RPKI data, each with its
history.
"""

from __future__ import annotations

from collections.abc import Callable

from rotonda.rib.attributes_index import AttributesIndex
from rotonda.rib.union import Union
from rotoro.table import AttributeStore, History


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
