"""What takes lines to files and logs: a thread writes them, many together, and trouble is tried again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice, repeat
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.failure import Failure

from rotonda.blocks.values import RecordValue
from rotonda.outputs.broker import BrokerStream
from rotonda.outputs.carrier import Carried, MakeMessages, Message, messages
from rotonda.outputs.overflow import QueueSettings
from rotonda.outputs.stream import CannotWrite, Lines, Sink

TURN_SECONDS = 0.1
"""How long lines wait for others, to be written together."""

MOST_TOGETHER = 20_000
"""Lines that are written together, so that a stream that stops does not take long."""

MOST_HELD = 2 * MOST_TOGETHER

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 60.0


def sink_stream(
    title: str, lines: Lines, sink: Sink, queue: QueueSettings, reactor: Any,
    in_thread: Callable[..., Deferred[Any]] = deferToThread,
) -> BrokerStream:  # fmt: skip
    """A stream that writes lines to a sink."""
    return BrokerStream(title, line_messages(lines), SinkCarrier(sink, reactor, in_thread), queue, reactor, in_thread)


def line_messages(lines: Lines) -> MakeMessages:
    """What makes messages that are only lines."""

    def made(records: Sequence[RecordValue], sent: float) -> list[Message]:
        return messages(repeat(""), repeat(None), lines(records, sent))

    return made


class SinkCarrier:
    """Has a thread write lines to a sink. It keeps those that could not be written, and tries again."""

    log = Logger()

    def __init__(self, sink: Sink, reactor: Any, in_thread: Callable[..., Deferred[Any]]) -> None:
        self._sink = sink
        self._reactor = reactor
        self._in_thread = in_thread
        self._stream: Carried | None = None
        self._messages: list[Message] = []
        self._busy = self._reopens = self._is_in_trouble = self._had_no_room = False
        self._opens = True
        self._backoff = backoffPolicy(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, 2.0)
        self._failures = 0
        self._call: IDelayedCall | None = None
        self._late: IDelayedCall | None = None
        self._over: Deferred[list[Message]] | None = None

    @property
    def name(self) -> str:
        """The name of the sink."""
        return self._sink.name

    def open(self, stream: Carried) -> None:
        """Make the file, if it is one, before there is anything to write."""
        self._stream = stream
        self._later(0)

    def give(self, messages: Sequence[Message]) -> int:
        """Take as many as there is room for."""
        room = 0 if self._is_in_trouble or self._over is not None else MOST_HELD - len(self._messages)
        taken = min(len(messages), room)
        self._messages += messages if taken == len(messages) else messages[:taken]
        self._had_no_room = taken < len(messages)
        if taken and not self._busy:
            if len(self._messages) >= MOST_TOGETHER:
                self._later(0)
            elif self._call is None:
                self._later(TURN_SECONDS)
        return taken

    def reopen(self) -> None:
        """Begin anew with the next lines."""
        self._reopens, self._failures = True, 0
        if not self._busy:
            self._later(0)

    def close(self, seconds: float) -> Deferred[list[Message]]:
        """Write what is left, as far as it can be written in time."""
        over: Deferred[list[Message]] = Deferred()
        self._over = over
        self._late = self._reactor.callLater(seconds, self._end)
        if not self._busy:
            self._write()
        return over

    # --- writing -----------------------------------------------------------------------------------------------------

    def _later(self, seconds: float) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = self._reactor.callLater(seconds, self._write)

    def _write(self) -> None:
        """Write what there is."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        if not (self._messages or self._opens or self._reopens):
            self._look_at_end()
            return
        self._busy = True
        lines = [message.payload for message in islice(self._messages, MOST_TOGETHER)]
        writing = maybeDeferred(self._in_thread, lambda: self._work(lines))
        writing.addErrback(self._failed)
        writing.addCallback(self._wrote)
        writing.addErrback(lambda bug: self.log.failure("{name}: writing failed", bug, name=self.name))

    def _work(self, lines: list[bytes]) -> tuple[int, str | None]:
        """In a thread: how many lines were written, and why no more."""
        if self._reopens:
            self._reopens = False
            self._sink.reopen()
        try:
            self._sink.write(lines)
        except CannotWrite as wrong:
            return wrong.written, str(wrong)
        return len(lines), None

    def _failed(self, bug: Failure) -> tuple[int, str | None]:
        self.log.failure("{name}: writing failed", bug, name=self.name)
        return 0, f"{self.name}: writing failed; see the log"

    def _wrote(self, outcome: tuple[int, str | None]) -> None:
        self._busy = False
        if self._stream is None:  # nobody waited for it
            return
        written, why = outcome
        del self._messages[:written]
        if written:
            self._stream.delivered(written)
        if why is not None:
            self._is_in_trouble = True
            self._stream.trouble(why)
            self._later(FIRST_RETRY_SECONDS if self._over is not None else self._backoff(self._failures))
            self._failures += 1
            return
        self._opens, self._failures = False, 0
        if self._is_in_trouble:
            self._is_in_trouble = False
            self._stream.trouble(None)
        if self._had_no_room:
            self._had_no_room = False
            self._stream.has_room()
        if self._messages or self._over is not None:
            self._write()

    # --- the end -----------------------------------------------------------------------------------------------------

    def _look_at_end(self) -> None:
        if self._over is not None and not self._busy and not self._messages:
            self._end()

    def _end(self) -> None:
        """Stop for good, even if a thread still tries to write."""
        for call in (self._call, self._late):
            if call is not None and call.active():
                call.cancel()
        self._stream = None
        over, self._over = self._over, None
        left, self._messages = self._messages, []
        if over is None:
            return
        if self._busy:
            over.callback(left)
            return
        closed = maybeDeferred(self._in_thread, self._sink.close)
        closed.addErrback(lambda bug: self.log.failure("{name}: closing failed", bug, name=self.name))
        closed.addCallback(lambda _: over.callback(left))
