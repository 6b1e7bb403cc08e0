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
        meant = suggestion(previous.text, [*STARTERS, "use", "rx", "tx", "rx_tx"])
        return meant or _rule_hint(previous, token, possible)
    if "not" in (token.text if "!" in possible else "", previous.text if previous else ""):
        return "'not' before a condition is written !"
    if token.text == "-" and "INTEGER" in possible:
        return "there are no numbers below zero"
    return (_value_hint(previous, token, possible) if previous else "") or _rule_hint(previous, token, possible)


def _value_hint(previous: Token, token: Token, possible: Set[str]) -> str:
    """What is often written of a value, and means nothing here."""
    if previous.kind == token.kind == ".":
        return "there are no ranges of numbers: compare with >= and <="
    if previous.kind == "." and token.kind == UPPER:
        return f"constants of types are written Type::{cut(token.text)}, or {cut(token.text)} alone"
    if previous.kind == "INTEGER" and token.text == "-" and len(previous.text) == 4:
        return 'moments are written as texts, "2026-01-31T12:00:00Z"'
    if token.text == ":" and previous.text.startswith("AS"):
        return f"communities are written {cut(previous.text[2:])}:1"
    if previous.kind == "PREFIX" and token.kind == "{":
        return "lengths are written `prefix-length-range /8-/24`, or upto /24"
    if token.kind == "[" and "." in possible:
        return "items of lists are asked for by .first(), .last() and .contains(...)"
    if ";" in possible and (token.kind == "PREFIX" or token.text == "matches"):
        return "ranges are asked with 'in': prefix in 192.0.2.0/24 orlonger"
    return ""


def _rule_hint(previous: Token | None, token: Token, possible: Set[str]) -> str:
    """What is often written where rules and steps stand."""
    if "with" in possible and previous and (token.text == "matching" or token.kind == "{"):
        return "rules are written 'filter match TERM matching { ... };'"
    if "exactly-one" in possible and token.kind == NAME:
        return "rules are written 'filter match TERM matching { ... };'"
    if previous and previous.text == "filter" and token.text in ("match", "some", "all", "exactly-one"):
        return "rules do not stand in rules: join conditions with &&, or write another rule"
    if previous and previous.text == "return" and token.text in ("accept", "reject"):
        return "actions decide nothing: verdicts stand in rules"
    if token.text == "=" and "." in possible:
        return "fields are changed by .set(...)"
    if token.kind == "STRING" and NAME in possible and "LITERAL" not in possible:
        return "names are not quoted"
    return ""
