"""Tests for L{rotonda.outputs.sinks}: lines that are written together, trouble, and the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rotonda.blocks.values import RecordValue
from rotonda.outputs.broker import TICK_SECONDS, BrokerStream
from rotonda.outputs.overflow import QueueSettings
from rotonda.outputs.sinks import LONGEST_RETRY_SECONDS, TURN_SECONDS, SinkCarrier, sink_stream
from rotonda.outputs.stream import LAST_SECONDS, CannotWrite
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from tests.outputs.carriers import Told
from tests.outputs.records import seen
from tests.units.puppets import Thread


class Memory:
    """A sink that holds what was written, and may have room for a few lines only."""

    name = "memory"

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.batches: list[int] = []
        self.room: int | None = None
        self.reopened = self.closed = 0

    def write(self, lines: Sequence[bytes]) -> None:
        self.batches.append(len(lines))
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


def numbers(records: Sequence[RecordValue], sent: float) -> list[bytes]:
    asns: list[Any] = [record.get("asn") for record in records]
    return [f"{asn:d}".encode() for asn in asns]


class SinkTests(Told):
    def setUp(self) -> None:
        super().setUp()
        self.clock, self.sink = Clock(), Memory()
        self.stream = self.made(maybeDeferred)
        self.stream.startService()

    def made(self, in_thread: Callable[..., Deferred[Any]], most: int = 5) -> BrokerStream:
        return sink_stream("s", numbers, self.sink, QueueSettings(most), self.clock, in_thread)

    def send(self, *numbers: int) -> None:
        self.stream.send_all(list(map(seen, numbers)))

    def wait(self, seconds: float = 2 * TURN_SECONDS) -> None:
        for _ in range(round(seconds / TURN_SECONDS)):
            self.clock.advance(TURN_SECONDS)
            for _ in range(5):
                self.clock.advance(0)

    def counts(self) -> tuple[int, int, int, int]:
        own = self.stream
        return own.sent, own.written, own.dropped, own.waiting

    def test_lines_are_written_together(self) -> None:
        self.wait()
        self.send(1, 2)
        self.clock.advance(0)
        self.send(3)
        self.clock.advance(0)
        self.assertEqual(self.sink.lines, [])
        self.wait()
        self.assertEqual((self.sink.lines, self.sink.batches), ([b"1", b"2", b"3"], [0, 3]))
        self.assertEqual(self.counts(), (3, 3, 0, 0))

    def test_the_file_is_made_before_there_is_a_line(self) -> None:
        self.wait()
        self.assertEqual(self.sink.batches, [0])

    def test_trouble_is_told_once_and_nothing_is_lost_or_written_twice(self) -> None:
        self.sink.room = 1
        self.send(1, 2, 3)
        self.wait(3)
        self.assertEqual((self.stream.problem, self.stream.waiting), ("memory: full", 2))
        self.send(4)
        self.wait(300)
        tries = len(self.sink.batches)
        self.wait(4 * LONGEST_RETRY_SECONDS)
        self.assertLess(len(self.sink.batches), tries + 5)
        self.sink.room = None
        self.wait(LONGEST_RETRY_SECONDS + 2)
        self.assertEqual(self.sink.lines, [b"1", b"2", b"3", b"4"])
        self.assertEqual(self.told, ["s: memory: full; it is tried again", "s: memory takes records again"])
        self.assertIsNone(self.stream.problem)

    def test_what_waits_while_there_is_trouble_is_bounded(self) -> None:
        self.sink.room = 0
        self.send(0)
        self.wait(1)
        self.send(*range(1, 9))
        self.assertEqual(self.counts(), (9, 0, 3, 6))
        self.sink.room = None
        self.wait(LONGEST_RETRY_SECONDS + 2)
        self.assertEqual(self.counts(), (9, 6, 3, 0))

    def test_a_bug_of_a_sink(self) -> None:
        self.sink.room = "few"  # type: ignore[assignment]
        self.send(1)
        self.wait(1)
        self.assertTrue(self.flushLoggedErrors(TypeError))
        self.assertEqual(self.stream.problem, "memory: writing failed; see the log")

    def test_the_end_writes_what_is_left(self) -> None:
        self.send(1, 2)
        over = self.stream.stopService()
        self.wait(TICK_SECONDS)
        self.successResultOf(over)
        self.send(3)
        self.assertEqual((len(self.sink.lines), self.sink.closed, self.stream.dropped), (2, 1, 1))
        self.assertFalse(self.clock.getDelayedCalls())

    def test_the_end_writes_what_had_no_room(self) -> None:
        self.sink.room = 0
        self.send(0)
        self.wait(1)
        self.send(1, 2)
        self.wait(1)
        over = self.stream.stopService()
        self.sink.room = None
        self.wait(2 * LAST_SECONDS)
        self.successResultOf(over)
        self.assertEqual((self.sink.lines, self.stream.dropped), ([b"0", b"1", b"2"], 0))

    def test_the_end_does_not_wait_for_long(self) -> None:
        self.sink.room = 0
        self.send(1, 2)
        over = self.stream.stopService()
        self.wait(2 * LAST_SECONDS)
        self.successResultOf(over)
        self.assertEqual((self.stream.dropped, self.told[-1]), (2, "s: 2 records could not be written"))
        self.assertFalse(self.clock.getDelayedCalls())

    def test_a_thread_that_hangs(self) -> None:
        """Nobody waits for it: neither who sends nor the end; and what it still writes is counted no more."""
        thread = Thread()
        stream = self.made(thread)
        stream.startService()
        stream.send_all(list(map(seen, range(9))))
        self.wait(1)
        over: Deferred[None] = stream.stopService()
        self.wait(2 * LAST_SECONDS)
        self.successResultOf(over)
        counts = stream.written, stream.dropped
        thread.run()
        self.assertEqual((thread.waiting, counts, (stream.written, stream.dropped)), (0, (0, 9), (0, 9)))

    def test_reopened(self) -> None:
        self.stream.reopen()
        self.wait()
        self.assertEqual(self.sink.reopened, 1)
        self.send(1)
        self.wait()
        self.assertEqual((self.sink.reopened, self.sink.lines), (1, [b"1"]))

    def test_many(self) -> None:
        stream = self.made(maybeDeferred, most=200_000)
        stream.startService()
        record = seen()
        stream.send_all([record] * 100_000)
        for _ in range(1000):
            self.clock.advance(0.001)
        self.assertEqual((stream.written, max(self.sink.batches)), (100_000, 20_000))

    def test_a_carrier_has_the_name_of_its_sink(self) -> None:
        self.assertEqual(SinkCarrier(self.sink, self.clock, maybeDeferred).name, "memory")
