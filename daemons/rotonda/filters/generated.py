"""Python that is made of expressions which have no form for columns: what asks one record.

It is built as a syntax tree. All names in it are made here, from a letter and a number; values, spans and words of the
operator are never part of it, but are put into the namespace under such names.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any

from rotonda.blocks.places import Span
from rotonda.blocks.syntax import Direction, Operator, Quantifier
from rotonda.blocks.typed import (
    And,
    Apply,
    Argument,
    Ask,
    Bound,
    Compare,
    Const,
    Element,
    ExactlyOne,
    Expr,
    GetField,
    Input,
    Inverse,
    IsVariant,
    MakeList,
    MakeRecord,
    Member,
    Named,
    OfMany,
    Or,
    SourceOf,
    VariantValue,
)
from rotonda.blocks.types import EnumType, ListType, RecordType, SourceType, Type
from rotonda.blocks.values import RecordValue, Value
from rotonda.filters import scalars
from rotonda.filters.interpret import Evaluator, Failed, Missing, frozen
from rotonda.filters.world import Record, SourceGone, World
from rotonda.filters.written import words

Question = Callable[[Record, Record], Any]
"""Gives the value of an expression, for the record that came and the one that goes out. Raises Failed."""

MOST_NAMES = 5_000
"""In one question; the interpreter answers larger ones."""

_CAME, _GOES = "came", "goes"
_OPERATORS: Mapping[Operator, type[ast.cmpop]] = {
    Operator.EQUAL: ast.Eq,
    Operator.UNEQUAL: ast.NotEq,
    Operator.LESS: ast.Lt,
    Operator.LESS_EQUAL: ast.LtE,
    Operator.GREATER: ast.Gt,
    Operator.GREATER_EQUAL: ast.GtE,
}
_WITH_KEY = ("Source.find", "Source.contains")


def question(wanted: Expr, arguments: Mapping[str, Value], world: World) -> Question:
    """What asks for the value of an expression."""
    try:
        return _Writer(arguments, world).function(wanted)
    except (_TooLong, SyntaxError, RecursionError):  # or nested more deeply than Python allows
        return lambda came, goes: Evaluator(arguments, world, came, goes).value(wanted)


def missing(span: Span) -> Missing:
    """That a value is needed which is not there."""
    return Missing(span, "a value is missing")


def failed(span: Span) -> Failed:
    """That a data source is gone."""
    return Failed(span, "the data source is gone")


class _TooLong(Exception):
    """The function would have too many names."""


class _Writer:
    """Writes one function, statement by statement."""

    def __init__(self, arguments: Mapping[str, Value], world: World) -> None:
        self._arguments = arguments
        self._world = world
        self._namespace: dict[str, Any] = {"__builtins__": {}}
        self._constants: dict[int, str] = {}
        self._elements: dict[int, str] = {}
        self._names = 0
        self._body: list[ast.stmt] = []

    def function(self, wanted: Expr) -> Question:
        """The function that gives the value of this expression."""
        result = self._value(wanted)
        body = [*self._body, ast.Return(_read(result))]
        given = ast.arguments([], [ast.arg(_CAME), ast.arg(_GOES)], None, [], [], None, [])
        tree = ast.Module([ast.FunctionDef("question", given, body, [], None)], [])
        code = compile(ast.fix_missing_locations(tree), "<filter>", "exec")
        own = next(constant for constant in code.co_consts if isinstance(constant, CodeType))
        made: Question = FunctionType(own, self._namespace)
        return made

    # --- pieces ------------------------------------------------------------------------------------------------------

    def _name(self, letter: str) -> str:
        self._names += 1
        if self._names > MOST_NAMES:
            raise _TooLong
        return f"{letter}{self._names}"

    def _constant(self, value: Any) -> str:
        """The name of a value in the namespace."""
        name = self._constants.get(id(value))
        if name is None or self._namespace[name] is not value:
            name = self._constants[id(value)] = self._name("c")
            self._namespace[name] = value
        return name

    def _call(self, function: Any, *given: str) -> ast.expr:
        return ast.Call(_read(self._constant(function)), [_read(one) for one in given], [])

    def _put(self, value: ast.expr, name: str | None = None) -> str:
        """Give a value a name."""
        name = name or self._name("v")
        self._body.append(ast.Assign([ast.Name(name, ast.Store())], value))
        return name

    def _within(self, write: Callable[[], None]) -> list[ast.stmt]:
        """The statements that are written meanwhile."""
        before, self._body = self._body, []
        write()
        own, self._body = self._body, before
        return own

    def _raise(self, exception: Callable[[Span], Failed], span: Span) -> ast.stmt:
        return ast.Raise(self._call(exception, self._constant(span)), None)

    def _needed(self, name: str, span: Span) -> str:
        test = ast.Compare(_read(name), [ast.Is()], [ast.Constant(None)])
        self._body.append(ast.If(test, [self._raise(missing, span)], []))
        return name

    def _frozen(self, of: Type, name: str) -> str:
        if isinstance(of, RecordType) or (isinstance(of, ListType) and isinstance(of.item, RecordType)):
            return self._put(self._call(frozen, self._constant(of), name))
        return name

    def _text(self, wanted: Expr) -> str:
        value = self._frozen(wanted.type, self._value(wanted))
        return self._put(self._call(words(wanted.type), value))

    # --- expressions -------------------------------------------------------------------------------------------------

    def _value(self, wanted: Expr) -> str:
        """The name of the value of an expression, which is there."""
        match wanted:
            case Const(value=value) if value is not None:
                return self._constant(value)
            case Argument(name=name):
                return self._constant(self._arguments[name])
            case Input(direction=direction):
                return _CAME if direction is Direction.RX else _GOES
            case Element():
                return self._elements[id(wanted)]
            case Bound(value=value) | Named(value=value):
                return self._value(value)
            case SourceOf(name=name, span=span):
                return self._source(name, span)
            case And(parts=parts):
                return self._logic(parts, going_on=True)
            case Or(parts=parts):
                return self._logic(parts, going_on=False)
            case ExactlyOne(parts=parts):
                return self._exactly_one(parts)
            case OfMany():
                return self._of_many(wanted)
            case Ask(method="Any.exists", subject=subject):
                return self._exists(subject)
            case Ask(method="Any.to_string", subject=subject):
                return self._text(subject)
            case Ask() if isinstance(wanted.subject.type, SourceType):
                return self._needed(self._ask_source(wanted), wanted.span)
            case _:
                found = self._put(self._simple(wanted))
                return self._needed(found, wanted.span) if _may_be_missing(wanted) else found

    def _simple(self, wanted: Expr) -> ast.expr:
        """One operation with values that are there."""
        match wanted:
            case Const():
                return ast.Constant(None)
            case GetField(subject=subject, field=field):
                get = ast.Attribute(_read(self._value(subject)), "get", ast.Load())
                return ast.Call(get, [_read(self._constant(field))], [])
            case Compare(operator=operator, left=left, right=right):
                names = [self._ranked(self._value(side), side.type) for side in (left, right)]
                return ast.Compare(_read(names[0]), [_OPERATORS[operator]()], [_read(names[1])])
            case Member(item=item, within=within, negated=negated):
                given = self._value(item), self._constant(item.type), self._value(within), self._constant(within.type)
                found = self._call(scalars.is_member, *given)
                return ast.UnaryOp(ast.Not(), found) if negated else found
            case Inverse(operand=operand):
                return ast.UnaryOp(ast.Not(), _read(self._value(operand)))
            case Ask(subject=subject, method=method, arguments=arguments):
                given_names = [self._value(one) for one in (subject, *arguments)]
                return self._call(scalars.METHODS[method], *given_names)
            case Apply(function=function, arguments=arguments):
                return self._call(scalars.FUNCTIONS[function], *self._applied(function, arguments))
            case MakeList(items=items):
                return ast.Tuple([_read(self._value(item)) for item in items], ast.Load())
            case MakeRecord(fields=fields):
                return self._record(wanted.type, fields)
            case IsVariant(subject=subject, variant=variant):
                return self._is_variant(self._value(subject), variant)
            case VariantValue(subject=subject, variant=variant):
                name = self._value(subject)
                return ast.IfExp(self._is_variant(name, variant), _read(name), ast.Constant(None))
            case _:
                raise AssertionError(f"{wanted!r} is no expression")

    def _ranked(self, name: str, of: Type) -> str:
        return self._put(self._call(scalars.rank, name)) if isinstance(of, EnumType) else name

    def _applied(self, function: str, arguments: Sequence[Expr]) -> list[str]:
        as_text = {"String.from": 0, "String.format": 1}.get(function, len(arguments))
        return [self._text(one) if place >= as_text else self._value(one) for place, one in enumerate(arguments)]

    def _record(self, of: Type, fields: Sequence[tuple[str, Expr | None]]) -> ast.expr:
        pairs: list[ast.expr] = []
        for name, one in fields:
            value: ast.expr = ast.Constant(None)
            if one is not None:
                value = _read(self._frozen(one.type, self._value(one)))
            pairs.append(ast.Tuple([_read(self._constant(name)), value], ast.Load()))
        named = self._constant(of.name if isinstance(of, RecordType) else "")
        return ast.Call(_read(self._constant(RecordValue)), [_read(named), ast.Tuple(pairs, ast.Load())], [])

    def _is_variant(self, name: str, variant: str) -> ast.expr:
        own = ast.Attribute(_read(name), "variant", ast.Load())
        return ast.Compare(own, [ast.Eq()], [_read(self._constant(variant))])

    # --- logic -------------------------------------------------------------------------------------------------------

    def _logic(self, parts: Sequence[Expr], going_on: bool) -> str:
        """Part after part, as long as they say that it goes on."""
        name = self._put(ast.Constant(going_on))
        for part in parts:
            own = self._within(lambda part=part: self._said(name, part))  # type: ignore[misc]
            test: ast.expr = _read(name) if going_on else ast.UnaryOp(ast.Not(), _read(name))
            self._body.append(ast.If(test, own, []))
        return name

    def _said(self, name: str, part: Expr) -> None:
        self._put(_read(self._value(part)), name)

    def _exactly_one(self, parts: Sequence[Expr]) -> str:
        count = self._put(ast.Constant(0))
        for part in parts:
            own = self._within(lambda part=part: self._count(count, part))  # type: ignore[misc]
            self._body.append(ast.If(_compared(count, ast.Lt, 2), own, []))
        return self._put(_compared(count, ast.Eq, 1))

    def _count(self, count: str, part: Expr) -> None:
        said = self._value(part)
        self._body.append(ast.AugAssign(ast.Name(count, ast.Store()), ast.Add(), _read(said)))

    def _of_many(self, wanted: OfMany) -> str:
        many = self._value(wanted.subject)
        self._elements[id(wanted.one)] = one = self._name("e")
        match wanted.quantifier:
            case Quantifier.EXACTLY_ONE:
                count = self._put(ast.Constant(0))
                own = self._within(lambda: self._count(count, wanted.condition))
                own.append(ast.If(_compared(count, ast.Gt, 1), [ast.Break()], []))
                self._body.append(ast.For(ast.Name(one, ast.Store()), _read(many), own, []))
                return self._put(_compared(count, ast.Eq, 1))
            case quantifier:
                is_some = quantifier is Quantifier.SOME
                name = self._put(ast.Constant(not is_some))
                own = self._within(lambda: self._said(name, wanted.condition))
                stop: ast.expr = _read(name) if is_some else ast.UnaryOp(ast.Not(), _read(name))
                own.append(ast.If(stop, [ast.Break()], []))
                self._body.append(ast.For(ast.Name(one, ast.Store()), _read(many), own, []))
                return name

    def _exists(self, subject: Expr) -> str:
        name = self._name("v")

        def write() -> None:
            self._value(subject)
            self._put(ast.Constant(True), name)

        self._try(self._within(write), Missing, self._within(lambda: _nothing(self._put(ast.Constant(False), name))))
        return name

    def _try(self, body: list[ast.stmt], caught: type[Exception], instead: list[ast.stmt]) -> None:
        handler = ast.ExceptHandler(_read(self._constant(caught)), None, instead)
        self._body.append(ast.Try(body, [handler], [], []))

    # --- data sources ------------------------------------------------------------------------------------------------

    def _source(self, name: str, span: Span) -> str:
        try:
            return self._constant(self._world.source(name))
        except SourceGone:
            self._body.append(self._raise(failed, span))
            return self._put(ast.Constant(None))

    def _ask_source(self, wanted: Ask) -> str:
        given = [self._value(one) for one in (wanted.subject, *wanted.arguments)]
        source = wanted.subject.type
        if wanted.method in _WITH_KEY and isinstance(source, SourceType):
            given.insert(1, self._constant(source.key_field(wanted.arguments[0].type)))
        name = self._name("v")
        asked = self._within(lambda: _nothing(self._put(self._call(scalars.METHODS[wanted.method], *given), name)))
        self._try(asked, SourceGone, [self._raise(failed, wanted.span)])
        return name


def _read(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _compared(name: str, operator: type[ast.cmpop], number: int) -> ast.expr:
    return ast.Compare(_read(name), [operator()], [ast.Constant(number)])


def _nothing(value: object) -> None:
    """So that a lambda gives none."""


def _may_be_missing(wanted: Expr) -> bool:
    return isinstance(wanted, Const | GetField | Ask | Apply | VariantValue)
