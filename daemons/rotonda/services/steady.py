"""A reactor that nothing outside it holds up or misleads."""

from __future__ import annotations

import gc
from typing import Any

from rotoro.net.clock import count_steadily


def steady(reactor: Any) -> None:
    """Have it count by a clock that nobody sets, and not wait for what stays anyway. Before anything is scheduled.

    Modules and what was made at the start are some 300,000 objects; to look through them for garbage, again and again,
    takes more than 50 ms each time.
    """
    count_steadily(reactor)
    reactor.callWhenRunning(gc.freeze)
