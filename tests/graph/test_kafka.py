"""A topic of Kafka between instances: each of its halves lives where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

from confluent_kafka import KafkaError, KafkaException
from rotonda.graph.changes import Fate, fates
from rotonda.graph.flows import Surroundings
from rotonda.graph.kafka import KafkaStage
from rotonda.graph.plan import CannotRun, West, plan
from rotonda.units import kafka_topic
from rotonda.units.kafka_topic import Retry, Topic, TopicService
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.graph.worlds import program_of

UNITS = """
unit bmp: BmpConnector with config { };
unit shards: KafkaTopic with config { brokers: ["127.0.0.1:1"], topic: "routes" };
unit rib: PhysicalRib with config { };
"""
WEST = "instance west: Daemon with config { graph: [ bmp -> shards ] };"
EAST = "instance east: Daemon with config { graph: [ shards -> rib ] };"
BOTH = "instance i: Daemon with config { graph: [ bmp -> shards -> rib ] };"


class TopicTests(SynchronousTestCase):
    def test_halves_in_two_instances_need_no_way_to_each_other(self) -> None:
        program = program_of(UNITS + WEST + EAST)
        west, east = plan(program, "west"), plan(program, "east")
        self.assertEqual((west.remotes, east.remotes), ({}, {}))
        self.assertEqual(west.units["shards"].wests, (West("bmp"),))
        self.assertEqual(west.units["shards"].halves, (False, True))
        self.assertEqual(east.units["shards"].wests, ())
        self.assertEqual(east.units["shards"].halves, (True, False))
        self.assertEqual(east.units["rib"].wests, (West("shards"),))

    def test_both_halves_in_one_instance(self) -> None:
        made = plan(program_of(UNITS + BOTH))
        self.assertEqual(made.units["shards"].halves, (True, True))

    def test_another_half_is_another_stage(self) -> None:
        one = program_of(UNITS + "instance i: Daemon with config { graph: [ bmp -> shards ] };")
        other = program_of(UNITS + BOTH)
        found = fates(plan(one), plan(other), one, other)
        self.assertEqual((found["bmp"], found["shards"], found["rib"]), (Fate.KEPT, Fate.REPLACED, Fate.NEW))
        self.assertEqual(fates(plan(other), plan(other), other, other)["shards"], Fate.KEPT)

    def test_without_the_library_it_cannot_run(self) -> None:
        block = program_of(UNITS + EAST).units["shards"]
        with mock.patch.object(kafka_topic, "find_spec", return_value=None):
            refused = self.assertRaises(CannotRun, KafkaStage, block, _around(), reads=True)
        self.assertIn("pip install 'rotoro[kafka]'", str(refused))

    def test_who_only_writes_has_no_table(self) -> None:
        program = program_of(UNITS + WEST + EAST)
        writes = KafkaStage(program.units["shards"], _around(), reads=False)
        reads = KafkaStage(program.units["shards"], _around(), reads=True)
        self.assertIsNone(writes.flow)
        self.assertIsNotNone(reads.flow)
        self.assertFalse(reads.complete)
        (link,) = reads.links()
        self.assertEqual((link.state, link.peer, link.partitions), ("connecting", "routes at 127.0.0.1:1", ()))

    def test_a_reader_waits_for_streams_that_may_lose_nothing(self) -> None:
        """It goes on to be asked, as a member of its group has to; partitions that come meanwhile wait, too."""
        around = _around()
        stage = KafkaStage(program_of(UNITS + WEST + EAST).units["shards"], around, reads=True)
        reader: Any = stage._reader
        consumer = mock.Mock()
        consumer.consume.return_value = []
        for on, partitions in ((False, [0]), (True, [0]), (True, [0, 1]), (False, [0, 1]), (False, [0, 1])):
            consumer.assignment.return_value = partitions
            around.brake.press(self, on)
            reader._poll(consumer)
        asked = mock.call.consume(mock.ANY, mock.ANY)
        pause, resume = mock.call.pause, mock.call.resume
        self.assertEqual(
            [call for call in consumer.method_calls if call != mock.call.assignment()],
            [asked, pause([0]), asked, pause([0, 1]), asked, resume([0, 1]), asked, asked],
        )
        stage.close()
        around.brake.press(self, True)
        self.assertFalse(reader._is_held)
        around.brake.press(self, False)


def library_error(name: str, text: str) -> KafkaError:
    return KafkaError(getattr(KafkaError, name), text)


class Attempts(TopicService):
    """What fails is tried again as soon as its files are read again; the third time it ends."""

    def __init__(self, passwords: Iterator[str]) -> None:
        self.found: list[tuple[str, str | None]] = []
        topic = Topic("routes", ("a:1", "b:2"), lambda: {"sasl.password": next(passwords)}, 1, 1)
        super().__init__(mock.Mock(), "shards", topic)

    def _attend(self, retry: Retry) -> None:
        self.found.append((self._settings["sasl.password"], self.problem))
        if len(self.found) == 3:
            self._stopping.set()
            return
        self._settings["error_cb"](library_error("_AUTHENTICATION", "a:1: wrong password (after 3ms in state AUTH)"))
        raise KafkaException(library_error("_TRANSPORT", "failed to get metadata"))

    def _interrupted(self) -> None:
        self.reopen()

    @property
    def problem(self) -> str | None:
        return self._problem


class ServiceTests(SynchronousTestCase):
    def test_files_are_read_again_each_time(self) -> None:
        """And it is told why nobody answers."""
        service = Attempts(iter(("old", "wrong", "right")))
        with mock.patch.object(Retry, "wait", side_effect=lambda: self.assertTrue(service._again.is_set())):
            service._run()
        why = "routes at a:1, b:2: a:1: wrong password"
        self.assertEqual(service.found, [("old", None), ("wrong", why), ("right", why)])

    def test_brokers_that_are_away(self) -> None:
        """One of several is no trouble; when all are, it is told why, until one answers."""
        service = Attempts(iter(()))
        client = mock.Mock()
        down = library_error("_ALL_BROKERS_DOWN", "2/2 brokers are down")
        service._hear_error(library_error("_TRANSPORT", "a:1: refused"))
        service._look_for_brokers(client)
        self.assertIsNone(service.problem)
        service._hear_error(down)
        self.assertEqual(service.problem, "routes at a:1, b:2: a:1: refused")
        client.list_topics.side_effect = KafkaException(library_error("_TRANSPORT", "no"))
        service._look_for_brokers(client)
        service._look_for_brokers(client)  # not so soon
        self.assertEqual((client.list_topics.call_count, service.problem is None), (1, False))
        client.list_topics.side_effect = None
        service._ask_at = 0.0
        service._look_for_brokers(client)
        self.assertIsNone(service.problem)
        service._hear_error(library_error("_TRANSPORT", "b:2: refused"))
        self.assertIsNone(service.problem)

    def test_the_log_has_each_problem_once(self) -> None:
        service = Attempts(iter(()))
        with mock.patch.object(TopicService, "log") as log:
            for problem in ("one", "other", "one", None, "one"):
                service._tell(problem)
            self.assertEqual([call.kwargs["problem"] for call in log.warn.mock_calls], ["one", "other", "one"])
            for number in range(100):
                service._tell(f"{number}")
            self.assertEqual(log.warn.call_count, 2 + kafka_topic.MOST_TOLD)


def _around() -> Any:
    return Surroundings(Clock(), lambda: 0.0, "i")
