"""JSON of records, a million and more of them: for each type a function is made that writes its fields one by one.

It is made as a syntax tree: into a frame come the parts that the fields make. All names in them are made here, from a
letter and a number; names of fields are only ever text that it writes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring
from types import CodeType, FunctionType
from typing import Any, TypeAlias

from msgspec.json import Encoder

from rotonda.blocks import types
from rotonda.blocks.types import RecordType, Type
from rotonda.blocks.values import RecordValue, Value
from rotonda.filters.written import plain, prefix_text

Written: TypeAlias = Callable[[Sequence[RecordValue]], tuple[list[bytes], list[Value]]]
"""Gives the JSON of each of some records, and the value of one of its fields."""

MOST_FIELDS = 200
"""Of types for which a function is made."""

_FRAME = """
def write(records):
    lines, values = [], []
    for record in records:
        try:
            FIELDS = record.fields
        except ValueError:
            line, value = otherwise(record)
        else:
            if DIFFER:
                line, value = otherwise(record)
            else:
                line, value = TEXT.encode(), VALUE
        lines.append(line)
        values.append(value)
    return lines, values
"""

_ENCODE = Encoder().encode


def json_of(type: RecordType, beside: str | None = None, end: str = "") -> Written:
    """What writes records of this type, with `end` after each, and gives the value of their field `beside`, None
    without one.

    Records may have other fields than their type says, or the same in another order: these take longer.
    """
    write, names, last = plain(type), [field.name for field in type.fields], end.encode()

    def otherwise(record: RecordValue) -> tuple[bytes, Value]:
        return _ENCODE(write(record)) + last, None if beside is None else record.get(beside)

    def one_by_one(records: Sequence[RecordValue]) -> tuple[list[bytes], list[Value]]:
        both = list(map(otherwise, records))
        return [line for line, _ in both], [value for _, value in both]

    if not 0 < len(names) <= MOST_FIELDS:
        return one_by_one
    known: dict[str, Any] = {"otherwise": otherwise}
    return _compiled(_parts(type, names.index(beside) if beside in names else None, end, known), known)


def _parts(type: RecordType, beside: int | None, end: str, known: dict[str, Any]) -> dict[str, ast.expr]:
    """What takes the fields of a record apart, makes sure that they are those of the type, and writes them.

    FIELDS  (n0, v0), (n1, v1)
    DIFFER  n0 != N0 or n1 != N1
    TEXT    f'{{"a":{"null" if v0 is None else w0(v0)},"b":{...}}}'
    VALUE   v1
    """
    pairs: list[ast.expr] = []
    differ: list[ast.expr] = []
    text: list[ast.expr] = []
    for number, field in enumerate(type.fields):
        known[f"N{number}"] = field.name
        pairs.append(ast.Tuple([_stored(f"n{number}"), _stored(f"v{number}")], ast.Store()))
        differ.append(ast.Compare(_name(f"n{number}"), [ast.NotEq()], [_name(f"N{number}")]))
        text.append(ast.Constant(("," if number else "{") + encode_basestring(field.name) + ":"))
        text.append(ast.FormattedValue(_text(field.type, number, known), -1))
    return {
        "FIELDS": ast.Tuple(pairs, ast.Store()),
        "DIFFER": ast.BoolOp(ast.Or(), differ) if len(differ) > 1 else differ[0],
        "TEXT": ast.JoinedStr([*text, ast.Constant("}" + end)]),
        "VALUE": ast.Constant(None) if beside is None else _name(f"v{beside}"),
    }


class _Filled(ast.NodeTransformer):
    """Puts parts where the frame names them."""

    def __init__(self, parts: Mapping[str, ast.expr]) -> None:
        self._parts = parts

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._parts.get(node.id, node)


def _compiled(parts: Mapping[str, ast.expr], known: dict[str, Any]) -> Written:
    module = ast.fix_missing_locations(_Filled(parts).visit(ast.parse(_FRAME)))
    code: CodeType = compile(module, f"<{__name__}>", "exec")
    own = next(each for each in code.co_consts if isinstance(each, CodeType))
    made: Written = FunctionType(own, known)
    return made


def _text(type: Type, number: int, known: dict[str, Any]) -> ast.expr:
    """The JSON of a value as text."""
    value = f"v{number}"
    if type in types.WHOLE_NUMBERS:
        text: ast.expr = _name(value)
    elif type == types.BOOL:
        text = ast.IfExp(_name(value), ast.Constant("true"), ast.Constant("false"))
    else:
        known[f"w{number}"] = _writer(type)
        text = _call(f"w{number}", value)
    return ast.IfExp(ast.Compare(_name(value), [ast.Is()], [ast.Constant(None)]), ast.Constant("null"), text)


def _writer(type: Type) -> Callable[[Any], str]:
    if type == types.STRING:
        return encode_basestring
    if type == types.PREFIX:
        return lambda prefix: f'"{prefix_text(prefix)}"'
    write = plain(type)
    return lambda value: _ENCODE(write(value)).decode()


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _stored(name: str) -> ast.Name:
    return ast.Name(name, ast.Store())


def _call(function: str, argument: str) -> ast.Call:
    return ast.Call(_name(function), [_name(argument)], [])
