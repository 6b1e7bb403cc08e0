"""Record types that a file defines, by `type`, or where a setting names the type of its records."""

from __future__ import annotations

from collections.abc import Iterator

from rotonda.blocks.diagnostics import Complaints, suggestion
from rotonda.blocks.names import Space
from rotonda.blocks.places import Span
from rotonda.blocks.syntax import Constant, Expression, List, Name, Record, canonical
from rotonda.blocks.types import BUILT_IN, FieldOf, ListType, RecordType, Type

MOST_FIELDS = 255
"""Fields of a record type, as TYPE DEFINITION carries them."""
MOST_FIELDS_WITHIN = 1000
"""Fields of a record type, those of the records in it included."""
MOST_LEVELS = 20
"""Of record types within record types."""


class RecordTypes:
    """The record types of a file: named in a module, seen from it and from the modules within.

    All definitions are declared first, since they may be used before they stand in the file.
    """

    def __init__(self, complaints: Complaints) -> None:
        self._complaints = complaints
        self._written: dict[Space, dict[str, list[Record]]] = {}
        self._made: dict[tuple[Space, str], RecordType | None] = {}
        self._making: list[tuple[Space, str]] = []
        self._sizes: dict[int, tuple[int, RecordType]] = {}

    def declare(self, space: Space, name: Name, record: Record) -> None:
        """A definition; equal ones may be repeated."""
        if name.text in BUILT_IN:
            self._complaints.error(name.span, f"{name.text} is a type of the language", hint="take another name")
            return
        self._written.setdefault(space, {}).setdefault(name.text, []).append(record)

    def make_all(self) -> dict[str, RecordType]:
        """All types by their full names; complains about what is wrong in any of them."""
        made: dict[str, RecordType] = {}
        seen: set[tuple[Space, str]] = set()
        while missing := [key for key in self._declared() if key not in seen]:  # types may define others within them
            seen.update(missing)
            for space, name in missing:
                found = self._get(space, name)
                if found is not None:
                    made[space.full(name)] = found
                    self._compare(space, name, found, self._written[space][name][1:])
        return made

    def _declared(self) -> Iterator[tuple[Space, str]]:
        return ((space, name) for space, written in self._written.items() for name in written)

    def find(self, space: Space, name: Name) -> Type | None:
        """The type that is called so here; complains if there is none."""
        for around in space.outwards:
            if name.text in self._written.get(around, {}):
                return self._get(around, name.text, name.span)
        if name.text in BUILT_IN:
            return BUILT_IN[name.text]
        if name.text not in space.root.broken:
            hint = suggestion(name.text, self.names(space))
            self._complaints.error(name.span, f"there is no type {name.text}", hint=hint)
        return None

    def names(self, space: Space) -> Iterator[str]:
        """Names of types that can be used here."""
        for around in space.outwards:
            yield from self._written.get(around, {})
        yield from BUILT_IN

    def of_record(self, space: Space, name: str, record: Record) -> RecordType | None:
        """The type with the fields that a record names; complains about what is wrong in it."""
        fields: dict[str, FieldOf] = {}
        sound = len(record.fields) <= MOST_FIELDS
        if not sound:
            self._complaints.error(
                record.span, f"a record type of {len(record.fields)} fields; {MOST_FIELDS} are allowed"
            )
        for field in record.fields[:MOST_FIELDS]:
            own = canonical(field.name.text)
            type = self._of_expression(space, field.value)
            if own in fields:
                self._complaints.error(field.name.span, f"the field {field.name.text} is there twice")
            if type is None or own in fields:
                sound = False
            else:
                fields[own] = FieldOf(own, type)
        if not sound:
            return None
        made = RecordType(name, tuple(fields.values()))
        size = sum(1 + self._size(field.type) for field in made.fields)
        if size > MOST_FIELDS_WITHIN:
            self._complaints.error(
                record.span, f"a record type of {size} fields, those within it included",
                f"at most {MOST_FIELDS_WITHIN}",
            )  # fmt: skip
            return None
        self._sizes[id(made)] = size, made
        return made

    def _size(self, type: Type) -> int:
        while isinstance(type, ListType):
            type = type.item
        return self._sizes.get(id(type), (0,))[0]

    def _of_expression(self, space: Space, written: Expression) -> Type | None:
        match written:
            case Constant(name=name):
                return self.find(space, name)
            case List(items=(item,)):
                inner = self._of_expression(space, item)
                return None if inner is None else ListType(inner)
            case Record(type=None):
                return self.of_record(space, "", written)
            case Record(type=Name() as name):
                self.declare_late(space, name, written)
                return self.find(space, name)
            case _:
                self._complaints.error(written.span, "this is no type", "a type, as Asn, or a list of one, as [Asn]")
                return None

    def declare_late(self, space: Space, name: Name, record: Record) -> None:
        """A definition within another one, unless it has been seen."""
        if record not in self._written.get(space, {}).get(name.text, []):
            self.declare(space, name, record)

    def _get(self, space: Space, name: str, used: Span | None = None) -> RecordType | None:
        key = space, name
        if key in self._making:
            ring = " -> ".join((*(each for _, each in self._making[self._making.index(key) :]), name))
            self._complaints.error(
                used or self._written[space][name][0].span, f"a type cannot have itself in it: {ring}"
            )
            return None
        if len(self._making) >= MOST_LEVELS:
            self._complaints.error(
                used or self._written[space][name][0].span, f"types are within types more than {MOST_LEVELS} deep"
            )
            return None
        if key not in self._made:
            self._making.append(key)
            self._made[key] = self.of_record(space, name, self._written[space][name][0])
            self._making.pop()
        return self._made[key]

    def _compare(self, space: Space, name: str, first: RecordType, others: list[Record]) -> None:
        for record in others:
            other = self.of_record(space, name, record)
            if other is not None and other != first:
                fields = ", ".join(f"{field.name}: {field.type}" for field in first.fields)
                self._complaints.error(
                    record.span, f"{name} has other fields here than elsewhere", f"the same ones: {fields[:200]}"
                )
