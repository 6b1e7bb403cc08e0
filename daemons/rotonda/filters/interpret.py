"""The plain, slow interpreter: what a filter does to one record. It says what filters mean; the compiler is held to it.

Expressions are looked at from left to right. What needs a missing value fails, and so does what needs the value of
something that fails; `exists` is the only question that may be asked of what is missing. `And` and `Or` do not look
behind a part that decides, `ExactlyOne` not behind the second part that holds, and so it is with the records of a list.
A binding is computed from the record as it came, when it is first needed, and only once.

Steps are done in their order, and conditions see the changes before them. The first verdict ends the filter; without
one the record is accepted. A failure ends it, too: then the policy of the unit decides about the record as it came,
without any change. What was sent before that stays sent. A record that was to be made, and was not, is never accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from rotonda.blocks.places import Span
from rotonda.blocks.syntax import Direction, Operator, Quantifier
from rotonda.blocks.typed import (
    And,
    Apply,
    Argument,
    Ask,
    Bound,
    ChangeField,
    Compare,
    Const,
    Decide,
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
    TypedFilter,
    VariantValue,
    When,
)
from rotonda.blocks.types import EnumType, ListType, RecordType, SourceType, Type
from rotonda.blocks.values import RecordValue, Value
from rotonda.filters import scalars
from rotonda.filters.changes import route_edits
from rotonda.filters.route_record import RouteRecord
from rotonda.filters.world import Record, SourceGone, World

_ORDERS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: lambda left, right: left == right,
    Operator.UNEQUAL: lambda left, right: left != right,
    Operator.LESS: lambda left, right: left < right,
    Operator.LESS_EQUAL: lambda left, right: left <= right,
    Operator.GREATER: lambda left, right: left > right,
    Operator.GREATER_EQUAL: lambda left, right: left >= right,
}
_WITH_KEY = ("Source.find", "Source.contains")


class Failure(msgspec.Struct, frozen=True):
    """Where a filter failed, and why."""

    span: Span
    reason: str


class Failed(Exception):
    """A filter cannot go on."""

    def __init__(self, span: Span, reason: str) -> None:
        super().__init__(reason)
        self.failure = Failure(span, reason)


class Missing(Failed):
    """A value is needed that is not there."""


def missing(wanted: Expr) -> Missing:
    """That the value of an expression is not there."""
    return Missing(wanted.span, f"{_name(wanted)} is missing")


class Sent(NamedTuple):
    """A record for an output stream, and the type that it was made with."""

    stream: str
    record: RecordValue
    type: RecordType


class Event(NamedTuple):
    """A step that was done.

    `outcome` is what its condition said, None if that failed; the new value of its field, the record that it sent, or
    its verdict. `before` looks at what there was at that time.
    """

    step: Step
    outcome: Any
    before: Evaluator


class Decision(NamedTuple):
    """What became of a record.

    `record` is the one that goes out, or went out if it were accepted: for a route that was changed, a `RouteRecord`
    with its `edits`; for a `tx` record or a changed record of another type a `RecordValue`; else the one that came.
    """

    accepted: bool
    record: Record
    sent: tuple[Sent, ...]
    failure: Failure | None
    trace: tuple[Event, ...]


class Evaluator:
    """The values of expressions for one record at one moment."""

    def __init__(
        self,
        arguments: Mapping[str, Value],
        world: World,
        came: Record,
        goes: Record,
        bound: dict[int, Any] | None = None,
    ) -> None:
        self._arguments = arguments
        self._world = world
        self._came = came
        self.goes = goes
        self._bound: dict[int, Any] = {} if bound is None else bound
        self._elements: dict[int, Record] = {}

    def after(self, goes: Record) -> Evaluator:
        """The same, with the record that goes out changed."""
        return Evaluator(self._arguments, self._world, self._came, goes, self._bound)

    def value(self, wanted: Expr) -> Any:
        """The value of an expression. Raises Failed."""
        found = self._evaluate(wanted)
        if found is None:
            raise missing(wanted)
        return found

    def holds(self, condition: Expr) -> bool:
        """Whether a condition is fulfilled. Raises Failed."""
        return bool(self.value(condition))

    def text(self, wanted: Expr) -> str:
        """The value in words. Raises Failed."""
        return scalars.text(wanted.type, frozen(wanted.type, self.value(wanted)))

    def _evaluate(self, wanted: Expr) -> Any:
        match wanted:
            case Const(value=value):
                return value
            case Input(direction=direction):
                return self._came if direction is Direction.RX else self.goes
            case GetField(subject=subject, field=field):
                return self.value(subject).get(field)
            case Argument(name=name):
                return self._arguments[name]
            case Bound(value=value):
                return self._once(wanted, value)
            case Compare(operator=operator, left=left, right=right):
                return self._compare(operator, left, right)
            case Ask():
                return self._ask(wanted)
            case And(parts=parts):
                return all(self.holds(part) for part in parts)
            case Or(parts=parts):
                return any(self.holds(part) for part in parts)
            case ExactlyOne(parts=parts):
                return exactly_one(self.holds(part) for part in parts)
            case Inverse(operand=operand):
                return not self.holds(operand)
            case Named(value=value):
                return self.value(value)
            case Member(item=item, within=within, negated=negated):
                found = self.value(item), self.value(within)
                return scalars.is_member(found[0], item.type, found[1], within.type) is not negated
            case _:
                return self._evaluate_rare(wanted)

    def _evaluate_rare(self, wanted: Expr) -> Any:
        match wanted:
            case IsVariant(subject=subject, variant=variant):
                return self.value(subject).variant == variant
            case VariantValue(subject=subject, variant=variant):
                found = self.value(subject)
                return found if found.variant == variant else None
            case SourceOf(name=name):
                return self._answer(wanted.span, lambda: self._world.source(name))
            case Apply(function=function, arguments=arguments):
                return self._apply(function, arguments)
            case MakeList(items=items):
                return tuple(self.value(item) for item in items)
            case MakeRecord(fields=fields):
                made = ((name, None if one is None else frozen(one.type, self.value(one))) for name, one in fields)
                return RecordValue(_type_name(wanted.type), tuple(made))
            case OfMany():
                return self._of_many(wanted)
            case Element():
                return self._elements[id(wanted)]
            case _:
                raise AssertionError(f"{wanted!r} is no expression")

    def _once(self, binding: Bound, value: Expr) -> Any:
        key = id(binding)
        if key not in self._bound:
            try:
                self._bound[key] = self.value(value)
            except Failed as failed:
                self._bound[key] = failed
        found = self._bound[key]
        if isinstance(found, Failed):
            raise type(found)(found.failure.span, found.failure.reason)
        return found

    def _compare(self, operator: Operator, left: Expr, right: Expr) -> bool:
        one, other = self.value(left), self.value(right)
        if isinstance(left.type, EnumType):
            one, other = scalars.rank(one), scalars.rank(other)
        return _ORDERS[operator](one, other)

    def _ask(self, wanted: Ask) -> Any:
        if wanted.method == "Any.exists":
            return self._exists(wanted.subject)
        if wanted.method == "Any.to_string":
            return self.text(wanted.subject)
        subject = self.value(wanted.subject)
        arguments = [self.value(argument) for argument in wanted.arguments]
        function = scalars.METHODS[wanted.method]
        source = wanted.subject.type
        if not isinstance(source, SourceType):
            return function(subject, *arguments)
        if wanted.method in _WITH_KEY:
            arguments.insert(0, source.key_field(wanted.arguments[0].type))
        return self._answer(wanted.span, lambda: function(subject, *arguments))

    def _exists(self, subject: Expr) -> bool:
        try:
            self.value(subject)
        except Missing:
            return False
        return True

    def _answer(self, span: Span, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except SourceGone as gone:
            raise Failed(span, f"the data source is gone: {gone}") from gone

    def _apply(self, function: str, arguments: Sequence[Expr]) -> Any:
        values = [
            self.text(argument) if function == "String.from" or (function == "String.format" and place) else
            self.value(argument)
            for place, argument in enumerate(arguments)
        ]  # fmt: skip
        return scalars.FUNCTIONS[function](*values)

    def _of_many(self, wanted: OfMany) -> bool:
        held = (self._about(wanted, record) for record in self.value(wanted.subject))
        if wanted.quantifier is Quantifier.EXACTLY_ONE:
            return exactly_one(held)
        return any(held) if wanted.quantifier is Quantifier.SOME else all(held)

    def _about(self, wanted: OfMany, record: Record) -> bool:
        self._elements[id(wanted.one)] = record
        return self.holds(wanted.condition)


def exactly_one(held: Iterable[bool]) -> bool:
    """Whether one of them is true and no other; what stands behind the second is not looked at."""
    found = 0
    for one in held:
        found += one
        if found > 1:
            return False
    return found == 1


def frozen(of: Type, value: Any) -> Any:
    """The value as one that can be kept: records with all their fields."""
    if isinstance(of, RecordType) and not isinstance(value, RecordValue):
        return RecordValue(
            of.name, tuple((field.name, _kept(field.type, value.get(field.name))) for field in of.fields)
        )
    if isinstance(of, ListType) and isinstance(of.item, RecordType):
        return tuple(frozen(of.item, one) for one in value)
    return value


def _kept(of: Type, value: Any) -> Any:
    return None if value is None else frozen(of, value)


class Interpreter:
    """A filter with its arguments, in its world."""

    def __init__(
        self, filter: TypedFilter, arguments: Mapping[str, Value], world: World, accept_failures: bool = False
    ) -> None:
        missing = [name for name, _ in filter.arguments if name not in arguments]
        if missing:
            raise ValueError(f"the filter {filter.name} needs {', '.join(missing)}")
        self.filter = filter
        self._arguments = arguments
        self._world = world
        self._accepts_failures = accept_failures and filter.direction is not Direction.TX

    def run(self, record: Record) -> Decision:
        """What becomes of this record. Nothing is sent: what would be is told."""
        run = _Run(self.filter, Evaluator(self._arguments, self._world, record, self._new(record)))
        try:
            accepted = run.do(self.filter.steps)
        except Failed as failed:
            return Decision(self._accepts_failures, record, tuple(run.sent), failed.failure, tuple(run.trace))
        goes = record if self.filter.direction is Direction.RX else run.state.goes
        return Decision(accepted is not False, goes, tuple(run.sent), None, tuple(run.trace))

    def _new(self, record: Record) -> Record:
        gives = self.filter.gives
        if self.filter.direction is not Direction.TX or not isinstance(gives, RecordType):
            return record
        fields = ((field.name, record.get("prefix") if field.name == "prefix" else None) for field in gives.fields)
        return RecordValue(gives.name, tuple(fields))


class _Run:
    """A filter at work on one record."""

    def __init__(self, filter: TypedFilter, state: Evaluator) -> None:
        self.state = state
        self.sent: list[Sent] = []
        self.trace: list[Event] = []
        self._gives = filter.gives

    def do(self, steps: Sequence[Step]) -> bool | None:
        """The verdict of these steps; None if they have none."""
        for step in steps:
            verdict = self._do(step)
            if verdict is not None:
                return verdict
        return None

    def _do(self, step: Step) -> bool | None:
        match step:
            case Decide(accept=accept):
                self._happened(step, accept)
                return accept
            case When(condition=condition, then=then, otherwise=otherwise):
                return self.do(then if self._asked(step, condition) else otherwise)
            case InAction(steps=within):
                return self.do(within)
            case Send(stream=stream, record=record):
                self._send(step, stream, record)
            case ChangeField():
                self._change(step)
        return None

    def _asked(self, step: Step, condition: Expr) -> bool:
        try:
            held = self.state.holds(condition)
        except Failed:
            self._happened(step, None)
            raise
        self._happened(step, held)
        return held

    def _happened(self, step: Step, outcome: Any) -> None:
        self.trace.append(Event(step, outcome, self.state))

    def _send(self, step: Step, stream: str, record: Expr) -> None:
        assert isinstance(record.type, RecordType)
        made = frozen(record.type, self.state.value(record))
        self.sent.append(Sent(stream, made, record.type))
        self._happened(step, made)

    def _change(self, step: ChangeField) -> None:
        values = tuple(self.state.value(argument) for argument in step.arguments)
        goes = self.state.goes
        try:
            changed = self._changed(goes, step, values)
        except ValueError as error:
            raise Failed(step.span, f"{step.field} cannot be changed: {error}") from error
        self._happened(step, changed.get(step.field))
        self.state = self.state.after(changed)

    def _changed(self, goes: Record, step: ChangeField, values: tuple[Any, ...]) -> Record:
        if isinstance(goes, RouteRecord):
            return goes.edited(route_edits(step.field, step.change, values, goes.family))
        whole: RecordValue = frozen(self._gives, goes)
        fields = dict(whole.fields)
        kept = tuple(frozen(argument.type, value) for argument, value in zip(step.arguments, values, strict=True))
        fields[step.field] = scalars.CHANGES[step.change](fields[step.field], *kept)
        return RecordValue(whole.type, tuple(fields.items()))


def _name(wanted: Expr) -> str:
    match wanted:
        case GetField(field=field):
            return field
        case Ask(method=method):
            return f"{method.rpartition('.')[2]}()"
        case Apply(function=function):
            return f"{function}()"
        case Bound(name=name):
            return name
        case VariantValue(variant=variant):
            return variant
        case _:
            return "a value"


def _type_name(of: Type) -> str:
    return of.name if isinstance(of, RecordType) else ""
