"""A client without a network, daemons without insides, and a clock that stands still."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from rotonda.rib.ingresses import IngressRegistry
from rotonda.rib.physical import PhysicalRib
from rotonda.rpki.records import Vrp
from rotonda.views.served import Served
from rotonda.views.shown import Link
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.server import Site

from rotoro.table import (
    ASPA,
    OCTETS,
    ROUTER_KEY,
    VRP4,
    VRP6,
    AttributeStore,
    History,
    Ingress,
    IngressKind,
    Records,
    Snapshot,
)
from tests.rib.tables import PlainRoute, attribute_set, snapshot_of

NOW = 1_700_000_100.0


def clock() -> float:
    """Always the same moment."""
    return NOW


@dataclass
class Reply:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        body = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        return json.loads(body)


class Client:
    """Speaks HTTP to a site over a connection that is only a buffer; long answers need a real one."""

    def __init__(self, site: Site) -> None:
        site.timeOut = None
        self.transport = StringTransport()
        self._channel = site.buildProtocol(None)
        self._channel.makeConnection(self.transport)

    def send(self, octets: bytes) -> bytes:
        self._channel.dataReceived(octets)
        received: bytes = self.transport.value()
        self.transport.clear()
        return received

    def go(self) -> None:
        """Close the connection, as a transport does it."""
        self._channel.stopProducing()
        self._channel.connectionLost(Failure(ConnectionDone()))

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Reply:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        return parsed(self.send("\r\n".join([*lines, "", ""]).encode() + body))


class Collector(Protocol):
    """Gathers a body to its end."""

    def __init__(self) -> None:
        self.octets = b""
        self.whole: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.octets += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if reason.check(ResponseDone):
            self.whole.callback(self.octets)
        else:
            self.whole.errback(reason)


def listen(site: Site) -> Any:
    """A port of the loopback interface that nobody else has."""
    return IReactorTCP(reactor).listenTCP(0, site, interface="127.0.0.1")  # type: ignore[arg-type]  # it is a factory


async def fetch(site: Site, path: str, body: bytes = b"", **headers: str) -> Reply:
    """One answer of a site over a real connection, which is there for it only; a body is posted."""
    over = _end_of_connection(site)
    port = listen(site)
    try:
        own = Headers({name.replace("_", "-"): [value] for name, value in headers.items()})
        url = f"http://127.0.0.1:{port.getHost().port}{path}".encode()
        sent = FileBodyProducer(BytesIO(body)) if body else None
        response = await Agent(reactor).request(b"POST" if body else b"GET", url, own, sent)
        collector = Collector()
        response.deliverBody(collector)
        answer = await collector.whole
        await over
        found = {name.decode().lower(): values[0].decode() for name, values in response.headers.getAllRawHeaders()}
        return Reply(response.code, found, answer)
    finally:
        await port.stopListening()


def _end_of_connection(site: Site) -> Deferred[None]:
    """When the site has no more to do with its next connection: a client may know the end of an answer before."""
    over: Deferred[None] = Deferred()
    build = site.buildProtocol

    def watched(address: Any) -> Any:
        site.buildProtocol = build  # type: ignore[method-assign]
        channel = build(address)
        lost = channel.connectionLost

        def gone(reason: Failure = connectionDone) -> None:
            lost(reason)
            over.callback(None)

        channel.connectionLost = gone
        return channel

    site.buildProtocol = watched  # type: ignore[method-assign]
    return over


def parsed(octets: bytes) -> Reply:
    """One whole reply with a Content-Length, or without a body."""
    head, _, body = octets.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Reply(int(first.split()[1]), headers, body)


@dataclass
class PlainRibDaemon:
    """A daemon with RIBs that somebody else fills."""

    name: str = "rotonda-rib"
    version: str = "0.1.0"
    started: float = NOW - 100
    ingresses: IngressRegistry = field(default_factory=IngressRegistry)
    tables: list[PhysicalRib] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def ribs(self) -> Sequence[PhysicalRib]:
        return self.tables

    def served(self) -> Served:
        counts: Any = dict.fromkeys(
            ("accepted", "shed", "delayed", "pauses", "octets_in", "octets_out", "pdus_in", "queries"), 0
        )
        counted: Any = {key: {} for key in ("refused", "late", "errors_sent", "errors_received")}
        return Served(serial=None, listeners=[], clients=[], **counts, **counted)

    def links(self) -> Sequence[Link]:
        return [Link(name="west", peer="192.0.2.9:8282", state="current", mode="rotoro", last_error="was gone")]

    def missing(self) -> Sequence[str]:
        return self.waiting


@dataclass
class PlainRouterDaemon:
    """A daemon with a validated set that somebody else fills."""

    history: History
    name: str = "rotonda-router"
    version: str = "0.1.0"
    started: float = NOW - 100
    waiting: list[str] = field(default_factory=list)

    def links(self) -> Sequence[Link]:
        return [
            Link(
                name="cache", peer="192.0.2.9:323", state="current", mode="rtr", version=2, session=7, serial=3, age=5.0
            )
        ]

    def missing(self) -> Sequence[str]:
        return self.waiting


PEERS = (
    Ingress(0, IngressKind.BGP, bytes([192, 0, 2, 1]), 64500, name="first"),
    Ingress(1, IngressKind.BGP, bytes.fromhex("20010db8000000000000000000000001"), 64501, bgp_id=0xC0000202),
)
VRPS = (Vrp(4, 0xC0000200, 24, 24, 64496), Vrp(4, 0xC0000200, 28, 24, 64497), Vrp(6, 0x20010DB8 << 96, 48, 32, 64496))


def rib_daemon(*names: str) -> PlainRibDaemon:
    """A daemon with a few routes of two peers in each RIB."""
    daemon = PlainRibDaemon()
    store = AttributeStore()
    first, second = (daemon.ingresses.adopt("west", peer) for peer in PEERS)
    routes = [
        PlainRoute(4, 0xC0000000, 16, 0, first, attribute_set(64499), 1),
        PlainRoute(4, 0xC0000200, 24, 0, first, attribute_set(64496, ((64496, 1),)), 2),
        PlainRoute(4, 0xC0000200, 24, 0, second, attribute_set(64499), 3),
        PlainRoute(4, 0xC0000200, 24, 5, second, attribute_set(64497), 4),
        PlainRoute(4, 0xC0000280, 25, 0, second, attribute_set(64496), 5),
        PlainRoute(6, 0x20010DB8 << 96, 32, 0, second, attribute_set(64496), 6),
    ]
    for name in names or ("rib-loc",):
        rib = PhysicalRib(name, store, lambda: History(7, 1))
        rib.routes.update("west", snapshot_of(routes, store))
        daemon.tables.append(rib)
    return daemon


def validated_snapshot(vrps: Sequence[Vrp] = VRPS, keys: int = 1, aspas: int = 1) -> Snapshot:
    """A set of RPKI data of all kinds."""
    router_keys, providers = np.empty(keys, OCTETS), np.empty(aspas, OCTETS)
    router_keys[:] = [bytes([n] * 20) + bytes.fromhex("00000002 3000") + (64496 + n).to_bytes(4) for n in range(keys)]
    providers[:] = [(n + 1).to_bytes(4) + (n + 2).to_bytes(4) for n in range(aspas)]
    return Snapshot.of(
        {
            VRP4: Records.of(VRP4, [vrp.key() for vrp in vrps if vrp.family == 4]),
            VRP6: Records.of(VRP6, [vrp.key() for vrp in vrps if vrp.family == 6]),
            ROUTER_KEY: Records.of(ROUTER_KEY, router_keys),
            ASPA: Records.of(ASPA, [(64496 + n).to_bytes(4) for n in range(aspas)], providers),
        }
    )


def router_daemon(ready: bool = True) -> PlainRouterDaemon:
    """A daemon with a small validated set, or none yet."""
    daemon = PlainRouterDaemon(History(9, 4))
    if ready:
        daemon.history.commit(validated_snapshot())
    return daemon
