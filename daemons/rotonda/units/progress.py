"""The line that tells how far a long load is: what, rate, share, time left."""

from __future__ import annotations

from collections.abc import Callable

SECONDS_BETWEEN = 1.0


class Progress:
    """Counts what was loaded and says so, now and then."""

    def __init__(self, what: str, clock: Callable[[], float], say: Callable[[str], None]) -> None:
        self.count = 0
        self._what = what
        self._clock = clock
        self._say = say
        self._started = self._said = clock()

    @property
    def seconds(self) -> float:
        """Since the load began."""
        return self._clock() - self._started

    def add(self, count: int, share: float) -> None:
        """So many more records; `share` of the input, from 0 to 1, is read."""
        self.count += count
        now = self._clock()
        if now - self._said >= SECONDS_BETWEEN:
            self._said = now
            self._say(self.line(share))

    def line(self, share: float) -> str:
        """How far it is.

        >>> Progress("table.gz", lambda: 0.0, print).line(0.25)
        'table.gz: 25 %, 0 records, 0 records/s'
        """
        seconds = self.seconds
        rate = self.count / seconds if seconds else 0.0
        left = f", {seconds * (1 - share) / share:,.0f} s left" if share and seconds and share < 1 else ""
        return f"{self._what}: {100 * share:.0f} %, {self.count:,} records, {rate:,.0f} records/s{left}"
