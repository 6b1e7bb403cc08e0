"""Attacks on our router by a cache, while it follows another one that is good."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Sequence

from interop.attacks.cases import codes, set_clock, spoiled
from interop.attacks.hostile import SERIAL, SESSION, HostileCacheCase, answer
from interop.attacks.octets import BAD_TEXTS, VERSION, harm, reports_about_reports
from interop.conformance.octets import (
    ASPA,
    SERIAL_QUERY,
    aspa,
    cache_response,
    error_report,
    pdu,
    prefix,
    router_key,
    serial_notify,
)
from interop.peers import ours
from interop.peers.processes import Daemon, cpu_seconds

OTHER = prefix(VERSION, "198.51.100.0/24", 24, 64497)
GONE = prefix(VERSION, "203.0.113.0/24", 24, 64497, flags=0)
CORRUPT, INTERNAL, UNKNOWN_TYPE, UNKNOWN_WITHDRAWAL, DUPLICATE, TRANSPORT, BAD_ASPA = 0, 1, 5, 6, 7, 10, 9
MOST_PROVIDERS = 16_380
LONGEST_KEY = 65_535 - 32
RECORDS = 10_000_000
"""How many records a router takes in one answer."""


class WordsTests(HostileCacheCase):
    def test_any_type_in_any_length(self) -> None:
        """Attack 11, R-FR: one report ends the session; `tests/session/test_broken.py` has all that can be broken."""
        begun = cache_response(VERSION, SESSION)
        with self.attack("closing: ", lines=6):
            for octets, code in (
                (pdu(VERSION, 3, SESSION, bytes(1)), CORRUPT),
                (begun + pdu(VERSION, 4, 0, bytes(13)), CORRUPT),
                (begun + pdu(VERSION, 7, SESSION, bytes(4)), CORRUPT),
                (begun + pdu(VERSION, 255), UNKNOWN_TYPE),
                (begun + OTHER[:1] + b"\x06" + OTHER[2:], CORRUPT),
            ):
                with self.subTest(octets=octets.hex()):
                    self.refused(octets, code)

    def test_reports_about_reports(self) -> None:
        """Attack 12, R-ER-06, R-ER-11: none is answered."""
        said = list(reports_about_reports())[::4]
        with self.attack("closing: ", lines=len(said)):
            for octets in said:
                with self.subTest(octets=octets.hex()):
                    self.refused(octets, None)

    def test_texts(self) -> None:
        """Attack 13, R-ER-08: as the log and the status show them, they harm nobody."""
        short = b" ".join(text for text in BAD_TEXTS.values() if len(text) < 100)
        with self.attack("closing: error 3 of it", lines=2):
            for text in (short, BAD_TEXTS["65 kB"]):
                self.refused(error_report(VERSION, 3, b"", text), None)
                links: Sequence[dict[str, str]] = ours.status(self.http)["links"]
                errors = [link.get("last_error", "") for link in links]
                self.assertTrue(any(errors))
                self.assertEqual([each for error in errors for each in harm(error)], [])
        self.assertEqual(harm(self.attacked.log.read_bytes().decode()), [])

    def test_a_flood_of_notifies(self) -> None:
        """Attack 15, R-SS-11: ten thousand a second lead to no more than one query a second."""
        asked, ended = [0], threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    if line.next(0.2) is None:
                        return
                    asked[0] += 1
                    line.say(answer())

        line = self.come()
        line.say(answer())
        server = threading.Thread(target=serve)
        server.start()
        self.addCleanup(server.join)
        self.addCleanup(ended.set)
        with self.attack():
            started, seconds = time.monotonic(), 3.0
            while (passed := time.monotonic() - started) < seconds:
                line.say(b"".join(serial_notify(VERSION, SESSION, SERIAL + 1 + n) for n in range(1000)))
                time.sleep(max(0.0, (int(passed * 10) + 1) / 10 - (time.monotonic() - started)))
            self.assertTrue(1 <= asked[0] <= seconds + 2, f"{asked[0]} queries")

    def test_another_session_with_each_answer(self) -> None:
        """Attack 17, R-SS-01: each costs it a second, and more if that is all it ever says."""
        came, seconds = 0, 5.0
        with self.attack("closing: Corrupt Data: Cache Response of session", lines=6):
            started = time.monotonic()
            while time.monotonic() < started + seconds or self.asked == SERIAL_QUERY:
                came += 1
                self.behave(100 + came)
        self.assertLessEqual(came, 2 * seconds)

    def test_what_is_there_and_what_is_not(self) -> None:
        """Attack 18, R-PL-01, R-PL-02: one report for all of it."""
        with self.attack("closing: Duplicate Announcement|closing: Withdrawal of Unknown", lines=2):
            self.refused(answer(*[GONE] * 10_000), UNKNOWN_WITHDRAWAL)
            self.refused(answer(*[OTHER] * 10_000), DUPLICATE)

    def test_provider_lists(self) -> None:
        """Attack 19, R-AS: the longest is taken, one more is not, nor what error 9 is for."""
        most = aspa(VERSION, 64500, range(1, 1 + MOST_PROVIDERS))
        with self.attack("closing: (ASPA|Corrupt Data)", lines=6):
            self.come().say(answer(most))
            self.assertEqual(len(most), 65_532)
            self.attacked.expect(lambda: self._providers() == MOST_PROVIDERS or None, "ASPA", 10)
            self.refused(cache_response(VERSION, SESSION) + struct.pack(">BBHI", VERSION, ASPA, 256, 65_536), CORRUPT)
            for providers in ((), (0, 64501), (64502, 64501), (64501, 64501)):
                with self.subTest(providers=providers):
                    self.refused(cache_response(VERSION, SESSION) + aspa(VERSION, 64500, providers), BAD_ASPA)

    def _providers(self) -> int:
        data = ours.router_data(self.http)
        return 0 if data is None else len(data.aspas.get(64500, ()))

    def test_router_keys(self) -> None:
        """Attack 20: one as long as it may be is taken; what is no key is told."""
        keys = [router_key(VERSION, bytes([n]) * 20, 64500, b"\x30" * LONGEST_KEY) for n in range(3)]
        with self.attack("3 router keys are no DER"):
            self.come().say(answer(*keys))
            held = self.attacked.expect(lambda: self._keys() or None, "the keys are there", 10)
            self.assertEqual({len(octets) for octets in held}, {LONGEST_KEY})

    def _keys(self) -> list[bytes]:
        data = ours.router_data(self.http)
        return [] if data is None else [octets for _, _, octets in data.router_keys]


class HalfTests(HostileCacheCase):
    def test_half_a_report(self) -> None:
        """Attack 21, R-ER-07: with the end behind it, it costs next to nothing."""
        half = error_report(VERSION, 4, b"", "no such version")[:11]
        line = self.come()
        spent = cpu_seconds(self.attacked.pid)
        line.say(half)
        line.close()
        time.sleep(0.9)
        self.assertLess(cpu_seconds(self.attacked.pid) - spent, 0.02)
        with self.attack("connection lost", lines=99):
            self.come().say(half)
            self.behave()


class EndlessTests(HostileCacheCase):
    @classmethod
    def twistd(cls, words: Sequence[str]) -> Daemon:
        return spoiled(cls.folder, cls.folder / "sabotage", words)

    def test_a_load_without_end(self) -> None:
        """Attack 16: it is cut at so many records; what was held stays, and the connection does not."""
        piece = b"".join(prefix(VERSION, f"10.{n >> 8}.{n & 255}.0/24", 24, 1) for n in range(50_000))
        with self.attack("closing: Limit Exceeded"):
            line, sent = self.come(), 0
            line.say(cache_response(VERSION, SESSION))
            while sent <= 2 * RECORDS and not select.select([line.connection], [], [], 0)[0]:
                line.say(piece)
                sent += 50_000
            self.assertLess(sent, RECORDS + 500_000)
            line.connection.shutdown(socket.SHUT_WR)
            self.assertEqual(codes(line.rest()), [INTERNAL])

    def test_a_load_that_takes_for_ever(self) -> None:
        """Attack 16: it is cut at its time, by a clock that nobody sets; what was held goes when it expires."""
        machine = self.folder / "sabotage"
        with self.attack("closing: Transport Failed: the cache did not finish its answer in time", others=1.0):
            line = self.come()
            line.say(cache_response(VERSION, SESSION))
            self.attacked.expect(lambda: "receiving" in self.states() or None, "it receives", 5)
            for seconds in (300, 599):
                set_clock(machine, "steady", seconds)
                line.say(OTHER[:5])
                line.say(OTHER[5:])
                time.sleep(0.3)
            set_clock(machine, "steady", 601)
            self.assertEqual(codes(line.rest()), [TRANSPORT])
        with self.attack("no news from the cache in 7200 s", lines=4, others=1.0):
            set_clock(machine, "steady", 7300)
            self.hostile = frozenset()
            time.sleep(2)

    def states(self) -> list[str]:
        """Of the sessions with both caches."""
        return [link["state"] for link in ours.status(self.http)["links"]]
