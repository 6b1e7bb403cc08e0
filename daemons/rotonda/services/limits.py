"""What the command lines of daemons that serve say about limits, timers, versions, and what the system is asked for."""

from __future__ import annotations

import resource
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from twisted.logger import Logger
from twisted.python import usage

from rotonda.services.help import DaemonOptions
from rotoro.net.endpoints import Network
from rotoro.net.limits import DEFAULT_LIMITS, Limits
from rotoro.session.payload import DEFAULT_TIMERS, Timers
from rotoro.wire.pdu import RTR_VERSIONS

MOST = 1_000_000
OTHER_DESCRIPTORS = 64
"""File descriptors that a daemon needs beside those of its connections: files, ports, log."""

_NUMBERS = {
    "max-connections": ("connections", "Connections of routers and followers at a time."),
    "sessions-per-address": ("sessions_per_address", "Connections from one IPv4 address or one IPv6 /64 at a time."),
    "full-loads-per-minute": ("full_loads_per_minute", "Whole tables a minute for one address; more have to wait."),
    "full-loads-at-once": ("full_loads_at_once", "Whole tables for one address before --full-loads-per-minute holds."),
    "queries-waiting": ("queries_waiting", "Queries of a router that may wait while it is answered."),
    "parts-per-session": ("parts_per_session", "Parts of tables that a follower may have cut out."),
}
_SECONDS = {
    "handshake-seconds": ("handshake_seconds", "How long a TLS handshake may take."),
    "first-octet-seconds": ("first_octet_seconds", "How long somebody who has connected may say nothing."),
    "header-seconds": ("header_seconds", "How long a begun PDU header may take."),
    "pdu-seconds": ("pdu_seconds", "How long a begun PDU may take."),
    "last-write-seconds": ("last_write_seconds", "How long a peer that is being closed may read nothing of the rest."),
}


_TIMERS = ("refresh", "retry", "expire")


class LimitOptions(DaemonOptions):
    """Limits and timers of a daemon that serves, and the versions of RTR.

    `limits`, `timers` and `versions` are what they come to once `postOptions` is done.
    """

    optParameters = [
        *(
            [option, None, getattr(DEFAULT_LIMITS, name), what]
            for option, (name, what) in {**_NUMBERS, **_SECONDS}.items()
        ),
        ["refresh", None, DEFAULT_TIMERS.refresh, "Seconds after which routers ask for news."],
        ["retry", None, DEFAULT_TIMERS.retry, "Seconds until routers try again; 3 of these without reading end it."],
        ["expire", None, DEFAULT_TIMERS.expire, "Seconds without news after which routers must give the data up."],
        ["oldest-version", None, RTR_VERSIONS[0], "The oldest version of RTR that is served: 0, 1 or 2."],
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self["exempt"] = None

    def opt_exempt(self, text: str) -> None:
        """A network whose addresses have no limits of their own; "none" for no network at all. [default: loopback]"""
        self["exempt"] = (self["exempt"] or ()) + (() if text == "none" else (_network(text),))

    def postOptions(self) -> None:
        """Complain about what cannot be meant."""
        values: dict[str, Any] = {name: _number(self, option, int) for option, (name, _) in _NUMBERS.items()}
        values |= {name: _number(self, option, float) for option, (name, _) in _SECONDS.items()}
        exempt = DEFAULT_LIMITS.exempt if self["exempt"] is None else self["exempt"]
        try:
            self["timers"] = Timers(*(int(_number(self, timer, int)) for timer in _TIMERS))
        except ValueError as wrong:
            raise usage.UsageError(f"--refresh, --retry, --expire: {wrong}") from None
        if str(self["oldest-version"]) not in map(str, RTR_VERSIONS):
            raise usage.UsageError(f"--oldest-version: {str(self['oldest-version'])[:40]!r} is not 0, 1 or 2")
        self["versions"] = RTR_VERSIONS[int(self["oldest-version"]) :]
        self["limits"] = replace(DEFAULT_LIMITS, **values, exempt=exempt)


def enough_descriptors(limits: Limits) -> None:
    """Have the system grant as many file descriptors as these limits may need, or say what that comes to."""
    needed = limits.connections + OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    granted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < granted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    if granted < needed:
        Logger().warn(
            "{granted} file descriptors are granted where {connections} connections may need {needed}: "
            "beyond them, connections wait",
            granted=granted,
            connections=limits.connections,
            needed=needed,
        )


def _number(options: usage.Options, option: str, kind: type[int] | type[float]) -> float:
    try:
        value = kind(options[option])
    except ValueError:
        value = 0
    if not 1 <= value <= MOST:
        raise usage.UsageError(f"--{option}: {str(options[option])[:40]!r} is not a number from 1 to {MOST}")
    return value


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as wrong:
        raise usage.UsageError(f"--exempt: {wrong}") from None
