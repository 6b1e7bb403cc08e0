"""Every case about routers: to ours in memory, and some of them to our daemon, which connects to the cases' port."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from interop.conformance.case import CASES, Case, Outcome, Verdict
from interop.conformance.judging import cases, judged_router
from interop.conformance.router_live import LiveRouter
from interop.conformance.router_memory import MemoryRouter
from interop.conformance.router_mutants import MUTANTS

GROUPS = {"VN": 9, "FR": 12, "SS": 11, "PL": 15, "AS": 9, "ER": 11, "TM": 5}
"""How many cases there are about each subject: their numbers have no gaps, and never change their meaning."""

ROUTERS = [case for case in cases("R") if case.name.split("-")[1] in GROUPS]

LIVE = (
    "R-VN-07", "R-VN-08", "R-FR-01", "R-FR-06", "R-FR-08", "R-SS-01", "R-SS-02", "R-SS-03", "R-SS-04", "R-SS-05",
    "R-SS-07", "R-SS-08", "R-SS-10", "R-TM-02", "R-PL-03", "R-PL-07", "R-PL-08", "R-PL-10", "R-PL-11", "R-PL-13",
    "R-AS-01", "R-AS-02", "R-AS-06", "R-AS-08", "R-ER-04", "R-ER-08", "R-ER-11",
)  # fmt: skip
"""What is asked of a process too: from each subject what takes neither a turned clock nor a new process."""


class CaseTests(SynchronousTestCase):
    """Our router in memory holds every case; one test each."""

    def hold(self, case: Case) -> None:
        self.assertEqual(judged_router(case), Outcome(Verdict.PASS), case.what)


def _test(case: Case) -> Any:
    def test(self: CaseTests) -> None:
        self.hold(case)

    test.__doc__ = case.what
    return test


for _case in ROUTERS:
    setattr(CaseTests, f"test_{_case.name.replace('-', '_').lower()}", _test(_case))


class MutantTests(SynchronousTestCase):
    def test_each_is_noticed(self) -> None:
        for name, mutants in MUTANTS.items():
            for mutant in mutants:
                with self.subTest(case=name, mutant=mutant.__name__):
                    self.assertIs(judged_router(CASES[name], MemoryRouter(mutant)).verdict, Verdict.FAIL)


class LiveTests(SynchronousTestCase):
    def test_our_router(self) -> None:
        """One process holds, one after the other, a third of all cases."""
        folder = Path(tempfile.mkdtemp(prefix="rotoro-conformance-"))
        self.addCleanup(shutil.rmtree, folder)
        router = LiveRouter(folder)
        self.addCleanup(router.stop)
        for name in LIVE:
            with self.subTest(case=name, what=CASES[name].what):
                self.assertEqual(judged_router(CASES[name], router), Outcome(Verdict.PASS))


class RollTests(SynchronousTestCase):
    def test_every_case_is_there_once(self) -> None:
        names = [case.name for case in ROUTERS]
        right = {f"R-{group}-{number:02}" for group, count in GROUPS.items() for number in range(1, count + 1)}
        self.assertEqual(sorted(names), sorted(right))
