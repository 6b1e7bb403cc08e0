"""Where to listen and where to connect, as people write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RTR_PORT = 323
"""RTR over TCP (RFC 8210 section 9)."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def host_port(text: str, default_port: int | None = None, default_host: str | None = None) -> HostPort:
    """HOST:PORT, [IPV6]:PORT, or one of both where the other has a default; ValueError, saying why, for anything else.

    >>> host_port("127.0.0.1:8323"), host_port("[::1]:8323")
    (HostPort(host='127.0.0.1', port=8323), HostPort(host='::1', port=8323))
    >>> host_port("rpki.example.net", default_port=323)
    HostPort(host='rpki.example.net', port=323)
    """
    host, colon, port = text.strip().rpartition(":")
    if text.strip().endswith("]") or not colon or ("]" not in host and ":" in host):
        host, port = text.strip(), ""
    if not port and host.isdigit() and default_host is not None:
        host, port = default_host, host
    host = host.removeprefix("[").removesuffix("]") or (default_host or "")
    if not host:
        raise ValueError(f"{text!r} names no host; write HOST:PORT")
    if not port:
        if default_port is None:
            raise ValueError(f"{text!r} names no port; write HOST:PORT, or [ADDRESS]:PORT for IPv6")
        return HostPort(host, default_port)
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{text!r} has the port {port!r}; it must be 0 to 65535")
    return HostPort(host, int(port))


def address_text(address: Any) -> str:
    """HOST:PORT of a transport's address.

    >>> from twisted.internet.address import IPv4Address, IPv6Address
    >>> address_text(IPv4Address("TCP", "192.0.2.1", 323)), address_text(IPv6Address("TCP", "2001:db8::1", 323))
    ('192.0.2.1:323', '[2001:db8::1]:323')
    """
    host = getattr(address, "host", None)
    return str(address) if host is None else str(HostPort(host, address.port))
