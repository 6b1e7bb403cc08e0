"""The output stream that a block of the language declares."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from rotonda.blocks.configs import FileStream, KafkaStream, LogStream, MqttStream
from rotonda.blocks.program import StreamBlock
from rotonda.blocks.types import RecordType
from rotonda.outputs.file import FileSink, csv_header, csv_line, json_line
from rotonda.outputs.log import DescriptorSink, SyslogSink, dated_line, log_line, syslog_line
from rotonda.outputs.stream import QueuedStream, Stream
from rotonda.outputs.unconnected import UnconnectedStream

InThread = Callable[..., Deferred[Any]]


class BadStream(ValueError):
    """A stream that cannot be as it is declared; says which, and why."""


def output_for(block: StreamBlock, reactor: Any, in_thread: InThread = deferToThread) -> Stream:
    """The stream of a block, a service that writes while it runs. Raises BadStream."""
    check_stream(block)
    record = block.type.record
    match block.config:
        case LogStream() as config:
            return _log(block.name, config, record, reactor, in_thread)
        case FileStream() as config:
            is_csv = config.format == "CSV"
            line = csv_line(record) if is_csv else json_line(record)
            sink = FileSink(config.path, csv_header(record) if is_csv else b"", config.rotate, config.keep)
            return QueuedStream(block.name, line, sink, reactor, in_thread=in_thread)
        case MqttStream(server=server):
            return UnconnectedStream(block.name, f"the MQTT broker {server.host}:{server.port}")
        case KafkaStream(brokers=brokers):
            return UnconnectedStream(block.name, f"Kafka at {', '.join(brokers)}")
        case _:
            return UnconnectedStream(block.name, "this stream")


def check_stream(block: StreamBlock) -> None:
    """What no setting by itself can be blamed for. Raises BadStream."""
    config, record = block.config, block.type.record
    if isinstance(config, LogStream) and config.target == "FILE" and not config.file:
        raise BadStream(f"{block.name}: a log with target FILE needs a file")
    if isinstance(config, FileStream) and config.format == "CSV" and not record.fields:
        raise BadStream(f"{block.name}: CSV needs a record type with fields")
    if isinstance(config, KafkaStream):
        if config.key is not None and record.field(config.key.replace("-", "_")) is None:
            raise BadStream(f"{block.name}: {record} has no field {config.key}")
        if not config.brokers:
            raise BadStream(f"{block.name}: there are no brokers")


def _log(title: str, config: LogStream, record: RecordType, reactor: Any, in_thread: InThread) -> Stream:
    line = log_line(record)
    if config.target == "SYSLOG":
        message = syslog_line(title, config.level, config.facility, line, os.getpid())
        return QueuedStream(title, message, SyslogSink(), reactor, in_thread=in_thread)
    sink = DescriptorSink() if config.target == "STDERR" else FileSink(str(config.file))
    return QueuedStream(title, dated_line(title, config.level, line), sink, reactor, in_thread=in_thread)
