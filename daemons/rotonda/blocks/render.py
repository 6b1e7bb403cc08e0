"""Diagnostics as people read them: place, message, the line with a mark under it, what was expected, a hint."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from rotonda.blocks.characters import escaped
from rotonda.blocks.diagnostics import LINE_SHOWN, MOST_SHOWN, Diagnostic
from rotonda.blocks.places import Source

TAB = 4
_ELLIPSIS = "..."
_ASCII = re.compile(r"[ -~]*")
_BOLD, _RED, _YELLOW, _CYAN = "1", "1;31", "1;33", "36"


def text(source: Source, diagnostics: Sequence[Diagnostic], *, colour: bool = False) -> str:
    """Everything that is wrong in a text, and how many errors and warnings that are; "" if nothing is."""
    if not diagnostics:
        return ""
    lines = [line for found in diagnostics[:MOST_SHOWN] for line in _lines(source, found, colour)]
    if len(diagnostics) > MOST_SHOWN:
        lines.append(f"... and {len(diagnostics) - MOST_SHOWN} more")
    return "\n".join([*lines, count(diagnostics), ""])


def count(diagnostics: Sequence[Diagnostic]) -> str:
    """How many errors and warnings there are.

    >>> from rotonda.blocks.places import NOWHERE
    >>> count([Diagnostic(NOWHERE, "no"), Diagnostic(NOWHERE, "no")])
    '2 errors'
    """
    warnings = sum(found.is_warning for found in diagnostics)
    numbers = {"error": len(diagnostics) - warnings, "warning": warnings}
    return ", ".join(f"{number} {word}{'s' if number > 1 else ''}" for word, number in numbers.items() if number)


def _lines(source: Source, found: Diagnostic, colour: bool) -> list[str]:
    kind, code = ("warning", _YELLOW) if found.is_warning else ("error", _RED)
    head = f"{_plain(source.shown(found.span))}: "
    lines = [_coloured(head, _BOLD, colour) + _coloured(f"{kind}:", code, colour) + f" {_plain(found.message)}"]
    number, column = source.place(found.span.start)
    shown, before, width = _excerpt(source.line(number), column - 1, found.span.end - found.span.start)
    margin = " " * len(str(number))
    if shown.strip():
        lines.append(f" {number} | {shown}")
        lines.append(f" {margin} | {' ' * before}{_coloured('^' * max(width, 1), code, colour)}")
    lines += [f" {margin} = expected {_plain(found.expected)}"] if found.expected else []
    lines += [f" {margin} = {_coloured('hint:', _CYAN, colour)} {_plain(found.hint)}"] if found.hint else []
    return lines


def _excerpt(line: str, at: int, size: int) -> tuple[str, int, int]:
    """The part of a line around a place, as it is shown; how wide it is before the place, and the place itself."""
    at = min(at, len(line))
    end = min(at + max(size, 0), len(line))
    first = max(0, at - LINE_SHOWN // 3) if len(line) > LINE_SHOWN else 0
    last = min(len(line), first + LINE_SHOWN)
    end = min(end, last)
    before = (_ELLIPSIS if first else "") + _shown(line[first:at])
    marked = _shown(line[at:end])
    after = _shown(line[end:last]) + (_ELLIPSIS if last < len(line) else "")
    return (before + marked + after).rstrip(), _width(before), _width(marked)


def _shown(part: str) -> str:
    return escaped(part.replace("\t", " " * TAB))


def _width(part: str) -> int:
    """Columns of a terminal that a text takes: two for wide characters, none for marks on the one before."""
    return len(part) if _ASCII.fullmatch(part) else sum(map(_columns, part))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _plain(words: str) -> str:
    return escaped(words.replace("\n", "\\n").replace("\t", "\\t"))


def _coloured(words: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{words}\x1b[0m" if colour else words
