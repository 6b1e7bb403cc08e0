"""From typed expressions to nodes that work on columns.

Whatever has no form for columns here is asked record by record (`Single`), of as few records as possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotonda.blocks import types
from rotonda.blocks.lower_walk import everything
from rotonda.blocks.lower_walk import parts as parts_of
from rotonda.blocks.syntax import Direction
from rotonda.blocks.typed import (
    And,
    Ask,
    Bound,
    Compare,
    ExactlyOne,
    Expr,
    GetField,
    Input,
    Inverse,
    Member,
    Named,
    Or,
    SourceOf,
)
from rotonda.blocks.types import FieldOf, ListType, RecordType, SourceType
from rotonda.blocks.values import Constant, Prefix, PrefixMatch, Value
from rotonda.filters.answers import OBJECTS, Answer, Places, addresses, cell, column, form
from rotonda.filters.batches import Kind, Numbers, RowBatch, SetBatch
from rotonda.filters.changes import LISTS, large_octets
from rotonda.filters.generated import Question, question
from rotonda.filters.interpret import Evaluator, Failed
from rotonda.filters.lists import Column, Lists, Mask
from rotonda.filters.memory import Memory
from rotonda.filters.nodes import (
    COMPARISONS,
    CONSTANT,
    SETS,
    Combined,
    Depends,
    Exists,
    Failing,
    FirstFound,
    InRanges,
    Known,
    Logic,
    Node,
    OfSource,
    OneOf,
    Plain,
    Single,
    joined,
)
from rotonda.filters.prefix_ranges import PrefixRanges
from rotonda.filters.route_record import MICROSECONDS
from rotonda.filters.set_columns import NextHops, SetColumns
from rotonda.filters.world import LOOK_UPS, NONE, SmallWorld, SourceGone, SourceView, Tabled, World
from rotoro.table import AttributeStore
from rotoro.table.columns import among, distinct

_OF_INGRESS = ("peer_id", "peer_asn", "peer_address", "peer_name", "router_id", "rib", "status")
_OF_ROW = ("prefix", "path_id", "received")
_OF_COVERING = ("validate", "exact_match", "longest_match", "less_specifics", "contains", "find")
"""Questions to sources about a prefix that are answered by what covers it."""


class Nothing:
    """The record of who needs none."""

    def get(self, name: str) -> None:
        """No field is there."""


NOTHING = Nothing()
NOWHERE = SmallWorld()
"""The world of what asks no data source, so that it holds on to none."""


class Columns:
    """Makes the nodes of one filter. What is equal in the filter is one node."""

    def __init__(
        self, takes: RecordType, arguments: Mapping[str, Value], world: World, kind: Kind, *, changes: bool
    ) -> None:
        """`changes` says whether what goes out may be another record than what came, although none is made anew."""
        self.places = Places()
        self._kind = kind
        self._lasting = Memory(kind)
        """Of what is the same in every world."""
        self._own = Memory(kind)
        """Of what asks data sources."""
        self._takes = takes
        self._is_route = takes == types.ROUTE
        self._arguments = arguments
        self._world = world
        self._changes = changes
        self._nodes: dict[int, Node] = {}
        self._kept: list[Expr] = []
        """Those that have a place by their identity, so that it stays theirs."""
        self._views: dict[str, SourceView | None] = {}
        self._depends: dict[int, Depends] = {}
        self._asks: dict[int, bool] = {}
        self._questions: dict[int, Question] = {}

    def in_world(self, world: World) -> Columns:
        """The same for another world. What asks no data source is shared, with all that is remembered of it."""
        made = copy(self)
        made._world = world
        made._own = Memory(self._kind)
        made._nodes = {own: node for own, node in self._nodes.items() if not self._asks[own]}
        made._questions = {own: asking for own, asking in self._questions.items() if not self._asks[own]}
        made._views = {}
        return made

    # --- what the rest is made of ------------------------------------------------------------------------------------

    def of_rows(self, wanted: Expr) -> Node:
        """The node of an expression, to be asked of rows."""
        return self._at_rows(wanted)

    def prepare(self, store: AttributeStore, numbers: Numbers) -> None:
        """Have the cheap answers ready for the sets with these numbers."""
        self._lasting.prepare(store, numbers)
        self._own.prepare(store, numbers)

    def question(self, wanted: Expr) -> Question:
        """What asks single records for the value of an expression."""
        found = self._questions.get(id(wanted))
        if found is None:
            found = self._questions[id(wanted)] = question(wanted, self._arguments, self._world_of(wanted))
        return found

    def asks(self, wanted: Expr) -> bool:
        """Whether a data source is asked for the value of an expression."""
        found = self._asks.get(id(wanted))
        if found is None:
            found = self._asks[id(wanted)] = isinstance(wanted, SourceOf) or any(map(self.asks, parts_of(wanted)))
            self._kept.append(wanted)
        return found

    def asks_what_covers(self, wanted: Iterable[Expr], source: str) -> bool:
        """Whether these ask a data source for nothing but what covers the prefixes of rows."""
        for one in everything(*wanted):
            asked = [part for part in map(_bare, parts_of(one)) if isinstance(part, SourceOf) and part.name == source]
            if asked and not isinstance(one, Bound | Named):
                is_covering = isinstance(one, Ask) and one.method.rpartition(".")[2] in _OF_COVERING
                if not is_covering or len(asked) > 1 or not self._is_row_prefix(parts_of(one)[1]):
                    return False
        return True

    def _world_of(self, wanted: Expr) -> World:
        return self._world if self.asks(wanted) else NOWHERE

    def of_each_row(self, wanted: Expr) -> Node | None:
        """The node of an expression of numbers, true or false that each row tells for itself, as a column."""
        if self.depends(wanted) != Depends.ROW or not isinstance(wanted.type, types.ScalarType):
            return None
        node = self._node(wanted) if form(wanted.type).kind in "buif" else None
        return None if isinstance(node, Single) else node

    def depends(self, wanted: Expr) -> Depends:
        """What an expression depends on."""
        found = self._depends.get(id(wanted))
        if found is None:
            found = self._depends[id(wanted)] = self._found_depends(wanted)
            self._kept.append(wanted)
        return found

    def _found_depends(self, wanted: Expr) -> Depends:
        match wanted:
            case Input(direction=direction):
                whole = Depends.INGRESS | Depends.ROW if self._is_route else Depends.ROW
                return self._set_of(direction) | whole if direction is not Direction.TX else Depends.MADE
            case GetField(subject=Input(direction=direction), field=field):
                return self._depends_of_field(direction, field)
            case _:
                found = CONSTANT
                for part in parts_of(wanted):
                    found |= self.depends(part)
                return found

    def _depends_of_field(self, direction: Direction, field: str) -> Depends:
        if direction is Direction.TX:
            return Depends.MADE
        if field == "prefix" or (self._is_route and field in _OF_ROW):
            own = self._takes.field(field)
            return (
                Depends.ROW
                if own is not None and (self._is_route or own.type == types.PREFIX)
                else self._set_of(direction)
            )
        return Depends.INGRESS if self._is_route and field in _OF_INGRESS else self._set_of(direction)

    def _set_of(self, direction: Direction) -> Depends:
        return Depends.GOES if direction is Direction.RX_TX and self._changes else Depends.CAME

    # --- nodes -------------------------------------------------------------------------------------------------------

    def _node(self, wanted: Expr) -> Node:
        found = self._nodes.get(id(wanted))
        if found is None:
            self.asks(wanted)  # also keeps it
            found = self._nodes[id(wanted)] = self._made(wanted)
        return found

    def _made(self, wanted: Expr) -> Node:
        if not self.depends(wanted):
            return self._constant(wanted)
        return self._in_columns(wanted) or self._single(wanted)

    def _constant(self, wanted: Expr) -> Node:
        try:
            value = self._constant_value(wanted)
        except Failed as failed:
            return Failing(wanted.type, self.places.of(failed))
        single = np.fromiter([cell(wanted.type)(value)], form(wanted.type), 1)
        return Plain(CONSTANT, lambda batch: Answer(np.broadcast_to(single, (len(batch),))))

    def _single(self, wanted: Expr) -> Node:
        return Single(self.depends(wanted), wanted.type, self.places, self.question(wanted))

    def _at_rows(self, wanted: Expr) -> Node:
        node = self._node(wanted)
        if node.depends not in SETS or form(wanted.type) == OBJECTS:
            return node
        return (self._own if self.asks(wanted) else self._lasting).remember(node, wanted.type)

    def _operands(self, *wanted: Expr, more: Depends = CONSTANT) -> list[Node]:
        """The nodes of several expressions that are looked at together: of sets, if all of them are."""
        nodes = [self._node(one) for one in wanted]
        if (joined(nodes) | more) in (CONSTANT, *SETS):
            return nodes
        return list(map(self._at_rows, wanted))

    def _in_columns(self, wanted: Expr) -> Node | None:
        match wanted:
            case Named(value=value) | Bound(value=value):
                return self._node(value)
            case And(parts=parts):
                return Logic(self._operands(*parts), decisive=False)
            case Or(parts=parts):
                return Logic(self._operands(*parts), decisive=True)
            case ExactlyOne(parts=parts):
                return OneOf(self._operands(*parts))
            case Inverse(operand=operand):
                return Combined(self._operands(operand), np.logical_not)
            case Compare():
                return self._compare(wanted)
            case Member():
                return self._member(wanted)
            case GetField(subject=Input(direction=direction)) if direction is not Direction.TX:
                return self._field(wanted, direction)
            case GetField():
                return self._field_of_first(wanted)
            case Ask(method="Any.exists", subject=subject):
                return Exists(*self._operands(subject))
            case Ask(subject=subject) if isinstance(subject.type, SourceType):
                return self._ask_source(wanted)
            case Ask():
                return self._ask(wanted)
            case _:
                return None

    def _known(self, wanted: Expr) -> Any:
        """The value of a constant expression, or None."""
        if self.depends(wanted):
            return None
        try:
            return self._constant_value(wanted)
        except Failed:
            return None

    def _constant_value(self, wanted: Expr) -> Any:
        return Evaluator(self._arguments, self._world_of(wanted), NOTHING, NOTHING).value(wanted)

    # --- comparing ---------------------------------------------------------------------------------------------------

    def _compare(self, wanted: Compare) -> Node | None:
        left, right = wanted.left, wanted.right
        if form(left.type) != OBJECTS and form(right.type) != OBJECTS:
            return Combined(self._operands(left, right), COMPARISONS[wanted.operator])
        for one, other in ((left, right), (right, left)):
            exact = self._known(other) if self._is_row_prefix(one) else None
            if isinstance(exact, Prefix) and wanted.operator.value in ("==", "!="):
                return InRanges(PrefixRanges.exactly([exact]), negated=wanted.operator.value == "!=")
        return None

    def _member(self, wanted: Member) -> Node | None:
        within = self._known(wanted.within)
        if within is None:
            found = self._has_item(wanted.within, self._known(wanted.item), wanted.negated)
            return found or self._in_list_of_first(wanted.item, wanted.within, negated=wanted.negated)
        if self._is_row_prefix(wanted.item):
            ranges = (one if isinstance(one, PrefixMatch) else _or_longer(one) for one in within)
            return InRanges(PrefixRanges(ranges), wanted.negated)
        item = wanted.item.type
        if form(item) == OBJECTS or not isinstance(wanted.within.type, ListType) or wanted.within.type.item != item:
            return None
        sorted_values = distinct(column(item, list(within)))
        return Combined(
            self._operands(wanted.item), lambda values: among(values, sorted_values) ^ np.bool_(wanted.negated)
        )

    def _has_item(self, subject: Expr, item: Any, negated: bool = False) -> Node | None:
        if item is None:
            return None
        if self._is_attribute(subject, "as_path"):
            return self._of_sets(subject, lambda columns: columns.path_numbers.contains(item) != negated)
        field = self._list_attribute(subject)
        if field is None:
            return None
        value = _list_value(field, item)
        return self._of_sets(subject, lambda columns: getattr(columns, field).contains(value) != negated)

    # --- fields ------------------------------------------------------------------------------------------------------

    def _is_row_prefix(self, wanted: Expr) -> bool:
        match _bare(wanted):
            case GetField(subject=Input(direction=direction), field="prefix") if direction is not Direction.TX:
                return self.depends(wanted) == Depends.ROW
            case _:
                return False

    def _is_attribute(self, wanted: Expr, name: str) -> bool:
        match _bare(wanted):
            case GetField(subject=Input(direction=direction), field=field):
                return self._is_route and direction is not Direction.TX and field == name
            case _:
                return False

    def _list_attribute(self, wanted: Expr) -> str | None:
        return next((name for name in LISTS if self._is_attribute(wanted, name)), None)

    def _of_sets(self, subject: Expr, compute: Callable[[SetColumns], NDArray[Any]]) -> Node:
        return Plain(self.depends(subject), lambda batch: Answer(compute(batch.columns)))

    def _told(self, wanted: Expr, subject: Expr, compute: Callable[[SetColumns], Column]) -> Node:
        """A column of sets that has no value where it is not known."""
        missing = self.places.missing(wanted.span)
        return Plain(self.depends(subject), lambda batch: _told(compute(batch.columns), missing))

    def _field(self, wanted: GetField, direction: Direction) -> Node | None:
        depends = self.depends(wanted)
        if depends == Depends.ROW:
            return _ROW_FIELDS.get(wanted.field) and Plain(depends, _ROW_FIELDS[wanted.field])
        if depends == Depends.INGRESS or form(wanted.type) == OBJECTS:
            return None
        missing = self.places.missing(wanted.span)
        if not self._is_route:
            own = self._takes.field(wanted.field)
            return None if own is None else _record_field(depends, own, missing)
        if wanted.field == "atomic_aggregate":
            return Plain(depends, lambda batch: Answer(batch.columns.atomic_aggregate))
        read = _ATTRIBUTES.get(wanted.field)
        return None if read is None else Plain(depends, lambda batch: _told(read(batch.columns), missing))

    # --- methods -----------------------------------------------------------------------------------------------------

    def _ask(self, wanted: Ask) -> Node | None:
        name = wanted.method.rpartition(".")[2]
        known = [self._known(argument) for argument in wanted.arguments]
        if wanted.method == "[Item].contains" and self._first(_subject(wanted.subject)) is not None:
            return self._in_list_of_first(wanted.arguments[0], wanted.subject, list_first=True)
        if None in known:
            return None
        if self._is_row_prefix(wanted.subject):
            return _of_prefix(name, known)
        if self._is_attribute(wanted.subject, "as_path"):
            return self._of_path(wanted, name, known)
        field = self._list_attribute(wanted.subject)
        if field is not None:
            return self._of_list(wanted, field, name, known)
        found = _bare(wanted.subject)
        if isinstance(found, Ask) and isinstance(found.subject.type, SourceType) and name in ("matches", "len"):
            return self._of_found(found, name)
        return None

    def _of_path(self, wanted: Ask, name: str, known: Sequence[Any]) -> Node | None:
        subject = wanted.subject
        match name, known:
            case "origin", _:
                return self._told(wanted, subject, lambda columns: columns.origin_as)
            case "first", _:
                return self._told(wanted, subject, lambda columns: columns.path_numbers.first())
            case "last", _:
                return self._told(wanted, subject, lambda columns: columns.path_numbers.last())
            case "len", _:
                return self._of_sets(subject, lambda columns: columns.path_length)
            case "has_set", _:
                return self._of_sets(subject, lambda columns: columns.path_has_set)
            case "contains", (number,):
                return self._has_item(subject, number)
            case "contains_any", (numbers,):
                some = distinct(np.array(numbers, np.uint32))
                return self._of_sets(subject, lambda columns: columns.path_numbers.contains_any(some))
            case "starts_with", (numbers,):
                return self._of_sets(subject, lambda columns: columns.path_numbers.starts_with(numbers))
            case _:
                return None

    def _of_list(self, wanted: Ask, field: str, name: str, known: Sequence[Any]) -> Node | None:
        subject = wanted.subject

        def lists(columns: SetColumns) -> Lists:
            found: Lists = getattr(columns, field)
            return found

        match name, known:
            case "len", _:
                return self._of_sets(subject, lambda columns: lists(columns).lengths)
            case "is_empty", _:
                return self._of_sets(subject, lambda columns: lists(columns).lengths == 0)
            case "first" | "last", _ if form(wanted.type) != OBJECTS:
                return self._told(
                    wanted,
                    subject,
                    lambda columns: lists(columns).first() if name == "first" else lists(columns).last(),
                )
            case "contains", (item,):
                return self._has_item(subject, item)
            case "contains_any", (items,):
                some = distinct(np.array([_list_value(field, item) for item in items], _LIST_DTYPES[field]))
                return self._of_sets(subject, lambda columns: lists(columns).contains_any(some))
            case _:
                return None

    # --- data sources ------------------------------------------------------------------------------------------------

    def _view(self, name: str) -> SourceView | None:
        if name not in self._views:
            try:
                self._views[name] = self._world.source(name)
            except SourceGone:
                self._views[name] = None
        return self._views[name]

    def _ask_source(self, wanted: Ask) -> Node | None:
        source = _bare(wanted.subject)
        assert isinstance(source, SourceOf)
        assert isinstance(source.type, SourceType)
        view = self._view(source.name)
        if view is None:
            return Failing(wanted.type, self.places.failed(source.span))
        gone = self.places.failed(wanted.span)
        match wanted.method.rpartition(".")[2], wanted.arguments:
            case "validate", (prefix, origin) if self._is_row_prefix(prefix):
                return OfSource(
                    wanted.type,
                    gone,
                    self._operands(origin, more=Depends.ROW),
                    lambda batch, origins: view.validate_column(batch.prefixes.prefixes, origins),
                    Depends.ROW,
                )
            case "verify", (path, direction) if self._is_attribute(path, "as_path"):
                way = self._known(direction)
                if not isinstance(way, Constant):
                    return None
                return OfSource(
                    wanted.type,
                    gone,
                    (),
                    lambda batch: view.verify_table(batch.columns.path_table, way),
                    self.depends(path),
                )
            case "contains", (key,):
                return self._source_contains(source.type, view, wanted, key)
            case _:
                return None

    def _source_contains(self, source: SourceType, view: SourceView, wanted: Ask, key: Expr) -> Node | None:
        field, gone = source.key_field(key.type), self.places.failed(wanted.span)
        if field is None:
            return None
        if self._is_row_prefix(key):
            return OfSource(
                wanted.type,
                gone,
                (),
                lambda batch: view.contains_column(field, batch.prefixes.prefixes),
                Depends.ROW,
            )
        if form(key.type).kind != "u" or not isinstance(key.type, types.ScalarType):
            return None
        return OfSource(
            wanted.type,
            gone,
            self._operands(key),
            lambda batch, keys: view.contains_column(field, keys),
            CONSTANT,
        )

    def _of_found(self, found: Ask, name: str) -> Node | None:
        source = _bare(found.subject)
        look_up = found.method.rpartition(".")[2]
        if look_up == "find" and name == "matches" and isinstance(found.subject.type, SourceType):
            view = self._view(source.name) if isinstance(source, SourceOf) else None
            return None if view is None else self._source_contains(found.subject.type, view, found, found.arguments[0])
        if look_up not in LOOK_UPS or not self._is_row_prefix(found.arguments[0]) or not isinstance(source, SourceOf):
            return None
        view = self._view(source.name)
        result = types.BOOL if name == "matches" else types.U32
        if view is None:
            return Failing(result, self.places.failed(source.span))
        tabled = _tabled(view) if name == "matches" else None
        if tabled is not None and look_up in _FIRSTS:
            there = self._numbers_of(view, tabled, _FIRSTS[look_up])
            ask = lambda batch: there(batch) != NONE  # noqa: E731
            return OfSource(result, self.places.failed(found.span), (), ask, Depends.ROW)

        def count(batch: RowBatch) -> NDArray[Any]:
            counts = view.count_column(look_up, batch.prefixes.prefixes)
            return counts > 0 if name == "matches" else counts

        return OfSource(result, self.places.failed(found.span), (), count, Depends.ROW)

    @staticmethod
    def _numbers_of(view: SourceView, tabled: Tabled, look_up: str) -> Callable[[RowBatch], NDArray[np.int64]]:
        """What gives the number of the first record that is found for the prefix of each row."""
        return lambda batch: batch.prefixes.told((view, look_up), lambda prefixes: tabled.first_of(look_up, prefixes))

    def _first(self, wanted: Expr) -> tuple[Node, Tabled] | None:
        """The node of the number of the first record that a table finds, if that is what is wanted, and the table."""
        first = _bare(wanted)
        found = _bare(first.subject) if isinstance(first, Ask) and first.method == "Found.first" else None
        if not isinstance(found, Ask) or not isinstance(found.subject.type, SourceType):
            return None
        source, look_up, (key,) = _bare(found.subject), found.method.rpartition(".")[2], found.arguments
        view = self._view(source.name) if isinstance(source, SourceOf) else None
        tabled = None if view is None else _tabled(view)
        if view is None or tabled is None:
            return None
        states = self.places.failed(found.span), self.places.missing(first.span)
        if look_up in ("exact_match", "longest_match") and self._is_row_prefix(key):
            return FirstFound(*states, (), self._numbers_of(view, tabled, look_up), Depends.ROW), tabled
        field = found.subject.type.key_field(key.type) if look_up == "find" else None
        if field is None or self.depends(key) not in SETS or not _is_number(key.type):
            return None
        ask = lambda batch, keys: tabled.first_rows(field, keys)  # noqa: E731
        return FirstFound(*states, self._operands(key), ask, CONSTANT), tabled

    def _field_of_first(self, wanted: GetField) -> Node | None:
        """A number in the first record that a table finds."""
        first = self._first(wanted.subject) if _is_number(wanted.type) else None
        if first is None:
            return None
        tabled, field, own = first[1], wanted.field, form(wanted.type)
        known = self._known_in(wanted, *first)
        read = Combined([known], lambda rows: tabled.numbers_at(field, rows).astype(own, copy=False))
        return Plain(read.depends, read.answer, costly=True)

    def _in_list_of_first(
        self, item: Expr, within: Expr, *, negated: bool = False, list_first: bool = False
    ) -> Node | None:
        """Whether a number is in a list in the first record that a table finds."""
        within = _bare(within)
        first = self._first(within.subject) if isinstance(within, GetField) else None
        if first is None or within.type != ListType(item.type) or not _is_number(item.type):
            return None
        assert isinstance(within, GetField)
        tabled, field, known = first[1], within.field, self._known_in(within, *first)
        items = self._operands(item, more=known.depends)
        if known.depends in SETS and (joined(items) | known.depends) not in SETS:
            known = self._own.remember(known, types.U64)
        if list_first:
            return Combined([known, *items], lambda rows, values: tabled.has_at(field, rows, values))
        return Combined([*items, known], lambda values, rows: tabled.has_at(field, rows, values) != negated)

    def _known_in(self, wanted: GetField, first: Node, tabled: Tabled) -> Node:
        """The numbers of records that have this field."""
        if not wanted.optional:
            return first
        missing, field = self.places.missing(wanted.span), wanted.field
        return Known(first, missing, lambda rows: tabled.known_at(field, rows))


_FIRSTS = {look_up: look_up.replace("less_specifics", "longest_match") for look_up in LOOK_UPS[:3]}
"""Look-ups that find something where another one, which tells the first record, does."""


def _tabled(view: SourceView) -> Tabled | None:
    try:
        return view.tabled()
    except SourceGone:
        return None


def _is_number(type: types.Type) -> bool:
    return isinstance(type, types.ScalarType) and form(type).kind in "buf"


def _subject(wanted: Expr) -> Expr:
    """Of what record something is a field; else itself."""
    bare = _bare(wanted)
    return bare.subject if isinstance(bare, GetField) else bare


def _bare(wanted: Expr) -> Expr:
    """What is behind names."""
    while isinstance(wanted, Bound | Named):
        wanted = wanted.value
    return wanted


def _or_longer(prefix: Prefix) -> PrefixMatch:
    return PrefixMatch(prefix, prefix.length, prefix.bits)


def _told(found: Column, missing: int) -> Answer:
    if found.known.all():
        return Answer(found.values)
    return Answer(found.values, np.where(found.known, np.int32(0), np.int32(missing)))


def _list_value(field: str, item: Any) -> Any:
    return np.array([large_octets(item)], "S12")[0] if field == "large_communities" else item


_LIST_DTYPES: Mapping[str, Any] = {
    "communities": np.uint32,
    "extended_communities": np.uint64,
    "large_communities": np.dtype("S12"),
}


def _hops(hops: NextHops) -> Column:
    known = hops.families > 0
    return Column(addresses(hops.octets, np.where(hops.families == 4, np.uint8(4), np.uint8(16))), known)


def _identifiers(found: Column) -> Column:
    octets = np.zeros((len(found.values), 16), np.uint8)
    octets[:, :4] = np.ascontiguousarray(found.values.astype(">u4")).view(np.uint8).reshape(-1, 4)
    return Column(addresses(octets, 4), found.known)


_ATTRIBUTES: Mapping[str, Callable[[SetColumns], Column]] = {
    "origin": lambda columns: columns.origin,
    "origin_asn": lambda columns: columns.origin_as,
    "next_hop": lambda columns: _hops(columns.next_hop),
    "med": lambda columns: columns.med,
    "local_pref": lambda columns: columns.local_pref,
    "aggregator_asn": lambda columns: columns.aggregator_as,
    "originator_id": lambda columns: _identifiers(columns.originator_id),
    "only_to_customer": lambda columns: columns.only_to_customer,
}
_ROW_FIELDS: Mapping[str, Callable[[RowBatch], Answer]] = {
    "path_id": lambda batch: Answer(batch.prefixes.path_ids),
    "received": lambda batch: Answer(batch.seconds.astype(np.uint64) * np.uint64(MICROSECONDS)),
}


def _record_field(depends: Depends, field: FieldOf, missing: int) -> Node:
    def read(batch: SetBatch) -> Answer:
        found: Answer = batch.columns.field(field, missing)
        return found

    return Plain(depends, read)


def _of_prefix(name: str, known: Sequence[Any]) -> Node | None:
    """What is asked of the prefixes of rows."""
    match name, known:
        case "len", _:
            return Plain(Depends.ROW, lambda batch: Answer(batch.prefixes.lengths))
        case "is_ipv6", _:
            return Plain(Depends.ROW, lambda batch: Answer(_same_for_all(batch, batch.slot.family == 6)))
        case "covers", (prefix,):
            return InRanges(PrefixRanges.covering(prefix))
        case "contains", (address,):
            return InRanges(PrefixRanges.covering(Prefix(address.octets, 8 * len(address.octets))))
        case "is_covered_by", (prefix,):
            return InRanges(PrefixRanges([_or_longer(prefix)]))
        case "matches", (match,):
            return InRanges(PrefixRanges([match]))
        case _:
            return None


def _same_for_all(batch: RowBatch, value: bool) -> Mask:
    return np.full(len(batch), value)
