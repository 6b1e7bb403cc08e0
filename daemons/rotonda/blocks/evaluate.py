"""From records that stand in a file to configurations: every setting by its declared type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rotonda.blocks.diagnostics import Complaints, suggestion
from rotonda.blocks.names import Space, kind_of, path_of, undefined
from rotonda.blocks.places import Source, Span
from rotonda.blocks.record_types import RecordTypes
from rotonda.blocks.settings import (
    BlockReference,
    Choice,
    Config,
    FilterReference,
    FilterUse,
    FreeRecord,
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
    Block,
    BlockKind,
    Call,
    Chain,
    Constant,
    Construct,
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
from rotonda.blocks.types import SECONDS, WHOLE_NUMBERS, RecordType
from rotonda.blocks.values import RecordValue, Value

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
_NUMBER_BITS = {type.name: bits for type, bits in WHOLE_NUMBERS.items()}
_WINDOW = "MOVING_WINDOW_"
_WINDOWS = {f"{_WINDOW}COUNT": 0, **{f"{_WINDOW}TIME_{unit}": seconds for unit, seconds in SECONDS.items()}}
_MOST_IN_WINDOW = 1 << 31
ASSERTIONS = {
    "Rib": ("Rib",), "Connector": ("Connector",), "Physical": ("Rib",), "Virtual": ("Rib",), "Rotoro": ("Connector",),
    "Policy": ("Policy",), "Router": ("Router",), "Unit": (),
}  # fmt: skip
"""What graphs may call a unit, and of which categories it must be then."""


class Evaluator:
    """Makes configurations of records, and complains about everything in them that is wrong.

    `instances` are the names of all instances: a setting of one with the name of another says how to reach that.
    """

    def __init__(self, complaints: Complaints, types: RecordTypes, instances: Mapping[str, Block]) -> None:
        self.complaints = complaints
        self.types = types
        self.instances = instances
        self.used: set[str] = set()
        """The full names of all filters that a unit has."""
        self._following = 0

    def config(
        self,
        made: type[Config],
        record: Record,
        space: Space,
        extra: Callable[[RecordField], bool] = lambda field: False,
    ) -> Config | None:
        """A configuration; `extra` takes fields that are no settings of it, if they are its business."""
        given: dict[str, Any] = {}
        sound = True
        for field in record.fields:
            name = made.find(field.name.text)
            if name is None:
                sound = extra(field) and sound
                if not extra(field):
                    known = [*made.SETTINGS, *(alias for each in made.SETTINGS.values() for alias in each.aliases)]
                    self.complaints.error(
                        field.name.span,
                        f"{made.WORD or made.__name__} has no setting {field.name.text}",
                        f"one of {', '.join(made.SETTINGS)}",
                        suggestion(canonical(field.name.text), known),
                    )
                    sound = False
                continue
            if name in given:
                self.complaints.error(field.name.span, f"{field.name.text} is set twice")
                sound = False
                continue
            given[name] = self.value(made.SETTINGS[name].type, field.value, space)
            sound = sound and given[name] is not INVALID
        for name, declared in made.SETTINGS.items():
            if declared.needed and name not in given:
                self.complaints.error(
                    record.span, f"{made.WORD or made.__name__} needs {name}", f"{name}: {describe(declared.type)}"
                )
                sound = False
        return made(**given) if sound else None

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
                return self._hash(written)
            case Overwrite():
                return self._overwrite(written)
            case Graph():
                return self._graph(written, space)
            case FreeRecord():
                return self._free(written)

    # --- one kind after the other ------------------------------------------------------------------------------------

    def _plain(self, wanted: Plain, written: Expression) -> Any:
        if wanted.type == "Duration":
            return self._duration(wanted, written)
        if isinstance(written, Literal):
            if written.kind in _LITERALS.get(wanted.type, ()):
                return self._bounded(wanted, written.span, written.value)
            if wanted.type in _NUMBER_BITS and written.kind in (LiteralKind.INTEGER, LiteralKind.PREFIX_LENGTH):
                return self._bounded(wanted, written.span, written.value)
        return self._no(written, wanted)

    def _duration(self, wanted: Plain, written: Expression) -> Any:
        match written:
            case Construct(name=Name(text=unit), arguments=(Literal(value=int() | float() as count),)) if (
                unit in SECONDS
            ):
                return self._bounded(wanted, written.span, float(count) * SECONDS[unit])
            case Literal(kind=LiteralKind.INTEGER, text=text):
                self.complaints.error(written.span, "a number without a unit", describe(wanted), f"SECONDS({text})?")
                return INVALID
            case Construct(name=name) if name.text not in SECONDS:
                hint = suggestion(name.text, SECONDS)
                self.complaints.error(name.span, f"there is no unit {name.text}", ", ".join(SECONDS), hint)
                return INVALID
        return self._no(written, wanted)

    def _bounded(self, wanted: Plain, span: Span, value: Any) -> Any:
        bits = _NUMBER_BITS.get(wanted.type)
        low = wanted.low if wanted.low is not None else 0 if bits else None
        high = wanted.high if wanted.high is not None else (1 << bits) - 1 if bits else None
        if (low is not None and value < low) or (high is not None and value > high):
            bounds = f"at least {low:g}" if high is None else f"{low:g} to {high:g}" if low is not None else f"{high:g}"
            unit = " seconds" if wanted.type == "Duration" else ""
            self.complaints.error(span, f"{value:g} is out of range", f"{bounds}{unit}")
            return INVALID
        return value

    def _choice(self, constants: tuple[str, ...], written: Expression) -> Any:
        if isinstance(written, Constant) and written.name.text in constants:
            return written.name.text
        if isinstance(written, Constant):
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
        bound = self._arguments(item, arguments, written.span)
        return INVALID if bound is None else FilterUse(full, bound)

    def _arguments(
        self, item: Filter, given: tuple[Expression, ...], span: Span
    ) -> tuple[tuple[str, Value], ...] | None:
        wanted = item.arguments or (item.define.arguments if item.define is not None else ())
        if len(given) != len(wanted):
            names = ", ".join(f"{each.name.text}: {each.type.name.text}" for each in wanted)
            self.complaints.error(
                span, f"{item.name.text} takes {len(wanted)} arguments, not {len(given)}", names or "none"
            )
            return None
        bound: list[tuple[str, Value]] = []
        for binding, written in zip(wanted, given, strict=True):
            type = Plain(binding.type.name.text)
            value = self.value(ListOf(type) if binding.type.is_list else type, written, Space("", None))
            if value is INVALID:
                return None
            bound.append((canonical(binding.name.text), value))
        return tuple(bound)

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
        return where.full(item.name.text)

    def _record_type(self, written: Expression, space: Space) -> Any:
        match written:
            case Constant(name=name) | Record(type=Name() as name):
                found = self.types.find(space, name)
                if found is not None and not isinstance(found, RecordType):
                    self.complaints.error(written.span, f"{name.text} has no fields", "a record type")
                    return INVALID
                return INVALID if found is None else found
            case Record():
                made = self.types.of_record(space, "", written)
                return INVALID if made is None else made
        return self._no(written, RecordTypeReference())

    def _hash(self, written: Expression) -> Any:
        items = written.items if isinstance(written, List | Tuple) else (written,)
        names: list[str] = []
        for item in items:
            match item:
                case TypeField(field=Name(text=name)) | Reference(name=Name(text=name)):
                    names.append(canonical(name))
                case _:
                    return self._no(item, HashFields())
        return tuple(dict.fromkeys(names))

    def _overwrite(self, written: Expression) -> Any:
        match written:
            case Constant(name=Name(text="MOST_RECENT")):
                return Window()
            case Construct(name=Name(text=name), arguments=(Literal(value=int() as count),)) if name in _WINDOWS:
                if not 1 <= count <= _MOST_IN_WINDOW:
                    self.complaints.error(written.span, f"{count} is out of range", f"1 to {_MOST_IN_WINDOW}")
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
        sound = True
        for path in paths:
            nodes = [self._node(item, space) for item in (path.items if isinstance(path, Chain) else (path,))]
            sound = sound and all(node is not None for node in nodes)
            made.append(tuple(node for node in nodes if node is not None))
        return tuple(made) if sound else INVALID

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
        if found is None and len(path.parts) > 1 and path.parts[0].text in self.instances:
            instance = path.parts[0].text
            path = Path(span=path.span, parts=path.parts[1:])
            found = space.find(path)
        if found is None:
            undefined(path, space, "a unit", self.complaints)
            return None
        where, item = found
        if not isinstance(item, Block) or item.kind is not BlockKind.UNIT:
            self.complaints.error(path.span, f"{path.text} is {kind_of(item)}", "a unit")
            return None
        return GraphNode(where.full(item.name.text), instance, asserted)

    def _free(self, written: Expression) -> Any:
        if not isinstance(written, Record):
            return self._no(written, FreeRecord())
        fields = [(canonical(field.name.text), self._free_value(field.value)) for field in written.fields]
        if any(value is INVALID for _, value in fields):
            return INVALID
        return RecordValue("", tuple(fields))

    def _free_value(self, written: Expression) -> Any:
        if isinstance(written, Literal):
            return written.value
        return self._no(written, Plain("String")) if not isinstance(written, Record) else self._free(written)

    # --- what all have in common -------------------------------------------------------------------------------------

    def _resolved(self, wanted: SettingType, written: Expression, space: Space) -> tuple[Expression, Space]:
        """What a name stands for, where it names a value of the file."""
        for _ in range(MOST_INDIRECTIONS):
            path = path_of(written)
            found = None if path is None else space.find(path)
            if found is None or not isinstance(found[1], Assignment):
                return written, space
            space, written = found[0], found[1].value
        self.complaints.error(written.span, "this value is named by values without end")
        return written, space

    def _no(self, written: Expression, wanted: SettingType) -> Any:
        self.complaints.error(
            written.span, f"{shown(written, self.complaints.source)} cannot be meant", describe(wanted)
        )
        return INVALID


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
        case ((NestedRecord() | FreeRecord()), Record()):
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
        case FreeRecord():
            return "a record"
