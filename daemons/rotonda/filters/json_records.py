"""JSON of records, a million and more of them, by a compiled loop; where that is missing, it takes far longer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import Any, TypeAlias

from msgspec.json import Encoder

from rotonda import is_compiled
from rotonda.blocks import types
from rotonda.blocks.types import RecordType, Type
from rotonda.blocks.values import RecordValue, Value
from rotonda.filters.written import plain, prefix_text

Written: TypeAlias = Callable[[Sequence[RecordValue]], tuple[list[bytes], list[Value]]]
"""Gives the JSON of each of some records, and the value of one of its fields."""

accelerated = is_compiled("rotonda.filters._bulk")
"""Whether the compiled loop is here."""

_ENCODE = Encoder().encode


def json_of(type: RecordType, beside: str | None = None, end: str = "") -> Written:
    """What writes records of this type, with `end` after each, and gives the value of their field `beside`, None
    without one.

    Records may have other fields than their type says, or the same in another order: these take longer.
    """
    write, names, last = plain(type), tuple(field.name for field in type.fields), end.encode()

    def otherwise(record: RecordValue) -> tuple[bytes, Value]:
        return _ENCODE(write(record)) + last, None if beside is None else record.get(beside)

    def one_by_one(records: Sequence[RecordValue]) -> tuple[list[bytes], list[Value]]:
        both = list(map(otherwise, records))
        return [line for line, _ in both], [value for _, value in both]

    if not accelerated or not names:
        return one_by_one
    from rotonda.filters import _bulk

    heads = tuple(f"{',' if number else '{'}{encode_basestring(name)}:".encode() for number, name in enumerate(names))
    kinds = bytes(_bulk.KINDS.get(_kind(field.type), 0) for field in type.fields)
    others = tuple(_writer(field.type) for field in type.fields)
    at = names.index(beside) if beside in names else -1
    return _bulk.Writer(names, heads, kinds, others, otherwise, b"}" + last, at).write


def _kind(type: Type) -> str:
    """What the compiled loop calls values that it writes itself."""
    if type in types.WHOLE_NUMBERS:
        return "whole"
    if type == types.STRING:
        return "text"
    return "prefix" if type == types.PREFIX else ""


def _writer(type: Type) -> Callable[[Any], str]:
    """What gives the JSON of a value."""
    if type == types.STRING:
        return encode_basestring
    if type == types.PREFIX:
        return lambda prefix: f'"{prefix_text(prefix)}"'
    write = plain(type)
    return lambda value: _ENCODE(write(value)).decode()
