"""What is asked of values: fields, methods, and functions of types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rotonda.blocks import types
from rotonda.blocks.diagnostics import suggestion
from rotonda.blocks.lower_context import Place, count
from rotonda.blocks.lower_fitting import Misfit, described, fitted
from rotonda.blocks.lower_hints import meant_by_function, meant_by_member
from rotonda.blocks.lower_methods import (
    actual,
    fields_of,
    found_function,
    found_method,
    functions_of,
    is_change,
    methods_of,
)
from rotonda.blocks.names import path_of
from rotonda.blocks.places import Span
from rotonda.blocks.scope import Scope
from rotonda.blocks.syntax import Call, Constant, Direction, Expression, Field, Name, Path, canonical
from rotonda.blocks.typed import Apply, Ask, Const, Expr, GetField, Input
from rotonda.blocks.types import FieldOf, FoundType, Method, SourceType, StreamType, SumType, Type

if TYPE_CHECKING:
    from rotonda.blocks.lower_expressions import Expressions


class Calls:
    """Looks up what is asked in one filter."""

    def __init__(self, expressions: Expressions, scope: Scope) -> None:
        self._expressions = expressions
        self._names = expressions.names
        self._complaints = expressions.complaints
        self._scope = scope

    def field(self, node: Field, place: Place) -> Expr | None:
        """A field, or a method without arguments; or a value of a module, by its dotted name."""
        path = path_of(node)
        if path is not None and self._expressions.is_value(path, place):
            return self._expressions.value_of(path)
        if path is not None and self._is_in_module(path, place):
            hint = suggestion(path.text, self._scope.names())
            self._complaints.error(path.span, f"there is no {path.text}", "a value of a module", hint)
            return None
        subject = self._subject(node.subject, node, place)
        if subject is None:
            return None
        name = canonical(node.name.text)
        field = next((field for field in fields_of(subject.type) if field.name == name), None)
        if field is not None:
            return self._get(node.span, subject, field)
        method = found_method(subject.type, name)
        if method is not None and not method.arguments:
            return self._ask(node, subject, method, (), place)
        self._no_field(node.name, subject, method)
        return None

    def _is_in_module(self, path: Path, place: Place) -> bool:
        """Whether a dotted name that nobody knows begins with a module."""
        if self._expressions.knows(path.parts[0], place) or self._scope.stream(path) is not None:
            return False
        begins = [Path(span=path.span, parts=path.parts[:size]) for size in range(1, len(path.parts))]
        if any(self._scope.value(begin) or self._scope.stream(begin) for begin in begins):
            return False
        return any(name.startswith(path.parts[0].text + ".") for name in self._scope.names())

    def _subject(self, node: Expression, whole: Field | Call, place: Place) -> Expr | None:
        """What is asked; a stream is not."""
        path = path_of(node)
        if path is None or self._expressions.knows(path.parts[0], place) or self._scope.stream(path) is None:
            return self._expressions.free(node, place)
        hint = f"say {path.text}.send({{ ... }}) in an action"
        self._complaints.error(whole.span, f"{path.text} is an output stream", hint=hint)
        return None

    def _get(self, span: Span, subject: Expr, field: FieldOf) -> Expr:
        unset = isinstance(subject, Input) and subject.direction is Direction.TX
        optional = field.optional or (unset and field.name != "prefix")
        return GetField(span=span, type=field.type, subject=subject, field=field.name, optional=optional)

    def _no_field(self, name: Name, subject: Expr, method: Method | None) -> None:
        text = name.text
        if method is not None:
            expected = ", ".join(_shown(one) for one in method.arguments)
            self._complaints.error(name.span, f"{text} is a method", f"{text}({expected})")
            return
        if is_change(text):
            hint = "fields are changed in actions, one change a statement"
            self._complaints.error(name.span, f"{text} changes a field, and a value is needed here", hint=hint)
            return
        known = [field.name for field in fields_of(subject.type)] + [one.name for one in methods_of(subject.type)]
        match subject.type:
            case SumType():
                hint = suggestion(text, known) or "ask first which variant it is: match ... with { Variant(x) -> ... }"
            case FoundType(record=record) if record.field(canonical(text)) is not None:
                hint = f"ask one of the records: .first().{text}"
            case _:
                hint = meant_by_member(subject.type, text) or suggestion(canonical(text), known)
        self._complaints.error(name.span, f"{subject.type} has no {text}", hint=hint)

    def call(self, node: Call, place: Place) -> Expr | None:
        """A method, a function of a type, or a term."""
        if node.subject is None:
            return self._called_name(node, place)
        if isinstance(node.subject, Constant):
            return self._function(node, node.subject.name, place)
        subject = self._subject(node.subject, node, place)
        if subject is None:
            return None
        name = canonical(node.name.text)
        method = found_method(subject.type, name)
        if method is not None:
            return self._ask(node, subject, method, node.arguments, place)
        if any(field.name == name for field in fields_of(subject.type)):
            self._complaints.error(node.name.span, f"{node.name.text} is a field", hint="write it without ()")
        else:
            self._no_field(node.name, subject, None)
        return None

    def _called_name(self, node: Call, place: Place) -> Expr | None:
        text = node.name.text
        if text in self._names.terms and text not in place.names and not place.outside:
            return self._expressions.terms.call(node.name, node.arguments, place)
        hint = "" if self._expressions.knows(node.name, place) else meant_by_function(text)
        if hint and self._scope.value(Path(span=node.name.span, parts=(node.name,))) is None:
            self._complaints.error(node.name.span, f"there is no term {text}", "a term of this filter", hint)
            return None
        if self._expressions.named(node.name, place) is not None:
            self._complaints.error(node.span, f"{text} cannot be called", "a term of this filter")
        return None

    def _ask(
        self, node: Field | Call, subject: Expr, method: Method, arguments: Sequence[Expression], place: Place
    ) -> Expr | None:
        if not self._takes(node, method, len(arguments)):
            return None
        given = [
            self._argument(declared, argument, subject, place)
            for declared, argument in zip(method.arguments, arguments, strict=True)
        ]
        right = tuple(one for one in given if one is not None)
        if len(right) < len(given) or not self._can_look_up(node.name, subject, method):
            return None
        result = actual(method.result, subject.type)
        if result is None:
            return None
        return Ask(span=node.span, type=result, subject=subject, method=method.key, arguments=right)

    def _takes(self, node: Field | Call, method: Method, given: int) -> bool:
        if given == len(method.arguments):
            return True
        expected = ", ".join(_shown(one) for one in method.arguments)
        message = f"{node.name.text} is called with {count(given)}"
        self._complaints.error(node.name.span, message, f"{node.name.text}({expected})")
        return False

    def _can_look_up(self, name: Name, subject: Expr, method: Method) -> bool:
        """Prefixes are only looked up where there are some."""
        source = subject.type
        if not isinstance(source, SourceType) or types.PREFIX not in method.arguments:
            return True
        if source.kind == "Rpki" or source.key_field(types.PREFIX) is not None:
            return True
        self._complaints.error(name.span, f"{source.record} has no field of type Prefix", "a source of prefixes")
        return False

    def _argument(self, declared: Type | str, node: Expression, subject: Expr, place: Place) -> Expr | None:
        if declared == types.KEY:
            key = self._expressions.free(node, place)
            return None if key is None else self.key(key, subject)
        wanted = actual(declared, subject.type)
        return self._expressions.free(node, place) if wanted is None else self._expressions.lower(node, place, wanted)

    def key(self, key: Expr, subject: Expr) -> Expr | None:
        """The value as one that can be looked up in a source."""
        source = subject.type
        assert isinstance(source, SourceType)
        if source.key_field(key.type) is not None:
            return key
        fields = [field.type for field in source.record.fields]
        found = next(
            (fits for fits in (fitted(key, wanted) for wanted in fields) if not isinstance(fits, Misfit)), None
        )
        if found is None:
            expected = f"a value of one of the fields of {source.record}"
            self._complaints.error(key.span, f"{source.record} has no field of type {key.type}", expected)
        return found

    def _function(self, node: Call, of: Name, place: Place) -> Expr | None:
        known = types.BUILT_IN.get(of.text)
        function = None if known is None else found_function(known, canonical(node.name.text))
        if known is None or function is None:
            own = [] if known is None else functions_of(known)
            hint = suggestion(node.name.text, own)
            expected = ", ".join(f"{one.subject}.{one.name}(...)" for one in types.FUNCTIONS)
            self._complaints.error(node.name.span, f"{of.text} has no function {node.name.text}", expected, hint)
            return None
        is_format = function.key == "String.format"
        if not (is_format and node.arguments) and not self._takes(node, function, len(node.arguments)):
            return None
        declared = [*function.arguments, *[types.ANY] * (len(node.arguments) - len(function.arguments))]
        pairs = zip(declared, node.arguments, strict=True)
        given = [self.plain_argument(wanted, argument, place) for wanted, argument in pairs]
        right = tuple(one for one in given if one is not None)
        if len(right) < len(given) or (is_format and not self._format_fits(node, right)):
            return None
        result = actual(function.result, known)
        assert result is not None
        return Apply(span=node.span, type=result, function=function.key, arguments=right)

    def plain_argument(self, wanted: Type | str, node: Expression, place: Place) -> Expr | None:
        """A value of a type, or of any that can be written as a text."""
        if not isinstance(wanted, str):
            return self._expressions.lower(node, place, wanted)
        found = self._expressions.free(node, place)
        if found is not None and isinstance(found.type, SourceType | FoundType | StreamType | SumType):
            self._complaints.error(node.span, f"{found.type} cannot be written as a text")
            return None
        return found

    def _format_fits(self, node: Call, given: tuple[Expr, ...]) -> bool:
        """A text that is known has a place for each value."""
        template = given[0].value if isinstance(given[0], Const) else None
        places = template.count("{}") if isinstance(template, str) else len(given) - 1
        if places != len(given) - 1:
            message = f"the text has {places} times {{}}, and {count(len(given) - 1, 'value')} behind it"
            self._complaints.error(node.span, message, "as many values as {}")
        return places == len(given) - 1


def _shown(declared: Type | str) -> str:
    return "a value" if isinstance(declared, str) else described(declared).partition(",")[0]
