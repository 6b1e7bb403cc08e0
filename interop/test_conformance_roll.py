"""Rules of RTR that are no cases: whatever needs TLS, several caches or a whole proxy is tested where that is at hand.

Tests name the rules that they prove, in words (`R-TLS-01 to 03`) or in their own names (`test_p_06_...`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent

GROUPS = {"C-TLS": 10, "R-TLS": 6, "R-MC": 4, "P": 11}
"""How many rules there are about TLS for caches and for routers, about several caches of a router, and for proxies."""

SINGLE = {"R-AS-10"}
"""A rule about ASPAs that takes two caches."""

FIGURES = {"P-10"}
"""How soon what comes from the west is told to the east is a figure and no rule: tests do not stop the time."""

_IN_WORDS = re.compile(r"\b([CR]-[A-Z]+|P)-(\d\d)(?:( to | and |, )(\d\d)\b)?")
_IN_NAMES = re.compile(r"def test_(p(?:_\d\d)(?:_and_p_\d\d)*)_")


def named(text: str) -> Iterator[str]:
    """The rules that the source of some tests names.

    >>> list(named('"R-TLS-01 to 03", "C-TLS-03 and 05", "P-07"'))
    ['R-TLS-01', 'R-TLS-02', 'R-TLS-03', 'C-TLS-03', 'C-TLS-05', 'P-07']
    >>> list(named("def test_p_02_and_p_11_a_restart(self)"))
    ['P-02', 'P-11']
    """
    for group, first, joint, last in _IN_WORDS.findall(text):
        numbers = range(int(first), int(last) + 1) if joint == " to " else [int(first), *map(int, filter(None, [last]))]
        yield from (f"{group}-{number:02}" for number in numbers)
    for names in _IN_NAMES.findall(text):
        yield from (f"P-{number}" for number in re.findall(r"\d\d", names))


class RollTests(SynchronousTestCase):
    def test_every_rule_is_named_by_a_test(self) -> None:
        files = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("interop/*.py")]
        found = {rule for file in files if file != Path(__file__) for rule in named(file.read_text())}
        right = {f"{group}-{number:02}" for group, count in GROUPS.items() for number in range(1, count + 1)}
        self.assertEqual(sorted((right | SINGLE) - FIGURES - found), [])
