"""Files of the block language, made up: words that are a file, and layouts of them. What they name need not exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hypothesis import strategies as st

Words: TypeAlias = list[str]
"""Words of a text, as the parser has them: between any two of them may stand blanks and comments."""
Draw: TypeAlias = st.DrawFn

NAMES = ("route", "rib-in", "as-path", "x", "my_asn", "filter", "type", "rx", "match", "contains", "_private", "b2-c3")
TYPES = ("Route", "Asn", "Prefix", "PhysicalRib", "MOST_RECENT", "T1")
VARIANTS = ("PeerUpNotification", "RouteMonitoring", "InitiationMessage")
LITERALS = (
    "0", "17", "18446744073709551615", "0x1f", "1.5", "true", "false", '"text"', r'"a \"b\" \\ \n \u{202e}"', "AS64496",
    "AS1.10", "192.0.2.1", "2001:db8::1", "::", "::1", "fe80::a", "192.0.2.1:179", "[2001:db8::1]:179", "10.0.0.0/8",
    "2001:db8::/32", "::/0", "/24", "65010:77", "65010:1:2", "rt:65010:77", "soo:192.0.2.1:5", "0x0002fde80000004d",
)  # fmt: skip
PREFIXES = ("10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32")
RANGES = (
    ["exact"], ["longer"], ["orlonger"], ["upto", "/28"], ["upto", "28"], ["through", "/24"],
    ["through", "10.1.0.0/16"], ["prefix-length-range", "/20", "-", "/24"], ["netmask", "255.0.0.0"],
)  # fmt: skip
COMPARISONS = (["=="], ["!="], ["<"], ["<="], [">"], [">="], ["in"], ["not", "in"])
BLANKS = (
    " ", "  ", "\n", "\r\n", "\n\n\n", "\t", " // a remark\n", " /* a comment */ ", "\n// one\n// two\n",
    " /* of\n two */\n",
)  # fmt: skip

names = st.sampled_from(NAMES)
types = st.sampled_from(TYPES)


def _maybe(draw: Draw, words: Callable[[], Words]) -> Words:
    return words() if draw(st.booleans()) else []


def _several(draw: Draw, words: Callable[[], Words], most: int = 3, least: int = 0) -> list[Words]:
    return [words() for _ in range(draw(st.integers(least, most)))]


def _joined(parts: list[Words], between: str) -> Words:
    return [word for number, part in enumerate(parts) for word in ([between] if number else []) + part]


def _flat(parts: list[Words]) -> Words:
    return [word for part in parts for word in part]


@st.composite
def expressions(draw: Draw, depth: int = 3) -> Words:
    """A value: a literal, a name, a call, a record, a list, a range of prefixes."""
    inner = expressions(depth - 1)
    kinds = ["literal", "name", "type field", "constant", "range"]
    kind = draw(
        st.sampled_from(
            kinds + (["field", "call", "local", "construct", "record", "list", "tuple", "nested"] * (depth > 0))
        )
    )
    if kind == "literal":
        return [draw(st.sampled_from(LITERALS))]
    if kind == "name":
        return [draw(names)]
    if kind == "constant":
        return [draw(types)]
    if kind == "type field":
        return [draw(types), "::", draw(names)]
    if kind == "range":
        return [draw(st.sampled_from(PREFIXES)), *draw(st.sampled_from(RANGES))]
    if kind == "record":
        return [*_maybe(draw, lambda: [draw(types)]), *draw(records(depth - 1))]
    values = _several(draw, lambda: draw(conditions(depth - 1)), least=2 if kind == "tuple" else 0)
    if kind == "list":
        return ["[", *_joined(values, ","), *(_maybe(draw, lambda: [","]) if values else []), "]"]
    if kind == "tuple":
        return ["(", *_joined(values, ","), ")"]
    if kind == "nested":
        return ["(", *draw(conditions(depth - 1)), ")"]
    if kind == "field":
        return [*draw(inner), ".", draw(names)]
    head = {"call": lambda: [*draw(inner), ".", draw(names)], "local": lambda: [draw(names)]}
    return [*head.get(kind, lambda: [draw(types)])(), "(", *_joined(values, ","), ")"]


@st.composite
def conditions(draw: Draw, depth: int = 2) -> Words:
    """A value or a condition, with operators."""
    kind = draw(st.sampled_from(["value", "value", "compared", "either", "both", "not"] if depth > 0 else ["value"]))
    if kind == "compared":
        return [*draw(expressions(depth - 1)), *draw(st.sampled_from(COMPARISONS)), *draw(expressions(depth - 1))]
    if kind in ("either", "both"):
        return [*draw(conditions(depth - 1)), "||" if kind == "either" else "&&", *draw(conditions(depth - 1))]
    if kind == "not":
        return ["!", *draw(expressions(depth - 1))]
    return draw(expressions(depth))


@st.composite
def records(draw: Draw, depth: int = 2) -> Words:
    """A record, with all ways to separate settings."""

    def setting() -> Words:
        value = draw(conditions(depth))
        if draw(st.integers(0, 5)) == 0:
            value = _joined([[draw(names)] for _ in range(draw(st.integers(2, 4)))], "->")
        return [draw(names), draw(st.sampled_from([":", "="])), *value, *draw(st.sampled_from([[","], [";"], []]))]

    return ["{", *_flat(_several(draw, setting)), "}"]


def _bindings(draw: Draw) -> Words:
    def binding() -> Words:
        name = draw(types)
        return [draw(names), ":", *(["[", name, "]"] if draw(st.booleans()) else [name])]

    subject = _maybe(draw, lambda: ["for", *binding()])
    return subject + _maybe(draw, lambda: ["with", *_joined(_several(draw, binding, least=1), ",")])


@st.composite
def blocks(draw: Draw) -> Words:
    """A unit, a data source, an output stream, an instance."""
    keyword = draw(st.sampled_from(["unit", "data-source", "output-stream", "instance"]))
    if keyword == "output-stream" and draw(st.booleans()):
        return [keyword, draw(names), "contains", draw(types), *draw(records()), *_maybe(draw, lambda: [";"])]
    config = draw(st.sampled_from(["here", "elsewhere", "none"]))
    words = [keyword, draw(names), *_maybe(draw, lambda: [":", draw(types)])]
    if config == "here":
        words += ["with", draw(names), *draw(records())]
    elif config == "elsewhere":
        words += ["with", *_joined(_several(draw, lambda: [draw(names)], least=1), ".")]
    return [*words, ";"]


def _assignment(draw: Draw) -> Words:
    return [
        draw(names.filter(lambda name: name not in ("filter", "type", "rx", "match"))),
        "=",
        *draw(conditions()),
        ";",
    ]


def _path(draw: Draw) -> Words:
    return _joined(_several(draw, lambda: [draw(names)], least=1), ".")


def _define(draw: Draw) -> Words:
    def declaration() -> Words:
        kind = draw(st.sampled_from(["io", "use", "assignment"]))
        if kind == "io":
            return [draw(st.sampled_from(["rx", "tx", "rx_tx"])), draw(names), ":", draw(types), ";"]
        if kind == "use":
            return ["use", *_path(draw), *_maybe(draw, lambda: ["as", draw(names)]), ";"]
        return _assignment(draw)

    return ["define", *_bindings(draw), "{", *_flat(_several(draw, declaration)), "}"]


def _variant(draw: Draw) -> Words:
    name = [draw(st.sampled_from(VARIANTS)), *_maybe(draw, lambda: ["(", draw(names), ")"])]
    return name if draw(st.integers(0, 3)) else ["_"]


def _term(draw: Draw) -> Words:
    def asked(least: int = 1) -> Words:
        return _flat(_several(draw, lambda: [*draw(conditions()), ";"], least=least))

    def case() -> Words:
        body = ["{", *asked(), "}"] if draw(st.booleans()) else draw(conditions())
        return [*_variant(draw), "->", *body, ","]

    def body() -> Words:
        if draw(st.booleans()):
            return ["match", *_path(draw), "with", "{", *_flat(_several(draw, case, least=1)), "}"]
        return [draw(st.sampled_from(["match", "some", "all", "exactly-one"])), "{", *asked(), "}"]

    return ["term", draw(names), *_bindings(draw), "{", *_flat(_several(draw, body, least=1)), "}"]


def _do(draw: Draw) -> Words:
    return [draw(st.sampled_from(["route", "set-it", "mqtt"])), ".", draw(names), "(", *draw(conditions()), ")", ";"]


def _action(draw: Draw) -> Words:
    return ["action", draw(names), *_bindings(draw), "{", *_flat(_several(draw, lambda: _do(draw))), "}"]


def _steps(draw: Draw) -> Words:
    def step() -> Words:
        if draw(st.booleans()):
            return [*_maybe(draw, lambda: ["return"]), draw(st.sampled_from(["accept", "reject"])), ";"]
        return _do(draw)

    return ["{", *_flat(_several(draw, step)), "}"]


def _apply(draw: Draw) -> Words:
    def branch() -> Words:
        return [*_maybe(draw, lambda: ["not"]), "matching", *_steps(draw)]

    def case() -> Words:
        guard = _maybe(draw, lambda: ["|", "guard", "(", draw(names), ")"])
        return [*_variant(draw), *guard, "->", *_steps(draw), *_maybe(draw, lambda: [","])]

    def rule() -> Words:
        if draw(st.integers(0, 3)) == 0:
            return ["match", *_path(draw), "with", "{", *_flat(_several(draw, case, least=1)), "}"]
        branches = _flat(_several(draw, branch, least=1))
        braces = draw(st.booleans())
        condition = draw(
            st.sampled_from([["good"], ["good", "(", "x", ")"], ["a", "&&", "!", "b"], ["x", "not", "in", "y"]])
        )
        head = ["filter", draw(st.sampled_from(["match", "some", "all", "exactly-one"])), *condition]
        return [*head, *(["{", *branches, "}"] if braces else branches), *_maybe(draw, lambda: [";"])]

    return ["apply", *_bindings(draw), "{", *_flat(_several(draw, rule)), *_steps(draw)[1:-1], "}"]


@st.composite
def filters(draw: Draw) -> Words:
    """A filter with its sections."""
    head = [draw(st.sampled_from(["filter", "filter-map"])), draw(names), *_maybe(draw, lambda: [":", draw(types)])]
    sections = _flat(_several(draw, lambda: draw(st.sampled_from([_term, _action]))(draw)))
    define, apply = _maybe(draw, lambda: _define(draw)), _maybe(draw, lambda: _apply(draw))
    return [*head, *_bindings(draw), "{", *define, *sections, *apply, "}", *_maybe(draw, lambda: [";"])]


@st.composite
def items(draw: Draw, depth: int = 1) -> Words:
    """Anything that may stand in a file."""
    kind = draw(st.sampled_from(["block", "block", "filter", "type", "assignment"] + ["module"] * (depth > 0)))
    if kind == "block":
        return draw(blocks())
    if kind == "filter":
        return draw(filters())
    if kind == "type":
        return ["type", draw(types), *draw(records(0)), *_maybe(draw, lambda: [";"])]
    if kind == "assignment":
        return _assignment(draw)
    return ["module", draw(names), "{", *_flat(_several(draw, lambda: draw(items(depth - 1)))), "}"]


def files(most: int = 3) -> st.SearchStrategy[list[Words]]:
    """The items of a file."""
    return st.lists(items(), max_size=most)


@st.composite
def laid_out(draw: Draw, words: Words) -> str:
    """The words with any blanks and comments between them."""
    return "".join(word + draw(st.sampled_from(BLANKS)) for word in words)


def plain(words: Words) -> str:
    """The words with one blank between them."""
    return " ".join(words)


@st.composite
def texts(draw: Draw, most: int = 2) -> str:
    """A whole file, in any layout."""
    return draw(laid_out([word for item in draw(files(most)) for word in item]))
