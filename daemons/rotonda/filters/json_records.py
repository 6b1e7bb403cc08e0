"""JSON of records, a million and more of them: for each type a function is made that writes its fields one by one.

It is built as a syntax tree. All names in it are made here, from a letter and a number; names of fields are only ever
text that it writes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from types import CodeType, FunctionType
from typing import Any, TypeAlias

from msgspec.json import Encoder

from rotonda.blocks import types
from rotonda.blocks.types import RecordType, Type
from rotonda.blocks.values import RecordValue, Value
from rotonda.filters.written import plain, prefix_text

Written: TypeAlias = Callable[[RecordValue], tuple[bytes, Value]]
"""Gives the JSON of a record, and the value of one of its fields."""

MOST_FIELDS = 200
"""Of types for which a function is made."""

_ENCODE = Encoder().encode


def json_of(type: RecordType, beside: str | None = None) -> Written:
    """What writes records of this type, and gives the value of their field `beside`, None without one.

    Records may have other fields than their type says, or the same in another order: these take longer.
    """
    write, names = plain(type), [field.name for field in type.fields]

    def otherwise(record: RecordValue) -> tuple[bytes, Value]:
        return _ENCODE(write(record)), None if beside is None else record.get(beside)

    if not 0 < len(names) <= MOST_FIELDS:
        return otherwise
    return _function(type, names.index(beside) if beside in names else None, otherwise)


def _function(type: RecordType, beside: int | None, otherwise: Written) -> Written:
    """A function that takes a record apart, makes sure that its fields are those of the type, and writes them.

    def write(record):
        try:
            (n0, v0), (n1, v1) = record.fields
        except ValueError:
            return otherwise(record)
        if n0 != N0 or n1 != N1:
            return otherwise(record)
        return f'{{"a":{"null" if v0 is None else w0(v0)},"b":{...}}}'.encode(), v1
    """
    fields = type.fields
    known: dict[str, Any] = {"otherwise": otherwise, "ValueError": ValueError}
    parts: list[ast.expr] = []
    for number, field in enumerate(fields):
        known[f"N{number}"] = field.name
        parts.append(ast.Constant(("," if number else "{") + encode_basestring(field.name) + ":"))
        parts.append(ast.FormattedValue(_text(field.type, number, known), -1))
    parts.append(ast.Constant("}"))
    pairs = [ast.Tuple([_stored(f"n{number}"), _stored(f"v{number}")], ast.Store()) for number in range(len(fields))]
    others = [ast.Compare(_name(f"n{number}"), [ast.NotEq()], [_name(f"N{number}")]) for number in range(len(fields))]
    give_up: list[ast.stmt] = [ast.Return(_call("otherwise", "record"))]
    octets = ast.Call(ast.Attribute(ast.JoinedStr(parts), "encode", ast.Load()), [], [])
    value: ast.expr = ast.Constant(None) if beside is None else _name(f"v{beside}")
    take = ast.Assign([ast.Tuple(list(pairs), ast.Store())], ast.Attribute(_name("record"), "fields", ast.Load()))
    body: Sequence[ast.stmt] = [
        ast.Try([take], [ast.ExceptHandler(_name("ValueError"), None, give_up)], [], []),
        ast.If(ast.BoolOp(ast.Or(), list(others)) if len(others) > 1 else others[0], give_up, []),
        ast.Return(ast.Tuple([octets, value], ast.Load())),
    ]
    return _compiled(body, known)


def _compiled(body: Sequence[ast.stmt], known: dict[str, Any]) -> Written:
    function = ast.FunctionDef(
        "write", ast.arguments([], [ast.arg("record")], None, [], [], None, []), list(body), [], None
    )
    module = ast.fix_missing_locations(ast.Module([function], []))
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
