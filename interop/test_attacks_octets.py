"""Attacks on our cache by what is said: every octet changed, reports about reports, text that is none, all at once."""

from __future__ import annotations

import random
import selectors
import socket
import statistics
import struct
import time
from collections.abc import Sequence

from interop.attacks.cases import CacheCase, codes, spoiled
from interop.attacks.octets import BAD_TEXTS, VERSION, harm, reports_about_reports
from interop.attacks.sabotaged import DOOMED
from interop.conformance.octets import (
    END_OF_DATA,
    ERROR_REPORT,
    HEADER,
    RESET_QUERY,
    SERIAL_QUERY,
    error_report,
    reset_query,
    serial_query,
)
from interop.peers.processes import LOOPBACK, Daemon, cpu_seconds

SESSION = 7
INTERNAL_ERROR = 1
QUERIES = reset_query(VERSION) + serial_query(VERSION, SESSION, 1)
SAMPLE = 150
"""How many of the broken sessions go over sockets; `tests/session/test_broken.py` tries all of them in memory."""


class OctetTests(CacheCase):
    def test_any_type_in_any_length(self) -> None:
        """Attack 11, C-FR: what a router must not say is told once, and the session is over; all others go on."""
        chance = random.Random(11)
        lies = [
            struct.pack(">BBHI", VERSION, kind, 0, length) + bytes(max(0, length - HEADER))
            for kind in (*range(12), 255)
            for length in range(8, 81)
            if (kind, length) not in ((RESET_QUERY, 8), (SERIAL_QUERY, 12))
        ]
        changed = [
            QUERIES[:place] + bytes([octet]) + QUERIES[place + 1 :]
            for place in range(len(reset_query(VERSION)))
            for octet in range(256)
        ]
        with self.attack("closing: (?!the peer closed)", lines=2 * SAMPLE):
            for octets in chance.sample(lies, SAMPLE):
                with self.subTest(octets=octets.hex()):
                    heard = self.finish(octets)
                    self.assertLessEqual(len(codes(heard)), 1)
                    self.assertEqual(len(codes(heard)) == 0, octets[1] == ERROR_REPORT)
            for octets in chance.sample(changed, SAMPLE // 3):
                with self.subTest(octets=octets.hex()):
                    self.assertLessEqual(len(codes(self.finish(octets)[-400:])), 1)

    def finish(self, octets: bytes) -> bytes:
        """What the cache says to this, until both sides have closed."""
        with socket.create_connection((LOOPBACK, self.port), 10) as made:
            made.sendall(octets)
            made.shutdown(socket.SHUT_WR)
            heard = bytearray()
            while more := made.recv(1 << 18):
                heard += more
        return bytes(heard) if len(heard) < 1000 else bytes(heard[-1000:])

    def test_reports_about_reports(self) -> None:
        """Attack 12, C-ER, R-ER-11: no report is answered, and each ends the session."""
        said = list(reports_about_reports())
        with self.attack("closing: (Corrupt Data|.*reports error)", lines=2 * len(said)):
            for octets in said:
                for before in (b"", serial_query(VERSION, SESSION, 1)):
                    with self.subTest(octets=octets.hex(), before=before.hex()):
                        self.assertEqual(codes(self.converse(before + octets)), [])

    def test_texts(self) -> None:
        """Attack 13: what cannot be shown is escaped, and of a long story the beginning is enough."""
        with self.attack("reports error 3", lines=len(BAD_TEXTS)):
            for text in BAD_TEXTS.values():
                self.assertEqual(self.converse(error_report(VERSION, 3, b"", text)), b"")
        self.assertEqual(harm(self.attacked.log.read_bytes().decode()), [])


class CrowdTests(CacheCase):
    """As many routers as a test may take the time for; what they ask for is 1,000 times 500,000 VRPs in the field."""

    vrps = 100_000
    routers = 200

    def test_all_routers_at_once(self) -> None:
        """Attack 7: all get everything, none much later than the others, for no more work than the octets make."""
        routers = [self.connect() for _ in range(self.routers)]
        spent = cpu_seconds(self.attacked.pid)
        with self.attack(others=5):
            started = time.perf_counter()
            for made in routers:
                made.sendall(reset_query(VERSION))
            times = sorted(self._finish(routers, started))
        self.assertEqual(len(times), self.routers)
        self.assertLess(times[int(len(times) * 0.99)], 60)
        self.assertLess(times[-1], 3 * statistics.median(times) + 0.5)
        self.assertLess(cpu_seconds(self.attacked.pid) - spent, self.routers * 0.05)

    def _finish(self, routers: list[socket.socket], started: float) -> list[float]:
        """When each has all of it, and has seen the End of Data."""
        times, scratch = [], memoryview(bytearray(1 << 18))
        counts: dict[socket.socket, int] = dict.fromkeys(routers, 0)
        wanted = HEADER + 20 * self.vrps + 24
        with selectors.DefaultSelector() as waiting:
            for made in routers:
                made.setblocking(False)
                waiting.register(made, selectors.EVENT_READ)
            while counts and time.perf_counter() < started + 60:
                for key, _ in waiting.select(5):
                    ready = key.fileobj
                    assert isinstance(ready, socket.socket)
                    count = ready.recv_into(scratch)
                    counts[ready] += count
                    if counts[ready] >= wanted or not count:
                        self.assertEqual((counts.pop(ready), scratch[count - 23]), (wanted, END_OF_DATA))
                        waiting.unregister(ready)
                        times.append(time.perf_counter() - started)
        return times


class MemoryTests(CacheCase):
    """The cache, where memory runs out: `tests/net/test_memory.py` has each place of one session."""

    def twistd(self, words: Sequence[str]) -> Daemon:
        return spoiled(self.folder, self.folder / "sabotage", words)

    def test_no_memory_for_pdus(self) -> None:
        """Attack 50: who is talked to when there is none is dropped, everybody else stays."""
        known = self.connect()
        known.sendall(serial_query(VERSION, SESSION, 1))
        self.assertEqual(len(known.recv(100)), 8)
        with self.attack("closing: Internal Error: no memory", lines=10):
            for place in ("decode", "encode") * 5:
                (self.folder / "sabotage" / "memory").write_text(place)
                self.assertEqual(codes(self.converse(serial_query(VERSION, DOOMED, 1))), [INTERNAL_ERROR])
        known.sendall(serial_query(VERSION, SESSION, 1))
        self.assertEqual(len(known.recv(100)), 8)
