"""Actions and rules of filters, from the syntax tree to `typed`."""

from __future__ import annotations

from collections.abc import Sequence

from rotonda.blocks import types
from rotonda.blocks.diagnostics import Complaints, suggestion
from rotonda.blocks.lower_context import Names, Place
from rotonda.blocks.lower_expressions import Expressions
from rotonda.blocks.lower_methods import actual, changes_type, found_changes, is_change
from rotonda.blocks.names import path_of
from rotonda.blocks.scope import Scope
from rotonda.blocks.syntax import (
    Action,
    Assignment,
    Branch,
    Call,
    Direction,
    Do,
    Expression,
    Field,
    Quantifier,
    Reference,
    Rule,
    VariantRule,
    VariantSteps,
    Verdict,
    canonical,
)
from rotonda.blocks.syntax import Apply as ApplySection
from rotonda.blocks.typed import (
    And,
    ChangeField,
    Decide,
    Element,
    Expr,
    FilterKind,
    InAction,
    Input,
    OfMany,
    Send,
    Step,
    When,
)
from rotonda.blocks.types import CHANGES, Change, FieldOf, FoundType, ListType, RecordType, StreamType, SumType, Type

MOST_STATEMENTS = 10_000
"""Of actions, counted wherever they are put."""
MOST_CASES = 100
"""Of one `match ... with`."""
_VERDICTS = {
    "drop": "reject", "deny": "reject", "discard": "reject", "refuse": "reject", "block": "reject",
    "allow": "accept", "permit": "accept", "pass": "accept", "ok": "accept",
}  # fmt: skip
_OTHER_CHANGES = {"delete": "remove", "discard": "remove", "append": "push", "insert": "push", "reset": "clear"}
"""What verdicts and changes are called elsewhere."""
_PLACE = Place(Direction.RX_TX)
_MANY = (Quantifier.SOME, Quantifier.ALL, Quantifier.EXACTLY_ONE)


class Steps:
    """Lowers what one filter does."""

    def __init__(self, names: Names, scope: Scope, expressions: Expressions, complaints: Complaints) -> None:
        self.streams: dict[str, StreamType] = {}
        self._names = names
        self._scope = scope
        self._expressions = expressions
        self._complaints = complaints
        self._bodies: dict[str, tuple[Step, ...]] = {}
        self._copied = 0

    # --- apply ---------------------------------------------------------------------------------------------------

    def apply(self, section: ApplySection) -> tuple[Step, ...]:
        """All that stands in `apply`."""
        return self._steps(section.steps, _PLACE)

    def _steps(self, nodes: Sequence[Rule | VariantRule | Verdict | Do], place: Place) -> tuple[Step, ...]:
        made: list[Step] = []
        decided = False
        for node in nodes:
            if decided:
                self._complaints.warn(node.span, "this is never reached", "what stands before it decides in any case")
            decided = False
            step = self._step(node, place)
            if step is not None:
                made.append(step)
                decided = decides(step)
        return tuple(made)

    def _step(self, node: Rule | VariantRule | Verdict | Do, place: Place) -> Step | None:
        match node:
            case Verdict(accept=accept):
                return Decide(span=node.span, accept=accept)
            case Do(expression=expression):
                return self._do(expression, place)
            case Rule():
                return self._rule(node, place)
            case VariantRule():
                return self._variants(node, place)

    def _rule(self, node: Rule, place: Place) -> Step | None:
        condition = self._quantified(node, place)
        branches: dict[bool, tuple[Step, ...]] = {}
        for branch in node.branches:
            if branch.matching in branches:
                word = "matching" if branch.matching else "not matching"
                self._complaints.error(branch.span, f"the rule has {word} twice")
            branches[branch.matching] = self._branch(branch, place)
        if condition is None:
            return None
        then, otherwise = branches.get(True, ()), branches.get(False, ())
        return When(span=node.span, condition=condition, then=then, otherwise=otherwise)

    def _branch(self, branch: Branch, place: Place) -> tuple[Step, ...]:
        return self._steps(branch.steps, place)

    def _quantified(self, node: Rule, place: Place) -> Expr | None:
        """The condition of a rule; about the records of a list, if it is a term that is given one."""
        call, names = node.condition, self._names
        if isinstance(call, Call) and call.subject is None and call.name.text in names.terms and call.arguments:
            term = names.terms[call.name.text]
            if term.subject is not None and len(call.arguments) == len(term.arguments) + 1 and node.quantifier in _MANY:
                names.used.add(call.name.text)
                return self._of_many(node, call, place)
        return self._expressions.condition(node.condition, place)

    def _of_many(self, node: Rule, call: Call, place: Place) -> Expr | None:
        term, expressions = self._names.terms[call.name.text], self._expressions
        assert term.subject is not None
        wanted = expressions.type_of(term.subject.type)
        item = wanted.item if isinstance(wanted, ListType) else wanted
        many = expressions.free(call.arguments[0], place, None if item is None else ListType(item))
        if many is None or item is None:
            return None
        given = many.type.item if isinstance(many.type, ListType) else None
        given = many.type.record if isinstance(many.type, FoundType) else given
        if given != item:
            message = f"{call.name.text} is about {item}, and this is {many.type}"
            self._complaints.error(many.span, message, f"a list of {item}, or what a source found of it")
            return None
        one = Element(span=many.span, type=item)
        names = expressions.terms.given(call.name, None, term.arguments, call.arguments[1:], place)
        if names is None:
            return None
        condition = expressions.terms.called(call.name, {term.subject.name.text: one, **names}, place)
        if condition is None:
            return None
        return OfMany(
            span=call.span, type=types.BOOL, quantifier=node.quantifier, subject=many, one=one, condition=condition
        )

    def _variants(self, node: VariantRule, place: Place) -> Step | None:
        of = self._expressions.terms.sum_value(node.subject, place)
        if of is None or not node.cases:
            return None
        if len(node.cases) > MOST_CASES:
            self._complaints.error(node.span, f"there are more than {MOST_CASES} variants")
            return None
        listed: set[str] = set()
        cases = [self._case(case, *of, place, listed) for case in node.cases]
        made: tuple[Step, ...] = ()
        for case, found in zip(reversed(node.cases), reversed(cases), strict=True):
            if found is None:
                return None
            condition, then = found
            rest = made
            made = (
                then if condition is None else (When(span=case.span, condition=condition, then=then, otherwise=rest),)
            )
        if len(made) == 1:
            return made[0]
        return InAction(span=node.span, name="_", steps=made) if made else None

    def _case(
        self, case: VariantSteps, subject: Expr, of: SumType, place: Place, listed: set[str]
    ) -> tuple[Expr | None, tuple[Step, ...]] | None:
        """The condition of a case, None for one that always holds, and what is done then."""
        before = set(listed)
        found = self._expressions.terms.variant(case.variant, subject, of, place, listed, repeats=True)
        if found is None:
            return None
        condition, inside = found
        name = "_" if case.variant.name is None else case.variant.name.text
        if name != "_" and name in before:
            self._complaints.warn(case.span, "this is never reached", f"{name} without a guard stands before it")
        guard = None if case.guard is None else self._expressions.condition(case.guard, inside)
        if case.guard is not None:
            listed.clear()
            listed.update(before)
        then = self._steps(case.steps, inside)
        if case.guard is not None and guard is None:
            return None
        if condition is None or guard is None:
            return condition or guard, then
        return And(span=case.span, type=types.BOOL, parts=(condition, guard)), then

    def _do(self, node: Expression, place: Place) -> Step | None:
        sent, step = self._send(node, place)
        if sent:
            return step
        name = node.name if isinstance(node, Reference) or (isinstance(node, Call) and node.subject is None) else None
        if name is not None and name.text in self._names.actions:
            arguments = node.arguments if isinstance(node, Call) else ()
            return self._action_call(
                self._names.actions[name.text],
                Call(span=node.span, subject=None, name=name, arguments=arguments),
                place,
            )
        self._complain_do(node, name.text if name is not None else "")
        return None

    def _complain_do(self, node: Expression, name: str) -> None:
        pure = self._names.kind is FilterKind.PURE
        expected = (
            "stream.send({ ... }), accept or reject" if pure else "an action, stream.send({ ... }), accept or reject"
        )
        if name in self._names.wrong:
            return
        if name in self._names.terms:
            self._names.used.add(name)
            self._complaints.error(node.span, f"{name} is a term, which does nothing", expected, "ask it in a rule")
        elif isinstance(node, Call) and is_change(canonical(node.name.text)):
            hint = "" if pure else "put it into an action"
            self._complaints.error(node.span, f"{'a PureFilter' if pure else 'a rule'} changes nothing", expected, hint)
        elif name and not self._names.has(name):
            verdict = _VERDICTS.get(name.lower())
            hint = f"did you mean {verdict}?" if verdict else suggestion(name, self._names.actions)
            self._complaints.error(node.span, f"there is no action {name}", expected, hint)
        else:
            self._complaints.error(node.span, "this does nothing", expected, self._stream_hint(node))

    # --- actions -------------------------------------------------------------------------------------------------

    def check_action(self, action: Action) -> None:
        """Complain about what is wrong in an action, whoever calls it."""
        names = self._expressions.terms.parameters(action.subject, action.arguments)
        self._body(action, Place(Direction.RX_TX, names), remark=True)

    def _action_call(self, action: Action, call: Call, place: Place) -> Step | None:
        text = action.name.text
        self._names.used.add(text)
        # Arguments are like bindings: what changes while the action is at work does not change them
        seen = Place(Direction.RX, place.names)
        given = self._expressions.terms.given(
            call.name, action.subject, action.arguments, call.arguments, seen, subject_place=place
        )
        if given is None:
            return None
        alone = not call.arguments
        if not alone or text not in self._bodies:
            self._copied += len(action.statements)
            if self._copied > MOST_STATEMENTS:
                self._expressions.too_large(call.span, "actions are called too often")
            body = self._body(action, Place(Direction.RX_TX, given), remark=False)
            if alone:
                self._bodies[text] = body
        else:
            body = self._bodies[text]
        return InAction(span=call.span, name=text, steps=body)

    def _body(self, action: Action, place: Place, remark: bool) -> tuple[Step, ...]:
        made: list[Step] = []
        names: set[str] = set()
        for statement in action.statements:
            if isinstance(statement, Assignment):
                place = self._local(statement, place, names)
                continue
            step = self._statement(statement, place)
            if step is not None:
                made.append(step)
        if remark and not action.statements:
            self._complaints.warn(action.name.span, f"the action {action.name.text} does nothing")
        return tuple(made)

    def _local(self, statement: Assignment, place: Place, names: set[str]) -> Place:
        """A name for a value of the record as it came, as in `define`; known to what stands behind it."""
        text = statement.name.text
        if text in names:
            self._complaints.error(statement.name.span, f"there is a {text} already")
        names.add(text)
        value = self._expressions.free(statement.value, Place(Direction.RX, place.names))
        bound = None if value is None else self._expressions.bound(statement.name, value)
        return place.knowing({text: bound})

    def _statement(self, node: Expression, place: Place) -> Step | None:
        sent, step = self._send(node, place)
        if sent:
            return step
        if isinstance(node, Call) and isinstance(node.subject, Field):
            return self._change(node, node.subject, place)
        expected = "record.field.set(...) or stream.send({ ... })"
        name = (
            node.name.text if isinstance(node, Reference) or (isinstance(node, Call) and node.subject is None) else ""
        )
        if name in self._names.actions:
            self._names.used.add(name)
            self._complaints.error(node.span, "an action calls no other action", expected, "call both in the rule")
        elif name in self._names.wrong:
            pass
        elif name in ("accept", "reject"):
            self._complaints.error(node.span, "an action decides nothing", expected, f"say `{name};` in the rule")
        elif isinstance(node, Call) and is_change(canonical(node.name.text)):
            hint = "say route.local_pref.set(200), with the names of the record and its field"
            self._complaints.error(node.span, "only a field of the record that goes out is changed", expected, hint)
        else:
            hint = f"there is no {name} here" if name and not self._expressions.names.has(name) else ""
            self._complaints.error(node.span, "this does nothing", expected, self._stream_hint(node) or hint)
        return None

    def _stream_hint(self, node: Expression) -> str:
        """That a record was to be sent, if a stream is asked for something else."""
        path = path_of(node.subject) if isinstance(node, Call) and node.subject is not None else None
        if path is None or self._names.has(path.parts[0].text) or self._scope.stream(path) is None:
            return ""
        return f"say {path.text}.send({{ ... }})"

    def _change(self, node: Call, target: Field, place: Place) -> Step | None:
        expected = "record.field.set(...) or stream.send({ ... })"
        name = canonical(node.name.text)
        if not is_change(name):
            meant = _OTHER_CHANGES.get(name)
            known = [*dict.fromkeys(change.name for change in CHANGES), "send"]
            hint = f"did you mean {meant}?" if meant else suggestion(name, known)
            self._complaints.error(node.name.span, f"{node.name.text} changes nothing", expected, hint)
            return None
        record = self._expressions.free(target.subject, place)
        if record is None:
            return None
        if not isinstance(record, Input) or not isinstance(record.type, RecordType):
            self._complaints.error(target.span, "only a field of the record that goes out is changed", expected)
            return None
        field = record.type.field(canonical(target.name.text))
        if field is None:
            known = [one.name for one in record.type.fields]
            hint = suggestion(canonical(target.name.text), known)
            self._complaints.error(target.name.span, f"{record.type} has no {target.name.text}", hint=hint)
            return None
        return self._change_of(node, target, record, field, name, place)

    def _change_of(
        self, node: Call, target: Field, record: Input, field: FieldOf, name: str, place: Place
    ) -> Step | None:
        if record.direction is Direction.RX:
            hint = f"say `rx_tx {self._read_name()}: {record.type};` in define to change it"
            self._complaints.error(target.span, "this record is only read", "a record declared with tx or rx_tx", hint)
            return None
        if not field.settable:
            settable = [one.name for one in record.type.fields if one.settable]  # type: ignore[union-attr]
            expected = f"one of {', '.join(settable)}"
            self._complaints.error(target.name.span, f"{field.name} of {record.type} cannot be changed", expected)
            return None
        if field.is_key:
            hint = "it is there from the beginning" if record.direction is Direction.TX else ""
            self._complaints.error(
                target.name.span, f"prefix of {record.type} is the key of the record, which cannot change", hint=hint
            )
            return None
        arguments = self._change_arguments(node, field, name, place)
        if arguments is None:
            return None
        return ChangeField(span=node.span, field=field.name, change=name, arguments=arguments)

    def _read_name(self) -> str:
        record = self._names.comes_in
        return "record" if record is None else record.name

    def _change_arguments(self, node: Call, field: FieldOf, name: str, place: Place) -> tuple[Expr, ...] | None:
        changes = found_changes(field.type, name)
        if not changes or (name == "unset" and not field.optional):
            known = [
                one.name for one in CHANGES if changes_type(one, field.type) and (one.name != "unset" or field.optional)
            ]
            expected = f"one of {', '.join(dict.fromkeys(known))}"
            hint = "did you mean unset?" if "unset" in known and name in ("remove", "clear") else ""
            self._complaints.error(node.name.span, f"{field.name} cannot be changed by {name}", expected, hint)
            return None
        change = next((change for change in changes if len(change.arguments) == len(node.arguments)), None)
        if change is None:
            expected = " or ".join(_shown(one, field.type) for one in changes)
            self._complaints.error(node.name.span, f"{name} is called with {len(node.arguments)} arguments", expected)
            return None
        wanted = [_wanted(declared, field.type) for declared in change.arguments]
        given = [
            self._expressions.lower(argument, place, of) for argument, of in zip(node.arguments, wanted, strict=True)
        ]
        right = tuple(one for one in given if one is not None)
        return right if len(right) == len(given) else None

    # --- streams -------------------------------------------------------------------------------------------------

    def _send(self, node: Expression, place: Place) -> tuple[bool, Step | None]:
        """Whether a record is sent to a stream here, and the step; None if it is wrong."""
        if not isinstance(node, Call) or node.subject is None or node.name.text != "send":
            return False, None
        path = path_of(node.subject)
        if path is None or self._expressions.knows(path.parts[0], place):
            return False, None
        found = self._scope.stream(path)
        if found is None:
            hint = suggestion(path.text, self._scope.names())
            self._complaints.error(path.span, f"there is no output stream {path.text}", "an output stream", hint)
            return True, None
        name, stream = found
        self.streams[name] = stream
        if len(node.arguments) != 1:
            self._complaints.error(node.name.span, "one record is sent at a time", f"{path.text}.send({{ ... }})")
            return True, None
        record = self._sent_record(node.arguments[0], stream, place)
        return True, None if record is None else Send(span=node.span, stream=name, record=record)

    def _sent_record(self, node: Expression, stream: StreamType, place: Place) -> Expr | None:
        if stream.record.fields:
            return self._expressions.lower(node, place, stream.record)
        found = self._expressions.free(node, place)
        if found is None or isinstance(found.type, RecordType):
            return found
        self._complaints.error(node.span, f"this is {found.type}", "a record, { name: value }")
        return None


def decides(step: Step) -> bool:
    """Whether nothing behind the step is ever reached."""
    match step:
        case Decide():
            return True
        case When(then=then, otherwise=otherwise):
            return ends(then) and ends(otherwise)
        case InAction(steps=steps):
            return ends(steps)
        case _:
            return False


def ends(steps: Sequence[Step]) -> bool:
    """Whether steps decide in any case."""
    return any(decides(step) for step in steps)


def _wanted(declared: Type | str, field: Type) -> Type:
    found = field if declared == types.ANY else actual(declared, field)
    assert found is not None
    return found


def _shown(change: Change, field: Type) -> str:
    return f"{change.name}({', '.join(str(_wanted(declared, field)) for declared in change.arguments)})"
