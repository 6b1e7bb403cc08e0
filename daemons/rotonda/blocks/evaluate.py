"""From records that stand in a file to configurations: every setting by its declared type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rotonda.blocks.diagnostics import Complaints, suggestion
from rotonda.blocks.lower_context import Names, Place
from rotonda.blocks.lower_expressions import Expressions, TooLarge
from rotonda.blocks.names import Space, kind_of, path_of, undefined
from rotonda.blocks.places import Source, Span
from rotonda.blocks.record_types import RecordTypes
from rotonda.blocks.scope import Scope
from rotonda.blocks.settings import (
    BlockReference,
    Choice,
    Config,
    FilterReference,
    FilterUse,
    Graph,
    GraphNode,
    GraphPath,
    HashFields,
    ListOf,
    NestedRecord,
    OneOf,
    Overwrite,
    Plain,
    RecordTypeReference,
    SettingType,
    Window,
)
from rotonda.blocks.syntax import (
    Assignment,
    Binding,
    Block,
    BlockKind,
    Call,
    Chain,
    Constant,
    Construct,
    Direction,
    Expression,
    Field,
    Filter,
    List,
    Literal,
    LiteralKind,
    Name,
    Path,
    Record,
    RecordField,
    Reference,
    Tuple,
    TypeField,
    canonical,
)
from rotonda.blocks.typed import Const, FilterKind
from rotonda.blocks.types import ASN, SECONDS, WHOLE_NUMBERS, ListType, RecordType, Type
from rotonda.blocks.values import Value

INVALID: Any = object()
"""Stands where a value would, if there is none; what is wrong was told."""

MOST_INDIRECTIONS = 50
"""Values that are named by values."""

_LITERALS = {
    "Bool": {LiteralKind.BOOL},
    "String": {LiteralKind.STRING},
    "IpAddress": {LiteralKind.ADDRESS},
    "SocketAddress": {LiteralKind.SOCKET_ADDRESS},
    "Prefix": {LiteralKind.PREFIX},
    "Asn": {LiteralKind.ASN, LiteralKind.INTEGER},
    "Float": {LiteralKind.FLOAT, LiteralKind.INTEGER},
}
_WORDS = {
    "Bool": "true or false",
    "String": 'a string, "..."',
    "IpAddress": "an IP address",
    "SocketAddress": "an address and port, 127.0.0.1:8323",
    "Prefix": "a prefix, 192.0.2.0/24",
    "Asn": "an AS number, AS64496",
    "Float": "a number",
    "Duration": "a duration, HOURS(1)",
}
_NUMBER_BITS = {type.name: bits for type, bits in WHOLE_NUMBERS.items() if type != ASN}
_NUMBERS = (LiteralKind.INTEGER, LiteralKind.FLOAT)
_WINDOW = "MOVING_WINDOW_"
_WINDOWS = {f"{_WINDOW}COUNT": 0, **{f"{_WINDOW}TIME_{unit}": seconds for unit, seconds in SECONDS.items()}}
_MOST_COUNTED, _MOST_SECONDS = 1 << 16, 1 << 31
"""Entries of a window; and seconds, some 68 years."""
ASSERTIONS = {
    "Rib": "Rib", "Connector": "Connector", "Physical": "PhysicalRib", "Virtual": "VirtualRib", "Rotoro": "RotoroLink",
    "Policy": "Policy", "Router": "Router", "Unit": "",
}  # fmt: skip
"""What graphs may call a unit, and of which category or type it must be then; "" for any."""


Extra = Callable[[RecordField, Space], bool]
"""Takes a field that is no setting, if it is somebody's business."""


class Evaluator:
    """Makes configurations of records, and complains about everything in them that is wrong.

    `scope` is what expressions see of a module.
    """

    def __init__(self, complaints: Complaints, types: RecordTypes, scope: Callable[[Space], Scope]) -> None:
        self.complaints = complaints
        self.types = types
        self.scope = scope
        self.used: set[str] = set()
        """The full names of all filters that a unit has."""
        self.references: list[tuple[Span, str, BlockReference]] = []
        """Blocks that are named by settings, by their full names, and what they have to be."""
        self._places: dict[tuple[int, str], Span] = {}
        self._nodes: dict[int, tuple[tuple[Span, ...], ...]] = {}

    def place(self, config: Config, name: str, otherwise: Span) -> Span:
        """Where a setting of a configuration stands."""
        return self._places.get((id(config), name), otherwise)

    def node_places(self, graph: tuple[GraphPath, ...]) -> tuple[tuple[Span, ...], ...]:
        """Where the units of a graph stand, path by path."""
        return self._nodes.get(id(graph), ())

    def config(
        self,
        made: type[Config],
        record: Record,
        space: Space,
        extra: Extra = lambda field, space: False,
    ) -> Config | None:
        """A configuration; `extra` takes fields that are no settings of it, if they are its business."""
        given: dict[str, Any] = {}
        places: dict[str, Span] = {}
        errors = self.complaints.errors
        for field in record.fields:
            name = made.find(field.name.text)
            if name is None:
                if not extra(field, space):
                    self._unknown(made, field)
            elif name in given:
                self.complaints.error(field.name.span, f"{field.name.text} is set twice")
            else:
                given[name] = self._given(made, name, field, space)
                places[name] = field.value.span
        for name, declared in made.SETTINGS.items():
            if declared.needed and name not in given:
                self.complaints.error(
                    record.span, f"{made.WORD or made.__name__} needs {name}", f"{name}: {describe(declared.type)}"
                )
        if self.complaints.errors > errors or any(value is INVALID for value in given.values()):
            return None
        config = made(**given)
        self._places |= {(id(config), name): place for name, place in places.items()}
        return config

    def _given(self, made: type[Config], name: str, field: RecordField, space: Space) -> Any:
        declared = made.SETTINGS[name]
        value = self.value(declared.type, field.value, space)
        if value == () and declared.needed and isinstance(declared.type, ListOf):
            self.complaints.error(field.value.span, f"{field.name.text} is empty", describe(declared.type))
            return INVALID
        return value

    def _unknown(self, made: type[Config], field: RecordField) -> None:
        known = [*made.SETTINGS, *(alias for each in made.SETTINGS.values() for alias in each.aliases)]
        self.complaints.error(
            field.name.span,
            f"{made.WORD or made.__name__} has no setting {field.name.text}",
            f"one of {', '.join(made.SETTINGS)}" if made.SETTINGS else "none: it has no settings",
            suggestion(canonical(field.name.text), known),
        )

    def value(self, wanted: SettingType, written: Expression, space: Space) -> Any:
        """The value of a setting, or INVALID."""
        written, space = self._resolved(wanted, written, space)
        match wanted:
            case Plain():
                return self._plain(wanted, written)
            case Choice(constants=constants):
                return self._choice(constants, written)
            case ListOf(item=item):
                return self._list(item, written, space)
            case OneOf():
                return self._one_of(wanted, written, space)
            case FilterReference(pure=pure):
                return self._filter(pure, written, space)
            case BlockReference():
                return self._block(wanted, written, space)
            case RecordTypeReference():
                return self._record_type(written, space)
            case NestedRecord(config=made):
                if not isinstance(written, Record):
                    return self._no(written, wanted)
                found = self.config(made, written, space)
                return INVALID if found is None else found
            case HashFields():
                return self._hash(written, space)
            case Overwrite():
                return self._overwrite(written)
            case Graph():
                return self._graph(written, space)

    # --- one kind after the other ------------------------------------------------------------------------------------

    def _plain(self, wanted: Plain, written: Expression) -> Any:
        if wanted.type == "Duration":
            return self._duration(wanted, written)
        if isinstance(written, Literal):
            if written.kind in _LITERALS.get(wanted.type, ()):
                return self._bounded(wanted, written.span, written.value)
            if wanted.type in _NUMBER_BITS and written.kind is LiteralKind.INTEGER:
                return self._bounded(wanted, written.span, written.value)
        return self._no(written, wanted)

    def _duration(self, wanted: Plain, written: Expression) -> Any:
        match written:
            case Construct(name=Name(text=unit), arguments=(Literal(kind=kind, value=int() | float() as count),)) if (
                unit in SECONDS and kind in _NUMBERS
            ):
                return self._bounded(wanted, written.span, float(count) * SECONDS[unit])
            case Literal(kind=LiteralKind.INTEGER, text=text):
                self.complaints.error(written.span, "a number without a unit", describe(wanted), f"SECONDS({text})?")
                return INVALID
            case Construct(name=name) | Constant(name=name) if name.text not in SECONDS:
                hint = suggestion(name.text, SECONDS)
                self.complaints.error(name.span, f"there is no unit {name.text}", ", ".join(SECONDS), hint)
                return INVALID
        return self._no(written, wanted)

    def _bounded(self, wanted: Plain, span: Span, value: Any) -> Any:
        bits = 32 if wanted.type == ASN.name else _NUMBER_BITS.get(wanted.type)
        low = wanted.low if wanted.low is not None else 0 if bits else None
        high = wanted.high if wanted.high is not None else (1 << bits) - 1 if bits else None
        if (low is not None and value < low) or (high is not None and value > high):
            bounds = f"at least {_number(low or 0)}" if high is None else f"{_number(low or 0)} to {_number(high)}"
            unit = " s" if wanted.type == "Duration" else ""
            self.complaints.error(span, f"{_number(value)}{unit} is out of range", f"{bounds}{unit}")
            return INVALID
        return value

    def _choice(self, constants: tuple[str, ...], written: Expression) -> Any:
        if isinstance(written, Constant) and written.name.text in constants:
            return written.name.text
        if isinstance(written, Constant | Reference):
            hint = suggestion(written.name.text, constants) or suggestion(written.name.text.upper(), constants)
            self.complaints.error(
                written.span, f"{written.name.text} cannot be meant", f"one of {', '.join(constants)}", hint
            )
            return INVALID
        return self._no(written, Choice(constants))

    def _list(self, item: SettingType, written: Expression, space: Space) -> Any:
        items = written.items if isinstance(written, List | Tuple) else (written,)
        values = [self.value(item, each, space) for each in items]
        return INVALID if any(value is INVALID for value in values) else tuple(values)

    def _one_of(self, wanted: OneOf, written: Expression, space: Space) -> Any:
        fitting = [each for each in wanted.types if _fits(each, written)]
        if fitting:
            return self.value(fitting[0], written, space)
        return self._no(written, wanted)

    def _filter(self, pure: bool, written: Expression, space: Space) -> Any:
        if (
            isinstance(written, Field)
            and isinstance(written.subject, Constant)
            and written.subject.name.text == "FILTER"
        ):
            if written.name.text == "none":
                return None
            self.complaints.error(written.name.span, f"there is no FILTER.{written.name.text}", "FILTER.none")
            return INVALID
        arguments: tuple[Expression, ...] = ()
        named = written
        if isinstance(written, Call):
            arguments = written.arguments
            name = Reference(span=written.name.span, name=written.name)
            named = (
                name
                if written.subject is None
                else Field(span=written.span, subject=written.subject, name=written.name)
            )
        path = path_of(named)
        if path is None:
            return self._no(written, FilterReference(pure))
        found = space.find(path)
        if found is None:
            undefined(path, space, "a filter, or FILTER.none", self.complaints)
            return INVALID
        where, item = found
        if not isinstance(item, Filter):
            self.complaints.error(path.span, f"{path.text} is {kind_of(item)}", "a filter")
            return INVALID
        if pure and not is_pure(item):
            self.complaints.error(
                path.span, f"{path.text} is a FilterMap", "a PureFilter, which only accepts or rejects",
                "messages as they came are not changed",
            )  # fmt: skip
            return INVALID
        full = where.full(item.name.text)
        self.used.add(full)
        bound = self._arguments(item, where, arguments, written.span, space)
        return INVALID if bound is None else FilterUse(full, bound)

    def _arguments(
        self, item: Filter, home: Space, given: Sequence[Expression], span: Span, space: Space
    ) -> tuple[tuple[str, Value], ...] | None:
        """Values for the arguments of a filter, as expressions that are the same for every record."""
        wanted = arguments_of(item)
        if len(given) != len(wanted):
            names = ", ".join(f"{each.name.text}: {_written(each)}" for each in wanted)
            counted = f"{len(wanted) or 'no'} argument{'' if len(wanted) == 1 else 's'}"
            self.complaints.error(span, f"{item.name.text} takes {counted}, not {len(given)}", names or "none")
            return None
        bound: dict[str, Value] = {}
        for binding, written in zip(wanted, given, strict=True):
            found = self.types.find(home, binding.type.name)
            value = INVALID if found is None else self._constant(
                ListType(found) if binding.type.is_list else found, written, space
            )  # fmt: skip
            if value is not INVALID:
                bound[binding.name.text] = value
        return tuple(bound.items()) if len(bound) == len(wanted) else None

    def _constant(self, wanted: Type, written: Expression, space: Space) -> Any:
        """A value of the language that stands outside of filters, or INVALID."""
        expressions = Expressions(Names(FilterKind.PURE), self.scope(space), self.complaints)
        try:
            found = expressions.lower(written, Place(Direction.RX, outside=True), wanted)
        except TooLarge:
            return INVALID
        if found is None:
            return INVALID
        if not isinstance(found, Const):
            self.complaints.error(written.span, "a value is needed here that is known beforehand", str(wanted))
            return INVALID
        return found.value

    def _block(self, wanted: BlockReference, written: Expression, space: Space) -> Any:
        path = path_of(written)
        if path is None:
            return self._no(written, wanted)
        found = space.find(path)
        if found is None:
            undefined(path, space, describe(wanted), self.complaints)
            return INVALID
        where, item = found
        if not isinstance(item, Block) or item.kind is not wanted.kind:
            self.complaints.error(path.span, f"{path.text} is {kind_of(item)}", describe(wanted))
            return INVALID
        full = where.full(item.name.text)
        self.references.append((path.span, full, wanted))
        return full

    def _record_type(self, written: Expression, space: Space) -> Any:
        match written:
            case Constant(name=name) | Record(type=Name() as name):
                if isinstance(written, Record):
                    self.types.declare_late(space, name, written)
                found = self.types.find(space, name)
                if found is not None and not isinstance(found, RecordType):
                    self.complaints.error(written.span, f"{name.text} has no fields", "a record type")
                    return INVALID
                return INVALID if found is None else found
            case Record():
                made = self.types.of_record(space, "", written)
                return INVALID if made is None else made
        return self._no(written, RecordTypeReference())

    def _hash(self, written: Expression, space: Space) -> Any:
        items = written.items if isinstance(written, List | Tuple) else (written,)
        names: list[str] = []
        for item in items:
            match item:
                case TypeField(type=of, field=name):
                    if not self._has_field(of, name, space):
                        return INVALID
                    names.append(canonical(name.text))
                case Reference(name=name):
                    names.append(canonical(name.text))
                case _:
                    return self._no(item, HashFields())
        return tuple(dict.fromkeys(names))

    def _has_field(self, of: Name, name: Name, space: Space) -> bool:
        found = self.types.find(space, of)
        if found is None:
            return False
        fields = found.fields if isinstance(found, RecordType) else ()
        if any(field.name == canonical(name.text) for field in fields):
            return True
        hint = suggestion(canonical(name.text), [field.name for field in fields])
        self.complaints.error(name.span, f"{of.text} has no field {name.text}", hint=hint)
        return False

    def _overwrite(self, written: Expression) -> Any:
        match written:
            case Constant(name=Name(text="MOST_RECENT")):
                return Window()
            case Construct(
                name=Name(text=name), arguments=(Literal(kind=LiteralKind.INTEGER, value=int() as count),)
            ) if name in _WINDOWS:
                most = _MOST_SECONDS // _WINDOWS[name] if _WINDOWS[name] else _MOST_COUNTED
                if not 1 <= count <= most:
                    self.complaints.error(written.arguments[0].span, f"{count} is out of range", f"1 to {most}")
                    return INVALID
                return Window(seconds=count * _WINDOWS[name]) if _WINDOWS[name] else Window(count=count)
            case Construct(name=name) | Constant(name=name):
                words = ("MOST_RECENT", *(f"{each}(n)" for each in _WINDOWS))
                hint = suggestion(name.text, ("MOST_RECENT", *_WINDOWS))
                self.complaints.error(written.span, f"{name.text} cannot be meant", f"one of {', '.join(words)}", hint)
                return INVALID
        return self._no(written, Overwrite())

    def _graph(self, written: Expression, space: Space) -> Any:
        paths = written.items if isinstance(written, List) else (written,)
        made: list[GraphPath] = []
        places: list[tuple[Span, ...]] = []
        sound = True
        for path in paths:
            items = path.items if isinstance(path, Chain) else (path,)
            nodes = [self._node(item, space) for item in items]
            sound = sound and all(node is not None for node in nodes)
            made.append(tuple(node for node in nodes if node is not None))
            places.append(tuple(item.span for item in items))
        graph = tuple(made)
        self._nodes[id(graph)] = tuple(places)
        return graph if sound else INVALID

    def _node(self, written: Expression, space: Space) -> GraphNode | None:
        asserted, named = None, written
        if isinstance(written, Construct):
            asserted = written.name.text
            if asserted not in ASSERTIONS or len(written.arguments) != 1:
                expected = ", ".join(f"{word}(x)" for word in ASSERTIONS)
                hint = suggestion(asserted, ASSERTIONS)
                self.complaints.error(written.span, f"{asserted}(...) is no unit", f"one of {expected}", hint)
                return None
            named = written.arguments[0]
        path = path_of(named)
        if path is None:
            self._no(written, Graph())
            return None
        found, instance = space.find(path), None
        if found is None:
            instance, path = self._of_instance(path, space)
            found = None if instance is None else space.find(path)
        if found is None:
            undefined(path, space, "a unit", self.complaints)
            return None
        where, item = found
        if not isinstance(item, Block) or item.kind is not BlockKind.UNIT:
            self.complaints.error(path.span, f"{path.text} is {kind_of(item)}", "a unit")
            return None
        return GraphNode(where.full(item.name.text), instance, asserted)

    def _of_instance(self, path: Path, space: Space) -> tuple[str | None, Path]:
        """The instance that a name begins with, by its full name, and what stands behind it."""
        for size in range(1, len(path.parts)):
            head = Path(span=path.parts[0].span.to(path.parts[size - 1].span), parts=path.parts[:size])
            found = instance_named(head, space)
            if found is not None:
                rest = path.parts[size:]
                return found, Path(span=rest[0].span.to(rest[-1].span), parts=rest)
        return None, path

    # --- what all have in common -------------------------------------------------------------------------------------

    def _resolved(self, wanted: SettingType, written: Expression, space: Space) -> tuple[Expression, Space]:
        """What a name stands for, where it names a value of the file."""
        for _ in range(MOST_INDIRECTIONS):
            path = path_of(written)
            found = None if path is None else space.find(path)
            if found is None or not isinstance(found[1], Assignment):
                return written, space
            found[0].used.add(found[1].name.text)
            space, written = found[0], found[1].value
        self.complaints.error(written.span, "this value is named by values without end")
        return written, space

    def _no(self, written: Expression, wanted: SettingType) -> Any:
        self.complaints.error(
            written.span, f"{shown(written, self.complaints.source)} cannot be meant", describe(wanted)
        )
        return INVALID


def instance_named(path: Path, space: Space) -> str | None:
    """The full name of the instance that is called so from a module, if it is one."""
    found = space.find(path)
    if found is None or not isinstance(found[1], Block) or found[1].kind is not BlockKind.INSTANCE:
        return None
    return found[0].full(found[1].name.text)


def arguments_of(item: Filter) -> tuple[Binding, ...]:
    """What a filter is given by a unit, wherever in the filter that is declared."""
    sections = (item, item.define, item.apply)
    declared = [binding for section in sections if section is not None for binding in section.arguments]
    return tuple({binding.name.text: binding for binding in reversed(declared)}.values())[::-1]


def is_pure(item: Filter) -> bool:
    """Whether a filter only accepts or rejects: what stands behind its name says so, else its keyword."""
    return item.type.text == "PureFilter" if item.type is not None else item.keyword == "filter"


def shown(written: Expression, source: Source) -> str:
    """An expression as it stands in the text, cut if it is long."""
    text = " ".join(source.text[written.span.start : written.span.end].split())
    text = text.encode("unicode_escape").decode()
    return text if len(text) <= 60 else text[:57] + "..."


def _fits(wanted: SettingType, written: Expression) -> bool:
    """Whether an expression has the shape of a type, so that it is this one that it is held to."""
    match wanted, written:
        case Plain(type=type), Literal(kind=kind):
            numbers = type in _NUMBER_BITS and kind is LiteralKind.INTEGER
            return numbers or kind in _LITERALS.get(type, ())
        case Plain(type="Duration"), Construct():
            return True
        case NestedRecord(), Record():
            return True
        case ListOf(), List():
            return True
        case Choice(), Constant():
            return True
    return False


def describe(wanted: SettingType) -> str:
    """A type of settings for people."""
    match wanted:
        case Plain(type=type):
            return _WORDS.get(type, f"a whole number ({type})" if type in _NUMBER_BITS else type)
        case Choice(constants=constants):
            return f"one of {', '.join(constants)}"
        case ListOf(item=item):
            return f"a list: [{describe(item)}, ...]"
        case OneOf(types=types):
            return " or ".join(describe(each) for each in types)
        case FilterReference(pure=pure):
            return "a PureFilter, or FILTER.none" if pure else "a filter, or FILTER.none"
        case BlockReference(kind=kind, words=words):
            noun = {"unit": "a unit"}.get(kind.value, f"a block {kind.value}")
            return f"{noun} of type {', '.join(words)}" if words else noun
        case RecordTypeReference():
            return "a record type, Name or Name { field: Type, ... }"
        case NestedRecord(config=made):
            return f"a record: {{ {', '.join(made.SETTINGS)} }}"
        case HashFields():
            return "fields, (Route::prefix, Route::as_path)"
        case Overwrite():
            return "MOST_RECENT, MOVING_WINDOW_COUNT(n) or MOVING_WINDOW_TIME_WEEKS(n)"
        case Graph():
            return "paths of units, [ Connector(a) -> Rib(b), Rib(b) -> Rib(c) ]"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:,.10g}".replace(",", "")


def _written(binding: Binding) -> str:
    return f"[{binding.type.name.text}]" if binding.type.is_list else binding.type.name.text
