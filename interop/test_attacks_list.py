"""Every attack of the list is made on a daemon that runs, and held to what all of them are held to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from interop.attacks import ATTACKS, claimed

HERE = Path(__file__).parent
HELD = {"attack", "assert_over"}
"""Methods that assert it: the process, the others, the exact set, the memory, the line."""


class Claim(NamedTuple):
    """A test that says that it makes attacks."""

    test: str
    attacks: list[int]
    is_held: bool


def claims() -> Iterator[Claim]:
    """All tests of attacks."""
    for path in sorted(HERE.glob("test_attacks_*.py")):
        for case in ast.parse(path.read_text()).body:
            for test in case.body if isinstance(case, ast.ClassDef) else ():
                if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
                    words = ast.get_docstring(test) or ""
                    called = {node.func.attr for node in ast.walk(test) if _is_method(node)}  # type: ignore[attr-defined]
                    yield Claim(f"{path.name}: {test.name}", list(claimed(words)), bool(called & HELD))


def _is_method(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


class ListTests(SynchronousTestCase):
    def test_each_attack_is_made(self) -> None:
        made = {number for claim in claims() for number in claim.attacks}
        self.assertEqual(set(ATTACKS) - made, set())

    def test_none_is_made_up(self) -> None:
        self.assertEqual({number for claim in claims() for number in claim.attacks} - set(ATTACKS), set())

    def test_all_are_held_to_the_same(self) -> None:
        self.assertEqual([claim.test for claim in claims() if claim.attacks and not claim.is_held], [])
