"""From text to words: names, keywords, signs and literals, without blanks and comments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from rotonda.blocks.characters import HIDDEN, cut, number
from rotonda.blocks.literals import SHAPES, Unreadable, refuse, shape, string
from rotonda.blocks.places import Span
from rotonda.blocks.syntax import LiteralKind
from rotonda.blocks.values import Value

NAME, UPPER, STRING, NOT_IN = "NAME", "UPPER", "STRING", "NOT_IN"
LITERALS = ("STRING", "LITERAL", "INTEGER", "LENGTH", "ADDRESS", "PREFIX")
END = "$END"
NAMED = frozenset({NAME, UPPER, NOT_IN, END, *LITERALS})
"""Kinds of words that are not called by how they are written."""


class Token(msgspec.Struct, gc=False):
    """A word of a text. A kind is what the grammar calls it; keywords are names until the parser wants a keyword."""

    kind: str
    text: str
    start: int
    end: int
    literal: tuple[LiteralKind, Value] | None = None

    @property
    def span(self) -> Span:
        """Where it stands."""
        return Span(self.start, self.end)


_NO_TEXT = (LiteralKind.STRING, "")

Complain = Callable[[Span, str, str, str], None]
"""Place, message, what was expected, hint."""

_TAIL = r"(?:[A-Za-z0-9_]++|\.(?=[0-9])|:(?=[0-9A-Fa-f:])|(?<=:):|/(?=[0-9]))*+"
"""What goes on with a word that begins like a number or an address: everything that touches it, right or wrong."""
_WORDS = re.compile(
    r"(?P<blank>[ \t\r\n]+)"
    r"|(?P<remark>//[^\n]*)"
    r"|(?P<comment>/\*)"
    r'|(?P<string>"(?:[^"\\\n]++|\\[^\n])*+(?P<closed>"?))'
    r"|(?P<socket>\[[0-9A-Fa-f:.]{2,60}\]:[0-9]+)"
    rf"|(?P<literal>[0-9]{_TAIL}|/[0-9]{_TAIL}|AS[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9_])|(?:rt|soo):[0-9]{_TAIL}"
    rf"|(?![A-F][A-Fa-f0-9]*::[a-z_])[A-Fa-f][0-9A-Fa-f]{{0,3}}(?::[0-9A-Fa-f]{{1,4}}){{0,6}}::{_TAIL}"
    rf"|[A-Fa-f][0-9A-Fa-f]{{0,3}}(?::[0-9A-Fa-f]{{1,4}}){{7}}{_TAIL}"
    rf"|::{_TAIL})"
    r"|(?P<word>[A-Za-z_](?:[A-Za-z0-9_]++|-(?=[A-Za-z0-9]))*+)"
    r"|(?P<placeholder><[A-Z][A-Z0-9_]*>)"
    r"|(?P<sign>->|&&|\|\||[=!<>]=|[{}()\[\];:,.=!<>|-])"
)
_SINGLE = re.compile(r"'[^'\n]*'?")
_STRANGE = re.compile(r"[^\sA-Za-z0-9_&\"'{}()\[\];:,.=!<>|/-]+|.", re.DOTALL)


def tokens(text: str, complain: Complain, start: int = 0) -> Iterator[Token]:
    """The words from an offset on, and `END` at last; what is none is told and left out."""
    at, size, before = start, len(text), ""
    match = _WORDS.match
    while at < size:
        found = match(text, at)
        group = found.lastgroup if found else None
        if found is None:
            token, at = _strange(text, at, complain)
        elif group in ("blank", "remark"):
            at = found.end()
            continue
        elif group == "word":
            at = found.end()
            word = found[0]
            token = Token(UPPER if word[0].isupper() else NAME, word, found.start(), at)
        elif group == "sign":
            at = found.end()
            token = Token(found[0], found[0], found.start(), at)
        elif group == "comment":
            at = _comment_end(text, at, complain)
            continue
        elif group == "placeholder":
            at = found.end()
            complain(Span(*found.span()), f"a value is missing in place of {cut(found[0])}", "a value", "")
            token = Token(STRING, found[0], *found.span(), literal=_NO_TEXT)
        elif before == UPPER and text.startswith("::", at):
            token = Token("::", "::", at, at + 2)
            at += 2
        else:
            at = found.end()
            token = _string(found, complain) if found["string"] else _literal(found, complain)
        if token is not None:
            before = token.kind
            yield token
    yield Token(END, "", size, size)


def _comment_end(text: str, at: int, complain: Complain) -> int:
    end = text.find("*/", at + 2)
    if end < 0:
        complain(Span(at, at + 2), "this comment never ends", "'*/'", "")
        return len(text)
    return end + 2


def _string(found: re.Match[str], complain: Complain) -> Token:
    start, end = found.span()
    text = found[0]
    if not found["closed"]:
        complain(Span(start, start + 1), "this text never ends", "'\"' in the same line", "")
        return Token(STRING, text, start, end, _NO_TEXT)
    try:
        return Token(STRING, text, start, end, (LiteralKind.STRING, string(text)))
    except Unreadable as wrong:
        low, high = wrong.part or (0, end - start)
        complain(Span(start + low, start + high), wrong.message, wrong.expected, wrong.hint)
        return Token(STRING, text, start, end, _NO_TEXT)


def _literal(found: re.Match[str], complain: Complain) -> Token:
    text = found[0]
    start, end = found.span()
    known = shape(text)
    try:
        if known is None:
            refuse(text)
        return Token(known.terminal, text, start, end, (known.kind, known.read(text)))
    except Unreadable as wrong:
        complain(Span(start, end), wrong.message, wrong.expected, wrong.hint)
    known = known or SHAPES["prefix" if "/" in text[1:] else "length" if text[0] == "/" else "address"]
    return Token(known.terminal, text, start, end, (known.kind, known.blank))


def _strange(text: str, at: int, complain: Complain) -> tuple[Token | None, int]:
    """What begins no word: placeholders and texts in single quotes are taken for texts, the rest is left out."""
    character = text[at]
    if character == "'" and (found := _SINGLE.match(text, at)):
        complain(Span(*found.span()), "texts stand in double quotes", "'\"'", "")
        return Token(STRING, found[0], *found.span(), literal=_NO_TEXT), found.end()
    if character == "#":
        complain(Span(at, at + 1), "'#' means nothing here", "", "comments begin with //")
        end = text.find("\n", at)
        return None, end if end >= 0 else len(text)
    if character == "&":
        complain(Span(at, at + 1), "'&' means nothing here", "", "did you mean &&?")
        return Token("&&", "&", at, at + 1), at + 1
    found = _STRANGE.match(text, at)
    assert found is not None
    if not HIDDEN.match(character):  # these have been told
        shown = number(character) if not character.isprintable() else cut(found[0], 20)
        complain(Span(*found.span()), f"{shown} means nothing here", "", _meant(character, text, at))
    return None, found.end()


_BEFORE = re.compile(r"/[0-9]{1,3}$")


def _meant(character: str, text: str, at: int) -> str:
    if character == "+" and _BEFORE.search(text, max(0, at - 4), at):
        return "a prefix with all that it covers is written `192.0.2.0/24 orlonger`"
    if character == "~":
        return "there are no patterns in this language: ask contains(...), starts_with(...), first(), last()"
    if character in "+*/%":
        return "there is no arithmetic in this language"
    return "names have letters, digits, '-' and '_'" if character.isalnum() else ""
