"""The tables of all units of an instance, as the gateway takes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from rotonda.gateway.table_stream import Table
from rotonda.gateway.words import Words
from rotonda.graph.shown import Shelf
from rotonda.http.rib_units import RPKI_WORDS
from rotonda.rib.ingresses import IngressRegistry
from rotoro.table import AttributeStore, History, Ingress

if TYPE_CHECKING:
    from rotonda.graph.instance import Instance


class GraphUnits:
    """Units of this instance by their names, and tables of others by the names that they have here."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._words: dict[int, tuple[AttributeStore, Words]] = {}

    @property
    def ingresses(self) -> IngressRegistry:
        """Where routes come from."""
        return self._instance.ingresses

    def names(self) -> Collection[str]:
        """All that have a table."""
        stages = self._instance.stages
        return [name for name, stage in stages.items() if stage.flow is not None or stage.history is not None]

    def tables(self, name: str) -> Mapping[str, Table]:
        """The tables of one of them."""
        stage = self._instance.stages[name]
        tables: dict[str, Table] = {}
        if stage.flow is not None:
            tables["rib"] = Table(name, "rib", stage.flow.record.name, stage.flow.history, self._words_of(name))
        if stage.history is not None:
            tables["rpki"] = Table(name, "rpki", "RPKI", stage.history, RPKI_WORDS)
        return tables

    def histories(self) -> Mapping[str, History]:
        """All tables of routes, those of connectors first."""
        flows = {
            name: stage.flow.history
            for name, stage in self._instance.stages.items()
            if stage.flow is not None and stage.flow.is_of_routes
        }
        first = [name for name in self.defaults() if name in flows]
        return {name: flows[name] for name in (*first, *flows)}

    def defaults(self) -> Collection[str]:
        """The connectors; where there are none, the tables of other instances."""
        instance = self._instance
        own = [
            name
            for name, planned in instance.plan.units.items()
            if planned.block.config.CATEGORY == "Connector"
            and (flow := instance.stages[name].flow) is not None
            and flow.is_of_routes
        ]
        return own or [stage.title for remote in instance.remotes.values() for stage in remote.stages.values()]

    def host_of(self, ingress: Ingress) -> str | None:
        """The unit that the name of an ingress begins with, or the first table of the instance that it comes from."""
        names = self._instance.stages
        own = ingress.name.partition(" ")[0]
        if own in names:
            return own
        link = self._instance.around.ingresses.link(ingress.number)
        return next((name for name in names if name.startswith(f"{link}.")), None)

    def _words_of(self, name: str) -> Words:
        """Those of the store that the table is of."""
        stages = self._instance.stages
        flow = stages[name].flow
        assert flow is not None
        store, found = self._words.get(id(flow.store), (None, None))
        if found is None or store is not flow.store:
            used = {id(stage.flow.store) for stage in stages.values() if stage.flow is not None}
            self._words = {key: own for key, own in self._words.items() if key in used}
            (shown,) = Shelf().of({name: stages[name]})
            found = Words(shown.index.display)
            self._words[id(flow.store)] = flow.store, found
        return found
