"""What `make test` runs side by side: tests with programs of others mostly wait, and leave time for all the rest.

    python -P tests/lanes.py "COMMAND" "COMMAND"

What the first lane says is shown as it comes, what the next one says when it ends, or from when the first is over. The
lines with which runners closed come last. Ctrl-C and SIGTERM interrupt all lanes.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

CLOSING = re.compile(
    r"^(?:=+ .+ in [\d.]+s\b.* =+|(?:PASSED|FAILED) \(.+\)|(?:FAILED|ERROR) \S+/.+|make\S* \*\*\* .+)$", re.MULTILINE
)
"""How pytest, trial and make tell what became of it: counts, and what failed."""
LOOK_SECONDS = 0.2
PATIENCE = 60.0
"""Seconds from the interrupt to the end, as tests end first what they started."""


class Lane:
    """A command of the shell in a process group of its own, and what it said so far."""

    def __init__(self, command: str) -> None:
        self.command = command
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the lane is there)
        self._shown = 0
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            command, shell=True, process_group=0, stdin=subprocess.DEVNULL, stdout=self._said, stderr=subprocess.STDOUT
        )

    def ended(self) -> bool:
        return self._process.poll() is not None

    def passed(self) -> bool:
        return self._process.poll() == 0

    def show(self) -> None:
        """Print what it said since it was shown last."""
        news = self._text(self._shown)
        if self._shown == 0 and news:
            print(f"\n--- {self.command}", flush=True)
        self._shown += len(news)
        sys.stdout.buffer.write(news)
        sys.stdout.flush()

    def close(self) -> None:
        """Print all that was not shown, and how it ended."""
        self.show()
        how = "passed" if self.passed() else "FAILED"
        print(f"--- {how} after {(time.monotonic() - self._started) / 60:.1f} min: {self.command}", flush=True)

    def closing(self) -> list[str]:
        """The lines with which its runners closed."""
        return CLOSING.findall(self._text(0).decode(errors="replace"))

    def interrupt(self) -> None:
        """Do to all that runs in it what Ctrl-C does."""
        if not self.ended():
            os.killpg(self._process.pid, signal.SIGINT)

    def wait(self) -> None:
        """Until it is gone; insist when patience is over, also that of whoever waits."""
        try:
            self._process.wait(PATIENCE)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _text(self, start: int) -> bytes:
        # the process shares the position of the file, which therefore must not be moved
        return os.pread(self._said.fileno(), os.fstat(self._said.fileno()).st_size - start, start)


def watch(lanes: Sequence[Lane]) -> None:
    """Show them until all have ended."""
    running = list(lanes)
    while running:
        time.sleep(LOOK_SECONDS)
        for lane in [lane for lane in running if lane.ended()]:
            lane.close()
            running.remove(lane)
        for lane in running[:1]:
            lane.show()


def main(commands: Sequence[str]) -> int:
    """Run all of them; returns the exit status."""
    # a shell that is not interactive has what it starts with `&` ignore SIGINT, which tests would inherit
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    lanes: list[Lane] = []
    try:
        lanes.extend(map(Lane, commands))
        watch(lanes)
    except KeyboardInterrupt:
        for lane in lanes:
            lane.interrupt()
        for lane in lanes:
            lane.wait()
            lane.close()
    print("\n" + "\n".join(line for lane in lanes for line in lane.closing()), flush=True)
    return 0 if all(lane.passed() for lane in lanes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
