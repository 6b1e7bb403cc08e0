"""Where to listen and to connect, as the block language has it: an address and a port, a port, or a string."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rotonda.blocks.values import SocketAddress
from rotonda.graph.plan import CannotRun
from rotoro.net.endpoints import Connect, Listen, connect_to, listen_at
from rotoro.net.limits import open_to_the_world
from rotoro.net.tls_contexts import check_files

LOOPBACK = "127.0.0.1"


def listen_place(where: str, value: Any, *, any_peer: bool = False) -> Listen:
    """Where to listen. `where` says which setting it is; with `any_peer` the unit itself knows who may connect.

    Raises CannotRun.
    """
    try:
        at = listen_at(_text(value), LOOPBACK)
        if at.tls is not None:
            check_files(at.tls, at.where.host)
    except ValueError as wrong:
        raise CannotRun(f"{where}: {wrong}") from None
    if at.tls is None and not at.allow and not at.public and not any_peer and open_to_the_world(at.where.host):
        raise CannotRun(
            f"{where}: anybody who reaches {at} could connect, without TLS: say who may with "
            f'"{value},allow=NETWORK", use "tls:...", or write "{value},public" if that is what you want'
        )
    return at


def listen_places(where: str, values: Sequence[Any]) -> list[Listen]:
    """Several of them."""
    return [listen_place(where, value) for value in values]


def must_be_free(where: str, at: Listen) -> None:
    """Whether a port can be had. Raises CannotRun, and says why, if not."""
    family = socket.AF_INET6 if ":" in at.where.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((at.where.host, at.where.port))
            probe.listen(1)
    except OSError as wrong:
        raise CannotRun(f"{where}: {at} cannot be listened at: {wrong.strerror or wrong}") from None


def server_place(where: str, value: Any, preference: int | None = None) -> Connect:
    """Where to connect. Raises CannotRun."""
    try:
        to = connect_to(_text(value), LOOPBACK)
        if to.tls is not None:
            check_files(to.tls, to.where.host)
    except ValueError as wrong:
        raise CannotRun(f"{where}: {wrong}") from None
    return to if not preference else replace(to, preference=preference)


def _text(value: Any) -> str:
    return str(value) if isinstance(value, SocketAddress | int | str) else repr(value)
