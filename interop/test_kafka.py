"""Kafka, and its own console consumer: what our streams send is read there, once, and in the order of each key."""

from __future__ import annotations

import json
import socket
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from confluent_kafka import Consumer
from rotonda.blocks import types
from rotonda.blocks.configs import BrokerTls, KafkaStream
from rotonda.blocks.places import Span
from rotonda.blocks.program import StreamBlock
from rotonda.blocks.types import FieldOf, RecordType, StreamType
from rotonda.blocks.values import RecordValue
from rotonda.outputs import kafka_settings
from rotonda.outputs.outputs import output_for
from rotonda.outputs.stream import Stream
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from interop.graphs import GraphCase, instance
from interop.peers import bgpkit
from interop.peers.brokers import identity
from interop.peers.kafka import Read
from interop.peers.processes import LOOPBACK, free_ports
from interop.shared_kafka import SharedKafka, at
from interop.traffic import bmp as made
from tests.bgp.test_openbmp import LAYOUT

PATIENCE = 45.0
RECORD = RecordType(
    "Numbered", (FieldOf("number", types.U32), FieldOf("key", types.STRING), FieldOf("way", types.STRING))
)
SHARED = SharedKafka()


def tearDownModule() -> None:
    SHARED.end()


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


class SendingTests(TestCase):
    timeout = 300

    def setUp(self) -> None:
        self.kafka = SHARED.running(self)
        self.tls = BrokerTls(authority=str(SHARED.authority))

    def folder(self) -> Path:
        """One that goes with the test."""
        folder = TemporaryDirectory(prefix="rotoro-kafka-")
        self.addCleanup(folder.cleanup)
        return Path(folder.name)

    def stream(self, topic: str, port: int | None = None, **settings: Any) -> Stream:
        """One that runs."""
        where = at(port or self.kafka.ports.plain)
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
        """It is refused alone: those that went with it arrive, and in their order; after later ones, where the brokers
        do not keep them out. Without confirmations nobody knows."""
        large = {100, 300, 301}
        sent = [record(n, "x" * 5000 if n in large else "") for n in range(400)]
        wanted = [value(n) for n in range(400) if n not in large]

        async def send(acks: str) -> list[Read]:
            topic = f"small-{acks}"
            stream = self.stream(topic, compression="NONE", acks=acks)
            stream.send_all(sent)
            await until(lambda: stream.written + stream.dropped == 400, "the end")
            self.assertEqual((stream.written, stream.dropped), (400, 0) if acks == "NONE" else (397, 3), acks)
            stream.send_all(sent[:10])
            await until(lambda: stream.written + stream.dropped == 410, "what came later")
            await stopped(stream)
            return await deferToThread(self.kafka.read, topic)

        kinds = "ALL", "ONE", "NONE"
        for acks in kinds:
            self.kafka.create(f"small-{acks}", 1, {"max.message.bytes": "3000"})
        found = await gatherResults([ensureDeferred(send(acks)) for acks in kinds])
        for read in found[:2]:
            self.assertEqual(sorted(each.value for each in read[:397]), sorted(wanted))
            self.assertEqual([each.value for each in read[397:]], wanted[:10])
        self.assertInOrder(found[0][:397], wanted)
        self.assertLessEqual({each.value for each in found[2]}, set(wanted))
        self.assertInOrder(await self.console("small-ALL", 407), [*wanted, *wanted[:10]])

    async def test_a_topic_that_is_not_there(self) -> None:
        self.patch(kafka_settings, "TOPIC_SECONDS", 5.0)
        self.kafka.create("here.left")
        stream = self.stream("here.{way}")
        stream.send_all([record(1, "nowhere"), record(2, "left")])
        await until(lambda: stream.written == 1)
        await until(lambda: stream.dropped == 1)
        stream.send_all([record(3, "nowhere"), record(4, "left")])
        await until(lambda: (stream.written, stream.dropped) == (2, 2))
        await stopped(stream)
        self.assertEqual([read.value for read in self.kafka.read("here.left")], [value(2, "left"), value(4, "left")])

    async def test_a_topic_that_may_not_be_written_to(self) -> None:
        """Its records are dropped, and told; those for others arrive, also of the same stream."""
        for way in ("open", "shut"):
            self.kafka.create(f"may.{way}")
        self.kafka.allow("guest", "may.open", "DESCRIBE", "WRITE")
        self.kafka.allow("guest", "may.shut", "DESCRIBE", "READ")
        for acks in ("ALL", "ONE"):
            port = self.kafka.ports.password
            stream = self.stream("may.{way}", port, user="guest", password="welcome", acks=acks)
            stream.send_all([record(number, "open" if number % 3 else "shut") for number in range(300)])
            await until(lambda stream=stream: stream.written + stream.dropped == 300)  # type: ignore[misc]
            self.assertEqual((stream.written, stream.dropped), (200, 100))
            await stopped(stream)
        wanted = [value(number, "open") for number in range(300) if number % 3]
        self.assertEqual([read.value for read in self.kafka.read("may.open")], 2 * wanted)
        self.assertEqual(self.kafka.read("may.shut"), [])

    async def test_tls_and_passwords(self) -> None:
        self.kafka.create("secret", 1)
        password = self.folder() / "password"
        password.touch(0o600)
        password.write_text("secret\n")
        ports, tls = self.kafka.ports, self.tls
        ways: list[tuple[int, dict[str, Any]]] = [
            (ports.tls, {"tls": tls}),
            (ports.password, {"user": "rotoro", "password": "secret"}),
            (ports.tls_password, {"tls": tls, "user": "rotoro", "password_file": str(password)}),
            (ports.password, {"user": "rotoro", "password": "secret", "mechanism": "SCRAM_SHA_256"}),
            (ports.tls_password, {"tls": tls, "user": "guest", "password": "welcome", "mechanism": "SCRAM_SHA_512"}),
        ]  # fmt: skip
        for number, (port, settings) in enumerate(ways):
            stream = self.stream("secret", port, **settings)
            stream.send(record(number))
            await until(lambda stream=stream: stream.written == 1, str(settings))  # type: ignore[misc]
            await stopped(stream)
        self.assertEqual([read.value for read in self.kafka.read("secret")], [value(number) for number in range(5)])

    async def test_other_credentials(self) -> None:
        """All at once: each is waited for for a while when it ends."""
        ports, stranger = self.kafka.ports, BrokerTls(authority=str(identity(self.folder()).authority))
        login, unknown, unverified = {"user": "rotoro", "password": "wrong"}, "uthentication failed", "verify failed"

        async def refused(port: int, settings: dict[str, Any], why: str) -> None:
            stream = self.stream("secret", port, **settings)
            stream.send(record(1))
            await until(lambda: why in str(stream.problem), why)
            self.assertIn(f"Kafka at {at(port)}: ", str(stream.problem))
            await stopped(stream)
            self.assertEqual((stream.written, stream.dropped), (0, 1))

        ways: list[tuple[int, dict[str, Any], str]] = [
            (ports.password, login, unknown),
            (ports.password, {**login, "mechanism": "SCRAM_SHA_512"}, unknown),
            (ports.tls_password, {**login, "tls": self.tls, "mechanism": "SCRAM_SHA_256"}, unknown),
            (ports.tls_password, {"tls": self.tls, "user": "nobody", "password": "secret"}, unknown),
            (ports.tls, {"tls": stranger}, unverified),
            (ports.tls, {"tls": True}, unverified),
            (ports.expired, {"tls": self.tls}, unverified),
            (ports.plain, {"tls": self.tls}, "SSL handshake failed"),
            (ports.tls, {}, "isconnected"),
        ]  # fmt: skip
        await gatherResults([ensureDeferred(refused(*way)) for way in ways])
        self.flushLoggedErrors()


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
        self.kafka = SHARED.running(self)

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
