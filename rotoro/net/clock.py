"""A clock that nobody sets: deadlines and expiry must not move when the wall clock does."""

from __future__ import annotations

import time
from typing import Any


def boot_seconds() -> float:
    """Seconds since some moment; those in which the system slept count where it can tell: data ages then, too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def count_steadily(reactor: Any) -> None:
    """Make a reactor, and all that is measured by it, count by such a clock. Before anything is scheduled."""
    reactor.seconds = boot_seconds
