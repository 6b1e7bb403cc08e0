"""Streams that have a queue: records wait, become messages, and a carrier takes these to where they go.

Who sends never waits and is never told of trouble. What the carrier cannot take waits in memory; what becomes of more,
the overflow policy says. Everything is counted: what was sent has been written, was dropped, or waits. All is done in
the thread of the reactor, a moment at a time; only the disk has a thread of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import time
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from rotonda.blocks.values import RecordValue
from rotonda.outputs.carrier import Carried as Carried
from rotonda.outputs.carrier import Carrier as Carrier
from rotonda.outputs.carrier import MakeMessages as MakeMessages
from rotonda.outputs.carrier import Message as Message
from rotonda.outputs.overflow import MOST_UNDER_WAY, Overflow, QueueSettings, Room
from rotonda.outputs.spill import Spill, Spilled
from rotonda.outputs.spilling import Spilling
from rotonda.outputs.stream import AT_THE_END, DAMAGED, FULL, LAST_SECONDS, REFUSED, Seldom, Stream

SLICE_SECONDS = 0.005
"""How long messages are made and given at a time."""

TICK_SECONDS = 0.5
"""How often a carrier that had no room is asked again, and it is told what was dropped."""

CLOSE_SECONDS = 2.0
"""How long a carrier may take at least to deliver what it has, when the stream stops."""

PIECE = 256
"""Messages that are made together."""

_MOST_TOLD = 8
"""Different troubles that are told before all is well again."""

_READ_AHEAD = 4096
"""Messages that are left when the next ones are read from the disk."""


class BrokerStream(Stream):
    """A stream that has a carrier take its messages to where they go. Records are sent in the reactor's thread.

    Records wait in this order: messages that go first, those that are on disk, those that are made for it, records.
    """

    def __init__(
        self,
        title: str,
        messages: MakeMessages,
        carrier: Carrier,
        queue: QueueSettings,
        reactor: Any,
        in_thread: Callable[..., Deferred[Any]] = deferToThread,
        clock: Callable[[], float] = time,
    ) -> None:
        super().__init__(title)
        self.carrier = carrier
        self._messages = messages
        self._settings = queue
        self._reactor = reactor
        self._clock = clock
        self._front: deque[Sequence[Message]] = deque()
        self._front_count = 0
        self._room: Room[RecordValue] = Room()
        self._piece = min(PIECE, max(1, queue.most // 2))
        self._held = 0
        """Messages that the carrier has."""
        self._spilling = self._spill(queue, in_thread)
        self._is_blocking = self._is_stuck = False
        self._problem: str | None = None
        self._told_troubles: set[str] = set()
        self._is_returned = False
        """Whether the problem is only that messages came back."""
        self._is_dropping = False
        self._told_dropped = 0
        self._refusals = Seldom()
        self._call: IDelayedCall | None = None
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = reactor
        self._is_open = self._is_closing = self._is_over = False
        self._stops_at: float | None = None
        self._over: Deferred[None] | None = None

    # --- how it fares ------------------------------------------------------------------------------------------------

    @property
    def problem(self) -> str | None:
        """Why nothing arrives now, or cannot wait on disk."""
        if self._problem is not None or self._spilling is None:
            return self._problem
        return self._spilling.problem

    @property
    def blocking(self) -> bool:
        """Whether nothing more may come in until there is room."""
        return self._is_blocking

    @property
    def spilled(self) -> int:
        """Records that were ever brought to the disk."""
        return 0 if self._spilling is None else self._spilling.written

    @property
    def on_disk(self) -> int:
        """Octets that are there now."""
        return 0 if self._spilling is None else self._spilling.octets

    # --- for filters -------------------------------------------------------------------------------------------------

    def send(self, record: RecordValue) -> None:
        """Send one record."""
        self.send_all((record,))

    def send_all(self, records: Sequence[RecordValue]) -> None:
        """Send some records, which nobody changes any more."""
        self.sent += len(records)
        if self._is_over or self._is_closing:
            self.drop(len(records), AT_THE_END)
            return
        overflow, others = self._settings.overflow, self._in_memory - self._room.count
        if overflow is Overflow.DROP_OLDEST:
            self._room.put(records, self._clock(), self._room.count + len(records))
            self._drop_oldest(self._in_memory - self._settings.most)
        else:
            most = self._settings.most - others
            if overflow is Overflow.BLOCK or (self._spilling is not None and self._spilling.is_promising):
                most += MOST_UNDER_WAY
            if left_over := self._room.put(records, self._clock(), most):
                self.drop(left_over, FULL)
        if overflow is Overflow.BLOCK:
            self._look_for_room()
        if not self._is_stuck or self._spilling is not None:
            self._wake()

    def _drop_oldest(self, excess: int) -> None:
        """Of what the carrier has not got."""
        if excess <= 0:
            return
        self.drop(excess, FULL)
        while self._front and excess:
            first = self._front.popleft()
            if len(first) > excess:
                self._front.appendleft(first[excess:])
            gone = min(excess, len(first))
            self._front_count -= gone
            excess -= gone
        self._room.drop(excess)

    @property
    def _in_memory(self) -> int:
        """What waits here, and not at the carrier or on the disk."""
        spilling = 0 if self._spilling is None else self._spilling.in_memory
        return self._front_count + self._room.count + spilling

    def _look_for_room(self) -> None:
        """Have those that bring something in wait, until half of the room is free."""
        count, most = self._in_memory, self._settings.most
        if (count > most // 2) if self._is_blocking else (count < most):
            return
        self._is_blocking = not self._is_blocking
        if self._is_blocking:
            self.log.warn(
                "{name}: {count:,} records wait for {where}, and no more is read from the west",
                name=self.title, count=count, where=self.carrier.name,
            )  # fmt: skip
        else:
            self.log.info("{name}: there is room again, and the west is read on", name=self.title)
        self.blocking_changed()

    # --- its life ----------------------------------------------------------------------------------------------------

    def startService(self) -> None:
        """Connect, and begin to give messages."""
        super().startService()
        self._open()

    def _open(self) -> None:
        if not self._is_open:
            self._is_open = True
            self._ticks.start(TICK_SECONDS, now=False)
            self.carrier.open(self)
            self._wake()

    def stopService(self) -> Deferred[None]:
        """Deliver what is left; fires when that is done, or cannot be done in time and is dropped or on the disk."""
        super().stopService()
        self._open()
        self._stops_at = self._reactor.seconds() + LAST_SECONDS
        over: Deferred[None] = Deferred()
        self._over = over
        self._wake()
        self._look_at_end()
        return over

    def reopen(self) -> None:
        """Begin anew with what is outside now."""
        self.carrier.reopen()

    def _tick(self) -> None:
        self._is_stuck = False
        self._tell_dropped()
        self._wake()
        if self._stops_at is not None:
            self._look_at_end()

    # --- for the carrier ---------------------------------------------------------------------------------------------

    def delivered(self, count: int) -> None:
        """So many have arrived."""
        self.written += count
        self._held -= count
        if self._is_returned:
            self.trouble(None)
        self._settled()

    def refused(self, message: Message, why: str) -> None:
        """The other side will never take this one."""
        self.drop(1, REFUSED)
        self._held -= 1
        self._tell_refused(f"{message.topic}: {why}" if message.topic else why)
        self._settled()

    def returned(self, messages: Sequence[Message], why: str) -> None:
        """These go first again."""
        self._held -= len(messages)
        self._put_first(messages)
        if self._problem is None:
            self.trouble(why)
            self._is_returned = True
        if self._settings.overflow is Overflow.DROP_OLDEST:
            self._drop_oldest(self._in_memory - self._settings.most)

    def has_room(self) -> None:
        """More can be given."""
        self._is_stuck = False
        self._wake()

    def trouble(self, why: str | None) -> None:
        """Tell each kind of it once, and when it is over."""
        self._is_returned = False
        before, self._problem = self._problem, why
        if why is None:
            self._told_troubles.clear()
        elif why not in self._told_troubles and len(self._told_troubles) < _MOST_TOLD:
            self._told_troubles.add(why)
            self.log.error("{name}: {why}; it is tried again", name=self.title, why=why)
        if why is None and before is not None:
            self.log.info("{name}: {where} takes records again", name=self.title, where=self.carrier.name)
            self._is_stuck = False
            self._wake()

    def _settled(self) -> None:
        """Something that the carrier had is done with."""
        if not self._held and (self._spilling is not None or self._stops_at is not None):
            self._wake()

    def _put_first(self, messages: Sequence[Message]) -> None:
        if messages:
            self._front.appendleft(messages)
            self._front_count += len(messages)

    def _put_last(self, messages: Sequence[Message]) -> None:
        if messages:
            self._front.append(messages)
            self._front_count += len(messages)

    # --- giving ------------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._call is None and self._is_open and not self._is_over:
            self._call = self._reactor.callLater(0, self._pump)

    def _pump(self) -> None:
        """Make messages and give them, for a moment."""
        self._call = None
        until = self._reactor.seconds() + SLICE_SECONDS
        while self._step():
            if self._reactor.seconds() >= until:
                self._wake()
                break
        if self._settings.overflow is Overflow.BLOCK:
            self._look_for_room()
        if self._stops_at is not None:
            self._look_at_end()

    def _step(self) -> bool:
        """Do a piece of what is to be done; whether there was something."""
        if self._is_closing:
            return False
        if self._front and not self._is_stuck:
            self._give()
            return True
        if self._spilling is not None:
            return self._step_of_spill(self._spilling)
        return not self._front and self._make(self._put_last)

    def _step_of_spill(self, spilling: Spilling) -> bool:
        """The same where more may wait on disk."""
        spilling.look(not self._held and not self._front, self._front_count < _READ_AHEAD)
        if spilling.is_passed and not self._front:
            if not spilling.made:
                return self._make(self._put_last)
            self._put_last(spilling.give_up_made())
            return True
        most = self._settings.most
        is_too_much = self._in_memory > (most if spilling.is_passed and not spilling.made else most // 2)
        return is_too_much and spilling.takes and self._make(spilling.add)

    def _make(self, put: Callable[[list[Message]], None]) -> bool:
        """Make messages of the next records, and put them where they wait; whether there were some."""
        if not self._room.count:
            return False
        put(self._made())
        return True

    def _give(self) -> None:
        ready = self._front.popleft()
        self._front_count -= len(ready)
        taken = 0
        try:
            taken = self.carrier.give(ready)
        except Exception:
            self.log.failure("{name}: giving messages failed", name=self.title)
        self._held += taken
        if taken < len(ready):
            self._is_stuck = True
            self._put_first(ready[taken:])

    def _made(self) -> list[Message]:
        """The next records as messages."""
        records, sent = self._room.take(self._piece)
        try:
            return self._messages(records, sent)
        except Exception:
            return self._made_one_by_one(records, sent)

    def _made_one_by_one(self, records: Sequence[RecordValue], sent: float) -> list[Message]:
        made = []
        for record in records:
            try:
                made += self._messages((record,), sent)
            except Exception as wrong:
                self.drop(1, REFUSED)
                self._tell_refused(f"a record cannot be written: {wrong!r}")
        return made

    # --- the disk ----------------------------------------------------------------------------------------------------

    def _spill(self, queue: QueueSettings, in_thread: Callable[..., Deferred[Any]]) -> Spilling | None:
        if queue.overflow is not Overflow.SPILL or queue.spill is None:
            return None
        spill = Spill(queue.spill, queue.spill_limit)
        return Spilling(self.title, spill, self._reactor, in_thread, self._found, self._read, self._wake)

    def _found(self, count: int) -> None:
        """These are of an earlier run."""
        self.sent += count

    def _read(self, spilled: Spilled) -> None:
        """These go next."""
        if spilled.damaged:
            self.drop(spilled.damaged, DAMAGED)
        self._put_last(spilled.messages)

    # --- the end -----------------------------------------------------------------------------------------------------

    def _look_at_end(self) -> None:
        """Have the carrier close if there is nothing more to be given, or it is of no use to wait, or too late."""
        if self._is_closing or self._stops_at is None:
            return
        left, spilling = self._stops_at - self._reactor.seconds(), self._spilling
        on_disk = 0 if spilling is None else spilling.count
        can_wait = spilling is not None and spilling.is_open and (on_disk or self._problem is not None)
        if left > 0 and not can_wait and (self._in_memory or on_disk or (spilling is not None and spilling.busy)):
            return
        self._is_closing = True
        seconds = max(CLOSE_SECONDS, left)
        closing = maybeDeferred(self.carrier.close, seconds)
        # it is not waited for carriers that do not come to an end
        closing.addTimeout(seconds + CLOSE_SECONDS, self._reactor)
        closing.addErrback(self._close_failed)
        closing.addCallback(lambda left: Deferred.fromCoroutine(self._closed(left)))
        closing.addErrback(lambda bug: self.log.failure("{name}: stopping failed", bug, name=self.title))

    def _close_failed(self, failure: Failure) -> list[Message]:
        if failure.check(TimeoutError) is None:
            self.log.failure("{name}: closing failed", failure, name=self.title)
        return []

    async def _closed(self, undelivered: list[Message]) -> None:
        """The carrier has given back what did not arrive: it goes to the disk with all else, or is lost."""
        self._held -= len(undelivered)
        self._put_first(undelivered)
        if self._spilling is not None:
            await self._spill_all(self._spilling)
        self._end()

    async def _spill_all(self, spilling: Spilling) -> None:
        """Bring all that waits to the disk, if it can be had in time."""
        until = self._reactor.seconds() + LAST_SECONDS
        behind: list[Message] = []
        while (spilling.busy or self._room.count) and self._reactor.seconds() < until:
            slice_over = self._reactor.seconds() + SLICE_SECONDS
            while self._make(behind.extend) and self._reactor.seconds() < slice_over:
                pass
            await deferLater(self._reactor, 0 if self._room.count else TICK_SECONDS / 10)
        behind[:0] = spilling.give_up_made()
        if spilling.busy or not spilling.is_open:
            self.drop(len(behind), AT_THE_END)
            return
        undelivered = [message for messages in self._front for message in messages]
        self._front.clear()
        self._front_count = 0
        finishing = spilling.finish(undelivered, behind, not self._held)
        finishing.addTimeout(LAST_SECONDS, self._reactor)
        try:
            self.drop(await finishing, AT_THE_END)
        except TimeoutError:
            self.log.error("{name}: the disk does not answer", name=self.title)

    def _end(self) -> None:
        """Stop for good, whatever is still under way."""
        self._is_over = True
        self._ticks.stop()
        if self._call is not None:
            self._call.cancel()
        lost = self._in_memory + self._held
        self._front.clear()
        self._room.drop(self._room.count)
        self._front_count = self._held = 0
        if lost:
            self.drop(lost, AT_THE_END)
        if count := self.dropped_by[AT_THE_END]:
            self.log.error("{name}: {count:,} records could not be written", name=self.title, count=count)
        if self._is_blocking:
            self._is_blocking = False
            self.blocking_changed()
        if self._spilling is not None:
            self._spilling.close()
        over, self._over = self._over, None
        if over is not None:
            over.callback(None)

    # --- telling -----------------------------------------------------------------------------------------------------

    def _tell_dropped(self) -> None:
        """Once when it begins, and once when it is over."""
        dropped = self.dropped_by[FULL]
        more = dropped > self._told_dropped
        if more and not self._is_dropping:
            self.log.error(
                "{name}: {where} does not keep up, and records are dropped", name=self.title, where=self.carrier.name
            )
        elif self._is_dropping and not more and self._in_memory <= self._settings.most // 2:
            self.log.error("{name}: {count:,} records were dropped so far", name=self.title, count=dropped)
        else:
            self._told_dropped = dropped
            return
        self._is_dropping, self._told_dropped = more, dropped

    def _tell_refused(self, why: str) -> None:
        """From time to time."""
        more = self._refusals.ask(self._reactor.seconds())
        if more is None:
            return
        also = f"; so were {more:,} more" if more else ""
        self.log.error(
            "{name}: {where}: a record is dropped: {why}{also}",
            name=self.title, where=self.carrier.name, why=why, also=also,
        )  # fmt: skip
