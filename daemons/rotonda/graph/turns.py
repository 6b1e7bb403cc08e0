"""Output streams of one name, one after the other.

A stream that takes the place of another one needs what that one has: a folder, a file, its name at a broker. It begins
when the one before it has ended; what is sent to it meanwhile waits in its queue, and goes behind all that was sent
before.
"""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rotonda.outputs.stream import AT_THE_END, Stream


class Turn(Service):
    """The life of a stream, which has a lock with those of its name before and after it."""

    log = Logger()

    def __init__(self, stream: Stream, lock: DeferredLock) -> None:
        self.stream = stream
        self._lock = lock
        self._has_begun = False
        self._coming: Deferred[None] | None = None

    def startService(self) -> None:
        """Have the stream begin, as soon as it may."""
        super().startService()
        self._coming = self._lock.acquire().addCallbacks(self._begin, self._never)

    def stopService(self) -> Deferred[None]:
        """Have it end; one that has not begun, and has got something, does that in its turn."""
        super().stopService()
        return Deferred.fromCoroutine(self._end())

    def give_up(self) -> None:
        """A configuration is taken back: a stream of it that has not begun never will."""
        if self._has_begun or self._coming is None:
            return
        self._coming.cancel()
        if waiting := self.stream.waiting:
            self.stream.drop(waiting, AT_THE_END)
            self.log.error(
                "{name}: {count:,} records are dropped, as the configuration is not changed",
                name=self.stream.title, count=waiting,
            )  # fmt: skip

    def _begin(self, _: DeferredLock) -> None:
        self._has_begun = True
        self.stream.startService()

    @staticmethod
    def _never(failure: Failure) -> None:
        failure.trap(CancelledError)

    async def _end(self) -> None:
        coming, self._coming = self._coming, None
        if coming is None:
            return
        if not self._has_begun and not self.stream.waiting:
            coming.cancel()
        await coming
        if self._has_begun:
            self._has_begun = False
            await maybeDeferred(self.stream.stopService)
            self._lock.release()
