"""In which version a router asks its cache, and when it asks again after a query that failed."""

from __future__ import annotations

UNHEARD_CONNECTIONS = 2
"""How often a cache may close without a word before a lower version is tried."""

LOWER_SECONDS = 3600.0
"""How long a cache is asked in the lower version that it spoke before it is tried with the highest again."""

FIRST_PAUSE_SECONDS = 1
"""After the first of several connections that are lost in the middle of a query; each later pause is twice as long."""


class Versions:
    """The version that a cache is asked in (RFC 8210 section 7)."""

    def __init__(self, highest: int) -> None:
        self.highest = highest
        self.current = highest
        self._unheard = 0
        """Connections in a row that the cache closed without a word."""
        self._lower_until = 0.0
        """When a cache that spoke a lower version is asked for the highest again."""

    def begin(self, now: float) -> None:
        """A new connection."""
        if now >= self._lower_until:
            self.current = self.highest

    def lower(self, now: float, version: int) -> None:
        """The cache does not know our version, but this one."""
        self.current, self._unheard = version, 0
        self._lower_until = now + LOWER_SECONDS

    def heard(self) -> None:
        """The cache answers."""
        self._unheard = 0

    def unheard(self, now: float) -> None:
        """The cache closed without a word."""
        self._unheard += 1
        if self._unheard >= UNHEARD_CONNECTIONS:
            # Not every cache says Error 4 to a version that it does not know: some only close (RFC 8210 section 7).
            self.lower(now, self.current - 1 if self.current else self.highest)

    def exhausted(self, now: float) -> None:
        """The cache knows none of our versions: the next connection begins with the highest again."""
        self._lower_until = now


class Pause:
    """How long to stay away from a cache after a query that failed (RFC 8210 section 6).

    A router should not ask sooner than Retry says after a query that failed; to go on in a lower version is no such
    failure. A connection that is lost is not the cache's answer: after one in the middle of a query the pause is short
    at first and doubles up to Retry, and one that was lost between queries, or could not be made, costs no pause here.
    """

    def __init__(self) -> None:
        self.seconds = 0
        """How long not to connect."""
        self._lost = 0

    def failed(self, retry: int) -> None:
        """The query was answered with an error, wrongly, or not in time."""
        self.seconds = retry

    def lost(self, retry: int) -> None:
        """The connection was lost while an answer was due."""
        self._lost += 1
        self.seconds = min(retry, FIRST_PAUSE_SECONDS << min(self._lost - 1, 16))

    def over(self) -> None:
        """A new connection is there."""
        self.seconds = 0

    def succeeded(self) -> None:
        """A query was answered in full."""
        self.seconds = self._lost = 0
