"""Malformed PDUs from Scapy's RTR layers over real sockets, to our cache and, from many fake caches, to our router."""

from __future__ import annotations

import contextlib
import socket
from functools import partial
from pathlib import Path

import scapy

from interop.cases import MeetingCase
from interop.conformance.octets import ERROR_REPORT, split
from interop.peers import ours, probe
from interop.peers.processes import LOOPBACK, Daemon, free_port, free_ports
from interop.results import RecordedCase
from interop.traffic.fake_caches import FakeCaches
from interop.traffic.malformed import Traffic, for_caches, for_routers, good_answer
from interop.vrps import RpkiData, generate

SEED = 8210
TO_CACHE = 300
CACHES, ROUNDS = 50, 4
ERROR_LIMIT = 400
"""Octets of an Error Report that every router takes."""


def converse(port: int, octets: bytes) -> bytes:
    """Say this and nothing more, and hear everything until the other side closes."""
    heard = bytearray()
    with socket.create_connection((LOOPBACK, port), 20) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(octets)
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(1 << 16):
            heard += piece
    return bytes(heard)


class Scapy:
    """Scapy as a peer; it comes with what tests need."""

    name = "scapy"
    only_for_benchmarks = False

    def available(self) -> str | None:
        return None

    def install(self) -> None:
        """Nothing to do."""

    def binary(self) -> Path:
        return Path(scapy.__file__)

    def version(self) -> str:
        return scapy.__version__


class ScapyCase(MeetingCase, RecordedCase):
    def setUp(self) -> None:
        super().setUp()
        self.data = generate(100, seed=64530)
        self.data.write_routinator(self.file)

    def assert_unhurt(self, daemon: Daemon) -> None:
        """It runs, and nothing in its log says that a mistake was ours."""
        self.assertIsNone(daemon.process.poll(), daemon.lines()[-10:])
        self.assertFalse([line for line in daemon.lines() if "our mistake" in line or "Traceback" in line])


class CacheTests(ScapyCase):
    """Our connector; a fresh session is served exactly after each."""

    def test_malformed_queries(self) -> None:
        port = free_port()
        options = ["--full-loads-at-once", "100000"]
        connector = self.keep(ours.start_connector(self.folder, port, [self.file], options=options))
        probe.fetch_when(connector, port, 1, self.data.vrp_count)
        with self.scenario(Scapy(), "our connector: malformed queries") as story:
            refused = sum(self.refused(port, traffic) for traffic in for_caches(SEED, TO_CACHE))
            self.assert_unhurt(connector)
            story.shows(f"{TO_CACHE}, of which {refused} got an Error Report; a fresh session is exact after each")

    def refused(self, port: int, traffic: Traffic) -> bool:
        """Whether that got an Error Report; whatever it got, the next one is served."""
        told = f"{traffic.what}: {traffic.octets[:64].hex()}"
        whole, rest = split(converse(port, traffic.octets))
        self.assertEqual(rest, b"", told)
        reports = [pdu for pdu in whole if pdu.number == ERROR_REPORT]
        self.assertLess(max([len(pdu.octets) for pdu in reports], default=0), ERROR_LIMIT, told)
        self.assertEqual(self.data.differences(probe.fetch(port, traffic.version, 1 << 16).data), [], told)
        return bool(reports)


class RouterTests(ScapyCase):
    """Our router with many caches at once: all of them answer wrongly, once, then rightly, and so on."""

    def test_malformed_answers(self) -> None:
        (http,) = free_ports(1)
        caches = FakeCaches(CACHES, partial(good_answer, prefixes=self.data.rows()))
        self.addCleanup(caches.close)
        traffic = list(for_routers(SEED, CACHES * ROUNDS))
        router = self.keep(ours.start_router(self.folder, http, caches.ports, "rtr"))
        router.expect_port(http)
        self.came_to(router, http, self.data)
        with self.scenario(Scapy(), "our router: malformed answers") as story:
            for first in range(0, len(traffic), CACHES):
                caches.be_wrong([each.octets for each in traffic[first : first + CACHES]])
                self.all_asked(router, caches)
                self.came_to(router, http, self.data)
            self.assert_unhurt(router)
            story.shows(f"{len(traffic)} from {CACHES} caches at once; exact with all of them after each round")

    def all_asked(self, router: Daemon, caches: FakeCaches) -> None:
        """Our router has come back to all of them after their wrong answers."""
        router.expect(lambda: all(caches.served) or None, "it has asked all caches", 60)

    def came_to(self, router: Daemon, http: int, expected: RpkiData) -> None:
        """It uses all caches and holds exactly this."""

        def exact() -> bool | None:
            links = ours.status(http)["links"]
            held = ours.router_data(http)
            ready = [link["state"] == "idle" and link["records"] == expected.vrp_count for link in links]
            return True if all(ready) and held is not None and not expected.differences(held) else None

        router.expect(exact, "every session is good, and the set exact", 60, 0.1)
