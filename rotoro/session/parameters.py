"""What both sides of a Rotoro session go by: the parameters that they exchange, and the keepalives that follow."""

from __future__ import annotations

from dataclasses import dataclass

from rotoro.session.effects import Close, Send
from rotoro.session.payload import DEFAULT_TIMERS
from rotoro.session.routes import MAX_SETS
from rotoro.wire.pdu import ROTORO, ROTORO_MAX_LENGTH
from rotoro.wire.rotoro import Keepalive, Params

KEEPALIVE_SECONDS = 20
SILENT_INTERVALS = 3
"""After so many keepalive intervals without an octet a peer is given up."""

GREETING_SECONDS = 10.0
"""How long HELLO, PARAMS and the first CATALOGUE may take."""


MAX_PARTS_PER_SESSION = 16
"""How many parts of tables are cut out for one follower at a time; each costs a walk over its table."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What we tell a peer of ourselves, and the limits that we keep."""

    name: str = "rotoro"
    keepalive: int = KEEPALIVE_SECONDS
    max_pdu: int = ROTORO_MAX_LENGTH
    max_sets: int = MAX_SETS
    parts: int = MAX_PARTS_PER_SESSION
    expire: int = DEFAULT_TIMERS.expire
    """How many seconds RPKI data is good for after its server was last connected (RFC 8210 section 6)."""

    @property
    def pdu(self) -> Params:
        """The PDU that says so."""
        return Params(0, self.max_pdu, self.max_sets, self.keepalive, self.name)


DEFAULT_PARAMETERS = Parameters()


class Alive:
    """Keepalive bookkeeping of one connection: when something must be said, and when the peer is gone."""

    def __init__(self, interval: float, now: float) -> None:
        self.interval = interval
        self.heard = now
        self._said = now

    @property
    def patience(self) -> float:
        """How many seconds a peer may do nothing at all."""
        return SILENT_INTERVALS * self.interval

    @property
    def next(self) -> float:
        """When to check again."""
        return min(self._said + self.interval, self.heard + self.patience)

    def check(self, now: float) -> Send | Close | None:
        """What has to be done at this time."""
        if now >= self.heard + self.patience:
            return Close(f"the peer has been silent for {self.patience:.0f} s")
        if now >= self._said + self.interval:
            self._said = now
            return Send(ROTORO, Keepalive(0, int(now * 1000) % (1 << 64)))
        return None
