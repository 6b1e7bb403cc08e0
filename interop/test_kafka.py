"""Kafka, and its own console consumer: what our streams send is read there, once, and in the order of each key."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

from confluent_kafka import Consumer
from rotonda.blocks import types
from rotonda.blocks.configs import BrokerTls, KafkaStream
from rotonda.blocks.places import Span
from rotonda.blocks.program import StreamBlock
from rotonda.blocks.types import FieldOf, RecordType, StreamType
from rotonda.blocks.values import RecordValue
from rotonda.outputs.outputs import output_for
from rotonda.outputs.stream import Stream
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from interop.graphs import GraphCase, instance
from interop.peers import bgpkit
from interop.peers.base import require
from interop.peers.brokers import identity
from interop.peers.kafka import KAFKA, Kafka, Read
from interop.peers.processes import LOOPBACK, free_ports
from interop.traffic import bmp as made
from tests.bgp.test_openbmp import LAYOUT

PATIENCE = 45.0
RECORD = RecordType(
    "Numbered", (FieldOf("number", types.U32), FieldOf("key", types.STRING), FieldOf("way", types.STRING))
)
USERS = {"rotoro": "secret"}


def record(number: int, way: str = "", keys: int = 5) -> RecordValue:
    return RecordValue("Numbered", (("number", number), ("key", f"k{number % keys}"), ("way", way)))


def value(number: int, way: str = "", keys: int = 5) -> str:
    """The same as others read it."""
    return f'{{"number":{number},"key":"k{number % keys}","way":"{way}"}}'


async def until(true: Callable[[], object], what: str = "it") -> None:
    end = monotonic() + PATIENCE
    while not true():
        if monotonic() > end:
            raise AssertionError(f"{what} did not come")
        await deferLater(reactor, 0.01)


def stopped(stream: Stream) -> Deferred[None]:
    stopping: Any = stream.stopService()
    made: Deferred[None] = stopping
    return made


class KafkaCase(TestCase):
    """A broker for all tests of a class."""

    timeout = 300
    folder: ClassVar[Path]
    broker: ClassVar[Kafka | None] = None
    expired: ClassVar[bool] = False

    def setUp(self) -> None:
        require(KAFKA, self)
        own = type(self)
        if own.broker is None:
            own.folder = Path(tempfile.mkdtemp(prefix="rotoro-kafka-"))
            known = identity(own.folder, expired=own.expired)
            own.broker = Kafka(own.folder / "broker", known, USERS)
            own.authority = known.authority
            own.broker.start()

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.broker is not None:
            cls.broker.stop()
            shutil.rmtree(cls.folder)
            cls.broker = None

    authority: ClassVar[Path]

    @property
    def kafka(self) -> Kafka:
        assert self.broker is not None
        return self.broker

    def stream(self, topic: str, port: int | None = None, **settings: Any) -> Stream:
        """One that runs."""
        where = f"{LOOPBACK}:{port or self.kafka.ports.plain}"
        config = KafkaStream(brokers=(where,), topic=topic, rx=RECORD, **{"key": "key", **settings})
        made = output_for(StreamBlock("m.s", Span(0, 0), config, StreamType(RECORD)), reactor, instance="one")
        made.startService()
        return made

    async def console(self, topic: str, count: int) -> list[Read]:
        """What the console consumer reads."""
        with self.kafka.consume(topic, f"console-{topic}") as console:
            return await deferToThread(console.wait_for_records, count)

    def assertInOrder(self, found: Sequence[Read], wanted: Sequence[str]) -> None:
        """Each of these was read once, and those of one key in this order."""
        self.assertEqual(sorted(read.value for read in found), sorted(wanted))
        by_key: dict[str, list[str]] = defaultdict(list)
        for read in found:
            by_key[read.key].append(read.value)
        for key, own in by_key.items():
            self.assertEqual(own, [each for each in wanted if f'"key":"{key}"' in each])


class SendingTests(KafkaCase):
    async def test_all_ways(self) -> None:
        self.kafka.create("all-ways", 3)
        wanted = []
        ways: list[dict[str, Any]] = [
            {}, {"acks": "ONE"}, {"acks": "NONE"}, {"idempotent": False}, {"compression": "NONE"},
            {"compression": "GZIP"}, {"compression": "SNAPPY"}, {"compression": "ZSTD"}, {"linger": 0.1},
        ]  # fmt: skip
        for number, settings in enumerate(ways):
            stream, way = self.stream("all-ways", **settings), f"w{number}"
            stream.send_all([record(own, way) for own in range(1000)])
            wanted += [value(own, way) for own in range(1000)]
            await stopped(stream)
            self.assertEqual((stream.sent, stream.written, stream.dropped), (1000, 1000, 0), settings)
        self.assertInOrder(await self.console("all-ways", len(wanted)), wanted)

    async def test_topics_by_field_and_no_key(self) -> None:
        for way in ("left", "right"):
            self.kafka.create(f"by-field.{way}")
        stream = self.stream("by-field.{way}", key=None)
        stream.send_all([record(number, "left" if number % 3 else "right") for number in range(300)])
        await until(lambda: stream.written == 300)
        await stopped(stream)
        for way, own in ("left", [n for n in range(300) if n % 3]), ("right", range(0, 300, 3)):
            found = await self.console(f"by-field.{way}", len(own))
            self.assertEqual([read.value for read in found], [value(number, way) for number in own])
            self.assertEqual({read.key for read in found}, {"null"})

    async def test_a_record_that_the_broker_does_not_take(self) -> None:
        """It is refused alone: those that went with it arrive, and in their order."""
        self.kafka.create("small", 1, {"max.message.bytes": "3000"})
        large = {500, 1500, 1501}
        sent = [record(n, "x" * 5000 if n in large else "") for n in range(2000)]
        wanted = [value(n) for n in range(2000) if n not in large]
        stream = self.stream("small", compression="NONE")
        stream.send_all(sent)
        await until(lambda: stream.written + stream.dropped == 2000, "the end")
        self.assertEqual((stream.written, stream.dropped), (1997, 3))
        stream.send_all(sent[:10])
        await until(lambda: stream.written == 2007, "what came later")
        await stopped(stream)
        found = await self.console("small", 2007)
        self.assertInOrder(found[:1997], wanted)
        self.assertEqual([read.value for read in found[1997:]], wanted[:10])

    async def test_a_topic_that_is_not_there(self) -> None:
        self.kafka.create("here.left")
        stream = self.stream("here.{way}")
        stream.send_all([record(1, "nowhere"), record(2, "left")])
        await until(lambda: stream.written == 1)
        await until(lambda: stream.dropped == 1)
        stream.send_all([record(3, "nowhere"), record(4, "left")])
        await until(lambda: (stream.written, stream.dropped) == (2, 2))
        await stopped(stream)
        self.assertInOrder(await self.console("here.left", 2), [value(2, "left"), value(4, "left")])

    async def test_tls_and_passwords(self) -> None:
        self.kafka.create("secret", 1)
        tls = BrokerTls(authority=str(self.authority))
        password = self.folder / "password"
        password.touch(0o600)
        password.write_text("secret\n")
        ports = self.kafka.ports
        ways: list[tuple[int, dict[str, Any]]] = [
            (ports.tls, {"tls": tls}),
            (ports.password, {"user": "rotoro", "password": "secret"}),
            (ports.tls_password, {"tls": tls, "user": "rotoro", "password_file": str(password)}),
        ]  # fmt: skip
        for number, (port, settings) in enumerate(ways):
            stream = self.stream("secret", port, **settings)
            stream.send(record(number))
            await until(lambda stream=stream: stream.written == 1, str(settings))  # type: ignore[misc]
            await stopped(stream)
        self.assertInOrder(await self.console("secret", 3), [value(number) for number in range(3)])

    async def test_other_credentials(self) -> None:
        tls, ports = BrokerTls(authority=str(self.authority)), self.kafka.ports
        other = self.folder / "other"
        other.mkdir()
        stranger = identity(other).authority
        for port, settings, why in (
            (ports.password, {"user": "rotoro", "password": "wrong"}, "Authentication failed"),
            (ports.tls_password, {"tls": tls, "user": "nobody", "password": "secret"}, "Authentication failed"),
            (ports.tls, {"tls": BrokerTls(authority=str(stranger))}, "certificate verify failed"),
            (ports.tls, {"tls": True}, "certificate verify failed"),
            (ports.plain, {"tls": tls}, "SSL handshake failed"),
            (ports.tls, {}, "isconnected"),
        ):
            stream = self.stream("secret", port, **settings)
            stream.send(record(1))
            await until(lambda stream=stream, why=why: why in str(stream.problem), why)  # type: ignore[misc]
            self.assertIn(f"Kafka at {LOOPBACK}:{port}: ", str(stream.problem))
            await stopped(stream)
            self.assertEqual((stream.written, stream.dropped), (0, 1))
            self.flushLoggedErrors()


class ExpiredTests(KafkaCase):
    expired = True

    async def test_a_certificate_of_yesterday(self) -> None:
        stream = self.stream("t", self.kafka.ports.tls, tls=BrokerTls(authority=str(self.authority)))
        stream.send(record(1))
        await until(lambda: "certificate verify failed" in str(stream.problem))
        await stopped(stream)


FILE = """
type Seen {{ prefix: Prefix, peer_asn: Asn }}
output-stream seen: Kafka with config {{
    brokers: ["{broker}"], topic: "{{instance}}.seen", key: "prefix", rx: Seen
}};
filter-map tell {{
    define {{ rx_tx route: Route; }}
    action say {{ seen.send({{ prefix: route.prefix, peer_asn: route.peer_asn }}); }}
    apply {{ say; accept; }}
}}
unit bmp: BmpConnector with config {{ listen: {loopback}:{port}, raw: {{ brokers: ["{broker}"], collector: "here" }} }};
unit rib: PhysicalRib with config {{ filter_map: tell }};
"""


class GraphTests(GraphCase):
    """A whole instance: a filter that sends, and the messages of a BMP connector as they are."""

    def setUp(self) -> None:
        super().setUp()
        require(KAFKA, self)
        self.kafka = Kafka(self.folder / "broker")
        self.addCleanup(self.kafka.stop)
        self.kafka.start()

    def read(self, topic: str, count: int) -> list[tuple[bytes, bytes]]:
        consumer = Consumer(
            {"bootstrap.servers": self.kafka.address, "group.id": topic, "auto.offset.reset": "earliest"}
        )
        self.addCleanup(consumer.close)
        consumer.subscribe([topic])
        found: list[tuple[bytes, bytes]] = []
        end = monotonic() + PATIENCE
        while len(found) < count and monotonic() < end:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append((message.key() or b"", message.value() or b""))
        return found

    def test_what_a_filter_sends_and_what_routers_say(self) -> None:
        for topic in ("main.seen", "openbmp.bmp_raw"):
            self.kafka.create(topic, 3)
        bmp, port, http = free_ports(3)
        self.write(
            FILE.format(broker=self.kafka.address, loopback=LOOPBACK, port=bmp)
            + instance("main", "bmp -> rib", port, http)
        )
        main = self.run_instance("main", http)
        main.await_complete()
        peer, routes = made.Peer(), 500
        said = [made.initiation(b"edge"), made.peer_up(peer)]
        said += [made.monitoring(peer, made.update(made.prefix(number))) for number in range(routes)]
        with socket.create_connection((LOOPBACK, bmp)) as router:
            router.sendall(b"".join(said))
            records = self.read("main.seen", routes)
            raw = self.read("openbmp.bmp_raw", len(said))
        self.assertEqual(len({json.loads(value)["prefix"] for _, value in records}), routes)
        for key, value in records:
            self.assertEqual(json.loads(value)["prefix"].encode(), key)
        read = [LAYOUT.parse(value) for _, value in raw]
        self.assertEqual([each.message for each in read], said)
        self.assertEqual({key for key, _ in raw}, {each.router_hash for each in read})
        self.assertEqual(
            {(each.collector, each.router) for each in read}, {("here", bytes((127, 0, 0, 1)) + bytes(12))}
        )
        if bgpkit.BGPKIT.available() is None:
            others = bgpkit.read_openbmp([value for _, value in raw])
            self.assertEqual({(each.collector, each.router) for each in others}, {("here", LOOPBACK)})
            kinds = ["InitiationMessage", "PeerUpNotification", *["RouteMonitoring"] * routes]
            self.assertEqual([each.kind for each in others], kinds)
        streams = {each["name"]: each for each in main.get("/api/v1/filters")["streams"]}
        self.assertEqual(
            {name: (each["written"], each["dropped"]) for name, each in streams.items()},
            {"seen": (routes, 0), "bmp: raw": (len(said), 0)},
        )
