"""What can be compared with what, and what can be in what."""

from __future__ import annotations

from rotonda.blocks import types
from rotonda.blocks.lower_fitting import UNSIGNED, Misfit, described, fitted, misfit, retyped, same
from rotonda.blocks.syntax import Binary, Constant, Expression, List, Operator, Record, Tuple
from rotonda.blocks.typed import Const, Expr, MakeList
from rotonda.blocks.types import (
    EnumType,
    FoundType,
    ListType,
    RecordType,
    ScalarType,
    SourceType,
    StreamType,
    SumType,
    Type,
)
from rotonda.blocks.values import Prefix, PrefixMatch

ORDERED = (*types.WHOLE_NUMBERS, types.FLOAT, types.TIME, types.DURATION)
"""Types with an order, besides enumerations."""
_NUMBERS = (*UNSIGNED, types.PREFIX_LENGTH)


def is_bare(node: Expression) -> bool:
    """Whether the other side has to say what is meant."""
    return isinstance(node, Constant | List | Tuple | Record)


def compared(node: Binary, left: Expr, right: Expr) -> tuple[Expr, Expr] | Misfit:
    """Both sides as values of one type, or of numbers of any width."""
    sides = _alike(left, right)
    if isinstance(sides, Misfit):
        return sides
    of = sides[0].type
    if node.operator in (Operator.EQUAL, Operator.UNEQUAL):
        return _without_equality(node, of) or sides
    if of in ORDERED or isinstance(of, EnumType):
        return sides
    hint = "compare prefixes by covers(...)" if of == types.PREFIX else ""
    return Misfit(node.span, f"values of type {of} have no order", "== or !=", hint)


def _alike(left: Expr, right: Expr) -> tuple[Expr, Expr] | Misfit:
    if same(left.type, right.type):
        return left, right
    if isinstance(left, Const) or isinstance(right, Const):
        return _with_constant(left, right)
    return (left, right) if left.type in _NUMBERS and right.type in _NUMBERS else misfit(right, left.type)


def _with_constant(left: Expr, right: Expr) -> tuple[Expr, Expr] | Misfit:
    """The constant becomes what the other side is; lengths of prefixes are numbers, too."""
    fixed = fitted(right, left.type) if isinstance(right, Const) else fitted(left, right.type)
    if not isinstance(fixed, Misfit):
        return (left, fixed) if isinstance(right, Const) else (fixed, right)
    other = fitted(left, right.type) if isinstance(left, Const) else fixed
    if not isinstance(other, Misfit):
        return other, right
    constants = [side.type for side in (left, right) if isinstance(side, Const)]
    is_length = types.PREFIX_LENGTH in constants and left.type in _NUMBERS and right.type in _NUMBERS
    return (left, right) if is_length else fixed


def _without_equality(node: Binary, of: Type) -> Misfit | None:
    hint = ""
    match of:
        case types.PREFIX_MATCH:
            hint = "ask prefix.matches(...)"
        case ListType():
            hint = "ask .contains(...) of the list"
        case FoundType():
            hint = "ask .matches() of it"
        case SumType():
            hint = "ask by match ... with"
        case RecordType() | SourceType() | StreamType():
            hint = "compare its fields"
        case _:
            return None
    return Misfit(node.span, f"{of} cannot be compared", "values without parts", hint)


def member(node: Binary, item: Expr, within: Expr) -> tuple[Expr, Expr] | Misfit:
    """The item and what it may be in: a list of its type, a path, or prefixes."""
    if within.type == types.AS_PATH:
        number = fitted(item, types.ASN)
        return number if isinstance(number, Misfit) else (number, within)
    if within.type in (types.PREFIX, types.PREFIX_MATCH) and item.type in (types.PREFIX, types.ADDRESS):
        within = _in_list(within)
    if not isinstance(within.type, ListType):
        hint = "ask text.contains(...)" if within.type == types.STRING else ""
        return Misfit(within.span, f"nothing is in {_named(within.type)}", described(ListType(item.type)), hint)
    if item.type == types.PREFIX and within.type.item == types.PREFIX_MATCH:
        return item, within
    if item.type in (types.PREFIX, types.ADDRESS) and within.type.item == types.PREFIX:
        return item, _ranges(within) if item.type == types.PREFIX else within
    one = fitted(item, within.type.item)
    if not isinstance(one, Misfit):
        return one, within
    many = fitted(within, ListType(item.type))
    if not isinstance(many, Misfit):
        return item, many
    if item.type == within.type:
        return Misfit(
            item.span, f"this is {described(item.type)}", described(within.type.item), "ask .contains_any(...)"
        )
    return many if isinstance(within, Const) else misfit(item, within.type.item)


def _in_list(one: Expr) -> Expr:
    if isinstance(one, Const):
        return retyped(one, ListType(one.type), (one.value,))
    return MakeList(span=one.span, type=ListType(one.type), items=(one,))


def _ranges(within: Expr) -> Expr:
    """Prefixes that are known as ranges: each stands for itself and what it covers."""
    if not isinstance(within, Const) or not isinstance(within.value, tuple):
        return within
    ranges = tuple(PrefixMatch(one, one.length, one.bits) for one in within.value if isinstance(one, Prefix))
    return retyped(within, ListType(types.PREFIX_MATCH), ranges)


def _named(of: Type) -> str:
    return f"a value of type {of}" if isinstance(of, ScalarType | EnumType) else str(of)
