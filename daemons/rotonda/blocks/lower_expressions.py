"""Expressions of filters, from the syntax tree to `typed`.

An expression that is wrong becomes None after one complaint, and nothing more is said of what it stands in. `wanted` is
the type that a place has in mind: it decides which constant or record is meant, and `lower` makes the value fit it.
"""

from __future__ import annotations

from rotonda.blocks import types
from rotonda.blocks.diagnostics import Complaints, suggestion
from rotonda.blocks.lower_calls import Calls
from rotonda.blocks.lower_comparing import compared, is_bare, member
from rotonda.blocks.lower_context import Names, Place
from rotonda.blocks.lower_fitting import Misfit, fitted
from rotonda.blocks.lower_hints import meant_by_name
from rotonda.blocks.lower_literals import community, constant, duration, enumerated, literal, prefix_range
from rotonda.blocks.lower_made import Makers
from rotonda.blocks.lower_methods import fields_of
from rotonda.blocks.lower_terms import Terms
from rotonda.blocks.lower_walk import Measures
from rotonda.blocks.places import Span
from rotonda.blocks.scope import Scope
from rotonda.blocks.syntax import (
    Binary,
    Call,
    Constant,
    Construct,
    Direction,
    Expression,
    Field,
    List,
    Literal,
    Name,
    Not,
    Operator,
    Path,
    PrefixRange,
    Record,
    Reference,
    Tuple,
    TypeField,
    TypeReference,
    canonical,
)
from rotonda.blocks.typed import (
    And,
    Argument,
    Ask,
    Bound,
    Compare,
    Const,
    Expr,
    FilterKind,
    Input,
    Inverse,
    Member,
    Or,
    SourceOf,
)
from rotonda.blocks.types import (
    EnumType,
    ListType,
    SourceType,
    Type,
)

MOST_LEVELS = 64
"""Of expressions within expressions, terms and bindings included."""
MOST_NAMES = 24
"""Of terms and bindings within each other."""
MOST_EXPRESSIONS = 100_000
"""Of a filter, when terms and actions are put where they are called."""

_TOO_MANY_NAMES = f"more than {MOST_NAMES} terms and bindings are made of each other"


class TooLarge(Exception):
    """A filter is larger than any that somebody would write; there was a complaint."""


class Expressions:
    """Lowers the expressions of one filter."""

    def __init__(self, names: Names, scope: Scope, complaints: Complaints) -> None:
        self.names = names
        self.complaints = complaints
        self.measures = Measures()
        self._scope = scope
        self._bindings: dict[str, Expr | None] = {}
        self._values: dict[str, Expr | None] = {}
        self._types: dict[TypeReference, Type | None] = {}
        self._within: list[str] = []
        """Terms, bindings and values of the module that are being lowered, the outermost first."""
        self._levels = 0
        self.terms = Terms(self)
        self.calls = Calls(self, scope)
        self._makers = Makers(self, scope)

    # --- the way in ----------------------------------------------------------------------------------------------

    def lower(self, node: Expression, place: Place, wanted: Type) -> Expr | None:
        """The expression as a value of the type that is wanted."""
        found = self.free(node, place, wanted)
        return None if found is None else self.fit(found, wanted)

    def fit(self, value: Expr, wanted: Type) -> Expr | None:
        """The value as one of that type."""
        found = fitted(value, wanted)
        if isinstance(found, Misfit):
            self.complaints.error(found.span, found.message, found.expected, found.hint)
            return None
        return found

    def condition(self, node: Expression, place: Place, remark: bool = True) -> Expr | None:
        """The expression as a condition; with a remark, if it is the same for all records."""
        found = self.lower(node, place, types.BOOL)
        if found is not None and self.measured(found, node.span) and remark:
            self.complaints.warn(node.span, "this condition is the same for every record")
        return found

    def measured(self, value: Expr, span: Span) -> bool:
        """Whether an expression is constant; it stays small even if its terms and bindings were not shared."""
        levels, size, names, constant = self.measures.of(value)
        if levels > MOST_LEVELS:
            self.too_large(span, f"this is nested more than {MOST_LEVELS} deep, terms and bindings included")
        if names > MOST_NAMES:
            self.too_large(span, _TOO_MANY_NAMES)
        if size > MOST_EXPRESSIONS:
            self.too_large(span, f"this has more than {MOST_EXPRESSIONS} expressions, terms put where they are used")
        return constant

    def free(self, node: Expression, place: Place, wanted: Type | None = None) -> Expr | None:
        """The expression as whatever it is; `wanted` only says which constant or record is meant."""
        if self._levels >= MOST_LEVELS:
            self.too_large(node.span, f"this is nested more than {MOST_LEVELS} deep, terms and bindings included")
        self._levels += 1
        try:
            return self._lowered(node, place, wanted)
        finally:
            self._levels -= 1

    def too_large(self, span: Span, message: str) -> None:
        """Give up."""
        self.complaints.error(span, message)
        raise TooLarge

    def type_of(self, reference: TypeReference) -> Type | None:
        """The type of a binding."""
        if reference not in self._types:
            found = self._scope.type(reference.name)
            self._types[reference] = ListType(found) if found is not None and reference.is_list else found
        return self._types[reference]

    def _lowered(self, node: Expression, place: Place, wanted: Type | None) -> Expr | None:
        match node:
            case Literal():
                return literal(node, self.complaints)
            case Reference(name=name):
                return self.named(name, place)
            case Binary():
                return self._binary(node, place)
            case Not(operand=operand):
                inner = self.condition(operand, place, remark=False)
                return None if inner is None else Inverse(span=node.span, type=types.BOOL, operand=inner)
            case Field():
                return self.calls.field(node, place)
            case Call():
                return self.calls.call(node, place)
            case Constant(name=name):
                return constant(name, wanted, self.complaints)
            case PrefixRange():
                return prefix_range(node, self.complaints)
            case List(items=items) | Tuple(items=items):
                return self._makers.list(node.span, items, place, wanted)
            case Record():
                return self._makers.record(node, place, wanted)
            case Construct():
                return duration(node, self.complaints)
            case TypeField(type=of, field=name):
                return self._type_field(of, name, node.span)
            case _:
                self.complaints.error(node.span, "a path of a graph is no value")
                return None

    def _type_field(self, of: Name, name: Name, span: Span) -> Expr | None:
        found = types.BUILT_IN.get(of.text)
        if isinstance(found, EnumType):
            return enumerated(found, name, span, self.complaints)
        if found == types.COMMUNITY:
            return community(name, span, self.complaints)
        hint = f"a field of a record is written record.{canonical(name.text)}"
        self.complaints.error(
            span, f"{of.text}::{name.text} is a field of a type, and a value is needed here", hint=hint
        )
        return None

    # --- names ---------------------------------------------------------------------------------------------------

    def named(self, name: Name, place: Place) -> Expr | None:
        """What a name stands for."""
        text, names = name.text, self.names
        if text in place.names:
            return self._seen(name, place.names[text], place)
        if place.outside:
            return self._module_value(name, place)
        if text in names.records:
            return self.record(text, name.span, place)
        if text in names.arguments:
            return Argument(span=name.span, type=names.arguments[text], name=text)
        if text in names.sources:
            names.used.add(text)
            full, source = names.sources[text]
            return SourceOf(span=name.span, type=source, name=full)
        if text in names.bindings:
            return self._binding(name)
        if text in names.terms:
            return self.terms.call(name, (), place)
        if text in names.wrong:
            return None
        if text in names.actions:
            names.used.add(text)
            self.complaints.error(
                name.span, f"{text} is an action, and a value is needed here", hint="actions stand in rules"
            )
            return None
        return self._module_value(name, place)

    def _seen(self, name: Name, found: Expr | None, place: Place) -> Expr | None:
        """What a local name stands for; if that is the record of the filter, as it is seen from there."""
        if not isinstance(found, Input) or place.reading is not Direction.RX or found.direction is Direction.RX:
            return found
        meant = next(one.name for one in self.names.records.values() if one.direction is found.direction)
        return self.record(meant, name.span, place)

    def record(self, text: str, span: Span, place: Place) -> Expr | None:
        """The record of this name."""
        record = self.names.records[text]
        if place.reading is Direction.RX and record.direction is Direction.TX:
            self.complaints.error(span, f"{text} is not there yet", hint="bindings are made of what comes in")
            return None
        pure = self.names.kind is FilterKind.PURE or place.reading is Direction.RX
        direction = Direction.RX if pure else record.direction
        return Input(span=span, type=record.type, direction=direction)

    def _module_value(self, name: Name, place: Place) -> Expr | None:
        path = Path(span=name.span, parts=(name,))
        if self._scope.value(path) is None:
            self._unknown(name, place)
            return None
        return self.value_of(path)

    def value_of(self, path: Path) -> Expr | None:
        """What a value of a module stands for, as the module sees it."""
        found = self._scope.value(path)
        assert found is not None
        full, written, scope = found
        name = Name(span=path.span, text=full)
        if full not in self._values:
            if not self.enter(name, "value"):
                return None
            self._values[full] = self._seen_from(scope).free(written, Place(Direction.RX, outside=True))
            self.leave()
        return _used_at(name, self._values[full])

    def is_value(self, path: Path, place: Place) -> bool:
        """Whether a dotted name is that of a value of a module."""
        return not self.knows(path.parts[0], place) and self._scope.value(path) is not None

    def _seen_from(self, scope: Scope) -> Expressions:
        """The same for what stands in another module; a value that is made of itself is found all the same."""
        other = Expressions(Names(FilterKind.PURE), scope, self.complaints)
        other._within, other._values = self._within, self._values
        return other

    def _unknown(self, name: Name, place: Place) -> None:
        text = name.text
        stream = None if place.outside else self._scope.stream(Path(span=name.span, parts=(name,)))
        if stream is not None:
            self.complaints.error(name.span, f"{text} is an output stream", hint=f"say {text}.send(...) in an action")
            return
        seen = list(self._scope.names())
        if text in seen and not place.outside:
            hint = f"to ask a data source, say `use {text};` in define"
            self.complaints.error(name.span, f"{text} is no value", hint=hint)
            return
        own = [] if place.outside else self.names.all()
        hint = meant_by_name(text) or suggestion(text, [*place.names, *own, *seen]) or self._field_hint(text, place)
        self.complaints.error(name.span, f"there is no {text} here", hint=hint)

    def _field_hint(self, text: str, place: Place) -> str:
        """That a field of the record was meant, if it has one of that name."""
        record = None if place.outside else self.names.comes_in
        fields = () if record is None else fields_of(record.type)
        found = next((field.name for field in fields if field.name == canonical(text)), None)
        return "" if found is None or record is None else f"did you mean {record.name}.{found}?"

    def enter(self, name: Name, what: str) -> bool:
        """Begin with what a name stands for, unless it is within itself."""
        if name.text in self._within:
            circle = [*self._within[self._within.index(name.text) :], name.text]
            self.complaints.error(name.span, f"the {what} {name.text} is made of itself: {' -> '.join(circle[:8])}")
            return False
        if len(self._within) >= MOST_NAMES:
            self.too_large(name.span, _TOO_MANY_NAMES)
        self._within.append(name.text)
        return True

    def knows(self, name: Name, place: Place) -> bool:
        """Whether the name is one of the filter."""
        return name.text in place.names or (not place.outside and self.names.has(name.text))

    def leave(self) -> None:
        """Done with the innermost of these."""
        self._within.pop()

    def binding(self, text: str) -> Expr | None:
        """What a binding of `define` stands for."""
        if text not in self._bindings:
            assignment = self.names.bindings[text]
            if not self.enter(assignment.name, "binding"):
                return None
            value = self.free(assignment.value, Place(Direction.RX))
            self.leave()
            self._bindings[text] = None if value is None else self.bound(assignment.name, value)
        return self._bindings[text]

    def bound(self, name: Name, value: Expr) -> Expr:
        """A value with a name; a constant needs none."""
        self.measured(value, name.span)
        if isinstance(value, Const):
            return value
        return Bound(span=name.span, type=value.type, name=name.text, value=value)

    def _binding(self, name: Name) -> Expr | None:
        self.names.used.add(name.text)
        if name.text in self._within:  # told with the place where it closes the circle
            self.enter(name, "binding")
            return None
        return _used_at(name, self.binding(name.text))

    # --- operators -----------------------------------------------------------------------------------------------

    def _binary(self, node: Binary, place: Place) -> Expr | None:
        if node.operator in (Operator.AND, Operator.OR):
            return self._junction(node, place)
        if node.operator in (Operator.IN, Operator.NOT_IN):
            return self._member(node, place)
        return self._compare(node, place)

    def _junction(self, node: Binary, place: Place) -> Expr | None:
        found: list[Expr | None] = []
        for part in _operands(node):
            if isinstance(part, Binary) and part.operator is Operator.AND and not part.parenthesised:
                hint = "put parentheses around what belongs together"
                self.complaints.warn(node.span, "&& and || are mixed without parentheses", hint)
            found.append(self.condition(part, place, remark=False))
        parts = tuple(part for part in found if part is not None)
        if len(parts) < len(found):
            return None
        made = And if node.operator is Operator.AND else Or
        return made(span=node.span, type=types.BOOL, parts=parts)

    def _compare(self, node: Binary, place: Place) -> Expr | None:
        turned = is_bare(node.left) and not is_bare(node.right)
        first = self.free(node.right if turned else node.left, place)
        second_node = node.left if turned else node.right
        if first is None:
            if not is_bare(second_node):
                self.free(second_node, place)
            return None
        second = self.free(second_node, place, first.type)
        if second is None:
            return None
        found = compared(node, second if turned else first, first if turned else second)
        if isinstance(found, Misfit):
            self.complaints.error(found.span, found.message, found.expected, found.hint)
            return None
        left, right = found
        return Compare(span=node.span, type=types.BOOL, operator=node.operator, left=left, right=right)

    def _member(self, node: Binary, place: Place) -> Expr | None:
        if is_bare(node.left):
            within = self.free(node.right, place)
            hint = within.type.item if within is not None and isinstance(within.type, ListType) else None
            item = self.free(node.left, place, hint) if within is not None else None
        else:
            item = self.free(node.left, place)
            within = self.free(node.right, place, None if item is None else ListType(item.type))
        if item is None or within is None:
            return None
        negated = node.operator is Operator.NOT_IN
        if isinstance(within.type, SourceType):
            return self._in_source(node, item, within, negated)
        found = member(node, item, within)
        if isinstance(found, Misfit):
            self.complaints.error(found.span, found.message, found.expected, found.hint)
            return None
        item, within = found
        return Member(span=node.span, type=types.BOOL, item=item, within=within, negated=negated)

    def _in_source(self, node: Binary, item: Expr, within: Expr, negated: bool) -> Expr | None:
        key = self.calls.key(item, within)
        if key is None:
            return None
        asked = Ask(span=node.span, type=types.BOOL, subject=within, method="Source.contains", arguments=(key,))
        return Inverse(span=node.span, type=types.BOOL, operand=asked) if negated else asked


def _used_at(name: Name, value: Expr | None) -> Expr | None:
    """The value of a name; a constant as if it stood there itself."""
    return Const(span=name.span, type=value.type, value=value.value) if isinstance(value, Const) else value


def _operands(node: Binary) -> list[Expression]:
    """`a && b && c` as three, however they are grouped."""
    found: list[Expression] = []
    pending: list[Expression] = [node]
    while pending:
        one = pending.pop()
        if isinstance(one, Binary) and one.operator is node.operator:
            pending += (one.right, one.left)
        else:
            found.append(one)
    return found
