"""Filters as they run: expressions whose types are known, with nothing left to look up.

The checker makes them from the syntax tree. Terms and actions are put where they are called, so that an expression has
no other calls than those of methods; `Named` remembers the name of a term, for whoever explains. A node may stand in
several places: equal parts are one object, and each use of a binding of `define` is the same `Bound`.

How missing values and failures go: what needs a missing value fails, and so does an operation on what fails. `And` and
`Or` do not look at what stands behind a part that decides. A failure that reaches a rule ends the filter: the policy of
the unit decides then (`on_failure`), and it is counted by its place.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

import msgspec

from rotonda.blocks.places import Span
from rotonda.blocks.syntax import Direction, Operator, Quantifier
from rotonda.blocks.types import RecordType, SourceType, StreamType, SumType, Type
from rotonda.blocks.values import Value


class Typed(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An expression; two are the same only if they are one object."""

    span: Span
    type: Type


class Const(Typed, frozen=True, eq=False):
    """A value that was known when the file was checked."""

    value: Value


class Input(Typed, frozen=True, eq=False):
    """The record that a filter gets (`rx`), or the one that it makes (`tx`, `rx_tx`)."""

    direction: Direction


class Argument(Typed, frozen=True, eq=False):
    """An argument of the filter itself, which a unit gives it: constant while the filter runs."""

    name: str


class Bound(Typed, frozen=True, eq=False):
    """A binding of `define`: computed at most once for each record."""

    name: str
    value: Expr


class VariantValue(Typed, frozen=True, eq=False):
    """What the variant holds that `IsVariant` has asked for; missing if it is another one."""

    subject: Expr
    variant: str


class SourceOf(Typed, frozen=True, eq=False):
    """A data source, by its full name."""

    name: str


class GetField(Typed, frozen=True, eq=False):
    """A field of a record, by its canonical name."""

    subject: Expr
    field: str
    optional: bool
    """Whether it may be missing."""


class Ask(Typed, frozen=True, eq=False):
    """A method (`types.METHODS`, by its `key`) of a value."""

    subject: Expr
    method: str
    arguments: tuple[Expr, ...]


class Apply(Typed, frozen=True, eq=False):
    """A function of a type (`types.FUNCTIONS`, by its `key`)."""

    function: str
    arguments: tuple[Expr, ...]


class Compare(Typed, frozen=True, eq=False):
    """`==`, `!=`, `<`, `<=`, `>`, `>=`, between values of one type."""

    operator: Operator
    left: Expr
    right: Expr


class Member(Typed, frozen=True, eq=False):
    """`item in list`; also of a prefix in a list of ranges, and of an AS number in an AS path."""

    item: Expr
    within: Expr
    negated: bool


class Inverse(Typed, frozen=True, eq=False):
    """`!operand`."""

    operand: Expr


class And(Typed, frozen=True, eq=False):
    """All of these; what stands behind the first that does not hold is not looked at."""

    parts: tuple[Expr, ...]


class Or(Typed, frozen=True, eq=False):
    """One of these; what stands behind the first that holds is not looked at."""

    parts: tuple[Expr, ...]


class ExactlyOne(Typed, frozen=True, eq=False):
    """One of these, and no other."""

    parts: tuple[Expr, ...]


class IsVariant(Typed, frozen=True, eq=False):
    """Whether a sum type has this variant."""

    subject: Expr
    variant: str


class OfMany(Typed, frozen=True, eq=False):
    """Whether all, some or exactly one of the records of a list or of what was found fulfil a condition about `one`."""

    quantifier: Quantifier
    subject: Expr
    one: Element
    condition: Expr


class Element(Typed, frozen=True, eq=False):
    """The record that `OfMany` is looking at."""


class MakeRecord(Typed, frozen=True, eq=False):
    """A record; None for a field that is left out."""

    fields: tuple[tuple[str, Expr | None], ...]


class MakeList(Typed, frozen=True, eq=False):
    """A list whose items are not all constant."""

    items: tuple[Expr, ...]


class Named(Typed, frozen=True, eq=False):
    """A term where it is used."""

    name: str
    value: Expr


Expr: TypeAlias = (
    Const | Input | Argument | Bound | VariantValue | SourceOf | GetField | Ask | Apply | Compare | Member | Inverse
    | And | Or | ExactlyOne | IsVariant | OfMany | Element | MakeRecord | MakeList | Named
)  # fmt: skip

# --- what is done ----------------------------------------------------------------------------------------------------


class ChangeField(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A field of the record that goes out is changed (`types.CHANGES`, by its name)."""

    span: Span
    field: str
    change: str
    arguments: tuple[Expr, ...]


class Send(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A record is sent to an output stream, by its full name."""

    span: Span
    stream: str
    record: Expr


class Decide(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The record is accepted or rejected, and nothing more is done."""

    span: Span
    accept: bool


class When(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A rule: if the condition holds the one, else the other is done; then what follows, unless it was decided."""

    span: Span
    condition: Expr
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...] = ()


class InAction(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What an action does, where it is called."""

    span: Span
    name: str
    steps: tuple[Step, ...]


Step: TypeAlias = ChangeField | Send | Decide | When | InAction


class FilterKind(Enum):
    """What a filter may do."""

    PURE = "PureFilter"
    MAP = "FilterMap"


class TypedFilter(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A filter that can run.

    `takes` is the type of what comes in, `gives` of what goes out: the same for `rx` alone and for `rx_tx`, that of
    the `tx` record where one is made. A new `tx` record has all its fields missing but those with the name of `prefix`,
    which has the prefix of the route, until steps set them. What no step decides is accepted.
    """

    span: Span
    name: str
    kind: FilterKind
    takes: RecordType | SumType
    gives: RecordType | SumType
    direction: Direction
    """TX if a new record is made, RX_TX if the one that came may be changed, RX if nothing is."""
    arguments: tuple[tuple[str, Type], ...]
    sources: tuple[tuple[str, SourceType], ...]
    """Data sources that it asks, by their full names."""
    streams: tuple[tuple[str, StreamType], ...]
    steps: tuple[Step, ...]
