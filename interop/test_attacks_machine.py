"""Attacks on our daemons by the machine and those who use it: files, disk, clocks, and more rights than are needed."""

from __future__ import annotations

import os
import random
import resource
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from interop.attacks.cases import (
    CacheCase,
    host_routes,
    set_clock,
    spoiled,
    twistd,
    write_csv,
)
from interop.attacks.hostile import HostileCacheCase
from interop.peers import ours, probe
from interop.peers.processes import LOOPBACK, Daemon, free_port, wait_until

ROOT, NOBODY = 0, 65534
DAY = 86_400
PROBLEM = "not used; a new session begins"
FOLDER_PROBLEM = "nothing is kept"


class StateCase(CacheCase):
    vrps = 20_000

    def setUp(self) -> None:
        self.state = self.folder / f"state-{self.id().rpartition('.')[2]}"
        super().setUp()
        self.kept()

    def start(self, *options: object) -> None:
        super().start("--state", self.state, *options)

    def kept(self) -> None:
        """Wait until the table is on the disk."""
        self.attacked.expect(lambda: next(self.state.glob("*.table"), None), "the table is kept", 10)

    def session(self) -> int:
        """The session id of version 2."""
        return probe.fetch(self.port, 2, 1 << 16 | self.vrps * 40).session


class StateTests(StateCase):
    def test_what_must_not_be_believed(self) -> None:
        """Attack 44: what others may have written, or nobody, is told once and begins a session."""
        before = self.session()
        self.attacked.process.kill()
        self.attacked.process.wait()
        good = self.folder / "good"
        shutil.copytree(self.state, good)
        for what, (said, spoil) in self.spoils().items():
            with self.subTest(what=what):
                shutil.rmtree(self.state)
                shutil.copytree(good, self.state)
                spoil(next(self.state.glob("*.table")))
                self.start()
                with self.attack():
                    self.assertEqual(self.told(said), 1, self.attacked.lines()[:12])
                    self.assertNotEqual(self.session(), before)
                self.attacked.stop()
                if self.state.is_symlink():
                    self.state.unlink()
                    self.state.mkdir()

    def spoils(self) -> dict[str, tuple[str, Callable[[Path], object]]]:
        """What is done to the files, and what is said about it."""

        def link(path: Path) -> None:
            there = shutil.move(path, path.with_suffix(".elsewhere"))
            path.symlink_to(there)

        def link_folder(path: Path) -> None:
            path.parent.rename(self.folder / "moved")
            path.parent.symlink_to(self.folder / "moved")

        def flip(path: Path) -> None:
            octets = bytearray(path.read_bytes())
            octets[len(octets) // 2] ^= 1
            path.write_bytes(octets)

        def older(path: Path) -> None:
            octets = bytearray(path.read_bytes())
            octets[7] = max(0, octets[7] - 1)
            path.write_bytes(octets)

        found: dict[str, tuple[str, Callable[[Path], object]]] = {
            "a link": (f"symbolic link.*{PROBLEM}", link),
            "no octet": (PROBLEM, lambda path: path.write_bytes(b"")),
            "cut": (PROBLEM, lambda path: os.truncate(path, path.stat().st_size // 2)),
            "a flipped bit": (f"the digest at its end is another: {PROBLEM}", flip),
            "another version": (PROBLEM, older),
            "a file that others may write": (f"others may write to it.*{PROBLEM}", lambda path: path.chmod(0o666)),
            "a folder that others may write": (FOLDER_PROBLEM, lambda path: path.parent.chmod(0o777)),
            "a folder that is a link": (FOLDER_PROBLEM, link_folder),
        }
        if os.geteuid() == ROOT:
            found["another user's"] = (PROBLEM, lambda path: os.chown(path, NOBODY, NOBODY))
        return found


class DiskTests(StateCase):
    def test_a_full_disk(self) -> None:
        """Attack 49: the table is served from memory, that is said once, the old file is whole and no part is left."""
        session, (table,) = self.session(), self.state.glob("*.table")
        held = table.read_bytes()
        # No disk here can be made full, but a file can be too long: the system says so at the same place.
        before = resource.prlimit(self.attacked.pid, resource.RLIMIT_FSIZE, (len(held) // 2, resource.RLIM_INFINITY))
        with self.attack("the table is served from memory and not kept"):
            write_csv(self.file, self.vrps - 7)
            self.addCleanup(write_csv, self.file, self.vrps)
            self.data = host_routes(self.vrps - 7)  # type: ignore[misc]
            self.attacked.expect(lambda: self.told("not kept") or None, "the alarm", 10)
            self.assertEqual((table.read_bytes(), list(self.state.glob("*.new"))), (held, []))
        resource.prlimit(self.attacked.pid, resource.RLIMIT_FSIZE, before)
        self.attacked.stop()
        self.vrps -= 7
        self.start()
        self.assertEqual(self.session(), session)
        self.assertEqual(self.told(PROBLEM), 0)
        self.assert_exact()


class ClockTests(HostileCacheCase):
    @classmethod
    def twistd(cls, words: Sequence[str]) -> Daemon:
        return spoiled(cls.folder, cls.folder / "sabotage", words)

    def test_a_clock_that_jumps(self) -> None:
        """Attack 48, R-TM-04: a day forth or back means nothing; what counts is a clock that nobody sets."""
        machine = self.folder / "sabotage"
        with self.attack(others=1.0):
            for day in (DAY, -DAY):
                set_clock(machine, "wall", day)
                assert self.line is not None  # since `begin`
                self.assertRaises(TimeoutError, self.line.next, 1)
                self.assert_exact()
        with self.attack("data given up: no news from the cache in 7200 s", lines=2, others=1.0):
            set_clock(machine, "steady", 7190)
            time.sleep(0.5)
            self.assert_held(True)
            set_clock(machine, "steady", 7205)
            wait_until(lambda: self.told("data given up") or None, 5)
            self.assert_held(False)
            self.hostile = frozenset()

    def assert_held(self, held: bool) -> None:
        links = [link for link in ours.status(self.http)["links"] if str(self.port) in link["name"]]
        self.assertEqual([bool(link.get("records")) for link in links], [held])


class RootTests(CacheCase):
    vrps = 1000

    def setUp(self) -> None:
        if os.geteuid() != ROOT:
            self.skipTest("only root can start a daemon that has something to give up")
        self.before: list[str] = []
        self.folder.chmod(0o755)
        super().setUp()

    def start(self, *options: object) -> None:
        self.port = privileged_port()
        super().start(*options)

    def twistd(self, words: Sequence[str]) -> Daemon:
        return twistd(self.folder, [*self.before, *words])

    def state(self) -> dict[str, str]:
        """What the system says of the process."""
        lines = Path(f"/proc/{self.attacked.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def test_root_without_a_user(self) -> None:
        """Attack 46: ports below 1024 are bound, and then nothing is left of what only root may do; that is said."""
        with self.attack():
            found = self.state()
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(int(found[name], 16), 0, name)
            self.assertEqual(found["NoNewPrivs"], "1")
            self.assertEqual(self.told("started by root: privileges are given up"), 1)

    def test_another_user(self) -> None:
        """Attack 46: `twistd --uid` leaves neither the name nor the rights."""
        self.attacked.stop()
        self.bystander.stop()
        self.before = ["--uid", str(NOBODY), "--gid", str(NOBODY)]
        self.start()
        self.stand_by("router", self.port)
        with self.attack():
            found = self.state()
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(int(found[name], 16), 0, name)
            self.assertEqual({*found["Uid"].split(), *found["Gid"].split(), *found["Groups"].split()}, {str(NOBODY)})
            self.assertEqual(self.told("started by root"), 0)


def privileged_port() -> int:
    """A port below 1024 that nobody has."""
    for port in random.sample(range(700, 1000), 50):
        with socket.socket() as tried:
            try:
                tried.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    return free_port()
