"""What the command lines of the daemons share."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.python import usage

from rotoro.net.endpoints import HostPort, host_port
from rotoro.session.negotiation import Mode

LOOPBACK = "127.0.0.1"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def parsed(option: str, text: str) -> HostPort:
    """HOST:PORT of an option, or the usage error that names the option."""
    try:
        return host_port(text, default_host=LOOPBACK)
    except ValueError as wrong:
        raise usage.UsageError(f"--{option}: {wrong}") from None


def add_server(options: usage.Options, option: str, text: str) -> None:
    """One more server to follow; to follow it twice would make two of all that it says."""
    where = parsed(option, text)
    if where in options[option]:
        raise usage.UsageError(f"--{option}: {where} is given twice")
    options[option].append(where)


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
