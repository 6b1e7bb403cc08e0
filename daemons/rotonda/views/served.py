"""Those whom a daemon serves, for people and for metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class Client(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One connection of a router or a follower. `since` is in seconds since 1970.

    `lag` counts the serials that a router is behind the table; it is left out where nothing was sent yet.
    """

    peer: str
    protocol: str
    state: str
    since: float
    session: int | None = None
    serial: int | None = None
    lag: int | None = None
    octets_in: int
    octets_out: int
    pdus_in: int
    queries: int
    errors_sent: int
    errors_received: int


class Listener(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One port; what is said of certificates only where it speaks TLS. `certificate_ends` is in seconds since 1970."""

    name: str
    handshakes: int | None = None
    refused: Mapping[str, int] = {}
    certificate_ends: float | None = None
    unusable_files: int | None = None


class Served(msgspec.Struct, kw_only=True):
    """What a server has done since it started, and whom it serves now.

    `refused` counts connections by reason and `late` by the deadline that ended them, the errors are those of Error
    Reports by code. `not_kept` says why its data
    could not be written to the disk the last time, if that was so.
    """

    serial: int | None
    not_kept: str | None = None
    accepted: int
    refused: Mapping[str, int]
    shed: int
    delayed: int
    pauses: int
    late: Mapping[str, int]
    octets_in: int
    octets_out: int
    pdus_in: int
    queries: int
    errors_sent: Mapping[int, int]
    errors_received: Mapping[int, int]
    listeners: Sequence[Listener]
    clients: Sequence[Client]


class ServingView(Protocol):
    """What a daemon shows that others follow."""

    def served(self) -> Served:
        """How its server fares."""
