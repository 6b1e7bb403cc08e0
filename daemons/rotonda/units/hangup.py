"""SIGHUP, by which administrators and their tools say that files were renewed or moved away: certificates and tables
are read again, and logs are begun anew.

They are read again without it, too, when somebody connects after they have changed; this says at once whether they can
be used.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

from twisted.application.service import IServiceCollection, Service


class Hangup(Service):
    """Has all services beside and below it, those with TLS and those that can `reopen`, read their files again."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._before: Any = signal.SIG_DFL

    def startService(self) -> None:
        """From now on the signal does not end the daemon."""
        super().startService()
        self._before = signal.signal(signal.SIGHUP, lambda number, frame: self._reactor.callFromThread(self.renew))

    def stopService(self) -> None:
        """It means again what it meant before."""
        signal.signal(signal.SIGHUP, self._before)
        super().stopService()

    def renew(self) -> None:
        """Read the files again; what cannot be used changes nothing, and is told."""
        for service in _below(self.parent):
            tls = getattr(service, "tls", None)
            if tls is not None:
                tls.renew()
            reopen = getattr(service, "reopen", None)
            if reopen is not None:
                reopen()


def _below(service: Any) -> Iterator[Any]:
    yield service
    if IServiceCollection.providedBy(service):
        for each in service:
            yield from _below(each)
