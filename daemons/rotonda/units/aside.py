"""Looking at whole sets of data, which takes long: in a thread, one at a time, while the reactor serves others.

Snapshots never change, so threads may read them. What the reactor's thread is told meanwhile is its own affair: who has
asked for work finds out afterwards whether it still matters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

T = TypeVar("T")

SMALL = 20_000
"""So many records are looked at where we stand; that takes some 10 ms."""


class Aside(Service):
    """Does one piece of work at a time, until the daemon stops. `in_thread` is for tests."""

    log = Logger()

    def __init__(self, small: int = SMALL, in_thread: Callable[..., Deferred[Any]] = deferToThread) -> None:
        self.busy = False
        """Whether there is work under way: no other may be given now."""
        self._small, self._in_thread = small, in_thread
        self._over: list[Deferred[None]] = []

    def do(self, records: int, work: Callable[[], T], use: Callable[[T], None]) -> None:
        """Do the work, which looks at so many records, and use its result: at once, or when the thread is done.

        As long as the daemon does not run nobody else has to wait, and it is done at once, too.
        """
        if records <= self._small or not self.running:
            use(work())
            return
        self.busy = True
        done = self._in_thread(work)
        done.addBoth(self._done)
        done.addCallback(lambda result: use(result) if self.running else None)
        done.addErrback(lambda bug: self.log.failure("a look at {records:,} records failed", bug, records=records))

    def stopService(self) -> Deferred[None]:
        """Use nothing any more; fires when the work under way is done."""
        super().stopService()
        if not self.busy:
            return succeed(None)
        self._over.append(Deferred())
        return self._over[-1]

    def _done(self, result: object) -> object:
        self.busy = False
        over, self._over = self._over, []
        for waiting in over:
            waiting.callback(None)
        return result
