"""The canonical layout of a file: its words in their order, with comments and blank lines where they were.

Four blanks for what is inside of something, one setting a line, `:` and `,` in records, one statement a line. Records,
lists and bodies of one line stay in one line if nothing in it is a comment and it is not too long.
The meaning of a file is that of its layout: only signs that may be missing are put in or left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import msgspec

from rotonda.blocks.diagnostics import Complaints, Diagnostic
from rotonda.blocks.grammar import Rule
from rotonda.blocks.lexer import Token
from rotonda.blocks.parse import OPENERS, whole_tree
from rotonda.blocks.places import Source, Span

WIDTH = 100
"""Columns that a bracket in one line may reach."""
INDENT = "    "

_ALWAYS_OPEN = frozenset(
    {"module", "filter", "define", "term", "action", "apply", "by_variant", "variant_rule", "rule"}
)
"""Bodies that never stand in one line."""
_DECLARING = frozenset({"config_here", "type_definition", "stream_of"})
"""Neither do the records of these."""
_COMMAS = frozenset({"record", "list_value", "tuple_value", "by_variant", "variant_rule"})
"""Between what is inside of these stand commas."""
_NEEDS_NO_END = frozenset(
    {"module", "type_definition", "stream_of", "filter", "define", "term", "conditions", "by_variant", "action",
     "apply", "branch", "variant_rule", "rule"}
)  # fmt: skip
"""A semicolon behind these may be there or not."""
_CALLS = frozenset({"call", "local_call", "construct", "variant"})
_BRACKETS = {"list_value": "[", "tuple_value": "("}
_SEPARATORS = frozenset({",", ";"})
_TIGHT_BEFORE = frozenset({",", ";", ":", ".", "::", ")", "]", "-"})
_TIGHT_AFTER = frozenset({"(", "[", ".", "::", "!", "-"})
_REMARK = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


class CannotFormat(ValueError):
    """A file with mistakes, which has no layout; `diagnostics` say what is wrong."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__("a file with mistakes cannot be laid out")
        self.diagnostics = diagnostics


class _Comment(msgspec.Struct, frozen=True):
    """A comment, and how many ends of lines stand before it."""

    text: str
    lines: int

    @property
    def ends_line(self) -> bool:
        return self.text.startswith("//")


class _Word(msgspec.Struct):
    """A word to be written, with the comments before it. Those of a separator go behind it; it may be left out, ""."""

    text: str
    comments: tuple[_Comment, ...] = ()
    lines: int = 0
    is_tight: bool = False
    is_separator: bool = False


class _Group(msgspec.Struct):
    """What stands in brackets: each item on a line of its own if it `is_open`, or all in one line if that fits."""

    opener: _Word
    items: list[list[_Part]]
    closer: _Word
    is_open: bool

    @property
    def is_spaced(self) -> bool:
        return self.opener.text == "{" and bool(self.items)


_Part: TypeAlias = _Word | _Group


class _Tree(msgspec.Struct):
    """What a rule of the grammar found, every word of it."""

    name: str
    parts: list[_Tree | Token]


def formatted(source: Source) -> str:
    """The text in its canonical layout. Raises CannotFormat for one with mistakes."""
    complaints = Complaints(source)
    tree = whole_tree(source, complaints, _tree)
    if complaints.has_errors:
        raise CannotFormat(complaints.ordered())
    items, end = _Layout(source.text).whole(tree)
    return _Writer().whole(items, end)


def _tree(rule: Rule, _: Span, parts: list[_Tree | Token]) -> _Tree:
    return _Tree(rule.name, parts)


# --- what is to be written -------------------------------------------------------------------------------------------


class _Layout:
    """Goes through the words of a file, in their order, and takes the comments before each along."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._before = ""

    def whole(self, tree: _Tree) -> tuple[list[list[_Part]], _Word]:
        """The items of a file, and a word that is not there with the comments at the end."""
        return self._items(tree.parts, False), self._word(Token("", "", len(self._text), len(self._text)), "")

    def _word(self, token: Token, within: str) -> _Word:
        comments, at = [], self._at
        for found in _REMARK.finditer(self._text, self._at, token.start):
            comments.append(_Comment(_tidy(found[0]), self._text.count("\n", at, found.start())))
            at = found.end()
        kind, before = token.kind, self._before
        self._at, self._before = token.end, kind
        is_tight = kind in _TIGHT_BEFORE or before in _TIGHT_AFTER or (kind == "(" and within in _CALLS)
        text = token.text
        if kind == "=" and within == "setting":
            text, is_tight = ":", True
        lines = self._text.count("\n", at, token.start)
        return _Word(text, tuple(comments), lines, is_tight, kind in _SEPARATORS)

    def _parts(self, node: _Tree | Token, within: str = "") -> list[_Part]:
        if isinstance(node, Token):
            return [self._word(node, within)]
        opener = _BRACKETS.get(node.name, "{")
        made: list[_Part] = []
        children = iter(node.parts)
        for child in children:
            if isinstance(child, Token) and child.kind == opener:  # the only bracket of its kind
                made.append(self._group(node.name, child, children))
                opener = ""
                continue
            made.extend(self._parts(child, node.name))
        return self._ended(node.name, made)

    def _ended(self, name: str, made: list[_Part]) -> list[_Part]:
        last = made[-1] if made else None
        bodies = [part for part in made if isinstance(part, _Group) and part.opener.text == "{"]
        if name in _DECLARING or (name == "rule" and len(bodies) > 1):
            for body in bodies:
                body.is_open = body.is_open or bool(body.items)
        if name in _NEEDS_NO_END and isinstance(last, _Word) and last.is_separator:
            last.text = ""
        if name == "rule":
            made.append(_Word(";", is_separator=True))
        return made

    def _group(self, name: str, opener: Token, following: Iterator[_Tree | Token]) -> _Group:
        begin = self._word(opener, name)
        inside: list[_Tree | Token] = []
        for child in following:
            if isinstance(child, Token) and child.kind == OPENERS[opener.kind]:
                items = self._items(inside, name in _COMMAS)
                end = self._word(child, name)
                is_open = (name in _ALWAYS_OPEN and bool(items)) or bool(end.comments) or _breaks(items)
                return _Group(begin, items, end, is_open)
            inside.append(child)
        raise AssertionError("the grammar closes what it opens")

    def _items(self, nodes: Sequence[_Tree | Token], has_commas: bool) -> list[list[_Part]]:
        items: list[list[_Part]] = []
        for node in nodes:
            if isinstance(node, Token) and node.kind in _SEPARATORS:
                items[-1].append(self._word(node, ""))
            else:
                items.append(self._parts(node))
        if has_commas:
            for number, item in enumerate(items, 1):
                if not isinstance(item[-1], _Word) or not item[-1].is_separator:
                    item.append(_Word("", is_separator=True))
                item[-1].text = "," if number < len(items) else ""  # type: ignore[union-attr]
        return items


def _tidy(comment: str) -> str:
    return comment.rstrip() if comment.startswith("//") else comment.replace("\r\n", "\n")


def _breaks(items: list[list[_Part]]) -> bool:
    """Whether something in a bracket wants lines of its own: its first word does, or there are comments."""
    words = [(part.opener if isinstance(part, _Group) else part) for item in items for part in item]
    inner = any(isinstance(part, _Group) and part.is_open for item in items for part in item)
    return bool(words) and (words[0].lines > 0 or inner or any(word.comments for word in words))


# --- writing ---------------------------------------------------------------------------------------------------------


class _Writer:
    """Writes words, and knows where in a line it is."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._column = 0
        self._indent = 0
        self._carried: tuple[_Comment, ...] = ()
        self._after_remark = False

    def whole(self, items: list[list[_Part]], end: _Word) -> str:
        for number, item in enumerate(items):
            self._item(item, first=not number)
        self._comments(end, breaks=True, first=not items)
        return "".join(self._out) + "\n" if self._out else ""

    def _item(self, item: list[_Part], *, first: bool) -> None:
        for number, part in enumerate(item):
            self._part(part, breaks=not number, first=first)

    def _part(self, part: _Part, *, breaks: bool, first: bool) -> None:
        if isinstance(part, _Group):
            self._group(part, breaks=breaks, first=first)
        else:
            self._word(part, breaks=breaks, first=first)

    def _group(self, group: _Group, *, breaks: bool, first: bool) -> None:
        self._word(group.opener, breaks=breaks, first=first)
        if group.is_open or self._column + _width(group) > WIDTH:
            self._indent += 1
            for number, item in enumerate(group.items):
                self._item(item, first=not number)
            self._comments(group.closer, breaks=True, first=not group.items)
            self._indent -= 1
            self._line()
            self._text(group.closer.text)
        else:
            for number, item in enumerate(group.items):
                for place, part in enumerate(item):
                    is_first = not number and not place and not group.is_spaced
                    self._part(_tight(part) if is_first else part, breaks=False, first=False)
            self._text((" " if group.is_spaced else "") + group.closer.text)

    def _word(self, word: _Word, *, breaks: bool, first: bool) -> None:
        if word.is_separator:
            self._text(word.text)
            self._carried += word.comments
            return
        is_before = self._comments(word, breaks=breaks, first=first)
        if self._after_remark or (breaks and not (is_before and word.lines == 0)):
            self._line(deeper=not breaks, blank=breaks and word.lines > 1 and (is_before or not first))
        elif not word.is_tight or is_before:
            self._text(" ")
        self._text(word.text)

    def _comments(self, word: _Word, *, breaks: bool, first: bool) -> bool:
        """Write the comments before a word; whether there are some."""
        comments = list(self._carried + word.comments)
        self._carried = ()
        if breaks and word.lines == 0:
            _hold(comments)
        for number, comment in enumerate(comments):
            if comment.lines or self._after_remark:
                self._line(deeper=not breaks, blank=breaks and comment.lines > 1 and bool(number or not first))
            elif self._out:
                self._text(" ")
            self._text(comment.text)
            self._after_remark = comment.ends_line
        return bool(comments)

    def _line(self, *, deeper: bool = False, blank: bool = False) -> None:
        if self._out:
            self._out.append("\n\n" if blank else "\n")
        self._column = 0
        self._after_remark = False
        self._text(INDENT * (self._indent + deeper))

    def _text(self, text: str) -> None:
        if text:
            self._out.append(text)
            end = text.rfind("\n")
            self._column = len(text) - end - 1 if end >= 0 else self._column + len(text)


def _hold(comments: list[_Comment]) -> None:
    """Comments between a statement and the next one in the same line belong to the next."""
    at = len(comments)
    while at and not comments[at - 1].ends_line:
        at -= 1
        if comments[at].lines:
            return
    if at < len(comments):
        comments[at] = _Comment(comments[at].text, 1)


def _tight(part: _Part) -> _Part:
    word = part.opener if isinstance(part, _Group) else part
    word.is_tight = True
    return part


def _width(part: _Part) -> int:
    """Columns that something takes behind its opening bracket, with what usually follows it, as far as they count."""
    if isinstance(part, _Word):
        return len(part.text) + (not part.is_tight and not part.is_separator)
    width = len(part.closer.text) + 3
    for item in part.items:
        for inner in item:
            width += _width(inner) + (len(inner.opener.text) + 1 if isinstance(inner, _Group) else 0)
            if width > WIDTH:
                return width
    return width
