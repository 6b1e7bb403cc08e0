"""How much of a server anybody may have: plain values, and arithmetic whose clock is an argument.

Nothing here refuses anybody. It says what is too much, and counts what the edge made of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from rotoro.net.endpoints import Network

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""Who connects from here is a program of this machine, or a tunnel or proxy that many stand behind."""

REMEMBERED = 4096
"""How many sources a set of buckets knows before it forgets those that have been quiet."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server grants. All times are in seconds; no octet that drips in prolongs them.

    A source is an IPv4 address or an IPv6 /64; the networks in `exempt` are not counted by source.
    """

    connections: int = 4096
    sessions_per_address: int = 64
    full_loads_per_minute: int = 30
    full_loads_at_once: int = 64
    """Whole tables that a source gets before `full_loads_per_minute` holds: all routers of a site may restart."""
    queries_waiting: int = 2
    """How many queries of a router may wait while an answer is under way (8210bis section 5)."""
    parts_per_session: int = 16
    """How many parts of tables a follower may have cut out for it; each costs a walk over the table."""
    handshake_seconds: float = 10.0
    first_octet_seconds: float = 30.0
    header_seconds: float = 10.0
    pdu_seconds: float = 30.0
    last_write_seconds: float = 60.0
    """How long a peer that is being closed may read nothing of the end of what it asked for."""
    exempt: tuple[Network, ...] = LOOPBACK


DEFAULT_LIMITS = Limits()


class Bucket:
    """Tokens that come back with time: so many at once, then so many a minute."""

    __slots__ = ("_at", "_full", "_per_second", "_tokens")

    def __init__(self, at_once: int, per_minute: float, now: float) -> None:
        self._full, self._per_second = at_once, per_minute / 60
        self._tokens, self._at = float(at_once), now

    def take(self, now: float) -> float:
        """Take a token, if there is one; else in how many seconds there will be one.

        >>> bucket = Bucket(at_once=1, per_minute=30, now=0.0)
        >>> bucket.take(0.0), bucket.take(0.5), bucket.take(2.0)
        (0.0, 1.5, 0.0)
        """
        self._tokens = min(float(self._full), self._tokens + max(0.0, now - self._at) * self._per_second)
        self._at = now
        # What time makes of a token is never exact: half a millionth is enough.
        if self._tokens >= 1 - 5e-7:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second

    def is_full(self, now: float) -> bool:
        """Whether it is as good as new."""
        return self._tokens + (now - self._at) * self._per_second >= self._full


class Buckets:
    """A bucket for each of many; who has been quiet for long enough is forgotten."""

    def __init__(self, at_once: int, per_minute: float) -> None:
        self._rate = at_once, per_minute
        self._buckets: dict[Hashable, Bucket] = {}

    def take(self, whose: Hashable, now: float) -> float:
        """In how many seconds there is a token; 0 if one was taken."""
        bucket = self._buckets.get(whose)
        if bucket is None:
            if len(self._buckets) >= REMEMBERED:
                self._forget(now)
            bucket = self._buckets[whose] = Bucket(*self._rate, now)
        return bucket.take(now)

    def __len__(self) -> int:
        return len(self._buckets)

    def _forget(self, now: float) -> None:
        """Those that are full again; if there is none, the eldest half, so that forgetting stays cheap."""
        full = [whose for whose, bucket in self._buckets.items() if bucket.is_full(now)]
        for whose in full or list(self._buckets)[: REMEMBERED // 2]:
            del self._buckets[whose]


class Quiet:
    """Which lines of a log are worth writing: so many at once for each peer and reason, then a few a minute."""

    def __init__(self, at_once: int = 20, per_minute: float = 6.0) -> None:
        self.left_out = 0
        """Lines that were not written, in all."""
        self._buckets = Buckets(at_once, per_minute)
        self._missing: Counter[Hashable] = Counter()

    def worth(self, whose: Hashable, now: float) -> str | None:
        """What to append to the line, for what was left out before it; None if it is not worth writing.

        >>> quiet = Quiet(at_once=1, per_minute=60)
        >>> quiet.worth("x", 0.0), quiet.worth("x", 0.1), quiet.worth("x", 0.2), quiet.worth("x", 1.5)
        ('', None, None, ' (2 such lines left out)')
        """
        if self._buckets.take(whose, now):
            self.left_out += 1
            if len(self._missing) < REMEMBERED or whose in self._missing:
                self._missing[whose] += 1
            return None
        missing = self._missing.pop(whose, 0)
        return f" ({missing} such line{'s' * (missing > 1)} left out)" if missing else ""


class Counters:
    """What a server has done since it started; of octets, PDUs and queries what ended connections had."""

    def __init__(self) -> None:
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        """Connections that were closed before anything was said, by reason."""
        self.shed = 0
        """Connections that said nothing and made room for others."""
        self.delayed = 0
        """Full loads that had to wait for their turn."""
        self.pauses = 0
        """How often no more connections were accepted for want of file descriptors."""
        self.late: Counter[str] = Counter()
        """Connections that a deadline ended, by what was late: `first octet`, `header`, `PDU`, `last write`, or the
        `session` as such, which read or said nothing for too long."""
        self.errors_sent: Counter[int] = Counter()
        self.errors_received: Counter[int] = Counter()
        """Error Reports by code."""
        self.octets_in = self.octets_out = self.pdus_in = self.queries = 0


def source(host: str | None) -> str | None:
    """Whom an address counts for: itself, or an IPv6 /64; None if that is not known.

    >>> source("192.0.2.1"), source("2001:db8::1"), source("::ffff:192.0.2.1"), source("fe80::1%eth0")
    ('192.0.2.1', '2001:db8::/64', '192.0.2.1', 'fe80::1')
    """
    if host is None or ":" not in host:
        return host
    address = ip_address(host.partition("%")[0])  # the kernel tells the scope apart, transports as part of the address
    assert isinstance(address, IPv6Address)  # or there would be no colon
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if address.is_link_local:
        return str(address)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"


def within(host: str | None, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of these networks; an IPv4 address may come in the clothes of IPv6.

    >>> within("::ffff:192.0.2.1", [ip_network("192.0.2.0/24")]), within("192.0.2.1", [ip_network("::/0")])
    (True, False)
    """
    if host is None:
        return False
    address: Any = ip_address(host.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)


def open_to_the_world(host: str) -> bool:
    """Whether whoever listens at this address can be reached from anywhere; a name could mean anything.

    >>> [open_to_the_world(host) for host in ("0.0.0.0", "::", "9.9.9.9", "cache.example.net")]
    [True, True, True, True]
    >>> [open_to_the_world(host) for host in ("127.0.0.1", "10.0.0.1", "fd00::1", "fe80::1%eth0", "localhost")]
    [False, False, False, False, False]
    """
    if host == "localhost":
        return False
    try:
        address: Any = ip_address(host.partition("%")[0])
    except ValueError:
        return True
    address = getattr(address, "ipv4_mapped", None) or address
    return bool(address.is_unspecified or address.is_global)
