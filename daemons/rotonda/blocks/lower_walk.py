"""How large an expression is when everything in it is put where it is used, and what it depends on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rotonda.blocks.typed import (
    And,
    Apply,
    Argument,
    Ask,
    Bound,
    ChangeField,
    Compare,
    Element,
    ExactlyOne,
    Expr,
    GetField,
    InAction,
    Input,
    Inverse,
    IsVariant,
    MakeList,
    MakeRecord,
    Member,
    Named,
    OfMany,
    Or,
    Send,
    SourceOf,
    Step,
    VariantValue,
    When,
)


def parts(value: Expr) -> tuple[Expr, ...]:
    """What an expression is made of, in the order in which it is looked at."""
    match value:
        case And(parts=within) | Or(parts=within) | ExactlyOne(parts=within) | MakeList(items=within):
            return within
        case Compare(left=left, right=right):
            return left, right
        case Member(item=item, within=within_one):
            return item, within_one
        case Ask(subject=subject, arguments=arguments):
            return subject, *arguments
        case Apply(arguments=arguments):
            return arguments
        case GetField(subject=subject) | VariantValue(subject=subject) | IsVariant(subject=subject):
            return (subject,)
        case Inverse(operand=inner) | Named(value=inner) | Bound(value=inner):
            return (inner,)
        case OfMany(subject=subject, condition=condition):
            return subject, condition
        case MakeRecord(fields=fields):
            return tuple(field for _, field in fields if field is not None)
        case _:
            return ()


def everything(*values: Expr) -> Iterator[Expr]:
    """All expressions within, each object once."""
    seen: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        if id(value) not in seen:
            seen.add(id(value))
            pending += parts(value)
            yield value


def expressions(steps: Iterable[Step]) -> Iterator[Expr]:
    """The outermost expressions of steps and of the steps within them."""
    pending = list(steps)
    while pending:
        match pending.pop():
            case When(condition=condition, then=then, otherwise=otherwise):
                yield condition
                pending += (*then, *otherwise)
            case InAction(steps=within):
                pending += within
            case ChangeField(arguments=arguments):
                yield from arguments
            case Send(record=record):
                yield record


class Measure(NamedTuple):
    """Of an expression as if nothing in it were shared: its levels, how many expressions it has, and how many terms and
    bindings are within each other.

    `constant` says whether it is the same for every record, whatever arguments a unit gives.
    """

    levels: int
    size: int
    names: int
    constant: bool


class Measures:
    """Measures expressions, each object once."""

    def __init__(self) -> None:
        self._known: dict[int, Measure] = {}
        self._kept: list[Expr] = []

    def of(self, value: Expr) -> Measure:
        """The measure of an expression."""
        pending = [value]
        while pending:
            one = pending[-1]
            below = parts(one)
            missing = [part for part in below if id(part) not in self._known]
            if missing:
                pending += missing
                continue
            pending.pop()
            if id(one) not in self._known:
                self._known[id(one)] = _measured(one, [self._known[id(part)] for part in below])
                self._kept.append(one)
        return self._known[id(value)]


def _measured(value: Expr, below: list[Measure]) -> Measure:
    return Measure(
        1 + max((part.levels for part in below), default=0),
        1 + sum(part.size for part in below),
        isinstance(value, Named | Bound) + max((part.names for part in below), default=0),
        not isinstance(value, Input | Argument | SourceOf | Element) and all(part.constant for part in below),
    )
