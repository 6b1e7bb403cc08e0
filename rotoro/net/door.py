"""Who gets in: connections are refused, and wait for file descriptors, before anything is made for them.

Twisted, out of descriptors, takes what is waiting and closes it, line by line in the log, or spins if even that fails.
Here those who come wait in the kernel's queue until there is room again, and those who are in notice nothing.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from rotoro.net.endpoints import Network, address_text
from rotoro.net.limits import Counters, Quiet, source, within

PAUSE_SECONDS = 0.5
"""How long no connection is taken after there was no descriptor, or no memory, for one."""

REFUSED_AT_ONCE = 100
"""After so many refusals in a row others of the reactor get their turn."""

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

NOT_ALLOWED = "not among the networks that are allowed here"


class Door:
    """Stands before one listener: lets in who may come, as long as the factory has room."""

    log = Logger()

    def __init__(self, clock: IReactorTime, allow: tuple[Network, ...], factory: Any, what: str) -> None:
        self.counters: Counters = getattr(factory, "counters", None) or Counters()
        self.what = what
        """Where that is, as people wrote it."""
        self._clock, self._allow = clock, allow
        self._quiet: Quiet = getattr(factory, "quiet", None) or Quiet()
        self._room = getattr(factory, "no_room", lambda host: None)
        self._port: Any = None
        self._socket: Any = None
        self._again: IDelayedCall | None = None
        self._exhausted = False

    def guard(self, port: Any) -> None:
        """From now on, this port asks here."""
        if hasattr(port, "socket"):
            self._port, self._socket, port.socket = port, port.socket, self

    def close(self) -> None:
        """The port closes its socket: nobody comes any more."""
        if self._again is not None and self._again.active():
            self._again.cancel()
        if self._socket is not None:
            self._socket.close()

    def accept(self) -> tuple[Any, Any]:
        """The next who may come in, as of a socket. Raises BlockingIOError if there is none for now."""
        for _ in range(REFUSED_AT_ONCE):
            connection, address = self._accept()
            if self._admits(address):
                return connection, address
            connection.close()
        raise BlockingIOError(errno.EAGAIN, "others first")

    def __getattr__(self, name: str) -> Any:
        """In everything else, the socket."""
        return getattr(self._socket, name)

    def _accept(self) -> tuple[Any, Any]:
        try:
            accepted: tuple[Any, Any] = self._socket.accept()
        except OSError as wrong:
            if wrong.errno not in _EXHAUSTED:
                raise
            self._pause(wrong)
            raise BlockingIOError(errno.EAGAIN, "later") from None
        if self._exhausted:
            self._exhausted = False
            self.log.info("{what}: connections are accepted again", what=self.what)
        return accepted

    def _admits(self, address: Any) -> bool:
        host = address[0]
        if self._allow and not within(host, self._allow):
            why: str | None = NOT_ALLOWED
        else:
            why = self._room(host)
        if why is None:
            return True
        self.counters.refused[why] += 1
        more = self._quiet.worth((source(host), why), self._clock.seconds())
        if more is not None:
            kind = IPv6Address if ":" in host else IPv4Address
            peer = address_text(kind("TCP", host, address[1]))
            self.log.warn("{peer}: refused by {what}: {why}{more}", peer=peer, what=self.what, why=why, more=more)
        return False

    def _pause(self, wrong: OSError) -> None:
        """Let the others wait, and look again from time to time; said once."""
        if not self._exhausted:
            self._exhausted = True
            self.counters.pauses += 1
            self.log.warn("{what}: {why}: connections wait until there is room", what=self.what, why=wrong.strerror)
        self._port.pauseProducing()
        self._again = self._clock.callLater(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        if self._port.connected and not self._port.disconnecting:
            self._port.resumeProducing()
