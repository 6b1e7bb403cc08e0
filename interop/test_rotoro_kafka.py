"""Rotoro over Kafka: shards of one RIB, whatever becomes of them, of the writer and of the broker, have together what
one process has. Digests of shards add up, so one number says that nothing is lost and nothing is there twice."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from interop.bench.mrt import NoTable, full_table
from interop.graphs import GraphCase, Running
from interop.peers import ours
from interop.peers.base import require
from interop.peers.kafka import COMPACTED, KAFKA, Kafka
from interop.peers.processes import LOOPBACK, free_port, wait_until

ROUTES = 20_000
SECONDS = 180.0
PARTITIONS = 12

RIB = "unit rib: PhysicalRib with config { };\n"


class Shards(GraphCase):
    """A broker, a writer, and as many shards as a test wants."""

    def setUp(self) -> None:
        require(KAFKA, self)
        super().setUp()
        self.broker = Kafka(Path(tempfile.mkdtemp(dir=self.folder, prefix="kafka-")))
        self.broker.start()
        self.addCleanup(self.broker.stop)
        self.archive = self.folder / "table.mrt"
        self.use(ROUTES)
        self.shards: list[Running] = []
        self.count = 0

    def use(self, routes: int) -> None:
        """Have the archive say so many routes."""
        try:
            table = full_table(routes)
        except NoTable as none:
            self.skipTest(str(none))
        unfinished = self.archive.with_suffix(".unfinished")
        unfinished.write_bytes(table.file.read_bytes())
        unfinished.replace(self.archive)

    def run_text(self, name: str, text: str, graph: str) -> Running:
        """An instance in a file of its own: on one machine, instances of one name differ in their ports."""
        self.count += 1
        http = free_port()
        self.file = self.folder / f"{name}-{self.count}.blocks"
        self.write(f"{text}instance {name}: Daemon with config {{ http: {LOOPBACK}:{http}, graph: [ {graph} ] }};\n")
        return self.run_instance(name, http, f"{name}-{self.count}")

    def topic(self) -> str:
        return (
            f'unit to-shards: KafkaTopic with config {{ brokers: ["{self.broker.address}"], topic: "routes",\n'
            f"    partitions: {PARTITIONS}, restart-time: SECONDS(0) }};\n"
        )

    def archived(self) -> str:
        return f'unit mrt-in: MrtConnector with config {{ files: ["{self.archive}"] }};\n'

    def start_writer(self) -> Running:
        graph = "Connector(mrt-in) -> Connector(to-shards)"
        return self.run_text("west", self.archived() + self.topic(), graph)

    def start_shard(self) -> Running:
        shard = self.run_text("shard", self.topic() + RIB, "Connector(to-shards) -> Rib(rib)")
        self.shards.append(shard)
        return shard

    def kill(self, shard: Running) -> None:
        """End it without a word."""
        self.shards.remove(shard)
        shard.daemon.process.kill()
        shard.daemon.process.wait()

    def single(self) -> tuple[int, int]:
        """What one process makes of the archive: how many routes, and their digest."""
        alone = self.run_text("alone", self.archived() + RIB, "Connector(mrt-in) -> Rib(rib)")
        alone.await_complete()
        count, digest = alone.tables()["rib/rib"]
        alone.daemon.stop()
        return count, int(digest, 16)

    def union(self) -> tuple[int, int] | None:
        """What all shards have together; None as long as one of them does not answer."""
        told: list[dict[str, Any]] = []
        for shard in self.shards:
            answer = shard.asked("/api/v1/status")
            if answer is None:
                return None
            told.append(answer)
        tables = [
            table for each in told for table in each["tables"] if (table["name"], table["kind"]) == ("rib", "rib")
        ]
        held = [(sum(table["records"].values()), int(table["digest"], 16)) for table in tables if table["ready"]]
        return sum(count for count, _ in held), sum(digest for _, digest in held) % (1 << 64)

    def await_union(self, expected: tuple[int, int]) -> None:
        """Wait until the shards have just that together, and every partition is held once."""
        self.wait(lambda: self.union() == expected or None, f"the shards have together {expected}")
        self.wait(lambda: self.partitions() == list(range(PARTITIONS)) or None, "each partition is held once")
        self.assertEqual(self.union(), expected)

    def wait(self, found: Callable[[], bool | None], what: str) -> None:
        """Until that is so."""
        if wait_until(found, SECONDS, 0.1) is None:
            self.fail(f"not within {SECONDS:g} s: {what}; the shards have {self.union()}, {self.partitions()}")

    def partitions(self) -> list[int]:
        return sorted(part["number"] for shard in self.shards for part in self.held(shard))

    def held(self, shard: Running) -> Sequence[dict[str, Any]]:
        told = shard.asked("/api/v1/status") or {"links": []}
        return [part for link in told["links"] for part in link.get("partitions", ())]


class NumberTests(Shards):
    def test_one_two_and_four_shards(self) -> None:
        expected = self.single()
        writer = self.start_writer()
        for wanted in (1, 2, 4):
            while len(self.shards) < wanted:
                self.start_shard()
            # a member that has just come is given its share in a second step
            self.wait(self.is_shared_out, f"{wanted} shards have their shares")
            self.await_union(expected)
        for shard in self.shards:
            shard.await_complete()
        writer.await_complete()
        self.assertIn("rotonda_partition_lag{", metrics(self.shards[0]))

    def is_shared_out(self) -> bool | None:
        return all(len(self.held(shard)) == PARTITIONS // len(self.shards) for shard in self.shards) or None


class TakeoverTests(Shards):
    def test_a_shard_that_dies(self) -> None:
        """In the middle of loading, and at rest; another one takes over, and a new one gets its share."""
        expected = self.single()
        first, second = self.start_shard(), self.start_shard()
        self.start_writer()
        self.wait(lambda: (self.union() or (0, 0))[0] > 0 or None, "the first routes have come")
        self.kill(first)
        self.await_union(expected)
        third = self.start_shard()
        self.await_union(expected)
        self.kill(second)
        self.await_union(expected)
        self.assertEqual(len(self.held(third)), PARTITIONS)

    def test_a_writer_that_dies_and_comes_back_with_other_data(self) -> None:
        writer = self.start_writer()
        self.start_shard()
        self.start_shard()
        self.await_union(self.single())
        writer.daemon.process.kill()
        writer.daemon.process.wait()
        self.use(ROUTES // 2)
        expected = self.single()
        again = self.start_writer()
        self.await_union(expected)
        again.await_complete()
        self.use(ROUTES)  # and while it runs
        self.await_union(self.single())

    def test_a_second_writer_of_the_same_name_keeps_the_first_one_out(self) -> None:
        first = self.start_writer()
        self.start_shard()
        expected = self.single()
        self.await_union(expected)
        self.start_writer().await_complete()
        self.use(ROUTES // 2)

        def is_fenced() -> bool | None:
            told = first.get("/api/v1/status")["links"]
            return any(link["state"] == "fenced" for link in told) or None

        first.daemon.expect(is_fenced, "the first writer writes no more", SECONDS, 0.3)
        self.await_union(self.single())


class BrokerTests(Shards):
    def test_compaction_and_a_restart_of_the_broker(self) -> None:
        self.broker.create("routes", PARTITIONS, COMPACTED)
        writer = self.start_writer()
        self.start_shard()
        self.await_union(self.single())
        written = self.broker.places("routes")
        for routes in (ROUTES // 2, ROUTES, ROUTES // 4):
            self.use(routes)
            self.await_union(self.single())
        expected = self.single()
        self.broker.stop()
        self.broker.start()
        self.use(ROUTES // 2)
        self.await_union(self.single())
        self.use(ROUTES // 4)
        self.await_union(expected)
        self.wait(lambda: bool(written - self.broker.places("routes")) or None, "compaction has taken something away")
        self.start_shard()
        self.await_union(expected)
        writer.daemon.stop()
        for shard in list(self.shards):
            self.kill(shard)
        self.start_shard()
        self.await_union(expected)

    def test_a_topic_that_forgets_is_refused(self) -> None:
        self.broker.create("routes", PARTITIONS, {"cleanup.policy": "delete"})
        writer = self.start_writer()
        writer.daemon.expect_line("it would forget routes", SECONDS)


def metrics(shard: Running) -> str:
    """What it tells Prometheus."""
    return ours.get(shard.http, "/metrics").decode()
