"""A link of ours and a server of ours, with nothing but memory between them."""

from __future__ import annotations

from typing import Any

from rotonda.units.link import WestLink
from rotonda.units.serving import Serving
from twisted.internet.error import ConnectionDone

from tests.net.transports import PullTransport, connected


class Joined:
    """One connection of a link, which has asked its reactor for it, to a server."""

    def __init__(self, reactor: Any, link: WestLink, serving: Serving) -> None:
        factory = next(client[2] for client in reversed(reactor.tcpClients) if client[1] == link.service.to.where.port)
        self._ends = [connected(factory.buildProtocol(None)), connected(serving.factory.buildProtocol(None))]
        self.carry()

    def carry(self) -> None:
        """Bring octets from end to end until there are no more."""
        while any([self._carried(*self._ends), self._carried(*reversed(self._ends))]):
            pass

    def lose(self) -> None:
        """The connection is gone."""
        for end in self._ends:
            end.lose(ConnectionDone())

    def _carried(self, start: PullTransport, end: PullTransport) -> bool:
        start.pull()
        octets: bytes = start.value()
        start.clear()
        end.protocol.dataReceived(octets)
        return bool(octets)
