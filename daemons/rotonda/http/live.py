"""Clients that stay: what they get next, as fast as they read it, and never more of the reactor than some milliseconds.

Everything that is made for somebody is made here, in turns: who can take more waits in a row, each gets a little, and
after `TURN_SECONDS` the reactor goes on before the next ones do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

from rotonda.gateway.counts import Streamed
from rotonda.gateway.messages import Form, Message
from rotonda.http.errors import Refused

TURN_SECONDS = 0.004
"""How long the reactor is held at most, but for the last message that is made."""

_GATHERED = 16 << 10
"""Octets that are written together, if there are as many."""


@dataclass(frozen=True)
class Limits:
    """How much of itself a daemon gives to clients that stay."""

    clients: int = 512
    per_address: int = 64
    """Of one IPv4 address, or of one /64 of IPv6."""
    stalled_seconds: float = 60.0
    """How long a client may take nothing of what waits for it."""
    waiting_octets: int = 16 << 20
    """What may wait for a client of RIS Live."""
    idle_seconds: float = 60.0
    """How long a WebSocket may say nothing, not even that it has heard our pings."""
    ping_seconds: float = 20.0
    last_seconds: float = 5.0
    """How long a client that is closed may take to read our last words."""


class Source(Protocol):
    """Where the messages for one client come from."""

    stream: str
    """What it is called among what is counted."""

    @property
    def idle(self) -> bool:
        """Whether there is nothing to take before something changes."""

    def joined(self, client: Client) -> None:
        """This is the client."""

    def take(self) -> Message | None:
        """The next message, or None if there is none just now. Raises Ending."""

    def quiet(self) -> Message | None:
        """What is said when nothing was said for a while."""

    def hear(self, words: str) -> None:
        """The client has said something. Raises Ending."""

    def ending(self, why: Ending) -> Message:
        """The last message."""

    def left(self) -> None:
        """The client is gone."""


class Ending(Exception):
    """A client is to be closed by us: `kind` is counted, the words are for the client."""

    def __init__(self, kind: str, what: str, code: int = 1008) -> None:
        super().__init__(what)
        self.kind = kind
        self.code = code
        """Of the WebSocket protocol (RFC 6455 section 7.4)."""


class Carrier(Protocol):
    """What carries messages to one client."""

    form: Form

    def start(self, producer: IPushProducer) -> None:
        """Say that `producer` is to be told when it may go on."""

    def write(self, octets: bytes) -> None:
        """Send this."""

    def ping(self) -> None:
        """Say that we are there, if there are words for it."""

    def end(self, code: int, why: str) -> None:
        """Close when all is sent."""

    def abort(self) -> None:
        """Close at once."""


class Worker(Protocol):
    """Something that can be done piece by piece."""

    def work(self) -> bool:
        """Do a little; whether there is more to do now."""


class Turns:
    """Gives every worker its turn."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._ready: dict[Worker, None] = {}
        self._call: IDelayedCall | None = None

    def wake(self, worker: Worker) -> None:
        """It has something to do."""
        self._ready[worker] = None
        if self._call is None:
            self._call = self._reactor.callLater(0, self._turn)

    def forget(self, worker: Worker) -> None:
        """It is gone."""
        self._ready.pop(worker, None)
        if not self._ready and self._call is not None:
            self._call.cancel()
            self._call = None

    def _turn(self) -> None:
        self._call = None
        until = self._reactor.seconds() + TURN_SECONDS
        while self._ready:
            worker = next(iter(self._ready))
            del self._ready[worker]
            if worker.work():
                self._ready[worker] = None
            if self._reactor.seconds() >= until:
                break
        if self._ready and self._call is None:
            self._call = self._reactor.callLater(0, self._turn)


@implementer(IPushProducer)
class Client:
    """One client that stays."""

    log = Logger()

    def __init__(self, crowd: Crowd, address: str, source: Source, carrier: Carrier) -> None:
        self.address, self.source, self.carrier = address, source, carrier
        self.closed = False
        now = crowd.reactor.seconds()
        self.heard_at = self.told_at = self._pinged_at = now
        self._crowd = crowd
        self._paused_since: float | None = None
        self._abort: IDelayedCall | None = None

    # --- what Twisted calls ------------------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """It has not read yet what it was sent."""
        if self._paused_since is None:
            self._paused_since = self._crowd.reactor.seconds()
            self._crowd.counts.behind += 1

    def resumeProducing(self) -> None:
        """It can take more."""
        self._go_on()
        self.wake()

    def stopProducing(self) -> None:
        """The connection is gone; it is told of by itself."""

    # --- its life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to write."""
        self.source.joined(self)
        self.carrier.start(self)
        self.wake()

    def wake(self) -> None:
        """There may be something for it."""
        if not self.closed and self._paused_since is None:
            self._crowd.turns.wake(self)

    def work(self) -> bool:
        """Write a little."""
        if self.closed or self._paused_since is not None:
            return False
        parts: list[bytes] = []
        size = 0
        try:
            while size < _GATHERED:
                message = self.source.take()
                if message is None:
                    break
                parts.append(message.framed(self.carrier.form))
                size += len(parts[-1])
        except Ending as ending:
            self._write(parts)
            self.end(ending)
            return False
        self._write(parts)
        return not (self.closed or self.source.idle)

    def hear(self, words: str) -> None:
        """It has said something."""
        self._crowd.counts.heard += 1
        if self.closed:
            return
        try:
            self.source.hear(words)
        except Ending as ending:
            self.end(ending)
        else:
            self.wake()

    def tend(self, now: float) -> None:
        """See whether it is still there and reads; say something if nothing was said for a while."""
        limits = self._crowd.limits
        if self.closed:
            return
        if self._paused_since is not None:
            if now - self._paused_since >= limits.stalled_seconds:
                self.end(Ending("too slow", f"too slow: nothing was read for {limits.stalled_seconds:g} s"))
            return
        if self.carrier.form is Form.WEBSOCKET and now - self.heard_at >= limits.idle_seconds:
            self.end(Ending("idle", f"nothing was heard for {limits.idle_seconds:g} s", 1001))
        elif now - self._pinged_at >= limits.ping_seconds:  # also who is told much has to say that it is there
            self._pinged_at = now
            self.carrier.ping()
            message = self.source.quiet() if now - self.told_at >= limits.ping_seconds else None
            if message is not None:
                self._write([message.framed(self.carrier.form)])

    def end(self, ending: Ending) -> None:
        """Say why, and close; a client that does not read even that is cut off."""
        if self.closed:
            return
        self.closed = True
        crowd = self._crowd
        crowd.counts.ended[ending.kind] += 1
        self.log.info("{client}: {why}", client=self.address, why=str(ending))
        self._write([self.source.ending(ending).framed(self.carrier.form)])
        self.carrier.end(ending.code, str(ending))
        self._abort = crowd.reactor.callLater(crowd.limits.last_seconds, self._cut_off)

    def gone(self) -> None:
        """The connection is over."""
        self.closed = True
        self._go_on()
        if self._abort is not None and self._abort.active():
            self._abort.cancel()
        self.source.left()
        self._crowd.leave(self)

    def _go_on(self) -> None:
        if self._paused_since is not None:
            self._paused_since = None
            self._crowd.counts.behind -= 1

    def _cut_off(self) -> None:
        self._abort = None
        self.carrier.abort()

    def _write(self, parts: list[bytes]) -> None:
        if not parts:
            return
        octets = b"".join(parts) if len(parts) > 1 else parts[0]
        self.told_at = self._crowd.reactor.seconds()
        self._crowd.counts.messages[self.source.stream] += len(parts)
        self._crowd.counts.octets[self.source.stream] += len(octets)
        self.carrier.write(octets)


class Crowd:
    """All clients that stay, and how many may."""

    def __init__(self, reactor: Any, limits: Callable[[], Limits], tick: Callable[[float], None]) -> None:
        """`limits` tells those that hold now; `tick` is called once a second as long as there are clients."""
        self.reactor, self._limits = reactor, limits
        self.turns = Turns(reactor)
        self.counts = Streamed()
        self.clients: set[Client] = set()
        self._tick = tick
        self._next: IDelayedCall | None = None

    @property
    def limits(self) -> Limits:
        """Those that hold now."""
        return self._limits()

    def must_have_room(self, address: str) -> None:
        """Raises Refused if no more clients can be taken, or no more from there."""
        group, limits = _group(address), self.limits
        if len(self.clients) >= limits.clients:
            self.counts.refused["clients"] += 1
            raise Refused(503, f"there are {len(self.clients)} clients already", None, {"Retry-After": "10"})
        if sum(_group(each.address) == group for each in self.clients) >= limits.per_address:
            self.counts.refused["address"] += 1
            raise Refused(
                429, f"there are {limits.per_address} clients of {group} already", None, {"Retry-After": "10"}
            )

    def join(self, client: Client) -> None:
        """One more."""
        self.clients.add(client)
        key = client.source.stream, client.carrier.form.value
        self.counts.clients[key] += 1
        self.counts.accepted[key] += 1
        if self._next is None:
            self._next = self.reactor.callLater(1, self._look)
        client.start()

    def leave(self, client: Client) -> None:
        """One less."""
        self.turns.forget(client)
        if client not in self.clients:
            return
        self.clients.remove(client)
        self.counts.clients[client.source.stream, client.carrier.form.value] -= 1
        if not self.clients and self._next is not None:
            self._next.cancel()
            self._next = None

    def _look(self) -> None:
        self._next = self.reactor.callLater(1, self._look)
        now = self.reactor.seconds()
        self._tick(now)
        for client in list(self.clients):
            client.tend(now)


def _group(address: str) -> str:
    """What counts as one place."""
    if ":" not in address:
        return address
    whole = IPv6Address(address.partition("%")[0])
    if whole.ipv4_mapped is not None:
        return str(whole.ipv4_mapped)
    return f"{IPv6Address(int(whole) >> 64 << 64)}/64"
