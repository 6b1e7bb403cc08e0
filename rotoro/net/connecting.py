"""A client session as a service, ready to be given a parent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.internet import ClientService, backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from rotoro.net.endpoints import Connect
from rotoro.net.protocol import SessionProtocol
from rotoro.net.surroundings import Surroundings
from rotoro.net.tls import TlsClient
from rotoro.session.base import Session
from rotoro.session.effects import Effect, Note, Streamed, Update, WakeAt
from rotoro.session.negotiation import ClientSession

FIRST_RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 60.0
LONGEST_ABSENCE_SECONDS = 7200.0
"""No longer does a server keep us away, whatever it says: the longest Retry that RTR allows."""


class _ClientFactory(Factory):
    noisy = False

    def __init__(
        self, clock: IReactorTime, session: Session, tell: Callable[[Session, Effect], None], service: Connecting
    ) -> None:
        self._clock, self._session, self._tell, self._service = clock, session, tell, service

    def buildProtocol(self, addr: IAddress | None) -> SessionProtocol:  # type: ignore[override]
        protocol = SessionProtocol(Surroundings(self._clock, tell=self._tell), self._session)
        self._service.connected(protocol)
        return protocol


class _Telling:
    """An endpoint that tells why it could not connect, which `ClientService` keeps to itself."""

    def __init__(
        self,
        endpoint: HostnameEndpoint,
        failed: Callable[[Failure], Failure],
        tls: TlsClient | None,
        clock: IReactorTime,
    ) -> None:
        self._endpoint, self._failed, self._tls, self._clock = endpoint, failed, tls, clock

    def connect(self, factory: Factory) -> Any:
        if self._tls is None:
            return self._endpoint.connect(factory).addErrback(self._failed)
        made = self._endpoint.connect(self._tls.wrap(factory, self._clock))
        return made.addCallbacks(lambda transport: transport.wrappedProtocol, self._failed)

    def __repr__(self) -> str:
        return repr(self._endpoint)


class Connecting(Service):
    """One client session, connected again and again with back-off.

    The session outlives its connections, and so do its deadlines: data expires while a cache is away.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        to: Connect,
        session: ClientSession,
        tell: Callable[[Session, Effect], None],
        fresh: Callable[[], None] = lambda: None,
        *,
        at_once: bool = True,
    ) -> None:
        """With `at_once` it connects when the service starts, else only when it is told to `go`."""
        self.to = to
        self._going = at_once
        self._fresh = fresh
        self.session = session
        self.protocol: SessionProtocol | None = None
        session.peer = str(to)
        self._clock: IReactorTime = reactor
        self._consumer = tell
        self._wake: IDelayedCall | None = None
        self.tls = TlsClient(to.tls, str(to), to.where.host, session.offers, self._refused) if to.tls else None
        """What is known of TLS here; None without."""
        server = HostnameEndpoint(reactor, to.where.host, to.where.port, timeout=10)
        endpoint: Any = _Telling(server, self._absent, self.tls, reactor)
        self._backoff = backoffPolicy(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, 1.5)
        self._vain = 0
        """Connections in a row that brought no data."""
        self._why_absent = self._why_refused = ""
        self._client = ClientService(
            endpoint, _ClientFactory(reactor, session, self._tell, self), retryPolicy=self._delay, clock=reactor
        )

    def startService(self) -> None:
        """Connect, and stay connected."""
        super().startService()
        if self._going:
            self._client.startService()

    def go(self) -> None:
        """Connect, after `stand_by`."""
        if not self._going and self.running:
            self._client.startService()
        self._going = True

    def stand_by(self) -> None:
        """Be without a connection until `go`; what the session holds stays, until it expires."""
        if self._going and self.running:
            self._client.stopService()
        self._going = False

    def watch(self) -> None:
        """Give up in time what the session holds from an earlier life, though it may never be connected."""
        self._woken()

    def stopService(self) -> Any:
        """Disconnect for good."""
        super().stopService()
        gone = self._client.stopService()
        gone.addBoth(lambda _: self._sleep(None))
        return gone

    def connected(self, protocol: SessionProtocol) -> None:
        """A connection is being made; what the server's numbers meant on the one before is void."""
        self.protocol, self._why_absent = protocol, ""
        self._fresh()
        self._vain += 1

    def _absent(self, failure: Failure) -> Failure:
        """Say why there is no connection: once for each reason, as the attempts go on for as long as it takes."""
        why = failure.getErrorMessage()
        if why != self._why_absent and not failure.check(CancelledError, ConnectingCancelledError):
            self._why_absent = why
            self._complain(f"no connection: {why}")
        return failure

    def _refused(self, why: str) -> None:
        """TLS did not come about: the same, until there was data again."""
        if why != self._why_refused:
            self._why_refused = why
            self._complain(why)

    def _complain(self, text: str) -> None:
        self.log.warn("{where}: {text}", where=self.to, text=text)
        self._consumer(self.session, Note(text, warning=True))

    def _delay(self, attempts: int) -> float:
        """When to connect again: a server that takes connections and gives nothing is no better than none.

        What its goodbye wished, or Retry after a query that failed, holds for the first attempt after it; if that finds
        nobody there, or TLS does not come about, nothing was asked, and the back-off goes on as ever.
        """
        asked = attempts == 1 and self.protocol is not None and self.protocol.began
        wished = min(float(self.session.retry_seconds), LONGEST_ABSENCE_SECONDS) if asked else 0.0
        return max(self._backoff(max(attempts, self._vain)), wished)

    def _tell(self, session: Session, effect: Effect) -> None:
        """Without a connection the deadlines of the session are ours; everything else is the consumer's."""
        if isinstance(effect, WakeAt):
            self._sleep(effect.when)
        else:
            if isinstance(effect, Update | Streamed):
                self._vain, self._why_refused = 0, ""
            self._consumer(session, effect)

    def _sleep(self, when: float | None) -> None:
        if self._wake is not None and self._wake.active():
            self._wake.cancel()
        if when is not None:
            self._wake = self._clock.callLater(max(0.0, when - self._clock.seconds()), self._woken)

    def _woken(self) -> None:
        if self.protocol is None or not (self.protocol.connected and self.protocol.began):
            for effect in self.session.wake(self._clock.seconds()):
                self._tell(self.session, effect)
