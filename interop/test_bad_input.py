"""Hostile clients and damaged files against our daemons as they run: told clearly, harmless to others, nothing lost."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rotonda.demo.generator import write_table

from interop import cases
from interop.peers import ours, probe
from interop.peers.processes import LOOPBACK, Daemon, free_ports, memory

CLIENT_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(500)
HTTP = b"GET / HTTP/1.1\r\nHost: rotoro\r\n\r\n"
RESET = bytes.fromhex("0102000000000008")

HOSTILE: dict[str, tuple[bytes, str]] = {
    # what they send                                            what the log says
    "length 7": (bytes.fromhex("0102000000000007"), "Reset Query of 7 octets"),
    "four octets too many": (bytes.fromhex("010200000000000c00000000"), "Reset Query of 12 octets"),
    "an oversized PDU": (bytes.fromhex("0102000000100000"), "1048576"),
    "the largest length": (bytes.fromhex("0109000 0ffffffff".replace(" ", "")), "4294967295"),
    "an unknown type": (bytes.fromhex("01c8000000000008"), "no PDU type 200"),
    "a cache's PDU": (bytes.fromhex("0104000000000014011818 00c00002000000fbf0".replace(" ", "")), "Prefixes while"),
    "another version": (RESET + bytes.fromhex("0002000000000008"), "version 0 in a session of version 1"),
    "HTTP": (HTTP, "version 71"),
    "TLS": (CLIENT_HELLO, "TLS handshake on a port without TLS"),
    "Rotoro without HELLO": (bytes.fromhex("8052000100000008"), "Subscribe"),
}


def converse(port: int, octets: bytes, seconds: float = 10) -> bytes:
    """Say this and hear what comes until the other side closes; fails if it does not."""
    heard = bytearray()
    with socket.create_connection((LOOPBACK, port), seconds) as client:
        client.sendall(octets)
        while piece := client.recv(1 << 16):
            heard += piece
    return bytes(heard)


class HostileClientTests(cases.MeetingCase):
    def setUp(self) -> None:
        super().setUp()
        west, self.port, http = free_ports(3)
        self.keep(ours.start_connector(self.folder, west, vrps=[self.file])).expect_port(west)
        self.rib = self.keep(ours.start_rib(self.folder, self.port, http, [west]))
        probe.fetch_when(self.rib, self.port, 1, self.data.vrp_count)

    def assert_unharmed(self) -> None:
        """Everybody else still gets exactly what is there."""
        self.assertIsNone(self.rib.process.poll())
        self.assertTold(self.data, probe.fetch(self.port, 2).data)

    def test_each_is_told_and_closed(self) -> None:
        for what, (octets, said) in HOSTILE.items():
            with self.subTest(what=what):
                heard = converse(self.port, octets)
                self.rib.expect_line(said, 5)
                reports = heard[heard.rfind(b"\x0a", 0, len(heard)) - 1 :] if what not in ("TLS",) else b""
                self.assertLess(len(reports), 400)
                self.assert_unharmed()

    def test_flipped_bits(self) -> None:
        """Whatever one flipped bit makes of a good beginning, nobody else notices."""
        chance = random.Random(7)
        good = RESET + bytes.fromhex("01010000 0000000c 00000000".replace(" ", ""))
        for _ in range(40):
            broken = bytearray(good)
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
            with socket.create_connection((LOOPBACK, self.port), 10) as client:
                client.sendall(broken)
        self.assert_unharmed()

    def test_one_that_never_reads_delays_nobody(self) -> None:
        before = memory(self.rib.pid, "VmRSS")
        clients = [socket.create_connection((LOOPBACK, self.port), 10) for _ in range(50)]
        for client in clients:
            self.addCleanup(client.close)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(RESET * 2)
        started = time.monotonic()
        self.assert_unharmed()
        self.assertLess(time.monotonic() - started, 10)
        self.assertLess(memory(self.rib.pid, "VmRSS") - before, 64 << 20)

    def test_one_that_drips_is_closed(self) -> None:
        with socket.create_connection((LOOPBACK, self.port), 30) as client:
            client.sendall(RESET[:1])
            started = time.monotonic()
            client.settimeout(1)
            sent = 1
            while True:
                try:
                    if not client.recv(1000):
                        break
                except TimeoutError:
                    if sent < 6:
                        client.sendall(RESET[sent : sent + 1])
                        sent += 1
                self.assertLess(time.monotonic() - started, 25)
        self.rib.expect_line("did not become whole", 5)
        self.assert_unharmed()


class DamagedFileTests(cases.MeetingCase):
    def setUp(self) -> None:
        super().setUp()
        self.table = self.folder / "table.mrt"
        write_table(self.table, prefixes4=2000, prefixes6=300, peers=2)
        self.west, self.port, self.http = free_ports(3)
        self.connector = self.keep(ours.start_connector(self.folder, self.west, vrps=[self.file], mrt=[self.table]))
        self.rib = self.keep(ours.start_rib(self.folder, self.port, self.http, [self.west]))
        self.rib.expect_port(self.http)
        probe.fetch_when(self.rib, self.port, 1, self.data.vrp_count)
        self.rib.expect(lambda: self.routes() or None, "the table is there")
        self.rib.expect(lambda: ours.status(self.http)["ready"] or None, "the table is complete")

    def routes(self) -> int:
        tables: list[dict[str, Any]] = ours.status(self.http)["tables"]
        return sum(sum(table["records"].values()) for table in tables if table["kind"] == "rib")

    def replace(self, path: Path, octets: bytes) -> None:
        """A new file in the place of the old one, as tools that export write it."""
        made = path.with_suffix(".new")
        made.write_bytes(octets)
        os.replace(made, path)

    def said(self, daemon: Daemon, *words: str) -> Callable[[], bool | None]:
        return lambda: any(all(word in line for word in words) for line in daemon.lines()) or None

    def test_entries_that_cannot_be_are_refused_and_the_rest_is_used(self) -> None:
        export = json.loads(self.file.read_text())
        good = len(export["roas"])
        export["roas"] += [
            {"asn": "AS64500", "prefix": "192.0.2.0/24", "maxLength": 33, "ta": "x"},
            {"asn": f"AS{1 << 32}", "prefix": "198.51.100.0/24", "maxLength": 24, "ta": "x"},
            {"asn": "AS64501", "prefix": "203.0.113.0/24", "maxLength": 24, "ta": "x"},
        ]
        self.replace(self.file, json.dumps(export).encode())
        answer = probe.fetch_when(self.rib, self.port, 1, self.data.vrp_count + 1)
        self.assertEqual(answer.data.vrp_count, self.data.vrp_count + 1)
        for words in ((f"roas[{good}]", "33"), (f"roas[{good + 1}]", str(1 << 32))):
            self.connector.expect(self.said(self.connector, self.file.name, *words), f"{words} are named")

    def test_the_last_good_data_stays(self) -> None:
        routes = self.routes()
        good = self.table.read_bytes()
        for what, octets, word in [
            ("empty", b"", "empty"),
            ("rubbish", bytes(range(256)) * 8, "no route can be read"),
            ("cut", b"\x1f\x8b" + good[:100], "damaged"),
        ]:
            with self.subTest(what=what):
                self.replace(self.table, octets)
                self.connector.expect(self.said(self.connector, "table.mrt", word), f"{what} is told")
                self.assertEqual(self.routes(), routes)
        for octets in (b"", b"<html>", b"null", b"[" * 100_000):
            self.replace(self.file, octets)
            time.sleep(3)
        self.connector.expect(self.said(self.connector, self.file.name, "the last good data stays"), "exports are told")
        self.assertTold(self.data, probe.fetch(self.port, 2).data)

    def test_a_vanished_file_keeps_its_routes_until_a_new_one_comes(self) -> None:
        routes = self.routes()
        kept = self.folder / "kept.mrt"
        shutil.move(self.table, kept)
        self.connector.expect(self.said(self.connector, "No such file", "table.mrt"), "the loss is told")
        self.assertEqual(self.routes(), routes)
        write_table(kept, prefixes4=1000, prefixes6=100, peers=2, seed=2)
        os.replace(kept, self.table)
        self.rib.expect(lambda: self.routes() != routes or None, "the new table is there")
        self.assertGreater(self.routes(), 0)

    def test_a_damaged_record_is_skipped(self) -> None:
        octets = bytearray(self.table.read_bytes())
        at, records = 0, []
        while at < len(octets):
            records.append(at)
            at += 12 + int.from_bytes(octets[at + 8 : at + 12])
        routes = self.routes()
        middle = records[len(records) // 2]
        octets[middle + 16] = 200  # a prefix length that cannot be
        self.replace(self.table, bytes(octets))
        self.connector.expect(self.said(self.connector, "table.mrt", f"octet {middle}"), "the damage is told")
        self.rib.expect(lambda: self.routes() < routes or None, "the rest is there")
        self.assertGreater(self.routes(), routes - 5)
