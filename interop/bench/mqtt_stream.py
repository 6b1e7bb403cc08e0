"""How many messages a second one process brings to an MQTT broker, and how long it holds its reactor meanwhile.

    python -m interop.bench.mqtt_stream --messages 20000 --rounds 5

An output stream of ours, records and all, beside paho-mqtt alone, which sends ready payloads of the same size: once in
the one loop of a program that does nothing else, once with the thread that it starts itself. Each is a process of its
own; they take turns, and send to one mosquitto. A message of QoS 1 has arrived when the broker confirms it, one of 0
when the kernel has it.

"held": the longest that the reactor was away from a call that was due at once, by the clock and by its own processor
time. What is in the first alone, others had the processor. What is there at the start is kept from the garbage
collector, whose looking at all modules would be the longest of all.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from rotonda.blocks.check import check
from rotonda.blocks.places import Source
from rotonda.blocks.values import Prefix, RecordValue
from rotonda.outputs.mqtt import mqtt_stream
from rotonda.outputs.overflow import QueueSettings
from twisted.internet import reactor as installed
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from interop.bench import report
from interop.peers.mosquitto import MOSQUITTO, Mosquitto
from interop.peers.processes import LOOPBACK, terminated_like_interrupted

reactor: Any = installed
VERSIONS = {"V3_1_1": MQTTProtocolVersion.MQTTv311, "V5": MQTTProtocolVersion.MQTTv5}
WINDOW = 250
BATCH = 1000
"""Records that are sent together, as filters do."""

PAYLOAD = b'{"prefix":"198.51.100.0/24","peer_as":64497,"note":"' + b"x" * 60 + b'"}'
STREAM = """
output-stream out: Mqtt with config {{
    server: {{ host: "{host}", port: {port} }}, version: {version}, qos: {qos}, window: {window}, topic: "bench",
    rx: Seen {{ prefix: Prefix, peer_as: Asn, note: String }},
}};
"""


class Run(NamedTuple):
    """Seconds for so many messages by the clock and of the processor, and how long the reactor was held, if any."""

    messages: int
    wall: float
    cpu: float
    held: float = 0.0
    worked: float = 0.0


# --- ours ------------------------------------------------------------------------------------------------------------


class Probe:
    """Sees how long the reactor is away."""

    def __init__(self) -> None:
        self.held = self.worked = 0.0
        self._seen, self._spent = time.perf_counter(), time.thread_time()
        reactor.callLater(0, self._look)

    def _look(self) -> None:
        seen, spent = time.perf_counter(), time.thread_time()
        self.held, self.worked = max(self.held, seen - self._seen), max(self.worked, spent - self._spent)
        self._seen, self._spent = seen, spent
        reactor.callLater(0, self._look)


def ours(port: int, version: str, qos: int, count: int) -> Run:
    """A stream as a block declares it."""
    text = STREAM.format(host=LOOPBACK, port=port, version=version, qos=qos, window=WINDOW)
    program, wrong = check(Source("bench.blocks", text))
    assert program is not None, wrong
    stream = mqtt_stream(program.streams["out"], QueueSettings(), "bench", reactor, deferToThread)
    fields = (("prefix", Prefix.parse("198.51.100.0/24")), ("peer_as", 64497), ("note", "x" * 60))
    records = [RecordValue("Seen", fields)] * BATCH
    found: list[Run] = []
    gc.freeze()

    async def story() -> None:
        stream.startService()
        stream.send_all(records[:1])
        while stream.written < 1:
            await deferLater(reactor, 0.01)
        began, spent, probe = time.perf_counter(), time.process_time(), Probe()
        while stream.sent <= count - BATCH:
            if stream.waiting < 10 * BATCH:
                stream.send_all(records)
            await deferLater(reactor, 0)
        while stream.written < stream.sent:
            await deferLater(reactor, 0)
        wall, cpu = time.perf_counter() - began, time.process_time() - spent
        found.append(Run(stream.written - 1, wall, cpu, probe.held, probe.worked))
        await stream.stopService()

    def failed(bug: Any) -> None:
        print(bug.getTraceback(), file=sys.stderr)

    ensureDeferred(story()).addErrback(failed).addBoth(lambda _: reactor.stop())
    reactor.run()
    return found[0]


# --- paho alone ------------------------------------------------------------------------------------------------------


class Alone:
    """The library in a program that does nothing else."""

    def __init__(self, port: int, version: str, qos: int) -> None:
        self.client = Client(CallbackAPIVersion.VERSION2, "alone", protocol=VERSIONS[version])
        self.client.max_inflight_messages = 0  # counted here, as we do
        self.client.on_connect = self._connected
        self.client.on_publish = self._published
        self.client.connect(LOOPBACK, port)
        self._qos = qos
        self.sent = self.arrived = 0
        self.is_connected = False

    def _connected(self, *_: Any) -> None:
        self.is_connected = True

    def _published(self, *_: Any) -> None:
        self.arrived += 1

    def fill(self, count: int) -> None:
        """As many messages as may be on their way."""
        while self.sent < count and self.sent - self.arrived < WINDOW:
            self.client.publish("bench", PAYLOAD, self._qos)
            self.sent += 1


def paho_loop(port: int, version: str, qos: int, count: int) -> Run:
    """All in one loop."""
    alone = Alone(port, version, qos)
    while not alone.is_connected:
        alone.client.loop(0.1)
    began, spent = time.perf_counter(), time.process_time()
    while alone.arrived < count:
        alone.fill(count)
        alone.client.loop(0.1)
    found = Run(count, time.perf_counter() - began, time.process_time() - spent)
    alone.client.disconnect()
    return found


def paho_thread(port: int, version: str, qos: int, count: int) -> Run:
    """With the thread that the library starts."""
    alone = Alone(port, version, qos)
    alone.client.loop_start()
    while not alone.is_connected:
        time.sleep(0.01)
    began, spent = time.perf_counter(), time.process_time()
    while alone.arrived < count:
        alone.fill(count)
        time.sleep(0)
    found = Run(count, time.perf_counter() - began, time.process_time() - spent)
    alone.client.disconnect()
    alone.client.loop_stop()
    return found


# --- in turns --------------------------------------------------------------------------------------------------------

WAYS = {"ours": ours, "paho, one loop": paho_loop, "paho, its thread": paho_thread}


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print markdown."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.mqtt_stream", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs=4, metavar=("WAY", "PORT", "VERSION", "QOS"), help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.one:
        way, port, version, qos = options.one
        print(json.dumps(WAYS[way](int(port), version, int(qos), options.messages)))
        return 0
    if reason := MOSQUITTO.available():
        print(reason, file=sys.stderr)
        return 1
    with terminated_like_interrupted(), tempfile.TemporaryDirectory(prefix="rotoro-bench-") as place:
        quiet = [("log_type", "none")]
        with Mosquitto(Path(place) / "broker", settings=quiet) as broker:
            print(_measured(broker.port, options.messages, options.rounds))
    print(f"\n{options.messages:,} messages, medians of {options.rounds}, {WINDOW} on their way. {report.machine()}.")
    return 0


def _measured(port: int, count: int, rounds: int) -> str:
    kinds = [("V3_1_1", 1), ("V3_1_1", 0), ("V5", 1)]
    runs: dict[tuple[str, int, str], list[Run]] = {}
    for _ in range(rounds):
        for version, qos in kinds:
            for way in WAYS:
                runs.setdefault((version, qos, way), []).append(_one(way, port, version, qos, count))
    header = ["", "messages/s", "us of CPU each", "held ms, clock", "held ms, CPU"]
    return report.table(header, [_row(kind, found) for kind, found in runs.items()])


def _one(way: str, port: int, version: str, qos: int, count: int) -> Run:
    command = [sys.executable, "-m", "interop.bench.mqtt_stream", "--messages", str(count)]
    told = subprocess.run([*command, "--one", way, str(port), version, str(qos)], check=True, stdout=subprocess.PIPE)
    return Run(*json.loads(told.stdout))


def _row(kind: tuple[str, int, str], runs: Sequence[Run]) -> list[str]:
    version, qos, way = kind
    rate = median(run.messages / run.wall for run in runs)
    cells = [f"{version}, QoS {qos}: {way}", f"{rate:,.0f}", report.seconds(median(_each(run) for run in runs))]
    if way != "ours":
        return [*cells, "", ""]
    held, worked = max(run.held for run in runs), max(run.worked for run in runs)
    return [*cells, report.seconds(1000 * held), report.seconds(1000 * worked)]


def _each(run: Run) -> float:
    return 1e6 * run.cpu / run.messages


if __name__ == "__main__":
    sys.exit(main())
