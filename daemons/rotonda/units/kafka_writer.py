"""A table that is kept in a compacted topic: what changes in it is put there, in transactions.

A thread of its own makes values and waits for brokers. What changes meanwhile waits as the names of cells, and is
written as it is then: whoever is slow writes less often, and nothing queues up. A writer has a name, and the brokers
let only the last one of that name write. When something fails, all is begun anew: what the topic has is read back, and
what differs is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from secrets import randbits
from threading import Event, Lock
from time import monotonic
from typing import Any

import numpy as np
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rotonda.units.kafka_topic import ASK_SECONDS, Retry, Topic, TopicService
from rotonda.views.shown import Link
from rotoro.log.cells import Numbers, all_of, touched
from rotoro.log.writer import CELLS, LogWriter, Step
from rotoro.table import Diff, History, RouteSlot
from rotoro.table.columns import distinct
from rotoro.wire.errors import CorruptData
from rotoro.wire.rotoro import Health
from rotoro.wire.typed import RecordType

LOOK_SECONDS = 0.25
"""How often it is looked whether the table is complete, and at the least whether it is to end."""

TRANSACTION_SECONDS = 30.0
"""How long a transaction of a writer that has died keeps readers waiting, unless it begins anew before."""

READ_BACK_SECONDS = 30.0
"""How long nothing may come while what the topic has is read back."""

LAST_SECONDS = 3.0
"""How long our last words may take."""

FATAL_SECONDS = 2.0
"""How long it may take to learn what a fatal error is about."""

AT_ONCE = 5000

_FENCED = {"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"}
"""What the library says when another writer has the name, by the names of the errors."""


class Fenced(Exception):
    """Another writer of the same name has begun."""


class KafkaWriter(TopicService):
    """Keeps the table of `history` in a topic, under a name. `complete` tells whether the table is whole.

    After a restart, what the topic had of the table before stays as it is until the table is whole, and for
    `restart_time` seconds in any case: not every table knows when it is.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        title: str,
        topic: Topic,
        name: str,
        history: History,
        complete: Callable[[], bool],
        record: RecordType | None = None,
        restart_time: float = 0.0,
    ) -> None:
        super().__init__(reactor, title, topic)
        self.writer = name
        self.written = 0
        """Values and tombstones that are in the topic."""
        self.left_out = 0
        """Routes that fit into no record."""
        self.complete = False
        """Whether the whole table is in the topic."""
        self._record = record
        self._history, self._is_whole, self._restart_time = history, complete, restart_time
        self._whole = False
        self._cells = 0
        self._state = "connecting"
        self._lock, self._news, self._fenced = Lock(), Event(), Event()
        self._snapshot = history.snapshot
        self._dirty: dict[RouteSlot, list[Numbers]] = {}
        self._look = LoopingCall(self._look_at_it)
        self._look.clock = reactor
        self._leave: Callable[[], None] = lambda: None

    @property
    def problem(self) -> str | None:
        """What is wrong."""
        left = f"{self.left_out:,} routes fit into no record" if self.left_out else None
        return self._problem or left

    def shown(self) -> Link:
        """How it fares."""
        return Link(
            name=f"{self.title} ({self.writer})", peer=str(self._topic), state=self._state, mode="writes",
            records=self._cells, last_error=self.problem,
        )  # fmt: skip

    # --- its life ----------------------------------------------------------------------------------------------------

    def startService(self) -> None:
        """Begin to write."""
        super().startService()
        self._leave = self._history.subscribe(self._hear)
        self._look.start(LOOK_SECONDS)
        self._start("writes")

    def stopService(self) -> Deferred[None]:
        """Write no more; fires when that is so."""
        self._look.stop()
        self._leave()
        ended = super().stopService()
        self._news.set()
        return ended

    def _hear(self, diff: Diff) -> None:
        with self._lock:
            self._snapshot = self._history.snapshot
            self._add(touched(diff))
        self.complete = False
        self._news.set()

    def _look_at_it(self) -> None:
        self._whole = self._history.ready and self._is_whole()

    def _add(self, cells: Mapping[RouteSlot, Numbers]) -> None:
        """These are to be looked at."""
        for slot, numbers in cells.items():
            known = self._dirty.setdefault(slot, [])
            known.append(numbers)
            if len(known) > 16:
                known[:] = [distinct(np.concatenate(known))]

    # --- in the thread -----------------------------------------------------------------------------------------------

    def _attend(self, retry: Retry) -> None:
        try:
            self._write(retry)
        except Fenced as end:
            self._tell(str(end))
            self._state = "fenced"
            self._stopping.wait()

    def _interrupted(self) -> None:
        self._state = "connecting"

    def _write(self, retry: Retry) -> None:
        from confluent_kafka import Producer

        self._state = "connecting"
        partitions = self._opened(make=True)
        producer = Producer({
            **self._settings,
            "transactional.id": f"{self._topic.name}/{self.writer}",
            "transaction.timeout.ms": round(1000 * TRANSACTION_SECONDS),
            "compression.type": "lz4",
            "linger.ms": 5,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 4 * CELLS,
            "queue.buffering.max.kbytes": 64 << 10,
            "error_cb": self._error,
        })  # fmt: skip
        log = _Log(producer, self._topic.name, self._stopping, self._fenced)
        log.begin()
        self._state = "reading back"
        writer = LogWriter(self.writer, partitions, randbits(64), self._record)
        for key, value in read_back(self._topic.name, self._settings, partitions, self._again):
            writer.read_back(key, value)
        if self._again.is_set():
            return
        self._told(writer)
        log.put([self._begun(writer)])
        with self._lock:
            self._add(all_of(self._snapshot))
        self._hold(writer)
        self._keep(writer, log, retry)
        if self._stopping.is_set():
            log.put([writer.marks(Health.GONE, complete=self.complete)])

    def _told(self, writer: LogWriter) -> None:
        self._cells = writer.cells
        self._tell(None)
        self.log.info("{unit} writes to {topic}, which has {cells:,} records of {name}", unit=self.title,
                      topic=str(self._topic), cells=writer.cells, name=self.writer)  # fmt: skip

    def _begun(self, writer: LogWriter) -> Step:
        """A mark that says that what is there is from before, if something is."""
        return writer.marks(Health.STALLED if writer.was_complete else Health.HEALTHY, complete=writer.was_complete)

    def _hold(self, writer: LogWriter) -> None:
        """A table that was whole stays so until there is another one."""
        if not writer.was_complete:
            return
        self._state, until = "waiting for the whole table", monotonic() + self._restart_time
        while not (self._whole and monotonic() >= until) and not self._again.wait(LOOK_SECONDS):
            pass

    def _keep(self, writer: LogWriter, log: _Log, retry: Retry) -> None:
        """Write what changes, until it is to end."""
        swept = False
        while not self._again.is_set():
            self._news.clear()
            whole = self._whole
            with self._lock:
                snapshot, dirty, self._dirty = self._snapshot, self._dirty, {}
            cells = {slot: distinct(np.concatenate(numbers)) for slot, numbers in dirty.items()}
            self._state = "writing"
            self._put(writer, log, writer.steps(snapshot, cells))
            if whole and not swept:
                self._put(writer, log, writer.sweep(snapshot))
                log.put([writer.marks(Health.HEALTHY, complete=True)])
                swept = True
            retry.succeeded()
            self._state = "written"
            self.complete = swept and not self._dirty
            log.poll()
            self._look_for_brokers(log.producer)
            self._news.wait(LOOK_SECONDS)

    def _put(self, writer: LogWriter, log: _Log, steps: Iterable[Step]) -> None:
        for some in _together(steps):
            if self._again.is_set():
                return
            log.put(some)
            for step in some:
                writer.done(step)
                self.written += len(step.records)
                self.left_out += step.left_out
            self._cells = writer.cells

    def _error(self, error: Any) -> None:
        if not error.fatal():
            self._hear_error(error)
        elif error.name() in _FENCED:
            self._fenced.set()


class _Log:
    """The topic as it is written to: what is put there is there as a whole, or not at all."""

    def __init__(self, producer: Any, topic: str, stopping: Event, fenced: Event) -> None:
        """`fenced` is set when the library says, in its own time, that another writer has the name."""
        self.producer, self._topic, self._stopping, self._fenced = producer, topic, stopping, fenced

    def begin(self) -> None:
        """Keep out whoever had the name before; what it has not finished is void."""
        self._guard(lambda: self.producer.init_transactions(ASK_SECONDS))

    def put(self, steps: Iterable[Step]) -> None:
        """Have these there. Raises KafkaException, and Fenced."""
        self._guard(lambda: self._put(steps))

    def poll(self) -> None:
        """Hear what the library has to say. Raises KafkaException, and Fenced."""
        self._guard(lambda: self.producer.poll(0))

    def _put(self, steps: Iterable[Step]) -> None:
        self.producer.begin_transaction()
        for step in steps:
            for partition, key, value in step.records:
                self._produce(partition, key, value)
        self.producer.commit_transaction(LAST_SECONDS if self._stopping.is_set() else 2 * TRANSACTION_SECONDS)

    def _produce(self, partition: int, key: bytes, value: bytes | None) -> None:
        while True:
            try:
                self.producer.produce(self._topic, value, key, partition)
            except BufferError:
                self.producer.poll(0.05)
            else:
                return

    def _guard(self, do: Callable[[], None]) -> None:
        from confluent_kafka import KafkaException

        try:
            do()
        except KafkaException as wrong:
            if self._is_fenced(wrong.args[0], KafkaException):
                raise Fenced("another writer of this name has begun, so this one writes no more") from wrong
            raise

    def _is_fenced(self, error: Any, raised: type[Exception]) -> bool:
        """Whether that is what a fatal error is about: its callback tells, or what is raised next."""
        until = monotonic() + FATAL_SECONDS
        while error.name() not in _FENCED and not self._fenced.is_set():
            if not (error.fatal() or error.name() == "_FATAL") or monotonic() > until:
                return False
            try:
                self.producer.poll(0.1)
            except raised as more:
                error = more.args[0]
        return True


def _together(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Steps for one transaction each: not many small ones."""
    own: list[Step] = []
    for step in steps:
        own.append(step)
        if sum(len(each.records) for each in own) >= CELLS:
            yield own
            own = []
    if own:
        yield own


def read_back(
    topic: str, settings: Mapping[str, Any], partitions: int, stopping: Event
) -> Iterator[tuple[bytes, bytes | None]]:
    """All records of a topic that are there now. Raises KafkaException, and CorruptData if they do not come."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

    consumer = Consumer({
        **settings,
        "group.id": f"{topic}/read back",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    })  # fmt: skip
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)])
        left, silent = set(range(partitions)), monotonic() + READ_BACK_SECONDS
        while left and not stopping.is_set():
            messages = consumer.consume(AT_ONCE, ASK_SECONDS / 100)
            if messages:
                silent = monotonic() + READ_BACK_SECONDS
            elif monotonic() > silent:
                raise CorruptData(f"partitions {sorted(left)} cannot be read back")
            for message in messages:
                error = message.error()
                if error is None:
                    yield message.key() or b"", message.value()
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()
