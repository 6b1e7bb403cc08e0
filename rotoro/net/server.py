"""Connections of routers and followers, what they are told, and how many of them there may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import Factory
from zope.interface import implementer

from rotoro.net.burst import Burst
from rotoro.net.crowd import HAS_EPOLL, Crowd
from rotoro.net.limits import DEFAULT_LIMITS, Buckets, Counters, Limits, Quiet, source, within
from rotoro.net.protocol import SessionProtocol
from rotoro.net.surroundings import Surroundings
from rotoro.session.base import Session
from rotoro.session.cache import GOODBYE_RESTART, CacheData, CacheSession
from rotoro.session.effects import Effect
from rotoro.session.negotiation import ALPN, serve
from rotoro.session.parameters import DEFAULT_PARAMETERS, Parameters
from rotoro.session.peer import ServingPeer
from rotoro.session.tables import WHOLE, Scope, ServedTable, ServedTables
from rotoro.wire.pdu import Pdu
from rotoro.wire.rotoro import Mode, Subscribe
from rotoro.wire.rtr import ResetQuery

TOO_MANY = "too many connections"
TOO_MANY_OF_ONE = "too many sessions from one address"


@implementer(IProtocolNegotiationFactory)
class ServerFactory(Factory):
    """Connections of routers and followers, on all ports of a server.

    Who has not shown yet that it speaks a protocol of ours makes room first; who has stays.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        tables: ServedTables,
        cache: CacheData,
        parameters: Parameters = DEFAULT_PARAMETERS,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.connections: set[SessionProtocol] = set()
        self.counters = Counters()
        self.limits = limits
        self.quiet = Quiet()
        """Which lines about peers the log has room for; shared by all who write there about those who connect."""
        self._clock = clock
        self._tables = tables
        self._cache = cache
        self._parameters = replace(parameters, parts=limits.parts_per_session)
        self._strangers: dict[SessionProtocol, None] = {}
        """Who has not shown yet that it speaks a protocol of ours, the eldest first."""
        self._of_source: Counter[str] = Counter()
        self._loads = Buckets(limits.full_loads_at_once, limits.full_loads_per_minute)
        self._burst = Burst()
        self._around = Surroundings(
            clock,
            choose=self._choose,
            toll=self._toll,
            met=self._met,
            gone=self._gone,
            limits=limits,
            counters=self.counters,
            quiet=self.quiet,
            burst=self._burst,
            crowd=Crowd() if HAS_EPOLL else None,
        )

    def buildProtocol(self, addr: IAddress | None) -> SessionProtocol:  # type: ignore[override]
        """A connection; `no_room` has been asked before."""
        whose = self._source(getattr(addr, "host", None))
        protocol = SessionProtocol(self._around)
        self.connections.add(protocol)
        self._strangers[protocol] = None
        if whose is not None:
            self._of_source[whose] += 1
        self.counters.accepted += 1
        return protocol

    def acceptableProtocols(self) -> list[bytes]:
        """What can be spoken on a port with TLS."""
        return list(ALPN)

    def no_room(self, host: str | None) -> str | None:
        """Why there is no room for one more connection of this host; None if there is, or if it could be made."""
        whose = self._source(host)
        if whose is not None and self._of_source[whose] >= self.limits.sessions_per_address:
            return TOO_MANY_OF_ONE
        if len(self.connections) >= self.limits.connections and not self._make_room():
            return TOO_MANY
        return None

    def changed(self) -> None:
        """A table that is served has a new state: tell whoever waits for it."""
        now = self._clock.seconds()
        self._tell_all(lambda session: session.changed(now))

    def catalogue_changed(self) -> None:
        """A table came or went."""
        self._tell_all(lambda session: session.catalogue_changed() if isinstance(session, ServingPeer) else [])

    def status_changed(self, table: ServedTable) -> None:
        """The unit behind a table fares differently."""
        self._tell_all(lambda session: session.status_changed(table) if isinstance(session, ServingPeer) else [])

    def goodbye(self, text: str, reason: int = GOODBYE_RESTART, retry: int = 0) -> None:
        """End all sessions in good order. To routers, any reason but a restart voids what they have from here."""
        self._tell_all(lambda session: session.goodbye(reason, retry, text))
        for protocol in list(self.connections):
            if protocol.session is None:
                protocol.shed(text)

    def _tell_all(self, what: Callable[[CacheSession | ServingPeer], list[Effect]]) -> None:
        for protocol in list(self.connections):
            if isinstance(protocol.session, CacheSession | ServingPeer):
                protocol.ask(partial(what, protocol.session))
                if self._burst.full:  # the first does not wait for thousands
                    self._burst.send()
        self._burst.send()

    def _choose(self, first: int) -> Session:
        return serve(first, self._tables, self._cache, self._parameters, self.limits.queries_waiting)

    # --- limits ------------------------------------------------------------------------------------------------------

    def _source(self, host: str | None) -> str | None:
        """Whom a connection counts for; None if it counts for nobody."""
        return None if within(host, self.limits.exempt) else source(host)

    def _make_room(self) -> bool:
        """Let go of the eldest connection that has not shown yet what it wants; whether there was one."""
        if not self._strangers:
            return False
        eldest = next(iter(self._strangers))
        self.counters.shed += 1
        eldest.shed("made room for others")
        self._forget(eldest)
        return True

    def _toll(self, protocol: SessionProtocol, pdu: Pdu, now: float) -> float:
        """How many seconds a PDU has to wait: whole tables, and what needs a walk over one, are rationed by source."""
        if not self._is_costly(pdu):
            return 0.0
        whose = self._source(protocol.host)
        return 0.0 if whose is None else self._loads.take(whose, now)

    def _is_costly(self, pdu: Pdu) -> bool:
        if isinstance(pdu, Subscribe):
            return pdu.mode != Mode.STREAM or Scope.of(pdu) != WHOLE
        return isinstance(pdu, ResetQuery) and self._cache.history.ready

    def _met(self, protocol: SessionProtocol) -> None:
        self._strangers.pop(protocol, None)

    def _gone(self, protocol: SessionProtocol) -> None:
        self._forget(protocol)
        counters = self.counters
        counters.octets_in += protocol.octets_in
        counters.octets_out += protocol.octets_out
        counters.pdus_in += protocol.pdus_in
        counters.queries += protocol.queries

    def _forget(self, protocol: SessionProtocol) -> None:
        if protocol not in self.connections:
            return
        self.connections.remove(protocol)
        self._strangers.pop(protocol, None)
        whose = self._source(protocol.host)
        if whose is not None:
            self._of_source[whose] -= 1
            if not self._of_source[whose]:
                del self._of_source[whose]
