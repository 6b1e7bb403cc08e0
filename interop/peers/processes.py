"""Every process that a test or a benchmark starts is started, watched and ended here.

A daemon belongs to whoever made it: its log lies in the folder it was given, `stop` ends that one process and waits for
it, and a `with` block or `addCleanup(daemon.stop)` makes sure that this happens when something fails.  Nothing else is
ever ended, and nothing listens anywhere but on loopback.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Self, TypeVar

LOOPBACK = "127.0.0.1"
CHOSEN_PORTS = range(10_000, 32_768)
"""TCP ports that Linux leaves to those who choose."""

_LISTENING = "0A"  # the state of such a socket in /proc/net/tcp

T = TypeVar("T")


class PeerFailed(Exception):
    """A process ended early, or did not do in time what it was started for."""


def free_ports(count: int) -> list[int]:
    """So many TCP ports that nobody has; all are held until all are known, so that no two are the same.

    They are none that the kernel gives to whoever asks for any, as every connection does: until the daemon listens on
    its port, others that run at the same time must not come before it.
    """
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            each = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                each.bind((LOOPBACK, port := random.choice(CHOSEN_PORTS)))
                found.append(port)
    return found


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    return free_ports(1)[0]


def wait_until(found: Callable[[], T | None], seconds: float, pause: float = 0.05) -> T | None:
    """What `found` answers as soon as that is not None; None when the time is over."""
    end = time.monotonic() + seconds
    while (answer := found()) is None and time.monotonic() < end:
        time.sleep(pause)
    return answer


class Daemon:
    """One running program with its log, from construction until `stop`."""

    patience = 5.0  # seconds between the request to end and the end

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        commanded: bool = False,
    ) -> None:
        """Start it; one that is `commanded` takes orders from `tell`."""
        self.name = name
        self.folder = folder
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE if commanded else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, order: str) -> None:
        """Give a line of orders to one that is commanded."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n".encode())
        self.process.stdin.flush()

    def stop(self) -> None:
        """Ask the process to end, insist when patience is over, and wait until it is gone.  Safe to call twice."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(self.patience)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def lines(self) -> list[str]:
        """What the process has said so far."""
        return self.log.read_text(errors="replace").splitlines()

    def fail(self, reason: str) -> NoReturn:
        """Raise `PeerFailed` with the last words of the log."""
        state = self.process.poll()
        ended = "" if state is None else f" (ended with status {state})"
        raise PeerFailed("\n    ".join([f"{self.name}: {reason}{ended}; its log ends:", *self.lines()[-15:]]))

    def expect(self, found: Callable[[], T | None], what: str, seconds: float = 20, pause: float = 0.05) -> T:
        """What `found` answers once it is not None; raises `PeerFailed` when the time is over or the process ended."""

        def alive_and_found() -> T | None:
            answer = found()
            if answer is None and self.process.poll() is not None:
                self.fail(f"ended before {what}")
            return answer

        answer = wait_until(alive_and_found, seconds, pause)
        return self.fail(f"{what}: not within {seconds:g} s") if answer is None else answer

    def expect_port(self, port: int, seconds: float = 60) -> None:
        """Wait until the process takes connections."""
        self.expect(lambda: listens(port), f"port {port} is open", seconds)

    def expect_line(self, text: str, seconds: float = 20, pause: float = 0.05) -> str:
        """Wait for a line of the log that contains the text, and return it."""
        return self.expect(
            lambda: next((line for line in self.lines() if text in line), None), f"log says {text!r}", seconds, pause
        )


def listens(port: int) -> bool | None:
    """True when somebody takes connections on that port, else None; where Linux tells, found out without connecting.

    A connection made only to look would be a session to the daemon, and some serve those one at a time.
    """
    tables = [table for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if table.exists()]
    if not tables:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
            return True
        return None
    rows = (row.split() for table in tables for row in table.read_text().splitlines())
    return any(words[1].endswith(f":{port:04X}") and words[3] == _LISTENING for words in rows) or None


def cpu_seconds(pid: int) -> float:
    """Processor time of a process with all its threads, ended ones too, in the scheduler's nanoseconds.

    The clock of another process has a number made from its id, as clock_getcpuclockid(3) makes it; the ticks in
    /proc/PID/stat would be too coarse for servers that answer in milliseconds.
    """
    return time.clock_gettime(~pid << 3 | 2)


def memory(pid: int, field: str = "VmRSS") -> int:
    """Octets of memory of a process by a field of its status: VmRSS, VmHWM (the peak), RssAnon (without files)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise PeerFailed(f"process {pid} has no {field}")


@contextlib.contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Within: SIGTERM unwinds the program as an exception does, so that every `with` block ends its processes."""

    def leave(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
