"""Routes from and to BGP peers: one session with each, with a west half that learns and an east half that tells.

What all peers announce is one table, an ingress for each. What they are told is the best route of each prefix of
whatever table the graph leads back here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from ipaddress import ip_address, ip_network
from time import time
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.application.service import MultiService, Service
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from rotonda.bgp.raw import Accepts, accept_all
from rotonda.rib.best import Allowed, Choice
from rotonda.units.bgp_connection import BgpConnection
from rotonda.units.bgp_peer import BGP_PORT, Peer, PeerUnit, plain_address
from rotonda.units.serving import new_history
from rotonda.views.shown import Link
from rotoro.net.endpoints import HostPort, Listen
from rotoro.net.limits import Counters
from rotoro.net.listening import Listening, listening
from rotoro.table import AttributeStore, Diff, History, Ingress, Position

__all__ = ["BGP_PORT", "BgpConnector", "Mode", "Peer", "Topology"]

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 120.0
CONNECT_SECONDS = 10.0
CHOOSE_SECONDS = 0.05
"""How long changes wait for others before best routes are chosen; or ten times what that takes."""


class Topology(Enum):
    """Which halves a connector has."""

    WEST_EAST_SPLIT = "WestEastSplit"
    WEST_ONLY = "WestOnly"
    EAST_ONLY = "EastOnly"


class Mode(Enum):
    """Who begins connections: the peers, or we, who then take those of peers too if there is a place to listen at."""

    PASSIVE = "PASSIVE"
    ACTIVE = "ACTIVE"


class BgpConnector(MultiService):
    """BGP with some peers; `history` is the table of what they announce.

    `adopt` gives an ingress its number among those of the process. Nobody may write in `history` but this unit, and
    whoever owns `store` sweeps it. Raises ValueError for a configuration that cannot be.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        name: str,
        listen: HostPort | None,
        my_asn: int,
        my_bgp_id: int,
        peers: Sequence[Peer],
        *,
        store: AttributeStore,
        history: History | None = None,
        hold_time: int = 90,
        topology: Topology = Topology.WEST_EAST_SPLIT,
        mode: Mode = Mode.PASSIVE,
        adopt: Callable[[Ingress], Ingress] = lambda ingress: ingress,
        west_filter: Accepts = accept_all,
        wall: Callable[[], float] = time,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        _check(name, listen, my_asn, my_bgp_id, peers, hold_time, mode)
        self.setName(name)
        self.clock, self.wall = reactor, wall
        self.my_asn, self.my_bgp_id, self.hold_time = my_asn, my_bgp_id, hold_time
        self.west_filter, self.store, self.adopt, self.changed = west_filter, store, adopt, changed
        learns, tells = topology is not Topology.EAST_ONLY, topology is not Topology.WEST_ONLY
        self.history = (new_history() if history is None else history) if learns else None
        self.best = new_history() if tells else None
        self.counters = Counters()
        """Who was refused, and why."""
        self.peers = [PeerUnit(self, peer, number) for number, peer in enumerate(peers)]
        self._by_address = {plain_address(unit.peer.address): unit for unit in self.peers}
        self._choosing: _Choosing | None = None
        self.listening: Listening | None = None
        """The port; None if there is none."""
        if listen is not None:
            allow = tuple(ip_network(address) for address in self._by_address)
            self.listening = listening(reactor, Listen(listen, allow=allow), _Incoming(self), f"BGP, {name}")
            self.listening.setServiceParent(self)
        if mode is Mode.ACTIVE:
            for unit in self.peers:
                _Calling(reactor, unit).setServiceParent(self)

    def announce(self, history: History, allowed: Allowed | None = None) -> None:
        """Tell the peers of the best routes of this table, of those that `allowed` leaves; from now on, and instead of
        what was told before. Raises ValueError if there is no east half."""
        if self.best is None:
            raise ValueError(f"{self.name} learns only: its topology is WestOnly")
        if self._choosing is not None:
            self._choosing.stop()
        self._choosing = _Choosing(self.clock, history, self.best, allowed, self._pump)

    def stopService(self) -> Any:
        """Tell the peers that this is the end."""
        if self._choosing is not None:
            self._choosing.stop()
        for unit in self.peers:
            unit.stop()
        return super().stopService()

    def hold(self, on: bool) -> None:
        """Read nothing from the peers, or read on."""
        for unit in self.peers:
            unit.hold(on)

    def unit(self, host: str) -> PeerUnit | None:
        """The peer with this address."""
        return self._by_address.get(plain_address(host))

    def shown(self) -> list[Link]:
        """How the sessions fare."""
        return [unit.shown() for unit in self.peers]

    def missing(self) -> list[str]:
        """Peers that have not told all that they have."""
        return [unit.peer.title for unit in self.peers if self.history is not None and not unit.complete]

    def _pump(self) -> None:
        for unit in self.peers:
            unit.pump()


def _check(
    name: str | None, listen: HostPort | None, asn: int, bgp_id: int, peers: Sequence[Peer], hold_time: int, mode: Mode
) -> None:
    addresses = [plain_address(peer.address) for peer in peers]
    wrong = (
        ("no peers", not peers),
        ("two peers with one address", len(set(addresses)) < len(addresses)),
        (f"my_asn {asn}", not 0 < asn < 1 << 32),
        (f"my_bgp_id {bgp_id}", not 0 < bgp_id < 1 << 32),
        (f"hold_time {hold_time}: 0, or 3 to 65535 seconds", hold_time != 0 and not 3 <= hold_time <= 65535),
        ("PASSIVE, and no place to listen at", mode is Mode.PASSIVE and listen is None),
        *((f"{peer.title}: asn {peer.asn}", not 0 < peer.asn < 1 << 32) for peer in peers),
        *((f"{peer.title}: next_hop4 or next_hop6 of another family", not _hops_fit(peer)) for peer in peers),
        *((f"{peer.title}: families {set(peer.families)}", not set() < peer.families <= {4, 6}) for peer in peers),
    )
    for what, is_so in wrong:
        if is_so:
            raise ValueError(f"{name}: {what}")


def _hops_fit(peer: Peer) -> bool:
    hops = (peer.next_hop4, 4), (peer.next_hop6, 6)
    return all(hop is None or ip_address(hop).version == version for hop, version in hops)


class _Incoming(Factory):
    """Takes connections of peers; `Door` has refused those of others."""

    noisy = False

    def __init__(self, connector: BgpConnector) -> None:
        self.counters = connector.counters
        self._connector = connector

    def no_room(self, host: str) -> str | None:
        """Why that peer may not come in now."""
        unit = self._connector.unit(host)
        return "it had too many routes" if unit is not None and unit.shut_out else None

    def buildProtocol(self, addr: Any) -> BgpConnection | None:
        unit = self._connector.unit(addr.host)
        if unit is None:
            return None
        self.counters.accepted += 1
        return unit.connection(incoming=True)


class _Outgoing(Factory):
    noisy = False

    def __init__(self, unit: PeerUnit) -> None:
        self._unit = unit

    def buildProtocol(self, addr: object) -> BgpConnection:
        return self._unit.connection(incoming=False)


class _Calling(Service):
    """Connects to one peer again and again, with back-off, as long as there is no session."""

    def __init__(self, reactor: Any, unit: PeerUnit) -> None:
        self._reactor, self._unit = reactor, unit
        self._backoff = backoffPolicy(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, 1.5)
        self._vain = 0
        """Attempts since there was a session."""
        self._sessions = 0
        self._attempt: Any = None
        self._call: IDelayedCall | None = None
        unit.gone = self._again

    def startService(self) -> None:
        """Connect."""
        super().startService()
        self._connect()

    def stopService(self) -> None:
        """Connect no more."""
        super().stopService()
        if self._call is not None and self._call.active():
            self._call.cancel()
        if self._attempt is not None:
            self._attempt.cancel()

    def _connect(self) -> None:
        self._call = None
        if not self.running or self._unit.established:
            return
        peer = self._unit.peer
        kind = TCP4ClientEndpoint if plain_address(peer.address).version == 4 else TCP6ClientEndpoint
        bind = (peer.local, 0) if peer.local is not None else None
        endpoint = kind(self._reactor, peer.address, peer.port, CONNECT_SECONDS, bind)
        self._attempt = endpoint.connect(_Outgoing(self._unit))
        self._attempt.addCallbacks(self._connected, self._absent)

    def _connected(self, _: object) -> None:
        self._attempt = None

    def _absent(self, failure: Failure) -> None:
        self._attempt = None
        if not failure.check(ConnectingCancelledError):
            self._unit.complain(f"no connection: {failure.getErrorMessage()}")
        self._again()

    def _again(self) -> None:
        if self._unit.counts.established > self._sessions:
            self._sessions, self._vain = self._unit.counts.established, 0
        if self.running and self._call is None and self._attempt is None and not self._unit.established:
            self._vain += 1
            self._call = self._reactor.callLater(self._backoff(self._vain), self._connect)


class _Choosing:
    """Keeps the table of best routes in step with the table that it is chosen from."""

    def __init__(
        self, clock: Any, source: History, best: History, allowed: Allowed | None, chosen: Callable[[], None]
    ) -> None:
        self._clock, self._source, self._best, self._allowed, self._chosen = clock, source, best, allowed, chosen
        self._choice = Choice()
        self._at: Position | None = None
        """Up to where of the source the best routes were chosen."""
        self._pause = CHOOSE_SECONDS
        self._call: IDelayedCall | None = None
        self._unsubscribe = source.subscribe(self._changed)
        if source.ready:
            self._choose()

    def stop(self) -> None:
        """Follow no longer."""
        self._unsubscribe()
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _changed(self, diff: Diff) -> None:
        if self._call is None:
            self._call = self._clock.callLater(self._pause, self._choose)

    def _choose(self) -> None:
        self._call, started = None, self._clock.seconds()
        source, best = self._source, self._best
        diff = None if self._at is None else source.since(self._at)
        if diff is None or diff.rows > source.snapshot.count // 2:
            best.commit(self._choice.whole(source.snapshot, self._allowed))
        else:
            best.commit_diff(self._choice.step(best.snapshot, source.snapshot, diff, self._allowed))
        self._at = source.position
        self._pause = max(CHOOSE_SECONDS, 10 * (self._clock.seconds() - started))
        self._chosen()
