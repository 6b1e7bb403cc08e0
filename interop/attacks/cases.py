"""What every attack test asserts, whatever it attacks: see `attack`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import statistics
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from interop.attacks.bystander import EXTRA, GOOD, GOOD_AS, Bystander
from interop.attacks.sabotaged import FOLDER
from interop.conformance.octets import Heard, split
from interop.peers import ours, probe
from interop.peers.processes import LOOPBACK, Daemon, free_port, free_ports, memory, wait_until
from interop.vrps import RpkiData

VRPS = 50_000

SLACK = 8 << 20
"""Octets of memory that may come and go with anything."""

LEAST_SECONDS = 0.1
"""Below this nobody can tell a slow daemon from a busy machine."""

SILENT = ""
"""The line of an attack about which the log says nothing."""


class AttackCase(SynchronousTestCase):
    """Some daemon, `attacked`, somebody else who syncs with it, and what it was like before."""

    folder: ClassVar[Path]
    attacked: Daemon
    bystander: Bystander
    baseline: float
    octets: int

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.folder = Path(tempfile.mkdtemp(prefix="rotoro-attacks-"))

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(cls.folder)
        super().tearDownClass()

    def keep(self, daemon: Daemon) -> Daemon:
        """See to it that this process ends with the test."""
        self.addCleanup(daemon.stop)
        return daemon

    @classmethod
    def measure(cls) -> None:
        """See how long a sync takes, and how much memory the daemon needs for it."""
        cls.bystander.begin()
        cls.baseline = statistics.median(cls.bystander.end())
        cls.octets = memory(cls.attacked.pid)

    @contextlib.contextmanager
    def attack(self, line: str = SILENT, *, lines: int = 1, others: float = LEAST_SECONDS) -> Iterator[None]:
        """While this goes on others are served as before, in less than twice the time or than `others` seconds.

        After it the process is up, whoever comes gets exactly what is there, the memory is what it was, and the log
        has a line in which this is found, a regular expression, once or up to so many times.
        """
        told = self.told(line)
        self.bystander.begin()
        try:
            yield
        finally:
            times = self.bystander.end()
        self.assertIsNone(self.attacked.process.poll())
        self.assertLess(statistics.median(times), max(2 * self.baseline, others), "others have to wait")
        if line:
            self.attacked.expect(lambda: self.told(line) > told or None, f"log says {line!r}", 5)
            self.assertLessEqual(self.told(line) - told, lines, f"{line!r} too often in the log")
        self.assertEqual([each for each in self.attacked.lines() if "Traceback" in each or "our mistake" in each], [])
        self.assert_exact()
        self.assert_memory()

    def told(self, line: str) -> int:
        """In how many lines of the log this is found."""
        return sum(re.search(line, each) is not None for each in self.attacked.lines())

    def assert_exact(self) -> None:
        """Whoever comes now gets exactly what is there."""
        raise NotImplementedError

    def assert_memory(self) -> None:
        """It needs no more memory than before."""
        limit = self.octets * 1.05 + SLACK
        done = wait_until(lambda: memory(self.attacked.pid) <= limit or None, 5)
        self.assertTrue(done, f"{memory(self.attacked.pid) - self.octets} octets more than before")


class CacheCase(AttackCase):
    """Attacks on our connector as a cache."""

    vrps = VRPS
    options: ClassVar[tuple[str, ...]] = ()
    file: ClassVar[Path]
    data: ClassVar[RpkiData]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.file, cls.data = cls.folder / "vrps.csv", host_routes(cls.vrps)
        write_csv(cls.file, cls.vrps)

    def setUp(self) -> None:
        self.port = free_port()
        self.start()
        self.stand_by("router", self.port)

    def stand_by(self, *words: object) -> None:
        """Somebody else, and what it was like before."""
        found = type(self)
        found.attacked, found.bystander = self.attacked, Bystander(self.folder, words, ours.ENVIRONMENT)
        self.addCleanup(found.bystander.stop)
        self.measure()

    def start(self, *options: object) -> None:
        """The connector, once it serves."""
        words = [word for option in self.options for word in option.split()]
        at = ["--listen", f"{LOOPBACK}:{self.port}", "--vrps", str(self.file)]
        self.attacked = self.keep(self.twistd(["rotonda-connector", *at, *words, *map(str, options)]))
        probe.fetch_when(self.attacked, self.port, 1, self.vrps)

    def twistd(self, words: Sequence[str]) -> Daemon:
        """How it is started."""
        return twistd(self.folder, words)

    def connect(self) -> socket.socket:
        """A connection of a router."""
        made = socket.create_connection((LOOPBACK, self.port), 10)
        self.addCleanup(made.close)
        return made

    def converse(self, octets: bytes) -> bytes:
        """Say this, and hear all until the cache closes."""
        with socket.create_connection((LOOPBACK, self.port), 10) as made:
            made.sendall(octets)
            return until_closed(made)

    def assert_exact(self) -> None:
        found = probe.fetch(self.port, 2, 1 << 16 | self.vrps * 40).data
        self.assertTrue(np.array_equal(found.vrps4, self.data.vrps4), f"{found.vrp_count} VRPs")
        self.assertEqual(len(found.vrps6), 0)


class RouterCase(AttackCase):
    """Attacks on our router by one of its two caches; the other is good, and what it says is always there.

    One router lives through all attacks of a class.
    """

    listening: ClassVar[socket.socket | None] = None
    http: ClassVar[int]
    port: ClassVar[int]
    hostile: frozenset[tuple[str, int, int]] = frozenset()
    """What the router should hold of the hostile cache, as (prefix, max length, AS number)."""

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.listening is not None:
            cls.listening.close()
            cls.bystander.stop()
            cls.attacked.stop()
        super().tearDownClass()

    def setUp(self) -> None:
        if type(self).listening is None:
            self._start(type(self))
        self.begin()

    @classmethod
    def _start(cls, made: type[RouterCase]) -> None:
        good, made.http = free_ports(2)
        made.listening = socket.create_server((LOOPBACK, 0))
        made.port = made.listening.getsockname()[1]
        words = ["--http", f"{LOOPBACK}:{made.http}", "--mode", "rtr", "--cache", f"{LOOPBACK}:{good}"]
        made.attacked = made.twistd(["rotonda-router", *words, "--cache", made.target()])
        made.bystander = Bystander(made.folder, ["cache", good, made.http], ours.ENVIRONMENT)
        made.attacked.expect_port(made.http)
        made.measure()

    @classmethod
    def twistd(cls, words: Sequence[str]) -> Daemon:
        """How it is started."""
        return twistd(cls.folder, words)

    @classmethod
    def target(cls) -> str:
        """What the router is told of the hostile cache."""
        return f"{LOOPBACK}:{cls.port}"

    def begin(self) -> None:
        """What the hostile cache does before it attacks."""

    def accept(self, seconds: float = 15) -> HostileLine:
        """The router comes; TimeoutError if it does not."""
        assert self.listening is not None  # since `setUp`
        self.listening.settimeout(seconds)
        made, _ = self.listening.accept()
        self.addCleanup(made.close)
        return HostileLine(made)

    def assert_exact(self) -> None:
        rows = {(each, 32, GOOD_AS) for each in GOOD} | self.hostile
        found: list[object] = []

        def exact() -> bool | None:
            data = ours.router_data(self.http)
            shown = {row for row in data.rows() if row[0] != EXTRA} if data is not None else set()
            found[:] = sorted(shown ^ rows)[:5]
            return (shown == rows and data is not None and not data.duplicates) or None

        self.assertTrue(wait_until(exact, 5), f"{found} is too much or missing")


class HostileLine:
    """One connection of a router to a hostile cache."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._heard = b""
        connection.settimeout(15)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, octets: bytes) -> None:
        """Send this; a router that has closed does not mind."""
        with contextlib.suppress(ConnectionError):
            self.connection.sendall(octets)

    def next(self, seconds: float = 15) -> Heard | None:
        """The next PDU of the router; None when it has closed. TimeoutError when nothing comes."""
        self.connection.settimeout(seconds)
        while not split(self._heard)[0]:
            try:
                octets = self.connection.recv(1 << 16)
            except ConnectionError:
                octets = b""
            if not octets:
                return None
            self._heard += octets
        first = split(self._heard)[0][0]
        self._heard = self._heard[len(first.octets) :]
        return first

    def rest(self, seconds: float = 15) -> list[Heard]:
        """All that the router still says until it closes."""
        found = []
        while (heard := self.next(seconds)) is not None:
            found.append(heard)
        return found

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


def twistd(folder: Path, words: Sequence[str], **environment: str) -> Daemon:
    """One of our daemons; `words` may begin with options of twistd."""
    run = "from twisted.scripts.twistd import run; run()"
    return _daemon(folder, [sys.executable, "-c", run], words, environment)


def spoiled(folder: Path, sabotage: Path, words: Sequence[str]) -> Daemon:
    """The same on a machine that does not behave, as files in `sabotage` say."""
    sabotage.mkdir(exist_ok=True)
    for file in sabotage.iterdir():
        file.unlink()
    return _daemon(folder, [sys.executable, "-m", "interop.attacks.sabotaged"], words, {FOLDER: str(sabotage)})


def set_clock(sabotage: Path, which: str, seconds: float) -> None:
    """Have the `wall` clock or the `steady` one of such a machine go ahead by so much, all at once."""
    made = sabotage / f"{which}.new"
    made.write_text(str(seconds))
    os.replace(made, sabotage / which)


def _daemon(folder: Path, command: list[str], words: Sequence[str], environment: Mapping[str, str]) -> Daemon:
    name = f"daemon-{len(list(folder.glob('daemon-*.log')))}"
    return Daemon(name, [*command, "--nodaemon", "--pidfile=", *words], folder, {**ours.ENVIRONMENT, **environment})


def until_closed(connection: socket.socket) -> bytes:
    """All that comes until the other side closes, or resets."""
    heard = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while octets := connection.recv(1 << 18):
            heard += octets
    return bytes(heard)


def reset(connection: socket.socket) -> None:
    """Close with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def host_routes(count: int) -> RpkiData:
    """So many VRPs, each for one address."""
    rows = np.zeros((count, 10), np.uint8)
    rows[:, :4] = ((10 << 24) + np.arange(count, dtype=">u4")).astype(">u4")[:, None].view(np.uint8)
    rows[:, 4:6] = 32
    rows[:, 6:] = np.frombuffer((64496).to_bytes(4, "big"), np.uint8)
    return RpkiData(rows.view("S10").reshape(-1), np.empty(0, "S22"))


def write_csv(path: Path, count: int) -> None:
    """The same as validators export it, put in the place of what is there."""
    made = path.with_suffix(".new")
    lines = (f"AS64496,10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32,32,test\n" for n in range(count))
    made.write_text("ASN,IP Prefix,Max Length,Trust Anchor\n" + "".join(lines))
    os.replace(made, path)


def codes(heard: bytes | Sequence[Heard]) -> list[int]:
    """The codes of the Error Reports among these PDUs."""
    pdus = split(heard)[0] if isinstance(heard, bytes) else heard
    return [each.field for each in pdus if each.number == 10]
