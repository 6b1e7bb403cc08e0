"""Tests for L{rotonda.outputs.mqtt}: the carrier and a broker on loopback that does what each test says."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import MQTTProtocolVersion
from rotonda.blocks.configs import BrokerTls, MqttStream, Server
from rotonda.blocks.places import Span
from rotonda.blocks.program import StreamBlock
from rotonda.blocks.types import StreamType
from rotonda.outputs import mqtt
from rotonda.outputs.carrier import Message
from rotonda.outputs.file import json_lines
from rotonda.outputs.mqtt import MqttCarrier, MqttSettings
from rotonda.outputs.mqtt_wire import NotMqtt, Packets
from rotonda.outputs.outputs import output_for
from rotonda.outputs.stream import BadStream
from rotonda.outputs.topics import names
from twisted.internet import reactor as installed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rotoro.net.endpoints import Clients, ClientTls, HostPort, ServerTls
from rotoro.net.tls import TlsListener
from rotoro.net.tls_files import BadFile
from tests.net.certificates import Authority, Issued
from tests.outputs.mqtt_broker import (
    CONNACK,
    CONNECT,
    DISCONNECT,
    PUBACK,
    PUBLISH,
    PUBREC,
    Broker,
    Connection,
    Packet,
    Script,
    answer,
    friendly,
    packet,
)
from tests.outputs.records import SEEN, seen

reactor: Any = installed
V5 = MQTTProtocolVersion.MQTTv5
SESSION_PRESENT = packet(CONNACK, bytes((1, 0)))


def messages(count: int, first: int = 0, topic: str = "t") -> list[Message]:
    return [Message(topic, None, b"%d" % number) for number in range(first, first + count)]


class Stream:
    """What a carrier tells, kept; what comes back is given again, first."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.carrier: MqttCarrier
        self.waiting: list[Message] = []
        self.arrived = 0
        self.refusals: list[tuple[Message, str]] = []
        self.back: list[Message] = []
        self.told: list[str | None] = []

    def give(self, messages: Sequence[Message]) -> None:
        self.waiting += messages
        self.has_room()

    def delivered(self, count: int) -> None:
        self.arrived += count
        self.broker.changed()

    def refused(self, message: Message, why: str) -> None:
        self.refusals.append((message, why))
        self.broker.changed()

    def returned(self, messages: Sequence[Message], why: str) -> None:
        self.back += messages
        self.waiting[:0] = messages

    def has_room(self) -> None:
        given, self.waiting = self.waiting, []
        self.waiting = given[self.carrier.give(given) :] + self.waiting

    def trouble(self, why: str | None) -> None:
        self.told.append(why)
        self.broker.changed()

    @property
    def problems(self) -> list[str]:
        return [why for why in self.told if why is not None]


class MqttCase(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.patch(mqtt, "SHORTEST_PAUSE", 0.01)

    def start(
        self, script: Script = friendly, listener: TlsListener | None = None, **settings: Any
    ) -> tuple[Broker, Stream]:
        """A broker, and a stream whose carrier connects to it."""
        broker = Broker(script)
        factory = broker if listener is None else listener.wrap(broker, reactor)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(self.stop, broker, port)
        stream = Stream(broker)
        settings = {"state_topic": "state", "client_id": "c", **settings}
        stream.carrier = MqttCarrier(MqttSettings(HostPort("127.0.0.1", port.getHost().port), **settings), reactor)
        self.addCleanup(stream.carrier.close, 1.0)
        stream.carrier.open(stream)
        return broker, stream

    async def stop(self, broker: Broker, port: Any) -> None:
        await port.stopListening()
        for connection in broker.connections:
            if not connection.is_over:
                connection.transport.abortConnection()
        await broker.when(lambda: all(each.is_over for each in broker.connections))


class DeliveryTests(MqttCase):
    async def test_messages_arrive_in_order(self) -> None:
        for qos in range(3):
            for version in (MQTTProtocolVersion.MQTTv311, V5):
                with self.subTest(qos=qos, version=version):
                    broker, stream = self.start(qos=qos, version=version, retain=qos == 1, window=100)
                    stream.give(messages(1000))
                    await broker.when(lambda: stream.arrived == 1000)  # noqa: B023
                    await broker.when(lambda: len(broker.published()) == 1000)  # noqa: B023
                    got = broker.published()
                    self.assertEqual([(each.topic, each.payload) for each in got], [
                        (each.topic, each.payload) for each in messages(1000)
                    ])  # fmt: skip
                    self.assertEqual({(each.qos, each.flags & 1) for each in got}, {(qos, int(qos == 1))})
                    self.assertEqual((stream.problems, stream.back, stream.refusals), ([], [], []))

    async def test_it_says_that_it_is_there_and_that_it_goes(self) -> None:
        for qos in (0, 1):
            with self.subTest(qos=qos):
                broker, stream = self.start(qos=qos)
                stream.give(messages(3))
                await broker.when(lambda: stream.arrived == 3)  # noqa: B023
                will = broker.got(CONNECT)[-1].body
                self.assertTrue(will[7] & 0x24 == 0x24 and will.endswith(b"\0\5state\0\7offline"), will)
                self.assertEqual(await stream.carrier.close(5.0), [])
                await broker.when(lambda: broker.connections[-1].is_over)  # noqa: B023
                self.assertEqual(broker.connections[-1].got[-1].kind, DISCONNECT)
                states = [each for each in broker.published(state=True) if each.topic == "state"]
                self.assertEqual([(each.payload, each.flags & 1) for each in states], [(b"online", 1), (b"offline", 1)])

    async def test_no_more_are_on_their_way_than_the_window_and_the_broker_allow(self) -> None:
        for version, allowed in ((MQTTProtocolVersion.MQTTv311, 5), (V5, 3)):
            with self.subTest(version=version):
                most = [0]

                def script(connection: Connection, got: Packet, most: list[int] = most, version: Any = version) -> None:
                    if got.kind == CONNECT and version == V5:
                        connection.send(packet(CONNACK, b"\0\0\3\x21\0\3"))  # Receive Maximum 3
                    elif got.kind == PUBLISH:
                        under_way = [each for each in connection.got if each.topic == "t"]
                        if len(under_way) % 3 == 0 or got.topic == "state":
                            for each in connection.got[-3:]:
                                if each.kind == PUBLISH:
                                    connection.send(answer(PUBACK, each.number))
                    else:
                        friendly(connection, got)

                broker, stream = self.start(script, qos=1, window=5, version=version)
                carrier = stream.carrier
                give = carrier.give

                def counted(
                    given: Sequence[Message], give: Any = give, carrier: Any = carrier, most: Any = most
                ) -> int:
                    taken: int = give(given)
                    most[0] = max(most[0], len(carrier._flying))
                    return taken

                self.patch(carrier, "give", counted)
                stream.give(messages(30))
                await broker.when(lambda: stream.arrived == 30)  # noqa: B023
                self.assertEqual(most[0], allowed)

    async def test_what_a_broker_of_version_5_refuses_is_told(self) -> None:
        for qos, kind in ((1, PUBACK), (2, PUBREC)):
            with self.subTest(qos=qos):

                def script(connection: Connection, got: Packet, kind: int = kind) -> None:
                    if got.kind == PUBLISH and got.payload == b"1":
                        connection.send(answer(kind, got.number, 0x87))
                    else:
                        friendly(connection, got)

                broker, stream = self.start(script, qos=qos, version=V5)
                stream.give(messages(3))
                await broker.when(lambda: stream.arrived == 2 and stream.refusals)  # noqa: B023
                ((message, why),) = stream.refusals
                self.assertEqual(message, messages(3)[1])
                self.assertRegex(why, r"^the MQTT broker 127.0.0.1:\d+ refuses it: Not authorized$")

    async def test_what_is_larger_than_a_broker_takes_is_not_sent(self) -> None:
        def script(connection: Connection, got: Packet) -> None:
            if got.kind == CONNECT:
                connection.send(packet(CONNACK, b"\0\0\5\x27\0\0\0\x64"))  # Maximum Packet Size 100
            else:
                friendly(connection, got)

        broker, stream = self.start(script, qos=1, version=V5)
        stream.give([*messages(1), Message("t", None, b"x" * 100), *messages(1, 1)])
        await broker.when(lambda: stream.arrived == 2)
        ((message, why),) = stream.refusals
        self.assertEqual(len(message.payload), 100)
        self.assertRegex(why, "it has 113 octets, and the MQTT broker .* takes 100")

    async def test_what_was_not_confirmed_in_time_is_given_back_at_the_end(self) -> None:
        def script(connection: Connection, got: Packet) -> None:
            if got.kind != PUBLISH or got.payload in (b"online", b"0"):
                friendly(connection, got)

        broker, stream = self.start(script, qos=1)
        stream.give(messages(5))
        await broker.when(lambda: len(broker.published()) == 5 and stream.arrived == 1)
        self.assertEqual(await stream.carrier.close(0.1), messages(4, 1))
        await broker.when(lambda: broker.connections[-1].is_over)
        self.assertEqual([each.payload for each in broker.published(state=True)][-2:], [b"4", b"offline"])
        self.assertEqual(broker.connections[-1].got[-1].kind, DISCONNECT)

    async def test_without_a_connection_the_end_is_at_once(self) -> None:
        _, stream = self.start(lambda connection, got: None)
        self.assertEqual(stream.carrier.give(messages(1)), 0)
        self.assertEqual(await stream.carrier.close(5.0), [])


class SessionTests(MqttCase):
    async def test_a_session_that_is_remembered_goes_on_under_its_numbers(self) -> None:
        for version in (MQTTProtocolVersion.MQTTv311, V5):
            for qos in (1, 2):
                with self.subTest(version=version, qos=qos):

                    def script(connection: Connection, got: Packet, version: Any = version) -> None:
                        connections = connection.broker.connections
                        begun = [each for each in connections if each.got and not each.got[0].body[7] & 2]
                        again = len(begun) > 1 if version != V5 else len(connections) > 1
                        if got.kind == CONNECT and again:
                            connection.send(SESSION_PRESENT if version != V5 else packet(CONNACK, b"\1\0\0"))
                        elif got.kind == PUBLISH and got.payload == b"5" and not again:
                            connection.transport.loseConnection()
                        elif got.kind != PUBLISH or again or got.topic == "state" or got.payload in (b"0", b"1"):
                            friendly(connection, got)

                    broker, stream = self.start(script, qos=qos, version=version, window=6)
                    stream.give(messages(8))
                    await broker.when(lambda: stream.arrived == 8)  # noqa: B023
                    self.assertEqual(stream.back, [])
                    last = broker.connections[-1].got
                    before = {each.payload: each.number for each in broker.connections[-2].got if each.topic == "t"}
                    self.assertEqual(
                        [each.payload for each in last if each.topic == "t"], [b"%d" % number for number in range(2, 8)]
                    )
                    for each in last:
                        if each.topic == "t" and each.payload in before:
                            self.assertTrue(each.flags & 8, "it was sent before")
                            self.assertEqual(each.number, before[each.payload])
                    self.assertIn("it has ended the connection", stream.problems[0])
                    self.assertIsNone(stream.told[-1])

    async def test_what_a_forgotten_session_had_goes_back_and_first(self) -> None:
        def script(connection: Connection, got: Packet) -> None:
            if got.kind == PUBLISH and got.payload == b"3" and len(connection.broker.connections) == 1:
                connection.transport.loseConnection()
            elif got.kind != PUBLISH or len(connection.broker.connections) > 1 or got.topic == "state":
                friendly(connection, got)

        broker, stream = self.start(script, qos=2, version=V5, window=4)
        stream.give(messages(6))
        await broker.when(lambda: stream.arrived == 6)
        self.assertEqual(stream.back, messages(4))
        self.assertEqual([each.payload for each in broker.connections[-1].got if each.topic == "t"], [
            b"%d" % number for number in range(6)
        ])  # fmt: skip

    async def test_of_qos_0_what_was_not_handed_over_goes_back(self) -> None:
        def script(connection: Connection, got: Packet) -> None:
            if got.kind == CONNECT and len(connection.broker.connections) == 1:
                connection.transport.pauseProducing()
            friendly(connection, got)

        broker, stream = self.start(script, window=50)
        large = [Message("t", None, b"%02d" % number + bytes(1 << 20)) for number in range(40)]
        stream.give(large)
        await broker.when(lambda: broker.connections and broker.connections[0].got)
        await broker.when(lambda: None in stream.told)
        broker.connections[0].transport.abortConnection()
        await broker.when(
            lambda: stream.arrived == 40 and broker.published()[-1:] and broker.published()[-1].payload[:2] == b"39"
        )
        back = [int(message.payload[:2]) for message in stream.back]
        self.assertTrue(back)
        self.assertEqual(back, list(range(back[0], back[0] + len(back))))
        again = [int(each.payload[:2]) for each in broker.connections[-1].got if each.topic == "t"]
        self.assertEqual(again, list(range(back[0], 40)))

    async def test_an_earlier_life_is_forgotten_first(self) -> None:
        """Its numbers of messages would be taken for those of this one."""
        broker, stream = self.start(qos=2)
        stream.give(messages(1))
        await broker.when(lambda: stream.arrived == 1)
        self.assertEqual([each.body[7] & 2 for each in broker.got(CONNECT)], [2, 0])
        self.assertFalse(broker.got(CONNECT)[0].body[7] & 4, "a will")
        broker, stream = self.start(qos=2, version=V5)
        stream.give(messages(1))
        await broker.when(lambda: stream.arrived == 1)
        broker.connections[0].transport.loseConnection()
        await broker.when(lambda: len(broker.got(CONNECT)) == 2)
        self.assertEqual([each.body[7] & 2 for each in broker.got(CONNECT)], [2, 0])
        self.assertIn(b"\x11\0\0\x0e\x10", broker.got(CONNECT)[0].body, "Session Expiry Interval 3600")

    async def test_a_message_that_ends_every_connection_is_refused_in_the_end(self) -> None:
        def script(connection: Connection, got: Packet) -> None:
            if got.payload == b"1":
                connection.transport.loseConnection()
            elif got.kind != PUBLISH or b"1" not in [each.payload for each in connection.got]:
                friendly(connection, got)

        broker, stream = self.start(script, qos=1, window=10)
        stream.give(messages(5))
        await broker.when(lambda: stream.arrived == 4)
        ((message, why),) = stream.refusals
        self.assertEqual(message.payload, b"1")
        self.assertRegex(why, "^the MQTT broker .* ends the connection whenever it gets this .1 octets.$")


class TroubleTests(MqttCase):
    async def tells(self, script: Script, why: str, **settings: Any) -> Stream:
        """Such a broker makes for such a line, again and again, and nothing is lost."""
        broker, stream = self.start(script, **settings)
        stream.waiting = messages(3)
        await broker.when(lambda: len(stream.problems) > 2)
        for told in stream.problems:
            self.assertRegex(told, rf"^the MQTT broker 127.0.0.1:\d+: {why}")
        self.assertEqual((stream.arrived, stream.refusals, len(stream.waiting)), (0, [], 3))
        return stream

    @staticmethod
    def saying(octets: bytes) -> Script:
        return lambda connection, got: connection.send(octets) if not got.kind else None

    async def test_brokers_that_speak_nonsense(self) -> None:
        for octets, why in (
            (
                b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n",
                "it does not speak MQTT: it says 'HTTP/1.1 400 Bad Request'",
            ),
            (b"\x93\x01\xff\x00garbage", "it does not speak MQTT: it begins with the octets 93 01 ff 00 67 61 72 62"),
            (b"\x20\xff\xff\xff\x7f", "it sends a packet of 268,435,455 octets"),
            (b"\x20\xff\xff\xff\xff", "it sends a packet without an end to its length"),
            (b"\x20\x02\x00\x4d", "it refuses us: Unspecified error"),
            (b"\x20\x00", "it sends what is not MQTT"),
            (packet(CONNACK, b"\0\0") + b"\x30\x03\0\1t", "it sends a packet of type 3, which is no answer"),
        ):
            with self.subTest(octets=octets):
                await self.tells(self.saying(octets), why)
                self.assertEqual(self.flushLoggedErrors(), [])

    async def test_brokers_that_refuse_us(self) -> None:
        for version, body, why in (
            (MQTTProtocolVersion.MQTTv311, b"\0\5", "it refuses us: Not authorized"),
            (MQTTProtocolVersion.MQTTv311, b"\0\1", "it refuses us: Unsupported protocol version"),
            (V5, b"\0\x86\0", "it refuses us: Bad user name or password"),
            (V5, b"\0\x87\x06\x1f\0\3a\nb", r"it refuses us: Not authorized \(a\\nb\)"),
            (V5, b"\0\1", "it refuses us: Unsupported protocol version"),
            (V5, b"\0\0\2\x24\0", "it takes no messages of QoS 1"),
            (V5, b"\0\0\2\x25\0", "it retains no messages"),
        ):
            with self.subTest(body=body):
                given = {"qos": 1, "retain": True, "user": "u", "password": "p"}
                await self.tells(self.saying(packet(CONNACK, body)), why, version=version, **given)

    async def test_a_broker_that_says_goodbye(self) -> None:
        octets = packet(CONNACK, b"\0\0\0") + packet(DISCONNECT, b"\x8b\0")
        broker, stream = self.start(self.saying(octets), version=V5, qos=1)
        await broker.when(lambda: stream.problems)
        self.assertIn("it ends the connection: Server shutting down", stream.problems[0])

    async def test_a_broker_that_closes_at_once(self) -> None:
        await self.tells(lambda connection, got: connection.transport.loseConnection(), "it has ended the connection")

    async def test_a_broker_that_never_answers(self) -> None:
        self.patch(mqtt, "CONNECT_SECONDS", 0.2)
        await self.tells(lambda connection, got: None, "it has not answered CONNECT for 0 s")

    async def test_a_broker_that_never_confirms(self) -> None:
        self.patch(mqtt, "ANSWER_SECONDS", 0.5)

        def script(connection: Connection, got: Packet) -> None:
            if got.kind == CONNECT:
                friendly(connection, got)

        broker, stream = self.start(script, qos=1, window=10)
        stream.give(messages(100))
        await broker.when(lambda: len(stream.problems) > 1)
        self.assertRegex(stream.problems[0], "it has confirmed nothing for 0 s, and 10 messages wait")
        self.assertEqual(len(stream.waiting) + len(stream.carrier._flying), 100)

    async def test_nobody_is_there(self) -> None:
        broker, stream = self.start()
        await stream.carrier.close(1.0)
        port = reactor.listenTCP(0, broker, interface="127.0.0.1")
        where = HostPort("127.0.0.1", port.getHost().port)
        await port.stopListening()
        self.patch(mqtt, "SHORTEST_PAUSE", 1.0)
        stream.carrier = MqttCarrier(MqttSettings(where, "c"), reactor)
        stream.carrier.open(stream)
        await broker.when(lambda: stream.problems)
        self.assertIn("no connection: Connection was refused", stream.problems[0])
        self.assertGreater(stream.carrier._again.getTime() - reactor.seconds(), 0.9)
        pauses = [stream.carrier._backoff(failures) for failures in range(10)]
        self.assertTrue(pauses[3] >= 8 and 60 <= pauses[-1] <= 61, pauses)
        await stream.carrier.close(1.0)

    async def test_a_connection_that_was_good_is_made_again_soon(self) -> None:
        broker, stream = self.start(qos=1)
        await broker.when(lambda: None in stream.told)
        stream.carrier._failures = 20
        self.patch(mqtt, "STEADY_SECONDS", 0.0)
        broker.connections[-1].transport.abortConnection()
        await broker.when(lambda: stream.problems)
        self.assertEqual(stream.carrier._failures, 1)

    async def test_nothing_is_done_for_answers_to_nothing(self) -> None:
        flood = packet(CONNACK, b"\0\0") + b"".join(answer(PUBACK, number) for number in range(1, 10_000))
        broker, stream = self.start(self.saying(flood), qos=0, state_topic="")
        stream.give(messages(1))
        await broker.when(lambda: stream.arrived == 1)
        self.assertEqual((stream.refusals, stream.problems), ([], []))


class TlsTests(MqttCase):
    def setUp(self) -> None:
        super().setUp()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.authority = Authority(self.folder)

    def secured(self, issued: Issued, tls: ClientTls | None = None, **asked: Any) -> tuple[Broker, Stream]:
        listener = TlsListener(ServerTls(issued.certificate, issued.key, **asked), "the broker")
        tls = tls or ClientTls(authority=self.authority.certificate)
        return self.start(listener=listener, qos=1, tls=tls)

    async def test_messages_go_through_tls(self) -> None:
        broker, stream = self.secured(self.authority.issue("127.0.0.1"))
        stream.give(messages(500))
        await broker.when(lambda: stream.arrived == 500)
        self.assertEqual([each.payload for each in broker.published()], [each.payload for each in messages(500)])

    async def test_both_sides_show_certificates(self) -> None:
        own = self.authority.issue("client.example.net")
        tls = ClientTls(self.authority.certificate, "broker.example.net", own.certificate, own.key)
        asked = {"clients": Clients.REQUIRED, "authority": self.authority.certificate}
        asked["identities"] = ("client.example.net",)
        broker, stream = self.secured(self.authority.issue("broker.example.net"), tls, **asked)
        stream.give(messages(1))
        await broker.when(lambda: stream.arrived == 1)

    async def test_who_is_not_the_broker_is_refused(self) -> None:
        issue, day = self.authority.issue_oddly, timedelta(days=1)
        for issued, why in (
            (issue("127.0.0.1", valid=(-2 * day, -day)), "its certificate has expired"),
            (
                self.authority.issue("broker.example.net"),
                "its certificate is for broker.example.net, not for 127.0.0.1",
            ),
            (Authority(self.folder, "other").issue("127.0.0.1"), "its certificate is by an authority that is not ours"),
        ):
            with self.subTest(why=why):
                broker, stream = self.secured(issued)
                await broker.when(lambda: len(stream.problems) > 2)  # noqa: B023
                self.assertRegex(stream.problems[0], f"^the MQTT broker 127.0.0.1:.*: no TLS with .*: {why}")
                self.assertEqual(broker.got(CONNECT), [])

    async def test_a_broker_without_tls_gets_nothing(self) -> None:
        broker, stream = self.start(
            lambda connection, got: None if got.kind else connection.send(packet(CONNACK, b"\0\0")),
            tls=ClientTls(authority=self.authority.certificate),
            user="u",
            password="p",
        )
        await broker.when(lambda: len(stream.problems) > 1)
        self.assertIn("it does not speak TLS (first octets 20 02 00 00)", stream.problems[0])

    def test_secrets_that_others_can_read_are_refused(self) -> None:
        own = self.authority.issue("client.example.net")
        password = self.folder / "password"
        password.write_text("sekrit\n")
        for path, settings in (
            (own.key, {"tls": ClientTls(None, None, own.certificate, own.key)}),
            (password, {"user": "u", "password": password}),
        ):
            with self.subTest(path=path):
                path.chmod(0o640)
                why = f"{path}: others than its owner may use the .*; chmod 600 it"
                self.assertRaisesRegex(BadFile, why, self.made, **settings)
                path.chmod(0o600)
                self.made(**settings)
        for text, why in (("", "has no password"), ("\n", "has no password")):
            password.write_text(text)
            self.assertRaisesRegex(BadFile, why, self.made, user="u", password=password)

    @staticmethod
    def made(**settings: Any) -> MqttCarrier:
        return MqttCarrier(MqttSettings(HostPort("127.0.0.1", 1), "c", **settings), reactor)

    async def test_the_password_of_a_file_is_that_of_now(self) -> None:
        password = self.folder / "password"
        password.touch(0o600)
        password.write_text("first\nnot this\n")
        broker, stream = self.start(user="u", password=password)
        await broker.when(lambda: None in stream.told)
        password.write_text("second")
        broker.connections[0].transport.loseConnection()
        await broker.when(lambda: len(broker.got(CONNECT)) == 2)
        self.assertEqual(
            [each.body[-8:].rpartition(b"\0")[2][1:] for each in broker.got(CONNECT)], [b"first", b"second"]
        )


class BlockTests(SynchronousTestCase):
    """From a block to its stream."""

    def stream(self, **settings: Any) -> Any:
        config = MqttStream(server=Server(host="localhost", port=1883), rx=SEEN, **settings)
        return output_for(StreamBlock("m.s", Span(0, 0), config, StreamType(SEEN)), Clock(), instance="west")

    def test_the_shortest_block(self) -> None:
        settings = self.stream().carrier.settings
        self.assertEqual((settings.client_id, settings.state_topic), ("rotonda-west-m.s", "rotonda/west/state"))
        self.assertEqual((settings.qos, settings.tls, settings.user, settings.password), (0, None, None, None))

    def test_all_settings_get_there(self) -> None:
        tls = BrokerTls(name="mqtt.example.net")
        given = {"tls": tls, "user": "u", "password": "p", "client_id": "c", "qos": 2, "retain": True, "window": 7}
        settings = self.stream(
            version="V5", state_topic="", keep_alive=9.0, session_expiry=60.0, **given
        ).carrier.settings
        self.assertEqual(
            settings,
            MqttSettings(
                HostPort("localhost", 1883),
                "c",
                V5,
                ClientTls(name="mqtt.example.net"),
                "u",
                "p",
                2,
                True,
                7,
                9,
                60,
                "",
            ),
        )

    def test_a_message_is_the_json_of_a_record(self) -> None:
        (message,) = mqtt.messages_of("{stream}/{asn}", SEEN, names("west", "m.s"))([seen(3)], 0.0)
        self.assertEqual(message[:2], ("m.s/AS3", None))
        self.assertEqual([message.payload + b"\n"], json_lines(SEEN)([seen(3)], 0.0))

    def test_what_can_never_be_is_a_refusal(self) -> None:
        for settings, why in (
            ({"topic": "{nobody}"}, "m.s: nothing is called nobody"),
            ({"user": "u", "password_file": "/nowhere/secret"}, "m.s: /nowhere/secret cannot be read: No such file"),
            ({"tls": BrokerTls(authority="/nowhere/ca.pem")}, "m.s: /nowhere/ca.pem cannot be read: No such file"),
            ({"tls": BrokerTls(name="what is this")}, "m.s: 'what is this' is no name that a certificate can have"),
        ):
            with self.subTest(settings=settings):
                self.assertRaisesRegex(BadStream, why, self.stream, **settings)

    def test_without_the_library_it_is_told_how_to_get_it(self) -> None:
        self.addCleanup(sys.modules.__setitem__, "rotonda.outputs.mqtt", mqtt)
        sys.modules["rotonda.outputs.mqtt"] = None  # type: ignore[assignment]  # as if it could not be imported
        self.assertRaisesRegex(BadStream, r"pip install 'rotoro\[mqtt\]'", self.stream)


class PacketTests(SynchronousTestCase):
    @given(st.lists(st.sampled_from(("\x40\x02\0\1", "\xd0\0", "\x50\x03\0\1\0")), max_size=20), st.data())
    def test_however_octets_are_cut_they_are_the_same_packets(self, answers: list[str], data: st.DataObject) -> None:
        whole = [b"\x20\x02\0\0", *(each.encode("latin-1") for each in answers)]
        octets, packets, taken = b"".join(whole), Packets(), []
        while octets:
            size = data.draw(st.integers(1, len(octets)))
            packets.add(octets[:size])
            octets = octets[size:]
            taken += packets.take(100)
        self.assertEqual(taken, whole)
        self.assertEqual(packets.waiting, 0)

    @given(st.binary(min_size=1, max_size=200), st.booleans())
    def test_nonsense_is_known_or_waited_for(self, octets: bytes, begun: bool) -> None:
        packets = Packets()
        if begun:
            packets.add(b"\x20\x02\0\0")
            packets.take(1)
        packets.add(octets)
        try:
            taken = packets.take(1000)
        except NotMqtt as wrong:
            self.assertTrue(str(wrong).startswith("it ") and str(wrong).isascii() and str(wrong).isprintable())
        else:
            self.assertEqual(sum(map(len, taken)) + packets.waiting, len(octets))
