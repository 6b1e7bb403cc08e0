"""What stands between a client and a broker, or instead of a broker: a dam in the line, a cable that can be pulled,
servers that are none, and a disk that is soon full.

Servers run in threads of the test's process, on loopback.  All ends with its `with` block.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from twisted.trial.unittest import SkipTest

from interop.peers.processes import LOOPBACK

PIECE = 1 << 16


class Server:
    """Takes connections on a port of loopback until closed; each has a thread of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self.taken = 0
        """Connections so far."""
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take no more connections, and end those that there are."""
        # without shutdown, who waits in accept goes on waiting
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End all connections."""
        with self._lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.taken += 1
                self._keep(connection)
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _keep(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)

    def _run(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.serve(connection)

    def serve(self, connection: socket.socket) -> None:
        """What is done with a connection, in its own thread; ends with OSError when it is closed."""
        raise NotImplementedError


class Dam(Server):
    """Passes octets on to another port, both ways, except while it is shut: then nobody hears anything of anybody."""

    def __init__(self) -> None:
        self.behind = 0
        """The port behind it, to be set before anybody connects."""
        self._open = threading.Event()
        self._open.set()
        super().__init__()

    def shut(self) -> None:
        """Pass nothing on; connections stay, and new ones come as far as here."""
        self._open.clear()

    def open(self) -> None:
        """Pass on again, and first what was held."""
        self._open.set()

    def close(self) -> None:
        super().close()
        self._open.set()

    def serve(self, connection: socket.socket) -> None:
        self._open.wait()
        try:
            other = socket.create_connection((LOOPBACK, self.behind), 10)
        except OSError:
            connection.close()
            return
        other.settimeout(None)
        self._keep(other)
        threading.Thread(target=self._pass, args=(other, connection), daemon=True).start()
        self._pass(connection, other)

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := one.recv(PIECE):
                self._open.wait()
                other.sendall(octets)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Silent(Server):
    """Takes what it is told, and never says anything."""

    def serve(self, connection: socket.socket) -> None:
        while connection.recv(PIECE):
            pass


class Nonsense(Server):
    """Says what means nothing: after each thing that it hears, first `greeting`, then octets of chance, endlessly."""

    def __init__(self, greeting: bytes = b"", octets: Callable[[random.Random], bytes] | None = None) -> None:
        self._greeting = greeting
        self._octets = octets or (lambda chance: chance.randbytes(PIECE))
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        chance = random.Random(self.taken)
        if connection.recv(PIECE):
            connection.sendall(self._greeting)
            while True:
                connection.sendall(self._octets(chance))


class Cable(NamedTuple):
    """A link from this machine to a network namespace, where nothing else is.

    While it is pulled, packets are lost both ways, and nobody is told.
    """

    name: str
    address: str
    """Of this machine, as it is seen from there."""

    @property
    def beyond(self) -> list[str]:
        """What makes a command one that runs there."""
        return ["ip", "netns", "exec", self.name]

    def pull(self) -> None:
        """Lose all packets from now on."""
        _ip("link", "set", self.name, "down")

    def plug(self) -> None:
        """Lose no more."""
        _ip("link", "set", self.name, "up")


@contextlib.contextmanager
def cable() -> Iterator[Cable]:
    """A namespace on the far side of a cable; only root may have one."""
    if os.geteuid() != 0:
        raise SkipTest("only root may make a network namespace")
    number = os.getpid() % (1 << 14)
    # of the network that is kept for tests of devices (RFC 2544)
    here, there = (f"198.18.{number >> 6}.{(number & 63) * 4 + host}" for host in (1, 2))
    made = Cable(f"rotoro{number}", here)
    _ip("netns", "add", made.name)
    try:
        _ip("link", "add", made.name, "type", "veth", "peer", "name", "eth0", "netns", made.name)
        _ip("address", "add", f"{here}/30", "dev", made.name)
        for words in (["address", "add", f"{there}/30", "dev", "eth0"], ["link", "set", "eth0", "up"]):
            _ip("-n", made.name, *words)
        made.plug()
        yield made
    finally:
        # with its far end, as soon as nobody runs there, the cable goes
        subprocess.run(["ip", "link", "delete", made.name], check=False, capture_output=True)
        _ip("netns", "delete", made.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextlib.contextmanager
def small_disk(octets: int) -> Iterator[Path]:
    """A file system of that size in memory; only root may have one."""
    if os.geteuid() != 0:
        raise SkipTest("only root may mount a small disk")
    with tempfile.TemporaryDirectory(prefix="rotoro-disk-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={octets}", "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            # lazily: whoever still has a file open there keeps it until it ends
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(file: Path, left: int = 0) -> None:
    """Make this file so large that so many octets of the disk are left."""
    state = os.statvfs(file.parent)
    with file.open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        for _ in range(max(0, state.f_bavail * state.f_frsize - left) // PIECE):
            ballast.write(bytes(PIECE))
        while not left:
            ballast.write(bytes(1))
