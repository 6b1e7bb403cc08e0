"""A RIB between its wests and its east: follows them, keeps what they say, and serves it on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import time
from typing import Any

from twisted.application.service import MultiService
from twisted.logger import Logger

from rotonda import VERSION
from rotonda.rib.ingresses import IngressRegistry, TooManyIngresses
from rotonda.rib.physical import PhysicalRib
from rotonda.rib.union import Disputed
from rotonda.rpki.unions import left_out
from rotonda.units.keeping import KeepAt, Keeper
from rotonda.units.kept_links import parts_of, resume
from rotonda.units.link import WestLink
from rotonda.units.serving import SWEEP_SECONDS, Serving, new_history
from rotonda.units.timer import Timer
from rotonda.views.served import Served
from rotonda.views.shown import Link
from rotoro.net.endpoints import Connect, Listen
from rotoro.net.limits import DEFAULT_LIMITS, Limits
from rotoro.session.bracket import Adopt
from rotoro.session.effects import Update
from rotoro.session.follower import follow_all
from rotoro.session.negotiation import Mode
from rotoro.session.payload import DEFAULT_TIMERS, Timers
from rotoro.table import AttributeStore, Ingress
from rotoro.wire.errors import LimitExceeded
from rotoro.wire.pdu import RTR_VERSIONS
from rotoro.wire.rotoro import RecordKind


class RibUnit:
    """The RIB of a daemon, as its links, its server and its API see it."""

    log = Logger()
    name = "rotonda-rib"
    version = VERSION

    def __init__(
        self,
        reactor: Any,
        name: str,
        wests: Sequence[Connect],
        mode: Mode,
        listen: Listen | Sequence[Listen],
        limits: Limits = DEFAULT_LIMITS,
        timers: Timers = DEFAULT_TIMERS,
        versions: tuple[int, ...] = RTR_VERSIONS,
    ) -> None:
        self.started = time()
        self._clock = reactor.seconds
        self._ingresses = IngressRegistry()
        self._disputes: dict[str, str] = {}
        """Why what a link holds now was not taken, by the link."""
        self.rib = PhysicalRib(name, AttributeStore(), new_history, clock=time)
        histories = self.rib.routes.history, self.rib.rpki.history
        self.serving = Serving(reactor, name, listen, *histories, limits, timers, versions)
        self.wests = [self._link(reactor, west, mode) for west in wests]
        self._sweeper = Timer(self.sweep, reactor, SWEEP_SECONDS)

    def attach(self, parent: MultiService) -> None:
        """Serve, follow and tidy up when the daemon starts."""
        self.serving.attach(parent)
        for west in self.wests:
            west.service.setServiceParent(parent)
        self._sweeper.setServiceParent(parent)

    def keep(self, at: KeepAt) -> Keeper:
        """Keep the RPKI data on the disk, and what each west said of it."""
        names = [west.name for west in self.wests]
        return self.serving.keep(at, "rib", names, self._is_current, partial(parts_of, self.wests, self._clock))

    def restore(self) -> None:
        """Begin with what was kept, as far as it is good still; for the time before anything is started."""
        if self.serving.keeper is None:
            return
        parts = self.serving.keeper.restore()
        held = resume(self.wests, parts, self._clock(), time())
        if self.rib.rpki.history.ready:
            self.rib.rpki.resume({name: part.snapshot for name, part in held.items()})

    def _is_current(self) -> bool:
        """Whether the RPKI data is what some west says; what each has said expires by itself."""
        return any(west.synced for west in self.wests)

    def sweep(self) -> None:
        """Tidy up the past; free attribute sets that nothing needs, unless some come that no table names yet."""
        self.rib.sweep(time())
        if not any(west.receiving for west in self.wests):
            self.rib.attributes.sweep()

    # --- what the API shows ------------------------------------------------------------------------------------------

    @property
    def ingresses(self) -> IngressRegistry:
        """Where its routes come from; those of a west that is away are down."""
        for west in self.wests:
            self._ingresses.set_away(west.name, not west.connected)
        return self._ingresses

    def ribs(self) -> Sequence[PhysicalRib]:
        """The one RIB."""
        return [self.rib]

    def served(self) -> Served:
        """How its server fares."""
        return self.serving.served()

    def links(self) -> Sequence[Link]:
        """The sessions with the wests, and what of their RPKI data could not be joined."""
        return [self._shown(west) for west in self.wests]

    def _shown(self, west: WestLink) -> Link:
        link, union = west.shown(), self.rib.rpki
        held = [snapshot for name, snapshot in union.links.items() if name.startswith(f"{west.name} ")]
        link.left_out = left_out(union.history.snapshot, *held)
        return link

    def missing(self) -> Sequence[str]:
        """Wests whose first load is not complete."""
        return [west.name for west in self.wests if not west.complete]

    # --- what links say ----------------------------------------------------------------------------------------------

    def _link(self, reactor: Any, to: Connect, mode: Mode) -> WestLink:
        adopt, name = self._adopter(str(to)), str(to)
        restarted = partial(self._ingresses.restarted, name)
        return WestLink(reactor, to, mode, follow_all, self.rib.attributes, adopt, self._take, self._told, restarted)

    def _adopter(self, link: str) -> Adopt:
        def adopt(described: Ingress) -> Ingress:
            try:
                return self._ingresses.adopt(link, described)
            except TooManyIngresses as wrong:
                raise LimitExceeded(str(wrong)) from None

        return adopt

    def _take(self, link: str, update: Update) -> None:
        union = self.rib.rpki if update.kind == RecordKind.RPKI else self.rib.routes
        try:
            changed = union.update(link, update.snapshot, update.diff)
        except Disputed as wrong:
            self._disputes[link] = str(wrong)
            self.log.error("{link}: {wrong}", link=link, wrong=str(wrong))
            return
        self._disputes.pop(link, None)
        self.serving.touched()
        if changed is not None:
            self.log.debug(
                "{link}: {count} changes, {position}", link=link, count=changed.count, position=update.position
            )
            self.serving.changed()

    def _told(self) -> None:
        """A link fares differently: so may our tables."""
        complete = not self.missing()
        told = [f"{west.name}: {west.problem}" for west in self.wests if west.problem]
        problems = "; ".join([*told, *self._disputes.values()])
        for table in (self.serving.routes, self.serving.rpki):
            if table is not None:
                self.serving.report(table, complete, problems)
