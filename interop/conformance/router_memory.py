"""Our router in this process: the connections of the daemons on transports in memory, with a clock that tests turn.

`session` may be replaced by one that is broken, to see that cases notice.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock

from interop.conformance.case import demand
from interop.conformance.memory import MemoryLine
from interop.conformance.octets import ASPA, split
from interop.conformance.serving import CLOCK, DAY, FRESH, LOG, TABLE, Taker
from interop.conformance.subject import Records
from rotoro.net.connecting import Connecting
from rotoro.net.endpoints import Connect, HostPort
from rotoro.session.base import Session
from rotoro.session.effects import Effect, Flush, Note, Update
from rotoro.session.follower import FollowingPeer, follow_all
from rotoro.session.negotiation import ClientSession, Mode
from rotoro.session.payload import changes
from rotoro.session.router import RouterSession
from rotoro.table import EMPTY, AttributeStore

_CACHE = Connect(HostPort("127.0.0.1", 323))
_STEP = 0.25


class _Line(MemoryLine):
    """The cache's end of a line: to wait for something makes the router's time go by."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        protocol = reactor.tcpClients[-1][2].buildProtocol(None)
        super().__init__(protocol, IPv4Address("TCP", "127.0.0.1", 323))

    def hear(self, seconds: float) -> bytes:
        octets = super().hear(seconds)
        if octets or self.closed or not seconds:
            return octets
        self._reactor.advance(seconds)
        return super().hear(seconds)


class MemoryRouter(Taker):
    """Our router."""

    able = frozenset({CLOCK, TABLE, LOG, FRESH})
    patience = 2.0

    def __init__(self, session: type[RouterSession] = RouterSession) -> None:
        self.reactor: Any = MemoryReactorClock()
        self._snapshot = EMPTY
        self._notes: list[str] = []
        self._lines: list[MemoryLine] = []
        self._seen = 0
        router = session("rtr")
        follower = FollowingPeer(follow_all, AttributeStore(), lambda ingress: ingress)
        self.service = Connecting(self.reactor, _CACHE, ClientSession(Mode.RTR, follower, router), self._tell)
        self.service.startService()

    def _tell(self, session: Session, effect: Effect) -> None:
        match effect:
            case Update():
                self._snapshot = effect.snapshot
            case Flush():
                self._snapshot = EMPTY
            case Note():
                self._notes.append(effect.text)

    def connect(self) -> MemoryLine:
        self.waited = 0.0
        while len(self.reactor.tcpClients) == self._seen:
            self.reactor.advance(_STEP)
            self.waited += _STEP
            demand(self.waited < DAY, "the router never connects again")
        self._seen = len(self.reactor.tcpClients)
        line = _Line(self.reactor)
        self._lines.append(line)
        return line

    @property
    def count(self) -> int:
        """How many records it uses."""
        return self._snapshot.count

    def shows(self, expected: Records) -> None:
        octets = b"".join(changes(EMPTY.diff(self._snapshot), 2))
        held = {pdu.key: pdu.octets[12:] if pdu.number == ASPA else b"" for pdu in split(octets)[0]}
        missing, wrong = expected.items() - held.items(), held.items() - expected.items()
        shown = b"".join(key for (_, key), _ in sorted(missing or wrong)[:2])
        demand(not missing and not wrong, f"{len(missing)} records missing, {len(wrong)} too many", shown)

    def advance(self, seconds: float) -> None:
        self.reactor.advance(seconds)

    def log(self) -> list[str]:
        return self._notes

    def tidy(self) -> None:
        for line in self._lines:
            line.reset()
        self._lines.clear()
