"""Says when connectors must not read: an output stream that may lose nothing has no room.

What was read is still taken. Who is not read says nothing in vain: it waits in its own buffers and those of the kernel,
and its silence is not held against it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

AGAIN_SECONDS = 1.0
"""How often those who are held are told so again: connections that were made meanwhile, and timers of sessions."""

Hold = Callable[[bool], None]
"""Takes whether nothing may be read now; that it may not be read, it hears again and again."""


class Brake:
    """One for all connectors of a process."""

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self.on = False
        self._pressing: set[object] = set()
        self._holds: dict[object, Hold] = {}
        self._waiting: list[Deferred[None]] = []
        self._again = LoopingCall(self._hold)
        self._again.clock = reactor

    def join(self, hold: Hold) -> Callable[[], None]:
        """Tell somebody who reads from now on, until the returned function is called."""
        key = object()
        self._holds[key] = hold
        if self.on:
            hold(True)
        return lambda: self._holds.pop(key, None) and None

    def press(self, by: object, on: bool) -> None:
        """Somebody would have all wait, or no longer; as soon as nobody would, they read on."""
        (self._pressing.add if on else self._pressing.discard)(by)
        if bool(self._pressing) is self.on:
            return
        self.on = not self.on
        if self.on:
            self._again.start(AGAIN_SECONDS)
            return
        self._again.stop()
        self._hold()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    async def released(self) -> None:
        """Wait until it may be read."""
        while self.on:
            free: Deferred[None] = Deferred()
            self._waiting.append(free)
            await free

    def _hold(self) -> None:
        for hold in list(self._holds.values()):
            try:
                hold(self.on)
            except Exception:
                self.log.failure("a connector could not be held, or let go")
