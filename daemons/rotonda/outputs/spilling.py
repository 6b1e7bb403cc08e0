"""A spill at work: a thread does what is to be done on the disk, one thing after the other; the reactor never waits.

What waits is in this order: messages that were read from the disk, those on the disk, those that are being brought to
it, and those that were made for that. A disk that is full or cannot be written is told once, and tried again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rotonda.outputs.carrier import Message
from rotonda.outputs.spill import BATCH_MESSAGES, BATCH_OCTETS, CannotSpill, Spill, Spilled

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 60.0

MOST_READ = 4
"""Segments that are read before it is waited until all of their messages have arrived."""


class Spilling:
    """What one stream has on disk. `changed` is called after everything that was done there."""

    log = Logger()

    def __init__(
        self,
        title: str,
        spill: Spill,
        reactor: Any,
        in_thread: Callable[..., Deferred[Any]],
        found: Callable[[int], None],
        read: Callable[[Spilled], None],
        changed: Callable[[], None],
    ) -> None:
        self._title = title
        self._spill = spill
        self._reactor = reactor
        self._in_thread = in_thread
        self._found, self._read, self._changed = found, read, changed
        self.made: list[Message] = []
        """Messages that are to be brought to the disk."""
        self.appending: list[Message] = []
        """Those that a thread brings there."""
        self.count = 0
        """Messages on the disk that have not been read."""
        self.segments_read = 0
        """Segments that were read, and are still there."""
        self.written = 0
        """Messages that were ever brought to the disk."""
        self.is_open = self.is_full = self.busy = False
        self._told_full = False
        self._made_octets = 0
        self._problems: dict[str, str] = {}
        """What is wrong, by what was to be done."""
        self._failures: dict[str, int] = {}
        self._retry_at: dict[str, float] = {}
        self._backoff = backoffPolicy(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, 2.0)

    @property
    def octets(self) -> int:
        """What is on the disk."""
        return self._spill.octets

    @property
    def problem(self) -> str | None:
        """Why records cannot wait on disk."""
        return next(iter(self._problems.values()), None)

    @property
    def works(self) -> bool:
        """Whether more can be brought to the disk."""
        return self.is_open and not self.is_full and ("append" not in self._problems or self._may("append"))

    @property
    def is_promising(self) -> bool:
        """Whether what is too much for the memory will probably find room on the disk."""
        return self.works or (not self.is_open and not self._problems)

    @property
    def in_memory(self) -> int:
        """Messages that are on their way to the disk."""
        return len(self.made) + len(self.appending)

    @property
    def is_passed(self) -> bool:
        """Whether nothing is here that has to go before what has just been sent, but for `made`."""
        if not self.is_open:
            return bool(self._problems)
        return not self.busy and not self.count and not self.segments_read

    @property
    def takes(self) -> bool:
        """Whether more messages may be made for the disk now."""
        return self.works and len(self.made) < BATCH_MESSAGES and self._made_octets < BATCH_OCTETS

    def add(self, messages: list[Message]) -> None:
        """These are to be brought to the disk."""
        self.made += messages
        self._made_octets += sum(len(message.payload) for message in messages)

    def give_up_made(self) -> list[Message]:
        """Those that were made for the disk, as they are not brought there."""
        made, self.made, self._made_octets = self.made, [], 0
        self.is_full = False
        return made

    def look(self, is_settled: bool, wants: bool) -> None:
        """Do what is next to be done, if something is: `is_settled`, nothing that was read, or is older, is on its way
        any more; `wants`, more could be read now."""
        if self.busy:
            return
        if not self.is_open:
            if self._may("open"):
                self._do("open", self._spill.open, self._opened)
        elif self.segments_read and is_settled:
            self._do("remove", self._spill.remove, self._removed)
        elif self.count and (is_settled or (wants and 0 < self.segments_read < MOST_READ)) and self._may("read"):
            self._do("read", self._spill.read, self._was_read)
        elif self.made and not self.is_full and self._may("append"):
            self.appending, self.made, self._made_octets = self.made, [], 0
            self._do("append", lambda: self._spill.append(self.appending), self._appended)

    def finish(self, undelivered: list[Message], behind: list[Message], is_all: bool) -> Deferred[int]:
        """Nothing is busy, and it ends: bring what was given, and did not arrive, to the disk before all else, and
        what was not given behind it. Without `is_all`, what was read stays there, as more of it has not arrived. Fires
        with how many messages are lost."""
        stays = self.segments_read > 0 and not is_all
        self.busy = True
        done: Deferred[int] = self._in_thread(lambda: self._finish(undelivered, behind, stays))
        return done

    def _finish(self, undelivered: list[Message], behind: list[Message], stays: bool) -> int:
        """In a thread."""
        lost = 0
        try:
            if not stays:
                lost = len(undelivered) - self._spill.put_back(undelivered)
        except CannotSpill as wrong:
            self._tell(str(wrong))
            lost = 0 if self.segments_read else len(undelivered)
        for first in range(0, len(behind), BATCH_MESSAGES):
            piece = behind[first : first + BATCH_MESSAGES]
            try:
                lost += 0 if self._spill.append(piece) else len(piece)
            except CannotSpill as wrong:
                self._tell(str(wrong))
                lost += len(piece)
        self._spill.close()
        return lost

    def close(self) -> None:
        """Let others have the folder, as soon as nothing is done there."""
        if not self.busy:
            self._in_thread(self._spill.close)

    # --- what was done -----------------------------------------------------------------------------------------------

    def _may(self, what: str) -> bool:
        return bool(self._reactor.seconds() >= self._retry_at.get(what, 0.0))

    def _do(self, what: str, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.busy = True
        doing = maybeDeferred(self._in_thread, work)
        doing.addCallback(self._worked, what, done)
        doing.addErrback(self._failed, what)
        doing.addErrback(lambda bug: self.log.failure("{name}: a spill failed", bug, name=self._title))
        doing.addBoth(lambda _: self._changed())

    def _worked(self, outcome: Any, what: str, done: Callable[[Any], None]) -> None:
        self.busy = False
        if self._problems.pop(what, None) is not None:
            self.log.info("{name}: {folder} can be used again", name=self._title, folder=self._spill.folder)
        self._failures.pop(what, None)
        done(outcome)

    def _failed(self, failure: Failure, what: str) -> None:
        """It is tried again; what was not appended waits in memory, and what was not removed is so the next time."""
        self.busy = False
        self._append_later()
        if what == "remove":
            self.segments_read = 0
        if failure.check(CannotSpill) is None:
            self.log.failure("{name}: a spill failed", failure, name=self._title)
        if what not in self._problems:
            self._tell(failure.getErrorMessage())
        self._problems[what] = failure.getErrorMessage()
        failures = self._failures.get(what, 0)
        self._retry_at[what] = self._reactor.seconds() + self._backoff(failures)
        self._failures[what] = failures + 1

    def _append_later(self) -> None:
        self.made[:0] = self.appending
        self._made_octets += sum(len(message.payload) for message in self.appending)
        self.appending = []

    def _tell(self, why: str) -> None:
        self.log.error("{name}: records cannot wait on disk: {why}", name=self._title, why=why)

    def _opened(self, _: None) -> None:
        self.is_open = True
        self.count = self._spill.count
        for told in self._spill.told:
            self.log.error("{name}: {told}", name=self._title, told=told)
        if self.count:
            self.log.info(
                "{name}: {count:,} records of an earlier run wait in {folder}",
                name=self._title, count=self.count, folder=self._spill.folder,
            )  # fmt: skip
        self._found(self.count)

    def _removed(self, _: None) -> None:
        self.segments_read = 0
        self.is_full = False
        if not self.count:
            self._told_full = False

    def _was_read(self, spilled: Spilled) -> None:
        self.segments_read += 1
        self.count = self._spill.count
        if spilled.told is not None:
            self.log.error("{name}: {told}", name=self._title, told=spilled.told)
        self._read(spilled)

    def _appended(self, has_room: bool) -> None:
        if has_room:
            self.written += len(self.appending)
            self.count = self._spill.count
            self.appending = []
            return
        self._append_later()
        self.is_full = True
        if not self._told_full:
            self._told_full = True
            self.log.error("{name}: no more may wait in {folder}", name=self._title, folder=self._spill.folder)
