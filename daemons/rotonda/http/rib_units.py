"""The tables of a daemon with RIBs, as the gateway takes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rotonda.gateway.table_stream import Table
from rotonda.gateway.words import Words
from rotonda.rib.ingresses import IngressRegistry
from rotonda.views.shown import Rib, RibView
from rotoro.table import History, Ingress

RPKI_WORDS = Words(lambda octets: {})
"""Writes RPKI data, which has no attribute sets."""


class RibUnits:
    """Each RIB is a unit."""

    def __init__(self, view: RibView) -> None:
        self._view = view
        self._words: dict[str, Words] = {}

    @property
    def ingresses(self) -> IngressRegistry:
        """Where routes come from."""
        return self._view.ingresses

    def names(self) -> Collection[str]:
        """All RIBs."""
        return [rib.name for rib in self._view.ribs()]

    def tables(self, name: str) -> Mapping[str, Table]:
        """The tables of a RIB."""
        rib = next(rib for rib in self._view.ribs() if rib.name == name)
        return {
            kind: Table(name, kind, "Route", history, self._words_of(rib))
            if kind == "rib"
            else Table(name, kind, "RPKI", history, RPKI_WORDS)
            for kind, history in rib.tables.items()
        }

    def histories(self) -> Mapping[str, History]:
        """The routes of all RIBs."""
        return {rib.name: rib.tables["rib"] for rib in self._view.ribs()}

    def defaults(self) -> Collection[str]:
        """All of them."""
        return self.names()

    def host_of(self, ingress: Ingress) -> str | None:
        """A RIB hears all ingresses; of several, it is the first that tells."""
        return next(iter(self.names()), None)

    def _words_of(self, rib: Rib) -> Words:
        return self._words.setdefault(rib.name, Words(rib.index.display))
