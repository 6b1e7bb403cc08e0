"""Ports as services, ready to be given a parent."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.logger import Logger

from rotoro.net.endpoints import Listen, address_text


def listening(reactor: Any, at: Listen, factory: Any, what: str) -> StreamServerEndpointService:
    """A service that listens, and says in the log where; a port that cannot be had ends the start with its reason."""
    kind = TCP6ServerEndpoint if ":" in at.where.host else TCP4ServerEndpoint
    return _Listening(kind(reactor, at.where.port, interface=at.where.host), factory, what)


class _Listening(StreamServerEndpointService):
    """Says where it listens."""

    log = Logger()

    def __init__(self, endpoint: Any, factory: Any, what: str) -> None:
        super().__init__(endpoint, factory)
        self._raiseSynchronously = True
        self._what = what

    def privilegedStartService(self) -> None:
        """Listen."""
        super().privilegedStartService()
        waiting: Any = self._waitingForPort
        waiting.addCallback(self._told)

    def _told(self, port: Any) -> Any:
        self.log.info("listening on {where} ({what})", where=address_text(port.getHost()), what=self._what)
        return port
