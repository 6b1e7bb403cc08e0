"""A carrier in the hands of a test, and what hears what streams tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rotonda.blocks.values import RecordValue
from rotonda.outputs.broker import BrokerStream, Carried, Message
from twisted.internet.defer import Deferred, succeed
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase


class Puppet:
    """A carrier that takes and delivers what it is told to."""

    name = "the broker"

    def __init__(self, room: int = 0) -> None:
        self.room = room
        self.held: list[Message] = []
        self.arrived: list[int] = []
        self.reopened = 0
        self.is_open = self.is_closed = self.hangs = False
        self._stream: Carried | None = None

    @property
    def stream(self) -> Carried:
        assert self._stream is not None
        return self._stream

    def open(self, stream: Carried) -> None:
        self._stream, self.is_open = stream, True

    def give(self, messages: Sequence[Message]) -> int:
        taken = max(0, min(len(messages), self.room - len(self.held)))
        self.held += messages[:taken]
        return taken

    def close(self, seconds: float) -> Deferred[list[Message]]:
        self.is_closed = True
        left, self.held = self.held, []
        return Deferred() if self.hangs else succeed(left)

    def reopen(self) -> None:
        self.reopened += 1

    # --- for tests ---------------------------------------------------------------------------------------------------

    def make_room(self, room: int) -> None:
        """There is room for so many."""
        self.room = room
        self.stream.has_room()

    def deliver(self, count: int) -> None:
        """So many arrive."""
        gone, self.held = self.held[:count], self.held[count:]
        self.arrived += map(number_of, gone)
        if gone:
            self.stream.delivered(len(gone))
            self.stream.has_room()

    def give_back(self) -> None:
        """The connection is lost."""
        left, self.held = self.held, []
        self.stream.returned(left, "the broker: gone")

    def refuse(self) -> None:
        """The first one that is held will never be taken."""
        if self.held:
            self.stream.refused(self.held.pop(0), "too large")


def numbered(records: Sequence[RecordValue], sent: float) -> list[Message]:
    """Messages with the numbers of records."""
    numbers: list[Any] = [record.get("asn") for record in records]
    return [Message("t", None, b"%d" % number) for number in numbers]


def number_of(message: Message) -> int:
    return int(message.payload)


def places(stream: BrokerStream) -> int:
    """How many records are here, there and on the disk, each place looked at."""
    own: Any = stream
    disk = own._spilling
    waiting = sum(map(len, own._front)) + sum(len(batch) for batch, _ in own._room._batches) - own._room._begun
    if disk is not None:
        waiting += len(disk.made) + len(disk.appending) + disk._spill.count
    return int(waiting) + len(own.carrier.held)


class Told(SynchronousTestCase):
    """Hears what the log says."""

    def setUp(self) -> None:
        self.told: list[str] = []
        hear: Any = self._hear
        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)

    def _hear(self, event: dict[str, Any]) -> None:
        if event["log_namespace"].startswith("rotonda"):
            self.told.append(event["log_format"].format(**event))
