"""Routes that routers show over BMP (RFC 7854), as a table that others follow.

A router is an ingress, and so is each of its peers in each view of its RIBs. Their routes go into the table in batches;
when a peer goes down, or the session with the router is lost, they are withdrawn. While rows wait for the table the
router is not read, so a router that says more than we can take waits, and nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv6Address, ip_address
from time import time
from typing import Any, Protocol

import numpy as np
from twisted.application.service import MultiService
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.protocol import Protocol as Connection
from twisted.logger import Logger
from twisted.python.failure import Failure

from rotonda.bgp.bmp import (
    BmpReader,
    Counts,
    Damage,
    Given,
    HandedOn,
    HandOn,
    Initiation,
    PeerDown,
    PeerUp,
    Termination,
)  # fmt: skip
from rotonda.bgp.openbmp import Framing, messages
from rotonda.bgp.raw import Accepts, accept_all
from rotonda.bgp.update import RouteBatch
from rotonda.rib.builder import TableBuilder
from rotonda.rib.ingresses import TooManyIngresses
from rotonda.units.bmp_proxy import Onwards, Proxy, ProxyCounters
from rotonda.units.timer import Timer
from rotonda.views.shown import Link
from rotoro.net.endpoints import Listen, address_text
from rotoro.net.limits import DEFAULT_LIMITS, Counters, Limits, Quiet, source, within
from rotoro.net.listening import listening
from rotoro.net.server import TOO_MANY, TOO_MANY_OF_ONE
from rotoro.table import (
    AttributeStore,
    Diff,
    History,
    Ingress,
    IngressKind,
    IngressState,
    RibView,
    RouteSlot,
    Slot,
    closing,
)

COMMIT_ROWS = 65_536
"""Rows that are put into the table at a time; until then the router is not read."""

QUIET_SECONDS = 0.05
"""How long after the last rows they are put into the table, if they are fewer."""

LONGEST_SECONDS = 1.0
"""How long rows may wait in all."""

COST_SHARE = 4
"""Rows wait at least so many times as long as the commit before them took."""

RENEW_OCTETS = 32 << 20
"""After so many octets a session forgets the attribute sets that it has met."""

LOOK_SECONDS = 2.0
"""How often deadlines are looked at."""

GONE_SHOWN = 64
"""Routers that are not connected any more, and are shown with the reason."""

BMP_VERSION = 3


class Registry(Protocol):
    """Numbers of ingresses for all units of a process, as `IngressRegistry` has them."""

    def adopt(self, link: str, described: Ingress) -> Ingress:
        """The ingress under its number in this process. Raises TooManyIngresses."""

    def restarted(self, link: str) -> None:
        """What the numbers of a link meant is void."""


@dataclass(frozen=True, slots=True)
class Raw:
    """To whom a connector gives each message behind an OpenBMP header, with the hash of its router; with `filtered`,
    only what its filter accepts."""

    collector: str
    send: Callable[[bytes, list[bytes]], object]
    filtered: bool = True


@dataclass(slots=True)
class BmpCounters(Counts):
    """What a connector has heard since it was made, and from how many."""

    sessions: int = 0
    """With routers, that are there now."""
    peers: int = 0
    """Of these routers, that are up now."""


class BmpConnector(MultiService):
    """Accepts BMP sessions, and makes a table of the routes in them.

    Nobody else may write to `history`, which is ready as soon as the service runs: routers that are not there have no
    routes. `registry` numbers the ingresses; `changed` is called after each commit that changed something. When the
    service stops the table stays as it is. `wall` gives seconds since 1970, for routes whose router tells no time.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        name: str,
        listen: Listen | Sequence[Listen],
        store: AttributeStore,
        history: History,
        registry: Registry,
        filter: Accepts = accept_all,
        changed: Callable[[], object] = lambda: None,
        proxy: Proxy | None = None,
        limits: Limits = DEFAULT_LIMITS,
        *,
        raw: Raw | None = None,
        commit_rows: int = COMMIT_ROWS,
        wall: Callable[[], float] = time,
    ) -> None:
        super().__init__()
        self.setName(name)
        self.title = name
        self.history, self.store, self.registry = history, store, registry
        self.accepts, self.proxy, self.limits, self.commit_rows = filter, proxy, limits, commit_rows
        self.reactor, self.wall, self.raw = reactor, wall, raw
        self.quiet = Quiet()
        self.proxied = ProxyCounters()
        self.connections = Counters()
        """What became of the connections of routers."""
        self._changed = changed
        self._ended = Counts()
        self.held = False
        """Whether routers are not read now."""
        self._sessions: dict[RouterSession, None] = {}
        self._gone: dict[str, Link] = {}
        factory = _Routers(self)
        places = [listen] if isinstance(listen, Listen) else listen
        self.ports = [listening(reactor, place, factory, f"BMP for {name}") for place in places]
        for port in self.ports:
            port.setServiceParent(self)
        Timer(self._look, reactor, LOOK_SECONDS).setServiceParent(self)

    def startService(self) -> None:
        """Let routers in."""
        if not self.history.ready:
            self.commit(Diff.of({}))
        super().startService()

    def stopService(self) -> Any:
        """Let all routers go; the table stays as it is."""
        stopping = super().stopService()
        for session in list(self._sessions):
            session.end("the connector stops", warn=False)
        return stopping

    # --- what is shown -----------------------------------------------------------------------------------------------

    @property
    def counters(self) -> BmpCounters:
        """What was heard, of sessions that ended and of those that are there."""
        total = BmpCounters(
            sessions=len(self._sessions), peers=sum(session.reader.up for session in self._sessions)
        )  # fmt: skip
        total.add(self._ended)
        for session in self._sessions:
            total.add(session.reader.counts)
        return total

    def shown(self) -> list[Link]:
        """The sessions with routers, then routers that are gone, with the reason."""
        return [*(session.shown() for session in self._sessions), *self._gone.values()]

    def hold(self, on: bool) -> None:
        """Read no router, or read on."""
        self.held = on
        for session in list(self._sessions):
            session.hold()

    def session(self) -> RouterSession:
        """A session for a connection that is being made."""
        return RouterSession(self)

    # --- what sessions do --------------------------------------------------------------------------------------------

    def commit(self, diff: Diff) -> None:
        """Move the table."""
        try:
            done = self.history.commit_diff(diff)
        except ExceptionGroup:  # the commit is done; it is those who listen that are broken
            self.log.failure("{name}: what follows this table failed", name=self.title)
            done = diff
        if done is not None:
            self._changed()

    def joined(self, session: RouterSession) -> str:
        """A session begins; returns the name that its ingresses are known by, that of no other session there is."""
        taken = {other.name for other in self._sessions}
        plain = f"{self.title} {session.host}"
        name, number = plain, 2
        while name in taken:
            name, number = f"{plain} #{number}", number + 1
        self._sessions[session] = None
        self._gone.pop(name, None)
        return name

    def left(self, session: RouterSession, link: Link) -> None:
        """A session has ended."""
        del self._sessions[session]
        self._ended.add(session.reader.counts)
        while len(self._gone) >= GONE_SHOWN:
            del self._gone[next(iter(self._gone))]
        self._gone[session.name] = link

    def no_room(self, host: str | None) -> str | None:
        """Why one more connection from there would be too much."""
        if len(self._sessions) >= self.limits.connections:
            return TOO_MANY
        whose = None if within(host, self.limits.exempt) else source(host)
        if whose is None:
            return None
        there = sum(source(session.host) == whose for session in self._sessions)
        return TOO_MANY_OF_ONE if there >= self.limits.sessions_per_address else None

    def say(self, session: RouterSession, about: str, text: object, *, warn: bool = True) -> None:
        """A line for the log, unless there were too many such about what comes from there."""
        more = self.quiet.worth((source(session.host), about), self.reactor.seconds())
        if more is not None:
            say = self.log.warn if warn else self.log.info
            say("{router}: {text}{more}", router=session.name, text=text, more=more)

    def _look(self) -> None:
        now = self.reactor.seconds()
        for session in list(self._sessions):
            session.look(now)


class _Routers(Factory):
    """Connections of routers; who may come in is asked by the door of the port."""

    noisy = False

    def __init__(self, connector: BmpConnector) -> None:
        self.limits, self.counters, self.quiet = connector.limits, connector.connections, connector.quiet
        self.no_room = connector.no_room
        self._connector = connector

    def buildProtocol(self, addr: IAddress | None) -> RouterSession:
        self.counters.accepted += 1
        return self._connector.session()


class RouterSession(Connection):
    """The session with one router."""

    transport: Any

    def __init__(self, connector: BmpConnector) -> None:
        self._connector = connector
        filtered = [each.filtered for each in (connector.proxy, connector.raw) if each is not None]
        handed = HandOn.NONE
        if filtered:
            handed = HandOn.ACCEPTED if all(filtered) else HandOn.ALL
        self.reader = BmpReader(connector.accepts, handed)
        self._framing: Framing | None = None
        self.name = self.host = self.peer = ""
        self._builder = self._new_builder()
        self._batches: list[RouteBatch] = []
        self._rows = 0
        """In these batches, which wait for the table."""
        self._void: dict[int, int] = {}
        """Sources whose session ended, and how many of the batches that wait are from before that."""
        self._onwards: Onwards | None = None
        self._described: dict[int, Ingress] = {}
        """Ingresses that are up, by the numbers they have here: 0 is the router, its sources follow."""
        self._slots: dict[tuple[int, int], RouteSlot] = {}
        self._commit_at: IDelayedCall | None = None
        self._waiting_since = self._last_cost = 0.0
        self._since = 0.0
        self._partial: tuple[int, float] | None = None
        """Where the message begins that is not whole yet, and since when that is so."""
        self._paused = self._over = self._stands = False
        self._problem: object = None

    # --- what Twisted calls ------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """A router is there."""
        connector, address = self._connector, self.transport.getPeer()
        self.host, self.peer = getattr(address, "host", "") or "", address_text(address)
        self._since = connector.reactor.seconds()
        self.name = connector.joined(self)
        connector.registry.restarted(self.name)
        for option in ("setTcpNoDelay", "setTcpKeepAlive"):  # or a router that is gone without a word stays for ever
            getattr(self.transport, option, lambda on: None)(True)
        if connector.proxy is not None:
            tell = partial(connector.say, self, "proxy")
            self._onwards = Onwards(connector.reactor, connector.proxy, tell, connector.proxied)
        if connector.raw is not None:
            self._framing = Framing(connector.raw.collector, _packed(self.host))
        connector.say(self, "session", f"connected from {self.peer}", warn=False)
        self.hold()

    def dataReceived(self, data: bytes) -> None:
        """Octets, cut anywhere."""
        if not self._over:
            for given in self.reader.receive(data, int(self._connector.wall())):
                self._take(given)
            self._schedule()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The router is gone, and its routes with it."""
        if not self._over:
            for given in self.reader.finish():
                self._take(given)
            self.end(f"connection lost: {reason.getErrorMessage()}")
        self._settle()

    # --- how a session goes ------------------------------------------------------------------------------------------

    def end(self, why: str, *, warn: bool = True) -> None:
        """Read nothing more, and hang up."""
        if self._over:
            return
        self._over, self._problem = True, why
        self._connector.say(self, "session", f"the session ends: {why}", warn=warn)
        self.transport.abortConnection()

    def hold(self) -> None:
        """Read nothing as long as rows have to get into the table first, or nobody may be read; else read on."""
        stands = self._paused or self._connector.held
        if stands is not self._stands and not self._over:
            self._stands = stands
            (self.transport.pauseProducing if stands else self.transport.resumeProducing)()

    def look(self, now: float) -> None:
        """Whether a deadline has passed; no octet that drips in prolongs it."""
        limits, begun = self._connector.limits, self.reader.partial
        if self._stands:
            self._since = now
        if not self.reader.counts.octets and now - self._since > limits.first_octet_seconds:
            self._late("first octet", f"nothing was said in {limits.first_octet_seconds:g} s")
        if begun is None or self._stands:
            self._partial = None
        elif self._partial is None or self._partial[0] != begun:
            self._partial = begun, now
        elif now - self._partial[1] > limits.pdu_seconds:
            self._late("PDU", f"the message at octet {begun} is not whole after {limits.pdu_seconds:g} s")

    def shown(self) -> Link:
        """The session for people."""
        connector = self._connector
        router = self.reader.router.name
        return Link(
            name=f"{self.name} ({router})" if router else self.name,
            peer=self.peer,
            state="down" if self._over else "up",
            mode="bmp",
            version=BMP_VERSION,
            records=sum(len(connector.history.snapshot.records(slot)) for slot in self._slots.values()),
            last_error=None if self._problem is None else str(self._problem),
        )

    def _late(self, what: str, why: str) -> None:
        self._connector.connections.late[what] += 1
        self.end(why)

    def _settle(self) -> None:
        """Withdraw what is left, and be forgotten."""
        connector = self._connector
        if self._commit_at is not None and self._commit_at.active():
            self._commit_at.cancel()
        if self._onwards is not None:
            self._onwards.stop()
        link = self.shown()
        if connector.running:
            self._withdraw(range(len(self.reader.sources)))
            self._down(list(self._described))
            link.records = 0
        connector.left(self, link)

    # --- what the reader gives ---------------------------------------------------------------------------------------

    def _take(self, given: Given) -> None:
        connector = self._connector
        if isinstance(given, RouteBatch):
            self._batches.append(given)
            self._rows += len(given)
        elif isinstance(given, HandedOn):
            self._hand_on(given)
        elif isinstance(given, Damage):
            self._problem = given
            if given.ends:
                self.end(str(given))
            else:
                connector.say(self, "damage", given)
        elif isinstance(given, Termination):
            self.end(f"the router says: {given.what}", warn=False)
        elif isinstance(given, Initiation | PeerUp | PeerDown):
            self._heed(given)

    def _hand_on(self, handed: HandedOn) -> None:
        proxy, raw = self._connector.proxy, self._connector.raw
        if self._onwards is not None and proxy is not None and (handed.accepted or not proxy.filtered):
            self._onwards.send(handed)
        if self._framing is not None and raw is not None and (handed.accepted or not raw.filtered):
            frame, now = self._framing.framed, self._connector.wall()
            raw.send(self._framing.key, [frame(message, now) for message in messages(handed)])

    def _heed(self, event: Initiation | PeerUp | PeerDown) -> None:
        connector = self._connector
        if self._onwards is not None:
            self._onwards.heed(event)
        if isinstance(event, Initiation):
            connector.say(self, "session", f"is {event.router.name or 'without a name'}", warn=False)
            return
        state = f"is down: {event.what}" if isinstance(event, PeerDown) else "is up"
        connector.log.debug("{router}: {peer} {state}", router=self.name, peer=event.peer, state=state)
        for number in event.closed:
            self._void[number] = len(self._batches)
        self._down([number + 1 for number in event.closed])

    def _withdraw(self, numbers: Container[int]) -> None:
        """What these sources have in the table is no more."""
        connector = self._connector
        keys = [key for key in self._slots if key[0] in numbers]
        snapshot = connector.history.snapshot
        slots: list[Slot] = [self._slots.pop(key) for key in keys]
        gone = {slot: closing(snapshot, slot) for slot in slots if slot in snapshot}
        if gone:
            connector.commit(Diff.of(gone))

    def _down(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            if (described := self._described.pop(number, None)) is not None:
                self._connector.registry.adopt(self.name, replace(described, state=IngressState.DOWN))

    # --- the table ---------------------------------------------------------------------------------------------------

    def _new_builder(self) -> TableBuilder:
        connector = self._connector
        return TableBuilder(connector.store, self.reader.sets, self._slot, lambda: connector.history.snapshot)

    def _slot(self, number: int, family: int) -> RouteSlot:
        slot = self._slots.get((number, family))
        if slot is None:
            ingress = self._ingress(number)
            slot = self._slots[number, family] = RouteSlot(4 if family == 4 else 6, ingress, self._connector.store)
        return slot

    def _ingress(self, number: int) -> Ingress:
        """A source as the process knows it. Raises TooManyIngresses."""
        if 0 not in self._described:
            name = self.reader.router.name
            self._adopt(Ingress(0, IngressKind.BMP, address=_packed(self.host), name=name))
        found, there = self.reader.sources[number], number + 1
        view = RibView[found.view.name]
        return self._adopt(
            Ingress(
                number=there,
                kind=IngressKind.BMP,
                address=b"" if view is RibView.LOC_RIB else found.peer.address,
                asn=found.peer.asn,
                bgp_id=found.peer.bgp_id,
                distinguisher=found.peer.distinguisher,
                view=view,
                parent=0,
                name=found.table,
            )
        )

    def _adopt(self, described: Ingress) -> Ingress:
        adopted = self._connector.registry.adopt(self.name, described)
        self._described[described.number] = described
        return adopted

    def _schedule(self) -> None:
        """See to it that the rows that wait get into the table: now if they are many, else soon."""
        if self._over or not (self._rows or self._void):
            return
        now = self._connector.reactor.seconds()
        if self._commit_at is None:
            self._waiting_since = now
        if self._rows >= self._connector.commit_rows:
            delay = 0.0
            self._paused = True
            self.hold()
        else:
            quiet = max(QUIET_SECONDS, COST_SHARE * self._last_cost)
            delay = max(0.0, min(now + quiet, self._waiting_since + max(LONGEST_SECONDS, quiet)) - now)
        if self._commit_at is None:
            self._commit_at = self._connector.reactor.callLater(delay, self._commit_due)
        else:
            self._commit_at.reset(delay)

    def _commit_due(self) -> None:
        self._commit_at = None
        try:
            self._commit()
        except Exception:  # nobody else must suffer
            self._connector.log.failure("{router}: its routes cannot be taken", router=self.name)
            self.end("its routes cannot be taken")
        if self._paused and not self._over:
            self._paused = False
            self.hold()

    def _commit(self) -> None:
        """Put what waits into the table: first what sources lost with their sessions, then what they said since."""
        if self._over:
            return
        connector = self._connector
        before = connector.reactor.seconds()
        waiting = _in_force(self._batches, self._void, len(self.reader.sources))
        if self._void:
            self._withdraw(self._void)
        self._batches, self._void, self._rows = [], {}, 0
        for batch in waiting:
            self._builder.add(batch)
        try:
            if waiting:
                connector.commit(self._builder.take())
        except TooManyIngresses as wrong:
            self.end(str(wrong))
            return
        self._last_cost = connector.reactor.seconds() - before
        if self.reader.counts.octets - self.reader.renewed_at > RENEW_OCTETS:
            self.reader.renew()
            self._builder = self._new_builder()


def _in_force(batches: list[RouteBatch], void: Mapping[int, int], sources: int) -> list[RouteBatch]:
    """Without rows of sources whose session ended after them; `void` has how many batches were there by then."""
    if not void:
        return batches
    ended = np.zeros(sources, np.int64)
    ended[list(void)] = list(void.values())
    kept = (batch.take(np.flatnonzero(ended[batch.peers] <= at)) for at, batch in enumerate(batches))
    return [batch for batch in kept if len(batch)]


def _packed(host: str) -> bytes:
    """The octets of a host's address; an IPv4 address may come in the clothes of IPv6."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return b""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).packed
