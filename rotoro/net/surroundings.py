"""What all connections of one server, or of one client, have in common: a connection itself is to be small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorTime

from rotoro.net.limits import DEFAULT_LIMITS, Counters, Limits, Quiet
from rotoro.session.base import Session
from rotoro.session.effects import Effect
from rotoro.wire.pdu import Pdu

if TYPE_CHECKING:
    from rotoro.net.burst import Burst
    from rotoro.net.crowd import Crowd
    from rotoro.net.protocol import SessionProtocol


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where connections live.

    `choose` gives the session for the first octet, or refuses. `tell` gets the effects that are not the connection's
    own. `toll` says how many seconds a PDU has to wait before its session may have it; 0 if it need not wait. `met` and
    `gone` hear of a connection that turned out to speak our protocol, and of one that is over.
    """

    clock: IReactorTime
    choose: Callable[[int], Any] | None = None
    tell: Callable[[Session, Effect], None] | None = None
    toll: Callable[[SessionProtocol, Pdu, float], float] | None = None
    met: Callable[[SessionProtocol], None] | None = None
    gone: Callable[[SessionProtocol], None] | None = None
    limits: Limits = DEFAULT_LIMITS
    counters: Counters = field(default_factory=Counters)
    quiet: Quiet | None = None
    """Which lines of the log are worth writing; without it, all are."""
    burst: Burst | None = None
    """Where small answers wait to be sent together with those of others; without it, they are sent at once."""
    crowd: Crowd | None = None
    """Who reads connections together; without it, the reactor reads each."""
