"""Tests for L{rotonda.outputs.broker} and L{rotonda.outputs.spilling}: each policy, and nothing lost uncounted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from errno import ENOSPC
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.blocks.values import RecordValue
from rotonda.outputs.broker import PIECE, SLICE_SECONDS, TICK_SECONDS, BrokerStream
from rotonda.outputs.overflow import MOST_UNDER_WAY, Overflow, QueueSettings
from rotonda.outputs.spilling import LONGEST_RETRY_SECONDS
from rotonda.outputs.stream import LAST_SECONDS
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from tests.outputs.carriers import Puppet, Told, numbered, places
from tests.outputs.records import seen
from tests.units.puppets import Thread

MOST = 10

Step = tuple[str, int]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 25)),
        st.tuples(st.just("room"), st.integers(0, 20)),
        st.tuples(st.just("deliver"), st.integers(1, 20)),
        st.tuples(st.sampled_from(["back", "refuse", "wait", "run"]), st.just(1)),
    ),
    max_size=40,
)


class Streams(Told):
    """Makes streams with a carrier and a clock of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "spill"

    def stream(
        self, overflow: Overflow, room: int = 0, in_thread: Callable[..., Deferred[Any]] = maybeDeferred,
        limit: int = 1 << 20, most: int = MOST,
    ) -> BrokerStream:  # fmt: skip
        """A stream that has begun."""
        self.sent = 0
        self.carrier = Puppet(room)
        queue = QueueSettings(most, overflow, str(self.folder), limit)
        stream = BrokerStream("s", numbered, self.carrier, queue, self.clock, in_thread, self.clock.seconds)
        stream.startService()
        self.wait()
        return stream

    def send(self, stream: BrokerStream, count: int) -> None:
        stream.send_all([seen(self.sent + number) for number in range(count)])
        self.sent += count

    def wait(self, seconds: float = TICK_SECONDS) -> None:
        """The reactor does all that it can for so long."""
        for _ in range(round(seconds / TICK_SECONDS)):
            self.clock.advance(TICK_SECONDS)
            for _ in range(60):
                self.clock.advance(0)

    def end(self, stream: BrokerStream) -> None:
        """Stop it, and wait until it has stopped."""
        over = stream.stopService()
        self.wait(4 * LAST_SECONDS)
        self.successResultOf(over)

    def tearDown(self) -> None:
        """Nothing is left to be done by streams that have ended."""
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def deliver_all(self) -> None:
        self.carrier.make_room(1000)
        for _ in range(50):
            self.wait()
            self.carrier.deliver(1000)


class OverflowTests(Streams):
    def test_newest(self) -> None:
        stream = self.stream(Overflow.DROP_NEWEST)
        self.send(stream, 25)
        self.wait()
        self.deliver_all()
        self.assertEqual(self.carrier.arrived, [*range(10)])
        self.assertEqual((stream.sent, stream.written, dict(stream.dropped_by)), (25, 10, {"full": 15}))
        self.assertEqual(
            self.told, ["s: the broker does not keep up, and records are dropped", "s: 15 records were dropped so far"]
        )
        self.end(stream)

    def test_oldest(self) -> None:
        stream = self.stream(Overflow.DROP_OLDEST)
        self.send(stream, 7)
        self.wait()
        self.send(stream, 18)
        self.wait()
        self.deliver_all()
        self.assertEqual((self.carrier.arrived, dict(stream.dropped_by)), ([*range(15, 25)], {"full": 15}))
        self.end(stream)

    def test_block(self) -> None:
        """All that is under way is taken; it is told when it begins and when half of the room is free."""
        stream = self.stream(Overflow.BLOCK)
        heard: list[bool] = []
        stream.blocking_changed = lambda: heard.append(stream.blocking)
        self.send(stream, 9)
        self.assertFalse(stream.blocking)
        self.send(stream, 30)
        self.assertTrue(stream.blocking)
        self.carrier.make_room(33)
        self.wait()
        self.assertTrue(stream.blocking)
        self.carrier.make_room(34)
        self.wait()
        self.assertEqual((stream.blocking, heard), (False, [True, False]))
        self.deliver_all()
        self.assertEqual((self.carrier.arrived, stream.dropped), ([*range(39)], 0))
        self.assertEqual(len(self.told), 2)
        self.end(stream)

    def test_block_has_a_limit_nevertheless(self) -> None:
        stream = self.stream(Overflow.BLOCK)
        record = seen()
        stream.send_all([record] * (MOST_UNDER_WAY + MOST + 5))
        self.assertEqual(dict(stream.dropped_by), {"full": 5})
        self.end(stream)

    def test_the_end_of_block(self) -> None:
        stream = self.stream(Overflow.BLOCK)
        self.send(stream, 20)
        self.end(stream)
        self.assertEqual((stream.blocking, dict(stream.dropped_by)), (False, {"end": 20}))

    def test_spill(self) -> None:
        stream = self.stream(Overflow.SPILL, room=3)
        for _ in range(10):
            self.send(stream, 8)
            self.wait()
        self.assertGreater(stream.on_disk, 0)
        self.assertLessEqual(stream._in_memory, MOST)
        self.deliver_all()
        self.assertEqual((self.carrier.arrived, stream.dropped, stream.on_disk), ([*range(80)], 0, 0))
        self.assertEqual(stream.waiting, 0)
        self.end(stream)

    def test_a_batch_that_is_larger_than_the_memory_is_spilled(self) -> None:
        stream = self.stream(Overflow.SPILL)
        self.send(stream, 5000)
        self.wait(5)
        self.assertEqual(stream.dropped, 0)
        self.assertLessEqual(stream._in_memory, MOST + PIECE)
        self.end(stream)

    def test_what_is_left_at_the_end_comes_first_the_next_time(self) -> None:
        stream = self.stream(Overflow.SPILL, room=3)
        self.send(stream, 50)
        self.wait(5)
        self.send(stream, 5)
        self.end(stream)
        self.assertEqual((stream.waiting, stream.dropped), (55, 0))
        stream = self.stream(Overflow.SPILL)
        self.assertEqual((stream.sent, stream.waiting, places(stream)), (55, 55, 55))
        self.sent = 55
        self.send(stream, 5)
        self.deliver_all()
        self.assertEqual(self.carrier.arrived, [*range(60)])
        self.end(stream)
        self.assertEqual([*self.folder.glob("*.segment")], [])

    def test_segments_stay_until_all_of_it_has_arrived(self) -> None:
        stream = self.stream(Overflow.SPILL)
        self.send(stream, 50)
        self.wait(5)
        self.carrier.make_room(1000)
        self.wait(5)
        self.carrier.deliver(len(self.carrier.held) - 1)
        self.wait(5)
        self.assertTrue([*self.folder.glob("*.segment")])
        self.deliver_all()
        self.assertEqual([*self.folder.glob("*.segment")], [])
        self.assertEqual(self.carrier.arrived, [*range(50)])
        self.end(stream)

    def test_the_limit_of_a_spill(self) -> None:
        stream = self.stream(Overflow.SPILL, limit=300)
        for _ in range(30):
            self.send(stream, 5)
            self.wait()
        self.assertLessEqual(sum(path.stat().st_size for path in self.folder.glob("*.segment")), 300)
        dropped = stream.dropped_by["full"]
        self.assertGreater(dropped, 0)
        self.assertEqual(stream.waiting, places(stream))
        self.deliver_all()
        self.assertEqual(self.carrier.arrived, [*range(150 - dropped)])
        self.end(stream)

    def test_a_full_disk(self) -> None:
        """It is told once, what there is no room for is counted, and it goes on when there is room."""
        stream = self.stream(Overflow.SPILL)
        with mock.patch.object(os, "write", mock.Mock(side_effect=OSError(ENOSPC, "No space left on device"))):
            for _ in range(30):
                self.send(stream, 5)
                self.wait()
            self.assertIn("No space left", str(stream.problem))
            self.assertEqual(stream.waiting, places(stream))
        dropped = stream.dropped_by["full"]
        self.assertGreater(dropped, 0)
        self.assertEqual(len([line for line in self.told if "No space" in line]), 1)
        self.wait(2 * LONGEST_RETRY_SECONDS)
        self.send(stream, 30)
        self.wait()
        self.assertEqual((stream.problem, stream.dropped_by["full"]), (None, dropped))
        self.end(stream)
        self.assertEqual((stream.dropped, stream.waiting), (dropped, 180 - dropped))

    def test_a_folder_that_is_in_use_is_tried_again(self) -> None:
        first = self.stream(Overflow.SPILL)
        second = self.stream(Overflow.SPILL, room=100)
        self.assertIn("another process uses it", str(second.problem))
        self.send(second, 5)
        self.wait()
        self.carrier.deliver(5)
        self.assertEqual(second.written, 5)
        self.end(first)
        self.wait(2 * LONGEST_RETRY_SECONDS)
        self.assertIsNone(second.problem)
        self.end(second)

    def test_a_disk_that_does_not_answer(self) -> None:
        """Neither who sends nor the end waits for it."""
        thread = Thread()
        stream = self.stream(Overflow.SPILL, room=5, in_thread=thread)
        thread.run()
        self.send(stream, 40)
        self.wait(5)
        self.assertEqual((thread.waiting, len(self.carrier.held)), (1, 5))
        self.end(stream)
        self.assertEqual(stream.waiting, 0)

    @given(st.sampled_from(list(Overflow)), STEPS)
    @settings(max_examples=40, deadline=None)
    def test_everything_is_somewhere(self, overflow: Overflow, steps: list[Step]) -> None:
        """Sent is written, dropped or waiting, at all times; and what arrives comes in order."""
        for path in self.folder.glob("*"):
            path.unlink()
        thread = Thread()
        stream = self.stream(overflow, in_thread=thread)
        for what, count in steps:
            if what == "send":
                self.send(stream, count)
            elif what == "room":
                self.carrier.make_room(count)
            elif what == "deliver":
                self.carrier.deliver(count)
            elif what == "back":
                self.carrier.give_back()
            elif what == "refuse":
                self.carrier.refuse()
            elif what == "run" and thread.waiting:
                thread.run()
            elif what == "wait":
                self.wait()
            self.assertEqual(stream.waiting, places(stream))
            self.assertEqual(stream.dropped, sum(stream.dropped_by.values()))
            self.assertEqual(self.carrier.arrived, sorted(set(self.carrier.arrived)))
        self.carrier.make_room(1000)
        for _ in range(200):
            self.clock.advance(TICK_SECONDS)
            while thread.waiting:
                thread.run()
            self.carrier.deliver(1000)
        self.assertEqual((stream.waiting, places(stream)), (0, 0))
        self.assertEqual(self.carrier.arrived, sorted(set(self.carrier.arrived)))
        self.assertEqual(stream.written, len(self.carrier.arrived))
        if overflow in (Overflow.BLOCK, Overflow.SPILL):
            self.assertEqual(stream.dropped_by["full"], 0)
        over = stream.stopService()
        for _ in range(100):
            self.clock.advance(TICK_SECONDS)
            while thread.waiting:
                thread.run()
        self.successResultOf(over)

    def play(self, steps: list[Step]) -> BrokerStream:
        """A stream that spills, to an empty folder, and what happens to it."""
        for path in self.folder.glob("*"):
            path.unlink()
        stream = self.stream(Overflow.SPILL)
        for what, count in steps:
            if what == "send":
                self.send(stream, count)
            elif what == "room":
                self.carrier.make_room(count)
            elif what == "deliver":
                self.carrier.deliver(count)
            elif what == "back":
                self.carrier.give_back()
            self.wait()
        return stream

    @given(STEPS)
    @settings(max_examples=25, deadline=None)
    def test_a_stop_loses_nothing_and_nothing_comes_twice(self, steps: list[Step]) -> None:
        self.end(self.play(steps))
        count, arrived = self.sent, self.carrier.arrived
        stream = self.stream(Overflow.SPILL)
        self.deliver_all()
        self.assertEqual(arrived + self.carrier.arrived, [*range(count)])
        self.end(stream)

    @given(STEPS)
    @settings(max_examples=25, deadline=None)
    def test_a_kill_loses_only_what_was_in_memory(self, steps: list[Step]) -> None:
        stream: Any = self.play(steps)
        spilling = stream._spilling
        memory = [record.get("asn") for batch, _ in stream._room._batches for record in batch]
        messages = list(spilling.made)
        if not spilling.segments_read:
            messages += [*self.carrier.held, *(message for batch in stream._front for message in batch)]
        memory += [int(message.payload) for message in messages]
        expected = {*range(self.sent)} - {*self.carrier.arrived, *memory}
        os.close(spilling._spill._lock)
        spilling._spill._lock, self.clock = -1, Clock()
        stream = self.stream(Overflow.SPILL)
        self.deliver_all()
        self.assertLessEqual(expected, {*self.carrier.arrived})
        self.assertEqual(self.carrier.arrived, sorted({*self.carrier.arrived}))
        self.end(stream)


class CarrierTests(Streams):
    def test_trouble_is_told_once(self) -> None:
        stream = self.stream(Overflow.DROP_NEWEST)
        for _ in range(3):
            self.carrier.stream.trouble("the broker: gone")
        self.assertEqual(stream.problem, "the broker: gone")
        self.carrier.stream.trouble(None)
        self.assertEqual(self.told, ["s: the broker: gone; it is tried again", "s: the broker takes records again"])
        self.end(stream)

    def test_trouble_of_another_kind_is_told_too(self) -> None:
        stream = self.stream(Overflow.DROP_NEWEST)
        for why in ("gone", "wrong password", "gone", *map(str, range(99))):
            self.carrier.stream.trouble(why)
        self.assertEqual(self.told[:2], ["s: gone; it is tried again", "s: wrong password; it is tried again"])
        self.assertEqual((len(self.told), stream.problem), (8, "98"))
        self.end(stream)

    def test_what_comes_back_goes_first(self) -> None:
        stream = self.stream(Overflow.DROP_NEWEST, room=4)
        self.send(stream, 8)
        self.wait()
        self.carrier.give_back()
        self.assertEqual(stream.problem, "the broker: gone")
        self.deliver_all()
        self.assertEqual((self.carrier.arrived, stream.problem), ([*range(8)], None))
        self.end(stream)

    def test_what_is_refused(self) -> None:
        """It is counted, and told with topic and reason, but not again and again."""
        stream = self.stream(Overflow.DROP_NEWEST, room=100)
        self.send(stream, 10)
        self.wait()
        for _ in range(10):
            self.carrier.refuse()
        self.assertEqual(dict(stream.dropped_by), {"refused": 10})
        self.assertEqual(self.told, ["s: the broker: a record is dropped: t: too large"])
        self.wait(61)
        self.send(stream, 1)
        self.wait()
        self.carrier.refuse()
        self.assertEqual(self.told[1:], ["s: the broker: a record is dropped: t: too large; so were 9 more"])
        self.end(stream)

    def test_records_that_are_no_messages(self) -> None:
        stream = self.stream(Overflow.DROP_NEWEST, room=100)
        stream.send_all([seen(1), RecordValue("", ()), seen(3)])
        self.deliver_all()
        self.assertEqual((self.carrier.arrived, dict(stream.dropped_by)), ([1, 3], {"refused": 1}))
        self.assertEqual(len(self.told), 1)
        self.end(stream)

    def test_a_carrier_with_a_bug(self) -> None:
        stream = self.stream(Overflow.DROP_NEWEST)
        give, self.carrier.give = self.carrier.give, mock.Mock(side_effect=RuntimeError)  # type: ignore[method-assign]
        self.send(stream, 3)
        self.wait()
        self.assertTrue(self.flushLoggedErrors(RuntimeError))
        self.carrier.give = give  # type: ignore[method-assign]
        self.deliver_all()
        self.assertEqual(self.carrier.arrived, [0, 1, 2])
        self.end(stream)

    def test_the_end_delivers_what_it_can(self) -> None:
        stream = self.stream(Overflow.DROP_NEWEST, room=100)
        self.send(stream, 5)
        over = stream.stopService()
        self.wait()
        self.assertTrue(self.carrier.is_closed)
        self.successResultOf(over)
        self.assertEqual((dict(stream.dropped_by), stream.waiting), ({"end": 5}, 0))
        self.send(stream, 1)
        self.assertEqual((stream.dropped, self.told[-1]), (6, "s: 5 records could not be written"))

    def test_a_carrier_that_does_not_end(self) -> None:
        for overflow in (Overflow.DROP_NEWEST, Overflow.SPILL):
            stream = self.stream(overflow, room=5)
            self.send(stream, 9)
            self.wait()
            self.carrier.hangs = True
            self.end(stream)
            self.assertGreaterEqual(stream.dropped_by["end"], 5)

    def test_never_started(self) -> None:
        carrier = Puppet(10)
        stream = BrokerStream("s", numbered, carrier, QueueSettings(), self.clock)
        stream.send(seen())
        self.end(stream)
        self.assertTrue(carrier.is_open)
        self.assertEqual(stream.waiting, 0)

    def test_reopened(self) -> None:
        stream = self.stream(Overflow.DROP_NEWEST)
        stream.reopen()
        self.assertEqual(self.carrier.reopened, 1)
        self.end(stream)

    def test_the_reactor_is_not_held(self) -> None:
        """Messages that take long to make are made some at a time."""
        stream = self.stream(Overflow.DROP_NEWEST, room=10_000, most=10_000)
        made, most = [0], [0]

        def slow(records: Sequence[RecordValue], sent: float) -> Any:
            self.clock.rightNow += 0.00001 * len(records)
            made[0] += len(records)
            return numbered(records, sent)

        def pump() -> None:
            made[0] = 0
            own()
            most[0] = max(most[0], made[0])

        own, stream._pump, stream._messages = stream._pump, pump, slow  # type: ignore[method-assign]
        self.send(stream, 5000)
        self.deliver_all()
        self.assertEqual(len(self.carrier.arrived), 5000)
        self.assertLessEqual(most[0], SLICE_SECONDS / 0.00001 + PIECE)
        self.end(stream)
