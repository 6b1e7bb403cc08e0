"""One BGP session (RFC 4271 section 8) over one connection, without sockets and clocks.

Whoever owns the connection says what happened - `connected`, `receive`, `wake`, `close` - and does what the returned
effects tell. Times are seconds of any steady clock. A session that has ended stays so; the next connection has another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from rotonda.bgp.intake import Intake, Receiving, Taken
from rotonda.bgp.messages import (
    KEEPALIVE,
    Cease,
    Error,
    Fault,
    Framing,
    Kind,
    Open,
    read_notification,
    read_open,
    read_refresh,
)

OPEN_SECONDS = 240.0
"""How long an OPEN is waited for (RFC 4271 section 8.2.2)."""


class State(Enum):
    """Where a session is; the word is what people are shown."""

    IDLE = "idle"
    CONNECT = "connect"
    OPEN_SENT = "open sent"
    OPEN_CONFIRM = "open confirm"
    ESTABLISHED = "established"


@dataclass(frozen=True, slots=True)
class Local:
    """What we say of ourselves to one peer, and what we expect of it."""

    asn: int
    bgp_id: int
    peer_asn: int
    hold_time: int = 90
    families: frozenset[int] = frozenset({4, 6})
    add_path: frozenset[int] = frozenset()
    """The families of which we want all paths that the peer has."""

    def open(self) -> Open:
        """Our OPEN."""
        return Open(self.asn, self.hold_time, self.bgp_id, self.families, takes_paths=self.add_path & self.families)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both OPENs come to."""

    bgp_id: int
    external: bool
    hold_time: int
    """Seconds; 0: the peer is never given up for its silence."""
    families: frozenset[int]
    four_octet: bool
    add_path: frozenset[int]
    """The families whose routes come with path identifiers."""
    route_refresh: bool

    @staticmethod
    def of(ours: Open, theirs: Open) -> Agreed:
        """Raises Fault if they have nothing in common."""
        families = ours.families & theirs.families
        if not families:
            raise Fault(Error.OPEN, 7, "no family of routes in common")
        return Agreed(
            theirs.bgp_id,
            ours.asn != theirs.asn,
            min(ours.hold_time, theirs.hold_time),
            families,
            theirs.four_octet,
            ours.takes_paths & theirs.sends_paths & families,
            theirs.route_refresh,
        )


@dataclass(frozen=True, slots=True)
class Send:
    """Write these octets."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Call `wake` then, unless another `WakeAt` comes first."""

    when: float


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer has told who it is: time to see whether there is another session with it (RFC 4271 section 6.8)."""

    bgp_id: int


@dataclass(frozen=True, slots=True)
class Established:
    """Routes may be exchanged."""

    agreed: Agreed


@dataclass(frozen=True, slots=True)
class EndOfRib:
    """The peer has told all of a family that it had when the session began (RFC 4724 section 2)."""

    family: int


@dataclass(frozen=True, slots=True)
class Refresh:
    """The peer wants all routes of a family again (RFC 2918)."""

    family: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over: close the connection when all is written. `was_up`: routes had been exchanged."""

    why: str
    was_up: bool


Effect = Send | WakeAt | Opened | Established | EndOfRib | Refresh | Closed
Accepts = Callable[[bytes], bool]


class Session:
    """A session with one peer.

    `intake` has what it took of UPDATEs since batches were taken; it is there once the session is established.
    `counts` outlives it.
    """

    def __init__(self, local: Local, counts: Taken) -> None:
        self.state = State.CONNECT
        self.agreed: Agreed | None = None
        self.intake: Intake | None = None
        self.accepts: Accepts | None = None
        """Whether an UPDATE is read at all; None for all."""
        self._local = local
        self._counts = counts
        self._framing = Framing()
        self._heard = 0.0  # when the peer spoke last
        self._said = 0.0  # when we had to say a KEEPALIVE last
        self._patience = OPEN_SECONDS

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state is State.IDLE

    # --- what happens ------------------------------------------------------------------------------------------------

    def connected(self, now: float) -> list[Effect]:
        """There is a connection."""
        self.state, self._heard = State.OPEN_SENT, now
        return [Send(self._local.open().message()), WakeAt(now + OPEN_SECONDS)]

    def receive(self, data: bytes, now: float, time: int) -> Iterator[Effect]:
        """Octets came; `time` is in seconds since 1970, for the routes among them. To be iterated to its end."""
        if self.over:
            return
        try:
            for kind, octets in self._framing.receive(data):
                self._heard = now
                if self.state is State.ESTABLISHED and kind is Kind.UPDATE:
                    yield from self._update(octets, time)
                else:
                    yield from self._message(kind, octets, now)
                if self.over:
                    return
        except Fault as fault:
            yield from self.fail(fault)

    def wake(self, now: float) -> list[Effect]:
        """A time that was asked for has come."""
        if self.over:
            return []
        if self._patience and now >= self._heard + self._patience:
            return self.fail(Fault(Error.HOLD_TIMER, 0, f"nothing heard for {self._patience:g} s"))
        effects: list[Effect] = []
        if self._interval and now >= self._said + self._interval:
            effects.append(self._keepalive(now))
        return [*effects, *self._alarm()]

    def delayed(self, now: float) -> None:
        """The peer is not listened to, so that its silence up to now means nothing."""
        self._heard = now

    def fail(self, fault: Fault) -> list[Effect]:
        """Tell the peer what is wrong, and end."""
        if self.state in (State.IDLE, State.CONNECT):
            return self._end(fault.what)
        return [Send(fault.message()), *self._end(f"{fault.what} (told the peer)")]

    def cease(self, subcode: Cease, why: str) -> list[Effect]:
        """End without a fault of anybody."""
        return self.fail(Fault(Error.CEASE, subcode, why))

    def lost(self, why: str) -> list[Effect]:
        """The connection is gone."""
        return self._end(why)

    # --- what is done about it ---------------------------------------------------------------------------------------

    @property
    def _interval(self) -> float:
        """Seconds between two KEEPALIVEs; 0 for none."""
        return self._patience / 3 if self.state in (State.OPEN_CONFIRM, State.ESTABLISHED) else 0.0

    def _alarm(self) -> list[Effect]:
        times = [self._heard + self._patience] if self._patience else []
        if self._interval:
            times.append(self._said + self._interval)
        return [WakeAt(min(times))] if times else []

    def _keepalive(self, now: float) -> Send:
        self._said = now
        return Send(KEEPALIVE)

    def _message(self, kind: Kind, octets: bytes, now: float) -> Iterator[Effect]:
        if kind is Kind.NOTIFICATION:
            yield from self._end(f"the peer says: {read_notification(octets)}")
        elif self.state is State.OPEN_SENT and kind is Kind.OPEN:
            yield from self._opened(read_open(octets), now)
        elif self.state is State.OPEN_CONFIRM and kind is Kind.KEEPALIVE:
            yield from self._established()
        elif self.state is State.ESTABLISHED and kind is Kind.ROUTE_REFRESH:
            family = read_refresh(octets)
            if family is not None:
                yield Refresh(family)
        elif self.state is not State.ESTABLISHED or kind is not Kind.KEEPALIVE:
            subcode = {State.OPEN_SENT: 1, State.OPEN_CONFIRM: 2, State.ESTABLISHED: 3}[self.state]  # RFC 6608
            raise Fault(Error.STATE_MACHINE, subcode, f"{kind.name} while {self.state.value}", bytes([kind]))

    def _opened(self, theirs: Open, now: float) -> Iterator[Effect]:
        if theirs.asn != self._local.peer_asn:
            raise Fault(Error.OPEN, 2, f"the peer is of AS{theirs.asn}, not AS{self._local.peer_asn}")
        if theirs.bgp_id == self._local.bgp_id and theirs.asn == self._local.asn:
            raise Fault(Error.OPEN, 3, "the peer has our own BGP identifier")  # RFC 6286 section 2.2
        self.agreed = Agreed.of(self._local.open(), theirs)
        self.state, self._patience = State.OPEN_CONFIRM, float(self.agreed.hold_time)
        yield Opened(theirs.bgp_id)
        if self.state is State.OPEN_CONFIRM:  # there may have been a better session
            yield self._keepalive(now)
            yield from self._alarm()

    def _established(self) -> Iterator[Effect]:
        assert self.agreed is not None  # or we would still wait for an OPEN
        agreed = self.agreed
        receiving = Receiving(
            self._local.asn, self._local.bgp_id, agreed.external, agreed.families, agreed.four_octet, agreed.add_path
        )
        self.intake = Intake(receiving, self._counts)
        self.state = State.ESTABLISHED
        yield Established(agreed)

    def _update(self, octets: bytes, time: int) -> Iterator[Effect]:
        if self.accepts is not None and not self.accepts(octets):
            self._counts.filtered += 1
            return
        assert self.intake is not None  # or the session would not be established
        family = self.intake.update(octets, time)
        if family is not None:
            yield EndOfRib(family)

    def _end(self, why: str) -> list[Effect]:
        if self.over:
            return []
        was_up, self.state = self.state is State.ESTABLISHED, State.IDLE
        return [Closed(why, was_up)]


def ours_stays(own_id: int, own_asn: int, peer_id: int, peer_asn: int) -> bool:
    """Of two connections between two speakers, whether the one that we began stays (RFC 4271 section 6.8, RFC 6286).

    >>> ours_stays(2, 64496, 1, 64497), ours_stays(1, 64496, 1, 64497)
    (True, False)
    """
    return (own_id, own_asn) > (peer_id, peer_asn)
