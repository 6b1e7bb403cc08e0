"""The gateway as other programs meet it: real archives and a real BMP stream through a graph, read over real sockets.

What bgpkit-parser makes of our RIS Live messages is what the table has; what a client of a table has, after a snapshot,
changes and new connections, is what the API says of the table, row by row.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from functools import lru_cache
from ipaddress import ip_network
from typing import Any, TypeVar
from urllib.parse import quote
from urllib.request import Request, urlopen

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.websocket import WebSocketClientEndpoint

from interop.graphs import GraphCase, Running, instance
from interop.peers import bgpkit, ours
from interop.peers.base import require
from interop.peers.processes import LOOPBACK, free_ports
from tests.data import shared
from tests.gateway.copies import Copy

reactor: Any = installed
T = TypeVar("T")

SMALL = "mrt-updates/routeviews.jinx.updates.20150401.0000.bz2"
LARGE = "mrt-updates/updates.20160811.1600.gz"
BMP = "bmp/recorded/gobgp-4.8-prepolicy-jinx2014.bmp.raw.gz"
FRR = "bmp/recorded/frr-8.4.4-nosoftreconfig-5k.bmp.raw.gz"
VRPS = "rpki/rpki-client.20230504.ripe-prepdev.json.gz"
SECONDS = 120.0
LEFT_OUT = ("ingress", "status", "received", "rov")
"""What the API shows of a row besides what it is: where it is from, and what is reckoned when it is asked."""

UNITS = """
type Seen {{ as_path: AsPath, peer_as: Asn, when: TimeStamp }}
filter-map seen {{
    define {{ rx route: Route; tx out: Seen; }}
    action fill {{ out.as_path.set(route.as_path); out.peer_as.set(route.peer_asn); out.when.set(route.received); }}
    apply {{ fill; accept; }}
}}
unit mrt: MrtConnector with config {{ files: ["{archive}"] }};
unit bmp: BmpConnector with config {{ listen: "{bmp}" }};
unit val: JsonConnector with config {{ source_file: "{vrps}", keep_expired: true }};
unit rib: PhysicalRib with config {{ }};
unit view: VirtualRib with config {{ filter_map: seen, contains: Seen }};
"""

WELL_KNOWN = {"no-export": "65535:65281", "no-advertise": "65535:65282", "no-export-sub-confed": "65535:65283"}
"""Communities that bgpkit-parser calls by their names (RFC 1997)."""

PREFIX = "201.71.32.0/22"
"""One of `LARGE`, which has others that cover it and that it covers."""

FILTERS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({"prefix": PREFIX}, lambda data: any(_covers(PREFIX, own) for own in _prefixes(data))),
    ({"prefix": PREFIX, "moreSpecific": False}, lambda data: PREFIX in _prefixes(data)),
    (
        {"prefix": PREFIX, "moreSpecific": False, "lessSpecific": True},
        lambda data: any(_covers(own, PREFIX) for own in _prefixes(data)),
    ),
    ({"path": "^49463"}, lambda data: data.get("path", [])[:1] == [49463]),
    ({"path": "9829$"}, lambda data: data.get("path", [])[-1:] == [9829]),
    ({"path": "^59689,6939"}, lambda data: data.get("path", [])[:2] == [59689, 6939]),
    ({"path": "18403,131127"}, lambda data: " 18403, 131127," in f" {str(data.get('path', []))[1:-1]},"),
    ({"peer": "37.49.236.145"}, lambda data: data["peer"] == "37.49.236.145"),
    (
        {"peer": "37.49.236.145", "path": "!6939"},
        lambda data: data["peer"] == "37.49.236.145" and 6939 not in data.get("path", [6939]),
    ),
]
"""What may be asked of an archive, and whether a message is to be told then, in plain Python."""

Routes = dict[tuple[str, str], tuple[str, str, list[str]]]
"""Path, next hop and communities by peer and prefix."""


class Reader:
    """A WebSocket client that hands on what comes."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self.transport: Any = None
        self.over: Deferred[None] = Deferred()

    def buildProtocol(self, url: str) -> Reader:
        return self

    def negotiationStarted(self, transport: Any) -> None:
        self.transport = transport

    def negotiationFinished(self) -> None:
        """Connected."""

    def pongReceived(self, payload: bytes) -> None:
        """Nothing is asked."""

    def textMessageReceived(self, message: str) -> None:
        self._take(message)

    def bytesMessageReceived(self, data: bytes | bytearray) -> None:
        raise AssertionError("messages are text")

    def connectionLost(self, reason: Failure) -> None:
        self.over.callback(None)

    async def close(self) -> None:
        self.transport.loseConnection()
        await self.over


class RisClient:
    """What was told, and which prefixes each peer has after it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.held: set[tuple[str, str]] = set()
        self.states: list[tuple[str, str]] = []
        self.others: list[str] = []

    def take(self, line: str) -> None:
        told = json.loads(line)
        if told["type"] != "ris_message":
            self.others.append(told["type"])
            return
        data = told["data"]
        if data["type"] == "RIS_PEER_STATE":
            self.states.append((data["peer"], data["state"]))
        self.lines.append(line)
        self.held.difference_update((data["peer"], prefix) for prefix in data.get("withdrawals", ()))
        for each in data.get("announcements", ()):
            self.held.update((data["peer"], prefix) for prefix in each["prefixes"])


class GatewayCase(GraphCase, TestCase):
    timeout = 400

    def setUp(self) -> None:
        super().setUp()
        self.archive = self.folder / "archive"
        self.use(SMALL)
        self.bmp, port, self.http = free_ports(3)
        self.write(
            UNITS.format(archive=self.archive, bmp=f"{LOOPBACK}:{self.bmp}", vrps=shared(VRPS))
            + instance("all", "mrt -> rib -> view, bmp -> rib, val -> rib", port, self.http)
        )
        self.running: Running = self.run_instance("all", self.http)
        self.running.await_complete()

    def use(self, name: str) -> None:
        """The archive is this one now."""
        unfinished = self.archive.with_suffix(".unfinished")
        shutil.copyfile(shared(name), unfinished)
        unfinished.replace(self.archive)

    async def until(self, found: Callable[[], T | None], what: str, seconds: float = SECONDS) -> T:
        """What is found as soon as there is something; asked in a thread, so that clients go on reading."""
        end = reactor.seconds() + seconds
        while (answer := await deferToThread(found)) is None:
            if reactor.seconds() > end:
                self.fail(f"{what} after {seconds} s; {self.running.daemon.lines()[-5:]}")
            await deferLater(reactor, 0.1)
        return answer

    async def connect(self, path: str, take: Callable[[str], None]) -> Reader:
        """A WebSocket, which is closed at the end."""
        reader = Reader(take)
        await WebSocketClientEndpoint.new(reactor, f"ws://{LOOPBACK}:{self.http}{path}").connect(reader)
        self.addCleanup(lambda: None if reader.over.called else Deferred.fromCoroutine(reader.close()))
        return reader

    async def subscribe(self, client: RisClient, **data: Any) -> Reader:
        """A client of RIS Live that is listening now."""
        reader = await self.connect("/v1/ws/?client=interop", client.take)
        options = {"includeRaw": True, "acknowledge": True}
        words = json.dumps({"type": "ris_subscribe", "data": {**data, "socketOptions": options}})
        reader.transport.sendTextMessage(words)
        await self.until(lambda: True if client.others else None, "no ris_subscribe_ok")
        return reader

    def position(self, table: str) -> tuple[int, int]:
        return self.running.positions()[table]

    async def changed(self, table: str, before: tuple[int, int]) -> tuple[int, int]:
        """Where a table stands when it has changed, and has not for a while."""
        await self.until(lambda: True if self.position(table) != before else None, f"{table} does not change")
        last = None
        while last != (now := await deferToThread(self.position, table)):
            last = now
            await deferLater(reactor, 1.5)
        return now

    async def follow(self, copy: Copy, table: str) -> None:
        """Wait until a client has all of a table."""

        def there() -> bool | None:
            epoch, serial = self.position(table)
            place = copy.place
            same = place is not None and (place.epoch, place.serial) == (epoch, serial)
            return True if same and copy.consistent else None

        await self.until(there, f"a client does not get all of {table}, but {copy.place}")

    def rows(self, unit: str) -> Iterator[dict[str, Any]]:
        """All rows of a table, as the API shows them."""
        cursor = ""
        while True:
            page = self.running.get(f"/api/v1/ribs/{unit}/routes?limit=10000{cursor}")
            yield from page["routes"]
            if page.get("cursor") is None:
                return
            cursor = f"&cursor={quote(page['cursor'])}"

    def records(self, unit: str) -> dict[Any, dict[str, Any]]:
        """The same as a client of the table has them."""
        found = {}
        for row in self.rows(unit):
            family = "ipv6" if ":" in row["prefix"] else "ipv4"
            key = family, row["ingress"], row["prefix"], row.get("path_id", 0)
            found[key] = {name: own for name, own in row.items() if name not in LEFT_OUT}
        return found

    async def same(self, copy: Copy, unit: str) -> None:
        """What a client has is the table, row by row; times are carried, and no change by themselves."""
        await self.follow(copy, f"{unit}/rib")
        expected = await deferToThread(self.records, unit)
        own = {
            key: {name: value for name, value in each.items() if name != "received"}
            for key, each in copy.records.items()
        }
        self.assertEqual(len(own), len(expected))
        self.assertEqual(own == expected, True, "rows differ")


class TableTests(GatewayCase):
    async def test_all_kinds_of_tables(self) -> None:
        copies = {unit: Copy() for unit in ("mrt", "rib", "view")}
        for unit, copy in copies.items():
            await self.connect(f"/api/v1/units/{unit}/ws", copy.take)
        for unit, copy in copies.items():
            await self.same(copy, unit)
            self.assertTrue(copy.records)
        self.use(LARGE)
        await self.changed("rib/rib", self.position("rib/rib"))
        for unit, copy in copies.items():
            await self.same(copy, unit)
            self.assertEqual([begin["snapshot"] for begin in copy.begins], [True])
        rpki = Copy()
        await self.connect("/api/v1/units/val/ws?table=rpki", rpki.take)
        await self.until(lambda: True if rpki.consistent else None, "no RPKI data")
        export = await deferToThread(self.running.get, "/api/v1/vrps?format=json")
        told = sorted(
            (each["asn"], each["prefix"], each["maxLength"])
            for key, each in rpki.records.items()
            if key[0].startswith("vrp")
        )
        self.assertEqual(
            told == sorted((each["asn"], each["prefix"], each["maxLength"]) for each in export["roas"]), True
        )
        self.assertGreater(len(told), 100_000)

    async def test_a_new_connection_goes_on_where_the_last_one_stood(self) -> None:
        copy = Copy()
        reader = await self.connect("/api/v1/units/rib/ws", copy.take)
        await self.same(copy, "rib")
        await reader.close()
        self.use(LARGE)
        await self.changed("rib/rib", self.position("rib/rib"))
        assert copy.place is not None
        place = f"{copy.place.epoch}-{copy.place.serial}"
        await self.connect(f"/api/v1/units/rib/ws?since={place}", copy.take)
        await self.same(copy, "rib")
        self.assertEqual([begin["snapshot"] for begin in copy.begins], [True, False])

    async def test_events_beside_a_client_that_reads_nothing(self) -> None:
        stalled = socket.create_connection((LOOPBACK, self.http))
        self.addCleanup(stalled.close)
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.sendall(b"GET /api/v1/units/rib/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        copy = Copy()
        places: list[str] = []
        stop = self.read_events("/api/v1/units/rib/stream", copy, places, None)
        await self.same(copy, "rib")
        self.use(LARGE)
        await self.changed("rib/rib", self.position("rib/rib"))
        await self.same(copy, "rib")
        await self.until(lambda: True if self.behind() == 1 else None, "nobody is behind")
        await stop()
        self.use(SMALL)
        await self.changed("rib/rib", self.position("rib/rib"))
        stop = self.read_events("/api/v1/units/rib/stream", copy, places, places[-1])
        await self.same(copy, "rib")
        self.assertEqual(await deferToThread(self.behind), 1)
        await stop()
        self.assertEqual([begin["snapshot"] for begin in copy.begins], [True, False])

    def behind(self) -> int:
        """How many clients have not read what they were sent."""
        told = ours.get(self.http, "/metrics").decode()
        (line,) = (line for line in told.splitlines() if line.startswith("rotonda_gateway_clients_behind "))
        return int(float(line.rpartition(" ")[2]))

    def read_events(self, path: str, copy: Copy, places: list[str], last: str | None) -> Callable[[], Deferred[None]]:
        """Follow a stream by plain HTTP, in a thread, until the returned function is called."""
        headers = {} if last is None else {"Last-Event-ID": last}
        answer = urlopen(Request(f"http://{LOOPBACK}:{self.http}{path}", headers=headers), timeout=30)

        def read() -> None:
            try:
                while line := answer.readline():
                    if line.startswith(b"id: "):
                        places.append(line[4:-1].decode())
                    elif line.startswith(b"data: "):
                        copy.take(line[6:])
            except (OSError, ValueError, AttributeError):
                return

        done = deferToThread(read)

        def stop() -> Deferred[None]:
            answer.fp.raw._sock.shutdown(socket.SHUT_RDWR)
            return done

        return stop


class RisTests(GatewayCase):
    def setUp(self) -> None:
        require(bgpkit.BGPKIT, self)
        super().setUp()

    async def compare(self, client: RisClient, unit: str) -> None:
        """What bgpkit-parser understands is what the table has."""
        expected = await deferToThread(self.routes, unit)
        await self.until(lambda: True if client.held == set(expected) else None, "the prefixes are not the table's")
        plain = await deferToThread(bgpkit.read, client.lines)
        updates = [line for line in client.lines if '"type":"UPDATE"' in line]
        raw = await deferToThread(bgpkit.read, updates, True)
        for read in (plain, raw):
            held: Routes = {}
            for each in read:
                if each.announced:
                    communities = sorted(filter(None, map(_community, each.communities)))
                    held[each.peer, each.prefix] = _sorted_sets(each.path), each.next_hop, communities
                else:
                    held.pop((each.peer, each.prefix), None)
            self.assertEqual(len(held), len(expected))
            self.assertEqual(held == expected, True, _first_difference(held, expected))
        self.assertGreater(len(expected), 1000)

    def routes(self, unit: str) -> Routes:
        peers = {each["number"]: each for each in self.running.get("/api/v1/ingresses")["ingresses"]}
        return {
            (peers[row["ingress"]]["peer"], row["prefix"]): (
                _sorted_sets(row["as_path"]),
                row["next_hop"],
                sorted(row.get("communities", ())),
            )
            for row in self.rows(unit)
        }

    async def test_an_archive(self) -> None:
        client, rib, *some = (RisClient() for _ in range(2 + len(FILTERS)))
        await self.subscribe(client, host="mrt")
        await self.subscribe(rib, host="rib")
        for own, (asked, _) in zip(some, FILTERS, strict=True):
            await self.subscribe(own, host="mrt", **asked)
        self.use(SMALL.replace("jinx.updates.20150401.0000", "updates.20260222.1530"))
        await self.changed("mrt/rib", self.position("mrt/rib"))
        had = {(peer, prefix) for peer, prefix in client.held}
        self.use(LARGE)
        await self.changed("mrt/rib", self.position("mrt/rib"))
        self.assertTrue(had)
        await self.compare(client, "mrt")
        await self.compare(rib, "rib")
        told = [(line, json.loads(line)["data"]) for line in client.lines]
        for own, (asked, wanted) in zip(some, FILTERS, strict=True):
            await self.same_lines(own, [line for line, data in told if wanted(data)], str(asked))
            self.assertLess(len(own.lines), len(told))
        self.assertEqual(len({tuple(own.lines) for own in some}), len(FILTERS))

    async def same_lines(self, client: RisClient, expected: list[str], what: str) -> None:
        """Exactly these messages are told."""
        self.assertTrue(expected, what)
        await self.until(lambda: True if len(client.lines) >= len(expected) else None, what)
        self.assertEqual(client.lines == expected, True, what)

    async def test_bmp(self) -> None:
        client, states, updates = RisClient(), RisClient(), RisClient()
        await self.subscribe(client)
        await self.subscribe(states, type="RIS_PEER_STATE")
        await self.subscribe(updates, type="UPDATE")
        before = self.position("bmp/rib")
        router = socket.create_connection((LOOPBACK, self.bmp))
        self.addCleanup(router.close)
        octets = gzip.decompress(shared(FRR).read_bytes())
        await deferToThread(router.sendall, octets)
        await self.changed("bmp/rib", before)
        await self.until(lambda: True if client.states else None, "no state of a peer")
        await self.compare(client, "bmp")
        self.assertIn("connected", {state for _, state in client.states})
        router.close()
        await self.until(lambda: True if not client.held else None, "routes stay when the router is gone")
        await self.until(lambda: True if client.states[-1][1] == "down" else None, "the peer stays")
        for own, type in ((states, "RIS_PEER_STATE"), (updates, "UPDATE")):
            expected = [line for line in client.lines if json.loads(line)["data"]["type"] == type]
            await self.same_lines(own, expected, type)

    async def test_by_lines(self) -> None:
        """The same over plain HTTP, with a filter."""
        words = json.dumps({"host": "mrt", "prefix": "128.0.0.0/1", "require": "announcements"})
        request = Request(
            f"http://{LOOPBACK}:{self.http}/v1/stream/?format=json&client=x", headers={"X-RIS-Subscribe": words}
        )
        answer = urlopen(request, timeout=60)
        self.use(LARGE)
        line = (await deferToThread(answer.readline)).decode().rstrip()
        elements = bgpkit.read([line])
        self.assertTrue(any(int(each.prefix.partition(".")[0]) >= 128 for each in elements if "." in each.prefix))
        answer.fp.raw._sock.shutdown(socket.SHUT_RDWR)
        answer.close()


def _prefixes(data: dict[str, Any]) -> list[str]:
    """All prefixes of a message."""
    announced = (prefix for each in data.get("announcements", ()) for prefix in each["prefixes"])
    return [*announced, *data.get("withdrawals", ())]


_network = lru_cache(1 << 16)(ip_network)


def _covers(one: str, other: str) -> bool:
    """Whether the other prefix is the same or more specific."""
    outer, inner = _network(one), _network(other)
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # of one version


def _sorted_sets(path: str) -> str:
    """A path whose sets are in order."""
    return re.sub(
        r"\{([0-9, ]+)\}", lambda found: "{" + ",".join(sorted(re.split("[, ]+", found[1]), key=int)) + "}", path
    )


def _community(words: str) -> str | None:
    """A community as we write it; none for those of other kinds, which RIS Live has in its octets only."""
    return WELL_KNOWN.get(words, words if re.fullmatch("[0-9]+:[0-9]+", words) else None)


def _first_difference(held: Routes, expected: Routes) -> str:
    return next((f"{key}: {held.get(key)}, not {own}" for key, own in expected.items() if held.get(key) != own), "")
