"""Our connector as users start it, on a real port: its data is a file that is written anew."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from copy import copy
from pathlib import Path

from interop.conformance.asking import Router
from interop.conformance.case import Broken, Inconclusive
from interop.conformance.subject import PLACES, Data, Line, Subject
from interop.conformance.worlds import few
from interop.peers import ours
from interop.peers.processes import LOOPBACK, free_ports

LOOPBACK6 = "::1"
_LINGER_FOR_NOTHING = struct.pack("ii", 1, 0)
_SOCKETS = Path("/proc/net/tcp")
_KEEPALIVE = "02"
"""The timer of a socket that waits for nothing but to ask whether the other side is there (Linux)."""


class LiveLine(Line):
    """A TCP connection."""

    def __init__(self, host: str, port: int) -> None:
        self._port = port
        self._socket = socket.create_connection((host, port), 10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def kept_alive(self) -> bool:
        if not _SOCKETS.exists():
            raise Inconclusive(f"no {_SOCKETS}")
        ends = f":{self._port:04X}", f":{self._socket.getsockname()[1]:04X}"
        rows = [row.split() for row in _SOCKETS.read_text().splitlines()[1:]]
        return any((row[1][-5:], row[2][-5:]) == ends and row[5].startswith(_KEEPALIVE) for row in rows)

    def say(self, octets: bytes) -> None:
        with suppress(OSError):
            self._socket.sendall(octets)

    def hear(self, seconds: float) -> bytes:
        if self.closed:
            return b""
        self._socket.settimeout(seconds)
        try:
            octets = self._socket.recv(1 << 18)
        except TimeoutError:
            return b""
        except OSError:
            octets = b""
        self.closed = not octets
        return octets

    def finish(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_FOR_NOTHING)
        self.close()

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()


def _has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6) as tried:
        tried.bind((LOOPBACK6, 0))
        return True
    return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class Live(Subject):
    """Our connector in a process of its own; `stop` ends it."""

    able = frozenset({PLACES})

    patience = 10.0
    quiet = 0.3

    def __init__(self, folder: Path) -> None:
        self.host = LOOPBACK
        self.port, self._other = free_ports(2)
        self._file = folder / "export.json"
        self._lines: list[LiveLine] = []
        self._write(few(1).export())
        more = [word for host in self._hosts() for word in ("--listen", f"{_in_url(host)}:{self._other}")]
        self.daemon = ours.start_connector(folder, self.port, vrps=[self._file], options=more)
        self._await(few(1))

    def stop(self) -> None:
        """End the process."""
        self.tidy()
        self.daemon.stop()

    def connect(self) -> LiveLine:
        line = LiveLine(self.host, self.port)
        self._lines.append(line)
        return line

    def feed(self, export: bytes, expected: Data) -> None:
        if self._write(export):
            self._await(expected)

    def tidy(self) -> None:
        for line in self._lines:
            line.close()
        self._lines.clear()

    def elsewhere(self) -> list[Subject]:
        others: list[Subject] = []
        for host in self._hosts():
            other = copy(self)
            other.host, other.port = host, self._other
            others.append(other)
        return others

    @staticmethod
    def _hosts() -> list[str]:
        return [LOOPBACK, LOOPBACK6] if _has_ipv6() else [LOOPBACK]

    def _write(self, export: bytes) -> bool:
        """Put a new file in the place of the old one, as validators do; False if that would be the same."""
        if self._file.exists() and self._file.read_bytes() == export:
            return False
        made = self._file.with_suffix(".new")
        made.write_bytes(export)
        os.replace(made, self._file)
        return True

    def _await(self, expected: Data) -> None:
        self.data = expected
        self.daemon.expect(self._serves, f"{len(expected.vrps)} VRPs are served", 30, 0.2)

    def _serves(self) -> bool | None:
        with suppress(OSError, Broken):
            router = Router(self, max(self.versions))
            try:
                router.load()
                router.exact()
            finally:
                router.line.reset()
            return True
        return None
