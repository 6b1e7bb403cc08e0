"""A full table through Kafka into shards: how fast it comes, how far they lag behind, and that nothing is missing.

    python -m interop.bench.rotoro_kafka --routes 1000000 --shards 1 2 4

The writer reads the archive while shards wait. The clock runs from the moment when the topic is first written to until
the shards together have the digest of one process that read the archive by itself; the lag is the greatest sum over
all partitions that was seen meanwhile, in records of the topic, each of which is a cell of routes. Then the writer has
gone, and one more process takes the partitions of a group of its own: that is what taking over costs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interop.bench import report
from interop.bench.mrt import full_table
from interop.peers import ours
from interop.peers.kafka import Kafka
from interop.peers.processes import LOOPBACK, Daemon, cpu_seconds, free_port, memory

SECONDS = 400
PAUSE = 0.05
PARTITIONS = 12
RIB = "unit rib: PhysicalRib with config { };\n"


@dataclass
class Node:
    """One process and where it answers."""

    daemon: Daemon
    http: int

    def asked(self) -> dict[str, Any] | None:
        """Its status; None while it does not answer."""
        with contextlib.suppress(OSError):
            told: dict[str, Any] = json.loads(ours.get(self.http, "/api/v1/status"))
            return told
        return None


@dataclass(frozen=True)
class Union:
    """What some processes have together."""

    count: int
    digest: int
    lag: int
    writes: bool


@dataclass(frozen=True)
class Result:
    """One run."""

    title: str
    wall: float
    lag: int
    writer: float  # CPU seconds
    shards: list[float]
    peak: int


class Bench:
    """A broker, an archive, and processes around them."""

    def __init__(self, folder: Path, broker: Kafka, archive: Path) -> None:
        self.folder, self.broker, self.archive = folder, broker, archive
        self._count = 0

    def start(self, name: str, text: str, graph: str) -> Node:
        """An instance in a folder of its own."""
        self._count += 1
        folder, http = self.folder / f"{name}-{self._count}", free_port()
        folder.mkdir()
        file = folder / "app.blocks"
        file.write_text(
            f"{text}instance {name}: Daemon with config {{ http: {LOOPBACK}:{http}, graph: [ {graph} ] }};\n"
        )
        return Node(ours.start_graph(folder, file, name), http)

    def topic(self, name: str, group: str = "rib") -> str:
        where = f'brokers: ["{self.broker.address}"], topic: "{name}", group: "{group}", partitions: {PARTITIONS}'
        return f"unit to-shards: KafkaTopic with config {{ {where} }};\n"

    def archived(self) -> str:
        return f'unit mrt-in: MrtConnector with config {{ files: ["{self.archive}"] }};\n'

    def shard(self, topic: str, group: str = "rib") -> Node:
        return self.start("shard", self.topic(topic, group) + RIB, "Connector(to-shards) -> Rib(rib)")

    def alone(self) -> tuple[int, int]:
        """What one process makes of the archive."""
        node = self.start("alone", self.archived() + RIB, "Connector(mrt-in) -> Rib(rib)")
        node.daemon.expect(lambda: True if (told := node.asked()) and not told.get("missing") else None, "it is ready",
                           SECONDS, 0.5)  # fmt: skip
        whole = union([node])
        node.daemon.stop()
        assert whole is not None
        return whole.count, whole.digest

    def run(self, shards: int, expected: tuple[int, int]) -> list[Result]:
        """A writer and so many shards, and then one more that takes all from the topic."""
        topic = f"table-{shards}"
        with contextlib.ExitStack() as ending:
            nodes = [self.shard(topic) for _ in range(shards)]
            for node in nodes:
                ending.callback(node.daemon.stop)
            for node in nodes:
                node.daemon.expect(node.asked, "it answers", SECONDS, 0.2)
            writer = self.start(
                "west", self.archived() + self.topic(topic), "Connector(mrt-in) -> Connector(to-shards)"
            )
            ending.callback(writer.daemon.stop)
            first = self._result(f"{shards} shards", writer, nodes, expected)
        late = self.shard(topic, "late")
        try:
            second = self._result("the topic as it is, by one", None, [late], expected)
        finally:
            late.daemon.stop()
        return [first, second] if shards == 1 else [first]

    def _result(self, title: str, writer: Node | None, nodes: list[Node], expected: tuple[int, int]) -> Result:
        begun, lag, deadline = 0.0, 0, time.monotonic() + SECONDS
        while True:
            now = union(nodes)
            writing = (writer.asked() if writer else None) or {"links": []}
            if not begun and (any(link["state"] == "writing" for link in writing["links"]) or (now and now.writes)):
                begun = time.perf_counter()
            if now is not None:
                lag = max(lag, now.lag)
                if (now.count, now.digest) == expected:
                    break
            if time.monotonic() > deadline:
                nodes[0].daemon.fail(f"{title}: {now}, where {expected} is expected")
            time.sleep(PAUSE)
        wall = time.perf_counter() - begun
        spent = cpu_seconds(writer.daemon.pid) if writer else 0.0
        shards = [cpu_seconds(node.daemon.pid) for node in nodes]
        return Result(title, wall, lag, spent, shards, max(memory(node.daemon.pid, "VmHWM") for node in nodes))


def union(nodes: list[Node]) -> Union | None:
    """What these have together; None as long as one of them does not answer."""
    told = [node.asked() for node in nodes]
    if any(each is None for each in told):
        return None
    tables = [table for each in told if each for table in each["tables"]]
    ribs = [table for table in tables if (table["name"], table["kind"]) == ("rib", "rib") and table["ready"]]
    parts = [part for each in told if each for link in each["links"] for part in link.get("partitions", ())]
    return Union(
        sum(sum(table["records"].values()) for table in ribs),
        sum(int(table["digest"], 16) for table in ribs) % (1 << 64),
        sum(part["lag"] for part in parts),
        any(part["offset"] > 0 for part in parts),
    )


def main() -> int:
    """Run it, and print what it takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--routes", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    table = full_table(options.routes)
    with tempfile.TemporaryDirectory(prefix="rotoro-bench-") as name:
        folder = Path(name)
        with Kafka(folder / "kafka") as broker:
            bench = Bench(folder, broker, table.file)
            expected = bench.alone()
            results = [result for shards in options.shards for result in bench.run(shards, expected)]
    header = ["", "wall s", "routes/s", "lag, cells", "CPU s writer", "CPU s shards", "peak MiB of a shard"]
    rows = [
        [each.title, report.seconds(each.wall), f"{table.routes / each.wall:,.0f}", f"{each.lag:,}",
         report.seconds(each.writer), " ".join(report.seconds(one) for one in each.shards),
         report.mebibytes(each.peak)]
        for each in results
    ]  # fmt: skip
    print(f"{table.routes} routes, {PARTITIONS} partitions, digests equal. {report.machine()}.\n")
    print(report.table(header, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
