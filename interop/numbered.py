"""Numbered records into an output stream, at a steady pace: run by the tests of brokers in trouble.

    python -m interop.numbered FILE STREAM

FILE is of the block language, and STREAM one of its output streams, for records with `number`, `key` and `note`.
Brokers that are away, or do not answer, are waited for less long than by a daemon.
Orders come on standard input, one a line:

    send COUNT RATE KEYS SIZE      so many records, so many a second; keys take turns, notes have so many characters
    status                         tell the counters
    reopen                         what SIGHUP does to streams
    stop                           end as a daemon ends, and tell the counters

Counters are told on standard output, a line of JSON after `@ `; the log goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from rotonda.blocks.check import check
from rotonda.blocks.configs import KafkaStream
from rotonda.blocks.values import RecordValue
from rotonda.cli.files import read
from rotonda.outputs.outputs import output_for
from rotonda.outputs.stream import Stream
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import LoopingCall
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.protocols.basic import LineReceiver

from interop.peers.processes import memory

TICK = 0.005
LONGEST_PAUSE, SILENCE = 1.0, 4.0
reactor: Any = installed_reactor


class Numbered:
    """Sends what it is told to, and sees what the reactor is held by."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.number = 0
        self.held = self.longest = 0.0
        self._due = self._until = 0
        self._rate, self._began = 1.0, 0.0
        self._keys, self._size = 1, 0
        self._seen, self._worked = time.monotonic(), time.thread_time()
        self.ticks = LoopingCall(self._tick)

    def send(self, count: int, rate: float, keys: int, size: int) -> None:
        """So many more than were to be sent, from now on."""
        self._rate, self._keys, self._size = rate, keys, size
        self._due, self._until, self._began = self.number, self._until + count, time.monotonic()

    def end(self) -> None:
        """Send no more."""
        self._until = self.number

    def told(self) -> dict[str, Any]:
        """Everything that is counted."""
        stream = self.stream
        return {
            "number": self.number,
            "sent": stream.sent,
            "written": stream.written,
            "dropped": stream.dropped,
            "waiting": stream.waiting,
            "spilled": getattr(stream, "spilled", 0),
            "problem": stream.problem,
            "held": self.held,
            "longest": self.longest,
            "peak": memory_peak(),
        }

    def _tick(self) -> None:
        now, worked = time.monotonic(), time.thread_time()
        self.longest = max(self.longest, now - self._seen)
        self.held = max(self.held, worked - self._worked)
        upto = min(self._until, self._due + int((now - self._began) * self._rate))
        # connectors are not read either, while a stream has them wait
        if upto > self.number and not getattr(self.stream, "blocking", False):
            self.stream.send_all([self._record(number) for number in range(self.number, upto)])
            self.number = upto
        self._seen, self._worked = time.monotonic(), time.thread_time()

    def _record(self, number: int) -> RecordValue:
        fields = (("number", number), ("key", f"k{number % self._keys}"), ("note", "x" * self._size))
        return RecordValue("Numbered", fields)


class Orders(LineReceiver):
    """What comes on standard input."""

    delimiter = b"\n"

    def __init__(self, numbered: Numbered) -> None:
        self._numbered = numbered
        self._stopping = False

    def lineReceived(self, line: bytes) -> None:
        match line.decode().split():
            case ["send", count, rate, keys, size]:
                self._numbered.send(int(count), float(rate), int(keys), int(size))
            case ["status"]:
                self._tell()
            case ["reopen"]:
                self._numbered.stream.reopen()
            case ["stop"]:
                self._stop()

    def connectionLost(self, reason: Any = None) -> None:
        self._stop()

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._numbered.end()
            maybeDeferred(self._numbered.stream.stopService).addBoth(self._stopped)

    def _stopped(self, _: Any) -> None:
        self._numbered.ticks.stop()
        self._tell()
        reactor.stop()

    def _tell(self) -> None:
        print(f"@ {json.dumps(self._numbered.told())}", flush=True)


def memory_peak() -> int:
    """Octets of memory at most so far."""
    return memory(os.getpid(), "VmHWM")


def hurry(config: object) -> None:
    """Have a stream try again sooner, and give up sooner on what does not answer or is not there."""
    if isinstance(config, KafkaStream):
        from rotonda.outputs import kafka_carrier, kafka_settings

        kafka_carrier.LONGEST_RETRY_SECONDS = LONGEST_PAUSE  # type: ignore[attr-defined]  # it is the settings' own
        kafka_settings.LONGEST_RETRY_SECONDS = LONGEST_PAUSE
        kafka_settings.CONNECT_SECONDS = kafka_settings.ANSWER_SECONDS = kafka_settings.TOPIC_SECONDS = SILENCE
    else:
        from rotonda.outputs import mqtt

        mqtt.LONGEST_PAUSE = LONGEST_PAUSE
        mqtt.CONNECT_SECONDS = SILENCE


def main(file: str, name: str) -> None:
    """Run until told to stop."""
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    program, found = check(read(file))
    if program is None:
        raise SystemExit(str(found))
    hurry(program.streams[name].config)
    stream = output_for(program.streams[name], reactor, instance="trouble")
    numbered = Numbered(stream)
    stream.startService()
    numbered.ticks.start(TICK)
    StandardIO(Orders(numbered))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
