"""Every case about caches: to ours in memory, and, where no clock has to be turned, to our connector on a real port."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from interop.conformance.case import Case, Outcome, Verdict
from interop.conformance.judging import cases, judged, judged_in_memory, table
from interop.conformance.live import Live
from interop.conformance.memory import Memory
from interop.conformance.mutants import MUTANTS

CACHES = cases("C")
GROUPS = {"VN": 13, "FR": 17, "SS": 19, "QR": 9, "RK": 2, "AS": 8, "OR": 8, "SN": 7, "ER": 9, "TM": 3, "RS": 3, "TP": 4}
"""How many cases there are about each subject: their numbers have no gaps, and never change their meaning."""


class CaseTests(SynchronousTestCase):
    """Our cache in memory holds every case; one test each."""

    def hold(self, case: Case) -> None:
        self.assertEqual(judged_in_memory(case), Outcome(Verdict.PASS), case.what)


def _test(case: Case) -> Any:
    def test(self: CaseTests) -> None:
        self.hold(case)

    test.__doc__ = case.what
    return test


for _case in (case for case in CACHES if case.needs <= Memory.able):
    setattr(CaseTests, f"test_{_case.name.replace('-', '_').lower()}", _test(_case))


class MutantTests(SynchronousTestCase):
    def test_broken_caches_are_found_out(self) -> None:
        """Each breaks the rule of one case, which has to fail."""
        by_name = {case.name: case for case in CACHES}
        for name, make in MUTANTS.items():
            with self.subTest(case=name, what=by_name[name].what):
                subject = make()
                self.assertIs(by_name[name].judge(subject, subject.able).verdict, Verdict.FAIL)


class LiveTests(SynchronousTestCase):
    def test_our_connector(self) -> None:
        """One process holds, one after the other, all cases that a real clock has patience for."""
        folder = Path(tempfile.mkdtemp(prefix="rotoro-conformance-"))
        self.addCleanup(shutil.rmtree, folder)
        subject = Live(folder)
        self.addCleanup(subject.stop)
        found: Counter[Verdict] = Counter()
        for case in CACHES:
            with self.subTest(case=case.name, what=case.what):
                outcome = judged(case, subject)
                found[outcome.verdict] += 1
                self.assertIn(outcome.verdict, (Verdict.PASS, Verdict.SKIP), outcome.evidence)
        self.assertGreater(found[Verdict.PASS], 60)

    def test_every_case_is_put_to_one_or_the_other(self) -> None:
        self.assertEqual([case.name for case in CACHES if not case.needs <= Memory.able], ["C-TP-04"])
        self.assertEqual([case.name for case in CACHES if case.needs <= Live.able and case.needs], ["C-TP-04"])


class RollTests(SynchronousTestCase):
    def test_every_case_is_there_once(self) -> None:
        names = [case.name for case in CACHES]
        right = {f"C-{group}-{number:02}" for group, count in GROUPS.items() for number in range(1, count + 1)}
        self.assertEqual(sorted(names), sorted(right))

    def test_the_table_has_them_all(self) -> None:
        lines = table([(case, Outcome(Verdict.FAIL, "a | b")) for case in CACHES]).splitlines()
        self.assertEqual(len(lines), 2 + len(CACHES))
        for line in lines:
            self.assertEqual(len(re.findall(r"\|", line)), 6)
