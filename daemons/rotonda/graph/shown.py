"""What the API shows of the tables of a graph: each as a RIB that can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rotonda.blocks.types import RecordType
from rotonda.filters.records import from_wire, wire_type
from rotonda.filters.written import plain
from rotonda.graph.flows import Flow
from rotonda.graph.stages import PhysicalRibStage, Stage
from rotonda.rib.attributes_index import AttributesIndex, Mask, Origins
from rotonda.rib.communities import Community
from rotonda.rib.display import Shown
from rotonda.rib.past import Past
from rotoro.table import AttributeStore, History

NOTHING = History(0)
"""Stands where a table of RPKI data would; it is never ready."""


class RecordIndex(AttributesIndex):
    """The same for records of another type: there are no origins and no communities, only fields."""

    def __init__(self, store: AttributeStore, record: RecordType) -> None:
        super().__init__(store)
        self._record, self._wire, self._write = record, wire_type(record), plain(record)

    def display(self, octets: bytes) -> Shown:
        """The fields of a record."""
        shown: Shown = self._write(from_wire(self._record, self._wire.decode(octets)))
        return {name: value for name, value in shown.items() if value is not None}

    def origins(self) -> tuple[Origins, Mask]:
        """No record tells one."""
        count = len(self.store.octets)
        return np.zeros(count, np.uint32), np.zeros(count, np.bool_)

    def with_community(self, community: Community) -> Mask:
        """No record has one."""
        return np.zeros(len(self.store.octets), np.bool_)


@dataclass(frozen=True)
class ShownRib:
    """One table of a graph."""

    name: str
    index: AttributesIndex
    past: Past | None
    tables: Mapping[str, History]


class Shelf:
    """Makes what is shown, and keeps the index of each store."""

    def __init__(self) -> None:
        self._indexes: dict[int, AttributesIndex] = {}

    def of(self, stages: Mapping[str, Stage]) -> list[ShownRib]:
        """All tables of these stages; the indexes of stores that none of them has are given up."""
        shown = [self._shown(stage, stage.flow) for stage in stages.values() if stage.flow is not None]
        self._indexes = {id(rib.index.store): rib.index for rib in shown}
        return shown

    def _shown(self, stage: Stage, flow: Flow) -> ShownRib:
        past = stage.past if isinstance(stage, PhysicalRibStage) else None
        return ShownRib(stage.title, self._index(flow), past, {"rib": flow.history, "rpki": stage.history or NOTHING})

    def _index(self, flow: Flow) -> AttributesIndex:
        found = self._indexes.get(id(flow.store))
        if found is None or found.store is not flow.store:
            made = AttributesIndex(flow.store) if flow.is_of_routes else RecordIndex(flow.store, flow.record)
            found = self._indexes[id(flow.store)] = made
        return found
