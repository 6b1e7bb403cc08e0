"""What is done again and again, for as long as a daemon runs."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


class Timer(Service):
    """Calls something every so many seconds, whatever happened the time before."""

    log = Logger()

    def __init__(self, call: Callable[[], object], clock: IReactorTime, seconds: float) -> None:
        self._call = call
        self._seconds = seconds
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock

    def startService(self) -> None:
        """Begin to wait."""
        super().startService()
        self._loop.start(self._seconds, now=False)

    def stopService(self) -> None:
        """Call no more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> None:
        try:
            self._call()
        except Exception:
            self.log.failure("what is done every {seconds:g} s failed", seconds=self._seconds)
