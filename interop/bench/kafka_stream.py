"""A stream to Kafka: ours from `send_all` to the acknowledgement, beside the library alone with payloads that are made.

    python -m interop.bench.kafka_stream --records 400000 --rounds 5 --broker kafka

One process each time, with acks=all, an idempotent producer and LZ4; records of a filter with four fields, about 100
octets of JSON, and a key. Ours makes the JSON, keeps the queue and counts; the library alone is given one payload again
and again, as fast as it takes it, and is polled every 20 ms. The brokers are a node of Kafka, or those that librdkafka
itself plays (`--broker library`), which take from the same two cores. The longest stall is the longest time for which
the reactor came to nothing else.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, sleep, thread_time
from typing import Any, NamedTuple

from rotonda.blocks import types
from rotonda.blocks.configs import KafkaStream
from rotonda.blocks.types import FieldOf, RecordType
from rotonda.blocks.values import Prefix, RecordValue
from rotonda.outputs.broker import BrokerStream
from rotonda.outputs.kafka import json_messages
from rotonda.outputs.kafka_carrier import KafkaCarrier
from rotonda.outputs.kafka_settings import producer_settings
from rotonda.outputs.overflow import QueueSettings
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater

from interop.bench import report
from interop.peers.kafka import KAFKA, Kafka

reactor: Any = installed
TOPIC, PARTITIONS = "records", 4
DISTINCT, BATCH = 4_000, 2_000
POLL_SECONDS, PROBE_SECONDS = 0.02, 0.001
PATIENCE = 120
RECORD = RecordType(
    "Seen",
    (
        FieldOf("prefix", types.PREFIX),
        FieldOf("origin", types.ASN),
        FieldOf("peer", types.ASN),
        FieldOf("note", types.STRING),
    ),
)
PLAYED = {"test.mock.num.brokers": 1}


class Round(NamedTuple):
    """Records a second, microseconds of CPU of the thread for each, and the longest stall in milliseconds."""

    rate: float
    cost: float
    stall: float


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--broker", choices=("kafka", "library"), default="kafka")
    options = parser.parse_args()
    gc.freeze()  # as daemons do when they start
    with broker(options.broker) as (address, more):
        reactor.callWhenRunning(lambda: ensureDeferred(measured(options, address, more)).addBoth(ended))
        reactor.run()


@contextmanager
def broker(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where the brokers are, and what the library is told besides."""
    if kind == "library":
        yield "127.0.0.1:1", PLAYED
        return
    if (reason := KAFKA.available()) is not None:
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as folder, Kafka(Path(folder) / "kafka") as kafka:
        kafka.create(TOPIC, PARTITIONS)
        yield kafka.address, {}


def ended(outcome: Any) -> None:
    """The end of the rounds, or what went wrong."""
    if outcome is not None:
        outcome.printTraceback()
    reactor.stop()


async def measured(options: argparse.Namespace, address: str, more: dict[str, Any]) -> None:
    """Rounds of both, in turn."""
    config = KafkaStream(brokers=(address,), topic=TOPIC, key="origin", rx=RECORD)
    records = [record(number) for number in range(DISTINCT)]
    make = json_messages(RECORD, lambda _: TOPIC, config.key)
    payload = make([records[DISTINCT // 2]], 0.0)[0].payload
    alone, ours = [], []
    for _ in range(options.rounds):
        alone.append(the_library(producer_settings(config) | more, payload, options.records))
        carrier = KafkaCarrier(config, reactor, more=lambda: more)
        stream = BrokerStream("bench", make, carrier, QueueSettings(most=2 * options.records), reactor)
        ours.append(await our_stream(stream, records, options.records))
    rows = [row("the library alone", alone), row("ours, from records", ours)]
    head = ["", "records/s", "lowest", "CPU us a record", "longest stall, ms"]
    print(f"{options.records:,} records of {len(payload)} octets, {options.rounds} rounds, medians\n")
    print(report.table(head, rows))
    print(f"\n{report.machine()}")


def record(number: int) -> RecordValue:
    """What a filter sends."""
    prefix = Prefix(bytes((10, number >> 8 & 255, number & 255, 0)), 24)
    fields = (
        ("prefix", prefix),
        ("origin", 64_496 + number % 1000),
        ("peer", 64_500),
        ("note", "no such route object"),
    )
    return RecordValue("Seen", fields)


def row(name: str, rounds: list[Round]) -> list[str]:
    """Medians, but of the stalls the longest."""
    rates = [each.rate for each in rounds]
    cost = median(each.cost for each in rounds)
    return [
        name,
        f"{median(rates):,.0f}",
        f"{min(rates):,.0f}",
        f"{cost:.1f}",
        f"{max(each.stall for each in rounds):.1f}",
    ]


def the_library(settings: dict[str, Any], payload: bytes, count: int) -> Round:
    """The library without us: payloads that are there, and nobody who counts."""
    from confluent_kafka import Producer

    producer, stall, polled = Producer({**settings, "log_level": 0}), 0.0, 0.0

    def poll() -> None:
        nonlocal stall, polled
        begun = perf_counter()
        producer.poll(0)
        polled = perf_counter()
        stall = max(stall, polled - begun)

    producer.produce(TOPIC, payload, b"0")
    producer.flush(PATIENCE)
    begun, cpu, number = perf_counter(), thread_time(), 0
    while number < count:
        try:
            producer.produce(TOPIC, payload, b"%d" % (number % 1000))
            number += 1
        except BufferError:
            sleep(PROBE_SECONDS)
            poll()
        if not number % 1024 and perf_counter() - polled > POLL_SECONDS:
            poll()
    while len(producer):
        sleep(PROBE_SECONDS)
        poll()
    took = perf_counter() - begun
    return Round(count / took, 1e6 * (thread_time() - cpu) / count, 1000 * stall)


async def our_stream(stream: BrokerStream, records: list[RecordValue], count: int) -> Round:
    """Records in batches, as a filter sends them, until all have arrived."""
    stream.startService()
    stream.send_all(records[:10])
    await arrived(lambda: stream.written == 10)
    probe = Probe()
    begun, cpu = perf_counter(), thread_time()
    for at in range(0, count, BATCH):
        stream.send_all(records[at % DISTINCT : at % DISTINCT + BATCH])
        await deferLater(reactor, 0)
    await arrived(lambda: stream.written >= count + 10)
    took, cpu = perf_counter() - begun, thread_time() - cpu
    stall = probe.stop()
    stopping: Any = stream.stopService()
    stopped: Deferred[None] = stopping
    await stopped
    if stream.dropped:
        raise RuntimeError(f"{stream.dropped} records were dropped: {stream.problem}")
    return Round(count / took, 1e6 * cpu / count, 1000 * stall)


class Probe:
    """Asks to be called soon, again and again, and keeps by how much that was ever late."""

    def __init__(self) -> None:
        self._late, self._last = 0.0, perf_counter()
        self._call = reactor.callLater(PROBE_SECONDS, self._again)

    def _again(self) -> None:
        now = perf_counter()
        self._late, self._last = max(self._late, now - self._last - PROBE_SECONDS), now
        self._call = reactor.callLater(PROBE_SECONDS, self._again)

    def stop(self) -> float:
        """Seconds that it was late at most."""
        self._call.cancel()
        return self._late


async def arrived(true: Callable[[], bool]) -> None:
    """Wait for it."""
    until = perf_counter() + PATIENCE
    while not true():
        if perf_counter() > until:
            raise RuntimeError("it did not come")
        await deferLater(reactor, PROBE_SECONDS)


if __name__ == "__main__":
    main()
