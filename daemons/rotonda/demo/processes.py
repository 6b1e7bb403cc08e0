"""The daemons of the demo: children that are started by twistd, watched by their logs, and always ended."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import rotonda
import rotoro

from .errors import DemoFailed

RTR, HTTP = "rtr, rotoro", "http"
"""What daemons say in their logs that they listen for."""
_TWISTD = [sys.executable, "-P", "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile="]
_LAST_LINES = 15
_PATIENCE = 10.0
"""Seconds from the request to end to the end."""


class Daemon:
    """One running daemon."""

    def __init__(self, name: str, words: Sequence[str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [*_TWISTD, name, *words],
                env={**os.environ, "PYTHONPATH": _path()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def memory(self) -> int | None:
        """Octets of memory that it has now; None where the system does not tell."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return None
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) * 1024 if found else None

    def check(self) -> None:
        """Raise DemoFailed, with the end of its log, if it has died."""
        status = self._process.poll()
        if status is not None:
            said = "\n".join(f"   {line}" for line in self.lines()[-_LAST_LINES:])
            raise DemoFailed(f"{self.name} died (status {status}). Its log, which --keep DIR would keep, ends:\n{said}")

    def lines(self) -> list[str]:
        """What it has said so far."""
        return self.log.read_text(errors="replace").splitlines()

    def port(self, what: str, seconds: float = 60.0) -> int:
        """The port on which it listens for this, as soon as it says so. Raises DemoFailed."""
        wanted = re.compile(rf"listening on \S+:(\d+) \({re.escape(what)}\)$")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.lines():
                if found := wanted.search(line):
                    return int(found[1])
            self.check()
            time.sleep(0.05)
        raise DemoFailed(f"{self.name} does not listen for {what} after {seconds:.0f} s; its log is {self.log}")

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process.poll() is None:
            self._process.terminate()

    def wait(self) -> None:
        """Until it is gone; insist when patience is over."""
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            # not for ever: an interrupt in the middle of `poll` leaves its lock taken, and then no `wait` sees the end
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)


class Daemons:
    """All daemons of one demo; use with `with`, as whatever happens, they end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[Daemon] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self, name: str, *words: str) -> Daemon:
        """One more."""
        daemon = Daemon(name, words, self.folder)
        self._running.append(daemon)
        return daemon

    def check(self) -> None:
        """Raise DemoFailed if one has died."""
        for daemon in self._running:
            daemon.check()

    def stop(self) -> None:
        """End all, from east to west."""
        for daemon in reversed(self._running):
            daemon.terminate()
        for daemon in reversed(self._running):
            daemon.wait()
        self._running.clear()


def loopback(port: int) -> str:
    """Where this port is."""
    return f"127.0.0.1:{port}"


def place(daemon: Daemon, does: str) -> tuple[str, str, str]:
    """Which process a daemon is, and what it does."""
    return daemon.name, f"process {daemon.pid}", does


def _path() -> str:
    """Where children find what we found: a checkout or an installation, wherever they run."""
    ours = [str(Path(package.__path__[0]).resolve().parent) for package in (rotoro, rotonda)]
    return os.pathsep.join(dict.fromkeys([*ours, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]))
