"""What all output streams have in common, and what lines are written to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from twisted.application.service import Service
from twisted.logger import Logger

from rotonda.blocks.values import RecordValue

FULL, REFUSED, AT_THE_END, DAMAGED = "full", "refused", "end", "damaged"
"""Why records are dropped: there is no room; nobody will ever take them; they are left when the stream stops; they
cannot be read from the disk again."""

LAST_SECONDS = 5.0
"""How long a stream that stops goes on trying to write what is left."""

SELDOM_SECONDS = 60.0
"""How often the same kind of trouble is told."""


class BadStream(ValueError):
    """A stream that cannot be as it is declared; says which, and why."""


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


Lines: TypeAlias = Callable[[Sequence[RecordValue], float], list[bytes]]
"""Makes lines of records and of when they were sent (seconds since 1970)."""


def _nobody() -> None:
    """Nobody wants to know."""


class Stream(Service):
    """An output stream. `sent` counts what came, or was left on disk by an earlier run, `written` what has arrived,
    `dropped` what is lost; all else waits."""

    log = Logger()

    def __init__(self, title: str) -> None:
        self.setName(f"output stream {title}")
        self.title = title
        """The full name of its block."""
        self.sent = self.written = self.dropped = 0
        self.dropped_by: Counter[str] = Counter()
        """The same by the reason."""
        self.blocking_changed: Callable[[], None] = _nobody
        """Called when `blocking` has another value."""

    @property
    def waiting(self) -> int:
        """Records that are on their way, or on disk."""
        return self.sent - self.written - self.dropped

    @property
    def blocking(self) -> bool:
        """Whether nothing more may come in until there is room."""
        return False

    @property
    def spilled(self) -> int:
        """Records that were ever brought to the disk, to wait there."""
        return 0

    @property
    def on_disk(self) -> int:
        """Octets that wait there now."""
        return 0

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

    def drop(self, count: int, why: str) -> None:
        """So many records are lost."""
        self.dropped += count
        self.dropped_by[why] += count

    def reopen(self) -> None:
        """Files were moved away, or other things have changed outside: begin anew."""


class Seldom:
    """Says when it is time to tell of trouble again that comes many times."""

    def __init__(self) -> None:
        self._next = 0.0
        self._more = 0

    def ask(self, now: float) -> int | None:
        """It has come once more: how many times it was not told, or None if it is not time."""
        if now < self._next:
            self._more += 1
            return None
        more, self._more = self._more, 0
        self._next = now + SELDOM_SECONDS
        return more
