"""What the parser waits for, in the words of people, and what usually was meant instead."""

from __future__ import annotations

from collections.abc import Set

from rotonda.blocks.characters import cut
from rotonda.blocks.diagnostics import suggestion
from rotonda.blocks.lexer import END, LITERALS, NAME, NOT_IN, UPPER, Token

_SPOKEN = {
    NAME: "a name",
    UPPER: "a type",
    "STRING": "a text in double quotes",
    "INTEGER": "a number",
    "LENGTH": "a length like /24",
    "ADDRESS": "an IP address",
    "PREFIX": "a prefix",
    END: "the end of the file",
}
_VALUES = {*LITERALS, NAME, UPPER, "true", "false", "{", "[", "(", "!"}
_OPERATORS = {"==", "!=", "<", "<=", ">", ">=", "in", NOT_IN, "&&", "||", ".", "(", "{", "::", "->", "|"}
_RANGES = {"exact", "longer", "orlonger", "upto", "through", "prefix-length-range", "netmask"}
STARTERS = frozenset(
    {"module", "unit", "data-source", "output-stream", "instance", "filter", "filter-map", "type"}
)  # fmt: skip
"""Keywords with which blocks begin."""
MOST_WORDS = 10
_FOREIGN = {"if", "else", "then", "while", "for", "let", "fn", "function"}


def words(possible: Set[str]) -> str:
    """What can stand somewhere, as a list for people.

    >>> words({":", "="})
    "':' or '='"
    """
    spoken = sorted(_spoken(possible))
    if len(spoken) > MOST_WORDS:
        spoken = [*spoken[:MOST_WORDS], "..."]
    return " or ".join(filter(None, [", ".join(spoken[:-1]), *spoken[-1:]]))


def _spoken(possible: Set[str]) -> set[str]:
    rest = set(possible)
    spoken = set()
    if "module" in rest:
        spoken |= {"a block", "an assignment"}
        rest -= STARTERS | {NAME}
    if "LITERAL" in rest:
        spoken.add("a value")
        rest -= _VALUES
    elif "upto" in rest:
        spoken.add("a range of lengths")
    rest -= _RANGES
    if "." in rest or "==" in rest:
        rest = rest - _OPERATORS
        spoken |= set() if rest else {"an operator"}
    return spoken | {_SPOKEN.get(kind) or f"'{kind}'" for kind in rest}


def shown(token: Token) -> str:
    """A word as it is told in a message."""
    return "the end of the file" if token.kind == END else f"'{cut(token.text)}'"


def hint(previous: Token | None, token: Token, possible: Set[str]) -> str:
    """What the usual mistake here is, if it is one."""
    if previous and previous.text == "filter" and token.text == "map":
        return "write filter-map"
    if previous and previous.text == "map" and token.kind == NAME:
        return "filter-map is one word"
    if token.text in _FOREIGN or (previous and previous.kind == NAME and previous.text in _FOREIGN):
        return "rules are written 'filter match TERM matching { ... };'"
    if previous and previous.kind == NAME and token.kind == NAME and "=" in possible:
        return suggestion(previous.text, [*STARTERS, "use", "rx", "tx", "rx_tx"])
    if token.text == "not" and "!" in possible:
        return "'not' before a condition is written !"
    if token.text == "-" and "INTEGER" in possible:
        return "there are no numbers below zero"
    if token.kind == "STRING" and NAME in possible and "LITERAL" not in possible:
        return "names are not quoted"
    return ""
