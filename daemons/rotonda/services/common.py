"""What the command lines of the daemons share."""

from __future__ import annotations

import re
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any

from twisted.python import usage

from rotonda.units.keeping import MAX_AGE_SECONDS, KeepAt
from rotoro.net.endpoints import Connect, Listen, connect_to, listen_at
from rotoro.net.limits import open_to_the_world
from rotoro.net.tls_contexts import check_files
from rotoro.session.cache import GOODBYE_RESTART
from rotoro.session.negotiation import Mode

LOOPBACK = "127.0.0.1"

STATE_PARAMETERS: list[list[Any]] = [
    ["state", None, None, "Folder where RPKI data is kept, to be served at once after a restart; without it, none is."],
    ["state-max-age", None, MAX_AGE_SECONDS, "Seconds after which kept data is too old to be served."],
]
"""What a daemon may be told of the data that it keeps."""

GOODBYE_PARAMETER = [
    "goodbye",
    None,
    "restart",
    "What it tells routers when it stops: restart, or shutdown for good.",
]
_GOODBYES = {"restart": GOODBYE_RESTART, "shutdown": 0}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def place(option: str, text: str) -> Listen:
    """Where to listen, from an option, or the usage error that names the option.

    Who listens to all the world has to say who may connect, or that all the world is meant.
    """
    try:
        at = listen_at(text, LOOPBACK)
        if at.tls is not None:
            check_files(at.tls, at.where.host)
    except ValueError as wrong:
        raise usage.UsageError(f"--{option}: {wrong}") from None
    if at.tls is None and not at.allow and not at.public and open_to_the_world(at.where.host):
        raise usage.UsageError(
            f"--{option}: anybody who reaches {at} could connect, without TLS: say who may with {text},allow=NETWORK "
            f"(several times if need be), use tls:, or write {text},public if that is what you want"
        )
    return at


def add_place(options: usage.Options, option: str, text: str) -> None:
    """One more place to listen at."""
    at = place(option, text)
    if at.where.port and any(known.where == at.where for known in options[option]):
        raise usage.UsageError(f"--{option}: {at} is given twice")
    options[option].append(at)


def server(option: str, text: str) -> Connect:
    """Where to connect, from an option, or the usage error that names the option."""
    try:
        to = connect_to(text, LOOPBACK)
        if to.tls is not None:
            check_files(to.tls, to.where.host)
    except ValueError as wrong:
        raise usage.UsageError(f"--{option}: {wrong}") from None
    return to


def add_server(options: usage.Options, option: str, text: str) -> None:
    """One more server to follow; to follow it twice would make two of all that it says."""
    to = server(option, text)
    if any(known.where == to.where for known in options[option]):
        raise usage.UsageError(f"--{option}: {to} is given twice")
    options[option].append(to)


def mode_of(text: str) -> Mode:
    """What a server is expected to speak."""
    try:
        return Mode(text)
    except ValueError:
        raise usage.UsageError(f"--mode: {text!r} is not one of {', '.join(mode.value for mode in Mode)}") from None


def named(text: str) -> str:
    """What a daemon is called: part of the names of its tables, which have 255 octets, and of paths of its API."""
    if not _NAME.fullmatch(text):
        raise usage.UsageError(f"--name: {text[:80]!r} is not 1 to 64 letters, digits, dots, dashes and underscores")
    return text


def keep_at(options: usage.Options) -> KeepAt | None:
    """Where data is kept, if anywhere."""
    text, folder = str(options["state-max-age"]), options["state"]
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds < 1e9:
        raise usage.UsageError(f"--state-max-age: {text[:40]!r} is not a number of seconds from 1")
    return KeepAt(path("state", folder), seconds) if folder else None


def goodbye_of(text: str) -> int:
    """What is said to those who are connected when the daemon stops."""
    if text not in _GOODBYES:
        raise usage.UsageError(f"--goodbye: {text[:40]!r} is not one of {', '.join(_GOODBYES)}")
    return _GOODBYES[text]


def url(option: str, text: str) -> str:
    """Something on the web, in printable ASCII, as it is sent."""
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > 2000:
        raise usage.UsageError(f"--{option}: {text[:80]!r} is not a URL as it is sent: up to 2,000 ASCII characters")
    return text


def preferred(option: str, text: str) -> tuple[str, int]:
    """What stands before `,preference=N`, and N, which is 0 if nothing is said.

    >>> preferred("vrps", "vrps,2026.json,preference=2")
    ('vrps,2026.json', 2)
    """
    where, said, number = text.rpartition(",preference=")
    if not said:
        return text, 0
    if not (number.isascii() and number.isdecimal() and len(number) < 4 and int(number) < 256):
        raise usage.UsageError(f"--{option}: the preference {number[:20]!r} is not a number from 0 to 255")
    return where, int(number)


def path(option: str, text: str) -> Path:
    """A path that can be shown: it will be, in logs, in JSON and to followers."""
    if not text.isprintable():
        raise usage.UsageError(f"--{option}: {text!r} has characters that cannot be shown")
    return Path(text).absolute()


def readable(option: str, text: str) -> Path:
    """A file that is there now; later it may come and go."""
    file = path(option, text)
    if not file.is_file():
        raise usage.UsageError(f"--{option}: there is no file {text}")
    return file


def seconds(option: str, text: str | float) -> float:
    """A time span."""
    with suppress(ValueError):
        if 0 <= (span := float(text)) < inf:
            return span
    raise usage.UsageError(f"--{option}: {text!r} is not a number of seconds")
