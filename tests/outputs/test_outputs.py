"""Tests for L{rotonda.outputs.outputs}: each kind of block becomes its stream, and writes."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from rotonda.blocks.configs import FileStream, KafkaStream, LogStream, MqttStream, Server
from rotonda.blocks.places import Span
from rotonda.blocks.program import StreamBlock
from rotonda.blocks.settings import Config
from rotonda.blocks.types import RecordType, StreamType
from rotonda.outputs import outputs
from rotonda.outputs.broker import BrokerStream
from rotonda.outputs.log import DescriptorSink, SyslogSink
from rotonda.outputs.outputs import output_for
from rotonda.outputs.stream import BadStream
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.outputs.records import SEEN, seen


def block(config: Config | None, record: RecordType = SEEN) -> StreamBlock:
    return StreamBlock("m.s", Span(0, 0), config, StreamType(record))


class OutputTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "out"

    def written(self, config: Config) -> bytes:
        """What a stream has written when it has stopped."""
        clock = Clock()
        stream: Any = output_for(block(config), clock, maybeDeferred)
        stream.startService()
        stream.send_all([seen(1), seen(2)])
        over = stream.stopService()
        clock.pump([0.1] * 20)
        self.successResultOf(over)
        self.assertEqual((stream.written, stream.dropped, stream.problem), (2, 0, None))
        return self.path.read_bytes()

    def test_files(self) -> None:
        lines = self.written(FileStream(path=str(self.path), rx=SEEN)).splitlines()
        self.assertEqual([json.loads(line)["asn"] for line in lines], [1, 2])
        self.path.unlink()
        rows = self.written(FileStream(path=str(self.path), rx=SEEN, format="CSV")).splitlines()
        self.assertEqual([row.split(b",")[1] for row in rows], [b"asn", b"1", b"2"])

    def test_logs(self) -> None:
        lines = self.written(LogStream(target="FILE", file=str(self.path), rx=SEEN, level="WARN")).splitlines()
        self.assertEqual([b" WARN m.s: prefix=" in line for line in lines], [True, True])
        for target in ("STDERR", "SYSLOG"):
            self.assertIsNone(output_for(block(LogStream(target=target)), Clock()).problem)

    def test_the_syslog_of_this_machine(self) -> None:
        """What listens there hears facility, level, who says it, and the fields."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
            syslog.bind(str(self.path))
            syslog.settimeout(10)
            with mock.patch.object(outputs, "SyslogSink", return_value=SyslogSink(str(self.path))):
                config = LogStream(target="SYSLOG", level="CRITICAL", facility="LOCAL7", rx=SEEN)
                clock = Clock()
                stream = output_for(block(config), clock, maybeDeferred)
            stream.startService()
            stream.send_all([seen(1), seen(2)])
            stream.stopService()
            clock.pump([0.1] * 20)
            for number in (1, 2):
                said = syslog.recv(1000).decode()
                self.assertTrue(
                    said.startswith(f"<{23 * 8 + 2}>rotonda[{os.getpid()}]: m.s: prefix=10.{number}."), said
                )

    def test_standard_error(self) -> None:
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        with mock.patch.object(outputs, "DescriptorSink", return_value=DescriptorSink(write)):
            clock = Clock()
            stream = output_for(block(LogStream(level="DEBUG", rx=SEEN)), clock, maybeDeferred)
        stream.startService()
        stream.send(seen(1))
        stream.stopService()
        clock.pump([0.1] * 20)
        os.close(write)
        self.assertRegex(os.read(read, 1000).decode(), r"^20\S+Z DEBUG m\.s: prefix=10\.1\.0\.0/16 .*\n$")

    def test_an_empty_file_has_its_header_and_is_made_at_the_start(self) -> None:
        for config, begin in (
            (FileStream(path=str(self.path), rx=SEEN, format="CSV"), b"prefix,asn,path,marks,note\n"),
            (FileStream(path=str(self.path), rx=SEEN), b""),
        ):
            self.path.unlink(missing_ok=True)
            clock = Clock()
            stream = output_for(block(config), clock, maybeDeferred)
            stream.startService()
            clock.pump([0.1] * 3)
            self.assertEqual(self.path.read_bytes(), begin)
            stream.stopService()
            clock.pump([0.1] * 20)

    def test_brokers(self) -> None:
        """They are known by name, and nothing connects before the daemon runs."""
        for config, where in [
            (MqttStream(server=Server(host="192.0.2.1", port=1883), rx=SEEN), "192.0.2.1"),
            (KafkaStream(brokers=("a:1", "b:2"), topic="t", key="asn", rx=SEEN), "a:1"),
        ]:
            clock = Clock()
            stream = output_for(block(config), clock, maybeDeferred, "here")
            assert isinstance(stream, BrokerStream)
            self.assertIn(where, stream.carrier.name)
            self.assertFalse(clock.getDelayedCalls())

    def test_what_is_not_said(self) -> None:
        self.assertEqual(output_for(block(None), Clock()).problem, "this stream is not connected")

    def test_each_stream_of_each_instance_has_its_own_folder(self) -> None:
        folder = self.path.parent
        for instance in ("here", "there/.."):
            clock = Clock()
            config = FileStream(path=str(self.path), rx=SEEN, overflow="SPILL", spill=str(folder / "spill"))
            stream = output_for(block(config), clock, maybeDeferred, instance)
            stream.startService()
            clock.pump([0.1] * 20)
            stream.stopService()
            clock.pump([0.1] * 100)
        self.assertEqual(sorted(os.listdir(folder / "spill")), ["here.m.s", "there%2F...m.s"])

    def test_what_does_not_fit_together(self) -> None:
        for config, record, why in [
            (LogStream(target="FILE"), SEEN, "needs a file"),
            (LogStream(overflow="SPILL"), SEEN, "needs a folder"),
            (FileStream(path="x", rx=SEEN, format="CSV"), RecordType("", ()), "needs a record type"),
            (KafkaStream(brokers=("a:1",), topic="t", key="colour", rx=SEEN), SEEN, "no field colour"),
            (KafkaStream(brokers=(), topic="t", rx=SEEN), SEEN, "no brokers"),
        ]:
            self.assertRaisesRegex(BadStream, why, output_for, block(config, record), Clock())
