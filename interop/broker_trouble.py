"""What the tests of brokers in trouble share: a process of ours that sends numbered records, and what must arrive."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from twisted.trial.unittest import SynchronousTestCase

from interop.peers import ours
from interop.peers.processes import Daemon, PeerFailed

KEYS = 7
MOST_MEMORY = 200 << 20
"""Octets of memory that the process may have had at most; it has 90 MB when it begins."""

MOST_HELD = 0.25
"""Seconds of its own work that the reactor may be held at once; tests that measure have less."""

MOST_STALL = 3.0
"""Seconds that nothing else may run, on a machine with other work: who waits for a network waits longer."""

MOST_WORDS = 3
"""Lines that tell of one trouble: that somebody has gone, and what trying again says, each once."""


class Counters(NamedTuple):
    """What the process tells of its stream and of itself."""

    number: int
    sent: int
    written: int
    dropped: int
    waiting: int
    spilled: int
    problem: str | None
    held: float
    longest: float
    peak: int


class Sender:
    """The process, with a stream of this type and these settings; see `interop.numbered` for what it does."""

    def __init__(self, folder: Path, type: str, settings: str, run: int = 0, wrapper: Sequence[str] = ()) -> None:
        file = folder / "stream.blocks"
        file.write_text(
            f"output-stream out: {type} with config {{ {settings},"
            " rx: Numbered { number: U32, key: String, note: String } };\n"
        )
        command = [*wrapper, sys.executable, "-m", "interop.numbered", str(file), "out"]
        self.daemon = Daemon(f"sender-{run}", command, folder, ours.ENVIRONMENT, commanded=True)
        self.daemon.patience = 30
        self._asked = 0
        self._leaving = False
        try:
            # only now it takes orders, and what is sent is sent from now on
            self.counters()
        except PeerFailed:
            self.daemon.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.daemon.stop()

    def send(self, count: int, rate: float = 2000, keys: int = KEYS, size: int = 20) -> None:
        """Send so many more, so many a second; comes back at once."""
        self.daemon.tell(f"send {count} {rate} {keys} {size}")

    def counters(self) -> Counters:
        """What it counts now."""
        self.daemon.tell("status")
        return self._answer()

    def await_counters(self, what: str, seconds: float = 60, **wanted: int) -> Counters:
        """Wait until some of the counters are at least so much."""

        def there() -> Counters | None:
            told = self.counters()
            return told if all(getattr(told, name) >= least for name, least in wanted.items()) else None

        return self.daemon.expect(there, what, seconds, 0.2)

    def await_problem(self, seconds: float = 60) -> str:
        """Wait until something is wrong; what it is."""
        return self.daemon.expect(lambda: self.counters().problem, "it tells its problem", seconds, 0.2)

    def leave(self) -> None:
        """Have it begin to end; `stop` waits for that."""
        if not self._leaving:
            self._leaving = True
            self.daemon.tell("stop")

    def stop(self) -> Counters:
        """End it as a daemon ends; its last counters."""
        self.leave()
        told = self._answer()
        status = self.daemon.process.wait(20)
        if status != 0:
            self.daemon.fail("ended badly")
        return told

    def said(self, *words: str) -> list[str]:
        """Lines of its log with all of these words."""
        return [line for line in self.daemon.lines() if all(word in line for word in words)]

    def _answer(self, seconds: float = 60) -> Counters:
        self._asked += 1

        def answered() -> Counters | None:
            text = self.daemon.log.read_text(errors="replace")
            answers = [line for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("@ ")]
            return Counters(**json.loads(answers[self._asked - 1][2:])) if len(answers) >= self._asked else None

        return self.daemon.expect(answered, "it tells its counters", seconds)


class TroubleCase(SynchronousTestCase):
    """A test with a folder of its own; what it starts ends with it."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rotoro-trouble-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def assertArrived(self, numbers: Sequence[int], count: int, missing: Iterable[int] | int = ()) -> int:
        """All but these have arrived, or all but so many, and first in order among those with the same key.

        Returns how many came again.
        """
        first = list(dict.fromkeys(numbers))
        lost = sorted(set(range(count)) - set(first))
        if isinstance(missing, int):
            self.assertEqual(len(lost), missing)
        else:
            self.assertEqual(_spans(lost), _spans(missing))
        for key in range(KEYS):
            own = [number for number in first if number % KEYS == key]
            self.assertTrue(own == sorted(own), f"key {key} is not in order")
        return len(numbers) - len(first)

    def assertCounts(self, told: Counters, sent: int, dropped: int = 0, waiting: int = 0) -> None:
        """Every record is counted once, and the process was well all the time."""
        self.assertEqual((told.sent, told.dropped, told.waiting), (sent, dropped, waiting), told)
        self.assertEqual(told.written, sent - dropped - waiting)
        self.assertWell(told)

    def assertWell(self, told: Counters) -> None:
        """Bounded memory, and nothing held the reactor."""
        self.assertLess(told.peak, MOST_MEMORY)
        self.assertLess(told.held, MOST_HELD)
        self.assertLess(told.longest, MOST_STALL)

    def assertToldOnce(self, sender: Sender, *words: str) -> str:
        """Exactly one line of its log has all of these words; that line."""
        lines = sender.said(*words)
        self.assertEqual(len(lines), 1, [words, *sender.daemon.lines()[-30:]])
        return lines[0]


def _spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers, from and to, where they follow each other."""
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1] = spans[-1][0], number
        else:
            spans.append((number, number))
    return spans
