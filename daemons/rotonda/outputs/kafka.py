"""Streams to Kafka: records as JSON, and messages that are made already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any

from rotonda.blocks.configs import KafkaStream, RawTopic
from rotonda.blocks.program import StreamBlock
from rotonda.blocks.syntax import canonical
from rotonda.blocks.topic_templates import KAFKA_TOPICS
from rotonda.blocks.types import RecordType
from rotonda.blocks.values import RecordValue
from rotonda.filters.json_records import json_of
from rotonda.filters.written import words
from rotonda.outputs.broker import BrokerStream
from rotonda.outputs.carrier import MakeMessages, Message, messages
from rotonda.outputs.kafka_carrier import InThread, KafkaCarrier
from rotonda.outputs.kafka_settings import need_library
from rotonda.outputs.overflow import QueueSettings
from rotonda.outputs.stream import BadStream
from rotonda.outputs.topics import fixed_topic, names, topic_of

_KEPT = 1 << 12


def json_messages(type: RecordType, topic: Callable[[RecordValue], str], key: str | None) -> MakeMessages:
    """What makes messages of records: JSON, with the text of a field as the key."""
    name = None if key is None else canonical(key)
    write, text = json_of(type, name), _key(type, name)

    def made(records: Sequence[RecordValue], sent: float) -> list[Message]:
        payloads, values = write(records)
        return messages(map(topic, records), map(text, values), payloads)

    return made


def _key(type: RecordType, name: str | None) -> Callable[[Any], bytes | None]:
    field = None if name is None else type.field(name)
    say = words(None if field is None else field.type)

    @lru_cache(_KEPT)
    def written(value: Any) -> bytes | None:
        return None if value is None else say(value).encode("utf-8", "backslashreplace")

    return written


def kafka_stream(
    block: StreamBlock, queue: QueueSettings, instance: str, reactor: Any, in_thread: InThread
) -> BrokerStream:
    """The stream of a block. Raises BadStream."""
    config = block.config
    assert isinstance(config, KafkaStream)
    need_library(block.name)
    try:
        topic = topic_of(config.topic, KAFKA_TOPICS, block.type.record, names(instance, block.name))
    except ValueError as wrong:
        raise BadStream(f"{block.name}: topic: {wrong}") from None
    made = json_messages(block.type.record, topic, config.key)
    return BrokerStream(block.name, made, KafkaCarrier(config, reactor, in_thread), queue, reactor, in_thread)


class RawStream(BrokerStream):
    """Messages that are made already, for one topic."""

    def __init__(
        self, title: str, topic: str, carrier: KafkaCarrier, queue: QueueSettings, reactor: Any, in_thread: InThread
    ) -> None:
        super().__init__(title, _as_they_are, carrier, queue, reactor, in_thread)
        self._topic = topic

    def publish(self, key: bytes, payloads: Sequence[bytes]) -> None:
        """Send these, in this order."""
        made: Sequence[Any] = messages(repeat(self._topic), repeat(key), payloads)
        self.send_all(made)


def _as_they_are(messages: Sequence[Any], sent: float) -> list[Message]:
    return list(messages)


def raw_stream(title: str, config: RawTopic, instance: str, reactor: Any, in_thread: InThread) -> RawStream:
    """The stream of messages of a unit as they came. Raises BadStream."""
    need_library(title)
    if config.overflow == "SPILL" and not config.spill:
        raise BadStream(f"{title}: overflow SPILL needs a folder to spill to: spill")
    try:
        topic = fixed_topic(config.topic, KAFKA_TOPICS, names(instance, title))
    except ValueError as wrong:
        raise BadStream(f"{title}: topic: {wrong}") from None
    queue = QueueSettings.of(config, f"{instance}.{title}")
    return RawStream(title, topic, KafkaCarrier(config, reactor, in_thread), queue, reactor, in_thread)
