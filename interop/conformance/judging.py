"""All cases, put to subjects one after the other.

A module whose name begins with `cache_` or `router_` may have cases; `SUBJECTS` says who answers to the cases of which
letter, when there is nobody else to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from interop.conformance import __path__ as _path
from interop.conformance.asking import survives
from interop.conformance.case import CASES, Broken, Case, Outcome, Verdict
from interop.conformance.memory import Memory
from interop.conformance.router_memory import MemoryRouter
from interop.conformance.serving import Taker, loads_again
from interop.conformance.subject import Subject

ROLES = ("cache_", "router_")
NOT_CLEAN = frozenset({Verdict.FAIL, Verdict.INCONCLUSIVE})


def cases(letter: str) -> list[Case]:
    """All cases of a role, C for caches and R for routers, by their names."""
    for module in iter_modules(_path):
        if module.name.startswith(ROLES):
            import_module(f"interop.conformance.{module.name}")
    return [CASES[name] for name in sorted(CASES) if name.startswith(f"{letter}-")]


def judged(case: Case, subject: Subject | Taker, lives_on: Callable[[Any], None] = survives) -> Outcome:
    """How a subject does, which has to go on with whoever comes next as if nothing had been."""
    try:
        outcome = case.judge(subject, subject.able)
        if outcome.verdict is not Verdict.SKIP:
            lives_on(subject)
    except Broken as broken:
        return Outcome(Verdict.FAIL, f"no fresh session after it: {broken}")
    finally:
        subject.tidy()
    return outcome


def judged_in_memory(case: Case) -> Outcome:
    """How our cache does, in this process."""
    return judged(case, Memory())


def judged_router(case: Case, router: Taker | None = None) -> Outcome:
    """How a router does; without one ours, in this process."""
    return judged(case, MemoryRouter() if router is None else router, loads_again)


SUBJECTS: dict[str, Callable[[Case], Outcome]] = {"C": judged_in_memory, "R": judged_router}
"""How the cases of each letter are judged without another program."""


def verdicts() -> Iterator[tuple[Case, Outcome]]:
    """Every case with the verdict about ours."""
    for letter, judge in SUBJECTS.items():
        yield from ((case, judge(case)) for case in cases(letter))


def table(rows: Iterable[tuple[Case, Any]]) -> str:
    """Cases and their verdicts as Markdown."""
    lines = ["| case | level | clauses | what | verdict |", "| --- | --- | --- | --- | --- |"]
    for case, outcome in rows:
        verdict = outcome.verdict.value + (f": {outcome.evidence}" if outcome.evidence else "")
        cells = case.name, case.level.value, case.clauses, case.what, verdict
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines) + "\n"
