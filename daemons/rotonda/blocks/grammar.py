"""The grammar of the block language, and the tables by which it is parsed.

The tables are made by lark (LALR(1)). That takes half a second, so `setup.py` writes them once into the module
`_tables`; where that is missing, or was made of another grammar, they are made anew when they are needed.

Words are contextual: a keyword is a name wherever no keyword can stand, so that `filter:` and `type:` are settings.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import msgspec

GRAMMAR = r"""
start: item*
?item: module | block | type_definition | assignment ";" | filter

module: "module" NAME [arguments] "{" item* "}" ";"?
block: (UNIT | SOURCE | STREAM | INSTANCE) NAME [":" UPPER] [config] ";"
     | STREAM NAME "contains" UPPER record ";"?         -> stream_of
config: "with" NAME record                              -> config_here
      | "with" path                                     -> config_elsewhere
type_definition: "type" UPPER record ";"?
assignment: NAME "=" condition

filter: (FILTER | FILTER_MAP) NAME [":" UPPER] [subject] [arguments] "{" section* "}" ";"?
?section: define | term | action | apply
subject: "for" binding
arguments: "with" binding ("," binding)*
binding: NAME ":" type_reference
type_reference: UPPER                                   -> one_of
              | "[" UPPER "]"                           -> list_of

define: "define" [subject] [arguments] "{" declaration* "}" ";"?
?declaration: io | use | assignment ";"
io: (RX | TX | RX_TX) binding ";"
use: "use" path ["as" NAME] ";"

term: "term" NAME [subject] [arguments] "{" body* "}" ";"?
?body: conditions | by_variant
conditions: quantifier "{" (condition ";")* "}" ";"?
!quantifier: "match" | "exactly-one" | "some" | "all"
by_variant: "match" path "with" "{" variant_conditions* "}" ";"?
variant_conditions: variant "->" (condition | "{" (condition ";")+ "}") ("," | ";")?
variant: UPPER ["(" NAME ")"]
       | "_"                                            -> any_variant

action: "action" NAME [subject] [arguments] "{" (statement ";")* "}" ";"?
?statement: expression | assignment

apply: "apply" [subject] [arguments] "{" apply_step* "}" ";"?
?apply_step: rule | variant_rule | step
rule: "filter" quantifier condition branch+
    | "filter" quantifier condition "{" branch* "}" ";"?
branch: [NOT] "matching" "{" step* "}" ";"?
variant_rule: "match" path "with" "{" variant_steps* "}" ";"?
variant_steps: variant ["|" condition] "->" "{" step* "}" ("," | ";")?
?step: [RETURN] (ACCEPT | REJECT) ";"                   -> verdict
     | expression ";"                                   -> do

?condition: conjunction
          | condition "||" conjunction                  -> either
?conjunction: negation
            | conjunction "&&" negation                 -> both
?negation: test
         | "!" negation                                 -> negated
?test: expression
     | expression comparison expression                 -> compared
     | expression "in" expression                       -> member
     | expression NOT_IN "in" expression                -> not_member
!comparison: "==" | "!=" | "<" | "<=" | ">" | ">="
?expression: primary
           | expression "." NAME                        -> field
           | expression "." NAME "(" _values? ")"       -> call
?primary: literal | record | name
        | NAME "(" _values? ")"                         -> local_call
        | UPPER                                         -> constant
        | UPPER "(" _values? ")"                        -> construct
        | UPPER record                                  -> typed_record
        | UPPER "::" (NAME | UPPER)                     -> type_field
        | "[" (value ("," value)* ","?)? "]"            -> list_value
        | "(" condition ")"                             -> parenthesised
        | "(" condition ("," condition)+ ","? ")"       -> tuple_value
        | prefix (EXACT | LONGER | OR_LONGER)           -> range_of
        | prefix (UP_TO | THROUGH) length               -> range_to
        | prefix THROUGH prefix                         -> range_through
        | prefix "prefix-length-range" length "-" length -> range_between
        | prefix "netmask" netmask                      -> range_netmask
_values: condition ("," condition)* ","?
name: NAME
?value: condition
      | expression ("->" expression)+                   -> chain
record: "{" setting* "}"
setting: NAME (":" | "=") value ("," | ";")?
path: NAME ("." NAME)*
prefix: PREFIX                                          -> literal
netmask: ADDRESS                                        -> literal
length: LENGTH | INTEGER
?literal: (STRING | TRUE | FALSE | LITERAL | INTEGER | LENGTH | ADDRESS) -> literal
        | prefix

UNIT: "unit"
SOURCE: "data-source"
STREAM: "output-stream"
INSTANCE: "instance"
FILTER: "filter"
FILTER_MAP: "filter-map"
RX: "rx"
TX: "tx"
RX_TX: "rx_tx"
NOT: "not"
RETURN: "return"
ACCEPT: "accept"
REJECT: "reject"
TRUE: "true"
FALSE: "false"
EXACT: "exact"
LONGER: "longer"
OR_LONGER: "orlonger"
UP_TO: "upto"
THROUGH: "through"
%declare NAME UPPER STRING LITERAL INTEGER LENGTH ADDRESS PREFIX NOT_IN
"""
"""`NOT_IN` is the `not` before an `in`; `LITERAL` are those literals that stand for nothing but values.

A name in upper case takes a record that follows it, also behind `filter match`, where a branch might follow instead.
"""

START, END = "start", "$END"


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """One way to write something: how many symbols it takes, and which of them go to what is built of them.

    `kept` are indices of symbols, -1 for something optional that is not there; `spliced` are those among the symbols
    that are sequences themselves. `passes` rules only hand on what they are made of.
    """

    origin: str
    name: str
    size: int
    kept: tuple[int, ...]
    spliced: tuple[int, ...]
    passes: bool
    is_sequence: bool
    """Whether it is a helper for what is repeated."""


class Tables(msgspec.Struct, frozen=True):
    """What drives the parser: by state and terminal the next state, or, below zero, the rule -1 - n that ends here."""

    states: tuple[dict[str, int], ...]
    rules: tuple[Rule, ...]
    begin: int
    end: int
    words: frozenset[str]
    """Terminals that are always written in one way, keywords and signs: this is also what they are called here."""


@cache
def tables() -> Tables:
    """The tables, from the derived module if it fits this grammar."""
    try:
        derived: Any = import_module("rotonda.blocks._tables")
        if derived.GRAMMAR == GRAMMAR:
            return msgspec.json.decode(derived.TABLES, type=Tables)
    except (ImportError, AttributeError, msgspec.DecodeError):
        pass  # it only saves time
    return compiled()


def derived_module() -> str:
    """The text of the module `_tables`, which `setup.py` writes."""
    return (
        '"""Derived from `grammar.py` by `setup.py`; do not edit."""\n\n'
        f"GRAMMAR = {GRAMMAR!r}\nTABLES = {msgspec.json.encode(compiled(), order='deterministic')!r}\n"
    )


@cache
def compiled() -> Tables:
    """The tables, made by lark out of the grammar; always the same ones, though lark numbers states as it likes."""
    from lark import Lark
    from lark.lexer import Lexer
    from lark.parsers.lalr_analysis import Shift

    class NoLexer(Lexer):
        def __init__(self, _conf: object) -> None:
            pass

        def lex(self, *_: Any) -> Any:
            raise NotImplementedError

    made: Any = Lark(GRAMMAR, start=START, parser="lalr", lexer=NoLexer, maybe_placeholders=True)
    table = made.parser.parser._parse_table
    words = {str(terminal.name): str(terminal.pattern.value) for terminal in made.terminals if terminal.pattern}
    described = {rule: (_rule(rule), tuple(symbol.name for symbol in rule.expansion)) for rule in made.rules}
    ordered = sorted(described, key=lambda rule: msgspec.structs.astuple(described[rule][0]) + described[rule][1:])
    numbers = {rule: number for number, rule in enumerate(ordered)}
    end = table.end_states[START]
    rows = {
        state: {
            words.get(symbol) or _symbol(str(symbol)): (
                action is Shift,
                argument if action is Shift else numbers[argument],
            )
            for symbol, (action, argument) in sorted(row.items())
        }
        for state, row in table.states.items()
    }
    rows[end][END] = (True, end)
    order = _reached(rows, table.start_states[START])
    states = tuple(
        {symbol: order[argument] if shifts else -1 - argument for symbol, (shifts, argument) in rows[state].items()}
        for state in order
    )
    rules = tuple(described[rule][0] for rule in ordered)
    return Tables(states, rules, order[table.start_states[START]], order[end], frozenset(words.values()))


def _reached(rows: dict[int, dict[str, tuple[bool, int]]], begin: int) -> dict[int, int]:
    """Numbers for states, in the order in which they are come upon."""
    order = {begin: 0}
    waiting = [begin]
    for state in waiting:
        for shifts, following in rows[state].values():
            if shifts and following not in order:
                order[following] = len(order)
                waiting.append(following)
    return order


def _rule(rule: Any) -> Rule:
    name = str(rule.origin.name)
    symbols = list(rule.expansion)
    whole = rule.options.keep_all_tokens
    kept: list[int] = []
    at = 0
    for is_absent in rule.options.empty_indices or (False,) * len(symbols):
        if is_absent:
            kept.append(-1)
            continue
        if whole or not (symbols[at].is_term and symbols[at].filter_out):
            kept.append(at)
        at += 1
    spliced = tuple(at for at, symbol in enumerate(symbols) if not symbol.is_term and symbol.name.startswith("_"))
    passes = bool(rule.options.expand1 and not rule.alias and len(kept) == 1)
    return Rule(
        _symbol(name), str(rule.alias or name), len(symbols), tuple(kept), spliced, passes, name.startswith("_")
    )


def _symbol(name: str) -> str:
    """What states call a symbol: rules may have the names of keywords."""
    return name if name.isupper() or name == END else f"<{name}>"
