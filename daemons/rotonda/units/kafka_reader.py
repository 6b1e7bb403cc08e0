"""Partitions of a topic as a table: one of a group, whose members have the topic among them.

A thread of its own polls, keeps the last record of each key, and makes columns of values; only then the reactor's turn
comes, in slices: attribute sets get their numbers, and a change is committed. What is not whole yet waits: the
table grows by a partition when all has been read that was there when the partition came. A partition that goes to
another member takes its rows along before the other one gets it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Event, Semaphore
from typing import Any

import numpy as np
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from rotonda.units.kafka_topic import Retry, Topic, TopicService, UnusableTopic, text_of
from rotonda.views.shown import HeldPartition, Link
from rotoro.log.read import Batch, ValueReader
from rotoro.log.reader import Adopt, Marks, Taking, Waiting, leaving, pieces
from rotoro.table import AttributeStore, History
from rotoro.wire.errors import CorruptData
from rotoro.wire.rotoro import Health
from rotoro.wire.typed import RecordType

AT_ONCE = 5000
"""Records that are polled at a time."""

POLL_SECONDS = 0.05
CHANGE_OCTETS = 4 << 20
"""Octets of values that become one change of the table, or a quarter of what it holds if that is more."""

WAITING_OCTETS = 256 << 20
"""Octets of values that may wait for the rest of their partitions; then they are taken as they are."""

UNDER_WAY = 2
"""Changes that may wait for the reactor; as long as they do, nothing is polled."""

LONGEST_REST = 0.5
"""Seconds between two changes at the most; else as long as the one before took."""

SESSION_SECONDS = 10.0
"""After so long without a word another member takes over."""

REFUSED_TOLD = 20


@dataclass(eq=False)
class _Held:
    """A partition that is ours."""

    waiting: Waiting
    offset: int = 0
    """Of the next record."""
    start: int | None = None
    """Where the log ended when the partition came."""
    end: int = 0
    """Where it ends, as far as is known."""
    read: bool = False
    """Whether what was there when it came has been read."""
    taken: bool = False
    """Whether that is in the table."""

    @property
    def lag(self) -> int:
        return max(0, self.end - self.offset)


@dataclass(eq=False)
class _Work:
    """Something that the reactor is to do, in its turn."""

    do: Callable[[], Any]
    done: Event


class KafkaReader(TopicService):
    """One member of a group. `history` is the table of what it holds; nobody else commits to it."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        title: str,
        topic: Topic,
        group: str,
        store: AttributeStore,
        history: History,
        adopt: Adopt,
        record: RecordType | None = None,
    ) -> None:
        super().__init__(reactor, title, topic)
        self.refused = 0
        """Records of the topic that could not be used."""
        self.commits = 0
        self._group = group
        self._history, self._values = history, ValueReader(record)
        self._taking, self._marks = Taking(store, adopt), Marks()
        self._partitions = 0
        self._held: dict[int, _Held] = {}
        self._assigned = False
        self._failed: str | None = None
        """Why something that was read could not be taken."""
        self._work: deque[_Work] = deque()
        self._at_work = False
        self._room = Semaphore(UNDER_WAY)
        self._octets = 0
        """Octets of values that were taken, about."""
        self._is_held = self._is_paused = False

    # --- what it shows -----------------------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether all of its partitions are in the table, and all their writers have said that they are whole."""
        held = dict(self._held)
        if not self._assigned or not all(each.taken for each in held.values()):
            return False
        marks = [mark for partition in held for mark in self._marks.of(partition)]
        return not held or (bool(marks) and all(mark.complete for mark in marks))

    @property
    def receiving(self) -> bool:
        """Whether a change is under way."""
        return self._at_work or any(not each.taken for each in list(self._held.values()))

    @property
    def problem(self) -> str | None:
        """What is wrong, here or with a writer."""
        marks = {mark for partition in list(self._held) for mark in self._marks.of(partition)}
        told = [f"{mark.writer} is {Health(mark.health).name.lower()}" for mark in marks if mark.health]
        refused = [f"{self.refused:,} records of the topic are refused"] if self.refused else []
        return self._problem or "; ".join([*refused, *sorted(told)]) or None

    def shown(self) -> Link:
        """How it fares."""
        held = sorted(dict(self._held).items())
        parts = [HeldPartition(number, each.offset, each.lag, each.taken) for number, each in held]
        if not self._assigned:
            state = "connecting"
        elif not all(each.taken for _, each in held):
            state = "loading"
        else:
            state = "following"
        return Link(
            name=f"{self.title} ({self._group})", peer=str(self._topic), state=state, mode="reads",
            records=self._history.snapshot.count, last_error=self.problem, partitions=tuple(parts),
        )  # fmt: skip

    # --- its life ----------------------------------------------------------------------------------------------------

    def startService(self) -> None:
        """Become a member."""
        super().startService()
        self._start("reads")

    def hold(self, on: bool) -> None:
        """Read nothing as long as this is so; we stay a member of the group, and what was read is taken."""
        self._is_held = on

    # --- in the thread -----------------------------------------------------------------------------------------------

    def _attend(self, retry: Retry) -> None:
        from confluent_kafka import Consumer

        self._failed, self._is_paused = None, False
        self._partitions = self._opened(make=False)
        consumer = Consumer({
            **self._settings,
            "group.id": self._group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": round(1000 * SESSION_SECONDS),
            "heartbeat.interval.ms": round(1000 * SESSION_SECONDS / 5),
            "fetch.message.max.bytes": CHANGE_OCTETS,
            "queued.max.messages.kbytes": 32 << 10,
        })  # fmt: skip
        try:
            consumer.subscribe(
                [self._topic.name], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
            )
            while not self._again.is_set():
                if self._poll(consumer):
                    retry.succeeded()
                self._look_for_brokers(consumer)
        finally:
            self._drop(list(self._held))
            self._assigned = False
            consumer.close()

    def _on_assign(self, consumer: Any, partitions: list[Any]) -> None:
        from confluent_kafka import OFFSET_BEGINNING

        for each in partitions:
            each.offset = OFFSET_BEGINNING
            self._held[each.partition] = _Held(Waiting(each.partition))
        consumer.incremental_assign(partitions)
        self._assigned = True
        self._told("gets", partitions)
        if not self._held:
            self._post(self._is_ready)

    def _on_revoke(self, consumer: Any, partitions: list[Any]) -> None:
        self._told("gives up", partitions)
        self._drop([each.partition for each in partitions])
        consumer.incremental_unassign(partitions)

    def _told(self, what: str, partitions: list[Any]) -> None:
        numbers = ", ".join(str(each.partition) for each in partitions) or "none"
        self.log.info("{unit} {what} partitions of {topic}: {numbers}", unit=self.title, what=what,
                      topic=str(self._topic), numbers=numbers)  # fmt: skip

    def _drop(self, partitions: list[int]) -> None:
        """Have the rows of these partitions leave the table, and come back when they have."""
        for partition in partitions:
            self._held.pop(partition, None)
        if partitions:
            left = self._post(lambda: self._leave(partitions))
            while not left.wait(0.1) and not self._stopping.is_set():
                pass

    def _poll(self, consumer: Any) -> bool:
        """Take what has come; whether that was anything."""
        from confluent_kafka import KafkaError, KafkaException

        self._pause(consumer)
        messages = consumer.consume(AT_ONCE, POLL_SECONDS)
        if self._failed is not None:
            raise UnusableTopic(f"{self._topic} cannot be taken: {self._failed}")
        for message in messages:
            held = self._held.get(message.partition())
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if held is None:
                continue
            held.offset = message.offset() + (error is None)
            if held.start is None:
                held.start = _end(consumer, self._topic.name, message.partition())
            held.read = held.read or error is not None or held.offset >= held.start
            if error is None:
                self._take(held, message.partition(), message.key() or b"", message.value())
        for partition, held in self._held.items():
            held.end = max(held.end, held.offset, _end(consumer, self._topic.name, partition))
        self._give(drained=len(messages) < AT_ONCE)
        if messages:
            self._tell(None)
        return bool(messages)

    def _pause(self, consumer: Any) -> None:
        """Have the partitions wait while nothing may be read, also those that came meanwhile."""
        if self._is_held:
            consumer.pause(consumer.assignment())
        elif self._is_paused:
            consumer.resume(consumer.assignment())
        self._is_paused = self._is_held

    def _take(self, held: _Held, partition: int, key: bytes, value: bytes | None) -> None:
        try:
            if not self._marks.take(partition, key, value):
                held.waiting.add(key, value)
        except CorruptData as wrong:
            self._refuse(key, str(wrong))

    def _give(self, *, drained: bool) -> None:
        """Give over what can be taken into the table."""
        most = max(CHANGE_OCTETS, self._octets // 4)
        size = sum(held.waiting.octets for held in self._held.values())
        ready = [held for held in self._held.values() if held.read]
        if size >= WAITING_OCTETS:
            ready = list(self._held.values())
        elif not drained and sum(held.waiting.octets for held in ready) < most:
            return
        messages = [message for held in ready for message in held.waiting.take()]
        for piece in pieces(messages, most):
            self._octets += sum(len(value or b"") for _, _, value in piece)
            for batch in self._values.batches(piece, self._partitions):
                self._post_batch(batch)
        for held in ready:
            if held.read and not held.taken:
                self._post(partial(self._is_taken, held))

    def _post_batch(self, batch: Batch) -> None:
        while not self._room.acquire(timeout=0.5):
            if self._stopping.is_set():
                return
        self._post(lambda: self._commit(batch))

    def _post(self, do: Callable[[], Any]) -> Event:
        work = _Work(do, Event())
        self._reactor.callFromThread(self._queue, work)
        return work.done

    # --- in the reactor ----------------------------------------------------------------------------------------------

    def _queue(self, work: _Work) -> None:
        self._work.append(work)
        if not self._at_work:
            self._at_work = True
            ensureDeferred(self._work_off())

    async def _work_off(self) -> None:
        try:
            while self._work:
                work = self._work.popleft()
                try:
                    done = work.do()
                    if done is not None:
                        await done
                except Exception as wrong:  # the table is not what the topic says: it is read again
                    self.log.failure("{unit}: what was read cannot be taken", unit=self.title)
                    self._failed = text_of(wrong)
                finally:
                    work.done.set()
        finally:
            self._at_work = False

    async def _commit(self, batch: Batch) -> None:
        try:
            numbers = [np.empty(0, np.uint32)]
            for some in self._taking.intern(batch):
                numbers.append(some)
                await deferLater(self._reactor, 0)
            started = self._reactor.seconds()
            diff = self._taking.diff(self._history.snapshot, batch, np.concatenate(numbers))
            for refused in batch.refused:
                self._refuse(refused.key, refused.why)
            if diff:
                self._history.commit_diff(diff)
                self.commits += 1
            await deferLater(self._reactor, min(self._reactor.seconds() - started, LONGEST_REST))
        finally:
            self._room.release()

    def _is_taken(self, held: _Held) -> None:
        held.taken = True
        if all(each.taken for each in self._held.values()):
            self._is_ready()

    def _is_ready(self) -> None:
        """There is a table, also if it has no rows."""
        if not self._history.ready:
            self._history.commit(self._history.snapshot)

    def _leave(self, partitions: list[int]) -> None:
        for partition in partitions:
            self._marks.drop(partition)
        self._history.commit_diff(leaving(self._history.snapshot, partitions, self._partitions))

    def _refuse(self, key: bytes, why: str) -> None:
        self.refused += 1
        if self.refused <= REFUSED_TOLD:
            self.log.warn("{topic}: the record with key {key} is refused: {why}", topic=str(self._topic),
                          key=key.hex(), why=why)  # fmt: skip


def _end(consumer: Any, topic: str, partition: int) -> int:
    """Where a partition ends, as was heard last."""
    from confluent_kafka import TopicPartition

    _, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
    return max(0, int(high))
