"""Restarts of our daemons with `--state`: routers go on from where they stood, and nothing is withdrawn on the way.

`RawRouter` is a router of a few lines that keeps to the RFCs and to nothing of ours: it remembers session, serial and
records, asks with a Serial Query when it has them, and lets nothing pass that contradicts what it holds.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from dataclasses import replace

from interop.cases import MeetingCase
from interop.conformance.octets import (
    CACHE_RESET,
    CACHE_RESPONSE,
    END_OF_DATA,
    ERROR_REPORT,
    HEADER,
    SERIAL_NOTIFY,
    Heard,
    reset_query,
    serial_query,
)
from interop.peers import ours, probe, rtrtr
from interop.peers.base import require
from interop.peers.processes import LOOPBACK, Daemon, free_port, free_ports, wait_until
from interop.vrps import RpkiData, generate

VRPS = 3000
RESTART = 12
SHUTDOWN = 13


class RawRouter:
    """A router in version 2, with one connection at a time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.records: set[bytes] = set()
        """PDUs without version, flags and length."""
        self.session = self.serial = 0
        self.announced = self.withdrawn = self.resets = 0
        self.ready = False
        self._connection: socket.socket | None = None
        self._buffer = b""

    def sync(self) -> None:
        """Ask for what has changed, or for everything; on a new connection if there is none."""
        if self._connection is None:
            self._connection = socket.create_connection((LOOPBACK, self.port), 10)
            self._connection.settimeout(20)
            self._buffer = b""
        self._connection.sendall(serial_query(2, self.session, self.serial) if self.ready else reset_query(2))
        self.announced = self.withdrawn = 0
        first = self._next()
        while first.number == SERIAL_NOTIFY:
            first = self._next()
        if first.number == CACHE_RESET:
            self.resets += 1
            self.ready = False
            self._connection.sendall(reset_query(2))
            first = self._next()
        if first.number != CACHE_RESPONSE or (self.ready and first.field != self.session):
            raise probe.BadAnswer(f"not a Cache Response of session {self.session}: {first.octets.hex()}")
        self._take(set(self.records) if self.ready else set())

    def words_of_farewell(self) -> list[int]:
        """The codes of the Error Reports that come before the cache closes."""
        codes = []
        with contextlib.suppress(EOFError, ConnectionResetError):
            while True:
                heard = self._next()
                codes += [heard.field] if heard.number == ERROR_REPORT else []
        self.hang_up()
        return codes

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _take(self, records: set[bytes]) -> None:
        while (heard := self._next()).number != END_OF_DATA:
            record, announced = _record(heard)
            if announced == (record in records):
                raise probe.BadAnswer(f"{'announced twice' if announced else 'not there'}: {heard.octets.hex()}")
            (records.add if announced else records.remove)(record)
            self.announced += announced
            self.withdrawn += not announced
        self.records, self.session, self.serial, self.ready = records, heard.field, heard.serial, True

    def _next(self) -> Heard:
        assert self._connection is not None
        while len(self._buffer) < HEADER or len(self._buffer) < int.from_bytes(self._buffer[4:8]):
            more = self._connection.recv(1 << 16)
            if not more:
                raise EOFError
            self._buffer += more
        length = int.from_bytes(self._buffer[4:8])
        heard, self._buffer = Heard(self._buffer[:length]), self._buffer[length:]
        return heard


def _record(heard: Heard) -> tuple[bytes, bool]:
    if heard.number in (4, 6):
        return heard.octets[1:2] + heard.body[1:], bool(heard.body[0] & 1)
    return heard.octets[1:2] + heard.body, bool(heard.octets[2] & 1)


class RestartTests(MeetingCase):
    """A connector, and a RIB, that are stopped and started again under their routers."""

    def setUp(self) -> None:
        super().setUp()
        self.data = generate(VRPS, seed=64500, router_keys=10)
        self.data.write_routinator(self.file)
        self.state = self.folder / "state"

    def connector(self, port: int, *more: str) -> Daemon:
        daemon = self.keep(
            ours.start_connector(self.folder, port, [self.file], options=["--state", str(self.state), *more])
        )
        daemon.expect_port(port)
        return daemon

    def synced(self, port: int) -> RawRouter:
        """A router that has all of it."""
        router = RawRouter(port)
        self.addCleanup(router.hang_up)

        def complete() -> bool | None:
            with contextlib.suppress(OSError, EOFError, probe.BadAnswer):
                router.sync()
                return len(router.records) >= VRPS or None
            router.hang_up()
            return None

        self.assertTrue(wait_until(complete, 30, 0.2), "no data")
        return router

    def until_kept(self, after: float = 0.0) -> float:
        """Wait until the table is on the disk; when it was written."""

        def written() -> float | None:
            found = [path.stat().st_mtime for path in self.state.glob("*.table")]
            return found[0] if found and found[0] > after else None

        when = wait_until(written, 20)
        assert when is not None
        return when

    def end(self, daemon: Daemon, number: signal.Signals) -> None:
        daemon.process.send_signal(number)
        daemon.process.wait(5)

    def test_nothing_is_withdrawn_and_nothing_comes_twice(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number.name):
                self.state = self.folder / number.name
                port = free_port()
                daemon = self.connector(port)
                router = self.synced(port)
                self.until_kept()
                before = router.session, set(router.records)
                self.end(daemon, number)
                self.assertEqual(router.words_of_farewell(), [RESTART] if number == signal.SIGTERM else [])
                self.connector(port)
                router.sync()
                self.assertEqual((router.announced, router.withdrawn, router.resets), (0, 0, 0))
                self.assertEqual((router.session, router.records), before)

    def test_only_what_changed_meanwhile(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number.name):
                self.state = self.folder / number.name
                self.data.write_routinator(self.file)
                port = free_port()
                daemon = self.connector(port)
                router = self.synced(port)
                self.until_kept()
                self.end(daemon, number)
                router.words_of_farewell()
                replace(self.data, vrps4=self.data.vrps4[7:], router_keys=frozenset()).write_routinator(self.file)
                self.connector(port)
                told = self.follow(router, VRPS - 7)
                self.assertEqual((told, router.resets), ((0, 17), 0))

    def test_who_had_seen_what_was_lost_starts_over_and_the_others_do_not(self) -> None:
        """The disk is kept from getting the last change; the routers are not."""
        port = free_port()
        daemon = self.connector(port)
        behind, ahead = self.synced(port), self.synced(port)
        self.until_kept()
        held = {path: path.read_bytes() for path in self.state.iterdir()}
        replace(self.data, vrps4=self.data.vrps4[7:]).write_routinator(self.file)
        self.follow(ahead, VRPS + 10 - 7)
        self.end(daemon, signal.SIGKILL)
        for path, octets in held.items():
            path.write_bytes(octets)
        replace(self.data, vrps4=self.data.vrps4[9:]).write_routinator(self.file)
        for router in (behind, ahead):
            router.hang_up()
        self.connector(port)
        for router in (behind, ahead):
            self.follow(router, VRPS + 10 - 9)
        self.assertEqual((behind.records, behind.resets, ahead.resets), (ahead.records, 0, 1))

    def test_a_shutdown_for_good(self) -> None:
        port = free_port()
        daemon = self.connector(port, "--goodbye", "shutdown")
        router = self.synced(port)
        self.end(daemon, signal.SIGTERM)
        self.assertEqual(router.words_of_farewell(), [SHUTDOWN])

    def test_the_first_answer_needs_no_file(self) -> None:
        port = free_port()
        daemon = self.connector(port)
        router = self.synced(port)
        self.until_kept()
        self.end(daemon, signal.SIGKILL)
        router.hang_up()
        self.file.write_text("{")
        again = self.connector(port)
        router.sync()
        self.assertEqual((router.announced, router.withdrawn, router.resets), (0, 0, 0))
        again.expect_line("vrps.json")

    def test_a_damaged_file_is_a_new_session(self) -> None:
        port = free_port()
        daemon = self.connector(port)
        router = self.synced(port)
        self.until_kept()
        self.end(daemon, signal.SIGKILL)
        router.hang_up()
        (table,) = self.state.glob("*.table")
        octets = bytearray(table.read_bytes())
        octets[len(octets) // 2] ^= 1
        table.write_bytes(octets)
        again = self.connector(port)
        again.expect_line("damaged: the digest at its end is another: not used; a new session begins")
        self.follow(router, VRPS + 10)
        self.assertEqual(router.resets, 1)

    def test_a_rib_goes_on_with_its_wests_and_its_routers(self) -> None:
        for speaks in ("rtr", "auto"):
            with self.subTest(speaks=speaks):
                west, port, http = free_ports(3)
                cache = self.keep(ours.start_connector(self.folder, west, [self.file]))
                options = ["--state", str(self.folder / f"rib-{speaks}"), "--mode", speaks]
                rib = self.keep(ours.start_rib(self.folder, port, http, [west], options))
                router = self.synced(port)
                self.state = self.folder / f"rib-{speaks}"
                self.until_kept()
                self.end(rib, signal.SIGKILL)
                router.hang_up()
                cache.stop()
                again = self.keep(ours.start_rib(self.folder, port, http, [west], options))
                again.expect_port(port)
                router.sync()
                self.assertEqual((router.announced, router.withdrawn, router.resets), (0, 0, 0))

    def test_a_router_answers_at_once(self) -> None:
        west, http = free_ports(2)
        cache = self.keep(ours.start_connector(self.folder, west, [self.file]))
        options = ["--state", str(self.state)]
        router = self.keep(ours.start_router(self.folder, http, [west], "rtr", options))
        router.expect_port(http)
        self.assertTrue(wait_until(lambda: self.shown(http, VRPS), 30, 0.2))
        self.until_kept()
        self.end(router, signal.SIGKILL)
        cache.stop()
        again = self.keep(ours.start_router(self.folder, http, [west], "rtr", options))
        again.expect_port(http)
        self.assertTrue(self.shown(http, VRPS))

    def test_rtrtr_stays_in_step(self) -> None:
        require(rtrtr.RTRTR, self)
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number.name):
                self.state = self.folder / number.name
                self.data.write_routinator(self.file)
                cache = free_port()
                port, http = free_ports(2)
                daemon = self.connector(cache)
                self.synced(cache)
                self.until_kept()
                passing = self.keep(rtrtr.start_from_cache(self.folder, cache, port, http))
                probe.fetch_when(passing, port, 2, VRPS)
                self.end(daemon, number)
                changed = replace(self.data, vrps4=self.data.vrps4[7:])
                changed.write_routinator(self.file)
                self.connector(cache)

                def in_step(port: int = port, count: int = changed.vrp_count) -> RpkiData | None:
                    with contextlib.suppress(OSError, probe.BadAnswer):
                        found = probe.fetch(port, 2).data
                        return found if found.vrp_count == count else None
                    return None

                found = passing.expect(in_step, "it has what changed", 90, 0.5)
                self.assertTold(changed, found)

    def shown(self, http: int, count: int) -> bool | None:
        held = ours.router_data(http)
        return (held is not None and held.vrp_count == count) or None

    def follow(self, router: RawRouter, count: int) -> tuple[int, int]:
        """Ask until it has so many records; how many were announced and withdrawn in all of that."""
        announced = withdrawn = 0

        def done() -> bool | None:
            nonlocal announced, withdrawn
            try:
                router.sync()
            except (OSError, EOFError, probe.BadAnswer):
                router.hang_up()
                return None
            announced, withdrawn = announced + router.announced, withdrawn + router.withdrawn
            return len(router.records) == count or None

        self.assertTrue(wait_until(done, 30, 0.2), f"{len(router.records)} records, {router.resets} resets")
        return announced, withdrawn
