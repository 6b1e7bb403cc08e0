"""What is wrong in a file, or looks wrong, said so that it can be put right."""

from __future__ import annotations

from collections.abc import Iterable

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
    from difflib import get_close_matches  # only who has made a mistake waits for it to load

    found = get_close_matches(name[:80], list(known)[:2000], n=1, cutoff=0.6)
    return f"did you mean {found[0]}?" if found else ""


class Complaints:
    """Gathers what is wrong in one text; at most one complaint for each place and message."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.found: list[Diagnostic] = []
        self.errors = 0
        """How many of them are errors."""
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
        return self.errors > 0

    def ordered(self) -> list[Diagnostic]:
        """As they stand in the text."""
        return sorted(self.found, key=lambda found: (found.span.start, found.span.end))

    def _add(self, found: Diagnostic) -> None:
        if (found.span, found.message) not in self._seen:
            self._seen.add((found.span, found.message))
            self.found.append(found)
            self.errors += not found.is_warning


class TooManyErrors(Exception):
    """There are more errors than anybody would read; nothing more is checked."""


class BoundedComplaints(Complaints):
    """Goes on where other complaints of the same text end, up to `MOST_SHOWN` errors, so that hints take no time."""

    def __init__(self, before: Complaints) -> None:
        super().__init__(before.source)
        self.found, self._seen, self.errors = before.found, before._seen, before.errors
        self._is_full = before.errors >= MOST_SHOWN  # then it was told already

    def error(self, span: Span, message: str, expected: str = "", hint: str = "") -> None:
        """Something that must be put right. Raises TooManyErrors for what comes behind too many others."""
        if self.errors < MOST_SHOWN:
            super().error(span, message, expected, hint)
            return
        if not self._is_full:
            self._is_full = True
            super().error(span, "this is one mistake too many: the rest of the file is not checked")
        raise TooManyErrors
