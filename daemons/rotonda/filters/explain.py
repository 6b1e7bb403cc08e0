"""Why a filter did what it did: every rule that was looked at, what decided it, and what was changed and sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from rotonda.blocks.lower_walk import everything, parts
from rotonda.blocks.places import Source, Span
from rotonda.blocks.typed import (
    And,
    Apply,
    Argument,
    Ask,
    Bound,
    ChangeField,
    Const,
    Decide,
    ExactlyOne,
    Expr,
    GetField,
    Input,
    Inverse,
    Named,
    Or,
    Send,
    Step,
    TypedFilter,
    When,
)
from rotonda.blocks.types import FoundType, RecordType, SourceType, SumType
from rotonda.blocks.values import Value
from rotonda.filters import scalars
from rotonda.filters.interpret import Decision, Evaluator, Event, Failed, Interpreter, frozen
from rotonda.filters.world import Record, World

TEXT_SHOWN = 160
"""Characters of a piece of the file, or of a value."""
VALUES_SHOWN = 8
"""Of one condition."""
PARTS_SHOWN = 50
"""Of one rule."""


class ShownValue(msgspec.Struct, frozen=True):
    """What an expression in the file was worth."""

    text: str
    value: str


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """A condition that decided a rule; `holds` is None for one that failed, and `failure` says why.

    `terms` are those in which it stands, the outermost first.
    """

    place: str
    text: str
    holds: bool | None
    terms: tuple[str, ...] = ()
    values: tuple[ShownValue, ...] = ()
    failure: str = ""


class ExplainedStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the filter did: it looked at a `rule`, made a `change`, `sent` a record, or gave its `verdict`."""

    kind: str
    place: str
    text: str
    holds: bool | None = None
    parts: tuple[Part, ...] = ()
    field: str = ""
    before: str = ""
    after: str = ""
    stream: str = ""
    record: str = ""
    accepted: bool | None = None


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one record, and why. `decided_at` is the place of the verdict, "" if there was none."""

    filter: str
    accepted: bool
    decided_at: str
    steps: tuple[ExplainedStep, ...]
    failure: str = ""
    failed_at: str = ""


def explain(
    filter: TypedFilter,
    source: Source,
    arguments: Mapping[str, Value],
    world: World,
    record: Record,
    accept_failures: bool = False,
) -> tuple[Decision, Explanation]:
    """What the filter, which stands in `source`, does with a record, and why; nothing is sent."""
    decision = Interpreter(filter, arguments, world, accept_failures).run(record)
    explainer = _Explainer(filter, source)
    steps = tuple(explainer.step(event) for event in decision.trace)
    decided = next((source.shown(event.step.span) for event in decision.trace if isinstance(event.step, Decide)), "")
    failure = decision.failure
    return decision, Explanation(
        filter.name,
        decision.accepted,
        decided,
        steps,
        "" if failure is None else failure.reason,
        "" if failure is None else source.shown(failure.span),
    )


def text(explanation: Explanation) -> str:
    """The explanation for people, with file, line and column of all that counted."""
    return "\n".join(_lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    word = "accepted" if explanation.accepted else "rejected"
    if explanation.failure:
        yield f"{explanation.filter}: {word}, as the filter failed: {explanation.failure}"
        yield f"  {explanation.failed_at}"
    elif explanation.decided_at:
        yield f"{explanation.filter}: {word} at {explanation.decided_at}"
    else:
        yield f"{explanation.filter}: {word}, as nothing decided"
    for step in explanation.steps:
        yield f"  {step.place}: {_said(step)}"
        yield from map(_part, step.parts)


def _said(step: ExplainedStep) -> str:
    match step.kind:
        case "rule":
            return f"{_ANSWERS[step.holds]}: {step.text}"
        case "change":
            return f"{step.field}: {step.before or 'none'} -> {step.after or 'none'}"
        case "sent":
            return f"sent to {step.stream}: {step.record}"
        case _:
            return "accept" if step.accepted else "reject"


_ANSWERS = {True: "matching", False: "not matching", None: "failed"}


def _part(part: Part) -> str:
    answer = {True: "yes", False: "no", None: f"failed: {part.failure}"}[part.holds]
    terms = "".join(f"{term}: " for term in part.terms)
    values = ", ".join(f"{value.text} = {value.value}" for value in part.values)
    return f"    {part.place}: {terms}{part.text}: {answer}{f' ({values})' if values else ''}"


class _Explainer:
    """Shows the steps of one filter."""

    def __init__(self, filter: TypedFilter, source: Source) -> None:
        self._gives = filter.gives
        self._source = source

    def step(self, event: Event) -> ExplainedStep:
        """One step that was done."""
        step: Step = event.step
        place, words = self._source.shown(step.span), self._text(step.span)
        match step:
            case When(condition=condition):
                decided = tuple(islice(self._decided(condition, event.before, ()), PARTS_SHOWN))
                asked = self._text(condition.span)
                return ExplainedStep("rule", place, asked, holds=event.outcome, parts=decided)
            case ChangeField(field=field):
                before, after = self._field(field, event.before.goes.get(field)), self._field(field, event.outcome)
                return ExplainedStep("change", place, words, field=field, before=before, after=after)
            case Send(stream=stream, record=record):
                shown = cut(scalars.text(record.type, event.outcome))
                return ExplainedStep("sent", place, words, stream=stream, record=shown)
            case _:
                return ExplainedStep("verdict", place, words, accepted=event.outcome)

    def _field(self, name: str, value: Any) -> str:
        field = self._gives.field(name) if isinstance(self._gives, RecordType) else None
        return "" if field is None or value is None else cut(scalars.text(field.type, frozen(field.type, value)))

    def _decided(self, condition: Expr, state: Evaluator, terms: tuple[str, ...]) -> Iterator[Part]:
        """The parts that made the condition what it was."""
        match condition:
            case Named(name=name, value=value):
                yield from self._decided(value, state, (*terms, name))
            case Inverse(operand=operand):
                yield from self._decided(operand, state, terms)
            case And(parts=within) | Or(parts=within) | ExactlyOne(parts=within):
                yield from self._among(condition, within, state, terms)
            case _:
                yield self._leaf(condition, state, terms)

    def _among(
        self, condition: Expr, within: tuple[Expr, ...], state: Evaluator, terms: tuple[str, ...]
    ) -> Iterator[Part]:
        """One part, if it decided alone; else all that were looked at."""
        looked: list[Expr] = []
        for part in within:
            looked.append(part)
            held = _held(part, state)
            if held is None or (isinstance(condition, And) and not held) or (isinstance(condition, Or) and held):
                looked = [part]
                break
        for part in looked:
            yield from self._decided(part, state, terms)

    def _leaf(self, condition: Expr, state: Evaluator, terms: tuple[str, ...]) -> Part:
        place, words = self._source.shown(condition.span), self._text(condition.span)
        try:
            holds, failure = state.holds(condition), ""
        except Failed as failed:
            holds, failure = None, failed.failure.reason
        return Part(place, words, holds, terms, tuple(self._values(condition, state)), failure)

    def _values(self, condition: Expr, state: Evaluator) -> Iterator[ShownValue]:
        """What was compared: the fields, answers and names in a condition."""
        shown: dict[str, str] = {}
        for one in sorted(everything(*parts(condition)), key=lambda one: (one.span.start, -one.span.end)):
            if len(shown) < VALUES_SHOWN and _is_telling(one) and one is not condition:
                words = self._text(one.span)
                if words not in shown:
                    shown[words] = _value(one, state)
        return (ShownValue(words, value) for words, value in shown.items())

    def _text(self, span: Span) -> str:
        return cut(" ".join(self._source.text[span.start : min(span.end, span.start + 4 * TEXT_SHOWN)].split()))


def cut(words: str) -> str:
    """A text that is not too long to be shown."""
    return words if len(words) <= TEXT_SHOWN else f"{words[: TEXT_SHOWN - 3]}..."


def _held(part: Expr, state: Evaluator) -> bool | None:
    try:
        return state.holds(part)
    except Failed:
        return None


def _is_telling(one: Expr) -> bool:
    if isinstance(one.type, RecordType | SumType | SourceType | FoundType) or isinstance(one, Input | Const):
        return False
    return isinstance(one, GetField | Ask | Apply | Argument | Bound)


def _value(one: Expr, state: Evaluator) -> str:
    try:
        return cut(state.text(one))
    except Failed:
        return "none"
