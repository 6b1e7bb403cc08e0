"""Terms where they are used, and the variants that a value may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rotonda.blocks import types
from rotonda.blocks.diagnostics import suggestion
from rotonda.blocks.lower_context import Place, count
from rotonda.blocks.lower_fitting import same
from rotonda.blocks.places import Span
from rotonda.blocks.syntax import (
    Binding,
    ByVariant,
    Conditions,
    Direction,
    Expression,
    Field,
    Name,
    Path,
    Quantifier,
    Reference,
    Term,
    TypeReference,
    Variant,
)
from rotonda.blocks.typed import And, Argument, ExactlyOne, Expr, Inverse, IsVariant, Named, Or, VariantValue
from rotonda.blocks.types import ListType, SumType

if TYPE_CHECKING:
    from rotonda.blocks.lower_expressions import Expressions

MOST_CALLS = 4_000
"""Of terms with arguments in one filter, those within other terms counted wherever they are put."""
_ANYWHERE = Place(Direction.RX_TX)


class Terms:
    """Puts the terms of one filter where they are called."""

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions
        self._names = expressions.names
        self._complaints = expressions.complaints
        self._bodies: dict[tuple[object, ...], tuple[Expr | None, tuple[Expr | None, ...]]] = {}
        self._own: dict[tuple[Span, Direction], Expr | None] = {}
        self._copied = 0

    def check(self, term: Term) -> None:
        """Complain about what is wrong in a term, whoever calls it."""
        names = self.parameters(term.subject, term.arguments)
        if self._expressions.enter(term.name, "term"):
            self._bodies_of(term, _ANYWHERE.knowing(names), remark=True)
            self._expressions.leave()

    def parameters(self, subject: Binding | None, arguments: Sequence[Binding]) -> dict[str, Expr | None]:
        """Stand-ins for what a term or an action is called with."""
        names: dict[str, Expr | None] = {}
        for binding in (*(() if subject is None else (subject,)), *arguments):
            if binding.name.text in names:
                self._complaints.error(binding.name.span, f"there is a {binding.name.text} already")
            found = self._expressions.type_of(binding.type)
            if binding is subject and isinstance(found, ListType):
                found = found.item
            stand_in = found and Argument(span=binding.span, type=found, name=binding.name.text)
            own = None if subject is None or binding is not subject else self._own_record(subject, _ANYWHERE)
            names[binding.name.text] = own or stand_in or None
        return names

    def _own_record(self, subject: Binding, place: Place) -> Expr | None:
        """The record of the filter that a subject names, if it is of that type; the one that may be changed first."""
        key = subject.span, place.reading
        if key not in self._own:
            wanted, names = self._expressions.type_of(subject.type), self._names
            known = (names.comes_in,) if place.reading is Direction.RX else (names.goes_out, names.comes_in)
            meant = next(
                (one for one in known if one is not None and wanted is not None and same(one.type, wanted)), None
            )
            self._own[key] = None if meant is None else self._expressions.record(meant.name, subject.span, place)
        return self._own[key]

    def call(self, name: Name, arguments: Sequence[Expression], place: Place) -> Expr | None:
        """A term where it is used."""
        self._names.used.add(name.text)
        term = self._names.terms[name.text]
        if term.subject is not None and isinstance(self._expressions.type_of(term.subject.type), ListType):
            self._complaints.error(
                name.span, f"{name.text} is about one of a list", "a rule with some, all or exactly-one"
            )
            return None
        given = self.given(name, term.subject, term.arguments, arguments, place)
        return None if given is None else self.called(name, given, place)

    def called(self, name: Name, given: dict[str, Expr | None], place: Place) -> Expr | None:
        """A term with what it is called with."""
        term = self._names.terms[name.text]
        key = (name.text, place.reading, *map(id, given.values()))
        if key not in self._bodies:
            if not self._expressions.enter(name, "term"):
                return None
            self._copied += 1
            if self._copied > MOST_CALLS:
                self._expressions.too_large(name.span, "terms call terms too often")
            found = self._bodies_of(term, Place(place.reading, given), remark=False)
            self._expressions.leave()
            self._bodies[key] = found, tuple(given.values())
        body = self._bodies[key][0]
        return None if body is None else Named(span=name.span, type=types.BOOL, name=name.text, value=body)

    def given(
        self,
        name: Name,
        subject: Binding | None,
        declared: Sequence[Binding],
        arguments: Sequence[Expression],
        place: Place,
        subject_place: Place | None = None,
    ) -> dict[str, Expr | None] | None:
        """What the names within a term or an action stand for when it is called so."""
        bindings = list(declared)
        names: dict[str, Expr | None] = {}
        if subject is not None:
            own = self._own_record(subject, subject_place or place)
            if own is not None and len(arguments) != len(declared) + 1:
                names[subject.name.text] = own
            else:
                bindings.insert(0, subject)
        if len(arguments) != len(bindings):
            expected = ", ".join(f"{one.name.text}: {_written(one.type)}" for one in bindings) or "nothing"
            message = f"{name.text} is called with {count(len(arguments))}"
            self._complaints.error(name.span, message, f"{count(len(bindings))}: {expected}" if bindings else expected)
            return None
        for binding, argument in zip(bindings, arguments, strict=True):
            wanted = self._expressions.type_of(binding.type)
            names[binding.name.text] = None if wanted is None else self._expressions.lower(argument, place, wanted)
        return None if None in names.values() else names

    def _bodies_of(self, term: Term, place: Place, remark: bool) -> Expr | None:
        found = [
            self._conditions(body.quantifier, body.conditions, body.span, place, remark)
            if isinstance(body, Conditions)
            else self._by_variant(body, place)
            for body in term.bodies
        ]
        if not found:
            self._complaints.error(term.name.span, f"the term {term.name.text} asks nothing", "match { ... }")
        return all_of(term.span, found)

    def _conditions(
        self, quantifier: Quantifier, nodes: Sequence[Expression], span: Span, place: Place, remark: bool
    ) -> Expr | None:
        if not nodes:
            self._complaints.error(span, "there is no condition here", "conditions, each with a `;` behind it")
        found = [self._expressions.condition(node, place, remark) for node in nodes]
        parts = tuple(part for part in found if part is not None)
        if not parts or len(parts) < len(found):
            return None
        if len(parts) == 1:
            return parts[0]
        if quantifier is Quantifier.SOME:
            return Or(span=span, type=types.BOOL, parts=parts)
        if quantifier is Quantifier.EXACTLY_ONE:
            return ExactlyOne(span=span, type=types.BOOL, parts=parts)
        return And(span=span, type=types.BOOL, parts=parts)

    # --- variants ------------------------------------------------------------------------------------------------

    def sum_value(self, path: Path, place: Place) -> tuple[Expr, SumType] | None:
        """The value whose variants are asked for."""
        node: Expression = Reference(span=path.parts[0].span, name=path.parts[0])
        for part in path.parts[1:]:
            node = Field(span=path.span, subject=node, name=part)
        found = self._expressions.free(node, place)
        if found is None or isinstance(found.type, SumType):
            return None if found is None else (found, found.type)  # type: ignore[return-value]
        self._complaints.error(path.span, f"{path.text} is {found.type}, which has no variants", "a BmpMessage")
        return None

    def variant(
        self, variant: Variant, subject: Expr, of: SumType, place: Place, listed: set[str], repeats: bool = False
    ) -> tuple[Expr | None, Place] | None:
        """Whether the value is this variant (None for `_`), and the place where its name is known; None if wrong."""
        if "_" in listed:
            self._complaints.warn(variant.span, "this is never reached", "`_` stands for everything: put it last")
        if variant.name is None:
            listed.add("_")
            names = {} if variant.binding is None else {variant.binding.text: subject}
            return None, place.knowing(names)
        name = variant.name.text
        known = of.variant(name)
        if known is None:
            expected, hint = f"a variant of {of}", suggestion(name, [one.name for one in of.variants])
            self._complaints.error(variant.name.span, f"{of} has no variant {name}", expected, hint)
            return None
        if name in listed and not repeats:
            self._complaints.error(variant.name.span, f"{name} is listed twice")
        listed.add(name)
        value = VariantValue(span=variant.span, type=known.type, subject=subject, variant=name)
        bound = {} if variant.binding is None else {variant.binding.text: value}
        return IsVariant(span=variant.span, type=types.BOOL, subject=subject, variant=name), place.knowing(bound)

    def _by_variant(self, body: ByVariant, place: Place) -> Expr | None:
        of = self.sum_value(body.subject, place)
        if of is None:
            return None
        subject, sum_type = of
        listed: set[str] = set()
        cases: list[Expr | None] = []
        asked: list[Expr] = []
        for case in body.cases:
            found = self.variant(case.variant, subject, sum_type, place, listed)
            if found is None:
                cases.append(None)
                continue
            is_variant, inside = found
            conditions = self._conditions(Quantifier.MATCH, case.conditions, case.span, inside, remark=False)
            if is_variant is None:
                others = [Inverse(span=one.span, type=types.BOOL, operand=one) for one in asked]
                cases.append(all_of(case.span, [*others, conditions]))
            else:
                asked.append(is_variant)
                cases.append(all_of(case.span, [is_variant, conditions]))
        if not cases or None in cases:
            return None
        parts = tuple(case for case in cases if case is not None)
        return parts[0] if len(parts) == 1 else Or(span=body.span, type=types.BOOL, parts=parts)


def all_of(span: Span, found: Sequence[Expr | None]) -> Expr | None:
    """All of these conditions; None if one is wrong."""
    parts = tuple(part for part in found if part is not None)
    if not parts or len(parts) < len(found):
        return None
    return parts[0] if len(parts) == 1 else And(span=span, type=types.BOOL, parts=parts)


def _written(reference: TypeReference) -> str:
    return f"[{reference.name.text}]" if reference.is_list else reference.name.text
