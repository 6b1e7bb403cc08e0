"""What a case is: a stable name, how strongly the specifications ask for it and where, and a function that finds out.

A case gets a subject, talks to it and returns if all is well. `Broken` says what was not, `Inconclusive` that the
question could not be put; a returned text is the remark of a pass that leaves something to wish for. A name never
changes its meaning.

>>> @case("X-VN-01", MUST, rfc8210="5.1", bis="5.2", roll={})
... def speaks_first(subject: str) -> None:
...     "The first word is hello."
...     demand(subject.startswith("hello"), "another first word", subject.encode())
>>> speaks_first.what, speaks_first.judge("hello there").verdict.value, speaks_first.judge("what?").verdict.value
('The first word is hello.', 'pass', 'fail')
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

_NAME = re.compile(r"[A-Z]-[A-Z]{2,3}-\d\d")
SHOWN = 64
"""Octets that are shown of what was heard."""


class Level(Enum):
    """How strongly a case is meant (BCP 14); what is only worth knowing is INFO."""

    MUST = "MUST"
    MUST_NOT = "MUST NOT"
    SHOULD = "SHOULD"
    SHOULD_NOT = "SHOULD NOT"
    MAY = "MAY"
    INFO = "INFO"


MUST, MUST_NOT, SHOULD, SHOULD_NOT, MAY, INFO = Level


class Verdict(Enum):
    """How a subject did."""

    PASS = "pass"
    LENIENT = "pass, but"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    SKIP = "skip"


class Broken(AssertionError):
    """The subject did what it must not do, or did not do what it must."""


class Inconclusive(Exception):
    """The subject did not get as far as the question."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with its reason, if it needs one."""

    verdict: Verdict
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is asked of a subject."""

    name: str
    level: Level
    rfc8210: str
    """Sections of RFC 8210 that ask for it; empty where that has no such rule."""
    bis: str
    """Sections of draft-ietf-sidrops-8210bis-27."""
    needs: frozenset[str]
    """What the driver must be able to do, beyond what all can."""
    what: str
    act: Callable[[Any], str | None]

    @property
    def clauses(self) -> str:
        """Where it is written, for people."""
        named = (("8210", self.rfc8210), ("bis", self.bis))
        return "; ".join(f"{document} {sections}" for document, sections in named if sections)

    def judge(self, subject: Any, able: Iterable[str] = ()) -> Outcome:
        """Put the case to a subject whose driver is able to do these things."""
        missing = self.needs - frozenset(able)
        if missing:
            return Outcome(Verdict.SKIP, f"needs {', '.join(sorted(missing))}")
        try:
            remark = self.act(subject)
        except Broken as broken:
            return Outcome(Verdict.FAIL, str(broken))
        except Inconclusive as reason:
            return Outcome(Verdict.INCONCLUSIVE, str(reason))
        return Outcome(Verdict.LENIENT, remark) if remark else Outcome(Verdict.PASS)


CASES: dict[str, Case] = {}
"""Every case by its name, in the order of definition."""


def case(
    name: str,
    level: Level,
    *,
    rfc8210: str = "",
    bis: str = "",
    needs: Iterable[str] = (),
    roll: dict[str, Case] = CASES,
) -> Callable[[Callable[[Any], str | None]], Case]:
    """Declare a case; its docstring says in one line what is asked. Raises ValueError if the name is taken."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a case, such as C-FR-02")
    if name in roll:
        raise ValueError(f"there are two cases {name}")

    def declare(act: Callable[[Any], str | None]) -> Case:
        what = inspect.cleandoc(act.__doc__ or "")
        if not what or "\n" in what:
            raise ValueError(f"{name} is not told in one line: {what!r}")
        roll[name] = Case(name, level, rfc8210, bis, frozenset(needs), what, act)
        return roll[name]

    return declare


def demand(right: bool, otherwise: str, octets: bytes = b"") -> None:
    """Go on if this is right; else the case fails for this reason, and shows these octets."""
    if not right:
        shown = f" [{octets[:SHOWN].hex(' ', -4)}]" if octets else ""
        raise Broken(f"{otherwise}{shown}")
