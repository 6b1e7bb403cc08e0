"""Streams to MQTT brokers, 3.1.1 and 5: paho-mqtt speaks it, over connections of Twisted's.

QoS 1 and 2 keep their promise across connections: what was not confirmed stays with the library and goes again, in
order, under its number, as long as the broker remembers our session; if it does not, or the number of messages on their
way got smaller, they go back to the stream and first again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from random import random
from typing import Any, NamedTuple

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from rotonda.blocks.configs import BrokerTls, MqttStream
from rotonda.blocks.program import StreamBlock
from rotonda.blocks.topic_templates import MQTT_TOPICS, BadTemplate
from rotonda.blocks.types import RecordType
from rotonda.blocks.values import RecordValue
from rotonda.filters.json_records import json_of
from rotonda.outputs.broker import BrokerStream
from rotonda.outputs.carrier import Carried, MakeMessages, Message, messages
from rotonda.outputs.mqtt_wire import CONNACK, LARGEST, PUBCOMP, PUBREC, NotMqtt, Wire
from rotonda.outputs.overflow import QueueSettings
from rotonda.outputs.stream import BadStream
from rotonda.outputs.topics import NoTopic, fixed_topic, names, topic_of
from rotoro.net.endpoints import ClientTls, HostPort
from rotoro.net.tls import TlsClient
from rotoro.net.tls_files import BadFile, secret

CONNECT_SECONDS = 20.0
"""How long it may take from the name of a broker to its CONNACK."""

ANSWER_SECONDS = 30.0
"""After what time a connection is given up on which messages wait and nothing is confirmed."""

STEADY_SECONDS = 10.0
"""A connection that lasted so long was a good one: the next is made soon."""

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between attempts to connect."""

SLICE_SECONDS = 0.003
"""How long answers are looked at, and messages taken, at a time."""

CLOSINGS_SUSPECTED, CLOSINGS_CERTAIN = 2, 5
"""Connections in a row that the broker closed on our messages: then they go one by one, then that one is refused."""

MOST_OCTETS = 268_435_455
"""Of a packet (MQTT 5 section 1.5.5)."""

ONLINE, OFFLINE = b"online", b"offline"

_PACKETS_AT_ONCE = 32
_MESSAGES_AT_ONCE = 32
_OVERHEAD = 12
"""Octets of a PUBLISH besides topic and payload, at most."""

_KEEP_ALIVE_TIMEOUT, _PROTOCOL_ERROR, _FIRST_FAILURE = 141, 130, 128
_ABOUT_A_MESSAGE = {135, 144, 149, 153, 154, 155}
"""Reasons of a DISCONNECT: not authorized, topic name, packet size, payload, retain, QoS (MQTT 5 section 3.14)."""

_VERSIONS = {"V3_1_1": MQTTProtocolVersion.MQTTv311, "V5": MQTTProtocolVersion.MQTTv5}


class MqttSettings(NamedTuple):
    """How one broker is spoken to; `window` are messages that it has not confirmed, `password` is read from a file."""

    where: HostPort
    client_id: str
    version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311
    tls: ClientTls | None = None
    user: str | None = None
    password: str | Path | None = None
    qos: int = 0
    retain: bool = False
    window: int = 250
    keep_alive: int = 60
    session_expiry: int = 3600
    state_topic: str = ""


def mqtt_stream(block: StreamBlock, queue: QueueSettings, instance: str, reactor: Any, in_thread: Any) -> BrokerStream:
    """The stream of a block of this instance. Raises BadStream."""
    config = block.config
    assert isinstance(config, MqttStream)
    named = names(instance, block.name)
    try:
        made = messages_of(config.topic, block.type.record, named)
        carrier = MqttCarrier(_settings(config, named, block.name), reactor)
    except (BadTemplate, NoTopic, ValueError) as bad:
        raise BadStream(f"{block.name}: {bad}") from None
    return BrokerStream(block.name, made, carrier, queue, reactor, in_thread)


def messages_of(topic: str, record: RecordType, named: Mapping[str, str]) -> MakeMessages:
    """What makes messages of records, each the record's JSON. Raises BadTemplate and NoTopic."""
    of, write = topic_of(topic, MQTT_TOPICS, record, named), json_of(record)

    def made(records: Sequence[RecordValue], sent: float) -> list[Message]:
        return messages(map(of, records), repeat(None), write(records)[0])

    return made


def _settings(config: MqttStream, named: Mapping[str, str], stream: str) -> MqttSettings:
    tls = config.tls if isinstance(config.tls, BrokerTls) else BrokerTls() if config.tls else None
    file = config.password_file
    return MqttSettings(
        where=HostPort(str(config.server.host), config.server.port),
        client_id=config.client_id or "-".join(filter(None, ("rotonda", named["instance"], stream))),
        version=_VERSIONS[config.version],
        tls=None if tls is None else ClientTls(_path(tls.authority), tls.name, _path(tls.certificate), _path(tls.key)),
        user=config.user,
        password=_path(file) if file is not None else config.password,
        qos=config.qos,
        retain=config.retain,
        window=config.window,
        keep_alive=round(config.keep_alive),
        session_expiry=round(config.session_expiry),
        state_topic=fixed_topic(config.state_topic, MQTT_TOPICS, named) if config.state_topic else "",
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).absolute()


class _Client(Client):
    """The library's client, on a connection that is there."""

    wire: Wire | None = None

    def _create_socket(self) -> Any:
        return self.wire


class MqttCarrier:
    """The connection to one broker, made again and again. BadFile or ValueError if it can never be."""

    log = Logger()

    def __init__(self, settings: MqttSettings, reactor: Any) -> None:
        self.settings = settings
        self.name = f"the MQTT broker {settings.where}"
        self._reactor = reactor
        self._tls = None
        if settings.tls is not None:
            self._tls = TlsClient(settings.tls, self.name, settings.where.host, (), self._no_tls)
        self._password()  # a file that cannot be read is told at once
        self._backoff = backoffPolicy(SHORTEST_PAUSE, LONGEST_PAUSE, 2.0, lambda: random() * SHORTEST_PAUSE)
        self._stream: Carried
        self._is_v5 = settings.version == MQTTProtocolVersion.MQTTv5
        self._fresh = settings.qos > 0
        """Whether a session of an earlier life is to be forgotten, whose numbers of messages mean something else."""
        self._renews = False
        """Whether that was just done."""
        self._client: _Client = self._new_client()
        self._wire: Wire | None = None
        self._attempt: Deferred[Any] | None = None
        self._late: Any = None
        self._again: Any = None
        self._reads: Any = None
        self._looks: Any = None
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = reactor
        self._why = ""
        self._blames = False
        """Whether the broker said that it ended the connection because of a message."""
        self._failures = 0
        self._connected = False
        self._connected_at = self._moved_at = 0.0
        self._limit = settings.window
        self._largest = MOST_OCTETS
        self._flying: dict[int, Message] = {}
        """Messages that the broker has not confirmed, in the order in which they were given, by their numbers."""
        self._state: int | None = None
        """The number of what was said of our state, while the broker has not confirmed it."""
        self._denied: dict[int, str] = {}
        self._arrived = 0
        self._refused: list[tuple[Message, str]] = []
        self._closings = 0
        self._confirmed = False
        self._closing = self._leaving = False
        self._closed: Deferred[list[Message]] | None = None

    # --- for the stream ----------------------------------------------------------------------------------------------

    def open(self, stream: Carried) -> None:
        """Connect, and go on trying."""
        self._stream = stream
        self._connect()

    def give(self, messages: Sequence[Message]) -> int:
        """Take as many messages as may be on their way."""
        if not self._connected or self._closing or self._client.socket() is None:
            return 0
        taken, until, room = 0, self._reactor.seconds() + SLICE_SECONDS, max(0, self._room())
        while taken < room and taken < len(messages) and self._reactor.seconds() <= until:
            piece = messages[taken : min(taken + _MESSAGES_AT_ONCE, room)]
            sent = self._send(piece)
            taken += sent
            if sent < len(piece):
                break
        self._write()
        self._tell()
        if taken < len(messages):
            self._look_for_room()
        return taken

    def _send(self, messages: Sequence[Message]) -> int:
        """Have the library send these; how many it took."""
        qos, retain = self.settings.qos, self.settings.retain
        for taken, message in enumerate(messages):
            size = len(message.topic.encode()) + len(message.payload) + _OVERHEAD
            if size > self._largest:
                why = f"it has {size:,} octets, and {self.name} takes {self._largest:,}"
                self._refused.append((message, why))
            else:
                sent = self._client.publish(message.topic, message.payload, qos, retain)
                if sent.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                    return taken  # its number is that of one that waits since long; the next will do
                self._flying[sent.mid] = message
        return len(messages)

    def close(self, seconds: float) -> Deferred[list[Message]]:
        """Deliver what is on its way, say that we are offline, and go."""
        self._closing = True
        self._stop(self._again)
        if not self._connected:
            self._drop()
            return succeed(self._left())
        self._closed = Deferred()
        self._late = self._reactor.callLater(seconds, self._part)
        self._leave()
        return self._closed

    def reopen(self) -> None:
        """Read certificates again, and try at once if there is no connection."""
        if self._tls is not None:
            self._tls.renew()
        if self._again is not None and self._again.active():
            self._failures = 0
            self._again.reset(0)

    def _room(self) -> int:
        if self._suspects:  # one message at a time, on a connection that is known to work
            return 0 if self._flying or self._state is not None else 1
        return self._limit - len(self._flying)

    @property
    def _suspects(self) -> bool:
        """Whether the broker seems to close connections because of a message."""
        return self._closings >= CLOSINGS_SUSPECTED

    # --- connecting --------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        where = self.settings.where
        endpoint = HostnameEndpoint(self._reactor, where.host, where.port, timeout=CONNECT_SECONDS)
        factory: Any = Factory.forProtocol(lambda: Wire(self, self._reactor))
        factory.noisy = False
        if self._tls is not None:
            factory = self._tls.wrap(factory, self._reactor)
        self._why, self._blames = "", False
        self._late = self._reactor.callLater(CONNECT_SECONDS, self._took_too_long)
        self._attempt = endpoint.connect(factory)
        self._attempt.addErrback(self._not_connected)

    def _not_connected(self, failure: Failure) -> None:
        if self._wire is None and not self._closing:
            self._failed(self._why or f"no connection: {failure.getErrorMessage()}")

    def _took_too_long(self) -> None:
        if self._wire is not None:
            self._give_up(f"it has not answered CONNECT for {CONNECT_SECONDS:.0f} s")
        elif self._attempt is not None:
            self._why = f"no connection in {CONNECT_SECONDS:.0f} s"
            self._attempt.cancel()

    def _no_tls(self, why: str) -> None:
        self._why = self._why or why

    def _failed(self, why: str) -> None:
        """There is no connection: try again later."""
        self._stop(self._late)
        self._again = self._reactor.callLater(self._backoff(self._failures), self._connect)
        self._failures += 1
        self._stream.trouble(f"{self.name}: {why}")

    def made(self, wire: Wire) -> None:
        """There is a connection: speak MQTT on it."""
        self._wire = wire
        if self._closing:
            return wire.abort()
        settings, client = self.settings, self._client
        client.wire = wire
        try:
            client.username_pw_set(settings.user, self._password())
        except BadFile as bad:
            return self._give_up(str(bad))
        options: dict[str, Any] = {}
        if self._is_v5:
            known = Properties(PacketTypes.CONNECT)
            known.MaximumPacketSize = LARGEST
            known.SessionExpiryInterval = settings.session_expiry if settings.qos else 0
            options = {"clean_start": self._fresh or not settings.qos, "properties": known}
        client.connect(settings.where.host, settings.where.port, settings.keep_alive, **options)
        self._ticks.start(1.0, now=False).addErrback(self._stuck)
        self._write()

    def _new_client(self) -> _Client:
        """A client for the session that is due: in 3.1.1 one is forgotten by another, a short one that is not kept."""
        settings = self.settings
        client = _Client(
            CallbackAPIVersion.VERSION2,
            settings.client_id,
            None if self._is_v5 else self._fresh or not settings.qos,
            protocol=settings.version,
            reconnect_on_failure=False,
        )
        client.max_inflight_messages = 0  # we count them
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_socket_register_write = lambda *_: None  # we look ourselves, after each turn
        if settings.state_topic and not self._forgets:
            client.will_set(settings.state_topic, OFFLINE, min(settings.qos, 1), True)
        return client

    @property
    def _forgets(self) -> bool:
        """Whether this connection is only made to have a session forgotten."""
        return self._fresh and not self._is_v5

    def _password(self) -> str | None:
        given = self.settings.password
        return secret(given) if isinstance(given, Path) else given

    # --- what the library says ---------------------------------------------------------------------------------------

    def _on_connect(
        self, client: Client, _: Any, flags: ConnectFlags, reason: ReasonCode, told: Properties | None
    ) -> None:
        if reason.is_failure:
            self._why = f"it refuses us: {_said(reason, told)}"
            return
        if self._forgets:
            self._fresh, self._renews = False, True
            client.disconnect()
            return
        self._limit = min(self.settings.window, getattr(told, "ReceiveMaximum", self.settings.window))
        self._largest = getattr(told, "MaximumPacketSize", MOST_OCTETS)
        if getattr(told, "MaximumQoS", 2) < self.settings.qos:
            return self._give_up(f"it takes no messages of QoS {self.settings.qos}")
        if self.settings.retain and not getattr(told, "RetainAvailable", 1):
            return self._give_up("it retains no messages")
        self._stop(self._late)
        self._fresh, self._connected, self._confirmed = False, True, False
        self._connected_at = self._moved_at = self._reactor.seconds()
        if not flags.session_present or len(self._flying) > self._limit:
            self._take_back(f"{self.name} has forgotten our session")
        self._say(ONLINE)
        self._stream.trouble(None)
        self._look_for_room()

    def _on_disconnect(
        self, client: Client, _: Any, flags: DisconnectFlags, reason: ReasonCode, told: Properties | None
    ) -> None:
        if self._why or self._closing or self._renews:
            return
        if flags.is_disconnect_packet_from_server:
            self._blames = reason.value in _ABOUT_A_MESSAGE
            self._why = f"it ends the connection: {_said(reason, told)}"
        elif reason.value == _KEEP_ALIVE_TIMEOUT:
            self._why = f"nothing was heard of it for {self.settings.keep_alive} s"
        elif reason.value == _PROTOCOL_ERROR:
            self._why = "it sends what is not MQTT"

    def _on_publish(self, client: Client, _: Any, number: int, reason: ReasonCode, told: Properties | None) -> None:
        message = self._flying.pop(number, None)
        denied = self._denied.pop(number, "")
        if number == self._state:
            self._state = None
        if message is None:
            return
        if denied or reason.value >= _FIRST_FAILURE:
            self._refused.append((message, f"{self.name} refuses it: {denied or _said(reason, told)}"))
        else:
            self._arrived += 1

    # --- reading and writing -----------------------------------------------------------------------------------------

    def arrived(self, wire: Wire) -> None:
        """Answers have come."""
        if wire is self._wire and (self._reads is None or not self._reads.active()):
            self._read(wire)

    def writable(self, wire: Wire) -> None:
        """More can be written."""
        if wire is self._wire:
            self._write()
            self._tell()

    def _read(self, wire: Wire) -> None:
        """Look at answers for a moment; the broker may wait with more until we are through with what is here."""
        until, client, more = self._reactor.seconds() + SLICE_SECONDS, self._client, False
        try:
            while wire is self._wire and (packets := wire.packets.take(_PACKETS_AT_ONCE)):
                wire.feed([self._judged(packet) for packet in packets])
                while wire.fed and client.socket() is not None:
                    client.loop_read()
                more = self._reactor.seconds() >= until
                if more:
                    break
        except NotMqtt as wrong:
            self._give_up(str(wrong))
        except Exception:
            self.log.failure("{name}: what it sends cannot be read", name=self.name)
            self._give_up("it sends what cannot be read")
        self._write()
        self._tell()
        if wire is self._wire:
            wire.read_no_more(more)
            if more:
                self._reads = self._reactor.callLater(0, self._read, wire)

    def _judged(self, packet: bytes) -> bytes:
        """What the library is to see of a packet: that a PUBREC refuses it does not notice (MQTT 5 section 4.3.3).

        Nor does it say that its version is refused, as it would try another.
        """
        if packet[0] >> 4 == CONNACK and not self._is_v5 and packet[3:] == b"\1":
            self._why = "it refuses us: Unsupported protocol version"
        if not (self._is_v5 and packet[0] >> 4 == PUBREC and len(packet) >= 5 and packet[4] >= _FIRST_FAILURE):
            return packet
        reason = ReasonCode(PacketTypes.PUBREC, identifier=packet[4])
        self._denied[int.from_bytes(packet[2:4])] = str(reason)
        return bytes((PUBCOMP << 4, 2)) + packet[2:4]

    def _write(self) -> None:
        """Have the library write what it has, and hand it on."""
        if self._wire is not None:
            self._client.loop_write()
        if self._wire is not None:
            self._wire.flush()

    def _tell(self) -> None:
        """Tell the stream what has become of its messages."""
        arrived, self._arrived = self._arrived, 0
        refused, self._refused = self._refused, []
        if arrived or refused:
            self._moved_at = self._reactor.seconds()
            self._closings, self._confirmed = 0, True
        if arrived:
            self._stream.delivered(arrived)
        for message, why in refused:
            self._stream.refused(message, why)
        if self._closing:
            self._leave()
        elif arrived or refused or self._suspects:
            self._look_for_room()

    def _look_for_room(self) -> None:
        """Soon, as the stream may be about to give something."""
        if self._looks is None or not self._looks.active():
            self._looks = self._reactor.callLater(0, self._has_room)

    def _has_room(self) -> None:
        if self._connected and not self._closing and self._room() > 0:
            self._stream.has_room()

    def _tick(self) -> None:
        """Once a second: signs of life, and an end to waiting."""
        self._client.loop_misc()
        self._write()
        waits = self._flying or self._state is not None
        if not waits:
            self._moved_at = self._reactor.seconds()
        elif self._connected and self._reactor.seconds() - self._moved_at > ANSWER_SECONDS:
            self._give_up(
                f"it has confirmed nothing for {ANSWER_SECONDS:.0f} s, and {len(self._flying):,} messages wait"
            )

    def _stuck(self, bug: Failure) -> None:
        self.log.failure("{name}: no sign of life can be given", bug, name=self.name)
        self._give_up("no sign of life could be given")

    # --- the end of a connection -------------------------------------------------------------------------------------

    def _give_up(self, why: str) -> None:
        """End the connection."""
        self._why = self._why or why
        if self._wire is not None:
            self._wire.abort()

    def lost(self, wire: Wire, reason: Failure) -> None:
        """The connection is gone."""
        if wire is not self._wire:
            return
        was_connected, steady = self._connected, self._reactor.seconds() - self._connected_at >= STEADY_SECONDS
        self._drop()
        if self._closing:
            return self._finish()
        if self._renews:
            self._renews = False
            self._client = self._new_client()
            return self._connect()
        if was_connected:
            self._failures = 0 if steady else self._failures
            self._look_for_the_cause(self._blames or not self._why)
        self._failed(self._why or _ended(reason))

    def _look_for_the_cause(self, closed: bool) -> None:
        """A broker of 3.1.1 that does not like a message can only close the connection, again and again."""
        if self.settings.qos == 0:
            return self._take_back("the connection was lost")
        if closed and self._flying and not self._confirmed:
            self._closings += 1
        if not self._suspects:
            return
        if self._closings >= CLOSINGS_CERTAIN and len(self._flying) == 1 and self._state is None:
            (message,) = self._flying.values()
            self._forget()
            self._stream.refused(message, f"{self.name} ends the connection whenever it gets this ({_size(message)})")
            self._closings = CLOSINGS_SUSPECTED
            self._failures = 0  # the next message is not to blame
        self._take_back("the connection was lost")

    def _take_back(self, why: str) -> None:
        """The stream gets back what was not confirmed, and gives it again."""
        flying = list(self._flying.values())
        self._forget()
        if flying:
            self._stream.returned(flying, why)

    def _forget(self) -> None:
        self._client.drop_out_messages()
        self._flying.clear()
        self._state = None

    def _drop(self) -> None:
        """There is no connection, or it is of no use any more."""
        wire, self._wire, self._connected = self._wire, None, False
        for call in (self._late, self._reads, self._looks):
            self._stop(call)
        if self._ticks.running:
            self._ticks.stop()
        if wire is not None:
            wire.abort()
        elif self._attempt is not None:
            self._attempt.cancel()

    @staticmethod
    def _stop(call: Any) -> None:
        if call is not None and call.active():
            call.cancel()

    # --- the end of it all -------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        """When nothing is on its way, say that we go; when that has come, go."""
        if self._flying or not self._connected or self._closed is None:
            return
        if not self._leaving:
            self._leaving = True
            self._say(OFFLINE)
            self._write()
        if self._state is None:
            self._part()

    def _part(self) -> None:
        """Go now."""
        if not self._connected:
            return self._finish()
        self._connected = False
        if not self._leaving:
            self._say(OFFLINE)
        told = None
        if self._is_v5 and not self._flying:
            told = Properties(PacketTypes.DISCONNECT)
            told.SessionExpiryInterval = 0
        self._client.disconnect(properties=told)
        self._write()
        self._stop(self._late)
        self._late = self._reactor.callLater(1.0, self._finish)

    def _say(self, state: bytes) -> None:
        """What others may know of us."""
        if self.settings.state_topic:
            sent: MQTTMessageInfo = self._client.publish(
                self.settings.state_topic, state, min(self.settings.qos, 1), True
            )
            self._state = sent.mid if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def _finish(self) -> None:
        self._drop()
        closed, self._closed = self._closed, None
        if closed is not None:
            closed.callback(self._left())

    def _left(self) -> list[Message]:
        left = list(self._flying.values())
        self._forget()
        return left


def _said(reason: ReasonCode, told: Properties | None) -> str:
    """A reason, with the words of the broker, for people."""
    words = getattr(told, "ReasonString", "")
    return f"{reason} ({ascii(words[:100])[1:-1]})" if words else str(reason)


def _ended(reason: Failure) -> str:
    return "it has ended the connection" if reason.check(ConnectionDone) else reason.getErrorMessage()


def _size(message: Message) -> str:
    return f"{len(message.payload):,} octets"
