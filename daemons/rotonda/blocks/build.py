"""From what the grammar finds to the syntax tree: one method for each rule, with what the rule keeps as arguments."""

# ruff: noqa: D102 - a method is what the rule of its name in the grammar means

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rotonda.blocks import syntax
from rotonda.blocks.lexer import Token
from rotonda.blocks.places import Span
from rotonda.blocks.syntax import Operator, Quantifier, RangeKind

T = TypeVar("T")
Item = syntax.Item
Block = syntax.Block


def _only(items: Sequence[Any], kind: type[T]) -> tuple[T, ...]:
    return tuple(item for item in items if isinstance(item, kind))


def name(token: Token) -> syntax.Name:
    """The name that a word is."""
    return syntax.Name(span=Span(token.start, token.end), text=token.text)


def _name(token: Token | None) -> syntax.Name | None:
    return None if token is None else name(token)


class Builder:
    """Makes nodes; what stands twice where it may stand once is told.

    Blocks with a place in them that could not be read are left out; their names are kept in `broken`.
    """

    def __init__(self, complain: Callable[[Span, str, str, str], None], is_broken: Callable[[Span], bool]) -> None:
        self._complain = complain
        self._is_broken = is_broken
        self.broken: list[str] = []

    # --- blocks ------------------------------------------------------------------------------------------------------

    def start(self, span: Span, *items: Item) -> syntax.File:
        whole = self._whole(items)
        return syntax.File(span=span, items=whole, broken=tuple(dict.fromkeys(self.broken)))

    def module(self, span: Span, name_: Token, arguments: tuple[syntax.Binding, ...] | None, *items: Item) -> Item:
        return syntax.Module(span=span, name=name(name_), arguments=arguments or (), items=self._whole(items))

    def block(
        self, span: Span, kind: Token, name_: Token, type_: Token | None, config: syntax.Config | None
    ) -> syntax.Block:
        block_kind = syntax.BlockKind(kind.text)
        return Block(span=span, kind=block_kind, name=name(name_), type=_name(type_), config=config)

    def stream_of(self, span: Span, _: Token, name_: Token, type_: Token, record: syntax.Record) -> syntax.Block:
        kind, contains = syntax.BlockKind.STREAM, self.typed_record(Span(type_.start, record.span.end), type_, record)
        return Block(span=span, kind=kind, name=name(name_), type=None, config=None, contains=contains)

    def config_here(self, span: Span, name_: Token, record: syntax.Record) -> syntax.Config:
        return syntax.Config(span=span, name=name(name_), record=record, reference=None)

    def config_elsewhere(self, span: Span, path: syntax.Path) -> syntax.Config:
        return syntax.Config(span=span, name=None, record=None, reference=path)

    def type_definition(self, span: Span, name_: Token, record: syntax.Record) -> Item:
        return syntax.TypeDefinition(span=span, name=name(name_), record=record)

    def assignment(self, span: Span, name_: Token, value: syntax.Expression) -> syntax.Assignment:
        return syntax.Assignment(span=span, name=name(name_), value=value)

    def _whole(self, items: Sequence[Item]) -> tuple[Item, ...]:
        whole = []
        for item in items:
            if isinstance(item, syntax.Module) or not self._is_broken(item.span):
                whole.append(item)
            else:
                self.broken.append(item.name.text)
        return tuple(whole)

    # --- filters -----------------------------------------------------------------------------------------------------

    def filter(
        self,
        span: Span,
        keyword: Token,
        name_: Token,
        type_: Token | None,
        subject: syntax.Binding | None,
        arguments: tuple[syntax.Binding, ...] | None,
        *sections: syntax.Define | syntax.Term | syntax.Action | syntax.Apply,
    ) -> syntax.Filter:
        return syntax.Filter(
            span=span,
            keyword=keyword.text,
            name=name(name_),
            type=_name(type_),
            subject=subject,
            arguments=arguments or (),
            define=self._one(_only(sections, syntax.Define), "define"),
            terms=_only(sections, syntax.Term),
            actions=_only(sections, syntax.Action),
            apply=self._one(_only(sections, syntax.Apply), "apply"),
        )

    def _one(self, found: tuple[T, ...], word: str) -> T | None:
        for other in found[1:]:
            start = other.span.start  # type: ignore[attr-defined]
            self._complain(Span(start, start + len(word)), f"a filter has one '{word}' only", "", "put them together")
        return found[0] if found else None

    def _some(self, span: Span, found: tuple[T, ...], what: str) -> tuple[T, ...]:
        """What is there, which must not be nothing; that is told at the bracket that closes."""
        if not found and not self._is_broken(span):
            self._complain(Span(span.end - 1, span.end), f"{what} is missing here", what, "")
        return found

    def subject(self, _: Span, binding: syntax.Binding) -> syntax.Binding:
        return binding

    def arguments(self, _: Span, *bindings: syntax.Binding) -> tuple[syntax.Binding, ...]:
        return bindings

    def binding(self, span: Span, name_: Token, type_: syntax.TypeReference) -> syntax.Binding:
        return syntax.Binding(span=span, name=name(name_), type=type_)

    def one_of(self, span: Span, name_: Token) -> syntax.TypeReference:
        return syntax.TypeReference(span=span, name=name(name_))

    def list_of(self, span: Span, name_: Token) -> syntax.TypeReference:
        return syntax.TypeReference(span=span, name=name(name_), is_list=True)

    def define(
        self,
        span: Span,
        subject: syntax.Binding | None,
        arguments: tuple[syntax.Binding, ...] | None,
        *declarations: syntax.Io | syntax.Use | syntax.Assignment,
    ) -> syntax.Define:
        return syntax.Define(span=span, subject=subject, arguments=arguments or (), declarations=declarations)

    def io(self, span: Span, direction: Token, binding: syntax.Binding) -> syntax.Io:
        return syntax.Io(span=span, direction=syntax.Direction(direction.text), binding=binding)

    def use(self, span: Span, source: syntax.Path, alias: Token | None) -> syntax.Use:
        return syntax.Use(span=span, source=source, alias=_name(alias))

    def term(
        self,
        span: Span,
        name_: Token,
        subject: syntax.Binding | None,
        arguments: tuple[syntax.Binding, ...] | None,
        *bodies: syntax.Conditions | syntax.ByVariant,
    ) -> syntax.Term:
        return syntax.Term(
            span=span,
            name=name(name_),
            subject=subject,
            arguments=arguments or (),
            bodies=self._some(span, bodies, "a 'match'"),
        )

    def quantifier(self, _: Span, word: Token) -> Quantifier:
        return Quantifier(word.text)

    def conditions(self, span: Span, quantifier: Quantifier, *conditions: syntax.Expression) -> syntax.Conditions:
        return syntax.Conditions(
            span=span, quantifier=quantifier, conditions=self._some(span, conditions, "a condition")
        )

    def by_variant(self, span: Span, subject: syntax.Path, *cases: syntax.VariantConditions) -> syntax.ByVariant:
        return syntax.ByVariant(span=span, subject=subject, cases=self._some(span, cases, "a variant"))

    def variant_conditions(
        self, span: Span, variant: syntax.Variant, *conditions: syntax.Expression
    ) -> syntax.VariantConditions:
        return syntax.VariantConditions(span=span, variant=variant, conditions=conditions)

    def variant(self, span: Span, name_: Token, binding: Token | None) -> syntax.Variant:
        return syntax.Variant(span=span, name=name(name_), binding=_name(binding))

    def any_variant(self, span: Span) -> syntax.Variant:
        return syntax.Variant(span=span, name=None, binding=None)

    def action(
        self,
        span: Span,
        name_: Token,
        subject: syntax.Binding | None,
        arguments: tuple[syntax.Binding, ...] | None,
        *statements: syntax.Expression | syntax.Assignment,
    ) -> syntax.Action:
        return syntax.Action(
            span=span, name=name(name_), subject=subject, arguments=arguments or (), statements=statements
        )

    def apply(
        self,
        span: Span,
        subject: syntax.Binding | None,
        arguments: tuple[syntax.Binding, ...] | None,
        *steps: syntax.Rule | syntax.VariantRule | syntax.Verdict | syntax.Do,
    ) -> syntax.Apply:
        return syntax.Apply(span=span, subject=subject, arguments=arguments or (), steps=steps)

    def rule(
        self, span: Span, quantifier: Quantifier, condition: syntax.Expression, *branches: syntax.Branch
    ) -> syntax.Rule:
        return syntax.Rule(
            span=span, quantifier=quantifier, condition=condition, branches=self._some(span, branches, "'matching'")
        )

    def branch(self, span: Span, negated: Token | None, *steps: syntax.Verdict | syntax.Do) -> syntax.Branch:
        return syntax.Branch(span=span, matching=negated is None, steps=steps)

    def variant_rule(self, span: Span, subject: syntax.Path, *cases: syntax.VariantSteps) -> syntax.VariantRule:
        return syntax.VariantRule(span=span, subject=subject, cases=self._some(span, cases, "a variant"))

    def variant_steps(
        self,
        span: Span,
        variant: syntax.Variant,
        guard: syntax.Expression | None,
        *steps: syntax.Verdict | syntax.Do,
    ) -> syntax.VariantSteps:
        return syntax.VariantSteps(span=span, variant=variant, guard=guard, steps=steps)

    def verdict(self, span: Span, returns: Token | None, word: Token) -> syntax.Verdict:
        return syntax.Verdict(span=span, accept=word.text == "accept", returns=returns is not None)

    def do(self, span: Span, expression: syntax.Expression) -> syntax.Do:
        return syntax.Do(span=span, expression=expression)

    # --- expressions -------------------------------------------------------------------------------------------------

    def either(self, span: Span, left: syntax.Expression, right: syntax.Expression) -> syntax.Binary:
        return syntax.Binary(span=span, operator=Operator.OR, left=left, right=right)

    def both(self, span: Span, left: syntax.Expression, right: syntax.Expression) -> syntax.Binary:
        return syntax.Binary(span=span, operator=Operator.AND, left=left, right=right)

    def negated(self, span: Span, operand: syntax.Expression) -> syntax.Not:
        return syntax.Not(span=span, operand=operand)

    def comparison(self, _: Span, sign: Token) -> Operator:
        return Operator(sign.kind)

    def compared(
        self, span: Span, left: syntax.Expression, operator: Operator, right: syntax.Expression
    ) -> syntax.Binary:
        return syntax.Binary(span=span, operator=operator, left=left, right=right)

    def member(self, span: Span, left: syntax.Expression, right: syntax.Expression) -> syntax.Binary:
        return syntax.Binary(span=span, operator=Operator.IN, left=left, right=right)

    def not_member(self, span: Span, left: syntax.Expression, _: Token, right: syntax.Expression) -> syntax.Binary:
        return syntax.Binary(span=span, operator=Operator.NOT_IN, left=left, right=right)

    def field(self, span: Span, subject: syntax.Expression, name_: Token) -> syntax.Field:
        return syntax.Field(span=span, subject=subject, name=name(name_))

    def call(self, span: Span, subject: syntax.Expression, name_: Token, *values: syntax.Expression) -> syntax.Call:
        return syntax.Call(span=span, subject=subject, name=name(name_), arguments=values)

    def local_call(self, span: Span, name_: Token, *values: syntax.Expression) -> syntax.Call:
        return syntax.Call(span=span, subject=None, name=name(name_), arguments=values)

    def name(self, span: Span, name_: Token) -> syntax.Reference:
        return syntax.Reference(span=span, name=name(name_))

    def constant(self, span: Span, name_: Token) -> syntax.Constant:
        return syntax.Constant(span=span, name=name(name_))

    def construct(self, span: Span, name_: Token, *values: syntax.Expression) -> syntax.Construct:
        return syntax.Construct(span=span, name=name(name_), arguments=values)

    def typed_record(self, span: Span, name_: Token, record: syntax.Record) -> syntax.Record:
        return syntax.Record(span=span, fields=record.fields, type=name(name_))

    def type_field(self, span: Span, type_: Token, field: Token) -> syntax.TypeField:
        return syntax.TypeField(span=span, type=name(type_), field=name(field))

    def list_value(self, span: Span, *items: syntax.Expression) -> syntax.List:
        return syntax.List(span=span, items=items)

    def tuple_value(self, span: Span, *items: syntax.Expression) -> syntax.Tuple:
        return syntax.Tuple(span=span, items=items)

    def chain(self, span: Span, *items: syntax.Expression) -> syntax.Chain:
        return syntax.Chain(span=span, items=items)

    def parenthesised(self, span: Span, inner: syntax.Expression) -> syntax.Expression:
        if isinstance(inner, syntax.Binary):
            return syntax.Binary(
                span=span, operator=inner.operator, left=inner.left, right=inner.right, parenthesised=True
            )
        return inner

    def record(self, span: Span, *fields: syntax.RecordField) -> syntax.Record:
        return syntax.Record(span=span, fields=fields)

    def setting(self, span: Span, name_: Token, value: syntax.Expression) -> syntax.RecordField:
        return syntax.RecordField(span=span, name=name(name_), value=value)

    def path(self, span: Span, *parts: Token) -> syntax.Path:
        return syntax.Path(span=span, parts=tuple(name(part) for part in parts))

    def literal(self, span: Span, token: Token) -> syntax.Literal:
        if token.literal is None:
            return syntax.Literal(span=span, kind=syntax.LiteralKind.BOOL, value=token.text == "true", text=token.text)
        kind, value = token.literal
        return syntax.Literal(span=span, kind=kind, value=value, text=token.text)

    def length(self, span: Span, token: Token) -> int:
        assert token.literal is not None
        value = int(token.literal[1])  # type: ignore[arg-type]
        if value > 128:
            self._complain(span, f"{token.text} is too large for the length of a prefix", "at most 128", "")
        return value

    def range_of(self, span: Span, prefix: syntax.Literal, word: Token) -> syntax.PrefixRange:
        return syntax.PrefixRange(span=span, prefix=prefix, kind=RangeKind(word.text))

    def range_to(self, span: Span, prefix: syntax.Literal, word: Token, high: int) -> syntax.PrefixRange:
        return syntax.PrefixRange(span=span, prefix=prefix, kind=RangeKind(word.text), high=high)

    def range_through(
        self, span: Span, prefix: syntax.Literal, _: Token, through: syntax.Literal
    ) -> syntax.PrefixRange:
        return syntax.PrefixRange(span=span, prefix=prefix, kind=RangeKind.THROUGH, through=through)

    def range_between(self, span: Span, prefix: syntax.Literal, low: int, high: int) -> syntax.PrefixRange:
        return syntax.PrefixRange(span=span, prefix=prefix, kind=RangeKind.LENGTHS, low=low, high=high)

    def range_netmask(self, span: Span, prefix: syntax.Literal, netmask: syntax.Literal) -> syntax.PrefixRange:
        return syntax.PrefixRange(span=span, prefix=prefix, kind=RangeKind.NETMASK, netmask=netmask)
