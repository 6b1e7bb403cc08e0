"""What the command lines of the daemons share."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.python import usage

from rotoro.net.endpoints import Connect, Listen, connect_to, listen_at
from rotoro.session.negotiation import Mode

LOOPBACK = "127.0.0.1"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def place(option: str, text: str) -> Listen:
    """Where to listen, from an option, or the usage error that names the option."""
    try:
        return listen_at(text, LOOPBACK)
    except ValueError as wrong:
        raise usage.UsageError(f"--{option}: {wrong}") from None


def server(option: str, text: str) -> Connect:
    """Where to connect, from an option, or the usage error that names the option."""
    try:
        return connect_to(text, LOOPBACK)
    except ValueError as wrong:
        raise usage.UsageError(f"--{option}: {wrong}") from None


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


def readable(option: str, text: str) -> Path:
    """A file that is there now; later it may come and go."""
    path = Path(text).absolute()
    if not path.is_file():
        raise usage.UsageError(f"--{option}: there is no file {text}")
    return path
