"""What output streams have in common: a queue that is never longer than it may be, and batches that are written aside.

Who sends never waits and is never told of trouble. What cannot be written is tried again; what the queue has no room
for meanwhile is dropped, counted, and told in the log when it begins and when it is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import time
from typing import Any, Protocol, TypeAlias

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from rotonda.blocks.values import RecordValue

MOST_WAITING = 250_000
"""Records and lines of one stream that wait to be written."""

TURN_SECONDS = 0.1
"""How long records wait for others, to be written together."""

MOST_TOGETHER = 20_000
"""Records that are written together, so that a stream that stops does not take long."""

RETRY_SECONDS = 2.0
"""After what time it is tried again to write."""

LAST_SECONDS = 5.0
"""How long a stream that stops goes on trying to write what is left."""


class CannotWrite(Exception):
    """Not all lines could be written: how many were, as wholes, and why no more."""

    def __init__(self, written: int, why: str) -> None:
        super().__init__(why)
        self.written = written


class Sink(Protocol):
    """Where lines go; all of it is done by one thread at a time, which may wait a little."""

    @property
    def name(self) -> str:
        """What people call it."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Write these lines. Raises CannotWrite."""

    def reopen(self) -> None:
        """Begin anew with the next lines, as somebody has moved what is there away."""

    def close(self) -> None:
        """Write no more."""


class Stream(Service):
    """An output stream. `sent` counts what came, `written` what has arrived, `dropped` what is lost."""

    log = Logger()

    def __init__(self, title: str) -> None:
        self.setName(f"output stream {title}")
        self.title = title
        """The full name of its block."""
        self.sent = self.written = self.dropped = 0

    @property
    def waiting(self) -> int:
        """Records that are on their way."""
        return self.sent - self.written - self.dropped

    @property
    def problem(self) -> str | None:
        """Why nothing is written now; None if nothing is wrong."""
        return None

    def send(self, record: RecordValue) -> None:
        """Send one record. Returns at once, and raises nothing."""
        raise NotImplementedError

    def send_all(self, records: Sequence[RecordValue]) -> None:
        """Send some records, in this order."""
        for record in records:
            self.send(record)

    def reopen(self) -> None:
        """Files were moved away, or other things have changed outside: begin anew."""


Line: TypeAlias = Callable[[RecordValue, float], bytes]
"""Makes a line of a record and of when it was sent (seconds since 1970)."""


class QueuedStream(Stream):
    """A stream that writes lines to a sink; they are made aside, too. Records are sent from one thread."""

    def __init__(
        self,
        title: str,
        line: Line,
        sink: Sink,
        reactor: Any,
        most: int = MOST_WAITING,
        in_thread: Callable[..., Deferred[Any]] = deferToThread,
        clock: Callable[[], float] = time,
    ) -> None:
        super().__init__(title)
        self._line = line
        self._sink = sink
        self._reactor = reactor
        self._most = most
        self._in_thread = in_thread
        self._clock = clock
        self._records: deque[tuple[RecordValue, float]] = deque()
        self._lines: deque[bytes] = deque()
        """What was made of records and could not be written."""
        self._problem: str | None = None
        self._told_dropped = 0
        self._dropping = self._busy = self._reopens = False
        self._wait_until = 0.0
        self._stops_at: float | None = None
        self._over: Deferred[None] | None = None
        self._turns = LoopingCall(self._turn)
        self._turns.clock = reactor

    @property
    def problem(self) -> str | None:
        """Why nothing is written now."""
        return self._problem

    def send(self, record: RecordValue) -> None:
        """Send one record, if there is room."""
        self.sent += 1
        if len(self._records) + len(self._lines) < self._most and self._stops_at is None:
            self._records.append((record, self._clock()))
        else:
            self.dropped += 1

    def startService(self) -> None:
        """Begin to write."""
        super().startService()
        self._stops_at = None
        self._turns.start(TURN_SECONDS, now=False)

    def stopService(self) -> Deferred[None]:
        """Write what is left; fires when that is done, or cannot be done in time."""
        super().stopService()
        self._stops_at = self._reactor.seconds() + LAST_SECONDS
        self._wait_until = 0.0
        over: Deferred[None] = Deferred()
        self._over = over
        if not self._turns.running:
            self._turns.start(TURN_SECONDS, now=False)
        self._turn()
        return over

    def reopen(self) -> None:
        """Begin anew with the next lines."""
        self._reopens = True
        self._wait_until = 0.0

    def _turn(self) -> None:
        """Write what has come, unless that is being done."""
        self._tell_dropped()
        now = self._reactor.seconds()
        waiting = bool(self._records or self._lines)
        if self._stops_at is not None and (now >= self._stops_at or not (waiting or self._busy)):
            self._end()
        elif not self._busy and (waiting or self._reopens) and now >= self._wait_until:
            self._busy = True
            work = self._in_thread(self._write)
            work.addCallback(self._wrote)
            work.addErrback(self._failed)

    def _write(self) -> str | None:
        """In a thread: write some records; gives what is wrong."""
        if self._reopens:
            self._reopens = False
            self._sink.reopen()
        lines = list(self._lines)
        for _ in range(min(len(self._records), MOST_TOGETHER - len(lines))):
            self._make(*self._records.popleft(), lines)
        try:
            self._sink.write(lines)
        except CannotWrite as wrong:
            self.written += wrong.written
            self._lines = deque(lines[wrong.written :])
            return str(wrong)
        self.written += len(lines)
        self._lines.clear()
        return None

    def _make(self, record: RecordValue, sent: float, lines: list[bytes]) -> None:
        try:
            lines.append(self._line(record, sent))
        except Exception:
            self.dropped += 1
            self.log.failure("{name}: a record cannot be written", name=self.title)

    def _wrote(self, wrong: str | None) -> None:
        self._busy = False
        if wrong is not None:
            self._wait_until = self._reactor.seconds() + RETRY_SECONDS
            if self._problem is None:
                self.log.error("{name}: {wrong}; it is tried again", name=self.title, wrong=wrong)
        elif self._problem is not None:
            self.log.info("{name}: {sink} can be written to again", name=self.title, sink=self._sink.name)
        self._problem = wrong
        if wrong is None and (self._records or self._stops_at is not None):
            self._turn()

    def _failed(self, bug: Any) -> None:
        self.log.failure("{name}: writing failed", bug, name=self.title)
        self._wrote("writing failed; see the log")

    def _tell_dropped(self) -> None:
        """Once when it begins, and once when it is over."""
        more = self.dropped > self._told_dropped
        if more and not self._dropping:
            self.log.error(
                "{name}: {sink} does not keep up, and records are dropped", name=self.title, sink=self._sink.name
            )
        elif self._dropping and not more and not self._records and not self._lines:
            self.log.error("{name}: {count:,} records were dropped so far", name=self.title, count=self.dropped)
        else:
            return
        self._dropping, self._told_dropped = more, self.dropped

    def _end(self) -> None:
        """Stop for good, even if a thread still tries to write."""
        self._turns.stop()
        left = len(self._records) + len(self._lines)
        if left:
            self.dropped += left
            self.log.error("{name}: {left:,} records could not be written", name=self.title, left=left)
        over, self._over = self._over, None
        if over is not None and self._busy:
            over.callback(None)
        elif over is not None:
            closed = self._in_thread(self._sink.close)
            closed.addErrback(lambda bug: self.log.failure("{name}: closing failed", bug, name=self.title))
            closed.chainDeferred(over)
