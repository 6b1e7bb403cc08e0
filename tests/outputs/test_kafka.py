"""Tests for L{rotonda.outputs.kafka}, with the cluster that librdkafka itself plays."""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, ClassVar, NamedTuple

import confluent_kafka
from confluent_kafka import Consumer, Producer
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st
from rotonda.blocks.configs import BrokerTls, KafkaStream, RawTopic
from rotonda.blocks.places import Span
from rotonda.blocks.program import StreamBlock
from rotonda.blocks.settings import Config
from rotonda.blocks.types import StreamType
from rotonda.outputs.carrier import Message
from rotonda.outputs.kafka import json_messages, raw_stream
from rotonda.outputs.kafka_carrier import DOWN_SECONDS, KafkaCarrier, _emptied, _Failure, _Given, _in_order
from rotonda.outputs.kafka_settings import IN_HAND, producer_settings
from rotonda.outputs.outputs import output_for
from rotonda.outputs.overflow import QueueSettings
from rotonda.outputs.stream import BadStream
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.outputs.records import SEEN, seen

PATIENCE = 60.0
TOPIC = "t"


class Cluster:
    """A cluster of one broker in this process, and what is read from it."""

    def __init__(self) -> None:
        self.address = ""
        settings = {"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1}
        self._library = Producer(settings, logger=self)
        until = monotonic() + PATIENCE
        while not self.address and monotonic() < until:
            self._library.poll(0.05)

    def log(self, level: int, form: str, facility: str, name: str, text: str) -> None:
        if facility == "MOCK":
            self.address = text.rpartition(" ")[2]

    def read(self, count: int) -> list[tuple[int | None, bytes | None, bytes | None]]:
        """Partition, key and value of so many messages, in the order of each partition."""
        consumer = Consumer(
            {"bootstrap.servers": self.address, "group.id": os.urandom(4).hex(), "auto.offset.reset": "earliest"}
        )
        consumer.subscribe([TOPIC])
        found: list[tuple[int | None, bytes | None, bytes | None]] = []
        until = monotonic() + PATIENCE
        while len(found) < count and monotonic() < until:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append((message.partition(), message.key(), message.value()))
        consumer.close()
        return found


class Carried:
    """Remembers what a carrier says."""

    def __init__(self) -> None:
        self.arrived = self.rooms = 0
        self.lost: list[tuple[Message, str]] = []
        self.back: list[Message] = []
        self.troubles: list[str | None] = []

    def delivered(self, count: int) -> None:
        self.arrived += count

    def refused(self, message: Message, why: str) -> None:
        self.lost.append((message, why))

    def returned(self, messages: Sequence[Message], why: str) -> None:
        self.back.extend(messages)

    def has_room(self) -> None:
        self.rooms += 1

    def trouble(self, why: str | None) -> None:
        self.troubles.append(why)


class LibraryError:
    """An error of the library's."""

    def __init__(self, name: str, text: str, fatal: bool = False) -> None:
        self._name, self._text, self._fatal = name, text, fatal

    def name(self) -> str:
        return self._name

    def str(self) -> str:
        return self._text

    def fatal(self) -> bool:
        return self._fatal


class Scripted:
    """A producer that says of each message what the script says, or raises it."""

    def __init__(self, script: dict[bytes, str], raised: Exception | None = None) -> None:
        self._script, self._raised = script, raised
        self.taken: list[tuple[str, bytes]] = []

    def produce_batch(self, topic: str, batch: list[dict[str, Any]], on_delivery: Any) -> int:
        if self._raised is not None:
            raise self._raised
        before = len(self.taken)
        for each in batch:
            if (error := self._script.get(each["value"])) is None:
                self.taken.append((topic, each["value"]))
            else:
                each["_error"] = LibraryError(error, f"says {error}")
        return len(self.taken) - before

    def __len__(self) -> int:
        return len(self.taken)


class Emptied:
    """A producer; each time that it is polled a broker answers for one of those that are on their way."""

    def __init__(self, waiting: int, on_their_way: int) -> None:
        self._waiting, self._on_their_way = waiting, on_their_way
        self.answered = self.purged = 0

    def __len__(self) -> int:
        return self._waiting + self._on_their_way

    def purge(self, in_flight: bool = True) -> None:
        self.purged += len(self) if in_flight else self._waiting
        self._waiting, self._on_their_way = 0, 0 if in_flight else self._on_their_way

    def poll(self, seconds: float) -> None:
        if self._on_their_way:
            self._on_their_way -= 1
            self.answered += 1


class Delivered(NamedTuple):
    """A message as the library gives it back."""

    message: Message

    def topic(self) -> str:
        return self.message.topic

    def key(self) -> bytes | None:
        return self.message.key

    def value(self) -> bytes:
        return self.message.payload


class Strict:
    """A producer, and a broker that takes no more than `MOST` octets at a time: it has `arrived`.

    Each time that it is polled, the broker answers for messages that went together. If it refuses them, the next ones
    have gone before anybody hears of it, unless there is to be no gap: then the producer is of no use any more.
    """

    MOST, TOGETHER = 30, 4
    arrived: ClassVar[list[bytes]] = []

    def __init__(self, settings: dict[str, Any], logger: Any) -> None:
        self._together = 1 if settings["batch.num.messages"] == 1 else self.TOGETHER
        self._no_gap, self._tell = settings["enable.gapless.guarantee"], settings["error_cb"]
        self._held: deque[tuple[Message, Any]] = deque()
        self._fatal = False

    def produce_batch(self, topic: str, batch: list[dict[str, Any]], on_delivery: Any) -> int:
        self._held += [(Message(topic, each["key"], each["value"]), on_delivery) for each in batch]
        return len(batch)

    def __len__(self) -> int:
        return len(self._held)

    def poll(self, seconds: float) -> None:
        if self._fatal or not self._held:
            return
        went = [self._held.popleft() for _ in range(min(self._together, len(self._held)))]
        if sum(len(message.payload) for message, _ in went) <= self.MOST:
            self.arrived.extend(message.payload for message, _ in went)
            return
        self._fail(went, "MSG_SIZE_TOO_LARGE")
        if self._no_gap:
            self._fatal = True
            self._tell(LibraryError("_FATAL", "a gap", fatal=True))
        else:
            self.poll(0.0)

    def purge(self, in_flight: bool = True) -> None:
        self._fail(self._held, "_PURGE_QUEUE")
        self._held.clear()

    def _fail(self, which: Iterable[tuple[Message, Any]], why: str) -> None:
        for message, on_delivery in which:
            on_delivery(LibraryError(why, why), Delivered(message))


async def until(true: Callable[[], object]) -> None:
    """Wait for something; what never comes fails the test that waited."""
    end = monotonic() + PATIENCE
    while not true():
        if monotonic() > end:
            raise AssertionError("it did not come")
        await deferLater(reactor, 0.005)


def messages(count: int, keys: int = 7, begin: int = 0) -> list[Message]:
    return [Message(TOPIC, b"%d" % (n % keys), b"%d" % n) for n in range(begin, begin + count)]


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class CarrierTests(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.carried = Carried()

    def opened(self, brokers: str, **settings: Any) -> KafkaCarrier:
        carrier = KafkaCarrier(KafkaStream(brokers=(brokers,), topic=TOPIC, rx=SEEN, **settings), reactor)
        carrier.open(self.carried)
        return carrier

    async def test_all_arrives_in_order_of_each_key(self) -> None:
        for settings in (
            {},
            {"acks": "ONE", "compression": "ZSTD"},
            {"acks": "NONE", "compression": "NONE"},
            {"idempotent": False, "compression": "GZIP", "linger": 0.0},
            {"compression": "SNAPPY"},
        ):
            cluster, self.carried = Cluster(), Carried()
            carrier = self.opened(cluster.address, **settings)
            wanted = messages(3000)
            self.assertEqual(carrier.give(wanted), 3000)
            await until(lambda: self.carried.arrived == 3000)
            found = await deferToThread(cluster.read, 3000)
            for key in {message.key for message in wanted}:
                own = [(where, value) for where, one, value in found if one == key]
                self.assertEqual([value for _, value in own], [one.payload for one in wanted if one.key == key])
                self.assertEqual(len({where for where, _ in own}), 1)
            self.assertEqual(await carrier.close(PATIENCE), [])
            self.assertEqual((self.carried.lost, self.carried.back), ([], []))

    async def test_takes_no_more_than_it_can_answer_for(self) -> None:
        cluster = Cluster()
        carrier = self.opened(cluster.address)
        rooms = self.carried.rooms
        taken = carrier.give(messages(2 * IN_HAND))
        self.assertEqual(taken, IN_HAND)
        await until(lambda: self.carried.rooms > rooms)
        self.assertEqual(carrier.give(messages(10, begin=taken)), 10)
        await until(lambda: self.carried.arrived == IN_HAND + 10)
        self.assertEqual(await carrier.close(PATIENCE), [])

    async def test_what_is_on_its_way_when_it_closes_is_delivered(self) -> None:
        cluster = Cluster()
        carrier = self.opened(cluster.address, linger=0.5)
        carrier.give(messages(100))
        self.assertEqual(await carrier.close(PATIENCE), [])
        self.assertEqual((self.carried.arrived, carrier.give(messages(1))), (100, 0))

    async def test_no_broker(self) -> None:
        where = f"127.0.0.1:{closed_port()}"
        carrier = self.opened(where)
        wanted = messages(5000)
        self.assertEqual([carrier.give(wanted[:2000]), carrier.give(wanted[2000:])], [2000, 3000])
        await until(lambda: self.carried.troubles)
        (why,) = self.carried.troubles
        self.assertIn(f"Kafka at {where}: ", str(why))
        self.assertIn("Connection refused", str(why))
        self.assertEqual(await carrier.close(0.0), wanted)
        self.assertEqual(self.carried.arrived, 0)

    async def test_another_producer_goes_on_in_order(self) -> None:
        cluster = Cluster()
        carrier = self.opened(cluster.address)
        carrier.give(messages(1000))
        carrier.reopen()
        self.assertEqual(carrier.give(messages(1)), 0)
        rooms = self.carried.rooms
        await until(lambda: self.carried.rooms > rooms)
        self.assertEqual(carrier.give(messages(1000, begin=1000)), 1000)
        await until(lambda: self.carried.arrived == 2000)
        found = await deferToThread(cluster.read, 2000)
        self.assertEqual([int(value or b"") for _, key, value in found if key == b"3"], list(range(3, 2000, 7)))
        self.assertEqual(await carrier.close(PATIENCE), [])

    async def test_what_can_never_be_sent(self) -> None:
        cluster = Cluster()
        carrier = self.opened(cluster.address, message_limit=2000)
        large = Message(TOPIC, None, bytes(3000))
        odd = Message("nul\0nul", None, b"")
        self.assertEqual(carrier.give([large, *messages(10), odd]), 12)
        self.assertEqual([message for message, _ in self.carried.lost], [large, odd])
        self.assertIn("Message size too large", self.carried.lost[0][1])
        await until(lambda: self.carried.arrived == 10)
        self.assertEqual(await carrier.close(PATIENCE), [])

    async def test_files_that_are_not_there_are_waited_for(self) -> None:
        password = self.folder / "password"
        for settings, why in (
            ({"user": "me", "password_file": str(password)}, "cannot be read: No such file"),
            ({"tls": BrokerTls(certificate="c", key=str(self.folder / "key"))}, "cannot be read: No such file"),
            ({"tls": BrokerTls(authority=str(self.folder / "authority"))}, "ssl.ca.location"),
        ):
            self.carried = Carried()
            carrier = self.opened(f"127.0.0.1:{closed_port()}", **settings)
            self.assertIn(why, str(self.carried.troubles[-1]))
            self.assertEqual(carrier.give(messages(1)), 0)
            carrier.reopen()
            self.assertEqual(len(self.carried.troubles), 1)
            self.assertEqual(await carrier.close(1.0), [])
        password.touch(0o600)
        password.write_text("secret\n")
        carrier = self.opened(f"127.0.0.1:{closed_port()}", user="me", password_file=str(password))
        self.assertEqual(carrier.give(messages(1)), 1)
        self.assertEqual(await carrier.close(0.0), messages(1))

    def test_nobody_waits_for_one_that_never_was_open(self) -> None:
        carrier = self.opened("127.0.0.1:1", user="me", password_file=str(self.folder / "none"))
        return carrier.close(1.0)  # type: ignore[return-value]


class StreamTests(TestCase):
    def block(self, config: Config) -> StreamBlock:
        return StreamBlock("m.s", Span(0, 0), config, StreamType(SEEN))

    async def test_records_become_messages(self) -> None:
        cluster = Cluster()
        config = KafkaStream(brokers=(cluster.address,), topic=TOPIC, key="asn", rx=SEEN)
        stream = output_for(self.block(config), reactor, instance="one")
        stream.startService()
        stream.send_all([seen(number) for number in range(1000)])
        await until(lambda: stream.written == 1000)
        found = await deferToThread(cluster.read, 1000)
        self.assertEqual({key: json.loads(value or b"")["asn"] for _, key, value in found},
                         {b"AS%d" % number: number for number in range(1000)})  # fmt: skip
        await _deferred(stream.stopService())
        self.assertEqual((stream.sent, stream.dropped, stream.problem), (1000, 0, None))

    async def test_messages_that_are_made_already(self) -> None:
        cluster = Cluster()
        config = RawTopic(brokers=(cluster.address,), topic=TOPIC)
        stream = raw_stream("bmp: raw", config, "one", reactor, deferToThread)
        stream.startService()
        stream.publish(b"router", [b"%d" % number for number in range(500)])
        await until(lambda: stream.written == 500)
        found = await deferToThread(cluster.read, 500)
        self.assertEqual([(key, int(value or b"")) for _, key, value in found], [(b"router", n) for n in range(500)])
        await _deferred(stream.stopService())


def _deferred(stopping: Any) -> Deferred[None]:
    stopped: Deferred[None] = stopping
    return stopped


class PureTests(SynchronousTestCase):
    @tried(deadline=None)
    @given(st.lists(st.lists(st.integers(0, 3), min_size=1), max_size=5), st.randoms())
    def test_what_did_not_arrive_comes_back_in_order(self, sizes: list[list[int]], chance: Any) -> None:
        failures: list[_Failure] = []
        wanted = []
        for number, values in enumerate(sizes):
            together = [Message(TOPIC, b"%d" % (value % 2), b"%d" % value) for value in values]
            given_together = _Given(number, together, failures)  # type: ignore[arg-type]
            chosen = [one for one in together if chance.random() < 0.7]
            failed = sorted(chosen, key=lambda one: chance.random())
            failures += [_Failure(given_together, (TOPIC, one.key, one.payload), "_PURGE_QUEUE", "") for one in failed]
            wanted.append((together, chosen))
        chance.shuffle(failures)
        found = [lost.message for lost in _in_order(failures)]
        self.assertEqual(len(found), len(failures))
        at = 0
        for together, chosen in wanted:
            own = found[at : at + len(chosen)]
            at += len(chosen)
            self.assertEqual(sorted(own), sorted(chosen))
            rest = iter(together)
            self.assertTrue(all(one in rest for one in own))  # a part of what was given, in its order

    def given(self, script: dict[bytes, str], raised: Exception | None = None) -> tuple[int, list[bytes], Carried, Any]:
        """Of a, b and c for one topic and d for another: how many are taken, what the library has, and what is told."""
        clock, carried, library = Clock(), Carried(), Scripted(script, raised)
        carrier: Any = KafkaCarrier(KafkaStream(brokers=("127.0.0.1:1",), topic=TOPIC, rx=SEEN), clock)
        carrier._stream, carrier._producer = carried, library
        taken = carrier.give([Message("x", None, text) for text in (b"a", b"b", b"c")] + [Message("y", b"k", b"d")])
        self.assertEqual(carrier._given - len(carrier._failures), len(library.taken))
        return taken, [text for _, text in library.taken], carried, carrier

    def test_what_the_library_takes(self) -> None:
        taken, library, carried, carrier = self.given({})
        self.assertEqual((taken, library, carried.lost), (4, [b"a", b"b", b"c", b"d"], []))
        self.assertFalse(carrier._wants_room)

    def test_a_library_that_is_full(self) -> None:
        for raised in (None, BufferError("full")):
            full = {b"b": "_QUEUE_FULL", b"c": "_QUEUE_FULL"}
            taken, library, carried, carrier = self.given(full, raised)
            self.assertEqual((taken, library), (0, []) if raised else (1, [b"a"]))
            self.assertEqual(carried.lost, [])
            self.assertTrue(carrier._wants_room)

    def test_messages_that_it_will_never_take(self) -> None:
        taken, library, carried, _ = self.given({b"b": "MSG_SIZE_TOO_LARGE", b"d": "MSG_SIZE_TOO_LARGE"})
        self.assertEqual((taken, library), (4, [b"a", b"c"]))
        self.assertEqual([message.payload for message, _ in carried.lost], [b"b", b"d"])
        taken, library, carried, _ = self.given({}, ValueError("a topic with a zero"))
        self.assertEqual((taken, library, len(carried.lost)), (4, [], 4))

    def test_a_library_that_is_of_no_use_any_more(self) -> None:
        taken, library, carried, carrier = self.given({b"b": "_FATAL", b"c": "_FATAL", b"d": "_FATAL"})
        self.assertEqual((taken, library, carried.lost), (1, [b"a"], []))
        self.assertEqual([error[2] for error in carrier._notes.errors], [True], "there is to be another producer")
        taken, library, carried, carrier = self.given({b"b": "_STATE"})
        self.assertEqual((taken, library), (4, [b"a", b"c", b"d"]))
        self.assertEqual([failure.message[2] for failure in carrier._failures], [b"b"])

    def test_brokers_that_are_away(self) -> None:
        """Told as soon as it is known why, or it lasts and messages wait; over when there is a connection again."""
        clock, carried = Clock(), Carried()
        carrier = KafkaCarrier(KafkaStream(brokers=("a:1",), topic=TOPIC, rx=SEEN), clock)
        carrier._stream = carried

        def heard(*errors: tuple[str, str], left: int = 0) -> str | None:
            for name, text in errors:
                carrier._notes.error(LibraryError(name, text))
            carrier._hear()
            carrier._look_at_connections(left)
            return carried.troubles[-1] if carried.troubles else None

        up, down, refused = '{"brokers": {"a:1/1": {"state":"UP"}}}', "_ALL_BROKERS_DOWN", ("_TRANSPORT", "refused")
        self.assertIsNone(heard(refused))  # there may be others
        self.assertEqual(heard((down, "1/1 down")), "Kafka at a:1: refused")
        self.assertEqual(heard(("_SSL", "expired (after 3ms in state UP)")), "Kafka at a:1: expired")
        for text in (up, "{}", up):  # one may be of before
            carrier._notes.statistics(text)
            self.assertEqual(heard(), "Kafka at a:1: expired")
        carrier._notes.statistics(up)
        self.assertIsNone(heard())
        self.assertIsNone(heard((down, "1/1 down"), left=1))
        clock.advance(DOWN_SECONDS)
        self.assertIsNone(heard())  # nobody needs one
        self.assertEqual(heard(left=1), "Kafka at a:1: 1/1 down")
        self.assertEqual(heard(refused), "Kafka at a:1: refused")

    def test_what_a_broker_may_still_answer_for(self) -> None:
        """A producer that is given up keeps what is on its way for a moment, and nothing else."""
        for seconds, answered in ((PATIENCE, 2), (0.0, 0)):
            library = Emptied(waiting=3, on_their_way=2)
            _emptied([library], seconds)
            self.assertEqual((library.answered, library.purged), (answered, 5 - answered))

    def test_together_too_large(self) -> None:
        """Of messages that a broker refuses together only those are lost that it refuses alone, and none is there
        twice. All stay in order if the broker keeps out what comes after a gap; else those that were refused come
        after those that went next."""
        large = {6, 7}
        wanted = [Message(TOPIC, b"k", b"%d" % n * (40 if n in large else 1)) for n in range(20)]
        good = [message.payload for message in wanted if len(message.payload) <= Strict.MOST]
        self.patch(confluent_kafka, "Producer", Strict)
        for acks, expected in (("ALL", good), ("ONE", good[:4] + good[6:10] + good[4:6] + good[10:])):
            clock, carried = Clock(), Carried()
            self.patch(Strict, "arrived", [])
            config = KafkaStream(brokers=("a:1",), topic=TOPIC, rx=SEEN, acks=acks)
            carrier = KafkaCarrier(config, clock, lambda do, *given: succeed(do(*given)))
            carrier.open(carried)
            waiting = deque(wanted)
            while waiting or carried.back or len(carried.lost) + carried.arrived < len(wanted):
                waiting.extendleft(reversed(carried.back))
                carried.back.clear()
                for _ in range(carrier.give(list(waiting))):
                    waiting.popleft()
                clock.advance(0.01)
                self.assertLess(clock.seconds(), PATIENCE)
            self.assertEqual([message for message, _ in carried.lost], [wanted[n] for n in sorted(large)])
            self.assertEqual((carried.arrived, Strict.arrived), (len(good), expected), acks)

    def test_messages(self) -> None:
        make = json_messages(SEEN, lambda record: "x", "note")
        (topic, key, payload), without = make([seen(1, "é"), seen(1, None)], 0.0)
        self.assertEqual((topic, key), ("x", "é".encode()))
        self.assertEqual(
            json.loads(payload),
            {"prefix": "10.1.0.0/16", "asn": 1, "path": "64496 1", "marks": ["0:1", "0:2"], "note": "é"},
        )
        self.assertIsNone(without.key)
        self.assertIsNone(json_messages(SEEN, lambda record: "x", None)([seen()], 0.0)[0].key)
        self.assertEqual(json_messages(SEEN, lambda record: "x", "asn")([seen(7)], 0.0)[0].key, b"AS7")

    def test_what_the_library_is_told(self) -> None:
        cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
            ({}, {"acks": "all", "enable.idempotence": True, "compression.type": "lz4", "message.timeout.ms": 0}),
            ({"acks": "ONE"}, {"acks": "1", "enable.idempotence": False, "max.in.flight.requests.per.connection": 1}),
            ({"acks": "NONE", "compression": "NONE"}, {"acks": "0", "compression.type": "none"}),
            ({"idempotent": False}, {"acks": "all", "enable.idempotence": False, "enable.gapless.guarantee": False}),
            ({"linger": 0.1, "message_limit": 5000}, {"linger.ms": 100.0, "message.max.bytes": 5000}),
            ({"tls": True}, {"security.protocol": "SSL"}),
            (
                {"tls": BrokerTls(authority="a", certificate="c"), "user": "u", "password": "p"},
                {"security.protocol": "SASL_SSL", "ssl.ca.location": "a", "ssl.certificate.location": "c",
                 "sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": "p"},
            ),
            ({"user": "u", "password": "", "mechanism": "SCRAM_SHA_512"},
             {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512", "sasl.password": ""}),
        ]  # fmt: skip
        for settings, wanted in cases:
            told = producer_settings(KafkaStream(brokers=("a:1", "b:2"), topic=TOPIC, rx=SEEN, **settings))
            self.assertEqual({name: told[name] for name in wanted}, wanted)
            self.assertEqual(told["bootstrap.servers"], "a:1,b:2")
            self.assertNotIn("enable.ssl.certificate.verification", told)

    def test_what_cannot_be(self) -> None:
        for config, why in [
            (RawTopic(brokers=("a:1",), topic="a b"), "cannot be in a topic"),
            (RawTopic(brokers=("a:1",), overflow="SPILL"), "needs a folder"),
        ]:
            self.assertRaisesRegex(BadStream, why, raw_stream, "x", config, "one", reactor, deferToThread)
        bad = KafkaStream(brokers=("a:1",), topic="{colour}", rx=SEEN)
        block = StreamBlock("m.s", Span(0, 0), bad, StreamType(SEEN))
        self.assertRaisesRegex(BadStream, "colour", output_for, block, reactor)
        self.assertEqual(QueueSettings().most, 250_000)
