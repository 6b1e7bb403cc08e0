"""Connections of routers and followers, and what they are told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from rotoro.net.endpoints import address_text
from rotoro.net.protocol import SessionProtocol
from rotoro.session.base import Session
from rotoro.session.cache import GOODBYE_RESTART, CacheData, CacheSession
from rotoro.session.effects import Effect
from rotoro.session.negotiation import serve
from rotoro.session.parameters import DEFAULT_PARAMETERS, Parameters
from rotoro.session.peer import ServingPeer
from rotoro.session.tables import ServedTable, ServedTables

MAX_CONNECTIONS = 4096


class ServerFactory(Factory):
    """Connections of routers and followers, on one port."""

    log = Logger()
    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        tables: ServedTables,
        cache: CacheData,
        parameters: Parameters = DEFAULT_PARAMETERS,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.connections: set[SessionProtocol] = set()
        self.refused = 0
        self._clock = clock
        self._tables = tables
        self._cache = cache
        self._parameters = parameters
        self._max = max_connections

    def buildProtocol(self, addr: IAddress | None) -> SessionProtocol | None:
        """A connection, if there is room for one more."""
        if len(self.connections) >= self._max:
            self.refused += 1
            self.log.warn("{peer}: refused, {n} connections are the limit", peer=address_text(addr), n=self._max)
            return None
        protocol = SessionProtocol(self._clock, choose=self._choose, gone=self.connections.discard)
        self.connections.add(protocol)
        return protocol

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

    def _tell_all(self, what: Callable[[CacheSession | ServingPeer], list[Effect]]) -> None:
        for protocol in list(self.connections):
            if isinstance(protocol.session, CacheSession | ServingPeer):
                protocol.ask(partial(what, protocol.session))

    def _choose(self, first: int) -> Session:
        return serve(first, self._tables, self._cache, self._parameters)
