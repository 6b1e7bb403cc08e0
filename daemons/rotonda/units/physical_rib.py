"""A RIB between its wests and its east: follows them, keeps what they say, and serves it on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rotonda import VERSION
from rotonda.http.views import Link
from rotonda.rib.ingresses import IngressRegistry, TooManyIngresses
from rotonda.rib.physical import PhysicalRib
from rotonda.rib.union import Disputed
from rotonda.units.link import WestLink
from rotonda.units.serving import SWEEP_SECONDS, Serving, new_history
from rotoro.net.endpoints import HostPort
from rotoro.session.bracket import Adopt
from rotoro.session.effects import Update
from rotoro.session.follower import follow_all
from rotoro.session.negotiation import Mode
from rotoro.table import AttributeStore, Ingress
from rotoro.wire.errors import LimitExceeded
from rotoro.wire.rotoro import RecordKind


class RibUnit:
    """The RIB of a daemon, as its links, its server and its API see it."""

    log = Logger()
    name = "rotonda-rib"
    version = VERSION

    def __init__(self, reactor: Any, name: str, wests: Sequence[HostPort], mode: Mode, listen: HostPort) -> None:
        self.started: float = reactor.seconds()
        self.ingresses = IngressRegistry()
        self.rib = PhysicalRib(name, AttributeStore(), new_history)
        self.serving = Serving(reactor, name, listen, self.rib.routes.history, self.rib.rpki.history)
        self.wests = [self._link(reactor, west, mode) for west in wests]
        self._sweeper = LoopingCall(self.sweep)
        self._sweeper.clock = reactor

    def start(self) -> None:
        """Begin to tidy up."""
        self._sweeper.start(SWEEP_SECONDS, now=False)

    def stop(self) -> None:
        """Tidy up no more."""
        if self._sweeper.running:
            self._sweeper.stop()

    def sweep(self) -> None:
        """Free attribute sets that nothing needs, unless something is coming that no table names yet."""
        if not any(west.receiving for west in self.wests):
            self.rib.attributes.sweep()

    # --- what the API shows ------------------------------------------------------------------------------------------

    def ribs(self) -> Sequence[PhysicalRib]:
        """The one RIB."""
        return [self.rib]

    def links(self) -> Sequence[Link]:
        """The sessions with the wests."""
        return [west.shown() for west in self.wests]

    def missing(self) -> Sequence[str]:
        """Wests whose first load is not complete."""
        return [west.name for west in self.wests if not west.complete]

    # --- what links say ----------------------------------------------------------------------------------------------

    def _link(self, reactor: Any, where: HostPort, mode: Mode) -> WestLink:
        adopt, name = self._adopter(str(where)), str(where)
        restarted = partial(self.ingresses.restarted, name)
        return WestLink(reactor, where, mode, follow_all, self.rib.attributes, adopt, self._take, self._told, restarted)

    def _adopter(self, link: str) -> Adopt:
        def adopt(described: Ingress) -> Ingress:
            try:
                return self.ingresses.adopt(link, described)
            except TooManyIngresses as wrong:
                raise LimitExceeded(str(wrong)) from None

        return adopt

    def _take(self, link: str, update: Update) -> None:
        union = self.rib.rpki if update.kind == RecordKind.RPKI else self.rib.routes
        try:
            changed = union.update(link, update.snapshot, update.diff)
        except Disputed as wrong:
            self.log.error("{link}: {wrong}", link=link, wrong=str(wrong))
            return
        if changed is not None:
            self.log.debug(
                "{link}: {count} changes, {position}", link=link, count=changed.count, position=update.position
            )
            self.serving.changed()

    def _told(self) -> None:
        """A link fares differently: so may our tables."""
        complete = not self.missing()
        problems = "; ".join(f"{west.name}: {west.last_error}" for west in self.wests if west.last_error)
        for table in (self.serving.routes, self.serving.rpki):
            if table is not None:
                self.serving.report(table, complete, problems)
