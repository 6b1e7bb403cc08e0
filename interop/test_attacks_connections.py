"""Attacks by connections and octets on our cache as it runs; each is stopped, told in the log, and harms nobody else.

After each: the process is up, somebody else's full load takes less than twice what it took before, and the memory is
what it was before.
"""

from __future__ import annotations

import contextlib
import random
import resource
import socket
import statistics
import struct
import time
from collections.abc import Iterator
from itertools import islice

from interop.attacks.cases import LEAST_SECONDS, CacheCase, reset
from interop.peers import probe
from interop.peers.processes import LOOPBACK, Daemon, cpu_seconds, memory, wait_until

VRPS = 300_000
"""More octets than the kernel keeps for a peer that does not read."""

RESET = probe.query(1)
CACHE_RESET, REPORT_HEADER = 8, 16


RESETS = 10_000


class Reader:
    """What a router reads, PDU by PDU."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._octets, self._at = b"", 0

    def pdus(self) -> Iterator[tuple[int, int, bytes]]:
        """Type, the field behind it, and the rest, until the cache closes."""
        while header := self._take(8):
            _, kind, field, length = struct.unpack(">BBHI", header)
            yield kind, field, self._take(length - 8)

    def _take(self, count: int) -> bytes:
        """So many octets; none when it closes."""
        while len(self._octets) - self._at < count:
            more = self._connection.recv(1 << 20)
            if not more:
                return b""
            self._octets, self._at = self._octets[self._at :] + more, 0
        self._at += count
        return self._octets[self._at - count : self._at]

    def until(self, wanted: int) -> tuple[int, bytes]:
        """The field and the rest of the first PDU of this type."""
        for kind, field, rest in self.pdus():
            if kind == wanted:
                return field, rest
        raise AssertionError(f"closed before a PDU of type {wanted}")


class AttackCase(CacheCase):
    """A connector with many VRPs, and what it was like before."""

    vrps = VRPS

    def setUp(self) -> None:
        super().setUp()
        self.cache: Daemon = self.attacked

    def connect(self, *, window: int | None = None) -> socket.socket:
        """A connection; with a small window if it is not going to read."""
        made = socket.socket()
        self.addCleanup(made.close)
        if window is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        made.settimeout(30)
        made.connect((LOOPBACK, self.port))
        return made

    def assert_others_unharmed(self) -> None:
        """While the attack goes on: the process is up, and others are served as before."""
        self.bystander.begin()
        times = self.bystander.end()
        self.assertIsNone(self.cache.process.poll())
        self.assertLess(statistics.median(times), max(2 * self.baseline, LEAST_SECONDS))

    def assert_over(self, line: str) -> None:
        """After it: it was told, everybody gets exactly what is there, and the memory is what it was."""
        self.cache.expect_line(line, 5)
        self.assert_others_unharmed()
        self.assert_exact()
        self.assert_memory()

    def lines(self, text: str) -> int:
        """In how many lines of the log this stands."""
        return sum(text in line for line in self.cache.lines())


class ConnectionTests(AttackCase):
    options = ("--header-seconds 2", "--first-octet-seconds 4", "--retry 1", "--last-write-seconds 1")

    def test_connections_that_are_reset_at_once(self) -> None:
        """Attack 1, C-FR-15, CVE-2024-1622."""
        with self.attack("connection lost before anything was said", lines=100):
            for _ in range(RESETS):
                reset(socket.create_connection((LOOPBACK, self.port), 10))

    def test_octets_that_drip(self) -> None:
        """Attack 4, C-FR-16, C-FR-17: the deadline is absolute, and saying nothing has one, too."""
        silent, drips = self.connect(), self.connect()
        drips.settimeout(0.5)
        started, ended = time.monotonic(), False
        for octet in RESET * 2:
            drips.sendall(bytes([octet]))
            with contextlib.suppress(TimeoutError):
                kinds = [kind for kind, _, _ in Reader(drips).pdus()]
                ended = kinds == [probe.ERROR_REPORT]
                break
        self.assertTrue(ended)
        self.assertLess(time.monotonic() - started, 4)
        self.assert_over("did not become whole in 2 s")
        self.assertEqual(silent.recv(1), b"")
        self.assert_over("nothing said in 4 s")

    def test_a_hundred_thousand_queries_in_one_write(self) -> None:
        """Attack 6: one is answered, two may wait, and no more are taken."""
        made = self.connect(window=1 << 16)
        made.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            made.send(RESET * 100_000)
        self.assert_others_unharmed()
        self.assertLess(memory(self.cache.pid) - self.octets, 16 << 20)
        made.setblocking(True)
        kinds = [kind for kind, _, _ in Reader(made).pdus()]
        self.assertLessEqual(kinds.count(probe.END_OF_DATA), 3)
        self.assertEqual(kinds[-1], probe.ERROR_REPORT)
        self.assert_over("more than 2 queries while an answer is under way")

    def test_one_that_does_not_read(self) -> None:
        """Attack 8, C-TP-02, C-SN-07: dropped after three times the retry interval."""
        lazy = [self.connect(window=4096) for _ in range(50)]
        for made in lazy:
            made.sendall(RESET)
        self.assert_others_unharmed()
        self.cache.expect_line("the router has not read for 3 s", 6)
        wait_until(lambda: self.lines("the router has not read for 3 s") >= 20 or None, 3)
        time.sleep(1.5)
        for made in lazy[:3]:
            with contextlib.suppress(ConnectionResetError):
                heard = b"".join(iter(lambda made=made: made.recv(1 << 20), b""))  # type: ignore[misc]
                self.assertLess(len(heard), VRPS * 20)
        self.assert_over("the router has not read for 3 s")

    def test_a_half_closed_connection(self) -> None:
        """Attack 9, C-FR-14: all that was asked for comes, then the end."""
        made = self.connect(window=1 << 16)
        made.sendall(RESET)
        made.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
        kinds = [kind for kind, _, _ in Reader(made).pdus()]
        self.assertEqual((len(kinds), kinds[-1]), (VRPS + 2, probe.END_OF_DATA))
        self.assert_over("closing: the peer closed its side")

    def test_lengths_that_cannot_be(self) -> None:
        """Attack 10, C-FR-05, C-FR-08: Error 0 at once, whatever the type."""
        with self.attack("closing: Corrupt Data", lines=110):
            for kind in (0, 1, 2, 3, 4, 6, 7, 8, 9, 11):
                for length in (*range(8), 65_536, 1 << 31, (1 << 32) - 1):
                    with self.subTest(kind=kind, length=length):
                        made = self.connect()
                        made.settimeout(2)
                        made.sendall(struct.pack(">BBHI", 2, kind, 0, length))
                        reports = [(kind, code) for kind, code, _ in Reader(made).pdus()]
                        self.assertEqual(reports[:1], [(probe.ERROR_REPORT, 0)])
                        self.assertEqual(len(reports), 1)

    def test_a_storm_of_serial_queries(self) -> None:
        """Attack 14: what cannot be answered costs the same however far off it is; a foreign session ends it."""
        chance, count = random.Random(7), 20_000
        made = self.connect()
        made.sendall(RESET)
        reader = Reader(made)
        session, _ = reader.until(probe.END_OF_DATA)
        before = cpu_seconds(self.cache.pid)
        for _ in range(count // 100):
            serials = [chance.randrange(1 << 31) for _ in range(100)]
            made.sendall(b"".join(struct.pack(">BBHII", 1, 1, session, 12, serial) for serial in serials))
            kinds = [kind for kind, _, _ in islice(reader.pdus(), 100)]
            self.assertEqual(set(kinds), {CACHE_RESET})
        self.assertLess(cpu_seconds(self.cache.pid) - before, count * 0.0002)
        made.sendall(struct.pack(">BBHII", 1, 1, session ^ 1, 12, 0))
        self.assertEqual(reader.until(probe.ERROR_REPORT)[0], 0)
        self.assert_over("closing: Corrupt Data")


class CrowdTests(AttackCase):
    options = ("--max-connections 200", "--first-octet-seconds 60")

    def test_idle_connections(self) -> None:
        """Attack 2: who has said nothing makes room, the eldest first; who is known stays."""
        known = self.connect()
        known.sendall(RESET)
        reader = Reader(known)
        reader.until(probe.END_OF_DATA)
        idle = [self.connect() for _ in range(500)]
        self.assert_others_unharmed()
        known.sendall(RESET)
        reader.until(probe.END_OF_DATA)
        self.assertEqual([made for made in idle[:250] if _is_open(made)], [])
        self.assertGreater(len([made for made in idle[400:] if _is_open(made)]), 50)
        self.assert_over("closing: made room for others")
        for made in [known, *idle]:
            made.close()
        established = [self.connect() for _ in range(200)]
        for made in established:
            made.sendall(struct.pack(">BBHII", 1, 1, 7, 12, 1))
        for made in established:
            Reader(made).until(CACHE_RESET)
        late = self.connect()
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(late.recv(1), b"")
        self.cache.expect_line("too many connections", 5)


class DescriptorTests(AttackCase):
    def test_no_more_file_descriptors(self) -> None:
        """Attack 3, C-TP-03, CVE-2026-49232: who is in stays, who comes waits, and gets in when others have gone."""
        known = self.connect()
        known.sendall(RESET)
        reader = Reader(known)
        reader.until(probe.END_OF_DATA)
        _, before = resource.prlimit(self.cache.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.cache.pid, resource.RLIMIT_NOFILE, (64, before))
        crowd = [self.connect() for _ in range(100)]
        self.cache.expect_line("Too many open files: connections wait until there is room", 5)
        late = self.connect()
        late.sendall(RESET)
        spent = cpu_seconds(self.cache.pid)
        time.sleep(2)
        self.assertLess(cpu_seconds(self.cache.pid) - spent, 0.3)
        known.sendall(RESET)
        reader.until(probe.END_OF_DATA)
        for made in crowd:
            made.close()
        Reader(late).until(probe.END_OF_DATA)
        self.assertEqual(self.lines("Too many open files"), 1)
        self.assert_over("connections are accepted again")


class RationTests(AttackCase):
    options = ("--exempt none", "--sessions-per-address 20", "--full-loads-at-once 15", "--full-loads-per-minute 120")

    def test_more_full_loads_than_an_address_may_have(self) -> None:
        """They come, one after the other; and small answers do not wait for them."""
        routers = [self.connect() for _ in range(8)]
        for made in routers:
            made.sendall(RESET * 2)
        other = self.connect()
        other.sendall(struct.pack(">BBHII", 1, 1, 7, 12, 1))
        Reader(other).until(CACHE_RESET)
        for made in routers:
            reader = Reader(made)
            reader.until(probe.END_OF_DATA)
            reader.until(probe.END_OF_DATA)
            made.close()
        self.assert_over("has to wait: too many full loads from this address")

    def test_more_sessions_than_an_address_may_have(self) -> None:
        for _ in range(20):
            self.connect().sendall(RESET[:1])
        late = self.connect()
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(late.recv(1), b"")
        self.cache.expect_line("too many sessions from one address", 5)


def _is_open(made: socket.socket) -> bool:
    made.setblocking(False)
    try:
        return made.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
