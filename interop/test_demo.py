"""The whole demo as a user starts it, with a table that is small: three processes, real sockets, every check."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from interop.peers.ours import ROOT

DEMO = [sys.executable, "-m", "rotonda.demo"]
SMALL = ["--prefixes4", "3000", "--prefixes6", "500", "--peers", "2"]
SECONDS = 120


def environment(temporary: Path) -> dict[str, str]:
    """Where it finds the checkout, and where it puts what it makes."""
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'daemons'}", "TMPDIR": str(temporary)}


class DemoTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.temporary = self.folder / "temporary"
        self.temporary.mkdir()

    def test_everything_that_it_shows_is_there(self) -> None:
        words = [*DEMO, *SMALL, "--check", "--json", "facts.json", "--keep", "kept"]
        done = subprocess.run(
            words, cwd=self.folder, env=environment(self.temporary), capture_output=True, text=True, timeout=SECONDS
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        facts = json.loads((self.folder / "facts.json").read_text())
        self.assertEqual(facts["problems"], [])
        self.assertEqual((facts["synthetic"], facts["seed"]), ({"tables": True, "vrps": True}, 1))
        self.assertEqual((facts["prefixes"], facts["peers"]), ({"ipv4": 3000, "ipv6": 500}, 2))
        self.assertEqual((facts["router"]["version"], facts["router"]["records"]), (2, facts["rpki"]))
        for told in ("SYNTHETIC", "3,000 IPv4 and 500 IPv6", facts["example"]["url"], "RTR version 2"):
            self.assertIn(told, done.stdout)
        self.assertNotIn("\x1b", done.stdout)
        kept = {path.name for path in (self.folder / "kept").iterdir()}
        logs = {f"rotonda-{name}.log" for name in ("connector", "rib", "router")}
        self.assertLessEqual({"table.mrt", "vrps.json", *logs}, kept)

    def test_it_ends_when_asked_and_leaves_nothing(self) -> None:
        # programs that a shell starts with `&` ignore SIGINT, and what they start would, too
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number.name):
                log = self.folder / f"{number.name}.log"
                with log.open("wb") as output:
                    demo = subprocess.Popen(
                        [*DEMO, *SMALL],
                        cwd=self.folder,
                        env=environment(self.temporary),
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                self.addCleanup(end, demo)
                end_of_patience = time.monotonic() + SECONDS
                while "Ctrl-C" not in log.read_text() and demo.poll() is None and time.monotonic() < end_of_patience:
                    time.sleep(0.1)
                self.assertIn("Ctrl-C", log.read_text())
                self.assertTrue(list(self.temporary.iterdir()))
                demo.send_signal(number)
                self.assertEqual(demo.wait(SECONDS), 0, log.read_text())
                self.assertEqual(list(self.temporary.iterdir()), [])
                self.assertEqual(len(re.findall(r"process \d+", log.read_text())), 3)
                self.assertEqual(daemons_of(log.read_text()), [])


def daemons_of(told: str) -> list[int]:
    """Those of the daemons that the demo told of that still run."""
    return [number for number in map(int, re.findall(r"process (\d+)", told)) if runs(number)]


def runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def end(process: subprocess.Popen[bytes]) -> None:
    """If something failed, it must not stay behind."""
    if process.poll() is None:
        process.terminate()
        process.wait(SECONDS)
