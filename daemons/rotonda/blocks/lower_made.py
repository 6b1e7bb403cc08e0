"""Lists and records that are made in filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rotonda.blocks import types
from rotonda.blocks.diagnostics import suggestion
from rotonda.blocks.lower_context import Place
from rotonda.blocks.lower_fitting import Misfit, fitted
from rotonda.blocks.places import Span
from rotonda.blocks.scope import Scope
from rotonda.blocks.syntax import Expression, Record, canonical
from rotonda.blocks.typed import Const, Expr, MakeList, MakeRecord
from rotonda.blocks.types import FieldOf, ListType, RecordType, Type

if TYPE_CHECKING:
    from rotonda.blocks.lower_expressions import Expressions


class Makers:
    """Makes the lists and records of one filter."""

    def __init__(self, expressions: Expressions, scope: Scope) -> None:
        self._expressions = expressions
        self._complaints = expressions.complaints
        self._scope = scope

    def list(self, span: Span, nodes: Sequence[Expression], place: Place, wanted: Type | None) -> Expr | None:
        """A list of items of one type."""
        item = types.ASN if wanted == types.AS_PATH else wanted.item if isinstance(wanted, ListType) else None
        found = [self._expressions.free(node, place, item) for node in nodes]
        items = [one for one in found if one is not None]
        if len(items) < len(found):
            return None
        if not items and item is None:
            self._complaints.error(
                span, "nothing says what this is a list of", hint="an empty list stands where one is wanted"
            )
            return None
        of = _item_type(items, item)
        fits = [fitted(one, of) for one in items]
        for one in fits:
            if isinstance(one, Misfit):
                self._complaints.error(one.span, f"{one.message}, in a list of {of}", one.expected, one.hint)
        right = tuple(one for one in fits if not isinstance(one, Misfit))
        if len(right) < len(fits):
            return None
        constants = tuple(one.value for one in right if isinstance(one, Const))
        if len(constants) == len(right):
            return Const(span=span, type=ListType(of), value=constants)
        return MakeList(span=span, type=ListType(of), items=right)

    def record(self, node: Record, place: Place, wanted: Type | None) -> Expr | None:
        """A record of the type that is wanted, of its own, or of none."""
        target = wanted if isinstance(wanted, RecordType) and wanted.fields else None
        if node.type is not None:
            named = self._scope.type(node.type)
            if named is None:
                return None
            if not isinstance(named, RecordType):
                self._complaints.error(node.type.span, f"{named} is no record type")
                return None
            target = named
        given = self._record_fields(node, place, target)
        if given is None:
            return None
        if target is None:
            fields = tuple(FieldOf(name, value.type) for name, value in given.items())
            return MakeRecord(span=node.span, type=RecordType("", fields), fields=tuple(given.items()))
        return self._whole_record(node, given, target)

    def _record_fields(self, node: Record, place: Place, target: RecordType | None) -> dict[str, Expr] | None:
        given: dict[str, Expr | None] = {}
        for field in node.fields:
            name = canonical(field.name.text)
            if name in given:
                self._complaints.error(field.name.span, f"{field.name.text} is there twice")
            declared = None if target is None else target.field(name)
            if target is not None and declared is None:
                expected = f"a field of {target}"
                hint = suggestion(name, [one.name for one in target.fields])
                self._complaints.error(field.name.span, f"{target} has no field {field.name.text}", expected, hint)
                given[name] = None
            elif declared is not None:
                given[name] = self._expressions.lower(field.value, place, declared.type)
            else:
                given[name] = self._expressions.calls.plain_argument(types.ANY, field.value, place)
        right = {name: value for name, value in given.items() if value is not None}
        if target is not None:
            self._complain_missing(node, set(given), target)
        return right if len(right) == len(given) else None

    def _complain_missing(self, node: Record, given: set[str], target: RecordType) -> None:
        missing = [field for field in target.fields if field.name not in given and not field.optional]
        if missing:
            names = ", ".join(field.name for field in missing)
            expected = ", ".join(f"{field.name}: {field.type}" for field in target.fields)
            self._complaints.error(node.span, f"the record lacks {names}", f"{target} {{ {expected} }}")

    def _whole_record(self, node: Record, given: dict[str, Expr], target: RecordType) -> Expr | None:
        if any(field.name not in given and not field.optional for field in target.fields):
            return None
        fields = tuple((field.name, given.get(field.name)) for field in target.fields)
        return MakeRecord(span=node.span, type=target, fields=fields)


def _item_type(items: Sequence[Expr], wanted: Type | None) -> Type:
    """The type of which all items are; ranges, if there is one among prefixes; else the widest whole number."""
    of = [item.type for item in items]
    if types.PREFIX_MATCH in of and wanted in (None, types.PREFIX):
        return types.PREFIX_MATCH
    if types.PREFIX in of and wanted == types.ADDRESS:
        return types.PREFIX  # in which addresses may be
    if wanted is not None:
        return wanted
    numbers = [one for one in of if one in types.WHOLE_NUMBERS]
    if len(numbers) == len(of) and types.ASN not in numbers and types.PREFIX_LENGTH not in numbers:
        return max(numbers, key=lambda one: types.WHOLE_NUMBERS[one])  # type: ignore[index]
    return types.ASN if types.ASN in of else of[0]
