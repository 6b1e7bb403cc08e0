"""Tests for L{rotonda.outputs.stream} and L{rotonda.outputs.unconnected}: queues, trouble, and the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rotonda.blocks.values import RecordValue
from rotonda.outputs.stream import LAST_SECONDS, RETRY_SECONDS, TURN_SECONDS, CannotWrite, QueuedStream
from rotonda.outputs.unconnected import UnconnectedStream
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.outputs.records import seen
from tests.units.puppets import Thread


class Memory:
    """A sink that holds what was written, and may have room for a few lines only."""

    name = "memory"

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.room: int | None = None
        self.reopened = self.closed = 0

    def write(self, lines: Sequence[bytes]) -> None:
        taken = len(lines) if self.room is None else min(self.room, len(lines))
        self.lines += lines[:taken]
        if self.room is not None:
            self.room -= taken
        if taken < len(lines):
            raise CannotWrite(taken, "memory: full")

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        self.closed += 1


def number(record: RecordValue, sent: float) -> bytes:
    asn: Any = record.get("asn")
    return f"{asn:d} at {sent:.0f}".encode()


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


class QueuedStreamTests(Told):
    def setUp(self) -> None:
        super().setUp()
        self.clock, self.sink = Clock(), Memory()
        self.stream = QueuedStream(
            "s", number, self.sink, self.clock, most=5, in_thread=maybeDeferred, clock=self.clock.seconds
        )
        self.stream.startService()

    def send(self, *numbers: int) -> None:
        self.stream.send_all(list(map(seen, numbers)))

    def wait(self, seconds: float = TURN_SECONDS) -> None:
        for _ in range(round(seconds / TURN_SECONDS)):
            self.clock.advance(TURN_SECONDS)

    def test_batches(self) -> None:
        self.send(1, 2)
        self.assertEqual(self.sink.lines, [])
        self.wait()
        self.send(3)
        self.wait()
        self.assertEqual(self.sink.lines, [b"1 at 0", b"2 at 0", b"3 at 0"])
        self.assertEqual(
            (self.stream.sent, self.stream.written, self.stream.dropped, self.stream.waiting), (3, 3, 0, 0)
        )

    def test_what_there_is_no_room_for_is_dropped_and_told_twice(self) -> None:
        self.send(*range(8))
        self.wait(1)
        self.send(9)
        self.wait(1)
        self.assertEqual((self.stream.written, self.stream.dropped), (6, 3))
        self.assertEqual(
            self.told, ["s: memory does not keep up, and records are dropped", "s: 3 records were dropped so far"]
        )

    def test_trouble_is_told_once_and_nothing_is_lost_or_written_twice(self) -> None:
        self.sink.room = 1
        self.send(1, 2, 3)
        self.wait(3 * RETRY_SECONDS)
        self.assertEqual((self.stream.problem, self.stream.waiting), ("memory: full", 2))
        self.sink.room = None
        self.send(4)
        self.wait(RETRY_SECONDS)
        self.assertEqual(self.sink.lines, [b"1 at 0", b"2 at 0", b"3 at 0", b"4 at 6"])
        self.assertEqual(self.told, ["s: memory: full; it is tried again", "s: memory can be written to again"])
        self.assertIsNone(self.stream.problem)

    def test_a_record_that_cannot_be_written(self) -> None:
        self.stream.send(RecordValue("", ()))
        self.send(1)
        self.wait()
        self.assertEqual((self.sink.lines, self.stream.dropped), ([b"1 at 0"], 1))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_a_bug_of_a_sink(self) -> None:
        self.sink.room = "few"  # type: ignore[assignment]
        self.send(1)
        self.wait()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertEqual(self.stream.problem, "writing failed; see the log")

    def test_the_end_writes_what_is_left(self) -> None:
        self.send(1, 2)
        self.successResultOf(self.stream.stopService())
        self.send(3)
        self.assertEqual((len(self.sink.lines), self.sink.closed, self.stream.dropped), (2, 1, 1))
        self.assertFalse(self.clock.getDelayedCalls())

    def test_the_end_does_not_wait_for_long(self) -> None:
        self.sink.room = 0
        self.send(1, 2)
        over = self.stream.stopService()
        self.wait(LAST_SECONDS - 1)
        self.assertNoResult(over)
        self.wait(2)
        self.successResultOf(over)
        self.assertEqual((self.stream.dropped, self.told[-1]), (2, "s: 2 records could not be written"))

    def test_a_thread_that_hangs(self) -> None:
        """Nobody waits for it: neither who sends nor the end."""
        thread = Thread()
        stream = QueuedStream("s", number, self.sink, self.clock, most=5, in_thread=thread)
        stream.startService()
        stream.send_all(list(map(seen, range(9))))
        self.wait(1)
        over: Deferred[None] = stream.stopService()
        self.wait(LAST_SECONDS + 1)
        self.successResultOf(over)
        self.assertEqual(thread.waiting, 1)

    def test_reopened(self) -> None:
        self.stream.reopen()
        self.wait()
        self.assertEqual(self.sink.reopened, 1)

    def test_never_started(self) -> None:
        stream = QueuedStream("s", number, self.sink, self.clock, in_thread=maybeDeferred)
        stream.send(seen())
        self.successResultOf(stream.stopService())
        self.assertEqual(len(self.sink.lines), 1)


class UnconnectedStreamTests(Told):
    def test_all_is_dropped_and_told_once(self) -> None:
        stream = UnconnectedStream("m", "the broker")
        stream.send_all([seen(), seen()])
        self.assertEqual((stream.sent, stream.dropped, stream.problem), (2, 2, "the broker is not connected"))
        self.assertEqual(self.told, ["m: the broker is not connected: all records for it are dropped"])
