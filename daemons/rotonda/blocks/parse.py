"""From text to syntax tree, with all that is wrong in a text told in one go.

An LALR(1) parser over the tables of `grammar`. `expected` has the words for what it waits for, `_Parser._repair` the
mistakes that it knows and goes on after; after any other it leaves out a statement (`_skip`) and with it the block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NoReturn, TypeAlias, cast

from rotonda.blocks import expected, syntax
from rotonda.blocks.build import Builder
from rotonda.blocks.characters import HIDDEN, MARK, number
from rotonda.blocks.diagnostics import MOST_SHOWN, Complaints, suggestion
from rotonda.blocks.grammar import Rule, tables
from rotonda.blocks.lexer import END, NAME, NAMED, NOT_IN, UPPER, Token, tokens
from rotonda.blocks.places import Source, Span

MOST_CHARACTERS = 1 << 20
MOST_WORDS = 100_000
"""In one file: some 15,000 lines."""
MOST_NESTED = 100
"""Brackets within brackets, and operators one of which works on what the other gives."""

_INDENTATION = re.compile(r"[ \t]{0,200}")

OPENERS = {"{": "}", "(": ")", "[": "]"}
_CLOSERS = {close: opener for opener, close in OPENERS.items()}
_OPERATORS = frozenset({"&&", "||", "!", "."})
_SEPARATORS = frozenset({";", ","})
_FRESH = frozenset({"->", ":", "="})
"""Signs behind which another expression begins."""
_SYMBOLS = {"and": "&&", "or": "||", "=": "==", "==": "="}
"""What is often written, and what it is here."""

Entry: TypeAlias = tuple[int, Any, int, int]
"""On the parser's stack: state, value, and where that begins and ends."""
Make: TypeAlias = Callable[[Rule, Span, list[Any]], Any]
"""What a rule gives of its place and parts."""


class _Sequence:
    """What was repeated so far. Longer ones share its list; it stays as it is, as the parser may go back to it."""

    __slots__ = ("_items", "_size")

    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self._size = len(items)

    def then(self, items: list[Any]) -> _Sequence:
        """This one with more behind it."""
        shared = self._items if len(self._items) == self._size else self._items[: self._size]
        shared += items
        return _Sequence(shared)

    def all(self) -> list[Any]:
        """What is in it, and in sequences in it."""
        items = self._items[: self._size]
        if not any(type(item) is _Sequence for item in items):
            return items
        return [inner for item in items for inner in (item.all() if type(item) is _Sequence else (item,))]


class _Level:
    """A bracket that is open, or the file: what the parser's stack was where something may begin in it."""

    __slots__ = ("depth", "opener", "since", "stack")

    def __init__(self, opener: Token | None, stack: list[Entry], since: int) -> None:
        self.opener = opener
        self.stack = stack
        self.since = since
        self.depth = 0  # of the expression that is being read

    @property
    def has_statements(self) -> bool:
        return self.opener is None or self.opener.kind == "{"


class _Stop(Exception):
    """Nothing more is read."""


class _Words:
    """The words of a text in order, of which some can be looked at before they are taken, or given back."""

    def __init__(self, words: Iterator[Token]) -> None:
        self._words = words
        self._ahead: list[Token] = []

    def take(self) -> Token:
        return self._ahead.pop() if self._ahead else next(self._words)

    def give_back(self, *words: Token) -> None:
        self._ahead.extend(reversed(words))

    def peek(self) -> Token:
        word = self.take()
        self._ahead.append(word)
        return word


def parse(source: Source, complaints: Complaints) -> syntax.File:
    """The syntax tree of a text. What is wrong goes to `complaints`; blocks that cannot be read are left out."""
    if not _is_readable(source, complaints):
        return syntax.File(span=Span(0, 0), items=())
    parser = _Parser(source, complaints)
    builder = Builder(parser.complain, parser.is_broken)

    def build(rule: Rule, span: Span, parts: list[Any]) -> Any:
        return getattr(builder, rule.name)(span, *parts)

    builder.broken = parser.broken
    return cast(syntax.File, parser.run(build))


def whole_tree(source: Source, complaints: Complaints, make: Make) -> Any:
    """What `make` makes of a text, from every word of it: rules are given their signs and keywords, too."""
    return _Parser(source, complaints, whole=True).run(make) if _is_readable(source, complaints) else None


def _is_readable(source: Source, complaints: Complaints) -> bool:
    """Whether a text is worth parsing; tells characters that hide something, wherever they stand."""
    text = source.text
    if len(text) > MOST_CHARACTERS:
        message = f"this file is too large: {len(text)} characters"
        complaints.error(Span(0, 0), message, f"at most {MOST_CHARACTERS}", "long lists belong into tables")
        return False
    begin = len(MARK) if text.startswith(MARK) else 0
    for found in islice(HIDDEN.finditer(text, begin), MOST_SHOWN):
        message = f"the character {number(found[0])} is not allowed: it would not be seen"
        complaints.error(Span(*found.span()), message, hint="in a text it is written \\u{...}")
    return True


class _Parser:
    def __init__(self, source: Source, complaints: Complaints, *, whole: bool = False) -> None:
        self._text = source.text
        self._source = source
        self._complaints = complaints
        self._told = 0
        self._taken = 0
        self._whole = whole
        self._tables = tables()
        self._words = _Words(iter(tokens(self._text, self.complain, 1 if self._text.startswith(MARK) else 0)))
        self._stack: list[Entry] = [(self._tables.begin, None, 0, 0)]
        self._levels = [_Level(None, list(self._stack), 0)]
        self._depth = 0
        self._previous: Token | None = None
        self._bad: list[int] = []
        self.broken: list[str] = []

    def complain(self, span: Span, message: str, expected: str = "", hint: str = "") -> None:
        """Tell a mistake; after too many of them nothing more is read."""
        if self._told >= MOST_SHOWN:
            return
        self._complaints.error(span, message, expected, hint)
        self._told += 1
        if self._told == MOST_SHOWN:
            self._complaints.error(span, "this is one mistake too many: the rest of the file is not read")
            raise _Stop

    def is_broken(self, span: Span) -> bool:
        """Whether something in there could not be read."""
        return any(span.start <= at < span.end for at in self._bad)

    # --- the machine -------------------------------------------------------------------------------------------------

    def run(self, make: Make) -> Any:
        """What is made of the whole text."""
        self._make = make
        try:
            while True:
                token = self._take()
                if token.kind == END and self._ends(token):
                    break
                if token.kind != END:
                    self._read(token)
        except _Stop:
            self._stack = list(self._levels[0].stack)
            self._ends(Token(END, "", len(self._text), len(self._text)))
        return self._stack[-1][1]

    def _take(self) -> Token:
        token = self._words.take()
        self._taken += 1
        if self._taken > MOST_WORDS:
            self._stop(token, f"this file is too long: more than {MOST_WORDS} words", "long lists belong into tables")
        return token

    def _stop(self, token: Token, message: str, hint: str) -> NoReturn:
        self.complain(token.span, message, "", hint)
        self._told = MOST_SHOWN
        raise _Stop

    def _ends(self, token: Token) -> bool:
        if not self._shiftable(END):
            self._mistake(token)
            return False
        self._reduce(END)
        return True

    def _read(self, token: Token) -> None:
        kind = self._kind(token)
        before = self._stack.copy()
        if self._reduce(kind):
            self._shift(token, kind)
        else:
            self._stack = before
            self._mistake(token)

    def _kind(self, token: Token) -> str:
        """What a word is here: names are keywords where the grammar wants these."""
        kind, text = token.kind, token.text
        if kind != NAME or text not in self._tables.words:
            return kind
        if text == "not" and self._words.peek().text == "in":
            text = NOT_IN
        row = self._tables.states[self._stack[-1][0]]
        if text not in row:
            return NAME
        return text if NAME not in row or self._shiftable(text) else NAME

    def _reduce(self, kind: str) -> bool:
        """Finish all rules that end before a terminal; False if it cannot stand here."""
        states, rules, stack = self._tables.states, self._tables.rules, self._stack
        while True:
            action = states[stack[-1][0]].get(kind)
            if action is None:
                return False
            if action >= 0:
                return True
            rule = rules[-1 - action]
            if rule.passes and rule.size == 1:
                _, value, start, end = stack.pop()
                stack.append((states[stack[-1][0]][rule.origin], value, start, end))
                continue
            parts = stack[len(stack) - rule.size :]
            del stack[len(stack) - rule.size :]
            start, end = (parts[0][2], parts[-1][3]) if parts else (stack[-1][3], stack[-1][3])
            value = self._value(rule, start, end, [part[1] for part in parts])
            stack.append((states[stack[-1][0]][rule.origin], value, start, end))

    def _value(self, rule: Rule, start: int, end: int, values: list[Any]) -> Any:
        kept: Sequence[int] = range(len(values)) if self._whole else rule.kept
        if rule.is_sequence:
            if rule.spliced[:1] == (0,):
                return values[0].then([values[at] for at in kept if at])
            return _Sequence([values[at] for at in kept])
        if rule.passes and len(kept) == 1:
            return values[kept[0]]
        if rule.spliced:
            parts: list[Any] = []
            for at in kept:
                if at in rule.spliced:
                    parts.extend(values[at].all())
                else:
                    parts.append(values[at] if at >= 0 else None)
        else:
            parts = [values[at] if at >= 0 else None for at in kept]
        return self._make(rule, Span(start, end), parts)

    def _shift(self, token: Token, kind: str) -> None:
        state = self._tables.states[self._stack[-1][0]][kind]
        if kind != token.kind:
            token = Token(kind, token.text, token.start, token.end)
        self._stack.append((state, token, token.start, token.end))
        self._previous = token
        level = self._levels[-1]
        if kind in OPENERS:
            self._deeper(token, level)
            self._levels.append(_Level(token, self._stack.copy(), token.end))
        elif kind in _OPERATORS:
            self._deeper(token, level)
        elif kind in _CLOSERS:
            self._depth -= self._levels.pop().depth + 1
            self._levels[-1].depth -= 1
            self._may_begin(token)
        elif kind in _SEPARATORS:
            self._begin_expression(level)
            self._may_begin(token)
        elif kind in _FRESH:
            self._begin_expression(level)

    def _begin_expression(self, level: _Level) -> None:
        self._depth -= level.depth
        level.depth = 0

    def _deeper(self, token: Token, level: _Level) -> None:
        self._depth += 1
        level.depth += 1
        if self._depth > MOST_NESTED:
            hint = "give parts of it names of their own; lists of values can be asked with 'in'"
            self._stop(token, f"this is nested more than {MOST_NESTED} deep", hint)

    def _may_begin(self, token: Token) -> None:
        """Remember the stack if the next statement begins here."""
        level = self._levels[-1]
        if level.has_statements and (token.kind == ";" or self._shiftable("}" if level.opener else END)):
            level.stack, level.since = self._stack.copy(), token.end
            self._begin_expression(level)

    # --- what can stand here -----------------------------------------------------------------------------------------

    def _shiftable(self, *kinds: str, stack: list[Entry] | None = None) -> bool:
        """Whether these can stand here, one after the other."""
        states, rules = self._tables.states, self._tables.rules
        path = [entry[0] for entry in (self._stack if stack is None else stack)]
        for kind in kinds:
            while (action := states[path[-1]].get(kind)) is not None and action < 0:
                rule = rules[-1 - action]
                del path[len(path) - rule.size :]
                path.append(states[path[-1]][rule.origin])
            if action is None:
                return False
            path.append(action)
        return True

    def _possible(self) -> set[str]:
        row = self._tables.states[self._stack[-1][0]]
        return {kind for kind in row if (kind in self._tables.words or kind in NAMED) and self._shiftable(kind)}

    # --- mistakes ----------------------------------------------------------------------------------------------------

    def _mistake(self, token: Token) -> None:
        """Tell what is wrong with a word and go on as well as can be."""
        if self._is_outdented(token) or self._is_unclosed(token):
            return
        possible = self._possible()
        if token.kind in _CLOSERS and len(self._levels) == 1 and END in possible:
            return self.complain(token.span, f"'{token.kind}' closes nothing")
        if not self._repair(token, possible):
            self._tell(token, possible)
            self._skip(token)

    def _tell(self, token: Token, possible: set[str], hint: str = "") -> None:
        span = token.span
        if token.kind == END:
            message = "the text ends too early"
            span = self._after_previous()
        else:
            message = f"unexpected {expected.shown(token)}"
        hint = hint or expected.hint(self._previous, token, possible)
        self.complain(span, message, expected.words(possible), hint)

    def _after_previous(self) -> Span:
        end = self._previous.end if self._previous else 0
        return Span(end, end)

    def _repair(self, token: Token, possible: set[str]) -> bool:
        """Tell a mistake of which it is clear what was meant, and go on as if that stood there."""
        return (
            self._replace(token, possible)
            or self._insert(token, possible)
            or self._leave_out(token, possible)
        )  # fmt: skip

    def _replace(self, token: Token, possible: set[str]) -> bool:
        meant, hint = self._meant(token, possible)
        if not meant:
            return False
        self._tell(token, possible, hint)
        self._reduce(meant)
        text = meant if meant in self._tables.words else token.text
        self._shift(Token(meant, text, token.start, token.end), meant)
        return True

    def _meant(self, token: Token, possible: set[str]) -> tuple[str, str]:
        """The terminal that stands there under another name, and what to say of it."""
        symbol = _SYMBOLS.get(token.text, "")
        if symbol in possible:
            return symbol, f"did you mean {symbol}?"
        if token.kind in (NAME, UPPER):
            keywords = [kind for kind in possible if kind[0].islower()]
            hint = suggestion(token.text.lower(), keywords)
            if hint:
                return next(kind for kind in keywords if hint == f"did you mean {kind}?"), hint
        other = UPPER if token.kind == NAME else NAME
        if token.kind in (NAME, UPPER) and other in possible and token.text not in self._tables.words:
            usual = "types begin with a capital letter, all other names with a small one"
            return other, expected.hint(self._previous, token, possible) or usual
        return "", ""

    def _insert(self, token: Token, possible: set[str]) -> bool:
        kind = self._kind_after(token)
        on_next_line = "\n" in self._text[self._after_previous().start : token.start]
        for missing in (";", ":", ","):
            if missing not in possible or not self._shiftable(missing, kind):
                continue
            if missing == ";" and not (on_next_line or kind == "}" or kind in self._tables.words - {"{", "["}):
                continue
            span = self._after_previous()
            others = expected.words(possible) if len(possible) > 1 else ""
            self.complain(span, f"'{missing}' is missing before {expected.shown(token)}", others)
            self._reduce(missing)
            self._shift(Token(missing, missing, span.start, span.end), missing)
            self._words.give_back(token)
            return True
        return False

    def _kind_after(self, token: Token) -> str:
        return token.text if token.kind == NAME and token.text in self._tables.words else token.kind

    def _leave_out(self, token: Token, possible: set[str]) -> bool:
        if token.kind not in _SEPARATORS or (self._previous and self._previous.kind not in (";", ",", "{", "}")):
            return False
        if not self._shiftable(self._kind_after(self._words.peek())):
            return False
        self._tell(token, possible)
        return True

    def _is_unclosed(self, token: Token) -> bool:
        """A bracket that was forgotten before this: told where it was opened, and closed here."""
        opener = self._levels[-1].opener
        if opener is None or opener.kind == token.kind or token.kind == OPENERS[opener.kind]:
            return False
        if token.kind == END:
            self._tell_unclosed(opener)
            self._drop(0, opener.start)
            self._words.give_back(token)
            return True
        close = OPENERS[opener.kind]
        if close == "}" or token.kind not in (";", "}", ")", "]") or not self._shiftable(close, token.kind):
            return False
        self._tell_unclosed(opener)
        self._reduce(close)
        self._shift(Token(close, close, token.start, token.start), close)
        self._words.give_back(token)
        return True

    def _tell_unclosed(self, opener: Token) -> None:
        self.complain(opener.span, f"this '{opener.kind}' is never closed", f"'{OPENERS[opener.kind]}'")

    def _is_outdented(self, token: Token, inner: Sequence[Token] = ()) -> bool:
        """A block that begins, at the margin, where brackets before it are open: one of these was forgotten."""
        before = self._previous
        if token.kind == NAME and before and not inner and self._looks_like_block(before):
            return self._closes_before(before, token)
        if self._looks_like_block(token) and self._words.peek().kind in (NAME, UPPER):
            return self._closes_before(token, None, inner)
        return False

    def _closes_before(self, token: Token, following: Token | None, inner: Sequence[Token] = ()) -> bool:
        column = self._indentation(token)
        openers = [level.opener for level in self._levels[1:] if level.opener] + list(inner)
        outer = next((at for at, opener in enumerate(openers) if self._indentation(opener) >= column), None)
        if outer is None:
            return False
        level = self._levels[min(outer, len(self._levels) - 1)]
        if not level.has_statements or not self._shiftable(token.text, stack=level.stack):
            return False
        self._tell_unclosed(openers[outer])
        self._drop(min(outer, len(self._levels) - 1), openers[outer].start)
        self._words.give_back(*([token] if following is None else [token, following]))
        return True

    def _looks_like_block(self, token: Token) -> bool:
        if token.text not in expected.STARTERS:
            return False
        _, column = self._source.place(token.start)
        return column == self._indentation(token) + 1

    def _indentation(self, token: Token) -> int:
        """Of the line that a word is in."""
        _, column = self._source.place(token.start)
        found = _INDENTATION.match(self._text, token.start - column + 1)
        return found.end() - found.start() if found else 0

    # --- to go on after a mistake ------------------------------------------------------------------------------------

    def _skip(self, token: Token) -> None:
        """Leave out the statement that has a mistake: to its `;`, or the bracket that closes what it is in."""
        at = len(self._levels) - 1
        while not self._levels[at].has_statements:
            at -= 1
        place = token.start
        inner = [level.opener for level in self._levels[at + 1 :] if level.opener]
        del self._levels[at + 1 :]
        while token.kind != END:
            if inner and token.kind in _CLOSERS:
                _close(inner, token.kind)
                if inner or token.kind != "}" or not self._can_go_on(at):
                    token = self._take()
                    continue
                return self._drop(at, place)
            if token.kind in OPENERS:
                inner.append(token)
            elif not inner and token.kind == "}" and at:
                if self._shiftable("}", stack=self._levels[at].stack):
                    self._words.give_back(token)
                    return self._drop(at, place)
                at -= 1
                while not self._levels[at].has_statements:
                    at -= 1
                del self._levels[at + 1 :]
                if self._can_go_on(at):
                    return self._drop(at, place)
            elif not inner and (token.kind == ";" or (token.kind == "," and self._is_record(at))):
                return self._drop(at, place)
            elif self._is_outdented(token, inner):
                self._bad.append(place)
                return None
            token = self._take()
        self._finish(inner, place, token)
        return None

    def _finish(self, inner: list[Token], place: int, token: Token) -> None:
        openers = [level.opener for level in self._levels[1:] if level.opener] + inner
        if openers:
            self._tell_unclosed(openers[-1])
        self._drop(0, place)
        self._words.give_back(token)

    def _can_go_on(self, at: int) -> bool:
        """Whether the next word begins something in a level, or closes it."""
        following = self._words.peek()
        return following.kind != END and self._shiftable(self._kind_after(following), stack=self._levels[at].stack)

    def _is_record(self, at: int) -> bool:
        return self._shiftable(NAME, ":", stack=self._levels[at].stack)

    def _drop(self, at: int, place: int) -> None:
        """Go back to where something could begin in a level; the block with the place in it is broken."""
        self._bad.append(place)
        level = self._levels[at]
        if self._shiftable("module", stack=level.stack):
            self._name_broken(level.since)
        self._restore(at)

    def _restore(self, at: int) -> None:
        del self._levels[at + 1 :]
        self._levels[at].depth = 0
        self._depth = sum(level.depth for level in self._levels)
        self._stack = self._levels[at].stack.copy()
        self._previous = None

    def _name_broken(self, since: int) -> None:
        first, second = islice(chain(tokens(self._text, _silent, since), 2 * (Token(END, "", 0, 0),)), 2)
        name = second if second.kind in (NAME, UPPER) else first
        if name.kind in (NAME, UPPER):
            self.broken.append(name.text)


def _close(inner: list[Token], kind: str) -> None:
    """Take away the bracket that a closing one closes, with those that were forgotten in it; none if there is none."""
    opener = _CLOSERS[kind]
    if any(token.kind == opener for token in inner):
        while inner.pop().kind != opener:
            pass


def _silent(*_: object) -> None:
    pass
