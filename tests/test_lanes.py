"""Lanes side by side: all is told, all must pass, and all end together."""

from __future__ import annotations

import signal
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.data import ROOT

COUNTS = "=== 3 passed, 1 skipped in 4.05s ==="
LONG_ONES = "======= 2 failed, 5 passed in 3600.05s (1:00:00) ======="
FAILURE = "FAILED tests/test_spec.py::SpecTests::test_it - AssertionError"
SLEEPS = "echo lives && exec sleep 600"


def lanes(*commands: str) -> subprocess.Popen[str]:
    """They, as make starts them."""
    command = [sys.executable, "-P", str(ROOT / "tests" / "lanes.py"), *commands]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class LaneTests(SynchronousTestCase):
    def outcome(self, *commands: str) -> tuple[int, str]:
        with lanes(*commands) as started:
            told, _ = started.communicate()
        return started.returncode, told

    def test_closing_lines_of_all_come_last(self) -> None:
        status, told = self.outcome(f"echo first; echo '{COUNTS}'", "echo second; echo 'PASSED (skips=1, successes=7)'")
        self.assertEqual(status, 0, told)
        self.assertEqual(told.splitlines()[-2:], [COUNTS, "PASSED (skips=1, successes=7)"])
        self.assertEqual((told.count("first\n"), told.count("second\n")), (1, 1))

    def test_one_that_fails_fails_all_and_the_others_go_on(self) -> None:
        says = "; ".join(f"echo '{line}'" for line in (LONG_ONES, FAILURE, "FAILED", "no more"))
        for commands in (("sleep 1; echo end", f"{says}; exit 3"), (f"{says}; exit 3", "sleep 1; echo end")):
            status, told = self.outcome(*commands)
            self.assertEqual(status, 1, told)
            self.assertIn("\nend\n", told)
            self.assertEqual(told.splitlines()[-2:], [LONG_ONES, FAILURE])

    def test_the_second_is_shown_as_soon_as_it_fails(self) -> None:
        with lanes(f"echo begins; {SLEEPS}", "echo broken; exit 1") as started:
            assert started.stdout is not None
            for line in iter(started.stdout.readline, ""):
                if line.startswith("--- FAILED"):
                    break
            self.assertIsNone(started.poll())
            started.send_signal(signal.SIGINT)

    def test_they_are_interrupted_together(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number.name), lanes(SLEEPS, SLEEPS) as started:
                assert started.stdout is not None
                for line in iter(started.stdout.readline, ""):
                    if line == "lives\n":
                        break
                started.send_signal(number)
                rest = started.stdout.read()
                self.assertEqual(started.wait(), 1, rest)
                self.assertEqual(rest.count("--- FAILED"), 2, rest)
