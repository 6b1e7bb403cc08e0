"""How messages come to Kafka: librdkafka's producer as a carrier.

The library's own threads talk to the brokers. What they have to say comes out of `poll`, which is called in the
reactor, for no more messages than it can answer for in a few milliseconds: `IN_HAND` bounds what the library holds.
Of what arrives nobody is called, which would cost more than all the rest: what was given less what is still there has
arrived. Of what does not arrive, the library gives back each message.

The library tries again for ever; nothing is lost to its clocks. When it cannot go on, as when a batch is refused that
others follow, it is emptied, and a new producer gets what is left, in the same order.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from logging import WARNING
from operator import itemgetter
from random import uniform
from time import monotonic
from typing import Any, NamedTuple, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import Logger, LogLevel

from rotonda.blocks.configs import KafkaBrokers
from rotonda.outputs.carrier import Carried, Message
from rotonda.outputs.kafka_settings import (
    FIRST_RETRY_SECONDS,
    IN_HAND,
    LONGEST_RETRY_SECONDS,
    LOOK_SECONDS,
    producer_settings,
)
from rotoro.net.limits import Quiet

InThread: TypeAlias = Callable[..., Deferred[Any]]

BUSY_SECONDS, IDLE_SECONDS = 0.002, 0.25
"""How often the library is asked for news, while it has messages and else."""

DOWN_SECONDS = 5.0
"""After what time messages that wait are told not to have a connection, although nobody knows why."""

REPLACE_SECONDS, ALONE_SECONDS = 5.0, 60.0
"""How long a producer that is to be replaced may go on delivering what it has, and one whose messages go alone."""

_REFUSED = {
    "MSG_SIZE_TOO_LARGE", "TOPIC_AUTHORIZATION_FAILED", "TOPIC_EXCEPTION", "UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC",
    "INVALID_MSG", "INVALID_RECORD", "POLICY_VIOLATION", "UNSUPPORTED_FOR_MESSAGE_FORMAT", "_UNKNOWN_PARTITION",
    "_INVALID_ARG", "ValueError",
}  # fmt: skip
"""What brokers, or the library, say of messages that they will never take, by the names of the errors."""

_TOO_LARGE = "MSG_SIZE_TOO_LARGE"
_FULL = {"_QUEUE_FULL", "BufferError"}
_TOPIC = itemgetter(0)
_DOWN = "_ALL_BROKERS_DOWN"
_OF_A_CONNECTION = {"_TRANSPORT", "_TIMED_OUT", "_RESOLVE", "_SSL", "_AUTHENTICATION"}
_CONNECTED = re.compile(r'"state": *"UP"')
_TOLD_WITH_IT = re.compile(r" \(after \d+ms in state [^)]*\)")
_THREAD = re.compile(r"^\[thrd:[^\]]*\]: ")
_FAILED = "FAIL"
_EXPERIMENTAL = "enable.gapless.guarantee"


# --- what is on its way ----------------------------------------------------------------------------------------------


class _Given:
    """Messages that were given together; the library calls this for each of them that does not arrive."""

    __slots__ = ("failures", "messages", "number")

    def __init__(self, number: int, messages: Sequence[Message], failures: deque[_Failure]) -> None:
        self.number = number
        self.messages = messages
        self.failures = failures

    def __call__(self, error: Any, message: Any) -> None:
        failed = message.topic(), message.key() or None, message.value() or b""
        self.failures.append(_Failure(self, failed, error.name(), error.str()))


class _Failure(NamedTuple):
    """A message that did not arrive, and why."""

    given: _Given
    message: tuple[str, bytes | None, bytes]
    error: str
    why: str


class _Lost(NamedTuple):
    """The same, in its place."""

    message: Message
    error: str
    why: str


def _in_order(failures: Iterable[_Failure]) -> Iterator[_Lost]:
    """What did not arrive, in the order in which it was given: the library keeps only that of each partition."""
    together: dict[int, list[_Failure]] = {}
    for failure in failures:
        together.setdefault(failure.given.number, []).append(failure)
    for number in sorted(together):
        why: dict[tuple[str, bytes | None, bytes], list[_Failure]] = {}
        for failure in reversed(together[number]):
            why.setdefault(failure.message, []).append(failure)
        for message in together[number][0].given.messages:
            if same := why.get((message.topic, message.key or None, message.payload)):
                failure = same.pop()
                yield _Lost(message, failure.error, failure.why)


class _Notes:
    """What the library says besides; it may say it in any thread."""

    def __init__(self) -> None:
        self.errors: deque[tuple[str, str, bool]] = deque()
        """Name and text of each, and whether the producer is of no use any more."""
        self.lines: deque[tuple[int, str, str]] = deque(maxlen=1000)
        self._connected = 0

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to a broker. What was said once may be of before it was lost."""
        return self._connected > 1

    def error(self, error: Any) -> None:
        """The library calls this for what is wrong with the brokers."""
        self.errors.append((error.name(), error.str(), error.fatal()))
        if error.name() == _DOWN:
            self._connected = 0

    def statistics(self, text: str) -> None:
        """The library calls this with its statistics, as JSON."""
        self._connected = self._connected + 1 if _CONNECTED.search(text) else 0

    def log(self, level: int, _: str, facility: str, name: str, text: str) -> None:
        """The library calls this for each line of its log, as if it were a logger of Python's."""
        self.lines.append((level, facility, text))


# --- the carrier -----------------------------------------------------------------------------------------------------


class KafkaCarrier:
    """Takes messages to Kafka. All of it happens in the thread of the reactor, but that producers are emptied."""

    log = Logger()

    def __init__(
        self,
        config: KafkaBrokers,
        reactor: Any,
        in_thread: InThread = deferToThread,
        more: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """`more` are settings of the library that come last."""
        self.name = f"Kafka at {', '.join(config.brokers)}"
        self._config, self._reactor, self._in_thread, self._more = config, reactor, in_thread, more
        self._stream: Carried
        self._producer: Any = None
        self._failures: deque[_Failure] = deque()
        self._notes = _Notes()
        self._given = self._arrived = self._failed = self._number = 0
        """Messages of this producer."""
        self._singly = 0
        """Messages that go alone before all go together again."""
        self._alone = False
        """Whether those of this producer do."""
        self._wants_room = self._emptying = self._is_idle = False
        self._until: float | None = None
        """When what is on its way has to be there: the producer is to be replaced then, or to end."""
        self._closed: Deferred[list[Message]] | None = None
        self._retry = 0.0
        self._call: Any = None
        self._trouble: str | None = None
        self._loss = ""
        """Why a connection was lost, or could not be made, as long as there is none."""
        self._down, self._down_since = "", 0.0
        """What the library says when all brokers are away."""
        self._quiet = Quiet()

    def open(self, stream: Carried) -> None:
        """Begin, and go on trying. Never waits."""
        self._stream = stream
        self._begin()

    def give(self, messages: Sequence[Message]) -> int:
        """Take as many as there is room for, in order; returns how many."""
        if self._producer is None or self._until is not None:
            self._wants_room = True
            return 0
        self._number += 1
        given, taken = _Given(self._number, messages, self._failures), 0
        for topic, together in groupby(messages, _TOPIC):
            batch = [{"value": payload, "key": key} for _, key, payload in together]
            count = self._produce(topic, batch, given, messages[taken : taken + len(batch)])
            taken += count
            if count < len(batch):
                break
        if self._is_idle:
            self._turn_in(BUSY_SECONDS)
        return taken

    def _produce(self, topic: str, batch: list[dict[str, Any]], given: _Given, messages: Sequence[Message]) -> int:
        """Have the library take these of one topic; how many of them, from the first on, are done with."""
        try:
            queued: int = self._producer.produce_batch(topic, batch, on_delivery=given)
        except Exception as wrong:  # the library's own, which is not imported here
            return self._not_taken(*_error(wrong), messages)
        self._given += queued
        if queued == len(batch):
            return queued
        errors: list[Any] = [each.get("_error") for each in batch]
        last: Any = None
        while errors and errors[-1] is not None and errors[-1].name() not in _REFUSED:
            last = errors.pop()  # nothing of these is there: where it is full or broken, it is so for all that follow
        for message, error in zip(messages, errors, strict=False):
            if error is None:
                continue
            if error.name() in _REFUSED:
                self._stream.refused(message, self._say(error.str()))
            else:
                self._given += 1
                self._failures.append(_Failure(given, (topic, message.key, message.payload), error.name(), error.str()))
        if last is not None:
            self._not_taken(last.name(), last.str(), ())
        return len(errors)

    def _not_taken(self, name: str, why: str, messages: Sequence[Message]) -> int:
        """The library takes no more, or none of these; how many are done with."""
        if name in _FULL:
            self._wants_room = True
        elif name in _REFUSED:
            for message in messages:
                self._stream.refused(message, self._say(why))
            return len(messages)
        else:
            self._replace_soon(why)
        return 0

    def close(self, seconds: float) -> Deferred[list[Message]]:
        """Deliver what was taken in this time; fires with what did not arrive, in order."""
        self._closed = Deferred()
        closed = self._closed
        self._until = self._reactor.seconds() + seconds
        self._turn_in(0)
        return closed

    def reopen(self) -> None:
        """Read passwords and certificates again, with a new producer."""
        if self._producer is not None and self._until is None:
            self._until = self._reactor.seconds() + REPLACE_SECONDS
            self._turn_in(0)
        elif self._producer is None and self._closed is None and not self._emptying:
            self._cancel()
            self._begin()

    # --- producers ---------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Make a producer, or try again later."""
        from confluent_kafka import KafkaException, Producer

        self._given = self._arrived = self._failed = 0
        self._until = None
        self._failures, self._notes = deque(), _Notes()
        try:
            self._alone = self._singly > 0
            settings = producer_settings(self._config, self._alone) | self._more()
            calls = {"error_cb": self._notes.error, "stats_cb": self._notes.statistics}
            self._producer = Producer(settings | calls, logger=self._notes)
        except (KafkaException, OSError, ValueError, TypeError) as wrong:
            self._tell(f"{self.name}: {_error(wrong)[1]}; it is tried again")
            self._call = self._reactor.callLater(self._next_retry(), self._begin)
            return
        self._turn_in(0)
        self._stream.has_room()

    def _next_retry(self) -> float:
        self._retry = min(max(2 * self._retry, FIRST_RETRY_SECONDS), LONGEST_RETRY_SECONDS)
        return self._retry * uniform(0.75, 1.25)

    def _turn_in(self, seconds: float) -> None:
        self._cancel()
        self._is_idle = False
        self._call = self._reactor.callLater(seconds, self._turn)

    def _cancel(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _turn(self) -> None:
        """Hear what the library has to say."""
        if self._emptying:
            return
        if self._producer is None:
            self._end([])
            return
        useless = _polled(self._producer, 0)
        left = len(self._producer)
        self._account(left)
        fatal = self._hear() or useless or self._judge()
        self._look_at_connections(left)
        late = self._until is not None and (left == 0 or self._reactor.seconds() >= self._until)
        alone = self._singly and self._until is None and self._given >= self._singly
        if fatal or late:
            self._empty(fatal)
            return
        if alone:
            self._singly, self._until = 0, self._reactor.seconds() + ALONE_SECONDS
        self._turn_in(BUSY_SECONDS if left else IDLE_SECONDS)
        self._is_idle = not left
        if self._wants_room and left < IN_HAND // 2 and self._until is None:
            self._wants_room = False
            self._stream.has_room()

    def _account(self, left: int) -> None:
        """Tell what has arrived; what the library still has it may tell as too much, but never as too little."""
        arrived = self._given - self._failed - len(self._failures) - left
        if arrived > self._arrived:
            news, self._arrived = arrived - self._arrived, arrived
            self._stream.delivered(news)
            # what is told just after all brokers were lost had arrived before
            if not self._down or self._reactor.seconds() - self._down_since >= LOOK_SECONDS:
                self._retry, self._down, self._loss = 0.0, "", ""
                self._tell(None)

    def _hear(self) -> str:
        """Errors and lines of the library's log; returns why the producer is of no use any more, or nothing."""
        self._hear_lines()
        useless = ""
        while self._notes.errors:
            name, text, fatal = self._notes.errors.popleft()
            text = _TOLD_WITH_IT.sub("", text)
            if fatal:
                useless = text
            elif name == _DOWN:
                self._down, self._down_since = text, self._reactor.seconds()
            elif name in _OF_A_CONNECTION:
                self._loss = text
            else:
                self._tell(self._say(text))
        return useless

    def _hear_lines(self) -> None:
        while self._notes.lines:
            level, facility, text = self._notes.lines.popleft()
            if _EXPERIMENTAL in text:
                continue
            said = _TOLD_WITH_IT.sub("", text)
            if facility == _FAILED:  # that a broker hangs up is told nowhere else
                self._loss = _THREAD.sub("", said)
            more = self._quiet.worth(facility, monotonic())
            if more is not None:
                kind = LogLevel.warn if level >= WARNING else LogLevel.info
                self.log.emit(kind, "{kafka}: {said}{more}", kafka=self.name, said=said, more=more)

    def _look_at_connections(self, left: int) -> None:
        """That one is lost is no trouble as long as there are others, nor that brokers end those that are idle."""
        if self._notes.is_connected:
            if self._down:
                self._tell(None)
            self._down = self._loss = ""
        elif self._down:
            lasts = left > 0 and self._reactor.seconds() - self._down_since >= DOWN_SECONDS
            if why := self._loss or (self._down if lasts else ""):
                self._tell(self._say(why))

    def _judge(self) -> str:
        """What becomes of messages that did not arrive, if all may go on; else why it may not."""
        for failure in self._failures:
            if failure.error not in _REFUSED or (failure.error == _TOO_LARGE and not self._alone):
                return failure.why
        lost = list(_in_order(self._failures))
        self._failed += len(lost)
        self._failures.clear()
        for message, _, why in lost:
            self._stream.refused(message, self._say(why))
        return ""

    def _replace_soon(self, why: str) -> None:
        self._notes.errors.append(("_FATAL", why, True))
        self._turn_in(0)

    # --- the end of a producer ---------------------------------------------------------------------------------------

    def _empty(self, why: str) -> None:
        """Have back what the producer holds, aside as that may take a while, and let it go.

        If it cannot go on, brokers may still answer for what they have, so that it need not go to them again.
        """
        self._cancel()
        held, self._producer, self._emptying = [self._producer], None, True
        left = REPLACE_SECONDS if self._until is None else self._until - self._reactor.seconds()
        done = self._in_thread(_emptied, held, min(left, REPLACE_SECONDS) if why else 0.0)
        done.addErrback(lambda bug: self.log.failure("{name}: a producer cannot end", bug, name=self.name))
        done.addCallback(lambda _: self._emptied(why))

    def _emptied(self, why: str) -> None:
        self._emptying = False
        self._account(0)
        self._hear()
        left = self._sorted_out(list(_in_order(self._failures)))
        if self._closed is not None:
            self._end(left)
            return
        if left:
            self._stream.returned(left, self._say(why or "what was on its way goes again"))
        pause = 0.0
        if why and not self._singly:
            self._tell(self._say(why))
            pause = self._next_retry()
        self._call = self._reactor.callLater(pause, self._begin)

    def _sorted_out(self, lost: Sequence[_Lost]) -> list[Message]:
        """What is to be sent again; of a batch that is too large, one after the other will tell who is to blame."""
        left: list[Message] = []
        for message, error, why in lost:
            if error in _REFUSED and (error != _TOO_LARGE or self._alone):
                self._stream.refused(message, self._say(why))
                continue
            left.append(message)
            if error == _TOO_LARGE:
                self._singly = len(left)
        return left

    def _end(self, left: list[Message]) -> None:
        closed, self._closed = self._closed, None
        if closed is not None:
            closed.callback(left)

    def _say(self, why: str) -> str:
        return f"{self.name}: {why}"

    def _tell(self, why: str | None) -> None:
        if why != self._trouble:
            self._trouble = why
            self._stream.trouble(why)


def _emptied(held: list[Any], seconds: float) -> None:
    """In a thread: have the producer give up what it holds, but what a broker answers for so long, and end, as the last
    who knows it."""
    producer = held.pop()
    producer.purge(in_flight=False)
    until = monotonic() + seconds
    while len(producer) and monotonic() < until:
        _polled(producer, 0.05)
    producer.purge()
    while len(producer):
        _polled(producer, 0.05)


def _polled(producer: Any, seconds: float) -> str:
    """Have the library say what it has to say; why the producer is of no use any more, which it raises, or nothing."""
    try:
        producer.poll(seconds)
    except Exception as fatal:  # the library's own, which is not imported here
        return _error(fatal)[1]
    return ""


def _error(wrong: Exception) -> tuple[str, str]:
    """The library's name for an error, and its words."""
    inner: Any = wrong.args[0] if wrong.args else None
    if hasattr(inner, "name") and hasattr(inner, "str"):
        return inner.name(), inner.str()
    return type(wrong).__name__, str(wrong)
