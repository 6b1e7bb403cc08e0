"""What is wrong in a file, or looks wrong, said so that it can be put right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import msgspec

from rotonda.blocks.places import Source, Span

MOST_SHOWN = 100
"""Diagnostics of one file; the rest is counted."""
LINE_SHOWN = 160
"""Characters of a line that are shown, around the place."""


class Diagnostic(msgspec.Struct, frozen=True):
    """One complaint: where, what, and if it is known what was expected and what may have been meant."""

    span: Span
    message: str
    expected: str = ""
    hint: str = ""
    is_warning: bool = False


def suggestion(name: str, known: Iterable[str]) -> str:
    """What may have been meant by a name that nobody knows; "" if nothing is like it.

    >>> suggestion("pefer-filter", ["peer-filter", "rib-loc"])
    'did you mean peer-filter?'
    """
    found = get_close_matches(name[:80], list(known)[:2000], n=1, cutoff=0.6)
    return f"did you mean {found[0]}?" if found else ""


class Complaints:
    """Gathers what is wrong in one text; at most one complaint for each place and message."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.found: list[Diagnostic] = []
        self._seen: set[tuple[Span, str]] = set()

    def error(self, span: Span, message: str, expected: str = "", hint: str = "") -> None:
        """Something that must be put right."""
        self._add(Diagnostic(span, message, expected, hint))

    def warn(self, span: Span, message: str, hint: str = "") -> None:
        """Something that is allowed and hardly meant."""
        self._add(Diagnostic(span, message, hint=hint, is_warning=True))

    @property
    def has_errors(self) -> bool:
        """Whether the file cannot be used."""
        return any(not found.is_warning for found in self.found)

    def ordered(self) -> list[Diagnostic]:
        """As they stand in the text."""
        return sorted(self.found, key=lambda found: (found.span.start, found.span.end))

    def _add(self, found: Diagnostic) -> None:
        if (found.span, found.message) not in self._seen:
            self._seen.add((found.span, found.message))
            self.found.append(found)
