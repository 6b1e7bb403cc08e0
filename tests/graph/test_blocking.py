"""Tests for output streams that may lose nothing: connectors wait for them, and tables do not."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from rotonda.graph.api import graph_site
from rotonda.graph.instance import Instance
from rotonda.outputs.file import FileSink
from rotonda.outputs.stream import CannotWrite
from twisted.internet.testing import StringTransport

from tests.graph.worlds import GraphCase
from tests.http.clients import Client

WORDS = """
filter-map tell-all {
    define { rx_tx route: Route; }
    action tell { lines.send({ prefix: route.prefix }); }
    apply { tell; accept; }
}
output-stream lines: File with config {
    path: "FOLDER/lines.jsonl", rx: Line { prefix: Prefix }, queue: 4, overflow: BLOCK, SETTING
};
unit w1: BgpConnector with config { topology: WestOnly };
unit routers: BmpConnector with config { listen: 127.0.0.1:11019 };
unit rib: PhysicalRib with config { filter_map: tell-all };
instance i: Daemon with config { graph: [ w1 -> rib, routers -> rib ] };
"""


class BlockingTests(GraphCase):
    def setUp(self) -> None:
        super().setUp()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.words = WORDS.replace("FOLDER", folder.name)
        self.path = Path(folder.name) / "lines.jsonl"
        self.broken = mock.patch.object(FileSink, "write", side_effect=CannotWrite(0, "the disk is full"))
        self.broken.start()
        self.addCleanup(mock.patch.stopall)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.reactor.advance(0.1)

    def router(self, instance: Instance) -> StringTransport:
        """A router that has connected."""
        stage: Any = instance.stages["routers"]
        session, transport = stage._unit.session(), StringTransport()
        session.makeConnection(transport)
        self.addCleanup(session.connectionLost)
        return transport

    def full(self, settings: str = "fsync: NEVER") -> Instance:
        """An instance whose stream has no more room."""
        instance = self.run_program(self.words.replace("SETTING", settings))
        self.pass_time(1)
        self.announce(instance, "w1", {f"10.{number}.0.0/16": (64501,) for number in range(9)})
        self.pass_time(1)
        return instance

    def test_connectors_wait_until_there_is_room(self) -> None:
        instance = self.full()
        transport = self.router(instance)
        [shown] = instance.sending()
        self.assertEqual((shown.blocking, shown.waiting, shown.dropped), (True, 9, 0))
        self.assertEqual(transport.producerState, "paused")
        self.assertEqual(len(self.held(instance, "rib")), 9)
        self.broken.stop()
        self.pass_time(70)
        [shown] = instance.sending()
        self.assertEqual((shown.blocking, shown.written, shown.problem), (False, 9, None))
        self.assertEqual(transport.producerState, "producing")
        prefixes = [json.loads(line)["prefix"] for line in self.path.read_text().splitlines()]
        self.assertEqual(sorted(prefixes), self.held(instance, "rib"))

    def test_it_is_shown(self) -> None:
        instance = self.full()
        client = Client(graph_site(instance, lambda: self.now))
        [told] = client.ask("/api/v1/filters").json["streams"]
        self.assertEqual(
            {name: value for name, value in told.items() if name != "name"},
            {"sent": 9, "written": 0, "dropped": 0, "waiting": 9, "blocking": True, "problem": "the disk is full"},
        )
        metrics = client.ask("/metrics").body.decode()
        for line in (
            'rotonda_stream_records_sent_total{stream="m.lines"} 9.0',
            'rotonda_stream_records_dropped_total{reason="full",stream="m.lines"} 0.0',
            'rotonda_stream_records_waiting{stream="m.lines"} 9.0',
            'rotonda_stream_blocking{stream="m.lines"} 1.0',
        ):
            self.assertIn(line.replace("m.lines", told["name"]), metrics)

    def test_a_stream_that_goes_lets_connectors_read_on(self) -> None:
        instance = self.full()
        transport = self.router(instance)
        self.reload(instance, self.words.replace("SETTING", "fsync: EACH_BATCH"))
        self.pass_time(20)
        self.assertEqual(transport.producerState, "producing")
        self.assertFalse(instance.around.brake.on)
