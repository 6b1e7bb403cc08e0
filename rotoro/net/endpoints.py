"""Where to listen and where to connect, as people write it.

`HOST:PORT`, `tcp:HOST:PORT` or `tls:HOST:PORT`, then what applies to that endpoint alone: any number of `,key=value`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
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


Network = IPv4Network | IPv6Network


class Clients(Enum):
    """What a listener asks of the certificates of those who connect."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class ServerTls:
    """How a listener speaks TLS.

    `authority` signs the certificates of clients, `revoked` lists those that it took back. Their iPAddress SAN must be
    the address that they connect from, unless one of their names is among `identities`.
    """

    certificate: Path
    key: Path
    clients: Clients = Clients.OFF
    authority: Path | None = None
    revoked: Path | None = None
    identities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientTls:
    """How a client speaks TLS.

    `authority` signs the certificates of servers, in the place of those that the system trusts; `name` is what the
    server must be called, if not the host to connect to; `certificate` and `key` say who we are.
    """

    authority: Path | None = None
    name: str | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Listen:
    """A place to listen at: with TLS or without, for everybody or for some networks.

    `public` says that anybody in the world may connect without TLS, and that this is meant.
    """

    where: HostPort
    tls: ServerTls | None = None
    allow: tuple[Network, ...] = ()
    public: bool = False

    def __str__(self) -> str:
        return _text(self.where, self.tls)


@dataclass(frozen=True, slots=True)
class Connect:
    """A server to connect to. Of several, those with the lowest `preference` are asked first (RFC 8210 section 10).

    What a cache announces twice, or withdraws and never announced, is taken if `tolerant`, and so are ASPAs of draft 10
    of 8210bis if `old_aspa`.
    """

    where: HostPort
    tls: ClientTls | None = None
    preference: int = 0
    tolerant: bool = False
    old_aspa: bool = False

    def __str__(self) -> str:
        return _text(self.where, self.tls)


def listen_at(text: str, default_host: str | None = None) -> Listen:
    """A place to listen at; ValueError, saying why, for anything that cannot be meant.

    >>> str(listen_at("tls:[::1]:324,certificate=rtr.pem,key=rtr.key,allow=2001:db8::/32"))
    'tls:[::1]:324'
    """
    secure, where, words = _parts(text, default_host)
    settings = _Settings(words)
    allow = tuple(_network(value) for value in settings.every("allow"))
    public = settings.flag("public")
    tls = None
    if secure:
        tls = ServerTls(
            certificate=settings.file("certificate"),
            key=settings.file("key"),
            clients=settings.choice("clients", Clients, Clients.OFF),
            authority=settings.file_or_none("authority"),
            revoked=settings.file_or_none("revoked"),
            identities=tuple(settings.every("identity")),
        )
        if tls.clients is not Clients.OFF and tls.authority is None:
            raise ValueError(f"clients={tls.clients.value} needs authority=FILE, who signs their certificates")
        if tls.clients is Clients.OFF and (tls.authority or tls.revoked or tls.identities):
            raise ValueError("authority, revoked and identity are about certificates of clients: add clients=required")
    settings.nothing_left(secure)
    return Listen(where, tls, allow, public)


def connect_to(text: str, default_host: str | None = None) -> Connect:
    """A server to connect to; ValueError, saying why, for anything that cannot be meant.

    >>> connect_to("192.0.2.1:323,preference=2").preference
    2
    """
    secure, where, words = _parts(text, default_host)
    settings = _Settings(words)
    preference = settings.number("preference", 0, 255)
    tolerant, old_aspa = settings.flag("tolerant"), settings.flag("old-aspa")
    tls = None
    if secure:
        tls = ClientTls(
            authority=settings.file_or_none("authority"),
            name=settings.one("name"),
            certificate=settings.file_or_none("certificate"),
            key=settings.file_or_none("key"),
        )
        if (tls.certificate is None) != (tls.key is None):
            raise ValueError("certificate and key belong together")
    settings.nothing_left(secure)
    return Connect(where, tls, preference, tolerant, old_aspa)


def _parts(text: str, default_host: str | None) -> tuple[bool, HostPort, list[str]]:
    place, *words = text.strip().split(",")
    secure = place.startswith("tls:")
    place = place.removeprefix("tls:").removeprefix("tcp:")
    return secure, host_port(place, default_host=default_host), words


class _Settings:
    """`key=value` words, each to be asked for."""

    def __init__(self, words: Iterable[str]) -> None:
        self._values: dict[str, list[str]] = {}
        for word in words:
            key, equals, value = word.strip().partition("=")
            if key and not equals:
                value = "yes"
            if not key or not value:
                raise ValueError(f"{word!r} is not key=value")
            self._values.setdefault(key, []).append(value)

    def every(self, key: str) -> list[str]:
        return self._values.pop(key, [])

    def one(self, key: str) -> str | None:
        values = self.every(key)
        if len(values) > 1:
            raise ValueError(f"{key} is given {len(values)} times")
        return values[0] if values else None

    def flag(self, key: str) -> bool:
        return {"yes": True, "no": False, None: False}[self.choice_of(key, ("yes", "no"))]

    def choice_of(self, key: str, known: Iterable[str]) -> str | None:
        value = self.one(key)
        if value is not None and value not in known:
            raise ValueError(f"{key}={value} is not one of {', '.join(known)}")
        return value

    def choice(self, key: str, kind: type[Clients], otherwise: Clients) -> Clients:
        value = self.choice_of(key, [member.value for member in kind])
        return otherwise if value is None else kind(value)

    def number(self, key: str, low: int, high: int) -> int:
        value = self.one(key)
        if value is None:
            return low
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            raise ValueError(f"{key}={value} is not a number from {low} to {high}")
        return int(value)

    def file_or_none(self, key: str) -> Path | None:
        value = self.one(key)
        return None if value is None else Path(value).absolute()

    def file(self, key: str) -> Path:
        found = self.file_or_none(key)
        if found is None:
            raise ValueError(f"TLS needs {key}=FILE")
        return found

    def nothing_left(self, secure: bool) -> None:
        if self._values:
            what = "here" if secure else "here without tls:"
            raise ValueError(f"{', '.join(sorted(self._values))}: not known {what}")


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as wrong:
        raise ValueError(f"allow={text}: {wrong}") from None


def _text(where: HostPort, tls: ServerTls | ClientTls | None) -> str:
    return f"tls:{where}" if tls else str(where)


def address_text(address: Any) -> str:
    """HOST:PORT of a transport's address.

    >>> from twisted.internet.address import IPv4Address, IPv6Address
    >>> address_text(IPv4Address("TCP", "192.0.2.1", 323)), address_text(IPv6Address("TCP", "2001:db8::1", 323))
    ('192.0.2.1:323', '[2001:db8::1]:323')
    """
    host = getattr(address, "host", None)
    return str(address) if host is None else str(HostPort(host, address.port))
