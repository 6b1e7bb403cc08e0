"""What was logged, as people read it."""

from __future__ import annotations

from typing import Any

from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer


@implementer(ILogObserver)
class Logged:
    """The lines that say something of a peer, or of whatever field is asked for, until the test ends."""

    def __init__(self, case: SynchronousTestCase, field: str = "peer") -> None:
        self.lines: list[str] = []
        self._field = field
        globalLogPublisher.addObserver(self)
        case.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: Any) -> None:
        if event.get("log_level") is not LogLevel.debug and self._field in event:
            self.lines.append(str(event["log_format"]).format(**event))
