"""Many RTR clients in a process of their own, light enough not to be what is measured.

Their buffers are made, and touched, once for the whole run; what they read is understood after the clock has stopped.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Self

from interop.peers.probe import Reader, fetch_many
from interop.peers.processes import PeerFailed

FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Fetched:
    """What so many clients at once saw."""

    seconds: float  # from the first query until the last End of Data
    own_cpu_seconds: float  # what the clients themselves took
    octets: int  # of one answer
    digests: frozenset[str]  # of the sets of VRPs that the clients got: one, when all got the same


class Clients:
    """At most `most` clients that can hold `capacity` octets each; use as a context manager."""

    def __init__(self, most: int, capacity: int, least: int, make: Callable[[bytearray, int], Reader] = Reader) -> None:
        """`least` as readers have it; `make` makes one with its buffer."""
        self._ours, theirs = FORK.Pipe()
        self._process = FORK.Process(target=_serve, args=(theirs, most, capacity, least, make), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._ours.recv()  # the buffers are ready
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()

    def fetch(self, port: int, version: int, count: int, silence: float) -> Fetched:
        """Ask the cache on that port with so many clients; `silence` seconds without an octet are too many."""
        self._ours.send((port, version, count, silence))
        told: Fetched | str = self._ours.recv()
        if isinstance(told, Fetched):
            return told
        raise PeerFailed(f"{count} clients of port {port}: {told}")


def _serve(asked: Connection, most: int, capacity: int, least: int, make: Callable[[bytearray, int], Reader]) -> None:
    readers = [make(bytearray(b"\x01") * capacity, least) for _ in range(most)]
    known: dict[bytes, str] = {}
    asked.send(None)
    while True:
        port, version, count, silence = asked.recv()
        try:
            asked.send(_fetch(readers[:count], port, version, silence, known))
        except Exception as broken:  # the other process must hear of it, whatever it is
            asked.send(f"{type(broken).__name__}: {broken}")


def _fetch(readers: list[Reader], port: int, version: int, silence: float, known: dict[bytes, str]) -> Fetched:
    own = time.process_time()
    seconds = fetch_many(readers, port, [version] * len(readers), silence)
    own = time.process_time() - own
    return Fetched(seconds, own, readers[0].used, frozenset(_digest(reader, known) for reader in readers))


def _digest(reader: Reader, known: dict[bytes, str]) -> str:
    """The name of the set; an answer that is the same octet for octet is understood once."""
    raw = hashlib.blake2b(reader.buffer[: reader.used]).digest()
    if raw not in known:
        data = reader.answer().data
        known[raw] = f"{data.vrp_count} VRPs, {data.digest()}"
    return known[raw]
