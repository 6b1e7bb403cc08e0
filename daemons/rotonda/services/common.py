"""What the command lines of the daemons share."""

from __future__ import annotations

from pathlib import Path

from twisted.application.service import MultiService
from twisted.internet.interfaces import IReactorTime
from twisted.python import usage
from twisted.web.server import Site

from rotoro.net.endpoints import HostPort, host_port
from rotoro.net.services import listening
from rotoro.session.negotiation import Mode

LOOPBACK = "127.0.0.1"


def parsed(option: str, text: str) -> HostPort:
    """HOST:PORT of an option, or the usage error that names the option."""
    try:
        return host_port(text, default_host=LOOPBACK)
    except ValueError as wrong:
        raise usage.UsageError(f"--{option}: {wrong}") from None


def mode_of(text: str) -> Mode:
    """What a server is expected to speak."""
    try:
        return Mode(text)
    except ValueError:
        raise usage.UsageError(f"--mode: {text!r} is not one of {', '.join(mode.value for mode in Mode)}") from None


def readable(option: str, text: str) -> Path:
    """A file that is there now; later it may come and go."""
    path = Path(text).absolute()
    if not path.is_file():
        raise usage.UsageError(f"--{option}: there is no file {text}")
    return path


def serve_http(reactor: IReactorTime, where: HostPort, site: Site, parent: MultiService) -> None:
    """Answer HTTP when the daemon starts."""
    listening(reactor, where, site, "http").setServiceParent(parent)
