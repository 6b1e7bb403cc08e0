"""A BGP session on a TCP connection: does what the session says, and lets its owner write as fast as the peer reads."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rotonda.bgp.messages import Cease, Error, Fault
from rotonda.bgp.session import Closed, Effect, Send, Session, State, WakeAt
from rotoro.net.endpoints import address_text

SEND_HOLD_SECONDS = 480.0
"""How long a peer may read nothing at all, however lively it is else (RFC 9687)."""

LAST_WRITE_SECONDS = 10.0
"""How long the end of a session may take to be written."""

_DONE = Failure(ConnectionDone())


class Owner(Protocol):
    """Whose connection it is."""

    def told(self, connection: BgpConnection, effect: Effect) -> None:
        """The session says something that is not about the connection."""

    def heard(self, connection: BgpConnection) -> None:
        """All that came at once has been read."""

    def writable(self, connection: BgpConnection) -> None:
        """The peer takes more."""


@implementer(IPushProducer)
class BgpConnection(TwistedProtocol):
    """One connection; `incoming` if the peer began it."""

    log = Logger()
    transport: Any

    def __init__(self, clock: Any, session: Session, owner: Owner, wall: Any, *, incoming: bool) -> None:
        self.session = session
        self.incoming = incoming
        self.paused = False
        """Whether the peer has to read first."""
        self._held = False
        self._clock, self._owner, self._wall = clock, owner, wall
        self._wake: IDelayedCall | None = None
        self._stalled: IDelayedCall | None = None
        self._abort: IDelayedCall | None = None

    # --- what Twisted says -------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Begin."""
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        self._perform(self.session.connected(self._clock.seconds()))

    def dataReceived(self, data: bytes) -> None:
        """Read all that came."""
        self._perform(self.session.receive(data, self._clock.seconds(), int(self._wall())))
        self._owner.heard(self)

    def connectionLost(self, reason: Failure = _DONE) -> None:
        """The connection is gone."""
        for call in (self._wake, self._stalled, self._abort):
            if call is not None and call.active():
                call.cancel()
        self._perform(self.session.lost(f"connection lost: {reason.getErrorMessage()}"))

    def pauseProducing(self) -> None:
        """Enough waits to be written."""
        self.paused = True
        agreed = self.session.agreed
        patience = max(SEND_HOLD_SECONDS, 2.0 * agreed.hold_time if agreed is not None else 0.0)
        self._stalled = self._clock.callLater(patience, self._stall, patience)

    def resumeProducing(self) -> None:
        """All is written."""
        self.paused = False
        if self._stalled is not None and self._stalled.active():
            self._stalled.cancel()
        self._owner.writable(self)

    def stopProducing(self) -> None:
        """Nothing will be written any more."""
        self.paused = True

    # --- what its owner says -----------------------------------------------------------------------------------------

    @property
    def peer(self) -> str:
        """HOST:PORT of the other end."""
        return address_text(self.transport.getPeer())

    def write(self, octets: bytes) -> None:
        """Some messages."""
        self.transport.write(octets)

    def cease(self, subcode: Cease, why: str) -> None:
        """End the session."""
        self._perform(self.session.cease(subcode, why))

    def hold(self, on: bool) -> None:
        """Read nothing more from an established session, or read on; the hold timer does not run meanwhile."""
        if on and self.session.state is not State.ESTABLISHED:
            return
        if on or self._held:
            self.session.delayed(self._clock.seconds())
        if on is not self._held:
            self._held = on
            (self.transport.pauseProducing if on else self.transport.resumeProducing)()

    def _perform(self, effects: Any) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.transport.write(effect.octets)
            elif isinstance(effect, WakeAt):
                self._wake_at(effect.when)
            else:
                if isinstance(effect, Closed):
                    self._close()
                self._owner.told(self, effect)

    def _wake_at(self, when: float) -> None:
        if self._wake is not None and self._wake.active():
            self._wake.cancel()
        self._wake = self._clock.callLater(max(0.0, when - self._clock.seconds()), self._woken)

    def _woken(self) -> None:
        self._perform(self.session.wake(self._clock.seconds()))

    def _stall(self, patience: float) -> None:
        self._perform(self.session.fail(Fault(Error.SEND_HOLD_TIMER, 0, f"it has read nothing for {patience:g} s")))
        self.transport.abortConnection()

    def _close(self) -> None:
        if self._wake is not None and self._wake.active():
            self._wake.cancel()
        if self.transport.connected:
            self.transport.unregisterProducer()
            self.transport.loseConnection()
            self._abort = self._clock.callLater(LAST_WRITE_SECONDS, self.transport.abortConnection)
