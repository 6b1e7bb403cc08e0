"""Tests for L{rotonda.outputs.outputs}: each kind of block becomes its stream, and writes."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rotonda.blocks.configs import FileStream, KafkaStream, LogStream, MqttStream, Server
from rotonda.blocks.places import Span
from rotonda.blocks.program import StreamBlock
from rotonda.blocks.settings import Config
from rotonda.blocks.types import RecordType, StreamType
from rotonda.outputs.outputs import BadStream, output_for
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
        stream: Any = output_for(block(config), Clock(), maybeDeferred)
        stream.startService()
        stream.send_all([seen(1), seen(2)])
        self.successResultOf(stream.stopService())
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

    def test_what_is_not_connected(self) -> None:
        for config, where in [
            (MqttStream(server=Server(host="192.0.2.1", port=1883), rx=SEEN), "the MQTT broker 192.0.2.1:1883"),
            (KafkaStream(brokers=("a:1", "b:2"), topic="t", key="asn", rx=SEEN), "Kafka at a:1, b:2"),
            (None, "this stream"),
        ]:
            stream = output_for(block(config), Clock())
            self.assertEqual(stream.problem, f"{where} is not connected")

    def test_what_does_not_fit_together(self) -> None:
        for config, record, why in [
            (LogStream(target="FILE"), SEEN, "needs a file"),
            (FileStream(path="x", rx=SEEN, format="CSV"), RecordType("", ()), "needs a record type"),
            (KafkaStream(brokers=("a:1",), topic="t", key="colour", rx=SEEN), SEEN, "no field colour"),
            (KafkaStream(brokers=(), topic="t", rx=SEEN), SEEN, "no brokers"),
        ]:
            self.assertRaisesRegex(BadStream, why, output_for, block(config, record), Clock())
