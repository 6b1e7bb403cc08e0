"""Output streams while an instance begins and while another program takes over: none is in the way of another one."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from rotonda.blocks.values import RecordValue
from rotonda.graph.instance import Instance
from rotonda.graph.turns import Turn
from rotonda.outputs.file import FileSink
from rotonda.outputs.stream import CannotWrite, Stream
from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred

from tests.graph.worlds import GraphCase
from tests.outputs.carriers import Told

UNITS = """
filter-map tell {
    define { rx_tx route: Route; }
    action all { lines.send({ prefix: route.prefix }); }
    apply { all; accept; }
}
filter-map tell-more {
    define { rx_tx route: Route; }
    action all { more.send({ prefix: route.prefix }); }
    apply { all; accept; }
}
output-stream lines: File with config {
    path: "FOLDER/lines.jsonl", rx: Line { prefix: Prefix }, queue: 4, overflow: SPILL, spill: "FOLDER", fsync: NEVER,
};
output-stream more: File with config { path: "FOLDER/more.csv", format: CSV, rx: Line { prefix: Prefix } };
unit w1: BgpConnector with config { topology: WestOnly };
unit rib: PhysicalRib with config { filter_map: tell };
unit next: PhysicalRib with config { filter_map: tell-more };
"""
ONE = "instance i: Daemon with config { graph: [ w1 -> rib ] };"
BOTH = "instance i: Daemon with config { graph: [ w1 -> rib, w1 -> next ] };"
PREFIXES = [f"10.{number}.0.0/16" for number in range(27)]


class InstanceTests(GraphCase, Told):
    def setUp(self) -> None:
        GraphCase.setUp(self)
        Told.setUp(self)
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.units = UNITS.replace("FOLDER", folder.name)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.reactor.advance(0.1)

    def lines(self) -> list[str]:
        return [json.loads(line)["prefix"] for line in (self.folder / "lines.jsonl").read_text().splitlines()]

    def names(self, instance: Instance) -> list[str]:
        return [each.name for each in instance.sending()]

    def test_streams_begin_with_their_instance_and_when_they_come(self) -> None:
        """Before there is a route, and only those that it sends to."""
        instance = self.run_program(self.units + ONE)
        self.pass_time(0.2)
        self.assertTrue((self.folder / "lines.jsonl").exists())
        self.assertEqual((self.names(instance), (self.folder / "more.csv").exists()), (["lines"], False))
        self.reload(instance, self.units + BOTH)
        self.pass_time(0.2)
        self.assertEqual(self.names(instance), ["lines", "more"])
        self.assertEqual((self.folder / "more.csv").read_text(), "prefix\n")
        self.reload(instance, self.units + ONE)
        self.pass_time(1)
        self.assertEqual(self.names(instance), ["lines"])

    def test_another_stream_has_the_folder_when_the_one_before_it_has_ended(self) -> None:
        """Three of them in a row; all that was sent comes in order, and nothing goes wrong."""
        with mock.patch.object(FileSink, "write", side_effect=CannotWrite(0, "the disk is full")):
            instance = self.run_program(self.units + ONE)
            rows: dict[str, tuple[int, ...]] = {}
            for number, fsync in enumerate(("NEVER", "ON_ROTATE", "EACH_BATCH")):
                if number:
                    self.reload(instance, self.units.replace("NEVER", fsync) + ONE)
                for prefix in PREFIXES[9 * number : 9 * number + 9]:
                    rows[prefix] = (number + 1,)
                    self.announce(instance, "w1", rows)
                self.pass_time(0.3)
        self.pass_time(120)
        self.assertEqual(self.lines(), PREFIXES)
        [shown] = instance.sending()
        self.assertEqual((shown.waiting, shown.dropped, shown.problem), (0, 0, None))
        self.assertEqual({told for told in self.told if "folder" in told or "process" in told}, set())

    def test_an_instance_that_ends_waits_for_streams_of_an_earlier_program(self) -> None:
        instance = self.run_program(self.units + BOTH)
        self.pass_time(1)
        thread: Deferred[None] = Deferred()
        self.announce(instance, "w1", {PREFIXES[0]: (1,)})
        old = instance.filters.streams["more"]
        with mock.patch.object(old, "stopService", return_value=thread):
            self.reload(instance, self.units + ONE)
        over = maybeDeferred(instance.stopService)
        self.pass_time(30)
        self.assertNoResult(over)
        thread.callback(None)
        self.pass_time(1)
        self.successResultOf(over)


class Kept(Stream):
    """Keeps what it gets until it ends, which takes as long as a test wants."""

    def __init__(self, title: str, done: list[str]) -> None:
        super().__init__(title)
        self._done = done
        self.over: Deferred[None] = Deferred()

    def send(self, record: RecordValue) -> None:
        self.sent += 1

    def startService(self) -> None:
        super().startService()
        self._done.append(f"{self.title} begins")

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self._done.append(f"{self.title} ends")
        return self.over


class TurnTests(Told):
    def setUp(self) -> None:
        super().setUp()
        self.done: list[str] = []
        lock = DeferredLock()
        self.turns = [Turn(Kept(title, self.done), lock) for title in "abc"]
        for turn in self.turns:
            turn.startService()

    def end(self, number: int) -> Deferred[Any]:
        return maybeDeferred(self.turns[number].stopService)

    def finish(self, number: int) -> None:
        stream: Any = self.turns[number].stream
        stream.over.callback(None)

    def test_one_after_the_other(self) -> None:
        self.assertEqual(self.done, ["a begins"])
        over = self.end(0)
        self.assertEqual(self.done, ["a begins", "a ends"])
        self.assertNoResult(over)
        self.finish(0)
        self.successResultOf(over)
        self.assertEqual(self.done[2:], ["b begins"])

    def test_who_has_nothing_to_do_does_not_begin(self) -> None:
        self.successResultOf(self.end(1))
        self.end(0)
        self.finish(0)
        self.assertEqual(self.done[2:], ["c begins"])

    def test_who_has_something_to_do_does_it_in_turn(self) -> None:
        self.turns[1].stream.send(RecordValue("R", ()))
        over = self.end(1)
        self.end(0)
        self.assertNoResult(over)
        self.finish(0)
        self.assertEqual(self.done[2:], ["b begins", "b ends"])
        self.finish(1)
        self.successResultOf(over)
        self.assertEqual(self.done[4:], ["c begins"])

    def test_what_is_taken_back_is_counted(self) -> None:
        stream = self.turns[1].stream
        stream.send(RecordValue("R", ()))
        self.turns[1].give_up()
        self.successResultOf(self.end(1))
        self.assertEqual((stream.waiting, dict(stream.dropped_by)), (0, {"end": 1}))
        self.assertEqual(self.told, ["b: 1 records are dropped, as the configuration is not changed"])
        self.turns[0].give_up()
        self.end(0)
        self.finish(0)
        self.assertEqual(self.done, ["a begins", "a ends", "c begins"])
