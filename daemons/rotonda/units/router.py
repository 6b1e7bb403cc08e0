"""A router without routes: follows caches, keeps the validated set, and answers what it would do."""

from __future__ import annotations

from collections.abc import Sequence
from time import time
from typing import Any

from twisted.application.service import MultiService
from twisted.logger import Logger

from rotonda import VERSION
from rotonda.rib.union import Union
from rotonda.units.link import WestLink
from rotonda.units.serving import new_history
from rotonda.views.shown import Link
from rotoro.net.endpoints import Connect
from rotoro.session.effects import Update
from rotoro.session.follower import follow_rpki
from rotoro.session.negotiation import Mode
from rotoro.table import AttributeStore, History


class RouterUnit:
    """The validated set of a daemon: the union of what its caches say."""

    log = Logger()
    name = "rotonda-router"
    version = VERSION

    def __init__(self, reactor: Any, caches: Sequence[Connect], mode: Mode) -> None:
        self.started = time()
        self.rpki = Union(new_history())
        store = AttributeStore()
        self.caches = [
            WestLink(reactor, cache, mode, follow_rpki, store, lambda ingress: ingress, self._take, lambda: None)
            for cache in caches
        ]

    def attach(self, parent: MultiService) -> None:
        """Follow when the daemon starts."""
        for cache in self.caches:
            cache.service.setServiceParent(parent)

    @property
    def history(self) -> History:
        """The table of RPKI data."""
        return self.rpki.history

    def links(self) -> Sequence[Link]:
        """The sessions with the caches."""
        return [cache.shown() for cache in self.caches]

    def missing(self) -> Sequence[str]:
        """Nothing, as soon as one cache has given its data."""
        return [] if self.history.ready else [cache.name for cache in self.caches]

    def _take(self, link: str, update: Update) -> None:
        changed = self.rpki.update(link, update.snapshot, update.diff)
        if changed is not None:
            count, total = changed.count, self.history.snapshot.count
            self.log.info("{link}: {count:,} changes; {total:,} records", link=link, count=count, total=total)
