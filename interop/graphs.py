"""Graphs of the block language as processes: one for each instance of a file, each with a folder of its own."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from twisted.trial.unittest import SynchronousTestCase

from interop.peers import ours
from interop.peers.processes import LOOPBACK, Daemon

EVERYTHING = 300.0
"""Seconds that a graph may take until all of its units are complete."""


class GraphCase(SynchronousTestCase):
    """A test that runs the instances of a file; they end with it, whatever happens."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rotoro-graphs-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder / "app.blocks"

    def write(self, text: str) -> None:
        """The file, in one step."""
        unfinished = self.file.with_suffix(".unfinished")
        unfinished.write_text(text)
        unfinished.replace(self.file)

    def run_instance(self, name: str, http: int, folder: str | None = None) -> Running:
        """Start one instance of the file, which answers on that port, in a folder of its own."""
        running = Running(self.file, name, self.folder / (folder or name), http)
        self.addCleanup(running.daemon.stop)
        return running


class Running:
    """One instance at work."""

    def __init__(self, file: Path, name: str, folder: Path, http: int) -> None:
        folder.mkdir(exist_ok=True)
        self.name, self.folder, self.http = name, folder, http
        self.daemon: Daemon = ours.start_graph(folder, file, name)

    def get(self, path: str) -> Any:
        """One answer of its API."""
        return json.loads(ours.get(self.http, path))

    def asked(self, path: str) -> Any | None:
        """The same; None while nobody answers there."""
        try:
            return self.get(path)
        except (HTTPError, URLError, ConnectionError, TimeoutError):
            return None

    def units(self) -> dict[str, dict[str, Any]]:
        """Its units, as the API shows them."""
        return {unit["name"]: unit for unit in self.get("/api/v1/graph")["units"]}

    def await_complete(self, seconds: float = EVERYTHING) -> None:
        """Wait until all of its units have everything."""
        self.daemon.expect(self._is_ready, f"all units of {self.name} are complete", seconds, 0.3)

    def tables(self) -> dict[str, tuple[int, str]]:
        """How many records each of its tables has, and their digest; those without data are left out."""
        told = self.get("/api/v1/status")["tables"]
        return {
            f"{each['name']}/{each['kind']}": (sum(each["records"].values()), each["digest"])
            for each in told
            if each["ready"]
        }

    def positions(self) -> dict[str, tuple[int, int]]:
        """Where each table stands: its epoch, and its serial."""
        told = self.get("/api/v1/status")["tables"]
        return {
            f"{each['name']}/{each['kind']}": (each["position"]["epoch"], each["position"]["serial"]) for each in told
        }

    def reload(self, expected: str = "is in force", seconds: float = 20) -> str:
        """Have it read the file again, and wait for what it says of that; returns the line of its log."""
        before = len(self._said(expected))
        self.daemon.process.send_signal(signal.SIGHUP)

        def said() -> str | None:
            now = self._said(expected)
            return now[-1] if len(now) > before else None

        return self.daemon.expect(said, f"log says {expected!r}", seconds)

    def lines(self, name: str) -> list[str]:
        """The lines of one of its output files, in the order of the alphabet."""
        path = self.folder / name
        return sorted(path.read_text().splitlines()) if path.exists() else []

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.daemon.pid}/fd").iterdir()))

    def _said(self, text: str) -> list[str]:
        return [line for line in self.daemon.lines() if text in line]

    def _is_ready(self) -> bool | None:
        answer = self.asked("/readyz")
        return True if answer is not None and answer["ready"] else None


def instance(name: str, graph: str, port: int, http: int, west: Mapping[str, int] | None = None) -> str:
    """An instance of a file, and how it reaches others."""
    remotes = "".join(f"    {other}: {{ address: {LOOPBACK}:{own} }},\n" for other, own in (west or {}).items())
    return (
        f"instance {name}: Daemon with config {{\n    listen: {LOOPBACK}:{port},\n    http: {LOOPBACK}:{http},\n"
        f"{remotes}    graph: [ {graph} ],\n}};\n"
    )
