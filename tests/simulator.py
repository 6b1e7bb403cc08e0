"""Many sessions on one virtual clock and one virtual network, seeded, with faults.

A `Side` does for a session what `rotoro/net/protocol.py` does, without Twisted: octets to PDUs, effects to octets and
wake-ups. Octets travel in slices of any size with any delay, and a connection may be cut at any octet. The seed decides
everything, so a failure can be played again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from rotoro.session.base import Session
from rotoro.session.effects import Close, Effect, Send, Stream, WakeAt
from rotoro.session.negotiation import Refused
from rotoro.wire import Decoder, encode
from rotoro.wire.errors import ProtocolError

Tell = Callable[[Effect], None]
Choose = Callable[[int], Any]
Call = Callable[[], None]


@dataclass
class Weather:
    """How the network behaves."""

    slices: tuple[int, int] = (1, 4000)
    """The least and the most octets that travel together."""
    delays: tuple[float, float] = (0.0, 0.2)
    """Seconds from one side to the other."""


class Simulator:
    """A clock, and what happens when."""

    def __init__(self, seed: int = 0, weather: Weather | None = None) -> None:
        self.now = 1000.0
        self.random = Random(seed)
        self.weather = weather or Weather()
        self._events: list[tuple[float, int, Call]] = []
        self._ties = count()

    def at(self, when: float, call: Call) -> Call:
        """Do this then, unless the returned function is called before."""
        live = True

        def cancel() -> None:
            nonlocal live
            live = False

        heappush(self._events, (max(when, self.now), next(self._ties), lambda: call() if live else None))
        return cancel

    def after(self, seconds: float, call: Call) -> Call:
        return self.at(self.now + seconds, call)

    def run(self, seconds: float) -> None:
        """Let so much time go by."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, call = heappop(self._events)
            call()
        self.now = end

    def delay(self) -> float:
        return self.random.uniform(*self.weather.delays)

    def slice(self) -> int:
        return self.random.randint(*self.weather.slices)


class Side:
    """One side of one connection."""

    def __init__(self, simulator: Simulator, session: Any, choose: Choose | None, tell: Tell | None) -> None:
        self.session = session
        self.sent = bytearray()
        """All that has left this side."""
        self.closing: str | None = None
        self.open = True
        self.reading = True
        """A side that does not read lets the other's octets wait."""
        self._simulator = simulator
        self._choose = choose
        self._tell = tell
        self._decoder = Decoder()
        self._queue: deque[bytes] = deque()
        self._under_way = False
        self._cancel_wake: Call = lambda: None
        self.other: Side
        self.connection: Connection

    def begin(self) -> None:
        if self.session is not None:
            self._decoder.rotoro_limit = self.session.max_pdu
            self.perform(self.session.start(self._simulator.now))

    def receive(self, data: bytes) -> None:
        """As `dataReceived`."""
        if not self.open or self.closing is not None or not data:
            return
        if self.session is None and not self._chosen(data[0]):
            return
        session, now = self.session, self._simulator.now
        session.heard(now)
        self._decoder.receive(data)
        try:
            for version, pdu in self._decoder.items():
                self.perform(session.receive(version, pdu, now))
                if self.closing is not None:
                    break
        except ProtocolError as broken:
            self.perform(session.broken(broken, now))

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(version, pdu):
                    self._queue.append(encode(pdu, version))
                case Stream(chunks):
                    self._queue.extend(chunks)
                case WakeAt(when) if self.open:
                    self._cancel_wake()
                    self._cancel_wake = self._simulator.at(when, self._woken)
                case Close(reason):
                    self.closing = self.closing or reason
                case _ if self._tell is not None:
                    self._tell(effect)
        self._push()

    def lost(self) -> None:
        """As `connectionLost`."""
        if not self.open:
            return
        self.open = False
        self._cancel_wake()
        self._queue.clear()
        if self.session is not None:
            self.perform(self.session.lost(self._simulator.now))

    def _chosen(self, first: int) -> bool:
        assert self._choose is not None
        try:
            self.session = self._choose(first)
        except Refused as refused:
            self.closing = str(refused)
            self._push()
            return False
        self.begin()
        return True

    def _woken(self) -> None:
        if self.closing is None:
            self.perform(self.session.wake(self._simulator.now))

    def _push(self) -> None:
        if self.open and not self._under_way:
            if self._queue:
                self._under_way = True
                self._simulator.after(0, self._send_slice)
            elif self.closing is not None:
                self.connection.end()

    def _send_slice(self) -> None:
        """As `resumeProducing`: the next piece, or word that there is none."""
        if not self.open:
            return
        if not self.other.reading:
            self._simulator.after(1, self._send_slice)
            return
        if self._queue:
            piece = self._queue.popleft()
            size = self._simulator.slice()
            if len(piece) > size:
                self._queue.appendleft(piece[size:])
            self.sent += piece[:size]
            self.connection.carry(self, piece[:size])
            self.session.progressed(self._simulator.now)
            self._simulator.after(0, self._send_slice)
            return
        self._under_way = False
        if self.closing is None:
            self.perform(self.session.drained(self._simulator.now))
        else:
            self.connection.end()


class Connection:
    """Two sides, and octets on their way between them in order."""

    def __init__(self, simulator: Simulator, west: Side, east: Side) -> None:
        self.sides = west, east
        self.octets_left: int | None = None
        """After so many octets the connection is cut."""
        self._simulator = simulator
        self._arrives: dict[int, float] = {}
        west.other, east.other = east, west
        west.connection = east.connection = self

    @property
    def open(self) -> bool:
        return any(side.open for side in self.sides)

    def carry(self, sender: Side, octets: bytes) -> None:
        if self.octets_left is not None:
            octets = octets[: self.octets_left]
            self.octets_left -= len(octets)
        when = max(self._arrives.get(id(sender), 0.0), self._simulator.now + self._simulator.delay())
        self._arrives[id(sender)] = when
        self._simulator.at(when, lambda: sender.other.receive(octets))
        if self.octets_left == 0:
            self._simulator.at(when, self.cut)

    def end(self) -> None:
        """Close in good order: what is on its way arrives."""
        self._simulator.at(max([self._simulator.now, *self._arrives.values()]), self.cut)

    def cut(self) -> None:
        for side in self.sides:
            side.lost()


@dataclass
class Server:
    """Sessions for whoever connects."""

    simulator: Simulator
    choose: Choose
    tell: Tell | None = None
    connections: list[Connection] = field(default_factory=list)
    up: bool = True

    def accept(self, west: Side) -> Connection:
        east = Side(self.simulator, None, self.choose, self.tell)
        connection = Connection(self.simulator, west, east)
        self.connections.append(connection)
        return connection

    def each(self, what: Callable[[Any], list[Effect]]) -> None:
        """Ask all sessions for something."""
        self.connections = [connection for connection in self.connections if connection.open]
        for connection in self.connections:
            side = connection.sides[1]
            if side.open and side.session is not None:
                side.perform(what(side.session))

    def changed(self) -> None:
        self.each(lambda session: session.changed(self.simulator.now))


class Client:
    """A session that outlives its connections; connects again some seconds after one is lost."""

    def __init__(self, simulator: Simulator, session: Session, server: Server, tell: Tell | None = None) -> None:
        self.session = session
        self.connection: Connection | None = None
        self.connects = True
        """Whether it connects again by itself."""
        self.effects: list[Effect] = []
        self._simulator = simulator
        self._server = server
        self._consumer = tell
        self._cancel_wake: Call = lambda: None

    @property
    def side(self) -> Side:
        assert self.connection is not None
        return self.connection.sides[0]

    @property
    def connected(self) -> bool:
        return self.connection is not None and self.side.open

    def connect(self) -> None:
        if self.connected or not self._server.up:
            self._retry()
            return
        self.connection = self._server.accept(Side(self._simulator, self.session, None, self._tell))
        self.side.begin()
        watched = self.side
        lost = watched.lost

        def lost_and_retry() -> None:
            was_open = watched.open
            lost()
            if was_open:
                self._retry()

        watched.lost = lost_and_retry  # type: ignore[method-assign]

    def cut(self) -> None:
        if self.connection is not None:
            self.connection.cut()

    def of(self, kind: type[Any]) -> list[Any]:
        """What the session told of this kind."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def _retry(self) -> None:
        if self.connects:
            self._simulator.after(self._simulator.random.uniform(1, 5), self._connect_unless_connected)

    def _connect_unless_connected(self) -> None:
        if not self.connected:
            self.connect()

    def _tell(self, effect: Effect) -> None:
        if isinstance(effect, WakeAt):
            self._cancel_wake()
            self._cancel_wake = self._simulator.at(effect.when, self._woken)
            return
        self.effects.append(effect)
        if self._consumer is not None:
            self._consumer(effect)

    def _woken(self) -> None:
        if not self.connected:
            for effect in self.session.wake(self._simulator.now):
                self._tell(effect)
