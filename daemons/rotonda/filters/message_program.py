"""PureFilters as Python functions, made once of the typed filter, for messages that come one by one.

They do what `interpret` says, in the same order, and fail at the same places; a test holds them to it. Expressions that
are rare, and what asks data sources, go to the interpreter itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from rotonda.blocks import types
from rotonda.blocks.syntax import Operator
from rotonda.blocks.typed import (
    And,
    Argument,
    Ask,
    Bound,
    Compare,
    Const,
    Decide,
    Expr,
    GetField,
    InAction,
    Input,
    Inverse,
    IsVariant,
    Member,
    Named,
    Or,
    Send,
    Step,
    VariantValue,
    When,
)
from rotonda.blocks.types import EnumType, RecordType, SourceType
from rotonda.blocks.values import Value
from rotonda.filters import scalars
from rotonda.filters.interpret import Evaluator, Failed, Missing, Sent, frozen, missing
from rotonda.filters.world import Record, World

_SIGNS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.UNEQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.LESS_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_EQUAL: operator.ge,
}
_IN_PARTS = (types.PREFIX, types.ADDRESS)
"""Types whose values are in others without being equal to them."""


class Visit:
    """One message in the filter: what it says, what was computed of it, and what is to be sent."""

    __slots__ = ("_arguments", "_evaluator", "_world", "bound", "record", "sent")

    def __init__(self, record: Record, arguments: Mapping[str, Value], world: Callable[[], World]) -> None:
        self.record: Any = record
        self.bound: dict[int, Any] = {}
        self.sent: list[Sent] = []
        self._arguments = arguments
        self._world = world
        self._evaluator: Evaluator | None = None

    def interpreted(self, wanted: Expr) -> Any:
        """The value of an expression, as the interpreter finds it. Raises Failed."""
        if self._evaluator is None:
            self._evaluator = Evaluator(self._arguments, self._world(), self.record, self.record, self.bound)
        return self._evaluator.value(wanted)


Found: TypeAlias = Callable[[Visit], Any]
"""Gives the value of an expression. Raises Failed, also for a value that is missing."""
Program: TypeAlias = Callable[[Visit], "bool | None"]
"""Does steps, and gives their verdict; None if they have none. Raises Failed."""


def program(steps: Sequence[Step], arguments: Mapping[str, Value]) -> Program:
    """The function that does these steps with these arguments."""
    return _Maker(arguments).steps(steps)


class _Maker:
    """Makes functions; an expression that stands in several places is made once."""

    def __init__(self, arguments: Mapping[str, Value]) -> None:
        self._arguments = arguments
        self._made: dict[int, Found] = {}

    # --- steps -------------------------------------------------------------------------------------------------------

    def steps(self, steps: Sequence[Step]) -> Program:
        made = tuple(self._step(step) for step in steps)
        if len(made) == 1:
            return made[0]

        def do(visit: Visit) -> bool | None:
            for step in made:
                verdict = step(visit)
                if verdict is not None:
                    return verdict
            return None

        return do

    def _step(self, step: Step) -> Program:
        match step:
            case Decide(accept=accept):
                return lambda visit: accept
            case When(condition=condition, then=then, otherwise=otherwise):
                holds, first, second = self.value(condition), self.steps(then), self.steps(otherwise)
                return lambda visit: first(visit) if holds(visit) else second(visit)
            case InAction(steps=within):
                return self.steps(within)
            case Send(stream=stream, record=record):
                return self._send(stream, record)
        raise AssertionError(f"a PureFilter has no {step!r}")

    def _send(self, stream: str, record: Expr) -> Program:
        of = record.type
        assert isinstance(of, RecordType)

        def send(visit: Visit) -> None:
            visit.sent.append(Sent(stream, frozen(of, visit.interpreted(record)), of))

        return send

    # --- expressions -------------------------------------------------------------------------------------------------

    def value(self, wanted: Expr) -> Found:
        made = self._made.get(id(wanted))
        if made is None:
            made = self._made[id(wanted)] = self._value(wanted)
        return made

    def _value(self, wanted: Expr) -> Found:
        match wanted:
            case Const(value=value) if value is not None:
                return lambda visit: value
            case Argument(name=name) if self._arguments[name] is not None:
                given = self._arguments[name]
                return lambda visit: given
            case Input():
                return lambda visit: visit.record
            case Named(value=inner):
                return self.value(inner)
            case GetField():
                return self._field(wanted)
            case VariantValue(subject=subject, variant=variant):
                return self._variant(wanted, self.value(subject), variant)
            case IsVariant(subject=subject, variant=variant):
                of = self.value(subject)
                return lambda visit: bool(of(visit).variant == variant)
            case Bound():
                return self._bound(wanted)
            case Ask():
                return self._ask(wanted)
            case _:
                return self._condition(wanted)

    def _condition(self, wanted: Expr) -> Found:
        match wanted:
            case Compare():
                return self._compare(wanted)
            case Member():
                return self._member(wanted)
            case Inverse(operand=operand):
                inner = self.value(operand)
                return lambda visit: not inner(visit)
            case And(parts=parts):
                return self._junction(parts, until=False)
            case Or(parts=parts):
                return self._junction(parts, until=True)
            case _:
                return lambda visit: visit.interpreted(wanted)

    def _junction(self, parts: Sequence[Expr], until: bool) -> Found:
        """Looks at the parts until one is this."""
        made = tuple(map(self.value, parts))

        def holds(visit: Visit) -> bool:
            for part in made:
                found: bool = part(visit)
                if found is until:
                    return until
            return not until

        return holds

    def _field(self, wanted: GetField) -> Found:
        of, name = self.value(wanted.subject), wanted.field

        def get(visit: Visit) -> Any:
            found = of(visit).get(name)
            if found is None:
                raise missing(wanted)
            return found

        return get

    def _variant(self, wanted: Expr, of: Found, variant: str) -> Found:
        def get(visit: Visit) -> Any:
            found = of(visit)
            if found.variant != variant:
                raise missing(wanted)
            return found

        return get

    def _bound(self, wanted: Bound) -> Found:
        """Computed at most once for a message, whoever asks: the interpreter has the same."""
        key, inner = id(wanted), self.value(wanted.value)

        def get(visit: Visit) -> Any:
            found = visit.bound.get(key)
            if found is None:
                try:
                    found = inner(visit)
                except Failed as failed:
                    found = failed
                visit.bound[key] = found
            if isinstance(found, Failed):
                raise type(found)(found.failure.span, found.failure.reason)
            return found

        return get

    def _compare(self, wanted: Compare) -> Found:
        left, right, sign = self.value(wanted.left), self.value(wanted.right), _SIGNS[wanted.operator]
        is_same = wanted.operator in (Operator.EQUAL, Operator.UNEQUAL)
        if isinstance(wanted.left.type, EnumType) and not is_same:
            rank = scalars.rank
            return lambda visit: sign(rank(left(visit)), rank(right(visit)))
        if isinstance(wanted.right, Const):
            held = wanted.right.value
            return lambda visit: sign(left(visit), held)
        return lambda visit: sign(left(visit), right(visit))

    def _member(self, wanted: Member) -> Found:
        item, within, negated = self.value(wanted.item), self.value(wanted.within), wanted.negated
        of, list_of = wanted.item.type, wanted.within.type
        if isinstance(wanted.within, Const) and of not in _IN_PARTS and isinstance(wanted.within.value, tuple):
            known = frozenset(wanted.within.value)
            return lambda visit: (item(visit) in known) is not negated
        is_member = scalars.is_member
        return lambda visit: is_member(item(visit), of, within(visit), list_of) is not negated

    def _ask(self, wanted: Ask) -> Found:
        if wanted.method == "Any.to_string" or isinstance(wanted.subject.type, SourceType):
            return lambda visit: visit.interpreted(wanted)
        subject = self.value(wanted.subject)
        if wanted.method == "Any.exists":
            return _exists(subject)
        arguments = tuple(map(self.value, wanted.arguments))
        function = scalars.METHODS[wanted.method]

        def ask(visit: Visit) -> Any:
            found = function(subject(visit), *[argument(visit) for argument in arguments])
            if found is None:
                raise missing(wanted)
            return found

        return ask


def _exists(subject: Found) -> Found:
    def exists(visit: Visit) -> bool:
        try:
            subject(visit)
        except Missing:
            return False
        return True

    return exists
