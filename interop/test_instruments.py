"""The instruments themselves: a probe that reads wrongly, or data that is not what it says, would prove nothing."""

from __future__ import annotations

import os
import random
import struct
import sys
import tempfile
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from interop.bench.mrt import NoTable, read_table
from interop.peers.base import CannotInstall, require
from interop.peers.built import CargoPeer, GoPeer
from interop.peers.debian import AptPeer, UnpackedPeer
from interop.peers.probe import Answer, BadAnswer, parse
from interop.peers.processes import Daemon, PeerFailed, cpu_seconds, memory
from interop.vrps import RpkiData, generate

SESSION = 0x1111


def header(version: int, kind: int, length: int, field: int = 0) -> bytes:
    return struct.pack(">BBHI", version, kind, field, length)


def vrp(version: int, prefix: bytes, max_length: int, length: int, asn: int, flags: int = 1) -> bytes:
    kind = 4 if len(prefix) == 4 else 6
    return (
        header(version, kind, 16 + len(prefix))
        + bytes([flags, length, max_length, 0])
        + prefix
        + asn.to_bytes(4, "big")
    )


def answer_of(data: RpkiData, version: int, chance: random.Random) -> bytes:
    """All of it in any order, as a cache may send it in versions 0 and 1."""
    pdus = []
    for keys, octets in ((data.vrps4, 4), (data.vrps6, 16)):
        raw = keys.tobytes()
        for start in range(0, len(raw), octets + 6):
            key = raw[start : start + octets + 6]
            pdus.append(vrp(version, key[:octets], key[octets], key[octets + 1], int.from_bytes(key[-4:], "big")))
    if version > 0:
        pdus += [
            header(version, 9, 32 + len(spki), 0x0100) + ski + asn.to_bytes(4, "big") + spki
            for ski, asn, spki in data.router_keys
        ]
    if version > 1:
        pdus += [
            header(version, 11, 12 + 4 * len(providers), 0x0100)
            + struct.pack(f">{1 + len(providers)}I", customer, *providers)
            for customer, providers in data.aspas.items()
        ]
    chance.shuffle(pdus)
    return b"".join([header(version, 3, 8, SESSION), *pdus, end_of_data(version)])


def end_of_data(version: int, session: int = SESSION) -> bytes:
    timers = struct.pack(">3I", 3600, 600, 7200) if version else b""
    return header(version, 7, 12 + len(timers), session) + (7).to_bytes(4, "big") + timers


def read(octets: bytes) -> Answer:
    return parse(memoryview(octets))


class ProbeTests(SynchronousTestCase):
    def test_every_version_in_any_order_is_understood(self) -> None:
        data = generate(300, router_keys=5, aspas=7)
        for version, missing in {0: ("router_keys", "aspas"), 1: ("aspas",), 2: ()}.items():
            for seed in range(3):
                with self.subTest(version=version, seed=seed):
                    told = read(answer_of(data, version, random.Random(seed)))
                    self.assertEqual((told.version, told.session, told.serial), (version, SESSION, 7))
                    self.assertEqual(data.without(*missing).differences(told.data), [])

    def test_the_worked_example_of_rtrtr_is_read_as_it_means(self) -> None:
        # recorded from rtrtr 0.3.3
        recorded = (
            "0203111100000008 0204000000000014 01181800 c0000200 0000fbf0"
            "0206000000000020 01203000 20010db8000000000000000000000000 0000fbf0"
            "020b010000000014 0000fbf4 0000fbf5 0000fbf6 0207111100000018 00000001 00000e10 00000258 00001c20"
        )
        told = read(bytes.fromhex(recorded))
        self.assertEqual(told.data.rows(), [("192.0.2.0/24", 24, 64496), ("2001:db8::/32", 48, 64496)])
        self.assertEqual(told.data.aspas, {64500: (64501, 64502)})
        self.assertEqual((told.serial, told.timers), (1, (3600, 600, 7200)))

    def test_what_the_protocol_does_not_allow_is_refused(self) -> None:
        start, one, end = header(1, 3, 8, SESSION), vrp(1, bytes([192, 0, 2, 0]), 24, 24, 64496), end_of_data(1)
        withdrawn = vrp(1, bytes([192, 0, 2, 0]), 24, 24, 64496, flags=0)
        bad = {
            "nothing": b"",
            "an error": header(1, 10, 16, 2) + bytes(8),
            "no end": start + one,
            "another session at the end": start + one + end_of_data(1, SESSION + 1),
            "another version within": start + vrp(0, bytes(4), 24, 24, 1) + end,
            "a withdrawal": start + withdrawn + end,
            "a length that is not the type's": start + header(1, 4, 24) + bytes(16) + end,
            "a length of zero": start + header(1, 9, 0) + end,
            "a router key in version 0": header(0, 3, 8) + header(0, 9, 32, 0x0100) + bytes(24) + end_of_data(0, 0),
            "a query": start + header(1, 2, 8) + end,
        }
        for what, octets in bad.items():
            with self.subTest(what):
                self.assertRaises(BadAnswer, read, octets)

    def test_a_vrp_told_twice_is_noticed(self) -> None:
        one = vrp(1, bytes([192, 0, 2, 0]), 24, 24, 64496)
        told = read(header(1, 3, 8, SESSION) + one + one + end_of_data(1)).data
        once = RpkiData.from_rows([("192.0.2.0/24", 24, 64496)])
        self.assertEqual(once.differences(told), ["1 VRPs twice"])


class DataTests(SynchronousTestCase):
    def test_the_same_seed_makes_the_same_data_and_another_does_not(self) -> None:
        self.assertEqual(generate(1000, 1).digest(), generate(1000, 1).digest())
        self.assertNotEqual(generate(1000, 1).digest(), generate(1000, 2).digest())

    def test_there_are_as_many_as_asked_for_and_the_rare_kinds_are_among_them(self) -> None:
        rows = generate(5000).rows()
        self.assertEqual(len(set(rows)), 5000)
        prefixes = {prefix for prefix, _, _ in rows}
        self.assertTrue(any(":" in prefix for prefix in prefixes))
        self.assertTrue(any(asn == 0 for _, _, asn in rows))
        self.assertTrue(any(asn >= 1 << 31 for _, _, asn in rows))
        self.assertLess(len(prefixes), 5000)

    def test_the_json_says_the_same(self) -> None:
        data = generate(500, router_keys=4, aspas=6)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "vrps.json"
            data.write_routinator(file)
            self.assertEqual(data.differences(RpkiData.from_json(file.read_text())), [])


class ProcessTests(SynchronousTestCase):
    def run_python(self, program: str) -> Daemon:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        daemon = Daemon("python", [sys.executable, "-c", program], Path(folder.name))
        self.addCleanup(daemon.stop)
        return daemon

    def test_a_process_that_ends_early_is_named_with_its_last_words(self) -> None:
        with self.assertRaises(PeerFailed) as failed:
            self.run_python("print('no such file'); raise SystemExit(3)").expect_port(1)
        self.assertIn("no such file", str(failed.exception))
        self.assertIn("status 3", str(failed.exception))

    def test_one_that_does_not_want_to_end_is_ended(self) -> None:
        stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
        daemon = self.run_python(stubborn)
        daemon.expect_line("up")
        daemon.patience = 0.1
        daemon.stop()
        self.assertEqual(daemon.process.returncode, -9)

    def test_what_a_process_takes_is_seen_from_outside(self) -> None:
        busy = "import time\nwhile time.process_time() < 0.2: pass\nprint('done', flush=True); time.sleep(60)"
        daemon = self.run_python(busy)
        daemon.expect_line("done")
        self.assertGreater(cpu_seconds(daemon.pid), 0.15)
        self.assertGreater(memory(daemon.pid), 1 << 20)
        self.assertGreaterEqual(memory(daemon.pid, "VmHWM"), memory(daemon.pid, "RssAnon"))


class RequireTests(SynchronousTestCase):
    absent = CargoPeer("no-such-peer", "0.0.0")

    def test_a_missing_peer_skips_on_a_users_machine_and_fails_in_ci(self) -> None:
        with tempfile.TemporaryDirectory() as nothing:
            for value, ended in {"": SkipTest, "true": self.failureException}.items():
                with mock.patch.dict(os.environ, {"CI": value, "ROTORO_PEERS": nothing}):
                    self.assertRaises(ended, require, self.absent, self)

    def test_the_reason_says_what_to_do(self) -> None:
        with tempfile.TemporaryDirectory() as nothing, mock.patch.dict(os.environ, {"ROTORO_PEERS": nothing}):
            self.assertIn("python -m interop.peers install no-such-peer", str(self.absent.available()))

    def test_without_the_registrys_tool_installing_says_so(self) -> None:
        with mock.patch.dict(os.environ, {"PATH": ""}):
            name = "no-such-peer"
            for peer in (self.absent, AptPeer(name, name), UnpackedPeer(name, name, "sid", name), GoPeer(name, "0")):
                with self.subTest(kind=type(peer).__name__), self.assertRaises(CannotInstall) as refused:
                    peer.install()
                self.assertIn("is not here", str(refused.exception))


class TableTests(SynchronousTestCase):
    def test_a_table_is_counted_and_its_last_prefix_found(self) -> None:
        def record(subtype: int, body: bytes) -> bytes:
            return struct.pack(">IHHI", 0, 13, subtype, len(body)) + body

        octets = record(1, bytes(20))  # the peer index table
        octets += record(2, bytes(4) + bytes([24, 192, 0, 2]) + b"\x00\x03")
        octets += record(4, bytes(4) + bytes([32]) + bytes.fromhex("20010db8") + b"\x00\x02")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "table.mrt"
            file.write_bytes(octets)
            table = read_table(file)
            self.assertEqual((table.prefixes, table.routes, table.last), (2, 5, "2001:db8::/32"))
            file.write_bytes(record(1, bytes(20)))
            self.assertRaises(NoTable, read_table, file)
