"""A neutral RTR client: what a cache really puts on the wire, found out without a line of any implementation.

Reading and understanding are two steps.  While the clock runs, octets go into one big buffer and only the last few are
looked at, for an End of Data; afterwards the whole answer is walked PDU by PDU and every header is held to RFC 6810
(version 0), RFC 8210 (1) or draft-ietf-sidrops-8210bis-27 (2).
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interop.peers.processes import LOOPBACK, Daemon
from interop.vrps import Octets, RouterKey, RpkiData, sorted_keys

RESET_QUERY, CACHE_RESPONSE, IPV4, IPV6, END_OF_DATA = 2, 3, 4, 6, 7
ROUTER_KEY, ERROR_REPORT, ASPA = 9, 10, 11
END_OF_DATA_LENGTH = {0: 12, 1: 24, 2: 24}
LENGTH = {IPV4: 20, IPV6: 32}
# where the octets of a key lie in the PDU: address, max length, length, AS number
COLUMNS = {IPV4: [*range(12, 16), 10, 9, *range(16, 20)], IPV6: [*range(12, 28), 10, 9, *range(28, 32)]}
SHAPE = {ROUTER_KEY: (32, 1), ASPA: (12, 4)}  # the least length, and what it grows by
NOTIFY_LENGTH = 12  # of a Serial Notify
SMALL, PATIENCE, NAP = 16384, 20, 0.0005  # octets of a read, turns of such reads, seconds


class BadAnswer(Exception):
    """The cache's answer is not what the protocol says; names the place and shows the octets."""


@dataclass(frozen=True)
class Answer:
    """What a cache told to a Reset Query."""

    version: int
    session: int
    serial: int
    timers: tuple[int, ...]  # refresh, retry, expire in seconds; none in version 0
    octets: int
    data: RpkiData


def query(version: int) -> bytes:
    """A Reset Query."""
    return struct.pack(">BBHI", version, RESET_QUERY, 0, 8)


class Reader:
    """One client: sends a Reset Query and keeps what comes until End of Data, in a buffer of the given size.

    `least` octets come before any End of Data that is worth looking for: where millions of small reads are measured,
    looking after each would slow down the cache that is measured.
    """

    def __init__(self, buffer: bytearray, least: int = 8) -> None:
        self.buffer = memoryview(buffer)
        self.least = least
        self.used = 0
        self.connection: socket.socket | None = None
        self.version = 0

    def connect(self, port: int, version: int, host: str = LOOPBACK) -> socket.socket:
        """Connect and be ready to ask."""
        self.used, self.version = 0, version
        self.connection = socket.create_connection((host, port), 10)
        return self.connection

    def ask(self) -> None:
        """Send the query."""
        assert self.connection is not None
        self.connection.sendall(query(self.version))

    def read(self) -> bool:
        """Take what has arrived; True when that ends with the End of Data (and perhaps a Serial Notify after it)."""
        assert self.connection is not None
        if self.used == len(self.buffer):
            raise BadAnswer(f"more than {len(self.buffer)} octets and no End of Data")
        count = self.connection.recv_into(self.buffer[self.used :])
        if not count:
            raise BadAnswer(f"the cache closed after {self.used} octets: {bytes(self.buffer[: self.used][-64:]).hex()}")
        self.used += count
        if self.used < self.least and self.buffer[1] != ERROR_REPORT:
            return False
        return self._ends_at(self.used) or self._ends_at(self.used - NOTIFY_LENGTH)

    def _ends_at(self, end: int) -> bool:
        """Whether an End of Data lies before that place, or an Error Report is all there is."""
        if end < 8:
            return False
        if self.buffer[1] == ERROR_REPORT:
            return end >= int.from_bytes(self.buffer[4:8], "big")
        # the cache may have answered in a lower version than it was asked in
        length = END_OF_DATA_LENGTH.get(self.buffer[0], 24)
        start = end - length
        header = self.buffer[max(start, 0) : end]
        return start >= 8 and header[1] == END_OF_DATA and int.from_bytes(header[4:8], "big") == length

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def answer(self) -> Answer:
        """Understand what was read; raises `BadAnswer`."""
        return parse(self.buffer[: self.used])


def fetch(port: int, version: int, capacity: int = 1 << 22, seconds: float = 20) -> Answer:
    """Ask a cache on loopback for all it has."""
    reader = Reader(bytearray(capacity))
    try:
        reader.connect(port, version).settimeout(seconds)
        reader.ask()
        while not reader.read():
            pass
        return reader.answer()
    finally:
        reader.close()


def fetch_when(daemon: Daemon, port: int, version: int, count: int, seconds: float = 60) -> Answer:
    """Ask a cache again and again until it serves that many VRPs."""

    def complete() -> Answer | None:
        with contextlib.suppress(OSError, BadAnswer):
            answer = fetch(port, version, (1 << 16) + count * 40)
            return answer if answer.data.vrp_count >= count else None
        return None

    return daemon.expect(complete, f"{count} VRPs are served on port {port}", seconds, 0.2)


def fetch_many(readers: Sequence[Reader], port: int, versions: Sequence[int], seconds: float) -> float:
    """Ask with all readers at once, each in its version; seconds from the first query until the last End of Data.

    A cache that goes on writing a little at a time is read in larger pieces after short naps, so that reading takes
    less of the processors that the cache needs.
    """
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as closing:
        for reader, version in zip(readers, versions, strict=True):
            closing.callback(reader.close)
            connection = reader.connect(port, version)
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ, reader)
        started = time.perf_counter()
        for reader in readers:
            reader.ask()
        waiting, small_turns = len(readers), 0
        while waiting:
            ready = selector.select(seconds)
            if not ready:
                raise BadAnswer(f"{waiting} of {len(readers)} clients heard nothing for {seconds:g} s")
            before = sum(key.data.used for key, _ in ready)
            for key, _ in ready:
                if key.data.read():
                    selector.unregister(key.fileobj)
                    waiting -= 1
            small = sum(key.data.used for key, _ in ready) - before < SMALL * len(ready)
            small_turns = small_turns + 1 if small else 0
            if small_turns > PATIENCE:
                time.sleep(NAP)
        return time.perf_counter() - started


def parse(answer: memoryview) -> Answer:
    """A whole answer to a Reset Query: Cache Response, announcements, End of Data; raises `BadAnswer`."""
    octets = np.frombuffer(answer, dtype=np.uint8)
    if len(octets) < 8 or octets[1] != CACHE_RESPONSE:
        raise BadAnswer(f"not a Cache Response but {bytes(answer[:64]).hex()}: {_error_text(answer)}")
    version = int(octets[0])
    runs: dict[int, list[Octets]] = {IPV4: [np.empty((0, 20), np.uint8)], IPV6: [np.empty((0, 32), np.uint8)]}
    router_keys: list[RouterKey] = []
    aspas: dict[int, tuple[int, ...]] = {}
    place, guess = 8, 64
    while octets[place : place + 2].tolist() != [version, END_OF_DATA]:
        kind, length = _header(answer, place, version)
        if kind in LENGTH:
            run = _run(octets, place, length, guess)
            guess = 2 * guess if len(run) == guess else max(16, len(run))
            runs[kind].append(run)
            place += len(run) * length
            continue
        pdu = bytes(answer[place : place + length])
        if kind == ROUTER_KEY and version > 0:
            router_keys.append((pdu[8:28], int.from_bytes(pdu[28:32], "big"), pdu[32:]))
        elif kind == ASPA and version > 1:
            customer, *providers = struct.unpack(f">{length // 4 - 2}I", pdu[8:])
            _once(customer not in aspas, "ASPA", place, pdu)
            aspas[customer] = tuple(providers)
        else:
            raise BadAnswer(f"type {kind} in version {version} at octet {place}: {pdu[:64].hex()}")
        _once(bool(pdu[2] & 1), "announcement", place, pdu)
        place += length
    _once(len(set(router_keys)) == len(router_keys), "set of router keys", 0, b"")
    end = bytes(answer[place : place + END_OF_DATA_LENGTH[version]])
    if end[2:8] != bytes(answer[2:4]) + len(end).to_bytes(4, "big"):
        raise BadAnswer(f"End of Data of another session or length: {end.hex()}")
    return Answer(
        version,
        int.from_bytes(end[2:4], "big"),
        int.from_bytes(end[8:12], "big"),
        struct.unpack(">3I", end[12:]) if version else (),
        place + len(end),
        RpkiData(_keys(runs, IPV4), _keys(runs, IPV6), frozenset(router_keys), aspas),
    )


def _header(answer: memoryview, place: int, version: int) -> tuple[int, int]:
    """Type and length of the PDU at that place, which must lie within the answer."""
    if place + 8 > len(answer):
        raise BadAnswer(f"the answer ends in a header at octet {place} of {len(answer)}")
    told, kind, _, length = struct.unpack_from(">BBHI", answer, place)
    least, step = SHAPE.get(kind, (8, 1))
    fits = least <= length <= len(answer) - place and (length - least) % step == 0
    if told != version or not fits or length != LENGTH.get(kind, length):
        raise BadAnswer(f"bad header at octet {place} of {len(answer)}: {bytes(answer[place : place + 8]).hex()}")
    return kind, length


def _run(octets: Octets, place: int, length: int, guess: int) -> Octets:
    """At most `guess` PDUs with the header of the first, as rows."""
    count = min(guess, (len(octets) - place) // length)
    rows = octets[place : place + count * length].reshape(count, length)
    headers: NDArray[np.uint64] = np.ndarray((count,), np.uint64, octets, place, (length,))
    other = np.flatnonzero(headers != headers[0])
    return rows[: other[0]] if len(other) else rows


def _keys(runs: dict[int, list[Octets]], kind: int) -> NDArray[np.bytes_]:
    rows = np.concatenate(runs[kind])
    withdrawn = np.flatnonzero(rows[:, 8] & 1 == 0)
    if len(withdrawn):
        raise BadAnswer(f"a withdrawal in the answer to a Reset Query: {rows[withdrawn[0]].tobytes().hex()}")
    return sorted_keys(rows[:, COLUMNS[kind]])


def _once(right: bool, what: str, place: int, pdu: bytes) -> None:
    if not right:
        raise BadAnswer(f"not one {what} each, at octet {place}: {pdu[:64].hex()}")


def _error_text(answer: memoryview) -> str:
    """What an Error Report says, for people."""
    raw = bytes(answer)
    if len(raw) < 16 or raw[1] != ERROR_REPORT:
        return "no Error Report either"
    inner = int.from_bytes(raw[8:12], "big")
    return f"error {int.from_bytes(raw[2:4], 'big')}, {raw[16 + inner :].decode('utf-8', 'replace')!r}"
