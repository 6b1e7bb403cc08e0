"""The output stream that a block of the language declares."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from rotonda.blocks.configs import FileStream, KafkaStream, LogStream, MqttStream, StreamQueue
from rotonda.blocks.program import StreamBlock
from rotonda.blocks.types import RecordType
from rotonda.outputs.file import FileSink, Fsync, csv_header, csv_lines, json_lines
from rotonda.outputs.log import DescriptorSink, SyslogSink, dated_lines, log_line, syslog_lines
from rotonda.outputs.overflow import QueueSettings
from rotonda.outputs.sinks import sink_stream
from rotonda.outputs.stream import BadStream, Stream
from rotonda.outputs.unconnected import UnconnectedStream

InThread = Callable[..., Deferred[Any]]


def output_for(
    block: StreamBlock, reactor: Any, in_thread: InThread = deferToThread, instance: str = ""
) -> Stream:  # fmt: skip
    """The stream of a block of this instance, a service that writes while it runs. Raises BadStream."""
    check_stream(block)
    record = block.type.record
    match block.config:
        case LogStream() as config:
            return _log(block, config, instance, reactor, in_thread)
        case FileStream() as config:
            lines = csv_lines(record) if config.format == "CSV" else json_lines(record)
            queue = queue_of(block, config, instance)
            return sink_stream(block.name, lines, _file(config, record), queue, reactor, in_thread)
        case MqttStream() as config:
            return _mqtt(block, queue_of(block, config, instance), instance, reactor, in_thread)
        case KafkaStream() as config:
            return _kafka(block, queue_of(block, config, instance), instance, reactor, in_thread)
        case _:
            return UnconnectedStream(block.name, "this stream")


def check_stream(block: StreamBlock) -> None:
    """What no setting by itself can be blamed for. Raises BadStream."""
    config, record = block.config, block.type.record
    if isinstance(config, StreamQueue) and config.overflow == "SPILL" and not config.spill:
        raise BadStream(f"{block.name}: overflow SPILL needs a folder to spill to: spill")
    if isinstance(config, LogStream) and config.target == "FILE" and not config.file:
        raise BadStream(f"{block.name}: a log with target FILE needs a file")
    if isinstance(config, FileStream) and config.format == "CSV" and not record.fields:
        raise BadStream(f"{block.name}: CSV needs a record type with fields")
    if isinstance(config, KafkaStream):
        if config.key is not None and record.field(config.key.replace("-", "_")) is None:
            raise BadStream(f"{block.name}: {record} has no field {config.key}")
        if not config.brokers:
            raise BadStream(f"{block.name}: there are no brokers")


def _mqtt(block: StreamBlock, queue: QueueSettings, instance: str, reactor: Any, in_thread: InThread) -> Stream:
    """Only here, as it needs a library that not everybody has."""
    try:
        from rotonda.outputs.mqtt import mqtt_stream
    except ModuleNotFoundError:
        raise BadStream(f"{block.name}: MQTT needs a library: pip install 'rotoro[mqtt]'") from None
    return mqtt_stream(block, queue, instance, reactor, in_thread)


def _kafka(block: StreamBlock, queue: QueueSettings, instance: str, reactor: Any, in_thread: InThread) -> Stream:
    """The same for Kafka."""
    from rotonda.outputs.kafka import kafka_stream

    return kafka_stream(block, queue, instance, reactor, in_thread)


def _file(config: FileStream, record: RecordType) -> FileSink:
    header = csv_header(record) if config.format == "CSV" else b""
    return FileSink(config.path, header, config.rotate, config.keep, config.rotate_every, Fsync(config.fsync))


def _log(block: StreamBlock, config: LogStream, instance: str, reactor: Any, in_thread: InThread) -> Stream:
    line, queue = log_line(block.type.record), queue_of(block, config, instance)
    if config.target == "SYSLOG":
        lines = syslog_lines(block.name, config.level, config.facility, line, os.getpid())
        return sink_stream(block.name, lines, SyslogSink(), queue, reactor, in_thread)
    sink = DescriptorSink() if config.target == "STDERR" else FileSink(str(config.file))
    return sink_stream(block.name, dated_lines(block.name, config.level, line), sink, queue, reactor, in_thread)


def queue_of(block: StreamBlock, config: StreamQueue, instance: str) -> QueueSettings:
    """What a block says of its queue; each stream of each instance has a folder of its own to spill to."""
    return QueueSettings.of(config, f"{instance}.{block.name}" if instance else block.name)
