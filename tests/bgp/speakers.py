"""Two BGP sessions that talk to each other in memory, with a clock that a test sets; and UPDATEs written by hand."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable

from rotonda.bgp.intake import Taken
from rotonda.bgp.messages import Kind, message
from rotonda.bgp.session import Closed, Effect, Local, Send, Session, WakeAt

TIME = 1_700_000_000


class Side:
    """One session, and what it said that is not for the other one."""

    def __init__(self, local: Local) -> None:
        self.counts = Taken()
        self.session = Session(local, self.counts)
        self.effects: list[Effect] = []
        self.sent = b""
        self.wake_at = 0.0

    def perform(self, effects: Iterable[Effect]) -> bytes:
        """Note what was said; returns what the other side is to hear."""
        octets = b""
        for effect in effects:
            if isinstance(effect, Send):
                octets += effect.octets
            elif isinstance(effect, WakeAt):
                self.wake_at = effect.when
            else:
                self.effects.append(effect)
        self.sent += octets
        return octets

    @property
    def why(self) -> str:
        """Why it is over."""
        return next(effect.why for effect in self.effects if isinstance(effect, Closed))

    def hear(self, octets: bytes, now: float = 0.0) -> bytes:
        """Receive this, whole; returns the answer."""
        return self.perform(self.session.receive(octets, now, TIME))


def converse(one: Side, other: Side, now: float = 0.0) -> None:
    """Connect two sides and let them talk until both are silent."""
    waiting = deque(
        [(other, one.perform(one.session.connected(now))), (one, other.perform(other.session.connected(now)))]
    )
    while waiting:
        side, octets = waiting.popleft()
        if octets and (answer := side.hear(octets, now)):
            waiting.append((one if side is other else other, answer))


def attribute(flags: int, kind: int, value: bytes) -> bytes:
    """A path attribute."""
    return bytes((flags, kind, len(value))) + value


def path(*numbers: int) -> bytes:
    """An AS_PATH of one sequence of 4-octet numbers."""
    return attribute(0x40, 2, struct.pack(f">BB{len(numbers)}I", 2, len(numbers), *numbers))


ORIGIN = attribute(0x40, 1, b"\0")
HOP = attribute(0x40, 3, bytes((192, 0, 2, 9)))
USUAL = ORIGIN + path(64497, 64500) + HOP


def update(attributes: bytes = b"", announced: bytes = b"", withdrawn: bytes = b"") -> bytes:
    """An UPDATE."""
    body = struct.pack(">H", len(withdrawn)) + withdrawn + struct.pack(">H", len(attributes)) + attributes + announced
    return message(Kind.UPDATE, body)
