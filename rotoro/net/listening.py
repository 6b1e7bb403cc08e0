"""Ports as services, ready to be given a parent."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.logger import Logger

from rotoro.net.door import Door
from rotoro.net.endpoints import Listen, address_text
from rotoro.net.limits import DEFAULT_LIMITS, Limits
from rotoro.net.tls import TlsListener, protocols_of

BACKLOG = 1024
"""How many connections may wait to be accepted: all routers come back at once after a restart."""


def listening(reactor: Any, at: Listen, factory: Any, what: str) -> Listening:
    """A service that listens, and says in the log where; a port that cannot be had ends the start with its reason."""
    limits: Limits = getattr(factory, "limits", DEFAULT_LIMITS)
    door = Door(reactor, at.allow, factory, str(at))
    tls = TlsListener(at.tls, str(at), protocols_of(factory)) if at.tls is not None else None
    factory = tls.wrap(factory, reactor, limits.handshake_seconds) if tls is not None else factory
    kind = TCP6ServerEndpoint if ":" in at.where.host else TCP4ServerEndpoint
    return Listening(kind(reactor, at.where.port, BACKLOG, at.where.host), factory, what, tls, door)


class Listening(StreamServerEndpointService):
    """Says where it listens."""

    log = Logger()

    def __init__(self, endpoint: Any, factory: Any, what: str, tls: TlsListener | None, door: Door) -> None:
        super().__init__(endpoint, factory)
        self._raiseSynchronously = True
        self._what = what
        self.tls = tls
        """What is known of TLS here; None without."""
        self.door = door

    def privilegedStartService(self) -> None:
        """Listen."""
        super().privilegedStartService()
        waiting: Any = self._waitingForPort
        waiting.addCallback(self._told)

    def _told(self, port: Any) -> Any:
        what = f"{self._what}, TLS" if self.tls is not None else self._what
        self.door.guard(port)
        self.log.info("listening on {where} ({what})", where=address_text(port.getHost()), what=what)
        return port
