"""Somebody else's session, in a process of its own: how long it takes while others are attacking, in seconds.

`python -m interop.attacks.bystander router PORT` syncs with a cache over and over, each time on a new connection;
`... cache PORT HTTP` is a cache of our router, and has it come for one change after the other. At the line `begin` they
begin, at `end` they tell how long each sync took. Nothing here imports more than it must: a slow start is time lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.request import urlopen

from interop.conformance.octets import (
    ANNOUNCE,
    END_OF_DATA,
    SERIAL_QUERY,
    WITHDRAW,
    cache_response,
    end_of_data,
    prefix,
    reset_query,
    split,
)
from interop.peers.processes import LOOPBACK, Daemon

LEAST = 3
"""So many times it syncs at least."""

PAUSE = 0.02
"""Seconds between two syncs: this is no attack."""

SESSION, VERSION = 99, 2
GOOD = [f"198.18.{number >> 8}.{number & 255}/32" for number in range(1000)]
"""What the good cache always has; one more comes and goes."""

GOOD_AS, EXTRA = 64500, "198.19.0.0/24"
_END = bytes([VERSION, END_OF_DATA])


class Bystander(Daemon):
    """Such a process, as tests command it."""

    def __init__(self, folder: Path, words: Sequence[object], environment: dict[str, str]) -> None:
        number = len(list(folder.glob("bystander-*.log")))
        command = [sys.executable, "-m", "interop.attacks.bystander", *map(str, words)]
        super().__init__(f"bystander-{number}", command, folder, environment, commanded=True)

    def begin(self) -> None:
        """Sync from now on."""
        self._rounds = self._told()
        self.tell("begin")

    def end(self) -> list[float]:
        """How long each sync took, since `begin`."""
        self.tell("end")
        self.expect(lambda: self._told() > self._rounds or None, "syncs are told", 60)
        times: list[float] = json.loads(self.lines()[-1])
        return times

    def _told(self) -> int:
        return sum(line.startswith("[") for line in self.lines())


class Router:
    """A router that loads everything, by TLS if there are files for it."""

    def __init__(self, port: str, *files: str) -> None:
        self._port = int(port)
        self._tls = tls_context(*files) if files else None

    def sync(self) -> float:
        """How long it took from the connection to End of Data."""
        started = time.perf_counter()
        with socket.create_connection((LOOPBACK, self._port), 30) as plain:
            made = self._tls.wrap_socket(plain) if self._tls is not None else plain
            with made:
                made.sendall(reset_query(VERSION))
                buffer, end = memoryview(bytearray(1 << 18)), b""
                while end[:2] != _END or len(end) < 24:
                    count = made.recv_into(buffer)
                    if not count:
                        raise ConnectionError(f"closed after {end.hex()}")
                    end = (end + bytes(buffer[max(0, count - 24) : count]))[-24:]
        return time.perf_counter() - started


class Cache:
    """A cache that the router under attack follows, too; it ends each connection, so that the next one comes."""

    def __init__(self, port: str, http: str) -> None:
        self._status = f"http://{LOOPBACK}:{http}/api/v1/status"
        self._listening = socket.create_server((LOOPBACK, int(port)))
        self._listening.settimeout(20)
        self._serial, self._extra = 1, False

    def sync(self) -> float:
        """How long it took from the connection until the router shows what it was told; it had to come before."""
        made, _ = self._listening.accept()
        started, before = time.perf_counter(), self._shown()
        with made:
            made.settimeout(20)
            heard = b""
            while not split(heard)[0]:
                octets = made.recv(1 << 12)
                if not octets:
                    raise ConnectionError("the router closed")
                heard += octets
            made.sendall(self._answer(split(heard)[0][0].number == SERIAL_QUERY))
            while self._shown() == before:
                time.sleep(0.002)
        return time.perf_counter() - started

    def _answer(self, changes: bool) -> bytes:
        self._serial, self._extra = self._serial + 1, not self._extra
        data = [] if changes else [prefix(VERSION, each, 32, GOOD_AS) for each in reversed(GOOD)]
        if changes or self._extra:
            data.append(prefix(VERSION, EXTRA, 24, GOOD_AS, ANNOUNCE if self._extra else WITHDRAW))
        end = end_of_data(VERSION, SESSION, self._serial, (3600, 1, 7200))
        return b"".join([cache_response(VERSION, SESSION), *data, end])

    def _shown(self) -> object:
        with urlopen(self._status, timeout=30) as answer:
            return json.loads(answer.read())["tables"][0]


def tls_context(authority: str, certificate: str, key: str) -> ssl.SSLContext:
    """A client that believes this authority whatever the server is called, and shows this certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.load_verify_locations(authority)
    made.load_cert_chain(certificate, key)
    return made


def play(sync: Callable[[], float]) -> None:
    """Do as the standard input says."""
    while _order() == "begin":
        times: list[float] = []
        while len(times) < LEAST or not select.select([0], [], [], 0)[0]:
            times.append(sync())
            time.sleep(PAUSE)
        if _order() != "end":
            return
        print(json.dumps(times), flush=True)


def _order() -> str:
    """The next line; read without a buffer, in which `select` would not see what waits."""
    return b"".join(iter(lambda: os.read(0, 1).replace(b"\n", b""), b"")).decode()


def main() -> None:
    """One of the two."""
    role, *words = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        play((Cache if role == "cache" else Router)(*words).sync)


if __name__ == "__main__":
    main()
