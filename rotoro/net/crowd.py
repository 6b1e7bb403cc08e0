"""Many connections that the reactor sees as one: those of them that have something to say are read in one go.

A change makes thousands of routers ask in the same moment. What a reactor does around each event, a context for the log
above all, takes as long as reading a query, and is done once for all of them here. Only reading is taken over: a
connection that waits for room to write does so at the reactor itself.
"""

from __future__ import annotations

import select
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

AT_ONCE = 1024
"""So many connections are read before others of the reactor get their turn."""

HAS_EPOLL = hasattr(select, "epoll")


@implementer(IReadDescriptor)
class Crowd:
    """Stands between the reactor and the transports of one server.

    For the reactor it is one descriptor to be read, as long as there is a member; for its members it is the reactor.
    """

    log = Logger()

    def __init__(self) -> None:
        self._reactor: Any = None
        self._members: dict[int, Any] = {}
        """By descriptor: the transports that want to be read."""
        self._poll: Any = None

    def take_in(self, transport: Any) -> None:
        """From now on this transport of the reactor is read here."""
        transport.stopReading()
        self._reactor, transport.reactor = transport.reactor, self
        transport.startReading()

    def __getattr__(self, name: str) -> Any:
        """In everything else, the reactor."""
        return getattr(self._reactor, name)

    # --- the reactor, for its members --------------------------------------------------------------------------------

    def addReader(self, transport: Any) -> None:
        """A member wants to be read."""
        descriptor = transport.fileno()
        if self._members.get(descriptor) is transport:
            return
        if self._poll is None:
            self._poll = select.epoll()
            self._reactor.addReader(self)
        self._poll.register(descriptor, select.EPOLLIN)
        self._members[descriptor] = transport

    def removeReader(self, transport: Any) -> None:
        """A member is not to be read, for now or for good."""
        descriptor = transport.fileno()
        if self._members.get(descriptor) is not transport:
            return
        del self._members[descriptor]
        self._poll.unregister(descriptor)
        if not self._members:
            self._reactor.removeReader(self)
            self._poll.close()
            self._poll = None

    # --- a descriptor, for the reactor -------------------------------------------------------------------------------

    def fileno(self) -> int:
        """What becomes readable when a member is."""
        return -1 if self._poll is None else int(self._poll.fileno())

    def logPrefix(self) -> str:
        """Who this is, for the log."""
        return type(self).__name__

    def doRead(self) -> None:
        """Some members have something to say."""
        for descriptor, event in self._poll.poll(0, AT_ONCE):
            transport = self._members.get(descriptor)
            if transport is None:  # it went while others were read
                continue
            why: Any = None
            if event & select.EPOLLIN:
                try:
                    why = transport.doRead()
                except Exception as mistake:
                    self.log.failure("our mistake")
                    why = mistake
            else:
                why = ConnectionLost()
            if why:
                self._lose(transport, why)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor stops: so do its connections."""
        for transport in list(self._members.values()):
            transport.connectionLost(reason)

    def _lose(self, transport: Any, why: Exception) -> None:
        self.removeReader(transport)
        if isinstance(why, ConnectionDone):
            transport.readConnectionLost(Failure(why))
            return
        self._reactor.removeWriter(transport)
        transport.connectionLost(Failure(why))
